//! Runs in turns, and what came of each engine.

use std::path::PathBuf;

use recspeed_engines::{Engines, find};
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::EngineKind;
use recspeed_types::summary::RunSummary;
use serde::Serialize;

use super::super::failure::CommandError;
use super::super::output;
use super::super::run::{Interrupts, Ran, Screen, WorkerOptions, find_worker, run_quietly};
use super::StudyArgs;

/// One engine of a study.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    /// `engine.kind`.
    pub(super) engine: &'static str,
    /// For people.
    pub(super) title: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub(super) result: Measured,
}

/// What came of an engine.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(super) enum Measured {
    /// It is not here.
    Missing {
        /// The command that brings it.
        install: String,
        /// Half installed, or unusable; empty where there is nothing of it.
        why: String,
    },
    /// It failed: in its first run, or in a later one.
    Failed {
        /// The run's cause.
        cause: String,
        /// Runs that had finished before.
        finished: usize,
    },
    /// It ran.
    Ran {
        /// Seconds of each training.
        fit_s: Vec<f64>,
        /// Seconds that the framework took to start, where one was started.
        start_s: Vec<f64>,
        /// Largest memory of all runs, of whichever process held more.
        peak_bytes: u64,
        /// The summary of the last run, which says what was compared.
        summary: Box<RunSummary>,
        /// In what it is not like the first row; empty where the rows can stand side by side.
        differs: Vec<String>,
    },
}

/// Median, smallest and largest.
pub(super) fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.len() {
        0 => return None,
        count if count % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    };
    Some((median, sorted[0], sorted[sorted.len() - 1]))
}

/// Every engine in turns; `None` when the user stopped it.
pub(super) fn in_turns(
    args: &StudyArgs,
    engines: &Engines,
    kinds: &[EngineKind],
    spec: &ExperimentSpec,
) -> Result<Option<Vec<Row>>, CommandError> {
    let options = WorkerOptions {
        program: find_worker(args.worker.as_deref())?,
        spec_dir: PathBuf::from("."),
        data_home: args.home.clone(),
        checkpoint_dir: None,
        model: None,
        resume: None,
        users: None,
    };
    let interrupts = Interrupts::listen();
    let mut gathered: Vec<Gathered> = kinds.iter().map(|&kind| Gathered::of(kind, engines)).collect();
    for repeat in 1..=args.repeats {
        for row in gathered.iter_mut().filter(|row| row.goes_on()) {
            let title = format!("{}, {repeat} of {}", row.kind.title(), args.repeats);
            let mut spec = spec.clone();
            spec.engine.kind = row.kind;
            let mut screen = Screen::new(&title);
            let ran = run_quietly(&spec, &options, &mut screen, &interrupts);
            screen.clear();
            match ran {
                Ok(Ran::Finished(summary)) => {
                    output::complain(&format!("{title}: {:.3} s", summary.timing.fit_s));
                    row.runs.push(*summary);
                }
                Ok(Ran::Interrupted) => return Ok(None),
                Ok(Ran::Failed { cause, .. }) => row.fails(&title, cause),
                // A worker that died: the study goes on with the others.
                Err(CommandError::Worker(error)) => row.fails(&title, error.to_string()),
                Err(error) => return Err(error),
            }
        }
    }
    let first = gathered.iter().find_map(|row| row.runs.last().cloned());
    Ok(Some(gathered.into_iter().map(|row| row.finish(first.as_ref())).collect()))
}

/// An engine while it is measured.
struct Gathered {
    kind: EngineKind,
    missing: Option<String>,
    failed: Option<String>,
    runs: Vec<RunSummary>,
}

impl Gathered {
    fn of(kind: EngineKind, engines: &Engines) -> Self {
        let missing = kind.is_reference().then(|| engines.launch(kind).err().map(|error| error.to_string()));
        Self { kind, missing: missing.flatten(), failed: None, runs: Vec::new() }
    }

    fn goes_on(&self) -> bool {
        self.missing.is_none() && self.failed.is_none()
    }

    fn fails(&mut self, title: &str, cause: String) {
        output::complain(&format!("{title}: failed: {cause}"));
        self.failed = Some(cause);
    }

    fn finish(mut self, first: Option<&RunSummary>) -> Row {
        let finished = self.runs.len();
        let install = || find(self.kind).map(recspeed_engines::Reference::install_command).unwrap_or_default();
        let result = match (self.missing, self.failed, self.runs.pop()) {
            (Some(why), ..) => Measured::Missing { install: install(), why },
            (None, Some(cause), _) => Measured::Failed { cause, finished },
            (None, None, None) => Measured::Failed { cause: "it never ran".to_owned(), finished },
            (None, None, Some(last)) => {
                let all = || self.runs.iter().chain([&last]);
                Measured::Ran {
                    fit_s: all().map(|run| run.timing.fit_s).collect(),
                    start_s: all().filter_map(|run| run.timing.start_s).collect(),
                    peak_bytes: all().map(|run| run.memory.peak).max().unwrap_or(0),
                    differs: first.map(|first| differences(first, &last)).unwrap_or_default(),
                    summary: Box::new(last),
                }
            }
        };
        Row { engine: self.kind.as_str(), title: self.kind.title(), result }
    }
}

/// In what two runs cannot be compared.
fn differences(first: &RunSummary, other: &RunSummary) -> Vec<String> {
    let steps = |run: &RunSummary| run.training.as_ref().map(|training| (training.steps, training.parameters));
    let rows = |run: &RunSummary| (run.data.train, run.data.validation, run.data.test);
    [
        ("the data set", first.data.sha256 != other.data.sha256),
        ("the rows", rows(first) != rows(other)),
        ("the seed", first.seed != other.seed),
        ("steps or parameters", steps(first) != steps(other)),
        ("threads", first.engine.threads != other.engine.threads),
        ("the machine", first.engine.host != other.engine.host),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(what, _)| what.to_owned())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_a_few_runs_is_median_smallest_and_largest() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[2.0]), Some((2.0, 2.0, 2.0)));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some((2.5, 1.0, 4.0)));
    }
}
