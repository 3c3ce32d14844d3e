//! A deep network as a pipeline of stages and with its training state divided: ours, torchgpipe's and DeepSpeed's.

mod rows;
mod words;

use clap::Args;
use recspeed_engines::Engines;
use recspeed_types::spec::{EngineKind, Launcher, StrategyKind};
use recspeed_types::study::{Missing, StudyCell, StudyColumn, StudyReport, StudyTable, Unit, Whose};
use recspeed_types::{ExperimentSpec, RunSummary};

use super::super::failure::CommandError;
use super::super::once::each_once;
use super::super::run::find_worker;
use super::devices::{Answers, Place, without_gpu};
use super::differences::{differences, machine, note, versions};
use super::keep::Extent;
use super::learnt;
use super::named::OnDevice;
use super::rest::{Rest, not_yet};
use super::row::{Measured, Row, data_of, fit_s, peak};
use super::runs::{Course, Planned, in_turns};
use super::standing::Ended;
use super::{SpecStudyArgs, StudyError, explained, refuse_to_set, report};
use rows::{Entry, Network, On, choice_of, engine_of, entries};
use words::DIFFERENCES;

const NAME: &str = "pipeline-vs-sharded";

/// What makes the rows.
const OWN: [&str; 3] = ["strategy", "engine.kind", "engine.device"];

/// Arguments of `recspeed study pipeline-vs-sharded`.
#[derive(Debug, Default, Args)]
pub struct PipelineVsShardedArgs {
    /// Measure only the rows on the processor, or only those on a GPU
    #[arg(long, value_enum, value_name = "WHERE", conflicts_with = "recorded")]
    on: Option<On>,
    /// Measure the rows of these engines only, as burn,deepspeed; of one on another device than its usual one as
    /// burn@libtorch-cuda
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with_all = ["on", "recorded"])]
    engines: Vec<String>,
    /// The network that every row trains
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Network::Usual, conflicts_with = "recorded")]
    network: Network,
    #[command(flatten)]
    pub(super) specs: SpecStudyArgs,
}

impl PipelineVsShardedArgs {
    /// The same without engines that are named again, also one by the name of its usual device.
    pub(super) fn with_each_once(self) -> Self {
        let of = |name: &String| engine_of(name).map_err(|_| name.clone());
        let engines = each_once(("--engines", "measured"), &self.engines, of);
        Self { engines, ..self }
    }

    /// What its report is of: of a part where the rows of one table or of some engines are left out, and of settings of its own where the
    /// network is not the usual one.
    pub(super) const fn extent(&self) -> Extent {
        let extent = self.specs.extent(self.is_part());
        let own_settings = extent.own_settings || !matches!(self.network, Network::Usual);
        Extent { own_settings, ..extent }
    }

    const fn is_part(&self) -> bool {
        self.on.is_some() || !self.engines.is_empty()
    }

    /// The rows that are to be measured.
    fn chosen(&self) -> Result<Vec<Entry>, StudyError> {
        let named = self.engines.iter().map(|name| engine_of(name)).collect::<Result<Vec<_>, _>>()?;
        let is_chosen = |entry: &Entry| {
            self.on.is_none_or(|on| on == entry.on()) && (named.is_empty() || named.contains(&entry.engine))
        };
        Ok(entries().filter(is_chosen).collect())
    }

    /// The command that measures all rows.
    fn command(&self) -> String {
        self.specs.command(&format!("{NAME}{}", self.network.option()), self.specs.repeats())
    }

    /// The options that choose what these choose.
    fn choice(&self) -> String {
        match self.on {
            Some(on) => format!(" --on {}", on.as_str()),
            None if self.engines.is_empty() => String::new(),
            None => format!(" --engines {}", self.engines.join(",")),
        }
    }

    /// The command that measures the same again.
    pub(super) fn own_command(&self) -> String {
        self.command() + &self.choice()
    }

