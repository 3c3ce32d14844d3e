//! Why a command did not do what it was asked to, each with its exit status.

use std::io;

use recspeed_types::FailureCode;

use super::compare::CompareError;
use super::data::DataError;
use super::engines::EnginesError;
use super::features::FeaturesError;
use super::kept::KeepError;
use super::models::ModelCommandError;
use super::plan::{LengthsError, MeasuredRunError};
use super::run::{SpecFileError, WorkerError};
use super::search::SearchError;
use super::study::StudyError;
use super::trace::TraceError;
use super::writable::{Unwritable, remedy};

/// A command that failed; its text is what the terminal shows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The spec cannot be read or is invalid.
    #[error(transparent)]
    Spec(#[from] SpecFileError),
    /// The worker cannot be started, or broke its word.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// A data set cannot be found, read, made or brought.
    #[error(transparent)]
    Data(#[from] DataError),
    /// What was given cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// What was given cannot be searched.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// There are no features to measure.
    #[error(transparent)]
    Features(#[from] FeaturesError),
    /// An engine cannot be installed or used.
    #[error(transparent)]
    Engines(#[from] EnginesError),
    /// A study cannot be made.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// A run cannot be kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// A trained model cannot be found, read, asked or written.
    #[error(transparent)]
    Model(#[from] ModelCommandError),
    /// A stored run has no timeline, or there is no such run.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// No recommender has the name that was given.
    #[error("no recommender is called `{given}`{hint}; known: {known}")]
    UnknownRecommender {
        /// What was given.
        given: String,
        /// ` (did you mean …?)`, or nothing.
        hint: String,
        /// Every kind.
        known: String,
    },
    /// A pipeline that cannot be.
    #[error(transparent)]
    Plan(#[from] recspeed_plan::PlanError),
    /// Lengths of passes and messages that cannot be simulated.
    #[error(transparent)]
    Lengths(#[from] LengthsError),
    /// A run by whose passes nothing can be planned.
    #[error(transparent)]
    Measured(#[from] MeasuredRunError),
    /// A recommender that is no row of layers.
    #[error(
        "recommender.kind is `{kind}`, which is no row of layers: mlp, densenet, dlrm and sasrec can be planned, and the memory of other networks; without a file, --stages and its like draw a schedule"
    )]
    NoLayers {
        /// The recommender.
        kind: &'static str,
    },
    /// A network whose size depends on data that cannot be read.
    #[error(
        "what `{kind}` holds depends on how many users and items there are, and the data set cannot be read here ({why}); give --users and --items"
    )]
    UnknownSize {
        /// The network.
        kind: &'static str,
        /// Why the data set cannot be read.
        why: String,
    },
    /// A plan with more passes than one picture is drawn of.
    #[error("the plan has {cells} cells (stages x micro-batches x chunks): use at most {most}")]
    PlanTooLarge {
        /// How many it has.
        cells: usize,
        /// How many it may have.
        most: usize,
    },
    /// A place that the command is going to write cannot be written.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// The run has its result, and its model is not where it was to be kept.
    #[error(
        "the model was not kept in {}, and a warning of the result says why; the metrics are those of the whole run. Mend that, or name \
         another folder with --model DIR, and run it again",
        dir.display()
    )]
    ModelNotKept {
        /// The folder.
        dir: std::path::PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}; {}", path.display(), remedy(source, "make room, or name another file"))]
    WriteFile {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output cannot be written; a closed pipe is not shown.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl CommandError {
    /// The exit status that stands for this failure.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            // A place that was found to be unwritable before any work is what was asked for wrongly; one that fails on the way is not.
            Self::Search(SearchError::Log { .. })
            | Self::Keep(_)
            | Self::Output(_)
            | Self::WriteFile { .. }
            | Self::ModelNotKept { .. } => FailureCode::Internal.exit_status(),
            Self::Spec(_)
            | Self::Compare(_)
            | Self::Search(_)
            | Self::Features(_)
            | Self::Unwritable(_)
            | Self::UnknownRecommender { .. }
            | Self::Plan(_)
            | Self::Lengths(_)
            | Self::Measured(_)
            | Self::NoLayers { .. }
            | Self::UnknownSize { .. }
            | Self::PlanTooLarge { .. } => FailureCode::InvalidSpec.exit_status(),
            Self::Worker(error) => error.exit_status(),
            Self::Data(error) => error.exit_status(),
            Self::Model(error) => error.exit_status(),
            Self::Engines(error) => error.exit_status(),
            Self::Study(error) => error.exit_status(),
            Self::Trace(error) => error.exit_status(),
        }
    }
}
