//! Published numbers, digit by digit: every spec in `tests/conformance/` through the real `recspeed run … --json`.
//!
//! The data are not part of the repository: without `RECSPEED_DATA` these tests say that they were skipped.

mod measured;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use recspeed_types::spec::DataSource;
use recspeed_types::{ExperimentSpec, RunSummary};
use serde_json::Value;

use measured::Row;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// `recspeed`: in `RECSPEED_BIN_DIR`, or in the folder that cargo builds binaries into, one above this test's own.
fn recspeed() -> PathBuf {
    let folder = std::env::var_os("RECSPEED_BIN_DIR").map_or_else(
        || {
            let test = std::env::current_exe().expect("a test knows its own path");
            test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps").to_owned()
        },
        PathBuf::from,
    );
    let program = folder.join("recspeed");
    assert!(
        program.is_file() && folder.join("recspeed-worker").is_file(),
        "{} must hold recspeed and recspeed-worker: build them with `make binaries`",
        folder.display()
    );
    program
}

fn expected() -> toml::Table {
    let text = std::fs::read_to_string(folder().join("expected.toml")).expect("expected.toml is in the repository");
    text.parse().expect("expected.toml is TOML")
}

fn section(kind: &str) -> toml::Table {
    expected()[kind].as_table().expect("a table by spec").clone()
}

