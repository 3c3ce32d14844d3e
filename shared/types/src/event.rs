//! What a run says while it works: one [`RunEvent`] a line on the worker's standard output.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metric::MetricName;
use crate::refusal::Refusal;
use crate::summary::{Begun, DataInfo, EngineInfo, RunSummary};

/// The name of a run: 1 to 40 characters of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct RunId(String);

/// A text that cannot name a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no run id: use 1 to 40 characters of a-z, 0-9 and -")]
pub struct RunIdError {
    /// What was given, at most 64 characters of it.
    pub given: String,
}

impl RunId {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`RunIdError`] when it is empty, longer than 40 characters or holds another character.
    pub fn new(text: impl Into<String>) -> Result<Self, RunIdError> {
        let text = text.into();
        let fits = (1..=40).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text)) } else { Err(RunIdError { given: text.chars().take(64).collect() }) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// One line of a run's story.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunEvent {
    /// The run.
    pub run: RunId,
    /// Position in the run's stream: from 0, without gaps.
    pub seq: u64,
    /// Microseconds since the run started.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Read by value, so that the page carries the code that reads an event once instead of once for each format.
impl<'de> Deserialize<'de> for RunEvent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let mut fields = serde_json::Map::deserialize(deserializer)?;
        let mut head = |name: &'static str| fields.remove(name).ok_or_else(|| D::Error::missing_field(name));
        let (run, seq, at_us) = (head("run")?, head("seq")?, head("at_us")?);
        let number = |name: &str, value: &serde_json::Value| {
            value.as_u64().ok_or_else(|| D::Error::custom(format!("{name} is {value}, not a whole number from 0")))
        };
        Ok(Self {
            run: serde_json::from_value(run).map_err(D::Error::custom)?,
            seq: number("seq", &seq)?,
            at_us: number("at_us", &at_us)?,
            kind: serde_json::from_value(fields.into()).map_err(D::Error::custom)?,
        })
    }
}

/// Reads a part of an event that other messages carry too, by value: what tells the kinds of events apart reads from its own
/// store, and everything below would be read by code of its own for that.
fn by_value<'de, T: serde::de::DeserializeOwned, D: serde::Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    serde_json::from_value(value).map_err(serde::de::Error::custom)
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EventKind {
    /// The worker has read and understood the spec, and begins.
    Started {
        /// Engine, device and versions.
        #[serde(deserialize_with = "by_value")]
        engine: EngineInfo,
        /// The seed of everything random.
        seed: u64,
        /// What its training begins with, as another framework has read it; the lab's own says it in its result.
        #[serde(default, deserialize_with = "by_value", skip_serializing_if = "Option::is_none")]
        begun: Option<Begun>,
    },
    /// A part of the run begins.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// How far the current phase is.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
        /// What a unit is: `batches`, `iterations`, `users`, `rows`; [`BASELINES`] once the method itself is measured.
        unit: String,
    },
    /// The data set has been read and split.
    Data {
        /// Sizes and content hash.
        #[serde(deserialize_with = "by_value")]
        data: DataInfo,
    },
    /// A number of the training or the evaluation.
    Metric {
        /// `loss`, or a metric's name.
        name: String,
        /// Which rows it was measured on.
        split: MeasuredOn,
        /// Optimizer steps (or iterations) taken so far.
        step: u64,
        /// Epochs taken so far; fractional inside an epoch.
        epoch: f64,
        /// The value; always finite.
        value: f64,
    },
    /// Bytes held by one rank.
    Memory {
        /// The rank, 0 for a run without a strategy.
        rank: u32,
        /// Bytes of each part, and the process's own account.
        #[serde(flatten)]
        bytes: MemoryBytes,
    },
    /// What one rank has sent to others in its training so far, and how long it waited for them.
    Traffic {
        /// The rank.
        rank: u32,
        /// In all steps so far.
        all: Sent,
        /// In those of them whose spans are told.
        told: Sent,
    },
    /// A stretch of work, for the timeline.
    Span {
        /// The rank.
        rank: u32,
        /// The lane inside the rank.
        lane: String,
        /// What was done.
        name: String,
        /// Start, in microseconds since the run started.
        start_us: u64,
        /// Length in microseconds.
        duration_us: u64,
        /// Bytes that the rank sent to others meanwhile; 0 in the events of older runs.
        #[serde(default, skip_serializing_if = "is_zero")]
        bytes: u64,
        /// Microseconds of it in which the rank waited for messages of others; 0 in the events of older runs.
        #[serde(default, skip_serializing_if = "is_zero")]
        waited_us: u64,
        /// Of a collective which one, and where; none of any other span, and none in the events of older runs. Its
        /// bytes and its waiting are in the span that it lies in, too.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "by_value")]
        exchange: Option<Exchange>,
    },
    /// Something worth reading.
    Log {
        /// The text.
        message: String,
        /// About how many seconds the step will take that this foretells, of which nothing may be heard while it lasts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
    },
    /// Something that the reader must know to trust the result.
    Warning {
        /// The text: what, and what to do about it.
        message: String,
    },
    /// The state of the training was written to disk.
    Checkpoint {
        /// File name inside the run's folder.
        file: String,
        /// Optimizer steps (or iterations) in it.
        step: u64,
        /// SHA-256 of the file, hexadecimal.
        sha256: String,
    },
    /// The end of a run that did what it was asked to.
    Finished {
        /// The result.
        #[serde(deserialize_with = "by_value")]
        summary: Box<RunSummary>,
    },
    /// The end of any other run.
    Failed {
        /// What kind of failure; decides the worker's exit status.
        code: FailureCode,
        /// The cause in one sentence that a student understands, with the remedy.
        cause: String,
        /// What an engineer wants to know; may be empty.
        #[serde(default)]
        detail: String,
        /// Of a run that was refused before any work, what would be taken instead.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "by_value")]
        refusal: Option<Refusal>,
    },
}

