//! Why a network was not trained.

use recspeed_data::checkpoint::CheckpointError;
use recspeed_parallel::CommError;
use recspeed_parallel::training::TrainError;
use recspeed_plan::PlanError;
use recspeed_plan::words::duration;
use recspeed_types::catalogue::Need;
use recspeed_types::divergence::{Good, in_digits};
use recspeed_types::spec::{Optimizer, tighter_clip};
use recspeed_types::{FailureCode, Instead, Remedy, written};

use crate::elsewhere::Failure;

/// Why a network was not trained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NeuralFitError {
    /// The spec names a method that is no network of this crate.
    #[error("`{kind}` is not a network; networks: {known}")]
    NotANetwork {
        /// The kind as given.
        kind: String,
        /// The kinds that are.
        known: String,
    },
    /// The data set lacks what the network learns from.
    #[error("`{kind}` needs {}, which this data set does not have; {}", need.as_str(), remedy_for(*need))]
    Needs {
        /// The kind.
        kind: &'static str,
        /// What is missing.
        need: Need,
    },
    /// No attribute has this name.
    #[error("recommender.attributes names `{name}`, but the data set has no such attribute; it has {known}")]
    NoAttribute {
        /// The name.
        name: String,
        /// The attributes that are there.
        known: String,
    },
    /// An attribute that is a list of numbers.
    #[error(
        "recommender.attributes names `{name}`, which is a list of numbers; `{kind}` reads words, lists of words and single \
         numbers{}",
        if known.is_empty() { String::new() } else { format!(": {known}") }
    )]
    AttributeOfNumbers {
        /// The kind.
        kind: &'static str,
        /// The name.
        name: String,
        /// The attributes that can be read.
        known: String,
    },
    /// No user's rows say what follows what.
    #[error(
        "`{kind}` learns from what follows what, but no user has two training rows; loosen the filters, or use a method \
         that needs no order, as item-knn"
    )]
    NoSequences {
        /// The kind.
        kind: &'static str,
    },
    /// Every user has every item.
    #[error(
        "`{kind}` learns what people have against what they do not have, but every user with training rows has every item; \
         take data of more items, or a recommender of ratings, as biased-mf"
    )]
    NothingElse {
        /// The kind.
        kind: &'static str,
    },
    /// Nothing to learn from.
    #[error("there are no training rows; choose a split that leaves some, or loosen the filters")]
    NoTrainingRows,
    /// A row number past the end of the columns.
    #[error("row {row} does not exist: the data set has {rows} rows")]
    RowOutside {
        /// The row number.
        row: u32,
        /// Rows of the data set.
        rows: usize,
    },
    /// A rating that cannot be learnt from.
    #[error("the rating of row {row} is {value}; remove that row: ratings must be finite numbers")]
    RatingNotFinite {
        /// The row number.
        row: u32,
        /// What stands there.
        value: f32,
    },
    /// Less memory than the training cannot do without, or more than this build can address.
    #[error(
        "training needs more than {} of memory, of which at most {} can be had here, and about {}; lower {remedy}{}",
        size(*needed),
        size(*allowed),
        duration(*seconds),
        if cfg!(target_arch = "wasm32") { ", or run it on the server" } else { "" }
    )]
    TooLarge {
        /// Bytes that the training would hold for certain, what a batch keeps apart.
        needed: u64,
        /// Bytes that can be had.
        allowed: u64,
        /// Seconds that it would take at most, about.
        seconds: f64,
        /// What makes it smaller, and what to take instead.
        remedy: &'static Remedy,
    },
    /// The loss or a weight stopped being a finite number, or grew beyond all use ([`recspeed_types::divergence`] and
    /// `training/divergence.rs` say when).
    #[error(
        "the {what} became {} at step {step} (epoch {epoch}){}; {}",
        in_digits(*value),
        last_good.map_or(String::new(), |good| after(good, *step)),
        calmer((*learning_rate, *remedy), *optimizer, *gradient_clip)
    )]
    Diverged {
        /// `loss`, `gradient`, `weights`, or what the network is judged by.
        what: &'static str,
        /// What it became: NaN, an infinity, or beyond all use.
        value: f64,
        /// The step that did it, from 1.
        step: u64,
        /// The epoch of that step, from 1.
        epoch: u32,
        /// The last good loss: the training has not come back since.
        last_good: Option<Good>,
        /// The learning rate in use.
        learning_rate: f64,
        /// A learning rate to try; the same where there is no smaller one.
        remedy: f64,
        /// The update rule in use.
        optimizer: Optimizer,
        /// The bound of the gradient's norm in use.
        gradient_clip: Option<f64>,
    },
    /// The observer asked to stop; the state was offered to it as a checkpoint.
    #[error("the training was stopped at step {step}")]
    Interrupted {
        /// Steps taken.
        step: u64,
    },
    /// The work cannot be divided so.
    #[error("the training cannot be divided so: {0}")]
    Strategy(String),
    /// Ranks could not go on together.
    #[error("a rank of the training failed: {0}")]
    Ranks(#[from] CommError),
    /// Another framework did not train it.
    #[error(transparent)]
    Elsewhere(#[from] Failure),
    /// A checkpoint that does not continue this training.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl From<PlanError> for NeuralFitError {
    fn from(error: PlanError) -> Self {
        Self::Strategy(error.to_string())
    }
}

impl From<TrainError> for NeuralFitError {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Comm(error) => Self::Ranks(error),
            error => Self::Strategy(error.to_string()),
        }
    }
}

