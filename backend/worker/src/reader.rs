//! A host that reads data for a saved model, and trains nothing.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use recspeed_datasets::{DataHome, LookUp};
use recspeed_experiment::{Host, LoadedData, Model, ProcessMemory, RunFailure, Stored};
use recspeed_models::SavedModel;
use recspeed_types::spec::{Dataset, ResolvedSpec};
use recspeed_types::summary::EngineInfo;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, FitObserver};

use crate::{host, machine};

/// A saved model, its spec, and who reads its data.
pub(crate) struct Opened {
    pub(crate) spec: ExperimentSpec,
    pub(crate) stored: Stored,
    pub(crate) reader: Reader,
}

/// Opens the model in `folder`. `spec_dir`: where relative data paths are looked for first; `data_home`: the lab's folder.
///
/// # Errors
/// A failure with code `data`: the model cannot be read, or is of another lab.
pub(crate) fn open(folder: &Path, spec_dir: Option<PathBuf>, data_home: Option<PathBuf>) -> Result<Opened, RunFailure> {
    let wrong = |cause: String| RunFailure::new(FailureCode::Data, cause);
    let SavedModel { manifest, users, items, parts, .. } =
        recspeed_models::load(folder).map_err(|error| wrong(error.to_string()))?;
    let spec = manifest.spec;
    let resolved = spec.resolve().map_err(|errors| wrong(format!("the model's spec cannot be read here: {errors}")))?;
    let model = Model::restore(&resolved, parts).map_err(|error| wrong(error.to_string()))?;
    let home = DataHome::open(data_home).map_err(|error| wrong(error.to_string()))?;
    let reader = Reader { home, look_up: LookUp::from_env(spec_dir), begun: Instant::now() };
    Ok(Opened { spec, stored: Stored { model, users, items, sha256: manifest.data.sha256 }, reader })
}

/// The host.
pub(crate) struct Reader {
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
            // A terminal that was closed meanwhile is no reason to stop.
            let _ = write!(std::io::stderr(), "\r{done} of {total} {unit}{}", if done == total { "\n" } else { "" });
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
