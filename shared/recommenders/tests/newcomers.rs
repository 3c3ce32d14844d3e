//! People who came after the training: what each method makes of their basket.

mod support;

use recspeed_data::Interactions;
use recspeed_recommenders::{BasketItem, Reason, Recommender, TrainSet, restore};
use recspeed_types::spec::ParamValue;
use support::{checkerboard, fitted, interactions, resolved, text, varied};

fn basket_of(data: &TrainSet<'_>, user: u32) -> Vec<BasketItem> {
    let (items, ratings) = data.by_user.row(user as usize);
    items.iter().zip(ratings).map(|(&item, &rating)| BasketItem { item, rating }).collect()
}

fn liked(items: impl IntoIterator<Item = u32>) -> Vec<BasketItem> {
    items.into_iter().map(|item| BasketItem { item, rating: 5.0 }).collect()
}

fn folded(model: &dyn Recommender, basket: &[BasketItem]) -> Vec<f32> {
    let mut scores = vec![f32::NAN; model.n_items()];
    model.fold_in().expect("the catalogue says so").score_basket(basket, &mut scores);
    scores
}

fn scores(model: &dyn Recommender, user: u32) -> Vec<f32> {
    let mut scores = vec![f32::NAN; model.n_items()];
    model.score_all(user, &mut scores);
    scores
}

#[test]
fn means_and_deviations_of_a_known_users_rows_are_those_of_the_user() {
    // Nobody rates an item twice here, where the mean of rows and that of items would differ.
    let mut rows: Vec<(u32, u32, f32)> = Vec::new();
    for (user, item) in (0..30).flat_map(|user| (0..20).map(move |item| (user, item))) {
        if (user * 7 + item * 11) % 4 != 0 {
            rows.push((user, item, ((user * 3 + item * 5) % 5 + 1) as f32));
        }
    }
    let (all, learnt) = (interactions(&rows), (0..rows.len() as u32).collect::<Vec<u32>>());
    let data = TrainSet::new(&all, &learnt);
    for kind in ["global-mean", "user-mean", "item-mean", "bias"] {
        let model = fitted(kind, &[], &data, 1);
        for user in 0..data.n_users() as u32 {
            for (known, folded) in scores(&*model, user).iter().zip(folded(&*model, &basket_of(&data, user))) {
                assert!((known - folded).abs() < 1e-5, "{kind}: user {user}: {known} {folded}");
            }
        }
    }
}

#[test]
fn chance_gives_a_basket_an_order_of_its_own_and_the_same_each_time() {
    let (all, rows) = varied(60, 50, 500);
    let data = TrainSet::new(&all, &rows);
    let model = fitted("random", &[], &data, 2);
    let of = |items: &[u32]| folded(&*model, &liked(items.iter().copied()));
    assert_eq!(of(&[3, 8, 5]), of(&[5, 3, 8, 3]), "items have no order");
    assert_ne!(of(&[3, 8, 5]), of(&[3, 8]));
    assert_ne!(of(&[3, 8, 5]), scores(&*model, 0));
    assert_ne!(of(&[3]), folded(&*fitted("random", &[], &data, 3), &liked([3])), "another seed");
    assert!(of(&[3]).iter().all(|score| (0.0..1.0).contains(score)));
}

/// Who learns from pairs, each with what it lowers and with so few numbers that the missing squares are not learnt by
/// heart.
fn of_pairs() -> Vec<(&'static str, Vec<(&'static str, ParamValue)>)> {
    let few = ("factors", ParamValue::Integer(2));
    let embeddings = |loss| ("feature-embeddings", vec![("loss", text(loss)), few.clone()]);
    vec![
        ("bpr", vec![few.clone()]),
        ("warp", vec![few.clone()]),
        embeddings("warp"),
        embeddings("bpr"),
        embeddings("logistic"),
    ]
}

