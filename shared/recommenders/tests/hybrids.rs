//! Hybrids against their definitions.

mod support;

use recspeed_recommenders::{BasketItem, Reason, Recommender, TrainSet, fit};
use recspeed_types::Unobserved;
use recspeed_types::spec::{ParamValue, RecommenderSpec, ResolvedRecommender};
use support::{attributes, fitted, interactions, known, read, resolved, text, varied};

fn hybrid(kind: &str, components: Vec<RecommenderSpec>, params: &[(&str, ParamValue)]) -> ResolvedRecommender {
    let mut params = params.to_vec();
    params.push(("components", ParamValue::Recommenders(components)));
    resolved(kind, &params)
}

fn learnt(recommender: &ResolvedRecommender, data: &TrainSet<'_>) -> Box<dyn Recommender> {
    fit(recommender, data, 1, &mut Unobserved).expect("the fit succeeds")
}

fn scores(model: &dyn Recommender, user: u32) -> Vec<f32> {
    let mut scores = vec![0.0; model.n_items()];
    model.score_all(user, &mut scores);
    scores
}

fn weighing(kind: &str, weight: f64) -> RecommenderSpec {
    RecommenderSpec::new(kind).with("weight", ParamValue::Float(weight))
}

#[test]
fn weighted_ratings_are_the_weighted_mean_in_stars() {
    let (all, rows) = varied(30, 20, 200);
    let data = TrainSet::new(&all, &rows);
    let model = learnt(&hybrid("weighted", vec![weighing("item-mean", 3.0), weighing("user-mean", 1.0)], &[]), &data);
    let (item, user) = (fitted("item-mean", &[], &data, 1), fitted("user-mean", &[], &data, 1));
    for (u, i) in [(0, 0), (5, 7), (30, 3)] {
        let expected = 0.75 * item.predict(u, i, 0) + 0.25 * user.predict(u, i, 0);
        assert!((model.predict(u, i, 0) - expected).abs() < 1e-5);
    }
}

#[test]
fn weighted_scores_are_compared_by_how_far_they_stand_out_for_the_user() {
    let (all, rows) = varied(30, 20, 200);
    let data = TrainSet::new(&all, &rows);
    let model = learnt(&hybrid("weighted", vec![weighing("item-knn", 2.0), weighing("popularity", 1.0)], &[]), &data);
    let standing = |kind: &str| {
        let scores = scores(&*fitted(kind, &[], &data, 1), 4);
        let mean = scores.iter().sum::<f32>() / scores.len() as f32;
        let spread = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / scores.len() as f32).sqrt();
        scores.into_iter().map(|s| (s - mean) / spread).collect::<Vec<f32>>()
    };
    let (near, popular) = (standing("item-knn"), standing("popularity"));
    for (item, score) in scores(&*model, 4).into_iter().enumerate() {
        assert!((score - (2.0 * near[item] + popular[item]) / 3.0).abs() < 1e-4, "item {item}");
    }
    // A weight of 0 leaves the other one's order.
    let one = learnt(&hybrid("weighted", vec![weighing("item-knn", 1.0), weighing("popularity", 0.0)], &[]), &data);
    let order = |scores: &[f32]| {
        let mut items: Vec<usize> = (0..scores.len()).collect();
        items.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        items
    };
    assert_eq!(order(&scores(&*one, 4)), order(&near));
}