impl EventKind {
    /// Whether no event may follow.
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Finished { .. } | Self::Failed { .. })
    }

    /// A number of the evaluation.
    pub fn metric(name: &MetricName, split: MeasuredOn, value: f64, step: u64, epoch: f64) -> Self {
        Self::Metric { name: name.to_string(), split, step, epoch, value }
    }
}

/// What ranks do together, by the name that message passing gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Collective {
    /// Each rank gets what all have.
    AllGather,
    /// What all have is added up, and each rank gets its part of the sum.
    ReduceScatter,
    /// What all have is added up, and each rank gets the whole sum.
    AllReduce,
    /// Each rank sends something else to each other one, as rows of tables to who looks them up.
    AllToAll,
}

impl Collective {
    /// All, in the order above.
    pub const ALL: [Self; 4] = [Self::AllGather, Self::ReduceScatter, Self::AllReduce, Self::AllToAll];

    /// Its name, as spans have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllGather => "all-gather",
            Self::ReduceScatter => "reduce-scatter",
            Self::AllReduce => "all-reduce",
            Self::AllToAll => "all-to-all",
        }
    }
}

/// What the span of a collective tells beside its times and bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exchange {
    /// Which it is.
    pub collective: Collective,
    /// The name of the span that it lies in, of the same rank and lane, as `B3`; none of look-ups in tables, which come
    /// before the first pass of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// The layer that it is about, from 0 in the whole model, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<u32>,
    /// The rank whose message it waited for longest, where it waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_for: Option<u32>,
    /// Microseconds that it waited for that message.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited_for_us: u64,
}

/// The unit of a run's [`EventKind::Progress`] while what stands beside its result is fitted and measured.
pub const BASELINES: &str = "baselines";

/// The parts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reading or making the data, and splitting it.
    Load,
    /// Training.
    Fit,
    /// Measuring on the held-out rows.
    Evaluate,
}

/// The rows that a number was measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MeasuredOn {
    /// Rows that the recommender learns from.
    Train,
    /// Rows held out to steer the training.
    Validation,
    /// Rows held out to the end.
    Test,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

/// Bytes by purpose. Of gradients, optimizer state and activations 0 says that there are none, or that nobody has counted them: in JSON
/// they are left out then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemoryBytes {
    /// Learnt parameters.
    pub parameters: u64,
    /// Gradients.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gradients: u64,
    /// Optimizer state.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub optimizer: u64,
    /// Optimizer state in the machine's own memory, where it is not with the parameters.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub host: u64,
    /// Activations kept for the backward pass.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub activations: u64,
    /// Data columns, indices and communication buffers.
    pub buffers: u64,
    /// What a rank's parts were when they were most together, `host` apart; each of the parts above is its own most, which they need not
    /// reach at the same time. None where nobody has noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_peak: Option<BytesAtPeak>,
    /// What the allocator, or the operating system for the process, holds now; 0 for a rank that is a thread of the first rank's
    /// process, which tells it once.
    pub allocator_total: u64,
    /// The largest that total has been.
    pub peak: u64,
}

