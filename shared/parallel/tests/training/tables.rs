//! Ranks whose layers look up in tables: whatever else they divide, and however they divide the tables.

use std::borrow::Cow;

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use recspeed_parallel::model::{LayerSizes as _, Noise};
use recspeed_parallel::tables::{RowGradient, RowRule};
use recspeed_parallel::training::{Rule, Strategy, TrainError};
use recspeed_parallel::{at_once, local};
use recspeed_plan::sharding::{ShardLevel, TableSharding};
use recspeed_plan::{Collective, Instruction, Recompute, ScheduleKind};

use crate::bench::{Course, INPUTS, Shape, close, on_one_tape, orders, same_gradient, start, tensor};
use crate::exchanges::{held_to_the_law, since};
use crate::looking::{Begun, End, Looking, first_tables, one_rank};

const RULE: RowRule = RowRule::Sgd { decay: 0.0 };

fn train(
    course: &Course,
    strategy: &Strategy,
    how: (RowRule, TableSharding),
    from: Begun<'_>,
) -> Result<Vec<End>, TrainError> {
    at_once(local::run(strategy.layout.ranks(), |communicator| {
        one_rank(course, strategy, how, from, communicator, |timeline, [before, after]| {
            held_to_the_law(timeline, since(before, after));
        })
    }))
}

/// One tape over everything, the update on whole tables.
fn one_device(course: &Course, widths: &[usize], dropout: f32) -> (Vec<f32>, Vec<Vec<f32>>) {
    let device = Device::flex();
    let row = |values: Vec<f32>| {
        let count = values.len();
        Tensor::<1>::from_data(TensorData::new(values, [count]), &device)
    };
    let mut numbers = row(start(&course.model).numbers);
    let mut tables: Vec<Vec<f32>> = first_tables().numbers.into_iter().map(Cow::into_owned).collect();
    for (step, &rows) in course.batches.iter().enumerate() {
        let batch = Looking::new(&course.model, step, rows);
        let leaf = numbers.clone().autodiff().require_grad();
        let vectors = batch
            .look_ups
            .iter()
            .zip(&tables)
            .map(|(look_up, table)| tensor(look_up.gather(table, 4), [rows, 4], &device).autodiff().require_grad());
        let vectors: Vec<Tensor<2>> = vectors.collect();
        let noise = Noise::new(batch.noise, rows, 0..rows);
        let x = on_one_tape(vectors[0].clone().slice([0..rows, 0..INPUTS]), &leaf, (widths, dropout), &noise);
        let x = x + vectors[1].clone().sum_dim(1);
        let error = x - tensor(batch.truth.clone(), [rows, 1], &device).autodiff();
        let mut tape = error.square().mean().backward();
        let gradient = leaf.grad_remove(&mut tape).unwrap();
        let by_rows = vectors.iter().zip(&batch.look_ups).map(|(vectors, look_up)| {
            let gradient = vectors.grad_remove(&mut tape).unwrap().into_data().try_to_vec::<f32>().unwrap();
            RowGradient::new(look_up, &gradient, 4)
        });
        let by_rows: Vec<RowGradient> = by_rows.collect();
        let factor = course.learning.clip.map_or(1.0, |longest| {
            let squares = f64::from(gradient.clone().square().sum().into_scalar::<f32>());
            let norm = (squares + by_rows.iter().map(RowGradient::squares).sum::<f64>()).sqrt();
            (longest / (norm + 1e-6)).min(1.0) as f32
        });
        let how = RULE.step(course.learning.rate as f32, factor, step as u64);
        for (table, gradient) in tables.iter_mut().zip(&by_rows) {
            for (id, values) in gradient.rows() {
                how.apply(&mut table[4 * id as usize..][..4], values, None);
            }
        }
        numbers = course.learning.rule.step(course.learning.rate, numbers, gradient.mul_scalar(factor), None).0;
    }
    (numbers.into_data().try_to_vec::<f32>().unwrap(), tables)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_strategy_with_tables_computes_the_update_of_one_device(
        widths in prop::collection::vec(1..7_usize, 1..6),
        batches in prop::collection::vec(1..17_usize, 1..4),
        (stages, replicas) in prop::sample::select(vec![(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 1), (4, 1)]),
        micro_batches in 1..4_usize,
        level in prop::sample::select(ShardLevel::ALL.to_vec()),
        (schedule, chunks) in prop::sample::select(orders()),
        recompute in prop::sample::select(vec![Recompute::Never, Recompute::ExceptLast, Recompute::Always]),
        sharding in prop::sample::select(TableSharding::ALL.to_vec()),
        clip in prop::sample::select(vec![None, Some(0.05)]),
    ) {
        let stages = stages.min(widths.len() + 1);
        let mut course = Course::new(&widths, 0.2, &batches);
        course.learning.rule = Rule::sgd(0.0);
        course.learning.clip = clip;
        let shape = Shape { ranks: stages * replicas, stages, micro_batches, schedule, recompute, level, ..Shape::default() };
        let shape = shape.with_chunks(chunks, widths.len() + 1);
        let strategy = shape.strategy(course.model.parameters().len());
        let from = (&start(&course.model), &first_tables(), 0);
        let ends = train(&course, &strategy, (RULE, sharding), from).expect("it trains");
        let (numbers, tables) = one_device(&course, &widths, 0.2);
        for end in &ends {
            prop_assert_eq!(&end.losses, &ends[0].losses);
            prop_assert!(close(&end.saved.numbers, &numbers).is_ok(), "{:?}", close(&end.saved.numbers, &numbers));
            for (ours, theirs) in end.tables.numbers.iter().zip(&tables) {
                prop_assert!(close(ours, theirs).is_ok(), "{:?}", close(ours, theirs));
            }
        }
        course.one_gradient();
        let end = train(&course, &strategy, (RULE, sharding), from).expect("it trains").swap_remove(0);
        let (numbers, tables) = one_device(&course, &widths, 0.2);
        let compared = same_gradient(&from.0.numbers, &end.saved.numbers, &numbers);
        prop_assert!(compared.is_ok(), "{compared:?}");
        for ((began, ours), theirs) in from.1.numbers.iter().zip(&end.tables.numbers).zip(&tables) {
            let compared = same_gradient(began, ours, theirs);
            prop_assert!(compared.is_ok(), "a table's {compared:?}");
        }
    }
}

