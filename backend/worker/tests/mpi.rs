//! `launcher = "mpi"`: the result is that of threads, a rank that is lost ends the run in the deadline with its own name, nobody is
//! left behind. Without the feature, or without `mpirun`, the spec is refused with what to do.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_types::event::MeasuredOn;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, RunEvent, RunSummary};

fn spec(rest: &str, strategy: &str) -> String {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 2000\n[recommender]\nkind = \"densenet\"\nlayers \
         = 5\ngrowth = 8\n[evaluation]\nmetrics = [\"rmse\", \"auc\"]\n{rest}\n[strategy]\n{strategy}\n"
    );
    ExperimentSpec::from_toml(&text).expect("the test's spec parses").to_json()
}

/// Long enough that it still runs when the test acts.
fn long() -> String {
    spec(
        "[training]\nepochs = 10000\nbatch_size = 32",
        "kind = \"pipeline\"\nranks = 2\nlauncher = \"mpi\"\ntimeout = 20",
    )
}

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed-worker"));
    command.args(arguments).arg("--data-home").arg(home).env_remove("RECSPEED_DATA");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn started(mut command: Command, spec: &str) -> Child {
    let mut child = command.spawn().expect("the worker starts");
    child.stdin.take().expect("piped").write_all(spec.as_bytes()).expect("it reads the spec");
    child
}

fn events(output: &Output) -> Vec<RunEvent> {
    let text = String::from_utf8(output.stdout.clone()).expect("events are UTF-8");
    let events: Vec<RunEvent> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.seq, index as u64, "the numbers have a gap");
        assert_eq!(event.kind.is_last(), index + 1 == events.len(), "exactly the last event is a last event");
    }
    assert!(events.is_sorted_by_key(|event| event.at_us), "time runs backwards");
    events
}

fn run(spec: &str, arguments: &[&str]) -> (Vec<RunEvent>, Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let output = started(command(home.path(), arguments), spec).wait_with_output().unwrap();
    (events(&output), output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn failure(events: &[RunEvent]) -> (FailureCode, String) {
    match &events.last().expect("a run says at least one thing").kind {
        EventKind::Failed { code, cause, .. } => (*code, cause.clone()),
        other => panic!("the run ended with {other:?}"),
    }
}

/// Whether ranks can be had here; says why not.
fn can() -> bool {
    if !cfg!(feature = "mpi") {
        eprintln!("skipped: the worker is built without the feature mpi");
        return false;
    }
    let found = Command::new("mpirun").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: there is no mpirun");
    }
    found
}

/// The processes of this worker's ranks, with their numbers.
fn ranks_of(home: &Path) -> Vec<(usize, Pid)> {
    let home = home.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ranks = processes.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let read = |name: &str| {
            std::fs::read(entry.path().join(name)).ok().map(|text| String::from_utf8_lossy(&text).into_owned())
        };
        let arguments = read("cmdline")?;
        let ours = arguments.contains("--ranks-in") && arguments.contains(&home) && !arguments.starts_with("mpirun");
        let environment = read("environ").filter(|_| ours)?;
        let rank = environment.split('\0').find_map(|line| line.strip_prefix("OMPI_COMM_WORLD_RANK="))?;
        Some((rank.parse().ok()?, Pid::from_raw(pid)))
    });
    ranks.collect()
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A worker whose ranks train.
fn training(home: &Path) -> (Child, Vec<(usize, Pid)>) {
    training_of(home, &long())
}

fn training_of(home: &Path, spec: &str) -> (Child, Vec<(usize, Pid)>) {
    let checkpoints = home.join("checkpoints");
    let child = started(command(home, &["--checkpoint-dir", &checkpoints.to_string_lossy()]), spec);
    wait_for("two ranks start", || ranks_of(home).len() == 2);
    // They have joined each other and begun.
    std::thread::sleep(Duration::from_secs(2));
    (child, ranks_of(home))
}

fn all_gone(home: &Path) {
    wait_for("no rank is left", || ranks_of(home).is_empty());
}

/// What a run came to.
#[derive(Debug, PartialEq)]
struct Told {
    metrics: BTreeMap<String, f64>,
    final_loss: f64,
    /// Of training and validation, each step and epoch that was told.
    curve: Vec<f64>,
    /// The last rank that told when it did what.
    spans: Option<u32>,
    /// The last rank that told what it held.
    memory: Option<u32>,
}

