//! What a stage holds while it trains, to cut a model by.

use recspeed_types::spec::BalanceBy;

use crate::sharding::{Precision, forecast};
use crate::{Balance, Instruction, Layer, PlanError, Schedule, Strategy};

/// How many bytes each stage of a pipeline holds of its parameters and of what it keeps between forward and backward pass.
///
/// It is what a partition by memory makes equal. Messages on their way, and layers that ZeRO gathers for a moment, do not count.
#[derive(Debug, Clone, PartialEq)]
pub struct StageMemory {
    /// Bytes of a parameter, with its gradient and what the optimizer keeps of it on the device, as far as a rank has them.
    pub per_parameter: f64,
    /// Samples of which a stage keeps everything, the most at once; stages beyond the list are as the last one.
    pub kept: Vec<usize>,
    /// Samples of which it keeps the input alone, because the rest is computed again.
    pub inputs: Vec<usize>,
}

/// Parameters of a model so large that no shard of it is rounded.
const MANY: u64 = 1 << 40;

impl StageMemory {
    /// That of a strategy: by the instructions of its schedule, each stage at its own worst moment.
    pub fn of(strategy: &Strategy) -> Self {
        let &Strategy { level, replicas, optimizer, offload, micro_batches, recompute, .. } = strategy;
        let size = strategy.batch.div_ceil(micro_batches.max(1));
        // A schedule that cannot be is refused by whoever plans it.
        let schedule = Schedule::new(strategy.schedule, strategy.ranks, micro_batches, strategy.chunks).ok();
        let held: Vec<[usize; 2]> = schedule.map_or_else(Vec::new, |schedule| {
            let of = |stage: usize| {
                let (rank, chunk) = (stage % schedule.ranks(), stage / schedule.ranks());
                held_at_once(schedule.list(rank), chunk, |micro_batch| recompute.applies(micro_batch, micro_batches))
            };
            (0..schedule.stages()).map(of).collect()
        });
        let of_many = forecast(level, replicas, MANY, 0, Precision::F32, optimizer, offload);
        Self {
            per_parameter: of_many.resident() as f64 / MANY as f64,
            kept: held.iter().map(|[whole, _]| size * whole).collect(),
            inputs: held.iter().map(|[_, inputs]| size * inputs).collect(),
        }
    }

    fn samples(&self, stage: usize) -> [f64; 2] {
        [&self.kept, &self.inputs].map(|of| of.get(stage).or(of.last()).map_or(0.0, |&samples| samples as f64))
    }

    /// Bytes of a stage that is this layer, or several in a row ([`Layer::then`]).
    pub fn bytes(&self, stage: usize, layer: &Layer) -> f64 {
        self.sum(stage, layer.parameters as f64, layer.kept_bytes as f64, layer.input_bytes as f64)
    }

    fn sum(&self, stage: usize, parameters: f64, kept: f64, input: f64) -> f64 {
        let [whole, inputs] = self.samples(stage);
        self.per_parameter.mul_add(parameters, whole.mul_add(kept, inputs * input))
    }

    /// [`Self::bytes`] of these layers as a stage, by the stage, its first layer, and the one after its last.
    ///
    /// # Errors
    /// [`PlanError::Cost`]: the bytes of a parameter are no number.
    pub(crate) fn of_layers<'a>(
        &'a self,
        layers: &'a [Layer],
    ) -> Result<impl Fn(usize, usize, usize) -> f64 + 'a, PlanError> {
        if !self.per_parameter.is_finite() || self.per_parameter < 0.0 {
            return Err(PlanError::Cost { layer: 0, value: self.per_parameter });
        }
        let (mut parameters, mut kept) = (vec![0_u64], vec![0_u64]);
        for (at, layer) in layers.iter().enumerate() {
            parameters.push(parameters[at].saturating_add(layer.parameters));
            kept.push(kept[at].saturating_add(kept_after_another(layer)));
        }
        Ok(move |stage: usize, first: usize, end: usize| {
            let after = kept[end] - kept[first + 1];
            let kept = layers[first].kept_bytes.saturating_add(after);
            let parameters = parameters[end] - parameters[first];
            self.sum(stage, parameters as f64, kept as f64, layers[first].input_bytes as f64)
        })
    }

    /// Whether no stage holds more for a layer less, nor a later stage more than an earlier one of the same layers: the search for the best
    /// cut then need not try them all.
    pub(crate) fn falls(&self, layers: &[Layer], stages: usize) -> bool {
        let later_holds_less = (1..stages).all(|stage| self.samples(stage)[0] <= self.samples(stage - 1)[0]);
        let within = |pair: &[Layer]| pair[1].kept_bytes - kept_after_another(&pair[1]) <= pair[0].kept_bytes;
        self.inputs.iter().all(|&samples| samples == 0) && later_holds_less && layers.windows(2).all(within)
    }
}

/// Micro-batches that a chunk of a rank holds when it holds most of them whole: those, and those of which it holds the input alone.
fn held_at_once(list: &[Instruction], chunk: usize, again: impl Fn(usize) -> bool) -> [usize; 2] {
    let ([mut whole, mut inputs], mut most) = ([0_usize; 2], [0; 2]);
    for &step in list {
        let Some(cell) = step.cell().filter(|cell| cell.chunk == chunk) else { continue };
        match step {
            Instruction::Forward(_) if again(cell.micro_batch) => inputs += 1,
            Instruction::Forward(_) => whole += 1,
            Instruction::Backward(_) | Instruction::BackwardInput(_) if again(cell.micro_batch) => {
                (whole, inputs) = (whole + 1, inputs.saturating_sub(1));
            }
            _ => {}
        }
        most = most.max([whole, inputs]);
        if matches!(step, Instruction::Backward(_) | Instruction::BackwardWeight(_)) {
            whole = whole.saturating_sub(1);
        }
    }
    most
}

/// Bytes that a layer keeps of a sample behind another one of its stage.
const fn kept_after_another(layer: &Layer) -> u64 {
    layer.kept_bytes.saturating_sub(if layer.reads_in_place { layer.input_bytes } else { 0 })
}

impl Strategy {
    /// How these layers are cut, equal in what a spec asks for: `whole` ones, as
    /// [`whole_layers`](crate::whole_layers) counts them.
    pub fn balanced(&self, by: BalanceBy, whole: Vec<Layer>) -> Balance {
        let by = match by {
            // Of layers that nobody shares these are what is planned.
            BalanceBy::Parameters if self.tensor <= 1 => return Balance::Parameters,
            BalanceBy::Parameters => Balance::Parameters,
            BalanceBy::Time => Balance::Time { samples: self.batch.div_ceil(self.micro_batches.max(1)) },
            BalanceBy::Memory => Balance::Memory(StageMemory::of(self)),
        };
        Balance::As { layers: whole, by: Box::new(by) }
    }

    /// The same, where what stages hold has changed since it was cut by that.
    pub(crate) fn held_anew(mut self) -> Self {
        let by = match &self.balance {
            Balance::As { by, .. } => by.as_ref(),
            other => other,
        };
        if matches!(by, Balance::Memory(_)) {
            let held = Balance::Memory(StageMemory::of(&self));
            match &mut self.balance {
                Balance::As { by, .. } => **by = held,
                other => *other = held,
            }
        }
        self
    }
}
