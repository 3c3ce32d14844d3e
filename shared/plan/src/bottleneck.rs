//! What limits a strategy, and the change that helps most: each remedy is planned before it is proposed.

use recspeed_types::limits::{MAX_BATCH_SIZE, MAX_RANKS};

use crate::sharding::ShardLevel;
use crate::simulate::{Costs, Link};
use crate::{Balance, Instruction, Outlook, Partition, Recompute, ScheduleKind, Strategy, simulate};

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
    /// The optimizer moves the numbers, with its messages where it is offloaded, and what ranks agree on before.
    Update,
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
    /// So many samples in a batch of each replica.
    Batch(usize),
    /// The optimizer's state in the memory of the machine, or not.
    Offload(bool),
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
            Self::Offload(offload) => new.offload = *offload,
        }
        new.held_anew()
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
    /// Bytes that are missing with it on a device with memory of its own.
    pub missing: u64,
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
    /// Whether one rank does everything.
    pub(crate) const fn is_alone(&self) -> bool {
        self.ranks * self.copies() == 1
    }

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
            remedy: smaller(strategy, outlook, bytes, kind),
        };
    }
    let (limit, lost_us) = slowest(strategy, outlook);
    let share = if outlook.simulation.total_us > 0.0 { lost_us / outlook.simulation.total_us } else { 0.0 };
    let limit = if share < SMALL { Limit::Computation } else { limit };
    let remedy = faster(strategy, outlook, limit, room);
    Bottleneck { limit, share, remedy }
}

/// What ranks wait for, as shares of all ranks' time until the last backward pass. Together they are
/// [`crate::Simulation::idle_share`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Idle {
    /// While the pipeline fills and drains. Of a step of many passes, whose messages are not told apart, also for messages.
    pub fill: f64,
    /// For the rank with the most work.
    pub work: f64,
    /// That rank.
    pub rank: usize,
    /// For messages between stages.
    pub messages: f64,
}

impl Idle {
    /// What the ranks of a planned strategy wait for.
    pub fn of(strategy: &Strategy, outlook: &Outlook) -> Self {
        let computed_us = outlook.simulation.computed_us;
        let Lost { rank, work, fill, messages } = Lost::of(strategy, outlook);
        let share = |us: f64| if computed_us > 0.0 { us / computed_us } else { 0.0 };
        Self { fill: share(fill), work: share(work), rank, messages: share(messages) }
    }
}

/// The same in microseconds of the mean rank.
struct Lost {
    rank: usize,
    work: f64,
    fill: f64,
    messages: f64,
}

impl Lost {
    /// The time until the last backward pass is what the mean rank computes, what the busiest computes more, what that one waits
    /// though messages take no time, and the rest, which is waiting for messages.
    fn of(strategy: &Strategy, outlook: &Outlook) -> Self {
        let run = &outlook.simulation;
        let mean = run.busy_us.iter().sum::<f64>() / run.busy_us.len().max(1) as f64;
        let busiest = (0..run.busy_us.len()).max_by(|&a, &b| run.busy_us[a].total_cmp(&run.busy_us[b]).then(b.cmp(&a)));
        let rank = busiest.unwrap_or_default();
        let most = run.busy_us.get(rank).copied().unwrap_or_default();
        let instant = without_messages(strategy, outlook).min(run.computed_us).max(most);
        Self { rank, work: most - mean, fill: instant - most, messages: (run.computed_us - instant).max(0.0) }
    }
}

/// The largest loss, in microseconds of a step. Until the last backward pass it is what [`Lost`] says. What a rank computes has in
/// it what it exchanges with those that share its layers. After that come what replicas exchange, rows of tables, and the update.
fn slowest(strategy: &Strategy, outlook: &Outlook) -> (Limit, f64) {
    let run = &outlook.simulation;
    let Lost { rank, work, fill, messages } = Lost::of(strategy, outlook);
    let sharing = outlook.exchanging_us(strategy.recompute);
    let sharing = sharing.iter().sum::<f64>() / sharing.len().max(1) as f64;
    let longest = |instruction: Instruction| {
        let spans = run.spans.iter().filter(|span| span.instruction == instruction);
        spans.map(|span| span.end_us - span.start_us).fold(0.0, f64::max)
    };
    let reduce = longest(Instruction::ReduceGradients);
    let tables = strategy.tables_us.min(reduce);
    [
        (Limit::Bubble, fill),
        (Limit::Imbalance { rank }, work),
        (Limit::Messages, messages),
        (Limit::Sharing, sharing),
        (Limit::Reduction, reduce - tables),
        (Limit::Tables, tables),
        (Limit::Update, longest(Instruction::OptimizerStep)),
    ]
    .into_iter()
    .fold((Limit::Computation, 0.0), |best, next| if next.1 > best.1 { next } else { best })
}

