//! What holds for every kind that this crate fits, whatever it learns.

mod support;

use recspeed_data::Csr;
use recspeed_metrics::NO_ITEM;
use recspeed_recommenders::{
    Array, BasketItem, FitError, Parts, RankError, RankRequest, Reason, Recommender, TrainSet, Values, fit, kinds,
    restore,
};
use recspeed_types::catalogue::{self, Family, ParamKind};
use recspeed_types::event::EventKind;
use recspeed_types::spec::{ParamValue, RecommenderSpec};
use recspeed_types::{FitObserver, Unobserved};
use support::{checkerboard, fitted, interactions, known, rank, resolved, text, varied};

#[test]
fn the_catalogue_and_the_implementations_name_the_same_kinds() {
    let here: Vec<_> = catalogue::ENTRIES.iter().filter(|e| e.family != Family::Neural).map(|e| e.kind).collect();
    assert_eq!(here, kinds().collect::<Vec<_>>());
}

#[test]
fn every_choice_and_every_bound_of_every_parameter_can_be_fitted() {
    let (all, rows) = varied(12, 15, 80);
    let known = known(&all);
    let (rows, validation) = rows.split_at(70);
    let data = TrainSet::new(&all, rows).with_attributes(Some(&known.0), Some(&known.1)).with_validation(validation);
    for entry in catalogue::ENTRIES.iter().filter(|entry| kinds().any(|kind| kind == entry.kind)) {
        for param in entry.params {
            let values: Vec<ParamValue> = match &param.kind {
                // The largest sizes are allowed for large data; a few more than there are items tests the bound here.
                ParamKind::Integer { min, max, .. } => {
                    vec![ParamValue::Integer(*min), ParamValue::Integer((*max).min(40))]
                }
                ParamKind::Float { min, max, .. } => vec![ParamValue::Float(*min), ParamValue::Float(*max)],
                ParamKind::Boolean { .. } => vec![ParamValue::Boolean(false), ParamValue::Boolean(true)],
                ParamKind::Choice { options, .. } => options.iter().map(|option| text(option)).collect(),
                ParamKind::Integers { min, max, .. } => vec![ParamValue::Integers(vec![*min, *max])],
                // Names of what the data of this test has.
                ParamKind::Names { .. } => {
                    vec![ParamValue::Names(vec![]), ParamValue::Names(vec!["colour".to_owned()])]
                }
                ParamKind::Recommenders { min_len, max_len, .. } => {
                    let first =
                        |index| RecommenderSpec::new(param.kind.slot(index).unwrap().takes.kinds().next().unwrap());
                    let list = |len| ParamValue::Recommenders((0..len).map(first).collect());
                    [*min_len, (*max_len).min(4)].map(list).to_vec()
                }
            };
            for value in values {
                let setting = resolved(entry.kind, &[(param.name, value.clone())]);
                match fit(&setting, &data, 1, &mut Unobserved) {
                    Ok(model) => assert!(model.predict(0, 0, 0).is_finite(), "{}.{} = {value}", entry.kind, param.name),
                    // Long steps may lead nowhere; the fit then says so.
                    Err(FitError::Diverged { .. }) if ["learning_rate", "init_deviation"].contains(&param.name) => {}
                    // None of the few items' words is of as many items as that.
                    Err(FitError::NoWords { .. }) if param.name == "min_items" => {}
                    Err(error) => panic!("{}.{} = {value}: {error}", entry.kind, param.name),
                }
            }
        }
    }
}

#[test]
fn a_neural_kind_is_refused_with_the_reason() {
    let data = checkerboard(4);
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    let error = fit(&resolved("mlp", &[]), &TrainSet::new(&data, &rows), 1, &mut Unobserved).err().unwrap();
    assert_eq!(
        error.to_string(),
        "recommender.kind `mlp` is not fitted here; recommenders of the neural family need a tensor engine"
    );
}

