//! A whole strategy, planned: partition, schedule, time, memory and traffic in one go.

use crate::collectives::Replicas;
use crate::sharding::{Forecast, OptimizerState, Precision, ShardLevel, Traffic, forecast, traffic, updating};
use crate::simulate::{Costs, Link};
use crate::{
    Balance, DeviceMemory, Layer, Partition, PlanError, ProcessNeeds, Recompute, Schedule, ScheduleKind, Simulation,
    micro_batch_sizes, simulate,
};

/// How a model is to be trained: a pipeline of `ranks` ranks, `replicas` times.
#[derive(Debug, Clone, PartialEq)]
pub struct Strategy {
    /// The model.
    pub layers: Vec<Layer>,
    /// How it is cut into `ranks · chunks` stages.
    pub balance: Balance,
    /// The order of the passes.
    pub schedule: ScheduleKind,
    /// Ranks of one pipeline.
    pub ranks: usize,
    /// Stages a rank.
    pub chunks: usize,
    /// Samples of a batch, in each replica.
    pub batch: usize,
    /// Micro-batches that it is cut into.
    pub micro_batches: usize,
    /// Which forward passes are computed again.
    pub recompute: Recompute,
    /// Pipelines that share the data.
    pub replicas: usize,
    /// Ranks that share each layer; `layers` are what one of them has.
    pub tensor: usize,
    /// What they divide among them.
    pub level: ShardLevel,
    /// What the optimizer keeps.
    pub optimizer: OptimizerState,
    /// Whether it keeps that in the memory of the machine instead of the device's.
    pub offload: bool,
    /// Between every two ranks.
    pub link: Link,
    /// Microseconds that the optimizer needs for a parameter.
    pub update_us: f64,
    /// Bytes that all ranks hold together beside the layers, however these are divided: tables of embeddings with their moments.
    pub beside: u64,
    /// Microseconds in which the ranks send each other the rows of these tables that a step looks up, and the gradients by them.
    pub tables_us: f64,
    /// What is known of the process whose threads the ranks are.
    pub needs: ProcessNeeds,
    /// Where the numbers of each rank lie, all copies of a stage before the next one; ranks beyond them are like the last one, and
    /// where there are none, all of it is the machine's memory.
    pub memories: Vec<DeviceMemory>,
}

/// What will be on one rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankOutlook {
    /// Parameters, gradients and optimizer state, and what comes and goes beside them.
    pub shares: Forecast,
    /// The most bytes of activations and received messages at once.
    pub activations: u64,
    /// Bytes that it sends in a step along the pipeline.
    pub messages: u64,
    /// Bytes that it sends in a step to the other replicas, and to those that share its layers; and what goes to the host and back
    /// where the optimizer is offloaded.
    pub reduction: Traffic,
}

impl Strategy {
    /// Ranks of each stage: replicas of those that share its layers.
    pub const fn copies(&self) -> usize {
        self.replicas * self.tensor
    }

    /// Where there are only so many rows to learn from: no batch has more, and none is cut into more parts than it has rows.
    pub fn take_no_more_than(&mut self, rows: u64) {
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        self.batch = self.batch.min(rows.div_ceil(self.replicas.max(1))).max(1);
        self.micro_batches = self.micro_batches.min(self.batch);
    }

    /// Whether the parameters are divided among replicas, and so lent to each pass.
    pub(crate) fn lends(&self) -> bool {
        self.level == ShardLevel::Parameters && self.replicas > 1
    }
}

impl RankOutlook {
    /// The most bytes at once, what is offloaded apart: while micro-batches come and go, or when the parameters move.
    pub fn peak(&self) -> u64 {
        self.in_passes().max(self.shares.resident() + self.shares.update)
    }

    /// The most bytes while micro-batches come and go.
    pub(crate) const fn in_passes(&self) -> u64 {
        self.shares.resident() + self.shares.transient + self.activations
    }

    /// Bytes that it sends in a step.
    pub const fn sent(&self) -> u64 {
        self.messages + self.reduction.total()
    }
}

/// A strategy, planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// The layers of each stage.
    pub partition: Partition,
    /// Each stage as one layer.
    pub stages: Vec<Layer>,
    /// Samples of each micro-batch.
    pub sizes: Vec<usize>,
    /// The instructions.
    pub schedule: Schedule,
    /// The same in time.
    pub simulation: Simulation,
    /// Each rank of one pipeline, with what it holds of the layers.
    pub ranks: Vec<RankOutlook>,
    /// Bytes that all ranks hold together beside the layers ([`Strategy::beside`]).
    pub beside: u64,
}