/// Microseconds until the last backward pass where messages take no time: run on paper once more, because the formula
/// of a schedule holds for one division of a layer's time only (ZB-H1 gains nothing where a tape gives both gradients
/// at once). Of a step of many passes all waiting counts as the bubble.
fn without_messages(strategy: &Strategy, outlook: &Outlook) -> f64 {
    let computed_us = outlook.simulation.computed_us;
    let many = outlook.schedule.stages() * strategy.micro_batches > TRIED_FURTHER;
    if strategy.ranks == 1 || strategy.link == Link::INSTANT || many {
        return computed_us;
    }
    let costs = Costs {
        sends: Vec::new(),
        receives: Vec::new(),
        stages: outlook.stages.clone(),
        sizes: outlook.sizes.clone(),
        recompute: strategy.recompute,
        link: Link::INSTANT,
        reduce_us: 0.0,
        step_us: 0.0,
    };
    simulate(&outlook.schedule, &costs).map_or(computed_us, |run| run.computed_us)
}

fn planned(strategy: &Strategy, change: Change) -> Option<Remedy> {
    let new = change.applied(strategy);
    let outlook = Outlook::of(&new).ok()?;
    let step_us = outlook.simulation.total_us * strategy.batch as f64 / new.batch as f64;
    let (bytes, together) = (outlook.fullest().1, outlook.process(&new).total());
    Some(Remedy { change, step_us, bytes, together, missing: outlook.missing(&new) })
}

/// Of the changes that make it fit the fastest; where none does, the one that saves most. What is saved here must not be missing on a
/// device with memory of its own.
fn smaller(strategy: &Strategy, outlook: &Outlook, bytes: u64, room: Room) -> Option<Remedy> {
    let missing = outlook.missing(strategy);
    let compare = |new: &Remedy| room.compare((new.bytes, new.together));
    let mut changes = Vec::new();
    let one_room = strategy.is_alone() && matches!(room, Room::Together(_));
    // One rank with whole batches has neither a schedule nor passes to compute again: it may have no [strategy].
    let whole = one_room && strategy.micro_batches == 1;
    if strategy.schedule == ScheduleKind::Gpipe && !whole {
        changes.push(Change::Schedule(ScheduleKind::OneForwardOneBackward, 1));
    }
    if strategy.recompute != Recompute::Always && !whole {
        changes.push(Change::Recompute(Recompute::Always));
    }
    if !strategy.offload && !one_room {
        changes.push(Change::Offload(true));
    }
    if strategy.replicas > 1 {
        changes.extend(ShardLevel::ALL.into_iter().filter(|&level| level > strategy.level).map(Change::Level));
    }
    // More than a run can have would be no help.
    let most = strategy.layers.len().min(MAX_RANKS as usize * strategy.chunks);
    if one_room {
        // One process holds no less with more ranks in it; the batch is what one rank can halve.
        let halves = std::iter::successors(Some(strategy.batch / 2), |batch| Some(batch / 2));
        changes.extend(halves.take_while(|batch| *batch > 0).map(Change::Batch));
    } else if strategy.ranks * strategy.chunks * 2 <= most {
        changes.push(Change::Ranks(strategy.ranks * 2));
    }
    let helps = |new: &Remedy| compare(new).0 < bytes && new.missing <= missing;
    let remedies = changes.into_iter().filter_map(|change| planned(strategy, change)).filter(helps);
    remedies.min_by(|a, b| {
        let misses = |remedy: &Remedy| {
            let (bytes, room) = compare(remedy);
            bytes.saturating_sub(room)
        };
        misses(a).cmp(&misses(b)).then(a.step_us.total_cmp(&b.step_us))
    })
}

/// The fastest of the changes that are for this limit; where none of them gains anything, of all others of a pipeline.
/// Few are planned in either case: the page does it at each turn of a knob.
fn faster(strategy: &Strategy, outlook: &Outlook, limit: Limit, room: Option<Room>) -> Option<Remedy> {
    let now = outlook.simulation.total_us;
    let has_room = |new: &Remedy| {
        let here = room.is_none_or(|room| {
            let (bytes, room) = room.compare((new.bytes, new.together));
            bytes <= room
        });
        here && new.missing == 0
    };
    let fits = |new: &Remedy| has_room(new) && new.step_us < now * (1.0 - WORTH_IT);
    let best = |changes: Vec<Change>| {
        let remedies = changes.into_iter().filter_map(|change| planned(strategy, change)).filter(fits);
        remedies.min_by(|a, b| a.step_us.total_cmp(&b.step_us))
    };
    let first = first(strategy, outlook, limit);
    best(first.clone()).or_else(|| match limit {
        Limit::Bubble | Limit::Imbalance { .. } | Limit::Messages
            if outlook.schedule.stages() * strategy.micro_batches <= TRIED_FURTHER =>
        {
            best(of_a_pipeline(strategy, outlook).into_iter().filter(|change| !first.contains(change)).collect())
        }
        _ => None,
    })
}

