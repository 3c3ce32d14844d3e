//! The laws of training, stated over the public interface.

use proptest::prelude::*;
use recspeed_data::{Interactions, InteractionsBuilder};
use recspeed_neural::{FitRequest, Fitted, NeuralDevice, NeuralFitError, Rows, fit, is_network, kinds};
use recspeed_types::event::MeasuredOn;
use recspeed_types::spec::{Loss, Optimizer, ParamValue, RecommenderSpec, ResolvedRecommender, Training, TrainingSpec};
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, FitObserver, Unobserved, catalogue};

/// Ratings that rise with the item's number and fall with time: what three scaled numbers can explain.
fn planted(rows: usize) -> Interactions {
    let mut builder = InteractionsBuilder::default();
    for row in 0..rows {
        let (user, item) = (row * 7 % 31, row * 11 % 53);
        let time = (row * 13 % 997) as i64;
        let rating = 1.0 + 3.0 * item as f32 / 52.0 + 1.0 * (1.0 - time as f32 / 996.0);
        builder.push(&format!("u{user:02}"), &format!("i{item:02}"), rating, 1_000_000 + time);
    }
    let data = builder.finish();
    // The planted signal is linear in the item's index only when ids appear in order; look it up instead.
    let rating = data
        .item
        .iter()
        .zip(&data.timestamp)
        .map(|(&item, &time)| 1.0 + 3.0 * item as f32 / 52.0 + (1.0 - (time - 1_000_000) as f32 / 996.0));
    Interactions { rating: rating.collect(), ..data.clone() }
}

fn spec(hidden: &[i64], training: TrainingSpec) -> (ResolvedRecommender, Training) {
    let mut spec = ExperimentSpec { training, ..ExperimentSpec::default() };
    spec.recommender = RecommenderSpec::new("mlp").with("hidden", ParamValue::Integers(hidden.to_vec()));
    spec.split.validation_ratio = Some(0.1);
    let spec = spec.resolve().unwrap();
    (spec.recommender, spec.training.unwrap())
}

fn train_on(
    data: &Interactions,
    (train, validation): (&[u32], &[u32]),
    (recommender, training): &(ResolvedRecommender, Training),
    seed: u64,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError> {
    let rows = |rows| Rows { interactions: data, rows };
    let request = FitRequest {
        recommender,
        training,
        train: rows(train),
        validation: rows(validation),
        item_attributes: None,
        user_attributes: None,
        threshold: 4.0,
        seed,
        device: NeuralDevice::default(),
    };
    fit(&request, observer)
}

fn predictions(fitted: &Fitted, data: &Interactions) -> Vec<u32> {
    let stars = fitted.model.predict_rows(&data.user, &data.item, &data.timestamp);
    stars.into_iter().map(f32::to_bits).collect()
}

/// Keeps what it hears, stops at a step, keeps the last checkpoint.
#[derive(Default)]
struct Recorder {
    events: Vec<EventKind>,
    asked: u64,
    stop_after: Option<u64>,
    checkpoints: Vec<(u64, Vec<u8>)>,
    resume: Option<Vec<u8>>,
}

impl FitObserver for Recorder {
    fn event(&mut self, event: EventKind) {
        self.events.push(event);
    }
    fn stop_requested(&mut self) -> bool {
        self.asked += 1;
        self.stop_after.is_some_and(|steps| self.asked > steps)
    }
    fn checkpoint(&mut self, step: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.checkpoints.push((step, state()));
    }
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.resume.take()
    }
}

impl Recorder {
    fn values(&self, wanted: &str, rows: MeasuredOn) -> Vec<f64> {
        let value = |event: &EventKind| match event {
            EventKind::Metric { name, split, value, .. } if name == wanted && *split == rows => Some(*value),
            _ => None,
        };
        self.events.iter().filter_map(value).collect()
    }
}

fn halves(data: &Interactions) -> (Vec<u32>, Vec<u32>) {
    (0..data.len() as u32).partition(|row| row % 5 != 0)
}