/// What replicas exchange in a step of several micro-batches, of which `again` are computed twice: ZeRO-2 divides the gradients of
/// each as soon as they are there; ZeRO-3 gathers the parameters for each, too, once for each of its passes.
fn per_step(level: ShardLevel, once: Traffic, micro_batches: u64, again: u64) -> Traffic {
    let times = |from: ShardLevel| if level >= from { micro_batches } else { 1 };
    let one_pass = if level == ShardLevel::Parameters { once.all_gather / 2 } else { 0 };
    Traffic {
        reduce_scatter: once.reduce_scatter * times(ShardLevel::Gradients),
        all_gather: once.all_gather * times(ShardLevel::Parameters) + one_pass * again,
        ..once
    }
}

impl Outlook {
    /// Plans a strategy. All that replicas exchange is put after the last backward pass: the plan lets nothing of it hide behind
    /// computation.
    ///
    /// # Errors
    /// [`PlanError`]: what is impossible, and the nearest that works.
    pub fn of(strategy: &Strategy) -> Result<Self, PlanError> {
        if strategy.replicas == 0 {
            return Err(PlanError::Zero { what: "strategy.replicas" });
        }
        let sizes = micro_batch_sizes(strategy.batch, strategy.micro_batches)?;
        let schedule = Schedule::new(strategy.schedule, strategy.ranks, strategy.micro_batches, strategy.chunks)?;
        let partition = Partition::new(&strategy.layers, schedule.stages(), &strategy.balance)?;
        let mut stages = partition.merge(&strategy.layers);
        let lends = strategy.lends();
        if lends {
            for stage in &mut stages {
                *stage = stage.lent();
            }
        }
        let (micro_batches, recompute) = (sizes.len(), strategy.recompute);
        let again = (0..micro_batches).filter(|at| recompute.applies(*at, micro_batches)).count();
        let (level, replicas, link) = (strategy.level, strategy.replicas, strategy.link);
        let together = Replicas { count: replicas, level, micro_batches, again };
        let shares: Vec<_> = (0..strategy.ranks)
            .map(|rank| {
                let own =
                    (0..strategy.chunks).map(|chunk| &strategy.layers[partition.layers(schedule.stage(rank, chunk))]);
                // Its stages exchange one after the other.
                let exchange_us: f64 = own.clone().map(|stage| together.exchange_us(stage, link)).sum();
                let layers = own.flatten().map(|layer| layer.parameters);
                let (sum, largest) = layers.fold((0, 0), |(sum, largest): (u64, u64), n| (sum + n, largest.max(n)));
                let (optimizer, offload) = (strategy.optimizer, strategy.offload);
                let held = forecast(level, replicas, sum, largest, Precision::F32, optimizer, offload);
                // The chunks of a rank are added up and moved one after the other.
                let widest = (0..strategy.chunks).map(|chunk| stages[schedule.stage(rank, chunk)].parameters).max();
                let update = updating(level, replicas, widest.unwrap_or(0), Precision::F32, offload);
                let held = Forecast { update, ..held };
                let once = traffic(level, replicas, sum, Precision::F32);
                let sent = per_step(level, once, micro_batches as u64, again as u64);
                let updated = if level >= ShardLevel::Optimizer { sum.div_ceil(replicas as u64) } else { sum };
                let sent = if offload { sent.offloading(updated * Precision::F32.bytes()) } else { sent };
                (held, sent, updated, exchange_us)
            })
            .collect();
        let most = |of: fn(&(Forecast, Traffic, u64, f64)) -> f64| shares.iter().map(of).fold(0.0, f64::max);
        let updated = most(|share| share.2 as f64);
        let others = (strategy.ranks * strategy.copies()).saturating_sub(1) as u64;
        let costs = Costs {
            sends: Vec::new(),
            receives: Vec::new(),
            stages,
            sizes,
            recompute: strategy.recompute,
            link,
            reduce_us: strategy.tables_us + most(|share| share.3),
            // Before anybody moves, all ranks add up the loss: each part of that sum, too, goes to each other rank.
            step_us: updated * strategy.update_us
                + link.takes(2 * others, 0.0)
                + if strategy.offload {
                    // The gradient and the numbers of each stage come from the device, the numbers go back; nothing better is known of
                    // the way between the two than the link between ranks.
                    link.takes(3 * strategy.chunks as u64, 3.0 * 4.0 * updated)
                } else {
                    0.0
                },
        };
        let simulation = simulate(&schedule, &costs)?;
        let batch = strategy.batch as u64;
        let last = schedule.stages() - 1;
        let messages = |rank: usize| {
            let own = (0..strategy.chunks).map(|chunk| schedule.stage(rank, chunk));
            let of = |stage: usize| {
                let (there, back) = (stage < last, stage > 0);
                u64::from(there) * costs.stages[stage].output_bytes + u64::from(back) * costs.stages[stage].input_bytes
            };
            // A pipeline of one rank hands everything to itself.
            if strategy.ranks > 1 { own.map(of).sum::<u64>() * batch } else { 0 }
        };
        // What is computed again is exchanged again.
        let rows_again: usize = costs
            .sizes
            .iter()
            .enumerate()
            .filter(|(at, _)| costs.recompute.applies(*at, costs.sizes.len()))
            .map(|(_, size)| size)
            .sum();
        let exchanged = |rank: usize| {
            let own = (0..strategy.chunks).map(|chunk| costs.stages[schedule.stage(rank, chunk)].exchanged);
            let bytes: u64 = own.map(|of| of.forward * (batch + rows_again as u64) + of.backward * batch).sum();
            let tensor = strategy.tensor.max(1) as u64;
            bytes * (tensor - 1) / tensor
        };
        // One exchange at a time, of one micro-batch.
        let largest = costs.sizes.iter().copied().max().unwrap_or(0) as u64;
        let in_exchange = |rank: usize| {
            let own = (0..strategy.chunks).map(|chunk| costs.stages[schedule.stage(rank, chunk)].exchanged.held);
            own.max().unwrap_or(0) * largest
        };
        // One layer's way back at a time, too.
        let made_again = |rank: usize| {
            let own = (0..strategy.chunks).map(|chunk| costs.stages[schedule.stage(rank, chunk)].tape.largest_bytes);
            if lends { own.max().unwrap_or(0) * largest } else { 0 }
        };
        let ranks = shares
            .iter()
            .enumerate()
            .map(|(rank, &(shares, reduction, ..))| RankOutlook {
                shares: Forecast { transient: shares.transient + in_exchange(rank) + made_again(rank), ..shares },
                activations: simulation.held[rank].peak(),
                messages: messages(rank),
                reduction: Traffic { shared: exchanged(rank), ..reduction },
            })
            .collect();
        let Costs { stages, sizes, .. } = costs;
        Ok(Self { partition, stages, sizes, schedule, simulation, ranks, beside: strategy.beside })
    }

