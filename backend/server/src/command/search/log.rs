//! The log of a search: every trial as one JSON object a line, on disk before the next begins. What is kept is what a search
//! that was killed goes on from.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use recspeed_search::{Judged, Values};
use recspeed_types::{FailureCode, MetricName, RunSummary, written};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::kept::fingerprint;
use super::plan::{Member, Plan, SearchError};

/// The log of a search, in its folder.
const FILE: &str = "log.jsonl";
/// How its first line begins.
const BEGIN: &[u8] = br#"{"kind":"search","#;
/// Bytes up to which a first line is read; it names every recommender.
const FIRST_LINE: u64 = 1 << 24;

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
        /// The kept run, by its key: seeing the numbers of one run again is no further look.
        #[serde(default)]
        run: String,
        /// What it gave.
        metrics: BTreeMap<String, f64>,
    },
    /// A recommender that was refused as the file has it, too: no trial was spent on it, and the same command tries it again.
    NoResult(NoResult),
}

/// A recommender without a result, for its own fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct NoResult {
    /// Its place in the search.
    member: usize,
    /// Its name.
    name: String,
    /// What kind of refusal.
    code: FailureCode,
    /// Why.
    cause: String,
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
    /// Whether it is the only trial, because the recommender has nothing to search.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) nothing_to_search: bool,
    /// The metric on the validation rows; null when the run failed. Always written, so that a line without it is a damaged one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) value: Option<f64>,
    /// Every metric on the validation rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metrics: BTreeMap<String, f64>,
    /// Seconds, all included.
    pub(super) seconds: f64,
    /// Epochs trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) epochs: Option<u32>,
    /// The epoch that was best on the validation rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) best_epoch: Option<u32>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    /// What kind of failure; absent in logs from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<FailureCode>,
    /// Whether it was refused before any work: such a trial may cost none of the budget, see [`Plan::counted`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) refused: bool,
    /// SHA-256 of the data that it saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<String>,
}

impl Trial {
    /// One that failed.
    pub(super) fn failed(
        member: usize,
        number: usize,
        of: &Member,
        values: &Values,
        seconds: f64,
        (code, cause): (Option<FailureCode>, String),
    ) -> Self {
        let paths = of.space.dimensions().iter().map(|dimension| dimension.path.clone());
        Self {
            member,
            name: of.name.clone(),
            number,
            parameters: paths.zip(values.iter().cloned()).collect(),
            nothing_to_search: of.is_fixed(),
            value: None,
            metrics: BTreeMap::new(),
            seconds,
            epochs: None,
            best_epoch: None,
            cause: Some(cause),
            code,
            refused: false,
            data: None,
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
            data: Some(summary.data.sha256.clone()),
            ..Self::failed(member, number, of, values, seconds, (None, String::new()))
        }
    }

    /// What is wrong with the line of a trial that was read, of a search by `metric`: its value is that of its metrics, and where there is
    /// none, it failed or its run gave others.
    fn contradiction(&self, metric: &str) -> Option<String> {
        let of_metrics = self.metrics.get(metric).copied();
        match (self.value, of_metrics) {
            (None, None) if self.cause.is_none() && self.data.is_none() => {
                Some("has neither a value nor the cause of a failure".to_owned())
            }
            (value, told) if value == told => None,
            (value, told) => {
                let shown = |number: Option<f64>| number.map_or_else(|| "none".to_owned(), written);
                Some(format!("gives the value {}, and its metrics give {metric} {}", shown(value), shown(told)))
            }
        }
    }

    /// What was tried, in the order of the space.
    pub(super) fn values(&self, member: &Member) -> Values {
        let of = |path: &String| self.parameters.get(path).cloned().unwrap_or_default();
        member.space.dimensions().iter().map(|dimension| of(&dimension.path)).collect()
    }
}

/// The log, open at its end. While it is open no other search writes it.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    trials: Vec<Trial>,
    tests: Vec<Look>,
    without: Vec<NoResult>,
}

/// A look at the test rows: the recommender's place, and the run that was seen.
struct Look {
    member: usize,
    run: String,
}

