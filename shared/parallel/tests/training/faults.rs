//! What cannot be is refused, and what goes wrong is the same error on every rank.

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use recspeed_parallel::model::{LayerSizes as _, StepNoise};
use recspeed_parallel::training::{Judged, Matrix, Rank, TrainError};
use recspeed_parallel::{at_once, local};
use recspeed_plan::ScheduleKind;
use recspeed_plan::sharding::ShardLevel;

use crate::bench::{Course, INPUTS, Shape, one_rank, rows_of, squared, start, tensor, train};

/// Rows of the batch.
const ROWS: usize = 8;
/// The one of them that something is wrong with: of several replicas one sees it, of several stages the last.
const BAD: usize = 5;

/// What a step came to on each rank, and the parameters that it gathers afterwards.
type Told = Vec<(Result<f64, TrainError>, Vec<f32>)>;

/// One step; `judge` is given the scores, their rows, and the truth of the batch.
fn one_step(shape: &Shape, course: &Course, judge: impl Fn(Tensor<2>, Range<usize>, &[f32]) -> Judged) -> Told {
    let (strategy, judge) = (shape.strategy(course.model.parameters().len()), &judge);
    let all = local::run(shape.ranks, |communicator| {
        let strategy = strategy.clone();
        async move {
            let (model, device) = (&course.model, Device::flex());
            let learning = course.learning.clone();
            let mut rank = Rank::new(model, strategy, communicator, learning, &start(model), &device)?;
            let (input, truth) = rows_of(0, ROWS);
            let batch = Matrix {
                model,
                input: &tensor(input, [ROWS, INPUTS], &device),
                noise: StepNoise { seed: 5, stream: 1000 },
                judge: Box::new(|scores, rows| judge(scores, rows, &truth)),
            };
            let told = rank.step(&batch).await;
            Ok::<_, TrainError>((told, rank.parameters().await?))
        }
    });
    at_once(all).expect("every rank lives on after the step")
}

/// Hidden layers of what goes wrong: with the score as many as four ranks of two stages each need.
const WIDTHS: [usize; 7] = [4; 7];

/// Stages, replicas, and both, by every schedule and level; of the interleaved one ranks have two stages.
fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (ranks, stages) in [(1, 1), (4, 4), (4, 1), (4, 2)] {
        let shape = || Shape { ranks, stages, micro_batches: 2, ..Shape::default() };
        shapes.extend(ShardLevel::ALL.map(|level| Shape { level, ..shape() }));
        shapes.extend(ScheduleKind::ALL.map(|schedule| {
            let chunks = if schedule == ScheduleKind::Interleaved { 2 } else { 1 };
            Shape { schedule, chunks, ..shape() }
        }));
    }
    shapes
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// Every rank says the same words of the step, which begin so, and no parameter has moved on any of them.
fn ends_alike_where_it_began(shape: &Shape, course: &Course, told: &Told, begins: &str) {
    let start = bits(&start(&course.model).numbers);
    let words: Vec<String> =
        told.iter().map(|(told, _)| format!("{:?}", told.as_ref().map_err(ToString::to_string))).collect();
    assert_eq!(told.len(), shape.ranks);
    for (rank, (words_of_it, (_, numbers))) in words.iter().zip(told).enumerate() {
        assert!(words_of_it.starts_with(&format!("Err(\"{begins}")), "{shape:?}, rank {rank}: {words_of_it}");
        assert_eq!(words_of_it, &words[0], "{shape:?}, rank {rank}");
        assert_eq!(bits(numbers), start, "{shape:?}, rank {rank}: a parameter has moved");
    }
}

#[test]
fn a_loss_that_is_no_number_is_the_same_error_on_every_rank_before_any_parameter_has_moved() {
    for clip in [None, Some(0.05)] {
        let mut course = Course::new(&WIDTHS, 0.0, &[]);
        course.learning.clip = clip;
        for shape in shapes() {
            let told = one_step(&shape, &course, |scores, rows, truth| {
                let truth: Vec<f32> = rows.map(|row| if row == BAD { f32::NAN } else { truth[row] }).collect();
                squared(scores, &truth)
            });
            assert!(told.iter().all(|(told, _)| matches!(told, Err(TrainError::Loss(_)))), "{shape:?}");
            ends_alike_where_it_began(&shape, &course, &told, "the loss became NaN");
        }
    }
}

#[test]
fn a_gradient_that_is_not_finite_is_the_same_error_on_every_rank_before_any_parameter_has_moved_with_clipping() {
    let mut course = Course::new(&WIDTHS, 0.0, &[]);
    course.learning.clip = Some(0.05);
    for shape in shapes() {
        let told = one_step(&shape, &course, |scores, rows, truth| {
            let judged = squared(scores, &truth[rows.clone()]);
            let slope = if rows.contains(&BAD) { judged.slope * f32::INFINITY } else { judged.slope };
            Judged { slope, value: judged.value, rows: judged.rows }
        });
        assert!(told.iter().all(|(told, _)| matches!(told, Err(TrainError::Gradient(_)))), "{shape:?}");
        ends_alike_where_it_began(&shape, &course, &told, "the length of the gradient became ");
    }
}