#[test]
fn an_empty_training_set_is_refused() {
    let data = checkerboard(4);
    for kind in kinds() {
        let error = fit(&resolved(kind, &[]), &TrainSet::new(&data, &[]), 1, &mut Unobserved).err().unwrap();
        assert_eq!(error, FitError::NoRows, "{kind}");
    }
}

#[test]
fn personal_methods_find_the_missing_square_of_a_checkerboard() {
    let all = checkerboard(40);
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    // One factor for each colour; more of them would learn the missing squares by heart.
    let cholesky = [("solver", text("cholesky")), ("factors", ParamValue::Integer(2))];
    let gradient = [("factors", ParamValue::Integer(2))];
    let binary = [("weighting", text("binary"))];
    for (kind, params) in
        [("item-knn", &[][..]), ("item-knn", &binary), ("als-implicit", &gradient), ("als-implicit", &cholesky)]
    {
        let model = fitted(kind, params, &data, 3);
        let ranking = rank(&*model, &data, 5);
        for user in 0..all.n_users() as u32 {
            let best = all.items.get(ranking.list(user as usize)[0]);
            assert_eq!(best, all.users.get(user), "{kind} {params:?}");
        }
    }
}

#[test]
fn lists_hold_unseen_candidates_in_the_stated_order_and_miss_no_better_one() {
    let (all, rows) = varied(120, 90, 1500);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    let tie_ranks = all.items.tie_ranks();
    let mut candidates = data.candidates();
    candidates[3] = false;
    let users: Vec<u32> = (0..data.n_users() as u32).rev().collect();
    for kind in kinds() {
        let model = fitted(kind, &[], &data, 11);
        for k in [1, 10, 200] {
            let request = RankRequest {
                users: &users,
                k,
                exclude: Some(&data.by_user),
                candidates: Some(&candidates),
                tie_ranks: &tie_ranks,
            };
            let ranking = model.rank(&request, &mut Unobserved).unwrap();
            for (index, &user) in users.iter().enumerate() {
                let mut scores = vec![0.0; data.n_items()];
                model.score_all(user, &mut scores);
                let seen = data.by_user.row(user as usize).0;
                let allowed = |item: u32| candidates[item as usize] && seen.binary_search(&item).is_err();
                let list = ranking.list(index);
                let pool = (0..data.n_items() as u32).filter(|&item| allowed(item)).count();
                assert_eq!(list.len(), k.min(pool), "{kind}: user {user}");
                assert!(ranking.items[index * k + list.len()..][..k - list.len()].iter().all(|&i| i == NO_ITEM));
                assert!(list.iter().all(|&item| allowed(item)), "{kind}: user {user} got an excluded item");
                let given = &ranking.scores[index * k..][..list.len()];
                for place in 1..list.len() {
                    let order = given[place - 1] > given[place]
                        || (given[place - 1] == given[place]
                            && tie_ranks[list[place - 1] as usize] < tie_ranks[list[place] as usize]);
                    assert!(order, "{kind}: user {user}, places {place} and {}", place + 1);
                }
                // Matrix products may add in another order than one product alone.
                for (&item, &score) in list.iter().zip(given) {
                    assert!((scores[item as usize] - score).abs() <= 1e-5, "{kind}: score of item {item}");
                }
                let last = given[list.len() - 1];
                let better =
                    |item: &u32| allowed(*item) && !list.contains(item) && scores[*item as usize] > last + 1e-5;
                assert_eq!((0..data.n_items() as u32).find(better), None, "{kind}: user {user} misses an item");
            }
        }
    }
}

#[test]
fn every_score_is_finite_and_the_same_alone_and_in_line() {
    let (all, rows) = varied(60, 50, 500);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    for kind in kinds() {
        let model = fitted(kind, &[], &data, 2);
        assert_eq!((model.n_users(), model.n_items()), (data.n_users(), data.n_items()), "{kind}");
        let mut scores = vec![f32::NAN; data.n_items()];
        for user in 0..data.n_users() as u32 {
            model.score_all(user, &mut scores);
            for (item, score) in scores.iter().enumerate() {
                assert!(score.is_finite(), "{kind}: user {user}, item {item}: {score}");
                assert_eq!(model.predict(user, item as u32, 0).to_bits(), score.to_bits(), "{kind}: {user}, {item}");
            }
        }
    }
}