impl Log {
    /// Opens the log of `plan` in `folder`, or begins it in an empty one. A last line that was not finished is cut off; nothing else of a
    /// log is ever taken away but by `fresh`, and that only of a search.
    ///
    /// # Errors
    /// [`SearchError::Occupied`], [`SearchError::Busy`], [`SearchError::OtherLog`], [`SearchError::Damaged`],
    /// [`SearchError::Contradicts`], [`SearchError::Log`].
    pub(super) fn open(folder: &Path, plan: &Plan, fresh: bool) -> Result<Self, SearchError> {
        let path = folder.join(FILE);
        let shown = || path.display().to_string();
        let failed = |source| SearchError::Log { path: shown(), source };
        // Whatever is written later, as the best specs, goes over files of the same names.
        if !may_hold(folder).map_err(failed)? {
            return Err(SearchError::Occupied { path: folder.display().to_string() });
        }
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(SearchError::Busy { path: shown() }),
            // Some network folders know no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if fresh {
            file.set_len(0).map_err(failed)?;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (lines, whole) = whole_lines(&bytes).map_err(|line| SearchError::Damaged { path: shown(), line })?;
        let first = Line::Search {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            id: id_of(plan),
            members: plan.members.iter().map(|member| member.name.clone()).collect(),
            metric: plan.metric.to_string(),
            method: plan.search.method.as_str().to_owned(),
        };
        match lines.first() {
            None => {}
            Some(Line::Search { id, .. }) if *id == id_of(plan) => {}
            Some(_) => return Err(SearchError::OtherLog { path: shown() }),
        }
        if let Some((line, what)) = contradiction(&lines, &plan.metric.to_string()) {
            return Err(SearchError::Contradicts { path: shown(), line, what });
        }
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(failed)?;
        }
        if lines.is_empty() {
            append(&mut file, &first).map_err(failed)?;
        }
        let (mut trials, mut tests, mut without) = (Vec::new(), Vec::new(), Vec::new());
        for line in lines {
            match line {
                Line::Trial(trial) => trials.push(trial),
                Line::Test { member, run, .. } => tests.push(Look { member, run }),
                Line::NoResult(refusal) => without.push(refusal),
                Line::Search { .. } => {}
            }
        }
        Ok(Self { path, file, trials, tests, without })
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

    /// Writes a look at the test rows down, unless that run was seen before.
    ///
    /// # Errors
    /// [`SearchError::Log`].
    pub(super) fn note_test(
        &mut self,
        member: usize,
        run: &str,
        metrics: &BTreeMap<String, f64>,
    ) -> Result<(), SearchError> {
        if self.tests.iter().any(|look| look.member == member && look.run == run) {
            return Ok(());
        }
        let (trials, run) = (self.of(member).count(), run.to_owned());
        self.write(&Line::Test { member, trials, run: run.clone(), metrics: metrics.clone() })?;
        self.tests.push(Look { member, run });
        Ok(())
    }

    /// Writes down that a recommender is refused as the file has it, too, unless that is what was last said of it.
    ///
    /// # Errors
    /// [`SearchError::Log`].
    pub(super) fn note_refusal(
        &mut self,
        place: usize,
        member: &Member,
        (code, cause): (FailureCode, &str),
    ) -> Result<(), SearchError> {
        let refusal = NoResult { member: place, name: member.name.clone(), code, cause: cause.to_owned() };
        if self.without.iter().rfind(|known| known.member == place) == Some(&refusal) {
            return Ok(());
        }
        self.write(&Line::NoResult(refusal.clone()))?;
        self.without.push(refusal);
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
        self.tests.iter().filter(|look| look.member == member).count()
    }

    /// Trials of a member that failed, without those that were [refused](Self::refusals).
    pub(super) fn failures(&self, member: usize) -> usize {
        self.of(member).filter(|trial| trial.value.is_none() && !trial.refused).count()
    }

    /// Trials of a member that were refused before any work.
    pub(super) fn refusals(&self, member: usize) -> usize {
        self.of(member).filter(|trial| trial.refused).count()
    }

    /// Trials of a member as its budget counts them.
    pub(super) fn counted(&self, member: usize, plan: &Plan) -> usize {
        plan.counted(self.count(member), self.refusals(member))
    }

