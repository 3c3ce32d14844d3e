//! What the passes of a run took, and the cut that follows from it.
//!
//! A run tells its passes stage by stage. Which layer of a stage took how much of them nobody has measured: the counted times of its
//! layers are stretched, all by the same, to what was measured of the stage. So the more stages a run had, the less is taken from counts.

use std::ops::Range;

use crate::timeline::{Bar, Part, stage_of};
use crate::{Balance, Duration, Layer, Layout, Outlook, Partition, PlanError, Strategy, micro_batch_sizes};

/// What a stage of a run took for a micro-batch: medians over its steps, micro-batches and replicas, without what they waited for
/// messages of others within their passes.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredStage {
    /// Its layers.
    pub layers: Range<usize>,
    /// Microseconds of a forward pass.
    pub forward_us: f64,
    /// Microseconds of a backward pass, or of the part of it that gives the gradient of the input.
    pub backward_us: f64,
    /// Microseconds of the part that gives the gradients of the parameters, where that is apart.
    pub weight_us: Option<f64>,
}

/// Why a run's passes do not say what a model costs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeasuredError {
    /// Nothing is known of a stage.
    #[error(
        "stage {stage} told no {what} pass: take a run whose ranks have all told theirs, which they do after the first \
         epoch"
    )]
    NoPass {
        /// The stage, from 0.
        stage: usize,
        /// `forward` or `backward`.
        what: &'static str,
    },
    /// The passes are those of another layout.
    #[error(
        "it tells of {} ranks with {} stages each and {} micro-batches, and what was planned of it has {}, {} and {}: \
         take the strategy that it was run with",
        told[0], told[1], told[2], planned[0], planned[1], planned[2]
    )]
    OtherLayout {
        /// Ranks, stages of each, and micro-batches that were told.
        told: [usize; 3],
        /// Those of the plan.
        planned: [usize; 3],
    },
}

/// A run's passes beside those that were counted for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    stages: Vec<MeasuredStage>,
    /// How many times as long as counted are, of each layer, the forward pass and both parts of the backward pass.
    stretched: Vec<[f64; 3]>,
}

impl Measured {
    /// Of the bars of a run, and what was planned of that run.
    ///
    /// # Errors
    /// [`MeasuredError`]: they are no bars of such a run, or not of all of its stages.
    pub fn of(outlook: &Outlook, bars: &[Bar], layout: Layout) -> Result<Self, MeasuredError> {
        let most = |of: &dyn Fn(&Bar) -> Option<usize>| {
            bars.iter().filter_map(of).max().map_or(0, |most| most.saturating_add(1))
        };
        let told = [most(&|bar| Some(bar.rank)), most(&|bar| Some(bar.chunk)), most(&|bar| bar.micro_batch)];
        let planned = [layout.ranks(), outlook.schedule.chunks(), outlook.sizes.len()];
        if told != planned {
            return Err(MeasuredError::OtherLayout { told, planned });
        }
        let mut passes: Vec<[Vec<f64>; 3]> = vec![<[Vec<f64>; 3]>::default(); outlook.stages.len()];
        for bar in bars {
            let kind = match bar.part {
                Part::Forward => 0,
                Part::Backward => 1,
                Part::Weight => 2,
                Part::Again | Part::Reduce | Part::Step => continue,
            };
            if let Some(stage) = passes.get_mut(stage_of(bar, layout)) {
                stage[kind].push((bar.end_us - bar.start_us - bar.waited_us).max(0.0));
            }
        }
        let (mut stages, mut stretched) = (Vec::with_capacity(passes.len()), Vec::new());
        for (at, (counted, told)) in outlook.stages.iter().zip(passes).enumerate() {
            let [forward, backward, weight_us] = told.map(median);
            let forward_us = forward.ok_or(MeasuredError::NoPass { stage: at, what: "forward" })?;
            let backward_us = backward.ok_or(MeasuredError::NoPass { stage: at, what: "backward" })?;
            let of_sizes =
                |pass: Duration| median(outlook.sizes.iter().map(|&size| pass.of(size)).collect()).unwrap_or_default();
            let [forward, input, weight] =
                [counted.forward, counted.backward_input, counted.backward_weight].map(of_sizes);
            let back = match weight_us {
                Some(weight_us) if input > 0.0 && weight > 0.0 => [times(backward_us, input), times(weight_us, weight)],
                // One pass for both, or a layer on a tape, which has no second part to speak of.
                _ => [times(backward_us + weight_us.unwrap_or(0.0), input + weight); 2],
            };
            let layers = outlook.partition.layers(at);
            stretched.extend(std::iter::repeat_n([times(forward_us, forward), back[0], back[1]], layers.len()));
            stages.push(MeasuredStage { layers, forward_us, backward_us, weight_us });
        }
        Ok(Self { stages, stretched })
    }

