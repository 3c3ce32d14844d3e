//! Errors of predicted ratings on MovieLens-100K, beside the published ones.

mod support;

use recspeed_data::{Interactions, ReadLimits, read_ratings};
use recspeed_metrics::rating;
use recspeed_recommenders::{BasketItem, Recommender, TrainSet};
use recspeed_types::spec::{DataFormat, ParamValue};
use support::measured::{Row, keep};
use support::{fitted, real_file, text};

fn movielens() -> Option<Interactions> {
    let bytes = real_file("ml-100k/ml-100k.inter")?;
    Some(read_ratings(DataFormat::Recbole, &bytes, ReadLimits::default()).expect("a readable file").interactions)
}

/// Errors over five folds, of which every fifth row makes one: five parts without an order by user or time.
fn five_folds(all: &Interactions, folds: u32, seed: u64, kind: &str, params: &[(&str, ParamValue)]) -> (f64, f64) {
    let (mut rmse, mut mae) = (0.0, 0.0);
    for fold in 0..folds {
        let (test, train): (Vec<u32>, Vec<u32>) = (0..all.len() as u32).partition(|row| row % 5 == fold);
        let model = fitted(kind, params, &TrainSet::new(all, &train), seed);
        let errors = errors(all, &test, |user, item| model.predict(user, item, 0));
        rmse += errors.0 / f64::from(folds);
        mae += errors.1 / f64::from(folds);
    }
    (rmse, mae)
}

fn errors(all: &Interactions, test: &[u32], predict: impl Fn(u32, u32) -> f32) -> (f64, f64) {
    let columns = |&row: &u32| predict(all.user[row as usize], all.item[row as usize]);
    let predicted: Vec<f32> = test.iter().map(columns).collect();
    let truth: Vec<f32> = test.iter().map(|&row| all.rating[row as usize]).collect();
    (rating::rmse(&predicted, &truth).unwrap(), rating::mae(&predicted, &truth).unwrap())
}

/// Mean and, of several, standard deviation.
fn spread(values: &[f64]) -> (f64, Option<f64>) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt()))
}

