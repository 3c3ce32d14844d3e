//! Whether a report is of the settings that its study measures with now, defaults of the program among them.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;
use recspeed_types::study::{StudyReport, Whose};
use recspeed_types::{ExperimentSpec, sentence};

use super::super::failure::CommandError;
use super::{StudyCommand, four_layer, methods, mixed, pipeline_vs_sharded, retrieval};

/// The command that a report names, behind the name of the program.
#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    study: StudyCommand,
}

/// How the settings of a report stand to those that its study measures with now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settings {
    /// They are the same, those that specs leave to the defaults of the program among them.
    Same,
    /// What its specs give is the same; which defaults the program had then the report does not tell.
    DefaultsUntold,
    /// They are other ones: what differs, in a sentence.
    Other(String),
}

/// Differences that are named; the others are counted.
const NAMED: usize = 3;
/// Rows that are named; the others are counted.
const ROWS_NAMED: usize = 6;

/// Holds what the report is of against what the command that it names would measure now: each of its specs, whatever its row is called, with
/// what that leaves to defaults, or, where it has none, the conditions that stand for them.
pub(crate) fn against_present(report: &StudyReport) -> Settings {
    let other = |what: &str| Settings::Other(sentence(what));
    let words = report.command.split_whitespace().skip(1);
    let Ok(Line { study }) = Line::try_parse_from(words) else { return other("this version has no such command") };
    if study.name() != report.study {
        return other("its command is that of another study");
    }
    if let StudyCommand::Retrieval(args) = &study {
        let is_same = retrieval::conditions(args).is_some_and(|present| report.conditions == [present]);
        return if is_same { Settings::Same } else { other("its conditions are others today") };
    }
    let Ok(present) = specs(&study) else { return other("what its command ran is no valid spec today") };
    if report.specs.is_empty() {
        return other("it does not tell what it ran");
    }
    let found: Vec<String> = report.specs.iter().flat_map(|spec| differences(report, spec, &present)).collect();
    if !found.is_empty() {
        let more = found.len().saturating_sub(NAMED);
        let more = if more > 0 { format!("; and {more} more differ") } else { String::new() };
        return other(&format!("{}{more}", found[..found.len().min(NAMED)].join("; ")));
    }
    let is_told = report.specs.iter().all(|spec| report.defaults.contains_key(&spec.name));
    if is_told { Settings::Same } else { Settings::DefaultsUntold }
}

/// The rows that the command which the report names would measure now and that the report has not, neither by a name
/// nor as the same spec under another one, in a sentence; nothing where it has all, or there is no such command.
pub(crate) fn rows_that_it_lacks(report: &StudyReport) -> Option<String> {
    let words = report.command.split_whitespace().skip(1);
    let Line { study } = Line::try_parse_from(words).ok().filter(|line| line.study.name() == report.study)?;
    let present: Vec<String> = if let StudyCommand::Retrieval(args) = &study {
        retrieval::titles(args)
    } else {
        let has =
            |spec: &ExperimentSpec| report.specs.iter().any(|other| other.name == spec.name || is_same(other, spec));
        specs(&study).ok()?.into_iter().filter(|spec| !has(spec)).map(|spec| spec.name).collect()
    };
    let rows = || report.tables.iter().filter(|table| table.whose == Whose::Measured).flat_map(|table| &table.rows);
    let lacking = present.into_iter().filter(|name| !rows().any(|row| row.name == *name));
    let mut lacking: Vec<String> = lacking.map(|name| format!("“{name}”")).collect();
    let more = lacking.len().saturating_sub(ROWS_NAMED);
    lacking.truncate(ROWS_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!lacking.is_empty()).then(|| format!("It lacks rows that the study has today: {}{more}.", lacking.join(", ")))
}

/// Whether both run the same, whatever their rows are called.
fn is_same(spec: &ExperimentSpec, other: &ExperimentSpec) -> bool {
    ExperimentSpec { name: String::new(), ..spec.clone() } == ExperimentSpec { name: String::new(), ..other.clone() }
}

/// In what a spec of the report is other than the one that would run today.
fn differences(report: &StudyReport, spec: &ExperimentSpec, present: &[ExperimentSpec]) -> Vec<String> {
    let Some(today) = present.iter().find(|other| is_same(spec, other)) else {
        let of_its_name = present.iter().find(|other| other.name == spec.name);
        let found = of_its_name.map(|other| changed(&spec.name, &spec.given(), &other.given())).unwrap_or_default();
        return if found.is_empty() { vec![format!("nothing runs as “{}” today", spec.name)] } else { found };
    };
    let Some(then) = report.defaults.get(&spec.name) else { return Vec::new() };
    changed(&spec.name, then, &today.left_to_defaults().unwrap_or_default())
}

