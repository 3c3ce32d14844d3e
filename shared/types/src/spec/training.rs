//! `[training]`: how a network is trained.

use serde::{Deserialize, Serialize};

use super::Problems;
use crate::catalogue::Entry;
use crate::limits::{GRADIENT_CLIP, LEARNING_RATE, MAX_BATCH_SIZE, MAX_EPOCHS, WEIGHT_DECAY};

/// `[training]` as written; every field has a default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TrainingSpec {
    /// Passes over the training rows (the recommender's own unless set: 3 for `mlp`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// Rows in a mini-batch (the recommender's own unless set: 64 for `mlp`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// The update rule (`adam` unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<Optimizer>,
    /// Step size (the recommender's own unless set: 0.001 for `mlp`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// L2 decay of the weights (0 unless set); decoupled with `adamw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// What is minimised (the recommender's own choice unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// Stop after this many epochs without a better validation loss, or NDCG@10 for networks that rank; needs validation
    /// rows that are not learnt from (never unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<u32>,
    /// Largest norm of the whole gradient; longer ones are scaled down (no bound unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_clip: Option<f64>,
    /// Number format of weights and gradients (`f32` unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

/// The update rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Adam, β = (0.9, 0.999), ε = 1e-8 (arXiv:1412.6980).
    #[default]
    Adam,
    /// Adam with decoupled weight decay (arXiv:1711.05101).
    Adamw,
    /// Stochastic gradient descent without momentum.
    Sgd,
}

impl Optimizer {
    /// Every optimizer.
    pub const ALL: [Self; 3] = [Self::Adam, Self::Adamw, Self::Sgd];

    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adam => "adam",
            Self::Adamw => "adamw",
            Self::Sgd => "sgd",
        }
    }

    /// Whether a gradient half as long makes a step half as long: Adam divides each gradient by the size of the last
    /// ones.
    pub const fn steps_by_size(self) -> bool {
        match self {
            Self::Adam | Self::Adamw => false,
            Self::Sgd => true,
        }
    }
}

/// What a training minimises, averaged over the rows of a mini-batch.
///
/// `s` are a network's scores of a row, `r` the row's rating or, where scores are weighed against each other, the place of
/// the item that somebody has among items that they do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Squared error.
    Mse,
    /// Absolute error.
    Mae,
    /// Binary cross-entropy: `−ln σ(s)` where it is so, `−ln(1 − σ(s))` where it is not.
    Bce,
    /// `−ln softmax(s)_r` among one item that somebody has and some, drawn by the seed, that they do not have.
    SampledSoftmax,
    /// `−ln softmax(s)_r` among all items.
    CrossEntropy,
    /// `−ln σ(s_r − s_j)` for each drawn item `j` (arXiv:1205.2618).
    Bpr,
}

impl Loss {
    /// Every loss.
    pub const ALL: [Self; 6] = [Self::Mse, Self::Mae, Self::Bce, Self::SampledSoftmax, Self::CrossEntropy, Self::Bpr];

    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mse => "mse",
            Self::Mae => "mae",
            Self::Bce => "bce",
            Self::SampledSoftmax => "sampled-softmax",
            Self::CrossEntropy => "cross-entropy",
            Self::Bpr => "bpr",
        }
    }
}

/// Number format of weights, gradients and optimizer state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// IEEE 754 single precision.
    #[default]
    F32,
}

/// `[training]`, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Training {
    /// Passes over the training rows.
    pub epochs: u32,
    /// Rows in a mini-batch; the last one of an epoch may hold fewer.
    pub batch_size: u32,
    /// The update rule.
    pub optimizer: Optimizer,
    /// Step size.
    pub learning_rate: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// What is minimised.
    pub loss: Loss,
    /// Epochs without improvement before stopping.
    pub early_stopping: Option<u32>,
    /// Largest norm of the whole gradient.
    pub gradient_clip: Option<f64>,
    /// Number format.
    pub precision: Precision,
}

/// How to bound gradients more tightly where a training has run away, in words: by 1 where they are bound by more or
/// not at all, otherwise by less than they are; `None` where that helps no more, and where the steps are as long however
/// long the gradient is.
pub fn tighter_clip(optimizer: Optimizer, gradient_clip: Option<f64>) -> Option<String> {
    match gradient_clip {
        _ if !optimizer.steps_by_size() => None,
        Some(clip) if clip <= TIGHTEST_CLIP => None,
        Some(clip) if clip <= USUAL_CLIP => Some(format!("lower training.gradient_clip (now {clip})")),
        _ => Some(format!("set training.gradient_clip = {USUAL_CLIP}")),
    }
}

