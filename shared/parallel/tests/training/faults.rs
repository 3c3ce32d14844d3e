//! What cannot be is refused, and what goes wrong is the same error on every rank.

use recspeed_parallel::model::LayerSizes as _;
use recspeed_parallel::training::TrainError;

use crate::bench::{Course, Shape, start, train};

#[test]
fn a_loss_that_is_no_number_ends_all_ranks() {
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
    let shape = Shape { ranks: 2, stages: 2, ..Shape::default() };
    let error = train(&course, &shape.strategy(7), &start(&course.model), 0).expect_err("seven layers");
    assert!(matches!(error, TrainError::Partition { placed: 7, layers: 4, .. }), "{error}");
}
