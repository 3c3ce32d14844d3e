//! The worker keeps its protocol: exit statuses, one gap-free stream, five seconds after SIGTERM, a cause for people.

mod checkpoints;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_types::event::Phase;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, RunEvent};

struct Ended {
    events: Vec<RunEvent>,
    status: Option<i32>,
    log: String,
}

impl Ended {
    fn last(&self) -> &EventKind {
        &self.events.last().expect("a run says at least one thing").kind
    }

    fn failure(&self) -> (FailureCode, &str) {
        match self.last() {
            EventKind::Failed { code, cause, .. } => (*code, cause),
            other => panic!("the run ended with {other:?}\n{}", self.log),
        }
    }

    fn metric(&self, name: &str) -> f64 {
        match self.last() {
            EventKind::Finished { summary } => summary.metrics[name],
            other => panic!("the run ended with {other:?}\n{}", self.log),
        }
    }
}

fn worker(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed-worker"));
    command.args(arguments).arg("--data-home").arg(home).env_remove("RECSPEED_DATA");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(home: &Path, arguments: &[&str], spec: &str) -> Child {
    let mut child = worker(home, arguments).spawn().expect("the worker starts");
    let mut input = child.stdin.take().expect("piped");
    // A worker that refuses the spec early may close its input first.
    let _ = input.write_all(spec.as_bytes());
    child
}

fn ended(output: &Output) -> Ended {
    let text = String::from_utf8(output.stdout.clone()).expect("events are UTF-8");
    let events: Vec<RunEvent> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.seq, events[0].seq + index as u64, "the numbers have a gap");
        assert_eq!(event.kind.is_last(), index + 1 == events.len(), "exactly the last event is a last event");
    }
    assert!(events.is_sorted_by_key(|event| event.at_us), "time runs backwards");
    Ended { events, status: output.status.code(), log: String::from_utf8_lossy(&output.stderr).into_owned() }
}

fn run(arguments: &[&str], spec: &str) -> Ended {
    let home = tempfile::tempdir().unwrap();
    ended(&start(home.path(), arguments, spec).wait_with_output().unwrap())
}

fn toml(text: &str) -> String {
    ExperimentSpec::from_toml(text).expect("the test's spec parses").to_json()
}

const SMALL: &str = r#"
version = 1
[dataset]
source = "builtin"
id = "beauty-synthetic-10k"
[recommender]
kind = "mlp"
hidden = [8]
[evaluation]
metrics = ["rmse", "mae", "accuracy"]
"#;

/// Long enough that it is still running when the test acts.
fn long() -> String {
    toml(&format!("{SMALL}\n[training]\nepochs = 10000\nbatch_size = 16\n"))
}

#[test]
fn a_worker_that_is_told_so_fits_no_baselines_and_gives_the_same_metrics() {
    let of = |arguments: &[&str]| {
        let ended = run(arguments, &toml(SMALL));
        match ended.last() {
            EventKind::Finished { summary } => (summary.evaluation.baselines.len(), summary.metrics.clone()),
            other => panic!("the run ended with {other:?}\n{}", ended.log),
        }
    };
    let (with, without) = (of(&[]), of(&["--no-baselines"]));
    assert_eq!((with.0, without.0), (1, 0));
    assert_eq!(with.1, without.1);
}

#[test]
fn a_run_ends_with_status_0_and_a_summary() {
    let ended = run(&[], &toml(SMALL));
    assert_eq!(ended.status, Some(0), "{}", ended.log);
    assert!(matches!(ended.events[0].kind, EventKind::Started { .. }));
    let phases: Vec<_> = ended
        .events
        .iter()
        .filter_map(|e| if let EventKind::Phase { phase } = e.kind { Some(phase) } else { None })
        .collect();
    assert_eq!(phases, [Phase::Load, Phase::Fit, Phase::Evaluate]);
    assert!(ended.metric("rmse") > 0.0 && ended.metric("rmse") < 2.0);
    assert!((0.0..=1.0).contains(&ended.metric("accuracy")));
}

#[test]
fn the_same_spec_gives_the_same_digits() {
    let (a, b) = (run(&[], &toml(SMALL)), run(&[], &toml(SMALL)));
    for metric in ["rmse", "mae", "accuracy"] {
        assert_eq!(a.metric(metric).to_bits(), b.metric(metric).to_bits(), "{metric}");
    }
}

