//! The last report of each study, kept in the lab's folder as `studies/NAME.json`, which the page shows.
//!
//! A part of a study, as of one engine, is put into the last report, whichever of its parts came first; rows that none
//! has measured stand there with the command that does ([`Rest`]). One that must not take the last one's place, as that
//! of a study that was stopped, or one of fewer runs, is kept as `studies/NAME.part.json`. Nothing is lost where a
//! report does take another's place: the earlier one stays beside it, with its date, unless the new one has all that it
//! had. Of those who come at once, each reads what the one before it has written.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use recspeed_types::study::{StudyReport, StudyTable, Whose};

use super::merge::{has_all_of, merged};
use super::render::date;
use super::rest::Rest;
use crate::alone::{self, Alone};
use crate::{clock, home, whole_file};

/// What a report is of, as it was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    /// Some of the study's rows are left out.
    pub(super) part: bool,
    /// It is of fewer runs than usual, or of settings that are not the study's own.
    pub(super) own_settings: bool,
    /// The page is to show it all the same.
    pub(super) publish: bool,
}

/// A report that was kept.
#[derive(Debug)]
pub(super) struct Kept {
    /// The file that it, or its rows, stand in.
    pub(super) file: PathBuf,
    /// Whether the page shows it.
    pub(super) shown: Shown,
    /// Where the report is now whose place it took, and which has what it has not.
    pub(super) earlier: Option<PathBuf>,
    /// What the page showed before.
    pub(super) last: Option<StudyReport>,
}

/// What the page shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// This report.
    Whole,
    /// The last report, with rows of this one.
    Merged {
        /// Their names.
        put: Vec<String>,
        /// Those without a number, in whose place the last report's numbers stay.
        left_out: Vec<String>,
    },
    /// The last report, and why.
    Last(&'static str),
}

/// Keeps the report where the page finds the last one; of a part of the study, which leaves out the `rest`, its rows in
/// the last one. `None` where the lab has no folder.
///
/// # Errors
/// What the system says of a file, or who holds the lock of the report for too long: then the last report is as it was.
pub(super) fn keep(
    named: Option<&Path>,
    (report, rest): (&StudyReport, Option<&Rest>),
    extent: Extent,
) -> io::Result<Option<Kept>> {
    let Some(root) = named.map(Path::to_owned).or_else(home::usual_place) else { return Ok(None) };
    let folder = home::studies(&root);
    // Rows that another process puts there between our reading and our writing would be gone.
    let _alone = Alone::wait(&home::report_lock(&folder, &report.study), alone::PATIENCE)?;
    std::fs::create_dir_all(&folder)?;
    let page = folder.join(format!("{}.json", report.study));
    let last = read(&page);
    let (file, report, shown) = match in_place_of(last.clone(), (report, rest), extent) {
        Ok((whole, shown)) => (page, Cow::Owned(whole), shown),
        Err(why) => (folder.join(format!("{}.part.json", report.study)), Cow::Borrowed(report), Shown::Last(why)),
    };
    let earlier = put(&file, &report)?;
    Ok(Some(Kept { file, shown, earlier, last }))
}

/// What is to stand where the `last` report stands, with the rows that no command has measured so far: this report, or that one with rows
/// of this one.
///
/// # Errors
/// Why the last one stays as it is.
pub(super) fn in_place_of(
    last: Option<StudyReport>,
    (report, rest): (&StudyReport, Option<&Rest>),
    extent: Extent,
) -> Result<(StudyReport, Shown), &'static str> {
    let with_rest = |report: &StudyReport| rest.map_or_else(|| report.clone(), |rest| rest.beside(report));
    let last = last.map(|last| with_rest(&without_those_left_behind(last, report, rest)));
    match shown(last.as_ref(), report, extent)? {
        Cow::Borrowed(report) => Ok((with_rest(report), Shown::Whole)),
        Cow::Owned(whole) => {
            let (put, left_out) = put_and_left_out(&whole, report);
            Ok((with_rest(&whole), Shown::Merged { put, left_out }))
        }
    }
}

