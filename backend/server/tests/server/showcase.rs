use axum::http::{Method, StatusCode};
use recspeed_server::lab::import_showcase;
use recspeed_types::api::RunStatus;

use crate::bench::Bench;

#[tokio::test]
async fn the_first_start_brings_a_finished_example_and_a_deleted_one_stays_deleted() {
    let bench = Bench::new().await;
    let count = import_showcase(bench.lab.store()).await.unwrap();
    assert!(count >= 1, "a first visit would see nothing");
    let (_, info) = bench.guest("/api/lab").await;
    let id = info["showcase"].as_str().unwrap();
    let record = bench.until_over(id).await;
    assert_eq!((record.status, record.model), (RunStatus::Finished, Some(false)));
    assert!(bench.events(id).await.len() > 10, "a curve needs points");
    assert_eq!(import_showcase(bench.lab.store()).await.unwrap(), 0);
    let (status, _) = bench.owner(Method::DELETE, &format!("/api/runs/{id}"), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(import_showcase(bench.lab.store()).await.unwrap(), 0);
    assert!(bench.guest("/api/lab").await.1.get("showcase").is_none());
}
