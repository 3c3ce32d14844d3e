//! `recspeed plan` as a program.

use std::process::{Command, Output};

use serde_json::Value;

fn plan(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_recspeed")).arg("plan").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_picture_of_gpipe_is_the_one_of_the_paper() {
    let output = plan(&["--stages", "2", "--micro-batches", "2"]);
    assert!(output.status.success());
    let lines: Vec<_> = text(&output.stdout).lines().filter(|line| line.starts_with("rank ")).collect();
    assert_eq!(
        lines,
        ["rank 0   F0 F1 ·  ·  ·  B0 –  B1 –", "rank 1   ·  F0 F1 B0 –  B1 –  ·  ·"]
            .map(|line| line.trim_end_matches([' ']).to_owned())
    );
}

#[test]
fn its_json_has_the_bubble_and_every_pass() {
    let output =
        plan(&["--schedule", "1f1b", "--stages", "4", "--micro-batches", "8", "--json", "--parameters", "1000"]);
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["bubble"], 3.0 / 8.0);
    assert_eq!(plan["held_micro_batches"], serde_json::json!([4, 3, 2, 1]));
    assert_eq!(plan["spans"].as_array().unwrap().len(), 4 * 8 * 2);
    assert_eq!(plan["zero"][3]["parameters_bytes"], 1000);
}

#[test]
fn its_trace_opens_in_a_viewer_of_chrome_traces() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.json");
    let output = plan(&["--schedule", "zb-h1", "--trace", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let trace: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert_eq!(events.iter().filter(|event| event["ph"] == "X").count(), 4 * 8 * 3);
}

#[test]
fn a_plan_that_cannot_be_is_refused_with_one_that_can() {
    for (arguments, words) in [
        (&["--stages", "0"][..], "at least 1"),
        (&["--chunks", "2"], "use interleaved"),
        (&["--stages", "100000", "--micro-batches", "100000"], "at most 200000"),
        (&["--stages", "3000", "--micro-batches", "1"], "at most 200000"),
        (&["--parameters", "18446744073709551615", "--ranks", "2"], "1..=1000000000000000"),
        (&["--parameters", "10", "--ranks", "0"], "at least 1"),
    ] {
        let output = plan(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
}
