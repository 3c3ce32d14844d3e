//! Layers that ranks share, alone and as stages and replicas.

use proptest::prelude::*;
use recspeed_parallel::model::LayerSizes as _;
use recspeed_parallel::training::{Account, Rule};
use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::{Recompute, ScheduleKind};

use crate::bench::{Course, Shape, bits, close, orders, same_gradient, start, train};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn shared_layers_in_stages_and_replicas_compute_the_update_of_one_device(
        widths in prop::collection::vec(4..9_usize, 1..6),
        batches in prop::collection::vec(1..17_usize, 1..4),
        tensor in 1..5_usize,
        stages in 1..3_usize,
        replicas in 1..4_usize,
        micro_batches in 1..4_usize,
        level in prop::sample::select(ShardLevel::ALL.to_vec()),
        (schedule, chunks) in prop::sample::select(orders()),
        recompute in prop::sample::select(vec![Recompute::Never, Recompute::ExceptLast, Recompute::Always]),
        clip in prop::sample::select(vec![None, Some(0.05)]),
    ) {
        let mut course = Course::shared(&widths, 0.2, &batches, tensor);
        course.learning.rule = Rule::sgd(0.01);
        course.learning.clip = clip;
        let ranks = tensor * stages * replicas;
        let shape = Shape { ranks, stages, tensor, micro_batches, schedule, recompute, level, ..Shape::default() };
        let shape = shape.with_chunks(chunks, widths.len() + 1);
        let ends = shape.train(&course);
        let alone = Shape::default().train(&course);
        let compared = close(&ends[0].saved.numbers, &alone[0].saved.numbers);
        prop_assert!(compared.is_ok(), "{compared:?}");
        for (ours, theirs) in ends[0].losses.iter().zip(&alone[0].losses) {
            prop_assert!((ours - theirs).abs() <= 4e-5 + 1e-5 * theirs.abs(), "a loss of {ours} against {theirs}");
        }
        course.one_gradient();
        let (ours, theirs) = (shape.train(&course), Shape::default().train(&course));
        let compared = same_gradient(&start(&course.model).numbers, &ours[0].saved.numbers, &theirs[0].saved.numbers);
        prop_assert!(compared.is_ok(), "{compared:?}");
    }
}

#[test]
fn schedules_recomputation_and_levels_change_no_bit_where_layers_are_shared() {
    let course = Course::shared(&[6, 5, 4, 7, 6, 5, 4], 0.3, &[13, 8, 13], 2);
    let of = |shape: Shape| bits(&shape.train(&course)[0].saved);
    let expected = of(Shape { ranks: 2, tensor: 2, micro_batches: 3, ..Shape::default() });
    for stages in 1..=4 {
        for schedule in ScheduleKind::ALL {
            let chunks = if schedule == ScheduleKind::Interleaved { 2 } else { 1 };
            for recompute in [Recompute::Never, Recompute::ExceptLast, Recompute::Always] {
                let ranks = 2 * stages;
                let shape = Shape {
                    ranks,
                    stages,
                    tensor: 2,
                    micro_batches: 3,
                    schedule,
                    chunks,
                    recompute,
                    ..Shape::default()
                };
                assert_eq!(of(shape), expected, "{} with {stages} stages", schedule.as_str());
            }
        }
    }
    let plain = of(Shape { ranks: 6, tensor: 2, ..Shape::default() });
    for level in ShardLevel::ALL {
        assert_eq!(of(Shape { ranks: 6, tensor: 2, level, ..Shape::default() }), plain, "{level:?}");
    }
}

#[test]
fn ranks_that_share_layers_hold_each_number_once() {
    let course = Course::shared(&[40, 40, 40, 40], 0.0, &[8], 3);
    let whole: u64 = course.model.parameters().iter().map(|&count| 4 * count as u64).sum();
    for level in ShardLevel::ALL {
        let ends = Shape { ranks: 6, tensor: 3, level, ..Shape::default() }.train(&course);
        let held: u64 = ends.iter().map(|end| end.ledger.most(Account::Parameters)).sum();
        let copies = if level == ShardLevel::Parameters { 1 } else { 2 };
        assert_eq!(held, copies * whole, "{level:?}");
    }
}