fn told(spec: &str, over_mpi: bool) -> Told {
    let (events, status, log) = run(spec, &[]);
    assert_eq!(status, Some(0), "{log}");
    let last = |of: fn(&EventKind) -> Option<u32>| events.iter().filter_map(|event| of(&event.kind)).max();
    let spans = last(|kind| if let EventKind::Span { rank, .. } = kind { Some(*rank) } else { None });
    let memory = last(|kind| if let EventKind::Memory { rank, .. } = kind { Some(*rank) } else { None });
    for event in &events {
        // Processes say each what it holds, threads the same once.
        if let EventKind::Memory { rank, bytes } = &event.kind {
            assert_eq!(bytes.allocator_total > 0, *rank == 0 || over_mpi, "rank {rank}: {bytes:?}");
            assert!(bytes.peak >= bytes.allocator_total, "rank {rank}: {bytes:?}");
        }
    }
    let curve = events.iter().filter_map(|event| match &event.kind {
        EventKind::Metric { split: MeasuredOn::Train | MeasuredOn::Validation, value, .. } => Some(*value),
        _ => None,
    });
    let curve = curve.collect();
    match events.into_iter().next_back().unwrap().kind {
        EventKind::Finished { summary } => {
            let RunSummary { metrics, training, .. } = *summary;
            Told { metrics, final_loss: training.unwrap().final_loss, curve, spans, memory }
        }
        other => panic!("the run ended with {other:?}\n{log}"),
    }
}

#[test]
fn processes_give_the_result_of_threads() {
    if !can() {
        return;
    }
    for (strategy, training) in [
        ("kind = \"pipeline\"\nranks = 2\nschedule = \"zb-h1\"", "[training]\nepochs = 2"),
        ("kind = \"hybrid\"\nranks = 4\nstages = 2\nstage = 3", "[training]\nepochs = 2\ngradient_clip = 0.1"),
        ("kind = \"hybrid\"\nranks = 4\nstages = 2\ntensor = 2", "[training]\nepochs = 2\ngradient_clip = 0.1"),
    ] {
        let over = |launcher: &str| spec(training, &format!("{strategy}\nlauncher = \"{launcher}\""));
        assert_eq!(told(&over("mpi"), true), told(&over("threads"), false), "{strategy}");
    }
}

/// DLRM and SASRec, small, each with a strategy that divides its table.
const WITH_TABLES: [(&str, &str); 2] = [
    (
        "sample = 900\n[split]\nkind = \"random\"\nvalidation_ratio = 0.1\n[recommender]\nkind = \"dlrm\"\nembedding = 6\nbottom = \
         [5]\nhidden = [12, 8]\nnegatives = 3\ndropout = 0.2\n[training]\nepochs = 2\nbatch_size = 50\nlearning_rate = 0.01\nloss = \
         \"bpr\"\ngradient_clip = 0.5\n",
        "kind = \"hybrid\"\nranks = 4\nstages = 2\nstage = 3\ntables = \"table-wise\"",
    ),
    (
        "[split]\nkind = \"leave-last-out\"\nvalidation = true\n[recommender]\nkind = \"sasrec\"\nfactors = 8\nblocks = 2\nheads = \
         2\nlength = 6\ndropout = 0.2\nnegatives = 7\nshared_by = 5\n[training]\nepochs = 2\nbatch_size = 64\nlearning_rate = \
         0.01\ngradient_clip = 0.5\n",
        "kind = \"zero\"\nranks = 2\nstage = 2\nmicro_batches = 2",
    ),
];

#[test]
fn networks_with_tables_give_the_result_of_threads_and_of_one_device() {
    if !can() {
        return;
    }
    for (rest, strategy) in WITH_TABLES {
        let spec = |strategy: &str| {
            let text = format!(
                "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n{rest}[evaluation]\nmetrics = \
                 [\"ndcg@10\"]\n[strategy]\n{strategy}\n"
            );
            ExperimentSpec::from_toml(&text).expect("the test's spec parses").to_json()
        };
        let over = |launcher: &str| spec(&format!("{strategy}\nlauncher = \"{launcher}\""));
        let processes = told(&over("mpi"), true);
        assert_eq!(processes, told(&over("threads"), false), "{strategy}");
        // As far apart as threads are from one device: sums are formed in another order.
        let alone = told(&spec("kind = \"single\""), false);
        for (name, value) in &alone.metrics {
            let ours = processes.metrics[name];
            assert!((ours - value).abs() < 5e-3, "{strategy}, {name}: {ours} against {value}");
        }
        assert_eq!(processes.curve.len(), alone.curve.len(), "{strategy}: the same curve");
        for (ours, alone) in processes.curve.iter().zip(&alone.curve) {
            assert!((ours - alone).abs() < 2e-3, "{strategy}: a loss of {ours} against {alone}");
        }
    }
}

#[test]
fn a_rank_that_is_killed_ends_the_run_with_its_name_and_leaves_nobody() {
    if !can() {
        return;
    }
    for lost in [0, 1] {
        let home = tempfile::tempdir().unwrap();
        let (child, ranks) = training(home.path());
        let (_, pid) = ranks.into_iter().find(|(rank, _)| *rank == lost).expect("both have started");
        kill(pid, Signal::SIGKILL).unwrap();
        let begun = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let (code, cause) = failure(&events(&output));
        assert_eq!(code, FailureCode::Worker);
        let first = format!("Rank {lost}: its process was ended by signal 9");
        assert!(cause.starts_with(&first), "{cause}\n{}", String::from_utf8_lossy(&output.stderr));
        all_gone(home.path());
    }
}