/// As on one device: nobody goes over all gradients of layers once more where nothing is clipped.
#[test]
fn a_gradient_that_is_not_finite_ends_all_ranks_with_the_next_loss_where_nothing_is_clipped() {
    let course = Course::new(&[4, 4, 4], 0.0, &[]);
    let shape = Shape { ranks: 4, stages: 2, micro_batches: 2, ..Shape::default() };
    let strategy = shape.strategy(course.model.parameters().len());
    let all = local::run(shape.ranks, |communicator| {
        let (course, strategy) = (&course, strategy.clone());
        async move {
            let (model, device, saved) = (&course.model, Device::flex(), start(&course.model));
            let learning = course.learning.clone();
            let mut rank = Rank::new(model, strategy, communicator, learning, &saved, &device)?;
            let (input, truth) = rows_of(0, ROWS);
            let mut told = Vec::new();
            for stream in 0..2 {
                let batch = Matrix {
                    model,
                    input: &tensor(input.clone(), [ROWS, INPUTS], &device),
                    noise: StepNoise { seed: 5, stream },
                    judge: Box::new(|scores, rows| {
                        let judged = squared(scores, &truth[rows]);
                        Judged { slope: judged.slope * f32::NAN, value: judged.value, rows: judged.rows }
                    }),
                };
                told.push(rank.step(&batch).await);
            }
            Ok::<_, TrainError>(told)
        }
    });
    for told in at_once(all).expect("every rank lives on after the steps") {
        assert!(matches!(told[..], [Ok(_), Err(TrainError::Loss(_))]), "{told:?}");
    }
}

/// What the two laws above are held against: with nothing wrong, such a step moves the parameters of all ranks.
#[test]
fn a_step_with_nothing_wrong_moves_the_parameters() {
    let mut course = Course::new(&WIDTHS, 0.0, &[]);
    course.learning.clip = Some(0.05);
    let start = bits(&start(&course.model).numbers);
    for shape in shapes() {
        for (told, numbers) in one_step(&shape, &course, |scores, rows, truth| squared(scores, &truth[rows])) {
            assert!(told.is_ok_and(f64::is_finite), "{shape:?}");
            assert_ne!(bits(&numbers), start, "{shape:?}");
        }
    }
}

#[test]
fn a_training_that_diverges_ends() {
    let mut course = Course::new(&[4, 4, 4], 0.0, &[8, 8, 8]);
    course.learning.rate = 1e30;
    let shape = Shape { ranks: 4, stages: 2, micro_batches: 2, ..Shape::default() };
    let strategy = shape.strategy(course.model.parameters().len());
    let error = train(&course, &strategy, &start(&course.model), 0).expect_err("it diverges");
    assert!(matches!(error, TrainError::Loss(_)), "{error}");
}

#[test]
fn a_strategy_for_another_model_or_number_of_ranks_is_refused() {
    let course = Course::new(&[4, 4, 4], 0.0, &[8]);
    let (shape, saved) = (Shape { ranks: 2, stages: 2, ..Shape::default() }, start(&course.model));
    let error = train(&course, &shape.strategy(7), &saved, 0).expect_err("seven layers");
    assert!(matches!(error, TrainError::Partition { placed: 7, layers: 4, .. }), "{error}");
    let strategy = shape.strategy(course.model.parameters().len());
    for ranks in [1, 3, 4] {
        let all = local::run(ranks, |communicator| one_rank(&course, &strategy, &saved, 0, communicator));
        let error = at_once(all).expect_err("two ranks");
        assert_eq!(error, TrainError::Ranks { needed: 2, ranks });
        assert!(error.to_string().ends_with("set strategy.ranks = 2"), "{error}");
    }
}

#[test]
fn saved_numbers_of_another_model_are_refused() {
    let alone = Course::new(&[4, 4, 4], 0.0, &[8]);
    let shared = Course::shared(&[4, 4, 4], 0.0, &[8], 2);
    let cases = [
        (&alone, Shape { ranks: 2, stages: 2, ..Shape::default() }),
        (&shared, Shape { ranks: 2, tensor: 2, ..Shape::default() }),
    ];
    for (course, shape) in cases {
        let strategy = shape.strategy(course.model.parameters().len());
        let (whole, row) = (start(&course.model), |count| vec![0.0_f32; count]);
        let expected = whole.numbers.len();
        for got in [0, expected - 1, expected + 1] {
            for (what, lengths) in [
                ("parameters", [got, expected, expected]),
                ("first moments", [expected, got, expected]),
                ("second moments", [expected, expected, got]),
            ] {
                let mut saved = whole.clone();
                saved.numbers.resize(lengths[0], 0.0);
                saved.moments = Some((3, [row(lengths[1]), row(lengths[2])]));
                let error = train(course, &strategy, &saved, 0).expect_err("of another model");
                assert_eq!(error, TrainError::Saved { what, got, expected }, "{shape:?}");
            }
        }
    }
}
