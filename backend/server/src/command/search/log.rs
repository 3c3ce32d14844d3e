//! The log of a search: every trial as one JSON object a line, on disk before the next begins. What is kept is what a search
//! that was killed goes on from.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use recspeed_search::{Judged, Values};
use recspeed_types::{MetricName, RunSummary};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::kept::fingerprint;
use super::plan::{Member, Plan, SearchError};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Line {
    /// The first line: what is searched.
    Search {
        /// Version of the program that began it.
        version: String,
        /// Fingerprint of the specs, the spaces, the method and the metric; not of the budget, which may grow.
        id: String,
        /// The recommenders' names.
        members: Vec<String>,
        /// What they are judged by.
        metric: String,
        /// How trials are chosen.
        method: String,
    },
    /// A trial that has ended.
    Trial(Trial),
    /// A look at the test rows.
    Test {
        /// The recommender's place.
        member: usize,
        /// Trials before it.
        trials: usize,
        /// What it gave.
        metrics: BTreeMap<String, f64>,
    },
}

/// A trial that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Trial {
    /// The recommender's place in the search.
    pub(super) member: usize,
    /// Its name.
    pub(super) name: String,
    /// The trial's number, from 1.
    pub(super) number: usize,
    /// What was tried.
    pub(super) parameters: BTreeMap<String, Value>,
    /// The metric on the validation rows; absent when the run failed.
    pub(super) value: Option<f64>,
    /// Every metric on the validation rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metrics: BTreeMap<String, f64>,
    /// Seconds, all included.
    pub(super) seconds: f64,
    /// Epochs trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) epochs: Option<u32>,
    /// The epoch with the best validation loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) best_epoch: Option<u32>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
}

impl Trial {
    /// One that failed.
    pub(super) fn failed(
        member: usize,
        number: usize,
        of: &Member,
        values: &Values,
        seconds: f64,
        cause: String,
    ) -> Self {
        let paths = of.space.dimensions().iter().map(|dimension| dimension.path.clone());
        Self {
            member,
            name: of.name.clone(),
            number,
            parameters: paths.zip(values.iter().cloned()).collect(),
            value: None,
            metrics: BTreeMap::new(),
            seconds,
            epochs: None,
            best_epoch: None,
            cause: Some(cause),
        }
    }

    /// One that gave a result.
    pub(super) fn finished(
        member: usize,
        number: usize,
        of: &Member,
        values: &Values,
        seconds: f64,
        summary: &RunSummary,
        metric: MetricName,
    ) -> Self {
        let training = summary.training.as_ref();
        Self {
            value: summary.metrics.get(&metric.to_string()).copied(),
            metrics: summary.metrics.clone(),
            epochs: training.map(|training| training.epochs),
            best_epoch: training.and_then(|training| training.best_epoch),
            cause: None,
            ..Self::failed(member, number, of, values, seconds, String::new())
        }
    }

    /// What was tried, in the order of the space.
    pub(super) fn values(&self, member: &Member) -> Values {
        let of = |path: &String| self.parameters.get(path).cloned().unwrap_or_default();
        member.space.dimensions().iter().map(|dimension| of(&dimension.path)).collect()
    }
}

/// The log, open at its end.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    trials: Vec<Trial>,
    tests: Vec<usize>,
}

