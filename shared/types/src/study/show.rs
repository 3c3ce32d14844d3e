//! Numbers of a study in words: the same on the page, in the terminal and in the documents.

use std::fmt;

use super::progress::StudyProgress;
use super::report::{
    Better, Missing, NumberCell, Spread, StudyCell, StudyLoad, StudyMachine, StudyReport, StudyTable, Unit,
};
use crate::build::{words, words_beside};

/// The part of the processors that others may take before a machine is called busy.
const BUSY: f64 = 0.1;
/// Characters of a cause that fit into a cell.
const CELL: usize = 36;

impl Unit {
    /// A number of this unit, as people read it.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Words | Self::Plain => plain(value),
            Self::Count => grouped(value),
            Self::Seconds => seconds(value),
            Self::Bytes => bytes(value),
            Self::BytesPerSecond => format!("{:.1} GB/s", value / 1e9),
            Self::Times if value < 100.0 => format!("{value:.1} ×"),
            Self::Times => format!("{} ×", grouped(value)),
            Self::Share => format!("{:.1} %", value * 100.0),
            Self::Ratio => format!("{value:.2e}"),
        }
    }
}

impl StudyReport {
    /// Why the report is partial, in sentences; `None` where it is whole.
    pub fn why_partial(&self) -> Option<String> {
        let StudyProgress { done, total } = self.partial?;
        Some(format!(
            "the study was stopped after {done} of {total} measurements. Rows that it had not come to say so, and the same command goes on."
        ))
    }
}

impl StudyMachine {
    /// The commit that the programs were built from, in a sentence; `None` of a report from before this was told.
    pub fn built(&self) -> Option<String> {
        let own = Some(self.build.as_str()).filter(|build| !build.is_empty())?;
        Some(match self.versions.get("recspeed").filter(|worker| *worker != own) {
            None => format!("The lab was built from {}.", words(own)),
            Some(worker) => format!(
                "`recspeed` was built from {}, and the worker that measured from {}.",
                words_beside(own, worker),
                words_beside(worker, own)
            ),
        })
    }
}

impl NumberCell {
    /// The number alone: as the paper printed it, or in its unit.
    pub fn show(&self, unit: Unit) -> String {
        self.printed.clone().unwrap_or_else(|| unit.show(self.value))
    }

    /// Smallest and largest, or the standard deviation; empty for a single number.
    pub fn show_spread(&self, unit: Unit) -> String {
        match self.spread {
            None => String::new(),
            Some(Spread { deviation: Some(deviation), .. }) => format!("± {}", unit.show(deviation)),
            Some(Spread { least, most, .. }) => format!("{} to {}", unit.show(least), unit.show(most)),
        }
    }
}

impl Missing {
    /// Why there is no number, in the few words that a cell has room for.
    pub fn show(&self) -> &str {
        let why = self.why.trim_end_matches('.');
        // Behind the colon stands what was said of it, and what to do: that is told below the tables.
        let short = if self.is_short() { why } else { why.split(": ").next().unwrap_or_default() };
        if short.is_empty() || short.chars().count() > CELL { "not here" } else { short }
    }

    /// Whether the cell leaves nothing of the cause unsaid.
    pub(super) fn is_short(&self) -> bool {
        self.why.chars().count() <= CELL
    }
}

impl StudyCell {
    /// The cell in words, without its spread. What brings a missing row stands below the tables: [`super::remedies`].
    pub fn show(&self, unit: Unit) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text { text } => text.clone(),
            Self::Number(number) if number.note.is_empty() => number.show(unit),
            Self::Number(number) => format!("{} ({})", number.show(unit), number.note),
            Self::Missing(missing) => missing.show().to_owned(),
            Self::Failed { cause } => format!("failed: {cause}"),
        }
    }
}

impl StudyLoad {
    /// Whether others took so much that the times say something of them.
    pub fn is_busy(&self) -> bool {
        self.others > BUSY
    }
}

/// One sentence, or two.
impl fmt::Display for StudyLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, others } = self;
        let (word, end) =
            if self.is_busy() { ("busy", ", so times are longer than on a quiet one") } else { ("quiet", "") };
        let share = (others * 100.0).round();
        write!(f, "The machine was {word}: others took {share} % of its processors meanwhile{end} ")?;
        write!(f, "(load average {before:.1} before, {after:.1} after).")
    }
}

