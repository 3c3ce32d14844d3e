//! The worker process as the experiment's host: files, clock, signals.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use recspeed_datasets::{DataHome, LoadRequest, LookUp};
use recspeed_engines::{EngineError, Engines, Launch};
use recspeed_experiment::{DeviceMemory, Host, LoadedData, NeuralDevice, ProcessMemory, RunFailure, Trainer};
use recspeed_parallel::Crew;
use recspeed_types::spec::{Dataset, Device, EngineKind, Filters, Launcher, ResolvedSpec, Strategy};
use recspeed_types::summary::{EngineInfo, MatrixPrecision};
use recspeed_types::{EventKind, FailureCode, FitObserver, sentence};

use crate::checkpoint::{Checkpoints, Resume};
use crate::emitter::Emitter;
use crate::framework::Framework;
use crate::mpi::Member;
use crate::output::complain;
use crate::threads::Threads;
use crate::watch::LAST_WORDS;
use crate::{device, machine};

/// The worker process.
pub(crate) struct Process {
    pub(crate) emitter: Emitter,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) home: DataHome,
    pub(crate) look_up: LookUp,
    pub(crate) checkpoints: Option<Checkpoints>,
    /// Bytes that the run may use.
    pub(crate) memory_limit: Option<u64>,
    /// How long another framework may say nothing.
    pub(crate) engine_silence: Duration,
    pub(crate) resume: Option<Resume>,
    /// Whether baselines are fitted beside the run.
    pub(crate) baselines: bool,
    /// Of how many steps ranks tell when they did what.
    pub(crate) told_steps: u32,
    /// The most that the process of another framework has held.
    pub(crate) framework_peak: Arc<AtomicU64>,
    /// Whether all ranks compute on GPUs by CUDA.
    pub(crate) on_gpus: AtomicBool,
    /// This process among the ranks of a training, where it is one of several.
    pub(crate) member: Option<Rc<Member>>,
}

impl FitObserver for Process {
    fn event(&mut self, event: EventKind) {
        self.emitter.emit(event);
    }

    fn stop_requested(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn wants_checkpoint(&mut self) -> bool {
        let stopping = self.stop.load(Ordering::Relaxed);
        // Of the file of a deaf one nobody would hear, and it would push out one that the server knows.
        self.checkpoints.as_ref().is_some_and(|checkpoints| stopping || checkpoints.is_due()) && !self.emitter.is_deaf()
    }

    fn checkpoint(&mut self, step: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        if !self.wants_checkpoint() {
            return;
        }
        let Some(checkpoints) = &mut self.checkpoints else { return };
        let event = match checkpoints.write(step, &state()) {
            Ok(written) => EventKind::Checkpoint { file: written.file, step, sha256: written.sha256 },
            Err(error) => EventKind::Warning {
                message: format!(
                    "the checkpoint of step {step} could not be written into {} ({error}); the run goes on without it: make room \
                     there, or let your user write it",
                    checkpoints.folder().display()
                ),
            },
        };
        self.emitter.emit(event);
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        let resume = self.resume.take()?;
        let state = resume.read().unwrap_or_else(|error| {
            let message = format!("the checkpoint {} cannot be read to its end ({error})", resume.place());
            self.emitter.emit(EventKind::Warning { message });
            // What is empty is no checkpoint of any fit: the fit says so, and ends.
            Vec::new()
        });
        Some(state)
    }
}

impl Host for Process {
    fn load(&mut self, dataset: &Dataset, seed: u64) -> Result<LoadedData, RunFailure> {
        let emitter = self.emitter.clone();
        let mut progress = |done, total| {
            emitter.emit(EventKind::Progress { done, total, unit: "bytes".to_owned() });
        };
        load(&self.home, &self.look_up, dataset, seed, &mut progress)
    }

