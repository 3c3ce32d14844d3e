use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use recspeed_server::store::{StoreError, Work};
use recspeed_types::FailureCode;
use recspeed_types::api::RunStatus;
use serde_json::json;

use crate::bench::{Bench, Options, spec};
use crate::process::processes_of;

/// Runs it to its end; the failure, after checking that the lab still works.
async fn failure(name: &str, options: Options) -> recspeed_types::api::Failure {
    let bench = Bench::with(options).await;
    let run = bench.submit(name).await.id;
    let record = bench.until_over(run.as_str()).await;
    assert_eq!(record.status, RunStatus::Failed, "{name}");
    let after = bench.submit("quick").await.id;
    assert_eq!(bench.until_over(after.as_str()).await.status, RunStatus::Finished, "the lab after {name}");
    record.failure.unwrap()
}

#[tokio::test]
async fn rubbish_gaps_and_foreign_words_end_a_run_with_the_line_that_broke_the_protocol() {
    for (name, word) in [
        ("rubbish", "Segmentation fault"),
        ("binary", "line 1"),
        ("gap", "seq 3 where 2"),
        ("other-run", "somebody-else"),
        ("after-the-end", "after the last event"),
        ("hollow", "no event"),
        ("long-line", "longer than 1048576 bytes"),
    ] {
        let failure = failure(name, Options::default()).await;
        assert_eq!(failure.code, FailureCode::Worker, "{name}");
        assert!(failure.cause.contains(word), "{name}: {}", failure.cause);
        assert!(failure.cause.contains("make lab"), "{name} has a remedy: {}", failure.cause);
    }
}

#[tokio::test]
async fn a_worker_that_leaves_without_a_word_gets_a_cause_and_its_last_words() {
    for (name, code, word) in [
        ("silent", FailureCode::Worker, "without a result"),
        ("status7", FailureCode::Worker, "exit status 7"),
        ("killed", FailureCode::Worker, "memory"),
        ("diverged", FailureCode::Diverged, "learning rate"),
    ] {
        let failure = failure(name, Options::default()).await;
        assert_eq!(failure.code, code, "{name}");
        assert!(failure.cause.contains(word), "{name}: {}", failure.cause);
        if name == "status7" {
            assert!(failure.detail.contains("panicked at shoe.rs"), "{}", failure.detail);
        }
    }
}

#[tokio::test]
async fn a_worker_that_hangs_or_ignores_signals_is_ended_at_the_time_limit() {
    for name in ["hang", "stubborn"] {
        let begun = Instant::now();
        let limit = Duration::from_millis(1_500);
        let failure = failure(name, Options { time_limit: limit, ..Options::default() }).await;
        assert_eq!(failure.code, FailureCode::TimeLimit, "{name}");
        assert!(failure.cause.contains("1.5 s") && failure.cause.contains("--time-limit"), "{}", failure.cause);
        assert!(begun.elapsed() < Duration::from_secs(15));
    }
}

#[tokio::test]
async fn a_worker_that_ignores_a_cancel_is_killed_after_the_grace() {
    let bench = Bench::new().await;
    let run = bench.submit("stubborn").await.id;
    bench.until_said(run.as_str(), 2).await;
    bench.owner(Method::POST, &format!("/api/runs/{run}/cancel"), None).await;
    let record = bench.until_over(run.as_str()).await;
    assert_eq!(record.status, RunStatus::Cancelled);
    assert!(record.failure.unwrap().detail.contains("killed"));
}

#[tokio::test]
async fn a_result_counts_although_the_worker_or_a_child_of_it_lingers() {
    for name in ["lingering", "closed"] {
        let bench = Bench::new().await;
        let run = bench.submit(name).await.id;
        assert_eq!(bench.until_over(run.as_str()).await.status, RunStatus::Finished, "{name}");
    }
}

#[tokio::test]
async fn a_rank_that_is_stopped_does_not_outlive_its_run() {
    let bench = Bench::new().await;
    let run = bench.submit("stopped-rank").await.id;
    assert_eq!(bench.until_over(run.as_str()).await.status, RunStatus::Finished);
    let limit = Instant::now() + Duration::from_secs(20);
    while !processes_of(run.as_str()).is_empty() {
        assert!(Instant::now() < limit, "it is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_worker_with_ranks_whose_process_is_stopped_ends_in_their_time_with_a_remedy_and_leaves_nobody() {
    let bench = Bench::new().await;
    let mut spec = json!(spec("stopped-worker"));
    spec["strategy"] = json!({ "kind": "data-parallel", "ranks": 2, "timeout": 2 });
    let (status, answer) = bench.owner(Method::POST, "/api/runs", Some(json!({ "spec": spec }))).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let run = answer["id"].as_str().unwrap();
    let begun = Instant::now();
    let record = bench.until_over(run).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let failure = record.failure.unwrap();
    assert_eq!((record.status, failure.code), (RunStatus::Failed, FailureCode::Worker));
    assert!(failure.cause.starts_with("The worker's process is stopped: it did not go on for 2 s"), "{failure:?}");
    assert!(failure.cause.contains("kill -CONT") && failure.cause.contains("strategy.timeout"), "{failure:?}");
    let limit = Instant::now() + Duration::from_secs(20);
    while !processes_of(run).is_empty() {
        assert!(Instant::now() < limit, "it is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_store_that_nobody_writes_any_more_ends_the_lab_with_an_error_instead_of_leaving_runs_in_the_queue() {
    let bench = Bench::new().await;
    assert_eq!(bench.lab.stopped(), None);
    let panics = |_: &mut Work<'_>| -> Result<(), StoreError> { panic!("a mistake in a write") };
    assert!(matches!(bench.lab.store().write(panics).await, Err(StoreError::Closed)));
    tokio::time::timeout(Duration::from_secs(20), bench.ends.cancelled()).await.expect("the lab ends by itself");
    tokio::time::timeout(Duration::from_secs(20), bench.lab.finished()).await.expect("it ends in order");
    assert_eq!(bench.lab.stopped().unwrap().part, "the store's writer");
}