#[test]
fn cold_users_and_items_get_what_the_catalogue_says() {
    let (all, rows) = varied(60, 50, 500);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    let (user, item) = (data.n_users() as u32 - 1, data.n_items() as u32 - 1);
    assert!(data.by_user.row(user as usize).0.is_empty() && data.by_item.row(item as usize).0.is_empty());
    let mean = data.global_mean().unwrap() as f32;
    let mean_of = |index: &[u32], id: u32| {
        let ratings: Vec<f64> =
            rows.iter().filter(|&&r| index[r as usize] == id).map(|&r| f64::from(all.rating[r as usize])).collect();
        (ratings.iter().sum::<f64>() / ratings.len() as f64) as f32
    };
    for kind in kinds() {
        let entry = catalogue::find(kind).unwrap();
        let model = fitted(kind, &[], &data, 2);
        let (cold_user, cold_item) = (model.predict(user, 0, 0), model.predict(0, item, 0));
        match entry.cold_users {
            "the global mean" => assert_eq!(cold_user, mean, "{kind}"),
            "the item's mean" => assert_eq!(cold_user, mean_of(&all.item, 0), "{kind}"),
            "every score is 0: the tie rule decides" => assert_eq!(cold_user, 0.0, "{kind}"),
            "the same list as everybody" => assert_eq!(cold_user, model.predict(1, 0, 0), "{kind}"),
            "the item's deviation only" => {
                // Two cold-start rules of one formula: what a user adds is the same for every item.
                let added = model.predict(0, 0, 0) - cold_user;
                assert!((model.predict(0, 1, 0) - model.predict(user, 1, 0) - added).abs() < 1e-5, "{kind}");
                assert!((model.predict(user, item, 0) - mean).abs() < 1e-6, "{kind}");
            }
            "the same as everybody" => assert!((0.0..1.0).contains(&cold_user), "{kind}"),
            // What a method says in words of its own is tested in its own file.
            _ => assert!(cold_user.is_finite(), "{kind}"),
        }
        match entry.cold_items {
            "the global mean" => assert_eq!(cold_item, mean, "{kind}"),
            "the user's mean" => assert_eq!(cold_item, mean_of(&all.user, 0), "{kind}"),
            "score 0" => assert_eq!(cold_item, 0.0, "{kind}"),
            "the last places" => assert!((0..item).all(|other| model.predict(0, other, 0) >= cold_item), "{kind}"),
            "the user's deviation only" => {
                let added = model.predict(0, 0, 0) - cold_item;
                assert!((model.predict(1, 0, 0) - model.predict(1, item, 0) - added).abs() < 1e-5, "{kind}");
            }
            "the same as every item" => assert!((0.0..1.0).contains(&cold_item), "{kind}"),
            _ => assert!(cold_item.is_finite(), "{kind}"),
        }
    }
}

#[test]
fn exactly_the_kinds_that_say_so_explain() {
    let (all, rows) = varied(60, 50, 500);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    let cold = data.n_users() as u32 - 1;
    for kind in kinds() {
        let model = fitted(kind, &[("solver", text("cholesky"))][..usize::from(kind == "als-implicit")], &data, 2);
        let says = catalogue::find(kind).unwrap().explains.is_some();
        let reasons = model.explain(0, 1, 1000);
        assert_eq!(reasons.is_some(), says, "{kind}");
        let own: Option<f32> = reasons.iter().flatten().try_fold(0.0, |sum, reason| match reason {
            Reason::OwnItem { item, part } => {
                assert!(
                    data.by_user.row(0).0.contains(item),
                    "{kind} explains with an item that the user does not have"
                );
                Some(sum + part)
            }
            Reason::Learnt { part } => Some(sum + part),
            Reason::Popularity { interactions } => {
                assert_eq!(*interactions, u64::from(data.item_counts()[1]), "{kind}");
                None
            }
            _ => None,
        });
        if let (Some(sum), true) = (own, says) {
            assert!(model.explain(cold, 1, 10).is_some_and(|reasons| reasons.is_empty()), "{kind}: cold user");
            let beside = model.predict(0, 1, 0) - model.predict(cold, 1, 0);
            // These tell what was learnt beside the items' parts. A vector of the others may have been solved for the
            // items of the iteration before: close after 15 iterations.
            let learns = reasons.iter().flatten().any(|reason| matches!(reason, Reason::Learnt { .. }));
            assert_eq!(learns, ["als-explicit", "svd++"].contains(&kind), "{kind}");
            let allowed = if learns { 2e-3 * beside.abs().max(1.0) } else { 0.02 };
            assert!((sum - beside).abs() < allowed, "{kind}: parts add up to {sum}, not {beside}");
        }
    }
}

