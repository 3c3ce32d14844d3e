//! The sweeps and the steps against the formulas, computed the long way.

use proptest::prelude::*;
use recspeed_data::{Csr, Interactions, InteractionsBuilder};
use recspeed_types::Unobserved;

use super::coordinate::{Choice, Coordinate};
use super::expand::{Numbers, expand};
use super::kept::{Kept, Sample};
use super::rows::Rows;
use super::sgd::Sgd;
use super::{Settings, start};
use crate::course::{self, Learner};
use crate::machines::features::{Side, Sides};
use crate::{Recommender, TrainSet};

const SETTINGS: Settings = Settings { factors: 3, iterations: 4, samples: 2, init_deviation: 0.5, one_group: false };

/// Some people and items, each with a few of four attributes, of two fields.
fn side(rows: Vec<u32>, attributes: &[Vec<(u32, f32)>]) -> Side {
    let mut side = Side::new(rows);
    side.attributes = Csr { indptr: vec![0], ..Csr::default() };
    for own in attributes {
        side.attributes.indices.extend(own.iter().map(|(attribute, _)| attribute));
        side.attributes.values.extend(own.iter().map(|(_, value)| value));
        side.attributes.indptr.push(side.attributes.indices.len());
    }
    side.field = vec![1, 1, 2, 2];
    side.n_fields = 3;
    side
}

/// Some of four attributes.
fn attributes() -> impl Strategy<Value = Vec<(u32, f32)>> {
    prop::collection::btree_map(0u32..4, -2.0f32..2.0, 0..4).prop_map(|own| own.into_iter().collect())
}

/// The attributes of each person, or of each item.
type Known = Vec<Vec<(u32, f32)>>;

/// Ratings of five people and six items, and the attributes of both; the last of each has no rating.
fn world() -> impl Strategy<Value = (Vec<(u32, u32, f32)>, Known, Known)> {
    let rating = (0u32..4, 0u32..5, 1u8..=5).prop_map(|(user, item, stars)| (user, item, f32::from(stars)));
    (
        prop::collection::vec(rating, 5..25),
        prop::collection::vec(attributes(), 5),
        prop::collection::vec(attributes(), 6),
    )
}

fn interactions(ratings: &[(u32, u32, f32)]) -> (Interactions, Vec<u32>) {
    let mut builder = InteractionsBuilder::default();
    // All ids first, in their order, so that an index is an id.
    let known = (0..6).map(|at| (at.min(4), at, 3.0));
    for (user, item, rating) in known.chain(ratings.iter().copied()) {
        builder.push(&user.to_string(), &item.to_string(), rating, 0);
    }
    (builder.finish(), (6..6 + ratings.len() as u32).collect())
}

fn sides(data: &TrainSet<'_>, users: &[Vec<(u32, f32)>], items: &[Vec<(u32, f32)>]) -> Sides {
    Sides { users: side(data.user_counts(), users), items: side(data.item_counts(), items) }
}

/// All features of a row: side, feature, value.
fn features(sides: &Sides, user: usize, item: usize) -> Vec<(bool, usize, f64)> {
    let users = sides.users.features(user).map(|(feature, x)| (true, feature, f64::from(x)));
    users.chain(sides.items.features(item).map(|(feature, x)| (false, feature, f64::from(x)))).collect()
}

/// Weights and vectors (`[k, n_features]`) of both sides, in f64.
type Wide = [(Vec<f64>, Vec<f64>); 2];

fn wide(users: &Numbers, items: &Numbers) -> Wide {
    let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    [(wide(&users.weights), wide(&users.vectors)), (wide(&items.weights), wide(&items.vectors))]
}

/// `w_0 + Σ x w + Σ_{l<m} x_l x_m ⟨v_l, v_m⟩`, pair by pair.
fn naive(numbers: &Wide, intercept: f64, row: &[(bool, usize, f64)]) -> f64 {
    let of = |is_user: bool| &numbers[usize::from(!is_user)];
    let vector = |is_user: bool, feature: usize, f: usize| {
        let (weights, vectors) = of(is_user);
        vectors[f * weights.len() + feature]
    };
    let k = numbers[0].1.len() / numbers[0].0.len();
    let mut sum = intercept;
    for (at, &(a, l, x)) in row.iter().enumerate() {
        sum += x * of(a).0[l];
        for &(b, m, y) in &row[..at] {
            sum += x * y * (0..k).map(|f| vector(a, l, f) * vector(b, m, f)).sum::<f64>();
        }
    }
    sum
}

/// `Σ_rows (e² + λ Σ_l (w_l² + ‖v_l‖²))` over the features of each row.
fn objective(numbers: &Wide, intercept: f64, sides: &Sides, data: &TrainSet<'_>, lambda: f64) -> f64 {
    let all = data.interactions;
    let of_row = |&row: &u32| {
        let row = row as usize;
        let features = features(sides, all.user[row] as usize, all.item[row] as usize);
        let error = f64::from(all.rating[row]) - naive(numbers, intercept, &features);
        let penalty = |&(is_user, l, _): &(bool, usize, f64)| {
            let (weights, vectors) = &numbers[usize::from(!is_user)];
            weights[l].powi(2) + vectors.chunks_exact(weights.len()).map(|factor| factor[l].powi(2)).sum::<f64>()
        };
        error * error + lambda * features.iter().map(penalty).sum::<f64>()
    };
    data.rows.iter().map(of_row).sum()
}