#[test]
fn schedules_recomputation_and_table_sharding_agree_to_the_last_bit_with_adam() {
    let course = Course::new(&[6, 5, 4, 7, 3], 0.3, &[13, 8, 13]);
    let (layers, rule) = (course.model.parameters().len(), RowRule::Adam { decay: 0.01 });
    let from = (&start(&course.model), &first_tables(), 0);
    let of =
        |shape: &Shape, sharding| train(&course, &shape.strategy(layers), (rule, sharding), from).unwrap()[0].bits();
    for micro_batches in [1, 3] {
        let expected = of(&Shape { micro_batches, ..Shape::default() }, TableSharding::RowWise);
        for stages in 2..=4 {
            for schedule in ScheduleKind::ALL {
                for (recompute, chunks) in [(Recompute::Never, 1), (Recompute::Always, 1), (Recompute::Never, 2)] {
                    if chunks > 1 && schedule != ScheduleKind::Interleaved {
                        continue;
                    }
                    let shape = Shape { ranks: stages, stages, micro_batches, schedule, recompute, ..Shape::default() };
                    let shape = shape.with_chunks(chunks, layers);
                    // Who has the columns has the bag as one device has it; by rows its sum is that of partial sums.
                    let sharding = TableSharding::ColumnWise;
                    assert!(of(&shape, sharding) == expected, "{schedule:?} {stages} {micro_batches} {recompute:?}");
                }
            }
        }
    }
}

#[test]
fn rows_go_all_to_all_before_the_first_pass_and_their_gradients_when_gradients_are_reduced() {
    let course = Course::new(&[6, 5, 4], 0.2, &[12]);
    let layers = course.model.parameters().len();
    let from = (&start(&course.model), &first_tables(), 0);
    for ranks in [1, 2, 3] {
        for sharding in TableSharding::ALL {
            let strategy = Shape { ranks, ..Shape::default() }.strategy(layers);
            for end in train(&course, &strategy, (RULE, sharding), from).unwrap() {
                let tables = end.exchanges.iter().filter(|exchange| exchange.collective == Collective::AllToAll);
                let within: Vec<Option<Instruction>> = tables.map(|exchange| exchange.within).collect();
                let expected = [None, Some(Instruction::ReduceGradients)];
                assert_eq!(within, if ranks == 1 { &[][..] } else { &expected[..] }, "{ranks} ranks, {sharding:?}");
            }
        }
    }
}

