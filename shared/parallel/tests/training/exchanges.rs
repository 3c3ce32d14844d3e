//! Collectives that are noted: each inside the instruction that it is part of, and together all that the rank sent and
//! waited.

use std::cell::Cell;
use std::collections::BTreeSet;

use burn::tensor::Device;
use recspeed_parallel::model::{LayerSizes as _, StepNoise};
use recspeed_parallel::training::{Done, Exchange, Matrix, Rank, Sent, Timeline, TrainError};
use recspeed_parallel::{at_once, local};
use recspeed_plan::sharding::{FlatSpace, ShardLevel};
use recspeed_plan::{Collective, Instruction, Recompute, ScheduleKind};

use crate::bench::{Course, INPUTS, Shape, rows_of, squared, start, tensor};

/// A clock that counts how often this thread has looked at it: no two moments are the same.
pub(crate) fn looked_at() -> u64 {
    thread_local! {
        static LOOKS: Cell<u64> = const { Cell::new(0) };
    }
    LOOKS.set(LOOKS.get() + 1);
    LOOKS.get()
}

/// What each rank noted of each step, and what it sent in it.
fn noted(course: &Course, shape: &Shape) -> Vec<Vec<(Timeline, Sent)>> {
    let (strategy, saved) = (shape.strategy(course.model.parameters().len()), start(&course.model));
    let ranks = local::run_timed(strategy.layout.ranks(), Some(looked_at), |communicator| {
        let (strategy, saved) = (&strategy, &saved);
        async move {
            let device = &Device::flex();
            let model = course.model(strategy, communicator.rank());
            let mut rank = Rank::new(model, strategy.clone(), communicator, course.learning.clone(), saved, device)?;
            let mut steps = Vec::new();
            for (step, &rows) in course.batches.iter().enumerate() {
                let (input, truth) = rows_of(step, rows);
                let batch = Matrix {
                    model,
                    input: &tensor(input, [rows, INPUTS], device),
                    noise: StepNoise { seed: 5, stream: 1000 + step as u64 },
                    judge: Box::new(|scores, rows| squared(scores, &truth[rows])),
                };
                let before = rank.sent()[1];
                rank.note_timeline(true);
                rank.step(&batch).await?;
                let timeline = rank.note_timeline(false);
                steps.push((timeline, since(before, rank.sent()[1])));
            }
            Ok::<_, TrainError>(steps)
        }
    });
    at_once(ranks).expect("all ranks learn")
}

/// What was sent in a step, by what had been before and after it.
pub(crate) fn since(before: Sent, after: Sent) -> Sent {
    Sent {
        steps: after.steps - before.steps,
        bytes: after.bytes - before.bytes,
        messages: after.messages - before.messages,
        waited_us: after.waited_us - before.waited_us,
    }
}

/// Collectives lie in their instruction, in its part that is computed again or after that, one after the other; with
/// what they sent and waited nothing of the instruction is missing, nor, with messages between stages and look-ups, of
/// the step.
pub(crate) fn held_to_the_law(Timeline { done, exchanges }: &Timeline, sent: Sent) {
    let mut before = 0;
    for exchange in exchanges {
        let Exchange { start_us, end_us, waited_us, .. } = *exchange;
        assert!(before <= start_us && start_us <= end_us, "{exchange:?} begins before {before}");
        before = end_us;
        assert!(waited_us <= end_us - start_us, "{exchange:?}");
        assert!(exchange.longest.map_or(0, |longest| longest.us) <= waited_us, "{exchange:?}");
        let Some(instruction) = exchange.within else {
            assert_eq!(exchange.collective, Collective::AllToAll, "only tables are looked up in before the first pass");
            assert!(done.first().is_some_and(|first| end_us <= first.start_us), "{exchange:?}");
            continue;
        };
        let own = done.iter().find(|done| done.instruction == instruction).expect("it is noted, too");
        let border = own.again.map_or(own.start_us, |again| again.end_us);
        let part = if exchange.again { own.start_us..=border } else { border..=own.end_us };
        assert!(part.contains(&start_us) && part.contains(&end_us), "{exchange:?} outside of {own:?}");
    }
    let sums = |of: &dyn Fn(&Exchange) -> bool| {
        let own = exchanges.iter().filter(|exchange| of(exchange));
        own.fold([0_u64; 2], |sum, exchange| [sum[0] + exchange.sent_bytes, sum[1] + exchange.waited_us])
    };
    for Done { instruction, again, sent_bytes, waited_us, .. } in done {
        let within = |exchange: &Exchange| exchange.within == Some(*instruction);
        if instruction.message_name().is_some() {
            assert_eq!(sums(&within), [0, 0], "{instruction:?} is a message itself");
            continue;
        }
        assert_eq!(sums(&within), [*sent_bytes, *waited_us], "{instruction:?}");
        let again = again.map_or([0, 0], |again| [again.sent_bytes, again.waited_us]);
        assert_eq!(
            sums(&|exchange: &Exchange| within(exchange) && exchange.again),
            again,
            "{instruction:?}, computed again"
        );
    }
    let [bytes, waited_us] = sums(&|exchange: &Exchange| exchange.within.is_none());
    assert_eq!(bytes + done.iter().map(|done| done.sent_bytes).sum::<u64>(), sent.bytes);
    assert_eq!(waited_us + done.iter().map(|done| done.waited_us).sum::<u64>(), sent.waited_us);
}

