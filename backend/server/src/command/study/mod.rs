//! `recspeed study`: the paper's tables, measured again on this machine and laid beside the paper's.

mod child;
mod devices;
mod document;
mod four_layer;
mod keep;
mod methods;
mod mixed;
mod pipeline_vs_sharded;
mod render;
mod retrieval;
mod runs;
mod steps;
mod tab;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use recspeed_engines::{EngineError, Engines};
use recspeed_types::study::{self, Difference, StudyMachine, StudyReport, StudyTable, Whose};
use recspeed_types::{ExperimentSpec, FailureCode};

use super::failure::CommandError;
use super::output;
use super::run::SpecFileError;
use crate::clock;

/// The studies.
#[derive(Debug, Subcommand)]
pub enum StudyCommand {
    /// Every rating read back from each framework's container, and what the container holds
    Retrieval(retrieval::RetrievalArgs),
    /// The paper's four-layer network on every engine that is here, side by side
    FourLayer(four_layer::FourLayerArgs),
    /// A deep network as a pipeline and with its training state divided: ours, torchgpipe's and DeepSpeed's
    PipelineVsSharded(SpecStudyArgs),
    /// Collaborative, content-based and hybrid recommenders on the same ratings
    Methods(SpecStudyArgs),
    /// Stages of one network on devices of different kinds
    Mixed(SpecStudyArgs),
}

/// What every study is told.
#[derive(Debug, Default, Args)]
pub(super) struct StudyArgs {
    /// Runs of each row, in turns; every study has its own usual number
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: Option<u32>,
    /// Threads of every row
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Write the report into this file, as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Put the tables into the study's section of this Markdown file
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// A section of this name beside the study's own, of what is measured here only; the page goes on showing the last whole report
    #[arg(long, value_name = "NAME", requires = "document")]
    section: Option<String>,
    /// Print the report as one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// The worker to use (otherwise `recspeed-worker` beside this program, then in PATH)
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
    /// Where engines, imported data, caches and the last reports lie (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
}

/// Arguments of a study whose rows are runs of specs.
#[derive(Debug, Default, Args)]
pub struct SpecStudyArgs {
    /// Measure at full size, which takes from many minutes to hours
    #[arg(long)]
    full: bool,
    /// Replace one field of the study's specs, as training.epochs=5 (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    study: StudyArgs,
}

impl SpecStudyArgs {
    /// The command that measures the same again.
    fn command(&self, name: &str, repeats: u32) -> String {
        let full = if self.full { " --full" } else { "" };
        command_line(&format!("{name}{full}"), &self.study, repeats, &self.set)
    }
}

/// Why a study was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StudyError {
    /// No engine has this name.
    #[error("no engine is called `{given}`; the study knows {known}")]
    UnknownEngine {
        /// What was given.
        given: String,
        /// Every one.
        known: String,
    },
    /// No container has this name.
    #[error("no container is called `{given}`; the study knows {known}")]
    UnknownContainer {
        /// What was given.
        given: String,
        /// Every one.
        known: String,
    },
    /// The lab's folder is not known.
    #[error(transparent)]
    Engines(#[from] EngineError),
    /// The document cannot be read or written, or has a section that does not end.
    #[error("cannot {action} {}: {why}", path.display())]
    Document {
        /// As `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl StudyError {
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::UnknownEngine { .. } | Self::UnknownContainer { .. } => FailureCode::InvalidSpec.exit_status(),
            Self::Engines(_) | Self::Document { .. } => FailureCode::Internal.exit_status(),
        }
    }
}

/// Makes the study.
pub(super) fn run(command: StudyCommand) -> Result<u8, CommandError> {
    let args = match &command {
        StudyCommand::Retrieval(args) => &args.study,
        StudyCommand::FourLayer(args) => &args.study,
        StudyCommand::PipelineVsSharded(args) | StudyCommand::Methods(args) | StudyCommand::Mixed(args) => &args.study,
    };
    let engines = Engines::open(args.home.as_deref()).map_err(StudyError::from)?;
    let measured = match &command {
        StudyCommand::Retrieval(args) => retrieval::measure(args, &engines)?,
        StudyCommand::FourLayer(args) => four_layer::measure(args, &engines)?,
        StudyCommand::PipelineVsSharded(args) => pipeline_vs_sharded::measure(args, &engines)?,
        StudyCommand::Methods(args) => methods::measure(args, &engines)?,
        StudyCommand::Mixed(args) => mixed::measure(args, &engines)?,
    };
    let Some(report) = measured else {
        output::complain("recspeed: the study was stopped; nothing was written.");
        return Ok(FailureCode::Cancelled.exit_status());
    };
    tell(args, &report)?;
    Ok(0)
}

