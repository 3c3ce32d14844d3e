//! About how long the trainings of a study take that are left: by those that it has made, and before by what the last report
//! has of the same rows, also of other data.

use recspeed_types::ExperimentSpec;
use recspeed_types::builtin;
use recspeed_types::spec::{DataSource, DatasetSpec};
use recspeed_types::study::{StudyReport, Unit, Whose};

use crate::command::figures;

/// Less than so many seconds are not worth a word.
const WORTH_TELLING_S: f64 = 120.0;

/// What is left of a study.
pub(super) struct Forecast(Vec<Left>);

/// What is left of a row.
struct Left {
    runs: u32,
    /// Seconds of a run, where anything tells them.
    seconds: Option<f64>,
}

impl Forecast {
    /// Of rows of which so many runs are left, with the seconds of one where these are known.
    pub(super) fn of(rows: impl Iterator<Item = (u32, Option<f64>)>) -> Self {
        Self(rows.map(|(runs, seconds)| Left { runs, seconds }).collect())
    }

    /// A run of the row at this place was made, and took so many seconds.
    pub(super) fn ran(&mut self, row: usize, seconds: f64) {
        if let Some(left) = self.0.get_mut(row) {
            *left = Left { runs: left.runs.saturating_sub(1), seconds: Some(seconds) };
        }
    }

    /// The row at this place will not be run again.
    pub(super) fn given_up(&mut self, row: usize) {
        if let Some(left) = self.0.get_mut(row) {
            left.runs = 0;
        }
    }

    /// How much is left, in words; nothing where that is little, or not known of any row.
    pub(super) fn words(&self) -> Option<String> {
        let left = || self.0.iter().filter(|row| row.runs > 0);
        let seconds: f64 = left().filter_map(|row| Some(f64::from(row.runs) * row.seconds?)).sum();
        if seconds < WORTH_TELLING_S {
            return None;
        }
        let about = format!("about {} of training are left", figures::whole_seconds(seconds));
        Some(match left().filter(|row| row.seconds.is_none()).count() {
            0 => about,
            rows => format!("{about}, and {} of unknown length", figures::counted(rows as u64, "row", "rows")),
        })
    }
}

/// Seconds that a run of this spec takes by what the last report has of the row of this name. Where its data were others, a
/// row to learn from takes as long as it took there; another size of batches changes that, and is left out of account.
/// `None` where the report has no time of it, or where anything else than data and batches was otherwise.
pub(super) fn seconds(last: &StudyReport, name: &str, spec: &ExperimentSpec) -> Option<f64> {
    let theirs = last.specs.iter().find(|other| other.name == name)?;
    if apart_from_size(theirs) != apart_from_size(spec) {
        return None;
    }
    let scale = if theirs.dataset == spec.dataset { 1.0 } else { rows(&spec.dataset)? / rows(&theirs.dataset)? };
    let mut tables = last.tables.iter().filter(|table| table.whose == Whose::Measured);
    let took = tables.find_map(|table| {
        let column =
            table.bars.filter(|&column| table.columns.get(column).is_some_and(|it| it.unit == Unit::Seconds))?;
        table.rows.iter().find(|row| row.name == name)?.cells.get(column)?.value()
    })?;
    Some(took * scale)
}

/// The spec without what makes the same row longer or shorter.
fn apart_from_size(spec: &ExperimentSpec) -> ExperimentSpec {
    let mut spec = ExperimentSpec { name: String::new(), ..spec.clone() };
    (spec.dataset.id, spec.dataset.sample, spec.training.batch_size) = (None, None, None);
    spec
}

/// Rows of a data set that the lab makes itself; of others nobody knows before they are read.
fn rows(dataset: &DatasetSpec) -> Option<f64> {
    if dataset.source != DataSource::Builtin {
        return None;
    }
    let all = u64::from(builtin::find(dataset.id.as_deref()?)?.rows);
    Some(dataset.sample.map_or(all, |sample| sample.min(all)) as f64)
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{StudyCell, StudyColumn, StudyMachine, StudyRow, StudyTable};

    use super::*;

    fn of(id: &str, batch_size: u32) -> ExperimentSpec {
        let mut spec = ExperimentSpec { dataset: DatasetSpec::builtin(id), ..ExperimentSpec::default() };
        spec.training.batch_size = Some(batch_size);
        spec
    }

    /// A report of one row that trained for five seconds on 10,000 rows.
    fn report() -> StudyReport {
        let table = StudyTable {
            title: "Measured here".to_owned(),
            whose: Whose::Measured,
            rows_are: "strategy".to_owned(),
            columns: vec![StudyColumn::lower("training", Unit::Seconds)],
            rows: vec![StudyRow {
                name: "GPipe".to_owned(),
                note: String::new(),
                cells: vec![StudyCell::runs(&[4.0, 5.0, 6.0])],
            }],
            bars: Some(0),
        };
        let mut report = super::super::report("mixed", String::new(), StudyMachine::default(), vec![table]);
        report.specs = vec![ExperimentSpec { name: "GPipe".to_owned(), ..of("beauty-synthetic-10k", 256) }];
        report
    }

    #[test]
    fn a_row_of_more_data_takes_longer_by_as_much_and_one_that_trains_otherwise_is_not_foretold() {
        let told = |spec: &ExperimentSpec| seconds(&report(), "GPipe", spec);
        assert_eq!(told(&of("beauty-synthetic-10k", 256)), Some(5.0));
        assert_eq!(told(&of("beauty-synthetic", 1024)), Some(5.0 * (2_023_070.0 / 10_000.0)));
        let mut sampled = of("beauty-synthetic", 1024);
        sampled.dataset.sample = Some(20_000);
        assert_eq!(told(&sampled), Some(10.0));
        let mut longer = of("beauty-synthetic", 1024);
        longer.training.epochs = Some(7);
        assert_eq!(told(&longer), None);
        assert_eq!(seconds(&report(), "1F1B", &of("beauty-synthetic-10k", 256)), None, "it has no such row");
        let mut other_column = report();
        other_column.tables[0].columns[0].unit = Unit::Plain;
        assert_eq!(seconds(&other_column, "GPipe", &of("beauty-synthetic-10k", 256)), None, "no time");
    }

    #[test]
    fn what_is_left_is_told_where_it_is_long_and_by_what_was_measured_since() {
        let mut forecast = Forecast::of([(2, Some(60.0)), (1, Some(300.0)), (1, None), (0, Some(999.0))].into_iter());
        let words = |forecast: &Forecast| forecast.words().unwrap_or_default();
        assert_eq!(words(&forecast), "about 7 min 00 s of training are left, and 1 row of unknown length");
        forecast.ran(0, 100.0);
        assert_eq!(words(&forecast), "about 6 min 40 s of training are left, and 1 row of unknown length");
        forecast.ran(2, 1.0);
        assert_eq!(words(&forecast), "about 6 min 40 s of training are left");
        forecast.given_up(1);
        assert_eq!(forecast.words(), None, "100 seconds are no long time");
    }
}
