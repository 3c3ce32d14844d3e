//! What becomes of a report: it is kept for the page, written into files and printed. Where one of these fails, the others do not.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use recspeed_types::study::{StudyReport, Whose};

use super::keep::{Extent, Kept, Shown, keep, last};
use super::named_files::{self, Known, extent_of_files, named_section, own_section, section_kept};
use super::standing::Ended;
use super::{StudyArgs, StudyError, document, nothing_measured, render, section_of};
use crate::command::failure::CommandError;
use crate::command::output;

/// Where a report has come to.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The files that it stands in.
    places: Vec<PathBuf>,
    /// What went wrong with files that were named.
    unwritten: Vec<CommandError>,
    /// What went wrong with standard output.
    unprinted: Option<io::Error>,
}

impl Told {
    /// Whether it stands in every file that was named, and was printed where it stands in none.
    pub(super) const fn is_written(&self) -> bool {
        self.unwritten.is_empty() && (self.unprinted.is_none() || !self.places.is_empty())
    }

    /// What went wrong. A reader who went away early, as `head` does, is told of, too: others may have wanted to read on.
    pub(super) fn failures(self) -> Vec<CommandError> {
        let places: Vec<String> = self.places.iter().map(|place| place.display().to_string()).collect();
        let stands = match places.as_slice() {
            [] => "it stands in no file: give --out one".to_owned(),
            places => format!("it stands in {}", places.join(" and in ")),
        };
        let unprinted = self.unprinted.map(|why| StudyError::NotPrinted { why: why.to_string(), stands });
        self.unwritten.into_iter().chain(unprinted.map(CommandError::from)).collect()
    }
}

/// Keeps, writes and prints the report.
///
/// # Errors
/// The report cannot be put into words.
pub(super) fn tell(args: &StudyArgs, ended: &Ended, extent: Extent) -> io::Result<Told> {
    let (report, rest) = (&ended.report, ended.rest.as_ref());
    let json = serde_json::to_string_pretty(report)?;
    let mut told = Told::default();
    let is_empty = nothing_measured(report);
    let of_files = extent_of_files(args, extent, is_empty);
    // As it is before anything is written: the section of a document may be of one of these, and what a part leaves out
    // may be measured.
    let out = named_files::out(args, &report.study);
    let mut known = Known { others: named_files::others(args, &report.study), ..Known::default() };
    if args.section.is_none() && !is_empty {
        let kept = for_the_page(args, ended, extent);
        told.places.extend(kept.as_ref().map(|kept| kept.file.clone()));
        known.now = last(args.home.as_deref(), &report.study)
            .filter(|_| kept.as_ref().is_some_and(|kept| !matches!(kept.shown, Shown::Last(_))));
        known.page = kept.and_then(|kept| kept.last);
    } else {
        known.page = last(args.home.as_deref(), &report.study);
    }
    if let Some(path) = &args.out {
        match named_files::put_out(path, (report, rest), of_files) {
            // In a pipe it does not stay.
            Ok(None) => told.places.extend(path.is_file().then(|| path.clone())),
            Ok(Some(why)) => output::complain(&format!("recspeed: {} keeps its report, which {why}.", path.display())),
            Err(error) => told.unwritten.push(error),
        }
    }
    // Programs read what was measured; people also what was not yet, and by which command it is. A section of its own has
    // nothing but what was measured for it.
    let read = match (&ended.rest, &args.section) {
        (Some(rest), None) => {
            let earlier: Vec<&StudyReport> = known.page.iter().chain(&out).collect();
            Cow::Owned(rest.in_words(report, known.now.as_ref(), &earlier))
        }
        _ => Cow::Borrowed(report),
    };
    if let Some(path) = &args.document {
        let section = section_of(args, &report.study);
        let text = |own: &str| {
            let found = match &args.section {
                None => own_section(own, &known, (report, rest), of_files),
                Some(name) => named_section(own, render::markdown(&part(report, name)), report, of_files),
            };
            found.map_err(|why| section_kept(path, &section, why))
        };
        match document::put(path, &section, text) {
            Ok(None) => told.places.push(path.clone()),
            Ok(Some(why)) => {
                output::complain(&format!("recspeed: {} keeps its section, which {why}.", path.display()));
            }
            Err(error) => told.unwritten.push(error.into()),
        }
    }
    let text = if args.json { json } else { render::terminal(&read) };
    told.unprinted = output::say(&output::printable(&text)).err();
    Ok(told)
}

/// Keeps the report and says what the page shows now.
fn for_the_page(args: &StudyArgs, Ended { report, rest, .. }: &Ended, extent: Extent) -> Option<Kept> {
    match keep(args.home.as_deref(), (report, rest.as_ref()), extent) {
        Ok(None) => None,
        Ok(Some(kept)) => {
            for sentence in sentences(&kept, report) {
                output::complain(&format!("recspeed: {sentence}"));
            }
            Some(kept)
        }
        // The report is worth more than its copy for the page.
        Err(error) => {
            output::complain(&format!("warning: the page will not show this report: it cannot be kept ({error})"));
            None
        }
    }
}

