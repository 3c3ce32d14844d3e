//! Every rating read back from each framework's container, one by one and in batches, and what the container holds.

mod cache;
mod columns;
mod left_out;
mod tables;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use recspeed_engines::Engines;
use recspeed_types::builtin::{self, BuiltinDataset};
use recspeed_types::spec::{Device, EngineKind};
use recspeed_types::study::Missing;
use recspeed_types::study::retrieval::{Asked, CONTAINERS, Retrieved, SLOW_ROWS};

use super::super::failure::CommandError;
use super::super::figures;
use super::super::once::each_once;
use super::super::run::{Interrupts, find_worker};
use super::super::writable;
use super::child::{Answer, ask};
use super::identity::Identity;
use super::keep::Extent;
use super::log::{Log, numbered};
use super::memory::with_remedy;
use super::standing::{Ended, not_reached};
use super::steps::Steps;
use super::{StudyArgs, StudyError, command_line, devices, limit, pins, tab};
use crate::launch::of_devices;
use cache::Cache;
use columns::{Columns, Elsewhere};
pub(super) use words::say_anew;

/// Seed of the rows.
const SEED: u64 = 42;
/// Runs of each container, usually.
const REPEATS: u32 = 3;
/// Rows of a batch, usually.
const BATCH_ROWS: u64 = 65_536;
/// The container of the tab.
const TAB: &str = "tab";

/// Arguments of `recspeed study retrieval`.
#[derive(Debug, Args)]
pub struct RetrievalArgs {
    /// Up to all 2,023,070 rows; with --rows, those numbers of them
    #[arg(long, conflicts_with = "recorded")]
    full: bool,
    /// Numbers of rows, as 10000,100000: the first ones of the usual study's data, or of those of --full
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=2_023_070))]
    #[arg(conflicts_with = "recorded")]
    rows: Vec<u64>,
    /// Measure these containers only, as plain,arrow,pyvelox
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "recorded")]
    containers: Vec<String>,
    /// Rows of a batch
    #[arg(long, value_name = "ROWS", default_value_t = BATCH_ROWS, value_parser = clap::value_parser!(u64).range(1..=2_023_070))]
    #[arg(conflicts_with = "recorded")]
    batch_rows: u64,
    /// A program that opens a browser's tab and measures there, as tests/browser/in-tab.mjs (`make studies-tab`)
    #[arg(long, value_name = "PROGRAM", conflicts_with = "recorded")]
    tab: Option<PathBuf>,
    #[command(flatten)]
    pub(super) study: StudyArgs,
}

impl RetrievalArgs {
    /// The same without numbers of rows and containers that are named again.
    pub(super) fn with_each_once(self) -> Self {
        let rows = each_once(("--rows", "measured"), &self.rows, |rows| *rows);
        let containers = each_once(("--containers", "measured"), &self.containers, String::clone);
        Self { rows, containers, ..self }
    }

    /// What its report is of: of a part where containers or numbers of rows were named.
    pub(super) const fn extent(&self) -> Extent {
        self.study.extent(self.is_part(), self.batch_rows != BATCH_ROWS, REPEATS)
    }

    const fn is_part(&self) -> bool {
        !self.containers.is_empty() || !self.rows.is_empty()
    }
}

/// One container on one device.
#[derive(Debug)]
struct Candidate {
    title: String,
    container: &'static str,
    /// What measures it.
    by: By,
    single_limit: Option<u64>,
    missing: Option<Missing>,
    /// In what its worker is another build than the usual one.
    other_build: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum By {
    Worker(Device),
    Engine(EngineKind),
    Tab,
}

/// What came of a container.
#[derive(Debug)]
enum Found {
    Missing(Missing),
    Failed(String),
    Told(Box<Retrieved>),
}

/// What came of every container for one number of rows.
struct Size {
    rows: u64,
    /// What the same rows take in other forms.
    elsewhere: Elsewhere,
    found: Vec<Found>,
}

impl Size {
    fn new(columns: &Columns, found: Vec<Found>) -> Self {
        let Columns { rows, elsewhere, .. } = *columns;
        Self { rows, elsewhere, found }
    }