    fn engine(&self, spec: &ResolvedSpec) -> Result<EngineInfo, RunFailure> {
        if spec.engine.kind.is_reference() {
            // Here, before any work, its files are looked at: what is broken would end the run once the data are read.
            let launch = self.launch(spec, Engines::launch_whole)?;
            let mut versions = launch.record.versions;
            versions.extend(machine::versions().into_iter().filter(|(name, _)| name == "recspeed"));
            return Ok(EngineInfo {
                kind: spec.engine.kind.as_str().to_owned(),
                device: spec.engine.device.as_str().to_owned(),
                versions,
                host: machine::describe(),
                threads: rayon::current_num_threads() as u32,
                // The framework says it of itself.
                precision: None,
            });
        }
        if spec.strategy.launcher == Launcher::Mpi && !crate::mpi::BUILT {
            let cause = "strategy.launcher is `mpi`, and this worker was built without it; set it to `threads`, or install Open MPI (on \
                         Debian: openmpi-bin, libopenmpi-dev, libclang-dev) and build with --features recspeed-worker/mpi.";
            return Err(RunFailure::new(FailureCode::InvalidSpec, cause));
        }
        let ranks = spec.strategy.ranks as usize;
        let mut devices: Vec<Device> = (0..ranks).map(|rank| named_device(spec, rank)).collect();
        devices.dedup();
        for &device in &devices {
            opened(device)?;
        }
        self.on_gpus.store(devices == [Device::Cuda], Ordering::Relaxed);
        let widest = devices.iter().copied().find(|device| *device != Device::Flex).unwrap_or_default();
        Ok(EngineInfo {
            kind: spec.engine.kind.as_str().to_owned(),
            device: devices.iter().map(|device| device.as_str()).collect::<Vec<_>>().join(", "),
            versions: machine::versions().into_iter().chain(device::versions(&devices)).collect(),
            host: device::host(widest),
            threads: rayon::current_num_threads() as u32,
            precision: MatrixPrecision::of_burn(&devices, |name| std::env::var(name).ok()),
        })
    }

    /// Where another framework trains, the trained network answers on flex.
    fn device(&self, spec: &ResolvedSpec, rank: usize) -> Result<NeuralDevice, RunFailure> {
        if spec.engine.kind.is_reference() {
            return Ok(NeuralDevice::flex());
        }
        // A GPU for each rank, where NCCL can bring their messages together.
        #[cfg(all(feature = "cuda", feature = "nccl"))]
        if named_device(spec, rank) == Device::Cuda && spec.strategy.ranks as usize <= crate::nccl::gpus() {
            return Ok(NeuralDevice::from(burn::tensor::Device::cuda(rank)));
        }
        opened(named_device(spec, rank))
    }

    fn crew(&mut self, strategy: &Strategy) -> Box<dyn Crew> {
        let timeout = Duration::from_secs(u64::from(strategy.timeout));
        if let Some(member) = &self.member {
            let clock = self.emitter.clone();
            return member.crew(timeout, Arc::new(move || clock.now_us()));
        }
        let (clock, emitter, warner) = (self.emitter.clone(), self.emitter.clone(), self.emitter.clone());
        Box::new(Threads {
            timeout,
            clock: Arc::new(move || clock.now_us()),
            gpus: self.on_gpus.load(Ordering::Relaxed),
            warn: Box::new(move |message| {
                warner.emit(EventKind::Warning { message });
            }),
            abandon: Box::new(move |failure| {
                let cause = sentence(&failure.to_string());
                let ended = "Not all other ranks could be ended, so the worker ended with them.";
                let failure = RunFailure::new(FailureCode::Worker, format!("{cause} {ended}"))
                    .with_detail(failure.detail.clone());
                let status = failure.code.exit_status();
                complain(format_args!("recspeed-worker: {failure}"));
                // The rank that hangs may do so because nobody reads what it tells.
                emitter.last_words(failure.into_event(), LAST_WORDS);
                std::process::exit(i32::from(status));
            }),
        })
    }

    fn memory_limit(&self) -> Option<u64> {
        self.memory_limit
    }

    fn device_memory(&self, spec: &ResolvedSpec, rank: usize) -> DeviceMemory {
        device::memory(spec.engine.kind, named_device(spec, rank), gpu_of(spec, rank))
    }

