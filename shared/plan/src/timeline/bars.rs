//! The timeline as bars, one list for what is foretold and one for what was measured: whoever draws them knows no difference.

use recspeed_types::limits::MAX_CHUNKS;
use recspeed_types::{EventKind, RunEvent};

use super::order::by_rank_and_time;
use crate::simulate::Costs;
use crate::{Cell, Instruction, Outlook, Recompute, Schedule, Simulation, Strategy};

/// What a bar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A forward pass.
    Forward,
    /// A forward pass that is computed again before its backward pass.
    Again,
    /// A backward pass, or the part that gives the gradient of the input.
    Backward,
    /// The part that gives the gradients of the parameters.
    Weight,
    /// Gradients and parts of ZeRO, exchanged among the replicas.
    Reduce,
    /// The optimizer's step.
    Step,
}

impl Part {
    /// All, in the order of the legend.
    pub const ALL: [Self; 6] = [Self::Forward, Self::Again, Self::Backward, Self::Weight, Self::Reduce, Self::Step];

    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Again => "recomputed forward",
            Self::Backward => "backward",
            Self::Weight => "gradients of parameters",
            Self::Reduce => "exchange with replicas",
            Self::Step => "update",
        }
    }

    /// The name in style sheets: `--span-NAME` and `--span-NAME-ink`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Again => "again",
            Self::Backward => "backward",
            Self::Weight => "weight",
            Self::Reduce => "reduce",
            Self::Step => "step",
        }
    }
}

/// Something that a rank does for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// The rank.
    pub rank: usize,
    /// What it does.
    pub part: Part,
    /// The micro-batch, where it is about one.
    pub micro_batch: Option<usize>,
    /// The rank's chunk.
    pub chunk: usize,
    /// Microseconds from the beginning of the step.
    pub start_us: f64,
    /// The same of its end.
    pub end_us: f64,
    /// Microseconds of it in which the rank waited for messages of others, in collectives that are part of it; 0 in a
    /// plan, which counts them as part of what the rank does.
    pub waited_us: f64,
}

impl Bar {
    /// With moments so many times as late.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let [start_us, end_us, waited_us] = [self.start_us, self.end_us, self.waited_us].map(|us| us * factor);
        Self { start_us, end_us, waited_us, ..self }
    }
}

/// The bars of a plan, rank by rank in the order of time.
pub fn bars_of(strategy: &Strategy, outlook: &Outlook) -> Vec<Bar> {
    bars(&outlook.simulation, strategy.recompute, outlook.sizes.len(), &|rank, cell| {
        outlook.stages[outlook.schedule.stage(rank, cell.chunk)].forward.of(outlook.sizes[cell.micro_batch])
    })
}

/// The same of a schedule that was run with these costs.
pub fn bars_of_costs(schedule: &Schedule, costs: &Costs, run: &Simulation) -> Vec<Bar> {
    bars(run, costs.recompute, costs.sizes.len(), &|rank, cell| {
        costs.stages[schedule.stage(rank, cell.chunk)].forward.of(costs.sizes[cell.micro_batch])
    })
}

/// `forward`: microseconds of a rank's forward pass, which may be computed again.
fn bars(
    run: &Simulation,
    recompute: Recompute,
    micro_batches: usize,
    forward: &dyn Fn(usize, Cell) -> f64,
) -> Vec<Bar> {
    let mut bars = Vec::with_capacity(run.spans.len() / 2);
    for span in &run.spans {
        let cell = span.instruction.cell();
        let mut bar = Bar {
            rank: span.rank,
            part: Part::Forward,
            micro_batch: cell.map(|cell| cell.micro_batch),
            chunk: cell.map_or(0, |cell| cell.chunk),
            start_us: span.start_us,
            end_us: span.end_us,
            waited_us: 0.0,
        };
        match span.instruction {
            Instruction::Forward(_) => {}
            Instruction::Backward(cell) | Instruction::BackwardInput(cell) => {
                if recompute.applies(cell.micro_batch, micro_batches) {
                    let split = (span.start_us + forward(span.rank, cell)).min(span.end_us);
                    bars.push(Bar { part: Part::Again, end_us: split, ..bar });
                    bar.start_us = split;
                }
                bar.part = Part::Backward;
            }
            Instruction::BackwardWeight(_) => bar.part = Part::Weight,
            Instruction::ReduceGradients => bar.part = Part::Reduce,
            Instruction::OptimizerStep => bar.part = Part::Step,
            _ => continue,
        }
        if bar.end_us > bar.start_us {
            bars.push(bar);
        }
    }
    by_rank_and_time(&mut bars, |bar| (bar.rank, bar.start_us));
    bars
}