fn spec(name: &str) -> ExperimentSpec {
    let path = folder().join(name).with_extension("toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    ExperimentSpec::from_toml(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The result of a spec, or `None` when the data are not here.
fn run(name: &str) -> Option<RunSummary> {
    if std::env::var_os("RECSPEED_DATA").is_none() && spec(name).dataset.source == DataSource::File {
        eprintln!("skipped: {name} needs the data folder; set RECSPEED_DATA to it");
        return None;
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(recspeed())
        .args(["run", "--json", "--home"])
        .arg(home.path())
        .arg(folder().join(name).with_extension("toml"))
        .output()
        .expect("recspeed starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} ended with {}: {said}", output.status);
    let object: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{name}: standard output is not one JSON object ({error}); {said}"));
    Some(serde_json::from_value(object).expect("the object is a RunSummary"))
}

/// Keeps what a spec measured beside the digits that its source prints.
fn keep(name: &str, summary: &RunSummary, digits: &toml::Table, source: &str, row: impl Fn(Row) -> Row) {
    let title = spec(name).name;
    let (protocol, method) = title.split_once(": ").expect("the name says the protocol, then the method");
    let method = format!("{method}{source}");
    let rows = digits.iter().filter_map(|(metric, printed)| {
        let (measured, printed) = (summary.metrics.get(metric)?, printed.as_str()?);
        Some(row(Row::new(protocol, &method, metric, printed, *measured)))
    });
    measured::keep(name, &rows.collect::<Vec<_>>());
}

/// What a source prints of a spec that has a band.
struct Published {
    digits: toml::Table,
    source: String,
    within: f64,
    note: String,
}

fn published(name: &str) -> Option<Published> {
    let table = section("published");
    let of = table.get(name)?;
    let text = |key: &str| of.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    Some(Published {
        digits: of.get("digits").and_then(toml::Value::as_table).expect("digits by metric").clone(),
        source: text("source"),
        within: of.get("within").and_then(toml::Value::as_float).expect("within is a number"),
        note: text("note"),
    })
}

/// Every metric of `name` that does not round to its printed digits.
fn wrong_digits(summary: &RunSummary, expected: &toml::Table) -> BTreeMap<String, String> {
    let mut wrong = BTreeMap::new();
    for (metric, printed) in expected {
        let printed = printed.as_str().expect("digits are written as a text");
        let decimals = printed.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        match summary.metrics.get(metric) {
            Some(value) if format!("{value:.decimals$}") == printed => {}
            value => {
                wrong.insert(metric.clone(), format!("{value:?}, not {printed}"));
            }
        }
    }
    wrong
}

fn matches_every_digit(name: &str) {
    let Some(summary) = run(name) else { return };
    let expected = section("exact")[name].as_table().expect("digits by metric").clone();
    keep(name, &summary, &expected, "", |row| row);
    let wrong = wrong_digits(&summary, &expected);
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}

fn lies_in_its_band(name: &str) {
    let Some(summary) = run(name) else { return };
    if let Some(Published { digits, source, within, note }) = published(name) {
        keep(name, &summary, &digits, &format!(", one run ({source})"), |row| row.within(within, &note));
    }
    for (metric, band) in section("band")[name].as_table().expect("bands by metric") {
        let bound = |at: usize| band.get(at).and_then(toml::Value::as_float).expect("a band is two numbers");
        let value = summary.metrics.get(metric).copied().unwrap_or(f64::NAN);
        assert!(value >= bound(0) && value <= bound(1), "{name}: {metric} is {value}, outside {band}");
    }
}

#[test]
fn movielens_u1_global_mean_matches_every_digit() {
    matches_every_digit("ml100k-u1-global-mean");
}

#[test]
fn movielens_u1_user_mean_matches_every_digit() {
    matches_every_digit("ml100k-u1-user-mean");
}

#[test]
fn movielens_u1_item_mean_matches_every_digit_and_counts_its_cold_ratings() {
    matches_every_digit("ml100k-u1-item-mean");
    if let Some(summary) = run("ml100k-u1-item-mean") {
        assert_eq!(summary.evaluation.cold_item_rows, 32);
        assert_eq!((summary.data.train, summary.data.test), (80_000, 20_000));
    }
}

#[test]
fn movielens_ua_popularity_matches_every_digit() {
    matches_every_digit("ml100k-ua-popularity");
    if let Some(summary) = run("ml100k-ua-popularity") {
        assert_eq!((summary.data.train, summary.data.test), (90_570, 9_430));
        assert_eq!((summary.evaluation.candidate_items, summary.evaluation.evaluated_users), (1_680, 943));
    }
}

#[test]
fn movielens_ua_item_neighbours_match_every_digit() {
    matches_every_digit("ml100k-ua-item-knn");
}

#[test]
fn movielens_ua_ease_matches_every_digit() {
    matches_every_digit("ml100k-ua-ease");
}

#[test]
fn movielens_u1_biased_factorization_is_near_the_published_errors() {
    lies_in_its_band("ml100k-u1-biased-mf");
}

#[test]
fn movielens_u3_factorization_machine_is_near_the_published_errors() {
    lies_in_its_band("ml100k-u3-fm");
}

#[test]
fn movielens_u3_factorization_machine_with_attributes_is_near_the_published_errors() {
    lies_in_its_band("ml100k-u3-fm-side");
}

#[test]
fn beauty_popularity_matches_every_digit() {
    matches_every_digit("beauty5-popularity");
    if let Some(summary) = run("beauty5-popularity") {
        assert_eq!((summary.data.users, summary.data.items), (22_363, 12_101));
        assert_eq!(summary.data.train + summary.data.validation + summary.data.test, 198_502);
        assert_eq!((summary.data.validation, summary.data.test), (22_363, 22_363));
    }
}

#[test]
fn beauty_popularity_of_training_rows_matches_every_digit() {
    matches_every_digit("beauty5-popularity-train-only");
}

#[test]
fn the_four_layer_network_ends_near_the_mean_of_all_ratings_on_real_rows() {
    lies_in_its_band("beauty-head-four-layer");
}

#[test]
fn neural_matrix_factorization_beats_popularity_on_movielens() {
    lies_in_its_band("ml100k-ua-neumf");
}

#[test]
#[ignore = "long: up to half a minute on two cores"]
fn the_variational_autoencoder_beats_popularity_on_movielens() {
    lies_in_its_band("ml100k-ua-autoencoder");
}

#[test]
#[ignore = "long: up to half a minute on two cores"]
fn wide_and_deep_beats_popularity_on_movielens() {
    lies_in_its_band("ml100k-ua-wide-and-deep");
}

#[test]
#[ignore = "long: up to half a minute on two cores"]
fn deepfm_beats_popularity_on_movielens() {
    lies_in_its_band("ml100k-ua-deepfm");
}

#[test]
#[ignore = "long: up to a minute on two cores"]
fn dlrm_beats_popularity_on_movielens() {
    lies_in_its_band("ml100k-ua-dlrm");
}

#[test]
#[ignore = "long: up to half a minute on two cores"]
fn the_dense_network_tells_liking_from_not_liking_on_movielens() {
    lies_in_its_band("ml100k-u1-densenet");
}

#[test]
fn als_learns_from_two_million_rows() {
    // Unoptimised, the sixteen million multiplications of each iteration take minutes.
    if cfg!(debug_assertions) && std::env::var_os("RECSPEED_BIN_DIR").is_none() {
        eprintln!("skipped: 2 million rows need optimised binaries; run with --release or set RECSPEED_BIN_DIR");
        return;
    }
    lies_in_its_band("beauty-synthetic-als");
}

#[test]
fn every_conformance_spec_is_valid_and_asks_for_exactly_the_metrics_that_are_expected() {
    let table = expected();
    let mut named: Vec<String> = Vec::new();
    for kind in ["exact", "band"] {
        for (name, metrics) in table[kind].as_table().expect("a table by spec") {
            let spec = spec(name);
            spec.resolve().unwrap_or_else(|errors| panic!("{name}: {errors}"));
            let mut asked: Vec<String> = spec.evaluation.metrics.iter().map(ToString::to_string).collect();
            let mut known: Vec<String> = metrics.as_table().expect("metrics").keys().cloned().collect();
            asked.sort();
            known.sort();
            assert_eq!(asked, known, "{name}");
            named.push(format!("{name}.toml"));
        }
    }
    for entry in std::fs::read_dir(folder()).expect("the folder is in the repository") {
        let file = entry.expect("a readable entry").file_name().into_string().expect("plain names");
        // Python leaves the last one where it may.
        let others = [
            "expected.toml",
            "long",
            "long.py",
            "published.py",
            "cold",
            "cold_items.py",
            "cold_seeds.py",
            "__pycache__",
        ];
        let beside = others.contains(&file.as_str());
        assert!(beside || named.contains(&file), "{file} has no expected numbers");
    }
}

#[test]
fn a_band_of_a_published_row_is_that_row_to_both_sides_or_a_note_says_why_not() {
    let bands = section("band");
    for name in section("published").keys() {
        let Published { digits, source, within, note } = published(name).expect("it is there");
        assert!(!source.is_empty(), "{name}: who printed it?");
        let bands = bands[name].as_table().expect("bands by metric");
        assert_eq!(digits.keys().collect::<Vec<_>>(), bands.keys().collect::<Vec<_>>(), "{name}");
        for (metric, printed) in &digits {
            let printed: f64 = printed.as_str().expect("digits are written as a text").parse().expect("a number");
            let bound = |at: usize| bands[metric].get(at).and_then(toml::Value::as_float).expect("two numbers");
            let is_that = |at: usize, side: f64| (bound(at) - (printed + side * within)).abs() < 1e-9;
            let both = is_that(0, -1.0) && is_that(1, 1.0);
            assert!(both == note.is_empty(), "{name}: {metric} has {} around {printed}, note: {note:?}", bands[metric]);
        }
    }
}

#[test]
fn every_long_conformance_spec_is_valid_and_measures_what_is_published() {
    let text = std::fs::read_to_string(folder().join("long/expected.toml")).expect("the published numbers are there");
    let published: toml::Table = text.parse().expect("expected.toml is TOML");
    for name in published.keys() {
        assert!(folder().join(format!("long/{name}.toml")).is_file(), "{name} has numbers but no spec");
    }
    for entry in std::fs::read_dir(folder().join("long")).expect("the folder is in the repository") {
        let file = entry.expect("a readable entry").file_name().into_string().expect("plain names");
        let name = file.trim_end_matches(".toml");
        if name == "expected" {
            continue;
        }
        let spec = spec(&format!("long/{name}"));
        spec.resolve().unwrap_or_else(|errors| panic!("{name}: {errors}"));
        let asked: Vec<String> = spec.evaluation.metrics.iter().map(ToString::to_string).collect();
        for metric in published.get(name).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys) {
            assert!(asked.contains(metric), "{name} does not measure {metric}");
        }
    }
}

/// The tables of long runs: section, metric, what was measured, the published number or nothing, and the verdict.
fn long_rows(document: &str) -> Vec<[String; 5]> {
    let mut rows = Vec::new();
    let (mut name, mut within) = ("", false);
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            (name, within) = (title, false);
        } else if line.starts_with('|') {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            if let (true, &[metric, measured, least, said]) = (within, &cells[..]) {
                rows.push([name, metric, measured, least, said].map(str::to_owned));
            }
            // The line of dashes follows the head, and is a row of none.
            within |= cells == ["metric", "measured", "published, at least", ""];
        } else {
            within = false;
        }
    }
    rows.retain(|[_, metric, ..]| !metric.starts_with('-'));
    rows
}