#[test]
fn a_vector_learnt_from_a_basket_prefers_what_people_with_such_items_have() {
    let all = checkerboard(40);
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let data = TrainSet::new(&all, &rows);
    let number = |item: u32| all.items.get(item).parse::<u32>().expect("ids are numbers");
    for (kind, params) in of_pairs() {
        let model = fitted(kind, &params, &data, 3);
        for colour in [0, 1] {
            let own: Vec<u32> =
                (0..data.n_items() as u32).filter(|&item| number(item) % 2 == colour && number(item) < 20).collect();
            let scores = folded(&*model, &liked(own.iter().copied()));
            let others = (0..data.n_items() as u32).filter(|item| !own.contains(item));
            let (same, other): (Vec<u32>, Vec<u32>) = others.partition(|&item| number(item) % 2 == colour);
            let mean =
                |items: &[u32]| items.iter().map(|&item| scores[item as usize]).sum::<f32>() / items.len() as f32;
            assert!(mean(&same) > mean(&other) + 0.1, "{kind} {params:?}: {} {}", mean(&same), mean(&other));
        }
    }
}

#[test]
fn a_vector_learnt_from_a_basket_is_the_same_in_any_order_from_the_saved_parts_and_again() {
    let (all, rows) = varied(60, 50, 500);
    let data = TrainSet::new(&all, &rows);
    for (kind, params) in of_pairs() {
        let model = fitted(kind, &params, &data, 3);
        let basket = basket_of(&data, 5);
        let mut turned: Vec<BasketItem> = basket.iter().rev().copied().collect();
        turned.push(basket[0]);
        let first = folded(&*model, &basket);
        assert_eq!(folded(&*model, &basket), first, "{kind}");
        assert_eq!(folded(&*model, &turned), first, "{kind}: what is named twice counts once");
        let again = restore(&resolved(kind, &params), model.parts()).expect("its own parts");
        assert_eq!(folded(&*again, &basket), first, "{kind}: from its parts");
        // Items of which nothing was learnt say nothing.
        let cold = data.n_items() as u32 - 1;
        assert_eq!(folded(&*model, &liked([cold])), folded(&*model, &[]), "{kind}");
        let all_items = liked(0..data.n_items() as u32);
        assert!(folded(&*model, &all_items).iter().all(|score| score.is_finite()), "{kind}: who has everything");
    }
}

#[test]
fn parts_that_name_an_item_that_is_not_there_are_refused() {
    let (all, rows) = varied(20, 15, 120);
    let data = TrainSet::new(&all, &rows);
    for kind in ["bpr", "warp", "feature-embeddings"] {
        let name = if kind == "feature-embeddings" { "newcomer.known" } else { "folding.known" };
        let mut parts = fitted(kind, &[], &data, 1).parts();
        parts.take(name).expect("it is there");
        let parts = parts.with(name, &[1], recspeed_recommenders::Values::U32(vec![99]));
        let error = restore(&resolved(kind, &[]), parts).err().map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|said| said.contains("names item 99 of")), "{kind}: {error:?}");
    }
}

/// The factors, none below 0, of the least `Σ (r − p·q)² + weight ‖p‖²` over rated items: each in its turn, again and
/// again.
fn least(rated: &[([f64; 3], f64)], weight: f64) -> [f64; 3] {
    let mut p = [1.0f64; 3];
    for f in (0..3).cycle().take(3 * 400) {
        let (mut up, mut below) = (0.0, weight);
        for (q, rating) in rated {
            let others: f64 = (0..3).filter(|other| *other != f).map(|other| p[other] * q[other]).sum();
            up += q[f] * (rating - others);
            below += q[f] * q[f];
        }
        p[f] = if below > 0.0 { (up / below).max(0.0) } else { 0.0 };
    }
    p
}

