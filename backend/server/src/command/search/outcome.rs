//! The end of a search: the best spec of each recommender, written out, and a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use recspeed_types::spec::FitOn;
use recspeed_types::{ExperimentSpec, FailureCode};
use serde::Serialize;
use serde_json::Value;

use super::log::{Log, Trial};
use super::plan::{FIXED, Plan, SearchError, words};
use super::trials::first_sentence;
use crate::command::figures;
use crate::command::kept::{KeptRun, RESULTS};

/// What came of one recommender.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Outcome {
    /// A best trial, measured on the test rows.
    Found(Box<Result>),
    /// Nothing.
    Without(Without),
}

impl Outcome {
    /// Of what kind the failure is, where it has no result.
    pub(super) const fn failure(&self) -> Option<FailureCode> {
        match self {
            Self::Found(_) => None,
            Self::Without(without) => Some(without.no_result.code),
        }
    }
}

/// What a recommender was given, and what it used of that.
#[derive(Debug, Serialize)]
struct Used {
    /// Its name.
    name: String,
    /// How trials were chosen.
    method: &'static str,
    /// What they were judged by.
    metric: String,
    /// What it might use: the same as the others, but for one trial of what has nothing to search.
    budget: String,
    /// Trials, those that failed or were refused included; none where it was refused as the file has it, too.
    trials: usize,
    /// Those that failed, or were cut off where their time was over.
    failed: usize,
    /// Those that were refused before any work.
    refused: usize,
    /// Seconds that they took.
    seconds: f64,
}

impl Used {
    fn of(plan: &Plan, place: usize, log: &Log) -> Self {
        let member = &plan.members[place];
        Self {
            name: member.name.clone(),
            method: plan.search.method.as_str(),
            metric: plan.metric.to_string(),
            budget: plan.budget_of(member),
            trials: log.count(place),
            failed: log.failures(place),
            refused: log.refusals(place),
            seconds: log.seconds(place),
        }
    }
}

/// A recommender without a result.
#[derive(Debug, Serialize)]
pub(super) struct Without {
    #[serde(flatten)]
    used: Used,
    /// Why it has none.
    no_result: Why,
}

/// Why there is no result.
#[derive(Debug, Serialize)]
struct Why {
    /// Of what kind the failure or refusal was.
    code: FailureCode,
    /// Its words.
    cause: String,
}

/// The best of one recommender.
#[derive(Debug, Serialize)]
pub(super) struct Result {
    #[serde(flatten)]
    used: Used,
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
    /// What makes its numbers less comparable than they look, a sentence each.
    notes: Vec<String>,
    /// The spec, as it was measured on the test rows.
    spec: ExperimentSpec,
    /// The file beside this one that keeps that run, for `recspeed compare`.
    run: String,
    #[serde(skip)]
    values: String,
    /// Whether it had nothing to search.
    #[serde(skip)]
    fixed: bool,
}

/// Puts together what is known of a recommender without a result.
pub(super) fn without(plan: &Plan, place: usize, log: &Log, (code, cause): (FailureCode, String)) -> Outcome {
    Outcome::Without(Without { used: Used::of(plan, place, log), no_result: Why { code, cause } })
}

/// Puts together what is known of one recommender.
pub(super) fn result(plan: &Plan, place: usize, best: &Trial, log: &Log, run: KeptRun, file: String) -> Outcome {
    let spec = run.spec;
    let member = &plan.members[place];
    let values = best.values(member);
    let trial = plan.trial_spec(member, &values).ok();
    Outcome::Found(Box::new(Result {
        used: Used::of(plan, place, log),
        best_trial: best.number,
        parameters: best.parameters.clone(),
        validation: best.metrics.clone(),
        test: run.summary.metrics,
        looks_at_test: log.tests(place),
        notes: notes(plan, place, log, trial.as_ref(), &spec),
        spec,
        run: file,
        values: words(member, &values),
        fixed: member.is_fixed(),
    }))
}

/// Those that have a result.
fn found(all: &[Outcome]) -> impl Iterator<Item = &Result> {
    all.iter().filter_map(|one| match one {
        Outcome::Found(result) => Some(result.as_ref()),
        Outcome::Without(_) => None,
    })
}

/// What one must know of the budget and of the rows that judged. `trial`: the best one; `spec`: as that was measured on the test rows.
fn notes(plan: &Plan, place: usize, log: &Log, trial: Option<&ExperimentSpec>, spec: &ExperimentSpec) -> Vec<String> {
    let trials = log.counted(place, plan);
    let most = (0..plan.members.len()).map(|other| log.counted(other, plan)).max().unwrap_or(trials);
    let mut notes = Vec::new();
    if let Some(ended) = plan.used_up(&plan.members[place], (log.count(place), trials), log.seconds(place)) {
        notes.push(if trials < most {
            format!("{ended} where another had {most}: the budgets are not the same")
        } else {
            format!("{ended}, before its budget of {}: {}", plan.budget(), plan.nothing_new(&plan.members[place]))
        });
    }
    if plan.members[place].learns_from_both() && spec.split.fit_on == Some(FitOn::Train) {
        notes.push(
            "at the test it had learnt from the training rows alone, as all of this search, and not from the validation rows too as \
             split.fit_on says: one of them stops its training or learns weights by those rows"
                .to_owned(),
        );
    }
    if let Some(what) = trial.and_then(|spec| spec.resolve().ok()?.chooses_by_what_is_measured()) {
        notes.push(format!(
            "it {what} by the validation rows that also judge the trials: its validation numbers are flattered beside those of methods that do not"
        ));
    }
    notes
}

