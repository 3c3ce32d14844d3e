//! `recspeed study`: the paper's tables, measured again on this machine and laid beside the paper's.

mod document;
mod four_layer;
mod keep;
mod render;
mod runs;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use recspeed_engines::{EngineError, Engines};
use recspeed_types::FailureCode;
use recspeed_types::study::{self, StudyMachine, StudyReport, StudyTable};

use super::failure::CommandError;
use super::output;
use crate::clock;

/// The studies.
#[derive(Debug, Subcommand)]
pub enum StudyCommand {
    /// The paper's four-layer network on every engine that is here, side by side
    FourLayer(four_layer::FourLayerArgs),
}

/// What every study is told.
#[derive(Debug, Args)]
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
            Self::UnknownEngine { .. } => FailureCode::InvalidSpec.exit_status(),
            Self::Engines(_) | Self::Document { .. } => FailureCode::Internal.exit_status(),
        }
    }
}

/// Makes the study.
pub(super) fn run(command: StudyCommand) -> Result<u8, CommandError> {
    let args = match &command {
        StudyCommand::FourLayer(args) => &args.study,
    };
    let engines = Engines::open(args.home.as_deref()).map_err(StudyError::from)?;
    let measured = match &command {
        StudyCommand::FourLayer(args) => four_layer::measure(args, &engines)?,
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
    if let Err(error) = keep::keep(args.home.as_deref(), report) {
        output::complain(&format!("warning: the page will not show this report: it cannot be kept ({error})"));
    }
    let json = serde_json::to_string_pretty(report).map_err(std::io::Error::other)?;
    if let Some(path) = &args.out {
        keep::write(path, &json).map_err(|source| CommandError::WriteFile { path: path.clone(), source })?;
    }
    if let Some(path) = &args.document {
        document::put(path, &report.study, &render::markdown(report))?;
    }
    output::say(&output::printable(&if args.json { json } else { render::terminal(report) }))?;
    Ok(())
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