#[test]
fn what_the_items_of_a_basket_add_is_its_score_beside_that_of_nobody() {
    let (all, rows) = varied(60, 50, 500);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    let mut told = Vec::new();
    for kind in kinds() {
        let model = fitted(kind, &[], &data, 2);
        let (Some(_), Some(fold_in)) = (model.explain(0, 1, 1), model.fold_in()) else { continue };
        let (mut scores, mut nobody) = (vec![f32::NAN; data.n_items()], vec![f32::NAN; data.n_items()]);
        fold_in.score_basket(&[], &mut nobody);
        for user in [0, 3, 11] {
            let basket = basket_of(&data, user);
            fold_in.score_basket(&basket, &mut scores);
            for item in 0..data.n_items() as u32 {
                let reasons = fold_in.explain_basket(&basket, item, 1000);
                let part = |reason: &Reason| match reason {
                    Reason::OwnItem { part, .. } => Some(*part),
                    _ => None,
                };
                // Other reasons have units of their own.
                let Some(parts) = reasons.iter().map(part).collect::<Option<Vec<f32>>>() else { continue };
                if parts.is_empty() {
                    continue;
                }
                assert!(parts.is_sorted_by(|a, b| a >= b), "{kind}: the weightiest first");
                let (sum, beside) = (parts.iter().sum::<f32>(), scores[item as usize] - nobody[item as usize]);
                assert!((sum - beside).abs() < 2e-3 * beside.abs().max(1.0), "{kind}: {sum}, not {beside}");
                if told.last() != Some(&kind) {
                    told.push(kind);
                }
            }
        }
    }
    for kind in ["item-knn", "slope-one", "als-explicit", "als-implicit", "svd++", "ease", "slim"] {
        assert!(told.contains(&kind), "{kind} is not explained by the items of a basket");
    }
}

fn basket_of(data: &TrainSet<'_>, user: u32) -> Vec<BasketItem> {
    let (items, ratings) = data.by_user.row(user as usize);
    items.iter().zip(ratings).map(|(&item, &rating)| BasketItem { item, rating }).collect()
}

#[test]
fn a_user_with_several_rows_for_one_item_breaks_nothing() {
    let all = interactions(&[(0, 0, 1.0), (0, 0, 5.0), (0, 1, 3.0), (1, 1, 4.0), (1, 0, 2.0)]);
    let rows: Vec<u32> = (0..5).collect();
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    for kind in kinds() {
        let model = fitted(kind, &[], &data, 2);
        assert!(model.predict(0, 0, 0).is_finite(), "{kind}");
        assert!(rank(&*model, &data, 3).items.iter().all(|&item| item == NO_ITEM), "{kind}: both have seen both");
    }
}