    /// Microseconds of each rank of a pipeline in which those that share its layers bring together what they make.
    pub fn exchanging_us(&self, recompute: Recompute) -> Vec<f64> {
        let of_stage = |stage: usize| {
            let exchanged = self.stages[stage].exchanged;
            let of_cell = |(at, &size): (usize, &usize)| {
                let times = if recompute.applies(at, self.sizes.len()) { 2.0 } else { 1.0 };
                times * exchanged.forward_time.of(size) + exchanged.backward_time.of(size)
            };
            self.sizes.iter().enumerate().map(of_cell).sum::<f64>()
        };
        let chunks = self.schedule.chunks();
        let of_rank = |rank| (0..chunks).map(|chunk| of_stage(self.schedule.stage(rank, chunk))).sum();
        (0..self.schedule.ranks()).map(of_rank).collect()
    }

    /// The rank that holds most, and its bytes at the worst moment.
    pub fn fullest(&self) -> (usize, u64) {
        let peaks = self.ranks.iter().map(RankOutlook::peak).enumerate();
        peaks.max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0))).unwrap_or_default()
    }

    /// Bytes that all ranks hold, each at its worst moment, where each stage has so many ([`Strategy::copies`]), what they have
    /// offloaded, and what they hold beside the layers: all that a machine holds whose own memory is the device's.
    pub fn together(&self, copies: usize) -> u64 {
        let of_layers = self.ranks.iter().map(|rank| rank.peak() + rank.shares.host).sum::<u64>();
        of_layers.saturating_mul(copies as u64).saturating_add(self.beside)
    }

    /// The most bytes that the device of a rank sends to the host in a step for an optimizer that is offloaded, and gets back.
    pub fn to_and_from_host(&self) -> (u64, u64) {
        let most = |of: fn(&Traffic) -> u64| self.ranks.iter().map(|rank| of(&rank.reduction)).max().unwrap_or(0);
        (most(|traffic| traffic.to_host), most(|traffic| traffic.from_host))
    }

    /// Bytes that all ranks of one pipeline send in a step.
    pub fn sent(&self) -> u64 {
        self.ranks.iter().map(RankOutlook::sent).sum()
    }
}
