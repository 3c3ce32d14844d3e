//! A host without files, for tests.

use std::cell::Cell;
use std::collections::BTreeMap;

use recspeed_data::{ReadLimits, ReadReport, generate, read_ratings};
use recspeed_experiment::{
    DeviceMemory, Host, Library, LoadedData, Outcome, ProcessMemory, RunFailure, SplitPart, Stored, StoredPredictions,
    TOLD_STEPS, run, stored_importance, stored_predictions,
};
use recspeed_types::spec::{DataFormat, Dataset, ResolvedSpec, Source};
use recspeed_types::summary::EngineInfo;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, FitObserver, RunId, RunSummary, StoredImportance};

/// A clock that counts how often this thread has looked at it.
fn looked_at() -> u64 {
    thread_local! {
        static LOOKS: Cell<u64> = const { Cell::new(0) };
    }
    LOOKS.set(LOOKS.get() + 1);
    LOOKS.get()
}

/// A host whose data set is a text, whose clock goes on with every event and every look at it, and which stops after it
/// was asked so often whether to stop.
#[derive(Default)]
struct Desk {
    csv: Option<String>,
    events: Vec<EventKind>,
    /// Looks at the clock.
    looks: Cell<u64>,
    looks_until_stop: Option<u32>,
    /// What a training goes on from, then what it left last.
    checkpoint: Option<Vec<u8>>,
    /// Bytes that a run may use.
    limit: Option<u64>,
    /// The memory of the GPU that all ranks are said to compute on, where they are; whoever looks finds flex.
    gpu: Option<DeviceMemory>,
    /// Whether it wants no baselines.
    bare: bool,
    /// Of how many steps ranks tell, where that is not what hosts ask for.
    told: Option<u32>,
}

impl FitObserver for Desk {
    fn event(&mut self, event: EventKind) {
        self.events.push(event);
    }
    fn stop_requested(&mut self) -> bool {
        match &mut self.looks_until_stop {
            Some(0) => true,
            Some(looks) => {
                *looks -= 1;
                false
            }
            None => false,
        }
    }
    fn checkpoint(&mut self, _: u64, encode: &mut dyn FnMut() -> Vec<u8>) {
        self.checkpoint = Some(encode());
    }
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.checkpoint.take()
    }
}

impl Host for Desk {
    fn load(&mut self, dataset: &Dataset, seed: u64) -> Result<LoadedData, RunFailure> {
        let (interactions, item_attributes, report) = match (&self.csv, &dataset.source) {
            (Some(text), _) => {
                let is_atomic = text.starts_with("user_id:token");
                let format = if is_atomic { DataFormat::Recbole } else { DataFormat::AmazonCsv };
                let read = read_ratings(format, text.as_bytes(), ReadLimits::default())
                    .map_err(|error| RunFailure::new(FailureCode::Data, error.to_string()))?;
                (read.interactions, None, read.report)
            }
            (None, Source::Builtin { entry }) => {
                let made = generate(entry, seed);
                (made.interactions, Some(made.item_attributes), ReadReport::default())
            }
            (None, _) => return Err(RunFailure::new(FailureCode::Data, "this desk has no files")),
        };
        Ok(LoadedData {
            interactions,
            item_attributes,
            user_attributes: None,
            report,
            name: "desk".into(),
            sha256: String::new(),
            synthetic: true,
            warnings: Vec::new(),
        })
    }
    fn engine(&self, _: &ResolvedSpec) -> Result<EngineInfo, RunFailure> {
        Ok(EngineInfo {
            kind: "burn".into(),
            device: "flex".into(),
            versions: BTreeMap::new(),
            host: "desk".into(),
            threads: 1,
            precision: None,
        })
    }
    fn now_us(&self) -> u64 {
        self.looks.set(self.looks.get() + 1);
        self.events.len() as u64 + self.looks.get()
    }
    fn clock(&self) -> Option<fn() -> u64> {
        Some(looked_at)
    }
    fn memory_limit(&self) -> Option<u64> {
        self.limit
    }
    fn device_memory(&self, _: &ResolvedSpec, _: usize) -> DeviceMemory {
        self.gpu.clone().unwrap_or_default()
    }
    fn wants_baselines(&self) -> bool {
        !self.bare
    }
    fn told_steps(&self) -> u32 {
        self.told.unwrap_or(TOLD_STEPS)
    }
    fn memory(&self) -> ProcessMemory {
        ProcessMemory { now: 1, peak: 2 }
    }
}

