//! Trained models in the terminal: `recspeed recommend`, `recspeed importance` and `recspeed export`.

mod ask;
mod export;
mod importance;
mod recommend;

use std::path::{Path, PathBuf};

use clap::Args;
use recspeed_models::ModelError;
use recspeed_types::api::ApiFailure;
use recspeed_types::{FailureCode, RunId};

pub(crate) use export::{ExportArgs, export};
pub(crate) use importance::{ImportanceArgs, importance};
pub(crate) use recommend::{RecommendArgs, recommend};

use super::run::WorkerError;
use crate::home;

/// Runs of an error that are named.
const NAMED: usize = 5;

/// Which model.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichModel {
    /// The model of this run of the lab or of `recspeed run`, which prints the name
    #[arg(long, value_name = "ID", value_parser = run_id)]
    run: Option<RunId>,
    /// The model in this folder, as `recspeed run --model` has written it
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
}

/// A model that does not answer, or that cannot be exported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelCommandError {
    /// The lab keeps no model of the run.
    #[error("the lab at {home} keeps no model of the run `{run}`; {kept}")]
    NoModel {
        /// The lab's folder.
        home: String,
        /// What was given.
        run: RunId,
        /// The models that it keeps.
        kept: String,
    },
    /// There is no lab.
    #[error("no folder of a lab is known; name one with --home, or the model's own with --model")]
    NoHome,
    /// The folder does not serve.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What cannot be answered.
    #[error("{}{}", .0.message.trim_end_matches('.'), .0.remedy.as_deref().map_or(String::new(), |remedy| format!(". {remedy}")))]
    Refused(Box<ApiFailure>),
    /// Names that are none of a feature.
    #[error("--features: {0}")]
    Features(String),
    /// A model that no feature tells anything.
    #[error(
        "`{kind}` reads no attributes, and no metric of its run is of predicted ratings: it has no features to measure; train one that reads attributes (content-tfidf, fm), or one that predicts ratings with such a metric (rmse)"
    )]
    NoFeatures {
        /// The recommender.
        kind: String,
    },
    /// A model that no feature tells anything, though its ratings are measured: it predicts the same for everybody.
    #[error(
        "`{kind}` reads no attributes and predicts one number for everybody: it has no features to measure; train another recommender (content-tfidf, fm)"
    )]
    OneNumber {
        /// The recommender.
        kind: String,
    },
    /// The worker cannot be started.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The worker left without an answer.
    #[error("the worker gave no answer ({0}); use the worker that was built with this program")]
    Silent(String),
}

impl ModelCommandError {
    /// The exit status that stands for this failure.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            // Where a model was to go is what was asked for, and no data that were read.
            Self::Model(ModelError::Occupied { .. })
            | Self::Features(_)
            | Self::NoFeatures { .. }
            | Self::OneNumber { .. } => FailureCode::InvalidSpec.exit_status(),
            Self::Model(ModelError::Io { action: "write", .. }) => FailureCode::Internal.exit_status(),
            Self::NoModel { .. } | Self::NoHome | Self::Model(_) => FailureCode::Data.exit_status(),
            Self::Refused(failure) => match failure.code.as_str() {
                "no-model" | "damaged-model" => FailureCode::Data.exit_status(),
                _ => FailureCode::InvalidSpec.exit_status(),
            },
            Self::Worker(error) => error.exit_status(),
            Self::Silent(_) => FailureCode::Worker.exit_status(),
        }
    }
}

/// The folder of the model.
fn folder(which: &WhichModel, lab: Option<&PathBuf>) -> Result<PathBuf, ModelCommandError> {
    if let Some(folder) = &which.model {
        return Ok(folder.clone());
    }
    let lab = lab.cloned().or_else(home::usual_place).ok_or(ModelCommandError::NoHome)?;
    // One of the two is there: clap asks for it.
    let run = which.run.clone().ok_or(ModelCommandError::NoHome)?;
    let models = home::models(&lab);
    let folder = models.join(run.as_str());
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(ModelCommandError::NoModel { home: lab.display().to_string(), run, kept: kept(&lab, &models) })
}

/// The models that are there, the newest first.
fn kept(lab: &Path, models: &Path) -> String {
    let mut found: Vec<_> = std::fs::read_dir(models)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| recspeed_models::manifest(&entry.path()).ok())
        .collect();
    found.sort_by_key(|manifest| std::cmp::Reverse(manifest.created_ms));
    let named: Vec<String> = found
        .iter()
        .take(NAMED)
        .map(|manifest| format!("{} ({} on {})", manifest.run, manifest.spec.recommender.kind, manifest.data.name))
        .collect();
    match (named.is_empty(), found.len().saturating_sub(NAMED)) {
        (true, _) if home::model_space(lab) == 0 => {
            "its server was told to keep none (--model-space 0): train with `recspeed run FILE --model DIR`, and name that folder with \
             --model in place of --run"
                .to_owned()
        }
        (true, _) => {
            "it keeps none yet: `recspeed run FILE` keeps the model under the name of the run that it prints, unless --no-keep is given or \
             --model DIR, which --model names here in place of --run"
                .to_owned()
        }
        (false, 0) => format!("it keeps those of {}", named.join(", ")),
        (false, more) => format!("it keeps those of {} and {more} more", named.join(", ")),
    }
}

fn run_id(text: &str) -> Result<RunId, String> {
    RunId::new(text).map_err(|error| error.to_string())
}
