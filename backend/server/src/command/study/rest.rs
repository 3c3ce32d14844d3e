//! The rows that a part of a study leaves out. In the last report, which the page shows, in the terminal and in the
//! study's own section of a document they stand as not measured yet, with the command that measures them: so reports of
//! parts have the same tables, and are put together whichever of them comes first.

use recspeed_types::study::{Missing, StudyCell, StudyReport, StudyRow, StudyTable, Whose};

use super::merge::{is_measured, merged};
use super::row::Measured;

/// Why a row has no number that no command has asked for so far.
pub(super) const NOT_YET: &str = "not measured yet";
/// Why a row of a part has no number that stands in a report beside which the part does not stand.
const EARLIER: &str = "measured in an earlier report";

/// A row that is not measured yet, by the title of its table and its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due<'a> {
    pub(super) table: &'a str,
    pub(super) row: &'a str,
}

/// The command that stands in the table of this title, where these rows of the study are due.
type Command = Box<dyn Fn(&str, &[Due<'_>]) -> String>;

/// All rows of a study, of which a part measures some.
pub(super) struct Rest {
    /// The study's report before anything is measured.
    nothing: StudyReport,
    /// Is asked with rows in the order of the study.
    command: Command,
}

impl Rest {
    /// Of a study whose report is `nothing` as long as each of its rows is [`not_yet`] measured, and of which one
    /// `command` measures the rows of these names.
    pub(super) fn new(nothing: StudyReport, command: impl Fn(&[&str]) -> String + 'static) -> Self {
        Self::by_table(nothing, move |_: &str, due: &[Due<'_>]| {
            command(&due.iter().map(|due| due.row).collect::<Vec<_>>())
        })
    }

    /// The same where the rows of each table may have a `command` of their own.
    pub(super) fn by_table(mut nothing: StudyReport, command: impl Fn(&str, &[Due<'_>]) -> String + 'static) -> Self {
        // What the paper printed stands in each report, behind what was measured.
        nothing.tables.retain(|table| table.whose == Whose::Measured);
        Self { nothing, command: Box::new(command) }
    }

    /// The report with every table and row of the study, in their order; those that it has not say which command
    /// measures them. A report of other settings, or of other tables, is left as it is.
    pub(super) fn beside(&self, report: &StudyReport) -> StudyReport {
        let mut whole = report.clone();
        if !self.fits(report) {
            return whole;
        }
        whole.tables = in_order(&self.nothing.tables, report.tables.clone(), is_same, |all, own| {
            let rows = std::mem::take(&mut own.rows);
            own.rows = in_order(
                &all.rows,
                rows,
                |row, other| row.name == other.name,
                |row, other| {
                    // What no command measures on this machine, an earlier part may have named one for.
                    if is_not_yet(other) && !is_not_yet(row) {
                        other.clone_from(row);
                    }
                },
            );
        });
        whole.specs =
            in_order(&self.nothing.specs, report.specs.clone(), |spec, other| spec.name == other.name, |_, _| {});
        // Of a row that the report has, nobody knows the defaults but the report itself.
        let is_due = |name: &String| report.specs.iter().all(|spec| spec.name != *name);
        let due = self.nothing.defaults.iter().filter(|(name, _)| is_due(name));
        whole.defaults.extend(due.map(|(name, left)| (name.clone(), left.clone())));
        self.name_the_command(&mut whole);
        whole
    }

    /// What people read of a part: the report in which its rows stand `now`, where they do, and otherwise the part with
    /// what it leaves out. Of its own rows without a number it says why they have none here. No row is not measured yet
    /// that one of the `earlier` reports has measured on this machine by the same settings.
    pub(super) fn in_words(
        &self,
        report: &StudyReport,
        now: Option<&StudyReport>,
        earlier: &[&StudyReport],
    ) -> StudyReport {
        let mut whole = now.map_or_else(|| self.beside(report), |now| with_those_without_numbers(now.clone(), report));
        if !self.fits(report) {
            return whole;
        }
        let known: Vec<&StudyTable> = earlier
            .iter()
            .filter(|other| merged(other, report).is_ok())
            .flat_map(|other| &other.tables)
            .filter(|table| table.whose == Whose::Measured)
            .collect();
        for StudyTable { title, rows, .. } in measured_of(&mut whole) {
            let has = |row: &StudyRow| {
                let mut same = known.iter().filter(|table| table.title == *title).flat_map(|table| &table.rows);
                same.any(|other| other.name == row.name && is_measured(other))
            };
            for row in rows.iter_mut().filter(|row| is_not_yet(row) && has(row)) {
                if let Some(cell) = row.cells.first_mut() {
                    *cell = StudyCell::Missing(Missing { install: String::new(), why: EARLIER.to_owned() });
                }
            }
        }
        self.name_the_command(&mut whole);
        whole
    }

    /// Whether it is a table of the study.
    pub(super) fn has(&self, table: &StudyTable) -> bool {
        self.nothing.tables.iter().any(|other| is_same(other, table))
    }

    /// Whether the report is of the same study, with the same settings of the rows that both have, and of the same
    /// conditions where the study knows them before it measures.
    fn fits(&self, report: &StudyReport) -> bool {
        let same_settings = report.specs.iter().all(|spec| {
            let other = self.nothing.specs.iter().find(|other| other.name == spec.name);
            other.is_none_or(|other| other == spec)
        });
        let same_columns = report.tables.iter().all(|table| {
            let other = self.nothing.tables.iter().find(|other| is_same(other, table));
            other.is_none_or(|other| other.columns == table.columns)
        });
        let conditions = &self.nothing.conditions;
        let same_conditions = conditions.is_empty() || *conditions == report.conditions;
        report.study == self.nothing.study && same_settings && same_columns && same_conditions
    }

    /// Rows that are not measured yet say by which command they are, and no others: by the one that an earlier part has
    /// named, others would be measured again.
    fn name_the_command(&self, report: &mut StudyReport) {
        let mut due: Vec<Due<'_>> = Vec::new();
        for table in &report.tables {
            let rows = table.rows.iter().filter(|row| is_not_yet(row));
            due.extend(rows.map(|row| Due { table: &table.title, row: &row.name }));
        }
        if due.is_empty() {
            return;
        }
        let commands: Vec<String> = report.tables.iter().map(|table| (self.command)(&table.title, &due)).collect();
        for (table, command) in report.tables.iter_mut().zip(commands) {
            for row in table.rows.iter_mut().filter(|row| is_not_yet(row)) {
                for cell in &mut row.cells {
                    if let StudyCell::Missing(missing) = cell {
                        missing.install.clone_from(&command);
                    }
                }
            }
        }
    }
}

/// What came of a row that nobody has asked for so far.
pub(super) fn not_yet() -> Measured {
    Measured::Missing(not_measured_yet())
}

/// Why such a row has no number; the command comes later, when it is known what else is due.
pub(super) fn not_measured_yet() -> Missing {
    Missing { install: String::new(), why: NOT_YET.to_owned() }
}

fn is_not_yet(row: &StudyRow) -> bool {
    matches!(row.cells.first(), Some(StudyCell::Missing(missing)) if missing.why == NOT_YET)
}

/// The whole report, in which rows of this one that have no number say why: there they may have kept an earlier one.
fn with_those_without_numbers(mut whole: StudyReport, report: &StudyReport) -> StudyReport {
    for table in report.tables.iter().filter(|table| table.whose == Whose::Measured) {
        let Some(into) = whole.tables.iter_mut().find(|other| is_same(other, table)) else { continue };
        for row in table.rows.iter().filter(|row| !row.is_reference() && !is_measured(row)) {
            if let Some(place) = into.rows.iter_mut().find(|other| other.name == row.name) {
                place.clone_from(row);
            }
        }
    }
    whole
}

fn measured_of(report: &mut StudyReport) -> impl Iterator<Item = &mut StudyTable> {
    report.tables.iter_mut().filter(|table| table.whose == Whose::Measured)
}

fn is_same(table: &StudyTable, other: &StudyTable) -> bool {
    table.whose == other.whose && table.title == other.title
}

/// `all` in their order, each as `own` has it where that has it, changed by `fill`; then what else `own` has.
fn in_order<T: Clone>(
    all: &[T],
    mut own: Vec<T>,
    is_same: impl Fn(&T, &T) -> bool,
    fill: impl Fn(&T, &mut T),
) -> Vec<T> {
    let mut whole = Vec::new();
    for one in all {
        match own.iter().position(|other| is_same(one, other)) {
            Some(place) => {
                let mut other = own.remove(place);
                fill(one, &mut other);
                whole.push(other);
            }
            None => whole.push(one.clone()),
        }
    }
    whole.extend(own);
    whole
}

#[cfg(test)]
mod tests {
    use recspeed_types::ExperimentSpec;
    use recspeed_types::study::{StudyColumn, StudyMachine, Unit};

    use super::super::row::Row;
    use super::*;

    /// A report of two tables with these rows, of which each has a number or is not measured yet.
    fn report(tables: [&[(&str, Option<f64>)]; 2]) -> StudyReport {
        let row = |(name, seconds): &(&str, Option<f64>)| match seconds {
            Some(seconds) => {
                StudyRow { name: (*name).to_owned(), note: String::new(), cells: vec![StudyCell::number(*seconds)] }
            }
            None => {
                Row::new((*name).to_owned(), ExperimentSpec::default(), not_yet())
                    .table_row(String::new(), 1, |_| Vec::new())
            }
        };
        let table = |(title, rows): (&str, &[(&str, Option<f64>)])| StudyTable {
            title: title.to_owned(),
            whose: Whose::Measured,
            rows_are: "engine".to_owned(),
            columns: vec![StudyColumn::lower("training", Unit::Seconds)],
            rows: rows.iter().map(row).collect(),
            bars: Some(0),
        };
        let measured = ["processor", "GPU"].into_iter().zip(tables).filter(|(_, rows)| !rows.is_empty()).map(table);
        let mut report = super::super::report("four-layer", String::new(), StudyMachine::default(), measured.collect());
        let names = tables.concat().into_iter().map(|(name, _)| name.to_owned());
        report.specs = names.map(|name| ExperimentSpec { name, ..ExperimentSpec::default() }).collect();
        report
    }

    fn rest() -> Rest {
        let nothing = report([&[("a", None), ("b", None), ("c", None)], &[("d", None)]]);
        Rest::new(nothing, |names| format!("measure {}", names.join(" ")))
    }

    /// Title, name and what the first cell says, of each row.
    fn shown(report: &StudyReport) -> Vec<String> {
        let rows = |table: &StudyTable| {
            let words = |row: &StudyRow| match &row.cells[0] {
                StudyCell::Missing(missing) => format!("{}: {}", missing.why, missing.install),
                cell => cell.show(Unit::Count),
            };
            table.rows.iter().map(|row| format!("{} {} {}", table.title, row.name, words(row))).collect::<Vec<_>>()
        };
        report.tables.iter().filter(|table| table.whose == Whose::Measured).flat_map(rows).collect()
    }

    #[test]
    fn a_part_has_every_row_of_the_study_in_its_order_and_those_left_out_name_their_command() {
        let whole = rest().beside(&report([&[], &[("d", Some(4.0))]]));
        let due = ["a", "b", "c"].map(|name| format!("processor {name} not measured yet: measure a b c"));
        assert_eq!(shown(&whole), [&due[..], &["GPU d 4".to_owned()]].concat());
        assert_eq!(
            whole.tables.iter().map(|table| table.whose == Whose::Paper).collect::<Vec<_>>(),
            [false, false, true]
        );
        let names: Vec<&str> = whole.specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        // Put together with another part: what was left then is less now, and so is what its command measures.
        let mut later = whole;
        later.tables[0].rows[1].cells = vec![StudyCell::number(2.0)];
        let named = ["a", "c"].map(|name| format!("processor {name} not measured yet: measure a c"));
        let due = [named[0].clone(), "processor b 2".to_owned(), named[1].clone(), "GPU d 4".to_owned()];
        let again = rest().beside(&later);
        assert_eq!(shown(&again), due);
        assert_eq!(rest().beside(&again), again, "there is nothing to add");
    }

    #[test]
    fn people_read_the_report_that_a_parts_rows_stand_in_and_why_a_row_of_its_own_has_no_number() {
        let now = rest().beside(&report([&[("a", Some(1.0)), ("b", Some(2.0))], &[]]));
        let mut part = report([&[("a", Some(1.0)), ("b", None)], &[]]);
        let failed = StudyCell::Failed { cause: "It crashed.".to_owned() };
        part.tables[0].rows[1].cells = vec![failed.clone()];
        let read = rest().in_words(&part, Some(&now), &[]);
        assert_eq!(read.tables[0].rows[1].cells, [failed], "the number that the report keeps is none of this part");
        let others = |report: &StudyReport| [0, 2, 3].map(|place| shown(report)[place].clone());
        assert_eq!(others(&read), others(&now));
        part.tables[0].rows.remove(1);
        assert_eq!(rest().in_words(&part, Some(&now), &[]), now, "what it did not ask for is measured there");
    }

    #[test]
    fn no_row_that_an_earlier_report_has_is_told_to_be_measured_yet_where_the_part_cannot_stand_beside_it() {
        let mut earlier = rest().beside(&report([&[("b", Some(2.0))], &[("d", Some(4.0))]]));
        let part = report([&[("a", Some(1.0))], &[]]);
        let read = |earlier: &StudyReport| shown(&rest().in_words(&part, None, &[earlier]));
        let due = [
            "processor a 1",
            "processor b measured in an earlier report: ",
            "processor c not measured yet: measure c",
            "GPU d measured in an earlier report: ",
        ];
        assert_eq!(read(&earlier), due);
        earlier.machine.host = "another machine".to_owned();
        assert_eq!(read(&earlier), shown(&rest().beside(&part)), "of this machine nothing is known of them");
    }

    #[test]
    fn a_row_that_no_command_measures_on_this_machine_says_why_also_where_an_earlier_part_has_named_one() {
        let last = rest().beside(&report([&[("a", Some(1.0))], &[]]));
        assert!(shown(&last).contains(&"GPU d not measured yet: measure b c d".to_owned()));
        let mut nothing = report([&[("a", None), ("b", None), ("c", None)], &[("d", None)]]);
        nothing.tables[1].rows[0].cells[0] = StudyCell::Missing(Missing::no_gpu());
        let rest = Rest::new(nothing, |names| format!("measure {}", names.join(" ")));
        let due = ["processor b", "processor c"].map(|row| format!("{row} not measured yet: measure b c"));
        let [b, c] = due;
        assert_eq!(shown(&rest.beside(&last)), ["processor a 1".to_owned(), b, c, "GPU d no GPU here: ".to_owned()]);
    }

    #[test]
    fn a_row_that_only_an_older_version_had_stays_behind_the_others() {
        let whole = rest().beside(&report([&[("old", Some(1.0)), ("a", Some(2.0))], &[]]));
        let names: Vec<&str> = whole.tables[0].rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "old"]);
    }

    #[test]
    fn a_report_of_other_settings_columns_or_of_another_study_is_left_as_it_is() {
        let stays = |change: fn(&mut StudyReport)| {
            let mut own = report([&[("a", Some(1.0))], &[]]);
            change(&mut own);
            rest().beside(&own) == own
        };
        assert!(!stays(|_| {}));
        assert!(stays(|own| own.specs[0].seed = 7));
        assert!(stays(|own| "mixed".clone_into(&mut own.study)));
        assert!(stays(|own| own.tables[0].columns.clear()));
    }

    #[test]
    fn a_report_of_other_conditions_than_the_study_knows_of_is_left_as_it_is() {
        let mut nothing = report([&[("a", None), ("b", None)], &[]]);
        nothing.conditions = vec!["first rows of these".to_owned()];
        let rest = Rest::new(nothing, |names| format!("measure {}", names.join(" ")));
        let mut own = report([&[("a", Some(1.0))], &[]]);
        for (conditions, stays) in [("first rows of those", true), ("first rows of these", false)] {
            own.conditions = vec![conditions.to_owned()];
            assert_eq!(rest.beside(&own) == own, stays, "{conditions}");
        }
    }

    #[test]
    fn rows_of_each_table_may_name_a_command_of_their_own() {
        let nothing = report([&[("a", None), ("b", None)], &[("a", None)]]);
        let rest = Rest::by_table(nothing, |table: &str, due: &[Due<'_>]| {
            let own = due.iter().filter(|due| due.table == table).map(|due| due.row);
            format!("measure {table} {}", own.collect::<Vec<_>>().join(" "))
        });
        let whole = rest.beside(&report([&[("a", Some(1.0))], &[]]));
        assert_eq!(
            shown(&whole),
            [
                "processor a 1",
                "processor b not measured yet: measure processor b",
                "GPU a not measured yet: measure GPU a"
            ]
        );
        assert!(whole.tables.iter().filter(|table| table.whose == Whose::Measured).all(|table| rest.has(table)));
    }
}
