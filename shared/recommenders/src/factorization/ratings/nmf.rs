//! Non-negative matrix factorization of the known ratings.

use rand::Rng as _;
use recspeed_types::FitObserver;
use recspeed_types::catalogue::Predicts;

use crate::course::{self, Learner};
use crate::divergence::mean_square;
use crate::error::reserve;
use crate::factorization::draws::{ITEMS_STREAM, USERS_STREAM, stream};
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::{Folding, NonNegative};
use crate::fit::{FitRequest, Method};
use crate::memory::vectors;
use crate::{FitError, TrainSet};

pub(crate) const METHOD: Method = Method {
    kind: "nmf",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |_, parts| Ok(Box::new(FactorModel::restore(parts)?)),
};

/// `r̂_ui = p_u · q_i` with no number below 0, by multiplicative updates over the known ratings:
/// `p_uf ← p_uf · Σ_i q_if r_ui / (Σ_i q_if r̂_ui + λ n_u p_uf)`, and the same for items, both from the predictions of the
/// round before. Whoever has no rating gets the mean of all.
/// Source: Luo et al., "An Efficient Non-Negative Matrix-Factorization-Based Approach to Collaborative Filtering for
/// Recommender Systems", doi:10.1109/TII.2014.2308433; the settings are Surprise's.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<FactorModel, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    if let Some((row, user)) = first_negative(data) {
        let columns = data.interactions;
        return Err(FitError::NegativeRating {
            kind: "nmf",
            user: columns.users.get(user).to_owned(),
            item: columns.items.get(columns.item[row]).to_owned(),
            rating: columns.rating[row],
        });
    }
    let d = recommender.integer("factors") as usize;
    let initial = |n: usize, which: u64| -> Result<Vec<f32>, FitError> {
        let mut values: Vec<f32> = reserve(n.checked_mul(d), vectors::WHAT, vectors::remedy(Predicts::Ratings))?;
        let mut rng = stream(request.seed, which);
        for value in &mut values {
            *value = (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
        }
        Ok(values)
    };
    let mut learner = Multiplicative {
        data,
        d,
        regularization: recommender.float("regularization") as f32,
        seed: request.seed,
        users: initial(data.n_users(), USERS_STREAM)?,
        items: initial(data.n_items(), ITEMS_STREAM)?,
    };
    course::take(&mut learner, recommender.integer("iterations") as u64, observer)?;
    let mean = data.global_mean().ok_or(FitError::NoRows)? as f32;
    // μ·cold_u + μ·(1 − cold_u)·cold_i: the mean where either is cold, nothing where both are known.
    let augment = |vectors: Vec<f32>, known: &recspeed_data::Csr, is_user: bool| {
        FactorModel::lengthen(vectors, d, d + 2, |row, vector| {
            let cold = known.row(row).0.is_empty();
            if cold {
                vector[..d].fill(0.0);
            }
            let cold = f32::from(u8::from(cold));
            vector[d..].copy_from_slice(&if is_user { [mean * cold, mean * (1.0 - cold)] } else { [1.0, cold] });
        })
    };
    let users = augment(learner.users, &data.by_user, true);
    let items = augment(learner.items, &data.by_item, false);
    let folding = Folding::NonNegative(NonNegative { regularization: learner.regularization, mean });
    Ok(FactorModel { d: d + 2, users, items, scale: None, folding, own: None })
}

fn first_negative(data: &TrainSet<'_>) -> Option<(usize, u32)> {
    let columns = data.interactions;
    let row = data.rows.iter().map(|&row| row as usize).find(|&row| columns.rating[row] < 0.0)?;
    Some((row, columns.user[row]))
}

struct Multiplicative<'a> {
    data: &'a TrainSet<'a>,
    d: usize,
    regularization: f32,
    seed: u64,
    users: Vec<f32>,
    items: Vec<f32>,
}

impl Learner for Multiplicative<'_> {
    fn name(&self) -> String {
        let sizes = (self.data.n_users(), self.data.n_items(), self.d, self.data.by_user.nnz());
        format!("nmf {sizes:?} {}, seed {}", self.regularization, self.seed)
    }

    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        vec![&mut self.users, &mut self.items]
    }

    fn of_zeros(&self) -> f64 {
        mean_square(&self.data.by_user.values)
    }

    fn round(&mut self, _: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        if !go_on() {
            return Ok(None);
        }
        let d = self.d;
        let (mut user_up, mut user_down) = (vec![0.0f32; self.users.len()], vec![0.0f32; self.users.len()]);
        let (mut item_up, mut item_down) = (vec![0.0f32; self.items.len()], vec![0.0f32; self.items.len()]);
        let mut squares = 0.0;
        for user in 0..self.data.n_users() {
            let (own, ratings) = self.data.by_user.row(user);
            let p = &self.users[user * d..][..d];
            for (&item, &rating) in own.iter().zip(ratings) {
                let q = &self.items[item as usize * d..][..d];
                let predicted: f32 = p.iter().zip(q).map(|(p, q)| p * q).sum();
                squares += f64::from(rating - predicted).powi(2);
                for f in 0..d {
                    user_up[user * d + f] += q[f] * rating;
                    user_down[user * d + f] += q[f] * predicted;
                    item_up[item as usize * d + f] += p[f] * rating;
                    item_down[item as usize * d + f] += p[f] * predicted;
                }
            }
        }
        update(&mut self.users, &self.data.by_user, d, self.regularization, (&user_up, &user_down));
        update(&mut self.items, &self.data.by_item, d, self.regularization, (&item_up, &item_down));
        Ok(Some(squares / self.data.by_user.nnz() as f64))
    }
}

fn update(values: &mut [f32], known: &recspeed_data::Csr, d: usize, lambda: f32, (up, down): (&[f32], &[f32])) {
    for (at, value) in values.iter_mut().enumerate() {
        let n = known.row(at / d).0.len() as f32;
        let below = down[at] + lambda * n * *value;
        // A number that nothing depends on stays as it is.
        if below > 0.0 {
            *value *= up[at] / below;
        }
    }
}
