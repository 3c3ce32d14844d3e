//! `recspeed study NAME --recorded`: what Recspeed's authors measured on a machine of theirs, which comes with the
//! program.

use super::super::failure::CommandError;
use super::super::output;
use super::named_files::Section;
use super::{StudyArgs, StudyError, document, identity, render};
use crate::studies::{Recorded, recorded_study};

/// Prints it, and puts it into a document where one is named.
///
/// # Errors
/// No report of the study comes with the program; the document cannot take it; nobody reads.
pub(super) fn print(name: &'static str, args: &StudyArgs) -> Result<u8, CommandError> {
    let found = recorded_study(name).ok_or(StudyError::NotRecorded { name })?;
    if let Some(path) = &args.document {
        document::put(path, name, |_| Ok(Section::Text(render::markdown(&found.report))))?;
    }
    let text = if args.json {
        serde_json::to_string_pretty(&found.report).map_err(std::io::Error::other)?
    } else {
        words(found, &identity::machine())
    };
    output::say(&output::printable(&text))?;
    Ok(0)
}

/// The report as people read it: first of all, of which machine it is, beside this `machine`. The page holds the two
/// against each other as well.
fn words(Recorded { told, settings, .. }: &Recorded, machine: &str) -> String {
    let settings = settings.as_ref().map(|told| format!(" {told}")).unwrap_or_default();
    let is_here = !machine.is_empty() && told.machine.id == machine;
    let place = if is_here { "this machine" } else { "a machine of theirs, and not on this one" };
    format!(
        "Measured by Recspeed's authors on {place}; `recspeed study {}` measures here.{settings}\n{}",
        told.study,
        render::terminal(told)
    )
}

#[cfg(test)]
mod tests {
    use recspeed_types::api::StudyRecorded;
    use recspeed_types::study::STUDIES;

    use super::*;

    fn all() -> impl Iterator<Item = (&'static str, &'static Recorded)> {
        STUDIES.iter().filter_map(|study| Some((study.name, recorded_study(study.name)?)))
    }

    /// The document and the files that the program carries are two forms of one thing.
    #[test]
    fn the_sections_of_docs_studies_are_the_recorded_reports_in_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("studies.md");
        let before = include_str!("../../../../../docs/studies.md");
        for (name, found) in all() {
            std::fs::write(&path, before).expect("written");
            document::put(&path, name, |_| Ok(Section::Text(render::markdown(&found.report)))).expect("a document");
            let after = std::fs::read_to_string(&path).expect("readable");
            let other = before.lines().zip(after.lines()).find(|(before, after)| before != after);
            assert_eq!(other, None, "`recspeed study {name} --recorded --document docs/studies.md` writes the section");
            assert_eq!(before.len(), after.len(), "{name}");
        }
    }

    #[test]
    fn the_terminal_says_first_that_it_was_not_measured_here_and_where_it_was_older_that_too() {
        for (name, found) in all() {
            let text = words(found, "another machine");
            let first = text.lines().next().unwrap_or_default();
            assert!(first.starts_with("Measured by Recspeed's authors on a machine of theirs"), "{first}");
            assert!(first.contains(&format!("`recspeed study {name}` measures here")), "{first}");
            assert_eq!(first.contains(StudyRecorded::OLDER), found.older, "{first}");
            assert!(found.settings.as_ref().is_none_or(|told| first.ends_with(told.as_str())), "{first}");
            let commands = ["engines install", "make worker-", "make studies-tab"];
            assert!(!commands.iter().any(|command| text.contains(command)), "nothing is to be installed: {text}");
        }
        let found = all().next().map(|(_, found)| found).expect("a report");
        let of = |settings: Option<&str>| Recorded {
            report: found.report.clone(),
            told: found.told.clone(),
            older: settings.is_some(),
            settings: settings.map(str::to_owned),
        };
        let first = |found: &Recorded| words(found, "").lines().next().unwrap_or_default().to_owned();
        assert!(first(&of(Some("Of “a” b was 1 and is 2 today."))).ends_with(" Of “a” b was 1 and is 2 today."));
        assert!(first(&of(None)).ends_with("measures here."), "nothing is to be said");
    }

    #[test]
    fn the_terminal_says_of_this_machines_own_report_that_it_is_of_this_machine_as_the_page_does() {
        let (_, found) = all().next().expect("a report");
        let on = |id: &str, machine: &str| {
            let mut told = found.told.clone();
            id.clone_into(&mut told.machine.id);
            let recorded = Recorded { report: found.report.clone(), told, older: false, settings: None };
            words(&recorded, machine).lines().next().unwrap_or_default().to_owned()
        };
        let here = "Measured by Recspeed's authors on this machine; ";
        assert!(on("one", "one").starts_with(here), "{}", on("one", "one"));
        for (id, machine) in [("one", "another"), ("", "another"), ("", "")] {
            let said = on(id, machine);
            assert!(said.contains("on a machine of theirs, and not on this one; "), "{id}, {machine}: {said}");
        }
    }
}
