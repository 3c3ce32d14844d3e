//! What holds for every network, whatever it learns.

use recspeed_data::parts::Values;
use recspeed_data::{
    AttributeColumn, AttributeValues, Attributes, Dictionary, DictionaryBuilder, Interactions, InteractionsBuilder,
};
use recspeed_neural::{FitRequest, Fitted, NeuralDevice, NeuralFitError, NeuralModel, Rows, fit, kinds, restore};
use recspeed_types::catalogue::{self, Need};
use recspeed_types::event::MeasuredOn;
use recspeed_types::spec::{EvaluationSpec, Optimizer};
use recspeed_types::spec::{Loss, ParamValue, RecommenderSpec, ResolvedRecommender, Training, TrainingSpec};
use recspeed_types::{EventKind, ExperimentSpec, FitObserver, MetricKind, MetricName, Unobserved};

/// Two worlds: people of an even number have items of an even number, the others the others; who belongs together but for
/// one item each is what a network can learn. Likes follow the worlds too.
fn worlds() -> Interactions {
    let mut builder = InteractionsBuilder::default();
    let mut time = 0;
    for user in 0..24 {
        for item in 0..24 {
            // What is left out, one item each, is what should be found.
            if user % 2 == item % 2 && user != item {
                time += 1;
                builder.push(&format!("u{user:02}"), &format!("i{item:02}"), if item < 12 { 5.0 } else { 2.0 }, time);
            }
        }
    }
    builder.finish()
}

/// A colour, two words and a size of everybody but some.
fn attributes(ids: &Dictionary) -> Attributes {
    let (mut known, mut colours, mut words) =
        (DictionaryBuilder::default(), DictionaryBuilder::default(), DictionaryBuilder::default());
    let (mut colour, mut indptr, mut word, mut size) = (Vec::new(), vec![0], Vec::new(), Vec::new());
    for (index, id) in ids.iter().enumerate().filter(|(index, _)| index % 7 != 3) {
        known.intern(id);
        colour.push(colours.intern(if index % 2 == 0 { "black" } else { "white" }));
        word.extend([words.intern(&format!("line{}", index % 5)), words.intern("piece")]);
        indptr.push(word.len());
        size.push(if index % 11 == 0 { f32::NAN } else { index as f32 });
    }
    let column = |name: &str, values| AttributeColumn { name: name.to_owned(), values };
    Attributes {
        ids: known.finish(),
        columns: vec![
            column("colour", AttributeValues::Token { vocabulary: colours.finish(), word: colour }),
            column("title", AttributeValues::TokenSeq { vocabulary: words.finish(), indptr, words: word }),
            column("size", AttributeValues::Float(size)),
        ],
    }
}

/// Small sizes, so that a test takes no time.
fn small(kind: &str) -> RecommenderSpec {
    let integer = |v| ParamValue::Integer(v);
    let spec = RecommenderSpec::new(kind);
    match kind {
        "mlp" => spec.with("hidden", ParamValue::Integers(vec![8, 8])),
        "densenet" => spec.with("layers", integer(6)).with("growth", integer(4)),
        "neumf" => spec.with("factors", integer(4)).with("embedding", integer(8)),
        "autoencoder" => spec.with("hidden", integer(32)).with("latent", integer(16)),
        "wide-and-deep" => spec.with("embedding", integer(8)).with("crosses", integer(100)),
        "deepfm" | "dlrm" => spec.with("embedding", integer(8)),
        _ => spec,
    }
}

fn resolved(recommender: RecommenderSpec, training: TrainingSpec) -> (ResolvedRecommender, Training) {
    let mut spec = ExperimentSpec { training, recommender, ..ExperimentSpec::default() };
    spec.split.validation_ratio = Some(0.1);
    spec.evaluation =
        EvaluationSpec { metrics: vec![MetricName::at(MetricKind::Ndcg, 10)], ..EvaluationSpec::default() };
    let spec = spec.resolve().unwrap_or_else(|errors| panic!("{errors}"));
    (spec.recommender, spec.training.unwrap())
}

struct Desk {
    data: Interactions,
    items: Attributes,
    users: Attributes,
    train: Vec<u32>,
    validation: Vec<u32>,
}

impl Desk {
    fn new() -> Self {
        let data = worlds();
        let (validation, train) = (0..data.len() as u32).partition(|row| row % 11 == 5);
        Self { items: attributes(&data.items), users: attributes(&data.users), data, train, validation }
    }

