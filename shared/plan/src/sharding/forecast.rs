//! How many bytes a rank will hold.

use super::ShardLevel;

/// What numbers are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// 32 bits throughout.
    #[default]
    F32,
    /// 16-bit parameters and gradients, a 32-bit copy of the parameters with the optimizer.
    Mixed,
}

/// What the optimizer keeps for each parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OptimizerState {
    /// Nothing (plain gradient descent).
    None,
    /// One moment (momentum, `AdaGrad`).
    OneMoment,
    /// Two moments (Adam, `AdamW`).
    TwoMoments,
}

impl OptimizerState {
    /// Bytes a parameter.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::None => 0,
            Self::OneMoment => 4,
            Self::TwoMoments => 8,
        }
    }

    /// Bytes that a step of it reads and writes for each parameter, as Burn's optimizers do: each operation goes over all numbers, a
    /// product with one number for each reads and writes 8 bytes of a parameter, a sum of two rows 12. Weight decay would be 20 more.
    pub const fn moved_bytes(self) -> u64 {
        const SCALED: u64 = 8;
        const ADDED: u64 = 12;
        match self {
            // What is taken off, and taking it off.
            Self::None => SCALED + ADDED,
            // Before that the moment and the gradient, scaled and added.
            Self::OneMoment => Self::None.moved_bytes() + 2 * SCALED + ADDED,
            // The same of both moments, with the square of the gradient; the first over the root of the second, each scaled.
            Self::TwoMoments => Self::None.moved_bytes() + 5 * SCALED + 2 * ADDED + 3 * SCALED + ADDED,
        }
    }
}

impl Precision {
    /// Bytes of a parameter or a gradient.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::Mixed => 2,
        }
    }

    /// Bytes of the copy that the optimizer updates.
    pub const fn master_bytes(self) -> u64 {
        match self {
            Self::F32 => 0,
            Self::Mixed => 4,
        }
    }
}

/// Bytes that one rank holds between two steps, activations apart (Rajbhandari et al. 2020, section 3 and figure 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forecast {
    /// Its parameters.
    pub parameters: u64,
    /// Its gradients.
    pub gradients: u64,
    /// Its optimizer state, with the 32-bit copy of mixed precision; 0 where it is offloaded.
    pub optimizer: u64,
    /// The same, where it is offloaded: in the host's memory.
    pub host: u64,
    /// The most that comes and goes while micro-batches do: the full gradients or parameters of the largest layer; in
    /// the plan of a strategy also the largest exchange of ranks that share layers, and the largest tape that is made
    /// again.
    pub transient: u64,
    /// The most that comes and goes after them, when no activation is left ([`updating`]).
    pub update: u64,
}

impl Forecast {
    /// All bytes on the device between two steps.
    pub const fn resident(&self) -> u64 {
        self.parameters + self.gradients + self.optimizer
    }
}

/// Rows as long as the numbers that a rank moves which the optimizer computes with at its worst moment, beside the
/// numbers, their gradient and their moments. Adam has two, and the gradient is gone by then; SGD needs one for weight
/// decay.
pub const ROWS_OF_A_STEP: u64 = 1;

/// Foretells the most bytes that come and go on a rank of `ranks` after the last backward pass of a stage with
/// `parameters` numbers: its gradients as one row beside the pieces that it is made of; what replicas exchange, which
/// is all numbers and the rank's part of them; what the optimizer computes with, unless that is offloaded. A rank's
/// stages do this one after the other.
pub fn updating(level: ShardLevel, ranks: usize, parameters: u64, precision: Precision, offload: bool) -> u64 {
    let shard = parameters.div_ceil(ranks.max(1) as u64);
    let computing = |moved: u64| if offload { 0 } else { ROWS_OF_A_STEP.saturating_mul(moved) };
    let numbers = match level {
        _ if ranks <= 1 => parameters.max(computing(parameters)),
        ShardLevel::DataParallel => parameters.saturating_add(shard).max(computing(parameters)),
        ShardLevel::Optimizer | ShardLevel::Gradients => parameters.saturating_add(shard).max(computing(shard)),
        // Gradients have been divided layer by layer, and nothing is gathered before a pass needs it.
        ShardLevel::Parameters => computing(shard),
    };
    numbers.saturating_mul(precision.bytes())
}

/// Foretells what a rank of `ranks` holds of a model with `parameters` numbers, the largest layer of which has
/// `largest_layer`. Divided parts are padded to the same length on every rank.
pub fn forecast(
    level: ShardLevel,
    ranks: usize,
    parameters: u64,
    largest_layer: u64,
    precision: Precision,
    optimizer: OptimizerState,
    offload: bool,
) -> Forecast {
    let shard = parameters.div_ceil(ranks.max(1) as u64);
    let part = |from: ShardLevel| if level >= from { shard } else { parameters };
    let state = part(ShardLevel::Optimizer).saturating_mul(optimizer.bytes() + precision.master_bytes());
    let whole_layers = match level {
        ShardLevel::DataParallel | ShardLevel::Optimizer => 0,
        ShardLevel::Gradients => largest_layer,
        ShardLevel::Parameters => 2 * largest_layer,
    };
    Forecast {
        parameters: part(ShardLevel::Parameters).saturating_mul(precision.bytes()),
        gradients: part(ShardLevel::Gradients).saturating_mul(precision.bytes()),
        optimizer: if offload { 0 } else { state },
        host: if offload { state } else { 0 },
        transient: if ranks > 1 { whole_layers * precision.bytes() } else { 0 },
        update: updating(level, ranks, parameters, precision, offload),
    }
}
