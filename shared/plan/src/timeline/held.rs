//! What each rank holds over time, stacked: what stays below what comes and goes.

use crate::simulate::Span;
use crate::{Instruction, Outlook, Simulation};

/// What a rank holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stacked {
    /// Bytes of parameters, gradients and optimizer, which stay.
    pub stays: [u64; 3],
    /// Moments, and the bytes that come and go from each on.
    pub changes: Vec<(f64, u64)>,
}

impl Stacked {
    /// With moments so many times as late.
    #[must_use]
    pub fn times(mut self, factor: f64) -> Self {
        self.changes.iter_mut().for_each(|change| change.0 *= factor);
        self
    }

    /// The most bytes at once.
    pub fn peak(&self) -> u64 {
        self.stays.iter().sum::<u64>() + self.changes.iter().map(|change| change.1).max().unwrap_or(0)
    }
}

/// What each rank of a plan holds. Layers that ZeRO gathers for a moment are counted at every moment of the passes, and
/// what the update takes from the moment on when gradients are added up.
pub fn memory_of(outlook: &Outlook) -> Vec<Stacked> {
    outlook
        .ranks
        .iter()
        .zip(&outlook.simulation.held)
        .enumerate()
        .map(|(at, (rank, held))| {
            let more = rank.shares.transient;
            let mut changes: Vec<(f64, u64)> = held.curve().into_iter().map(|(at, bytes)| (at, bytes + more)).collect();
            if changes.first().is_none_or(|first| first.0 > 0.0) {
                changes.insert(0, (0.0, more));
            }
            let reduces = |span: &&Span| span.rank == at && span.instruction == Instruction::ReduceGradients;
            if let Some(reduces) = outlook.simulation.spans.iter().find(reduces) {
                changes.retain(|change| change.0 <= reduces.start_us);
                changes.push((reduces.start_us, rank.shares.update));
            }
            Stacked { stays: [rank.shares.parameters, rank.shares.gradients, rank.shares.optimizer], changes }
        })
        .collect()
}

/// The same of a schedule that was run with stages that hold nothing but what comes and goes.
pub fn memory_of_run(run: &Simulation) -> Vec<Stacked> {
    run.held.iter().map(|held| Stacked { stays: [0; 3], changes: held.curve() }).collect()
}