impl MemoryBytes {
    /// The most that the device of a rank has held of these parts at one moment; where nobody has noted that, as in the events of older
    /// runs, the sum of what each part was at most, which is no less.
    pub fn on_the_device(&self) -> u64 {
        let apart = self.parameters + self.gradients + self.optimizer + self.activations + self.buffers;
        self.at_peak.map_or(apart, |together| together.total())
    }
}

/// What a rank sent in some steps, and how long it waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sent {
    /// How many steps.
    pub steps: u64,
    /// Bytes of all messages to other ranks: passes, gradients, parameters and rows of tables, and the few by which ranks agree on a step.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Microseconds in which it waited for messages of others.
    pub waited_us: u64,
}

impl Sent {
    /// Bytes of a step, in the mean; 0 of no step.
    pub fn bytes_per_step(&self) -> u64 {
        self.bytes.checked_div(self.steps).unwrap_or(0)
    }

    /// Microseconds of a step that are waited, in the mean; 0 of no step.
    pub fn waited_per_step_us(&self) -> u64 {
        self.waited_us.checked_div(self.steps).unwrap_or(0)
    }
}

/// A rank's bytes by purpose, all at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BytesAtPeak {
    /// Learnt parameters.
    pub parameters: u64,
    /// Gradients.
    pub gradients: u64,
    /// Optimizer state on the device.
    pub optimizer: u64,
    /// Activations kept for the backward pass.
    pub activations: u64,
    /// What comes and goes.
    pub buffers: u64,
}

impl BytesAtPeak {
    /// All of it.
    pub const fn total(&self) -> u64 {
        self.parameters + self.gradients + self.optimizer + self.activations + self.buffers
    }
}

/// Why a run did not finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// The spec is invalid, or asks for what this build or data set cannot do.
    InvalidSpec,
    /// Not enough memory.
    OutOfMemory,
    /// The data set cannot be read.
    Data,
    /// Somebody cancelled it.
    Cancelled,
    /// The loss or a weight stopped being a finite number.
    Diverged,
    /// It took longer than it was allowed to.
    TimeLimit,
    /// The checkpoint to go on from belongs to something else or is damaged; the run can only start from its beginning.
    Checkpoint,
    /// The worker broke the protocol, was killed, or hung.
    Worker,
    /// A mistake in the lab itself.
    Internal,
}