/// A bound of the gradient's norm that papers take.
const USUAL_CLIP: f64 = 1.0;

/// Whose gradients are bound by no more than this and runs away all the same takes too long steps: a smaller step size
/// makes them shorter, a smaller bound only hides that.
const TIGHTEST_CLIP: f64 = 1e-2;

impl TrainingSpec {
    /// Whether nothing was set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `None` for recommenders that are not trained step by step. `steered`: whether there are validation rows, and they are not learnt
    /// from.
    pub(crate) fn resolve(&self, entry: &Entry, steered: bool, problems: &mut Problems) -> Option<Training> {
        let Some((default_loss, losses)) = entry.losses.split_first().map(|(first, _)| (*first, entry.losses)) else {
            if !self.is_empty() {
                let message = format!("does not apply: `{}` is not trained step by step; remove it", entry.kind);
                problems.add("training", message);
            }
            return None;
        };
        let usual = entry.training_defaults();
        let loss = self.loss.unwrap_or(default_loss);
        if !losses.contains(&loss) {
            let allowed = losses.iter().map(|l| l.as_str()).collect::<Vec<_>>().join(", ");
            problems.add("training.loss", format!("is `{}`; `{}` allows: {allowed}", loss.as_str(), entry.kind));
        }
        if let Some(patience) = self.early_stopping {
            problems.range("training.early_stopping", patience, 1, MAX_EPOCHS);
            if !steered {
                problems.add(
                    "training.early_stopping",
                    "needs validation rows that are not learnt from; set split.validation_ratio (or split.validation with leave-last-out) and leave split.fit_on at `train`, or leave this out and set training.epochs",
                );
            }
        }
        if let Some(clip) = self.gradient_clip {
            problems.range("training.gradient_clip", clip, GRADIENT_CLIP.0, GRADIENT_CLIP.1);
        }
        Some(Training {
            epochs: problems.range("training.epochs", self.epochs.unwrap_or(usual.epochs), 1, MAX_EPOCHS),
            batch_size: problems.range(
                "training.batch_size",
                self.batch_size.unwrap_or(usual.batch_size),
                1,
                MAX_BATCH_SIZE,
            ),
            optimizer: self.optimizer.unwrap_or_default(),
            learning_rate: problems.range(
                "training.learning_rate",
                self.learning_rate.unwrap_or(usual.learning_rate),
                LEARNING_RATE.0,
                LEARNING_RATE.1,
            ),
            weight_decay: problems.range(
                "training.weight_decay",
                self.weight_decay.unwrap_or(0.0),
                WEIGHT_DECAY.0,
                WEIGHT_DECAY.1,
            ),
            loss,
            early_stopping: self.early_stopping,
            gradient_clip: self.gradient_clip,
            precision: self.precision.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_of_gradients_is_set_where_there_is_none_and_otherwise_only_made_smaller() {
        let told = |clip: Option<f64>| tighter_clip(Optimizer::Sgd, clip);
        for loose in [None, Some(GRADIENT_CLIP.1), Some(1.5)] {
            assert_eq!(told(loose).as_deref(), Some("set training.gradient_clip = 1"), "{loose:?}");
        }
        assert_eq!(told(Some(1.0)).as_deref(), Some("lower training.gradient_clip (now 1)"));
        assert_eq!(told(Some(0.25)).as_deref(), Some("lower training.gradient_clip (now 0.25)"));
        for tight in [0.01, 1e-6, GRADIENT_CLIP.0] {
            assert_eq!(told(Some(tight)), None, "{tight}");
        }
    }

    #[test]
    fn no_bound_of_gradients_is_offered_to_an_optimizer_whose_steps_do_not_depend_on_their_size() {
        for clip in [None, Some(GRADIENT_CLIP.1), Some(1.0), Some(0.25), Some(GRADIENT_CLIP.0)] {
            for optimizer in [Optimizer::Adam, Optimizer::Adamw] {
                assert_eq!(tighter_clip(optimizer, clip), None, "{optimizer:?} {clip:?}");
            }
        }
    }
}
