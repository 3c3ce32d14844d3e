//! Whether a report is of the settings that its study measures now.

use clap::Parser;
use recspeed_types::ExperimentSpec;
use recspeed_types::study::StudyReport;

use super::super::failure::CommandError;
use super::{StudyCommand, four_layer, methods, mixed, pipeline_vs_sharded, retrieval};

/// The command that a report names, behind the name of the program.
#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    study: StudyCommand,
}

/// Whether the command that the report names would measure what the report is of: each of its specs, whatever its row
/// is called, or, where it has none, the conditions that stand for them. `false` of a report whose command is not known
/// any more.
pub(crate) fn is_of_present_settings(report: &StudyReport) -> bool {
    let words = report.command.split_whitespace().skip(1);
    let Ok(Line { study }) = Line::try_parse_from(words) else { return false };
    if study.name() != report.study {
        return false;
    }
    if let StudyCommand::Retrieval(args) = &study {
        return retrieval::conditions(args).is_some_and(|present| report.conditions == [present]);
    }
    let Ok(present) = specs(&study) else { return false };
    let unnamed = |spec: &ExperimentSpec| ExperimentSpec { name: String::new(), ..spec.clone() };
    let present: Vec<ExperimentSpec> = present.iter().map(unnamed).collect();
    !report.specs.is_empty() && report.specs.iter().all(|spec| present.contains(&unnamed(spec)))
}

/// What the rows of a study run; nothing where they are no runs.
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
    use recspeed_types::study::StudyMachine;

    use super::*;

    /// A report by this command, with the specs of the usual study.
    fn report(command: &str) -> StudyReport {
        let Ok(Line { study }) = Line::try_parse_from(["study", "mixed"]) else { panic!("the study is known") };
        let specs = specs(&study).unwrap_or_else(|error| panic!("{error}"));
        let report = super::super::report("mixed", command.to_owned(), StudyMachine::default(), Vec::new());
        StudyReport { specs, ..report }
    }

    #[test]
    fn a_report_is_of_the_settings_that_its_own_command_has_and_of_no_others() {
        assert!(is_of_present_settings(&report("recspeed study mixed --repeats 3")));
        assert!(!is_of_present_settings(&report("recspeed study mixed --full --repeats 1")), "of another size");
        for command in ["", "recspeed", "recspeed study", "recspeed study nothing", "recspeed study mixed --gone 1"] {
            assert!(!is_of_present_settings(&report(command)), "{command}");
        }
        assert!(!is_of_present_settings(&report("recspeed study four-layer --repeats 3")), "another study");
    }

    #[test]
    fn a_row_may_be_called_otherwise_and_no_setting_may_be_other() {
        let of = |change: fn(&mut ExperimentSpec)| {
            let mut report = report("recspeed study mixed --repeats 3");
            change(&mut report.specs[0]);
            is_of_present_settings(&report)
        };
        assert!(of(|spec| spec.name.push_str(", once more")));
        assert!(!of(|spec| spec.seed += 1));
        assert!(!of(|spec| spec.training.batch_size = Some(7)));
        let without = StudyReport { specs: Vec::new(), ..report("recspeed study mixed --repeats 3") };
        assert!(!is_of_present_settings(&without), "nobody knows of what it is");
    }
}
