//! How long the passes and messages of a pipeline's stages take, as a file says: measured in a run, or made up.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use recspeed_plan::simulate::{Costs, Receives, Sends};
use recspeed_plan::{Duration, Schedule};
use serde::Deserialize;

/// The longest pass or message, in microseconds: over a quarter of an hour. A plan of as many of them as there may be
/// still has times that are numbers, in microseconds here and in whole nanoseconds in a trace.
const LONGEST_US: f64 = 1e9;

/// A file of lengths that cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LengthsError {
    /// It cannot be read.
    #[error("cannot read {}: {source}; name a JSON file with --lengths", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error(
        "{} is no list of stages: {source}; give each stage forward_us and backward_input_us, and where it has them \
         backward_weight_us, send_activation_us, send_gradient_us, receive_activation_us and receive_gradient_us",
        path.display()
    )]
    Json {
        /// The file.
        path: PathBuf,
        /// Where it is wrong.
        source: serde_json::Error,
    },
    /// It has other stages than the schedule.
    #[error(
        "{} has {given} stages and the schedule has {stages}: give one for each stage, in the model's order",
        path.display()
    )]
    Stages {
        /// The file.
        path: PathBuf,
        /// Stages in it.
        given: usize,
        /// Stages of the schedule.
        stages: usize,
    },
    /// A length that is none.
    #[error("{}: {what} of stage {stage} is {}: give 0 to {LONGEST_US} microseconds", path.display(), written(*us))]
    NoLength {
        /// The file.
        path: PathBuf,
        /// The stage, from 0.
        stage: usize,
        /// Which of its lengths.
        what: &'static str,
        /// The length.
        us: f64,
    },
}

/// A length as one writes it: the largest without their hundreds of zeros.
fn written(us: f64) -> String {
    if us.abs() < 1e15 { us.to_string() } else { format!("{us:e}") }
}

/// What one stage takes for one micro-batch, in microseconds. Where the backward pass is not cut in two, it is as long
/// as both of its parts together.
#[derive(Debug, Clone, Copy, Deserialize)]
#[allow(clippy::struct_field_names, reason = "the file's keys name their unit")]
#[serde(deny_unknown_fields)]
struct StageLengths {
    forward_us: f64,
    backward_input_us: f64,
    #[serde(default)]
    backward_weight_us: f64,
    #[serde(default)]
    send_activation_us: f64,
    #[serde(default)]
    send_gradient_us: f64,
    #[serde(default)]
    receive_activation_us: f64,
    #[serde(default)]
    receive_gradient_us: f64,
}

impl StageLengths {
    fn named(self) -> [(&'static str, f64); 7] {
        [
            ("forward_us", self.forward_us),
            ("backward_input_us", self.backward_input_us),
            ("backward_weight_us", self.backward_weight_us),
            ("send_activation_us", self.send_activation_us),
            ("send_gradient_us", self.send_gradient_us),
            ("receive_activation_us", self.receive_activation_us),
            ("receive_gradient_us", self.receive_gradient_us),
        ]
    }
}

/// The costs of a schedule whose passes and messages are as long as the file says, the same for every micro-batch. A
/// message takes its sender's time, then its receiver's, and nothing between: it is there when its send ends.
pub(super) fn read(path: &Path, schedule: &Schedule) -> Result<Costs, LengthsError> {
    let at = || path.to_owned();
    let text = fs::read_to_string(path).map_err(|source| LengthsError::Read { path: at(), source })?;
    let given: Vec<StageLengths> =
        serde_json::from_str(&text).map_err(|source| LengthsError::Json { path: at(), source })?;
    if given.len() != schedule.stages() {
        return Err(LengthsError::Stages { path: at(), given: given.len(), stages: schedule.stages() });
    }
    for (stage, lengths) in given.iter().enumerate() {
        if let Some((what, us)) = lengths.named().into_iter().find(|(_, us)| !(0.0..=LONGEST_US).contains(us)) {
            return Err(LengthsError::NoLength { path: at(), stage, what, us });
        }
    }
    let mut costs = Costs::uniform(schedule.stages(), schedule.micro_batches(), 0.0);
    for (stage, lengths) in costs.stages.iter_mut().zip(&given) {
        stage.forward = Duration::fixed(lengths.forward_us);
        stage.backward_input = Duration::fixed(lengths.backward_input_us);
        stage.backward_weight = Duration::fixed(lengths.backward_weight_us);
    }
    let sends = |lengths: &StageLengths| Sends {
        activation: Duration::fixed(lengths.send_activation_us),
        gradient: Duration::fixed(lengths.send_gradient_us),
    };
    costs.sends = given.iter().map(sends).collect();
    let receives = |lengths: &StageLengths| Receives {
        activation: Duration::fixed(lengths.receive_activation_us),
        gradient: Duration::fixed(lengths.receive_gradient_us),
    };
    costs.receives = given.iter().map(receives).collect();
    Ok(costs)
}
