use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use recspeed_types::api::RunStatus;
use serde_json::json;

use crate::bench::{Bench, TOKEN, spec};

#[tokio::test]
async fn a_run_goes_from_the_queue_to_a_result_that_everybody_with_the_link_can_read() {
    let bench = Bench::new().await;
    let asked = bench.submit("quick").await;
    assert!(matches!(asked.status, RunStatus::Queued | RunStatus::Running));
    let done = bench.until_over(asked.id.as_str()).await;
    assert_eq!(done.status, RunStatus::Finished);
    assert_eq!(done.attempts, 1);
    assert_eq!(done.summary.unwrap().metrics["rmse"], 0.25);
    let events = bench.events(asked.id.as_str()).await;
    assert_eq!(events.len(), 5);
}

#[tokio::test]
async fn events_are_read_in_pages() {
    let bench = Bench::new().await;
    let run = bench.submit("flood").await.id;
    bench.until_over(run.as_str()).await;
    let (_, page) = bench.guest(&format!("/api/runs/{run}/events?from=2990&limit=5")).await;
    assert_eq!(page["events"].as_array().unwrap().len(), 5);
    assert_eq!(page["events"][0]["seq"], 2990);
    assert_eq!(page["more"], true);
    let (_, page) = bench.guest(&format!("/api/runs/{run}/events?from=3000&limit=5")).await;
    assert_eq!(page["more"], false);
    let (_, page) = bench.guest(&format!("/api/runs/{run}/events?from=18446744073709551615")).await;
    assert_eq!(page, json!({ "events": [], "more": false }));
}

