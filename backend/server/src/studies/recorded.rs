//! What Recspeed's authors measured on a machine of theirs: a report of each study, which comes with the program, so that
//! a lab that has measured nothing has something to show.
//!
//! The files are `docs/studies/NAME.json`, as `recspeed study NAME --out` writes them; docs/studies.md has the same
//! reports in words.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use recspeed_types::api::StudyRecorded;
use recspeed_types::study::{STUDIES, StudyCell, StudyReport};
use rust_embed::RustEmbed;

use crate::command::{Settings, against_present, rows_that_it_lacks};

/// The files.
#[derive(RustEmbed)]
#[folder = "../../docs/studies"]
struct Files;

/// A report that comes with the program.
#[derive(Debug)]
pub struct Recorded {
    /// As it was measured, and as docs/studies.md has it.
    pub report: StudyReport,
    /// The same as it is told on other machines, where nothing of it is `here` and nobody is to mend what it lacks.
    pub told: StudyReport,
    /// Whether the study measures something else by now: another data set, network or setting.
    pub older: bool,
    /// What a reader must know of that, in sentences: what differs, or that the report does not tell enough to say, and
    /// which rows of today it lacks. Nothing where all settings and rows are those of today.
    pub settings: Option<String>,
}

/// The report of this study that comes with the program; `None` where none does.
pub fn recorded_study(name: &str) -> Option<&'static Recorded> {
    static ALL: LazyLock<BTreeMap<&'static str, Recorded>> =
        LazyLock::new(|| STUDIES.iter().filter_map(|study| Some((study.name, read(study.name)?))).collect());
    ALL.get(name)
}

fn read(name: &str) -> Option<Recorded> {
    let file = Files::get(&format!("{name}.json"))?;
    match serde_json::from_slice::<StudyReport>(&file.data) {
        Ok(report) => Some(recorded(report)),
        Err(error) => {
            tracing::error!(name, %error, "the report that comes with the program cannot be read");
            None
        }
    }
}

/// The report with what is to be known of it beside what its study would measure today.
fn recorded(report: StudyReport) -> Recorded {
    let (older, settings) = match against_present(&report) {
        Settings::Same => (false, None),
        Settings::DefaultsUntold => (false, Some(StudyRecorded::DEFAULTS_UNTOLD.to_owned())),
        Settings::Other(differ) => (true, Some(format!("{} {differ}", StudyRecorded::OLDER))),
    };
    let sentences: Vec<String> = settings.into_iter().chain(rows_that_it_lacks(&report)).collect();
    let settings = (!sentences.is_empty()).then(|| sentences.join(" "));
    Recorded { told: elsewhere(report.clone()), report, older, settings }
}

