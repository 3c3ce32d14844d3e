//! Non-negative matrix factorization of the known ratings.

use rand::Rng as _;
use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_types::FitObserver;
use recspeed_types::catalogue::Predicts;

use crate::course::{self, Learner};
use crate::divergence::OfNothing;
use crate::error::reserve;
use crate::factorization::BLOCK_ROWS;
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
        users: initial(data.n_users(), USERS_STREAM)?,
        items: initial(data.n_items(), ITEMS_STREAM)?,
    };
    course::take(&mut learner, recommender.integer("iterations") as u64, observer)?;
    let mean = data.global_mean().ok_or(FitError::NoRows)? as f32;
    // μ·cold_u + μ·(1 − cold_u)·cold_i: the mean where either is cold, nothing where both are known.
    let augment = |vectors: Vec<f32>, known: &Csr, is_user: bool| {
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
    users: Vec<f32>,
    items: Vec<f32>,
}

impl Learner for Multiplicative<'_> {
    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        vec![&mut self.users, &mut self.items]
    }

    fn of_nothing(&self) -> OfNothing {
        OfNothing::ratings(&self.data.by_user.values)
    }

    /// Both sides are updated from the same predictions: where nothing holds them, each makes up for what the other has made up
    /// for already, and every other round is as bad as the start.
    fn left_behind(&self) -> Option<f64> {
        let (data, d, lambda) = (self.data, self.d, self.regularization);
        let users = Updated { known: &data.by_user, own: &self.users, other: &self.items, d, lambda };
        Some(users.next().1 / data.by_user.nnz() as f64)
    }

    fn round(&mut self, _: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        if !go_on() {
            return Ok(None);
        }
        let (data, d, lambda) = (self.data, self.d, self.regularization);
        let users = Updated { known: &data.by_user, own: &self.users, other: &self.items, d, lambda };
        let items = Updated { known: &data.by_item, own: &self.items, other: &self.users, d, lambda };
        let (next_users, squares) = users.next();
        let (next_items, _) = items.next();
        (self.users, self.items) = (next_users, next_items);
        Ok(Some(squares / data.by_user.nnz() as f64))
    }
}

/// One side's update. Each side computes the predictions for itself, from the numbers of the round before: so all its
/// rows are independent of one another, and come out the same on any number of threads.
#[derive(Debug, Clone, Copy)]
struct Updated<'a> {
    known: &'a Csr,
    own: &'a [f32],
    other: &'a [f32],
    d: usize,
    lambda: f32,
}

impl Updated<'_> {
    /// The side's numbers after the round, and the sum of the squared errors before it.
    fn next(self) -> (Vec<f32>, f64) {
        let mut next = vec![0.0; self.own.len()];
        let squares: Vec<f64> = next
            .par_chunks_mut(BLOCK_ROWS * self.d)
            .enumerate()
            .map_init(
                || vec![0.0; self.d],
                |down, (block, next)| {
                    let rows = next.chunks_exact_mut(self.d).enumerate();
                    rows.map(|(row, next)| self.row(block * BLOCK_ROWS + row, next, down)).sum()
                },
            )
            .collect();
        (next, squares.iter().sum())
    }

    /// A row's numbers into `next`, which comes as zeros; `down` is for what stands below the fraction. The sum of its
    /// squared errors.
    fn row(&self, row: usize, next: &mut [f32], down: &mut [f32]) -> f64 {
        let (columns, ratings) = self.known.row(row);
        let own = &self.own[row * self.d..][..self.d];
        down.fill(0.0);
        let mut squares = 0.0;
        for (&column, &rating) in columns.iter().zip(ratings) {
            let other = &self.other[column as usize * self.d..][..self.d];
            let predicted = dot(own, other);
            squares += f64::from(rating - predicted).powi(2);
            for ((up, down), other) in next.iter_mut().zip(&mut *down).zip(other) {
                *up += other * rating;
                *down += other * predicted;
            }
        }
        let penalty = self.lambda * columns.len() as f32;
        for ((next, down), own) in next.iter_mut().zip(down).zip(own) {
            let below = *down + penalty * own;
            // A number that nothing depends on stays as it is.
            *next = if below > 0.0 { own * (*next / below) } else { *own };
        }
        squares
    }
}

/// In four sums, which a processor adds to at once and which are the same on every one.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}