/// The settings that differ, a half sentence each.
fn changed(name: &str, then: &BTreeMap<String, String>, today: &BTreeMap<String, String>) -> Vec<String> {
    let paths: BTreeSet<&String> = then.keys().chain(today.keys()).collect();
    let told = |path: &String| match (then.get(path), today.get(path)) {
        (Some(then), Some(today)) if then != today => Some(format!("{path} was {then} and is {today} today")),
        (Some(then), None) => Some(format!("{path} was {then} and is not set today")),
        (None, Some(today)) => Some(format!("{path} was not set and is {today} today")),
        _ => None,
    };
    paths.into_iter().filter_map(told).map(|what| format!("of “{name}” {what}")).collect()
}

/// Of each spec, by its name, what it leaves to the defaults of this version; see [`StudyReport::defaults`].
pub(super) fn defaults_of(specs: &[ExperimentSpec]) -> BTreeMap<String, BTreeMap<String, String>> {
    specs.iter().filter_map(|spec| Some((spec.name.clone(), spec.left_to_defaults().ok()?))).collect()
}

/// What the rows of a study run, by their names; nothing where they are no runs.
fn specs(study: &StudyCommand) -> Result<Vec<ExperimentSpec>, CommandError> {
    match study {
        StudyCommand::Retrieval(_) => Ok(Vec::new()),
        StudyCommand::FourLayer(args) => four_layer::specs(args),
        StudyCommand::PipelineVsSharded(args) => pipeline_vs_sharded::specs(args),
        StudyCommand::Methods(args) => methods::specs(args),
        StudyCommand::Mixed(args) => mixed::specs(args),
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{StudyMachine, StudyRow, StudyTable};

    use super::*;

    /// A report by this command, with the specs and the defaults of the usual study.
    fn report(command: &str) -> StudyReport {
        let Ok(Line { study }) = Line::try_parse_from(["study", "mixed"]) else { panic!("the study is known") };
        let specs = specs(&study).unwrap_or_else(|error| panic!("{error}"));
        let named = |(row, spec): (usize, ExperimentSpec)| ExperimentSpec { name: format!("row {row}"), ..spec };
        let specs: Vec<ExperimentSpec> = specs.into_iter().enumerate().map(named).collect();
        let report = super::super::report("mixed", command.to_owned(), StudyMachine::default(), Vec::new());
        StudyReport { defaults: defaults_of(&specs), specs, ..report }
    }

    /// What differs, in words.
    fn other(report: &StudyReport) -> String {
        match against_present(report) {
            Settings::Other(told) => told,
            same => panic!("{same:?}"),
        }
    }

    #[test]
    fn a_report_is_of_the_settings_that_its_own_command_has_and_of_no_others() {
        assert_eq!(against_present(&report("recspeed study mixed --repeats 3")), Settings::Same);
        other(&report("recspeed study mixed --full --repeats 1"));
        for command in ["", "recspeed", "recspeed study", "recspeed study nothing", "recspeed study mixed --gone 1"] {
            assert_eq!(other(&report(command)), "This version has no such command.", "{command}");
        }
        assert_eq!(other(&report("recspeed study four-layer --repeats 3")), "Its command is that of another study.");
    }

    #[test]
    fn a_row_may_be_called_otherwise_and_no_setting_may_be_other() {
        let of = |change: fn(&mut ExperimentSpec)| {
            let mut report = report("recspeed study mixed --repeats 3");
            change(&mut report.specs[0]);
            report.defaults = defaults_of(&report.specs);
            against_present(&report)
        };
        assert_eq!(of(|spec| spec.name.push_str(", once more")), Settings::Same);
        let runs_no_more = Settings::Other("Nothing runs as “row 0” today.".to_owned());
        assert_eq!(of(|spec| spec.seed += 1), runs_no_more);
        assert_eq!(of(|spec| spec.training.batch_size = Some(7)), runs_no_more);
        let without = StudyReport { specs: Vec::new(), ..report("recspeed study mixed --repeats 3") };
        assert_eq!(other(&without), "It does not tell what it ran.");
    }

    #[test]
    fn a_setting_that_another_version_gave_is_named_with_both_values_where_the_row_is_still_there() {
        let specs = [7, 8].map(|seed| ExperimentSpec { name: "row".to_owned(), seed, ..ExperimentSpec::default() });
        let report = report("recspeed study mixed --repeats 3");
        assert_eq!(differences(&report, &specs[0], &specs[1..]), ["of “row” seed was 7 and is 8 today"]);
    }

    #[test]
    fn rows_that_the_study_has_today_and_the_report_has_not_are_named() {
        let mut report = report("recspeed study mixed --repeats 3");
        assert_eq!(rows_that_it_lacks(&report), None, "the same rows by other names");
        let gone = report.specs.remove(1);
        let second = "Two stages on Burn flex (processor)";
        let said = format!("It lacks rows that the study has today: “{second}”.");
        assert_eq!(rows_that_it_lacks(&report), Some(said));
        assert_eq!(against_present(&report), Settings::Same, "what it has is of the settings of today");
        // A row that was not measured stands in the table, and has no spec.
        let table = StudyTable {
            title: "Measured here".to_owned(),
            whose: Whose::Measured,
            rows_are: "where".to_owned(),
            columns: Vec::new(),
            rows: vec![StudyRow { name: second.to_owned(), note: String::new(), cells: Vec::new() }],
            bars: None,
        };
        report.tables.push(table);
        assert_eq!(rows_that_it_lacks(&report), None);
        report.tables.last_mut().expect("a table").whose = Whose::Paper;
        assert!(rows_that_it_lacks(&report).is_some(), "a row of the paper is none of the report");
        // One of other settings is there by its name.
        report.specs.push(ExperimentSpec { name: second.to_owned(), seed: 7, ..gone });
        assert_eq!(rows_that_it_lacks(&report), None);
        report.specs.clear();
        let said = rows_that_it_lacks(&report).expect("it has none of them");
        assert_eq!(said.matches('“').count(), ROWS_NAMED, "{said}");
        assert!(said.ends_with(" and 4 more."), "{said}");
        report.command = "recspeed study nothing".to_owned();
        assert_eq!(rows_that_it_lacks(&report), None, "against_present says that");
    }

    #[test]
    fn containers_that_the_study_has_today_and_the_report_has_not_are_named() {
        let command = "recspeed study retrieval --containers plain,arrow --repeats 3".to_owned();
        let report = super::super::report("retrieval", command, StudyMachine::default(), Vec::new());
        let said = rows_that_it_lacks(&report).expect("it has no row");
        assert!(said.ends_with(": “Plain columns (Rust vectors)”, “Arrow arrays (Rust)”."), "{said}");
    }

    #[test]
    fn a_default_that_has_changed_since_is_seen_and_named_with_both_values() {
        let mut report = report("recspeed study mixed --repeats 3");
        let of_row = report.defaults.get_mut("row 0").expect("the defaults of the first row");
        let today = of_row.insert("training.weight_decay".to_owned(), "0.5".to_owned()).expect("it has one");
        let told = format!("Of “row 0” training.weight_decay was 0.5 and is {today} today.");
        assert_eq!(other(&report), told);
        let of_row = report.defaults.get_mut("row 0").expect("the defaults of the first row");
        of_row.insert("training.weight_decay".to_owned(), today);
        assert_eq!(against_present(&report), Settings::Same);
        let of_row = report.defaults.get_mut("row 0").expect("the defaults of the first row");
        of_row.remove("training.precision");
        of_row.insert("training.gone".to_owned(), "1".to_owned());
        let told = other(&report);
        assert!(told.contains("training.gone was 1 and is not set today"), "{told}");
        assert!(told.contains("training.precision was not set and is"), "{told}");
        for of_row in report.defaults.values_mut() {
            of_row.insert("training.more".to_owned(), "1".to_owned());
        }
        let told = other(&report);
        assert!(told.ends_with(&format!("; and {} more differ.", report.specs.len() + 2 - NAMED)), "{told}");
    }

    #[test]
    fn a_report_that_does_not_tell_its_defaults_is_said_to_be_so_and_not_to_be_of_the_same() {
        let mut report = report("recspeed study mixed --repeats 3");
        report.defaults.remove("row 0");
        assert_eq!(against_present(&report), Settings::DefaultsUntold);
        report.defaults.clear();
        assert_eq!(against_present(&report), Settings::DefaultsUntold);
    }
}
