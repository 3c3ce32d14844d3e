//! One row of a study, and the figures of its runs.

use recspeed_types::ExperimentSpec;
use recspeed_types::study::{Missing, StudyCell, StudyRow};
use recspeed_types::summary::RunSummary;

/// One row of a study.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// For people.
    pub(super) name: String,
    /// What it ran.
    pub(super) spec: ExperimentSpec,
    /// What came of it.
    pub(super) result: Measured,
    /// The most bytes of each rank in its last run: by the rank's own ledger, of another framework its process.
    pub(super) ranks: Vec<u64>,
    /// In what its worker is another build than the usual one.
    pub(super) other_build: Option<String>,
}

/// What came of a row.
#[derive(Debug, Clone)]
pub(super) enum Measured {
    /// What it needs is not here.
    Missing(Missing),
    /// It failed: in its first run, or in a later one.
    Failed {
        /// The run's cause.
        cause: String,
        /// Runs that had finished before.
        finished: usize,
    },
    /// It ran, at least once.
    Ran(Vec<RunSummary>),
}

impl Row {
    /// A row that has come to this, by the usual worker or by none.
    pub(super) fn new(name: String, spec: ExperimentSpec, result: Measured) -> Self {
        Self { name, spec, result, ranks: Vec::new(), other_build: None }
    }

    /// Its last run.
    pub(super) fn last(&self) -> Option<&RunSummary> {
        self.runs().last()
    }

    /// Its runs; empty where it has none to show.
    pub(super) fn runs(&self) -> &[RunSummary] {
        match &self.result {
            Measured::Ran(runs) => runs,
            _ => &[],
        }
    }

    /// Its spec under the row's name.
    pub(super) fn named_spec(&self) -> ExperimentSpec {
        ExperimentSpec { name: self.name.clone(), ..self.spec.clone() }
    }

    /// One cell of its last run, or why there is none.
    pub(super) fn cell(&self, of: impl Fn(&RunSummary) -> Option<f64>) -> StudyCell {
        match &self.result {
            Measured::Missing(missing) => StudyCell::Missing(missing.clone()),
            Measured::Failed { cause, .. } => StudyCell::Failed { cause: cause.clone() },
            Measured::Ran(runs) => StudyCell::of(runs.last().and_then(of)),
        }
    }

    /// The row of a table: the cells of its runs, or why there are none.
    pub(super) fn table_row(
        &self,
        note: String,
        columns: usize,
        cells: impl Fn(&[RunSummary]) -> Vec<StudyCell>,
    ) -> StudyRow {
        let without = |why| StudyRow::without_numbers(&self.name, why, columns);
        match &self.result {
            Measured::Missing(missing) => without(StudyCell::Missing(missing.clone())),
            Measured::Failed { cause, finished: 0 } => without(StudyCell::Failed { cause: cause.clone() }),
            Measured::Failed { cause, finished } => {
                without(StudyCell::Failed { cause: format!("after {finished} runs: {cause}") })
            }
            Measured::Ran(runs) => StudyRow { name: self.name.clone(), note, cells: cells(runs) },
        }
    }
}

/// The name of what a run was given, which says of ratings that nobody gave that they are made up.
pub(super) fn data_of(run: &RunSummary) -> String {
    format!("{}{}", run.data.name, if run.data.synthetic { " (made up)" } else { "" })
}

/// Seconds of training, one for each run.
pub(super) fn fit_s(runs: &[RunSummary]) -> Vec<f64> {
    runs.iter().map(|run| run.timing.fit_s).collect()
}

/// A metric over all runs: the mean with the standard deviation where each had a seed of its own; empty where none has it.
pub(super) fn over_seeds(runs: &[RunSummary], of: impl Fn(&RunSummary) -> Option<f64>) -> StudyCell {
    StudyCell::mean(&runs.iter().filter_map(of).collect::<Vec<_>>())
}

/// Most bytes of a run, of whichever process held more: the median of the runs, as of their times. In the first run of a framework, what
/// it starts to look at its surroundings is counted with it, and may be as large as itself for a moment.
pub(super) fn peak(runs: &[RunSummary]) -> StudyCell {
    let peaks: Vec<f64> = runs.iter().map(|run| run.memory.peak as f64).collect();
    StudyCell::median(&peaks).unwrap_or(StudyCell::Empty)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run as a worker tells of it.
    pub(in super::super) const RUN: &str = r#"{"run":"r","status":"finished","metrics":{},"timing":{"load_s":0.1,"fit_s":0.5,"evaluate_s":0.3},
        "memory":{"parameters":8,"gradients":0,"optimizer":0,"activations":0,"buffers":0,"allocator_total":9,"peak":9},
        "engine":{"kind":"burn","device":"flex","versions":{},"host":"a test","threads":1},
        "data":{"name":"tiny","users":4,"items":4,"train":5,"validation":0,"test":6,"bad_lines":0,"sha256":"abc","synthetic":true},
        "evaluation":{"candidates":"none","candidate_items":4,"test_users":4,"evaluated_users":4,"sampled_users":false,
        "cold_users":0,"cold_item_rows":0,"tie_rule":"lower id","tie_share":0,"rating_scale":"stars"},"seed":42}"#;

    /// A row that has come to this.
    pub(in super::super) fn row(result: Measured) -> Row {
        Row {
            name: "PyVelox".into(),
            spec: ExperimentSpec::from_toml("version = 1").unwrap_or_default(),
            result,
            ranks: Vec::new(),
            other_build: None,
        }
    }

    #[test]
    fn the_memory_of_a_row_is_the_median_of_its_runs_peaks() {
        let of = |peaks: &[u64]| {
            let runs = peaks.iter().map(|&peak| {
                let mut run: RunSummary = serde_json::from_str(RUN).unwrap();
                run.memory.peak = peak;
                run
            });
            peak(&runs.collect::<Vec<_>>()).value()
        };
        assert_eq!(of(&[3600, 1300, 1310]), Some(1310.0), "one run that held more does not stand for all");
        assert_eq!(of(&[7]), Some(7.0));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_row_that_is_missing_or_failed_says_why_in_its_first_cell() {
        let cells = |_: &[RunSummary]| Vec::new();
        let missing = Missing { install: "make it".into(), why: String::new() };
        let shown = row(Measured::Missing(missing.clone())).table_row(String::new(), 3, cells);
        assert_eq!(shown.cells, [StudyCell::Missing(missing), StudyCell::Empty, StudyCell::Empty]);
        let failed = Measured::Failed { cause: "It crashed.".into(), finished: 2 };
        let shown = row(failed).table_row(String::new(), 1, cells);
        assert_eq!(shown.cells, [StudyCell::Failed { cause: "after 2 runs: It crashed.".into() }]);
    }
}