/// Forward passes of a step, beyond which only what a limit asks for first is tried, and nothing is simulated twice: a redraw of the page plans all of it within a frame,
/// with 16 ranks and 64 micro-batches too.
const TRIED_FURTHER: usize = 512;

/// So many micro-batches that the bubble is small, where there are fewer. GPipe, section 2.3: from four a rank on.
fn more_micro_batches(strategy: &Strategy) -> Option<Change> {
    let more = (4 * strategy.ranks).min(strategy.batch);
    (more > strategy.micro_batches).then_some(Change::MicroBatches(more))
}

/// Batches of twice as many samples, where one of all replicas may have as many.
fn larger_batch(strategy: &Strategy) -> Option<Change> {
    let larger = strategy.batch.saturating_mul(2);
    let whole = larger.saturating_mul(strategy.replicas.max(1));
    (whole <= MAX_BATCH_SIZE as usize).then_some(Change::Batch(larger))
}

/// Two stages a rank, where there is one and there are layers enough.
fn two_stages_each(strategy: &Strategy) -> Option<Change> {
    let possible = strategy.chunks == 1 && 2 * strategy.ranks <= strategy.layers.len();
    possible.then_some(Change::Schedule(ScheduleKind::Interleaved, 2))
}

/// Stages as equal in time as can be, where they are not.
fn even_cut(strategy: &Strategy, outlook: &Outlook) -> Option<Change> {
    let balance = Balance::Time { samples: samples(strategy) };
    let even = Partition::new(&strategy.layers, outlook.schedule.stages(), &balance).ok()?;
    (even != outlook.partition).then(|| Change::Counts(even.counts()))
}

/// What else can be set of a pipeline, whatever limits it: at most seven changes.
fn of_a_pipeline(strategy: &Strategy, outlook: &Outlook) -> Vec<Change> {
    let mut changes: Vec<Change> = even_cut(strategy, outlook).into_iter().collect();
    changes.extend(more_micro_batches(strategy));
    if strategy.micro_batches > 1 {
        changes.push(Change::MicroBatches(strategy.micro_batches / 2));
    }
    let one_stage_each = [ScheduleKind::Gpipe, ScheduleKind::OneForwardOneBackward, ScheduleKind::ZeroBubbleH1];
    let others = one_stage_each.into_iter().filter(|&kind| kind != strategy.schedule);
    changes.extend(others.map(|kind| Change::Schedule(kind, 1)));
    changes.extend(two_stages_each(strategy));
    if strategy.ranks > 1 {
        changes.push(Change::Ranks(strategy.ranks.div_ceil(2)));
    }
    changes
}

/// What is tried against a limit before anything else.
fn first(strategy: &Strategy, outlook: &Outlook, limit: Limit) -> Vec<Change> {
    match limit {
        Limit::Bubble => {
            let mut changes: Vec<Change> = more_micro_batches(strategy).into_iter().collect();
            if strategy.schedule != ScheduleKind::ZeroBubbleH1 {
                changes.push(Change::Schedule(ScheduleKind::ZeroBubbleH1, 1));
            }
            changes.extend(two_stages_each(strategy));
            changes
        }
        // Where no cut is better, smaller stages can still be spread more evenly.
        Limit::Imbalance { .. } => {
            even_cut(strategy, outlook).or_else(|| two_stages_each(strategy)).into_iter().collect()
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
            let mut changes: Vec<Change> = larger_batch(strategy).into_iter().collect();
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
            changes.extend(larger_batch(strategy));
            if strategy.recompute != Recompute::Never {
                changes.push(Change::Recompute(Recompute::Never));
            }
            changes
        }
        Limit::Update => {
            let mut changes = Vec::new();
            if strategy.offload {
                changes.push(Change::Offload(false));
            }
            // Each replica moves its part of the numbers.
            if strategy.replicas > 1 && strategy.level < ShardLevel::Optimizer {
                changes.push(Change::Level(ShardLevel::Optimizer));
            }
            if changes.is_empty() {
                changes.extend(larger_batch(strategy));
            }
            changes
        }
        // Rows of a batch travel whatever else is set.
        Limit::Tables | Limit::Memory { .. } | Limit::Computation => Vec::new(),
    }
}