/// What is to be known of where a report went: nothing where it took the last one's place and has all that was in that.
fn sentences(kept: &Kept, report: &StudyReport) -> Vec<String> {
    let named = |names: &[String]| names.iter().map(|name| format!("“{name}”")).collect::<Vec<_>>().join(", ");
    let went = match &kept.shown {
        Shown::Whole => None,
        Shown::Merged { put, left_out } => {
            let stands = if put.len() == 1 { "now stands" } else { "now stand" };
            let went = (!put.is_empty()).then(|| format!("{} {stands} among the rows of the last report", named(put)));
            let stays = (!left_out.is_empty())
                .then(|| format!("of {} it keeps the numbers that it had, for there are no new ones", named(left_out)));
            Some(format!("{}.", went.into_iter().chain(stays).collect::<Vec<_>>().join("; ")))
        }
        Shown::Last(why) => {
            let file = kept.file.display();
            let how = format!("; to have that shown, measure with --publish, or copy it over {}.json", report.study);
            let how = if report.partial.is_none() { how.as_str() } else { "" };
            Some(format!("the last report {why}, and the page goes on showing it; this one is kept as {file}{how}."))
        }
    };
    let earlier = kept.earlier.as_ref().map(|earlier| {
        format!(
            "what {} held before had what it has not now, and is kept as {}.",
            kept.file.display(),
            earlier.display()
        )
    });
    went.into_iter().chain(earlier).collect()
}

/// What was measured alone: the paper's table, and what explains the differences, stand in the study's own section.
fn part(report: &StudyReport, name: &str) -> StudyReport {
    let tables = report.tables.iter().filter(|table| table.whose == Whose::Measured).cloned().collect();
    let title = format!("{}: {name}", report.title);
    StudyReport { title, tables, differences: Vec::new(), ..report.clone() }
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{StudyMachine, StudyProgress};

    use super::*;

    #[test]
    fn where_a_report_went_and_what_the_page_shows_is_said_unless_nothing_is_to_be_known() {
        let mut report = super::super::report("mixed", "a command".to_owned(), StudyMachine::default(), Vec::new());
        let kept = |file: &str, shown, earlier: Option<&str>| Kept {
            file: file.into(),
            shown,
            earlier: earlier.map(PathBuf::from),
            last: None,
        };
        assert!(sentences(&kept("mixed.json", Shown::Whole, None), &report).is_empty());
        assert_eq!(
            sentences(&kept("mixed.json", Shown::Whole, Some("mixed.2026-11-27.json")), &report),
            ["what mixed.json held before had what it has not now, and is kept as mixed.2026-11-27.json."]
        );
        let [burn, other] = ["Burn", "PyTorch"].map(str::to_owned);
        let merged = |put: &[&String], left_out: &[&String]| {
            let names = |names: &[&String]| names.iter().map(|&name| name.clone()).collect();
            sentences(&kept("mixed.json", Shown::Merged { put: names(put), left_out: names(left_out) }, None), &report)
        };
        assert_eq!(merged(&[&burn], &[]), ["“Burn” now stands among the rows of the last report."]);
        assert_eq!(merged(&[&burn, &other], &[]), ["“Burn”, “PyTorch” now stand among the rows of the last report."]);
        let stays = "of “PyTorch” it keeps the numbers that it had, for there are no new ones.";
        assert_eq!(
            merged(&[&burn], &[&other]),
            [format!("“Burn” now stands among the rows of the last report; {stays}")]
        );
        let apart = kept("mixed.part.json", Shown::Last("has more"), None);
        let due = "the last report has more, and the page goes on showing it; this one is kept as mixed.part.json";
        let how = "; to have that shown, measure with --publish, or copy it over mixed.json.";
        assert_eq!(sentences(&apart, &report), [format!("{due}{how}")]);
        report.partial = Some(StudyProgress { done: 1, total: 2 });
        assert_eq!(sentences(&apart, &report), [format!("{due}.")], "one that was stopped is to be finished");
    }

    #[test]
    fn a_report_that_was_not_printed_is_told_by_the_files_that_it_stands_in() {
        let full = || Some(io::Error::from(io::ErrorKind::StorageFull));
        let told = |places: &[&str]| Told {
            places: places.iter().map(PathBuf::from).collect(),
            unwritten: Vec::new(),
            unprinted: full(),
        };
        let words = |told: Told| told.failures().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(told(&["a.json"]).is_written() && !told(&[]).is_written(), "in no file it is nowhere");
        let said = words(told(&["a.json", "b.json"]));
        assert!(said.starts_with("the report was not printed to its end ("), "{said}");
        assert!(said.ends_with("); it stands in a.json and in b.json"), "{said}");
        assert!(words(told(&[])).ends_with("); it stands in no file: give --out one"));
        assert!(Told::default().is_written() && words(Told::default()).is_empty());
        let unwritten = || CommandError::WriteFile { path: "c.json".into(), source: io::ErrorKind::StorageFull.into() };
        let both = || Told { unwritten: vec![unwritten()], ..told(&["a.json"]) };
        assert!(!both().is_written(), "a file that was asked for has nothing");
        assert!(words(both()).contains("c.json") && words(both()).contains("a.json"));
    }
}