#[test]
fn factors_of_a_basket_are_none_below_zero_and_are_at_the_minimum_of_the_users_objective() {
    let (all, rows) = varied(60, 50, 500);
    let data = TrainSet::new(&all, &rows);
    let model = fitted("nmf", &[("factors", ParamValue::Integer(3))], &data, 2);
    let mut parts = model.parts();
    let (_, d, items) = parts.take_matrix("items").expect("the items' factors");
    let factors = |item: usize| -> [f64; 3] { std::array::from_fn(|f| f64::from(items[item * d + f])) };
    // Beside λ for each rating: no penalty, λ once, and thrice what it should be.
    let lambda = 0.06;
    let weights = |n: f64| [lambda * n, 0.0, lambda, 3.0 * lambda * n];
    let mut off = [0.0f64; 4];
    for user in 0..20 {
        let basket = basket_of(&data, user);
        let found = folded(&*model, &basket);
        assert!(found.iter().all(|score| *score >= 0.0));
        let rated: Vec<([f64; 3], f64)> =
            basket.iter().map(|own| (factors(own.item as usize), f64::from(own.rating))).collect();
        for (off, weight) in off.iter_mut().zip(weights(basket.len() as f64)) {
            let p = least(&rated, weight);
            // The last number says that nobody rated the item, which gets the mean.
            for item in (0..data.n_items()).filter(|item| items[item * d + d - 1] == 0.0) {
                let wanted: f64 = p.iter().zip(factors(item)).map(|(p, q)| p * q).sum();
                *off += (f64::from(found[item]) - wanted).abs();
            }
        }
    }
    // A hundred updates end near the minimum, about a tenth as far from it as that of another objective is.
    let [right, others @ ..] = off;
    assert!(others.iter().all(|other| right < 0.3 * other), "{right} off, and from other objectives {others:?}");
    let basket = basket_of(&data, 4);
    let mean = data.global_mean().expect("ratings") as f32;
    let negative = folded(&*model, &[BasketItem { item: basket[0].item, rating: -3.0 }]);
    assert!(negative.iter().all(|score| (0.0..=mean).contains(score)), "as a rating of 0: {negative:?}");
}

/// Two thirds of what 40 people could rate, 5 stars for an item of their own parity and 1 for another, and a row with a
/// user and an item of which nothing is learnt.
fn parities() -> (Interactions, Vec<u32>) {
    let mut rows: Vec<(u32, u32, f32)> = Vec::new();
    for (user, item) in (0..40).flat_map(|user| (0..40).map(move |item| (user, item))) {
        if (user * 7 + item * 5) % 3 != 0 {
            rows.push((user, item, if (user + item) % 2 == 0 { 5.0 } else { 1.0 }));
        }
    }
    let learnt = rows.len() as u32;
    rows.push((40, 40, 3.0));
    (interactions(&rows), (0..learnt).collect())
}

#[test]
fn a_known_users_ratings_as_a_basket_tell_what_sets_the_user_apart_from_nobody() {
    let (all, rows) = parities();
    let data = TrainSet::new(&all, &rows);
    let plain = ["als-explicit", "biased-mf", "svd++", "nmf", "fm", "ffm"].map(|kind| (kind, None));
    for (kind, link) in plain.into_iter().chain([("biased-mf", Some(("link", text("sigmoid"))))]) {
        let params: Vec<_> = [("iterations", ParamValue::Integer(100))].into_iter().chain(link).collect();
        let model = fitted(kind, &params, &data, 2);
        let nobody = scores(&*model, data.n_users() as u32 - 1);
        // Of items that the user did not rate: how far a basket leads elsewhere, and how far the user is from nobody,
        // which is where a basket that goes unread would lead.
        let (mut off, mut apart) = (0.0, 0.0);
        for user in 0..data.n_users() as u32 - 1 {
            let (known, folded) = (scores(&*model, user), folded(&*model, &basket_of(&data, user)));
            let own = data.by_user.row(user as usize).0;
            for item in (0..data.n_items()).filter(|item| own.binary_search(&(*item as u32)).is_err()) {
                off += (known[item] - folded[item]).abs();
                apart += (known[item] - nobody[item]).abs();
            }
        }
        let again = restore(&resolved(kind, &params), model.parts()).expect("its own parts");
        let basket = basket_of(&data, 3);
        assert_eq!(folded(&*again, &basket), folded(&*model, &basket), "{kind} {params:?}: from its parts");
        assert!(
            apart > 0.0 && off < 0.5 * apart,
            "{kind} {params:?}: {off} off, where the users are {apart} from nobody"
        );
    }
}

