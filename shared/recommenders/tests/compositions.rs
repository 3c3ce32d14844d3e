//! What holds for every hybrid, whatever it is made of: each kind of the catalogue stands at each place that takes it.

mod support;

use recspeed_data::{Attributes, Interactions};
use recspeed_recommenders::{
    BasketItem, FitError, FitRequest, Fitted, Parts, Reason, Recommender, RestoreRequest, Restored, TrainSet, fit,
    fit_request, kinds, restore, restore_request, unforeseen,
};
use recspeed_types::catalogue::{self, Entry, Family, ParamKind};
use recspeed_types::spec::{ParamValue, RecommenderSpec, ResolvedRecommender};
use recspeed_types::{EventKind, FitObserver, Unobserved};
use support::{attributes, resolved, varied, with_threads};

fn hybrids() -> impl Iterator<Item = &'static Entry> {
    catalogue::ENTRIES.iter().copied().filter(|entry| entry.family == Family::Hybrid)
}

fn hybrid(kind: &str, components: Vec<RecommenderSpec>) -> ResolvedRecommender {
    resolved(kind, &[("components", ParamValue::Recommenders(components))])
}

/// Every hybrid with each kind at each place beside the default ones, and each hybrid in each hybrid.
fn compositions() -> Vec<(String, ResolvedRecommender)> {
    let mut all = Vec::new();
    for entry in hybrids() {
        let Some(param) = entry.param("components") else { panic!("{} has no components", entry.kind) };
        let ParamKind::Recommenders { default, .. } = &param.kind else { panic!("{}.components", entry.kind) };
        for place in 0..default.len() {
            for kind in kinds().filter(|kind| param.kind.slot(place).unwrap().takes.kinds().any(|k| k == *kind)) {
                let mut components: Vec<RecommenderSpec> =
                    default.iter().map(|kind| RecommenderSpec::new(kind)).collect();
                components[place] = RecommenderSpec::new(kind);
                all.push((format!("{} with {kind} at {place}", entry.kind), hybrid(entry.kind, components)));
            }
        }
    }
    assert!(all.len() > 50, "{}", all.len());
    all
}

/// Scores of users and items of all sorts, and two predictions.
fn answers(model: &dyn Recommender) -> Vec<u32> {
    let mut bits = Vec::new();
    let mut scores = vec![f32::NAN; model.n_items()];
    for user in [0, 1, 7, model.n_users() as u32 - 1] {
        model.score_all(user, &mut scores);
        bits.extend(scores.iter().map(|score| score.to_bits()));
        bits.push(model.predict(user, 1, 5).to_bits());
    }
    bits
}

struct World {
    all: Interactions,
    rows: Vec<u32>,
    items: Attributes,
    users: Attributes,
}

impl World {
    fn new(users: u32, items: u32, rows: u32) -> Self {
        let (all, rows) = varied(users, items, rows);
        Self { items: attributes(&all.items), users: attributes(&all.users), all, rows }
    }

    fn data(&self) -> TrainSet<'_> {
        TrainSet::new(&self.all, &self.rows).with_attributes(Some(&self.items), Some(&self.users))
    }
}

fn basket_of(data: &TrainSet<'_>, user: u32) -> Vec<BasketItem> {
    let (items, ratings) = data.by_user.row(user as usize);
    items.iter().zip(ratings).map(|(&item, &rating)| BasketItem { item, rating }).collect()
}

#[test]
fn a_composition_gives_the_same_bits_on_any_number_of_threads_and_from_its_parts() {
    let world = World::new(40, 30, 300);
    for (name, recommender) in compositions() {
        let learn = |threads| with_threads(threads, || fit(&recommender, &world.data(), 3, &mut Unobserved).unwrap());
        let (one, three) = (learn(1), learn(3));
        assert_eq!(answers(&*one), answers(&*three), "{name}");
        let again = restore(&recommender, one.parts()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answers(&*again), answers(&*one), "{name}: from its parts");
        assert_eq!(again.parts(), one.parts(), "{name}");
    }
}