#[test]
fn a_worker_whose_log_nobody_reads_tells_its_run_to_the_end() {
    for (spec, status) in [(toml(SMALL), 0), (r#"{"version":1,"trainnig":{}}"#.to_owned(), 2)] {
        let home = tempfile::tempdir().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = worker(home.path(), &[]).stderr(writer).spawn().expect("the worker starts");
        // A worker that refuses the spec early may close its input first.
        let _ = child.stdin.take().expect("piped").write_all(spec.as_bytes());
        let ended = ended(&child.wait_with_output().unwrap());
        assert_eq!(ended.status, Some(status));
        assert!(ended.last().is_last(), "it ended with {:?}", ended.last());
    }
}

#[test]
fn an_unknown_field_is_refused_with_status_2() {
    let ended =
        run(&[], r#"{"version":1,"dataset":{"source":"builtin","id":"x"},"recommender":{"kind":"mlp"},"trainnig":{}}"#);
    assert_eq!(ended.status, Some(2));
    let (code, cause) = ended.failure();
    assert_eq!(code, FailureCode::InvalidSpec);
    assert!(cause.contains("trainnig") && cause.contains("training"), "{cause}");
}

#[test]
fn a_value_out_of_range_is_refused_with_its_path_and_the_allowed_values() {
    let ended = run(&[], &toml(&format!("{SMALL}\n[training]\nepochs = 0\n")));
    assert_eq!(ended.status, Some(2));
    assert!(ended.failure().1.contains("training.epochs: is 0; allowed: 1 to 10000"), "{}", ended.failure().1);
}

#[test]
fn a_missing_file_ends_with_status_4_and_says_where_it_was_looked_for() {
    let spec = "version = 1\n[dataset]\nsource = \"file\"\npath = \"no/such.csv\"\nformat = \"amazon-csv\"\n[recommender]\nkind = \"global-mean\"\n";
    let ended = run(&[], &toml(spec));
    assert_eq!(ended.status, Some(4));
    let (code, cause) = ended.failure();
    assert_eq!(code, FailureCode::Data);
    assert!(cause.contains("no/such.csv"), "{cause}");
}

#[test]
fn too_little_memory_ends_with_status_3_and_a_remedy() {
    let ended = run(&["--memory-limit", "1000000"], &long());
    assert_eq!(ended.status, Some(3));
    let (code, cause) = ended.failure();
    assert_eq!(code, FailureCode::OutOfMemory);
    assert!(cause.contains("dataset.sample"), "{cause}");
}

#[test]
fn rubbish_instead_of_a_spec_is_one_sentence() {
    for rubbish in ["", "\u{0}\u{1}", "{", "[[[", &"x".repeat(100_000)] {
        let ended = run(&[], rubbish);
        assert_eq!(ended.status, Some(2), "{}", ended.log);
        assert_eq!(ended.events.len(), 1);
        assert!(ended.failure().1.starts_with("The spec cannot be read"), "{}", ended.failure().1);
    }
}

/// Starts a long run, waits for its first loss, sends SIGTERM; gives what it said and how long it took to leave.
fn terminated(arguments: &[&str], home: &Path) -> (Ended, Duration) {
    let mut child = start(home, arguments, &long());
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut seen = Vec::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        let learning = line.contains(r#""name":"loss""#) && line.contains(r#""epoch":3"#);
        seen.push(line);
        if learning {
            break;
        }
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let asked = Instant::now();
    seen.extend(lines.map(Result::unwrap));
    let mut output = child.wait_with_output().unwrap();
    let took = asked.elapsed();
    output.stdout = seen.join("\n").into_bytes();
    (ended(&output), took)
}

#[test]
fn sigterm_ends_a_run_within_five_seconds_with_status_130_and_a_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("checkpoints");
    let (ended, took) = terminated(&["--checkpoint-dir", folder.to_str().unwrap()], home.path());
    assert_eq!(ended.status, Some(130), "{}", ended.log);
    assert_eq!(ended.failure().0, FailureCode::Cancelled);
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    let file = ended
        .events
        .iter()
        .rev()
        .find_map(|e| if let EventKind::Checkpoint { file, .. } = &e.kind { Some(file) } else { None })
        .expect("a checkpoint was written");
    assert!(folder.join(file).is_file());
}

#[test]
fn a_worker_that_nobody_listens_to_leaves() {
    let home = tempfile::tempdir().unwrap();
    let mut child = start(home.path(), &[], &long());
    drop(child.stdout.take());
    let begun = Instant::now();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_worker_whose_starter_is_killed_leaves() {
    let home = tempfile::tempdir().unwrap();
    let spec = home.path().join("spec.json");
    std::fs::write(&spec, long()).unwrap();
    // A shell starts the worker, tells its number, and waits; the worker's output goes to a file that stays open.
    let line = format!(
        "{} --data-home {} < {} > {} 2>/dev/null & echo $!; wait",
        env!("CARGO_BIN_EXE_recspeed-worker"),
        home.path().display(),
        spec.display(),
        home.path().join("events").display()
    );
    let mut shell = Command::new("sh").args(["-c", &line]).stdout(Stdio::piped()).spawn().unwrap();
    let mut number = String::new();
    BufReader::new(shell.stdout.as_mut().unwrap()).read_line(&mut number).unwrap();
    let events = home.path().join("events");
    let says = |word: &str| std::fs::read_to_string(&events).unwrap_or_default().contains(word);
    let begun = Instant::now();
    while !says(r#""kind":"progress""#) && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(shell.id() as i32), Signal::SIGKILL).unwrap();
    shell.wait().unwrap();
    let killed = Instant::now();
    while !says(r#""code":"cancelled""#) && killed.elapsed() < Duration::from_secs(6) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(says(r#""code":"cancelled""#), "worker {} goes on without its starter", number.trim());
}

#[test]
fn probe_lists_what_this_build_can_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_recspeed-worker")).arg("probe").output().unwrap();
    let probe: recspeed_types::probe::Probe = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(probe.devices[0].device, "flex");
    assert!(probe.recommenders.iter().any(|kind| kind == "mlp"));
}

#[test]
fn ranks_as_threads_end_with_the_result_of_one_device() {
    let spec = |strategy: &str| {
        toml(&format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 2000\n[recommender]\nkind = \
             \"densenet\"\nlayers = 8\ngrowth = 4\ndropout = 0.1\n[training]\nepochs = 2\n[strategy]\n{strategy}\n[evaluation]\nmetrics = \
             [\"accuracy\", \"auc\"]\n"
        ))
    };
    let alone = run(&[], &spec("kind = \"single\"")).metric("auc");
    for strategy in
        ["kind = \"pipeline\"\nschedule = \"zb-h1\"", "kind = \"hybrid\"\nranks = 4\nstage = 3\nrecompute = \"always\""]
    {
        let ended = run(&[], &spec(strategy));
        let auc = ended.metric("auc");
        assert!((auc - alone).abs() < 2e-4, "{strategy}: {auc} against {alone}");
        assert_eq!(run(&[], &spec(strategy)).metric("auc").to_bits(), auc.to_bits(), "threads change no bit");
        let span = |of: u32| {
            let is = |event: &RunEvent| matches!(&event.kind, EventKind::Span { rank, name, .. } if *rank == of && name == "F0");
            ended.events.iter().any(is)
        };
        assert!(span(0) && span(1), "each rank tells what it did");
    }
}

#[test]
fn ranks_as_threads_tell_of_as_many_steps_as_the_worker_is_asked_for() {
    let spec = toml(&format!("{SMALL}[training]\nepochs = 1\nbatch_size = 256\n[strategy]\nkind = \"pipeline\"\n"));
    for (arguments, steps) in [(&[][..], 4), (&["--told-steps", "19"][..], 19)] {
        let ended = run(arguments, &spec);
        for of in 0..2 {
            let is = |event: &&RunEvent| match &event.kind {
                EventKind::Span { rank, name, .. } => *rank == of && name == "step",
                _ => false,
            };
            assert_eq!(ended.events.iter().filter(is).count(), steps, "rank {of}: {}", ended.log);
        }
    }
    let refused = run(&["--told-steps", "65"], &spec);
    assert_eq!((refused.status, refused.events.len()), (Some(2), 0), "{}", refused.log);
    assert!(refused.log.contains("65 is not in 1..=64"), "{}", refused.log);
}

#[test]
fn ranks_that_would_not_fit_are_refused_before_anything_is_read() {
    let spec = |strategy: &str| {
        toml(&format!(
            "version = 1\n[dataset]\nsource = \"file\"\npath = \"not-there.csv\"\nformat = \"amazon-csv\"\n[recommender]\n\
             kind = \"densenet\"\nlayers = 60\ngrowth = 64\n[strategy]\n{strategy}\n"
        ))
    };
    // 7.5 million parameters: 16 bytes each on every one of four ranks, or divided among them.
    let ended = run(&["--memory-limit", "536870912"], &spec("kind = \"zero\"\nranks = 4\nstage = 1"));
    let (code, cause) = ended.failure();
    assert_eq!((code, ended.status), (FailureCode::OutOfMemory, Some(3)), "{cause}");
    assert!(
        cause.starts_with(
            "This does not fit: all ranks together would hold 416 MiB, with what their process needs beside that about "
        ) && cause.contains(", and may have 512 MiB, "),
        "{cause}"
    );
    assert!(cause.contains("Try ZeRO "), "{cause}");
    assert!(!ended.events.iter().any(|event| matches!(event.kind, EventKind::Phase { .. })), "nothing was read");
    let ended = run(&["--memory-limit", "536870912"], &spec("kind = \"zero\"\nranks = 4\nstage = 3"));
    assert_eq!(ended.failure().0, FailureCode::Data, "it would fit, and its file is not there: {}", ended.failure().1);
}

/// Standard output that nobody reads: the pipe is full when the worker starts, or has room for a page.
fn unread(full: bool) -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).expect("a small one");
    if full {
        writer.write_all(&[b'\n'; 4096]).expect("it has room for a page");
    }
    (reader, writer)
}

/// A worker whose watch has begun, and that nobody reads.
fn started_unread(home: &Path, arguments: &[&str], spec: &str, full: bool) -> (Child, std::io::PipeReader) {
    let (reader, writer) = unread(full);
    let mut child = worker(home, arguments).stdout(writer).stderr(Stdio::null()).spawn().expect("the worker starts");
    child.stdin.take().expect("piped").write_all(spec.as_bytes()).expect("it reads the spec");
    (child, reader)
}

fn has_a_thread(child: &Child, name: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten();
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names.into_iter().any(|found| found.trim() == name)
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_worker_whose_listener_does_not_read_obeys_sigterm_in_five_seconds() {
    for full in [true, false] {
        let home = tempfile::tempdir().unwrap();
        let (mut child, _reader) = started_unread(home.path(), &[], &long(), full);
        wait_for("the watch begins", || has_a_thread(&child, "watch"));
        if !full {
            // Until the page is full.
            std::thread::sleep(Duration::from_secs(1));
        }
        kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
        let begun = Instant::now();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        // Five, and what a busy machine adds.
        assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_worker_whose_listener_does_not_read_keeps_to_its_memory() {
    let home = tempfile::tempdir().unwrap();
    let (mut child, _reader) = started_unread(home.path(), &["--memory-limit", "1000000"], &long(), true);
    let begun = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_first_thread_that_waits_for_a_listener_ends_a_divided_run_in_the_deadline() {
    let home = tempfile::tempdir().unwrap();
    let spec = toml(&format!(
        "{SMALL}\n[training]\nepochs = 10000\nbatch_size = 16\n[strategy]\nkind = \"data-parallel\"\nranks = 2\ntimeout = 2\n"
    ));
    let (mut child, _reader) = started_unread(home.path(), &[], &spec, false);
    let begun = Instant::now();
    // The other one waits for two seconds, and the first has five to end.
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
}

#[test]
fn a_worker_with_ranks_that_is_stopped_for_longer_than_they_wait_goes_on_and_blames_nobody() {
    let home = tempfile::tempdir().unwrap();
    let spec = toml(&format!(
        "{SMALL}\n[training]\nepochs = 10000\nbatch_size = 16\n[strategy]\nkind = \"data-parallel\"\nranks = 2\ntimeout = 3\n"
    ));
    let mut child = start(home.path(), &[], &spec);
    let (pid, stdout) = (Pid::from_raw(child.id() as i32), child.stdout.take().expect("piped"));
    let (told, heard) = channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            told.send(line.unwrap()).expect("the test hears");
        }
    });
    let mut seen: Vec<String> = Vec::new();
    let until_it_learns = |seen: &mut Vec<String>| loop {
        let heard = heard.recv_timeout(Duration::from_mins(1));
        let line = heard.unwrap_or_else(|error| panic!("{error}: {:?}", seen.last()));
        let learns = line.contains(r#""name":"loss""#);
        seen.push(line);
        if learns {
            break;
        }
    };
    for _ in 0..2 {
        until_it_learns(&mut seen);
        kill(pid, Signal::SIGSTOP).unwrap();
        std::thread::sleep(Duration::from_secs(5));
        // What it had said before.
        seen.extend(heard.try_iter());
        kill(pid, Signal::SIGCONT).unwrap();
        until_it_learns(&mut seen);
    }
    kill(pid, Signal::SIGTERM).unwrap();
    seen.extend(heard.iter());
    reader.join().unwrap();
    let mut output = child.wait_with_output().unwrap();
    output.stdout = seen.join("\n").into_bytes();
    let ended = ended(&output);
    assert_eq!(ended.failure().0, FailureCode::Cancelled, "{:?}\n{}", ended.failure(), ended.log);
    assert_eq!(ended.status, Some(130), "{}", ended.log);
}
