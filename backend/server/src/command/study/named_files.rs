//! What the files hold behind a report that `--out` and `--document` name. The law is that of the page: rows of a part are put among those
//! of the report that is there, a report that was stopped, has fewer runs or is of other settings takes the place of none that has more,
//! and `--replace` writes over it all the same.
//!
//! A section of a document is a report in words: rows can be put among its own where that report is at hand, as in the file that `--out`
//! names, in the lab's folder or in the program. One with a name of its own is of one command, and only that measures it again.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use recspeed_types::study::{StudyReport, Whose};

use super::keep::{self, Extent, Shown, in_place_of};
use super::rest::{NOT_YET, Rest};
use super::{StudyArgs, StudyError, document, render, section_of};
use crate::command::failure::CommandError;
use crate::studies::recorded_study;
use crate::whole_file;

/// Why rows cannot be put into a section.
const UNKNOWN: &str = "is of a report that is in no file known here, so that these rows cannot be put among its own";
/// The same where the section is not the study's own.
const OTHER_COMMAND: &str = "is of another command";
/// Why no report of this study takes the place of a file's.
const OTHER_STUDY: &str = "is of another study";

/// A report with the rows that it leaves out, where it is of a part of the study.
type Measured<'a> = (&'a StudyReport, Option<&'a Rest>);

/// What becomes of a section.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// It has this text.
    Text(String),
    /// It stays, for this report was stopped, and why; the same command goes on.
    Stays(&'static str),
}

/// The reports that the study's own section may be of.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What the page showed before this one came.
    pub(super) page: Option<StudyReport>,
    /// What it shows with rows of this one.
    pub(super) now: Option<StudyReport>,
    /// What `--out` named, and what comes with the program.
    pub(super) others: Vec<StudyReport>,
}

/// What a report is of for the files: of one without a number nothing takes a number's place.
pub(super) const fn extent_of_files(args: &StudyArgs, extent: Extent, is_empty: bool) -> Extent {
    Extent { part: extent.part || is_empty, own_settings: extent.own_settings, publish: args.replace }
}

/// Refuses before anything is measured a file for `--out` which holds what no report of this study may take the place
/// of.
///
/// # Errors
/// As [`last_in`].
pub(super) fn check_out(args: &StudyArgs, study: &str) -> Result<(), StudyError> {
    args.out.as_deref().map_or(Ok(()), |path| last_in(path, study, args.replace).map(drop))
}

/// Refuses before anything is measured what cannot be put into the section, whose text is `own`, by the study that this
/// `command` measures.
///
/// # Errors
/// [`StudyError::SectionKept`].
pub(super) fn check(
    args: &StudyArgs,
    (study, command): (&str, &str),
    own: &str,
    extent: Extent,
) -> Result<(), StudyError> {
    let Some(path) = args.document.as_deref().filter(|_| !args.replace) else { return Ok(()) };
    if args.section.is_some() {
        let is_free = own.is_empty() || is_of_command(own, command);
        return if is_free { Ok(()) } else { Err(section_kept(path, &section_of(args, study), OTHER_COMMAND)) };
    }
    let takes_any_place = !extent.part && !extent.own_settings;
    // One that was stopped may be of the same command, and rows that are not measured yet name one, which is known later.
    if takes_any_place || !document::is_whole(own) || own.contains(NOT_YET) {
        return Ok(());
    }
    let page = keep::last(args.home.as_deref(), study);
    let is_known = page.iter().chain(&others(args, study)).any(|report| is_in_words(report, None, own));
    if is_known { Ok(()) } else { Err(section_kept(path, study, UNKNOWN)) }
}

/// What a section that stays is told as.
pub(super) fn section_kept(path: &Path, section: &str, why: &'static str) -> StudyError {
    let remedy = match why {
        OTHER_COMMAND => "give --section another name",
        UNKNOWN => "name the JSON file of its report by --out, or give this one a section of its own by --section",
        _ => "give this one a section of its own by --section",
    };
    StudyError::SectionKept { path: path.to_owned(), section: section.to_owned(), why, remedy }
}

/// What `--out` names, and what comes with the program.
pub(super) fn others(args: &StudyArgs, study: &str) -> Vec<StudyReport> {
    out(args, study).into_iter().chain(recorded_study(study).map(|found| found.report.clone())).collect()
}

/// The report of this study that `--out` names.
pub(super) fn out(args: &StudyArgs, study: &str) -> Option<StudyReport> {
    last_in(args.out.as_deref()?, study, false).ok().flatten()
}

