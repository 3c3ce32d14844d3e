//! `recspeed study`: the paper's tables, measured again on this machine and laid beside the paper's.

mod document;
mod four_layer;
mod measure;
mod paper;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use recspeed_engines::{EngineError, Engines};
use recspeed_types::FailureCode;

use super::failure::CommandError;
use super::output;

/// The studies.
#[derive(Debug, Subcommand)]
pub enum StudyCommand {
    /// The paper's four-layer network on every engine that is here, side by side
    FourLayer(StudyArgs),
}

/// What every study is told.
#[derive(Debug, Args)]
pub struct StudyArgs {
    /// Runs of each engine, in turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// Threads of every engine
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Measure these engines only, as burn,pytorch
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    engines: Vec<String>,
    /// Replace one field of the study's spec, as training.epochs=5 (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Write everything that was measured into this file, as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Put the tables into the study's section of this Markdown file
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// The worker to use (otherwise `recspeed-worker` beside this program, then in PATH)
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
    /// Where engines, imported data and caches lie (otherwise as `recspeed serve`)
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
    match command {
        StudyCommand::FourLayer(args) => {
            let engines = Engines::open(args.home.as_deref()).map_err(StudyError::from)?;
            let Some(study) = four_layer::measure(&args, &engines)? else {
                output::complain("recspeed: the study was stopped; nothing was written.");
                return Ok(FailureCode::Cancelled.exit_status());
            };
            let json = serde_json::to_string_pretty(&study).map_err(std::io::Error::other)?;
            let text = four_layer::markdown(&study);
            if let Some(path) = &args.out {
                std::fs::write(path, &json).map_err(|source| CommandError::WriteFile { path: path.clone(), source })?;
            }
            if let Some(path) = &args.document {
                document::put(path, four_layer::SECTION, &text)?;
            }
            output::say(&output::printable(if args.json { &json } else { &text }))?;
            Ok(0)
        }
    }
}