/// Writes each best spec as TOML, its numbers above it, into `best/`, and the results as `results.jsonl`, one line each; who has none is in
/// neither.
pub(super) fn write(folder: &Path, plan: &Plan, all: &[Outcome]) -> std::result::Result<Vec<PathBuf>, SearchError> {
    let best = folder.join("best");
    let put = || -> io::Result<Vec<PathBuf>> {
        fs::create_dir_all(&best)?;
        let lines = found(all).map(|result| Ok(format!("{}\n", serde_json::to_string(result)?)));
        replace(&folder.join(RESULTS), &lines.collect::<io::Result<String>>()?)?;
        let mut written = Vec::new();
        for (place, result) in found(all).enumerate() {
            let path = best.join(format!("{}.toml", file_name(place, &result.used.name)));
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
    let origin = if result.fixed {
        "The only trial: there is nothing to search".to_owned()
    } else {
        format!(
            "The best of {} trials ({}) by {} on the validation rows, trial {}",
            result.used.trials,
            plan.search.method.as_str(),
            plan.metric,
            result.best_trial
        )
    };
    format!(
        "# {origin}; {}.\n# Validation{}: {}\n# Test: {}\n{}\n{}",
        figures::seconds(result.used.seconds),
        if result.fixed { "" } else { ", flattered by the choice" },
        list(&result.validation),
        list(&result.test),
        result.notes.iter().fold(String::new(), |lines, note| lines + "# Mind: " + note + ".\n"),
        result.spec.to_toml()
    )
}

/// The result as text.
pub(super) fn render(plan: &Plan, all: &[Outcome], written: &[PathBuf], log: &Path) -> String {
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
    for one in all {
        table.add_row(row(one, &metric));
    }
    for place in [1, 2, 4, 5] {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if found(all).next().is_none() {
        return format!("{table}\n\nEvery trial: {}\n", log.display());
    }
    let fixed: Vec<&str> = found(all).filter(|result| result.fixed).map(|result| result.used.name.as_str()).collect();
    let but = if fixed.is_empty() { String::new() } else { format!(" ({}: {FIXED})", fixed.join(", ")) };
    let mut text = format!(
        "{table}\n\nEach recommender had the same budget: {}{but}. Parameters were chosen by {metric} on the validation rows alone ({}), which flatters the best of them there: the numbers to report are those of the test; the test rows were looked at {}.\n",
        plan.budget(),
        plan.search.method.as_str(),
        looks(found(all).map(|result| result.looks_at_test))
    );
    for result in found(all).filter(|result| result.looks_at_test > 1) {
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "Warning: the test rows were looked at {} times for {}: this search went on after its end.",
            result.looks_at_test, result.used.name
        );
    }
    for (result, note) in found(all).flat_map(|result| result.notes.iter().map(move |note| (result, note))) {
        let _ = writeln!(text, "Mind of {}: {note}.", result.used.name);
    }
    for path in written {
        let _ = writeln!(text, "Best spec: {}", path.display());
    }
    let _ = writeln!(text, "Every trial: {}", log.display());
    text
}

/// A row of the table; of who has no result why not, in the place of the parameters.
fn row(one: &Outcome, metric: &str) -> [String; 6] {
    let of = |metrics: &BTreeMap<String, f64>| metrics.get(metric).map_or("–".to_owned(), |v| figures::value(*v));
    match one {
        Outcome::Found(result) => [
            result.used.name.clone(),
            if result.fixed {
                FIXED.to_owned()
            } else {
                counts(result.used.trials, result.used.refused, result.used.failed)
            },
            figures::seconds(result.used.seconds),
            result.values.clone(),
            of(&result.validation),
            of(&result.test),
        ],
        Outcome::Without(without) => [
            without.used.name.clone(),
            counts(without.used.trials, without.used.refused, without.used.failed),
            figures::seconds(without.used.seconds),
            format!("no result: {}", first_sentence(&without.no_result.cause)),
            "–".to_owned(),
            "–".to_owned(),
        ],
    }
}

/// `9`, or `9 (2 refused, 1 failed)`.
fn counts(trials: usize, refused: usize, failed: usize) -> String {
    let told: Vec<String> = [(refused, "refused"), (failed, "failed")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if told.is_empty() { trials.to_string() } else { format!("{trials} ({})", told.join(", ")) }
}

/// How often the test rows were looked at, of each recommender, in words.
fn looks(of_each: impl Iterator<Item = usize>) -> String {
    let (least, most) = of_each.fold((usize::MAX, 0), |(least, most), looks| (least.min(looks), most.max(looks)));
    match (least, most) {
        (_, 0 | 1) => "once, at the end".to_owned(),
        (least, most) if least == most => format!("{most} times in this search"),
        (least, most) => format!("{least} to {most} times in this search"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_the_test_rows_are_told_by_their_number() {
        let told = |of_each: &[usize]| looks(of_each.iter().copied());
        assert_eq!(told(&[1, 1]), "once, at the end");
        assert!(told(&[2, 2]).starts_with("2 times"), "{}", told(&[2, 2]));
        assert!(told(&[1, 3]).starts_with("1 to 3 times"), "{}", told(&[1, 3]));
    }

    #[test]
    fn refused_trials_are_told_apart_from_those_that_failed() {
        assert_eq!(counts(9, 0, 0), "9");
        assert_eq!(counts(9, 2, 0), "9 (2 refused)");
        assert_eq!(counts(9, 2, 1), "9 (2 refused, 1 failed)");
    }

    #[test]
    fn file_names_are_plain_and_never_alike() {
        assert_eq!(file_name(0, "item-knn (neighbours 7)"), "01-item-knn-neighbours-7");
        assert_ne!(file_name(0, "ä"), file_name(1, "ö"));
    }
}
