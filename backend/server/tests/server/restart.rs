use std::time::{Duration, Instant};

use recspeed_types::api::RunStatus;
use recspeed_types::{EventKind, FailureCode};
use serde_json::Value;

use crate::process::{Served, processes_of};

#[test]
fn a_server_killed_in_the_middle_of_a_run_resumes_it_from_its_checkpoint_and_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::start(home.path(), &[]);
    let done = server.submit("quick");
    server.until(&done, |record| record.status == RunStatus::Finished);
    let (whole, record) = (server.events(&done), server.record(&done));
    let run = server.submit("checkpoints");
    let waiting = server.submit("quick");
    // The eighth event lies behind the first checkpoint.
    server.until_said(&run, 9);
    let said = server.events(&run);
    let token = server.token.clone();
    server.kill();

    let server = Served::start(home.path(), &[]);
    assert_eq!(server.token, token, "links stay valid");
    assert_eq!(server.events(&done), whole);
    assert_eq!(server.record(&done), record);
    let finished = server.until(&run, |record| record.status.is_over());
    assert_eq!((finished.status, finished.attempts), (RunStatus::Finished, 2));
    let events = server.events(&run);
    assert_eq!(events[..said.len()], said[..], "what was shown is kept");
    let resumed =
        events.iter().any(|e| matches!(&e.kind, EventKind::Log { message, .. } if message.contains("checkpoint")));
    assert!(resumed, "{events:?}");
    assert_eq!(finished.summary.unwrap().metrics["rmse"], 20.0, "the result of all twenty steps");
    server.until(&waiting, |record| record.status == RunStatus::Finished);
}

#[test]
fn a_run_without_a_checkpoint_starts_again_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::start(home.path(), &[]);
    let run = server.submit("slow");
    server.until_said(&run, 6);
    server.kill();
    let server = Served::start(home.path(), &[]);
    server.until(&run, |record| record.status == RunStatus::Finished);
    let events = server.events(&run);
    let honest = events
        .iter()
        .any(|e| matches!(&e.kind, EventKind::Warning { message } if message.contains("from the beginning")));
    assert!(honest, "{events:?}");
}

#[test]
fn a_damaged_checkpoint_is_not_resumed_from() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::start(home.path(), &[]);
    let run = server.submit("checkpoints");
    server.until_said(&run, 8);
    server.kill();
    for file in std::fs::read_dir(home.path().join("runs").join(&run)).unwrap() {
        std::fs::write(file.unwrap().path(), b"19").unwrap();
    }
    let server = Served::start(home.path(), &[]);
    server.until(&run, |record| record.status == RunStatus::Finished);
    let losses = server.events(&run).iter().filter(|e| matches!(e.kind, EventKind::Metric { .. })).count();
    assert!(losses >= 24, "it believed a damaged checkpoint: {losses} steps");
}

#[test]
fn a_checkpoint_that_the_worker_refuses_is_not_tried_again_even_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::start(home.path(), &[]);
    let run = server.submit("refuses");
    let retry = |server: &Served| server.post(&format!("/api/runs/{run}/retry"), &Value::Null);
    server.until(&run, |record| record.status == RunStatus::Failed);
    retry(&server);
    let refused = server.until(&run, |record| record.status == RunStatus::Failed && record.attempts == 2);
    let failure = refused.failure.unwrap();
    assert_eq!(failure.code, FailureCode::Checkpoint);
    assert!(
        failure.cause.contains("Press “Run again” on its page: the run then starts from its beginning"),
        "{}",
        failure.cause
    );
    // A run that waits when the server is killed still knows why it must start afresh.
    let endless = server.submit("endless");
    server.until(&endless, |record| record.status == RunStatus::Running);
    retry(&server);
    server.kill();
    let server = Served::start(home.path(), &[]);
    server.post(&format!("/api/runs/{endless}/cancel"), &Value::Null);
    let finished = server.until(&run, |record| record.status.is_over());
    assert_eq!(finished.status, RunStatus::Finished, "{:?}", finished.failure);
    let honest = server.events(&run).iter().any(
        |e| matches!(&e.kind, EventKind::Warning { message } if message.contains("because its checkpoint cannot be used")),
    );
    assert!(honest, "{:?}", server.events(&run));
}

