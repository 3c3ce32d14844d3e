//! The tables of a study: numbers with their spread, what is missing, and below them, once, the commands that bring it.

use leptos::prelude::*;
use recspeed_types::study::{Remedy, StudyCell, StudyColumn, StudyReport, StudyRow, StudyTable, Unit, remedies};

use crate::components::{CopyCommand, with_code};

/// The table.
pub(super) fn table(table: &StudyTable) -> AnyView {
    let heads = table.columns.iter().map(|column| {
        let (name, number) = (column.name.clone(), column.unit != Unit::Words);
        view! { <th scope="col" class:number=number>{name}</th> }
    });
    let heads = heads.collect_view();
    let rows = table.rows.iter().map(|each| row(each, &table.columns)).collect_view();
    // The card that it lies in may have the same title, and a screen reader tells landmarks apart by their names.
    let (title, label) = (table.title.clone(), format!("Table: {}", table.title));
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label=label>
            <table class="table stacked study-rows">
                <caption class="visually-hidden">{title}</caption>
                <thead><tr><th scope="col">{table.rows_are.clone()}</th>{heads}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(row: &StudyRow, columns: &[StudyColumn]) -> AnyView {
    let note = (!row.note.is_empty()).then(|| view! { <small>{with_code(&row.note)}</small> });
    let cells = match row.cells.as_slice() {
        [first @ (StudyCell::Missing(_) | StudyCell::Failed { .. }), ..] => {
            vec![view! { <td class="study-none" colspan=columns.len()>{without_numbers(first)}</td> }.into_any()]
        }
        cells => cells.iter().zip(columns).map(|(each, column)| cell(each, column)).collect(),
    };
    view! { <tr data-testid="study-row-of-table"><th scope="row"><span>{row.name.clone()}{note}</span></th>{cells}</tr> }.into_any()
}

fn cell(cell: &StudyCell, column: &StudyColumn) -> AnyView {
    let unit = column.unit;
    let label = column.name.clone();
    match cell {
        StudyCell::Number(number) => {
            let spread = number.spread.filter(|spread| spread.runs > 1).map(|spread| {
                view! { <small>{format!("{}, {} runs", number.show_spread(unit), spread.runs)}</small> }
            });
            let note = (!number.note.is_empty()).then(|| view! { <small>{number.note.clone()}</small> });
            view! { <td class="number" data-label=label><span>{number.show(unit)}{spread}{note}</span></td> }.into_any()
        }
        StudyCell::Missing(_) | StudyCell::Failed { .. } => {
            view! { <td data-label=label><span>{without_numbers(cell)}</span></td> }.into_any()
        }
        // On a phone, where each cell has its label, one without anything has no line.
        StudyCell::Empty => view! { <td></td> }.into_any(),
        StudyCell::Text { .. } => {
            view! { <td class:number=unit != Unit::Words data-label=label><span>{with_code(&cell.show(unit))}</span></td> }
                .into_any()
        }
    }
}

/// Why there are no numbers, which may name an option, as `--limit 60`.
fn without_numbers(cell: &StudyCell) -> AnyView {
    let class = if matches!(cell, StudyCell::Missing(_)) { "study-missing" } else { "study-failed" };
    view! { <span class=class>{with_code(&cell.show(Unit::Words))}</span> }.into_any()
}

/// What brings the missing rows of all tables; nothing where none is missing.
pub(super) fn remedies_of(report: &StudyReport) -> Option<AnyView> {
    let one = |Remedy { why, command }: Remedy| {
        let why = format!("{why}{}", if command.is_empty() { "." } else { ":" });
        // What brings it is a command to copy, or one that its reader has to fill in.
        let brings = if command.starts_with("recspeed ") || command.starts_with("make ") {
            view! { <CopyCommand command=command/> }.into_any()
        } else {
            view! { <code>{command}</code> }.into_any()
        };
        view! { <li><span>{with_code(&why)}</span>" "{brings}</li> }.into_any()
    };
    let all: Vec<AnyView> = remedies(report).into_iter().map(one).collect();
    (!all.is_empty()).then(|| view! { <ul class="study-remedies" data-testid="study-remedies">{all}</ul> }.into_any())
}
