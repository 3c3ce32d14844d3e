//! What an experiment needs from the machine it runs on.

use recspeed_data::{Attributes, Interactions, ReadReport};
use recspeed_neural::{NeuralDevice, TOLD_STEPS, Trainer};
use recspeed_parallel::{Crew, LocalCrew};
use recspeed_plan::DeviceMemory;
use recspeed_types::spec::{Dataset, ResolvedSpec, Strategy};
use recspeed_types::summary::EngineInfo;
use recspeed_types::{FailureCode, FitObserver};

use crate::RunFailure;

/// The machine: a worker process or a browser tab.
pub trait Host: FitObserver {
    /// Brings the rows of a data set, before any filter.
    ///
    /// # Errors
    /// A failure with code `data` when they cannot be read; the filters are the experiment's business.
    fn load(&mut self, dataset: &Dataset, seed: u64) -> Result<LoadedData, RunFailure>;

    /// Whether this host can run the spec's engine, device and launcher, and what it will report.
    ///
    /// # Errors
    /// A failure with code `invalid-spec` that names what this host offers instead.
    fn engine(&self, spec: &ResolvedSpec) -> Result<EngineInfo, RunFailure>;

    /// Where the ranks of a divided training live. Unless the host has something better, they take turns on this thread;
    /// [`Self::engine`] has refused launchers that the host does not have.
    fn crew(&mut self, strategy: &Strategy) -> Box<dyn Crew> {
        let _ = strategy;
        Box::new(LocalCrew { clock: self.clock() })
    }

    /// By what ranks that take turns on this thread tell when they did what; without it, nobody knows. A function alone, because the
    /// host itself listens meanwhile.
    fn clock(&self) -> Option<fn() -> u64> {
        None
    }

    /// Of how many steps the ranks of a divided training tell when they did what, from the second one on. Each is an
    /// event for every instruction of every rank, and a GPU is waited for between two of them.
    fn told_steps(&self) -> u32 {
        TOLD_STEPS
    }

    /// Where the network of one rank computes; a training that is not divided has rank 0 alone.
    ///
    /// # Errors
    /// A failure with code `invalid-spec` where this host lacks the device that the spec names, with how to get it.
    fn device(&self, spec: &ResolvedSpec, rank: usize) -> Result<NeuralDevice, RunFailure> {
        let _ = (spec, rank);
        Ok(NeuralDevice::flex())
    }

    /// Where the numbers of one rank lie: what they take is held against the memory of that device, or the machine's.
    fn device_memory(&self, spec: &ResolvedSpec, rank: usize) -> DeviceMemory {
        let _ = (spec, rank);
        DeviceMemory::Machine
    }

    /// Bytes of the machine's memory that the run may use, where that is known; a tab addresses 4 GiB and needs some of it for the page's data.
    fn memory_limit(&self) -> Option<u64> {
        cfg!(target_arch = "wasm32").then_some(3 << 30)
    }

    /// Whether it writes checkpoints, and whether the run goes on from one: both take memory.
    fn checkpoints(&self) -> Checkpoints {
        Checkpoints::default()
    }

    /// Whether the result is to tell what baselines get on its rows. Whoever runs many only to choose among them wants
    /// none: they would be fitted again for each, and count in its time.
    fn wants_baselines(&self) -> bool {
        true
    }

    /// Whether what the run goes on from can be a checkpoint at all, before anything is read. Whose it is, the fit says.
    ///
    /// # Errors
    /// A failure with code `checkpoint` that names the file and what was found in it.
    fn look_at_checkpoint(&self) -> Result<(), RunFailure> {
        Ok(())
    }

    /// Whoever trains a network in the framework that the spec's engine names.
    ///
    /// # Errors
    /// A failure with code `invalid-spec` where this host has no other frameworks, or not this one.
    fn trainer(&mut self, spec: &ResolvedSpec) -> Result<Box<dyn Trainer>, RunFailure> {
        let kind = spec.engine.kind.as_str();
        let cause = format!("engine.kind is `{kind}`, which this host does not have; set it to `burn`.");
        Err(RunFailure::new(FailureCode::InvalidSpec, cause))
    }

    /// Microseconds since the run started.
    fn now_us(&self) -> u64;

    /// What the operating system, or the browser, says of this process.
    fn memory(&self) -> ProcessMemory;
}

/// What a run has to do with checkpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checkpoints {
    /// It writes some.
    pub writes: bool,
    /// It goes on from one.
    pub resumes: bool,
}

/// Bytes held by the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessMemory {
    /// Now.
    pub now: u64,
    /// At most so far.
    pub peak: u64,
}

/// A data set as it was read or made.
#[derive(Debug)]
pub struct LoadedData {
    /// The rows.
    pub interactions: Interactions,
    /// Attributes of the items, where they came with the data set.
    pub item_attributes: Option<Attributes>,
    /// Attributes of the users, where they came with the data set.
    pub user_attributes: Option<Attributes>,
    /// What the reader skipped.
    pub report: ReadReport,
    /// The name for people.
    pub name: String,
    /// SHA-256 of the file, or of the generated columns; hexadecimal.
    pub sha256: String,
    /// Whether the rows were made up.
    pub synthetic: bool,
    /// What the user should know of the reading, a sentence each.
    pub warnings: Vec<String>,
}
