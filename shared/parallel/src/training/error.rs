//! Why ranks could not go on training.

use recspeed_plan::PlanError;

use crate::CommError;

/// Why a step was not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// Ranks could not talk.
    #[error(transparent)]
    Comm(#[from] CommError),
    /// The strategy is impossible for this model or batch.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The strategy is for another number of ranks.
    #[error("the strategy is for {needed} ranks, and there are {ranks}: set strategy.ranks = {needed}")]
    Ranks {
        /// Ranks of the strategy.
        needed: usize,
        /// Ranks there are.
        ranks: usize,
    },
    /// Ranks that share each layer, and a model that is not cut for them.
    #[error(
        "strategy.tensor is {tensor}, and the model is part {part} of {parts} on the rank that is number {place} of those that share a layer"
    )]
    Tensor {
        /// As asked.
        tensor: usize,
        /// This rank among those that share a layer.
        place: usize,
        /// The part that the model is.
        part: usize,
        /// Parts that it is cut into.
        parts: usize,
    },
    /// A layer with fewer numbers to share than there are ranks.
    #[error(transparent)]
    TooNarrow(#[from] crate::model::TooNarrow),
    /// Ranks that share layers which look up in tables.
    #[error(
        "layers that look up in tables are not shared among ranks: set strategy.tensor = 1; all ranks divide the tables, and with \
         strategy.stage = 3 replicas divide the layers"
    )]
    SharedLookUps,
    /// A partition of another model.
    #[error("the partition places {placed} layers in {parts} parts; the model has {layers}, for {stages} stages")]
    Partition {
        /// Layers of the partition.
        placed: usize,
        /// Its parts.
        parts: usize,
        /// Layers of the model.
        layers: usize,
        /// Stages of the strategy.
        stages: usize,
    },
    /// Saved numbers of another model.
    #[error(
        "{what}: {got} numbers are saved, and the model has {expected} parameters; go on from what was saved of this model"
    )]
    Saved {
        /// Which numbers: `parameters`, `first moments` or `second moments`.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// Parameters of the whole model.
        expected: usize,
    },
    /// Other numbers were drawn than a rank begins with.
    #[error(
        "{got} first numbers were drawn where a rank holds {expected}; append as many as each stretch that is asked for has"
    )]
    Drawn {
        /// How many were drawn.
        got: usize,
        /// How many it asked for.
        expected: usize,
    },
    /// The loss is no finite number any more.
    #[error("the loss became {0}")]
    Loss(f64),
    /// The length of the gradient is no finite number.
    #[error("the length of the gradient became {0}")]
    Gradient(f64),
}