    fn fit(
        &self,
        (recommender, training): &(ResolvedRecommender, Training),
        seed: u64,
        observer: &mut dyn FitObserver,
    ) -> Result<Fitted, NeuralFitError> {
        let rows = |rows| Rows { interactions: &self.data, rows };
        let request = FitRequest {
            recommender,
            training,
            train: rows(&self.train),
            validation: rows(&self.validation),
            item_attributes: Some(&self.items),
            user_attributes: Some(&self.users),
            threshold: 4.0,
            seed,
            device: NeuralDevice::default(),
        };
        fit(&request, observer)
    }

    fn bits(&self, model: &dyn NeuralModel) -> Vec<u32> {
        let mut bits: Vec<u32> = model
            .predict_rows(&self.data.user, &self.data.item, &self.data.timestamp)
            .into_iter()
            .map(f32::to_bits)
            .collect();
        let mut scores = vec![f32::NAN; self.data.n_items()];
        for user in 0..self.data.n_users() as u32 {
            model.score_all(user, model.reference_timestamp(), &mut scores);
            bits.extend(scores.iter().map(|score| score.to_bits()));
        }
        bits
    }
}

fn short() -> TrainingSpec {
    TrainingSpec { epochs: Some(3), batch_size: Some(16), ..TrainingSpec::default() }
}

/// Keeps what it hears, stops at a step, keeps the last checkpoint.
#[derive(Default)]
struct Recorder {
    events: Vec<EventKind>,
    asked: u64,
    stop_after: Option<u64>,
    checkpoint: Option<Vec<u8>>,
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
    fn checkpoint(&mut self, _: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.checkpoint = Some(state());
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

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads_and_another_seed_others() {
    let desk = Desk::new();
    for kind in kinds() {
        let how = resolved(small(kind), short());
        let on = |threads: usize, seed: u64| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| desk.bits(&*desk.fit(&how, seed, &mut Unobserved).unwrap().model))
        };
        assert_eq!(on(1, 1), on(3, 1), "{kind}");
        assert_ne!(on(1, 1), on(1, 2), "{kind}");
    }
}

#[test]
fn a_training_that_was_stopped_and_resumed_ends_in_the_same_bits() {
    let desk = Desk::new();
    for kind in kinds() {
        for optimizer in Optimizer::ALL {
            let training = TrainingSpec {
                optimizer: Some(optimizer),
                early_stopping: Some(2),
                gradient_clip: Some(0.5),
                weight_decay: Some(1e-4),
                ..short()
            };
            let how = resolved(small(kind), training);
            let mut whole = Recorder::default();
            let straight = desk.fit(&how, 4, &mut whole).unwrap();
            for stop_after in [1, whole.asked / 2] {
                let mut first = Recorder { stop_after: Some(stop_after), ..Recorder::default() };
                let error = desk.fit(&how, 4, &mut first).unwrap_err();
                assert_eq!(error, NeuralFitError::Interrupted { step: stop_after }, "{kind}");
                let mut second = Recorder { resume: first.checkpoint, ..Recorder::default() };
                let resumed = desk.fit(&how, 4, &mut second).unwrap();
                assert_eq!(resumed.info, straight.info, "{kind} {optimizer:?} after {stop_after}");
                assert!(desk.bits(&*resumed.model) == desk.bits(&*straight.model), "{kind} {optimizer:?} {stop_after}");
            }
        }
    }
}

#[test]
fn a_model_made_of_its_parts_answers_with_the_same_bits() {
    let desk = Desk::new();
    for kind in kinds() {
        let how = resolved(small(kind), short());
        let model = desk.fit(&how, 1, &mut Unobserved).unwrap().model;
        let again = restore(&how.0, model.parts(), &NeuralDevice::default()).unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!(again.parts(), model.parts(), "{kind}");
        assert!(desk.bits(&*again) == desk.bits(&*model), "{kind}");
        assert_eq!((again.parameters(), again.memory()), (model.parameters(), model.memory()), "{kind}");
        let nothing = restore(&how.0, recspeed_data::parts::Parts::default(), &NeuralDevice::default()).err().unwrap();
        assert!(nothing.to_string().contains("has no part"), "{kind}: {nothing}");
    }
}

