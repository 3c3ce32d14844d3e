//! A model's layers, cut into contiguous stages.

use std::ops::Range;

use crate::{Layer, PlanError};

/// What the stages are made equal in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    /// Time of forward and backward at this many samples a micro-batch.
    Time {
        /// Samples of a micro-batch.
        samples: usize,
    },
    /// Number of parameters.
    Parameters,
    /// Bytes kept between forward and backward for this many samples, and four bytes for each parameter, gradient and
    /// moment of Adam.
    Memory {
        /// Samples held at once.
        samples: usize,
    },
    /// Parameters, counted elsewhere, of each layer: of whole layers, where what is planned is one rank's part of them.
    ParametersOf(Vec<u64>),
    /// Layers a stage, given by hand.
    ByHand(Vec<usize>),
}

/// Contiguous, non-empty stages that cover all layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// First layer of each stage, and the number of layers at the end.
    bounds: Vec<usize>,
}

impl Partition {
    /// Cuts `layers` into `stages` so that the costliest stage costs as little as possible: exact, by dynamic programming
    /// over (stage, first layers), in O(stages · layers²) at worst. Of several such cuts it takes the one with the smallest sum of
    /// squares, which also evens out the other stages.
    ///
    /// # Errors
    /// [`PlanError`]: more stages than layers, none, a cost that is not a number, a balance by hand that does not fit.
    pub fn new(layers: &[Layer], stages: usize, balance: &Balance) -> Result<Self, PlanError> {
        if stages == 0 {
            return Err(PlanError::Zero { what: "strategy.stages" });
        }
        if stages > layers.len() {
            return Err(PlanError::MoreStagesThanLayers { stages, layers: layers.len() });
        }
        match balance {
            Balance::ByHand(counts) if counts.len() != stages => {
                Err(PlanError::BalanceStages { given: counts.clone(), stages })
            }
            Balance::ByHand(counts) => Self::by_hand(layers.len(), counts),
            Balance::Time { samples } => Self::smallest_maximum(layers, stages, |layer| layer.time(*samples)),
            Balance::Parameters => Self::smallest_maximum(layers, stages, |layer| layer.parameters as f64),
            Balance::ParametersOf(counts) if counts.len() != layers.len() => {
                Err(PlanError::Costs { given: counts.len(), layers: layers.len() })
            }
            Balance::ParametersOf(counts) => Self::smallest_maximum(counts, stages, |&count| count as f64),
            Balance::Memory { samples } => Self::smallest_maximum(layers, stages, |layer| {
                (layer.kept_bytes as f64).mul_add(*samples as f64, 16.0 * layer.parameters as f64)
            }),
        }
    }

    /// Stages of these lengths.
    ///
    /// # Errors
    /// [`PlanError`]: the lengths do not add up to the layers, or one is 0.
    pub fn by_hand(layers: usize, counts: &[usize]) -> Result<Self, PlanError> {
        if let Some(stage) = counts.iter().position(|&count| count == 0) {
            return Err(PlanError::EmptyStage { stage, given: counts.to_vec() });
        }
        if counts.iter().try_fold(0_usize, |sum, &count| sum.checked_add(count)) != Some(layers) {
            return Err(PlanError::BalanceCount { given: counts.to_vec(), layers });
        }
        let ends = counts.iter().scan(0, |end, &count| {
            *end += count;
            Some(*end)
        });
        Ok(Self { bounds: std::iter::once(0).chain(ends).collect() })
    }

    fn smallest_maximum<L>(layers: &[L], stages: usize, cost: impl Fn(&L) -> f64) -> Result<Self, PlanError> {
        let mut before = vec![0.0];
        for (index, layer) in layers.iter().enumerate() {
            let value = cost(layer);
            if !value.is_finite() || value < 0.0 {
                return Err(PlanError::Cost { layer: index, value });
            }
            before.push(before[index] + value);
        }
        let largest = smallest_largest(&before, stages);
        let bounds = most_even(&before, stages, largest);
        Ok(Self { bounds })
    }

    /// Number of stages.
    pub fn stages(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The layers of a stage.
    ///
    /// # Panics
    /// When `stage` is not below [`Self::stages`].
    pub fn layers(&self, stage: usize) -> Range<usize> {
        self.bounds[stage]..self.bounds[stage + 1]
    }

    /// Layers a stage.
    pub fn counts(&self) -> Vec<usize> {
        self.bounds.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Each stage as one layer.
    ///
    /// # Panics
    /// When `layers` are not those that were cut.
    pub fn merge(&self, layers: &[Layer]) -> Vec<Layer> {
        assert_eq!(layers.len(), self.bounds[self.stages()], "the layers are those that were cut");
        (0..self.stages())
            .map(|stage| {
                let range = self.layers(stage);
                layers[range.start + 1..range.end].iter().fold(layers[range.start], |all, next| all.then(next))
            })
            .collect()
    }
}

/// The cost of the costliest stage in the best cut. `before[n]`: the cost of the first n layers.
fn smallest_largest(before: &[f64], stages: usize) -> f64 {
    let n = before.len() - 1;
    // best[end]: the same for the first `end` layers in as many stages as have been looked at.
    let mut best = vec![f64::INFINITY; n + 1];
    best[0] = 0.0;
    for stage in 0..stages {
        let mut next = vec![f64::INFINITY; n + 1];
        for end in stage + 1..=n {
            // The later the cut, the more the stages before it cost and the less the last one does: the best cut is where the
            // two meet, on one side or the other.
            let (mut low, mut high) = (stage, end - 1);
            while low < high {
                let cut = usize::midpoint(low, high);
                if best[cut] < before[end] - before[cut] { low = cut + 1 } else { high = cut }
            }
            let cost = |cut: usize| f64::max(best[cut], before[end] - before[cut]);
            next[end] = if low > stage { cost(low).min(cost(low - 1)) } else { cost(low) };
        }
        best = next;
    }
    best[n]
}

/// The cut with the smallest sum of squares of those without a stage that costs more than `largest`.
fn most_even(before: &[f64], stages: usize, largest: f64) -> Vec<usize> {
    let n = before.len() - 1;
    let mut best = vec![f64::INFINITY; n + 1];
    best[0] = 0.0;
    let mut cuts = Vec::with_capacity(stages);
    for stage in 0..stages {
        let mut next = vec![f64::INFINITY; n + 1];
        let mut cut_of = vec![stage; n + 1];
        for end in stage + 1..=n {
            let first = before[..end].partition_point(|cost| before[end] - cost > largest);
            for cut in first.max(stage)..end {
                let own = before[end] - before[cut];
                let value = own.mul_add(own, best[cut]);
                if value < next[end] {
                    next[end] = value;
                    cut_of[end] = cut;
                }
            }
        }
        cuts.push(cut_of);
        best = next;
    }
    let mut bounds = vec![n];
    for cut_of in cuts.iter().rev() {
        bounds.push(cut_of[bounds[bounds.len() - 1]]);
    }
    bounds.reverse();
    bounds
}
