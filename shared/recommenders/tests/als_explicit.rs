//! Explicit ALS against its objective.

mod support;

use recspeed_recommenders::{BasketItem, TrainSet};
use recspeed_types::spec::ParamValue;
use support::{fitted, varied};

const LAMBDA: f64 = 0.2;

/// Vectors and biases of both sides: `(p, b_u)` and `(q, b_i)`, and the mean.
struct Model {
    users: Vec<Vec<f64>>,
    items: Vec<Vec<f64>>,
    user_biases: Vec<f64>,
    item_biases: Vec<f64>,
    mean: f64,
}

impl Model {
    fn predict(&self, user: usize, item: usize) -> f64 {
        let product: f64 = self.users[user].iter().zip(&self.items[item]).map(|(p, q)| p * q).sum();
        self.mean + self.user_biases[user] + self.item_biases[item] + product
    }
}

fn model(data: &TrainSet<'_>, factors: i64, biases: bool, iterations: i64) -> Model {
    let params = [
        ("factors", ParamValue::Integer(factors)),
        ("biases", ParamValue::Boolean(biases)),
        ("iterations", ParamValue::Integer(iterations)),
        ("regularization", ParamValue::Float(LAMBDA)),
    ];
    let mut parts = fitted("als-explicit", &params, data, 3).parts();
    let mut rows = |name: &str| {
        let (_, d, values) = parts.take_matrix(name).unwrap();
        values.chunks(d).map(|row| row.iter().map(|&v| f64::from(v)).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let (users, items) = (rows("users"), rows("items"));
    let d = factors as usize;
    let mean = data.global_mean().unwrap();
    Model {
        user_biases: users.iter().map(|row| row[d + 1] - mean).collect(),
        item_biases: items.iter().map(|row| row[d]).collect(),
        users: users.iter().map(|row| row[..d].to_vec()).collect(),
        items: items.iter().map(|row| row[..d].to_vec()).collect(),
        mean,
    }
}

fn objective(model: &Model, data: &TrainSet<'_>) -> f64 {
    let squares = |vector: &[f64], bias: f64| vector.iter().map(|v| v * v).sum::<f64>() + bias * bias;
    let mut sum = 0.0;
    for user in 0..data.n_users() {
        let (items, ratings) = data.by_user.row(user);
        for (&item, &rating) in items.iter().zip(ratings) {
            sum += (f64::from(rating) - model.predict(user, item as usize)).powi(2);
        }
        sum += LAMBDA * items.len() as f64 * squares(&model.users[user], model.user_biases[user]);
    }
    for item in 0..data.n_items() {
        let n = data.by_item.row(item).0.len() as f64;
        sum += LAMBDA * n * squares(&model.items[item], model.item_biases[item]);
    }
    sum
}

#[test]
fn the_normal_equations_hold_for_the_side_that_was_solved_last() {
    let (all, rows) = varied(60, 50, 700);
    let data = TrainSet::new(&all, &rows);
    // With 40 factors most items have fewer ratings than unknowns, which are solved another way.
    for (factors, biases) in [(3, true), (3, false), (40, true), (40, false)] {
        let model = model(&data, factors, biases, 2);
        for item in 0..data.n_items() {
            let (users, ratings) = data.by_item.row(item);
            let error = |(&user, &rating): (&u32, &f32)| f64::from(rating) - model.predict(user as usize, item);
            let errors: Vec<f64> = users.iter().zip(ratings).map(error).collect();
            let penalty = LAMBDA * users.len() as f64;
            for f in 0..factors as usize {
                let slope: f64 = users.iter().zip(&errors).map(|(&user, e)| e * model.users[user as usize][f]).sum();
                let rest = slope - penalty * model.items[item][f];
                assert!(rest.abs() < 2e-3, "item {item}, factor {f} of {factors}: {rest}");
            }
            if biases {
                let rest = errors.iter().sum::<f64>() - penalty * model.item_biases[item];
                assert!(rest.abs() < 2e-3, "bias of item {item}: {rest}");
            } else {
                assert_eq!(model.item_biases[item], 0.0);
            }
        }
    }
}

#[test]
fn no_iteration_raises_the_objective() {
    let (all, rows) = varied(60, 50, 700);
    let data = TrainSet::new(&all, &rows);
    for biases in [true, false] {
        let losses: Vec<f64> = (1..9).map(|n| objective(&model(&data, 5, biases, n), &data)).collect();
        assert!(losses.is_sorted_by(|before, after| *after <= before * (1.0 + 1e-6)), "{losses:?}");
    }
}

#[test]
fn who_came_later_gets_the_solution_for_their_ratings() {
    let (all, rows) = varied(60, 50, 700);
    let data = TrainSet::new(&all, &rows);
    for biases in [true, false] {
        let params = [
            ("biases", ParamValue::Boolean(biases)),
            ("factors", ParamValue::Integer(4)),
            ("regularization", ParamValue::Float(0.1)),
        ];
        let fitted = fitted("als-explicit", &params, &data, 3);
        let basket = [BasketItem { item: 0, rating: 5.0 }, BasketItem { item: 2, rating: 1.0 }];
        let mut scores = vec![0.0; data.n_items()];
        fitted.fold_in().unwrap().score_basket(&basket, &mut scores);
        // Σ (r − r̂) z = λ n x, and so any product of x and a vector y is Σ (r − r̂) (z · y) / (λ n), with λ n = 0.2.
        let mut parts = fitted.parts();
        let (_, d, items) = parts.take_matrix("items").unwrap();
        let vector = |item: u32| &items[item as usize * d..][..d];
        let dot = |a: &[f32], b: &[f32]| a[..4].iter().zip(&b[..4]).map(|(a, b)| a * b).sum::<f32>();
        let mean = data.global_mean().unwrap() as f32;
        for item in 0..data.n_items() as u32 {
            let part = |own: &BasketItem| {
                let product = dot(vector(own.item), vector(item)) + f32::from(u8::from(biases));
                (own.rating - scores[own.item as usize]) * product / 0.2
            };
            let expected = mean + vector(item)[4] + basket.iter().map(part).sum::<f32>();
            assert!((scores[item as usize] - expected).abs() < 1e-3, "{} {expected}", scores[item as usize]);
        }
    }
}

#[test]
fn cold_users_and_items_have_the_deviation_of_the_other_end() {
    let (all, rows) = varied(60, 50, 700);
    let data = TrainSet::new(&all, &rows);
    let (user, item) = (data.n_users() as u32 - 1, data.n_items() as u32 - 1);
    let mean = data.global_mean().unwrap() as f32;
    let plain = fitted("als-explicit", &[("biases", ParamValue::Boolean(false))], &data, 3);
    assert_eq!((plain.predict(user, 0, 0), plain.predict(0, item, 0)), (mean, mean));
    let biased = fitted("als-explicit", &[], &data, 3);
    let (cold_user, cold_item) = (biased.predict(user, 0, 0), biased.predict(0, item, 0));
    assert!(cold_user != mean && cold_item != mean && (biased.predict(user, item, 0) - mean).abs() < 1e-6);
}