/// How many times the best number of the table's bars the row's is, for rows that are not the best; `None` in other
/// tables and for rows without a number.
pub fn times_of_best(table: &StudyTable, row: usize) -> Option<f64> {
    let column = table.bars?;
    let of = |row: usize| table.rows.get(row)?.cells.get(column)?.value().filter(|value| *value > 0.0);
    let all = || (0..table.rows.len()).filter_map(of);
    let own = of(row)?;
    let times = match table.columns.get(column)?.better? {
        Better::Lower => own / all().fold(f64::INFINITY, f64::min),
        Better::Higher => all().fold(0.0, f64::max) / own,
    };
    (times > 1.0).then_some(times)
}

fn seconds(value: f64) -> String {
    if value < 1e-6 {
        format!("{:.1} ns", value * 1e9)
    } else if value < 1e-3 {
        format!("{:.1} µs", value * 1e6)
    } else if value < 1.0 {
        format!("{:.1} ms", value * 1e3)
    } else if value < 120.0 {
        format!("{value:.2} s")
    } else {
        let whole = value.round() as u64;
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

fn bytes(value: f64) -> String {
    let mib = value / f64::from(1 << 20);
    if value < 10_000.0 {
        format!("{value:.0} B")
    } else if mib < 1.0 {
        format!("{:.0} KiB", value / 1024.0)
    } else if mib < 10.0 {
        format!("{mib:.1} MiB")
    } else if mib < 10_240.0 {
        format!("{mib:.0} MiB")
    } else {
        format!("{:.1} GiB", mib / 1024.0)
    }
}

/// Four digits that mean something.
fn plain(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor();
    if (-4.0..6.0).contains(&magnitude) {
        // 0.3336 and 1.0437: what lies between 0 and 10 has four decimals.
        let decimals = if magnitude < 1.0 { 4.0_f64.max(2.0 - magnitude) } else { 4.0 - magnitude };
        format!("{value:.*}", decimals.max(0.0) as usize)
    } else {
        format!("{value:.3e}")
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::bars::BarScale;
    use super::super::report::{StudyColumn, StudyRow, Whose};
    use super::*;

    #[test]
    fn a_machine_says_what_its_programs_were_built_from_and_where_they_differ() {
        let of = |build: &str, worker: Option<&str>| {
            let versions = worker.map(|worker| ("recspeed".to_owned(), worker.to_owned())).into_iter().collect();
            StudyMachine { build: build.to_owned(), versions, ..StudyMachine::default() }.built()
        };
        assert_eq!(of("", Some("0.1.0+abc")), None, "a report of before this was told");
        let same = Some("The lab was built from commit abc with changes.".to_owned());
        assert_eq!(of("0.1.0+abc.changed.12", Some("0.1.0+abc.changed.12")), same);
        assert_eq!(of("0.1.0+abc.changed.12", None), same, "nothing measured");
        for (own, worker, words) in [
            ("0.1.0+abc", "0.1.0+def", "commit abc, and the worker that measured from commit def"),
            ("0.1.0+abc", "0.1.0", "commit abc, and the worker that measured from a commit that it does not name"),
            (
                "0.1.0+abc.changed.12",
                "0.1.0+abc.changed.34",
                "commit abc with changes (12), and the worker that measured from commit abc with changes (34)",
            ),
        ] {
            assert_eq!(of(own, Some(worker)), Some(format!("`recspeed` was built from {words}.")));
        }
    }

    #[test]
    fn numbers_read_in_their_unit() {
        for (unit, value, text) in [
            (Unit::Seconds, 3.2e-9, "3.2 ns"),
            (Unit::Seconds, 2e-6, "2.0 µs"),
            (Unit::Seconds, 0.0362, "36.2 ms"),
            (Unit::Seconds, 1.304, "1.30 s"),
            (Unit::Seconds, 2123.21, "35 min 23 s"),
            (Unit::Bytes, 80.0, "80 B"),
            (Unit::Bytes, 17.0 * 1_048_576.0, "17 MiB"),
            (Unit::Count, 2_023_070.0, "2,023,070"),
            (Unit::Plain, 0.33358, "0.3336"),
            (Unit::Plain, 1.04371, "1.0437"),
            (Unit::Plain, 371.7549, "371.75"),
            (Unit::Plain, 0.0061, "0.00610"),
            (Unit::Plain, 0.0, "0"),
            (Unit::Ratio, 2.57e-5, "2.57e-5"),
            (Unit::Share, 0.773, "77.3 %"),
            (Unit::Times, 10.04, "10.0 ×"),
            (Unit::Times, 295_822.6, "295,823 ×"),
            (Unit::BytesPerSecond, 8.04e9, "8.0 GB/s"),
        ] {
            assert_eq!(unit.show(value), text, "{unit:?} {value}");
        }
    }

    #[test]
    fn a_machine_is_busy_where_others_took_more_than_a_tenth() {
        let load = |others| StudyLoad { before: 0.41, after: 1.96, others };
        assert_eq!(
            load(0.021).to_string(),
            "The machine was quiet: others took 2 % of its processors meanwhile (load average 0.4 before, 2.0 after)."
        );
        assert!(load(0.23).to_string().starts_with("The machine was busy: others took 23 % of its processors"));
    }

    #[test]
    fn a_missing_row_is_a_cell_of_a_few_words_whatever_the_cause_and_the_command() {
        let cell = |why: &str| StudyCell::Missing(Missing { install: "make it".into(), why: why.into() });
        assert_eq!(StudyCell::Missing(Missing::no_gpu()).show(Unit::Seconds), "no GPU here");
        assert_eq!(cell("").show(Unit::Seconds), "not here");
        let stopped = "not measured: the study was stopped";
        assert_eq!(cell(stopped).show(Unit::Seconds), stopped);
        assert_eq!(cell("Not installed.").show(Unit::Seconds), "Not installed");
        assert_eq!(cell(&"a long path ".repeat(9)).show(Unit::Seconds), "not here");
        let said = format!("no driver here: {}", "install one ".repeat(9));
        assert_eq!(cell(&said).show(Unit::Seconds), "no driver here");
        assert_eq!(cell(&format!("{}: no", "a long path ".repeat(9))).show(Unit::Seconds), "not here");
    }

    #[test]
    fn rows_are_measured_against_the_best() {
        let row =
            |values: &[f64]| StudyRow { name: "a".into(), note: String::new(), cells: vec![StudyCell::runs(values)] };
        let mut table = StudyTable {
            title: String::new(),
            whose: Whose::Measured,
            rows_are: "engine".into(),
            columns: vec![StudyColumn::lower("time", Unit::Seconds)],
            rows: vec![row(&[2.0]), row(&[6.0, 8.0, 10.0]), row(&[])],
            bars: Some(0),
        };
        assert_eq!([0, 1, 2].map(|row| times_of_best(&table, row)), [None, Some(4.0), None]);
        table.columns[0].better = Some(Better::Higher);
        assert_eq!([0, 1].map(|row| times_of_best(&table, row)), [Some(4.0), None]);
        table.bars = None;
        assert_eq!(times_of_best(&table, 1), None);
    }

    #[test]
    fn one_number_for_everybody_is_no_engine_it_has_no_time_and_is_never_the_fastest() {
        let columns = vec![StudyColumn::lower("training", Unit::Seconds), StudyColumn::lower("RMSE", Unit::Plain)];
        let row = |seconds: f64| StudyRow {
            name: "Burn".into(),
            note: String::new(),
            cells: vec![StudyCell::runs(&[seconds]), StudyCell::number(0.4302)],
        };
        let table = StudyTable {
            title: String::new(),
            whose: Whose::Measured,
            rows_are: "engine".into(),
            rows: vec![row(4.0), row(2.0), StudyRow::one_number(&[(1, 0.4283), (7, 1.0)], columns.len())],
            columns,
            bars: Some(0),
        };
        let own = &table.rows[2];
        assert_eq!(own.cells.iter().map(|cell| cell.show(Unit::Plain)).collect::<Vec<_>>(), ["no training", "0.4283"]);
        assert_eq!(table.rows.iter().map(StudyRow::is_reference).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!([0, 1, 2].map(|row| times_of_best(&table, row)), [Some(2.0), None, None]);
        assert_eq!(BarScale::of(&table).map(|scale| scale.share(2.0)), Some(0.5), "it has no part in the bars");
    }
}