#[test]
fn learnt_weights_go_to_whoever_foresees_the_validation_rows() {
    // Everybody's next item is a black one, and everybody has black ones only: content knows, popularity misleads.
    // The first reader has everything once, so that an item's number is its place in the data: even ones are black.
    let mut rows: Vec<(u32, u32, f32)> = (0..40).map(|item| (1000, item, 5.0)).collect();
    for user in 0..20u32 {
        for step in 0..4 {
            rows.push((user, 2 * ((user + 5 * step) % 20), 5.0));
        }
    }
    for user in 20..60u32 {
        rows.extend([(user, 1, 5.0), (user, 3, 5.0)]);
    }
    let train = rows.len() as u32;
    rows.extend((0..20u32).map(|user| (user, 2 * ((user + 3) % 20), 5.0)));
    let all = interactions(&rows);
    let known = attributes(&all.items);
    let (learn, steer): (Vec<u32>, Vec<u32>) = (0..all.len() as u32).partition(|&row| row < train);
    let data = TrainSet::new(&all, &learn).with_attributes(Some(&known), None).with_validation(&steer);
    let components = || vec![RecommenderSpec::new("content-tfidf"), RecommenderSpec::new("popularity")];
    let model = learnt(&hybrid("weighted", components(), &[("weights", text("learnt"))]), &data);
    let weights = model.parts().take_list("weights").unwrap();
    assert!(weights[0] > 0.9 && weights[1] < 0.1 && (weights[0] + weights[1] - 1.0).abs() < 1e-6, "{weights:?}");
}

#[test]
fn learnt_weights_of_ratings_go_to_the_component_that_is_exact() {
    // An item has the same rating from everybody, and items differ: their means are right, the mean of all is not.
    let rating = |item: u32| (item % 5 + 1) as f32;
    let mut rows: Vec<(u32, u32, f32)> = Vec::new();
    for user in 0..10 {
        rows.extend((0..9).map(|item| (user, item, rating(item))));
    }
    let all = interactions(&rows);
    let (steer, learn): (Vec<u32>, Vec<u32>) = (0..all.len() as u32).partition(|row| row % 4 == 3);
    let data = TrainSet::new(&all, &learn).with_validation(&steer);
    for (exact, kinds) in [(0, ["item-mean", "global-mean"]), (1, ["global-mean", "item-mean"])] {
        let components = kinds.map(RecommenderSpec::new).to_vec();
        let model = learnt(&hybrid("weighted", components, &[("weights", text("learnt"))]), &data);
        let weights = model.parts().take_list("weights").unwrap();
        assert!((weights[exact] - 1.0).abs() < 1e-5 && weights[1 - exact].abs() < 1e-5, "{kinds:?}: {weights:?}");
        let worst = (0..9).map(|item| (model.predict(0, item, 0) - rating(item)).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{kinds:?}: {worst}");
    }
}

#[test]
fn learnt_weights_do_not_know_the_items_of_the_test() {
    let mut rows: Vec<(u32, u32, f32)> = Vec::new();
    for user in 0..40u32 {
        rows.extend((0..4).map(|step| (user, (user * user + step * 3) % 20, 5.0)));
    }
    let train = rows.len() as u32;
    rows.extend((0..40u32).map(|user| (user, (user * 7 + 1) % 20, 5.0)));
    let steered = rows.len() as u32;
    // Items that only the test has are no proof against whoever scores them.
    rows.extend((0..40u32).map(|user| (user, 100 + user, 5.0)));
    let (learn, steer): (Vec<u32>, Vec<u32>) = ((0..train).collect(), (train..steered).collect());
    let parts = vec![RecommenderSpec::new("popularity"), RecommenderSpec::new("item-knn")];
    let vote = hybrid("weighted", parts, &[("weights", text("learnt")), ("normalise", text("none"))]);
    let weights = |rows: &[(u32, u32, f32)]| {
        let all = interactions(rows);
        let data = TrainSet::new(&all, &learn).with_validation(&steer);
        learnt(&vote, &data).parts().take_list("weights").unwrap()
    };
    assert_eq!(weights(&rows), weights(&rows[..steered as usize]));
}

#[test]
fn validation_rows_that_stop_a_component_do_not_teach_its_weight() {
    use recspeed_recommenders::{FitRequest, Fitted, fit_request, unforeseen};
    let (all, rows) = varied(30, 20, 300);
    let (steer, learn): (Vec<u32>, Vec<u32>) = rows.iter().partition(|row| *row % 4 == 3);
    let data = TrainSet::new(&all, &learn).with_validation(&steer);
    let parts = vec![RecommenderSpec::new("item-mean"), RecommenderSpec::new("mlp")];
    let vote = hybrid("weighted", parts, &[("weights", text("learnt"))]);
    let outer = vec![vote_spec(), RecommenderSpec::new("item-mean")];
    let nested = hybrid("weighted", outer, &[("weights", text("learnt"))]);
    for (recommender, stops_early, divided) in [(&vote, false, false), (&vote, true, true), (&nested, false, true)] {
        // Pretends to be a network, and tells which validation rows it was given.
        let seen = std::cell::RefCell::new(Vec::new());
        let stand_in = |request: &FitRequest<'_>, observer: &mut dyn recspeed_types::FitObserver| -> Fitted {
            seen.borrow_mut().extend_from_slice(request.data.validation);
            fit(&resolved("item-mean", &[]), request.data, request.seed, observer)
        };
        let request = FitRequest {
            recommender,
            data: &data,
            seed: 1,
            elsewhere: &stand_in,
            foretell: &unforeseen,
            stops_early,
            permutes: false,
            trained: None,
        };
        fit_request(&request, &mut Unobserved).expect("the fit succeeds");
        let expected: Vec<u32> =
            steer.iter().copied().filter(|&row| !divided || all.user[row as usize] % 2 == 0).collect();
        assert_eq!(*seen.borrow(), expected, "stops early: {stops_early}");
    }
}