#[test]
fn every_loss_of_every_network_falls_on_the_rows_that_it_learns_from() {
    let desk = Desk::new();
    for kind in kinds() {
        for &loss in catalogue::find(kind).unwrap().losses {
            let training = TrainingSpec {
                epochs: Some(60),
                batch_size: Some(if kind == "autoencoder" { 8 } else { 32 }),
                learning_rate: Some(5e-3),
                loss: Some(loss),
                ..TrainingSpec::default()
            };
            let mut recorder = Recorder::default();
            desk.fit(&resolved(small(kind), training), 1, &mut recorder).unwrap();
            let losses = recorder.values("epoch-loss", MeasuredOn::Train);
            // A person's items are never certain, so the likelihood of all of them has a floor.
            let share = match (kind, loss) {
                ("autoencoder", Loss::CrossEntropy) => 0.85,
                ("mlp" | "densenet", _) => 0.8,
                _ => 0.6,
            };
            assert!(losses[59] < share * losses[0], "{kind} {loss:?}: {} → {}", losses[0], losses[59]);
        }
    }
}

/// Networks that learn from the order of time, of which rows and baskets in the order of items have none: their laws are
/// in `sequences.rs`.
fn learns_order(kind: &str) -> bool {
    catalogue::find(kind).is_some_and(|entry| entry.needs.contains(&Need::Order))
}

#[test]
fn networks_that_rank_find_the_item_that_was_left_out() {
    let desk = Desk::new();
    for kind in kinds().filter(|kind| !["mlp", "densenet"].contains(kind) && !learns_order(kind)) {
        for &loss in catalogue::find(kind).unwrap().losses {
            let training = TrainingSpec {
                epochs: Some(40),
                batch_size: Some(if kind == "autoencoder" { 8 } else { 32 }),
                learning_rate: Some(5e-3),
                loss: Some(loss),
                ..TrainingSpec::default()
            };
            let model = desk.fit(&resolved(small(kind), training), 1, &mut Unobserved).unwrap().model;
            let mut scores = vec![0.0; desk.data.n_items()];
            let mut right = 0;
            for user in 0..desk.data.n_users() as u32 {
                model.score_all(user, 0, &mut scores);
                // Items of the other world are worth less than the own item that was left out.
                let number = |id: &str| id[1..].parse::<usize>().unwrap();
                let own = number(desk.data.users.get(user));
                let score = |item: usize| scores[desk.data.items.index_of(&format!("i{item:02}")).unwrap() as usize];
                let above = (0..24).filter(|item| item % 2 != own % 2 && score(*item) >= score(own)).count();
                right += usize::from(above == 0);
            }
            assert!(right >= 20, "{kind} {loss:?}: {right} of 24");
        }
    }
}

#[test]
fn exactly_the_networks_that_say_so_serve_new_people_as_their_own_rows_would() {
    let desk = Desk::new();
    let own = recspeed_data::Csr::by_user(&desk.data, &desk.train);
    for kind in kinds().filter(|kind| !learns_order(kind)) {
        let model = desk.fit(&resolved(small(kind), short()), 1, &mut Unobserved).unwrap().model;
        let says = catalogue::find(kind).unwrap().new_users.is_ok();
        assert_eq!(model.fold_in().is_some(), says, "{kind}");
        let Some(fold_in) = model.fold_in() else { continue };
        let (mut known, mut folded) = (vec![0.0; desk.data.n_items()], vec![f32::NAN; desk.data.n_items()]);
        for user in 0..desk.data.n_users() as u32 {
            let (items, ratings) = own.row(user as usize);
            let basket: Vec<(u32, f32)> = items.iter().copied().zip(ratings.iter().copied()).collect();
            model.score_all(user, model.reference_timestamp(), &mut known);
            fold_in.score_basket(&basket, &mut folded);
            assert_eq!(known, folded, "{kind}: user {user}");
        }
        fold_in.score_basket(&[], &mut folded);
        assert!(folded.iter().all(|score| score.is_finite()), "{kind}: nobody");
    }
}

#[test]
fn a_tile_scores_as_one_user_after_another() {
    let desk = Desk::new();
    let users: Vec<u32> = (0..desk.data.n_users() as u32).collect();
    let n_items = desk.data.n_items();
    for kind in kinds() {
        let model = desk.fit(&resolved(small(kind), short()), 1, &mut Unobserved).unwrap().model;
        let mut tile = vec![f32::NAN; users.len() * n_items];
        model.score_tile(&users, &mut tile);
        let mut alone = vec![0.0; n_items];
        for (user, together) in users.iter().zip(tile.chunks_exact(n_items)) {
            model.score_all(*user, model.reference_timestamp(), &mut alone);
            for (a, b) in alone.iter().zip(together) {
                assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{kind}: {a} {b}");
            }
        }
    }
}

