//! `recspeed trace`: the timeline of a stored run, of a store that the test fills.

use std::path::Path;
use std::process::{Command, Output};

use recspeed_server::store::{self, Store};
use recspeed_types::api::{RunRecord, RunStatus};
use recspeed_types::spec::{StrategyKind, StrategySpec};
use recspeed_types::{EventKind, ExperimentSpec, RunEvent, RunId};
use serde_json::Value;

/// A lab with a run of two stages, one of one device, and one that has told nothing yet.
async fn lab() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("lab.sqlite3"), None).unwrap();
    let strategy = StrategySpec { kind: StrategyKind::Pipeline, ..StrategySpec::default() };
    let divided = ExperimentSpec { strategy, ..ExperimentSpec::default() };
    let alone = ExperimentSpec::default();
    for (name, spec, status, story) in [
        ("divided", &divided, RunStatus::Cancelled, story("divided")),
        ("alone", &alone, RunStatus::Cancelled, Vec::new()),
        ("fresh", &divided, RunStatus::Running, Vec::new()),
    ] {
        let record = record(name, spec, status);
        store.write(move |work| store::import(work, &record, &story)).await.unwrap();
    }
    home
}

fn record(name: &str, spec: &ExperimentSpec, status: RunStatus) -> RunRecord {
    RunRecord {
        model: None,
        id: RunId::new(name).unwrap(),
        status,
        spec: spec.clone(),
        created_ms: 1,
        started_ms: Some(2),
        ended_ms: Some(3),
        queue_position: None,
        starts_in_s: None,
        waits_for_study: None,
        attempts: 1,
        parent: None,
        summary: None,
        failure: None,
    }
}

/// A first attempt that was interrupted, and a second one, each with its spans.
fn story(run: &str) -> Vec<RunEvent> {
    let engine =
        || serde_json::json!({"kind": "burn", "device": "flex", "versions": {}, "host": "a test", "threads": 1});
    let started =
        || serde_json::from_value(serde_json::json!({"kind": "started", "engine": engine(), "seed": 1})).unwrap();
    let span = |rank, name: &str, start_us| EventKind::Span {
        rank,
        lane: "0".to_owned(),
        name: name.to_owned(),
        start_us,
        duration_us: 5,
        bytes: 0,
        waited_us: 0,
        exchange: None,
    };
    let first = [started(), span(0, "F0", 1), span(0, "F1", 2)];
    let second =
        [started(), span(0, "F0", 10), span(1, "F0", 20), span(1, "B0", 30), span(0, "B0", 40), span(0, "step", 50)];
    let kinds = first.into_iter().chain(second).chain([EventKind::Log { message: "done".to_owned(), seconds: None }]);
    let event = |(seq, kind)| RunEvent { run: RunId::new(run).unwrap(), seq, at_us: seq, kind };
    (0..).zip(kinds).map(event).collect()
}

fn trace(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
    command.arg("trace").args(arguments).env("RECSPEED_HOME", home).output().unwrap()
}

#[tokio::test]
async fn a_stored_run_has_its_last_attempt_s_timeline_beside_its_plan() {
    let home = lab().await;
    let output = trace(home.path(), &["divided"]);
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let events = told["traceEvents"].as_array().unwrap();
    let named = |name: &str| events.iter().any(|event| event["args"]["name"] == name);
    assert!(named("predicted rank 1, stage 1") && named("measured rank 1, stage 1"), "{told}");
    let of_run = |phase: &str| {
        let of = |event: &&Value| event["ph"] == phase && event["pid"].as_u64().unwrap() > 2;
        events.iter().filter(of).count()
    };
    assert_eq!((of_run("X"), of_run("s")), (5, 2), "the second attempt's bars, an activation and a gradient");
    let file = home.path().join("out.json");
    let output = trace(home.path(), &["divided", "--out", file.to_str().unwrap()]);
    assert_eq!((output.status.success(), output.stdout.len()), (true, 0), "{output:?}");
    assert_eq!(serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap()).unwrap(), told, "the same in a file");
    assert!(trace(home.path(), &["divided", "--out", file.to_str().unwrap()]).status.success(), "in its own place");
    std::fs::write(&file, "important").unwrap();
    let output = trace(home.path(), &["divided", "--out", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "important");
}

#[tokio::test]
async fn a_timeline_that_is_not_there_is_one_sentence_with_what_to_do() {
    let home = lab().await;
    let empty = tempfile::tempdir().unwrap();
    for (home, run, words) in [
        (
            home.path(),
            "alone",
            "the run `alone` has no timeline: one device trained it, and ranks tell theirs; run it again with",
        ),
        (home.path(), "fresh", "its ranks tell theirs when the first epoch is over; ask again then"),
        (home.path(), "other", "knows no run `other`; its newest are fresh (mlp), alone (mlp), divided (mlp)"),
        (empty.path(), "divided", "holds no lab; name the folder of one with --home"),
    ] {
        let output = trace(home, &[run]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.lines().count()), (Some(4), 1), "{told}");
        assert!(told.contains(words), "{told}");
    }
}
