//! Runs in turns, and what came of each row.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use recspeed_types::spec::Device;
use recspeed_types::study::{Missing, StudyCell, StudyMachine, StudyRow};
use recspeed_types::summary::RunSummary;
use recspeed_types::{ExperimentSpec, FailureCode};

use super::super::failure::CommandError;
use super::super::run::{Interrupts, Ran, Screen, WorkerOptions, find_worker, run_with_ledger};
use super::child::Answer;
use super::devices::Place;
use super::steps::Steps;
use super::{StudyArgs, tab};

/// Name and version of what computed.
pub(super) type Versions = BTreeMap<String, String>;

/// One row before it has run.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    /// For people.
    pub(super) name: String,
    /// What it runs.
    pub(super) spec: ExperimentSpec,
    /// What it waits for, where that is known beforehand.
    pub(super) missing: Option<Missing>,
    /// What runs it.
    pub(super) by: By,
    /// Whether each of its runs has a seed of its own, one more than the last one's.
    pub(super) over_seeds: bool,
    /// Whether its worker is an older build than the usual one.
    pub(super) older_build: bool,
}

/// What runs a row.
#[derive(Debug, Clone)]
pub(super) enum By {
    /// The worker.
    Worker,
    /// A fresh tab of a browser, after the same spec was run there as often.
    Tab {
        /// What opens it.
        program: PathBuf,
        /// Runs that do not count.
        before: u32,
    },
}

impl Planned {
    /// A row whose engine or device may not be here.
    pub(super) fn new(name: impl Into<String>, spec: ExperimentSpec, place: Place<'_>) -> Self {
        let (missing, older_build) = (place.lacks(&spec), place.takes_older_build(&spec));
        Self { name: name.into(), spec, missing, by: By::Worker, over_seeds: false, older_build }
    }
}

/// One row of a study.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// For people.
    pub(super) name: String,
    /// What it ran.
    pub(super) spec: ExperimentSpec,
    /// What came of it.
    pub(super) result: Measured,
    /// The most bytes of each rank in its last run: by the rank's own ledger, of another framework its process.
    pub(super) ranks: Vec<u64>,
    /// Whether its worker is an older build than the usual one.
    pub(super) older_build: bool,
}

/// What came of a row.
#[derive(Debug, Clone)]
pub(super) enum Measured {
    /// What it needs is not here.
    Missing(Missing),
    /// It failed: in its first run, or in a later one.
    Failed {
        /// The run's cause.
        cause: String,
        /// Runs that had finished before.
        finished: usize,
    },
    /// It ran, at least once.
    Ran(Vec<RunSummary>),
}

impl Row {
    /// Its last run.
    pub(super) fn last(&self) -> Option<&RunSummary> {
        self.runs().last()
    }

    /// Its runs; empty where it has none to show.
    pub(super) fn runs(&self) -> &[RunSummary] {
        match &self.result {
            Measured::Ran(runs) => runs,
            _ => &[],
        }
    }

    /// Its spec under the row's name.
    pub(super) fn named_spec(&self) -> ExperimentSpec {
        ExperimentSpec { name: self.name.clone(), ..self.spec.clone() }
    }

    /// One cell of its last run, or why there is none.
    pub(super) fn cell(&self, of: impl Fn(&RunSummary) -> Option<f64>) -> StudyCell {
        match &self.result {
            Measured::Missing(missing) => StudyCell::Missing(missing.clone()),
            Measured::Failed { cause, .. } => StudyCell::Failed { cause: cause.clone() },
            Measured::Ran(runs) => StudyCell::of(runs.last().and_then(of)),
        }
    }

    /// The row of a table: the cells of its runs, or why there are none.
    pub(super) fn table_row(
        &self,
        note: String,
        columns: usize,
        cells: impl Fn(&[RunSummary]) -> Vec<StudyCell>,
    ) -> StudyRow {
        let without = |why| StudyRow::without_numbers(&self.name, why, columns);
        match &self.result {
            Measured::Missing(missing) => without(StudyCell::Missing(missing.clone())),
            Measured::Failed { cause, finished: 0 } => without(StudyCell::Failed { cause: cause.clone() }),
            Measured::Failed { cause, finished } => {
                without(StudyCell::Failed { cause: format!("after {finished} runs: {cause}") })
            }
            Measured::Ran(runs) => StudyRow { name: self.name.clone(), note, cells: cells(runs) },
        }
    }
}

