//! What a fit does with rows that it is told to read and does not learn from: those of the validation, once the test is near.

mod support;

use recspeed_data::{Attributes, Csr, Interactions};
use recspeed_recommenders::{BasketItem, Recommender, TrainSet, fit, kinds, restore};
use recspeed_types::Unobserved;
use recspeed_types::spec::{ParamValue, RecommenderSpec};
use support::{fitted, interactions, known, read, resolved, text, varied};

/// Kinds of which the catalogue says that they read what somebody has; hybrids with the components that it gives them.
fn readers() -> impl Iterator<Item = &'static str> {
    kinds().filter(|kind| reads(kind))
}

fn reads(kind: &str) -> bool {
    resolved(kind, &[]).reads_history()
}

struct Data {
    all: Interactions,
    known: (Attributes, Attributes),
    /// Learnt from, and read besides.
    learnt: Vec<u32>,
    held: Vec<u32>,
    both: Vec<u32>,
}

fn data() -> Data {
    let (all, both) = varied(60, 50, 700);
    let known = known(&all);
    let (held, learnt) = both.iter().partition(|row| *row % 4 == 3);
    Data { all, known, learnt, held, both }
}

impl Data {
    fn train(&self) -> TrainSet<'_> {
        let set = TrainSet::new(&self.all, &self.learnt).with_validation(&self.held);
        set.with_attributes(Some(&self.known.0), Some(&self.known.1))
    }

    fn users(&self) -> std::ops::Range<u32> {
        0..self.all.n_users() as u32
    }
}

fn scores(model: &dyn Recommender, user: u32) -> Vec<f32> {
    let mut scores = vec![f32::NAN; model.n_items()];
    model.score_all(user, &mut scores);
    scores
}

#[test]
fn exactly_the_methods_of_which_the_catalogue_says_so_read_without_learning() {
    let data = data();
    for kind in kinds() {
        let mut model = fitted(kind, &[], &data.train(), 2);
        let before: Vec<_> = data.users().map(|user| scores(&*model, user)).collect();
        read(&mut *model, &data.all, &data.both);
        let changed = data.users().any(|user| scores(&*model, user) != before[user as usize]);
        assert_eq!(changed, reads(kind), "{kind}");
        read(&mut *model, &data.all, &data.learnt);
        let after: Vec<_> = data.users().map(|user| scores(&*model, user)).collect();
        assert_eq!(after, before, "{kind} has learnt");
    }
}

#[test]
fn who_has_read_answers_a_known_user_as_a_basket_of_what_was_read() {
    let data = data();
    let (known, trained) = (Csr::by_user(&data.all, &data.both), Csr::by_user(&data.all, &data.learnt));
    for kind in readers() {
        let mut model = fitted(kind, &[], &data.train(), 2);
        read(&mut *model, &data.all, &data.both);
        for user in data.users() {
            let (items, ratings) = known.row(user as usize);
            let basket: Vec<BasketItem> =
                items.iter().zip(ratings).map(|(&item, &rating)| BasketItem { item, rating }).collect();
            let mut folded = vec![f32::NAN; data.all.n_items()];
            model.fold_in().expect("readers serve newcomers").score_basket(&basket, &mut folded);
            // Whoever is new may be like a known person who trained on the same; a known person is no neighbour of their own.
            let own: &[u32] = if kind == "user-knn" { trained.row(user as usize).0 } else { &[] };
            let of_others = |scores: Vec<f32>| {
                (0u32..).zip(scores).filter(|(item, _)| !own.contains(item)).collect::<Vec<(u32, f32)>>()
            };
            assert_eq!(of_others(scores(&*model, user)), of_others(folded), "{kind}: user {user}");
        }
    }
}

#[test]
fn what_will_be_read_changes_nothing_that_is_learnt() {
    let data = data();
    let parts = ParamValue::Recommenders(vec![RecommenderSpec::new("user-knn"), RecommenderSpec::new("item-mean")]);
    let mut asked: Vec<(&str, Vec<(&str, ParamValue)>)> = kinds().map(|kind| (kind, Vec::new())).collect();
    asked.push(("weighted", vec![("components", parts), ("weights", text("learnt"))]));
    for (kind, params) in asked {
        let alone = fitted(kind, &params, &data.train(), 2).parts();
        let told = fitted(kind, &params, &data.train().with_known(&data.both), 2).parts();
        assert!(alone == told, "{kind} {params:?}");
    }
}

