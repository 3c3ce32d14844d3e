//! Rows that were measured alone, put into the last report, where they can stand beside its rows.

use recspeed_types::ExperimentSpec;
use recspeed_types::build::words_beside;
use recspeed_types::study::{StudyCell, StudyLoad, StudyReport, StudyRow, Whose};

use super::differences::{library, release};
use super::learnt;
use super::render::date;
use super::retrieval;
use crate::command::figures::counted;

/// Rows that are named behind one that was measured with them; of a whole table each row would name all.
const NAMED: usize = 4;

/// The last report with the rows of a part of the study in place of its own. What is said of all rows is said anew.
///
/// # Errors
/// Why the rows cannot stand beside each other.
pub(super) fn merged(last: &StudyReport, part: &StudyReport) -> Result<StudyReport, &'static str> {
    if last.study != part.study {
        return Err("is of another study");
    }
    let (theirs, own) = (measured(last), measured(part));
    may_be_beside(last, part, (&theirs, &own))?;
    // The same command, which was stopped: it brings its own rows, and those of other commands stay.
    let goes_on = last.partial.is_some() && last.command == part.command;
    let asked = if goes_on { rows(part) } else { own.clone() };
    let is_own = |&(title, row): &Named<'_>| asked.iter().any(|(of, own)| *of == title && own.name == row.name);
    // Those that are left of the last report, and stand beside the others.
    let left: Vec<Named<'_>> = theirs.into_iter().filter(|row| !is_own(row)).collect();
    // Where none is, every number is of the part, and so is what the head says of them; a study that was stopped keeps its head, with the
    // command that goes on.
    let is_of_part = goes_on || (left.is_empty() && !own.is_empty() && last.partial.is_none());
    let mut whole = last.clone();
    for table in part.tables.iter().filter(|table| table.whose == Whose::Measured) {
        let same = |other: &&mut recspeed_types::study::StudyTable| {
            other.whose == table.whose && other.title == table.title && other.columns == table.columns
        };
        let Some(into) = whole.tables.iter_mut().find(same) else { return Err("has other tables") };
        for row in &table.rows {
            let words = if is_of_part { String::new() } else { note(last, part, (into.title.as_str(), row), &left) };
            put(&mut into.rows, row, words, goes_on);
        }
    }
    for spec in &part.specs {
        match whole.specs.iter_mut().find(|other| other.name == spec.name) {
            Some(place) => *place = spec.clone(),
            None => whole.specs.push(spec.clone()),
        }
        // A number that stays is of the defaults that it was measured with, told or not.
        if !left.iter().any(|(_, row)| row.name == spec.name) {
            whole.defaults.remove(&spec.name);
            whole
                .defaults
                .extend(part.defaults.get_key_value(&spec.name).map(|(name, own)| (name.clone(), own.clone())));
        }
    }
    if is_of_part {
        whole = StudyReport { tables: whole.tables, specs: whole.specs, defaults: whole.defaults, ..part.clone() };
    } else {
        // The head is of the worker that measured the other rows.
        let own = whole.machine.versions.get("recspeed").cloned();
        whole.machine.versions.extend(part.machine.versions.clone());
        whole.machine.versions.extend(own.map(|version| ("recspeed".to_owned(), version)));
    }
    if !left.is_empty() && other_threads(last, part).is_some() {
        whole.machine.threads = None;
    }
    whole.learnt = whole.learnt.or_else(|| last.learnt.clone()).or_else(|| part.learnt.clone());
    learnt::say_anew(&mut whole);
    retrieval::say_anew(&mut whole);
    Ok(whole)
}

/// A row with the title of its table.
type Named<'a> = (&'a str, &'a StudyRow);

