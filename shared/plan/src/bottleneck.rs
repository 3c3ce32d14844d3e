//! What limits a strategy, and the change that helps most: each remedy is planned before it is proposed.

use recspeed_types::limits::MAX_RANKS;

use crate::sharding::ShardLevel;
use crate::{Balance, Outlook, Recompute, ScheduleKind, Strategy};

/// What keeps a strategy from being faster, or from fitting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A rank, or all of them together, hold more than there is room for.
    Memory {
        /// The fullest rank, where each has a room of its own.
        rank: Option<usize>,
        /// What it holds at the worst moment, or all do.
        bytes: u64,
        /// What there is.
        room: u64,
    },
    /// Ranks wait while the pipeline fills and drains.
    Bubble,
    /// Ranks wait for the one with the most work.
    Imbalance {
        /// That rank.
        rank: usize,
    },
    /// Ranks wait for messages between stages.
    Messages,
    /// Ranks that share layers bring together what each of them makes.
    Sharing,
    /// Ranks wait for the gradients of the other replicas.
    Reduction,
    /// Ranks send each other rows of tables, and gradients by them.
    Tables,
    /// Nothing of the above takes a tenth of a step: the ranks compute.
    Computation,
}

/// A change of the strategy.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// So many micro-batches.
    MicroBatches(usize),
    /// Another schedule with so many chunks.
    Schedule(ScheduleKind, usize),
    /// Other forward passes computed again.
    Recompute(Recompute),
    /// More divided among the replicas.
    Level(ShardLevel),
    /// Stages cut anew: these many layers in each.
    Counts(Vec<usize>),
    /// So many ranks in the pipeline.
    Ranks(usize),
    /// So many samples in a batch.
    Batch(usize),
}

impl Change {
    /// The strategy with this change.
    #[must_use]
    pub fn applied(&self, strategy: &Strategy) -> Strategy {
        let mut new = strategy.clone();
        match self {
            Self::MicroBatches(n) => new.micro_batches = *n,
            Self::Schedule(kind, chunks) => {
                if new.chunks != *chunks {
                    new.forget_borders();
                }
                (new.schedule, new.chunks) = (*kind, *chunks);
            }
            Self::Recompute(mode) => new.recompute = *mode,
            Self::Level(level) => new.level = *level,
            Self::Counts(counts) => new.balance = Balance::ByHand(counts.clone()),
            Self::Ranks(ranks) => {
                new.ranks = *ranks;
                new.forget_borders();
            }
            Self::Batch(batch) => new.batch = *batch,
        }
        new
    }
}

/// A change, and what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Remedy {
    /// The change.
    pub change: Change,
    /// Microseconds of a step with it; those of a larger batch are counted for as many samples as before.
    pub step_us: f64,
    /// Bytes of the fullest rank with it.
    pub bytes: u64,
    /// Bytes of the process of all ranks with it.
    pub together: u64,
}

/// Bytes of memory that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// On each rank: machines, or GPUs.
    Each(u64),
    /// For all ranks and what their process needs beside them: threads of one process.
    Together(u64),
}

impl Room {
    /// What there is, of what is `held` by the fullest rank and by all.
    const fn compare(self, (fullest, together): (u64, u64)) -> (u64, u64) {
        match self {
            Self::Each(room) => (fullest, room),
            Self::Together(room) => (together, room),
        }
    }
}

/// What limits a strategy, how much, and what to try.
#[derive(Debug, Clone, PartialEq)]
pub struct Bottleneck {
    /// The limit.
    pub limit: Limit,
    /// The share of a step that it takes; for memory, of the room that is missing.
    pub share: f64,
    /// What helps most, where anything does.
    pub remedy: Option<Remedy>,
}

/// Where less than this share of a step is lost, the ranks compute.
const SMALL: f64 = 0.1;
/// A change that gains less than this share of a step is not worth a word.
const WORTH_IT: f64 = 0.01;

fn samples(strategy: &Strategy) -> usize {
    strategy.batch.div_ceil(strategy.micro_batches.max(1))
}

impl Strategy {
    /// Borders by hand were for another number of stages.
    fn forget_borders(&mut self) {
        if matches!(self.balance, Balance::ByHand(_)) {
            self.balance = Balance::Time { samples: samples(self) };
        }
    }
}

