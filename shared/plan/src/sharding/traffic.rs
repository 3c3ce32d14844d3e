//! How many bytes a rank sends in a step.

use super::{Precision, ShardLevel};

/// Bytes that one rank sends in a step, to each other rank directly, and as many as with rings: (N − 1)/N of the volumes of
/// Rajbhandari et al. 2020, section 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Gradients, added up and spread.
    pub reduce_scatter: u64,
    /// Parameters or gradients, gathered from those who hold them.
    pub all_gather: u64,
    /// What layers that ranks share put out, and the slopes of what they see, added up and gathered.
    pub shared: u64,
    /// Vectors of tables, to the ranks that look them up, and gradients by them, to those that hold them.
    pub tables: u64,
    /// Where the optimizer is offloaded, from the device to the host: the gradient, added up, and the numbers that it moves.
    pub to_host: u64,
    /// Back to the device: the moved numbers.
    pub from_host: u64,
}

impl Traffic {
    /// All that is sent to other ranks.
    pub const fn total(&self) -> u64 {
        self.reduce_scatter + self.all_gather + self.shared + self.tables
    }

    /// With what a step of an offloaded optimizer moves that updates so many bytes of numbers.
    #[must_use]
    pub const fn offloading(self, updated: u64) -> Self {
        Self { to_host: self.to_host + 2 * updated, from_host: self.from_host + updated, ..self }
    }
}

/// Foretells the traffic of one step. An all-reduce is a reduce-scatter and an all-gather; ZeRO-1 and 2 gather updated
/// parameters instead of gradients, ZeRO-3 gathers parameters once for the forward and once for the backward pass.
pub fn traffic(level: ShardLevel, ranks: usize, parameters: u64, precision: Precision) -> Traffic {
    let ranks = ranks.max(1) as u64;
    let once = parameters.div_ceil(ranks) * (ranks - 1) * precision.bytes();
    let all_gather = if level == ShardLevel::Parameters { 2 * once } else { once };
    Traffic { reduce_scatter: once, all_gather, ..Traffic::default() }
}