#[test]
fn a_composition_scores_alone_as_in_line_explains_in_parts_and_serves_new_users_where_all_components_do() {
    let world = World::new(30, 24, 200);
    let data = world.data();
    for (name, recommender) in compositions() {
        let model = fit(&recommender, &data, 3, &mut Unobserved).unwrap();
        let mut scores = vec![f32::NAN; data.n_items()];
        let cold = data.n_users() as u32 - 1;
        for user in [0, 3, cold] {
            model.score_all(user, &mut scores);
            for (item, score) in scores.iter().enumerate() {
                assert!(score.is_finite(), "{name}: {user}, {item}");
                assert_eq!(model.predict(user, item as u32, 0).to_bits(), score.to_bits(), "{name}: {user}, {item}");
            }
        }
        model.score_all(3, &mut scores);
        let reasons = model.explain(3, 2, 100).unwrap_or_else(|| panic!("{name} does not explain"));
        let part = |reason: &Reason| if let Reason::Component { part, .. } = reason { Some(*part) } else { None };
        if let Some(parts) = reasons.iter().map(part).collect::<Option<Vec<f32>>>() {
            let sum: f32 = parts.iter().sum();
            assert!((sum - scores[2]).abs() <= 1e-4 * scores[2].abs().max(1.0), "{name}: {parts:?} for {}", scores[2]);
        }
        let serves = model.fold_in();
        assert_eq!(serves.is_some(), recommender.serves_new_users(), "{name}");
        let Some(fold_in) = serves else { continue };
        let mut folded = vec![f32::NAN; data.n_items()];
        fold_in.score_basket(&basket_of(&data, 3), &mut folded);
        assert!(folded.iter().all(|score| score.is_finite()), "{name}");
        fold_in.explain_basket(&basket_of(&data, 3), 2, 5);
        fold_in.score_basket(&[], &mut folded);
        model.score_all(cold, &mut scores);
        // Machines know the cold user's attributes, and none of nobody; chance gives everybody an order of their own.
        if !["fm", "feature-embeddings", "random"].iter().any(|kind| name.contains(kind)) {
            assert_eq!(folded, scores, "{name}: nobody and a cold user");
        }
    }
}

#[test]
fn hybrids_hold_hybrids() {
    let world = World::new(30, 24, 200);
    for outer in hybrids() {
        for inner in hybrids() {
            let slot = outer.param("components").unwrap().kind.slot(0).unwrap();
            if !slot.takes.allows(inner) {
                continue;
            }
            let mut components = vec![RecommenderSpec::new(inner.kind)];
            let ParamKind::Recommenders { default, .. } = &outer.param("components").unwrap().kind else { continue };
            components.extend(default[1..].iter().map(|kind| RecommenderSpec::new(kind)));
            let recommender = hybrid(outer.kind, components);
            let model = fit(&recommender, &world.data(), 3, &mut Unobserved).unwrap();
            let again = restore(&recommender, model.parts()).unwrap();
            assert_eq!(answers(&*again), answers(&*model), "{} in {}", inner.kind, outer.kind);
        }
    }
}

#[test]
fn a_component_without_its_data_is_refused_with_its_place_before_any_work() {
    let world = World::new(12, 10, 60);
    let data = TrainSet::new(&world.all, &world.rows);
    let deep = RecommenderSpec::new("weighted").with(
        "components",
        ParamValue::Recommenders(vec![RecommenderSpec::new("bias"), RecommenderSpec::new("content-tfidf")]),
    );
    let recommender = hybrid("switching", vec![RecommenderSpec::new("als-implicit"), deep]);
    let mut said = Listening::default();
    let error = fit(&recommender, &data, 1, &mut said).err().unwrap();
    assert_eq!(
        error.to_string(),
        "in recommender.components[1].components[1]: `content-tfidf` needs item attributes, which this data set does not have; name a file of them as dataset.items, or take a data set that has them, or a recommender that needs none, as item-knn, als-implicit or ease"
    );
    assert!(matches!(error.root(), FitError::Needs { .. }) && said.events == 0, "{} events", said.events);
    let colour = RecommenderSpec::new("content-tfidf").with("attributes", ParamValue::Names(vec!["taste".into()]));
    let recommender = hybrid("switching", vec![RecommenderSpec::new("popularity"), colour]);
    let error = fit(&recommender, &world.data(), 1, &mut Unobserved).err().unwrap().to_string();
    assert!(error.starts_with("recommender.components[1].attributes names `taste`, but the data set"), "{error}");
}

