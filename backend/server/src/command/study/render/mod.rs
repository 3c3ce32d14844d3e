//! A report as text: one way for the terminal, one for Markdown, the same for every study.

mod markdown;
mod terminal;

pub(super) use markdown::{PARTIAL, markdown};
pub(super) use terminal::terminal;

use recspeed_types::study::{
    Remedy, Spread, StudyCell, StudyColumn, StudyReport, StudyTable, Unit, Whose, remedies, times_of_best,
};

/// A table as words: the head, then a line a row, all of the same length.
struct Grid {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// The words of a table. The column that is drawn as bars has its spread in a column of its own.
fn grid(table: &StudyTable) -> Grid {
    let spreads = |column: usize| -> Vec<Spread> {
        let spreads = table.rows.iter().filter_map(|row| match row.cells.get(column)? {
            StudyCell::Number(number) => number.spread,
            _ => None,
        });
        spreads.collect()
    };
    let apart = table.bars.filter(|&column| spreads(column).iter().any(|spread| spread.runs > 1));
    let mut head = vec![table.rows_are.clone()];
    for (at, column) in table.columns.iter().enumerate() {
        if apart == Some(at) {
            let spreads = spreads(at);
            let of_means = spreads.iter().any(|spread| spread.deviation.is_some());
            head.push(format!("{}, {}", column.name, if of_means { "mean" } else { "median" }));
            let what = if of_means { "standard deviation" } else { "smallest to largest" };
            head.push(of_runs(what, &spreads.iter().map(|spread| spread.runs).collect::<Vec<_>>()));
        } else {
            head.push(column.name.clone());
        }
    }
    let line = |place: usize| {
        let row = &table.rows[place];
        let note = if row.note.is_empty() { String::new() } else { format!(" ({})", row.note) };
        let mut line = vec![format!("{}{note}", row.name)];
        for (at, (column, cell)) in table.columns.iter().zip(&row.cells).enumerate() {
            let times = (table.bars == Some(at)).then(|| times_of_best(table, place)).flatten();
            let times = times.map_or_else(String::new, |times| format!(" ({})", Unit::Times.show(times)));
            let spread = spread_of(column, cell);
            match (apart == Some(at), spread.is_empty()) {
                (true, _) => line.extend([cell.show(column.unit) + &times, spread]),
                (false, true) => line.push(cell.show(column.unit) + &times),
                (false, false) => line.push(format!("{}{times} ({spread})", cell.show(column.unit))),
            }
        }
        line
    };
    Grid { head, rows: (0..table.rows.len()).map(line).collect() }
}

fn spread_of(column: &StudyColumn, cell: &StudyCell) -> String {
    match cell {
        StudyCell::Number(number) if number.spread.is_some_and(|spread| spread.runs > 1) => {
            number.show_spread(column.unit)
        }
        _ => String::new(),
    }
}

/// The head of a spread, with the number of runs where all rows have as many.
fn of_runs(what: &str, runs: &[u32]) -> String {
    match runs.first() {
        Some(first) if runs.iter().all(|other| other == first) => format!("{what} of {first}"),
        _ => what.to_owned(),
    }
}

/// Every table with what is to be said below it: what brings the missing rows stands once, behind the last table that was
/// measured.
fn with_remedies(report: &StudyReport) -> impl Iterator<Item = (&StudyTable, Vec<Remedy>)> {
    let last = report.tables.iter().rposition(|table| table.whose == Whose::Measured);
    report.tables.iter().enumerate().map(move |(at, table)| {
        let below = if last == Some(at) { remedies(report) } else { Vec::new() };
        (table, below)
    })
}

/// What all rows have the same, in one paragraph.
fn conditions(report: &StudyReport) -> String {
    let machine = &report.machine;
    let threads =
        machine.threads.map(|threads| format!("{threads} {}", if threads == 1 { "thread" } else { "threads" }));
    let where_: Vec<String> =
        threads.into_iter().chain((!machine.host.is_empty()).then(|| machine.host.clone())).collect();
    let mut sentences = report.conditions.clone();
    if !where_.is_empty() {
        sentences.push(format!("{}.", where_.join(", ")));
    }
    sentences.extend(machine.built());
    sentences.extend(machine.load.map(|load| load.to_string()));
    sentences.extend(report.sittings.iter().cloned());
    sentences.join(" ")
}

/// Year, month and day of a time in UTC.
pub(in crate::command::study) fn date(ms: i64) -> String {
    // Days to a date of the Gregorian calendar: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let days = ms.div_euclid(86_400_000) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{Difference, Missing, StudyMachine, StudyProgress, StudyRow};

    use super::*;

    /// A report of three measured tables and the paper's, whose engines are all missing.
    fn report() -> StudyReport {
        let missing = |name: &str| {
            let (install, why) = (format!("recspeed engines install {name}"), "not installed".to_owned());
            let columns = vec![StudyCell::Empty; 7];
            let cells = [StudyCell::Missing(Missing { install, why })].into_iter().chain(columns).collect();
            StudyRow { name: format!("a rather long name of a row of {name}"), note: String::new(), cells }
        };
        let table = |title: &str, whose| StudyTable {
            title: title.to_owned(),
            whose,
            rows_are: "engine".to_owned(),
            columns: (1..=8).map(|at| StudyColumn::lower(&format!("c{at}"), Unit::Seconds)).collect(),
            rows: if whose == Whose::Measured { ["pytorch", "tensorflow"].map(missing).to_vec() } else { Vec::new() },
            bars: Some(0),
        };
        StudyReport {
            study: "methods".to_owned(),
            title: "Methods".to_owned(),
            question: "Which?".to_owned(),
            measured_ms: 0,
            command: "recspeed study methods".to_owned(),
            machine: StudyMachine::default(),
            conditions: Vec::new(),
            tables: vec![
                table("MovieLens-100K", Whose::Measured),
                table("Amazon Beauty, 5-core", Whose::Measured),
                table("Beauty, synthetic", Whose::Measured),
                table("The paper", Whose::Paper),
            ],
            differences: vec![Difference::new("Time", "Other hardware.")],
            learnt: None,
            specs: Vec::new(),
            defaults: std::collections::BTreeMap::new(),
            partial: None,
            sittings: Vec::new(),
        }
    }

    #[test]
    fn every_table_says_what_it_is_of_and_the_command_for_all_engines_stands_once_below_them() {
        let report = report();
        let titles: Vec<&str> = report.tables.iter().map(|table| table.title.as_str()).collect();
        for (text, end, begins, command) in [
            (terminal(&report), "\n", '┌', "recspeed engines install pytorch tensorflow"),
            (markdown(&report), ":\n\n", '|', "`recspeed engines install pytorch tensorflow`."),
        ] {
            // What stands before each table is its title, and the title stands nowhere else.
            for title in &titles {
                let parts: Vec<&str> = text.split(&format!("\n{title}{end}")).collect();
                assert_eq!(parts.len(), 2, "{title}: {text}");
                assert!(parts[1].starts_with(begins), "{title}: {text}");
                assert_eq!(text.matches(*title).count(), 1, "{title}: {text}");
            }
            assert_eq!(text.matches("recspeed engines install").count(), 1, "{text}");
            let remedy = text.find(&format!("Not installed: {command}\n")).expect("it stands there");
            let [last, paper] = [titles[2], titles[3]].map(|title| text.find(title).expect("shown"));
            assert!((last..paper).contains(&remedy), "{text}");
        }
    }

    #[test]
    fn a_missing_row_is_no_wider_than_its_name_and_a_few_words() {
        // Without a terminal nothing is wrapped: a line is as wide as its cells ask for.
        let width =
            terminal(&report()).lines().filter(|line| line.starts_with('│')).map(|line| line.chars().count()).max();
        assert!(width.is_some_and(|width| width <= 110), "{width:?}");
    }

    #[test]
    fn a_partial_report_says_so_first_and_one_of_several_sittings_says_that_too() {
        let mut partial = report();
        for text in [terminal(&partial), markdown(&partial)] {
            assert!(!text.contains("artial") && !text.contains("sittings"), "{text}");
        }
        partial.partial = Some(StudyProgress { done: 7, total: 27 });
        partial.sittings = vec!["Measured in 2 sittings.".to_owned()];
        for (text, begins) in [
            (terminal(&partial), "Methods: Which?\nPartial: the study was stopped after 7 of 27 measurements"),
            (markdown(&partial), "## Methods\n\n**Partial:** the study was stopped after 7 of 27 measurements"),
        ] {
            assert!(text.starts_with(begins), "{text}");
            assert!(text.contains("Measured in 2 sittings."), "{text}");
        }
    }

    #[test]
    fn a_report_names_the_commit_in_every_form() {
        let mut report = report();
        report.machine.build = "0.1.0+6d7dd33c1f2a".to_owned();
        for text in [terminal(&report), markdown(&report)] {
            assert!(text.contains("The lab was built from commit 6d7dd33c1f2a."), "{text}");
        }
        let json = serde_json::to_value(&report).expect("JSON");
        assert_eq!(json["machine"]["build"], report.machine.build);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400_000), "2000-02-29");
        assert_eq!(date(1_795_651_200_000), "2026-11-26");
    }

    #[test]
    fn the_number_of_runs_is_said_where_it_is_one() {
        assert_eq!(of_runs("smallest to largest", &[7, 7]), "smallest to largest of 7");
        assert_eq!(of_runs("smallest to largest", &[7, 3]), "smallest to largest");
    }
}