/// The last report; where this one goes on behind it, without tables that the study has no more, as those of the size that
/// it had come to when it was stopped: their rows would say for ever that it was.
fn without_those_left_behind(mut last: StudyReport, report: &StudyReport, rest: Option<&Rest>) -> StudyReport {
    if let Some(rest) = rest
        && last.partial.is_some()
        && last.command == report.command
    {
        last.tables.retain(|table| table.whose != Whose::Measured || rest.has(table));
    }
    last
}

/// What the page is to show behind the last report; otherwise why it goes on showing that.
fn shown<'a>(
    last: Option<&StudyReport>,
    report: &'a StudyReport,
    extent: Extent,
) -> Result<Cow<'a, StudyReport>, &'static str> {
    let Some(last) = last else { return Ok(Cow::Borrowed(report)) };
    if report.partial.is_some() && last.partial.is_none() {
        return Err("is whole");
    }
    // It goes on where that was stopped; what it has no more, it leaves beside. Rows that other commands have measured
    // stay.
    if last.partial.is_some() && last.command == report.command {
        return Ok(match merged(last, report) {
            Ok(whole) if !has_all_of(report, &whole) => Cow::Owned(whole),
            _ => Cow::Borrowed(report),
        });
    }
    if extent.publish && !extent.part {
        return Ok(Cow::Borrowed(report));
    }
    if !extent.part {
        return if extent.own_settings && !has_all_of(report, last) {
            Err("is of other settings or has more runs")
        } else {
            Ok(Cow::Borrowed(report))
        };
    }
    if report.partial.is_some() {
        return Err("has other rows too");
    }
    match merged(last, report) {
        Ok(whole) if extent.publish || has_all_of(&whole, last) => Ok(Cow::Owned(whole)),
        Ok(_) => Err("has more runs of the same rows"),
        Err(_) if extent.publish => Ok(Cow::Borrowed(report)),
        Err(why) => Err(why),
    }
}

/// The names of the report's rows that stand in the `whole` one, and of those that do not in one of its tables.
fn put_and_left_out(whole: &StudyReport, report: &StudyReport) -> (Vec<String>, Vec<String>) {
    let (mut put, mut left_out): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for table in report.tables.iter().filter(|table| table.whose == Whose::Measured) {
        let same = whole.tables.iter().find(|other| other.whose == table.whose && other.title == table.title);
        for row in table.rows.iter().filter(|row| !row.is_reference()) {
            let stands =
                |table: &StudyTable| table.rows.iter().any(|own| own.name == row.name && own.cells == row.cells);
            let names = if same.is_some_and(stands) { &mut put } else { &mut left_out };
            if !names.contains(&row.name) {
                names.push(row.name.clone());
            }
        }
    }
    put.retain(|name| !left_out.contains(name));
    (put, left_out)
}

/// The report of this study that the page shows, below the lab's folder.
pub(super) fn last(named: Option<&Path>, study: &str) -> Option<StudyReport> {
    let root = named.map(Path::to_owned).or_else(home::usual_place)?;
    read(&home::studies(&root).join(format!("{study}.json")))
}

/// A report; one that cannot be read is none.
pub(super) fn read(path: &Path) -> Option<StudyReport> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Writes the report, and beside it what it takes the place of, unless it has all of that. Returns where that is.
fn put(file: &Path, report: &StudyReport) -> io::Result<Option<PathBuf>> {
    let earlier = match (std::fs::read(file), read(file)) {
        (Ok(_), Some(before)) if has_all_of(report, &before) => None,
        (Ok(text), before) => {
            let place = beside(file, before.map_or_else(clock::now_ms, |before| before.measured_ms));
            whole_file::write(&place, &text)?;
            Some(place)
        }
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => None,
        (Err(error), _) => return Err(error),
    };
    whole_file::write(file, &serde_json::to_vec_pretty(report)?)?;
    Ok(earlier)
}

