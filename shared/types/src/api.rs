//! What the server and the page say to each other, besides specs and events.

mod engine;

use serde::{Deserialize, Serialize};

pub use engine::{EngineInfo, EngineState};

use crate::absence::GpuPresence;
use crate::event::{FailureCode, RunEvent, RunId};
use crate::refusal::Refusal;
use crate::spec::{DataFormat, DatasetSpec, ExperimentSpec, SpecError};
use crate::study::{StudyProgress, StudyReport};
use crate::summary::RunSummary;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// Waits for a free slot.
    Queued,
    /// A worker is at it.
    Running,
    /// Did all that it was asked to.
    Finished,
    /// Ended with a cause.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl RunStatus {
    /// Whether nothing more will happen.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }

    /// The name as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// What kind of failure.
    pub code: FailureCode,
    /// One sentence with the remedy.
    pub cause: String,
    /// For engineers; may be empty.
    #[serde(default)]
    pub detail: String,
    /// Of a run that was refused before any work, what would be taken instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// A stored run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunRecord {
    /// Its name in links: `/r/ID`.
    pub id: RunId,
    /// Where it stands.
    pub status: RunStatus,
    /// What was asked.
    #[serde(deserialize_with = "spec_by_value")]
    pub spec: ExperimentSpec,
    /// Milliseconds since 1970 of the request.
    pub created_ms: i64,
    /// Milliseconds since 1970 of the worker's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<i64>,
    /// Milliseconds since 1970 of the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
    /// Place in the queue, from 1, while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_position: Option<u32>,
    /// Estimated seconds until it starts, while it waits and there is something to estimate from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_in_s: Option<f64>,
    /// The study that has the machine to itself or is next, while it waits: no run starts before that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for_study: Option<String>,
    /// Times that a worker was started for it; more than one after a restart of the server or a retry.
    pub attempts: u32,
    /// The run that it was forked from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// The result, when finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<RunSummary>,
    /// The cause, when failed or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether the lab keeps its model; told where one run is looked at that has finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<bool>,
}

/// Reads a spec inside a message by way of [`ExperimentSpec::from_value`]: mistakes name their field, and the page carries
/// the code that reads a spec once instead of once for each format.
fn spec_by_value<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ExperimentSpec, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    ExperimentSpec::from_value(value).map_err(serde::de::Error::custom)
}

/// `POST /api/runs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// What to run.
    #[serde(deserialize_with = "spec_by_value")]
    pub spec: ExperimentSpec,
    /// The run that it was forked from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
}

/// `GET /api/runs`: newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunRecord>,
    /// The value of `before` that continues the list; absent at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /api/runs/ID/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventPage {
    /// The run's events from the asked `seq` on.
    pub events: Vec<RunEvent>,
    /// Whether more are stored behind the last one.
    pub more: bool,
}

/// One message of the stream `GET /api/stream`; its SSE id is the position to resume from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum StreamMessage {
    /// A run's status or place in the queue changed.
    Run {
        /// The run as it stands now.
        run: Box<RunRecord>,
    },
    /// A run said something.
    Event {
        /// What it said.
        event: Box<RunEvent>,
    },
    /// A run was deleted.
    Deleted {
        /// The run.
        run: RunId,
    },
}

/// Read by value, like the events inside.
impl<'de> Deserialize<'de> for StreamMessage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let mut fields = serde_json::Map::deserialize(deserializer)?;
        let mut part = |name: &'static str| fields.remove(name).ok_or_else(|| D::Error::missing_field(name));
        let kind = part("type")?;
        match kind.as_str() {
            Some("run") => serde_json::from_value(part("run")?).map(|run| Self::Run { run }),
            Some("event") => serde_json::from_value(part("event")?).map(|event| Self::Event { event }),
            Some("deleted") => serde_json::from_value(part("run")?).map(|run| Self::Deleted { run }),
            _ => return Err(D::Error::custom(format!("type is {kind}; known: run, event, deleted"))),
        }
        .map_err(D::Error::custom)
    }
}

/// Reads any of the messages of this module from JSON text, by value: a reader of several kinds of messages then carries
/// the code for each of their parts once.
///
/// # Errors
/// What the JSON parser or the message's own reader says.
pub fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str::<serde_json::Value>(text).and_then(serde_json::from_value)
}

/// Any answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiFailure {
    /// A stable name, as `invalid-spec`.
    pub code: String,
    /// One sentence: what was given, what is allowed.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The mistakes of a spec, one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<SpecError>,
}

/// `GET /api/lab`: what the page needs to know before it draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LabInfo {
    /// Version of the lab, with what it was built from.
    pub version: String,
    /// Who is asking.
    pub role: Role,
    /// What the server's workers can do; absent when none could be probed.
    pub probe: Option<crate::probe::Probe>,
    /// Why there is no probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_failure: Option<String>,
    /// What there is of a GPU for the engines of other frameworks.
    #[serde(default)]
    pub gpu: GpuPresence,
    /// The engines of other frameworks: those that are here, and how to get the others.
    #[serde(default)]
    pub engines: Vec<EngineInfo>,
    /// Runs at the same time.
    pub slots: u32,
    /// Bytes that a run on the server may hold; absent where nobody knows what the machine has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<u64>,
    /// Seconds after which the server ends a run, where it ends it at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<u64>,
    /// The stored run that a first visit shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub showcase: Option<RunId>,
}