    /// One that a study was stopped before: its rows were not even written.
    fn not_reached(rows: u64, candidates: &[Candidate], command: &str) -> Self {
        let missing = |candidate: &Candidate| candidate.missing.clone().unwrap_or_else(|| not_reached(command));
        let found = candidates.iter().map(|candidate| Found::Missing(missing(candidate))).collect();
        Self { rows, elsewhere: Elsewhere::default(), found }
    }
}

/// Measures it; `None` when the user stopped it before anything was measured.
pub(super) fn measure(args: &RetrievalArgs, engines: &Engines) -> Result<Option<Ended>, CommandError> {
    let worker = find_worker(args.study.worker.as_deref())?;
    let candidates = candidates(&args.containers, args.tab.is_some(), &worker, engines)?;
    let rows = if args.rows.is_empty() { left_out::sizes(args).to_vec() } else { args.rows.clone() };
    // Parts of one study are of the same data, whichever sizes they have.
    let Some(entry) = data_of(args) else { return Ok(None) };
    let data = recspeed_data::generate(entry, SEED).interactions;
    let repeats = args.study.repeats.unwrap_or(REPEATS);
    let cache = Cache::of_this_machine();
    let command = command_of(args);
    let identity = identity(args, &command, &candidates, &worker, engines);
    let mut log = Log::<Retrieved>::open(args.study.home.as_deref(), identity, args.study.fresh)?;
    let interrupts = Interrupts::listen();
    let (turns, order) = order(&rows, &candidates);
    let kept = order.iter().filter(|(turn, row)| log.find(row, turn).is_some()).count();
    let mut steps = Steps::of(order.len(), kept);
    let (mut sizes, mut stopped) = (Vec::new(), false);
    let unwritten =
        |why: std::io::Error| StudyError::Columns { folder: std::env::temp_dir(), why: writable::plain("file", &why) };
    for (count, turn) in rows.into_iter().zip(turns) {
        if stopped && !candidates.iter().any(|candidate| log.find(&candidate.title, &turn).is_some()) {
            sizes.push(Size::not_reached(count, &candidates, &command));
            continue;
        }
        let columns = Columns::write(&data, count as usize).map_err(unwritten)?;
        let mut found = Vec::new();
        for candidate in &candidates {
            if let Some(missing) = &candidate.missing {
                found.push(Found::Missing(missing.clone()));
                continue;
            }
            let kept = log.find(&candidate.title, &turn).filter(|told| columns.differs(told).is_none()).cloned();
            if let Some(told) = kept {
                found.push(Found::Told(Box::new(told)));
                continue;
            }
            let place = (worker.as_path(), engines);
            let asked = asked(args, candidate, repeats, &cache);
            let now = if stopped { None } else { once(args, candidate, &columns, asked, place, &interrupts) };
            let Some(now) = now else {
                stopped = true;
                found.push(Found::Missing(not_reached(&command)));
                continue;
            };
            let title = format!("{}, {} rows", candidate.title, figures::count(columns.rows));
            match &now {
                Found::Failed(why) => steps.one(&format!("{title}: failed: {why}")),
                Found::Told(told) => {
                    log.add(&candidate.title, &turn, Retrieved::clone(told));
                    steps.one(&format!("{title}: done"));
                }
                // It has gone since the study began.
                Found::Missing(_) => steps.fewer(1),
            }
            found.push(now);
        }
        sizes.push(Size::new(&columns, found));
    }
    if stopped && !sizes.iter().flat_map(|size| &size.found).any(|found| matches!(found, Found::Told(_))) {
        return Ok(None);
    }
    let report = tables::report((entry, &cache), args, command, &candidates, &sizes);
    let rest = left_out::rest(args, (entry, &data), &report, &sizes).map_err(unwritten)?;
    Ok(Some(log.close(&order).of(report, stopped.then(|| steps.progress())).beside(rest)))
}

/// The data set whose first rows all sizes are.
fn data_of(args: &RetrievalArgs) -> Option<&'static BuiltinDataset> {
    let most = left_out::most(args);
    builtin::BUILTIN_DATASETS.iter().find(|entry| u64::from(entry.rows) >= most)
}