/// Finds the bottleneck. `room`: where it is known.
pub fn bottleneck(strategy: &Strategy, outlook: &Outlook, room: Option<Room>) -> Bottleneck {
    let (rank, fullest) = outlook.fullest();
    if let Some(kind) = room
        && let (bytes, room) = kind.compare((fullest, outlook.process(strategy).total()))
        && bytes > room
    {
        let rank = matches!(kind, Room::Each(_)).then_some(rank);
        let share = (bytes - room) as f64 / room.max(1) as f64;
        return Bottleneck {
            limit: Limit::Memory { rank, bytes, room },
            share,
            remedy: smaller(strategy, bytes, kind),
        };
    }
    let (limit, lost_us) = slowest(strategy, outlook);
    let share = if outlook.simulation.total_us > 0.0 { lost_us / outlook.simulation.total_us } else { 0.0 };
    let limit = if share < SMALL { Limit::Computation } else { limit };
    let remedy = faster(strategy, outlook, limit, room);
    Bottleneck { limit, share, remedy }
}

/// The largest loss, in microseconds of a step. The time until the last backward pass is what the mean rank computes, what the
/// busiest computes more, what its schedule leaves idle by the formula, and the rest, which is waiting for messages. What a rank computes
/// has in it what it exchanges with those that share its layers.
fn slowest(strategy: &Strategy, outlook: &Outlook) -> (Limit, f64) {
    let run = &outlook.simulation;
    let mean = run.busy_us.iter().sum::<f64>() / run.busy_us.len() as f64;
    let busiest = (0..run.busy_us.len()).max_by(|&a, &b| run.busy_us[a].total_cmp(&run.busy_us[b]).then(b.cmp(&a)));
    let rank = busiest.unwrap_or_default();
    let most = run.busy_us[rank];
    let fill = strategy.schedule.ideal_bubble(strategy.ranks, strategy.micro_batches, strategy.chunks) * mean;
    let rest = (run.computed_us - most - fill).max(0.0);
    // Without messages in time there is nothing to wait for but the pipeline itself.
    let instant = strategy.link.bytes_per_us.is_infinite() && strategy.link.latency_us == 0.0;
    let (fill, messages) = if instant { (fill + rest, 0.0) } else { (fill, rest) };
    let sharing = outlook.exchanging_us(strategy.recompute);
    let sharing = sharing.iter().sum::<f64>() / sharing.len().max(1) as f64;
    let reduce = outlook.simulation.spans.iter().filter(|span| span.instruction == crate::Instruction::ReduceGradients);
    let reduce = reduce.map(|span| span.end_us - span.start_us).fold(0.0, f64::max);
    let tables = strategy.tables_us.min(reduce);
    [
        (Limit::Bubble, fill),
        (Limit::Imbalance { rank }, most - mean),
        (Limit::Messages, messages),
        (Limit::Sharing, sharing),
        (Limit::Reduction, reduce - tables),
        (Limit::Tables, tables),
    ]
    .into_iter()
    .fold((Limit::Computation, 0.0), |best, next| if next.1 > best.1 { next } else { best })
}

fn planned(strategy: &Strategy, change: Change) -> Option<Remedy> {
    let new = change.applied(strategy);
    let outlook = Outlook::of(&new).ok()?;
    let step_us = outlook.simulation.total_us * strategy.batch as f64 / new.batch as f64;
    Some(Remedy { change, step_us, bytes: outlook.fullest().1, together: outlook.process(&new).total() })
}

/// Of the changes that make it fit the fastest; where none does, the one that saves most.
fn smaller(strategy: &Strategy, bytes: u64, room: Room) -> Option<Remedy> {
    let compare = |new: &Remedy| room.compare((new.bytes, new.together));
    let mut changes = Vec::new();
    if strategy.schedule == ScheduleKind::Gpipe {
        changes.push(Change::Schedule(ScheduleKind::OneForwardOneBackward, 1));
    }
    if strategy.recompute != Recompute::Always {
        changes.push(Change::Recompute(Recompute::Always));
    }
    if strategy.replicas > 1 {
        changes.extend(ShardLevel::ALL.into_iter().filter(|&level| level > strategy.level).map(Change::Level));
    }
    // More than a run can have would be no help.
    let most = strategy.layers.len().min(MAX_RANKS as usize * strategy.chunks);
    if strategy.ranks * strategy.chunks * 2 <= most {
        changes.push(Change::Ranks(strategy.ranks * 2));
    }
    let remedies =
        changes.into_iter().filter_map(|change| planned(strategy, change)).filter(|new| compare(new).0 < bytes);
    remedies.min_by(|a, b| {
        let misses = |remedy: &Remedy| {
            let (bytes, room) = compare(remedy);
            bytes.saturating_sub(room)
        };
        misses(a).cmp(&misses(b)).then(a.step_us.total_cmp(&b.step_us))
    })
}