/// What a visitor may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Reading what a link shows.
    Guest,
}

/// One of `GET /api/studies`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyListing {
    /// Its name in addresses and for `recspeed study`.
    pub name: String,
    /// For people.
    pub title: String,
    /// What it asks.
    pub question: String,
    /// Milliseconds since 1970 of its last report; absent where it was never measured here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_ms: Option<i64>,
    /// Of the report that comes with the program; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<StudyRecorded>,
    /// How far its last report came, where the study was stopped before its end; absent of a whole one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<StudyProgress>,
    /// The last attempt to measure it; absent where nobody asked this server for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<StudyAttempt>,
    /// Which kept file of it cannot be read, why, and what to do, in sentences; absent where all can. Code stands between
    /// backticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// What Recspeed's authors measured on a machine of theirs; `GET /api/studies/NAME/recorded` is the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyRecorded {
    /// When, in milliseconds since 1970.
    pub measured_ms: i64,
    /// Whether the study measures something else by now: another data set, network or setting.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub older: bool,
    /// What is to be known of its settings beside those of today, in sentences: what differs, or that nobody can tell,
    /// and which rows of today it lacks. Absent where both are the same, those settings among them that its specs leave
    /// to the defaults of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
}

impl StudyRecorded {
    /// Said of one whose specs are those of today, and which does not tell what they left to the defaults of the program.
    pub const DEFAULTS_UNTOLD: &str =
        "What its specs say is as today; which defaults the program had for the rest it does not tell.";
    /// Said of one that is [older](Self::older), in front of what differs.
    pub const OLDER: &str =
        "It was measured with an older version, whose settings were other ones than those of today.";
}

/// `GET /api/studies/NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyPage {
    /// The study.
    pub study: StudyListing,
    /// Its last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<StudyReport>,
}

/// The last attempt to make a study on the server's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyAttempt {
    /// Where it stands.
    pub status: StudyStatus,
    /// Milliseconds since 1970 of the request.
    pub asked_ms: i64,
    /// Milliseconds since 1970 of the first measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<i64>,
    /// Milliseconds since 1970 of the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<StudyProgress>,
    /// The last lines that it said; for the owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    /// Why it did not finish, with the remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Where an attempt at a study stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StudyStatus {
    /// Until the runs that are at work have ended.
    Waiting,
    /// It measures.
    Running,
    /// Its report is there.
    Finished,
    /// It ended without a report.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// The server was ended meanwhile.
    Interrupted,
}

impl StudyStatus {
    /// Whether nothing more will happen.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// `GET /api/datasets`: uploads that a spec may name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UploadRecord {
    /// SHA-256 of the content: `dataset.id` of a spec.
    pub sha256: String,
    /// The name that it was given.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// How it is written.
    pub format: DataFormat,
    /// Rows that were read from it.
    pub rows: u64,
    /// Lines that were skipped.
    pub bad_lines: u64,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// `GET /api/datasets/files`: data files on the server's machine that a spec may name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerFiles {
    /// Whether the server was started with a folder for them (`RECSPEED_DATA`).
    pub folder: bool,
    /// Known data sets first, then by path.
    pub files: Vec<ServerFile>,
    /// Whether there may be more than were looked at.
    pub more: bool,
}

/// A data file on the server's machine, judged by its name and its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerFile {
    /// Its name in addresses, as `file-0123456789abcdef`, which tells nobody where it lies.
    pub id: String,
    /// The name for people: of a known data set its title, else the path.
    pub title: String,
    /// `dataset.path` of a spec.
    pub path: String,
    /// `dataset.format` of a spec.
    pub format: DataFormat,
    /// `dataset.items` of a spec, where a file of item attributes lies beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// `dataset.users` of a spec, the same for attributes of users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// Where a known data set comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<FileOrigin>,
}

/// Where a known data set comes from, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileOrigin {
    /// Who made it.
    pub source: String,
    /// What its owners allow.
    pub licence: String,
    /// How to cite it.
    pub citation: String,
    /// How published numbers are measured on it.
    pub protocol: String,
}

impl ServerFile {
    /// `[dataset]` of a spec that reads it, without filters.
    pub fn dataset(&self) -> DatasetSpec {
        let file = DatasetSpec::file(&self.path, self.format);
        DatasetSpec { items: self.items.clone(), users: self.users.clone(), ..file }
    }

    /// Whether `[dataset]` of a spec names this file, whatever its filters and attributes.
    pub fn is_of(&self, dataset: &DatasetSpec) -> bool {
        dataset.path.as_ref() == Some(&self.path) && dataset.format == Some(self.format)
    }
}