    /// Its stages, in the model's order.
    pub fn stages(&self) -> &[MeasuredStage] {
        &self.stages
    }

    /// Layers of the same model, as long as they were measured: also where they are cut in another way, or come in micro-batches of
    /// another size.
    ///
    /// # Errors
    /// [`PlanError::Costs`]: there are more or fewer of them.
    pub fn applied(&self, layers: &[Layer]) -> Result<Vec<Layer>, PlanError> {
        if layers.len() != self.stretched.len() {
            return Err(PlanError::Costs { given: self.stretched.len(), layers: layers.len() });
        }
        Ok(layers.iter().zip(&self.stretched).map(|(layer, times)| layer.stretched(*times)).collect())
    }
}

/// How many times as long as counted; what is counted as nothing stays so.
fn times(measured: f64, counted: f64) -> f64 {
    if counted > 0.0 { measured / counted } else { 1.0 }
}

/// `None` of nothing.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

/// The cut whose costliest stage computes for as short as can be, and what that saves. A stage costs all that it computes for a
/// micro-batch, in the mean: what is computed again counts again.
#[derive(Debug, Clone, PartialEq)]
pub struct EvenCut {
    /// The cut.
    pub partition: Partition,
    /// Microseconds of its costliest stage for a micro-batch.
    pub costliest_us: f64,
    /// The same of the cut that there is now.
    pub now_us: f64,
}

impl EvenCut {
    /// Of a strategy, whose layers cost what they are to be cut by, and of the cut that it has now.
    ///
    /// # Errors
    /// [`PlanError`]: there are more stages than layers, or more micro-batches than rows.
    ///
    /// # Panics
    /// When `now` is no cut of these layers.
    pub fn of(strategy: &Strategy, now: &Partition) -> Result<Self, PlanError> {
        let sizes = micro_batch_sizes(strategy.batch, strategy.micro_batches)?;
        let samples = sizes.iter().copied().max().unwrap_or(0);
        let again = (0..sizes.len()).filter(|&at| strategy.recompute.applies(at, sizes.len())).count();
        let again = again as f64 / sizes.len().max(1) as f64;
        let costs: Vec<Layer> = strategy.layers.iter().map(|layer| strategy.in_passes(layer, again)).collect();
        let partition = Partition::new(&costs, now.stages(), &Balance::Time { samples })?;
        let costliest = |cut: &Partition| cut.merge(&costs).iter().map(|stage| stage.time(samples)).fold(0.0, f64::max);
        let (costliest_us, now_us) = (costliest(&partition), costliest(now));
        Ok(Self { partition, costliest_us, now_us })
    }
}

impl Strategy {
    /// A layer with all that is computed of it for a micro-batch; `again`: the share of these that are computed twice.
    fn in_passes(&self, layer: &Layer, again: f64) -> Layer {
        let layer = if self.lends() { layer.lent() } else { *layer };
        Layer { backward_input: layer.backward_input.plus(layer.forward.times(again)), ..layer }
    }
}