impl FailureCode {
    /// The exit status of a worker that ends this way.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::InvalidSpec => 2,
            Self::OutOfMemory => 3,
            Self::Data => 4,
            Self::Diverged => 5,
            Self::TimeLimit => 6,
            Self::Cancelled => 130,
            Self::Checkpoint | Self::Worker | Self::Internal => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_json_object() {
        let event = RunEvent {
            run: RunId::new("r1").unwrap(),
            seq: 3,
            at_us: 1500,
            kind: EventKind::Progress { done: 1, total: 2, unit: "batches".into() },
        };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(text, r#"{"run":"r1","seq":3,"at_us":1500,"kind":"progress","done":1,"total":2,"unit":"batches"}"#);
        assert_eq!(serde_json::from_str::<RunEvent>(&text).unwrap(), event);
    }

    #[test]
    fn a_failure_is_read_with_its_refusal_and_without_and_what_it_carries_wrongly_is_named() {
        let failed = |rest: &str| {
            let code = r#""run":"r1","seq":0,"at_us":1,"kind":"failed","code":"data","cause":"c""#;
            serde_json::from_str::<RunEvent>(&format!("{{{code}{rest}}}"))
        };
        let refusal = |event: RunEvent| match event.kind {
            EventKind::Failed { refusal, .. } => refusal,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal(failed("").unwrap()), None);
        assert_eq!(refusal(failed(r#","refusal":null"#).unwrap()), None);
        assert_eq!(refusal(failed(r#","refusal":{"instead":[]}"#).unwrap()), Some(Refusal::default()));
        let error = failed(r#","refusal":{"instead":7}"#).unwrap_err().to_string();
        assert!(error.contains("invalid type: integer `7`"), "{error}");
    }

    #[test]
    fn events_from_before_peaks_were_told_are_read_and_count_each_part_at_its_most() {
        let old = r#"{"run":"r1","seq":3,"at_us":1,"kind":"memory","rank":1,"parameters":4,"gradients":4,"optimizer":8,"activations":9,"buffers":2,"allocator_total":0,"peak":0}"#;
        let event: RunEvent = serde_json::from_str(old).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), old, "and written as they were");
        let EventKind::Memory { bytes, rank } = event.kind else { panic!("{event:?}") };
        assert_eq!((bytes.at_peak, bytes.on_the_device()), (None, 27));
        let at_peak = BytesAtPeak { parameters: 4, gradients: 3, optimizer: 8, activations: 9, buffers: 0 };
        let kind = EventKind::Memory { rank, bytes: MemoryBytes { at_peak: Some(at_peak), ..bytes } };
        let text = serde_json::to_string(&RunEvent { kind, ..event }).unwrap();
        let EventKind::Memory { bytes, .. } = serde_json::from_str::<RunEvent>(&text).unwrap().kind else {
            panic!("{text}")
        };
        assert_eq!(bytes.on_the_device(), 24);
    }

    #[test]
    fn parts_that_nobody_has_counted_are_left_out_and_not_told_as_nothing() {
        let model = MemoryBytes { parameters: 8, buffers: 2, allocator_total: 9, peak: 10, ..MemoryBytes::default() };
        let text = serde_json::to_string(&model).unwrap();
        assert_eq!(text, r#"{"parameters":8,"buffers":2,"allocator_total":9,"peak":10}"#);
        assert_eq!(serde_json::from_str::<MemoryBytes>(&text).unwrap(), model);
        // Results that were kept before say 0.
        let old =
            r#"{"parameters":8,"gradients":0,"optimizer":0,"activations":0,"buffers":2,"allocator_total":9,"peak":10}"#;
        assert_eq!(serde_json::from_str::<MemoryBytes>(old).unwrap(), model);
    }

    #[test]
    fn spans_from_before_bytes_were_told_are_read_and_written_as_they_were() {
        let old = r#"{"run":"r1","seq":3,"at_us":1,"kind":"span","rank":1,"lane":"0","name":"F0","start_us":4,"duration_us":5}"#;
        let event: RunEvent = serde_json::from_str(old).unwrap();
        assert!(
            matches!(event.kind, EventKind::Span { bytes: 0, duration_us: 5, waited_us: 0, exchange: None, .. }),
            "{event:?}"
        );
        assert_eq!(serde_json::to_string(&event).unwrap(), old);
        let sent = Sent { steps: 3, bytes: 301, messages: 6, waited_us: 10 };
        let kind = EventKind::Traffic { rank: 1, all: sent, told: Sent::default() };
        let text = serde_json::to_string(&RunEvent { kind: kind.clone(), ..event }).unwrap();
        assert_eq!(serde_json::from_str::<RunEvent>(&text).unwrap().kind, kind, "{text}");
        assert_eq!((sent.bytes_per_step(), sent.waited_per_step_us(), Sent::default().bytes_per_step()), (100, 3, 0));
    }

    #[test]
    fn the_span_of_a_collective_is_one_flat_object_that_names_the_span_it_lies_in() {
        for collective in Collective::ALL {
            let exchange = Exchange {
                collective,
                within: Some("B3".to_owned()),
                layer: Some(7),
                waited_for: Some(2),
                waited_for_us: 4,
            };
            let kind = EventKind::Span {
                rank: 1,
                lane: "0".to_owned(),
                name: collective.as_str().to_owned(),
                start_us: 4,
                duration_us: 5,
                bytes: 6,
                waited_us: 5,
                exchange: Some(exchange.clone()),
            };
            let event = RunEvent { run: RunId::new("r1").unwrap(), seq: 3, at_us: 1, kind };
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<RunEvent>(&text).unwrap(), event, "{text}");
            assert!(text.contains(&format!(r#""exchange":{{"collective":"{}""#, collective.as_str())), "{text}");
            // Of a look-up that waited for nobody, what is not there is not written.
            let alone = Exchange { within: None, layer: None, waited_for: None, waited_for_us: 0, ..exchange };
            let text = serde_json::to_string(&alone).unwrap();
            assert_eq!(text, format!(r#"{{"collective":"{}"}}"#, collective.as_str()));
            assert_eq!(serde_json::from_str::<Exchange>(&text).unwrap(), alone);
        }
    }

    #[test]
    fn run_ids_stay_out_of_paths_and_markup() {
        for bad in ["", "../x", "A", "a b", "<b>", &"x".repeat(41)] {
            assert!(RunId::new(bad).is_err(), "{bad}");
        }
    }
}