#[test]
fn the_checkpoints_of_a_finished_run_do_not_stay() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::start(home.path(), &[]);
    let run = server.submit("checkpoints");
    server.until(&run, |record| record.status == RunStatus::Finished);
    let folder = home.path().join("runs").join(&run);
    let begun = Instant::now();
    while folder.exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} is still there", folder.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The worker that is built beside these tests.
pub(crate) fn real_worker() -> std::path::PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(std::path::Path::parent).unwrap().join("recspeed-worker");
    assert!(program.is_file(), "{} is not built: run `make build`", program.display());
    program
}

#[test]
fn the_real_worker_goes_on_after_a_kill_and_ends_at_the_digits_of_a_run_that_was_left_alone() {
    let home = tempfile::tempdir().unwrap();
    // Some seconds of training: at least one checkpoint on the way.
    let spec = recspeed_types::ExperimentSpec::from_toml(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"mlp\"\n[training]\nepochs = 300\n",
    )
    .unwrap();
    let server = Served::start_with(&real_worker(), home.path(), &["--slots", "1"]);
    let run = server.submit_spec(&spec);
    let is_checkpoint = |kind: &EventKind| matches!(kind, EventKind::Checkpoint { .. });
    let begun = Instant::now();
    while !server.events(&run).iter().any(|event| is_checkpoint(&event.kind)) {
        assert!(begun.elapsed() < Duration::from_mins(2), "no checkpoint");
        std::thread::sleep(Duration::from_millis(50));
    }
    server.kill();
    let server = Served::start_with(&real_worker(), home.path(), &["--slots", "1"]);
    let resumed = server.until(&run, |record| record.status.is_over());
    assert_eq!((resumed.status, resumed.attempts), (RunStatus::Finished, 2), "{:?}", resumed.failure);
    let went_on = server.events(&run).iter().any(
        |e| matches!(&e.kind, EventKind::Log { message, .. } if message.contains("goes on from its last checkpoint, at step")),
    );
    assert!(went_on);
    let alone = server.submit_spec(&spec);
    let alone = server.until(&alone, |record| record.status.is_over());
    assert_eq!(resumed.summary.unwrap().metrics, alone.summary.unwrap().metrics);
}

#[test]
fn a_run_that_needs_more_memory_than_the_server_allows_says_so_and_how_to_go_on() {
    let home = tempfile::tempdir().unwrap();
    let spec = recspeed_types::ExperimentSpec::from_toml(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic\"\n[recommender]\nkind = \"popularity\"\n",
    )
    .unwrap();
    let server = Served::start_with(&real_worker(), home.path(), &["--memory-limit", "64"]);
    let run = server.submit_spec(&spec);
    let record = server.until(&run, |record| record.status.is_over());
    let failure = record.failure.expect("two million rows do not fit in 64 MiB");
    assert_eq!(failure.code, FailureCode::OutOfMemory, "{failure:?}");
    assert!(failure.cause.contains("64 MiB") && failure.cause.contains("dataset.sample"), "{}", failure.cause);
}

#[test]
fn workers_that_a_killed_server_leaves_behind_are_ended_and_no_other_process_is() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::start(home.path(), &["--time-limit", "3"]);
    let run = server.submit("hang");
    let begun = Instant::now();
    while processes_of(&run).is_empty() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    server.until(&run, |record| record.status == RunStatus::Running);
    // The worker has become another program: what counts is the process, not its name.
    std::thread::sleep(Duration::from_millis(300));
    server.kill();
    let server = Served::start(home.path(), &["--time-limit", "3"]);
    let record = server.until(&run, |record| record.status.is_over());
    assert_eq!(record.failure.unwrap().code, FailureCode::TimeLimit);
    assert_eq!(processes_of(&run), Vec::<i32>::new());
}