#[allow(dead_code, reason = "not every test that has a desk looks at the result alone")]
pub(crate) fn attempt(
    csv: Option<&str>,
    spec: &str,
    stop: Option<u32>,
) -> (Result<RunSummary, RunFailure>, Vec<EventKind>) {
    let (result, events) = whole(csv, spec, stop);
    (result.map(|outcome| outcome.summary), events)
}

/// The same, with all that the run leaves behind.
pub(crate) fn whole(csv: Option<&str>, spec: &str, stop: Option<u32>) -> (Result<Outcome, RunFailure>, Vec<EventKind>) {
    let desk = Desk { csv: csv.map(str::to_owned), looks_until_stop: stop, ..Desk::default() };
    let (result, desk) = attempt_at(desk, spec);
    (result, desk.events)
}

/// On built-in data, by a host that wants no baselines.
#[allow(dead_code, reason = "not every test that has a desk looks at baselines")]
pub(crate) fn attempt_without_baselines(spec: &str) -> (Result<RunSummary, RunFailure>, Vec<EventKind>) {
    let (result, desk) = attempt_at(Desk { bare: true, ..Desk::default() }, spec);
    (result.map(|outcome| outcome.summary), desk.events)
}

/// On built-in data, by a host that asks ranks to tell of so many steps.
#[allow(dead_code, reason = "not every test that has a desk looks at timelines")]
pub(crate) fn attempt_telling(steps: u32, spec: &str) -> (Result<RunSummary, RunFailure>, Vec<EventKind>) {
    let (result, desk) = attempt_at(Desk { told: Some(steps), ..Desk::default() }, spec);
    (result.map(|outcome| outcome.summary), desk.events)
}

/// On built-in data; goes on from a checkpoint, and gives the last one.
#[allow(dead_code, reason = "not every test that has a desk resumes")]
pub(crate) fn attempt_from(
    checkpoint: Option<Vec<u8>>,
    spec: &str,
    stop: Option<u32>,
) -> (Result<RunSummary, RunFailure>, Option<Vec<u8>>) {
    let (result, desk) = attempt_at(Desk { looks_until_stop: stop, checkpoint, ..Desk::default() }, spec);
    (result.map(|outcome| outcome.summary), desk.checkpoint)
}

/// On built-in data, in so many bytes of memory.
#[allow(dead_code, reason = "not every test that has a desk is short of memory")]
pub(crate) fn attempt_within(limit: u64, spec: &str) -> (Result<RunSummary, RunFailure>, Vec<EventKind>) {
    let (result, desk) = attempt_at(Desk { limit: Some(limit), ..Desk::default() }, spec);
    (result.map(|outcome| outcome.summary), desk.events)
}

/// The same, on a GPU with so many bytes of memory, where that is known.
#[allow(dead_code, reason = "not every test that has a desk is short of memory")]
pub(crate) fn attempt_on_a_gpu(gpu: Option<u64>, limit: u64, spec: &str) -> Result<RunSummary, RunFailure> {
    attempt_on(Library::Other, gpu, limit, spec)
}

/// The same, on a GPU on which this computes.
#[allow(dead_code, reason = "not every test that has a desk is short of memory")]
pub(crate) fn attempt_on(
    library: Library,
    bytes: Option<u64>,
    limit: u64,
    spec: &str,
) -> Result<RunSummary, RunFailure> {
    let gpu = Some(DeviceMemory::Own { name: "an invented card".to_owned(), bytes, library });
    attempt_at(Desk { limit: Some(limit), gpu, ..Desk::default() }, spec).0.map(|outcome| outcome.summary)
}

/// What a model that an earlier run left behind is told of its features, on built-in data.
#[allow(dead_code, reason = "not every test that has a desk asks a stored model")]
pub(crate) fn importance_of(spec: &str, stored: Stored) -> Result<StoredImportance, RunFailure> {
    let spec = ExperimentSpec::from_toml(spec).expect("the test's spec parses");
    stored_importance(&spec, stored, &mut Desk::default())
}

/// What such a model predicts for rows of its split.
#[allow(dead_code, reason = "not every test that has a desk asks a stored model")]
pub(crate) fn predictions_of(spec: &str, stored: &Stored, part: SplitPart) -> Result<StoredPredictions, RunFailure> {
    let spec = ExperimentSpec::from_toml(spec).expect("the test's spec parses");
    stored_predictions(&spec, stored, part, &mut Desk::default())
}

fn attempt_at(mut desk: Desk, spec: &str) -> (Result<Outcome, RunFailure>, Desk) {
    let spec = ExperimentSpec::from_toml(spec).expect("the test's spec parses");
    let result = run(&RunId::new("desk").unwrap(), &spec, &mut desk);
    (result, desk)
}