/// Keeps, writes and prints the report.
fn tell(args: &StudyArgs, report: &StudyReport) -> Result<(), CommandError> {
    // The report is worth more than its copy for the page.
    if args.section.is_none()
        && let Err(error) = keep::keep(args.home.as_deref(), report)
    {
        output::complain(&format!("warning: the page will not show this report: it cannot be kept ({error})"));
    }
    let json = serde_json::to_string_pretty(report).map_err(std::io::Error::other)?;
    if let Some(path) = &args.out {
        keep::write(path, &json).map_err(|source| CommandError::WriteFile { path: path.clone(), source })?;
    }
    if let Some(path) = &args.document {
        match &args.section {
            None => document::put(path, &report.study, &render::markdown(report))?,
            Some(name) => {
                document::put(path, &format!("{}: {name}", report.study), &render::markdown(&part(report, name)))?;
            }
        }
    }
    output::say(&output::printable(&if args.json { json } else { render::terminal(report) }))?;
    Ok(())
}

/// What was measured alone: the paper's table, and what explains the differences, stand in the study's own section.
fn part(report: &StudyReport, name: &str) -> StudyReport {
    let tables = report.tables.iter().filter(|table| table.whose == Whose::Measured).cloned().collect();
    let title = format!("{}: {name}", report.title);
    StudyReport { title, tables, differences: Vec::new(), ..report.clone() }
}

/// The command that measures the same again.
fn command_line(name: &str, args: &StudyArgs, repeats: u32, set: &[String]) -> String {
    let mut command = format!("recspeed study {name} --repeats {repeats}");
    if let Some(threads) = args.threads {
        let _ = write!(command, " --threads {threads}");
    }
    for assignment in set {
        let _ = write!(command, " --set '{assignment}'");
    }
    command
}

/// The spec of a row: the study's, at full size if that was asked for, with what the user has set, with what makes the row.
fn spec_of(text: &str, args: &SpecStudyArgs, full: &[&str], of_row: &[String]) -> Result<ExperimentSpec, CommandError> {
    let full: Vec<String> = full.iter().filter(|_| args.full).map(|&assignment| assignment.to_owned()).collect();
    parsed(text, &args.study, &[&full, &args.set, of_row])
}

/// A study's spec with assignments, the last ones winning.
fn parsed(text: &str, args: &StudyArgs, assignments: &[&[String]]) -> Result<ExperimentSpec, CommandError> {
    let spec = read(text, args, assignments)?;
    spec.resolve().map_err(|errors| SpecFileError::Invalid { name: SPEC_NAME.to_owned(), errors })?;
    Ok(spec)
}

/// The same, not held against the rules that join the fields.
fn read(text: &str, args: &StudyArgs, assignments: &[&[String]]) -> Result<ExperimentSpec, CommandError> {
    let mut spec = ExperimentSpec::from_toml_with(text, &assignments.concat())
        .map_err(|source| SpecFileError::Parse { name: SPEC_NAME.to_owned(), source })?;
    spec.engine.threads = args.threads.or(spec.engine.threads);
    Ok(spec)
}

/// What messages call a study's spec.
const SPEC_NAME: &str = "the study's spec";

/// Headings and explanations.
fn explained(differences: &[(&str, &str)]) -> Vec<Difference> {
    differences.iter().map(|(heading, text)| Difference::new(heading, *text)).collect()
}

/// The report of a study of the catalogue, measured now; the paper's table stands behind what was measured.
fn report(name: &str, command: String, machine: StudyMachine, measured: Vec<StudyTable>) -> StudyReport {
    let entry = study::find(name);
    StudyReport {
        study: name.to_owned(),
        title: entry.map_or(name, |study| study.title).to_owned(),
        question: entry.map_or("", |study| study.question).to_owned(),
        measured_ms: clock::now_ms(),
        command,
        machine,
        conditions: Vec::new(),
        tables: measured.into_iter().chain(entry.and_then(study::Study::paper)).collect(),
        differences: Vec::new(),
        specs: Vec::new(),
    }
}