/// How long a worker may say nothing: it is given more than it gives another framework, and the study goes on without it.
const SILENCE: Duration = Duration::from_mins(30);

/// Every row in turns, `repeats` times; `None` when the user stopped it.
pub(super) fn in_turns(
    args: &StudyArgs,
    repeats: u32,
    planned: Vec<Planned>,
) -> Result<Option<Vec<Row>>, CommandError> {
    let options = WorkerOptions {
        program: find_worker(args.worker.as_deref())?,
        spec_dir: PathBuf::from("."),
        data_home: args.home.clone(),
        checkpoint_dir: None,
        model: None,
        resume: None,
        users: None,
        silence: Some(SILENCE),
    };
    let interrupts = Interrupts::listen();
    let mut gathered: Vec<Gathered> = planned.into_iter().map(Gathered::new).collect();
    let ahead = gathered.iter().filter(|row| row.goes_on()).count();
    let mut steps = Steps::of(ahead * repeats as usize);
    for repeat in 1..=repeats {
        for row in gathered.iter_mut().filter(|row| row.goes_on()) {
            let title = format!("{}, {repeat} of {repeats}", row.planned.name);
            let cause = match once(&row.planned, repeat, &steps.title(&title), &options, &interrupts) {
                Ok((Ran::Finished(summary), ranks)) => {
                    steps.one(&format!("{title}: {:.3} s", summary.timing.fit_s));
                    row.runs.push(*summary);
                    row.ranks = ranks;
                    continue;
                }
                Ok((Ran::Interrupted, _)) => return Ok(None),
                Ok((Ran::Failed { cause, .. }, _)) => cause,
                // A worker that died: the study goes on with the others.
                Err(CommandError::Worker(error)) => error.to_string(),
                Err(error) => return Err(error),
            };
            steps.fewer(repeats - repeat);
            steps.one(&format!("{title}: failed: {cause}"));
            row.failed = Some(cause);
        }
    }
    Ok(Some(gathered.into_iter().map(Gathered::finish).collect()))
}

/// One run of a row, and the most bytes of each rank.
fn once(
    planned: &Planned,
    repeat: u32,
    title: &str,
    options: &WorkerOptions,
    interrupts: &Interrupts,
) -> Result<(Ran, Vec<u64>), CommandError> {
    let mut screen = Screen::new(title);
    let mut spec = planned.spec.clone();
    if planned.over_seeds {
        spec.seed = spec.seed.wrapping_add(u64::from(repeat - 1));
    }
    let ran = match &planned.by {
        By::Worker => run_with_ledger(&spec, options, &mut screen, interrupts),
        By::Tab { program, before } => Ok(match tab::run(program, &spec, *before, interrupts) {
            Answer::Told(summary) => (Ran::Finished(summary), Vec::new()),
            Answer::Interrupted => (Ran::Interrupted, Vec::new()),
            Answer::Failed(cause) => (Ran::Failed { code: FailureCode::Worker, cause }, Vec::new()),
        }),
    };
    screen.clear();
    ran
}

/// A row while it is measured.
struct Gathered {
    planned: Planned,
    failed: Option<String>,
    runs: Vec<RunSummary>,
    ranks: Vec<u64>,
}

impl Gathered {
    fn new(planned: Planned) -> Self {
        Self { planned, failed: None, runs: Vec::new(), ranks: Vec::new() }
    }

    fn goes_on(&self) -> bool {
        self.planned.missing.is_none() && self.failed.is_none()
    }

    fn finish(self) -> Row {
        let Planned { name, spec, missing, older_build, .. } = self.planned;
        let finished = self.runs.len();
        let result = match (missing, self.failed) {
            (Some(missing), _) => Measured::Missing(missing),
            (None, Some(cause)) => Measured::Failed { cause, finished },
            (None, None) if finished == 0 => Measured::Failed { cause: "it never ran".to_owned(), finished },
            (None, None) => Measured::Ran(self.runs),
        };
        Row { name, spec, result, ranks: self.ranks, older_build }
    }
}

