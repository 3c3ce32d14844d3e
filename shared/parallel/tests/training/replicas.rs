//! Replicas that divide optimizer state, gradients and parameters among them, alone and as replicas of a pipeline.

use proptest::prelude::*;
use recspeed_parallel::model::LayerSizes as _;
use recspeed_parallel::training::{Account, Rule};
use recspeed_plan::dense::{Speed, dense};
use recspeed_plan::sharding::{OptimizerState, Precision, ShardLevel, forecast, traffic};
use recspeed_plan::simulate::Link;
use recspeed_plan::{Outlook, Recompute, ScheduleKind};

use crate::bench::{Course, Shape, bits, close, one_device, orders, same_gradient, start, train};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_level_on_every_number_of_ranks_computes_the_update_of_one_device(
        widths in prop::collection::vec(1..7_usize, 1..6),
        batches in prop::collection::vec(1..17_usize, 1..4),
        replicas in 1..7_usize,
        stages in 1..3_usize,
        micro_batches in 1..4_usize,
        level in prop::sample::select(ShardLevel::ALL.to_vec()),
        (schedule, chunks) in prop::sample::select(orders()),
        recompute in prop::sample::select(vec![Recompute::Never, Recompute::ExceptLast, Recompute::Always]),
        offload: bool,
        clip in prop::sample::select(vec![None, Some(0.05)]),
    ) {
        let mut course = Course::new(&widths, 0.2, &batches);
        course.learning.rule = Rule::sgd(0.01);
        course.learning.clip = clip;
        let ranks = replicas * stages;
        let shape = Shape { ranks, stages, micro_batches, schedule, recompute, level, offload, ..Shape::default() };
        let shape = shape.with_chunks(chunks, widths.len() + 1);
        let ends = shape.train(&course);
        let expected = one_device(&course, &widths, 0.2);
        let compared = close(&ends[0].saved.numbers, &expected.numbers);
        prop_assert!(compared.is_ok(), "{compared:?}");
        course.one_gradient();
        let (ours, theirs) = (shape.train(&course), one_device(&course, &widths, 0.2));
        let compared = same_gradient(&start(&course.model).numbers, &ours[0].saved.numbers, &theirs.numbers);
        prop_assert!(compared.is_ok(), "{compared:?}");
    }
}

#[test]
fn all_levels_agree_to_the_last_bit_with_adam() {
    let course = Course::new(&[6, 5, 4, 7], 0.2, &[12, 9, 12, 1]);
    // More ranks than the smallest layer has numbers, and numbers that they do not divide.
    for ranks in [2, 3, 4, 7, 13] {
        let plain = bits(&Shape { ranks, ..Shape::default() }.train(&course)[0].saved);
        for level in ShardLevel::ALL {
            let divided = Shape { ranks, level, ..Shape::default() }.train(&course);
            assert!(bits(&divided[0].saved) == plain, "{level:?} on {ranks}");
        }
    }
}

#[test]
fn replicas_hold_the_same_after_each_step() {
    let batches = [11, 9, 2, 5];
    for steps in 1..=batches.len() {
        let course = Course::new(&[6, 5, 4, 7], 0.2, &batches[..steps]);
        for level in ShardLevel::ALL {
            for (ranks, stages) in [(2, 1), (3, 1), (4, 2)] {
                Shape { ranks, stages, micro_batches: 2, level, ..Shape::default() }.train(&course);
            }
        }
    }
}

#[test]
fn an_optimizer_in_the_hosts_memory_takes_the_same_steps_to_the_last_bit() {
    let course = Course::new(&[6, 5, 4, 7], 0.2, &[12, 9, 12, 1]);
    let (parameters, optimizer) = (course.model.parameters().iter().sum::<usize>() as u64, OptimizerState::TwoMoments);
    let layers = course.model.parameters().len();
    for ranks in 1..=4 {
        for level in ShardLevel::ALL {
            let here = Shape { ranks, level, ..Shape::default() };
            let there = Shape { offload: true, ..Shape { ranks, level, ..Shape::default() } };
            let (plain, offloaded) = (here.train(&course), there.train(&course));
            assert!(bits(&offloaded[0].saved) == bits(&plain[0].saved), "{level:?} on {ranks}");
            for (rank, (plain, offloaded)) in plain.iter().zip(&offloaded).enumerate() {
                let (ledger, before) = (&offloaded.ledger, &plain.ledger);
                let what = format!("{level:?}, rank {rank} of {ranks}: {ledger:?}, {before:?}");
                assert_eq!(ledger.most(Account::Host), before.most(Account::Optimizer), "{what}");
                assert_eq!((ledger.most(Account::Optimizer), before.most(Account::Host)), (0, 0), "{what}");
                assert!(ledger.peak() < before.peak(), "{what}");
                let foretold = forecast(level, ranks, parameters, 0, Precision::F32, optimizer, true);
                // Shards are padded in the forecast: at most one number of each moment.
                assert!(foretold.host - ledger.most(Account::Host) <= 8 * ranks as u64, "{what}: {foretold:?}");
                // Both moments are twice the numbers: in each of four steps as many bytes go as gradients and numbers, half come back.
                let (there, back) = (offloaded.traffic.to_host, offloaded.traffic.from_host);
                assert_eq!((there, back), (4 * ledger.most(Account::Host), 2 * ledger.most(Account::Host)), "{what}");
                assert_eq!((plain.traffic.to_host, plain.traffic.from_host), (0, 0), "{what}");
                assert_eq!(offloaded.traffic.total(), plain.traffic.total(), "{what}");
            }
            // Half of the steps there, the other half here.
            let mut half = Course::new(&[6, 5, 4, 7], 0.2, &[12, 9]);
            half.learning = course.learning.clone();
            let middle = there.train(&half);
            let end = train(&course, &here.strategy(layers), &middle[0].saved, 2).unwrap();
            assert!(bits(&end[0].saved) == bits(&plain[0].saved), "{level:?} on {ranks}");
        }
    }
}

