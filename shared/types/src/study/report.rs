//! The report of a study: what the page draws, the terminal prints and the documents hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::progress::StudyProgress;
use crate::beside::GLOBAL_MEAN_TITLE;
use crate::spec::ExperimentSpec;

/// A study as it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyReport {
    /// Its name in the catalogue, as `four-layer`.
    pub study: String,
    /// For people.
    pub title: String,
    /// What it asks, in one sentence.
    pub question: String,
    /// When it was measured, in milliseconds since 1970.
    pub measured_ms: i64,
    /// The command that measures the same again.
    pub command: String,
    /// Where it was measured.
    pub machine: StudyMachine,
    /// What every row has the same: data, sizes, settings; a sentence each.
    pub conditions: Vec<String>,
    /// What was measured, and what the paper printed.
    pub tables: Vec<StudyTable>,
    /// Why the tables differ, and how they are to be read.
    pub differences: Vec<Difference>,
    /// What the errors of the networks are held against, where networks were measured; absent where no run told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt: Option<StudyLearnt>,
    /// The specs that ran, where runs were what was measured; each carries its row's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "specs_by_value")]
    pub specs: Vec<ExperimentSpec>,
    /// Of each spec, by its name: what it leaves to the defaults of the program, with the values that those had when its row was measured
    /// ([`ExperimentSpec::left_to_defaults`]). Empty of a report from before this was told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub defaults: BTreeMap<String, BTreeMap<String, String>>,
    /// How far it came, where the study was stopped before its end; absent of a whole report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<StudyProgress>,
    /// What is to be known where it was measured in more than one sitting, a sentence each; empty where it was measured in one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sittings: Vec<String>,
}

/// Reads specs by way of [`ExperimentSpec::from_value`], as every message does: the page then carries the code for that once.
fn specs_by_value<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<ExperimentSpec>, D::Error> {
    let values = Vec::<serde_json::Value>::deserialize(deserializer)?;
    values.into_iter().map(|value| ExperimentSpec::from_value(value).map_err(serde::de::Error::custom)).collect()
}

/// What the errors of a study's networks are held against. With the errors in the tables it makes the sentence of what
/// these say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyLearnt {
    /// What the one number is that is said for everybody, as `the mean of the ratings to learn from`.
    pub number: String,
    /// Its root mean squared error on the rows that the networks are tested on, in their unit.
    pub error: f64,
    /// What the networks have learnt from, as `After 3 epochs of 10,000 ratings`.
    pub after: String,
}

/// The machine of a study.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyMachine {
    /// Operating system, processor and cores; empty where nothing ran.
    pub host: String,
    /// Threads of every row; absent where rows differ or nothing ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Name and version of everything that computed; of several versions, that of the first row.
    pub versions: BTreeMap<String, String>,
    /// Tells this machine from others of its kind; nothing where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The version of the program that wrote the report, with what it was built from ([`crate::build`]); nothing of a report from before
    /// this was told. That of the worker stands among `versions`, as `recspeed`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub build: String,
    /// Tells these builds of the lab's programs from others, which may have the same version; nothing where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub programs: String,
    /// What others took of it meanwhile; absent where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<StudyLoad>,
}

/// What others took of the machine while a study measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyLoad {
    /// The system's load average of a minute when the study began.
    pub before: f64,
    /// The same at its end, which holds the study's own last minute.
    pub after: f64,
    /// The part of all processors, from 0 to 1, that was taken by what is not the study's.
    pub others: f64,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyTable {
    /// What it shows.
    pub title: String,
    /// Who measured it.
    pub whose: Whose,
    /// How the rows are named, as `engine`; then a cell of each column.
    pub rows_are: String,
    /// The columns behind the row's name.
    pub columns: Vec<StudyColumn>,
    /// The rows.
    pub rows: Vec<StudyRow>,
    /// Place of the column that is drawn as bars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bars: Option<usize>,
}

/// Who measured a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// The paper, on its machine.
    Paper,
    /// This lab, on the machine of the report.
    Measured,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyColumn {
    /// What it holds.
    pub name: String,
    /// The unit of its numbers.
    pub unit: Unit,
    /// Which numbers are better; absent where neither are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<Better>,
}

/// The unit of a column's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// The column holds words.
    Words,
    /// A number without a unit, as an error from 0 to 1.
    Plain,
    /// Something counted.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// How many times something else.
    Times,
    /// A part of a whole, from 0 to 1.
    Share,
    /// A very small ratio, shown with an exponent.
    Ratio,
}

