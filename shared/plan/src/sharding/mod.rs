//! Data parallelism and ZeRO (Rajbhandari et al. 2020): who holds which part of parameters, gradients and optimizer state;
//! and of tables of embeddings, which are never on every rank.

mod forecast;
mod space;
mod tables;
mod traffic;

pub use forecast::{Forecast, OptimizerState, Precision, ROWS_OF_A_STEP, forecast, updating};
pub use space::{FlatSpace, Piece};
pub use tables::{TablePiece, TablePlacement, TableShape, TableSharding, TableTraffic};
pub use traffic::{Traffic, traffic};

/// What is divided among the ranks; each level divides what the one before does, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ShardLevel {
    /// Nothing: plain data parallelism.
    DataParallel,
    /// The optimizer state (ZeRO-1).
    Optimizer,
    /// And the gradients (ZeRO-2).
    Gradients,
    /// And the parameters, which are gathered layer by layer (ZeRO-3).
    Parameters,
}

impl ShardLevel {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::DataParallel, Self::Optimizer, Self::Gradients, Self::Parameters];

    /// What a stage of ZeRO divides; stages beyond 3 are 3.
    pub const fn of_zero(stage: u32) -> Self {
        match stage {
            0 => Self::DataParallel,
            1 => Self::Optimizer,
            2 => Self::Gradients,
            _ => Self::Parameters,
        }
    }

    /// The stage of ZeRO, 0 for plain data parallelism.
    pub const fn zero_stage(self) -> u8 {
        match self {
            Self::DataParallel => 0,
            Self::Optimizer => 1,
            Self::Gradients => 2,
            Self::Parameters => 3,
        }
    }
}