/// What a file holds.
enum Holds {
    /// Nothing; or it is a pipe, which is not read.
    Nothing,
    Report(Box<StudyReport>),
    /// Anything else, as what somebody has written, half a report or one of a later version; or it cannot be read.
    Other,
}

fn what_holds(path: &Path) -> Holds {
    if whole_file::is_stream(path) {
        return Holds::Nothing;
    }
    match std::fs::read(path) {
        Ok(text) if text.trim_ascii().is_empty() => Holds::Nothing,
        Ok(text) => serde_json::from_slice(&text).map_or(Holds::Other, |report| Holds::Report(Box::new(report))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Holds::Nothing,
        Err(_) => Holds::Other,
    }
}

/// The report in whose place one of this study is to come; of one that is to be written `over`, nothing is refused.
///
/// # Errors
/// [`StudyError::OutUnread`] and [`StudyError::OutKept`]: what the file holds would be lost.
fn last_in(path: &Path, study: &str, over: bool) -> Result<Option<StudyReport>, StudyError> {
    match what_holds(path) {
        Holds::Other if !over => Err(StudyError::OutUnread { path: path.to_owned() }),
        Holds::Report(last) if last.study != study && !over => {
            Err(StudyError::OutKept { path: path.to_owned(), why: OTHER_STUDY })
        }
        Holds::Report(last) => Ok(Some(*last)),
        Holds::Nothing | Holds::Other => Ok(None),
    }
}

/// Writes the report into the file that `--out` names, or its rows into the report that is there. Returns why that stays, where this one
/// was stopped. Of those who come at once, each reads what the one before it has written.
///
/// # Errors
/// The system does not let it, somebody holds the file's lock for too long, [`StudyError::OutKept`] or
/// [`StudyError::OutUnread`].
pub(super) fn put_out(
    path: &Path,
    (report, rest): Measured<'_>,
    extent: Extent,
) -> Result<Option<&'static str>, CommandError> {
    let failed = |source: io::Error| CommandError::WriteFile { path: path.to_owned(), source };
    let _alone = document::held(path).map_err(failed)?;
    let last = last_in(path, &report.study, extent.publish)?;
    let whole = match in_place_of(last.clone(), (report, rest), extent) {
        Ok((_, Shown::Whole)) => Cow::Borrowed(report),
        Ok((whole, _)) => Cow::Owned(of_these(whole, &[last.as_ref(), Some(report)])),
        Err(why) if report.partial.is_some() => return Ok(Some(why)),
        Err(why) => return Err(StudyError::OutKept { path: path.to_owned(), why }.into()),
    };
    let json = serde_json::to_string_pretty(&whole).map_err(io::Error::from).map_err(failed)?;
    whole_file::write(path, json.as_bytes()).map_err(failed)?;
    Ok(None)
}

/// The report without rows that none of these has: programs read what was measured.
fn of_these(mut whole: StudyReport, reports: &[Option<&StudyReport>]) -> StudyReport {
    let all = || reports.iter().copied().flatten();
    for table in whole.tables.iter_mut().filter(|table| table.whose == Whose::Measured) {
        let title = &table.title;
        table.rows.retain(|row| {
            let same = all().flat_map(|report| &report.tables).filter(|other| other.title == *title);
            same.flat_map(|other| &other.rows).any(|other| other.name == row.name)
        });
    }
    whole.tables.retain(|table| table.whose != Whose::Measured || !table.rows.is_empty());
    whole.specs.retain(|spec| all().flat_map(|report| &report.specs).any(|other| other.name == spec.name));
    whole.defaults.retain(|name, _| all().any(|report| report.defaults.contains_key(name)));
    whole
}

/// What the study's own section becomes, which is `own` by now, where the report is one of those that are `known` here.
///
/// # Errors
/// Why it stays, where something of it would be lost.
pub(super) fn own_section(
    own: &str,
    known: &Known,
    (report, rest): Measured<'_>,
    extent: Extent,
) -> Result<Section, &'static str> {
    if report.partial.is_some() && document::is_whole(own) {
        return Ok(Section::Stays("is of a whole report"));
    }
    // Who came at once with this one, and behind it to the page, has brought its rows here.
    if known.now.as_ref().is_some_and(|now| is_in_words(now, rest, own)) {
        return Ok(Section::Text(own.to_owned()));
    }
    let goes_on = !document::is_whole(own) && is_of_command(own, &report.command);
    let is_free = own.is_empty() || extent.publish || goes_on;
    let all = || known.page.iter().chain(&known.others);
    let last = match all().find(|last| is_in_words(last, rest, own)) {
        Some(last) => Some(last),
        None if is_free => known.page.as_ref(),
        None if extent.part || extent.own_settings => {
            return if report.partial.is_some() { Ok(Section::Stays(UNKNOWN)) } else { Err(UNKNOWN) };
        }
        None => None,
    };
    match in_place_of(last.cloned(), (report, rest), extent) {
        Ok((whole, _)) => Ok(Section::Text(render::markdown(&whole))),
        Err(_) if is_free => {
            let whole = rest.map_or(Cow::Borrowed(report), |rest| Cow::Owned(rest.beside(report)));
            Ok(Section::Text(render::markdown(&whole)))
        }
        Err(why) if report.partial.is_some() => Ok(Section::Stays(why)),
        Err(why) => Err(why),
    }
}