/// Bytes in words.
fn size(bytes: u64) -> String {
    if bytes < 10 << 20 { format!("{} KiB", bytes.div_ceil(1 << 10)) } else { format!("{} MiB", bytes >> 20) }
}

/// `step`: the one that did it. Its own loss is that of the weights before it, and may be good.
fn after(Good { at, loss }: Good, step: u64) -> String {
    let loss = in_digits(loss);
    if at == step {
        format!(", though the loss of that step itself was still {loss}, the last good one")
    } else {
        format!(" after a loss of {loss} at step {at}, the last good one")
    }
}

/// What makes steps shorter, of what can still be made smaller.
fn calmer((learning_rate, calmer): (f64, f64), optimizer: Optimizer, gradient_clip: Option<f64>) -> String {
    let rate = (calmer < learning_rate)
        .then(|| format!("try training.learning_rate = {} instead of {}", written(calmer), written(learning_rate)));
    let ways: Vec<String> = rate.into_iter().chain(tighter_clip(optimizer, gradient_clip)).collect();
    if ways.is_empty() { "take another recommender".to_owned() } else { ways.join(", or ") }
}

fn remedy_for(need: Need) -> &'static str {
    match need {
        Need::Order => {
            "take one with timestamps that differ, or of sequences (dataset.format = \"sequences\"), or a recommender \
             that needs no order, as item-knn, als-implicit or ease"
        }
        _ => "take a data set that has them, or another recommender",
    }
}

impl NeuralFitError {
    /// Where it was refused before any step: what to take instead, of what its words name.
    pub fn refusal(&self) -> Option<Vec<Instead>> {
        let kinds = |kinds: &[&str]| Some(Instead::kinds("recommender", kinds));
        match self {
            Self::TooLarge { remedy, .. } => kinds(remedy.instead),
            Self::Needs { need: need @ Need::Order, .. } => kinds(need.without_it()),
            Self::NoSequences { .. } => kinds(&["item-knn"]),
            Self::NothingElse { .. } => kinds(&["biased-mf"]),
            Self::NotANetwork { .. }
            | Self::Needs { .. }
            | Self::NoAttribute { .. }
            | Self::AttributeOfNumbers { .. }
            | Self::NoTrainingRows
            | Self::RatingNotFinite { .. } => kinds(&[]),
            _ => None,
        }
    }