/// In what a row's last run cannot be compared with those of the other rows of the same training; nothing where it has none.
pub(super) fn differences(rows: &[&Row], other: &Row) -> Vec<String> {
    let Some(first) = rows.iter().find(|row| row.last().is_some()) else { return Vec::new() };
    let Some((ran_first, ran_other)) = first.last().zip(other.last()) else { return Vec::new() };
    let mut differs = run_differences(ran_first, ran_other);
    differs.extend(setting_differences(&first.spec, &other.spec));
    let mut differs: Vec<String> = differs.into_iter().map(str::to_owned).collect();
    differs.extend(version_differences(rows, other));
    differs.extend(other.older_build.then(older_build));
    differs
}

/// What is said of a worker that was built before the usual one: versions of the lab change rarely, its sources every day.
pub(super) fn older_build() -> String {
    "the build of its worker, which is older than the usual one's".to_owned()
}

/// Every library of a row that another row has in another version, with the first such row. Two builds of the worker, or two
/// environments of Python, need not be of the same day.
pub(super) fn version_differences(rows: &[&Row], own: &Row) -> Vec<String> {
    let all = || rows.iter().filter_map(|row| Some((row.name.as_str(), &row.last()?.engine.versions)));
    own.last().map(|ran| other_versions(all, &ran.engine.versions)).unwrap_or_default()
}

/// Every library of `own` that one of `all` has in another version, with the name of the first such row.
pub(super) fn other_versions<'a, I>(all: impl Fn() -> I, own: &Versions) -> Vec<String>
where
    I: Iterator<Item = (&'a str, &'a Versions)>,
{
    let differs = |(name, version): (&String, &String)| {
        let library = library(name);
        all().find_map(|(row, versions)| {
            let (name, theirs) = versions.iter().find(|(name, _)| self::library(name) == library)?;
            let other = release(theirs) != release(version);
            other.then(|| format!("the version of {library} (“{row}” has {name} {theirs})"))
        })
    };
    own.iter().filter_map(differs).collect()
}

/// What a version is of: LibTorch is the library inside PyTorch, and has its versions.
pub(super) fn library(name: &str) -> &str {
    match name {
        "torch" | "libtorch" => "LibTorch",
        other => other,
    }
}

/// A version without what it was built for, as `2.9.0` of `2.9.0+cu128`.
pub(super) fn release(version: &str) -> &str {
    version.split('+').next().unwrap_or(version)
}

/// In what two specs train differently. Order, first weights and precision come of these and of the seed: every engine is given
/// them, and none chooses.
fn setting_differences(first: &ExperimentSpec, other: &ExperimentSpec) -> impl Iterator<Item = &'static str> {
    let settings = (first.training != other.training).then_some("settings of the training");
    let network = (first.recommender != other.recommender).then_some("the network");
    settings.into_iter().chain(network)
}

fn run_differences(first: &RunSummary, other: &RunSummary) -> Vec<&'static str> {
    let steps = |run: &RunSummary| run.training.as_ref().map(|training| (training.steps, training.parameters));
    let mut differs = data_differences(first, other);
    differs.extend(
        [
            ("the seed", first.seed != other.seed),
            ("steps or parameters", steps(first) != steps(other)),
            ("threads", first.engine.threads != other.engine.threads),
        ]
        .into_iter()
        .filter_map(|(what, differs)| differs.then_some(what)),
    );
    differs
}

/// Whether a browser's tab computed.
fn in_tab(run: &RunSummary) -> bool {
    run.engine.device == Device::Browser.as_str()
}

/// In what two runs of different methods cannot be compared.
pub(super) fn data_differences(first: &RunSummary, other: &RunSummary) -> Vec<&'static str> {
    let rows = |run: &RunSummary| (run.data.train, run.data.validation, run.data.test);
    // Behind a semicolon stands the GPU, which is the row's own business.
    let machine = |run: &RunSummary| run.engine.host.split(';').next().map(str::to_owned);
    // A tab knows its browser and no machine; it was opened on this one.
    let elsewhere = !in_tab(first) && !in_tab(other) && machine(first) != machine(other);
    [
        ("the data set", first.data.sha256 != other.data.sha256),
        ("the rows", rows(first) != rows(other)),
        ("the machine", elsewhere),
    ]
    .into_iter()
    .filter_map(|(what, differs)| differs.then_some(what))
    .collect()
}

