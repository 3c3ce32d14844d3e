//! SVD++: what somebody rated at all says something, whatever the stars.

use std::sync::Arc;

use recspeed_types::FitObserver;
use recspeed_types::catalogue::Predicts;
use recspeed_types::spec::ResolvedRecommender;

use crate::course::{self, Learner};
use crate::divergence::OfNothing;
use crate::factorization::draws::{ITEMS_STREAM, ROWS_AT_ONCE, USERS_STREAM, order, vectors};
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::{Folding, Ridge};
use crate::fit::{FitRequest, Method};
use crate::{FitError, TrainSet};

pub(crate) const METHOD: Method = Method {
    kind: "svd++",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |_, parts| Ok(Box::new(FactorModel::restore(parts)?)),
};

/// ChaCha8 stream of the implicit vectors.
const IMPLICIT_STREAM: u64 = 67;

/// `r̂_ui = μ + b_u + b_i + q_i · (p_u + |N(u)|^−½ Σ_{j ∈ N(u)} y_j)`, with `N(u)` the items that the user rated; each rating
/// one step down the gradient of `(r_ui − r̂_ui)² + λ (b_u² + b_i² + ‖p_u‖² + ‖q_i‖² + Σ_j ‖y_j‖²)`, users in an order drawn
/// anew each epoch. Source: Koren, "Factorization Meets the Neighborhood", doi:10.1145/1401890.1401944, equation 15.
///
/// While one user's ratings are learnt, each step does the same to every `y_j`: `y_j ← a·y_j + v`. So their sum follows as
/// `s ← a·s + n·v`, and every `y_j` is brought up to date once, after the user's last rating: `m` steps leave
/// `a^m · y_j + c` with `c ← a·c + v`. That is exact, and a step costs as much as without the `y_j`.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<FactorModel, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let mut learner = Sgd::new(recommender, data, request.seed)?;
    course::take(&mut learner, recommender.integer("iterations") as u64, observer)?;
    let Sgd { d, mean, regularization, mut users, items, implicit, user_biases, item_biases, .. } = learner;
    for (user, vector) in users.chunks_exact_mut(d).enumerate() {
        let own = data.by_user.row(user).0;
        let share = share(own.len());
        for &item in own {
            let y = &implicit[item as usize * d..][..d];
            vector.iter_mut().zip(y).for_each(|(value, y)| *value += share * y);
        }
    }
    Ok(FactorModel {
        d: d + 2,
        users: FactorModel::augment(users, d, &user_biases, mean, true),
        items: FactorModel::augment(items, d, &item_biases, mean, false),
        scale: None,
        folding: Folding::Ridge(Ridge { regularization, mean, biased: true, implicit }),
        own: Some(Arc::clone(&data.by_user)),
    })
}

fn share(items: usize) -> f32 {
    1.0 / (items.max(1) as f32).sqrt()
}

struct Sgd<'a> {
    data: &'a TrainSet<'a>,
    d: usize,
    learning_rate: f32,
    regularization: f32,
    seed: u64,
    mean: f32,
    users: Vec<f32>,
    items: Vec<f32>,
    /// The `y`.
    implicit: Vec<f32>,
    user_biases: Vec<f32>,
    item_biases: Vec<f32>,
}

impl<'a> Sgd<'a> {
    fn new(recommender: &ResolvedRecommender, data: &'a TrainSet<'a>, seed: u64) -> Result<Self, FitError> {
        let d = recommender.integer("factors") as usize;
        let deviation = recommender.float("init_deviation") as f32;
        let first = |known, which| vectors(known, d, deviation, (seed, which), Predicts::Ratings);
        Ok(Self {
            d,
            learning_rate: recommender.float("learning_rate") as f32,
            regularization: recommender.float("regularization") as f32,
            seed,
            mean: data.global_mean().ok_or(FitError::NoRows)? as f32,
            users: first(&data.by_user, USERS_STREAM)?,
            items: first(&data.by_item, ITEMS_STREAM)?,
            implicit: first(&data.by_item, IMPLICIT_STREAM)?,
            user_biases: vec![0.0; data.n_users()],
            item_biases: vec![0.0; data.n_items()],
            data,
        })
    }

    /// All ratings of one user; the sum of the squared errors before each step.
    fn learn(&mut self, user: usize, scratch: &mut Scratch) -> f64 {
        let (own, ratings) = self.data.by_user.row(user);
        let (d, n, share) = (self.d, own.len() as f32, share(own.len()));
        let keep = 1.0 - self.learning_rate * self.regularization;
        let Scratch { sum, added, implicit } = scratch;
        sum.fill(0.0);
        added.fill(0.0);
        for &item in own {
            let y = &self.implicit[item as usize * d..][..d];
            sum.iter_mut().zip(y).for_each(|(sum, y)| *sum += y);
        }
        let mut kept = 1.0f32;
        let mut squares = 0.0;
        for (&item, &rating) in own.iter().zip(ratings) {
            let item = item as usize;
            let (p, q) = (&mut self.users[user * d..][..d], &mut self.items[item * d..][..d]);
            let mut product = 0.0;
            for (((implicit, &s), &p), &q) in implicit.iter_mut().zip(sum.iter()).zip(p.iter()).zip(q.iter()) {
                *implicit = p + share * s;
                product += *implicit * q;
            }
            let error = rating - (self.mean + self.user_biases[user] + self.item_biases[item] + product);
            squares += f64::from(error) * f64::from(error);
            let step = self.learning_rate * error;
            self.user_biases[user] = keep * self.user_biases[user] + step;
            self.item_biases[item] = keep * self.item_biases[item] + step;
            kept *= keep;
            for f in 0..d {
                let before = q[f];
                q[f] = keep * before + step * implicit[f];
                p[f] = keep * p[f] + step * before;
                let v = step * share * before;
                sum[f] = keep * sum[f] + n * v;
                added[f] = keep * added[f] + v;
            }
        }
        for &item in own {
            let y = &mut self.implicit[item as usize * d..][..d];
            y.iter_mut().zip(added.iter()).for_each(|(y, added)| *y = kept * *y + added);
        }
        squares
    }
}