#[test]
fn more_ranks_than_parameters_are_no_error() {
    let course = Course::new(&[1], 0.0, &[3, 2]);
    let parameters: usize = course.model.parameters().iter().sum();
    assert_eq!(parameters, 6);
    for level in ShardLevel::ALL {
        Shape { ranks: 9, level, ..Shape::default() }.train(&course);
    }
}

#[test]
fn bytes_held_and_sent_are_those_of_the_plan() {
    // 4 · 1600 + 1601 · 1600 + 1600 · 1600 + 1601: 5,129,601 parameters.
    let course = Course::new(&[1600, 1600, 1600], 0.0, &[4]);
    let parameters: u64 = course.model.parameters().iter().map(|&count| count as u64).sum();
    let largest = course.model.parameters().iter().max().copied().unwrap() as u64;
    for ranks in [1, 2, 4] {
        for level in ShardLevel::ALL {
            let ends = Shape { ranks, level, ..Shape::default() }.train(&course);
            let foretold =
                forecast(level, ranks, parameters, largest, Precision::F32, OptimizerState::TwoMoments, false);
            let sent = traffic(level, ranks, parameters, Precision::F32);
            for (rank, end) in ends.iter().enumerate() {
                let near = |what: &str, measured: u64, foretold: u64| {
                    let off = measured.abs_diff(foretold) as f64;
                    assert!(
                        off <= 0.05 * foretold as f64,
                        "{level:?}, rank {rank} of {ranks}, {what}: {measured} {foretold}"
                    );
                };
                let ledger = &end.ledger;
                near("parameters", ledger.most(Account::Parameters), foretold.parameters);
                near("gradients", ledger.most(Account::Gradients), foretold.gradients);
                near("optimizer", ledger.most(Account::Optimizer), foretold.optimizer);
                assert!(ledger.most(Account::Transient) <= foretold.transient, "{level:?}: {ledger:?} {foretold:?}");
                near("what updates take", ledger.most(Account::Update), foretold.update);
                near("reduced", end.traffic.reduce_scatter, sent.reduce_scatter);
                near("gathered", end.traffic.all_gather, sent.all_gather);
                assert_eq!(ledger.held(Account::Gradients), 0, "gradients are given back");
            }
        }
    }
}

#[test]
fn bytes_sent_to_replicas_are_the_plans_to_the_byte_whatever_is_computed_again() {
    // 32, 72, 64, 72 and 72, 56, 8 parameters: four replicas divide each stage.
    let (widths, batch) = ([8, 8, 8, 8, 8, 7], 6);
    for (replicas, stages) in [(2, 1), (4, 1), (2, 2), (4, 2)] {
        let course = Course::new(&widths, 0.2, &[batch * replicas]);
        let parameters = course.model.parameters();
        for level in ShardLevel::ALL {
            for micro_batches in [1, 3] {
                for recompute in [Recompute::Never, Recompute::ExceptLast, Recompute::Always] {
                    let ranks = replicas * stages;
                    let shape = Shape { ranks, stages, micro_batches, recompute, level, ..Shape::default() };
                    let layer = |&parameters: &usize| recspeed_plan::Layer {
                        parameters: parameters as u64,
                        ..dense(1, 1, Speed::of_gflops(1.0))
                    };
                    let plan = shape.plan(parameters.iter().map(layer).collect(), batch);
                    let outlook = Outlook::of(&plan).unwrap();
                    let ends = shape.train(&course);
                    if stages == 1 {
                        // A microsecond for each message, whatever is in it.
                        let link = Link { latency_us: 1.0, bytes_per_us: f64::INFINITY };
                        let run = Outlook::of(&recspeed_plan::Strategy { link, ..plan }).unwrap().simulation;
                        let planned = (run.total_us - run.computed_us).round() as u64;
                        let busiest = ends.iter().map(|end| end.counters.sent.max(end.counters.received)).max();
                        // With ZeRO 2 a layer lies on few ranks: who sends most need not be who gets most.
                        let exact = level != ShardLevel::Gradients;
                        assert!(
                            busiest.is_some_and(|busiest| if exact { busiest == planned } else { busiest <= planned }),
                            "{level:?}, {micro_batches} micro-batches: {busiest:?} messages and not {planned}"
                        );
                    }
                    for (rank, end) in ends.iter().enumerate() {
                        let place = shape.strategy(parameters.len()).layout.place(rank);
                        let foretold = outlook.ranks[place.stage].reduction;
                        let what =
                            format!("{level:?}, {micro_batches} micro-batches, recompute {recompute:?}, rank {rank}");
                        assert_eq!(end.traffic.all_gather, foretold.all_gather, "{what} of {ranks}: gathered");
                        assert_eq!(end.traffic.reduce_scatter, foretold.reduce_scatter, "{what} of {ranks}: reduced");
                    }
                }
            }
        }
    }
}