fn near(found: f64, wanted: f64, tolerance: f64, what: &str) -> Result<(), TestCaseError> {
    prop_assert!((found - wanted).abs() <= tolerance * (1.0 + wanted.abs()), "{what}: {found}, not {wanted}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_product_of_sums_is_the_sum_over_all_pairs((ratings, users, items) in world(), seed in 0u64..99) {
        let (all, rows) = interactions(&ratings);
        let data = TrainSet::new(&all, &rows);
        let sides = sides(&data, &users, &items);
        let (mut of_users, mut of_items) = start(&sides, SETTINGS, seed).unwrap();
        of_users.weights.iter_mut().zip(0..).for_each(|(w, at)| *w = (at as f32).sin());
        of_items.weights.iter_mut().zip(0..).for_each(|(w, at)| *w = (at as f32).cos());
        let numbers = wide(&of_users, &of_items);
        let (p, q) = (expand(&sides.users, &of_users), expand(&sides.items, &of_items));
        for user in 0..5 {
            for item in 0..6 {
                let product: f32 = (0..3).map(|f| p.sums[f * 5 + user] * q.sums[f * 6 + item]).sum();
                let found = 3.0 + p.own[user] + q.own[item] + product;
                near(f64::from(found), naive(&numbers, 3.0, &features(&sides, user, item)), 1e-5, "ŷ")?;
            }
        }
        // And the model says the same, of a new user too.
        let mut kept = Kept::new(&sides, 3, 1).unwrap();
        let (penalties, unknown) = ([1.0; 4], [0.0; 4]);
        kept.add(0, &Sample {
            intercept: 3.0, users: (&of_users, &p), items: (&of_items, &q), penalties: &penalties, unknown: &unknown,
        });
        let machine = kept.finish(Sides { users: sides.users.clone(), items: sides.items.clone() }, 3, true);
        let wanted = naive(&numbers, 3.0, &features(&sides, 1, 2));
        near(f64::from(machine.predict(1, 2, 0)), wanted, 1e-5, "the model")?;
    }

    #[test]
    fn errors_that_follow_the_sweeps_are_those_of_the_numbers((ratings, users, items) in world(), drawn: bool, one: bool) {
        let (all, rows) = interactions(&ratings);
        let data = TrainSet::new(&all, &rows);
        let sides = sides(&data, &users, &items);
        let order = Rows::of(&data);
        let choice = if drawn { Choice::Drawn } else { Choice::Best(0.1) };
        let settings = Settings { one_group: one, ..SETTINGS };
        let mut fit = Coordinate::new(&data, &sides, &order, settings, choice, 5).unwrap();
        fit.refresh();
        fit.sweeps(0, &mut || true);
        let followed = fit.items.errors.clone();
        fit.refresh();
        for (row, &followed) in followed.iter().enumerate() {
            let wanted = fit.users.errors[order.by_item.from[row] as usize];
            near(f64::from(followed), f64::from(wanted), 1e-3, "an error")?;
        }
    }

    #[test]
    fn a_round_of_least_squares_never_raises_the_objective((ratings, users, items) in world()) {
        let (all, rows) = interactions(&ratings);
        let data = TrainSet::new(&all, &rows);
        let sides = sides(&data, &users, &items);
        let order = Rows::of(&data);
        let mut fit = Coordinate::new(&data, &sides, &order, SETTINGS, Choice::Best(0.1), 5).unwrap();
        let value = |fit: &Coordinate<'_>| {
            let numbers = wide(&fit.users.numbers, &fit.items.numbers);
            objective(&numbers, f64::from(fit.intercept()), &sides, &data, f64::from(0.1f32))
        };
        let mut before = value(&fit);
        for round in 0..4 {
            fit.round(round, &mut || true).unwrap();
            let after = value(&fit);
            prop_assert!(after <= before + 1e-4 * (1.0 + before), "round {round}: {before} to {after}");
            before = after;
        }
    }

    #[test]
    fn the_number_chosen_last_is_where_the_objective_is_flat((ratings, users, items) in world()) {
        let (all, rows) = interactions(&ratings);
        let data = TrainSet::new(&all, &rows);
        let sides = sides(&data, &users, &items);
        let order = Rows::of(&data);
        let mut fit = Coordinate::new(&data, &sides, &order, SETTINGS, Choice::Best(0.2), 5).unwrap();
        fit.refresh();
        fit.sweeps(0, &mut || true);
        // The last factor of the last attribute of the items.
        let last = fit.items.numbers.vectors.len() - 1;
        let at = |change: f64| {
            let mut numbers = wide(&fit.users.numbers, &fit.items.numbers);
            numbers[1].1[last] += change;
            objective(&numbers, f64::from(fit.intercept()), &sides, &data, f64::from(0.2f32))
        };
        let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
        let curvature = (at(1e-2) - 2.0 * at(0.0) + at(-1e-2)) / 1e-4;
        prop_assert!(slope.abs() < 2e-3 * (1.0 + curvature.abs() + at(0.0)), "slope {slope}, curvature {curvature}");
    }

    #[test]
    fn a_step_of_gradient_descent_goes_down_the_gradient((_, users, items) in world(), seed in 0u64..99) {
        // One rating, so that a round is one step.
        let (all, rows) = interactions(&[(1, 2, 4.0)]);
        let data = TrainSet::new(&all, &rows);
        let sides = sides(&data, &users, &items);
        let (rate, lambda) = (1e-2, 0.1);
        let mut fit = Sgd::new(&data, &sides, SETTINGS, (rate, lambda), seed).unwrap();
        let (of_users, of_items) = start(&sides, SETTINGS, seed).unwrap();
        let before = wide(&of_users, &of_items);
        fit.round(0, &mut || true).unwrap();
        let (of_users, of_items) = fit.numbers_of_features();
        let after = wide(&of_users, &of_items);
        let (rate, lambda) = (f64::from(rate), f64::from(lambda));
        // The intercept starts as the mean, which is the rating.
        let value = |numbers: &Wide| 0.5 * objective(numbers, 4.0, &sides, &data, lambda);
        for side in 0..2 {
            for place in 0..before[side].1.len() {
                let moved = |change: f64| {
                    let mut numbers = before.clone();
                    numbers[side].1[place] += change;
                    value(&numbers)
                };
                let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
                near(after[side].1[place] - before[side].1[place], -rate * slope, 1e-4, "a step of a vector")?;
            }
            for place in 0..before[side].0.len() {
                let moved = |change: f64| {
                    let mut numbers = before.clone();
                    numbers[side].0[place] += change;
                    value(&numbers)
                };
                let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
                near(after[side].0[place] - before[side].0[place], -rate * slope, 1e-4, "a step of a weight")?;
            }
        }
    }
}

