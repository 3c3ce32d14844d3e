//! The timeline as bars, one list for what is foretold and one for what was measured: the drawing knows no difference.

use recspeed_plan::{Instruction, Outlook, Strategy};
use recspeed_types::{EventKind, RunEvent};

/// What a bar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
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
    pub(crate) const ALL: [Self; 6] =
        [Self::Forward, Self::Again, Self::Backward, Self::Weight, Self::Reduce, Self::Step];

    /// The name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Again => "recomputed forward",
            Self::Backward => "backward",
            Self::Weight => "gradients of parameters",
            Self::Reduce => "exchange with replicas",
            Self::Step => "optimizer",
        }
    }

    /// The name in style sheets: `--span-NAME` and `--span-NAME-ink`.
    pub(crate) const fn as_str(self) -> &'static str {
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
pub(crate) struct Bar {
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
}

/// The bars of a plan, rank by rank in the order of time.
pub(crate) fn bars_of(strategy: &Strategy, outlook: &Outlook) -> Vec<Bar> {
    let mut bars = Vec::with_capacity(outlook.simulation.spans.len() / 2);
    for span in &outlook.simulation.spans {
        let cell = span.instruction.cell();
        let mut bar = Bar {
            rank: span.rank,
            part: Part::Forward,
            micro_batch: cell.map(|cell| cell.micro_batch),
            chunk: cell.map_or(0, |cell| cell.chunk),
            start_us: span.start_us,
            end_us: span.end_us,
        };
        match span.instruction {
            Instruction::Forward(_) => {}
            Instruction::Backward(cell) | Instruction::BackwardInput(cell) => {
                if strategy.recompute.applies(cell.micro_batch, strategy.micro_batches) {
                    let stage = &outlook.stages[outlook.schedule.stage(span.rank, cell.chunk)];
                    let split = (span.start_us + stage.forward.of(outlook.sizes[cell.micro_batch])).min(span.end_us);
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
    sort(&mut bars);
    bars
}

/// The bars of a run's `span` events: names are those of `Instruction::span_name`, and `R3` where the third micro-batch's forward
/// pass is computed again; a lane that is a number is the chunk. What has another name is left out. The first bar begins at 0.
pub(crate) fn bars_of_events(events: &[RunEvent]) -> Vec<Bar> {
    let mut bars: Vec<Bar> = events
        .iter()
        .filter_map(|event| {
            let EventKind::Span { rank, lane, name, start_us, duration_us } = &event.kind else { return None };
            let (part, micro_batch) = named(name)?;
            Some(Bar {
                rank: *rank as usize,
                part,
                micro_batch,
                chunk: lane.parse().unwrap_or(0),
                start_us: *start_us as f64,
                end_us: (start_us + duration_us) as f64,
            })
        })
        .collect();
    let first = bars.iter().map(|bar| bar.start_us).fold(f64::INFINITY, f64::min);
    for bar in &mut bars {
        bar.start_us -= first;
        bar.end_us -= first;
    }
    sort(&mut bars);
    bars
}

/// The bars of each rank up to its first optimizer step.
pub(crate) fn first_step(mut bars: Vec<Bar>) -> Vec<Bar> {
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

/// Idle over ideal time of bars that were measured, until the last pass: what the busiest rank waits beside what it computes. The
/// same as a plan's, so that both can be compared.
pub(crate) fn bubble_of(bars: &[Bar]) -> Option<f64> {
    let computes = || bars.iter().filter(|bar| bar.micro_batch.is_some());
    let end = computes().map(|bar| bar.end_us).fold(0.0, f64::max);
    let mut busy = vec![0.0; bars.last()?.rank + 1];
    for bar in computes() {
        busy[bar.rank] += bar.end_us - bar.start_us;
    }
    let ideal = busy.into_iter().fold(0.0, f64::max);
    (ideal > 0.0).then(|| (end - ideal) / ideal)
}

fn named(name: &str) -> Option<(Part, Option<usize>)> {
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

fn sort(bars: &mut [Bar]) {
    bars.sort_by(|a, b| a.rank.cmp(&b.rank).then(a.start_us.total_cmp(&b.start_us)));
}

/// Where each rank's bars lie in the list.
pub(crate) fn rows_of(bars: &[Bar]) -> Vec<std::ops::Range<usize>> {
    let ranks = bars.last().map_or(0, |bar| bar.rank + 1);
    let start = |rank: usize| bars.partition_point(|bar| bar.rank < rank);
    (0..ranks).map(|rank| start(rank)..start(rank + 1)).collect()
}

/// Round moments for an axis of this length, about `wanted` of them.
pub(crate) fn ticks(total_us: f64, wanted: usize) -> Vec<f64> {
    if !total_us.is_finite() || total_us <= 0.0 {
        return vec![0.0];
    }
    let rough = total_us / wanted.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    (0..=(total_us / step) as usize).map(|at| at as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use recspeed_types::RunId;

    use super::super::setup::Setup;
    use super::*;

    fn planned(setup: &Setup) -> (Strategy, Outlook, Vec<Bar>) {
        let (strategy, outlook) = setup.plan().expect("it is possible");
        let bars = bars_of(&strategy, &outlook);
        (strategy, outlook, bars)
    }

    #[test]
    fn bars_of_a_rank_never_lie_over_each_other_and_fill_what_it_computes() {
        for schedule in ["gpipe", "1f1b", "interleaved", "zb-h1"] {
            for recompute in ["never", "except-last", "always"] {
                let mut setup = Setup { recompute, batch: 30, ..Setup::default() };
                setup.choose_schedule(schedule);
                let (_, outlook, bars) = planned(&setup);
                for (rank, row) in rows_of(&bars).into_iter().enumerate() {
                    let row = &bars[row];
                    assert!(row.iter().all(|bar| bar.rank == rank));
                    assert!(
                        row.windows(2).all(|pair| pair[0].end_us <= pair[1].start_us + 1e-6),
                        "{schedule} {recompute}"
                    );
                    let computes = row.iter().filter(|bar| bar.micro_batch.is_some());
                    let busy: f64 = computes.map(|bar| bar.end_us - bar.start_us).sum();
                    assert!((busy - outlook.simulation.busy_us[rank]).abs() < 1e-6 * busy);
                }
            }
        }
    }

    #[test]
    fn bars_that_are_as_planned_have_the_plan_s_bubble() {
        for schedule in ["gpipe", "1f1b", "zb-h1"] {
            let (_, outlook, bars) = planned(&Setup { schedule, recompute: "always", ..Setup::default() });
            let bubble = bubble_of(&bars).expect("there are bars");
            assert!((bubble - outlook.simulation.bubble()).abs() < 1e-9, "{schedule}: {bubble}");
        }
        assert_eq!(bubble_of(&[]), None);
    }

    #[test]
    fn recomputed_passes_are_as_many_as_the_mode_says() {
        for (recompute, expected) in [("never", 0), ("except-last", 7 * 4), ("always", 8 * 4)] {
            let (_, _, bars) = planned(&Setup { recompute, ..Setup::default() });
            assert_eq!(bars.iter().filter(|bar| bar.part == Part::Again).count(), expected);
        }
    }

    #[test]
    fn every_name_of_a_span_is_read() {
        let (_, outlook, _) = planned(&Setup { schedule: "zb-h1", ..Setup::default() });
        for instruction in (0..4).flat_map(|rank| outlook.schedule.list(rank)) {
            let micro_batch = instruction.cell().map(|cell| cell.micro_batch);
            if let Some(name) = instruction.span_name() {
                assert_eq!(named(&name).map(|(_, number)| number), Some(micro_batch), "{name}");
            }
        }
    }

    #[test]
    fn measured_spans_become_bars_on_an_axis_from_0() {
        let span = |seq, rank, name: &str, start_us| RunEvent {
            run: RunId::new("r").expect("an id"),
            seq,
            at_us: 9,
            kind: EventKind::Span { rank, lane: "1".to_owned(), name: name.to_owned(), start_us, duration_us: 5 },
        };
        let bars = bars_of_events(&[
            span(0, 1, "B7", 120),
            span(1, 0, "F7", 100),
            span(2, 0, "load", 90),
            span(3, 0, "step", 130),
        ]);
        let told: Vec<_> = bars.iter().map(|bar| (bar.rank, bar.part, bar.micro_batch, bar.start_us)).collect();
        assert_eq!(
            told,
            [(0, Part::Forward, Some(7), 0.0), (0, Part::Step, None, 30.0), (1, Part::Backward, Some(7), 20.0)]
        );
        assert_eq!((bars[0].chunk, bars[0].end_us), (1, 5.0));
    }

    #[test]
    fn the_first_step_ends_with_each_rank_s_first_update() {
        let bar =
            |rank, part, start_us| Bar { rank, part, micro_batch: None, chunk: 0, start_us, end_us: start_us + 1.0 };
        let first = [bar(0, Part::Forward, 0.0), bar(0, Part::Step, 1.0), bar(1, Part::Forward, 0.0)];
        let all = [&first[..2], &[bar(0, Part::Forward, 2.0), bar(0, Part::Step, 3.0)], &first[2..]].concat();
        assert_eq!(first_step(all), first);
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(1000.0, 5), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
        assert_eq!(ticks(37.0, 4), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(ticks(0.0, 4), [0.0]);
    }
}