const WIDTHS: [usize; 6] = [6, 5, 4, 7, 6, 5];
/// One of them smaller than there are micro-batches.
const BATCHES: [usize; 3] = [12, 5, 2];

#[test]
fn every_collective_lies_in_its_instruction_and_every_byte_of_a_step_is_told() {
    let (plain, shared) = (Course::new(&WIDTHS, 0.2, &BATCHES), Course::shared(&WIDTHS, 0.2, &BATCHES, 2));
    for level in ShardLevel::ALL {
        for (schedule, chunks) in
            [(ScheduleKind::Gpipe, 1), (ScheduleKind::Interleaved, 2), (ScheduleKind::ZeroBubbleH1, 1)]
        {
            for recompute in [Recompute::Never, Recompute::ExceptLast] {
                for (course, ranks, stages, tensor) in [(&plain, 4, 2, 1), (&plain, 3, 1, 1), (&shared, 8, 2, 2)] {
                    // An interleaved pipeline has stages to go round.
                    let chunks = if stages == 1 { 1 } else { chunks };
                    let shape = Shape {
                        ranks,
                        stages,
                        tensor,
                        micro_batches: 2,
                        schedule,
                        chunks,
                        recompute,
                        level,
                        ..Shape::default()
                    };
                    for (timeline, sent) in noted(course, &shape).iter().flatten() {
                        assert!(!timeline.exchanges.is_empty(), "{shape:?}");
                        assert!(timeline.exchanges.iter().any(|exchange| exchange.longest.is_some()), "{shape:?}");
                        held_to_the_law(timeline, *sent);
                    }
                }
            }
        }
    }
}

#[test]
fn collectives_have_the_names_and_layers_of_what_the_strategy_divides() {
    let plain = Course::new(&WIDTHS, 0.2, &[12]);
    let shared = Course::shared(&WIDTHS, 0.2, &[12], 2);
    let layers: Vec<usize> = (0..=WIDTHS.len()).collect();
    let of = |course: &Course, level: ShardLevel, tensor: usize| {
        let shape = Shape { ranks: 2, tensor, level, ..Shape::default() };
        noted(course, &shape).swap_remove(1).swap_remove(0).0
    };
    let within = |timeline: &Timeline, is: fn(Instruction) -> bool| -> BTreeSet<&'static str> {
        let own = timeline.exchanges.iter().filter(|exchange| exchange.within.is_some_and(is));
        own.map(|exchange| exchange.collective.as_str()).collect()
    };
    let forward: fn(Instruction) -> bool = |instruction| matches!(instruction, Instruction::Forward(_));
    let back: fn(Instruction) -> bool = |instruction| matches!(instruction, Instruction::Backward(_));
    let reduce: fn(Instruction) -> bool = |instruction| instruction == Instruction::ReduceGradients;
    let step: fn(Instruction) -> bool = |instruction| instruction == Instruction::OptimizerStep;
    for (level, tensor, expected) in [
        (ShardLevel::DataParallel, 1, [vec![], vec![], vec!["all-gather", "reduce-scatter"], vec!["all-reduce"]]),
        (ShardLevel::Optimizer, 1, [vec![], vec![], vec!["reduce-scatter"], vec!["all-gather", "all-reduce"]]),
        (ShardLevel::Gradients, 1, [vec![], vec!["reduce-scatter"], vec![], vec!["all-gather", "all-reduce"]]),
        (
            ShardLevel::Parameters,
            1,
            [vec!["all-gather"], vec!["all-gather", "reduce-scatter"], vec![], vec!["all-reduce"]],
        ),
        (ShardLevel::DataParallel, 2, [vec!["all-reduce"], vec!["all-reduce"], vec![], vec!["all-reduce"]]),
    ] {
        let timeline = of(if tensor == 1 { &plain } else { &shared }, level, tensor);
        let found = [forward, back, reduce, step].map(|is| within(&timeline, is));
        assert_eq!(found, expected.map(BTreeSet::from_iter), "{level:?}, layers shared by {tensor}");
    }
    let timeline = of(&plain, ShardLevel::Parameters, 1);
    let gathered = |is: fn(Instruction) -> bool| -> Vec<usize> {
        let own = timeline
            .exchanges
            .iter()
            .filter(|exchange| exchange.within.is_some_and(is) && exchange.collective == Collective::AllGather);
        own.filter_map(|exchange| exchange.layer).collect()
    };
    assert_eq!(gathered(forward), layers);
    assert_eq!(gathered(back), layers.iter().rev().copied().collect::<Vec<_>>());
}