impl Log {
    /// Opens the log of `plan` in `folder`, or begins it. A last line that was not finished is cut off.
    ///
    /// # Errors
    /// [`SearchError::OtherLog`], [`SearchError::Log`].
    pub(super) fn open(folder: &Path, plan: &Plan, fresh: bool) -> Result<Self, SearchError> {
        let path = folder.join("log.jsonl");
        let failed = |source| SearchError::Log { path: path.display().to_string(), source };
        if fresh {
            let _ = fs::remove_file(&path);
        }
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.map_err(failed)?,
        };
        let (lines, whole) = whole_lines(&text);
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        file.set_len(whole as u64).map_err(failed)?;
        let first = Line::Search {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            id: id_of(plan),
            members: plan.members.iter().map(|member| member.name.clone()).collect(),
            metric: plan.metric.to_string(),
            method: plan.search.method.as_str().to_owned(),
        };
        match lines.first() {
            None => append(&mut file, &first).map_err(failed)?,
            Some(Line::Search { id, .. }) if *id == id_of(plan) => {}
            Some(_) => return Err(SearchError::OtherLog { path: path.display().to_string() }),
        }
        let (mut trials, mut tests) = (Vec::new(), Vec::new());
        for line in lines {
            match line {
                Line::Trial(trial) => trials.push(trial),
                Line::Test { member, .. } => tests.push(member),
                Line::Search { .. } => {}
            }
        }
        Ok(Self { path, file, trials, tests })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a trial down.
    ///
    /// # Errors
    /// [`SearchError::Log`].
    pub(super) fn add(&mut self, trial: Trial) -> Result<(), SearchError> {
        self.write(&Line::Trial(trial.clone()))?;
        self.trials.push(trial);
        Ok(())
    }

    /// Writes a look at the test rows down.
    ///
    /// # Errors
    /// [`SearchError::Log`].
    pub(super) fn note_test(&mut self, member: usize, metrics: &BTreeMap<String, f64>) -> Result<(), SearchError> {
        self.write(&Line::Test { member, trials: self.of(member).count(), metrics: metrics.clone() })?;
        self.tests.push(member);
        Ok(())
    }

    fn write(&mut self, line: &Line) -> Result<(), SearchError> {
        append(&mut self.file, line)
            .map_err(|source| SearchError::Log { path: self.path.display().to_string(), source })
    }

    fn of(&self, member: usize) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(move |trial| trial.member == member)
    }

    /// Trials of a member.
    pub(super) fn count(&self, member: usize) -> usize {
        self.of(member).count()
    }

    /// Looks at the test rows for a member.
    pub(super) fn tests(&self, member: usize) -> usize {
        self.tests.iter().filter(|of| **of == member).count()
    }

    /// Seconds that a member's trials took.
    pub(super) fn seconds(&self, member: usize) -> f64 {
        self.of(member).map(|trial| trial.seconds).sum()
    }

    /// The trials of a member as the search reads them.
    pub(super) fn judged(&self, place: usize, member: &Member, plan: &Plan) -> Vec<Judged> {
        let judged =
            |trial: &Trial| Judged { values: trial.values(member), loss: trial.value.map(|value| plan.loss(value)) };
        self.of(place).map(judged).collect()
    }

    /// The best trial of a member; the first of equals.
    pub(super) fn best(&self, member: usize, plan: &Plan) -> Option<&Trial> {
        let loss = |trial: &&Trial| trial.value.map_or(f64::INFINITY, |value| plan.loss(value));
        let finished = self.of(member).filter(|trial| trial.value.is_some_and(f64::is_finite));
        finished.min_by(|a, b| loss(a).total_cmp(&loss(b)))
    }
}

fn append(file: &mut File, line: &Line) -> std::io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// The lines up to the first that is not whole, and how many bytes they take.
fn whole_lines(text: &str) -> (Vec<Line>, usize) {
    let (mut lines, mut end) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let Some(Ok(read)) = line.strip_suffix('\n').map(serde_json::from_str) else { break };
        lines.push(read);
        end += line.len();
    }
    (lines, end)
}

fn id_of(plan: &Plan) -> String {
    let mut parts = vec![plan.metric.to_string(), plan.search.method.as_str().to_owned()];
    parts.push(format!("{:?}", plan.search.early_stopping));
    for member in &plan.members {
        parts.push(member.spec.to_json());
        parts.push(format!("{:?}", member.space));
    }
    fingerprint(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_not_finished_is_cut_off() {
        let test = Line::Test { member: 0, trials: 3, metrics: BTreeMap::new() };
        let line = serde_json::to_string(&test).unwrap();
        let (lines, end) = whole_lines(&format!("{line}\n{line}\n{}", &line[..9]));
        assert_eq!((lines.len(), end), (2, 2 * (line.len() + 1)));
        // A whole line without its end may be half of a longer one.
        assert_eq!(whole_lines(&line).1, 0);
    }
}