fn rmse(predicted: &[f32], data: &Interactions, rows: &[u32]) -> f64 {
    let miss = |row: u32| f64::from(predicted[row as usize]) - f64::from(data.rating[row as usize]);
    let squares = rows.iter().map(|&row| miss(row).powi(2));
    (squares.sum::<f64>() / rows.len() as f64).sqrt()
}

#[test]
fn a_planted_linear_signal_is_learnt_far_better_than_the_global_mean() {
    let data = planted(2000);
    let (train, test) = halves(&data);
    let how = spec(&[16, 16], TrainingSpec { epochs: Some(30), learning_rate: Some(5e-3), ..TrainingSpec::default() });
    let fitted = train_on(&data, (&train, &[]), &how, 1, &mut Unobserved).unwrap();
    let predicted = fitted.model.predict_rows(&data.user, &data.item, &data.timestamp);
    let mean = train.iter().map(|&row| data.rating[row as usize]).sum::<f32>() / train.len() as f32;
    let (ours, theirs) = (rmse(&predicted, &data, &test), rmse(&vec![mean; data.len()], &data, &test));
    assert!(ours < 0.2 * theirs, "network {ours}, global mean {theirs}");
}

#[test]
fn every_optimizer_and_loss_lowers_the_loss() {
    let data = planted(1000);
    let (train, _) = halves(&data);
    for optimizer in Optimizer::ALL {
        for loss in [Loss::Mse, Loss::Mae] {
            let rate = if optimizer == Optimizer::Sgd { 0.1 } else { 3e-3 };
            let training = TrainingSpec {
                epochs: Some(15),
                optimizer: Some(optimizer),
                loss: Some(loss),
                learning_rate: Some(rate),
                weight_decay: Some(1e-5),
                gradient_clip: Some(1.0),
                ..TrainingSpec::default()
            };
            let mut recorder = Recorder::default();
            train_on(&data, (&train, &[]), &spec(&[16], training), 1, &mut recorder).unwrap();
            let losses = recorder.values("epoch-loss", MeasuredOn::Train);
            assert!(losses[14] < 0.7 * losses[0], "{optimizer:?} {loss:?}: {losses:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let data = planted(500);
    let (train, validation) = halves(&data);
    let how = spec(&[8, 8], TrainingSpec::default());
    let bits = |seed| predictions(&train_on(&data, (&train, &validation), &how, seed, &mut Unobserved).unwrap(), &data);
    assert_eq!(bits(1), bits(1));
    assert_ne!(bits(1), bits(2));
}

#[test]
fn trainings_on_several_threads_at_once_do_not_touch_each_other() {
    let data = planted(500);
    let (train, _) = halves(&data);
    let how = spec(&[8, 8], TrainingSpec::default());
    let alone = predictions(&train_on(&data, (&train, &[]), &how, 3, &mut Unobserved).unwrap(), &data);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| predictions(&train_on(&data, (&train, &[]), &how, 3, &mut Unobserved).unwrap(), &data))
            })
            .collect();
        for run in runs {
            assert_eq!(run.join().unwrap(), alone);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn a_training_that_was_stopped_and_resumed_ends_in_the_same_bits(
        stop_after in 0u64..60,
        optimizer in prop::sample::select(Optimizer::ALL.to_vec()),
        patience in prop::option::of(1u32..3),
        seed in 0u64..1000,
    ) {
        let data = planted(300);
        let (train, validation) = halves(&data);
        let training = TrainingSpec {
            epochs: Some(5), batch_size: Some(17), optimizer: Some(optimizer), early_stopping: patience,
            gradient_clip: Some(0.5), ..TrainingSpec::default()
        };
        let how = spec(&[6, 5], training);
        let mut whole = Recorder::default();
        let straight = train_on(&data, (&train, &validation), &how, seed, &mut whole).unwrap();

        let mut first = Recorder { stop_after: Some(stop_after), ..Recorder::default() };
        let stopped = train_on(&data, (&train, &validation), &how, seed, &mut first);
        if let Err(error) = stopped {
            prop_assert_eq!(&error, &NeuralFitError::Interrupted { step: stop_after });
            let (step, state) = first.checkpoints.pop().unwrap();
            prop_assert_eq!(step, stop_after);
            let mut second = Recorder { resume: Some(state), ..Recorder::default() };
            let resumed = train_on(&data, (&train, &validation), &how, seed, &mut second).unwrap();
            prop_assert_eq!(&resumed.info, &straight.info);
            prop_assert_eq!(predictions(&resumed, &data), predictions(&straight, &data));
            // The two halves of the curve are the whole curve.
            for (name, rows) in [("loss", MeasuredOn::Train), ("epoch-loss", MeasuredOn::Train), ("rmse", MeasuredOn::Validation)] {
                let mut joined = first.values(name, rows);
                joined.extend(second.values(name, rows));
                prop_assert_eq!(joined, whole.values(name, rows));
            }
        } else {
            prop_assert!(first.asked <= stop_after);
        }
    }
}

#[test]
fn a_checkpoint_of_another_spec_is_refused_in_one_sentence() {
    let data = planted(200);
    let (train, _) = halves(&data);
    let mut recorder = Recorder::default();
    train_on(&data, (&train, &[]), &spec(&[4], TrainingSpec::default()), 1, &mut recorder).unwrap();
    let (_, state) = recorder.checkpoints.pop().unwrap();
    let mut other = Recorder { resume: Some(state), ..Recorder::default() };
    let error = train_on(&data, (&train, &[]), &spec(&[4], TrainingSpec::default()), 2, &mut other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the checkpoint does not continue this fit: it belongs to another spec or other data: seed = 1, here 2; take another \
         one, or start again without it"
    );
}

#[test]
fn divergence_names_step_last_loss_and_remedy() {
    let data = planted(500);
    let (train, _) = halves(&data);
    let training = TrainingSpec {
        optimizer: Some(Optimizer::Sgd),
        learning_rate: Some(1000.0),
        epochs: Some(50),
        ..TrainingSpec::default()
    };
    let error = train_on(&data, (&train, &[]), &spec(&[32, 32], training), 1, &mut Unobserved).unwrap_err();
    assert_eq!(error.code(), FailureCode::Diverged);
    let text = error.to_string();
    assert!(matches!(error, NeuralFitError::Diverged { learning_rate: 1000.0, remedy: 0.001, .. }), "{text}");
    assert!(text.contains("at step") && text.contains("training.learning_rate = 0.001 instead of 1000"), "{text}");
}

/// Adam's steps are as long as the learning rate whatever the slope is: nothing overflows, and nothing is learnt.
#[test]
fn divergence_that_stays_finite_never_ends_as_finished() {
    let data = planted(500);
    let (train, _) = halves(&data);
    for epochs in [2, 30] {
        let training = TrainingSpec { learning_rate: Some(1000.0), epochs: Some(epochs), ..TrainingSpec::default() };
        let error = train_on(&data, (&train, &[]), &spec(&[32, 32], training), 1, &mut Unobserved).unwrap_err();
        let NeuralFitError::Diverged { value, last_good, step, .. } = error else { panic!("{error}") };
        assert!(value.is_finite() && last_good.is_some_and(|good| good.loss < 5.0 && good.at <= step), "{error}");
        assert!(error.to_string().contains("the last good one"), "{error}");
    }
}

#[test]
fn early_stopping_keeps_the_best_epoch() {
    let data = planted(400);
    let (train, validation) = halves(&data);
    // A step so long that the loss cannot keep falling.
    let training = TrainingSpec {
        epochs: Some(200),
        early_stopping: Some(3),
        learning_rate: Some(0.05),
        ..TrainingSpec::default()
    };
    let mut recorder = Recorder::default();
    let fitted = train_on(&data, (&train, &validation), &spec(&[16], training), 1, &mut recorder).unwrap();
    let best = fitted.info.best_epoch.unwrap();
    assert!(fitted.info.stopped_early);
    assert_eq!(fitted.info.epochs, best + 3);
    let told = recorder.values("rmse", MeasuredOn::Validation);
    let predicted = fitted.model.predict_rows(&data.user, &data.item, &data.timestamp);
    let kept = rmse(&predicted, &data, &validation);
    // Not to the bit: a matrix product rounds a row by its place in the chunk.
    assert!((kept - told[best as usize - 1]).abs() < 1e-6, "{kept} {told:?}");
}

#[test]
fn the_curve_has_at_most_a_few_hundred_points_and_ends_with_the_last_step() {
    let data = planted(1000);
    let (train, validation) = halves(&data);
    let training = TrainingSpec { epochs: Some(20), batch_size: Some(3), ..TrainingSpec::default() };
    let mut recorder = Recorder::default();
    let fitted = train_on(&data, (&train, &validation), &spec(&[4], training), 1, &mut recorder).unwrap();
    let steps = 20 * 800u64.div_ceil(3);
    assert_eq!(fitted.info.steps, steps);
    let points = recorder.values("loss", MeasuredOn::Train).len();
    assert!((150..=201).contains(&points), "{points}");
    let last = recorder.events.iter().rev().find_map(|event| match event {
        EventKind::Progress { done, total, unit } => Some((*done, *total, unit.clone())),
        _ => None,
    });
    assert_eq!(last, Some((steps, steps, "batches".to_owned())));
    assert_eq!(recorder.values("loss", MeasuredOn::Validation).len(), 20);
}

#[test]
fn one_row_one_user_one_rating_and_one_moment_are_enough() {
    let mut builder = InteractionsBuilder::default();
    builder.push("u", "i", 4.0, 7);
    let data = builder.finish();
    let fitted = train_on(&data, (&[0], &[]), &spec(&[4], TrainingSpec::default()), 1, &mut Unobserved).unwrap();
    // All training ratings are equal: there is no scale, and the network can only repeat the rating.
    assert_eq!(fitted.model.predict_rows(&[0, 9], &[0, 9], &[7, i64::MIN]), [4.0, 4.0]);
    assert_eq!(fitted.model.reference_timestamp(), 7);
}

#[test]
fn ranking_scores_are_the_predictions_at_that_time() {
    let data = planted(500);
    let (train, _) = halves(&data);
    let fitted = train_on(&data, (&train, &[]), &spec(&[8], TrainingSpec::default()), 1, &mut Unobserved).unwrap();
    let mut scores = vec![0.0; data.n_items()];
    fitted.model.score_all(3, 1_000_500, &mut scores);
    let items: Vec<u32> = (0..scores.len() as u32).collect();
    let rows = fitted.model.predict_rows(&vec![3; items.len()], &items, &vec![1_000_500; items.len()]);
    assert_eq!(scores, rows);
}

#[test]
fn chunks_do_not_change_a_prediction() {
    let data = planted(5000);
    let rows: Vec<u32> = (0..1000).collect();
    let fitted = train_on(&data, (&rows, &[]), &spec(&[8], TrainingSpec::default()), 1, &mut Unobserved).unwrap();
    let whole = fitted.model.predict_rows(&data.user, &data.item, &data.timestamp);
    for at in [0, 1023, 1024, 4999] {
        let one = fitted.model.predict_rows(&data.user[at..=at], &data.item[at..=at], &data.timestamp[at..=at]);
        assert!((one[0] - whole[at]).abs() < 1e-5, "row {at}: {} {}", one[0], whole[at]);
    }
}

#[test]
fn bad_input_is_an_error_not_a_panic() {
    let mut data = planted(10);
    let how = spec(&[4], TrainingSpec::default());
    let refused = |data: &Interactions, train: &[u32], validation: &[u32]| {
        train_on(data, (train, validation), &how, 1, &mut Unobserved).unwrap_err()
    };
    assert_eq!(refused(&data, &[], &[]), NeuralFitError::NoTrainingRows);
    assert_eq!(refused(&data, &[99], &[]), NeuralFitError::RowOutside { row: 99, rows: 10 });
    assert_eq!(refused(&data, &[0], &[10]), NeuralFitError::RowOutside { row: 10, rows: 10 });
    data.rating[4] = f32::INFINITY;
    assert!(matches!(refused(&data, &[3, 4], &[]), NeuralFitError::RatingNotFinite { row: 4, .. }));
}

#[test]
fn the_catalogue_and_this_crate_agree_on_what_is_a_network() {
    for entry in catalogue::ENTRIES {
        assert_eq!(entry.family == catalogue::Family::Neural, is_network(entry.kind), "{}", entry.kind);
    }
    let data = planted(10);
    let (_, training) = spec(&[4], TrainingSpec::default());
    let bias = ExperimentSpec { recommender: RecommenderSpec::new("bias"), ..ExperimentSpec::default() };
    let bias = bias.resolve().unwrap().recommender;
    let error = train_on(&data, (&[0], &[]), &(bias, training), 1, &mut Unobserved).unwrap_err();
    let known = kinds().collect::<Vec<_>>().join(", ");
    assert_eq!(error.to_string(), format!("`bias` is not a network; networks: {known}"));
}

#[test]
fn told_memory_is_what_is_held_for_certain_and_no_estimate_is_among_it() {
    let data = planted(10_000);
    let rows: Vec<u32> = (0..10_000).collect();
    let mut recorder = Recorder::default();
    let how = spec(&[64, 64, 64], TrainingSpec { epochs: Some(1), ..TrainingSpec::default() });
    train_on(&data, (&rows, &[]), &how, 1, &mut recorder).unwrap();
    let told = recorder.events.iter().find_map(|event| match event {
        EventKind::Memory { bytes, .. } => Some(*bytes),
        _ => None,
    });
    let bytes = told.unwrap();
    assert_eq!(bytes.parameters, 4 * 8641);
    assert_eq!(bytes.gradients, bytes.parameters);
    assert_eq!(bytes.optimizer, 2 * bytes.parameters);
    assert_eq!(bytes.activations, 0, "nobody counts them on one device");
    assert_eq!(bytes.buffers, 4 * 10_000 * 5);
}

/// Leaves a training almost nothing.
struct Cramped;

impl FitObserver for Cramped {
    fn event(&mut self, event: EventKind) {
        panic!("it worked: {event:?}");
    }
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn memory_left(&self) -> Option<u64> {
        Some(1000)
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn what_will_not_fit_is_refused_before_any_work_with_its_memory_its_time_and_another_kind() {
    let data = planted(500);
    let (train, _) = halves(&data);
    let told = |epochs: u32| {
        let how = spec(&[512, 512], TrainingSpec { epochs: Some(epochs), ..TrainingSpec::default() });
        let error = train_on(&data, (&train, &[]), &how, 1, &mut Cramped).expect_err("a thousand bytes are too few");
        let NeuralFitError::TooLarge { needed, allowed: 1000, seconds, .. } = error else { panic!("{error}") };
        (needed, seconds, error.to_string())
    };
    let ((once, short, said), (twice, long, _)) = (told(10), told(20));
    assert_eq!(once, twice, "memory does not grow with the epochs");
    assert!(short > 0.0 && (long / short - 2.0).abs() < 1e-9, "{short} {long}");
    assert!(said.contains("KiB of memory") || said.contains("MiB of memory"), "{said}");
    assert!(said.contains("and about ") && said.contains("; lower training.batch_size"), "{said}");
    assert!(said.contains("the sizes of the network"), "{said}");
    let (_, others) = said.split_once("recommender.kind = ").expect("another kind");
    for other in others.split('"').skip(1).step_by(2) {
        assert!(catalogue::find(other).is_some_and(|entry| !entry.is_trained()), "{said}");
    }
}