/// Answers as somebody who reads: each user's newest item read is put first. Tells at each answer which rows it has read.
struct ReadsOn {
    inner: Box<dyn Recommender>,
    newest: Vec<Option<u32>>,
    rows: Vec<u32>,
    asked_with: std::sync::Arc<std::sync::Mutex<Vec<Vec<u32>>>>,
}

impl Recommender for ReadsOn {
    fn n_users(&self) -> usize {
        self.inner.n_users()
    }
    fn n_items(&self) -> usize {
        self.inner.n_items()
    }
    fn predict(&self, user: u32, item: u32, timestamp: i64) -> f32 {
        self.asked_with.lock().unwrap().push(self.rows.clone());
        self.inner.predict(user, item, timestamp)
    }
    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.asked_with.lock().unwrap().push(self.rows.clone());
        self.inner.score_all(user, scores);
        if let Some(item) = self.newest[user as usize] {
            scores[item as usize] += 100.0;
        }
    }
    fn read(
        &mut self,
        interactions: &recspeed_data::Interactions,
        known: &[u32],
        _: &mut dyn recspeed_types::FitObserver,
    ) -> Result<(), recspeed_recommenders::FitError> {
        self.rows = known.to_vec();
        for &row in known {
            self.newest[interactions.user[row as usize] as usize] = Some(interactions.item[row as usize]);
        }
        Ok(())
    }
    fn memory(&self) -> recspeed_types::event::MemoryBytes {
        self.inner.memory()
    }
    fn parameters(&self) -> u64 {
        self.inner.parameters()
    }
    fn parts(&self) -> recspeed_recommenders::Parts {
        self.inner.parts()
    }
}