/// Which numbers of a column are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// Small ones.
    Lower,
    /// Large ones.
    Higher,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyRow {
    /// What it is, as `PyTorch`.
    pub name: String,
    /// What must be known beside it: versions, and everything in which it is not like the others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// A cell for each column. A row that is missing or failed says so in its first cell, and the others are empty.
    pub cells: Vec<StudyCell>,
}

/// The name of a row that is no engine: the mean of what all rows learnt from, said of every test row and judged as they are. What does not
/// err less has learnt nothing that is of use.
pub const ONE_NUMBER: &str = GLOBAL_MEAN_TITLE;

/// What that row was called in reports of before it had the name that it has everywhere; such reports are still merged
/// and drawn.
const FORMER_ONE_NUMBER: &str = "One number for everybody (mean of the training rows)";

/// What a cell holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "cell", rename_all = "kebab-case")]
pub enum StudyCell {
    /// Nothing.
    Empty,
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A number.
    Number(NumberCell),
    /// It could not be measured here, for want of something.
    Missing(Missing),
    /// It was tried, and failed.
    Failed {
        /// Why, as the run told it.
        cause: String,
    },
}

/// A number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NumberCell {
    /// The number, in the unit of its column; the median where there are several runs.
    pub value: f64,
    /// Of how many runs, and how far apart they were; absent for a single number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// As the paper printed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printed: Option<String>,
    /// What must be known to read it, as `measured on 10,000 rows, scaled`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// How far apart the runs behind a number were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
    /// How many.
    pub runs: u32,
    /// Their standard deviation, where the number is their mean and not their median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
}

/// What a row waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Missing {
    /// The command that brings it; empty where none does. It stands once below the tables, and not in the row.
    pub install: String,
    /// Why it is not here, as `not installed`; may be empty. A few words are the row's cell, more stand beside the command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A difference between the tables, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// What it is about, in a word.
    pub heading: String,
    /// The explanation, in plain words; code stands between backticks.
    pub text: String,
}

impl StudyColumn {
    /// A column of words.
    pub fn words(name: &str) -> Self {
        Self { name: name.to_owned(), unit: Unit::Words, better: None }
    }

    /// A column whose small numbers are better.
    pub fn lower(name: &str, unit: Unit) -> Self {
        Self { name: name.to_owned(), unit, better: Some(Better::Lower) }
    }

    /// A column whose large numbers are better.
    pub fn higher(name: &str, unit: Unit) -> Self {
        Self { name: name.to_owned(), unit, better: Some(Better::Higher) }
    }

    /// A column whose numbers describe.
    pub fn plain(name: &str, unit: Unit) -> Self {
        Self { name: name.to_owned(), unit, better: None }
    }
}

impl Missing {
    /// A device that computes on a GPU, where there is none: nothing brings it. Every table says it in the same words.
    pub fn no_gpu() -> Self {
        Self { install: String::new(), why: "no GPU here".to_owned() }
    }
}

impl StudyCell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// A single number.
    pub fn number(value: f64) -> Self {
        Self::Number(NumberCell { value, spread: None, printed: None, note: String::new() })
    }

    /// A number, or nothing.
    pub fn of(value: Option<f64>) -> Self {
        value.map_or(Self::Empty, Self::number)
    }

    /// A number of the paper's.
    pub fn printed(value: f64, printed: &str) -> Self {
        Self::Number(NumberCell { value, spread: None, printed: Some(printed.to_owned()), note: String::new() })
    }

    /// The median of several runs with their spread; [`Self::Empty`] for none.
    pub fn runs(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let value = match sorted.len() {
            0 => return Self::Empty,
            count if count % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        let spread =
            Spread { least: sorted[0], most: sorted[sorted.len() - 1], runs: sorted.len() as u32, deviation: None };
        Self::Number(NumberCell { value, spread: Some(spread), printed: None, note: String::new() })
    }

    /// The mean of several runs with their standard deviation; [`Self::Empty`] for none.
    pub fn mean(values: &[f64]) -> Self {
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / count.saturating_sub(1).max(1) as f64).sqrt();
        // Equal numbers and their mean may differ by a rounding.
        let deviation = if deviation <= 1e-12 * mean.abs() { 0.0 } else { deviation };
        match Self::runs(values) {
            Self::Number(NumberCell { spread: Some(spread), .. }) => {
                let spread = Spread { deviation: Some(deviation), ..spread };
                Self::Number(NumberCell { value: mean, spread: Some(spread), printed: None, note: String::new() })
            }
            none => none,
        }
    }

    /// The median of several numbers, without their spread; `None` for none.
    pub fn median(values: &[f64]) -> Option<Self> {
        Self::runs(values).value().map(Self::number)
    }

    /// The same with a note.
    #[must_use]
    pub fn noted(mut self, words: impl Into<String>) -> Self {
        if let Self::Number(number) = &mut self {
            number.note = words.into();
        }
        self
    }

    /// Its number.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number.value),
            _ => None,
        }
    }
}

