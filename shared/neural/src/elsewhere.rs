//! Training in another framework: what is handed out, and what comes back.

use std::collections::BTreeMap;

use recspeed_data::parts::Parts;
use recspeed_types::summary::{Begun, MatrixPrecision};
use recspeed_types::{FailureCode, FitObserver};

/// Trains a network's parameters in another framework.
pub trait Trainer {
    /// Trains to the end. Tells the observer losses and progress, and asks it whether to stop.
    ///
    /// # Errors
    /// [`Failure`]: the framework is missing, cannot do this, failed, or was stopped.
    fn train(&mut self, job: &Job<'_>, observer: &mut dyn FitObserver) -> Result<Trained, Failure>;
}

/// All that a framework needs to take the very steps that this crate would take: numbers and not the seed that they come
/// from, so that nothing is drawn twice.
pub struct Job<'a> {
    /// - `inputs`: `[rows, inputs of a row]`, scaled as the network sees them
    /// - `targets`: `[rows]`, what the scores should be
    /// - `initial/NAME` for each parameter: a weight is `[inputs, outputs]`
    pub parts: Parts,
    /// Rows of `inputs`.
    pub rows: usize,
    /// Times that they are gone through.
    pub epochs: u32,
    /// The row that is visited at each place of an epoch, from 0: `order.E` for a framework. One is made when it is asked for: all of
    /// them are as large as the data times the epochs.
    pub order: &'a dyn Fn(u32) -> Vec<u32>,
    /// Optimizer steps of the whole training.
    pub steps: u64,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Each parameter by its name, in the shape that it was handed out in.
    pub parts: Parts,
    /// Mean training loss of the last epoch.
    pub final_loss: f64,
    /// What it began with, as the framework has read it; `None` where it does not say.
    pub begun: Option<Begun>,
    /// How it was trained.
    pub by: Elsewhere,
}

/// What is known of a training in another framework, beside what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Elsewhere {
    /// Seconds from the numbers in memory to the trained parameters; the start of the framework does not count.
    pub seconds: f64,
    /// Threads that the framework says it computes with.
    pub threads: u32,
    /// Name and version of each part that computed, as the framework says.
    pub versions: BTreeMap<String, String>,
    /// How the framework says that it multiplies matrices.
    pub precision: Option<MatrixPrecision>,
}

/// A training elsewhere that did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// What kind of failure.
    pub code: FailureCode,
    /// One sentence with the remedy.
    pub cause: String,
    /// For engineers; may be empty.
    pub detail: String,
}

impl Failure {
    /// A failure without further detail.
    pub fn new(code: FailureCode, cause: impl Into<String>) -> Self {
        Self { code, cause: cause.into(), detail: String::new() }
    }
}
