//! The experiment spec: TOML for people, JSON on the wire, one type.
//!
//! [`ExperimentSpec`] is what was asked, field by field; [`ExperimentSpec::resolve`] checks all of it at once and gives
//! a [`ResolvedSpec`], in which every default is filled in and impossible combinations cannot be written down.

mod balance;
mod choice;
mod dataset;
mod divisible;
mod engine;
mod evaluation;
mod features;
mod file_name;
mod group;
mod json_numbers;
mod parse;
mod recommender;
mod resolve;
mod settings;
mod split;
mod strategy;
mod together;
mod training;
mod words;

pub use balance::{Balance, BalanceBy};
pub use dataset::{ColumnNames, DataFormat, DataSource, Dataset, DatasetSpec, Filters, Source};
pub use engine::{Device, EngineKind, EngineSpec};
pub use evaluation::{Candidates, EvaluateOn, EvaluationSpec};
pub use features::{Derived, FeatureName, FeaturesSpec};
pub use file_name::{format_of_name, without_packing};
pub use parse::SpecParseError;
pub use recommender::{NoNewUsers, ParamValue, RecommenderSpec, ResolvedRecommender};
pub use resolve::ResolvedSpec;
pub use split::{FitOn, Split, SplitKind, SplitPlan, SplitSpec};
pub use strategy::{Launcher, PipelineSchedule, Recompute, Strategy, StrategyKind, StrategySpec, TableSharding};
pub use training::{Loss, Optimizer, Precision, Training, TrainingSpec, tighter_clip};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sentences::told;

/// What to run. The top-level sections are fixed by the design; unknown fields are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExperimentSpec {
    /// Version of this format: 1.
    pub version: u32,
    /// A name for people; may be empty, and is then not written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Seed of everything random, 0 to 2^53 − 1.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Seed of what is learnt from and measured on: a built-in data set, a drawn sample, the split, the users that are ranked
    /// for (`seed` unless set). Runs that differ in `seed` alone then share all of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_seed: Option<u64>,
    /// The ratings.
    pub dataset: DatasetSpec,
    /// What is held out.
    #[serde(default)]
    pub split: SplitSpec,
    /// What is known besides the ratings, and what of it is used.
    #[serde(default, skip_serializing_if = "FeaturesSpec::is_empty")]
    pub features: FeaturesSpec,
    /// The method and its parameters.
    pub recommender: RecommenderSpec,
    /// How a network is trained; only for recommenders that are trained step by step.
    #[serde(default, skip_serializing_if = "TrainingSpec::is_empty")]
    pub training: TrainingSpec,
    /// What computes.
    #[serde(default)]
    pub engine: EngineSpec,
    /// How the work is divided.
    #[serde(default)]
    pub strategy: StrategySpec,
    /// What is measured.
    #[serde(default = "EvaluationSpec::unset")]
    pub evaluation: EvaluationSpec,
}

/// The version of the spec format that this build writes.
pub const SPEC_VERSION: u32 = 1;

const fn default_seed() -> u64 {
    42
}

impl Default for ExperimentSpec {
    /// The paper's four-layer network on 10,000 synthetic ratings: what a permalink leaves out. The page opens with it where no
    /// example was recorded.
    fn default() -> Self {
        Self {
            version: SPEC_VERSION,
            name: String::new(),
            seed: default_seed(),
            data_seed: None,
            dataset: DatasetSpec::builtin("beauty-synthetic-10k"),
            split: SplitSpec::default(),
            features: FeaturesSpec::default(),
            recommender: RecommenderSpec::new("mlp"),
            training: TrainingSpec::default(),
            engine: EngineSpec::default(),
            strategy: StrategySpec::default(),
            evaluation: EvaluationSpec::default(),
        }
    }
}

impl ExperimentSpec {
    /// Every device that its stages compute on, each once: `engine.device`, unless `strategy.devices` names others.
    pub fn devices(&self) -> Vec<Device> {
        let mut devices = self.strategy.devices.clone().unwrap_or_else(|| vec![self.engine.device]);
        let mut seen = Vec::new();
        devices.retain(|device| {
            !seen.contains(device) && {
                seen.push(*device);
                true
            }
        });
        devices
    }
}

/// One thing that is wrong with a spec: where, what was given, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{}{message}", place(path))]
pub struct SpecError {
    /// The field, as `training.epochs`; empty for the document as a whole.
    pub path: String,
    /// What was given and what is allowed, in one sentence.
    pub message: String,
}

/// The path as the beginning of a sentence; nothing for the document as a whole.
fn place(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

impl SpecError {
    /// An error at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// Everything that is wrong with a spec, in the order of its sections; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct SpecErrors(pub Vec<SpecError>);

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

/// Collects errors while sections are checked one after another.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<SpecError>);

impl Problems {
    pub(crate) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(SpecError::new(path, message));
    }

    /// Checks that a whole number lies in a range; gives it back for use either way.
    pub(crate) fn range<T: PartialOrd + fmt::Display + Copy>(&mut self, path: &str, value: T, low: T, high: T) -> T {
        if !(value >= low && value <= high) {
            self.add(path, format!("is {}; allowed: {low} to {high}", told(value)));
        }
        value
    }

    /// Checks that a share lies strictly between 0 and 1.
    pub(crate) fn open_share(&mut self, path: &str, value: f64) -> f64 {
        if !(value > 0.0 && value < 1.0) {
            self.add(path, format!("is {}; allowed: more than 0 and less than 1", told(value)));
        }
        value
    }

    /// Refuses a field that the chosen kind does not use, so that a typing mistake is never silently ignored.
    pub(crate) fn refuse<T>(&mut self, path: &str, value: Option<&T>, because: &str) {
        if value.is_some() {
            self.add(path, format!("does not apply: {because}; remove it"));
        }
    }

    pub(crate) fn finish(self) -> Result<(), SpecErrors> {
        if self.0.is_empty() { Ok(()) } else { Err(SpecErrors(self.0)) }
    }
}
