//! When each instruction will run, and how much each rank will hold: a schedule, run on paper.

mod critical_path;
mod memory;
mod run;

pub use memory::Held;

use crate::{Duration, Instruction, Layer, PlanError, Schedule};

/// Which forward passes are computed again in the backward pass instead of being kept (re-materialisation; torchgpipe's
/// checkpoint modes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Recompute {
    /// None: everything that the backward pass needs is kept.
    #[default]
    Never,
    /// All but the last micro-batch of each stage. On the last stage of 1F1B its backward pass follows at once, and keeping
    /// it costs no memory. With [`crate::ScheduleKind::Gpipe`] the backward passes begin with the first micro-batch, so
    /// that the last one stays through all others: a stage holds two of them whole, where with `Always` it holds one.
    ExceptLast,
    /// All.
    Always,
}

impl Recompute {
    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::ExceptLast => "except-last",
            Self::Always => "always",
        }
    }

    /// Whether this micro-batch is computed again.
    pub fn applies(self, micro_batch: usize, micro_batches: usize) -> bool {
        match self {
            Self::Never => false,
            Self::ExceptLast => micro_batch + 1 < micro_batches,
            Self::Always => true,
        }
    }
}

/// A way between two neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// Microseconds until the first byte arrives. Ranks that do something together pay them for each message.
    pub latency_us: f64,
    /// Bytes a microsecond; one message at a time in each direction.
    pub bytes_per_us: f64,
}

impl Link {
    /// Messages that take no time.
    pub const INSTANT: Self = Self { latency_us: 0.0, bytes_per_us: f64::INFINITY };

    /// Threads of one machine: 10 GB/s, 2 µs, nominally.
    pub const MEMORY: Self = Self { latency_us: 2.0, bytes_per_us: 10_000.0 };
}

/// What a message takes of the sending rank's own time, in which it computes nothing: it copies the numbers, say.
/// `fixed_us` is a message's, `per_sample_us` that of a sample's bytes. The way to the other rank ([`Link`]) begins
/// when that is over.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sends {
    /// An output, to the stage after.
    pub activation: Duration,
    /// The gradient of an input, to the stage before.
    pub gradient: Duration,
}

/// What a message takes of the receiving rank's own time once it is there and the rank asks for it: it wakes up and
/// makes a tensor of the numbers, say. `fixed_us` is a message's, `per_sample_us` that of a sample's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Receives {
    /// An input, from the stage before.
    pub activation: Duration,
    /// The gradient of an output, from the stage after.
    pub gradient: Duration,
}

/// What a schedule is run with.
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    /// One for each stage of the model, in the model's order.
    pub stages: Vec<Layer>,
    /// Samples of each micro-batch.
    pub sizes: Vec<usize>,
    /// Which forward passes are computed twice.
    pub recompute: Recompute,
    /// Between every two neighbours.
    pub link: Link,
    /// What sending takes each stage, in the model's order; empty where it takes none of them any time.
    pub sends: Vec<Sends>,
    /// What receiving takes each stage, in the model's order; empty where it takes none of them any time.
    pub receives: Vec<Receives>,
    /// Microseconds of a rank's `ReduceGradients`.
    pub reduce_us: f64,
    /// Microseconds of a rank's `OptimizerStep`.
    pub step_us: f64,
}

impl Costs {
    /// Every stage alike, forward, and both parts of backward, `us` each; messages and updates take no time. A sample's
    /// input, output and kept activations are one byte each, so that bytes count cells.
    pub fn uniform(stages: usize, micro_batches: usize, us: f64) -> Self {
        let stage = Layer {
            forward: Duration::fixed(us),
            backward_input: Duration::fixed(us),
            backward_weight: Duration::fixed(us),
            parameters: 0,
            input_bytes: 1,
            kept_bytes: 1,
            output_bytes: 1,
            reads_in_place: false,
            exchanged: crate::Exchanged::default(),
            tape: crate::Tape::default(),
        };
        Self {
            stages: vec![stage; stages],
            sizes: vec![1; micro_batches],
            recompute: Recompute::Never,
            link: Link::INSTANT,
            sends: Vec::new(),
            receives: Vec::new(),
            reduce_us: 0.0,
            step_us: 0.0,
        }
    }
}

/// One instruction in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// The rank that runs it.
    pub rank: usize,
    /// The instruction.
    pub instruction: Instruction,
    /// When it begins, after what it waits for.
    pub start_us: f64,
    /// When it ends.
    pub end_us: f64,
    /// The span whose end (or whose message's arrival) let it begin; `None` for the first.
    pub after: Option<usize>,
}

/// A schedule that has run on paper.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// Every instruction of every rank; those of one rank in the order of its list.
    pub spans: Vec<Span>,
    /// When the last one ends.
    pub total_us: f64,
    /// Microseconds in which each rank computes forward and backward passes.
    pub busy_us: Vec<f64>,
    /// Microseconds in which each rank sends and computes nothing ([`Costs::sends`]).
    pub sending_us: Vec<f64>,
    /// When the last forward or backward pass ends.
    pub computed_us: f64,
    /// What each rank holds, over time.
    pub held: Vec<Held>,
}

impl Simulation {
    /// Idle over ideal time, until the last backward pass: what the busiest rank waits, sends and receives beside what
    /// it computes.
    pub fn bubble(&self) -> f64 {
        let ideal = self.busy_us.iter().copied().fold(0.0, f64::max);
        if ideal > 0.0 { (self.computed_us - ideal) / ideal } else { 0.0 }
    }

    /// The share of all ranks' time, until the last backward pass, in which they compute nothing.
    pub fn idle_share(&self) -> f64 {
        let all = self.computed_us * self.busy_us.len() as f64;
        if all > 0.0 { 1.0 - self.busy_us.iter().sum::<f64>() / all } else { 0.0 }
    }

    /// The chain of spans that decides the total, the first one first: shortening anything else gains nothing.
    pub fn critical_path(&self) -> Vec<usize> {
        critical_path::of(&self.spans)
    }
}

/// Runs a schedule with these costs.
///
/// # Errors
/// [`PlanError`]: costs, sends or receives of another number of stages, or sizes of another number of micro-batches,
/// than the schedule has.
pub fn simulate(schedule: &Schedule, costs: &Costs) -> Result<Simulation, PlanError> {
    run::run(schedule, costs)
}