#[test]
fn a_list_is_ordered_by_what_single_pairs_get() {
    let desk = Desk::new();
    for kind in kinds() {
        let model = desk.fit(&resolved(small(kind), short()), 1, &mut Unobserved).unwrap().model;
        let time = model.reference_timestamp();
        let items: Vec<u32> = (0..desk.data.n_items() as u32).collect();
        let mut scores = vec![0.0; items.len()];
        for user in [0, 7, 23] {
            model.score_all(user, time, &mut scores);
            let single = model.predict_rows(&vec![user; items.len()], &items, &vec![time; items.len()]);
            for (a, b) in scores.iter().zip(single) {
                assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{kind}: {a} {b}");
            }
        }
    }
}

#[test]
fn networks_that_rank_are_judged_by_their_lists_and_others_by_their_errors() {
    let desk = Desk::new();
    for kind in kinds() {
        let mut recorder = Recorder::default();
        desk.fit(&resolved(small(kind), short()), 1, &mut recorder).unwrap();
        let expected = match kind {
            "mlp" => "rmse",
            "densenet" => "accuracy",
            _ => "ndcg@10",
        };
        let told = recorder.values(expected, MeasuredOn::Validation);
        assert_eq!(told.len(), 3, "{kind}");
        assert!(told.iter().all(|value| (0.0..=5.0).contains(value)), "{kind}: {told:?}");
    }
}

#[test]
fn the_four_layer_network_learns_the_very_numbers_that_it_always_did() {
    // Measured before networks became exchangeable: the bits must not move.
    let desk = Desk::new();
    let model = desk.fit(&resolved(small("mlp"), short()), 1, &mut Unobserved).unwrap().model;
    let stars = model.predict_rows(&[0, 5, 23], &[1, 8, 23], &[0, 100, 250]);
    assert_eq!(stars.iter().map(|star| star.to_bits()).collect::<Vec<_>>(), MLP_BITS, "{stars:?}");
}

const MLP_BITS: [u32; 3] = [1076149260, 1076268886, 1076968066];

#[test]
fn an_attribute_that_is_not_there_is_refused_with_those_that_are() {
    let desk = Desk::new();
    let spec = small("deepfm").with("attributes", ParamValue::Names(vec!["color".to_owned()]));
    let error = desk.fit(&resolved(spec, short()), 1, &mut Unobserved).unwrap_err();
    assert_eq!(
        error.to_string(),
        "recommender.attributes names `color`, but the data set has no such attribute; it has colour, title, size"
    );
}

#[test]
fn an_attribute_that_is_a_list_of_numbers_is_refused_by_name() {
    let mut desk = Desk::new();
    let count = desk.items.ids.len();
    let places = AttributeValues::FloatSeq { indptr: (0..=count).collect(), values: vec![1.0; count] };
    desk.items.columns.push(AttributeColumn { name: "place".to_owned(), values: places });
    let spec = small("dlrm").with("attributes", ParamValue::Names(vec!["size".to_owned(), "place".to_owned()]));
    let error = desk.fit(&resolved(spec, short()), 1, &mut Unobserved).unwrap_err();
    assert_eq!(
        error.to_string(),
        "recommender.attributes names `place`, which is a list of numbers; `dlrm` reads words, lists of words and single \
         numbers: colour, title, size"
    );
}

#[test]
fn a_checkpoint_under_any_other_parameter_is_refused() {
    let desk = Desk::new();
    let (float, integer) = (ParamValue::Float(0.37), ParamValue::Integer(777));
    let dropouts =
        ["neumf", "deepfm", "wide-and-deep", "dlrm", "densenet", "sasrec"].map(|kind| (kind, "dropout", &float));
    let others = [("autoencoder", "kl_weight", &float), ("autoencoder", "annealing_steps", &integer)];
    for (kind, name, other) in dropouts.into_iter().chain(others) {
        let mut recorder = Recorder::default();
        desk.fit(&resolved(small(kind), short()), 1, &mut recorder).unwrap();
        let mut resumed = Recorder { resume: recorder.checkpoint.clone(), ..Recorder::default() };
        assert!(desk.fit(&resolved(small(kind), short()), 1, &mut resumed).is_ok(), "{kind}");
        let mut resumed = Recorder { resume: recorder.checkpoint, ..Recorder::default() };
        let error = desk.fit(&resolved(small(kind).with(name, other.clone()), short()), 1, &mut resumed).unwrap_err();
        assert!(matches!(error, NeuralFitError::Checkpoint { .. }), "{kind} {name}: {error}");
    }
}

