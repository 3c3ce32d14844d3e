//! A worker whose ranks are processes, and what it says.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, RunEvent};

pub(crate) fn spec(rest: &str, strategy: &str) -> String {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 2000\n[recommender]\nkind = \"densenet\"\nlayers \
         = 5\ngrowth = 8\n[evaluation]\nmetrics = [\"rmse\", \"auc\"]\n{rest}\n[strategy]\n{strategy}\n"
    );
    ExperimentSpec::from_toml(&text).expect("the test's spec parses").to_json()
}

/// The spec of a network with tables: `rest` goes on with the data set and says all else but the strategy.
pub(crate) fn with_tables(rest: &str, strategy: &str) -> String {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n{rest}[strategy]\n{strategy}\n"
    );
    ExperimentSpec::from_toml(&text).expect("the test's spec parses").to_json()
}

/// Long enough that it still runs when the test acts.
pub(crate) fn long() -> String {
    spec(
        "[training]\nepochs = 10000\nbatch_size = 32",
        "kind = \"pipeline\"\nranks = 2\nlauncher = \"mpi\"\ntimeout = 20",
    )
}

pub(crate) fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed-worker"));
    command.args(arguments).arg("--data-home").arg(home).env_remove("RECSPEED_DATA");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn started(mut command: Command, spec: &str) -> Child {
    let mut child = command.spawn().expect("the worker starts");
    child.stdin.take().expect("piped").write_all(spec.as_bytes()).expect("it reads the spec");
    child
}

pub(crate) fn events(output: &Output) -> Vec<RunEvent> {
    let text = String::from_utf8(output.stdout.clone()).expect("events are UTF-8");
    let events: Vec<RunEvent> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.seq, index as u64, "the numbers have a gap");
        assert_eq!(event.kind.is_last(), index + 1 == events.len(), "exactly the last event is a last event");
        let wrong = matches!(&event.kind, EventKind::Warning { message } if message.starts_with("the account of "));
        assert!(!wrong, "a ledger is wrong: {:?}", event.kind);
    }
    assert!(events.is_sorted_by_key(|event| event.at_us), "time runs backwards");
    events
}

pub(crate) fn run(spec: &str, arguments: &[&str]) -> (Vec<RunEvent>, Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let output = started(command(home.path(), arguments), spec).wait_with_output().unwrap();
    (events(&output), output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

pub(crate) fn failure(events: &[RunEvent]) -> (FailureCode, String) {
    match &events.last().expect("a run says at least one thing").kind {
        EventKind::Failed { code, cause, .. } => (*code, cause.clone()),
        other => panic!("the run ended with {other:?}"),
    }
}

/// Whether ranks can be had here; says why not. `make mpi-test` sets `RECSPEED_EXPECT_MPI` once it has seen to it that there is an `mpirun`.
pub(crate) fn can() -> bool {
    if !cfg!(feature = "mpi") {
        eprintln!("skipped: the worker is built without the feature mpi");
        return false;
    }
    let found = Command::new("mpirun").arg("--version").output().is_ok();
    if !found {
        assert!(std::env::var_os("RECSPEED_EXPECT_MPI").is_none(), "MPI is expected here, and there is no mpirun");
        eprintln!("skipped: there is no mpirun");
    }
    found
}

/// A file that the kernel has of a process; `None` once it has ended.
fn told_of(pid: Pid, file: &str) -> Option<String> {
    let text = std::fs::read(format!("/proc/{pid}/{file}")).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// All that this worker has started for its ranks: these, and `mpirun`. Of one that has ended and that nobody has asked
/// about yet the kernel knows no arguments.
fn started_by(home: &Path) -> Vec<Pid> {
    let home = home.to_string_lossy();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| Some(Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)));
    let ours = |pid: &Pid| {
        told_of(*pid, "cmdline").is_some_and(|words| words.contains("--ranks-in") && words.contains(&*home))
    };
    pids.filter(ours).collect()
}

/// The processes of this worker's ranks, with their numbers.
pub(crate) fn ranks_of(home: &Path) -> Vec<(usize, Pid)> {
    let ranks = started_by(home).into_iter().filter_map(|pid| {
        let environment = told_of(pid, "environ")?;
        let rank = environment.split('\0').find_map(|line| line.strip_prefix("OMPI_COMM_WORLD_RANK="))?;
        Some((rank.parse().ok()?, pid))
    });
    ranks.collect()
}

/// The `mpirun` that has started a rank.
pub(crate) fn mpirun_of(rank: Pid) -> Pid {
    let status = told_of(rank, "status").expect("the rank is there");
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("everybody has one");
    let mpirun = Pid::from_raw(parent.trim().parse().expect("a number"));
    let words = told_of(mpirun, "cmdline").expect("it is there");
    assert!(words.starts_with("mpirun"), "rank {rank} was started by {words:?}");
    mpirun
}

pub(crate) fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A worker whose ranks train, and what it says meanwhile.
pub(crate) struct Training {
    pub(crate) child: Child,
    ranks: Vec<(usize, Pid)>,
    out: JoinHandle<Vec<u8>>,
    log: JoinHandle<Vec<u8>>,
}

impl Training {
    pub(crate) fn rank(&self, wanted: usize) -> Pid {
        self.ranks.iter().find(|(rank, _)| *rank == wanted).expect("all have started").1
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Output {
        let status = self.child.wait().unwrap();
        Output { status, stdout: self.out.join().unwrap(), stderr: self.log.join().unwrap() }
    }
}

pub(crate) fn training(home: &Path) -> Training {
    training_of(home, &long())
}

/// Waits until the ranks have joined each other and told of the first loss.
pub(crate) fn training_of(home: &Path, spec: &str) -> Training {
    let checkpoints = home.join("checkpoints");
    let mut child = started(command(home, &["--checkpoint-dir", &checkpoints.to_string_lossy()]), spec);
    let (out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let (sender, told) = channel();
    let out = std::thread::spawn(move || {
        let (mut out, mut all) = (BufReader::new(out), Vec::new());
        let mut line = Vec::new();
        while out.read_until(b'\n', &mut line).unwrap() > 0 {
            if let Ok(RunEvent { kind: EventKind::Metric { .. }, .. }) = serde_json::from_slice(&line) {
                // The test may have gone on long ago.
                let _ = sender.send(());
            }
            all.append(&mut line);
        }
        all
    });
    let log = std::thread::spawn(move || {
        let mut all = Vec::new();
        err.read_to_end(&mut all).unwrap();
        all
    });
    if told.recv_timeout(Duration::from_mins(2)).is_err() {
        child.kill().unwrap();
        panic!("no loss is told: {}", String::from_utf8_lossy(&log.join().unwrap()));
    }
    Training { child, ranks: ranks_of(home), out, log }
}

/// The folder that the ranks share with whoever started them.
pub(crate) fn shared_folder(rank: Pid) -> Option<PathBuf> {
    let arguments = std::fs::read(format!("/proc/{rank}/cmdline")).ok()?;
    let arguments = String::from_utf8(arguments).ok()?;
    let folder = arguments.split('\0').skip_while(|word| *word != "--ranks-in").nth(1)?;
    Some(PathBuf::from(folder))
}

pub(crate) fn all_gone(home: &Path) {
    wait_for("neither a rank nor mpirun is left", || started_by(home).is_empty());
}