/// Whether the rows of both, of which these have a number, can stand in one report. One without a number is of no
/// machine and of no data yet.
fn may_be_beside(
    last: &StudyReport,
    part: &StudyReport,
    (theirs, own): (&[Named<'_>], &[Named<'_>]),
) -> Result<(), &'static str> {
    let both = !theirs.is_empty() && !own.is_empty();
    if both && last.machine.host != part.machine.host {
        return Err("was measured on another machine");
    }
    // Where rows of one table differ each says its own; what they were asked to take stands in their specs or in the
    // conditions. Each table is held against itself: on a GPU there are fewer threads, unless told, than on the
    // processor.
    let in_one_table = own.iter().any(|(title, _)| theirs.iter().any(|(of, _)| of == title));
    if in_one_table && other_threads(last, part).is_some() {
        return Err("was measured with another number of threads");
    }
    let other_data = both && last.conditions != part.conditions;
    if other_data || !part.specs.iter().all(|spec| fits(&last.specs, spec)) {
        return Err("is of other data, sizes or settings");
    }
    Ok(())
}

/// The threads of both, where each has one number of them and these differ.
fn other_threads(last: &StudyReport, part: &StudyReport) -> Option<(u32, u32)> {
    last.machine.threads.zip(part.machine.threads).filter(|(last, part)| last != part)
}

/// Whether a report has each row of another one, of the same data, settings and machine, in at least as many runs.
pub(super) fn has_all_of(report: &StudyReport, other: &StudyReport) -> bool {
    let own = measured(report);
    let has = |&(title, row): &Named<'_>| {
        own.iter().any(|&(of, own)| of == title && own.name == row.name && runs(own) >= runs(row))
    };
    merged(report, other).is_ok() && measured(other).iter().all(has)
}

/// The rows of what was measured here, with a number or without.
fn rows(report: &StudyReport) -> Vec<Named<'_>> {
    let tables = report.tables.iter().filter(|table| table.whose == Whose::Measured);
    tables.flat_map(|table| table.rows.iter().map(|row| (table.title.as_str(), row))).collect()
}

/// Those with a number.
fn measured(report: &StudyReport) -> Vec<Named<'_>> {
    rows(report).into_iter().filter(|(_, row)| is_measured(row)).collect()
}

/// Whether a row's spec is what the last report's row of that name ran, or, of a new row, trains what the others train.
fn fits(last: &[ExperimentSpec], spec: &ExperimentSpec) -> bool {
    match last.iter().find(|other| other.name == spec.name) {
        Some(other) => other == spec,
        None => last.first().is_none_or(|other| {
            let unnamed = |spec: &ExperimentSpec| ExperimentSpec {
                name: String::new(),
                engine: recspeed_types::spec::EngineSpec::default(),
                ..spec.clone()
            };
            unnamed(other) == unnamed(spec) && other.engine.threads == spec.engine.threads
        }),
    }
}

/// What stands behind the name of a row with numbers, of the table with this title, that was measured at another time than those that are
/// `left` of the last report.
fn note(last: &StudyReport, part: &StudyReport, (title, row): Named<'_>, left: &[Named<'_>]) -> String {
    let mut together: Vec<String> = Vec::new();
    for (_, other) in measured(part).into_iter().filter(|(_, other)| other.name != row.name) {
        let name = format!("“{}”", other.name);
        if !together.contains(&name) {
            together.push(name);
        }
    }
    let date = date(part.measured_ms);
    let mut words = match together.as_slice() {
        [] => vec![format!("measured by itself on {date}")],
        many if many.len() > NAMED => {
            vec![format!("measured with {} others on {date}, apart from the rest", many.len())]
        }
        others => vec![format!("measured with {} on {date}, apart from the other rows", others.join(", "))],
    };
    words.extend((!part.sittings.is_empty()).then(|| "in several sittings".to_owned()));
    if let Some(load) = part.machine.load.filter(StudyLoad::is_busy) {
        words.push(format!("while others took {:.0} % of the processors", load.others * 100.0));
    }
    if let Some((theirs, own)) = other_threads(last, part) {
        let own = counted(own.into(), "thread", "threads");
        words.push(format!("on {own}, the other tables' rows on {theirs}"));
    }
    let differ = |last: &str, part: &str| !last.is_empty() && !part.is_empty() && last != part;
    if differ(&last.machine.id, &part.machine.id) {
        words.push("on a machine of this kind that need not be the same one".to_owned());
    }
    if differ(&last.machine.programs, &part.machine.programs) {
        let named = differ(&last.machine.build, &part.machine.build)
            .then(|| format!(" ({})", words_beside(&part.machine.build, &last.machine.build)));
        words.push(format!("by another build of the lab{}", named.unwrap_or_default()));
    }
    for (name, version) in &part.machine.versions {
        let other = last.machine.versions.iter().find(|(other, _)| library(other) == library(name));
        if let Some((other, theirs)) = other.filter(|(_, theirs)| release(theirs) != release(version)) {
            // The head may have it of a row that is no longer there.
            let theirs = format!("{other} {theirs}");
            words.extend(
                left.iter().any(|(_, row)| row.note.contains(&theirs)).then(|| format!("the other rows have {theirs}")),
            );
        }
    }
    let words = words.join(", ");
    let others = left.iter().filter(|(of, _)| *of == title).filter_map(|(_, other)| runs(other)).max();
    match runs(row).zip(others) {
        Some((own, others)) if own != others => {
            format!("{words}; in {}, the others in {others}", counted(own.into(), "run", "runs"))
        }
        _ => words,
    }
}