#[test]
fn a_training_goes_on_under_another_level_to_the_last_bit() {
    let course = Course::new(&[6, 5, 4, 7], 0.2, &[12, 9, 12, 1]);
    let begun = Course::new(&[6, 5, 4, 7], 0.2, &[12, 9]);
    let layers = course.model.parameters().len();
    // With 13 ranks some have nothing of the smallest layer.
    for ranks in [2, 3, 7, 13] {
        let of = |level| Shape { ranks, level, ..Shape::default() };
        let unbroken = bits(&of(ShardLevel::DataParallel).train(&course)[0].saved);
        for first in ShardLevel::ALL {
            let half = of(first).train(&begun);
            for then in ShardLevel::ALL {
                let end = train(&course, &of(then).strategy(layers), &half[0].saved, 2).unwrap();
                assert!(bits(&end[0].saved) == unbroken, "{first:?}, then {then:?} on {ranks}");
            }
        }
    }
}

#[test]
fn a_training_goes_on_under_another_layout() {
    let course = Course::new(&[6, 5, 4, 7, 3], 0.2, &[12, 12, 12, 12, 9]);
    let layers = course.model.parameters().len();
    let two_by_two = Shape {
        ranks: 4,
        stages: 2,
        micro_batches: 2,
        schedule: ScheduleKind::ZeroBubbleH1,
        level: ShardLevel::Parameters,
        ..Shape::default()
    };
    let three = Shape { ranks: 3, stages: 3, micro_batches: 4, ..Shape::default() };
    let alone = Shape::default();
    let whole = train(&course, &alone.strategy(layers), &start(&course.model), 0).unwrap();
    for (first, then) in [(&two_by_two, &three), (&three, &two_by_two), (&two_by_two, &alone), (&alone, &three)] {
        let mut begun = Course::new(&[6, 5, 4, 7, 3], 0.2, &[12, 12]);
        begun.learning = course.learning.clone();
        let half = train(&begun, &first.strategy(layers), &start(&course.model), 0).unwrap();
        let end = train(&course, &then.strategy(layers), &half[0].saved, 2).unwrap();
        let [ours, theirs] = [&end[0].saved, &whole[0].saved].map(|saved| &saved.numbers);
        let far = ours.iter().zip(theirs).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
        assert!(far * 50 <= theirs.len(), "{far} of {} numbers are far", theirs.len());
        assert_eq!(end[0].saved.moments.as_ref().map(|(steps, _)| *steps), Some(5));
    }
    // By plain descent every number is near, whatever the layouts.
    let descends = |batches: &[usize]| Course::new(&[6, 5, 4, 7, 3], 0.2, batches).descends();
    let (begun, course_of_all) = (descends(&[12, 12]), descends(&course.batches));
    let from = start(&course.model);
    let whole = train(&course_of_all, &alone.strategy(layers), &from, 0).unwrap();
    for (first, then) in [(&two_by_two, &three), (&three, &two_by_two), (&two_by_two, &alone), (&alone, &three)] {
        let half = train(&begun, &first.strategy(layers), &from, 0).unwrap();
        let end = train(&course_of_all, &then.strategy(layers), &half[0].saved, 2).unwrap();
        close(&end[0].saved.numbers, &whole[0].saved.numbers).unwrap();
        assert!(close(&end[0].saved.numbers, &half[0].saved.numbers).is_err(), "the other steps move the numbers");
    }
    // The same layout again: to the last bit.
    let half = train(&Course::new(&[6, 5, 4, 7, 3], 0.2, &[12, 12]), &three.strategy(layers), &start(&course.model), 0);
    let end = train(&course, &three.strategy(layers), &half.unwrap()[1].saved, 2).unwrap();
    let unbroken = three.train(&course);
    assert_eq!(bits(&end[0].saved), bits(&unbroken[0].saved));
}