#[test]
fn a_server_that_is_asked_to_end_keeps_its_runs_for_later() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::start(home.path(), &[]);
    let run = server.submit("checkpoints");
    server.until_said(&run, 5);
    let begun = Instant::now();
    assert!(server.end().success());
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(processes_of(&run), Vec::<i32>::new(), "no worker outlives an orderly end");
    let server = Served::start(home.path(), &[]);
    let record = server.until(&run, |record| record.status.is_over());
    assert_eq!(record.status, RunStatus::Finished);
    let losses = server.events(&run).iter().filter(|e| matches!(e.kind, EventKind::Metric { .. })).count();
    assert_eq!(losses, 20, "the last checkpoint was written on the way out");
}

#[test]
fn two_servers_do_not_share_a_home_and_an_address_in_use_is_named() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::start(home.path(), &[]);
    let second = |home: &std::path::Path, bind: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_recspeed"))
            .args(["serve", "--bind", bind, "--home"])
            .arg(home)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = second(home.path(), "127.0.0.1:0");
    assert!(said.contains("--home"), "{said}");
    let other = tempfile::tempdir().unwrap();
    let said = second(other.path(), server.base.trim_start_matches("http://"));
    assert!(said.contains("--bind"), "{said}");
}

#[test]
fn the_store_of_a_later_lab_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    Served::start(home.path(), &[]).kill();
    let store = rusqlite::Connection::open(home.path().join("lab.sqlite3")).unwrap();
    store.execute_batch("PRAGMA user_version = 999").unwrap();
    drop(store);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_recspeed"))
        .args(["serve", "--bind", "127.0.0.1:0", "--home"])
        .arg(home.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("999") && said.contains("update the lab"), "{said}");
}

/// Budget: 200 listeners on one running experiment, p99 delivery ≤ 100 ms from the worker's own clock, ≤ 64 KB of
/// server memory each. The best of three attempts counts: other tests share the machine.
#[test]
fn two_hundred_listeners_hear_within_a_tenth_of_a_second() {
    const LISTENERS: usize = 200;
    // The budget is that of a release build; futures that are not optimised are several times as large.
    let (allowed, allowed_kb) =
        if cfg!(debug_assertions) { (Duration::from_millis(500), 256) } else { (Duration::from_millis(100), 64) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut best: Option<(Duration, u64)> = None;
    for _ in 0..3 {
        let home = tempfile::tempdir().unwrap();
        let server = Served::start(home.path(), &[]);
        let run = server.submit("stamped");
        server.until(&run, |record| record.status == RunStatus::Running);
        let before = resident_kb(server.pid());
        let address = server.base.trim_start_matches("http://").to_owned();
        let mut delays = runtime.block_on(async {
            let ears = (0..LISTENERS).map(|_| tokio::spawn(listen(address.clone(), run.clone())));
            let mut delays = Vec::new();
            for ear in ears.collect::<Vec<_>>() {
                delays.extend(ear.await.unwrap());
            }
            delays
        });
        let each_kb = resident_kb(server.pid()).saturating_sub(before) / LISTENERS as u64;
        delays.sort_unstable();
        assert_eq!(delays.len(), LISTENERS * 100, "every listener hears every event");
        let p99 = delays[delays.len() * 99 / 100];
        eprintln!("200 listeners: median {:?}, p99 {p99:?}, {each_kb} KB each", delays[delays.len() / 2]);
        best = Some(best.map_or((p99, each_kb), |(time, memory)| (time.min(p99), memory.min(each_kb))));
        if p99 <= allowed && each_kb <= allowed_kb {
            break;
        }
    }
    let (p99, each_kb) = best.unwrap();
    assert!(p99 <= allowed, "p99 {p99:?}");
    assert!(each_kb <= allowed_kb, "{each_kb} KB each");
}

fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Reads the stream of a run to its end; the delay of each stamped line.
async fn listen(address: String, run: String) -> Vec<Duration> {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let request = format!("GET /api/stream?runs={run} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut delays = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let message: Value = serde_json::from_str(data).unwrap();
        if let Some(stamp) = message["event"]["message"].as_str().and_then(|text| text.parse().ok()) {
            delays.push(now.saturating_sub(Duration::from_nanos(stamp)));
        }
        if message["run"]["status"] == "finished" {
            break;
        }
    }
    delays
}
