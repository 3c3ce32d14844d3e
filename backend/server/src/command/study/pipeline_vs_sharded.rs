//! A deep network as a pipeline of stages and with its training state divided: ours, torchgpipe's and DeepSpeed's.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use recspeed_engines::Engines;
use recspeed_types::spec::{Device, EngineKind, StrategyKind};
use recspeed_types::study::{StudyCell, StudyColumn, StudyReport, StudyTable, Unit, Whose};
use recspeed_types::{ExperimentSpec, RunSummary};

use super::super::failure::CommandError;
use super::super::run::find_worker;
use super::devices::{Answers, Place};
use super::differences::{differences, machine, note, versions};
use super::keep::Extent;
use super::learnt;
use super::row::{Row, data_of, fit_s, peak};
use super::runs::{Course, Planned, in_turns};
use super::standing::Ended;
use super::{SpecStudyArgs, explained, refuse_to_set, report, spec_of};

const NAME: &str = "pipeline-vs-sharded";

/// What every row trains. Frameworks draw dropout each in its own way, so there is none.
const SPEC: &str = r#"
version = 1
name = "Pipeline against sharding"
seed = 42

[dataset]
source = "builtin"
id = "beauty-synthetic-10k"

[split]
kind = "random"
test_ratio = 0.2

[recommender]
kind = "densenet"
layers = 150
growth = 8
dropout = 0.0

[training]
epochs = 1
batch_size = 256
optimizer = "adam"
learning_rate = 1e-3

[evaluation]
metrics = ["rmse", "mae", "accuracy", "auc"]
"#;

/// The whole data set, as in the paper.
const FULL: [&str; 2] = ["dataset.id=beauty-synthetic", "training.batch_size=1024"];