/// The name of a file with a date in it, and a number where that is taken: as `four-layer.2026-11-27.json`.
fn beside(file: &Path, ms: i64) -> PathBuf {
    let dated = file.with_extension(format!("{}.json", date(ms)));
    let numbered = |number: u32| file.with_extension(format!("{}-{number}.json", date(ms)));
    let mut all = std::iter::once(dated).chain((2..).map(numbered));
    all.find(|place| !place.exists()).unwrap_or_else(|| file.with_extension("earlier.json"))
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{StudyCell, StudyColumn, StudyMachine, StudyProgress, StudyRow, Unit};

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    /// A report of rows in so many runs each.
    fn of(command: &str, conditions: &str, rows: &[(&str, usize)]) -> StudyReport {
        let row = |(name, runs): &(&str, usize)| StudyRow {
            name: (*name).to_owned(),
            note: String::new(),
            cells: vec![StudyCell::runs(&vec![1.0; *runs])],
        };
        let table = StudyTable {
            title: "Measured here".to_owned(),
            whose: Whose::Measured,
            rows_are: "where".to_owned(),
            columns: vec![StudyColumn::lower("training", Unit::Seconds)],
            rows: rows.iter().map(row).collect(),
            bars: Some(0),
        };
        let mut report = super::super::report("mixed", command.to_owned(), StudyMachine::default(), vec![table]);
        report.conditions = vec![conditions.to_owned()];
        report.measured_ms = 3 * DAY_MS;
        report
    }

    fn keep_in(home: &Path, report: &StudyReport, extent: Extent) -> Kept {
        keep(Some(home), (report, None), extent).expect("kept").expect("a folder")
    }

    /// What the page shows.
    fn page(home: &Path) -> StudyReport {
        read(&home::studies(home).join("mixed.json")).expect("a report")
    }

    /// The last report shows these rows.
    fn put(names: &[&str]) -> Shown {
        Shown::Merged { put: names.iter().map(|&name| name.to_owned()).collect(), left_out: Vec::new() }
    }

    #[test]
    fn a_row_that_failed_is_not_among_those_that_were_put_into_the_last_report() {
        let home = tempfile::tempdir().expect("a folder");
        keep_in(home.path(), &of("whole", "", &[("Burn", 1), ("PyTorch", 1), ("New", 1)]), USUAL);
        let mut part = of("part", "", &[("Burn", 1), ("PyTorch", 1)]);
        part.tables[0].rows[1].cells = vec![StudyCell::Failed { cause: "It crashed.".to_owned() }];
        let due = Shown::Merged { put: vec!["Burn".to_owned()], left_out: vec!["PyTorch".to_owned()] };
        assert_eq!(keep_in(home.path(), &part, PART).shown, due);
        assert!(page(home.path()).tables[0].rows[1].cells[0].value().is_some(), "its number stays");
    }

    const USUAL: Extent = Extent { part: false, own_settings: false, publish: false };
    const SMALL: Extent = Extent { own_settings: true, ..USUAL };
    const PART: Extent = Extent { part: true, ..USUAL };

    #[test]
    fn a_report_of_a_study_that_was_stopped_takes_no_whole_ones_place() {
        let home = tempfile::tempdir().expect("a folder");
        for (done, command, whole, stands) in [
            (Some(2), "first", true, "first"),
            (Some(4), "second", true, "second"),
            (None, "third", true, "third"),
            (Some(8), "fourth", false, "third"),
            (None, "fifth", true, "fifth"),
        ] {
            let mut report = of(command, "", &[("Burn", 1)]);
            report.partial = done.map(|done| StudyProgress { done, total: 9 });
            for extent in [USUAL, Extent { publish: true, ..USUAL }] {
                let kept = keep_in(home.path(), &report, extent);
                assert_eq!((kept.shown == Shown::Whole, page(home.path()).command.as_str()), (whole, stands));
            }
        }
    }

    #[test]
    fn a_small_run_takes_the_place_of_no_report_that_has_more_unless_it_is_asked_to() {
        let home = tempfile::tempdir().expect("a folder");
        let usual = of("usual", "10,000 rows", &[("Burn", 5), ("PyTorch", 5)]);
        let fewer_runs = of("fewer runs", "10,000 rows", &[("Burn", 1), ("PyTorch", 1)]);
        let fewer_rows = of("fewer rows", "100 rows", &[("Burn", 5), ("PyTorch", 5)]);
        assert_eq!(keep_in(home.path(), &fewer_runs, SMALL).shown, Shown::Whole, "where there is none, it is the last");
        let kept = keep_in(home.path(), &usual, USUAL);
        assert_eq!((kept.shown, kept.earlier), (Shown::Whole, None), "it has all that the small one had");
        for small in [&fewer_runs, &fewer_rows] {
            let kept = keep_in(home.path(), small, SMALL);
            assert_eq!(kept.shown, Shown::Last("is of other settings or has more runs"));
            assert_eq!(kept.file, home::studies(home.path()).join("mixed.part.json"));
            assert_eq!(page(home.path()), usual);
        }
        let again = of("again", "10,000 rows", &[("Burn", 5), ("PyTorch", 6)]);
        assert_eq!(keep_in(home.path(), &again, SMALL).shown, Shown::Whole, "it has as many runs of the same");
        let kept = keep_in(home.path(), &fewer_rows, Extent { publish: true, ..SMALL });
        assert_eq!((kept.shown, page(home.path())), (Shown::Whole, fewer_rows));
        assert_eq!(read(&kept.earlier.expect("beside it")), Some(again));
    }

    #[test]
    fn a_report_whose_place_is_taken_stays_beside_unless_the_new_one_has_all_of_it() {
        let home = tempfile::tempdir().expect("a folder");
        let small = of("small", "10,000 rows", &[("Burn", 3)]);
        let full = of("full", "2,000,000 rows", &[("Burn", 1), ("PyTorch", 1)]);
        keep_in(home.path(), &small, USUAL);
        let folder = home::studies(home.path());
        // The study at its full size, at its own, at its full size again, which cannot measure a row any more.
        let mut less = full.clone();
        less.tables[0].rows[1].cells = vec![StudyCell::Failed { cause: "It crashed.".to_owned() }];
        for (report, before, name) in [
            (&full, &small, "mixed.1970-01-04.json"),
            (&small, &full, "mixed.1970-01-04-2.json"),
            (&full, &small, "mixed.1970-01-04-3.json"),
            (&less, &full, "mixed.1970-01-04-4.json"),
        ] {
            let kept = keep_in(home.path(), report, USUAL);
            assert_eq!((kept.shown, kept.earlier.as_deref()), (Shown::Whole, Some(folder.join(name).as_path())));
            assert_eq!(read(&folder.join(name)).as_ref(), Some(before));
        }
        assert_eq!(keep_in(home.path(), &full, USUAL).earlier, None, "all that the last one had");
        // One that nobody can read, as of a later version.
        std::fs::write(folder.join("mixed.json"), "{").expect("written");
        let earlier = keep_in(home.path(), &small, USUAL).earlier.expect("kept beside");
        assert_eq!(std::fs::read_to_string(earlier).expect("a file"), "{");
    }

    #[test]
    fn a_part_that_was_stopped_gives_way_to_what_the_same_command_brings_and_to_no_other_one() {
        let home = tempfile::tempdir().expect("a folder");
        let at = |done| Some(StudyProgress { done, total: 4 });
        let mut stopped = of("two rows", "10,000 rows", &[("Burn", 1)]);
        stopped.partial = at(1);
        assert_eq!(keep_in(home.path(), &stopped, PART).shown, Shown::Whole, "there is no other");
        let mut again = of("two rows", "10,000 rows", &[("Burn", 2), ("PyTorch", 1)]);
        again.partial = at(3);
        assert_eq!(keep_in(home.path(), &again, PART).shown, Shown::Whole, "stopped once more");
        let whole = of("two rows", "10,000 rows", &[("Burn", 2), ("PyTorch", 2)]);
        let kept = keep_in(home.path(), &whole, PART);
        assert_eq!((kept.shown, kept.earlier, page(home.path())), (Shown::Whole, None, whole));
        // Rows of another command stand in it, and it is still to be finished, by its own.
        let home = tempfile::tempdir().expect("a folder");
        keep_in(home.path(), &stopped, USUAL);
        let part = of("one row", "10,000 rows", &[("Burn", 2)]);
        assert_eq!(keep_in(home.path(), &part, PART).shown, put(&["Burn"]));
        let shown = page(home.path());
        assert_eq!((shown.partial, shown.command.as_str()), (at(1), "two rows"));
        assert_eq!(shown.tables[0].rows[0].note, "measured by itself on 1970-01-04");
    }

    #[test]
    fn of_reports_that_are_kept_at_once_none_loses_its_rows() {
        let home = tempfile::tempdir().expect("a folder");
        let names: Vec<String> = (0..16).map(|number| format!("row {number}")).collect();
        std::thread::scope(|scope| {
            for name in &names {
                let home = home.path();
                scope.spawn(move || keep_in(home, &of(name, "10,000 rows", &[(name.as_str(), 1)]), PART));
            }
        });
        let shown = page(home.path());
        let mut put: Vec<&str> = shown.tables[0].rows.iter().map(|row| row.name.as_str()).collect();
        put.sort_unstable_by_key(|name| name.trim_start_matches("row ").parse::<u32>().expect("a number"));
        assert_eq!(put, names, "each is there once");
        let files = std::fs::read_dir(home::studies(home.path())).expect("a folder").count();
        assert_eq!(files, 1, "no lock and no earlier report stays");
    }

    #[test]
    fn rows_of_others_stay_where_a_part_that_was_stopped_goes_on() {
        let home = tempfile::tempdir().expect("a folder");
        let mut stopped = of("two rows", "10,000 rows", &[("Burn", 1)]);
        stopped.partial = Some(StudyProgress { done: 1, total: 2 });
        keep_in(home.path(), &stopped, PART);
        keep_in(home.path(), &of("other", "10,000 rows", &[("Other", 1)]), PART);
        let whole = of("two rows", "10,000 rows", &[("Burn", 1), ("PyTorch", 1)]);
        let kept = keep_in(home.path(), &whole, PART);
        assert_eq!((kept.shown, kept.earlier), (put(&["Burn", "PyTorch"]), None));
        let shown = page(home.path());
        let names: Vec<&str> = shown.tables[0].rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["Burn", "Other", "PyTorch"]);
        assert_eq!((shown.partial, shown.command.as_str()), (None, "two rows"));
        assert_eq!(shown.tables[0].rows[1].note, "measured by itself on 1970-01-04");
    }

    #[test]
    fn rows_of_fewer_runs_are_put_into_the_last_report_only_when_that_is_asked_for() {
        let home = tempfile::tempdir().expect("a folder");
        let whole = of("whole", "10,000 rows", &[("Burn", 5), ("PyTorch", 5)]);
        keep_in(home.path(), &whole, USUAL);
        let one = of("part", "10,000 rows", &[("PyTorch", 1)]);
        assert_eq!(keep_in(home.path(), &one, PART).shown, Shown::Last("has more runs of the same rows"));
        assert_eq!(page(home.path()), whole);
        let kept = keep_in(home.path(), &one, Extent { publish: true, ..PART });
        assert_eq!((kept.shown, read(&kept.earlier.expect("beside it"))), (put(&["PyTorch"]), Some(whole)));
        let five = of("part", "10,000 rows", &[("PyTorch", 5)]);
        let kept = keep_in(home.path(), &five, PART);
        assert_eq!((kept.shown, kept.earlier), (put(&["PyTorch"]), None));
    }
}