/// The first two items are in validation rows alone: nobody finds them, and no epoch is better than another.
fn desk_of_unfindable_items() -> Desk {
    let desk = Desk::new();
    let first = |row: &u32| ["i00", "i01"].contains(&desk.data.items.get(desk.data.item[*row as usize]));
    let (validation, train) = (0..desk.data.len() as u32).partition(first);
    Desk { train, validation, ..desk }
}

#[test]
fn a_judge_that_tells_no_epochs_apart_stops_nothing_and_says_so() {
    let desk = desk_of_unfindable_items();
    for kind in ["neumf", "autoencoder", "sasrec"] {
        let training = TrainingSpec { early_stopping: Some(2), epochs: Some(5), ..short() };
        let mut recorder = Recorder::default();
        let fitted = desk.fit(&resolved(small(kind), training), 1, &mut recorder).unwrap();
        assert_eq!((fitted.info.epochs, fitted.info.best_epoch), (5, Some(5)), "{kind}");
        let said = |text: &str| {
            let log = |event: &EventKind| matches!(event, EventKind::Log { message, .. } if message.contains(text));
            recorder.events.iter().filter(|event| log(event)).count()
        };
        assert_eq!((said("chose none of them"), said("users with validation rows")), (1, 1), "{kind}");
        let last = desk.fit(&resolved(small(kind), TrainingSpec { epochs: Some(5), ..short() }), 1, &mut Unobserved);
        assert!(desk.bits(&*fitted.model) == desk.bits(&*last.unwrap().model), "{kind}: the last network is kept");
    }
}

#[test]
fn the_autoencoder_learns_nothing_of_items_that_nobody_has() {
    let desk = desk_of_unfindable_items();
    for &loss in catalogue::find("autoencoder").unwrap().losses {
        let biases = |epochs: u32| {
            let how =
                resolved(small("autoencoder"), TrainingSpec { epochs: Some(epochs), loss: Some(loss), ..short() });
            let mut parts = desk.fit(&how, 1, &mut Unobserved).unwrap().model.parts();
            match parts.take("scores.bias").unwrap().values {
                Values::F32(values) => values,
                other => panic!("{other:?}"),
            }
        };
        let (early, late) = (biases(1), biases(4));
        for (item, (early, late)) in early.iter().zip(&late).enumerate() {
            let cold = ["i00", "i01"].contains(&desk.data.items.get(item as u32));
            assert_eq!(early == late, cold, "{loss:?} item {item}: {early} {late}");
        }
    }
}

#[test]
fn data_in_which_everybody_has_everything_are_refused_where_networks_compare() {
    let mut builder = InteractionsBuilder::default();
    (0..12).for_each(|row| builder.push(&format!("u{}", row % 3), &format!("i{}", row / 3), 5.0, row));
    let (data, train, validation) = (builder.finish(), (0..12).collect(), Vec::new());
    let desk = Desk { items: attributes(&data.items), users: attributes(&data.users), data, train, validation };
    for kind in ["neumf", "wide-and-deep", "deepfm", "dlrm"] {
        let error = desk.fit(&resolved(small(kind), short()), 1, &mut Unobserved).unwrap_err();
        assert_eq!(error, NeuralFitError::NothingElse { kind });
    }
}

#[test]
fn a_step_too_long_ends_with_the_last_good_loss() {
    let desk = Desk::new();
    for kind in kinds() {
        let training = TrainingSpec {
            optimizer: Some(Optimizer::Sgd),
            learning_rate: Some(1000.0),
            epochs: Some(200),
            loss: catalogue::find(kind).unwrap().losses.iter().copied().find(|loss| *loss == Loss::Mse),
            ..short()
        };
        match desk.fit(&resolved(small(kind), training), 1, &mut Unobserved) {
            Err(NeuralFitError::Diverged { step, remedy, .. }) => {
                assert!(step > 0 && remedy == 0.001, "{kind}: step {step}, remedy {remedy}");
            }
            // A bounded slope, as that of a sigmoid, may survive; what it answers with is still finite.
            Ok(fitted) => {
                let stars = fitted.model.predict_rows(&desk.data.user, &desk.data.item, &desk.data.timestamp);
                assert!(stars.iter().all(|star| star.is_finite()), "{kind}");
            }
            Err(error) => panic!("{kind}: {error}"),
        }
    }
}
