//! The paper's four-layer network, on every engine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use recspeed_engines::Engines;
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::{Device, EngineKind};
use recspeed_types::study::{Missing, StudyCell, StudyColumn, StudyReport, StudyTable, Unit, Whose};

use super::super::failure::CommandError;
use super::super::once::each_once;
use super::super::run::find_worker;
use super::devices::{Answers, Place, without_gpu};
use super::differences::{differences, machine, note, versions};
use super::keep::Extent;
use super::learnt;
use super::named::{self, OnDevice, is_usual, name_of};
use super::rest::{Rest, not_yet};
use super::row::{Measured, Row, data_of, fit_s, peak};
use super::runs::{By, Course, Planned, in_turns};
use super::standing::Ended;
use super::{StudyArgs, StudyError, command_line, explained, memory, parsed, refuse_to_set, report, tab};

/// The spec that every engine runs. 12,500 ratings leave 10,000 to learn from.
const SPEC: &str = r#"
version = 1
name = "Four-layer network"
seed = 42

[dataset]
source = "builtin"
id = "beauty-synthetic-100k"
sample = 12500

[split]
kind = "random"
test_ratio = 0.2

[recommender]
kind = "mlp"
hidden = [64, 64, 64]

[training]
epochs = 3
batch_size = 64
optimizer = "adam"
learning_rate = 1e-3

[evaluation]
metrics = ["rmse", "mae", "nrmse", "nmae"]
"#;

/// Runs of each row, usually.
const REPEATS: u32 = 5;
/// Passes of the paper's training over its ratings.
const EPOCHS_OF_THE_PAPER: u32 = 3;

/// The engines of the paper's table, behind ours; Burn also on PyTorch's own library, on GPUs and in a browser's tab.
const USUAL: [OnDevice; 11] = [
    (EngineKind::Burn, Device::Flex),
    (EngineKind::Burn, Device::LibtorchCpu),
    (EngineKind::Burn, Device::LibtorchCuda),
    (EngineKind::Burn, Device::Vulkan),
    (EngineKind::Burn, Device::Cuda),
    (EngineKind::Burn, Device::Browser),
    (EngineKind::Pytorch, Device::Cpu),
    (EngineKind::Pytorch, Device::Cuda),
    (EngineKind::Tensorflow, Device::Cpu),
    (EngineKind::Pyvelox, Device::Cpu),
    (EngineKind::Pyvelox, Device::Cuda),
];

/// Why the two tables differ.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "Time",
        "Other hardware, and how the paper's seconds were taken is not known here: its batch size, and whether they hold the \
         start of the framework and the reading of rows (its PyVelox row is PyTorch behind another data path). Here the same \
         rows, orders, first weights, batch size and threads go to every engine, and the clock runs from numbers in memory to \
         trained weights. A row on a GPU says so in its name; the others computed on the processor, in the tab on one thread. Before the \
         clock starts, each framework trains two batches by another network of the same shape. That warms its process, and no graph: Keras \
         traces the graph of each network anew, at its first step, so that the time of its row holds that. `model.fit` is called once an \
         epoch, and the later calls take the graph of the first.",
    ),
    (
        "PyTorch, eager",
        "No compiler and no graph: one operation after another, as most write it. Its optimizer takes the fused kernel, which was the fastest of \
         its three ways here; that is also so in the rows of PyVelox, which feeds PyTorch.",
    ),
    (
        "Rows on a GPU",
        "Burn, PyTorch and PyVelox have them; PyVelox' vectors lie in the machine's memory, so that each epoch's rows go to the GPU. TensorFlow has \
         none: the pinned package is `tensorflow-cpu`, which is built without CUDA, and the one with CUDA was not tried. DeepSpeed and torchgpipe divide \
         the work of a training, and are in `pipeline-vs-sharded`.",
    ),
    (
        "Errors",
        "The same metrics code for every engine. The paper's RMSE of .37 and MAE of .0563 do not fit each other on a scale of \
         0 to 1: where no error is larger than 1, the square of the RMSE, .137, is at most the MAE.",
    ),
    (
        "Data",
        "Not the paper's sample; the first lines say which rows these are. `--set` takes any other data set, as \
         `--set dataset.source=file --set dataset.path=ratings_Beauty.csv --set dataset.format=amazon-csv`.",
    ),
];