#[test]
fn the_model_of_several_samples_is_the_mean_of_theirs() {
    let (all, rows) = interactions(&[(0, 0, 5.0), (1, 2, 1.0), (3, 4, 2.0)]);
    let data = TrainSet::new(&all, &rows);
    let some = |n: usize| (0..n).map(|at| vec![(at as u32 % 4, 1.0)]).collect::<Vec<_>>();
    let sides = sides(&data, &some(5), &some(6));
    let mut kept = Kept::new(&sides, 3, 2).unwrap();
    let mut wanted = 0.0;
    for seed in 0..2u8 {
        let (users, items) = start(&sides, SETTINGS, u64::from(seed)).unwrap();
        wanted += naive(&wide(&users, &items), f64::from(seed), &features(&sides, 3, 4)) / 2.0;
        kept.add(
            usize::from(seed),
            &Sample {
                intercept: f32::from(seed),
                users: (&users, &expand(&sides.users, &users)),
                items: (&items, &expand(&sides.items, &items)),
                penalties: &[1.0; 4],
                unknown: &[0.0; 4],
            },
        );
    }
    let found = f64::from(kept.finish(sides, 3, false).predict(3, 4, 0));
    assert!((found - wanted).abs() < 1e-5, "{found}, not {wanted}");
}

#[test]
fn every_solver_lowers_the_training_error() {
    let ratings: Vec<(u32, u32, f32)> =
        (0..20).map(|at| (at % 4, (at * 7) % 5, if (at % 4) * ((at * 7) % 5) % 3 == 0 { 5.0 } else { 2.0 })).collect();
    let (all, rows) = interactions(&ratings);
    let data = TrainSet::new(&all, &rows);
    let some = |n: usize| (0..n).map(|at| vec![(at as u32 % 4, 1.0)]).collect::<Vec<_>>();
    let sides = sides(&data, &some(5), &some(6));
    let order = Rows::of(&data);
    let settings = Settings { iterations: 40, ..SETTINGS };
    let mut sgd = Sgd::new(&data, &sides, settings, (0.02, 0.01), 1).unwrap();
    let mut als = Coordinate::new(&data, &sides, &order, settings, Choice::Best(0.01), 1).unwrap();
    let mut mcmc = Coordinate::new(&data, &sides, &order, settings, Choice::Drawn, 1).unwrap();
    let learners: [&mut dyn Learner; 3] = [&mut sgd, &mut als, &mut mcmc];
    for (solver, learner) in ["sgd", "als", "mcmc"].into_iter().zip(learners) {
        let first = learner.round(0, &mut || true).unwrap().unwrap();
        course::take(learner, 40, &mut Unobserved).unwrap();
        let last = learner.round(40, &mut || true).unwrap().unwrap();
        assert!(last < 0.7 * first, "{solver}: {first} to {last}");
    }
}