#[test]
fn weights_are_learnt_from_components_that_have_not_read_the_validation_rows_and_answers_come_from_all_known() {
    use recspeed_recommenders::{FitRequest, Fitted, fit_request, unforeseen};
    let (all, rows) = varied(30, 20, 300);
    let (steer, learn): (Vec<u32>, Vec<u32>) = rows.iter().partition(|row| *row % 4 == 3);
    let data = TrainSet::new(&all, &learn).with_validation(&steer).with_known(&rows);
    let asked_with = std::sync::Arc::default();
    // Weights of scores are learnt from whole lists, weights of stars from one prediction for each validation row.
    let ways = [("popularity", "sasrec", "item-knn"), ("item-mean", "mlp", "bias")];
    for ((other, network, played_by), stops_early) in ways.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let case = format!("{other} and {network}, stops early: {stops_early}");
        let stand_in = |request: &FitRequest<'_>, observer: &mut dyn recspeed_types::FitObserver| -> Fitted {
            assert_eq!(request.data.known, rows, "{case}: a component foresees what it will read");
            let inner = fit(&resolved(played_by, &[]), request.data, request.seed, observer)?;
            let newest = vec![None; request.data.n_users()];
            let rows = request.data.rows.to_vec();
            Ok(Box::new(ReadsOn { inner, newest, rows, asked_with: std::sync::Arc::clone(&asked_with) }))
        };
        let parts = vec![RecommenderSpec::new(other), RecommenderSpec::new(network)];
        let recommender = hybrid("weighted", parts, &[("weights", text("learnt"))]);
        let request = FitRequest {
            recommender: &recommender,
            data: &data,
            seed: 1,
            elsewhere: &stand_in,
            foretell: &unforeseen,
            stops_early,
            permutes: false,
            trained: None,
        };
        let mut model = fit_request(&request, &mut Unobserved).expect("the fit succeeds");
        let teaching = std::mem::take(&mut *asked_with.lock().unwrap());
        assert!(!teaching.is_empty() && teaching.iter().all(|read| *read == learn), "{case}");
        // Every user's validation rows, also of those whose rows have taught the weights.
        read(&mut *model, &all, &rows);
        scores(&*model, 3);
        model.predict(3, 0, 0);
        let asked = std::mem::take(&mut *asked_with.lock().unwrap());
        assert_eq!(asked, [&rows[..], &rows[..]], "{case}");
    }
}

fn vote_spec() -> RecommenderSpec {
    let parts = vec![RecommenderSpec::new("item-mean"), RecommenderSpec::new("mlp")];
    let vote = RecommenderSpec::new("weighted").with("components", ParamValue::Recommenders(parts));
    vote.with("weights", text("learnt"))
}

#[test]
fn weights_are_not_learnt_from_nothing() {
    let (all, rows) = varied(10, 10, 50);
    let recommender = resolved("weighted", &[("weights", text("learnt"))]);
    let error = fit(&recommender, &TrainSet::new(&all, &rows), 1, &mut Unobserved).err().unwrap().to_string();
    assert!(error.starts_with("recommender.weights is \"learnt\", but no validation rows"), "{error}");
}

#[test]
fn switching_by_user_gives_each_the_whole_list_of_one_component() {
    let (all, rows) = varied(30, 20, 200);
    let data = TrainSet::new(&all, &rows);
    let count = |user: u32| data.by_user.row(user as usize).0.len();
    let threshold = count(3) as i64;
    let model = fitted("switching", &[("threshold", ParamValue::Integer(threshold))], &data, 1);
    let (few, many) = (fitted("popularity", &[], &data, 1), fitted("item-knn", &[], &data, 1));
    for user in 0..data.n_users() as u32 {
        let expected = if count(user) >= count(3) { &many } else { &few };
        assert_eq!(scores(&*model, user), scores(&**expected, user), "user {user} with {} items", count(user));
    }
    let reasons = model.explain(3, 0, 9).unwrap();
    let [Reason::Component { index: 1, component: "item-knn", part, because }] = &reasons[..] else {
        panic!("{reasons:?}")
    };
    assert_eq!(*part, many.predict(3, 0, 0));
    assert_eq!(*because, many.explain(3, 0, 3).unwrap());
    // A basket counts as its person's interactions.
    let mut folded = vec![0.0; data.n_items()];
    model.fold_in().unwrap().score_basket(&[BasketItem { item: 0, rating: 5.0 }], &mut folded);
    assert_eq!(folded, scores(&*few, 0));
    // An item that is named twice is one item.
    let twice = vec![BasketItem { item: 0, rating: 5.0 }; count(3)];
    model.fold_in().unwrap().score_basket(&twice, &mut folded);
    assert_eq!(folded, scores(&*few, 0));
}