    /// The rows that a part leaves out, and what the machine `lacks` for them; `None` where this is none.
    fn rest(&self, lacks: impl Fn(OnDevice) -> Option<Missing>) -> Result<Option<Rest>, CommandError> {
        if !self.is_part() {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for entry in entries() {
            let spec = entry.spec(self.network, &self.specs)?;
            let result = lacks(entry.engine).map_or_else(not_yet, Measured::Missing);
            rows.push(Row::new(entry.name.to_owned(), spec, result));
        }
        let whole = self.command();
        Ok(Some(Rest::new(tables(String::new(), &rows), move |names| whole.clone() + &choice_of(names))))
    }
}

/// The specs of its rows, by their names.
///
/// # Errors
/// An engine that it has no rows of, or what is set does not fit them.
pub(super) fn specs(args: &PipelineVsShardedArgs) -> Result<Vec<ExperimentSpec>, CommandError> {
    let chosen = args.chosen()?.into_iter();
    let named = |spec, name: &str| ExperimentSpec { name: name.to_owned(), ..spec };
    chosen.map(|entry| Ok(named(entry.spec(args.network, &args.specs)?, entry.name))).collect()
}

/// Measures it; `None` when the user stopped it before anything was measured.
pub(super) fn measure(args: &PipelineVsShardedArgs, engines: &Engines) -> Result<Option<Ended>, CommandError> {
    let specs = &args.specs;
    refuse_to_set(&specs.set, &OWN)?;
    let chosen = args.chosen()?;
    let rest = args.rest(without_gpu)?;
    let worker = find_worker(specs.study.worker.as_deref())?;
    let answers = Answers::default();
    let place = Place { worker: &worker, engines, answers: &answers };
    let mut planned = Vec::new();
    for entry in chosen {
        planned.push(Planned::new(entry.name, entry.spec(args.network, specs)?, place));
    }
    let (repeats, less_memory) = (specs.repeats(), specs.less_memory());
    let command = args.own_command();
    let course = Course { study: NAME, args: &specs.study, engines, command: &command, repeats, less_memory };
    let Some(turns) = in_turns(course, planned)? else { return Ok(None) };
    let report = tables(command, &turns.rows);
    Ok(Some(turns.ended(report).beside(rest)))
}

fn tables(command: String, rows: &[Row]) -> StudyReport {
    let columns = vec![
        StudyColumn::lower("training", Unit::Seconds),
        StudyColumn::higher("samples a second", Unit::Count),
        StudyColumn::lower("RMSE", Unit::Plain),
        StudyColumn::lower("MAE", Unit::Plain),
        StudyColumn::higher("accuracy", Unit::Plain),
        StudyColumn::lower("ledger of a rank", Unit::Bytes),
        StudyColumn::lower("process of a rank", Unit::Bytes),
        StudyColumn::lower("all processes", Unit::Bytes),
    ];
    let line = |all: &[&Row], row: &Row| {
        let note = note(row.last().map(versions).unwrap_or_default(), &differences(all, row));
        row.table_row(note, columns.len(), |runs| {
            let of = |name: &str| StudyCell::of(runs.last().and_then(|run| run.metrics.get(name).copied()));
            let time = StudyCell::runs(&fit_s(runs));
            let speed =
                StudyCell::of(runs.last().zip(time.value()).and_then(|(run, seconds)| samples_a_second(run, seconds)));
            [time, speed, of("rmse"), of("mae"), of("accuracy")].into_iter().chain(memories(row, runs)).collect()
        })
    };
    let table = |title: &str, of_gpu: bool| {
        let on_gpu = |row: &&Row| On::of(row.spec.engine.device) == On::Gpu;
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
    report.learnt = learnt::held_against(rows, "rmse");
    let errors_say = learnt::meaning(&report);
    report.differences.extend(errors_say);
    report.differences.extend(learnt::epochs(rows, None));
    report.specs = rows.iter().map(Row::named_spec).collect();
    report.defaults = super::present::defaults_of(&report.specs);
    report
}

/// Rows that a training of so many seconds learnt from in each of them; a row counts once an epoch.
fn samples_a_second(run: &RunSummary, seconds: f64) -> Option<f64> {
    let epochs = run.training.as_ref()?.epochs;
    (seconds > 0.0).then(|| run.data.train as f64 * f64::from(epochs) / seconds)
}

/// Bytes by three measures, of which none stands for another: the ledger of the rank of ours that holds most, the process of the rank that
/// holds most where each is one of its own, and all processes of the run.
fn memories(row: &Row, runs: &[RunSummary]) -> [StudyCell; 3] {
    let (engine, strategy) = (row.spec.engine.kind, &row.spec.strategy);
    let of_ranks = |is_told: bool| {
        let most = row.ranks.iter().max().filter(|_| is_told && strategy.kind != StrategyKind::Single);
        StudyCell::of(most.map(|bytes| *bytes as f64))
    };
    let ledger = of_ranks(!engine.is_reference());
    if strategy.launcher == Some(Launcher::Mpi) {
        // The first rank tells of the run, and of its own process alone.
        return [ledger, peak(runs), StudyCell::Empty];
    }
    // All stages of torchgpipe are in one process, which is all there is.
    [ledger, of_ranks(engine == EngineKind::Deepspeed), peak(runs)]
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
    use recspeed_types::spec::Device;
    use recspeed_types::study::StudyRow;

    use super::super::present::{Settings, against_present};
    use super::super::spec_of;
    use super::rows::{FULL, GPU_ROWS, ROWS, SPEC};
    use super::*;

    const NETWORKS: [Network; 2] = [Network::Usual, Network::Larger];

    #[test]
    fn every_row_is_a_valid_spec_of_both_networks_in_both_sizes() {
        for (full, network) in [false, true].into_iter().flat_map(|full| NETWORKS.map(|network| (full, network))) {
            let args = SpecStudyArgs { full, ..SpecStudyArgs::default() };
            for entry in entries() {
                let spec = entry.spec(network, &args).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
                assert_eq!(spec.engine.kind, entry.engine.0);
                assert!(On::of(spec.engine.device) == entry.on(), "{}", entry.name);
            }
        }
    }

    fn parameter(spec: &ExperimentSpec, name: &str) -> Option<String> {
        spec.recommender.params.get(name).map(ToString::to_string)
    }

    #[test]
    fn rows_of_the_larger_network_differ_from_the_usual_ones_in_layers_and_growth_alone() {
        for full in [false, true] {
            let args = SpecStudyArgs { full, ..SpecStudyArgs::default() };
            for entry in entries() {
                let [usual, larger] = NETWORKS.map(|network| entry.spec(network, &args).expect("a spec"));
                let size = |spec: &ExperimentSpec| ["layers", "growth"].map(|name| parameter(spec, name));
                assert_eq!(size(&usual), ["150", "8"].map(|given| Some(given.to_owned())), "{}", entry.name);
                assert_eq!(size(&larger), ["60", "64"].map(|given| Some(given.to_owned())), "{}", entry.name);
                let mut as_usual = larger;
                for name in ["layers", "growth"] {
                    let given = usual.recommender.params.get(name).expect("it is given").clone();
                    as_usual.recommender.params.insert(name.to_owned(), given);
                }
                assert_eq!(as_usual, usual, "{}", entry.name);
            }
        }
        // What somebody sets counts more.
        let args = SpecStudyArgs { set: vec!["recommender.layers=30".to_owned()], ..SpecStudyArgs::default() };
        let first = entries().next().expect("a row").spec(Network::Larger, &args).expect("a spec");
        assert_eq!(
            ["layers", "growth"].map(|name| parameter(&first, name)),
            ["30", "64"].map(|it| Some(it.to_owned()))
        );
    }

    #[test]
    fn a_report_of_the_larger_network_names_it_in_its_command_and_is_no_report_of_the_usual_settings() {
        let usual = on(On::Processor);
        let larger = PipelineVsShardedArgs { network: Network::Larger, ..on(On::Processor) };
        assert!(larger.extent().own_settings && !usual.extent().own_settings);
        let report = measured(&larger, 3.0);
        let command = "recspeed study pipeline-vs-sharded --network larger --repeats 3 --on processor";
        assert_eq!(report.command, command);
        assert_eq!(against_present(&report), Settings::Same, "its command measures these rows");
        let as_usual = StudyReport { command: measured(&usual, 3.0).command, ..report };
        assert_ne!(against_present(&as_usual), Settings::Same, "and that of the usual one does not");
        // What a part of it leaves out comes with the same network.
        let rest = larger.rest(|_| None).expect("valid specs").expect("the rows on a GPU are left out");
        let due = commands(&rest.beside(&measured(&larger, 3.0)));
        assert_eq!(due, ["recspeed study pipeline-vs-sharded --network larger --repeats 3 --on gpu"]);
        let [shown, of_larger] = [&usual, &larger].map(|args| conditions_of(&measured(args, 3.0)));
        assert!(shown.contains("150 layers, growth 8,") && of_larger.contains("60 layers, growth 64,"), "{of_larger}");
    }

    fn conditions_of(report: &StudyReport) -> String {
        report.conditions.concat()
    }

    /// Our ranks as processes are held against our ranks as threads, so that both must do the same.
    #[test]
    fn a_row_over_mpi_stands_below_the_same_row_on_threads_of_a_pipeline_and_of_zero() {
        let all: Vec<(&str, ExperimentSpec)> = entries()
            .map(|entry| (entry.name, entry.spec(Network::Usual, &SpecStudyArgs::default()).expect("a spec")))
            .collect();
        let mut kinds = Vec::new();
        for pair in all.windows(2) {
            let [(threads, before), (name, over_mpi)] = pair else { continue };
            if over_mpi.strategy.launcher != Some(Launcher::Mpi) {
                continue;
            }
            assert_eq!(*name, format!("{threads}, ranks as MPI processes"));
            let mut on_threads = over_mpi.clone();
            on_threads.strategy.launcher = None;
            assert_eq!(on_threads, *before, "{name}");
            kinds.push(over_mpi.strategy.kind);
        }
        assert_eq!(kinds, [StrategyKind::Pipeline, StrategyKind::Zero]);
    }

    #[test]
    fn the_rows_of_one_table_are_those_on_its_devices_and_no_other_rows_have_their_names() {
        let (on_processor, on_gpu) = (names(&on(On::Processor)), names(&on(On::Gpu)));
        assert_eq!((on_processor.len(), on_gpu.len()), (ROWS.len(), GPU_ROWS.len()));
        // A report is put together of both by these names.
        assert!(on_gpu.iter().all(|name| !on_processor.contains(name)));
        assert_eq!(names(&PipelineVsShardedArgs::default()), [on_processor, on_gpu].concat());
    }

    fn on(on: On) -> PipelineVsShardedArgs {
        PipelineVsShardedArgs { on: Some(on), ..PipelineVsShardedArgs::default() }
    }

    fn of_engines(engines: &[&str]) -> PipelineVsShardedArgs {
        let engines = engines.iter().map(|&name| name.to_owned()).collect();
        PipelineVsShardedArgs { engines, ..PipelineVsShardedArgs::default() }
    }

    fn names(args: &PipelineVsShardedArgs) -> Vec<&'static str> {
        args.chosen().expect("known names").into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn engines_are_named_as_in_the_other_studies_and_one_without_a_device_is_on_its_usual_one() {
        assert_eq!(
            names(&of_engines(&["deepspeed", "pytorch"])),
            [
                "One device, PyTorch",
                "1F1B, DeepSpeed's PipelineModule",
                "1F1B with recomputation, DeepSpeed's PipelineModule",
                "ZeRO 1, DeepSpeed",
                "ZeRO 2, DeepSpeed",
                "ZeRO 3, DeepSpeed, every layer divided",
                "ZeRO 3, DeepSpeed, its default threshold"
            ],
            "in the order of the tables"
        );
        assert_eq!(names(&of_engines(&["burn@cuda", "pytorch@cuda"])), [GPU_ROWS[1].0, GPU_ROWS[2].0]);
        assert_eq!(names(&of_engines(&["burn"])), names(&of_engines(&["burn@flex"])));
        assert!(names(&of_engines(&["burn"])).iter().all(|name| ROWS.iter().any(|row| row.0 == *name)));
        // One that the lab has, and this study has not, is told with those that it has.
        for unknown in ["tensorflow", "burn@vulkan", "pytorhc", ""] {
            let Err(error) = of_engines(&[unknown]).chosen().map(|_| ()) else { panic!("{unknown}: it has no rows") };
            let said = error.to_string();
            assert!(said.contains(&format!("`{unknown}`")) && said.contains("torchgpipe@cpu"), "{said}");
            assert_eq!(error.exit_status(), 2);
        }
        let twice = of_engines(&["burn", "burn@flex", "pytorch", "burn"]).with_each_once();
        assert_eq!(twice.engines, ["burn", "pytorch"]);
        assert_eq!(twice.choice(), " --engines burn,pytorch");
        assert!(twice.extent().part && on(On::Gpu).extent().part);
        assert!(!PipelineVsShardedArgs::default().extent().part);
    }

    #[test]
    fn what_is_left_of_a_table_or_of_both_comes_by_one_command() {
        let of = |args: &PipelineVsShardedArgs| choice_of(&names(args));
        for on_one in [On::Processor, On::Gpu] {
            assert_eq!(of(&on(on_one)), on(on_one).choice());
        }
        for engines in [&["burn"][..], &["pytorch", "deepspeed", "burn@cuda"]] {
            assert_eq!(of(&of_engines(engines)), of_engines(engines).choice());
        }
    }

    /// A report of these rows, each of which has taken so many seconds.
    fn measured(args: &PipelineVsShardedArgs, seconds: f64) -> StudyReport {
        use super::super::row::tests::RUN;
        let rows = args.chosen().expect("known names").into_iter().map(|entry| {
            let spec = entry.spec(args.network, &args.specs).expect("a spec");
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.timing.fit_s = seconds;
            run.engine.threads = if entry.on() == On::Gpu { 4 } else { 2 };
            run.metrics.insert("rmse".to_owned(), seconds / 10.0);
            run.evaluation.of_the_mean.insert("rmse".to_owned(), 0.4283);
            Row::new(entry.name.to_owned(), spec, Measured::Ran(vec![run]))
        });
        tables(args.own_command(), &rows.collect::<Vec<_>>())
    }

    /// What the page shows once these parts were measured, one after the other.
    fn page(parts: &[(&PipelineVsShardedArgs, f64)]) -> StudyReport {
        use super::super::keep::{Shown, keep};
        let home = tempfile::tempdir().expect("a folder");
        for (args, seconds) in parts {
            let (report, rest) = (measured(args, *seconds), args.rest(|_| None).expect("valid specs"));
            let kept = keep(Some(home.path()), (&report, rest.as_ref()), args.extent()).expect("kept");
            let kept = kept.expect("a folder");
            assert!(!matches!(kept.shown, Shown::Last(_)) && kept.earlier.is_none(), "{kept:?}");
        }
        let text = std::fs::read(home.path().join("studies/pipeline-vs-sharded.json")).expect("a report");
        serde_json::from_slice(&text).expect("a report")
    }

    /// Title, name and seconds of every row.
    fn seconds(report: &StudyReport) -> Vec<(String, String, Option<f64>)> {
        let tables = report.tables.iter().filter(|table| table.whose == Whose::Measured);
        let rows = tables.flat_map(|table| table.rows.iter().map(|row| (table.title.clone(), row)));
        rows.map(|(title, row)| (title, row.name.clone(), row.cells[0].value())).collect()
    }

    fn commands(report: &StudyReport) -> Vec<String> {
        recspeed_types::study::remedies(report).into_iter().map(|remedy| remedy.command).collect()
    }

    #[test]
    fn reports_of_parts_are_put_together_whichever_comes_first() {
        let (processor, gpu) = (on(On::Processor), on(On::Gpu));
        let (first, second) = (page(&[(&processor, 3.0), (&gpu, 2.0)]), page(&[(&gpu, 2.0), (&processor, 3.0)]));
        assert_eq!(seconds(&first), seconds(&second));
        let numbers: Vec<f64> = seconds(&first).iter().filter_map(|(_, _, seconds)| *seconds).collect();
        assert_eq!(numbers, [[3.0; ROWS.len()].as_slice(), &[2.0; GPU_ROWS.len()]].concat(), "none has lost a number");
        for report in [&first, &second] {
            assert_eq!(report.tables.iter().filter(|table| table.whose == Whose::Paper).count(), 1);
            assert_eq!(report.tables.last().map(|table| table.whose), Some(Whose::Paper));
            assert_eq!(report.specs.len(), ROWS.len() + GPU_ROWS.len());
            assert!(commands(report).is_empty(), "nothing is missing: {:?}", commands(report));
            assert_eq!(report.machine.threads, None, "each table has its own");
            // The lowest error is of a GPU in both, whichever part was put among the other's rows.
            let said = report.differences.iter().find(|difference| difference.heading == "What the errors say");
            let said = &said.expect("the runs tell").text;
            assert!(said.contains("the lowest of a network here is 0.2000"), "{said}");
        }
        let note = &first.tables[1].rows[0].note;
        assert!(note.contains("on 4 threads, the other tables' rows on 2"), "{note}");
    }

    #[test]
    fn a_report_of_parts_names_what_is_missing_and_the_command_that_brings_it() {
        let (processor, burn, pytorch) = (on(On::Processor), of_engines(&["burn"]), of_engines(&["pytorch"]));
        let command = |choice: &str| format!("recspeed study pipeline-vs-sharded --repeats 3 {choice}");
        let report = page(&[(&processor, 3.0)]);
        assert_eq!(commands(&report), [command("--on gpu")]);
        assert_eq!(report.tables[1].rows[0].cells[0].show(Unit::Seconds), "not measured yet");
        let rest = "torchgpipe,deepspeed,burn@libtorch-cuda,burn@cuda,pytorch@cuda,torchgpipe@cuda";
        assert_eq!(commands(&page(&[(&burn, 3.0)])), [command(&format!("--engines pytorch,{rest}"))]);
        // What an earlier part has brought is not asked for again.
        assert_eq!(commands(&page(&[(&burn, 3.0), (&pytorch, 3.0)])), [command(&format!("--engines {rest}"))]);
        assert_eq!(commands(&page(&[(&burn, 3.0), (&processor, 3.0)])), [command("--on gpu")]);
    }

    #[test]
    fn rows_on_a_gpu_say_on_a_machine_without_one_that_there_is_none_and_no_command_names_them() {
        let lacks = |(_, device): OnDevice| (On::of(device) == On::Gpu).then(Missing::no_gpu);
        let of = |args: &PipelineVsShardedArgs| {
            let rest = args.rest(lacks).expect("valid specs").expect("a part");
            rest.beside(&measured(args, 3.0))
        };
        let whole = of(&on(On::Processor));
        assert!(commands(&whole).is_empty(), "{:?}", commands(&whole));
        let shown: Vec<String> = whole.tables[1].rows.iter().map(|row| row.cells[0].show(Unit::Seconds)).collect();
        assert_eq!(shown, ["no GPU here"; GPU_ROWS.len()]);
        let command = "recspeed study pipeline-vs-sharded --repeats 3 --engines pytorch,torchgpipe,deepspeed";
        assert_eq!(commands(&of(&of_engines(&["burn"]))), [command]);
    }

    #[test]
    fn a_part_of_other_settings_stays_apart_from_the_fuller_report() {
        use super::super::keep::{Shown, keep};
        let home = tempfile::tempdir().expect("a folder");
        let put = |args: &PipelineVsShardedArgs| {
            let (report, rest) = (measured(args, 3.0), args.rest(|_| None).expect("valid specs"));
            keep(Some(home.path()), (&report, rest.as_ref()), args.extent()).expect("kept").expect("a folder")
        };
        let processor = put(&on(On::Processor));
        let before = std::fs::read(&processor.file).expect("a report");
        let mut gpu = on(On::Gpu);
        gpu.specs.set = vec!["training.learning_rate=0.1".to_owned()];
        let kept = put(&gpu);
        assert!(matches!(kept.shown, Shown::Last(_)), "{kept:?}");
        assert_eq!(std::fs::read(&processor.file).expect("a report"), before, "its place is not taken");
        assert_eq!(kept.file.file_name().and_then(|name| name.to_str()), Some("pipeline-vs-sharded.part.json"));
    }

    #[test]
    fn a_ledger_and_a_process_are_no_figures_of_one_column() {
        use super::super::row::tests::RUN;
        let shown = |name: &str| {
            let entry = entries().find(|entry| entry.name == name).expect("a row");
            let spec = entry.spec(Network::Usual, &SpecStudyArgs::default()).expect("a spec");
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.memory.peak = 900;
            let row = Row::new(name.to_owned(), spec, Measured::Ran(vec![run]));
            let table = tables(String::new(), &[Row { ranks: vec![300, 400], ..row }]).tables.remove(0);
            let columns: Vec<&str> = table.columns[5..].iter().map(|column| column.name.as_str()).collect();
            assert_eq!(columns, ["ledger of a rank", "process of a rank", "all processes"]);
            [5, 6, 7].map(|column| table.rows[0].cells[column].value())
        };
        let whole = Some(900.0);
        assert_eq!(shown("One device, Burn"), [None, None, whole]);
        assert_eq!(shown("ZeRO 3, ours"), [Some(400.0), None, whole]);
        assert_eq!(shown("ZeRO 1, ours, ranks as MPI processes"), [Some(400.0), whole, None]);
        assert_eq!(shown("GPipe, torchgpipe"), [None, None, whole]);
        assert_eq!(shown("ZeRO 1, DeepSpeed"), [None, Some(400.0), whole]);
        assert_eq!(shown("1F1B, DeepSpeed's PipelineModule"), [None, Some(400.0), whole]);
    }

    #[test]
    fn deepspeeds_third_stage_is_measured_divided_and_by_its_default_and_what_has_no_row_on_a_gpu_says_why() {
        let thresholds = entries().filter(|entry| entry.name.starts_with("ZeRO 3, DeepSpeed")).map(|entry| {
            let spec = entry.spec(Network::Usual, &SpecStudyArgs::default()).expect("a spec");
            spec.strategy.persistence_threshold
        });
        assert_eq!(thresholds.collect::<Vec<_>>(), [Some(0), None]);
        let on_gpu: Vec<EngineKind> = GPU_ROWS.iter().map(|row| row.1).collect();
        let (_, why) = DIFFERENCES.iter().find(|(heading, _)| *heading == "Rows on a GPU").expect("it is told");
        for kind in EngineKind::REFERENCES {
            assert!(
                on_gpu.contains(&kind) || why.contains(kind.title().split(' ').next().unwrap_or_default()),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn every_pipeline_of_another_library_has_one_of_ours_with_the_same_passes_beside_it() {
        let staged = |engine: EngineKind| {
            let of = ROWS.iter().filter(move |row| row.1 == engine && row.2.contains("\"pipeline\""));
            of.map(|&(name, kind, strategy)| {
                let entry = Entry { name, engine: (kind, Device::default()), strategy };
                entry.spec(Network::Usual, &SpecStudyArgs::default()).expect("a spec").strategy
            })
        };
        let ours: Vec<_> = staged(EngineKind::Burn).collect();
        for engine in [EngineKind::Torchgpipe, EngineKind::Deepspeed] {
            let theirs: Vec<_> = staged(engine).collect();
            assert_eq!(theirs.len(), 2, "{engine:?}: nothing recomputed, and everything");
            assert!(theirs.iter().all(|strategy| ours.contains(strategy)), "{engine:?}: {theirs:?}");
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
        use super::super::row::tests::RUN;
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
        use super::super::row::tests;
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