/// The conditions of its report, which are its settings: no spec has them.
pub(super) fn conditions(args: &RetrievalArgs) -> Option<String> {
    data_of(args).map(|entry| tables::conditions(entry, args))
}

/// What its rows are called.
pub(super) fn titles(args: &RetrievalArgs) -> Vec<String> {
    let named = &args.containers;
    let is_named = |candidate: &Candidate| named.is_empty() || named.iter().any(|name| name == candidate.container);
    every().into_iter().filter(is_named).map(|candidate| candidate.title).collect()
}

/// What the tables are called for which the rows are read, and table and container of every measurement that can be made.
fn order(rows: &[u64], candidates: &[Candidate]) -> (Vec<String>, Vec<(String, String)>) {
    let names: Vec<String> = rows.iter().map(|rows| format!("the table of {} rows", figures::count(*rows))).collect();
    let turns = numbered(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut order = Vec::new();
    for turn in &turns {
        let here = candidates.iter().filter(|candidate| candidate.missing.is_none());
        order.extend(here.map(|candidate| (turn.clone(), candidate.title.clone())));
    }
    (turns, order)
}

/// What must be the same for the containers of two sittings to stand in one table.
fn identity(
    args: &RetrievalArgs,
    command: &str,
    candidates: &[Candidate],
    worker: &Path,
    engines: &Engines,
) -> Identity {
    let mut identity = Identity::new("retrieval", command);
    for candidate in candidates {
        match (candidate.by, &args.tab) {
            (By::Worker(device), _) => identity.program(&of_devices(worker, &[device])),
            (By::Engine(kind), _) => identity.engine(engines, kind),
            (By::Tab, Some(program)) => identity.program(program),
            (By::Tab, None) => {}
        }
    }
    identity
}

/// One container, filled and read back; `None` when the user stopped it.
fn once(
    args: &RetrievalArgs,
    candidate: &Candidate,
    columns: &Columns,
    asked: Asked,
    (worker, engines): (&Path, &Engines),
    interrupts: &Interrupts,
) -> Option<Found> {
    let limit = match candidate.by {
        By::Tab => args.study.time_of_tab(),
        By::Worker(_) | By::Engine(_) => args.study.time_of_container(),
    };
    let answer = match (candidate.by, &args.tab) {
        (By::Tab, Some(program)) => tab::retrieve(program, columns.folder(), asked, limit, interrupts),
        _ => match command(candidate, worker, engines) {
            Ok(mut command) => {
                describe(&mut command, args, candidate, columns.folder(), &asked);
                ask(command, "", limit, &|| interrupts.came())
            }
            Err(missing) => return Some(Found::Missing(missing)),
        },
    };
    match answer {
        Answer::Interrupted => None,
        Answer::Failed(why) => {
            let less = if args.full { "leave out `--full`" } else { "fewer rows (`--rows COUNT`) need less memory" };
            Some(Found::Failed(because(candidate, with_remedy(why, None, less), engines)))
        }
        Answer::Late => Some(Found::Failed(because(candidate, limit::late(&candidate.title, limit), engines))),
        Answer::Told(told) => Some(columns.differs(&told).map_or(Found::Told(told), Found::Failed)),
    }
}

/// Why a container was not read, with what may be the reason.
fn because(candidate: &Candidate, why: String, engines: &Engines) -> String {
    match candidate.by {
        By::Engine(kind) => pins::failed(engines, kind, why),
        By::Worker(_) | By::Tab => why,
    }
}

/// Those that were named, or all, each with what it waits for.
fn candidates(names: &[String], has_tab: bool, worker: &Path, engines: &Engines) -> Result<Vec<Candidate>, StudyError> {
    let known = || CONTAINERS.iter().map(|container| container.name).chain([TAB]);
    if let Some(other) = names.iter().find(|name| !known().any(|known| known == name.as_str())) {
        let known = known().collect::<Vec<_>>().join(", ");
        return Err(StudyError::UnknownContainer { given: other.clone(), known });
    }
    let answers = devices::Answers::default();
    let is_named = |candidate: &Candidate| names.is_empty() || names.iter().any(|name| name == candidate.container);
    let found = |candidate: Candidate| {
        let (missing, other_build) = match candidate.by {
            // Every worker has it.
            By::Worker(Device::Flex) => (None, answers.other_build(worker, &[Device::Flex])),
            By::Worker(device) => (answers.missing(worker, device), answers.other_build(worker, &[device])),
            By::Engine(kind) => (answers.lacks_engine(engines, kind), None),
            By::Tab => ((!has_tab).then(tab::missing), None),
        };
        Candidate { missing, other_build, ..candidate }
    };
    Ok(every().into_iter().filter(is_named).map(found).collect())
}

/// All that the study has, whether it is here or not: the lab's own on every device, and what the page would measure in a
/// tab.
fn every() -> Vec<Candidate> {
    let one = |title: String, container, by, single_limit| Candidate {
        title,
        container,
        by,
        single_limit,
        missing: None,
        other_build: None,
    };
    let mut all = Vec::new();
    for container in &CONTAINERS {
        let by = container.engine.map_or(By::Worker(Device::Flex), By::Engine);
        all.push(one(container.title.to_owned(), container.name, by, container.single_limit));
        if container.name == "burn" {
            for device in Device::OF_BURN.into_iter().filter(|device| *device != Device::Flex) {
                let title = format!("Burn tensors on {}", device.as_str());
                // A number that comes over a bus may take as long as one of TensorFlow's.
                let single_limit = (!device.is_processor()).then_some(SLOW_ROWS);
                all.push(one(title, container.name, By::Worker(device), single_limit));
            }
        }
    }
    all.push(one("In the tab: plain columns (Rust, wasm)".to_owned(), TAB, By::Tab, None));
    all
}

/// The program that measures a container.
fn command(candidate: &Candidate, worker: &Path, engines: &Engines) -> Result<Command, Missing> {
    match candidate.by {
        By::Worker(device) => {
            let mut command = Command::new(of_devices(worker, &[device]));
            command.args(["retrieval", "--device", device.as_str()]);
            Ok(command)
        }
        By::Engine(kind) => engines
            .launch(kind)
            .map(|launch| launch.command())
            .map_err(|why| Missing { install: String::new(), why: why.to_string() }),
        By::Tab => Err(tab::missing()),
    }
}

/// What it is to measure. A tab has no room for more than the caches have.
fn asked(args: &RetrievalArgs, candidate: &Candidate, repeats: u32, cache: &Cache) -> Asked {
    let beyond_bytes = cache.beyond().ok().filter(|_| !matches!(candidate.by, By::Tab));
    Asked { repeats, batch_rows: args.batch_rows, single_rows: candidate.single_limit, beyond_bytes }
}

/// The same as options of its program, and with how many threads.
fn describe(command: &mut Command, args: &RetrievalArgs, candidate: &Candidate, folder: &Path, asked: &Asked) {
    let columns = if matches!(candidate.by, By::Engine(_)) { "--retrieval" } else { "--columns" };
    command.arg(columns).arg(folder).args(["--container", candidate.container]);
    command.args(["--repeats", &asked.repeats.to_string(), "--batch-rows", &asked.batch_rows.to_string()]);
    for (option, number) in [("--single-rows", asked.single_rows), ("--beyond-bytes", asked.beyond_bytes)] {
        if let Some(number) = number {
            command.args([option, &number.to_string()]);
        }
    }
    let threads = args.study.threads.unwrap_or(1).to_string();
    for name in [
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "RAYON_NUM_THREADS",
    ] {
        command.env(name, &threads);
    }
}

/// The command that measures the same again.
pub(super) fn command_of(args: &RetrievalArgs) -> String {
    let mut name = chosen(args.full, &args.rows, &args.containers, args.batch_rows);
    if let Some(program) = &args.tab {
        name = format!("{name} --tab {}", program.display());
    }
    command_line(&name, &args.study, args.study.repeats.unwrap_or(REPEATS), &[])
}

/// The study with the options that choose what of it is measured.
fn chosen(full: bool, rows: &[u64], containers: &[String], batch_rows: u64) -> String {
    let mut name = "retrieval".to_owned();
    if full {
        name.push_str(" --full");
    }
    if !rows.is_empty() {
        name = format!("{name} --rows {}", rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    }
    if !containers.is_empty() {
        name = format!("{name} --containers {}", containers.join(","));
    }
    if batch_rows != BATCH_ROWS {
        name = format!("{name} --batch-rows {batch_rows}");
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What a process might tell.
    pub(super) fn told(rows: u64, single_rows: u64) -> Retrieved {
        Retrieved {
            container: "plain".into(),
            versions: BTreeMap::from([("recspeed".to_owned(), "0".to_owned())]),
            host: "a machine".into(),
            threads: Some(1),
            rows,
            objects: 4,
            header_bytes: 24,
            buffer_bytes: 20 * rows,
            resident_bytes: Some(4096),
            build_s: vec![0.5],
            back_s: vec![0.5],
            single_rows,
            single_s: vec![0.25],
            loop_s: Vec::new(),
            batch_rows: 2,
            batch_s: vec![0.125],
            copy_s: vec![0.125],
            beyond: None,
            single_sum: 0.0,
            batch_sum: 0.0,
        }
    }

    #[test]
    fn every_container_is_a_candidate_and_what_is_missing_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let all = candidates(&[], false, &folder.path().join("no-worker"), &engines).expect("all");
        assert!(CONTAINERS.iter().all(|of| all.iter().any(|candidate| candidate.container == of.name)));
        let torch = all.iter().find(|candidate| candidate.container == "torch").expect("listed");
        assert_eq!(
            torch.missing.as_ref().map(|missing| missing.install.as_str()),
            Some("recspeed engines install pytorch")
        );
        assert!(candidates(&["torhc".to_owned()], false, folder.path(), &engines).is_err());
        let tab = |has_tab| candidates(&["tab".to_owned()], has_tab, folder.path(), &engines).expect("known");
        assert_eq!(tab(true).iter().map(|one| one.missing.is_none()).collect::<Vec<_>>(), [true]);
        let missing = tab(false).remove(0).missing.expect("a terminal has none");
        assert_eq!(missing.install, "make studies-tab");
    }

    #[test]
    fn only_what_would_take_minutes_is_not_read_whole_and_a_tab_reads_nothing_out_of_memory() {
        let args = RetrievalArgs {
            full: false,
            rows: Vec::new(),
            containers: Vec::new(),
            batch_rows: 4,
            tab: None,
            study: StudyArgs::default(),
        };
        let cache = Cache::new(Some(32 << 20), Some(16 << 30));
        for candidate in every() {
            let asked = asked(&args, &candidate, 3, &cache);
            let is_slow = match candidate.by {
                By::Engine(kind) => kind == EngineKind::Tensorflow,
                By::Worker(device) => !matches!(device, Device::Flex | Device::LibtorchCpu),
                By::Tab => false,
            };
            let title = &candidate.title;
            assert_eq!(asked.single_rows, is_slow.then_some(100_000), "{title}");
            let is_tab = matches!(candidate.by, By::Tab);
            assert_eq!(asked.beyond_bytes, (!is_tab).then_some(64 << 20), "{title}");
            let mut command = Command::new("worker");
            describe(&mut command, &args, &candidate, Path::new("columns"), &asked);
            let has = |option: &str| command.get_args().any(|given| given == option);
            assert_eq!((has("--single-rows"), has("--beyond-bytes")), (is_slow, !is_tab), "{title}");
        }
    }
}