#[test]
fn sums_over_the_ranks_that_share_layers_travel_as_planned() {
    use recspeed_plan::dense::{Speed, mlp, shared};
    use recspeed_plan::simulate::Link;
    let (widths, batches) = ([40, 40, 40, 40], [8, 16]);
    let planned = mlp(&[3, 40, 40, 40, 40, 1], Speed::of_gflops(1.0));
    let rows: u64 = batches.iter().sum::<usize>() as u64;
    for tensor in [1, 2, 4] {
        let course = Course::shared(&widths, 0.0, &batches, tensor);
        let layers = shared(&planned, tensor, Link::INSTANT);
        for (recompute, times) in [(Recompute::Never, 1), (Recompute::Always, 2)] {
            let ends = Shape { ranks: tensor, tensor, micro_batches: 2, recompute, ..Shape::default() }.train(&course);
            let exchanged = layers.iter().map(|layer| layer.exchanged);
            let bytes: u64 = exchanged.clone().map(|of| times * of.forward + of.backward).sum();
            let once = bytes * (tensor as u64 - 1) / tensor as u64;
            for end in &ends {
                assert_eq!(end.traffic.shared, rows * once, "{tensor} ranks, recompute {}", recompute.as_str());
                // One sum at a time, the widest over the rows of half a batch.
                let most = if tensor == 1 { 0 } else { 4 * 40 * 8 };
                assert_eq!(end.ledger.most(Account::Transient), most);
                assert_eq!(exchanged.clone().map(|of| 8 * of.held).max(), Some(most));
            }
        }
    }
}

#[test]
fn a_training_goes_on_where_others_share_the_layers() {
    let widths = [6, 5, 4, 7, 3];
    let new = |batches: &[usize], parts: usize| Course::shared(&widths, 0.2, batches, parts);
    let all = [12, 12, 12, 12, 9];
    let shape = |ranks: usize, stages: usize, tensor: usize, level: ShardLevel| {
        Shape { ranks, stages, tensor, level, micro_batches: 2, ..Shape::default() }.strategy(widths.len() + 1)
    };
    let alone = shape(1, 1, 1, ShardLevel::DataParallel);
    let two = shape(8, 2, 2, ShardLevel::Parameters);
    let three = shape(3, 1, 3, ShardLevel::DataParallel);
    let whole = train(&new(&all, 1), &alone, &start(&new(&all, 1).model), 0).unwrap();
    for (first, then) in [(&two, &three), (&three, &alone), (&alone, &two)] {
        let (begun, course) = (new(&all[..2], first.layout.tensor()), new(&all, then.layout.tensor()));
        let half = train(&begun, first, &start(&course.model), 0).unwrap();
        let end = train(&course, then, &half[0].saved, 2).unwrap();
        let [ours, theirs] = [&end[0].saved, &whole[0].saved].map(|saved| &saved.numbers);
        let far = ours.iter().zip(theirs).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
        assert!(far * 50 <= theirs.len(), "{far} of {} numbers are far", theirs.len());
    }
    // By plain descent every number is near.
    let descends = |batches: &[usize], parts: usize| new(batches, parts).descends();
    let whole = train(&descends(&all, 1), &alone, &start(&new(&all, 1).model), 0).unwrap();
    for (first, then) in [(&two, &three), (&three, &alone), (&alone, &two)] {
        let (begun, course) = (descends(&all[..2], first.layout.tensor()), descends(&all, then.layout.tensor()));
        let half = train(&begun, first, &start(&course.model), 0).unwrap();
        let end = train(&course, then, &half[0].saved, 2).unwrap();
        close(&end[0].saved.numbers, &whole[0].saved.numbers).unwrap();
        assert!(close(&end[0].saved.numbers, &half[0].saved.numbers).is_err(), "the other steps move the numbers");
    }
}

#[test]
fn a_model_that_is_not_cut_for_the_strategy_is_refused() {
    let course = Course::shared(&[6, 6], 0.0, &[4], 3);
    let strategy = Shape { ranks: 2, tensor: 2, ..Shape::default() }.strategy(3);
    let error = train(&course, &strategy, &start(&course.model), 0).unwrap_err().to_string();
    assert!(error.contains("strategy.tensor is 2") && error.contains("part 0 of 3"), "{error}");
}