#[tokio::test]
async fn a_spec_with_mistakes_is_refused_with_the_path_of_each() {
    let bench = Bench::new().await;
    let mut wrong = serde_json::to_value(spec("quick")).unwrap();
    wrong["training"] = json!({ "epochs": 0, "batch_size": 0 });
    let (status, answer) = bench.owner(Method::POST, "/api/runs", Some(json!({ "spec": wrong }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["code"], "invalid-spec");
    let paths: Vec<_> = answer["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
    assert!(paths.contains(&json!("training.epochs")) && paths.contains(&json!("training.batch_size")), "{answer}");

    wrong["training"] = json!({ "epochz": 1 });
    for (path, body) in [("/api/runs", json!({ "spec": wrong.clone() })), ("/api/specs/check", wrong.clone())] {
        let (status, answer) = bench.owner(Method::POST, path, Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        assert!(answer["errors"][0]["path"].as_str().unwrap().starts_with("training"), "{answer}");
    }
    let (status, _) = bench.owner(Method::POST, "/api/specs/check", Some(json!(spec("quick")))).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn the_lab_says_which_engines_are_here_as_soon_as_they_are_and_not_where() {
    let bench = Bench::new().await;
    let states = async || {
        let (_, lab) = bench.guest("/api/lab").await;
        let told = lab["engines"].as_array().unwrap().clone();
        let state = |kind: &str| told.iter().find(|engine| engine["kind"] == kind).unwrap()["state"].clone();
        (state("pytorch"), state("tensorflow"), lab.to_string())
    };
    let (pytorch, tensorflow, text) = states().await;
    assert_eq!((pytorch, tensorflow), (json!("missing"), json!("missing")));
    assert!(text.contains("recspeed engines install torchgpipe"), "{text}");
    let folder = |name: &str| bench.home.path().join("engines").join(name);
    std::fs::create_dir_all(folder("tensorflow")).unwrap();
    std::fs::create_dir_all(folder("pytorch")).unwrap();
    let record = json!({ "python": "/bin/sh", "own": false, "requirements": "", "versions": {}, "bytes": 0 });
    std::fs::write(folder("pytorch").join("record.json"), record.to_string()).unwrap();
    let (pytorch, tensorflow, text) = states().await;
    assert_eq!((pytorch, tensorflow), (json!("ready"), json!("unfinished")));
    assert!(!text.contains("/bin/sh") && !text.contains(bench.home.path().to_str().unwrap()), "{text}");
}

#[tokio::test]
async fn the_lab_says_what_a_run_may_hold_as_it_was_told_or_nine_tenths_of_what_the_worker_has() {
    for (memory_limit, told) in [(None, 900_000_000u64), (Some(5 << 30), 5 << 30)] {
        let bench = Bench::with(crate::bench::Options { memory_limit, ..Default::default() }).await;
        let (_, lab) = bench.guest("/api/lab").await;
        assert_eq!(lab["memory_limit"], json!(told), "{lab}");
    }
}

#[tokio::test]
async fn what_the_worker_cannot_do_is_refused_before_it_waits() {
    let bench = Bench::new().await;
    let mut browser = serde_json::to_value(spec("quick")).unwrap();
    browser["engine"] = json!({ "device": "browser" });
    let (status, answer) = bench.owner(Method::POST, "/api/runs", Some(json!({ "spec": browser }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["errors"][0]["path"], "engine.device");
    let mut other = serde_json::to_value(spec("quick")).unwrap();
    other["recommender"] = json!({ "kind": "global-mean" });
    let (_, answer) = bench.owner(Method::POST, "/api/specs/check", Some(other)).await;
    assert_eq!(answer["errors"][0]["path"], "recommender.kind", "{answer}");
    let mut elsewhere = serde_json::to_value(spec("quick")).unwrap();
    elsewhere["recommender"] = json!({ "kind": "mlp" });
    elsewhere["engine"] = json!({ "kind": "pytorch" });
    let (status, answer) = bench.owner(Method::POST, "/api/runs", Some(json!({ "spec": elsewhere }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["errors"][0]["path"], "engine.kind", "{answer}");
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("recspeed engines install pytorch"), "{answer}");
}

#[tokio::test]
async fn requests_that_are_no_requests_get_one_clear_sentence() {
    let bench = Bench::new().await;
    let send = |body: Vec<u8>| {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/runs")
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .body(Body::from(body))
            .unwrap();
        bench.send(request)
    };
    for (body, status) in [
        (b"{".to_vec(), 422),
        (b"[]".to_vec(), 422),
        (b"{}".to_vec(), 422),
        (vec![0xff, 0xfe], 422),
        (vec![b' '; 1 << 20], 413),
        (br#"{"spec":{},"more":1}"#.to_vec(), 422),
        (br#"{"spec":{},"parent":"No Run"}"#.to_vec(), 422),
    ] {
        let shown = String::from_utf8_lossy(&body).chars().take(30).collect::<String>();
        let (found, headers, bytes) = send(body).await;
        assert_eq!(found.as_u16(), status, "{shown}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        let answer: recspeed_types::api::ApiFailure = serde_json::from_slice(&bytes).unwrap();
        assert!(!answer.message.is_empty(), "{shown}");
    }
    for (method, path, status, code) in [
        (Method::GET, "/api/runs/absent", 404, "no-run"),
        (Method::GET, "/api/runs/NO%20ID", 404, "no-run"),
        (Method::GET, "/api/nothing", 404, "no-route"),
        (Method::PUT, "/api/lab", 405, "wrong-method"),
        (Method::GET, "/api/runs?limit=0", 422, "invalid-request"),
        (Method::GET, "/api/runs?limit=many", 422, "invalid-request"),
        (Method::GET, "/api/runs?status=gone", 422, "invalid-request"),
        (Method::GET, "/api/runs?statuz=queued", 422, "invalid-request"),
        (Method::GET, "/api/runs?before=x", 422, "invalid-request"),
        (Method::POST, "/api/runs/absent/cancel", 404, "no-run"),
        (Method::POST, "/api/runs/absent/retry", 404, "no-run"),
        (Method::DELETE, "/api/runs/absent", 404, "no-run"),
    ] {
        let (found, answer) = bench.owner(method.clone(), path, None).await;
        assert_eq!((found.as_u16(), answer["code"].as_str().unwrap()), (status, code), "{method} {path}");
    }
}

#[tokio::test]
async fn the_list_is_paged_searched_and_filtered() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        let run = bench.submit("quick").await.id;
        bench.until_over(run.as_str()).await;
    }
    let failed = bench.submit("diverged").await.id;
    bench.until_over(failed.as_str()).await;
    let (_, first) = bench.owner(Method::GET, "/api/runs?limit=3", None).await;
    assert_eq!(first["runs"][0]["id"], failed.as_str());
    let next = first["next"].as_str().unwrap();
    let (_, second) = bench.owner(Method::GET, &format!("/api/runs?limit=3&before={next}"), None).await;
    assert_eq!(second["runs"].as_array().unwrap().len(), 1);
    assert!(second.get("next").is_none());
    let (_, found) = bench.owner(Method::GET, "/api/runs?status=failed", None).await;
    assert_eq!(found["runs"].as_array().unwrap().len(), 1);
    let (_, found) = bench.owner(Method::GET, "/api/runs?q=QUI", None).await;
    assert_eq!(found["runs"].as_array().unwrap().len(), 3);
    let (_, found) = bench.owner(Method::GET, "/api/runs?q=%25", None).await;
    assert_eq!(found["runs"].as_array().unwrap().len(), 0, "a wildcard is a letter like any other");
    // The titles that the page shows are found too, in any order of their words.
    let shown = "/api/runs?q=synthetic+quick,+on+10+THOUSAND".replace(',', "");
    let (_, found) = bench.owner(Method::GET, &shown, None).await;
    assert_eq!(found["runs"].as_array().unwrap().len(), 3, "{found}");
}

#[tokio::test]
async fn waiting_runs_show_their_places_and_can_be_cancelled() {
    let bench = Bench::new().await;
    let running = bench.submit("endless").await.id;
    let second = bench.submit("quick").await;
    let third = bench.submit("quick").await;
    assert_eq!((second.queue_position, third.queue_position), (Some(1), Some(2)));
    let (status, answer) = bench.owner(Method::POST, &format!("/api/runs/{}/cancel", second.id), None).await;
    assert_eq!((status, answer["status"].as_str()), (StatusCode::OK, Some("cancelled")));
    let moved = bench.until(third.id.as_str(), |record| record.queue_position == Some(1)).await;
    assert_eq!(moved.status, RunStatus::Queued);
    bench.until_said(running.as_str(), 4).await;
    bench.owner(Method::POST, &format!("/api/runs/{running}/cancel"), None).await;
    let cancelled = bench.until_over(running.as_str()).await;
    assert_eq!(cancelled.status, RunStatus::Cancelled);
    assert_eq!(bench.until_over(third.id.as_str()).await.status, RunStatus::Finished);
    let (status, answer) = bench.owner(Method::POST, &format!("/api/runs/{}/cancel", third.id), None).await;
    assert_eq!((status, answer["status"].as_str()), (StatusCode::OK, Some("finished")), "an end stays an end");
}

#[tokio::test]
async fn estimates_come_from_past_runs() {
    let bench = Bench::new().await;
    let slow = bench.submit("slow").await.id;
    assert_eq!(bench.submit("quick").await.starts_in_s, None, "nothing has finished yet");
    bench.until_over(slow.as_str()).await;
    bench.submit("endless").await;
    let waiting = bench.submit("quick").await;
    assert!(waiting.starts_in_s.is_some(), "{waiting:?}");
}

#[tokio::test]
async fn several_slots_run_several_runs() {
    let bench = Bench::with(crate::bench::Options { slots: 3, ..Default::default() }).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(bench.submit("endless").await.id);
    }
    for run in &runs[..3] {
        bench.until(run.as_str(), |record| record.status == RunStatus::Running).await;
    }
    assert_eq!(bench.record(runs[3].as_str()).await.queue_position, Some(1));
}

#[tokio::test]
async fn a_retry_keeps_the_story_and_goes_on_from_the_checkpoint() {
    let bench = Bench::new().await;
    let run = bench.submit("checkpoints").await.id;
    bench.until_said(run.as_str(), 8).await;
    bench.owner(Method::POST, &format!("/api/runs/{run}/cancel"), None).await;
    bench.until_over(run.as_str()).await;
    let before = bench.events(run.as_str()).await.len();
    let (status, _) = bench.owner(Method::POST, &format!("/api/runs/{run}/retry"), None).await;
    assert_eq!(status, StatusCode::OK);
    let done = bench.until_over(run.as_str()).await;
    assert_eq!((done.status, done.attempts), (RunStatus::Finished, 2));
    let events = bench.events(run.as_str()).await;
    assert!(events.len() > before);
    let losses = events.iter().filter(|e| matches!(e.kind, recspeed_types::EventKind::Metric { .. })).count();
    assert_eq!(losses, 20, "the second attempt repeated steps of the first");
    let (status, answer) = bench.owner(Method::POST, &format!("/api/runs/{run}/retry"), None).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::CONFLICT, Some("not-retriable")));
}

#[tokio::test]
async fn a_deleted_run_is_gone_with_its_folder() {
    let bench = Bench::new().await;
    let run = bench.submit("endless").await.id;
    bench.until_said(run.as_str(), 3).await;
    let path = format!("/api/runs/{run}");
    let (status, answer) = bench.owner(Method::DELETE, &path, None).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::CONFLICT, Some("still-running")));
    bench.owner(Method::POST, &format!("{path}/cancel"), None).await;
    bench.until_over(run.as_str()).await;
    let folder = bench.home.path().join("runs").join(run.as_str());
    assert!(folder.exists());
    // The slot is given back a moment after the end is stored.
    let begun = std::time::Instant::now();
    while bench.owner(Method::DELETE, &path, None).await.0 != StatusCode::NO_CONTENT {
        assert!(begun.elapsed() < crate::bench::PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(bench.guest(&path).await.0, StatusCode::NOT_FOUND);
    assert!(!folder.exists());
}

#[tokio::test]
async fn the_lab_says_what_it_is_and_what_its_worker_can_do() {
    let bench = Bench::new().await;
    let (_, info) = bench.guest("/api/lab").await;
    assert_eq!((info["role"].as_str(), info["slots"].as_u64()), (Some("guest"), Some(1)));
    assert_eq!(info["probe"]["devices"][0]["device"], "flex");
    let (_, info) = bench.owner(Method::GET, "/api/lab", None).await;
    assert_eq!(info["role"], "owner");
    let missing = crate::bench::Options { worker: "/nonexistent/recspeed-worker".into(), ..Default::default() };
    let bench = Bench::with(missing).await;
    let (_, info) = bench.guest("/api/lab").await;
    assert!(info["probe_failure"].as_str().unwrap().contains("make lab"), "{info}");
    let run = bench.submit("quick").await.id;
    let failed = bench.until_over(run.as_str()).await.failure.unwrap();
    assert!(failed.cause.contains("make lab"), "{failed:?}");
}