#[test]
fn switching_by_item_asks_the_first_for_items_of_which_little_is_known() {
    let (all, rows) = varied(30, 20, 200);
    let data = TrainSet::new(&all, &rows);
    let parts = || vec![RecommenderSpec::new("user-mean"), RecommenderSpec::new("item-mean")];
    let params = [("by", text("item")), ("threshold", ParamValue::Integer(1))];
    let model = learnt(&hybrid("switching", parts(), &params), &data);
    let cold = data.n_items() as u32 - 1;
    assert_eq!(model.predict(2, cold, 0), fitted("user-mean", &[], &data, 1).predict(2, cold, 0));
    assert_eq!(model.predict(2, 0, 0), fitted("item-mean", &[], &data, 1).predict(2, 0, 0));
}

/// Items by score, best first, equal ones by id as the lab orders them; not those that the user has.
fn list(model: &dyn Recommender, data: &TrainSet<'_>, user: u32) -> Vec<u32> {
    let (scores, ranks) = (scores(model, user), data.interactions.items.tie_ranks());
    let own = data.by_user.row(user as usize).0;
    let mut items: Vec<u32> = (0..data.n_items() as u32).filter(|item| !own.contains(item)).collect();
    items.sort_by(|&a, &b| {
        let (a, b) = (a as usize, b as usize);
        scores[b].total_cmp(&scores[a]).then(ranks[a].cmp(&ranks[b]))
    });
    items
}

#[test]
fn mixed_components_take_turns_and_skip_what_is_given() {
    let (all, rows) = varied(30, 40, 300);
    let data = TrainSet::new(&all, &rows);
    let model = fitted("mixed", &[], &data, 1);
    for user in [0, 3, 9] {
        let lists = ["item-knn", "popularity"].map(|kind| list(&*fitted(kind, &[], &data, 1), &data, user));
        let mut expected: Vec<u32> = Vec::new();
        while expected.len() < lists[0].len() {
            for one in &lists {
                expected.extend(one.iter().find(|item| !expected.contains(item)).copied());
            }
        }
        assert_eq!(list(&*model, &data, user), expected, "user {user}");
        let first = model.explain(user, expected[0], 9).unwrap();
        assert!(matches!(first[..], [Reason::Component { index: 0, part: 1.0, .. }]), "{first:?}");
    }
    // Nothing is known of a cold user: only the one who says something has a list.
    let cold = data.n_users() as u32 - 1;
    assert_eq!(list(&*model, &data, cold), list(&*fitted("popularity", &[], &data, 1), &data, cold));
    let shallow = fitted("mixed", &[("depth", ParamValue::Integer(3))], &data, 1);
    assert_eq!(list(&*shallow, &data, 0)[..3], list(&*model, &data, 0)[..3]);
    assert!(scores(&*shallow, 0).iter().filter(|score| **score > 0.0).count() <= 6, "two lists of three places");
}

