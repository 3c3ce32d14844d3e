//! `recspeed-worker importance`: a saved model is asked again with features dealt out anew, and learns nothing.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use recspeed_datasets::{DataHome, LookUp};
use recspeed_experiment::{Host, LoadedData, Model, ProcessMemory, RunFailure, Stored, stored_importance};
use recspeed_models::SavedModel;
use recspeed_types::spec::{Dataset, ResolvedSpec};
use recspeed_types::summary::EngineInfo;
use recspeed_types::{EventKind, FailureCode, FitObserver, StoredImportance};

use crate::{host, machine};

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
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("recspeed-worker: {}", failure.cause);
            ExitCode::from(failure.code.exit_status())
        }
    }
}

fn asked(arguments: &ImportanceArguments) -> Result<StoredImportance, RunFailure> {
    let wrong = |cause: String| RunFailure::new(FailureCode::Data, cause);
    let SavedModel { manifest, users, items, parts, .. } =
        recspeed_models::load(&arguments.model).map_err(|error| wrong(error.to_string()))?;
    let mut spec = manifest.spec;
    let resolved = spec.resolve().map_err(|errors| wrong(format!("the model's spec cannot be read here: {errors}")))?;
    let model = Model::restore(&resolved, parts).map_err(|error| wrong(error.to_string()))?;
    if !arguments.feature.is_empty() {
        spec.features.permute.clone_from(&arguments.feature);
    }
    spec.features.repeats = arguments.repeats.or(spec.features.repeats);
    let mut reader = Reader {
        home: DataHome::open(arguments.data_home.clone()).map_err(|error| wrong(error.to_string()))?,
        look_up: LookUp::from_env(arguments.spec_dir.clone()),
        begun: Instant::now(),
    };
    stored_importance(&spec, Stored { model, users, items, sha256: manifest.data.sha256 }, &mut reader)
}

/// A host that reads data, and trains nothing.
struct Reader {
    home: DataHome,
    look_up: LookUp,
    begun: Instant,
}

impl FitObserver for Reader {
    fn event(&mut self, event: EventKind) {
        if let EventKind::Progress { done, total, unit } = event
            && unit == "permutations"
            && std::io::stderr().is_terminal()
        {
            eprint!("\r{done} of {total} {unit}{}", if done == total { "\n" } else { "" });
        }
    }

    fn stop_requested(&mut self) -> bool {
        false
    }

    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

impl Host for Reader {
    fn load(&mut self, dataset: &Dataset, seed: u64) -> Result<LoadedData, RunFailure> {
        host::load(&self.home, &self.look_up, dataset, seed, &mut |_, _| {})
    }

    fn engine(&self, _: &ResolvedSpec) -> Result<EngineInfo, RunFailure> {
        Err(RunFailure::new(FailureCode::Internal, "A stored model is asked, not trained."))
    }

    fn now_us(&self) -> u64 {
        self.begun.elapsed().as_micros() as u64
    }

    fn memory(&self) -> ProcessMemory {
        machine::process_memory()
    }
}