    /// The last trial of a member that failed, where it is known of what kind that was: of those that were tried, before those that were
    /// refused.
    pub(super) fn last_failed(&self, member: usize) -> Option<&Trial> {
        let last =
            |refused: bool| self.of(member).filter(|trial| trial.refused == refused && trial.code.is_some()).last();
        last(false).or_else(|| last(true))
    }

    /// The hash of the data that the trials saw; `None` before the first of them.
    pub(super) fn data(&self) -> Option<&str> {
        self.trials.iter().find_map(|trial| trial.data.as_deref())
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

/// Whether a search may write into a folder: into one that holds an earlier search, or nothing.
fn may_hold(folder: &Path) -> io::Result<bool> {
    let path = folder.join(FILE);
    let mut first = Vec::new();
    match File::open(&path) {
        Ok(log) => BufReader::new(log).take(FIRST_LINE).read_until(b'\n', &mut first).map(drop)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if begins_a_search(&first) {
        return Ok(true);
    }
    for entry in fs::read_dir(folder)? {
        // A log without a byte is what a search leaves that was killed at once: alone it tells of nothing that could be lost.
        if !first.is_empty() || entry?.path() != path {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a log begins as that of a search does; a first line without an end was cut off.
fn begins_a_search(first: &[u8]) -> bool {
    let whole = || matches!(serde_json::from_slice::<Line>(first), Ok(Line::Search { .. }));
    first.starts_with(BEGIN) && (!first.ends_with(b"\n") || whole())
}

fn append(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// The lines, and how many bytes they take: all but a last one that a kill cut short, which has no end. Otherwise the number of the line
/// that is none of a search's, from 1: somebody wrote into the file, and what follows it is worth as much as what came before.
fn whole_lines(bytes: &[u8]) -> Result<(Vec<Line>, usize), usize> {
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
    let read = |(at, line): (usize, &[u8])| serde_json::from_slice(line).map_err(|_| at + 1);
    let lines = bytes[..whole].split_inclusive(|&byte| byte == b'\n').enumerate().map(read);
    Ok((lines.collect::<Result<_, _>>()?, whole))
}

/// The first line, from 1, with a trial that contradicts itself, and how.
fn contradiction(lines: &[Line], metric: &str) -> Option<(usize, String)> {
    lines.iter().enumerate().find_map(|(at, line)| match line {
        Line::Trial(trial) => Some((at + 1, trial.contradiction(metric)?)),
        _ => None,
    })
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
    fn a_search_may_write_where_nothing_is_or_an_earlier_search_and_nowhere_else() {
        let search = Line::Search {
            version: "0".to_owned(),
            id: "a1".to_owned(),
            members: vec!["item-knn".to_owned()],
            metric: "hit@1".to_owned(),
            method: "tpe".to_owned(),
        };
        let begun = format!("{}\n", serde_json::to_string(&search).unwrap());
        let cut = &begun[..40];
        for (files, due) in [
            (vec![], true),
            (vec![("log.jsonl", begun.as_str()), ("results.jsonl", "{}"), ("notes.md", "mine")], true),
            (vec![("log.jsonl", cut)], true),
            (vec![("log.jsonl", "")], true),
            (vec![("log.jsonl", ""), ("results.jsonl", "{}")], false),
            (vec![("results.jsonl", "{}")], false),
            (vec![("manifest.json", "{}")], false),
            (vec![("log.jsonl", "{\"kind\":\"epoch\",\"loss\":0.5}\n")], false),
            (vec![("log.jsonl", "{\"kind\":\"search\",\"text\":\"of another program\"}\n")], false),
            (vec![("log.jsonl", line().as_str())], false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in &files {
                fs::write(folder.path().join(name), text).unwrap();
            }
            assert_eq!(may_hold(folder.path()).unwrap(), due, "{files:?}");
        }
    }

    #[test]
    fn where_nothing_finished_what_was_tried_tells_more_than_what_was_refused() {
        let trial = |(code, refused): (FailureCode, bool)| -> Trial {
            let text = serde_json::json!({
                "member": 0, "name": "slim", "number": 1, "parameters": {}, "value": null, "seconds": 0.5,
                "code": code, "refused": refused
            });
            serde_json::from_value(text).unwrap()
        };
        let last = |told: &[(FailureCode, bool)]| {
            let trials = told.iter().copied().map(trial).collect();
            let (path, file) = (PathBuf::new(), tempfile::tempfile().unwrap());
            let log = Log { path, file, trials, tests: Vec::new(), without: Vec::new() };
            log.last_failed(0).and_then(|trial| trial.code)
        };
        let (refused, diverged, late) =
            ((FailureCode::OutOfMemory, true), (FailureCode::Diverged, false), (FailureCode::TimeLimit, false));
        assert_eq!(last(&[refused, diverged, late, refused]), Some(FailureCode::TimeLimit));
        assert_eq!(last(&[diverged, refused]), Some(FailureCode::Diverged));
        assert_eq!((last(&[refused, refused]), last(&[])), (Some(FailureCode::OutOfMemory), None));
    }

    #[test]
    fn a_trial_that_contradicts_itself_is_found_with_its_line_and_one_without_a_value_at_all_is_no_trial() {
        let read = |rest: &str| {
            let text = format!(
                "{{\"kind\":\"trial\",\"member\":0,\"name\":\"a\",\"number\":1,\"parameters\":{{}},\"seconds\":1.0,{rest}}}"
            );
            serde_json::from_str::<Line>(&text)
        };
        let of = |rest: &str| {
            let lines = [serde_json::from_str(&line()).unwrap(), read(rest).unwrap()];
            contradiction(&lines, "hit@1")
        };
        for sound in [
            "\"value\":0.1,\"metrics\":{\"hit@1\":0.1,\"mrr@5\":0.2},\"data\":\"a\"",
            "\"value\":null,\"cause\":\"it grew\",\"code\":\"diverged\"",
            // A run that gave the metric no value.
            "\"value\":null,\"metrics\":{\"mrr@5\":0.2},\"data\":\"a\"",
        ] {
            assert_eq!(of(sound), None, "{sound}");
        }
        for (damaged, due) in [
            ("\"value\":0.9,\"metrics\":{\"hit@1\":0.1}", "gives the value 0.9, and its metrics give hit@1 0.1"),
            ("\"value\":null,\"metrics\":{\"hit@1\":0.1}", "gives the value none, and its metrics give hit@1 0.1"),
            ("\"value\":0.9", "gives the value 0.9, and its metrics give hit@1 none"),
            ("\"value\":null", "has neither a value nor the cause of a failure"),
        ] {
            assert_eq!(of(damaged), Some((2, due.to_owned())), "{damaged}");
        }
        assert!(read("\"vxlue\":0.1,\"metrics\":{\"hit@1\":0.1}").is_err());
    }

    fn line() -> String {
        let test = Line::Test { member: 0, trials: 3, run: "ä1".to_owned(), metrics: BTreeMap::new() };
        serde_json::to_string(&test).unwrap()
    }

    #[test]
    fn a_line_that_was_not_finished_is_cut_off_wherever_it_ends() {
        let line = line();
        let whole = format!("{line}\n{line}\n");
        // Inside a letter of two bytes, too.
        for cut in 0..line.len() {
            let bytes = [whole.as_bytes(), &line.as_bytes()[..cut]].concat();
            let (lines, end) = whole_lines(&bytes).unwrap();
            assert_eq!((lines.len(), end), (2, whole.len()), "{cut}");
        }
        // A whole line without its end may be half of a longer one.
        assert_eq!(whole_lines(line.as_bytes()), Ok((Vec::new(), 0)));
    }

    #[test]
    fn a_damaged_line_costs_no_other_line_and_is_not_taken_away_be_it_the_last() {
        let (line, damaged) = (line(), &line()[..9]);
        assert_eq!(whole_lines(format!("{line}\n{damaged}\n{line}\n").as_bytes()), Err(2));
        assert_eq!(whole_lines(format!("{line}\n{line}\n{damaged}\n").as_bytes()), Err(3));
        assert_eq!(whole_lines(&[line.as_bytes(), b"\n\xff\xfe\n"].concat()), Err(2));
    }
}