/// Name, engine, strategy. Two ranks and the same global batch throughout; the pipelines cut it into four micro-batches.
const ROWS: &[(&str, &str, &str)] = &[
    ("One device, Burn", "burn", r#"{ kind = "single" }"#),
    ("One device, PyTorch", "pytorch", r#"{ kind = "single" }"#),
    ("GPipe, ours", "burn", r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe" }"#),
    (
        "GPipe with recomputation, ours",
        "burn",
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe", recompute = "always" }"#,
    ),
    ("1F1B, ours", "burn", r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "1f1b" }"#),
    ("GPipe, torchgpipe", "torchgpipe", r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe" }"#),
    (
        "GPipe with recomputation, torchgpipe",
        "torchgpipe",
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe", recompute = "always" }"#,
    ),
    ("ZeRO 1, ours", "burn", r#"{ kind = "zero", ranks = 2, stage = 1 }"#),
    ("ZeRO 2, ours", "burn", r#"{ kind = "zero", ranks = 2, stage = 2 }"#),
    ("ZeRO 3, ours", "burn", r#"{ kind = "zero", ranks = 2, stage = 3 }"#),
    ("ZeRO 1, DeepSpeed", "deepspeed", r#"{ kind = "zero", ranks = 2, stage = 1 }"#),
    ("ZeRO 2, DeepSpeed", "deepspeed", r#"{ kind = "zero", ranks = 2, stage = 2 }"#),
    ("ZeRO 3, DeepSpeed", "deepspeed", r#"{ kind = "zero", ranks = 2, stage = 3 }"#),
];

/// Name, engine, device, strategy, where the paper had them: on a GPU.
const GPU_ROWS: &[(&str, &str, &str, &str)] = &[
    ("One device, Burn on LibTorch", "burn", "libtorch-cuda", r#"{ kind = "single" }"#),
    ("One device, Burn's own kernels", "burn", "cuda", r#"{ kind = "single" }"#),
    ("One device, PyTorch on CUDA", "pytorch", "cuda", r#"{ kind = "single" }"#),
    (
        "GPipe, ours on LibTorch, both stages on one GPU",
        "burn",
        "libtorch-cuda",
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe" }"#,
    ),
    (
        "ZeRO 1, ours on LibTorch, both ranks on one GPU",
        "burn",
        "libtorch-cuda",
        r#"{ kind = "zero", ranks = 2, stage = 1 }"#,
    ),
];

/// Why the tables differ.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "Time",
        "Processors here, GPUs in the paper, whose number, batch size and micro-batches are not known here. Every row learns from the \
         same rows in the same order with the same first weights, global batch and threads; two ranks share the machine's cores. Our \
         ranks are threads of one process, DeepSpeed's are processes that talk over gloo, and torchgpipe has one worker thread a \
         device, so that its stages on one processor take turns: it shows what the schedule costs, not what it gains.",
    ),
    (
        "Samples a second",
        "Rows to learn from, times the epochs taken, divided by the median seconds of training: the unit in which torchgpipe and DeepSpeed \
         report of themselves. As the time, it holds every step with its optimizer, and no start, reading or evaluation.",
    ),
    (
        "Errors",
        "The network says how likely a rating is to be 4 or more; RMSE and MAE are its errors against 1 and 0, accuracy is the share of \
         ratings that it puts on the right side of one half. The paper's .773 cannot be the accuracy of the same numbers as its RMSE of .177: \
         with 22.7 % on the wrong side of one half, each by at least .5, the RMSE is at least .238. Its MAE of .031 is the square of \
         .177, so the mean squared error.",
    ),
    (
        "Memory",
        "`a rank` is the ledger of our executors, of the rank that held most: the most that parameters, gradients, optimizer state, kept \
         activations and what comes and goes took at one moment, and with it the most optimizer state that was offloaded. \
         The others keep no ledger: DeepSpeed's is the most that the process of a rank has held (`ru_maxrss`, with Python and PyTorch), and \
         torchgpipe's two stages share one process. `process` is what the system counts: all ranks of ours, all stages of torchgpipe and all processes of \
         DeepSpeed, with the data and the program. The paper's gigabytes are of GPUs whose allocator keeps what it once had.",
    ),
    (
        "Data",
        "Synthetic ratings in the image of Amazon Beauty. `--full` takes 2,023,070 of them; \
         `--set dataset.source=file --set dataset.path=ratings_Beauty.csv --set dataset.format=amazon-csv` takes the real ones.",
    ),
];

/// What makes the rows.
const OWN: [&str; 3] = ["strategy", "engine.kind", "engine.device"];

/// Arguments of `recspeed study pipeline-vs-sharded`.
#[derive(Debug, Default, Args)]
pub struct PipelineVsShardedArgs {
    /// Measure only the rows on the processor, or only those on a GPU
    #[arg(long, value_enum, value_name = "WHERE")]
    on: Option<On>,
    #[command(flatten)]
    pub(super) specs: SpecStudyArgs,
}

impl PipelineVsShardedArgs {
    /// What its report is of: of a part where the rows of one table are left out.
    pub(super) const fn extent(&self) -> Extent {
        self.specs.extent(self.on.is_some())
    }
}

/// What the rows of a table compute on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum On {
    Processor,
    Gpu,
}

impl On {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Gpu => "gpu",
        }
    }
}

/// Measures it; `None` when the user stopped it before anything was measured.
pub(super) fn measure(args: &PipelineVsShardedArgs, engines: &Engines) -> Result<Option<Ended>, CommandError> {
    let PipelineVsShardedArgs { on, specs: args } = args;
    refuse_to_set(&args.set, &OWN)?;
    let worker = find_worker(args.study.worker.as_deref())?;
    let answers = Answers::default();
    let place = Place { worker: &worker, engines, answers: &answers };
    let mut planned = Vec::new();
    for (name, of_row) in rows(*on) {
        planned.push(Planned::new(name, spec_of(SPEC, args, &FULL, &of_row)?, place));
    }
    let repeats = args.study.repeats.unwrap_or(args.usual_repeats());
    let mut command = args.command(NAME, repeats);
    if let Some(on) = on {
        let _ = write!(command, " --on {}", on.as_str());
    }
    let less_memory = args.less_memory();
    let course = Course { study: NAME, args: &args.study, engines, command: &command, repeats, less_memory };
    let Some(turns) = in_turns(course, planned)? else { return Ok(None) };
    let report = tables(command, &turns.rows);
    Ok(Some(turns.ended(report)))
}

/// The name of every row, or of those of one table, and what makes it.
fn rows(on: Option<On>) -> impl Iterator<Item = (&'static str, Vec<String>)> {
    let of_row = |engine: &str, strategy: &str| vec![format!("engine.kind={engine}"), format!("strategy={strategy}")];
    let on_processor = ROWS
        .iter()
        .filter(move |_| on != Some(On::Gpu))
        .map(move |(name, engine, strategy)| (*name, of_row(engine, strategy)));
    let on_gpu =
        GPU_ROWS.iter().filter(move |_| on != Some(On::Processor)).map(move |(name, engine, device, strategy)| {
            let mut of_row = of_row(engine, strategy);
            of_row.push(format!("engine.device={device}"));
            (*name, of_row)
        });
    on_processor.chain(on_gpu)
}

fn tables(command: String, rows: &[Row]) -> StudyReport {
    let columns = vec![
        StudyColumn::lower("training", Unit::Seconds),
        StudyColumn::higher("samples a second", Unit::Count),
        StudyColumn::lower("RMSE", Unit::Plain),
        StudyColumn::lower("MAE", Unit::Plain),
        StudyColumn::higher("accuracy", Unit::Plain),
        StudyColumn::lower("memory of a rank", Unit::Bytes),
        StudyColumn::lower("memory of a process", Unit::Bytes),
    ];
    let line = |all: &[&Row], row: &Row| {
        let note = note(row.last().map(versions).unwrap_or_default(), &differences(all, row));
        row.table_row(note, columns.len(), |runs| {
            let of = |name: &str| StudyCell::of(runs.last().and_then(|run| run.metrics.get(name).copied()));
            let time = StudyCell::runs(&fit_s(runs));
            let speed =
                StudyCell::of(runs.last().zip(time.value()).and_then(|(run, seconds)| samples_a_second(run, seconds)));
            vec![time, speed, of("rmse"), of("mae"), of("accuracy"), of_a_rank(row), peak(runs)]
        })
    };
    let table = |title: &str, of_gpu: bool| {
        let on_gpu = |row: &&Row| matches!(row.spec.engine.device, Device::LibtorchCuda | Device::Cuda);
        let own: Vec<&Row> = rows.iter().filter(|row| on_gpu(row) == of_gpu).collect();
        let one_number = learnt::one_number(&own, &[(2, "rmse"), (3, "mae"), (4, "accuracy")], columns.len());
        StudyTable {
            title: title.to_owned(),
            whose: Whose::Measured,
            rows_are: "strategy".to_owned(),
            rows: own.iter().map(|row| line(&own, row)).chain(one_number).collect(),
            columns: columns.clone(),
            bars: Some(0),
        }
    };
    let both = [table("Measured here, on the processor", false), table("Measured here, on a GPU", true)];
    let measured = both.into_iter().filter(|table| !table.rows.is_empty()).collect();
    let mut report = report(NAME, command, machine(rows), measured);
    report.conditions = rows.iter().find_map(|row| Some(conditions(&row.spec, row.last()?))).into_iter().collect();
    report.differences = explained(DIFFERENCES);
    report.differences.extend(learnt::meaning(rows, "rmse"));
    report.differences.extend(learnt::epochs(rows, None));
    report.specs = rows.iter().map(Row::named_spec).collect();
    report
}

/// Rows that a training of so many seconds learnt from in each of them; a row counts once an epoch.
fn samples_a_second(run: &RunSummary, seconds: f64) -> Option<f64> {
    let epochs = run.training.as_ref()?.epochs;
    (seconds > 0.0).then(|| run.data.train as f64 * f64::from(epochs) / seconds)
}

/// Bytes of the rank that holds most; nothing where there is one rank. A framework without a ledger is told by its process.
fn of_a_rank(row: &Row) -> StudyCell {
    let most = row.ranks.iter().max().map(|bytes| *bytes as f64);
    let what = match row.spec.engine.kind {
        _ if row.spec.strategy.kind == StrategyKind::Single => return StudyCell::Empty,
        EngineKind::Burn => "",
        EngineKind::Torchgpipe => "the process of both stages",
        _ => "its whole process",
    };
    StudyCell::of(most).noted(what)
}

/// What all rows train.
fn conditions(spec: &ExperimentSpec, run: &RunSummary) -> String {
    let of = |name: &str| spec.recommender.params.get(name).map_or("the usual".to_owned(), ToString::to_string);
    let training = run.training.as_ref();
    format!(
        "{} ratings of {} to learn from, {} to test on; a dense block of {} layers, growth {}, {}, {} parameters, {} steps of {} rows; \
         two ranks, pipelines with four micro-batches, nothing recomputed where the row does not say so.",
        run.data.train,
        data_of(run),
        run.data.test,
        of("layers"),
        of("growth"),
        dropout(spec),
        training.map_or(0, |training| training.parameters),
        training.map_or(0, |training| training.steps),
        spec.training.batch_size.unwrap_or_default(),
    )
}

/// How the rows' networks drop out; frameworks draw it each in its own way.
fn dropout(spec: &ExperimentSpec) -> String {
    match spec.recommender.params.get("dropout").map(ToString::to_string).as_deref() {
        Some("0") => "without dropout".to_owned(),
        Some(share) => format!("dropout {share}, which each framework draws in its own way"),
        None => "the usual dropout, which each framework draws in its own way".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::StudyRow;

    use super::*;

    #[test]
    fn every_row_is_a_valid_spec_in_both_sizes() {
        for full in [false, true] {
            let args = SpecStudyArgs { full, ..SpecStudyArgs::default() };
            for (name, of_row) in rows(None) {
                let spec = spec_of(SPEC, &args, &FULL, &of_row).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(of_row[0], format!("engine.kind={}", spec.engine.kind.as_str()));
            }
        }
    }

    #[test]
    fn the_rows_of_one_table_are_those_on_its_devices_and_no_other_rows_have_their_names() {
        let names = |on| rows(on).map(|(name, _)| name).collect::<Vec<_>>();
        let (on_processor, on_gpu) = (names(Some(On::Processor)), names(Some(On::Gpu)));
        assert_eq!((on_processor.len(), on_gpu.len()), (ROWS.len(), GPU_ROWS.len()));
        // A report is put together of both by these names.
        assert!(on_gpu.iter().all(|name| !on_processor.contains(name)));
        assert_eq!(names(None), [on_processor, on_gpu].concat());
        let args = SpecStudyArgs::default();
        for on in [On::Processor, On::Gpu] {
            for (name, of_row) in rows(Some(on)) {
                let spec = spec_of(SPEC, &args, &FULL, &of_row).unwrap_or_else(|error| panic!("{name}: {error}"));
                let is_on_gpu = matches!(spec.engine.device, Device::LibtorchCuda | Device::Cuda);
                assert_eq!(is_on_gpu, on == On::Gpu, "{name}");
            }
        }
    }

    #[test]
    fn a_table_without_rows_is_none() {
        let tables = tables(String::new(), &[]).tables;
        assert!(tables.iter().all(|table| table.whose == Whose::Paper), "nothing was measured");
    }

    #[test]
    fn dropout_that_was_set_is_told() {
        let told = |set: &[&str]| {
            let args =
                SpecStudyArgs { set: set.iter().map(|&set| set.to_owned()).collect(), ..SpecStudyArgs::default() };
            dropout(&spec_of(SPEC, &args, &FULL, &[]).expect("a spec"))
        };
        assert_eq!(told(&[]), "without dropout");
        assert_eq!(told(&["recommender.dropout=0.25"]), "dropout 0.25, which each framework draws in its own way");
    }

    #[test]
    fn samples_a_second_are_rows_times_epochs_by_the_median_time() {
        use super::super::row::{Measured, tests::RUN};
        let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
        run.data.train = 8000;
        run.training =
            serde_json::from_str(r#"{"epochs":3,"steps":96,"final_loss":0.1,"stopped_early":false,"parameters":7}"#)
                .expect("a training");
        let timed = |fit_s: f64| {
            let mut run = run.clone();
            run.timing.fit_s = fit_s;
            run
        };
        let row = |result| Row {
            name: "One device, Burn".into(),
            spec: ExperimentSpec::from_toml(SPEC).expect("a spec"),
            result,
            ranks: Vec::new(),
            other_build: None,
        };
        let cells = |result| tables(String::new(), &[row(result)]).tables.remove(0).rows.remove(0).cells;
        let ran = cells(Measured::Ran([2.0, 8.0, 4.0].map(timed).to_vec()));
        assert_eq!((ran[0].value(), ran[1].value()), (Some(4.0), Some(8000.0 * 3.0 / 4.0)));
        assert_eq!(ran[1].show(Unit::Count), "6,000");
        run.training = None;
        assert_eq!(samples_a_second(&run, 1.0), None, "nothing was trained by steps");
    }

    #[test]
    fn one_number_for_everybody_stands_below_rows_that_ran_and_in_no_table_without_a_run() {
        use super::super::row::{Measured, tests};
        let mut run: RunSummary = serde_json::from_str(tests::RUN).expect("a summary");
        let told = [("rmse", 0.4283), ("mae", 0.3669), ("accuracy", 0.758)];
        run.evaluation.of_the_mean = told.map(|(name, value)| (name.to_owned(), value)).into();
        let ran = tests::row(Measured::Ran(vec![run]));
        let mut on_gpu = tests::row(Measured::Failed { cause: "It crashed.".to_owned(), finished: 0 });
        on_gpu.spec.engine.device = Device::Cuda;
        let report = tables(String::new(), &[ran.clone(), on_gpu]);
        let [processor, gpu] = [0, 1].map(|table| &report.tables[table].rows);
        assert_eq!((processor.len(), gpu.len()), (2, 1));
        let columns = report.tables[0].columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
        assert_eq!(columns[2..5], ["RMSE", "MAE", "accuracy"]);
        assert_eq!(processor[1], StudyRow::one_number(&[(2, 0.4283), (3, 0.3669), (4, 0.758)], columns.len()));
        assert_eq!(report.specs.len(), 2, "it is no run, and nothing to run again");
        let whose = tables(String::new(), &[ran]).tables.into_iter().map(|table| table.whose);
        assert_eq!(whose.collect::<Vec<_>>(), [Whose::Measured, Whose::Paper], "a table without rows is left out");
    }

    #[test]
    fn other_data_are_taken_as_the_report_says() {
        let words = "dataset.source=file dataset.path=ratings_Beauty.csv dataset.format=amazon-csv";
        assert!(
            DIFFERENCES.iter().any(|(_, text)| words.split(' ').all(|word| text.contains(&format!("--set {word}"))))
        );
        for full in [false, true] {
            let set = words.split(' ').map(str::to_owned).collect();
            let args = SpecStudyArgs { full, set, ..SpecStudyArgs::default() };
            let spec = spec_of(SPEC, &args, &FULL, &[]).unwrap_or_else(|error| panic!("{error}"));
            assert!(spec.to_toml().contains("ratings_Beauty.csv"));
        }
    }
}