#[test]
fn requests_that_do_not_fit_the_model_are_refused() {
    let (all, rows) = varied(20, 20, 100);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    let ranks = all.items.tie_ranks();
    let short = Csr { indptr: vec![0], ..Csr::default() };
    for kind in kinds() {
        let model = fitted(kind, &[], &data, 2);
        let fits = RankRequest { users: &[0], k: 3, exclude: None, candidates: None, tie_ranks: &ranks };
        let refused = |request: RankRequest<'_>| model.rank(&request, &mut Unobserved).unwrap_err().to_string();
        assert!(refused(RankRequest { users: &[0, 999], ..fits }).starts_with("user 999 is asked for"), "{kind}");
        assert!(refused(RankRequest { tie_ranks: &[0], ..fits }).starts_with("tie_ranks has length 1"), "{kind}");
        assert!(refused(RankRequest { candidates: Some(&[true]), ..fits }).starts_with("candidates has length 1"));
        assert!(refused(RankRequest { exclude: Some(&short), ..fits }).starts_with("exclude has length 0"), "{kind}");
        assert_eq!(model.rank(&RankRequest { k: 0, ..fits }, &mut Unobserved).unwrap().items, [0u32; 0], "{kind}");
        assert!(model.rank(&RankRequest { users: &[], ..fits }, &mut Unobserved).unwrap().items.is_empty(), "{kind}");
    }
}

/// Says stop after some questions, and keeps what it heard.
struct Stopping {
    questions_left: u32,
    progress: Vec<(u64, u64)>,
}

impl FitObserver for Stopping {
    fn event(&mut self, event: EventKind) {
        if let EventKind::Progress { done, total, .. } = event {
            self.progress.push((done, total));
        }
    }