/// What somebody prints of a method.
struct Printed {
    /// As Surprise calls it.
    name: &'static str,
    kind: &'static str,
    params: Vec<(&'static str, ParamValue)>,
    rmse: f64,
    mae: f64,
}

/// What Surprise's README prints for its own five folds.
fn published() -> Vec<Printed> {
    let of = |name, kind, params, rmse, mae| Printed { name, kind, params, rmse, mae };
    let neighbours = |name, centring, rmse, mae| of(name, "user-knn", vec![("centring", text(centring))], rmse, mae);
    vec![
        of("SVD", "biased-mf", vec![], 0.934, 0.737),
        of("SVD++", "svd++", vec![], 0.919, 0.721),
        of("NMF", "nmf", vec![], 0.963, 0.758),
        of("Slope One", "slope-one", vec![], 0.946, 0.743),
        neighbours("k-NN", "none", 0.980, 0.774),
        neighbours("k-NN with means", "mean", 0.951, 0.749),
        neighbours("k-NN with baselines", "baseline", 0.931, 0.733),
    ]
}

#[test]
fn one_fold_of_each_method_is_near_the_published_errors() {
    let Some(all) = movielens() else { return };
    for Printed { name, kind, params, rmse, mae } in published() {
        let found = five_folds(&all, 1, 1, kind, &params);
        assert!((found.0 - rmse).abs() < 0.01 && (found.1 - mae).abs() < 0.01, "{name}: {found:?}");
    }
}

#[test]
fn five_folds_of_each_method_are_within_three_thousandths_of_the_published_errors() {
    let Some(all) = movielens() else { return };
    let (mut rows, mut far) = (Vec::new(), Vec::new());
    for Printed { name, kind, params, rmse, mae } in published() {
        // The start of nmf decides about as much as the folds do (0.960 to 0.966 over eight seeds): the mean of eight.
        let seeds: std::ops::Range<u64> = if kind == "nmf" { 0..8 } else { 1..2 };
        let over = if kind == "nmf" { ", mean of 8 seeds" } else { "" };
        let (rmses, maes): (Vec<f64>, Vec<f64>) = seeds.map(|seed| five_folds(&all, 5, seed, kind, &params)).unzip();
        for (metric, printed, values) in [("rmse", rmse, rmses), ("mae", mae, maes)] {
            let (mean, deviation) = spread(&values);
            let method = format!("{kind}, as {name}{over} (Surprise)");
            let row = Row::new("MovieLens-100K, five folds", &method, metric, &format!("{printed:.3}"), mean);
            rows.push(row.within(0.003, "").over_seeds(deviation));
            if (mean - printed).abs() > 0.003 {
                far.push((name, metric, mean));
            }
        }
    }
    keep("surprise", &rows);
    assert!(far.is_empty(), "{far:?}");
}

/// MyMediaLite's documentation: .96108 / .75124 on fold u1 with k 10, regularization .015, learning rate .01, 30 iterations,
/// for one run of its own. The initial numbers decide about a hundredth, so sixteen seeds are compared: their mean must be
/// at least as good, within three thousandths, and the published run one that they could have been. Its steps, written anew
/// in C++ apart from this crate, gave 0.9550 ± 0.0030 (0.9502 to 0.9626) and an mae of 0.7480 over sixteen seeds.
#[test]
fn biased_mf_with_the_sigmoid_link_on_fold_u1_is_as_good_as_that_of_mymedialite_which_could_be_one_of_its_runs() {
    let Some(all) = movielens() else { return };
    let train: Vec<u32> = (20_000..all.len() as u32).collect();
    let test: Vec<u32> = (0..20_000).collect();
    let params = [
        ("factors", ParamValue::Integer(10)),
        ("iterations", ParamValue::Integer(30)),
        ("learning_rate", ParamValue::Float(0.01)),
        ("regularization", ParamValue::Float(0.015)),
        ("bias_regularization", ParamValue::Float(0.01)),
        ("link", text("sigmoid")),
    ];
    let of_seed = |seed| {
        let model = fitted("biased-mf", &params, &TrainSet::new(&all, &train), seed);
        errors(&all, &test, |user, item| model.predict(user, item, 0))
    };
    let (rmses, maes): (Vec<f64>, Vec<f64>) = (1..17).map(of_seed).unzip();
    let found = [("rmse", "0.96108", spread(&rmses)), ("mae", "0.75124", spread(&maes))];
    let note = "One run is printed, and the mean of ours is better. It could be one of ours: it lies within three of their standard \
                deviations, which the test holds.";
    let row = |(metric, printed, (mean, deviation)): (&str, &str, (f64, Option<f64>))| {
        let method = "biased matrix factorization, mean of 16 seeds (MyMediaLite)";
        Row::new("MovieLens-100K u1", method, metric, printed, mean).within(0.003, note).over_seeds(deviation)
    };
    keep("biased-mf-u1", &found.map(row));
    for (metric, printed, (mean, deviation)) in found {
        let (printed, deviation) = (printed.parse::<f64>().unwrap(), deviation.expect("there are sixteen"));
        assert!(mean > 0.97 * printed && mean < printed + 0.003, "{metric}: {mean}");
        assert!((mean - printed).abs() < 3.0 * deviation, "{metric}: {mean} ± {deviation}");
    }
}

/// People whose ratings were not learnt from, and who come with a basket, are predicted nearly as well as known ones.
#[test]
fn folding_in_new_people_costs_little_accuracy() {
    let Some(all) = movielens() else { return };
    let (test, known): (Vec<u32>, Vec<u32>) = (0..all.len() as u32).partition(|row| row % 5 == 0);
    let is_new = |row: &u32| all.user[*row as usize] % 4 == 0;
    let learnt: Vec<u32> = known.iter().copied().filter(|row| !is_new(row)).collect();
    let test: Vec<u32> = test.into_iter().filter(is_new).collect();
    let whole = TrainSet::new(&all, &known);
    for kind in ["bias", "biased-mf", "svd++", "nmf", "als-explicit", "slope-one", "user-knn", "ffm"] {
        let trained = fitted(kind, &[], &whole, 1);
        let with_them = errors(&all, &test, |user, item| trained.predict(user, item, 0)).0;
        let without = fitted(kind, &[], &TrainSet::new(&all, &learnt), 1);
        let scores: Vec<Vec<f32>> = (0..all.n_users() as u32).map(|user| fold(&*without, &whole, user)).collect();
        let folded = errors(&all, &test, |user, item| scores[user as usize][item as usize]).0;
        println!("{kind}: {with_them:.4} trained with them, {folded:.4} folded in");
        assert!(folded < with_them + 0.05, "{kind}: {with_them} trained with them, {folded} folded in");
    }
}

fn fold(model: &dyn Recommender, data: &TrainSet<'_>, user: u32) -> Vec<f32> {
    let (items, ratings) = data.by_user.row(user as usize);
    let basket: Vec<BasketItem> =
        items.iter().zip(ratings).map(|(&item, &rating)| BasketItem { item, rating }).collect();
    let mut scores = vec![0.0; data.n_items()];
    model.fold_in().expect("the catalogue says so").score_basket(&basket, &mut scores);
    scores
}

/// No published row was found for these folds. Biased matrix factorization has .934 / .737; with other settings explicit ALS
/// gave .914 to .983 on the first fold.
#[test]
fn explicit_als_is_better_than_biased_mf_with_deviations_and_about_as_good_without() {
    let Some(all) = movielens() else { return };
    let (with, without) = [true, false]
        .map(|biases| five_folds(&all, 1, 1, "als-explicit", &[("biases", ParamValue::Boolean(biases))]).0)
        .into();
    println!("als-explicit: {with:.4} with deviations, {without:.4} without");
    assert!((0.90..0.925).contains(&with) && (0.92..0.945).contains(&without), "{with} {without}");
}
