//! What cannot be is refused, and what goes wrong is the same error on every rank.

use burn::tensor::Device;
use recspeed_parallel::model::{LayerSizes as _, StepNoise};
use recspeed_parallel::training::{Judged, Matrix, Rank, TrainError};
use recspeed_parallel::{at_once, local};

use crate::bench::{Course, INPUTS, Shape, rows_of, squared, start, tensor, train};

#[test]
fn a_loss_that_is_no_number_ends_all_ranks() {
    let mut course = Course::new(&[4, 4, 4], 0.0, &[8, 8, 8]);
    course.learning.rate = 1e30;
    let shape = Shape { ranks: 4, stages: 2, micro_batches: 2, ..Shape::default() };
    let strategy = shape.strategy(course.model.parameters().len());
    let error = train(&course, &strategy, &start(&course.model), 0).expect_err("it diverges");
    assert!(matches!(error, TrainError::Loss(_)), "{error}");
}

/// As on one device: nobody goes over all gradients of layers once more where nothing is clipped.
#[test]
fn a_gradient_that_is_no_number_moves_nothing_where_it_is_clipped_and_else_ends_all_ranks_with_the_next_loss() {
    for clip in [Some(1.0), None] {
        let mut course = Course::new(&[4, 4], 0.0, &[8]);
        course.learning.clip = clip;
        let strategy = Shape { ranks: 2, ..Shape::default() }.strategy(course.model.parameters().len());
        let ends = at_once(local::run(2, |communicator| {
            let (course, strategy, device) = (&course, strategy.clone(), Device::flex());
            async move {
                let (saved, learning) = (start(&course.model), course.learning.clone());
                let mut rank = Rank::new(&course.model, strategy, communicator, learning, &saved, &device)?;
                let (input, truth) = rows_of(0, 8);
                let mut taken = Vec::new();
                for stream in 0..2 {
                    let batch = Matrix {
                        model: &course.model,
                        input: &tensor(input.clone(), [8, INPUTS], &device),
                        noise: StepNoise { seed: 5, stream },
                        judge: Box::new(|scores, rows| {
                            let judged = squared(scores, &truth[rows]);
                            Judged { slope: judged.slope * f32::NAN, ..judged }
                        }),
                    };
                    taken.push(rank.step(&batch).await);
                }
                Ok::<_, TrainError>((taken, rank.parameters().await? == saved.numbers))
            }
        }));
        for (taken, stands) in ends.unwrap() {
            match (clip, &taken[..]) {
                (Some(_), [Err(TrainError::Gradient(_)), Err(TrainError::Gradient(_))]) => assert!(stands),
                (None, [Ok(_), Err(TrainError::Loss(_))]) => assert!(!stands),
                _ => panic!("{clip:?}: {taken:?}"),
            }
        }
    }
}

#[test]
fn a_strategy_for_another_model_or_number_of_ranks_is_refused() {
    let course = Course::new(&[4, 4, 4], 0.0, &[8]);
    let shape = Shape { ranks: 2, stages: 2, ..Shape::default() };
    let error = train(&course, &shape.strategy(7), &start(&course.model), 0).expect_err("seven layers");
    assert!(matches!(error, TrainError::Partition { placed: 7, layers: 4, .. }), "{error}");
}