/// What another machine measured: its tables are not `Measured here`, and what it lacked is not lacked here.
fn elsewhere(mut report: StudyReport) -> StudyReport {
    for table in &mut report.tables {
        if let Some(rest) = table.title.strip_prefix("Measured here") {
            table.title = format!("Measured{rest}");
        }
        for cell in table.rows.iter_mut().flat_map(|row| &mut row.cells) {
            if let StudyCell::Missing(missing) = cell {
                missing.install.clear();
                missing.why = missing.why.replace(" here", " there");
            }
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{Study, StudyTable, Whose, remedies};

    use super::*;

    /// Studies of which the recorded report is of other settings than the present ones, so that its banner says so.
    /// Measure them again: `recspeed study NAME --out docs/studies/NAME.json --document docs/studies.md`.
    const OLDER: &[&str] = &[];
    /// Bytes of a file, and of all: they are in every binary.
    const MOST: usize = 160_000;
    const MOST_OF_ALL: usize = 384_000;

    fn all() -> impl Iterator<Item = (&'static Study, &'static Recorded)> {
        STUDIES.iter().map(|study| {
            let found = recorded_study(study.name);
            (study, found.unwrap_or_else(|| panic!("docs/studies/{}.json is no report", study.name)))
        })
    }

    #[test]
    fn every_study_has_a_whole_recorded_report_of_its_own_name_and_no_file_is_anything_else() {
        for (study, Recorded { report, .. }) in all() {
            assert_eq!(
                (report.study.as_str(), report.title.as_str(), report.question.as_str()),
                (study.name, study.title, study.question)
            );
            assert_eq!(report.partial, None, "{}", study.name);
            let numbers = report.tables.iter().filter(|table| table.whose == Whose::Measured);
            let numbers = numbers.flat_map(|table| &table.rows).flat_map(|row| &row.cells).filter_map(StudyCell::value);
            assert!(numbers.count() > 10, "{} has hardly a number", study.name);
            assert!(!report.machine.build.is_empty() && !report.machine.host.is_empty(), "{}", study.name);
        }
        assert_eq!(Files::iter().count(), STUDIES.len(), "a file that no study is recorded in");
    }

    #[test]
    fn a_recorded_report_is_of_what_its_study_would_measure_now_or_its_banner_says_that_it_is_not() {
        for (study, Recorded { report, older, .. }) in all() {
            assert_eq!(*older, OLDER.contains(&study.name), "{}: measure it again", study.name);
            // Whatever it is, what is of other settings is found.
            let mut other = report.clone();
            match other.specs.first_mut() {
                Some(spec) => spec.seed += 1,
                None => other.conditions.push("Of something else.".to_owned()),
            }
            assert!(matches!(against_present(&other), Settings::Other(_)), "{}", study.name);
        }
    }

    #[test]
    fn a_recorded_report_that_lacks_a_row_of_its_study_says_so_behind_what_is_told_of_its_settings() {
        let (_, whole) = all().find(|(study, _)| study.name == "mixed").expect("it is recorded");
        let mut report = whole.report.clone();
        let gone = report.specs.remove(0).name;
        for table in &mut report.tables {
            table.rows.retain(|row| row.name != gone);
        }
        let found = recorded(report);
        let told = found.settings.expect("a row is missing");
        assert!(
            told.contains("It lacks rows that the study has today: ") && told.contains(&format!("“{gone}”")),
            "{told}"
        );
        assert!(told.ends_with('.'), "{told}");
        assert_eq!(found.older, whole.older, "what it has is of the same settings: {told}");
    }

    #[test]
    fn the_papers_table_of_a_recorded_report_is_the_one_of_the_catalogue() {
        for (study, Recorded { report, .. }) in all() {
            let papers: Vec<&StudyTable> = report.tables.iter().filter(|table| table.whose == Whose::Paper).collect();
            assert_eq!(papers, study.paper().iter().collect::<Vec<_>>(), "{}", study.name);
        }
    }

    #[test]
    fn recorded_reports_are_small_and_name_no_place_of_the_machine_that_measured_them() {
        let sizes = Files::iter().filter_map(|name| Files::get(&name)).map(|file| {
            let text = String::from_utf8_lossy(&file.data).into_owned();
            for place in ["/home/", "/root/", "/tmp/", "/usr/", "/opt/", "/work/", "/srv/", "/mnt/", "C:\\"] {
                assert!(!text.contains(place), "{place} stands in a report");
            }
            text.len()
        });
        let sizes: Vec<usize> = sizes.collect();
        assert!(sizes.iter().all(|bytes| *bytes <= MOST), "{sizes:?}");
        assert!(sizes.iter().sum::<usize>() <= MOST_OF_ALL, "{sizes:?}");
    }

    /// “no GPU here” would be read of the reader's machine, and a command to install something would mend nothing.
    #[test]
    fn what_is_told_of_another_machine_says_nothing_of_this_one() {
        for (study, Recorded { report, told, .. }) in all() {
            assert_eq!(remedies(told), [], "{}", study.name);
            for table in told.tables.iter().filter(|table| table.whose == Whose::Measured) {
                assert!(!table.title.contains("here"), "{}", table.title);
                for cell in table.rows.iter().flat_map(|row| &row.cells) {
                    if let StudyCell::Missing(missing) = cell {
                        assert!(!missing.why.contains(" here"), "{}", missing.why);
                    }
                }
            }
            let numbers = |report: &StudyReport| -> Vec<f64> {
                let rows = report.tables.iter().flat_map(|table| &table.rows);
                rows.flat_map(|row| &row.cells).filter_map(StudyCell::value).collect()
            };
            assert_eq!(numbers(told), numbers(report), "{}: no number changes", study.name);
        }
    }
}
