//! How the ranks are divided among pipeline, tensor and data parallelism.

use crate::PlanError;

/// `stages × tensor × replicas` ranks. Neighbours in rank number share a layer first (they talk most), then come the replicas of
/// one stage, then the stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    stages: usize,
    replicas: usize,
    tensor: usize,
}

/// Where a rank stands in a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Its rank in the pipeline, from 0.
    pub stage: usize,
    /// Its replica, from 0.
    pub replica: usize,
    /// Its part of each layer, from 0.
    pub tensor: usize,
}

impl Layout {
    /// Divides `ranks`; what stages and tensor parallelism leave over becomes replicas.
    ///
    /// # Errors
    /// [`PlanError`]: a number is 0, or the ranks do not divide; it names the nearest numbers that do.
    pub fn new(ranks: usize, stages: usize, tensor: usize) -> Result<Self, PlanError> {
        for (what, number) in [("strategy.ranks", ranks), ("strategy.stages", stages), ("strategy.tensor", tensor)] {
            if number == 0 {
                return Err(PlanError::Zero { what });
            }
        }
        let group = stages.saturating_mul(tensor);
        if !ranks.is_multiple_of(group) {
            let above = ranks.div_ceil(group).saturating_mul(group);
            let below = if ranks < group { above } else { ranks / group * group };
            return Err(PlanError::RanksDoNotDivide { ranks, group, stages, tensor, below, above });
        }
        Ok(Self { stages, replicas: ranks / group, tensor })
    }

    /// Ranks altogether.
    pub const fn ranks(&self) -> usize {
        self.stages * self.replicas * self.tensor
    }

    /// Ranks of one pipeline.
    pub const fn stages(&self) -> usize {
        self.stages
    }

    /// Copies of the model.
    pub const fn replicas(&self) -> usize {
        self.replicas
    }

    /// Ranks that share each layer.
    pub const fn tensor(&self) -> usize {
        self.tensor
    }

    /// The rank at a place.
    pub const fn rank(&self, place: Place) -> usize {
        (place.stage * self.replicas + place.replica) * self.tensor + place.tensor
    }

    /// The place of a rank.
    pub const fn place(&self, rank: usize) -> Place {
        Place {
            stage: rank / (self.replicas * self.tensor),
            replica: rank / self.tensor % self.replicas,
            tensor: rank % self.tensor,
        }
    }

    /// The ranks that hold the same stage and part as this one, itself included: they reduce gradients together.
    pub fn data_group(&self, rank: usize) -> Vec<usize> {
        let place = self.place(rank);
        (0..self.replicas).map(|replica| self.rank(Place { replica, ..place })).collect()
    }

    /// The ranks that share this one's layers, itself included.
    pub fn tensor_group(&self, rank: usize) -> Vec<usize> {
        let place = self.place(rank);
        (0..self.tensor).map(|tensor| self.rank(Place { tensor, ..place })).collect()
    }

    /// The ranks of this one's pipeline, first stage first, itself included.
    pub fn pipeline_group(&self, rank: usize) -> Vec<usize> {
        let place = self.place(rank);
        (0..self.stages).map(|stage| self.rank(Place { stage, ..place })).collect()
    }
}