#[test]
fn a_component_without_a_word_to_read_is_refused_with_its_place_before_any_work_unless_the_hybrid_makes_its_words() {
    let world = World::new(12, 10, 60);
    let mut numbers = attributes(&world.all.items);
    numbers.columns.retain(|column| column.name == "size");
    let data = TrainSet::new(&world.all, &world.rows).with_attributes(Some(&numbers), None);
    let deep = RecommenderSpec::new("meta-level")
        .with("components", ParamValue::Recommenders(vec![RecommenderSpec::new("content-tfidf")]));
    let content = RecommenderSpec::new("content-linear");
    for (second, place) in [(content, "recommender.components[1]"), (deep, "recommender.components[1].components[0]")] {
        let recommender = hybrid("weighted", vec![RecommenderSpec::new("als-implicit"), second]);
        let mut said = Listening::default();
        let error = fit(&recommender, &data, 1, &mut said).err().unwrap();
        assert!(matches!(error.root(), FitError::NoWords { .. }) && said.events == 0, "{} events", said.events);
        assert!(error.to_string().starts_with(&format!("in {place}: `content-")), "{error}");
        assert!(error.to_string().contains("numbers, which it passes over, in size; "), "{error}");
    }
    for kind in ["feature-combination", "feature-augmentation"] {
        fit(&resolved(kind, &[]), &data, 1, &mut Unobserved).unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
    let nobody = resolved("feature-combination", &[("liked", ParamValue::Float(1000.0))]);
    let error = fit(&nobody, &data, 1, &mut Unobserved).err().unwrap().to_string();
    assert!(error.contains("nobody is in `rated-by`") && error.ends_with("set it to 5 or less"), "{error}");
}

/// Counts events, keeps every checkpoint, and stops after some.
#[derive(Default)]
struct Listening {
    events: usize,
    saved: Vec<Vec<u8>>,
    stop_after: Option<usize>,
    resume: Option<Vec<u8>>,
}

impl FitObserver for Listening {
    fn event(&mut self, _: EventKind) {
        self.events += 1;
    }

    fn stop_requested(&mut self) -> bool {
        self.stop_after.is_some_and(|most| self.saved.len() >= most)
    }

    fn checkpoint(&mut self, _: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.saved.push(state());
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.resume.take()
    }
}

#[test]
fn a_stopped_hybrid_goes_on_inside_the_component_that_was_stopped() {
    let world = World::new(40, 30, 300);
    let inner = RecommenderSpec::new("weighted").with(
        "components",
        ParamValue::Recommenders(vec![RecommenderSpec::new("biased-mf"), RecommenderSpec::new("als-implicit")]),
    );
    let recommender = hybrid("switching", vec![RecommenderSpec::new("nmf"), inner]);
    let mut whole = Listening::default();
    let expected = answers(&*fit(&recommender, &world.data(), 3, &mut whole).unwrap());
    for stop_after in [1, whole.saved.len() / 2, whole.saved.len() - 1] {
        let mut first = Listening { stop_after: Some(stop_after), ..Listening::default() };
        let stopped = fit(&recommender, &world.data(), 3, &mut first).err().unwrap();
        assert!(matches!(stopped, FitError::Interrupted { .. }), "{stopped}");
        let mut second = Listening { resume: first.saved.pop(), ..Listening::default() };
        let resumed = fit(&recommender, &world.data(), 3, &mut second).unwrap();
        assert_eq!(answers(&*resumed), expected, "stopped after {stop_after} checkpoints");
        assert!(second.saved.len() <= whole.saved.len() - stop_after + 1, "nothing done is saved again");
    }
    for (state, reason) in [
        (vec![1, 2, 3], "the file to go on from is not a checkpoint of this lab (it begins with the bytes 01 02 03);"),
        (b"user_id,item_id\n1,2".to_vec(), "of this lab (it is text that begins with `user_id,item_id`);"),
        (b"RSHYB001 and more".to_vec(), "is a checkpoint of an earlier version of the lab"),
        (b"more, and RSHYB002".to_vec(), "is a checkpoint of an earlier version of the lab"),
        (b"more, and RSHYB003".to_vec(), "is a checkpoint of an earlier version of the lab"),
    ] {
        let mut foreign = Listening { resume: Some(state), ..Listening::default() };
        let error = fit(&recommender, &world.data(), 3, &mut foreign).err().unwrap().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn components_of_other_crates_are_fitted_and_restored_by_whoever_can() {
    let world = World::new(12, 10, 60);
    let data = world.data();
    let recommender = hybrid("weighted", vec![RecommenderSpec::new("item-mean"), RecommenderSpec::new("mlp")]);
    let stand_in = |request: &FitRequest<'_>, observer: &mut dyn FitObserver| -> Fitted {
        assert_eq!(request.recommender.entry.kind, "mlp");
        fit(&resolved("item-mean", &[]), request.data, request.seed, observer)
    };
    let request = FitRequest {
        recommender: &recommender,
        data: &data,
        seed: 1,
        elsewhere: &stand_in,
        foretell: &unforeseen,
        stops_early: false,
        permutes: false,
        trained: None,
    };
    let model = fit_request(&request, &mut Unobserved).unwrap();
    let alone = fit(&resolved("item-mean", &[]), &data, 1, &mut Unobserved).unwrap();
    assert!((model.predict(0, 0, 0) - alone.predict(0, 0, 0)).abs() < 1e-6);
    let again = |recommender: &ResolvedRecommender, parts: Parts| -> Restored {
        assert_eq!(recommender.entry.kind, "mlp");
        restore(&resolved("item-mean", &[]), parts)
    };
    let request = RestoreRequest { recommender: &recommender, elsewhere: &again };
    assert_eq!(answers(&*restore_request(&request, model.parts()).unwrap()), answers(&*model));
    let error = restore(&recommender, model.parts()).err().unwrap().to_string();
    assert_eq!(error, "no model of kind `mlp` can be loaded here");
    let refused = fit(&recommender, &data, 1, &mut Unobserved).err().unwrap();
    assert!(refused.to_string().starts_with("recommender.components[1].kind `mlp` is not fitted here"), "{refused}");
}