#[test]
fn a_cascade_never_puts_an_item_before_one_of_a_higher_class() {
    let (all, rows) = varied(30, 40, 300);
    let data = TrainSet::new(&all, &rows);
    let parts = || vec![RecommenderSpec::new("popularity"), RecommenderSpec::new("item-knn")];
    let (coarse, fine) = (fitted("popularity", &[], &data, 1), fitted("item-knn", &[], &data, 1));
    let top = learnt(&hybrid("cascade", parts(), &[("top", ParamValue::Integer(8))]), &data);
    let levels = [("refine", text("levels")), ("levels", ParamValue::Integer(4))];
    let levels = learnt(&hybrid("cascade", parts(), &levels), &data);
    for user in [0, 3, 9] {
        let (first, second) = (scores(&*coarse, user), scores(&*fine, user));
        let (before, after) = (list(&*coarse, &data, user), list(&*top, &data, user));
        let border = first[before[7] as usize];
        let best = before.iter().filter(|&&item| first[item as usize] >= border).count();
        let falling =
            |items: &[u32], by: &[f32]| items.windows(2).all(|pair| by[pair[0] as usize] >= by[pair[1] as usize]);
        assert!(after[..best].iter().all(|&item| first[item as usize] >= border), "user {user}");
        assert!(falling(&after[..best], &second) && after[best..] == before[best..], "user {user}");
        // Popularity counts from 0; four levels of equal width.
        let (low, high) = first.iter().fold((f32::MAX, 0.0f32), |(l, h), &s| (l.min(s), h.max(s)));
        let level = |item: u32| (((first[item as usize] - low) / (high - low) * 4.0) as usize).min(3);
        let refined = list(&*levels, &data, user);
        for pair in refined.windows(2) {
            assert!(level(pair[0]) >= level(pair[1]), "user {user}");
            let falls = second[pair[0] as usize] >= second[pair[1] as usize];
            assert!(level(pair[0]) > level(pair[1]) || falls, "user {user}");
        }
    }
    let reasons = top.explain(0, list(&*top, &data, 0)[0], 9).unwrap();
    assert!(matches!(reasons[..], [Reason::Component { index: 1, component: "item-knn", .. }]), "{reasons:?}");
}

#[test]
fn feature_combination_finds_by_words_and_by_people_in_one_model() {
    // Items 0 and 2 share a colour, items 0 and 1 a reader; item 3 shares nothing with 0.
    let all = interactions(&[(0, 0, 5.0), (1, 0, 5.0), (1, 1, 5.0), (2, 2, 5.0), (3, 3, 5.0)]);
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let mut known = attributes(&all.items);
    known.columns.retain(|column| column.name == "colour");
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known), None);
    let model = fitted("feature-combination", &[], &data, 1);
    let alone = fitted("content-tfidf", &[], &data, 1);
    assert_eq!(alone.predict(0, 1, 0), 0.0, "no word in common");
    assert!(model.predict(0, 1, 0) > 0.0 && model.predict(0, 2, 0) > 0.0 && model.predict(0, 3, 0) == 0.0);
    assert!(matches!(model.explain(0, 1, 9).unwrap()[..], [Reason::SimilarUser { user: 1, .. }]));
    assert!(matches!(&model.explain(0, 2, 9).unwrap()[..], [Reason::Attribute { name, .. }] if name == "colour"));
    let strict = fitted("feature-combination", &[("liked", ParamValue::Float(5.5))], &data, 1);
    assert_eq!(strict.predict(0, 1, 0), 0.0, "nobody likes it so much");
}

#[test]
fn an_attribute_that_a_hybrid_makes_is_named_as_any_other() {
    let (all, rows) = varied(10, 10, 60);
    let known = attributes(&all.items);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known), None);
    let naming = |names: &[&str]| {
        let names = ParamValue::Names(names.iter().map(|name| (*name).to_owned()).collect());
        hybrid("feature-combination", vec![RecommenderSpec::new("content-tfidf").with("attributes", names)], &[])
    };
    learnt(&naming(&["colour", "rated-by"]), &data);
    learnt(&naming(&["rated-by"]), &data);
}

#[test]
fn feature_augmentation_reads_what_the_first_says_of_an_item() {
    // Readers of 0 have 1 too; nothing describes either of them.
    let all = interactions(&[(0, 0, 5.0), (1, 0, 5.0), (1, 1, 5.0), (2, 0, 4.0), (2, 1, 4.0), (3, 2, 5.0)]);
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let mut known = attributes(&all.items);
    known.columns.retain(|column| column.name == "line");
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known), None);
    let model = fitted("feature-augmentation", &[], &data, 1);
    assert!(model.predict(0, 1, 0) > 0.0 && model.predict(0, 2, 0) == 0.0);
    let reasons = model.explain(0, 1, 9).unwrap();
    let [Reason::Component { index: 0, component: "item-knn", part, .. }] = &reasons[..] else { panic!("{reasons:?}") };
    assert!((part - model.predict(0, 1, 0)).abs() < 1e-6);
}

