use axum::http::{Method, StatusCode};
use recspeed_server::lab::{SHOWCASE_KEY, import_showcase};
use recspeed_server::store;
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

#[tokio::test]
async fn the_example_of_an_earlier_build_makes_room_for_that_of_this_one_and_stays_among_the_runs() {
    let bench = Bench::new().await;
    let earlier = bench.submit("quick").await.id;
    bench.until_over(earlier.as_str()).await;
    let id = earlier.clone();
    bench.lab.store().write(move |work| store::set_meta(work, SHOWCASE_KEY, id.as_str())).await.unwrap();
    assert!(import_showcase(bench.lab.store()).await.unwrap() >= 1);
    let (_, info) = bench.guest("/api/lab").await;
    assert_ne!(info["showcase"].as_str().unwrap(), earlier.as_str());
    assert_eq!(bench.record(earlier.as_str()).await.id, earlier);
    assert_eq!(import_showcase(bench.lab.store()).await.unwrap(), 0, "once");
}