#[test]
fn a_number_below_a_row_that_is_to_be_reached_is_told_as_not_reached_however_near_it_lies() {
    let text = std::fs::read_to_string(folder().join("long/expected.toml")).expect("the published numbers are there");
    let published: toml::Table = text.parse().expect("expected.toml is TOML");
    let path = folder().join("../../docs/conformance.md");
    let rows = long_rows(&std::fs::read_to_string(path).expect("docs/conformance.md is there"));
    let number = |text: &str| -> f64 { text.split(' ').next().unwrap_or(text).parse().expect("a number") };
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for [name, metric, measured, least, said] in &rows {
        let due = published.get(name.as_str()).and_then(|of| of.get(metric.as_str())).and_then(toml::Value::as_float);
        let place = format!("{name}, {metric}: {measured} beside {least}, {said:?}");
        assert_eq!(due, (!least.is_empty()).then(|| number(least)), "{place}");
        let Some(due) = due else {
            assert!(said.is_empty(), "{place}: nothing is published of it");
            continue;
        };
        told.entry(name).or_default().push(metric);
        let below = due - number(measured);
        // The digits are rounded, each by itself: a number that looks equal may lie on either side, and what is missing may differ by one.
        if below > 0.00006 {
            let missing = said.strip_prefix("**not reached**, ").and_then(|rest| rest.strip_suffix(" below"));
            let missing = number(missing.unwrap_or_else(|| panic!("{place}")));
            assert!((missing - below).abs() < 0.00011, "{place}");
        } else if below < -0.00006 {
            assert_eq!(said, "held", "{place}");
        } else {
            assert!(said == "held" || said.starts_with("**not reached**, "), "{place}");
        }
    }
    for (name, due) in &published {
        let mut due: Vec<&str> = due.as_table().expect("numbers by metric").keys().map(String::as_str).collect();
        let mut found = told.remove(name.as_str()).unwrap_or_default();
        due.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, due, "{name}: rows of docs/conformance.md");
    }
}

