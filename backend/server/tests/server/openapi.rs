use std::collections::BTreeSet;

use recspeed_server::api::document;
use serde_json::Value;

use crate::bench::Bench;

fn references<'d>(value: &'d Value, found: &mut BTreeSet<&'d str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(target) if name == "$ref" => {
                        found.insert(target);
                    }
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_resolves() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for target in found {
        let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{target} leaves the document"));
        assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
    }
}

#[test]
fn every_answer_of_json_names_its_type() {
    let document = document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let Some(content) = response["content"].get("application/json") else { continue };
                let free = ["/api/spec-schema", "/api/openapi.json", "/healthz"].contains(&path.as_str());
                let named = content["schema"].get("$ref").is_some();
                assert!(named || (free && status == "200"), "{method} {path}, {status}: {content}");
            }
        }
    }
}

#[test]
fn every_address_of_the_contract_is_described_with_its_failures() {
    let document = document();
    for (path, methods) in [
        ("/api/lab", &["get"][..]),
        ("/api/spec-schema", &["get"]),
        ("/api/openapi.json", &["get"]),
        ("/api/comparison", &["get"]),
        ("/api/comparison/tests", &["get"]),
        ("/api/runs", &["get", "post"]),
        ("/api/runs/{id}", &["get", "delete"]),
        ("/api/runs/{id}/events", &["get"]),
        ("/api/runs/{id}/cancel", &["post"]),
        ("/api/runs/{id}/retry", &["post"]),
        ("/api/runs/{id}/model", &["get"]),
        ("/api/runs/{id}/recommendations", &["get", "post"]),
        ("/api/runs/{id}/per-user", &["get"]),
        ("/api/specs/check", &["post"]),
        ("/api/stream", &["get"]),
        ("/api/studies", &["get"]),
        ("/api/studies/{id}", &["get"]),
        ("/api/studies/{id}/recorded", &["get"]),
        ("/api/studies/{id}/run", &["post"]),
        ("/api/studies/{id}/cancel", &["post"]),
        ("/api/datasets", &["get", "post"]),
        ("/api/datasets/files", &["get"]),
        ("/api/datasets/{id}/report", &["get"]),
        ("/api/datasets/report", &["post"]),
        ("/healthz", &["get"]),
    ] {
        for method in methods {
            let operation = &document["paths"][path][method];
            assert!(operation["summary"].is_string(), "{method} {path} is not described: {operation}");
            assert!(operation["responses"].as_object().is_some_and(|r| !r.is_empty()), "{method} {path}");
            let names_an_id = path.contains("{id}");
            assert_eq!(operation["responses"].get("404").is_some(), names_an_id, "{method} {path}");
        }
    }
    let described: usize = document["paths"].as_object().unwrap().values().map(|p| p.as_object().unwrap().len()).sum();
    assert_eq!(described, 29, "an address is described that the contract does not have: add it above");
}

#[tokio::test]
async fn the_descriptions_are_served() {
    let bench = Bench::new().await;
    let (_, served) = bench.guest("/api/openapi.json").await;
    assert_eq!(served, document());
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"), "{}", served["openapi"]);
    let (_, schema) = bench.guest("/api/spec-schema").await;
    assert!(schema["properties"]["recommender"].is_object());
}
