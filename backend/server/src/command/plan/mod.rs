//! `recspeed plan`: a pipeline's schedule drawn in the terminal, its bubble and what its ranks hold, before anything runs. Of a
//! spec with its model, bytes counted and times too, or as a run has measured them, of a network that is no row of layers bytes alone; of flags alone with stages that are all alike, or as long as a file
//! says.

mod lengths;
mod measured;
mod of_flags;
mod of_spec;
mod picture;
mod room;
mod tables;
mod whole;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use recspeed_plan::{Recompute, ScheduleKind};

use super::failure::CommandError;
use super::writable;

pub(crate) use lengths::LengthsError;
pub(crate) use measured::MeasuredRunError;
pub(super) use room::of_the_machine as memory_of_the_machine;

/// Cells that one plan may have together, micro-batches rounded up to whole groups of ranks: it is there in well under a second.
const MAX_CELLS: usize = 200_000;
/// More parameters than any model has.
const MAX_PARAMETERS: u64 = 1_000_000_000_000_000;

/// Arguments of `recspeed plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// A spec with [strategy], as of `recspeed run`: its model is planned, with times and bytes
    #[arg(value_name = "FILE", conflicts_with_all = ["stages", "micro_batches", "schedule", "chunks", "recompute", "parameters"])]
    file: Option<String>,
    /// Replace one field of the spec, as strategy.stages=4 (may be repeated)
    #[arg(long, value_name = "KEY=VALUE", requires = "file")]
    set: Vec<String>,
    /// How fast each rank computes, in GFLOP/s: times are counted with it, not measured
    #[arg(long, default_value_t = recspeed_plan::pace::GFLOPS, requires = "file", value_parser = gflops)]
    gflops: f64,
    /// How fast numbers travel between every two ranks, in GB/s; inf where messages take no time but their latency
    #[arg(long, default_value_t = 10.0, requires = "file", value_parser = gigabytes)]
    bandwidth: f64,
    /// What each message takes beside that, in microseconds
    #[arg(long, default_value_t = 2.0, requires = "file", value_parser = microseconds)]
    latency: f64,
    /// Memory that all ranks may use together, in MiB (nine tenths of the machine's unless set)
    #[arg(long, value_name = "MIB", requires = "file", value_parser = clap::value_parser!(u64).range(16..=1_048_576))]
    memory_limit: Option<u64>,
    /// Memory of each GPU that ranks compute on, in MiB (what its driver tells the worker unless set)
    #[arg(long, value_name = "MIB", requires = "file", value_parser = clap::value_parser!(u64).range(16..=1_048_576))]
    gpu_memory: Option<u64>,
    /// Users of the data set, for tables of embeddings: with --items nothing is read
    #[arg(long, value_name = "N", requires = "file", requires = "items", value_parser = clap::value_parser!(u32).range(1..))]
    users: Option<u32>,
    /// Items of the data set, for tables of embeddings
    #[arg(long, value_name = "N", requires = "file", requires = "users", value_parser = clap::value_parser!(u32).range(1..))]
    items: Option<u32>,
    /// Ranks of the pipeline: one stage each, or as many as --chunks says
    #[arg(long, default_value_t = 4)]
    stages: usize,
    /// Micro-batches that a batch is cut into
    #[arg(long, default_value_t = 8)]
    micro_batches: usize,
    /// Order of forward and backward passes
    #[arg(long, value_enum, default_value_t = ScheduleName::Gpipe)]
    schedule: ScheduleName,
    /// Stages a rank, for the interleaved schedule
    #[arg(long, default_value_t = 1)]
    chunks: usize,
    /// Forward passes that are computed again in the backward pass instead of being kept
    #[arg(long, value_enum, default_value_t = RecomputeName::Never)]
    recompute: RecomputeName,
    /// With a spec, passes as long as a run of the same network measured them, and the cut into stages that follows: the number of a run of
    /// the lab, as in its address after /r/, or the timeline that `recspeed run FILE --trace` or `recspeed trace RUN` has written. Without a spec, passes
    /// and sends as long as a JSON file says (docs/parallel.md) instead of stages that are all alike
    #[arg(long, value_name = "RUN or FILE")]
    lengths: Option<PathBuf>,
    /// The lab's folder, where --lengths names a run of it (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
    /// Also what each level of ZeRO holds for a model with so many parameters, on --ranks ranks, in 32 bits with Adam
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_PARAMETERS))]
    parameters: Option<u64>,
    /// Ranks that share the parameters
    #[arg(long, default_value_t = 4, requires = "parameters")]
    ranks: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also write the timeline in Chrome's trace event format (JSON), which Perfetto reads: a new file, or one with an earlier timeline,
    /// which it replaces
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// Speeds that a rank may have.
fn gflops(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (1e-3..=1e9).contains(number));
    number.ok_or_else(|| format!("`{text}` is no speed: give a number from 0.001 to 1000000000"))
}

/// Speeds that a link may have.
fn gigabytes(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (1e-6..=1e6).contains(number) || *number == f64::INFINITY);
    number.ok_or_else(|| {
        format!("`{text}` is no speed of a link: give a number of GB/s from 0.000001 to 1000000, or inf")
    })
}

/// Latencies that a link may have.
fn microseconds(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=1e6).contains(number));
    number.ok_or_else(|| format!("`{text}` is no latency: give a number of microseconds from 0 to 1000000"))
}

/// The names of the schedules, as in a spec.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScheduleName {
    Gpipe,
    #[value(name = "1f1b")]
    OneForwardOneBackward,
    Interleaved,
    #[value(name = "zb-h1")]
    ZeroBubbleH1,
}

/// The names of the recompute modes, as in a spec.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RecomputeName {
    Never,
    ExceptLast,
    Always,
}

impl From<ScheduleName> for ScheduleKind {
    fn from(name: ScheduleName) -> Self {
        match name {
            ScheduleName::Gpipe => Self::Gpipe,
            ScheduleName::OneForwardOneBackward => Self::OneForwardOneBackward,
            ScheduleName::Interleaved => Self::Interleaved,
            ScheduleName::ZeroBubbleH1 => Self::ZeroBubbleH1,
        }
    }
}

impl From<RecomputeName> for Recompute {
    fn from(name: RecomputeName) -> Self {
        match name {
            RecomputeName::Never => Self::Never,
            RecomputeName::ExceptLast => Self::ExceptLast,
            RecomputeName::Always => Self::Always,
        }
    }
}

/// Plans and prints.
pub(crate) fn print(args: &PlanArgs) -> Result<u8, CommandError> {
    if let Some(path) = &args.trace {
        writable::trace("--trace", path)?;
    }
    match &args.file {
        Some(file) => of_spec::print(file, args),
        None => of_flags::print(args),
    }
}

fn refuse_too_large(stages: usize, micro_batches: usize, chunks: usize) -> Result<(), CommandError> {
    let groups = micro_batches.div_ceil(stages.max(1));
    let cells = stages.saturating_mul(stages).saturating_mul(groups).saturating_mul(chunks);
    if cells > MAX_CELLS { Err(CommandError::PlanTooLarge { cells, most: MAX_CELLS }) } else { Ok(()) }
}