#[test]
fn a_result_that_differs_in_the_last_printed_digit_is_found() {
    let summary: RunSummary = serde_json::from_value(serde_json::json!({
        "run": "r", "status": "finished", "metrics": { "rmse": 1.153_674, "mae": 0.968_05 },
        "timing": { "load_s": 0.0, "fit_s": 0.0, "evaluate_s": 0.0 },
        "memory": { "parameters": 0, "gradients": 0, "optimizer": 0, "activations": 0, "buffers": 0, "allocator_total": 0, "peak": 0 },
        "engine": { "kind": "burn", "device": "flex", "versions": {}, "host": "", "threads": 1 },
        "data": { "name": "", "users": 0, "items": 0, "train": 0, "validation": 0, "test": 0, "bad_lines": 0, "sha256": "", "synthetic": false },
        "evaluation": { "candidates": "", "candidate_items": 0, "test_users": 0, "evaluated_users": 0, "sampled_users": false,
            "cold_users": 0, "cold_item_rows": 0, "tie_rule": "", "tie_share": 0.0, "rating_scale": "stars" },
        "seed": 42,
    }))
    .expect("a summary");
    let expected: toml::Table = "rmse = '1.15368'\nmae = '0.96805'\n'ndcg@10' = '0.1'".parse().expect("TOML");
    let wrong = wrong_digits(&summary, &expected);
    assert_eq!(wrong.keys().collect::<Vec<_>>(), ["ndcg@10", "rmse"]);
}