#[test]
fn meta_level_neighbours_are_alike_in_taste_without_an_item_in_common() {
    // Users 0 and 3 have black items (even ones), 1 and 2 white ones; nobody has an item of anybody else.
    let all = interactions(
        &[(0, 0), (1, 1), (0, 2), (2, 3), (3, 4), (1, 5), (3, 6), (2, 7)].map(|(user, item)| (user, item, 5.0)),
    );
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let mut known = attributes(&all.items);
    known.columns.retain(|column| column.name == "colour");
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known), None);
    let model = fitted("meta-level", &[], &data, 1);
    let recommended: Vec<u32> = (0..8).filter(|&item| model.predict(0, item, 0) > 0.0).collect();
    assert_eq!(recommended, [4, 6], "what user 3 has");
    assert!(matches!(model.explain(0, 4, 9).unwrap()[..], [Reason::SimilarUser { user: 3, part: 5.0 }]));
    assert_eq!(fitted("item-knn", &[], &data, 1).predict(0, 4, 0), 0.0, "no item in common");
}

#[test]
fn nobody_is_their_own_meta_level_neighbour_as_a_user_or_as_a_basket() {
    let (all, rows) = varied(30, 24, 200);
    let known = attributes(&all.items);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known), None);
    for neighbours in [1, 3] {
        let model = fitted("meta-level", &[("neighbours", ParamValue::Integer(neighbours))], &data, 1);
        for user in [0, 3, 9] {
            let (items, ratings) = data.by_user.row(user as usize);
            let basket: Vec<BasketItem> =
                items.iter().zip(ratings).rev().map(|(&item, &rating)| BasketItem { item, rating }).collect();
            let mut folded = vec![0.0; data.n_items()];
            model.fold_in().unwrap().score_basket(&basket, &mut folded);
            for (item, (new, known)) in folded.iter().zip(scores(&*model, user)).enumerate() {
                assert!(
                    (new - known).abs() < 1e-4,
                    "{neighbours} neighbours, user {user}, item {item}: {new}, {known}"
                );
            }
        }
    }
}

#[test]
fn an_attribute_that_a_hybrid_makes_need_not_be_in_the_data() {
    let (all, rows) = varied(20, 20, 120);
    let data = TrainSet::new(&all, &rows);
    for kind in ["feature-combination", "feature-augmentation"] {
        let model = fitted(kind, &[], &data, 1);
        assert!(scores(&*model, 3).iter().any(|score| *score > 0.0), "{kind}");
    }
    // What a vote inside does not make is still needed.
    let components = vec![RecommenderSpec::new("item-knn"), RecommenderSpec::new("content-tfidf")];
    let error = fit(&hybrid("weighted", components, &[]), &data, 1, &mut Unobserved).err().unwrap().to_string();
    assert!(error.starts_with("in recommender.components[1]: `content-tfidf` needs item attributes"), "{error}");
}

#[test]
fn exactly_the_kinds_that_a_meta_level_takes_have_profiles() {
    let (all, rows) = varied(20, 20, 100);
    let (items, users) = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&items), Some(&users));
    let takes =
        recspeed_types::catalogue::find("meta-level").unwrap().param("components").unwrap().kind.slot(0).unwrap();
    for kind in recspeed_recommenders::kinds() {
        let model = fitted(kind, &[], &data, 1);
        assert_eq!(model.profiles().is_some(), takes.takes.kinds().any(|taken| taken == kind), "{kind}");
    }
}