#[test]
fn each_item_of_a_user_moves_slope_one_by_its_rating_and_its_difference() {
    // Item 2 is rated 2 above item 0 and 1 below item 1 by others; all ratings have the mean 3.5.
    let all = interactions(&[(0, 0, 2.0), (0, 1, 5.0), (1, 0, 2.0), (1, 2, 4.0), (2, 1, 4.5), (2, 2, 3.5)]);
    let rows: Vec<u32> = (0..6).collect();
    let data = TrainSet::new(&all, &rows);
    let model = fitted("slope-one", &[], &data, 1);
    let reasons = model.explain(0, 2, 9).expect("it explains");
    // (2 − 3.5)/2 + 2/2 and (5 − 3.5)/2 − 1/2.
    let expected = [(0, 0.25), (1, 0.25)];
    for (reason, (item, part)) in reasons.iter().zip(expected) {
        let Reason::OwnItem { item: found, part: said } = reason else { panic!("{reason:?}") };
        assert!(*found == item && (said - part).abs() < 1e-6, "{reasons:?}");
    }
    assert_eq!((reasons.len(), model.predict(0, 2, 0)), (2, 4.0));
}

#[test]
fn svdpp_tells_what_an_item_adds_by_being_rated_where_its_stars_say_nothing_more() {
    let (all, rows) = varied(60, 50, 500);
    let data = TrainSet::new(&all, &rows);
    let model = fitted("svd++", &[], &data, 2);
    let mut parts = model.parts();
    let (_, d, items) = parts.take_matrix("items").expect("the items' vectors");
    let (_, free, implicit) = parts.take_matrix("folding.implicit").expect("the second vectors");
    let dot = |a: &[f32], b: &[f32]| a[..free].iter().zip(&b[..free]).map(|(a, b)| a * b).sum::<f32>();
    let own = 3u32;
    let (asked, q, y) = (&items[d..][..d], &items[own as usize * d..][..d], &implicit[own as usize * free..][..free]);
    // A single item, with just the stars that are expected of it: the mean, its deviation, and what it says by being
    // there.
    let mean = data.global_mean().expect("ratings") as f32;
    let basket = [BasketItem { item: own, rating: mean + q[free] + dot(q, y) }];
    let reasons = model.fold_in().expect("it folds in").explain_basket(&basket, 1, 9);
    let [Reason::OwnItem { item: 3, part }] = &reasons[..] else { panic!("{reasons:?}") };
    assert!((part - dot(asked, y)).abs() < 1e-5, "{part} {}", dot(asked, y));
}

#[test]
fn what_was_learnt_of_a_known_person_beside_their_items_stands_by_its_weight() {
    let (all, rows) = varied(60, 50, 500);
    let data = TrainSet::new(&all, &rows);
    for kind in ["als-explicit", "svd++"] {
        let model = fitted(kind, &[], &data, 2);
        for user in [0, 3, 11] {
            let basket = basket_of(&data, user);
            let folded = folded(&*model, &basket);
            let known = scores(&*model, user);
            for item in 0..data.n_items() as u32 {
                let reasons = model.explain(user, item, 1000).expect("it explains");
                let part = |reason: &Reason| match reason {
                    Reason::OwnItem { part, .. } | Reason::Learnt { part } => *part,
                    _ => panic!("{kind}: {reason:?}"),
                };
                assert!(reasons.is_sorted_by(|a, b| part(a) >= part(b)), "{kind}: {reasons:?}");
                let learnt: Vec<&Reason> = reasons.iter().filter(|own| matches!(own, Reason::Learnt { .. })).collect();
                // What nobody has is a vector of zeros, to which little adds anything.
                let has_rows = !data.by_item.row(item as usize).0.is_empty();
                let all_there = (learnt.len(), reasons.len()) == (1, basket.len() + 1);
                assert!(all_there || !has_rows, "{kind}: {reasons:?}");
                let rest = known[item as usize] - folded[item as usize];
                let told = learnt.first().map_or(0.0, |reason| part(reason));
                assert!((told - rest).abs() < 1e-3, "{kind}: {told} is told, {rest} is so");
                assert_eq!(
                    model.explain(user, item, 2).expect("it explains"),
                    reasons[..2.min(reasons.len())],
                    "{kind}"
                );
                let of_basket = model.fold_in().expect("it folds in").explain_basket(&basket, item, 1000);
                let each_item = of_basket.len() == basket.len();
                assert!(each_item || !has_rows, "{kind}: who came later has what their items give alone");
            }
        }
    }
}