#[test]
fn every_rank_sends_its_part_of_each_layer_whose_parameters_are_divided() {
    let course = Course::new(&WIDTHS, 0.2, &[12]);
    let sizes = course.model.parameters();
    for ranks in [2, 3, 5] {
        let space = FlatSpace::per_parameter(sizes, ranks);
        let shape = Shape { ranks, level: ShardLevel::Parameters, ..Shape::default() };
        for (rank, steps) in noted(&course, &shape).iter().enumerate() {
            let of_layers = steps[0].0.exchanges.iter().filter_map(|exchange| Some((exchange.layer?, exchange)));
            let of_layers: Vec<(usize, &Exchange)> = of_layers.collect();
            assert_eq!(of_layers.len(), 3 * sizes.len(), "gathered twice, and added up");
            for (layer, exchange) in of_layers {
                let own = space.part(layer, rank).len();
                assert!(own > 0 && own.abs_diff(sizes[layer] / ranks) <= 1, "rank {rank} has {own} of layer {layer}");
                let sent = match exchange.collective {
                    Collective::AllGather => own * (ranks - 1),
                    Collective::ReduceScatter => sizes[layer] - own,
                    other => panic!("{} of layer {layer}", other.as_str()),
                };
                assert_eq!(exchange.sent_bytes, 4 * sent as u64, "rank {rank} of {ranks}: {exchange:?}");
            }
        }
    }
}

#[test]
fn a_rank_alone_exchanges_nothing_and_notes_nothing_of_it() {
    let course = Course::new(&WIDTHS, 0.2, &BATCHES);
    for (micro_batches, recompute) in [(1, Recompute::Never), (3, Recompute::Always)] {
        for level in ShardLevel::ALL {
            let shape = Shape { micro_batches, recompute, level, ..Shape::default() };
            for (timeline, sent) in noted(&course, &shape).iter().flatten() {
                assert!(!timeline.done.is_empty());
                assert_eq!(timeline.exchanges, [], "{shape:?}");
                assert_eq!((sent.bytes, sent.waited_us), (0, 0));
                held_to_the_law(timeline, *sent);
            }
        }
    }
}

#[test]
fn what_nobody_asks_for_is_not_noted() {
    let course = Course::new(&WIDTHS, 0.2, &[12]);
    let shape = Shape { ranks: 2, level: ShardLevel::Parameters, ..Shape::default() };
    let (strategy, saved) = (shape.strategy(course.model.parameters().len()), start(&course.model));
    let noted = local::run_timed(2, Some(looked_at), |communicator| {
        let (course, strategy, saved) = (&course, &strategy, &saved);
        async move {
            let (model, device) = (&course.model, &Device::flex());
            let mut rank = Rank::new(model, strategy.clone(), communicator, course.learning.clone(), saved, device)?;
            let (input, truth) = rows_of(0, 12);
            let batch = Matrix {
                model,
                input: &tensor(input, [12, INPUTS], device),
                noise: StepNoise { seed: 5, stream: 1000 },
                judge: Box::new(|scores, rows| squared(scores, &truth[rows])),
            };
            rank.step(&batch).await?;
            let [all, noted] = rank.sent();
            assert!(all.bytes > 0 && noted.bytes == 0);
            Ok::<_, TrainError>(rank.note_timeline(false))
        }
    });
    assert_eq!(at_once(noted).expect("both learn"), [Timeline::default(), Timeline::default()]);
}