#[test]
fn a_training_with_tables_goes_on_under_another_layout() {
    let widths = [6, 5, 4];
    let course = Course::new(&widths, 0.2, &[12, 9, 12, 12]);
    let begun = Course::new(&widths, 0.2, &[12, 9]);
    let (layers, rule) = (course.model.parameters().len(), RowRule::Adam { decay: 0.0 });
    let pipeline = Shape { ranks: 2, stages: 2, micro_batches: 3, ..Shape::default() };
    let replicas = Shape { ranks: 3, level: ShardLevel::Parameters, ..Shape::default() };
    let from = (&start(&course.model), &first_tables(), 0);
    for (first, one, then, other) in [
        (&pipeline, TableSharding::TableWise, &replicas, TableSharding::ColumnWise),
        (&replicas, TableSharding::RowWise, &pipeline, TableSharding::TableWise),
        (&replicas, TableSharding::ColumnWise, &replicas, TableSharding::ColumnWise),
    ] {
        let half = train(&begun, &first.strategy(layers), (rule, one), from).unwrap().swap_remove(0);
        let go_on = (&half.saved, &half.tables, 2);
        let end = train(&course, &then.strategy(layers), (rule, other), go_on).unwrap().swap_remove(0);
        let unbroken = train(&course, &then.strategy(layers), (rule, other), from).unwrap().swap_remove(0);
        for (ours, theirs) in end.tables.numbers.iter().zip(&unbroken.tables.numbers) {
            let far = ours.iter().zip(theirs.iter()).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
            assert!(far * 20 <= theirs.len(), "{far} of {} numbers are far", theirs.len());
        }
        if one == other {
            assert_eq!(end.bits(), unbroken.bits(), "the same layout: the same bits");
        }
    }
    // By plain descent every number is near, those of the tables too.
    let [course, begun] = [course, begun].map(Course::descends);
    for (first, one, then, other) in [
        (&pipeline, TableSharding::TableWise, &replicas, TableSharding::ColumnWise),
        (&replicas, TableSharding::RowWise, &pipeline, TableSharding::TableWise),
    ] {
        let half = train(&begun, &first.strategy(layers), (RULE, one), from).unwrap().swap_remove(0);
        let go_on = (&half.saved, &half.tables, 2);
        let end = train(&course, &then.strategy(layers), (RULE, other), go_on).unwrap().swap_remove(0);
        let (numbers, tables) = one_device(&course, &widths, 0.2);
        close(&end.saved.numbers, &numbers).unwrap();
        for (ours, theirs) in end.tables.numbers.iter().zip(&tables) {
            close(ours, theirs).unwrap();
        }
        assert!(close(&end.saved.numbers, &half.saved.numbers).is_err(), "the other steps move the numbers");
    }
}

#[test]
fn a_stage_and_the_tables_beside_it_each_give_back_their_own_gradients_and_no_more() {
    // The ledger panics where an account would go below zero.
    let mut course = Course::new(&[6, 5, 4], 0.2, &[12, 9, 12]);
    let layers = course.model.parameters().len();
    let from = (&start(&course.model), &first_tables(), 0);
    for clip in [None, Some(0.05)] {
        course.learning.clip = clip;
        for level in ShardLevel::ALL {
            for (ranks, stages, chunks) in [(1, 1, 1), (2, 1, 1), (4, 2, 1), (2, 2, 2)] {
                let schedule = if chunks == 1 { ScheduleKind::Gpipe } else { ScheduleKind::Interleaved };
                let shape = Shape { ranks, stages, chunks, schedule, micro_batches: 2, level, ..Shape::default() };
                for sharding in TableSharding::ALL {
                    let rule = RowRule::Adam { decay: 0.0 };
                    train(&course, &shape.strategy(layers), (rule, sharding), from).expect("it trains");
                }
            }
        }
    }
}
