use std::time::Duration;

use axum::http::{Method, StatusCode};
use recspeed_types::api::RunStatus;
use serde_json::json;

use crate::bench::{Bench, spec};

/// The wish may share a batch with an event that does not fit any more, and fail with it.
async fn limit(bench: &Bench, pages: u32) {
    while bench.lab.store().limit_pages(pages).await.is_err() {}
}

#[tokio::test]
async fn a_full_disk_fails_the_run_with_a_clear_sentence_and_loses_nothing() {
    let bench = Bench::new().await;
    let before = bench.submit("quick").await.id;
    bench.until_over(before.as_str()).await;
    let story = bench.events(before.as_str()).await;

    let run = bench.submit("bulky").await.id;
    bench.until_said(run.as_str(), 5).await;
    limit(&bench, 1).await;
    // Reads go on; writes are refused with a sentence.
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Half-empty pages still take a few small rows.
    let (status, answer) = loop {
        let answer = bench.owner(Method::POST, "/api/runs", Some(json!({ "spec": spec("quick") }))).await;
        if answer.0 != StatusCode::CREATED {
            break answer;
        }
    };
    assert_eq!((status, answer["code"].as_str()), (StatusCode::INSUFFICIENT_STORAGE, Some("disk-full")), "{answer}");
    assert_eq!(bench.events(before.as_str()).await, story);
    assert_eq!(bench.guest("/healthz").await.0, StatusCode::OK);

    limit(&bench, 1_000_000).await;
    let record = bench.until_over(run.as_str()).await;
    assert_eq!(record.status, RunStatus::Failed);
    let failure = record.failure.unwrap();
    assert!(failure.cause.contains("disk of the server is full") && failure.cause.contains("Run again"), "{failure:?}");
    assert_eq!(bench.events(before.as_str()).await, story);
    let after = bench.submit("quick").await.id;
    assert_eq!(bench.until_over(after.as_str()).await.status, RunStatus::Finished);
}