/// Of one user: `Σ y_j`, the `c` of the documentation above, and `p + |N|^−½ Σ y_j`.
struct Scratch {
    sum: Vec<f32>,
    added: Vec<f32>,
    implicit: Vec<f32>,
}

impl Learner for Sgd<'_> {
    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        vec![&mut self.users, &mut self.items, &mut self.implicit, &mut self.user_biases, &mut self.item_biases]
    }

    fn of_nothing(&self) -> OfNothing {
        OfNothing::ratings(&self.data.by_user.values)
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let zeros = || vec![0.0; self.d];
        let mut scratch = Scratch { sum: zeros(), added: zeros(), implicit: zeros() };
        let (mut squares, mut since) = (0.0, ROWS_AT_ONCE);
        for user in order(self.data.n_users(), self.seed, round) {
            if since >= ROWS_AT_ONCE {
                since = 0;
                if !go_on() {
                    return Ok(None);
                }
            }
            since += self.data.by_user.row(user as usize).0.len();
            squares += self.learn(user as usize, &mut scratch);
        }
        Ok(Some(squares / self.data.by_user.nnz() as f64))
    }
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;

    use super::*;

    /// The same steps with every implicit vector moved at every one of them, in f64.
    fn the_long_way(start: &Sgd<'_>, user: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
        let (mut users, mut items, mut implicit) = (wide(&start.users), wide(&start.items), wide(&start.implicit));
        let (mut user_bias, mut item_biases) = (0.0, vec![0.0; start.item_biases.len()]);
        let (d, rate, lambda) = (start.d, f64::from(start.learning_rate), f64::from(start.regularization));
        let (own, ratings) = start.data.by_user.row(user);
        let share = 1.0 / (own.len() as f64).sqrt();
        for (&item, &rating) in own.iter().zip(ratings) {
            let item = item as usize;
            let sum = |f: usize, implicit: &[f64]| own.iter().map(|&j| implicit[j as usize * d + f]).sum::<f64>();
            let whole: Vec<f64> = (0..d).map(|f| users[user * d + f] + share * sum(f, &implicit)).collect();
            let product: f64 = (0..d).map(|f| whole[f] * items[item * d + f]).sum();
            let error = f64::from(rating) - (f64::from(start.mean) + user_bias + item_biases[item] + product);
            user_bias += rate * (error - lambda * user_bias);
            item_biases[item] += rate * (error - lambda * item_biases[item]);
            for f in 0..d {
                let q = items[item * d + f];
                items[item * d + f] += rate * (error * whole[f] - lambda * q);
                users[user * d + f] += rate * (error * q - lambda * users[user * d + f]);
                for &j in own {
                    let y = &mut implicit[j as usize * d + f];
                    *y += rate * (error * share * q - lambda * *y);
                }
            }
        }
        (users, items, implicit)
    }

    #[test]
    fn touching_implicit_vectors_once_a_user_is_the_same_as_at_every_step() {
        let mut builder = InteractionsBuilder::default();
        for (user, item, rating) in [(0, 0, 5.0), (0, 1, 3.0), (0, 2, 1.0), (0, 3, 4.0), (1, 0, 4.0), (1, 2, 2.0)] {
            builder.push(&user.to_string(), &item.to_string(), rating, 0);
        }
        let all = builder.finish();
        let rows: Vec<u32> = (0..all.len() as u32).collect();
        let data = TrainSet::new(&all, &rows);
        let spread = |n: usize, phase: f32| (0..n).map(|i| (i as f32 * 0.7 + phase).sin()).collect::<Vec<f32>>();
        let d = 3;
        let mut sgd = Sgd {
            data: &data,
            d,
            learning_rate: 0.05,
            regularization: 0.2,
            seed: 0,
            mean: 3.0,
            users: spread(2 * d, 0.0),
            items: spread(4 * d, 1.0),
            implicit: spread(4 * d, 2.0),
            user_biases: vec![0.0; 2],
            item_biases: vec![0.0; 4],
        };
        let (users, items, implicit) = the_long_way(&sgd, 0);
        let zeros = || vec![0.0; d];
        sgd.learn(0, &mut Scratch { sum: zeros(), added: zeros(), implicit: zeros() });
        for (found, wanted) in [(&sgd.users, users), (&sgd.items, items), (&sgd.implicit, implicit)] {
            for (found, wanted) in found.iter().zip(wanted) {
                assert!((f64::from(*found) - wanted).abs() < 1e-5, "{found}, not {wanted}");
            }
        }
    }
}