/// What stands behind a row's name: `words`, and everything in which the row is not like the first.
pub(super) fn note(words: String, differs: &[String]) -> String {
    let differs = (!differs.is_empty()).then(|| format!("differs in {}", differs.join(", ")));
    (!words.is_empty()).then_some(words).into_iter().chain(differs).collect::<Vec<_>>().join("; ")
}

/// Name and version of what computed, without what every run has, and the GPU that it computed on, which may be one in software.
pub(super) fn versions(run: &RunSummary) -> String {
    let names = run.engine.versions.iter();
    let told = names.filter(|(name, _)| !["python", "numpy", "recspeed", "pyarrow"].contains(&name.as_str()));
    let gpu = run.engine.host.split_once("; ").map(|(_, gpu)| format!("on {gpu}"));
    told.map(|(name, version)| format!("{name} {version}")).chain(gpu).collect::<Vec<_>>().join(", ")
}

/// The machine that the rows ran on: the first one's.
pub(super) fn machine(rows: &[Row]) -> StudyMachine {
    let ran = || rows.iter().filter_map(Row::last).filter(|run| !in_tab(run));
    let Some(first) = ran().next() else { return StudyMachine::default() };
    let threads = first.engine.threads;
    let versions: Versions = ran().flat_map(|run| run.engine.versions.clone()).collect();
    StudyMachine {
        host: first.engine.host.clone(),
        threads: ran().all(|run| run.engine.threads == threads).then_some(threads),
        versions,
        load: None,
    }
}

/// Seconds of training, one for each run.
pub(super) fn fit_s(runs: &[RunSummary]) -> Vec<f64> {
    runs.iter().map(|run| run.timing.fit_s).collect()
}

/// A metric over all runs: the mean with the standard deviation where each had a seed of its own; empty where none has it.
pub(super) fn over_seeds(runs: &[RunSummary], of: impl Fn(&RunSummary) -> Option<f64>) -> StudyCell {
    StudyCell::mean(&runs.iter().filter_map(of).collect::<Vec<_>>())
}