/// A row that could not be measured takes no number's place, unless the same command `goes_on`; one with numbers has
/// `words` behind its own.
fn put(rows: &mut Vec<StudyRow>, row: &StudyRow, words: String, goes_on: bool) {
    let mut own = row.clone();
    if is_measured(row) && !words.is_empty() {
        own.note = if own.note.is_empty() { words } else { format!("{}; {words}", own.note) };
    }
    // What all are held against had another name in older reports, and is one row by either.
    let is_it = |other: &StudyRow| other.name == row.name || (other.is_reference() && row.is_reference());
    match rows.iter_mut().find(|other| is_it(other)) {
        Some(other) if !goes_on && is_measured(other) && !is_measured(row) => {}
        Some(other) => *other = own,
        // What all are held against stays below them.
        None if !own.is_reference() => {
            let place = rows.iter().position(StudyRow::is_reference).unwrap_or(rows.len());
            rows.insert(place, own);
        }
        None => rows.push(own),
    }
}

/// Whether a row has a number of its own: one number for everybody is the same whichever rows of these data stand beside it.
pub(super) fn is_measured(row: &StudyRow) -> bool {
    !row.is_reference() && row.cells.iter().any(|cell| matches!(cell, StudyCell::Number(_)))
}

/// Of how many runs a row's numbers are; nothing where it has none, or none that tells.
fn runs(row: &StudyRow) -> Option<u32> {
    row.cells.iter().find_map(|cell| match cell {
        StudyCell::Number(number) => number.spread.map(|spread| spread.runs),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use recspeed_types::study::{Missing, ONE_NUMBER, StudyColumn, StudyLearnt, StudyMachine, StudyTable, Unit};

    use super::*;

    fn report(rows: &[(&str, StudyCell)]) -> StudyReport {
        let table = |whose, title: &str| StudyTable {
            title: title.to_owned(),
            whose,
            rows_are: "engine".to_owned(),
            columns: vec![StudyColumn::lower("training", Unit::Seconds)],
            rows: rows
                .iter()
                .map(|(name, cell)| StudyRow {
                    name: (*name).to_owned(),
                    note: String::new(),
                    cells: vec![cell.clone()],
                })
                .collect(),
            bars: Some(0),
        };
        let machine = StudyMachine { host: "a machine".to_owned(), threads: Some(2), ..StudyMachine::default() };
        let mut report = super::super::report("four-layer", String::new(), machine, Vec::new());
        report.tables = vec![table(Whose::Measured, "Measured here"), table(Whose::Paper, "The paper")];
        report.measured_ms = 0;
        report.conditions = vec!["10,000 rows.".to_owned()];
        report
    }

    #[test]
    fn a_row_takes_the_place_of_its_own_name_and_says_when_it_was_measured() {
        let missing = || StudyCell::Missing(Missing { install: "make it".to_owned(), why: String::new() });
        let last =
            report(&[("Burn", StudyCell::number(1.0)), ("PyTorch", StudyCell::number(3.0)), ("PyVelox", missing())]);
        let mut part =
            report(&[("PyVelox", StudyCell::number(2.0)), ("Burn", missing()), ("New", StudyCell::number(4.0))]);
        part.machine.versions.insert("torch".to_owned(), "2.11.0".to_owned());
        part.machine.load = Some(StudyLoad { before: 1.0, after: 1.0, others: 0.231 });
        let mut old = last.clone();
        old.machine.versions.insert("libtorch".to_owned(), "2.9.0+cu128".to_owned());
        "libtorch 2.9.0+cu128".clone_into(&mut old.tables[0].rows[1].note);
        let whole = merged(&old, &part).expect("they fit");
        let rows = &whole.tables[0].rows;
        let values: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.cells[0].value())).collect();
        let expected = [("Burn", Some(1.0)), ("PyTorch", Some(3.0)), ("PyVelox", Some(2.0)), ("New", Some(4.0))];
        assert_eq!(values, expected, "what is missing takes no number's place");
        let busy = "while others took 23 % of the processors";
        let theirs = "the other rows have libtorch 2.9.0+cu128";
        assert_eq!(
            rows[2].note,
            format!("measured with “New” on 1970-01-01, apart from the other rows, {busy}, {theirs}")
        );
        assert_eq!((rows[1].note.as_str(), rows[0].note.as_str()), ("libtorch 2.9.0+cu128", ""));
        // Where the row that had it is measured again, no other one has it.
        part.tables[0].rows = vec![old.tables[0].rows[1].clone()];
        let whole = merged(&old, &part).expect("they fit");
        let own = "libtorch 2.9.0+cu128; measured by itself on 1970-01-01";
        assert_eq!(whole.tables[0].rows[1].note, format!("{own}, {busy}"));
        assert_eq!(whole.tables[1], last.tables[1], "the paper's table stays");
    }

    #[test]
    fn a_row_of_another_build_or_of_a_machine_that_looks_the_same_says_so() {
        let of = |id: &str, programs: &str| {
            let mut report = report(&[("Burn", StudyCell::number(1.0)), ("PyTorch", StudyCell::number(2.0))]);
            (report.machine.id, report.machine.programs) = (id.to_owned(), programs.to_owned());
            report
        };
        let burn = || {
            let mut part = of("a", "b");
            part.tables[0].rows.truncate(1);
            part
        };
        let note = |last: &StudyReport| merged(last, &burn()).expect("they fit").tables[0].rows[0].note.clone();
        let alone = "measured by itself on 1970-01-01";
        assert_eq!(note(&of("a", "b")), alone);
        assert_eq!(note(&of("", "")), alone, "a report of before this was told");
        assert_eq!(note(&of("a", "c")), format!("{alone}, by another build of the lab"));
        let mut named = of("a", "c");
        named.machine.build = "0.1.0+def".to_owned();
        assert_eq!(note(&named), format!("{alone}, by another build of the lab"), "it does not say of which commit");
        let mut part = burn();
        part.machine.build = "0.1.0+abc".to_owned();
        let whole = merged(&named, &part).expect("they fit");
        assert_eq!(whole.tables[0].rows[0].note, format!("{alone}, by another build of the lab (commit abc)"));
        assert_eq!(whole.machine.build, named.machine.build, "the head is of the other rows");
        assert_eq!(note(&of("x", "b")), format!("{alone}, on a machine of this kind that need not be the same one"));
    }

    #[test]
    fn a_row_names_a_few_that_were_measured_with_it_and_counts_many() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let last = report(&[("Burn", StudyCell::number(1.0))]);
        let note = |count: usize| {
            let rows: Vec<_> = names[..count].iter().map(|&name| (name, StudyCell::number(2.0))).collect();
            merged(&last, &report(&rows)).expect("they fit").tables[0].rows[1].note.clone()
        };
        assert_eq!(note(5), "measured with “b”, “c”, “d”, “e” on 1970-01-01, apart from the other rows");
        assert_eq!(note(6), "measured with 5 others on 1970-01-01, apart from the rest");
    }

    #[test]
    fn a_row_of_other_runs_than_the_others_says_of_how_many() {
        let last =
            report(&[("Burn", StudyCell::runs(&[1.0, 2.0, 3.0])), ("PyTorch", StudyCell::runs(&[4.0, 5.0, 6.0]))]);
        let note = |runs: &[f64]| {
            let whole = merged(&last, &report(&[("PyTorch", StudyCell::runs(runs))])).expect("they fit");
            whole.tables[0].rows[1].note.clone()
        };
        assert_eq!(note(&[7.0]), "measured by itself on 1970-01-01; in 1 run, the others in 3");
        assert_eq!(note(&[7.0, 8.0]), "measured by itself on 1970-01-01; in 2 runs, the others in 3");
        assert_eq!(note(&[7.0, 8.0, 9.0]), "measured by itself on 1970-01-01");
    }

    #[test]
    fn where_every_number_is_of_the_part_none_is_measured_by_itself_and_the_head_is_of_the_part() {
        let missing = || StudyCell::Missing(Missing { install: "make it".to_owned(), why: String::new() });
        let mut last = report(&[
            ("Burn", StudyCell::runs(&[1.0, 1.0])),
            ("PyTorch", StudyCell::runs(&[3.0, 3.0])),
            ("PyVelox", missing()),
        ]);
        last.machine.programs = "a build".to_owned();
        let mut part = report(&[("PyTorch", StudyCell::runs(&[4.0])), ("Burn", StudyCell::runs(&[2.0]))]);
        part.machine.programs = "another build".to_owned();
        (part.measured_ms, part.command) = (86_400_000, "recspeed study four-layer --engines pytorch,burn".to_owned());
        let whole = merged(&last, &part).expect("they fit");
        let rows = &whole.tables[0].rows;
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["Burn", "PyTorch", "PyVelox"]);
        assert!(rows.iter().all(|row| row.note.is_empty()), "{rows:?}");
        assert_eq!(
            (whole.measured_ms, &whole.command, &whole.machine),
            (part.measured_ms, &part.command, &part.machine)
        );
        assert_eq!(whole.tables[1], last.tables[1], "the paper's table stays");
        // Where one is left, those that were measured together say so, and of how many runs the one that is left is.
        last.tables[0].rows[2].cells = vec![StudyCell::runs(&[5.0, 5.0, 5.0])];
        let whole = merged(&last, &part).expect("they fit");
        let build = "apart from the other rows, by another build of the lab; in 1 run, the others in 3";
        let notes: Vec<&str> = whole.tables[0].rows.iter().map(|row| row.note.as_str()).collect();
        let due = ["PyTorch", "Burn"].map(|other| format!("measured with “{other}” on 1970-01-02, {build}"));
        assert_eq!(notes, [due[0].as_str(), due[1].as_str(), ""]);
        assert_eq!((whole.measured_ms, &whole.command), (last.measured_ms, &last.command));
    }

    #[test]
    fn one_number_for_everybody_stands_once_in_a_merged_report_and_was_not_measured_with_anybody() {
        let with_mean = |rows: &[(&str, StudyCell)]| {
            let mut report = report(rows);
            report.tables[0].columns.push(StudyColumn::lower("RMSE", Unit::Plain));
            report.tables[0].rows.iter_mut().for_each(|row| row.cells.push(StudyCell::number(0.4302)));
            report.tables[0].rows.push(StudyRow::one_number(&[(1, 0.4283)], 2));
            report
        };
        let last = with_mean(&[("Burn", StudyCell::number(1.0)), ("PyTorch", StudyCell::number(3.0))]);
        let part = with_mean(&[("Burn", StudyCell::number(2.0))]);
        let whole = merged(&last, &part).expect("they fit");
        let rows = &whole.tables[0].rows;
        assert_eq!(
            rows.iter().filter(|row| row.is_reference()).collect::<Vec<_>>(),
            [&StudyRow::one_number(&[(1, 0.4283)], 2)]
        );
        assert_eq!((rows.len(), rows[0].note.as_str()), (3, "measured by itself on 1970-01-01"));
        let new = with_mean(&[("New", StudyCell::number(2.0))]);
        let whole = merged(&last, &new).expect("they fit");
        let names: Vec<&str> = whole.tables[0].rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["Burn", "PyTorch", "New", ONE_NUMBER], "a new row stands among the others");
        let mut older = last;
        older.tables[0].rows[2].name = "One number for everybody (mean of the training rows)".to_owned();
        let whole = merged(&older, &new).expect("they fit");
        let again: Vec<&str> = whole.tables[0].rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(again, names, "of an older report it is the same row");
        // It is no row that keeps the head from being that of the part.
        let whole = merged(&with_mean(&[("Burn", StudyCell::number(1.0))]), &part).expect("they fit");
        assert!(whole.tables[0].rows.iter().all(|row| row.note.is_empty()), "{whole:?}");
    }

    #[test]
    fn a_report_without_a_number_is_of_no_machine_and_stands_beside_any() {
        let missing = || StudyCell::Missing(Missing::no_gpu());
        let empty = |rows: &[(&str, StudyCell)]| {
            let mut report = report(rows);
            (report.machine, report.conditions) = (StudyMachine::default(), Vec::new());
            report
        };
        let last = empty(&[("Burn", missing()), ("PyTorch", missing())]);
        let part = report(&[("Burn", StudyCell::number(1.0))]);
        for whole in [merged(&last, &part), merged(&part, &empty(&[("PyTorch", missing())]))] {
            let whole = whole.expect("they fit");
            let values: Vec<_> = whole.tables[0].rows.iter().map(|row| row.cells[0].value()).collect();
            assert_eq!(values, [Some(1.0), None]);
            assert_eq!((&whole.machine, &whole.conditions), (&part.machine, &part.conditions), "the one that measured");
        }
    }

    #[test]
    fn what_the_errors_say_is_of_all_rows_of_a_merged_report() {
        let with_error = |rows: &[(&'static str, f64)]| {
            let cells = |(name, error): &(&'static str, f64)| (*name, StudyCell::number(*error));
            let mut report = report(&rows.iter().map(cells).collect::<Vec<_>>());
            report.tables[0].columns = vec![StudyColumn::lower("RMSE", Unit::Plain)];
            let (number, after) = ("the mean".to_owned(), "After 1 epoch of 5 ratings".to_owned());
            report.learnt = Some(StudyLearnt { number, error: 0.4, after });
            learnt::say_anew(&mut report);
            report
        };
        let said = |report: &StudyReport| report.differences.iter().map(|said| said.text.clone()).collect::<String>();
        let last = with_error(&[("Burn", 0.3), ("PyTorch", 0.2)]);
        assert!(said(&last).contains("lowest of a network here is 0.2000"), "{}", said(&last));
        for (part, lowest) in [
            (&[("Burn", 0.1)][..], "0.1000"),
            (&[("Burn", 0.35)][..], "0.2000"),
            (&[("PyTorch", 0.35)][..], "0.3000"),
            (&[("Burn", 0.35), ("PyTorch", 0.38)][..], "0.3500"),
        ] {
            let whole = merged(&last, &with_error(part)).expect("they fit");
            let said = said(&whole);
            assert!(said.contains(&format!("lowest of a network here is {lowest}")), "{part:?}: {said}");
            assert_eq!(whole.differences.len(), 1, "{said}");
        }
        // The last one is of before this was told.
        let mut old = last.clone();
        (old.learnt, old.differences) = (None, Vec::new());
        let whole = merged(&old, &with_error(&[("Burn", 0.1)])).expect("they fit");
        assert!(said(&whole).contains("lowest of a network here is 0.1000"), "{}", said(&whole));
    }

    #[test]
    fn what_the_times_of_containers_say_is_of_all_rows_of_a_merged_report() {
        let (plain, velox) = ("Plain columns (Rust vectors)", "PyVelox vectors, through Arrow");
        let of = |rows: &[(&'static str, f64)]| {
            let cells = |(name, seconds): &(&'static str, f64)| (*name, StudyCell::number(*seconds));
            let mut report = report(&rows.iter().map(cells).collect::<Vec<_>>());
            "retrieval".clone_into(&mut report.study);
            "Measured here: 10 rows".clone_into(&mut report.tables[0].title);
            report.tables[0].columns = vec![StudyColumn::lower("a row", Unit::Seconds)];
            retrieval::say_anew(&mut report);
            report
        };
        let said = |report: &StudyReport| report.differences.iter().map(|said| said.text.clone()).collect::<String>();
        let last = of(&[(plain, 1e-9), (velox, 1e-6)]);
        assert!(said(&last).contains("1,000 times as long"), "{}", said(&last));
        let whole = merged(&last, &of(&[(velox, 2e-6)])).expect("they fit");
        assert!(said(&whole).contains("2,000 times as long"), "{}", said(&whole));
        assert!(!said(&whole).contains("1,000 times as long"), "{}", said(&whole));
    }

    #[test]
    fn a_stopped_command_that_goes_on_brings_its_own_rows_and_leaves_those_of_others() {
        let missing = || StudyCell::Missing(Missing { install: "go on".to_owned(), why: "not measured".to_owned() });
        let rows = [("Burn", StudyCell::number(1.0)), ("PyTorch", StudyCell::number(2.0))];
        let mut last = report(&[&rows[..], &[("Other", StudyCell::number(3.0))]].concat());
        "two rows".clone_into(&mut last.command);
        last.partial = Some(recspeed_types::study::StudyProgress { done: 1, total: 2 });
        // It began anew: what it has no more it did not measure.
        let mut part = report(&[("Burn", StudyCell::number(4.0)), ("PyTorch", missing())]);
        part.command.clone_from(&last.command);
        let whole = merged(&last, &part).expect("they fit");
        let values: Vec<_> = whole.tables[0].rows.iter().map(|row| row.cells[0].value()).collect();
        assert_eq!((values, whole.partial), (vec![Some(4.0), None, Some(3.0)], None));
        assert!(whole.tables[0].rows.iter().all(|row| row.note.is_empty()), "the head is its own: {whole:?}");
    }

    #[test]
    fn the_defaults_of_a_row_are_those_that_its_number_was_measured_with() {
        let of = |loss: &str, cell: StudyCell| {
            let mut report = report(&[("Burn", cell)]);
            report.specs = vec![ExperimentSpec { name: "Burn".to_owned(), ..ExperimentSpec::default() }];
            let left = BTreeMap::from([("training.loss".to_owned(), loss.to_owned())]);
            report.defaults = BTreeMap::from([("Burn".to_owned(), left)]);
            report
        };
        let missing = || StudyCell::Missing(Missing { install: String::new(), why: "away".to_owned() });
        let last = of("mse", StudyCell::number(1.0));
        let told =
            |part: &StudyReport| merged(&last, part).expect("beside it").defaults["Burn"]["training.loss"].clone();
        assert_eq!(told(&of("bce", StudyCell::number(2.0))), "bce");
        assert_eq!(told(&of("bce", missing())), "mse", "the number of before stays");
        let untold = StudyReport { defaults: BTreeMap::new(), ..last.clone() };
        let whole = merged(&untold, &of("bce", missing())).expect("beside it");
        assert!(whole.defaults.is_empty(), "nobody knows what they were: {:?}", whole.defaults);
        let whole = merged(&last, &StudyReport { defaults: BTreeMap::new(), ..of("", StudyCell::number(2.0)) });
        assert!(whole.expect("beside it").defaults.is_empty(), "those of the number that is gone");
    }

    #[test]
    fn rows_of_other_data_threads_machines_tables_or_of_another_study_stay_apart() {
        let last = report(&[("Burn", StudyCell::number(1.0))]);
        let changed = |change: fn(&mut StudyReport)| {
            let mut part = last.clone();
            change(&mut part);
            merged(&last, &part).err()
        };
        assert_eq!(changed(|_| {}), None);
        assert!(changed(|part| "mixed".clone_into(&mut part.study)).expect("apart").contains("another study"));
        assert!(changed(|part| part.machine.host.clear()).expect("apart").contains("machine"));
        assert!(changed(|part| part.machine.threads = Some(1)).expect("apart").contains("threads"));
        assert!(changed(|part| part.conditions.clear()).expect("apart").contains("other data"));
        assert!(changed(|part| part.tables[0].title.clear()).expect("apart").contains("tables"));
        let mut whole = last.clone();
        whole.specs = vec![ExperimentSpec { name: "Burn".to_owned(), ..ExperimentSpec::default() }];
        let mut part = whole.clone();
        part.specs[0].seed = 7;
        assert!(merged(&whole, &part).is_err(), "another seed");
        part.specs[0].name = "New".to_owned();
        assert!(merged(&whole, &part).is_err(), "a new row of another seed");
        part.specs[0].seed = whole.specs[0].seed;
        assert!(merged(&whole, &part).is_ok());
    }
}
