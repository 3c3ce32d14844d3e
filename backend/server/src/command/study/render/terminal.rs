//! A report in the terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use recspeed_types::study::{Remedy, StudyReport, StudyTable, bar_share};

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
        let _ = writeln!(text, "\n{}\n{}", table.title, table_of(table));
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

fn table_of(table: &StudyTable) -> String {
    let grid = grid(table);
    let mut shown = Table::new();
    shown.load_style(presets::UTF8_FULL_CONDENSED);
    shown.set_content_arrangement(ContentArrangement::Dynamic);
    let bars: Vec<String> = (0..table.rows.len())
        .map(|row| bar_share(table, row).map_or_else(String::new, |share| figures::bar(share, 1.0, BAR)))
        .collect();
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
