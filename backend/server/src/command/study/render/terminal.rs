//! A report in the terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use recspeed_types::study::{BarScale, Remedy, StudyCell, StudyReport, StudyRow, StudyTable};

use super::super::super::figures;
use super::{conditions, date, grid, with_remedies};

/// Places of the longest bar.
const BAR: usize = 12;

/// Title, question, conditions, tables with bars, differences.
pub(in crate::command::study) fn terminal(report: &StudyReport) -> String {
    let mut text = format!("{}: {}\n", report.title, report.question);
    if let Some(why) = report.why_partial() {
        let _ = writeln!(text, "Partial: {why}");
    }
    let _ = writeln!(text, "Measured on {} by: {}", date(report.measured_ms), report.command);
    let _ = writeln!(text, "{}", conditions(report));
    for (table, below) in with_remedies(report) {
        let (table, causes) = causes_apart(table);
        let _ = writeln!(text, "\n{}\n{}", table.title, table_of(&table));
        if let Some((column, begin)) = logarithmic(&table) {
            let _ = writeln!(text, "The bars of “{column}” are logarithmic and begin at {begin}.");
        }
        for cause in causes {
            let _ = writeln!(text, "{cause}");
        }
        for Remedy { why, command } in &below {
            let _ = match command.as_str() {
                "" => writeln!(text, "{why}."),
                command => writeln!(text, "{why}: {command}"),
            };
        }
    }
    for (at, difference) in report.differences.iter().enumerate() {
        let gap = if at == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{gap}{}: {}", difference.heading, difference.text);
    }
    text
}

/// The table with a word where it says why a row failed, and the causes, a line each: one of them in the table would make each of its
/// lines as long as itself.
fn causes_apart(table: &StudyTable) -> (StudyTable, Vec<String>) {
    let (mut table, mut causes) = (table.clone(), Vec::new());
    for row in &mut table.rows {
        for cell in &mut row.cells {
            let StudyCell::Failed { cause } = cell else { continue };
            let cause = cause.split_whitespace().collect::<Vec<_>>().join(" ");
            let line = format!("{} failed: {cause}", row.name);
            if !causes.contains(&line) {
                causes.push(line);
            }
            *cell = StudyCell::text("failed");
        }
    }
    (table, causes)
}

/// Of bars that are logarithmic, what they show and where they begin.
fn logarithmic(table: &StudyTable) -> Option<(&str, String)> {
    let begin = *BarScale::of(table)?.powers().first()?;
    let column = table.columns.get(table.bars?)?;
    Some((column.name.as_str(), column.unit.show(begin)))
}

fn table_of(table: &StudyTable) -> String {
    let grid = grid(table);
    let mut shown = Table::new();
    shown.load_style(presets::UTF8_FULL_CONDENSED);
    shown.set_content_arrangement(ContentArrangement::Dynamic);
    let scale = BarScale::of(table);
    let bar = |row: &StudyRow| {
        let value = table.bars.and_then(|column| row.cells.get(column)?.value());
        scale.zip(value).map_or_else(String::new, |(scale, value)| figures::bar(scale.share(value), 1.0, BAR))
    };
    let bars: Vec<String> = table.rows.iter().map(bar).collect();
    let with_bars = bars.iter().any(|bar| !bar.is_empty());
    let put = |cells: &[String], bar: &str| {
        let mut cells = cells.to_vec();
        if with_bars {
            cells.insert(1, bar.to_owned());
        }
        cells
    };
    shown.set_header(put(&grid.head, ""));
    for (row, bar) in grid.rows.iter().zip(&bars) {
        shown.add_row(put(row, bar));
    }
    for column in shown.column_iter_mut().skip(if with_bars { 2 } else { 1 }) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{StudyColumn, StudyMachine, Unit, Whose};

    use super::super::super::report;
    use super::*;

    /// A report of a row with a number, and one that failed for this.
    fn failed(cause: &str) -> StudyReport {
        let row = |name: &str, cell| StudyRow::without_numbers(name, cell, 3);
        let table = StudyTable {
            title: "Measured here".to_owned(),
            whose: Whose::Measured,
            rows_are: "engine".to_owned(),
            columns: ["training", "evaluation", "start"].map(|name| StudyColumn::lower(name, Unit::Seconds)).to_vec(),
            rows: vec![
                row("Burn", StudyCell::number(0.1)),
                row("PyTorch", StudyCell::Failed { cause: cause.to_owned() }),
            ],
            bars: Some(0),
        };
        report("mixed", String::new(), StudyMachine::default(), vec![table])
    }

    #[test]
    fn a_table_is_as_wide_as_its_numbers_need_and_why_a_row_failed_stands_below_it() {
        let long = "the worker left with exit status: 101\n  thread 'main' panicked | ".repeat(40);
        let [short, long] = ["no", long.as_str()].map(|cause| terminal(&failed(cause)));
        let table = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.starts_with(['┌', '│', '╞', '└'])).map(str::to_owned).collect()
        };
        assert_eq!(table(&long), table(&short));
        assert!(table(&short).iter().any(|line| line.contains("PyTorch") && line.contains("failed")), "{short}");
        assert!(short.contains("\nPyTorch failed: no\n"), "{short}");
        let below = long.lines().skip_while(|line| !line.starts_with('└')).nth(1).unwrap_or_default();
        assert!(below.starts_with("PyTorch failed: the worker left with exit status: 101 thread 'main' pan"), "{long}");
        assert_eq!(below.matches("panicked").count(), 40, "none of it is left out");
    }

    #[test]
    fn a_cause_that_two_cells_of_a_row_share_is_told_once() {
        let mut report = failed("It crashed.");
        let cells = &mut report.tables[0].rows[1].cells;
        cells[2] = cells[0].clone();
        let text = terminal(&report);
        assert_eq!(text.matches("PyTorch failed: It crashed.").count(), 1, "{text}");
        assert_eq!(text.matches("It crashed.").count(), 1, "{text}");
    }

    #[test]
    fn one_slow_row_leaves_the_others_a_bar_and_the_scale_is_said() {
        let of = |slow: f64| {
            let mut report = failed("no");
            report.tables[0].rows[1].cells[0] = StudyCell::number(slow);
            let text = terminal(&report);
            let line = text.lines().find(|line| line.starts_with("│ Burn")).unwrap_or_default();
            (
                line.matches('█').count(),
                text.matches("The bars of “training” are logarithmic and begin at 10.0 ms.").count(),
            )
        };
        assert_eq!(of(0.2), (BAR / 2, 0));
        // The number is a five thousandth of the other, and one of the scale's 4.7 decades long.
        assert_eq!(of(500.0), (2, 1));
    }
}