#[test]
fn a_rank_that_is_killed_while_another_waits_for_it_in_a_training_with_tables_is_named_and_leaves_nobody() {
    if !can() {
        return;
    }
    // Wide vectors and a narrow network: most of a step is what is fetched and given back.
    let text = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 2000\n[recommender]\nkind = \
                \"dlrm\"\nembedding = 256\nbottom = [1]\nhidden = [1]\n[training]\nepochs = 10000\nbatch_size = \
                1024\n[evaluation]\nmetrics = [\"ndcg@10\"]\n[strategy]\nkind = \"data-parallel\"\nranks = 2\nlauncher = \
                \"mpi\"\ntimeout = 60\n";
    let spec = ExperimentSpec::from_toml(text).expect("the test's spec parses").to_json();
    for lost in [0, 1] {
        let home = tempfile::tempdir().unwrap();
        let (child, ranks) = training_of(home.path(), &spec);
        let (_, pid) = ranks.into_iter().find(|(rank, _)| *rank == lost).expect("both have started");
        // Stopped first, so that the other one waits for what it will never send.
        kill(pid, Signal::SIGSTOP).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        kill(pid, Signal::SIGKILL).unwrap();
        let begun = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let (code, cause) = failure(&events(&output));
        assert_eq!(code, FailureCode::Worker);
        let first = format!("Rank {lost}: its process was ended by signal 9");
        assert!(cause.starts_with(&first), "{cause}\n{}", String::from_utf8_lossy(&output.stderr));
        all_gone(home.path());
    }
}

#[test]
fn a_rank_that_hangs_ends_the_run_in_the_deadline() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (child, ranks) = training(home.path());
    let (_, pid) = ranks.into_iter().find(|(rank, _)| *rank == 1).expect("both have started");
    kill(pid, Signal::SIGSTOP).unwrap();
    let output = child.wait_with_output().unwrap();
    let (code, cause) = failure(&events(&output));
    assert_eq!(code, FailureCode::Worker);
    assert!(cause.contains("rank 0 waits for rank 1") && cause.contains("for more than 20 s"), "{cause}");
    all_gone(home.path());
}

#[test]
fn a_run_that_is_told_to_stop_is_cancelled_in_five_seconds() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (child, _) = training(home.path());
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let begun = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_millis(5500), "{:?}", begun.elapsed());
    let events = events(&output);
    assert_eq!(failure(&events).0, FailureCode::Cancelled);
    assert_eq!(output.status.code(), Some(130));
    let kept = events.iter().find_map(|event| match &event.kind {
        EventKind::Checkpoint { file, .. } => Some(home.path().join("checkpoints").join(file)),
        _ => None,
    });
    assert!(std::fs::read(kept.expect("a checkpoint is told of")).is_ok_and(|bytes| !bytes.is_empty()));
    all_gone(home.path());
}

#[test]
fn ranks_leave_when_the_worker_or_mpirun_is_killed() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (mut child, _) = training(home.path());
    child.kill().unwrap();
    child.wait().unwrap();
    all_gone(home.path());
    let (child, ranks) = training(home.path());
    let status = std::fs::read_to_string(format!("/proc/{}/status", ranks[0].1)).unwrap();
    let mpirun = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(mpirun), Signal::SIGKILL).unwrap();
    assert_eq!(failure(&events(&child.wait_with_output().unwrap())).0, FailureCode::Worker);
    all_gone(home.path());
}

#[test]
fn a_diverging_training_says_so_as_with_threads() {
    if !can() {
        return;
    }
    let strategy = "kind = \"data-parallel\"\nranks = 2";
    let rest = "[training]\noptimizer = \"sgd\"\nlearning_rate = 1e30";
    let told = |launcher: &str| failure(&run(&spec(rest, &format!("{strategy}\n{launcher}")), &[]).0);
    assert_eq!(told("launcher = \"mpi\""), told(""));
}

#[test]
fn a_build_without_mpi_says_how_to_get_it() {
    if cfg!(feature = "mpi") {
        return;
    }
    let (events, status, _) = run(&spec("", "kind = \"pipeline\"\nranks = 2\nlauncher = \"mpi\""), &[]);
    let (code, cause) = failure(&events);
    assert_eq!((code, status), (FailureCode::InvalidSpec, Some(2)));
    assert!(cause.contains("--features recspeed-worker/mpi") && cause.contains("threads"), "{cause}");
}

#[test]
fn a_machine_without_mpirun_says_what_to_install() {
    if !cfg!(feature = "mpi") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut command = command(home.path(), &[]);
    command.env("PATH", home.path());
    let output = started(command, &long()).wait_with_output().unwrap();
    let (code, cause) = failure(&events(&output));
    assert_eq!(code, FailureCode::InvalidSpec);
    assert!(cause.contains("install Open MPI"), "{cause}");
}
