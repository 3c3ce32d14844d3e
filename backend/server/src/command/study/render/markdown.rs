//! A report as a section of a document.

use std::fmt::Write as _;

use recspeed_types::study::{Remedy, StudyReport, StudyTable};

use super::{conditions, date, grid, with_remedies};

/// What a report begins with that is not whole.
pub(in crate::command::study) const PARTIAL: &str = "**Partial:**";

/// The section: heading, command, conditions, tables, differences.
pub(in crate::command::study) fn markdown(report: &StudyReport) -> String {
    let mut text = format!("## {}\n\n", report.title);
    if let Some(why) = report.why_partial() {
        let _ = writeln!(text, "{PARTIAL} {why}\n");
    }
    let _ = writeln!(text, "{}\n", report.question);
    let _ = writeln!(text, "`{}`, measured on {}.", report.command, date(report.measured_ms));
    let _ = writeln!(text, "{}", conditions(report));
    for (table, below) in with_remedies(report) {
        let _ = write!(text, "\n{}:\n\n{}", table.title, table_of(table));
        for (at, Remedy { why, command }) in below.iter().enumerate() {
            let gap = if at == 0 { "\n" } else { "" };
            let _ = match command.as_str() {
                "" => writeln!(text, "{gap}{why}."),
                command => writeln!(text, "{gap}{why}: `{command}`."),
            };
        }
    }
    for (at, difference) in report.differences.iter().enumerate() {
        let gap = if at == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{gap}- **{}.** {}", difference.heading, difference.text);
    }
    text
}

fn table_of(table: &StudyTable) -> String {
    let grid = grid(table);
    let mut text = line(&grid.head);
    let _ = writeln!(text, "|{}", "---|".repeat(grid.head.len()));
    for row in &grid.rows {
        text.push_str(&line(row));
    }
    text
}

fn line(cells: &[String]) -> String {
    let mut text = String::from("|");
    for cell in cells {
        // An engine's words may hold what would end the cell.
        let cell = cell.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = write!(text, " {cell}{}|", if cell.is_empty() { "" } else { " " });
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{StudyCell, StudyColumn, StudyMachine, StudyRow, Unit, Whose};

    use super::*;

    #[test]
    fn every_line_of_a_table_has_the_cells_of_its_head() {
        let columns = vec![StudyColumn::lower("time", Unit::Seconds), StudyColumn::plain("memory", Unit::Bytes)];
        let row = |name: &str, cells| StudyRow { name: name.into(), note: "v1".into(), cells };
        let rows = vec![
            row("a", vec![StudyCell::runs(&[1.0, 2.0]), StudyCell::runs(&[80.0, 90.0])]),
            row("b", vec![StudyCell::runs(&[4.5, 4.5]), StudyCell::number(80.0)]),
            StudyRow::without_numbers("c", StudyCell::Failed { cause: "a | b\nc".into() }, 2),
        ];
        let report = StudyReport {
            study: "retrieval".into(),
            title: "Retrieval".into(),
            question: "How long?".into(),
            measured_ms: 0,
            command: "recspeed study retrieval".into(),
            machine: StudyMachine { host: "a machine".into(), threads: Some(2), ..StudyMachine::default() },
            conditions: vec!["Rows.".into()],
            tables: vec![StudyTable {
                title: "Measured".into(),
                whose: Whose::Measured,
                rows_are: "container".into(),
                columns,
                rows,
                bars: Some(0),
            }],
            differences: Vec::new(),
            learnt: None,
            specs: Vec::new(),
            defaults: std::collections::BTreeMap::new(),
            partial: None,
            sittings: Vec::new(),
        };
        let text = markdown(&report);
        assert!(text.contains("Rows. 2 threads, a machine."), "{text}");
        assert!(text.contains("| container | time, median | smallest to largest of 2 | memory |"), "{text}");
        assert!(text.contains("| a (v1) | 1.50 s | 1.00 s to 2.00 s | 85 B (80 B to 90 B) |"), "{text}");
        assert!(text.contains("| b (v1) | 4.50 s (3.0 ×) | 4.50 s to 4.50 s | 80 B |"), "{text}");
        assert!(text.contains("| c | failed: a \\| b c | | |"), "{text}");
    }
}
