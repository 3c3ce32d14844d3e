//! `recspeed-worker importance`: a saved model is asked again with features dealt out anew, and learns nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use recspeed_experiment::{RunFailure, stored_importance};
use recspeed_types::{FailureCode, StoredImportance};

use crate::output::{answer, complain};
use crate::reader::{self, Opened};

/// Arguments of `recspeed-worker importance`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImportanceArguments {
    /// The folder of the model.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// A feature, as `items.category` or `time` (may be repeated); those that its spec names in features.permute unless given, else all.
    #[arg(long, value_name = "NAME")]
    feature: Vec<String>,
    /// How often each is dealt out anew (otherwise as the spec says).
    #[arg(long, value_name = "N")]
    repeats: Option<u32>,
    /// Look relative data paths up here first.
    #[arg(long)]
    spec_dir: Option<PathBuf>,
    /// The lab's folder of data sets and caches.
    #[arg(long)]
    data_home: Option<PathBuf>,
}

/// Prints the result as one JSON object; how far it is goes to standard error.
pub(crate) fn print(arguments: &ImportanceArguments) -> ExitCode {
    let said = asked(arguments).and_then(|told| {
        serde_json::to_string(&told).map_err(|error| RunFailure::new(FailureCode::Internal, error.to_string()))
    });
    match said {
        Ok(line) => answer(line),
        Err(failure) => {
            // The terminal is that of `recspeed`, which this is a part of: whoever called it has started no worker.
            complain(format_args!("recspeed: {}", failure.cause));
            ExitCode::from(failure.code.exit_status())
        }
    }
}

fn asked(arguments: &ImportanceArguments) -> Result<StoredImportance, RunFailure> {
    let Opened { mut spec, stored, mut reader } =
        reader::open(&arguments.model, arguments.spec_dir.clone(), arguments.data_home.clone())?;
    if !arguments.feature.is_empty() {
        spec.features.permute.clone_from(&arguments.feature);
    }
    spec.features.repeats = arguments.repeats.or(spec.features.repeats);
    stored_importance(&spec, stored, &mut reader)
}