/// Arguments of `recspeed study four-layer`.
#[derive(Debug, Args)]
pub struct FourLayerArgs {
    /// Measure these engines only, as burn,pytorch; one on another device than its usual one as burn@libtorch-cpu
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "recorded")]
    engines: Vec<String>,
    /// Replace one field of the study's spec, as training.epochs=5 (may be repeated)
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "recorded")]
    set: Vec<String>,
    /// A program that opens a browser's tab and measures there, as tests/browser/in-tab.mjs (`make studies-tab`)
    #[arg(long, value_name = "PROGRAM", conflicts_with = "recorded")]
    tab: Option<PathBuf>,
    #[command(flatten)]
    pub(super) study: StudyArgs,
}

impl FourLayerArgs {
    /// The same without engines that are named again, also one by the name of its usual device.
    pub(super) fn with_each_once(self) -> Self {
        let engines =
            each_once(("--engines", "measured"), &self.engines, |name| row_of(name).map_err(|_| name.clone()));
        Self { engines, ..self }
    }

    /// What its report is of: of a part where engines were named.
    pub(super) const fn extent(&self) -> Extent {
        self.study.extent(!self.engines.is_empty(), !self.set.is_empty(), REPEATS)
    }

    /// The spec of an engine's row.
    fn spec(&self, (kind, device): OnDevice) -> Result<ExperimentSpec, CommandError> {
        let of_row = [("engine.kind", kind.as_str()), ("engine.device", device.as_str())];
        let of_row = of_row.map(|(field, value)| format!("{field}={value}"));
        parsed(SPEC, &self.study, &[&self.set, &of_row])
    }

    /// The command that measures the usual rows.
    fn command(&self) -> String {
        command_line("four-layer", &self.study, self.study.repeats.unwrap_or(REPEATS), &self.set)
    }

    /// The command that measures the same again.
    pub(super) fn own_command(&self) -> String {
        let mut command = self.command();
        if !self.engines.is_empty() {
            let _ = write!(command, " --engines {}", self.engines.join(","));
        }
        if let Some(program) = &self.tab {
            let _ = write!(command, " --tab {}", program.display());
        }
        command
    }