/// Most bytes of all runs, of whichever process held more.
pub(super) fn peak(runs: &[RunSummary]) -> StudyCell {
    StudyCell::of(runs.iter().map(|run| run.memory.peak).max().map(|bytes| bytes as f64))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run as a worker tells of it.
    pub(in super::super) const RUN: &str = r#"{"run":"r","status":"finished","metrics":{},"timing":{"load_s":0.1,"fit_s":0.5,"evaluate_s":0.3},
        "memory":{"parameters":8,"gradients":0,"optimizer":0,"activations":0,"buffers":0,"allocator_total":9,"peak":9},
        "engine":{"kind":"burn","device":"flex","versions":{},"host":"a test","threads":1},
        "data":{"name":"tiny","users":4,"items":4,"train":5,"validation":0,"test":6,"bad_lines":0,"sha256":"abc","synthetic":true},
        "evaluation":{"candidates":"none","candidate_items":4,"test_users":4,"evaluated_users":4,"sampled_users":false,
        "cold_users":0,"cold_item_rows":0,"tie_rule":"lower id","tie_share":0,"rating_scale":"stars"},"seed":42}"#;

    fn row(result: Measured) -> Row {
        Row {
            name: "PyVelox".into(),
            spec: ExperimentSpec::from_toml("version = 1").unwrap_or_default(),
            result,
            ranks: Vec::new(),
            older_build: false,
        }
    }

    #[test]
    fn a_row_that_is_missing_or_failed_says_why_in_its_first_cell() {
        let cells = |_: &[RunSummary]| Vec::new();
        let missing = Missing { install: "make it".into(), why: String::new() };
        let shown = row(Measured::Missing(missing.clone())).table_row(String::new(), 3, cells);
        assert_eq!(shown.cells, [StudyCell::Missing(missing), StudyCell::Empty, StudyCell::Empty]);
        let failed = Measured::Failed { cause: "It crashed.".into(), finished: 2 };
        let shown = row(failed).table_row(String::new(), 1, cells);
        assert_eq!(shown.cells, [StudyCell::Failed { cause: "after 2 runs: It crashed.".into() }]);
    }

    #[test]
    fn a_worker_that_hangs_is_ended_and_its_row_says_so() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let (program, pid) = (folder.path().join("worker"), folder.path().join("pid"));
        let script = format!("#!/bin/sh\necho $$ > {}\necho a word >&2\nkill -STOP $$\n", pid.display());
        std::fs::write(&program, script).expect("a script");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a program");
        let planned = Planned {
            name: "Burn".to_owned(),
            spec: ExperimentSpec::default(),
            missing: None,
            by: By::Worker,
            over_seeds: false,
            older_build: false,
        };
        let options = WorkerOptions {
            program,
            spec_dir: PathBuf::from("."),
            data_home: None,
            checkpoint_dir: None,
            model: None,
            resume: None,
            users: None,
            silence: Some(Duration::from_secs(3)),
        };
        let begun = std::time::Instant::now();
        let ended = once(&planned, 1, "a row", &options, &Interrupts::listen());
        let Err(CommandError::Worker(error)) = ended else { panic!("it hangs") };
        let error = error.to_string();
        assert!(
            error.starts_with("the worker said nothing for 3 s and was ended; ") && error.contains("a word"),
            "{error}"
        );
        let pid = std::fs::read_to_string(pid).expect("it began").trim().to_owned();
        assert!(!std::path::Path::new("/proc").join(pid).exists(), "it was waited for");
        assert!(begun.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn rows_of_other_settings_are_told_apart() {
        let spec = |assignment: &str| {
            let given = ["recommender={kind=\"mlp\"}", assignment].map(str::to_owned);
            ExperimentSpec::from_toml_with(&ExperimentSpec::default().to_toml(), &given).expect("a spec")
        };
        let of = |assignment: &str| setting_differences(&spec("seed=1"), &spec(assignment)).collect::<Vec<_>>();
        assert!(of("seed=1").is_empty() && of("engine=pytorch").is_empty());
        assert_eq!(of("training.learning_rate=0.1"), ["settings of the training"]);
        assert_eq!(of("training.optimizer=sgd"), ["settings of the training"]);
        assert_eq!(of("recommender.hidden=[8]"), ["the network"]);
    }

    #[test]
    fn a_note_tells_versions_and_differences() {
        assert_eq!(note(String::new(), &[]), "");
        let differs = ["the seed", "threads"].map(str::to_owned);
        assert_eq!(note("torch 2".into(), &differs), "torch 2; differs in the seed, threads");
    }

    #[test]
    fn a_row_says_on_which_gpu_it_computed() {
        let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
        run.engine.versions =
            [("burn", "1"), ("python", "3")].map(|(name, version)| (name.to_owned(), version.to_owned())).into();
        assert_eq!(versions(&run), "burn 1");
        run.engine.host = "linux, 2 cores; llvmpipe, in software".to_owned();
        assert_eq!(versions(&run), "burn 1, on llvmpipe, in software");
    }

    #[test]
    fn another_version_of_a_library_stands_beside_both_rows_whatever_it_is_called_there() {
        let of = |name: &str, versions: &[(&str, &str)]| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.engine.versions =
                versions.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect();
            Row { name: name.to_owned(), ..row(Measured::Ran(vec![run])) }
        };
        let burn = of("Burn", &[("burn", "0.22.1"), ("recspeed", "0.1.0")]);
        let libtorch = of("LibTorch", &[("burn", "0.22.1"), ("libtorch", "2.11.0+cu130"), ("recspeed", "0.0.9")]);
        let pytorch = of("PyTorch", &[("torch", "2.9.0+cu128")]);
        let other = of("PyVelox", &[("torch", "2.9.0+cpu")]);
        let rows = [&burn, &libtorch, &pytorch, &other];
        let told = |row| version_differences(&rows, row);
        assert_eq!(told(&burn), ["the version of recspeed (“LibTorch” has recspeed 0.0.9)"]);
        assert_eq!(
            told(&libtorch),
            [
                "the version of LibTorch (“PyTorch” has torch 2.9.0+cu128)",
                "the version of recspeed (“Burn” has recspeed 0.1.0)"
            ]
        );
        assert_eq!(told(&pytorch), ["the version of LibTorch (“LibTorch” has libtorch 2.11.0+cu130)"]);
        assert!(version_differences(&[&pytorch, &other], &other).is_empty(), "built for another device");
    }
}