    fn trainer(&mut self, spec: &ResolvedSpec) -> Result<Box<dyn Trainer>, RunFailure> {
        let launch = self.launch(spec, Engines::launch)?;
        let differences =
            recspeed_engines::find(spec.engine.kind).map(|reference| launch.record.differences(reference));
        if let Some(differences) = differences.filter(|differences| !differences.is_empty()) {
            let message = format!("the engine {} has {}", spec.engine.kind.as_str(), differences.join(", "));
            self.emitter.emit(EventKind::Warning { message });
        }
        let threads = rayon::current_num_threads() as u32;
        Ok(Box::new(Framework {
            launch,
            spec: spec.written_out(threads),
            threads,
            silence: self.engine_silence,
            memory_limit: self.memory_limit,
            peak: Arc::clone(&self.framework_peak),
        }))
    }

    fn now_us(&self) -> u64 {
        self.emitter.now_us()
    }

    /// Where another framework trains, the peak is that of whichever process held more.
    fn checkpoints(&self) -> recspeed_experiment::Checkpoints {
        recspeed_experiment::Checkpoints { writes: self.checkpoints.is_some(), resumes: self.resume.is_some() }
    }

    fn wants_baselines(&self) -> bool {
        self.baselines
    }

    fn told_steps(&self) -> u32 {
        self.told_steps
    }

    fn look_at_checkpoint(&self) -> Result<(), RunFailure> {
        let looked = self.resume.as_ref().map_or(Ok(()), Resume::look);
        looked.map_err(|error| RunFailure::new(FailureCode::Checkpoint, sentence(&error.to_string())))
    }

    fn memory(&self) -> ProcessMemory {
        let own = machine::process_memory();
        ProcessMemory { peak: own.peak.max(self.framework_peak.load(Ordering::Relaxed)), ..own }
    }
}

impl Process {
    /// How the engine of the spec is started, as `how` looks at it; what has no GPU for its device is not started at all.
    fn launch(
        &self,
        spec: &ResolvedSpec,
        how: impl FnOnce(&Engines, EngineKind) -> Result<Launch, EngineError>,
    ) -> Result<Launch, RunFailure> {
        let launch = Engines::open(Some(self.home.root())).and_then(|engines| {
            // Without a GPU there is no use in installing an engine for one.
            engines.has_device(spec.engine.kind, spec.engine.device)?;
            how(&engines, spec.engine.kind)
        });
        launch.map_err(|error| RunFailure::new(FailureCode::InvalidSpec, sentence(&error.to_string())))
    }
}

/// The rows of a data set before any filter: the experiment filters, in a worker and in a tab alike.
///
/// # Errors
/// A failure with code `data` when they cannot be read.
pub(crate) fn load(
    home: &DataHome,
    look_up: &LookUp,
    dataset: &Dataset,
    seed: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<LoadedData, RunFailure> {
    let whole = Dataset { source: dataset.source.clone(), filters: Filters::default() };
    let loaded = home.load(&LoadRequest { dataset: &whole, seed, look_up }, progress).map_err(|error| {
        let failure = RunFailure::new(FailureCode::Data, error.to_string());
        match error.instead() {
            none if none.is_empty() => failure,
            instead => failure.refused(instead),
        }
    })?;
    Ok(LoadedData {
        interactions: loaded.interactions,
        item_attributes: loaded.item_attributes,
        user_attributes: loaded.user_attributes,
        report: loaded.report,
        name: loaded.name,
        sha256: loaded.sha256,
        synthetic: loaded.synthetic,
        warnings: loaded.warnings,
    })
}

/// The device that the spec names for a rank.
fn named_device(spec: &ResolvedSpec, rank: usize) -> Device {
    spec.strategy.device_of(rank).unwrap_or(spec.engine.device)
}

/// Which of several GPUs a rank computes on: its own, where NCCL can bring their messages together, else the first.
fn gpu_of(spec: &ResolvedSpec, rank: usize) -> usize {
    #[cfg(all(feature = "cuda", feature = "nccl"))]
    if named_device(spec, rank) == Device::Cuda && spec.strategy.ranks as usize <= crate::nccl::gpus() {
        return rank;
    }
    let _ = (spec, rank);
    0
}

fn opened(device: Device) -> Result<NeuralDevice, RunFailure> {
    device::open(device).map_err(|error| RunFailure::new(FailureCode::InvalidSpec, format!("{error}.")))
}
