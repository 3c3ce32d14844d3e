//! Ranks whose layers look up in tables: whatever else they divide, and however they divide the tables.

use std::borrow::Cow;
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use recspeed_parallel::model::{LayerSizes as _, Model, Noise, StepNoise};
use recspeed_parallel::tables::{LookUp, RowGradient, RowRule, SavedTables, Wanted};
use recspeed_parallel::training::{
    Account, Batch, Exchange, Judged, MicroBatch, Rank, Rule, Saved, Strategy, TrainError,
};
use recspeed_parallel::{at_once, local};
use recspeed_plan::sharding::{ShardLevel, TableShape, TableSharding};
use recspeed_plan::{Collective, Instruction, Recompute, ScheduleKind};

use crate::bench::{Course, INPUTS, Shape, close, draws, on_one_tape, orders, squared, start, tensor};
use crate::exchanges::{held_to_the_law, since};

/// What the input of a row is the sum of a bag of, and what is added to its score.
fn shapes() -> Vec<TableShape> {
    vec![TableShape { rows: 9, width: INPUTS + 1, fields: vec![2, 4, 3] }, TableShape::whole(5, 4)]
}

fn first_tables() -> SavedTables<'static> {
    let numbers = shapes().into_iter().enumerate();
    let numbers = numbers.map(|(at, shape)| Cow::Owned(draws(60 + at as u64, shape.rows * shape.width)));
    SavedTables { numbers: numbers.collect(), moments: None }
}

/// A batch whose rows look up a bag each for their input, and a row each for their score.
struct Looking<'a> {
    model: &'a dyn Model,
    look_ups: Vec<LookUp>,
    truth: Vec<f32>,
    noise: StepNoise,
}

impl<'a> Looking<'a> {
    fn new(model: &'a dyn Model, step: usize, rows: usize) -> Self {
        let id = |draw: f32, count: usize| ((f32::midpoint(draw, 1.0) * count as f32) as usize).min(count - 1) as u32;
        let mut bags = LookUp::bags();
        for draws in draws(300 + step as u64, 4 * rows).as_chunks::<4>().0 {
            bags.push_bag((0..=id(draws[0], 3) as usize).map(|at| (id(draws[1 + at], 9), 0.5 + draws[3])));
        }
        let scored = draws(400 + step as u64, rows).into_iter().map(|draw| id(draw, 5));
        Self {
            model,
            look_ups: vec![bags, LookUp::from(scored.collect::<Vec<u32>>())],
            truth: draws(200 + step as u64, rows),
            noise: StepNoise { seed: 5, stream: 1000 + step as u64 },
        }
    }
}

impl Batch for Looking<'_> {
    fn rows(&self) -> usize {
        self.truth.len()
    }

    fn noise(&self) -> StepNoise {
        self.noise
    }

    fn look_ups(&self) -> &[LookUp] {
        &self.look_ups
    }

    fn micro_batch(&self, rows: Range<usize>) -> Box<dyn MicroBatch + '_> {
        Box::new(SomeRows { batch: self, rows })
    }
}

struct SomeRows<'a> {
    batch: &'a Looking<'a>,
    rows: Range<usize>,
}

impl MicroBatch for SomeRows<'_> {
    fn model(&self) -> &dyn Model {
        self.batch.model
    }

    fn share(&self) -> f64 {
        self.rows.len() as f64 / self.batch.truth.len() as f64
    }

    fn reads(&self) -> Wanted {
        vec![vec![self.rows.clone()], Vec::new()]
    }

    fn scored(&self) -> Wanted {
        vec![Vec::new(), vec![self.rows.clone()]]
    }

    /// The last column of a row is left out.
    fn input(&self, rows: &[Tensor<2>]) -> Tensor<2> {
        rows[0].clone().slice([0..self.rows.len(), 0..INPUTS])
    }

    fn by_rows(&self, slope: Tensor<2>) -> Vec<Tensor<2>> {
        let device = slope.device();
        let last = Tensor::zeros([self.rows.len(), 1], &device);
        vec![Tensor::cat(vec![slope, last], 1), Tensor::zeros([0, 4], &device)]
    }

    fn judge(&self, scores: Tensor<2>, rows: &[Tensor<2>]) -> Judged {
        let judged = squared(scores + rows[1].clone().sum_dim(1), &self.batch.truth[self.rows.clone()]);
        let by_row = judged.slope.clone().expand([self.rows.len(), 4]);
        let nothing = Tensor::zeros([0, INPUTS + 1], &by_row.device());
        Judged { rows: vec![nothing, by_row], ..judged }
    }
}

/// Parameters, tables, the losses before each step, and the exchanges of all steps.
struct End {
    saved: Saved,
    tables: SavedTables<'static>,
    losses: Vec<f64>,
    exchanges: Vec<Exchange>,
}

const RULE: RowRule = RowRule::Sgd { decay: 0.0 };

/// A way to go on from here, some steps later.
type From<'a> = (&'a Saved, &'a SavedTables<'a>, usize);

fn train(
    course: &Course,
    strategy: &Strategy,
    (rule, sharding): (RowRule, TableSharding),
    (saved, tables, first): From<'_>,
) -> Result<Vec<End>, TrainError> {
    at_once(local::run(strategy.layout.ranks(), |communicator| async move {
        let (model, device) = (&course.model, Device::flex());
        let rank = Rank::new(model, strategy.clone(), communicator, course.learning.clone(), saved, &device)?;
        let mut rank = rank.with_tables(&shapes(), sharding, rule, tables)?;
        let (mut losses, mut exchanges) = (Vec::new(), Vec::new());
        for (step, &rows) in course.batches.iter().enumerate().skip(first) {
            let before = rank.sent()[1];
            // Noting changes nothing of what is learnt: every other step does without.
            rank.note_timeline(step % 2 == 0);
            losses.push(rank.step(&Looking::new(model, step, rows)).await?);
            let timeline = rank.note_timeline(false);
            held_to_the_law(&timeline, since(before, rank.sent()[1]));
            exchanges.extend(timeline.exchanges);
        }
        for account in [Account::Activations, Account::Transient, Account::Update, Account::Gradients] {
            assert_eq!(rank.ledger().held(account), 0, "{account:?}: everything held for a batch is given back");
        }
        assert!(rank.ledger().is_sound(), "an account is given back more than it holds: {:?}", rank.ledger());
        let tables = rank.save_tables().await?.expect("it has tables");
        let first = rank.save_tables_at_first().await?;
        assert!(first.is_none_or(|first| first == tables), "what comes to the first rank is what all have");
        Ok(End { saved: rank.save().await?, tables, losses, exchanges })
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
    }
}

fn bits(end: &End) -> Vec<u32> {
    let tables = end.tables.moments.iter().flatten().chain([&end.tables.numbers]).flatten();
    tables.flat_map(|table| table.iter()).chain(&end.saved.numbers).map(|number| number.to_bits()).collect()
}

#[test]
fn schedules_recomputation_and_table_sharding_agree_to_the_last_bit_with_adam() {
    let course = Course::new(&[6, 5, 4, 7, 3], 0.3, &[13, 8, 13]);
    let (layers, rule) = (course.model.parameters().len(), RowRule::Adam { decay: 0.01 });
    let from = (&start(&course.model), &first_tables(), 0);
    let of =
        |shape: &Shape, sharding| bits(&train(&course, &shape.strategy(layers), (rule, sharding), from).unwrap()[0]);
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
            assert_eq!(bits(&end), bits(&unbroken), "the same layout: the same bits");
        }
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