    fn stop_requested(&mut self) -> bool {
        self.questions_left = self.questions_left.saturating_sub(1);
        self.questions_left == 0
    }

    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn fits_and_rankings_stop_when_asked_and_report_progress_to_the_end_when_not() {
    let (all, rows) = varied(60, 50, 500);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    for kind in kinds() {
        let fit_with = |observer: &mut Stopping| fit(&resolved(kind, &[]), &data, 1, observer);
        let mut patient = Stopping { questions_left: u32::MAX, progress: vec![] };
        fit_with(&mut patient).unwrap();
        // A fit of one pass over the rows takes no time worth asking; whoever reports progress also stops.
        if !["random", "global-mean", "user-mean", "item-mean", "popularity"].contains(&kind) {
            assert!(patient.progress.last().is_some_and(|(done, total)| done == total), "{kind}");
            let stopped = fit_with(&mut Stopping { questions_left: 1, progress: vec![] }).err().unwrap();
            assert!(matches!(stopped, FitError::Interrupted { .. }), "{kind}: {stopped}");
        }
        let model = fitted(kind, &[], &data, 1);
        let ranks = all.items.tie_ranks();
        let request = RankRequest { users: &[0, 1], k: 3, exclude: None, candidates: None, tie_ranks: &ranks };
        let stopped = model.rank(&request, &mut Stopping { questions_left: 1, progress: vec![] });
        assert_eq!(stopped, Err(RankError::Interrupted { done: 0, total: 2 }), "{kind}");
        let mut patient = Stopping { questions_left: u32::MAX, progress: vec![] };
        model.rank(&request, &mut patient).unwrap();
        assert_eq!(patient.progress.last(), Some(&(2, 2)), "{kind}");
    }
}

#[test]
fn memory_and_parameters_are_counted() {
    let (all, rows) = varied(60, 50, 500);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    for (kind, expected) in [
        ("global-mean", 1),
        ("user-mean", data.n_users()),
        ("item-mean", data.n_items()),
        ("bias", 1 + data.n_users() + data.n_items()),
        ("popularity", data.n_items()),
        ("als-implicit", 64 * (data.n_users() + data.n_items())),
    ] {
        let model = fitted(kind, &[], &data, 1);
        assert_eq!(model.parameters(), expected as u64, "{kind}");
        assert_eq!(model.memory().parameters, 4 * expected as u64, "{kind}");
    }
}

#[test]
fn a_model_made_of_its_parts_answers_with_the_same_bits() {
    let (all, rows) = varied(60, 50, 500);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    for kind in kinds() {
        let model = fitted(kind, &[], &data, 2);
        let again = restore(&resolved(kind, &[]), model.parts()).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!((again.n_users(), again.n_items()), (model.n_users(), model.n_items()), "{kind}");
        assert_eq!(again.parts(), model.parts(), "{kind}");
        for user in 0..data.n_users() as u32 {
            let bits = |model: &dyn Recommender| {
                let mut scores = vec![f32::NAN; data.n_items()];
                model.score_all(user, &mut scores);
                scores.push(model.predict(user, 1, 7));
                scores.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            assert_eq!(bits(&*again), bits(&*model), "{kind}: user {user}");
            assert_eq!(again.explain(user, 1, 5), model.explain(user, 1, 5), "{kind}: user {user}");
        }
        let nothing = restore(&resolved(kind, &[]), Parts::default()).err().map(|error| error.to_string());
        assert!(nothing.is_some_and(|said| said.contains("has no part")), "{kind}");
    }
}

#[test]
fn exactly_the_kinds_that_say_so_serve_new_users_and_as_their_own_rows_would() {
    let (all, rows) = varied(60, 50, 500);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    for kind in kinds() {
        let model = fitted(kind, &[], &data, 2);
        let says = catalogue::find(kind).unwrap().new_users.is_ok();
        assert_eq!(model.fold_in().is_some(), says, "{kind}");
        let Some(fold_in) = model.fold_in() else { continue };
        let (mut known, mut folded) = (vec![0.0; data.n_items()], vec![f32::NAN; data.n_items()]);
        for user in 0..data.n_users() as u32 {
            let items = data.by_user.row(user as usize).0;
            model.score_all(user, &mut known);
            fold_in.score_basket(&basket_of(&data, user), &mut folded);
            assert!(folded.iter().all(|score| score.is_finite()), "{kind}: user {user}");
            // Nothing leads from the items of somebody to the order that chance gave them.
            if kind == "random" {
                continue;
            }
            // What the basket holds is not recommended, and a known user is no neighbour of their own.
            let new = |(item, _): &(usize, _)| items.binary_search(&(*item as u32)).is_err();
            let pairs = known.iter().zip(&folded).enumerate().filter(new);
            let (sum, count) = pairs.fold((0.0, 0.0), |(sum, count), (_, (a, b))| (sum + (a - b).abs(), count + 1.0));
            let size = known.iter().map(|score| score.abs()).fold(0.0, f32::max);
            // Conjugate gradient and gradient descent stop before the exact solution, which fold-in takes; these ratings are
            // noise, which is where that differs most. A basket has no attributes of its person. How far baskets are
            // from being passed over is held in `newcomers.rs`.
            let share = if ["ffm", "feature-embeddings"].contains(&kind) { 0.4 } else { 0.25 };
            assert!(sum / count <= share * size + 1e-6, "{kind}: user {user} is {} off, of {size}", sum / count);
        }
        fold_in.score_basket(&[], &mut folded);
        model.score_all(data.n_users() as u32 - 1, &mut known);
        if kind != "random" {
            assert_eq!(folded, known, "{kind}: nobody and a cold user");
        }
    }
}

#[test]
fn vectors_without_numbers_are_refused_before_anything_is_divided_by_their_length() {
    let (all, rows) = varied(20, 15, 120);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    let mut refused = 0;
    for kind in kinds() {
        let whole = fitted(kind, &[], &data, 1).parts();
        let names: Vec<String> = whole
            .iter()
            .filter(|(name, array)| array.shape.len() == 2 && !name.starts_with("components."))
            .map(|(name, _)| name.to_owned())
            .collect();
        for name in names {
            let flat = |(other, array): (&str, &Array)| {
                let rows = array.shape.first().copied().unwrap_or(0);
                let empty = Array { shape: vec![rows, 0], values: Values::F32(Vec::new()) };
                (other.to_owned(), if array.shape.len() == 2 { empty } else { array.clone() })
            };
            let parts: Parts = whole.iter().map(flat).collect();
            assert!(restore(&resolved(kind, &[]), parts).is_err(), "{kind} is made of `{name}` without columns");
            refused += 1;
        }
    }
    assert!(refused > 5, "{refused}");
}