impl Difference {
    /// A heading and its explanation.
    pub fn new(heading: &str, text: impl Into<String>) -> Self {
        Self { heading: heading.to_owned(), text: text.into() }
    }
}

impl StudyRow {
    /// A row that says in its first cell why it has no numbers.
    pub fn without_numbers(name: &str, why: StudyCell, columns: usize) -> Self {
        let mut cells = vec![StudyCell::Empty; columns];
        if let Some(first) = cells.first_mut() {
            *first = why;
        }
        Self { name: name.to_owned(), note: String::new(), cells }
    }

    /// [`ONE_NUMBER`], with these numbers in the columns of these places. It was not trained, which stands where others have their time.
    pub fn one_number(numbers: &[(usize, f64)], columns: usize) -> Self {
        let mut row = Self::without_numbers(ONE_NUMBER, StudyCell::text("no training"), columns);
        for (place, value) in numbers {
            if let Some(cell) = row.cells.get_mut(*place) {
                *cell = StudyCell::number(*value);
            }
        }
        row
    }

    /// Whether the row is no engine and no method, but what these are held against.
    pub fn is_reference(&self) -> bool {
        self.name == ONE_NUMBER || self.name == FORMER_ONE_NUMBER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_global_mean_of_an_older_report_is_still_no_engine() {
        let now = StudyRow::one_number(&[(0, 0.4)], 1);
        let former =
            StudyRow { name: "One number for everybody (mean of the training rows)".to_owned(), ..now.clone() };
        let engine = StudyRow { name: "Burn".to_owned(), ..now.clone() };
        assert_eq!([now, former, engine].map(|row| row.is_reference()), [true, true, false]);
    }

    fn numbers(values: &[f64]) -> Option<(f64, f64, f64, u32)> {
        match StudyCell::runs(values) {
            StudyCell::Number(NumberCell { value, spread: Some(s), .. }) => Some((value, s.least, s.most, s.runs)),
            _ => None,
        }
    }

    #[test]
    fn runs_that_are_equal_deviate_by_nothing() {
        let StudyCell::Number(number) = StudyCell::mean(&[0.1; 3]) else { panic!("three runs have a mean") };
        assert_eq!(number.spread.and_then(|spread| spread.deviation), Some(0.0));
    }

    #[test]
    fn the_number_of_a_few_runs_is_their_median_between_the_smallest_and_the_largest() {
        assert_eq!(numbers(&[]), None);
        assert_eq!(numbers(&[2.0]), Some((2.0, 2.0, 2.0, 1)));
        assert_eq!(numbers(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0, 3)));
        assert_eq!(numbers(&[4.0, 1.0, 2.0, 3.0]), Some((2.5, 1.0, 4.0, 4)));
    }

    #[test]
    fn a_mean_has_the_standard_deviation_of_a_sample() {
        let StudyCell::Number(NumberCell { value, spread: Some(spread), .. }) = StudyCell::mean(&[1.0, 2.0, 6.0])
        else {
            panic!("a number")
        };
        // ((−2)² + (−1)² + 3²) / 2 = 7
        assert_eq!((value, spread.deviation, spread.runs), (3.0, Some(7.0_f64.sqrt()), 3));
        assert_eq!((spread.least, spread.most), (1.0, 6.0));
        assert_eq!(StudyCell::mean(&[]), StudyCell::Empty);
        assert_eq!(StudyCell::mean(&[2.0]).value(), Some(2.0));
    }

    #[test]
    fn every_kind_of_cell_comes_back_from_json() {
        let cells = vec![
            StudyCell::Empty,
            StudyCell::text("none"),
            StudyCell::number(0.5).noted("scaled"),
            StudyCell::printed(0.4, "0.40"),
            StudyCell::runs(&[1.0, 2.0]),
            StudyCell::mean(&[1.0, 2.0]),
            StudyCell::Missing(Missing { install: "recspeed engines install pytorch".into(), why: String::new() }),
            StudyCell::Failed { cause: "It crashed.".into() },
        ];
        let json = serde_json::to_string(&cells).expect("JSON");
        assert_eq!(serde_json::from_str::<Vec<StudyCell>>(&json).expect("the same"), cells, "{json}");
    }
}
