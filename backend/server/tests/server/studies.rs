//! Studies: alone on the machine, one at a time, ended in order, and never shown as finished when they are not.

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use recspeed_types::api::RunStatus;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::{Bench, Options, PATIENCE};

const PAGE: &str = "/api/studies/four-layer";

/// A lab whose studies play this.
async fn bench(plays: &str) -> Bench {
    let bench = Bench::new().await;
    play(&bench.home, plays);
    bench
}

fn play(home: &TempDir, what: &str) {
    std::fs::write(home.path().join("plays"), what).unwrap();
}

async fn run(bench: &Bench) -> (StatusCode, Value) {
    bench.owner(Method::POST, &format!("{PAGE}/run"), None).await
}

async fn cancel(bench: &Bench) {
    let (status, answer) = bench.owner(Method::POST, &format!("{PAGE}/cancel"), None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// Waits until the study stands so; its page then.
async fn until(bench: &Bench, wanted: &str) -> Value {
    let begun = Instant::now();
    loop {
        let (status, page) = bench.owner(Method::GET, PAGE, None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        if page["study"]["attempt"]["status"] == wanted {
            return page;
        }
        assert!(begun.elapsed() < PATIENCE, "still {page}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_study_is_measured_once_asked_and_everybody_reads_its_report() {
    let bench = bench("quick").await;
    let (_, list) = bench.guest("/api/studies").await;
    let one = list.as_array().unwrap().iter().find(|study| study["name"] == "four-layer").unwrap();
    assert!(one["question"].as_str().unwrap().ends_with('?') && one.get("measured_ms").is_none(), "{one}");
    assert_eq!(bench.guest(PAGE).await.1.get("report"), None);

    let (status, page) = run(&bench).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{page}");
    let page = until(&bench, "finished").await;
    assert_eq!(page["report"]["study"], "four-layer");
    assert_eq!(page["study"]["attempt"]["said"], json!(["The first measurement begins", "Burn: 0.1 s"]));
    assert_eq!(page["study"]["attempt"]["progress"], json!({ "done": 1, "total": 2 }));
    let (_, guest) = bench.guest(PAGE).await;
    assert_eq!((&guest["report"], guest["study"]["attempt"].get("said")), (&page["report"], None));
    let (_, list) = bench.guest("/api/studies").await;
    assert!(list.to_string().contains("\"measured_ms\":5"), "{list}");
}

/// A lab that has measured nothing has no empty page of studies.
#[tokio::test]
async fn what_comes_with_the_program_is_read_by_everybody_and_is_never_told_as_measured_here() {
    let bench = bench("quick").await;
    let (_, list) = bench.guest("/api/studies").await;
    for study in list.as_array().unwrap() {
        let recorded = &study["recorded"];
        assert!(recorded["measured_ms"].as_i64().is_some_and(|ms| ms > 1_700_000_000_000), "{study}");
        assert!(study.get("measured_ms").is_none(), "nobody has measured it here: {study}");
        let (status, report) = bench.guest(&format!("/api/studies/{}/recorded", study["name"].as_str().unwrap())).await;
        assert_eq!(status, StatusCode::OK, "{report}");
        assert_eq!((&report["study"], &report["measured_ms"]), (&study["name"], &recorded["measured_ms"]));
        let titles = report["tables"].as_array().unwrap().iter().map(|table| table["title"].as_str().unwrap());
        assert!(titles.clone().count() > 0 && titles.clone().all(|title| !title.contains("here")), "{report}");
    }
    let (status, answer) = bench.guest("/api/studies/nothing/recorded").await;
    assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &json!("no-study")));
    // What is measured here stands beside it, and does not take its place.
    run(&bench).await;
    let page = until(&bench, "finished").await;
    assert_eq!((&page["report"]["measured_ms"], &page["study"]["measured_ms"]), (&json!(5), &json!(5)));
    assert_ne!(bench.guest(&format!("{PAGE}/recorded")).await.1["measured_ms"], json!(5));
}

#[tokio::test]
async fn only_the_owner_measures_and_a_study_that_there_is_not_is_told() {
    let bench = bench("quick").await;
    for (path, expected) in [(PAGE, StatusCode::UNAUTHORIZED), ("/api/studies/nothing", StatusCode::UNAUTHORIZED)] {
        for verb in ["run", "cancel"] {
            let request = axum::http::Request::post(format!("{path}/{verb}")).header("host", "127.0.0.1");
            let (status, ..) = bench.send(request.body(axum::body::Body::empty()).unwrap()).await;
            assert_eq!(status, expected, "{path} {verb}");
        }
    }
    let (status, answer) = bench.owner(Method::POST, "/api/studies/nothing/run", None).await;
    assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &json!("no-study")));
    assert_eq!(bench.guest("/api/studies/..%2fsecrets").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_study_waits_for_the_runs_at_work_and_runs_wait_for_it() {
    let bench = bench("waits").await;
    let long = bench.submit("slow").await.id;
    bench.until(long.as_str(), |record| record.status == RunStatus::Running).await;
    run(&bench).await;
    until(&bench, "waiting").await;
    let later = bench.submit("quick").await.id;
    bench.owner(Method::POST, &format!("/api/runs/{long}/cancel"), None).await;
    bench.until_over(long.as_str()).await;
    until(&bench, "running").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let waits = bench.record(later.as_str()).await;
    let (_, page) = bench.owner(Method::GET, PAGE, None).await;
    assert_eq!(waits.status, RunStatus::Queued, "nothing runs beside a study: {page}");
    assert_eq!((waits.waits_for_study.as_deref(), waits.starts_in_s), (Some("four-layer"), None));
    let (status, answer) = bench.owner(Method::POST, "/api/studies/methods/run", None).await;
    assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("study-busy")), "one at a time: {answer}");
    std::fs::write(bench.home.path().join("go"), "").unwrap();
    until(&bench, "finished").await;
    let ended = bench.until_over(later.as_str()).await;
    assert_eq!((ended.status, ended.waits_for_study), (RunStatus::Finished, None));
}

#[tokio::test]
async fn a_study_is_cancelled_while_it_waits_and_while_it_measures_and_nothing_of_it_is_left() {
    let bench = bench("deaf").await;
    let long = bench.submit("slow").await.id;
    bench.until(long.as_str(), |record| record.status == RunStatus::Running).await;
    run(&bench).await;
    until(&bench, "waiting").await;
    cancel(&bench).await;
    until(&bench, "cancelled").await;
    bench.owner(Method::POST, &format!("/api/runs/{long}/cancel"), None).await;
    bench.until_over(long.as_str()).await;

    run(&bench).await;
    until(&bench, "running").await;
    let left = bench.home.path().join("left");
    let begun = Instant::now();
    let pid = loop {
        let pid = std::fs::read_to_string(&left).unwrap_or_default();
        if pid.ends_with('\n') {
            break pid.trim().to_owned();
        }
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    cancel(&bench).await;
    let page = until(&bench, "cancelled").await;
    assert_eq!(page.get("report"), None);
    let begun = Instant::now();
    while is_alive(&pid) {
        assert!(begun.elapsed() < PATIENCE, "its worker goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let next = bench.submit("quick").await.id;
    assert_eq!(bench.until_over(next.as_str()).await.status, RunStatus::Finished);
}

#[tokio::test]
async fn what_is_no_report_is_a_failure_with_the_cause_and_the_last_report_stays() {
    let bench = bench("quick").await;
    run(&bench).await;
    let first = until(&bench, "finished").await;
    for (plays, words) in [("fails", "the disk is full"), ("rubbish", "cannot be read")] {
        play(&bench.home, plays);
        run(&bench).await;
        let page = until(&bench, "failed").await;
        assert!(page["study"]["attempt"]["cause"].as_str().unwrap().contains(words), "{page}");
        assert_eq!(page["report"], first["report"]);
        play(&bench.home, "quick");
        run(&bench).await;
        until(&bench, "finished").await;
    }
}

#[tokio::test]
async fn a_server_that_ends_marks_the_study_and_so_does_the_next_one_after_a_kill() {
    let bench = bench("waits").await;
    run(&bench).await;
    until(&bench, "running").await;
    bench.ends.cancel();
    bench.lab.finished().await;
    let Bench { home, .. } = bench;
    let bench = Bench::over(home, Options::default()).await;
    let page = until(&bench, "interrupted").await;
    assert_eq!(page.get("report"), None);

    // As a server that was killed leaves it.
    let home = bench.home.path().to_owned();
    let kept = home.join("studies/four-layer.attempt.json");
    std::fs::write(&kept, r#"{"status":"running","asked_ms":1,"started_ms":2}"#).unwrap();
    bench.ends.cancel();
    bench.lab.finished().await;
    let Bench { home, .. } = bench;
    let bench = Bench::over(home, Options::default()).await;
    let page = until(&bench, "interrupted").await;
    assert!(page["study"]["attempt"]["cause"].as_str().unwrap().contains("Run it again"), "{page}");
    assert!(std::fs::read_to_string(&kept).unwrap().contains("interrupted"));
}

/// Puts a file of a study where the lab keeps it.
fn keep(bench: &Bench, file: &str, text: &str) {
    let folder = bench.home.path().join("studies");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(file), text).unwrap();
}

#[tokio::test]
async fn a_guest_reads_no_place_of_the_owners_machine_and_the_owner_reads_each() {
    let bench = bench("quick").await;
    let engine = format!("{}/engines/pytorch/bin/python", bench.home.path().display());
    let report = json!({
        "study": "four-layer", "title": "T", "question": "Q?", "measured_ms": 5,
        "command": "recspeed study four-layer --repeats 3 --tab /home/x/tab.mjs",
        "machine": { "host": "test", "versions": { "torch": "2.9.0 (/usr/lib/libtorch.so)" } },
        "conditions": ["12 ratings of `/home/x/ratings.csv`, 3 of them to test on."],
        "tables": [{
            "title": "Measured here", "whose": "measured", "rows_are": "engine",
            "columns": [{ "name": "training", "unit": "seconds" }],
            "rows": [
                { "name": "PyTorch", "cells": [{ "cell": "missing", "install": "make it", "why": format!("{engine} is gone") }] },
                { "name": "Burn", "cells": [{ "cell": "failed", "cause": "the worker /opt/x/recspeed-worker left: 2 GB/s" }] },
            ],
        }],
        "differences": [{ "heading": "Data", "text": "It lies in `/home/x`." }],
        "specs": [{
            "version": 1, "recommender": { "kind": "mlp" },
            "dataset": { "source": "file", "path": "/home/x/ratings.csv", "format": "movielens" },
        }],
    });
    keep(&bench, "four-layer.json", &report.to_string());
    let attempt = json!({ "status": "failed", "asked_ms": 1, "said": [engine], "cause": format!("No {engine}.") });
    keep(&bench, "four-layer.attempt.json", &attempt.to_string());

    let (status, owner) = bench.owner(Method::GET, PAGE, None).await;
    assert_eq!(status, StatusCode::OK, "{owner}");
    let places = ["/home/x", "/opt/x", "/usr/lib", engine.as_str()];
    for place in places {
        assert!(owner.to_string().contains(place), "the owner does not read {place}: {owner}");
    }
    assert_eq!(owner["study"]["attempt"]["cause"], format!("No {engine}."));
    for path in [PAGE, "/api/studies"] {
        let (status, told) = bench.guest(path).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        assert!(!places.iter().any(|place| told.to_string().contains(place)), "{path}: {told}");
    }
    let (_, guest) = bench.guest(PAGE).await;
    let report = &guest["report"];
    assert_eq!(report["command"], "recspeed study four-layer --repeats 3 --tab [path]");
    let cells = [0, 1].map(|row| report["tables"][0]["rows"][row]["cells"][0].clone());
    assert_eq!(cells[0]["why"], "[path] is gone");
    assert_eq!(cells[1]["cause"], "the worker [path] left: 2 GB/s");
}

#[tokio::test]
async fn a_damaged_file_of_one_study_leaves_the_others_and_is_told_with_its_remedy() {
    let bench = bench("quick").await;
    keep(&bench, "mixed.json", r#"{"study":"mixed","#);
    run(&bench).await;
    until(&bench, "finished").await;
    let listed = |list: &Value, name: &str| {
        let all = list.as_array().unwrap();
        assert_eq!(all.len(), recspeed_types::study::STUDIES.len(), "{list}");
        all.iter().find(|study| study["name"] == name).unwrap().clone()
    };
    let file = bench.home.path().join("studies/mixed.json").display().to_string();
    let (status, list) = bench.owner(Method::GET, "/api/studies", None).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    let whole = listed(&list, "four-layer");
    assert_eq!((&whole["measured_ms"], whole.get("damage")), (&json!(5), None));
    let damaged = listed(&list, "mixed");
    let told = damaged["damage"].as_str().unwrap();
    assert!(told.starts_with(&format!("`{file}` cannot be read (EOF")), "{told}");
    assert!(told.ends_with("Run the study again, which writes it anew, or move it away."), "{told}");
    assert_eq!(damaged.get("measured_ms"), None);
    let (status, list) = bench.guest("/api/studies").await;
    assert_eq!(status, StatusCode::OK, "{list}");
    assert_eq!(listed(&list, "mixed")["damage"], told.replace(&file, "[path]"));
    let (status, page) = bench.guest("/api/studies/mixed").await;
    assert_eq!((status, page.get("report")), (StatusCode::OK, None), "{page}");
    assert_eq!(page["study"]["damage"], told.replace(&file, "[path]"));

    // What the remedy says is so, whichever file is damaged.
    for file in ["four-layer.json", "four-layer.attempt.json"] {
        keep(&bench, file, "{");
        let (status, page) = bench.owner(Method::GET, PAGE, None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert!(page["study"]["damage"].as_str().unwrap().contains(file), "{page}");
        assert_eq!(page.get("report").is_some(), file != "four-layer.json", "the other file is read: {page}");
        assert_eq!(run(&bench).await.0, StatusCode::ACCEPTED);
        let page = until(&bench, "finished").await;
        assert_eq!((page["study"].get("damage"), &page["report"]["measured_ms"]), (None, &json!(5)));
    }
}