#[test]
fn what_was_read_is_saved_with_the_model() {
    let data = data();
    for kind in kinds() {
        let mut model = fitted(kind, &[], &data.train(), 2);
        let learnt: Vec<_> = data.users().map(|user| scores(&*model, user)).collect();
        read(&mut *model, &data.all, &data.both);
        let mut again = restore(&resolved(kind, &[]), model.parts()).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(again.parts(), model.parts(), "{kind}");
        for user in data.users() {
            assert_eq!(scores(&*again, user), scores(&*model, user), "{kind}: user {user}");
            assert_eq!(again.explain(user, 1, 5), model.explain(user, 1, 5), "{kind}: user {user}");
        }
        // It does not say of whom something was read, and forgets it of all of them.
        read(&mut *again, &data.all, &data.learnt);
        let after: Vec<_> = data.users().map(|user| scores(&*again, user)).collect();
        assert_eq!(after, learnt, "{kind}");
    }
}

#[test]
fn what_was_read_takes_up_no_place_of_a_mixed_list_and_none_of_those_that_a_cascade_refines() {
    let data = data();
    let known = Csr::by_user(&data.all, &data.both);
    // Components that do not read.
    let parts =
        || ParamValue::Recommenders(vec![RecommenderSpec::new("popularity"), RecommenderSpec::new("item-mean")]);
    let few = ParamValue::Integer(5);
    let hybrid = |kind: &str, place: &str| {
        let recommender = resolved(kind, &[("components", parts()), (place, few.clone())]);
        let mut model = fit(&recommender, &data.train(), 1, &mut Unobserved).expect("the fit succeeds");
        read(&mut *model, &data.all, &data.both);
        model
    };
    let (mixed, cascade) = (hybrid("mixed", "depth"), hybrid("cascade", "top"));
    let highest = scores(&*fitted("popularity", &[], &data.train(), 1), 0).into_iter().fold(f32::MIN, f32::max);
    for user in data.users() {
        let own = known.row(user as usize).0;
        for (kind, model, floor) in [("mixed", &mixed, 0.0), ("cascade", &cascade, highest)] {
            let scores = scores(&**model, user);
            let raised: Vec<u32> = (0..scores.len() as u32).filter(|&item| scores[item as usize] > floor).collect();
            assert!(raised.len() >= 5, "{kind}: user {user} gets {raised:?}");
            assert!(!raised.iter().any(|item| own.contains(item)), "{kind}: user {user} has some of {raised:?}");
        }
    }
}

#[test]
fn the_people_whom_a_meta_level_hybrid_asks_give_what_they_had_in_training() {
    let data = data();
    let mut model = fitted("meta-level", &[("weighting", text("binary"))], &data.train(), 1);
    read(&mut *model, &data.all, &data.both);
    let trained = Csr::by_user(&data.all, &data.learnt).transpose(data.all.n_items());
    for user in data.users() {
        let scores = scores(&*model, user);
        let given = |item: usize| trained.row(item).0.iter().any(|&other| other != user);
        assert!((0..scores.len()).all(|item| scores[item] == 0.0 || given(item)), "user {user}");
    }
}

#[test]
fn user_neighbours_compare_what_was_read_with_what_others_had_in_training() {
    // Persons 1 and 2 part ways at item 1, which person 0 is read to have and did not train on.
    let all = interactions(&[
        (0, 0, 5.0),
        (1, 0, 5.0),
        (1, 1, 5.0),
        (1, 2, 5.0),
        (2, 0, 5.0),
        (2, 1, 1.0),
        (2, 2, 1.0),
        (3, 0, 5.0),
        (0, 1, 1.0),
    ]);
    let (learnt, both): (Vec<u32>, Vec<u32>) = ((0..8).collect(), (0..9).collect());
    let settings = [("centring", text("none")), ("similarity", text("msd"))];
    let mut model = fitted("user-knn", &settings, &TrainSet::new(&all, &learnt), 1);
    let other = scores(&*model, 3);
    assert_eq!(model.predict(0, 2, 0), 3.0, "as like the one as the other");
    read(&mut *model, &all, &both);
    // Similarities 1 / (1 + (0 + 16) / 2) and 1.
    let nearer = model.predict(0, 2, 0);
    assert!((nearer - 1.4).abs() < 1e-6, "{nearer}");
    assert_eq!(scores(&*model, 3), other, "what is read of person 0 says nothing to others");
}
