//! A model's layers, cut into contiguous stages.

use std::ops::Range;

use crate::{Layer, PlanError, StageMemory};

/// What the stages are made equal in.
#[derive(Debug, Clone, PartialEq)]
pub enum Balance {
    /// Time of forward and backward at this many samples a micro-batch.
    Time {
        /// Samples of a micro-batch.
        samples: usize,
    },
    /// Number of parameters.
    Parameters,
    /// Bytes that a rank holds while it trains.
    Memory(StageMemory),
    /// As other layers are cut, of which there are as many: whole ones, where what is planned is one rank's part of them, counted at a pace
    /// that does not depend on how fast the ranks are taken to be.
    As {
        /// Those layers.
        layers: Vec<Layer>,
        /// What their stages are made equal in.
        by: Box<Self>,
    },
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
            Balance::Time { samples } => Self::equal_in(layers, stages, |layer| layer.time(*samples)),
            Balance::Parameters => Self::equal_in(layers, stages, |layer| layer.parameters as f64),
            Balance::Memory(memory) => {
                let cost = memory.of_layers(layers)?;
                Ok(Self::smallest_maximum(layers.len(), stages, &cost, memory.falls(layers, stages)))
            }
            Balance::As { layers: counted, .. } if counted.len() != layers.len() => {
                Err(PlanError::Costs { given: counted.len(), layers: layers.len() })
            }
            Balance::As { layers: counted, by } => Self::new(counted, stages, by),
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

    /// Stages whose costs are those of their layers, added up.
    fn equal_in(layers: &[Layer], stages: usize, of: impl Fn(&Layer) -> f64) -> Result<Self, PlanError> {
        let mut before = vec![0.0];
        for (index, layer) in layers.iter().enumerate() {
            let value = of(layer);
            if !value.is_finite() || value < 0.0 {
                return Err(PlanError::Cost { layer: index, value });
            }
            before.push(before[index] + value);
        }
        Ok(Self::smallest_maximum(layers.len(), stages, &|_, first, end| before[end] - before[first], true))
    }

    /// `falls`: no stage costs more for a layer less, nor a later stage more than an earlier one of the same layers.
    fn smallest_maximum(layers: usize, stages: usize, cost: &Cost<'_>, falls: bool) -> Self {
        let largest = smallest_largest(layers, stages, cost, falls);
        Self { bounds: most_even(layers, stages, cost, falls, largest) }
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

/// What a stage costs: which one it is, its first layer, and the one after its last.
type Cost<'a> = dyn Fn(usize, usize, usize) -> f64 + 'a;

/// The first place of `places` where something does not hold, of what holds up to some place; their end where it holds everywhere.
fn first_without(places: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (places.start, places.end);
    while low < high {
        let middle = usize::midpoint(low, high);
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// The cost of the costliest stage in the best cut.
fn smallest_largest(layers: usize, stages: usize, cost: &Cost<'_>, falls: bool) -> f64 {
    // best[end]: the same for the first `end` layers in as many stages as have been looked at.
    let mut best = vec![f64::INFINITY; layers + 1];
    best[0] = 0.0;
    for stage in 0..stages {
        let mut next = vec![f64::INFINITY; layers + 1];
        for (end, least) in next.iter_mut().enumerate().skip(stage + 1) {
            let with = |cut: usize| f64::max(best[cut], cost(stage, cut, end));
            *least = if falls {
                // The later the cut, the more the stages before it cost and the less the last one does: the best cut is where the
                // two meet, on one side or the other.
                let meet = first_without(stage..end - 1, |cut| best[cut] < cost(stage, cut, end));
                if meet > stage { with(meet).min(with(meet - 1)) } else { with(meet) }
            } else {
                (stage..end).map(with).fold(f64::INFINITY, f64::min)
            };
        }
        best = next;
    }
    best[layers]
}

/// The cut with the smallest sum of squares of those without a stage that costs more than `largest`.
fn most_even(layers: usize, stages: usize, cost: &Cost<'_>, falls: bool, largest: f64) -> Vec<usize> {
    let mut best = vec![f64::INFINITY; layers + 1];
    best[0] = 0.0;
    let mut cuts = Vec::with_capacity(stages);
    for stage in 0..stages {
        let mut next = vec![f64::INFINITY; layers + 1];
        let mut cut_of = vec![stage; layers + 1];
        for end in stage + 1..=layers {
            let too_much = |cut: usize| cost(stage, cut, end) > largest;
            let first = if falls { first_without(stage..end, too_much) } else { stage };
            for (cut, before) in best.iter().enumerate().take(end).skip(first) {
                let own = cost(stage, cut, end);
                let value = own.mul_add(own, *before);
                if own <= largest && value < next[end] {
                    next[end] = value;
                    cut_of[end] = cut;
                }
            }
        }
        cuts.push(cut_of);
        best = next;
    }
    let mut bounds = vec![layers];
    for cut_of in cuts.iter().rev() {
        bounds.push(cut_of[bounds[bounds.len() - 1]]);
    }
    bounds.reverse();
    bounds
}
