//! `recspeed export`: a trained model for other tools.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};
use recspeed_models::ExportFormat;

use super::{ModelCommandError, WhichModel, folder};
use crate::command::data::SplitPart;
use crate::command::failure::CommandError;
use crate::command::figures::{bytes, counted};
use crate::command::run::WorkerError;
use crate::command::{output, run, writable};

/// Arguments of `recspeed export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    which: WhichModel,
    /// The folder to write, new or empty; with --predictions, the file, a new one
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    /// Write what the model predicts for these rows of its split instead, as a table (.parquet or .arrow)
    #[arg(long, value_name = "PART", conflicts_with = "format")]
    predictions: Option<SplitPart>,
    /// How to write it (otherwise as its kind is exchanged: networks as safetensors, others as parquet)
    #[arg(long)]
    format: Option<ModelFormat>,
    /// The worker that predicts (otherwise `recspeed-worker` beside this program, then in PATH)
    #[arg(long, value_name = "PATH", requires = "predictions")]
    worker: Option<PathBuf>,
    /// The lab's folder (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
}

/// How a model is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModelFormat {
    /// A Parquet file for each array, beside the ids
    Parquet,
    /// An Arrow IPC file for each array, beside the ids
    Arrow,
    /// All arrays in one safetensors file, the ids as JSON
    Safetensors,
}

/// Lets a worker predict; its words and its exit status are the command's.
fn predictions(args: &ExportArgs, model: &Path, part: SplitPart) -> Result<u8, CommandError> {
    let worker = run::find_worker(args.worker.as_deref()).map_err(ModelCommandError::from)?;
    let mut command = Command::new(&worker);
    command.arg("predict").arg("--model").arg(model).arg("--rows").arg(part.as_str()).arg("--out").arg(&args.to);
    if let Some(home) = &args.home {
        command.arg("--data-home").arg(home);
    }
    let start = |source| WorkerError::Start { path: worker.display().to_string(), source };
    let status = command.stdin(Stdio::null()).status().map_err(start).map_err(ModelCommandError::from)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Writes the folder.
pub(crate) fn export(args: ExportArgs) -> Result<u8, CommandError> {
    let from = folder(&args.which, args.home.as_ref())?;
    if let Some(part) = args.predictions {
        writable::new_file("--to", &args.to)?;
        recspeed_models::manifest(&from).map_err(ModelCommandError::from)?;
        return predictions(&args, &from, part);
    }
    writable::folder("--to", &args.to)?;
    recspeed_models::check_export(&args.to).map_err(ModelCommandError::from)?;
    let model = recspeed_models::load(&from).map_err(ModelCommandError::from)?;
    let format = match args.format {
        Some(ModelFormat::Parquet) => ExportFormat::Parquet,
        Some(ModelFormat::Arrow) => ExportFormat::Arrow,
        Some(ModelFormat::Safetensors) => ExportFormat::Safetensors,
        None => model.usual_format(),
    };
    let exported = recspeed_models::export(&model, &args.to, format).map_err(ModelCommandError::from)?;
    let manifest = &model.manifest;
    let text = format!(
        "{} of the run {}, fitted on {}: {} in {} ({}).\n{}",
        manifest.spec.recommender.kind,
        manifest.run,
        manifest.data.name,
        counted(exported.files.len() as u64, "file", "files"),
        args.to.display(),
        bytes(exported.bytes),
        exported.files.join("\n"),
    );
    output::say(&output::printable(&text))?;
    Ok(0)
}