fn faster(strategy: &Strategy, outlook: &Outlook, limit: Limit, room: Option<Room>) -> Option<Remedy> {
    let changes = match limit {
        Limit::Bubble => {
            let (ranks, now) = (strategy.ranks, strategy.micro_batches);
            // GPipe, section 2.3: the bubble is small from four micro-batches a rank on.
            let more = (4 * ranks).min(strategy.batch);
            let mut changes = Vec::new();
            if more > now {
                changes.push(Change::MicroBatches(more));
            }
            if strategy.schedule != ScheduleKind::ZeroBubbleH1 {
                changes.push(Change::Schedule(ScheduleKind::ZeroBubbleH1, 1));
            }
            if strategy.chunks == 1 && 2 * ranks <= strategy.layers.len() {
                changes.push(Change::Schedule(ScheduleKind::Interleaved, 2));
            }
            changes
        }
        Limit::Imbalance { .. } => {
            let balance = Balance::Time { samples: samples(strategy) };
            let even = crate::Partition::new(&strategy.layers, outlook.schedule.stages(), &balance).ok();
            match even.filter(|even| *even != outlook.partition) {
                Some(even) => vec![Change::Counts(even.counts())],
                // No cut is better: smaller stages can still be spread more evenly.
                None if strategy.chunks == 1 && 2 * strategy.ranks <= strategy.layers.len() => {
                    vec![Change::Schedule(ScheduleKind::Interleaved, 2)]
                }
                None => Vec::new(),
            }
        }
        Limit::Messages => {
            let mut changes = vec![Change::MicroBatches((strategy.micro_batches / 2).max(1))];
            if strategy.chunks > 1 {
                changes.push(Change::Schedule(ScheduleKind::OneForwardOneBackward, 1));
            }
            if strategy.ranks > 1 {
                changes.push(Change::Ranks(strategy.ranks.div_ceil(2)));
            }
            changes
        }
        Limit::Reduction => {
            let mut changes = vec![Change::Batch(strategy.batch.saturating_mul(2))];
            // Gradients and parameters that are divided travel for each micro-batch.
            if strategy.level > ShardLevel::Optimizer {
                changes.push(Change::Level(ShardLevel::Optimizer));
                changes.push(Change::MicroBatches((strategy.micro_batches / 2).max(1)));
            }
            // Divided parameters travel for a pass that is computed again, too.
            if strategy.level == ShardLevel::Parameters && strategy.recompute != Recompute::Never {
                changes.push(Change::Recompute(Recompute::Never));
            }
            changes
        }
        // Fewer and larger exchanges: each has the latency of the link.
        Limit::Sharing => {
            let mut changes = vec![Change::MicroBatches((strategy.micro_batches / 2).max(1))];
            changes.push(Change::Batch(strategy.batch.saturating_mul(2)));
            if strategy.recompute != Recompute::Never {
                changes.push(Change::Recompute(Recompute::Never));
            }
            changes
        }
        // Rows of a batch travel whatever else is set.
        Limit::Tables | Limit::Memory { .. } | Limit::Computation => Vec::new(),
    };
    let now = outlook.simulation.total_us;
    let has_room = |new: &Remedy| {
        room.is_none_or(|room| {
            let (bytes, room) = room.compare((new.bytes, new.together));
            bytes <= room
        })
    };
    let fits = |new: &Remedy| has_room(new) && new.step_us < now * (1.0 - WORTH_IT);
    let remedies = changes.into_iter().filter_map(|change| planned(strategy, change)).filter(fits);
    remedies.min_by(|a, b| a.step_us.total_cmp(&b.step_us))
}