/// What a section with a name of its own becomes, which is `own` by now: the `text` of this report.
///
/// # Errors
/// It is of another command.
pub(super) fn named_section(
    own: &str,
    text: String,
    report: &StudyReport,
    extent: Extent,
) -> Result<Section, &'static str> {
    if report.partial.is_some() && document::is_whole(own) {
        return Ok(Section::Stays("is of a whole report"));
    }
    if own.is_empty() || extent.publish || is_of_command(own, &report.command) {
        return Ok(Section::Text(text));
    }
    Err(OTHER_COMMAND)
}

/// Whether a section is this report in words, as a part of the study that left out the same rest has written it or as it is.
fn is_in_words(report: &StudyReport, rest: Option<&Rest>, own: &str) -> bool {
    let is = |report: &StudyReport| render::markdown(report).trim() == own;
    is(report) || rest.is_some_and(|rest| is(&rest.beside(report)))
}

/// Whether this command heads a section.
fn is_of_command(own: &str, command: &str) -> bool {
    own.contains(&format!("`{command}`, measured on "))
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{
        STUDIES, StudyCell, StudyColumn, StudyMachine, StudyProgress, StudyRow, StudyTable, Unit,
    };

    use super::*;

    const USUAL: Extent = Extent { part: false, own_settings: false, publish: false };
    const SMALL: Extent = Extent { own_settings: true, ..USUAL };
    const PART: Extent = Extent { part: true, ..USUAL };

    /// A report of rows with these seconds, each in two runs.
    fn of(study: &str, command: &str, rows: &[(&str, f64)]) -> StudyReport {
        let row = |(name, seconds): &(&str, f64)| StudyRow {
            name: (*name).to_owned(),
            note: String::new(),
            cells: vec![StudyCell::runs(&[*seconds, *seconds])],
        };
        let table = StudyTable {
            title: "Measured here".to_owned(),
            whose: Whose::Measured,
            rows_are: "where".to_owned(),
            columns: vec![StudyColumn::lower("training", Unit::Seconds)],
            rows: rows.iter().map(row).collect(),
            bars: Some(0),
        };
        let mut report = super::super::report(study, command.to_owned(), StudyMachine::default(), vec![table]);
        report.conditions = vec!["10,000 rows.".to_owned()];
        report.measured_ms = 0;
        report
    }

    /// Names, seconds and notes of its rows.
    fn rows(report: &StudyReport) -> Vec<(&str, Option<f64>, &str)> {
        let table = &report.tables[0];
        table.rows.iter().map(|row| (row.name.as_str(), row.cells[0].value(), row.note.as_str())).collect()
    }

    fn stopped(mut report: StudyReport) -> StudyReport {
        report.partial = Some(StudyProgress { done: 1, total: 2 });
        report
    }

    #[test]
    fn rows_of_a_part_of_any_study_are_put_among_those_of_the_report_that_a_file_or_a_section_has() {
        let folder = tempfile::tempdir().expect("a folder");
        for study in STUDIES {
            let path = folder.path().join(study.name);
            let whole = of(study.name, "whole", &[("Burn", 1.0), ("PyTorch", 3.0)]);
            let part = of(study.name, "part", &[("Burn", 2.0)]);
            assert!(put_out(&path, (&whole, None), USUAL).is_ok_and(|stays| stays.is_none()), "{}", study.name);
            assert_eq!(keep::read(&path).as_ref(), Some(&whole));
            assert!(put_out(&path, (&part, None), PART).is_ok_and(|stays| stays.is_none()), "{}", study.name);
            let both = keep::read(&path).expect("a report");
            let due = [("Burn", Some(2.0), "measured by itself on 1970-01-01"), ("PyTorch", Some(3.0), "")];
            assert_eq!(rows(&both), due, "{}", study.name);
            assert_eq!(both.command, "whole", "the head is of the row that stays");
            // The same of a section, whose report only that file has.
            let own = render::markdown(&whole);
            let known = Known { others: vec![whole], ..Known::default() };
            let section = own_section(own.trim(), &known, (&part, None), PART);
            assert_eq!(section, Ok(Section::Text(render::markdown(&both))), "{}", study.name);
        }
    }

    #[test]
    fn a_report_of_which_a_file_has_more_is_refused_with_what_helps_unless_it_is_to_write_over_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mixed.json");
        let whole = of("mixed", "whole", &[("Burn", 1.0), ("PyTorch", 3.0)]);
        put_out(&path, (&whole, None), USUAL).expect("written");
        let mut other_data = of("mixed", "part", &[("Burn", 2.0)]);
        other_data.conditions = vec!["100 rows.".to_owned()];
        let small = of("mixed", "small", &[("Burn", 2.0)]);
        let other_study = of("methods", "part", &[("Burn", 2.0)]);
        for (report, extent, why) in [
            (&other_data, PART, "is of other data, sizes or settings"),
            (&other_study, PART, "is of another study"),
            (&small, SMALL, "is of other settings or has more runs"),
        ] {
            let said = put_out(&path, (report, None), extent).expect_err(why).to_string();
            assert!(said.contains(&format!("mixed.json keeps its report, which {why}; ")), "{said}");
            assert!(said.contains("--out another file") && said.ends_with("--replace"), "{said}");
            assert_eq!(keep::read(&path).as_ref(), Some(&whole), "{why}");
            let over = folder.path().join("over.json");
            std::fs::copy(&path, &over).expect("copied");
            put_out(&over, (report, None), Extent { publish: true, ..extent }).expect("written over");
            assert_eq!(keep::read(&over).as_ref(), Some(report));
        }
        let stays = put_out(&path, (&stopped(small), None), USUAL).expect("it is to be finished");
        assert_eq!((stays, keep::read(&path)), (Some("is whole"), Some(whole)));
    }

    #[test]
    fn a_file_without_a_report_of_the_study_is_refused_before_anything_is_measured_unless_it_is_to_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.json");
        let own = of("mixed", "whole", &[("Burn", 1.0)]);
        let json = serde_json::to_string_pretty(&own).expect("JSON");
        let args = |replace| StudyArgs { out: Some(path.clone()), replace, ..StudyArgs::default() };
        let half: String = json.chars().take(json.chars().count() / 2).collect();
        let newer = json.replacen("\"number\"", "\"a kind that nobody knows yet\"", 1);
        let other = json.replacen("\"mixed\"", "\"methods\"", 1);
        assert!(newer != json && other != json, "{json}");
        for (text, why) in [
            ("my precious notes\n".to_owned(), "holds no report that this version can read, and stays as it is"),
            (half, "holds no report that this version can read"),
            (newer, "holds no report that this version can read"),
            (other, "keeps its report, which is of another study"),
        ] {
            std::fs::write(&path, &text).expect("written");
            let said = check_out(&args(false), "mixed").expect_err(why).to_string();
            assert!(said.contains(&format!("out.json {why}")), "{said}");
            assert!(said.contains("--out another file") && said.ends_with("--replace"), "{said}");
            // It may have come there while the study measured.
            for (report, extent) in [(own.clone(), USUAL), (own.clone(), PART), (stopped(own.clone()), USUAL)] {
                assert_eq!(put_out(&path, (&report, None), extent).expect_err(why).to_string(), said);
            }
            assert_eq!(std::fs::read_to_string(&path).expect("a file"), text, "{why}");
            check_out(&args(true), "mixed").expect("it is to be written over");
            put_out(&path, (&own, None), Extent { publish: true, ..USUAL }).expect("written over");
            assert_eq!(keep::read(&path).as_ref(), Some(&own));
        }
        for text in ["", " \n"] {
            std::fs::write(&path, text).expect("written");
            check_out(&args(false), "mixed").expect("there is nothing to lose");
            put_out(&path, (&own, None), USUAL).expect("written");
            assert_eq!(keep::read(&path).as_ref(), Some(&own));
        }
        check_out(&args(false), "mixed").expect("a report of the study");
        std::fs::remove_file(&path).expect("removed");
        check_out(&args(false), "mixed").expect("a new file");
    }

    #[test]
    fn a_section_of_another_command_is_refused_before_anything_is_measured() {
        let own = render::markdown(&of("mixed", "in the tab", &[("Burn", 1.0)]));
        let args = |replace| StudyArgs {
            document: Some("studies.md".into()),
            section: Some("mine".to_owned()),
            replace,
            ..StudyArgs::default()
        };
        let checked = |replace, command: &str, own: &str| check(&args(replace), ("mixed", command), own.trim(), USUAL);
        let said = checked(false, "another", &own).expect_err("it is of another").to_string();
        assert!(
            said.starts_with("studies.md keeps its section `mixed: mine`, which is of another command; "),
            "{said}"
        );
        assert!(said.contains("give --section another name") && said.ends_with("--replace"), "{said}");
        checked(false, "in the tab", &own).expect("its own command");
        checked(true, "another", &own).expect("it is to be written over");
        checked(false, "another", "").expect("there is none yet");
    }

    #[test]
    fn what_a_part_has_not_measured_is_in_no_file_for_programs() {
        let [last, part] = [("Burn", 1.0), ("PyTorch", 2.0)].map(|row| of("mixed", "part", &[row]));
        let mut whole = of("mixed", "part", &[("Burn", 1.0), ("PyTorch", 2.0), ("New", 0.0)]);
        whole.tables.push(StudyTable { title: "On a GPU".to_owned(), ..whole.tables[0].clone() });
        let own = of_these(whole, &[Some(&last), Some(&part)]);
        let measured = own.tables.iter().filter(|table| table.whose == Whose::Measured).count();
        assert_eq!((measured, rows(&own).len(), rows(&own)[1].0), (1, 2, "PyTorch"));
    }

    #[test]
    fn a_section_of_a_report_that_is_not_known_here_takes_no_part_and_no_small_run() {
        let whole = of("mixed", "whole", &[("Burn", 1.0), ("PyTorch", 3.0)]);
        let part = of("mixed", "part", &[("Burn", 2.0)]);
        let own = render::markdown(&whole);
        let section =
            |report: &StudyReport, extent, known: &Known| own_section(own.trim(), known, (report, None), extent);
        let nothing = Known::default();
        for extent in [PART, SMALL] {
            assert_eq!(section(&part, extent, &nothing), Err(UNKNOWN));
            let over = section(&part, Extent { publish: true, ..extent }, &nothing);
            assert_eq!(over, Ok(Section::Text(render::markdown(&part))));
        }
        assert_eq!(
            section(&part, USUAL, &nothing),
            Ok(Section::Text(render::markdown(&part))),
            "as large as the study"
        );
        assert_eq!(section(&stopped(part.clone()), PART, &nothing), Ok(Section::Stays("is of a whole report")));
        let page = Known { page: Some(whole.clone()), ..Known::default() };
        assert_eq!(section(&part, SMALL, &page), Err("is of other settings or has more runs"));
        // Whoever came at once and behind it has put both there.
        let now = Known { now: Some(whole.clone()), ..Known::default() };
        assert_eq!(section(&part, PART, &now), Ok(Section::Text(own.trim().to_owned())));
        // Where there is no section, it is begun with what the page has.
        let begun = own_section("", &page, (&part, None), PART).expect("a text");
        let Section::Text(text) = &begun else { panic!("{begun:?}") };
        assert!(text.contains("| PyTorch |") && text.contains("measured by itself"), "{text}");
        let said = section_kept(Path::new("studies.md"), "mixed", UNKNOWN).to_string();
        assert!(
            said.starts_with("studies.md keeps its section `mixed`, which is of a report that is in no file"),
            "{said}"
        );
        assert!(said.contains("by --out") && said.contains("--section") && said.ends_with("--replace"), "{said}");
    }

    #[test]
    fn a_stopped_part_in_a_section_gives_way_to_the_same_command_and_to_no_other_one() {
        let own = render::markdown(&stopped(of("mixed", "two rows", &[("Burn", 1.0)])));
        let section = |command: &str| {
            let part = of("mixed", command, &[("Burn", 1.0), ("PyTorch", 2.0)]);
            own_section(own.trim(), &Known::default(), (&part, None), PART).map(|_| ())
        };
        assert_eq!((section("two rows"), section("another")), (Ok(()), Err(UNKNOWN)));
    }

    #[test]
    fn a_section_with_a_name_of_its_own_is_measured_again_by_its_own_command_alone() {
        let report = |command: &str| of("mixed", command, &[("Burn", 1.0)]);
        let own = render::markdown(&report("in the tab"));
        let put =
            |own: &str, report: &StudyReport, extent| named_section(own.trim(), "text".to_owned(), report, extent);
        let text = || Ok(Section::Text("text".to_owned()));
        assert_eq!(put(&own, &report("in the tab"), PART), text());
        assert_eq!(put("", &report("another"), PART), text());
        assert_eq!(put(&own, &report("another"), USUAL), Err(OTHER_COMMAND));
        assert_eq!(put(&own, &report("another"), Extent { publish: true, ..PART }), text());
        assert_eq!(put(&own, &stopped(report("in the tab")), PART), Ok(Section::Stays("is of a whole report")));
    }
}