    /// What kind of failure this is for a run; decides the worker's exit status.
    pub const fn code(&self) -> FailureCode {
        match self {
            Self::NotANetwork { .. }
            | Self::Needs { .. }
            | Self::NoAttribute { .. }
            | Self::NoSequences { .. }
            | Self::NothingElse { .. }
            | Self::AttributeOfNumbers { .. }
            | Self::NoTrainingRows
            | Self::Strategy(_) => FailureCode::InvalidSpec,
            Self::Ranks(_) => FailureCode::Worker,
            Self::Elsewhere(failure) => failure.code,
            Self::RatingNotFinite { .. } => FailureCode::Data,
            Self::TooLarge { .. } => FailureCode::OutOfMemory,
            Self::Diverged { .. } => FailureCode::Diverged,
            Self::Interrupted { .. } => FailureCode::Cancelled,
            Self::Checkpoint(_) => FailureCode::Checkpoint,
            Self::RowOutside { .. } => FailureCode::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::limits::{GRADIENT_CLIP, LEARNING_RATE};

    use super::*;

    fn diverged(learning_rate: f64, remedy: f64, gradient_clip: Option<f64>, good_at: u64) -> String {
        diverged_by(Optimizer::Sgd, (learning_rate, remedy), gradient_clip, good_at)
    }

    fn diverged_by(
        optimizer: Optimizer,
        (learning_rate, remedy): (f64, f64),
        gradient_clip: Option<f64>,
        good_at: u64,
    ) -> String {
        let last_good = Some(Good { at: good_at, loss: 0.5 });
        let (what, value, step, epoch) = ("weights", 2e4, 100, 1);
        NeuralFitError::Diverged {
            what,
            value,
            step,
            epoch,
            last_good,
            learning_rate,
            remedy,
            optimizer,
            gradient_clip,
        }
        .to_string()
    }

    #[test]
    fn whose_steps_do_not_depend_on_the_size_of_the_gradient_is_told_of_the_learning_rate_alone() {
        for optimizer in [Optimizer::Adam, Optimizer::Adamw] {
            for clip in [None, Some(1.0), Some(1e-6)] {
                let said = diverged_by(optimizer, (10.0, 0.001), clip, 7);
                assert!(said.ends_with("; try training.learning_rate = 0.001 instead of 10"), "{said}");
            }
        }
    }

    #[test]
    fn a_remedy_names_only_what_can_still_be_made_smaller_and_always_something() {
        let (rate, clip) = (LEARNING_RATE.0, GRADIENT_CLIP.0);
        for (rates, clip, said) in [
            (
                (0.1, 0.001),
                None,
                "try training.learning_rate = 0.001 instead of 0.1, or set training.gradient_clip = 1",
            ),
            ((rate, rate), Some(5.0), "set training.gradient_clip = 1"),
            ((rate, rate), Some(1.0), "lower training.gradient_clip (now 1)"),
            ((0.1, 0.001), Some(clip), "try training.learning_rate = 0.001 instead of 0.1"),
            ((10.0, 1e-3), Some(clip), "try training.learning_rate = 0.001 instead of 10"),
            (
                (0.736_489_585_564_221_6, 0.0736),
                Some(clip),
                "try training.learning_rate = 0.0736 instead of 0.7364895855642216",
            ),
            ((3e-4, 3e-5), Some(clip), "try training.learning_rate = 3e-5 instead of 0.0003"),
            ((rate, rate), Some(clip), "take another recommender"),
        ] {
            let whole = diverged(rates.0, rates.1, clip, 7);
            assert!(whole.ends_with(&format!(", the last good one; {said}")), "{whole}");
        }
    }

    #[test]
    fn the_last_good_loss_is_never_one_after_which_the_same_step_went_wrong() {
        let before = diverged(0.1, 0.001, None, 99);
        assert!(
            before.contains("at step 100 (epoch 1) after a loss of 0.5000 at step 99, the last good one"),
            "{before}"
        );
        let itself = diverged(0.1, 0.001, None, 100);
        assert!(!itself.contains("at step 100, the last"), "{itself}");
        assert!(
            itself.contains(", though the loss of that step itself was still 0.5000, the last good one"),
            "{itself}"
        );
    }
}
