//! Reference engines behind the worker: they take the steps that the lab's own training takes, and every way in which one can
//! fail becomes a cause.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_types::event::MeasuredOn;
use recspeed_types::spec::{Device, EngineKind, ParamValue, PipelineSchedule, Recompute, StrategyKind, StrategySpec};
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, GpuPresence, RunEvent};

/// How long anything may take that must come.
const PATIENCE: Duration = Duration::from_secs(30);

fn spec(kind: EngineKind) -> ExperimentSpec {
    let mut spec = ExperimentSpec::default();
    spec.recommender = spec.recommender.with("hidden", ParamValue::Integers(vec![16, 8]));
    spec.dataset.sample = Some(1000);
    spec.engine.kind = kind;
    spec.engine.threads = Some(1);
    spec
}

fn run(home: &Path, spec: &ExperimentSpec, environment: &[(&str, &str)]) -> (Vec<RunEvent>, Option<i32>) {
    run_told(home, spec, environment, &[])
}

/// The same, with more arguments for the worker.
fn run_told(
    home: &Path,
    spec: &ExperimentSpec,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> (Vec<RunEvent>, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed-worker"));
    command.arg("--data-home").arg(home).args(arguments);
    command.envs(environment.iter().copied()).env_remove("RECSPEED_DATA");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the worker starts");
    child.stdin.take().expect("piped").write_all(spec.to_json().as_bytes()).expect("the spec");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let events =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    (events, output.status.code())
}

fn losses(events: &[RunEvent]) -> BTreeMap<u64, f64> {
    let loss = |event: &RunEvent| match &event.kind {
        EventKind::Metric { name, split: MeasuredOn::Train, step, value, .. } if name == "loss" => {
            Some((*step, *value))
        }
        _ => None,
    };
    events.iter().filter_map(loss).collect()
}

fn failure(events: &[RunEvent]) -> (FailureCode, &str) {
    match &events.last().expect("events").kind {
        EventKind::Failed { code, cause, .. } => (*code, cause),
        other => panic!("it ended with {other:?}"),
    }
}

/// Runs where an engine is installed in the home of a lab that `RECSPEED_ENGINES_HOME` names, which `make engines-agree` sets.
fn agrees(kind: EngineKind) {
    let name = kind.as_str();
    let home = std::env::var_os("RECSPEED_ENGINES_HOME").map(PathBuf::from);
    let Some(home) = home.filter(|home| home.join("engines").join(name).join("record.json").is_file()) else {
        eprintln!(
            "skipped: no engine {name} below RECSPEED_ENGINES_HOME; `recspeed engines install {name}`, then `make engines-agree`"
        );
        return;
    };
    // On one thread and on two, as the studies have it: a sum that threads form in parts is in another order.
    let networks = [("mlp", None), ("densenet", Some(0.0))];
    for (threads, (recommender, dropout)) in [1, 2].into_iter().flat_map(|threads| networks.map(|of| (threads, of))) {
        let mut flex = spec(EngineKind::Burn);
        flex.engine.threads = Some(threads);
        if let Some(dropout) = dropout {
            flex.recommender = recspeed_types::spec::RecommenderSpec::new(recommender)
                .with("layers", ParamValue::Integer(12))
                .with("growth", ParamValue::Integer(4))
                .with("dropout", ParamValue::Float(dropout));
        }
        let (ours, status) = run(&home, &flex, &[]);
        assert_eq!(status, Some(0), "{:?}", ours.last());
        for strategy in ways(kind) {
            let mut other = ExperimentSpec { engine: spec(kind).engine, strategy, ..flex.clone() };
            other.engine.threads = Some(threads);
            agrees_in(&home, &other, &ours);
        }
    }
}

/// How an engine divides the work where it is held against the lab's own training on one device.
fn ways(kind: EngineKind) -> Vec<StrategySpec> {
    let of = |kind| StrategySpec { kind, ..StrategySpec::default() };
    let staged = |schedule| StrategySpec { schedule: Some(schedule), ..of(StrategyKind::Pipeline) };
    match kind {
        EngineKind::Deepspeed => vec![
            StrategySpec { stage: Some(2), micro_batches: Some(2), ..of(StrategyKind::Zero) },
            staged(PipelineSchedule::OneForwardOneBackward),
            StrategySpec { recompute: Some(Recompute::Always), ..staged(PipelineSchedule::OneForwardOneBackward) },
        ],
        EngineKind::Torchgpipe => vec![staged(PipelineSchedule::Gpipe)],
        _ => vec![StrategySpec::default()],
    }
}

/// Trains as another engine, and holds losses, beginnings and metrics against what the lab's own training has told.
fn agrees_in(home: &Path, other: &ExperimentSpec, ours: &[RunEvent]) {
    let (kind, threads) = (other.engine.kind, other.engine.threads.expect("as many as were said"));
    let (name, way) = (kind.as_str(), other.strategy.kind.as_str());
    let of = format!("{name}, {way}, {}, {threads} threads", other.recommender.kind);
    let (theirs, status) = run(home, other, &[]);
    assert_eq!(status, Some(0), "{of}: {:?}", theirs.last());
    for (index, event) in theirs.iter().enumerate() {
        assert_eq!(event.seq, index as u64, "{of}: the numbers have a gap");
    }
    let (mine, others) = (losses(ours), losses(&theirs));
    assert_eq!(mine.len(), others.len(), "{of}");
    for (step, expected) in mine.iter().take(20) {
        let found = others[step];
        let near = (found - expected).abs() <= 1e-4 * expected.abs() + 1e-6;
        assert!(near, "{of}, step {step}: {found} instead of {expected}");
    }
    let metrics = |events: &[RunEvent]| match &events.last().expect("an end").kind {
        EventKind::Finished { summary } => (summary.metrics.clone(), summary.engine.clone(), summary.timing),
        other => panic!("it ended with {other:?}"),
    };
    let begun = |events: &[RunEvent]| match &events.last().expect("an end").kind {
        EventKind::Finished { summary } => summary.training.as_ref().and_then(|training| training.begun.clone()),
        other => panic!("it ended with {other:?}"),
    };
    assert!(begun(ours).is_some(), "{of}: the lab says what it began with");
    assert_eq!(begun(&theirs), begun(ours), "{of}: other first weights or orders were read");
    let ((mine, ..), (others, engine, timing)) = (metrics(ours), metrics(&theirs));
    assert_eq!((engine.kind.as_str(), engine.device.as_str()), (name, "cpu"));
    // Ranks of DeepSpeed, of which there are two, have a thread each at least.
    let least = if kind == EngineKind::Deepspeed { 2 } else { 1 };
    assert_eq!(engine.threads, threads.max(least), "{of}: it did not compute on the threads that it was given");
    assert!(timing.fit_s > 0.0 && timing.start_s.is_some_and(|start| start > 0.0), "{timing:?}");
    for (metric, expected) in &mine {
        let found = others[metric];
        assert!((found - expected).abs() <= 2e-2 * expected.abs().max(0.1), "{of}, {metric}: {found}, {expected}");
    }
}

#[test]
fn pytorch_takes_the_steps_of_the_labs_own_training() {
    agrees(EngineKind::Pytorch);
}

#[test]
fn keras_takes_the_steps_of_the_labs_own_training() {
    agrees(EngineKind::Tensorflow);
}

#[test]
fn pyvelox_takes_the_steps_of_the_labs_own_training() {
    agrees(EngineKind::Pyvelox);
}

#[test]
fn deepspeed_takes_the_steps_of_the_labs_own_training() {
    agrees(EngineKind::Deepspeed);
}

#[test]
fn torchgpipe_takes_the_steps_of_the_labs_own_training() {
    agrees(EngineKind::Torchgpipe);
}

#[test]
fn a_missing_engine_is_a_mistake_that_names_its_remedy() {
    let home = tempfile::tempdir().expect("a folder");
    let (events, status) = run(home.path(), &spec(EngineKind::Pytorch), &[]);
    assert_eq!(status, Some(2));
    let expected = "The engine `pytorch` is not installed here; run `recspeed engines install pytorch`.";
    assert_eq!(failure(&events), (FailureCode::InvalidSpec, expected));
    std::fs::create_dir_all(home.path().join("engines/pytorch")).expect("half an engine");
    let (events, _) = run(home.path(), &spec(EngineKind::Pytorch), &[]);
    assert!(failure(&events).1.contains("half installed"), "{:?}", failure(&events));
}

#[test]
fn a_gpu_that_is_not_here_is_refused_before_any_work_and_before_an_engine_is_asked_for() {
    if recspeed_engines::gpu() == GpuPresence::Here {
        eprintln!("skipped: this machine has a GPU");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let mut on_gpu = spec(EngineKind::Pytorch);
    on_gpu.engine.device = Device::Cuda;
    let refused = |home: &Path| {
        let (events, status) = run(home, &on_gpu, &[]);
        let begun = events.iter().any(|event| matches!(event.kind, EventKind::Started { .. }));
        assert_eq!((begun, status), (false, Some(2)), "{events:?}");
        let (code, cause) = failure(&events);
        assert_eq!(code, FailureCode::InvalidSpec);
        cause.to_owned()
    };
    let without_engine = refused(home.path());
    assert!(without_engine.starts_with("The engine `pytorch` cannot compute on `cuda` here: no "), "{without_engine}");
    stand_in(home.path(), "exit 0");
    assert_eq!(refused(home.path()), without_engine, "an engine changes nothing");
}

/// A shell script in the place of an engine's Python: the last argument but one is where the weights should go.
fn stand_in(home: &Path, script: &str) {
    let folder = home.join("engines/pytorch");
    std::fs::create_dir_all(&folder).expect("a folder");
    let python = folder.join("python");
    std::fs::write(&python, format!("#!/bin/sh\n{script}\n")).expect("a script");
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).expect("a program");
    let record = serde_json::json!({
        "python": python, "own": false, "requirements": "", "versions": {"torch": "2.9.0"}, "bytes": 0
    });
    std::fs::write(folder.join("record.json"), record.to_string()).expect("a record");
}

#[test]
fn whatever_an_engine_does_becomes_a_cause() {
    let begun = r#"echo '{"run":"local","seq":0,"at_us":1,"kind":"log","message":"hello"}'"#;
    for (script, code, words) in [
        ("exit 0".to_owned(), FailureCode::Worker, "ended without a result (exit status: 0): it logged nothing"),
        ("echo; echo boom >&2; exit 1".to_owned(), FailureCode::Worker, "is no event"),
        ("echo one >&2; echo boom >&2; exit 1".to_owned(), FailureCode::Worker, "its log ends with “one; boom”"),
        ("echo hello".to_owned(), FailureCode::Worker, "`hello` is no event"),
        (
            "kill -9 $$".to_owned(),
            FailureCode::Worker,
            "was killed (signal 9); the kernel does so when memory runs out, or somebody ended it",
        ),
        (
            "echo \"terminate called after throwing an instance of 'std::bad_alloc'\" >&2; exit 134".to_owned(),
            FailureCode::OutOfMemory,
            "The engine pytorch got no more memory (exit status: 134)",
        ),
        (
            "echo 'CUDA out of memory. Tried to allocate 20.00 GiB.' >&2; exit 1".to_owned(),
            FailureCode::OutOfMemory,
            "take a smaller batch (training.batch_size), smaller layers or fewer rows",
        ),
        (format!("{begun}; {begun}"), FailureCode::Worker, "has seq 0 where 1 was due"),
        (
            format!("{begun}; echo '{{\"run\":\"local\",\"seq\":1,\"at_us\":2,\"kind\":\"checkpoint\",\"file\":\"x\",\"step\":1,\"sha256\":\"00\"}}'"),
            FailureCode::Worker,
            "without usable weights",
        ),
        (
            r#"echo '{"run":"local","seq":0,"at_us":1,"kind":"failed","code":"diverged","cause":"It diverged.","detail":""}'; exit 5"#.to_owned(),
            FailureCode::Diverged,
            "It diverged.",
        ),
    ] {
        let home = tempfile::tempdir().expect("a folder");
        stand_in(home.path(), &script);
        let (events, status) = run(home.path(), &spec(EngineKind::Pytorch), &[]);
        let (found, cause) = failure(&events);
        assert_eq!(found, code, "{script}: {cause}");
        assert!(cause.contains(words), "{script}: {cause}");
        assert_eq!(status, Some(i32::from(code.exit_status())), "{script}");
    }
}

#[test]
fn an_engine_that_says_nothing_is_ended_after_as_long_as_it_may() {
    let home = tempfile::tempdir().expect("a folder");
    stand_in(home.path(), "trap '' TERM; while :; do sleep 1; done");
    let begun = Instant::now();
    let (events, status) = run_told(home.path(), &spec(EngineKind::Pytorch), &[], &["--engine-silence", "1"]);
    let (code, cause) = failure(&events);
    assert_eq!((code, status), (FailureCode::Worker, Some(1)), "{cause}");
    assert!(cause.starts_with("The engine pytorch said nothing for 1 s and was ended"), "{cause}");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

/// A worker whose stand-in has written a process into the file `pid` of this folder: the worker, and that process.
fn started(home: &Path, script: impl Fn(&Path) -> String, arguments: &[&str]) -> (Child, i32) {
    let pid_file = home.join("pid");
    stand_in(home, &script(&pid_file));
    let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed-worker"));
    command.arg("--data-home").arg(home).args(arguments).env_remove("RECSPEED_DATA");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the worker starts");
    child.stdin.take().expect("piped").write_all(spec(EngineKind::Pytorch).to_json().as_bytes()).expect("the spec");
    let begun = Instant::now();
    let engine = loop {
        let written = std::fs::read_to_string(&pid_file).unwrap_or_default();
        if written.ends_with('\n') {
            break written.trim().parse().expect("a number");
        }
        assert!(begun.elapsed() < PATIENCE, "the engine was never started");
        std::thread::sleep(Duration::from_millis(20));
    };
    (child, engine)
}

#[test]
fn what_a_stopped_worker_did_not_hear_is_no_silence_of_its_engine() {
    let home = tempfile::tempdir().expect("a folder");
    let hangs = |pid: &Path| format!("trap '' TERM; echo $$ > {}; while :; do sleep 1; done", pid.display());
    let (child, engine) = started(home.path(), hangs, &["--engine-silence", "4"]);
    let worker = Pid::from_raw(child.id() as i32);
    kill(worker, Signal::SIGSTOP).expect("it runs");
    std::thread::sleep(Duration::from_secs(5));
    let goes_on = Instant::now();
    kill(worker, Signal::SIGCONT).expect("it is stopped");
    let output = child.wait_with_output().expect("it ends");
    let took = goes_on.elapsed();
    assert!(took > Duration::from_secs(1), "it was ended for what nobody listened to: {took:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let events: Vec<RunEvent> = text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let (code, cause) = failure(&events);
    assert_eq!(code, FailureCode::Worker, "{cause}");
    assert!(cause.starts_with("The engine pytorch said nothing for 4 s and was ended"), "{cause}");
    until_gone(engine);
}

/// As [`ended`], by SIGTERM.
fn stopped(script: impl Fn(&Path) -> String) -> (Vec<RunEvent>, Option<i32>, Duration, i32) {
    ended(Signal::SIGTERM, script)
}

/// Runs with a stand-in that writes a process into the file `pid` of its folder, and sends the worker a signal once it has: the events,
/// the status, how long the worker took to leave, the process.
fn ended(signal: Signal, script: impl Fn(&Path) -> String) -> (Vec<RunEvent>, Option<i32>, Duration, i32) {
    let home = tempfile::tempdir().expect("a folder");
    let (child, engine) = started(home.path(), script, &[]);
    let told = Instant::now();
    kill(Pid::from_raw(child.id() as i32), signal).expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    let took = told.elapsed();
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let events = text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    (events, output.status.code(), took, engine)
}

#[test]
fn an_engine_that_hangs_goes_with_its_run() {
    // It does not listen to SIGTERM.
    let hangs = |pid: &Path| format!("trap '' TERM; echo $$ > {}; while :; do sleep 1; done", pid.display());
    let (_, status, took, engine) = stopped(hangs);
    // Five seconds are promised, of which the engine is given three and a half; a busy machine may add to them.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(status, Some(130));
    until_gone(engine);
}

/// Killed is not yet gone: the system takes it apart in its own time.
fn until_gone(pid: i32) {
    let begun = Instant::now();
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(begun.elapsed() < PATIENCE, "{pid} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn whoever_ends_an_engine_ends_all_that_it_has_started_and_also_what_is_stopped() {
    // As a rank that runs nothing any more, and holds the engine's output and log.
    let with_a_stopped_rank = |then: &'static str| {
        move |pid: &Path| {
            format!(
                "sh -c 'kill -STOP $$; sleep 600' & rank=$!\nuntil grep -q '^State:.T' /proc/$rank/status; do sleep 0.02; done\n\
                 echo $rank > {}\n{then}",
                pid.display()
            )
        }
    };
    let hangs = "trap '' TERM; while :; do sleep 1; done";
    for (signal, status) in [(Signal::SIGTERM, Some(130)), (Signal::SIGKILL, None)] {
        let (_, found, _, rank) = ended(signal, with_a_stopped_rank(hangs));
        assert_eq!(found, status, "{signal}");
        until_gone(rank);
    }
    // One that ends by itself is not waited for as long as its output is held.
    let home = tempfile::tempdir().expect("a folder");
    let pid = home.path().join("pid");
    stand_in(home.path(), &with_a_stopped_rank("echo boom >&2; exit 1")(&pid));
    let begun = Instant::now();
    let (events, status) = run(home.path(), &spec(EngineKind::Pytorch), &[]);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(status, Some(1), "{events:?}");
    let (code, cause) = failure(&events);
    assert!(code == FailureCode::Worker && cause.contains("its log ends with “boom”"), "{cause}");
    until_gone(std::fs::read_to_string(&pid).expect("it began").trim().parse().expect("a number"));
}

#[test]
fn an_engine_that_ends_without_a_word_once_its_run_is_cancelled_is_no_failure_of_its_own() {
    for script in ["exec sleep 600", "trap 'echo half; exit 1' TERM; while :; do sleep 0.1; done"] {
        let (events, status, ..) = stopped(|pid| format!("echo $$ > {}; {script}", pid.display()));
        assert_eq!((failure(&events).0, status), (FailureCode::Cancelled, Some(130)), "{script}: {events:?}");
    }
}

#[test]
fn an_engine_that_computes_with_other_threads_than_it_was_given_is_told() {
    let home = tempfile::tempdir().expect("a folder");
    let started = serde_json::json!({
        "run": "local", "seq": 0, "at_us": 1, "kind": "started", "seed": 42,
        "engine": {"kind": "pytorch", "device": "cpu", "versions": {}, "host": "a test", "threads": 7}
    });
    stand_in(home.path(), &format!("echo '{started}'; exit 1"));
    let (events, _) = run(home.path(), &spec(EngineKind::Pytorch), &[]);
    let told = events.iter().any(|event| {
        let words = "The engine pytorch computes with 7 threads, and was given 1.";
        matches!(&event.kind, EventKind::Warning { message } if message == words)
    });
    assert!(told, "{events:?}");
}