/// The bars of a run's `span` events: names are those of `Instruction::span_name`, and `R3` where the third micro-batch's forward
/// pass is computed again; a lane that is a number is the chunk. What has another name is left out, and so are
/// collectives, which are part of a bar already. The first bar begins at 0, or the look-up in tables before it.
pub fn bars_of_events(events: &[RunEvent]) -> Vec<Bar> {
    let mut bars: Vec<Bar> = events
        .iter()
        .filter_map(|event| {
            let EventKind::Span { rank, lane, name, start_us, duration_us, waited_us, exchange: None, .. } =
                &event.kind
            else {
                return None;
            };
            let (part, micro_batch) = named(name)?;
            Some(Bar {
                rank: *rank as usize,
                part,
                micro_batch,
                chunk: chunk_of(lane),
                start_us: *start_us as f64,
                end_us: start_us.saturating_add(*duration_us) as f64,
                waited_us: (*waited_us).min(*duration_us) as f64,
            })
        })
        .collect();
    let first = beginning(events).unwrap_or(0) as f64;
    for bar in &mut bars {
        bar.start_us -= first;
        bar.end_us -= first;
    }
    by_rank_and_time(&mut bars, |bar| (bar.rank, bar.start_us));
    bars
}

/// The chunk that a lane is about; 0 of a lane that is none which a run can have.
pub(super) fn chunk_of(lane: &str) -> usize {
    lane.parse().ok().filter(|&chunk| chunk < MAX_CHUNKS as usize).unwrap_or(0)
}

/// When the first bar of these events begins, or the look-up in tables before it, by their own clock.
pub(super) fn beginning(events: &[RunEvent]) -> Option<u64> {
    let start = |event: &RunEvent| match &event.kind {
        EventKind::Span { start_us, exchange: Some(exchange), .. } => exchange.within.is_none().then_some(*start_us),
        EventKind::Span { name, start_us, .. } => named(name).map(|_| *start_us),
        _ => None,
    };
    events.iter().filter_map(start).min()
}

/// The bars of each rank up to its first optimizer step.
pub fn first_step(mut bars: Vec<Bar>) -> Vec<Bar> {
    let mut over = Vec::new();
    bars.retain(|bar| {
        let kept = !over.contains(&bar.rank);
        if bar.part == Part::Step {
            over.push(bar.rank);
        }
        kept
    });
    bars
}

/// Idle over ideal time of bars that were measured, from the first pass until the last: what the busiest rank waits
/// beside what it computes. The same as a plan's, so that both can be compared: collectives within a pass are part of
/// it, and what they wait is no bubble.
pub fn bubble_of(bars: &[Bar]) -> Option<f64> {
    let computes = || bars.iter().filter(|bar| bar.micro_batch.is_some());
    let start = computes().map(|bar| bar.start_us).fold(f64::INFINITY, f64::min);
    let end = computes().map(|bar| bar.end_us).fold(0.0, f64::max);
    let mut busy = vec![0.0; bars.last()?.rank + 1];
    for bar in computes() {
        busy[bar.rank] += bar.end_us - bar.start_us;
    }
    let ideal = busy.into_iter().fold(0.0, f64::max);
    (ideal > 0.0).then(|| (end - start - ideal) / ideal)
}

pub(super) fn named(name: &str) -> Option<(Part, Option<usize>)> {
    let mut letters = name.chars();
    let part = match (name, letters.next()?) {
        ("reduce", _) => return Some((Part::Reduce, None)),
        ("step", _) => return Some((Part::Step, None)),
        (_, 'F') => Part::Forward,
        (_, 'R') => Part::Again,
        (_, 'B' | 'I') => Part::Backward,
        (_, 'W') => Part::Weight,
        _ => return None,
    };
    letters.as_str().parse().ok().map(|micro_batch| (part, Some(micro_batch)))
}

/// Where each rank's bars lie in the list.
pub fn rows_of(bars: &[Bar]) -> Vec<std::ops::Range<usize>> {
    let ranks = bars.last().map_or(0, |bar| bar.rank + 1);
    let start = |rank: usize| bars.partition_point(|bar| bar.rank < rank);
    (0..ranks).map(|rank| start(rank)..start(rank + 1)).collect()
}
