//! The result of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{MemoryBytes, RunId};

/// The result of a run, and what must be known to trust and repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// How it ended; always `finished` in a summary that a worker sends.
    pub status: SummaryStatus,
    /// Value by metric name, as `rmse` and `ndcg@10`; every value is finite.
    pub metrics: BTreeMap<String, f64>,
    /// Seconds of each part.
    pub timing: Timing,
    /// Bytes held at the end, and the peak.
    pub memory: MemoryBytes,
    /// What ran it.
    pub engine: EngineInfo,
    /// What it ran on.
    pub data: DataInfo,
    /// How the metrics came about.
    pub evaluation: EvaluationInfo,
    /// Epochs or iterations trained, and where the best one lay; absent for methods without iterations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingInfo>,
    /// The seed of everything random.
    pub seed: u64,
    /// Warnings given on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How a summarised run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SummaryStatus {
    /// It did all that it was asked to.
    Finished,
}

/// Wall-clock seconds of each part of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timing {
    /// Reading or making the data, and splitting it.
    pub load_s: f64,
    /// Training.
    pub fit_s: f64,
    /// Measuring.
    pub evaluate_s: f64,
}

/// What ran an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EngineInfo {
    /// The engine, as in the spec.
    pub kind: String,
    /// The device, as in the spec.
    pub device: String,
    /// Name and version of each part that computes.
    pub versions: BTreeMap<String, String>,
    /// Operating system, processor and cores, or the browser.
    pub host: String,
    /// Threads it used.
    pub threads: u32,
}

/// What an experiment ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DataInfo {
    /// Name of the data set.
    pub name: String,
    /// Distinct users after the filters.
    pub users: u64,
    /// Distinct items after the filters.
    pub items: u64,
    /// Rows to learn from.
    pub train: u64,
    /// Rows held out to steer the training.
    pub validation: u64,
    /// Rows held out to the end.
    pub test: u64,
    /// Lines of the file that were skipped.
    pub bad_lines: u64,
    /// SHA-256 of the file's bytes, or of the columns of generated data; hexadecimal.
    pub sha256: String,
    /// Whether the rows were made up from a seed.
    pub synthetic: bool,
}

/// How the metrics came about: the part of a result that people forget to print.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EvaluationInfo {
    /// The candidate set in words.
    pub candidates: String,
    /// Items in the candidate set before a user's own are taken out.
    pub candidate_items: u64,
    /// Users with at least one test row.
    pub test_users: u64,
    /// Users that the ranking metrics were measured on.
    pub evaluated_users: u64,
    /// Whether `evaluated_users` were drawn from `test_users` by the seed.
    pub sampled_users: bool,
    /// Test users without any training row; they are ranked by what the method does for cold users.
    pub cold_users: u64,
    /// Test rows whose item has no training row: no full ranking can find them.
    pub cold_item_rows: u64,
    /// The tie rule in words.
    pub tie_rule: String,
    /// Share of the lists whose last place was decided by the tie rule; 0 where no ranking was made.
    pub tie_share: f64,
    /// The scale of rating errors: `stars`.
    pub rating_scale: String,
}

/// How the training went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrainingInfo {
    /// Epochs or iterations taken.
    pub epochs: u32,
    /// Optimizer steps taken.
    pub steps: u64,
    /// Mean training loss of the last epoch.
    pub final_loss: f64,
    /// Epoch (from 1) with the best validation value; absent without validation rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<u32>,
    /// Whether early stopping ended it.
    pub stopped_early: bool,
    /// Learnt parameters.
    pub parameters: u64,
}
