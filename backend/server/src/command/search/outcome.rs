//! The end of a search: the best spec of each recommender, written out, and a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use recspeed_types::ExperimentSpec;
use serde::Serialize;
use serde_json::Value;

use super::log::{Log, Trial};
use super::plan::{Plan, SearchError, words};
use crate::command::figures;
use crate::command::kept::KeptRun;

/// The best of one recommender.
#[derive(Debug, Serialize)]
pub(super) struct Result {
    /// Its name.
    name: String,
    /// How trials were chosen.
    method: &'static str,
    /// What they were judged by.
    metric: String,
    /// Trials, those that failed included.
    trials: usize,
    /// Seconds that they took.
    seconds: f64,
    /// Number of the best trial, from 1.
    best_trial: usize,
    /// What it tried.
    parameters: BTreeMap<String, Value>,
    /// Its metrics on the validation rows.
    validation: BTreeMap<String, f64>,
    /// Its metrics on the test rows.
    test: BTreeMap<String, f64>,
    /// How often the test rows were looked at in this search: more than once after a search went on with a larger budget.
    looks_at_test: usize,
    /// The spec, as it was measured on the test rows.
    spec: ExperimentSpec,
    #[serde(skip)]
    values: String,
}

/// Puts together what is known of one recommender.
pub(super) fn result(plan: &Plan, place: usize, best: &Trial, log: &Log, spec: ExperimentSpec, run: KeptRun) -> Result {
    let member = &plan.members[place];
    Result {
        name: member.name.clone(),
        method: plan.search.method.as_str(),
        metric: plan.metric.to_string(),
        trials: log.count(place),
        seconds: log.seconds(place),
        best_trial: best.number,
        parameters: best.parameters.clone(),
        validation: best.metrics.clone(),
        test: run.summary.metrics,
        looks_at_test: log.tests(place),
        spec,
        values: words(member, &best.values(member)),
    }
}

/// Writes each best spec as TOML, its numbers above it, into `best/`, and the results as `results.jsonl`, one line each.
pub(super) fn write(folder: &Path, plan: &Plan, results: &[Result]) -> std::result::Result<Vec<PathBuf>, SearchError> {
    let best = folder.join("best");
    let put = || -> io::Result<Vec<PathBuf>> {
        fs::create_dir_all(&best)?;
        let lines = results.iter().map(|result| Ok(format!("{}\n", serde_json::to_string(result)?)));
        // Not `.json`: a folder of kept runs may be given to `recspeed compare`, which reads its .json files as specs.
        replace(&folder.join("results.jsonl"), &lines.collect::<io::Result<String>>()?)?;
        let mut written = Vec::new();
        for (place, result) in results.iter().enumerate() {
            let path = best.join(format!("{}.toml", file_name(place, &result.name)));
            replace(&path, &toml_of(plan, result))?;
            written.push(path);
        }
        Ok(written)
    };
    put().map_err(|source| SearchError::Log { path: folder.display().to_string(), source })
}

/// Whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let aside = path.with_extension("part");
    let mut file = fs::File::create(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path)
}

/// A name of letters, digits and dashes, unlike those of the other places.
fn file_name(place: usize, name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    format!("{:02}-{}", place + 1, words.join("-").chars().take(40).collect::<String>())
}

fn toml_of(plan: &Plan, result: &Result) -> String {
    let list = |metrics: &BTreeMap<String, f64>| {
        metrics.iter().map(|(name, value)| format!("{name} {}", figures::value(*value))).collect::<Vec<_>>().join(", ")
    };
    format!(
        "# The best of {} trials ({}) by {} on the validation rows, trial {}; {}.\n# Validation: {}\n# Test: {}\n\n{}",
        result.trials,
        plan.search.method.as_str(),
        plan.metric,
        result.best_trial,
        figures::seconds(result.seconds),
        list(&result.validation),
        list(&result.test),
        result.spec.to_toml()
    )
}

/// The result as text.
pub(super) fn render(plan: &Plan, results: &[Result], written: &[PathBuf], log: &Path) -> String {
    let metric = plan.metric.to_string();
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "recommender".to_owned(),
        "trials".to_owned(),
        "time".to_owned(),
        "best parameters".to_owned(),
        format!("{metric}, validation"),
        format!("{metric}, test"),
    ]);
    for result in results {
        let of =
            |metrics: &BTreeMap<String, f64>| metrics.get(&metric).map_or("–".to_owned(), |v| figures::value(*v));
        table.add_row([
            result.name.clone(),
            result.trials.to_string(),
            figures::seconds(result.seconds),
            result.values.clone(),
            of(&result.validation),
            of(&result.test),
        ]);
    }
    for place in [1, 2, 4, 5] {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = format!(
        "{table}\n\nParameters were chosen by {metric} on the validation rows alone ({}); the test rows were looked at once, at the end.\n",
        plan.search.method.as_str()
    );
    for result in results.iter().filter(|result| result.looks_at_test > 1) {
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "Warning: the test rows were looked at {} times for {}: this search went on after its end.",
            result.looks_at_test, result.name
        );
    }
    for path in written {
        let _ = writeln!(text, "Best spec: {}", path.display());
    }
    let _ = writeln!(text, "Every trial: {}", log.display());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_plain_and_never_alike() {
        assert_eq!(file_name(0, "item-knn (neighbours 7)"), "01-item-knn-neighbours-7");
        assert_ne!(file_name(0, "ä"), file_name(1, "ö"));
    }
}