    /// The rows that a part leaves out, and what the machine `lacks` for them; `None` where this is none.
    fn rest(&self, lacks: impl Fn(OnDevice) -> Option<Missing>) -> Result<Option<Rest>, CommandError> {
        if self.engines.is_empty() {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for engine in USUAL {
            let spec = self.spec(engine)?;
            if engine.1 == Device::Browser {
                let missing = |row: Planned| Row::new(row.name, row.spec, Measured::Missing(tab::missing()));
                rows.extend(in_tab(spec, None).map(missing));
            } else {
                rows.push(Row::new(title(engine), spec, lacks(engine).map_or_else(not_yet, Measured::Missing)));
            }
        }
        let whole = self.command();
        Ok(Some(Rest::new(tables(String::new(), &rows), move |names| {
            let engines = USUAL.into_iter().filter(|engine| names.contains(&title(*engine).as_str()));
            format!("{whole} --engines {}", engines.map(name_of).collect::<Vec<_>>().join(","))
        })))
    }
}

/// The specs of its rows, by their names.
///
/// # Errors
/// An engine that is not known, or what is set does not fit it.
pub(super) fn specs(args: &FourLayerArgs) -> Result<Vec<ExperimentSpec>, CommandError> {
    let mut all = Vec::new();
    for engine in rows(&args.engines)? {
        let spec = args.spec(engine)?;
        let in_tab = engine.1 == Device::Browser;
        let names = if in_tab { TAB.map(|(name, _)| name.to_owned()).to_vec() } else { vec![title(engine)] };
        all.extend(names.into_iter().map(|name| ExperimentSpec { name, ..spec.clone() }));
    }
    Ok(all)
}

/// Measures it; `None` when the user stopped it before anything was measured.
pub(super) fn measure(args: &FourLayerArgs, engines: &Engines) -> Result<Option<Ended>, CommandError> {
    refuse_to_set(&args.set, &["engine.kind", "engine.device"])?;
    let rows = rows(&args.engines)?;
    let worker = find_worker(args.study.worker.as_deref())?;
    let answers = Answers::default();
    let place = Place { worker: &worker, engines, answers: &answers };
    let mut planned = Vec::new();
    for engine in rows {
        let spec = args.spec(engine)?;
        if engine.1 == Device::Browser {
            planned.extend(in_tab(spec, args.tab.as_deref()));
            continue;
        }
        planned.push(Planned::new(title(engine), spec, place));
    }
    let rest = args.rest(without_gpu)?;
    let repeats = args.study.repeats.unwrap_or(REPEATS);
    let command = args.own_command();
    let less_memory = memory::FEWER_ROWS;
    let course = Course { study: "four-layer", args: &args.study, engines, command: &command, repeats, less_memory };
    let Some(turns) = in_turns(course, planned)? else { return Ok(None) };
    let report = tables(command, &turns.rows);
    Ok(Some(turns.ended(report).beside(rest)))
}

/// The tab's rows, and how many runs a fresh tab makes before the one that each measures. A browser compiles well only
/// what it has found to be busy: from about the fifth run on it is as fast as it gets. The benchmarks time the same two.
const TAB: [(&str, u32); 2] = [("In the tab, its first run", 0), ("In the tab, its fifth run", 4)];

/// The rows of the tab, whose program is not always there.
fn in_tab(spec: ExperimentSpec, program: Option<&Path>) -> [Planned; 2] {
    TAB.map(|(name, before)| Planned {
        name: name.to_owned(),
        spec: spec.clone(),
        missing: program.is_none().then(tab::missing),
        by: By::Tab { program: program.unwrap_or(Path::new("")).to_owned(), before },
        over_seeds: false,
        other_build: None,
    })
}

/// Those that were named, or the usual ones.
fn rows(names: &[String]) -> Result<Vec<OnDevice>, StudyError> {
    if names.is_empty() { Ok(USUAL.to_vec()) } else { names.iter().map(|name| row_of(name)).collect() }
}

/// The engine and device of this name; an engine without a device is on its usual one.
fn row_of(name: &str) -> Result<OnDevice, StudyError> {
    let kinds = [EngineKind::Burn].into_iter().chain(EngineKind::REFERENCES);
    let devices = kinds.flat_map(|kind| kind.devices().iter().map(move |&device| (kind, device)));
    let all: Vec<OnDevice> = devices.chain([(EngineKind::Burn, Device::Browser)]).collect();
    named::find(name, &all)
}

/// An engine with its device, where that is not its usual one.
fn title((kind, device): OnDevice) -> String {
    // PyTorch has compilers, too, which are not used here.
    let name = if kind == EngineKind::Pytorch { "PyTorch, eager" } else { kind.title() };
    if is_usual((kind, device)) { name.to_owned() } else { format!("{name} on {}", device.as_str()) }
}

pub(super) fn tables(command: String, rows: &[Row]) -> StudyReport {
    let columns = vec![
        StudyColumn::lower("training", Unit::Seconds),
        StudyColumn::lower("start of the framework", Unit::Seconds),
        StudyColumn::lower("peak memory", Unit::Bytes),
        StudyColumn::lower("RMSE, 0 to 1", Unit::Plain),
        StudyColumn::lower("MAE, 0 to 1", Unit::Plain),
    ];
    let all: Vec<&Row> = rows.iter().collect();
    let line = |row: &Row| {
        let note = note(row.last().map(versions).unwrap_or_default(), &differences(&all, row));
        row.table_row(note, columns.len(), |runs| {
            let start: Vec<f64> = runs.iter().filter_map(|run| run.timing.start_s).collect();
            let of = |name: &str| StudyCell::of(runs.last().and_then(|run| run.metrics.get(name).copied()));
            vec![
                StudyCell::runs(&fit_s(runs)),
                StudyCell::median(&start).unwrap_or_else(|| StudyCell::text("none")),
                peak(runs),
                of("nrmse"),
                of("nmae"),
            ]
        })
    };
    let one_number = learnt::one_number(&all, &[(3, "nrmse"), (4, "nmae")], columns.len());
    let measured = StudyTable {
        title: "Measured here".to_owned(),
        whose: Whose::Measured,
        rows_are: "engine".to_owned(),
        rows: rows.iter().map(line).chain(one_number).collect(),
        columns,
        bars: Some(0),
    };
    let mut report = report("four-layer", command, machine(rows), vec![measured]);
    report.conditions = rows.iter().find_map(|row| Some(conditions(row, row.last()?))).into_iter().collect();
    report.differences = explained(DIFFERENCES);
    report.learnt = learnt::held_against(rows, "nrmse");
    let errors_say = learnt::meaning(&report);
    report.differences.extend(errors_say);
    report.differences.extend(learnt::epochs(rows, Some(EPOCHS_OF_THE_PAPER)));
    report.specs = rows.iter().map(Row::named_spec).collect();
    report.defaults = super::present::defaults_of(&report.specs);
    report
}

/// What all engines train on.
fn conditions(row: &Row, run: &recspeed_types::RunSummary) -> String {
    let hidden = row.spec.recommender.params.get("hidden").map_or("its defaults".to_owned(), ToString::to_string);
    format!(
        "{} ratings of {} to learn from, {} to test on; hidden layers {hidden}, {} steps of {}.",
        run.data.train,
        data_of(run),
        run.data.test,
        run.training.as_ref().map_or(0, |training| training.steps),
        row.spec.training.batch_size.map_or_else(|| "the usual size".to_owned(), |size| format!("{size} rows")),
    )
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::StudyRow;
    use recspeed_types::{ExperimentSpec, RunSummary};

    use super::super::render::markdown;
    use super::super::row::tests as rows_of;
    use super::*;

    #[test]
    fn the_studys_spec_runs_on_every_engine() {
        for kind in [EngineKind::Burn].into_iter().chain(EngineKind::REFERENCES) {
            let mut spec = ExperimentSpec::from_toml(SPEC).expect("a spec");
            spec.engine.kind = kind;
            spec.resolve().unwrap_or_else(|errors| panic!("{kind:?}: {errors}"));
        }
        assert!(rows(&["pytorhc".to_owned()]).is_err());
        let named = rows(&["burn", "burn@libtorch-cuda", "pytorch@cuda"].map(str::to_owned)).expect("rows");
        let titles: Vec<String> = named.into_iter().map(title).collect();
        assert_eq!(titles, ["Burn", "Burn on libtorch-cuda", "PyTorch, eager on cuda"]);
    }

    #[test]
    fn an_engine_that_computes_on_a_gpu_has_a_row_there_and_one_that_has_none_says_why() {
        for kind in [EngineKind::Pytorch, EngineKind::Tensorflow, EngineKind::Pyvelox] {
            assert!(USUAL.contains(&(kind, Device::Cpu)), "{kind:?}");
            let on_gpu = kind.devices().contains(&Device::Cuda);
            assert_eq!(USUAL.contains(&(kind, Device::Cuda)), on_gpu, "{kind:?}");
        }
        let (_, why) = DIFFERENCES.iter().find(|(heading, _)| *heading == "Rows on a GPU").expect("it is told");
        let pinned = recspeed_engines::find(EngineKind::Tensorflow).expect("it is in the catalogue").pins();
        let pinned: Vec<&str> = pinned.map(|pin| pin.name).filter(|name| name.starts_with("tensorflow")).collect();
        assert_eq!(pinned, ["tensorflow-cpu"]);
        assert!(why.contains("TensorFlow has none: the pinned package is `tensorflow-cpu`"), "{why}");
        for kind in [EngineKind::Deepspeed, EngineKind::Torchgpipe] {
            assert!(why.contains(kind.title()), "{why}");
        }
    }

    #[test]
    fn a_part_names_the_rows_that_it_leaves_out_and_one_command_for_all_of_them() {
        let args = |engines: &[&str]| FourLayerArgs {
            engines: engines.iter().map(|&name| name.to_owned()).collect(),
            set: vec!["training.epochs=5".to_owned()],
            tab: None,
            study: StudyArgs::default(),
        };
        assert!(args(&[]).rest(|_| None).expect("valid specs").is_none(), "the whole study leaves none out");
        let rest = args(&["burn"]).rest(|_| None).expect("valid specs").expect("a part");
        let spec = args(&[]).spec(USUAL[0]).expect("a spec");
        let run: RunSummary = serde_json::from_str(rows_of::RUN).expect("a summary");
        let report = tables(String::new(), &[Row::new("Burn".to_owned(), spec, Measured::Ran(vec![run]))]);
        let whole = rest.beside(&report);
        assert_eq!(whole.tables[0].rows.len(), USUAL.len() + 1, "the tab has two");
        assert_eq!(whole.tables[0].rows[0], report.tables[0].rows[0]);
        let remedies: Vec<String> = recspeed_types::study::remedies(&whole).into_iter().map(|it| it.command).collect();
        let names = "burn@libtorch-cpu,burn@libtorch-cuda,burn@vulkan,burn@cuda,pytorch,pytorch@cuda,tensorflow,pyvelox,\
                     pyvelox@cuda";
        let command = "recspeed study four-layer --repeats 5 --set 'training.epochs=5'";
        assert_eq!(remedies, [format!("{command} --engines {names}"), "make studies-tab".to_owned()]);
    }

    #[test]
    fn a_row_of_the_tab_is_named_by_the_run_that_it_measures() {
        let told = in_tab(ExperimentSpec::default(), Some(Path::new("in-tab"))).map(|row| match row.by {
            By::Tab { before, .. } => (row.name, before),
            By::Worker => panic!("{} is measured in a tab", row.name),
        });
        for ((name, before), which) in told.into_iter().zip(["first", "fifth"]) {
            let runs = ["first", "second", "third", "fourth", "fifth"];
            assert_eq!(runs.get(before as usize), Some(&which), "{name}");
            assert_eq!(name, format!("In the tab, its {which} run"));
        }
    }

    #[test]
    fn one_number_for_everybody_stands_below_the_engines_and_the_papers_epochs_are_its_tables() {
        let mut run: RunSummary = serde_json::from_str(rows_of::RUN).expect("a summary");
        run.evaluation.of_the_mean = [("nrmse".to_owned(), 0.3334), ("nmae".to_owned(), 0.2715)].into();
        let report = tables(String::new(), &[rows_of::row(Measured::Ran(vec![run]))]);
        let table = &report.tables[0];
        assert_eq!([3, 4].map(|place| table.columns[place].name.as_str()), ["RMSE, 0 to 1", "MAE, 0 to 1"]);
        assert_eq!(table.rows[1..], [StudyRow::one_number(&[(3, 0.3334), (4, 0.2715)], table.columns.len())]);
        assert!(
            report.tables[1].title.ends_with(&format!("{EPOCHS_OF_THE_PAPER} epochs)")),
            "{}",
            report.tables[1].title
        );
    }

    #[test]
    fn an_engine_that_is_missing_or_fails_is_a_row_and_the_papers_rows_stand_below() {
        let spec = ExperimentSpec::from_toml(SPEC).expect("a spec");
        let row = |name: &str, result| Row {
            name: name.into(),
            spec: spec.clone(),
            result,
            ranks: Vec::new(),
            other_build: None,
        };
        let missing = |name: &str| {
            Measured::Missing(Missing {
                install: format!("recspeed engines install {name}"),
                why: "not installed".into(),
            })
        };
        let rows = [
            row("PyTorch", missing("pytorch")),
            row("TensorFlow", missing("tensorflow")),
            row("PyVelox", Measured::Failed { cause: "It crashed.".into(), finished: 1 }),
        ];
        let text = markdown(&tables("recspeed study four-layer --repeats 3".to_owned(), &rows));
        assert!(
            text.contains("| PyTorch | not installed |") && text.contains("| TensorFlow | not installed |"),
            "{text}"
        );
        assert!(
            text.contains("\n\nNot installed: `recspeed engines install pytorch tensorflow`.\n\nThe paper"),
            "{text}"
        );
        assert!(text.contains("| PyVelox | failed: after 1 runs: It crashed. |"), "{text}");
        assert!(text.contains("| TensorFlow | 17 s (1.3 ×) | 0.40 | 0.067 |"), "{text}");
    }
}
