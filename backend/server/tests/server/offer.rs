//! What is offered and what is asked for: a device or an engine that is not here is refused before a run waits for it.

use std::path::Path;

use axum::http::{Method, StatusCode};
use recspeed_engines::{gpu, sha256_hex};
use recspeed_types::GpuPresence;
use recspeed_types::api::RunStatus;
use recspeed_types::spec::EngineKind;
use serde_json::{Value, json};

use crate::bench::{Bench, spec};

/// A run of a network by PyTorch on this device.
fn by_pytorch(name: &str, device: &str) -> Value {
    let mut asked = json!(spec(name));
    asked["recommender"] = json!({ "kind": "mlp" });
    asked["engine"] = json!({ "kind": "pytorch", "device": device });
    asked
}

/// The only mistake of an answer, as its place and its words.
fn mistake(answer: &Value) -> (String, String) {
    assert_eq!(answer["code"], "invalid-spec", "{answer}");
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{answer}");
    let told = |field: &str| answer["errors"][0][field].as_str().unwrap().to_owned();
    (told("path"), told("message"))
}

fn note(home: &Path, record: &Value) {
    let folder = home.join("engines/pytorch");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("record.json"), record.to_string()).unwrap();
}

#[tokio::test]
async fn a_gpu_that_is_not_here_is_refused_with_the_device_the_reason_and_the_remedy_and_the_lab_says_so_before() {
    let bench = Bench::new().await;
    let (_, lab) = bench.guest("/api/lab").await;
    assert_eq!(lab["gpu"], json!(gpu()), "{lab}");
    if gpu() == GpuPresence::Here {
        eprintln!("skipped: this machine has a GPU");
        return;
    }
    note(
        bench.home.path(),
        &json!({ "python": "/bin/sh", "own": false, "requirements": "", "versions": {}, "bytes": 0 }),
    );
    let asked = by_pytorch("quick", "cuda");
    for (path, body) in [("/api/runs", json!({ "spec": asked.clone() })), ("/api/specs/check", asked.clone())] {
        let (status, answer) = bench.owner(Method::POST, path, Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {answer}");
        let (place, words) = mistake(&answer);
        assert_eq!(place, "engine.device", "{path}");
        assert!(words.starts_with("is `cuda`: no ") && words.contains(" on this server; "), "{path}: {words}");
    }
    let (_, runs) = bench.owner(Method::GET, "/api/runs", None).await;
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(0), "nothing waits: {runs}");
    let (status, answer) = bench.owner(Method::POST, "/api/specs/check", Some(by_pytorch("quick", "cpu"))).await;
    assert_eq!(status, StatusCode::OK, "its processor is here: {answer}");
}

#[tokio::test]
async fn a_device_of_burn_that_no_worker_has_is_refused_with_what_brings_it() {
    let bench = Bench::new().await;
    let mut asked = json!(spec("quick"));
    asked["recommender"] = json!({ "kind": "mlp" });
    asked["engine"] = json!({ "device": "vulkan" });
    let (status, answer) = bench.owner(Method::POST, "/api/specs/check", Some(asked)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let (place, words) = mistake(&answer);
    assert_eq!(place, "engine.device");
    assert!(words.starts_with("is `vulkan`: not built on this server; `make worker-vulkan`"), "{words}");
}

#[tokio::test]
async fn an_engine_that_is_damaged_or_half_installed_is_refused_by_name_when_it_is_asked_for_and_tried_again() {
    let bench = Bench::new().await;
    let pytorch = recspeed_engines::find(EngineKind::Pytorch).unwrap();
    let requirements = sha256_hex(pytorch.requirements.as_bytes());
    note(
        bench.home.path(),
        &json!({ "python": "/bin/sh", "own": true, "requirements": requirements, "versions": {}, "bytes": 0, "lists": {} }),
    );
    let site = bench.home.path().join("engines/pytorch/environment/lib/python3.11/site-packages");
    std::fs::create_dir_all(site.join("torch-2.9.0.dist-info")).unwrap();
    std::fs::create_dir_all(site.join("torch")).unwrap();
    std::fs::write(site.join("torch-2.9.0.dist-info/RECORD"), "torch/nn.py,sha256=x,4\n").unwrap();
    let install = |text: &str| std::fs::write(site.join("torch/nn.py"), text).unwrap();
    let ask =
        async || bench.owner(Method::POST, "/api/runs", Some(json!({ "spec": by_pytorch("diverged", "cpu") }))).await;
    install("four");
    let (status, record) = ask().await;
    assert_eq!(status, StatusCode::CREATED, "{record}");
    let run = record["id"].as_str().unwrap().to_owned();
    assert_eq!(bench.until_over(&run).await.status, RunStatus::Failed);

    install("for");
    let again = format!("/api/runs/{run}/retry");
    for (status, answer) in [ask().await, bench.owner(Method::POST, &again, None).await] {
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        let (place, words) = mistake(&answer);
        assert_eq!(place, "engine.kind");
        let expected = "is `pytorch`: damaged on this server; run `recspeed engines install pytorch`, which mends it";
        assert_eq!(words, expected);
    }

    install("four");
    assert_eq!(bench.owner(Method::POST, &again, None).await.0, StatusCode::OK, "it is whole again");
    bench.until_over(&run).await;

    std::fs::remove_file(bench.home.path().join("engines/pytorch/record.json")).unwrap();
    let (_, words) = mistake(&ask().await.1);
    assert!(words.contains("half installed on this server; go on with `recspeed engines install pytorch`"), "{words}");
    let (_, lab) = bench.guest("/api/lab").await;
    let told = lab["engines"].as_array().unwrap().iter().find(|engine| engine["kind"] == "pytorch").unwrap().clone();
    assert_eq!(told["state"], "unfinished", "{told}");
}
