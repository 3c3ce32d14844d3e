//! EASE: the linear autoencoder with a closed form.

use std::sync::Arc;

use rayon::prelude::*;
use recspeed_data::parts::expect_len;
use recspeed_data::{Csr, Interactions};
use recspeed_dense::invert;
use recspeed_types::FitObserver;
use recspeed_types::event::{EventKind, MemoryBytes};
use recspeed_types::forecast::{Inverse, duration};

use crate::divergence::not_finite;
use crate::error::{no_inverse, reserve};
use crate::fit::{FitRequest, Method};
use crate::item_to_item::Weighting;
use crate::memory::check_inverse;
use crate::memory::paces::seconds_of_inverse;
use crate::recommender::{model_bytes, weightiest};
use crate::{BasketItem, FitError, FoldIn, Parts, PartsError, Reason, Recommender};

pub(super) const METHOD: Method = Method {
    kind: "ease",
    fit: |request, observer| Ok(Box::new(Ease::fit(request, observer)?)),
    restore: |request, mut parts| {
        let (rows, columns, weights) = parts.take_matrix("weights")?;
        expect_len("weights", columns, rows)?;
        let by_user = Arc::new(parts.take_csr("ratings", rows)?);
        let weighting = Weighting::named(request.recommender.text("weighting"));
        Ok::<_, PartsError>(Box::new(Ease { by_user, weighting, n_items: rows, weights }))
    },
};

/// Bytes that the fit may hold where nobody knows what is left: the Gramian that becomes its inverse, the factor's
/// inverse and the result, all dense.
const ALLOWED_BYTES: u64 = if cfg!(target_arch = "wasm32") { Inverse::ALLOWED_IN_A_TAB } else { 16 << 30 };
/// Fits that take longer are announced, in seconds.
const ANNOUNCED_S: f64 = 10.0;

/// `S = X·B` with `B` minimising `‖X − X·B‖² + λ·‖B‖²` under `diag(B) = 0`: with `P = (XᵀX + λI)⁻¹`,
/// `B_ij = −P_ij / P_jj`. Computed in f64, kept in f32.
/// Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", arXiv:1905.03375.
#[derive(Debug)]
struct Ease {
    by_user: Arc<Csr>,
    weighting: Weighting,
    n_items: usize,
    /// `B`, `[n_items, n_items]`: row `j` is what item `j` adds to every score.
    weights: Vec<f32>,
}

/// Refuses an inverse that is too large.
///
/// # Errors
/// [`FitError::Unaffordable`].
pub(crate) fn check_items(n_items: usize, memory_left: Option<u64>) -> Result<(), FitError> {
    let allowed = memory_left.unwrap_or(ALLOWED_BYTES);
    check_inverse((n_items, Inverse::MATRICES), allowed, Inverse::WHAT, Inverse::REMEDY)
}

impl Ease {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let (data, recommender) = (request.data, request.recommender);
        let n_items = data.n_items();
        check_items(n_items, observer.memory_left())?;
        let weighting = Weighting::named(recommender.text("weighting"));
        let mut stages = Stages { observer, done: 0 };
        stages.next()?;
        let mut inverse = gramian(&data.by_user, &data.by_item, weighting, recommender.float("regularization"))?;
        stages.next()?;
        // What is foretold begins when it is told.
        announce_inverse(n_items, stages.observer);
        // Symmetric: its rows are its columns. With λ > 0 it is positive definite; rounding can only lose that for ratings of
        // absurd size.
        invert(&mut inverse, n_items).map_err(no_inverse(Inverse::REMEDY))?;
        stages.next()?;
        let mut weights: Vec<f32> =
            reserve(n_items.checked_mul(n_items), "the weights between items", Inverse::REMEDY)?;
        let whole_tiles = (TILE * n_items).max(1);
        weights.par_chunks_mut(whole_tiles).enumerate().for_each(|(tile, rows)| {
            weights_of_rows(&inverse, n_items, tile * TILE, rows);
        });
        if weights.iter().any(|weight| !weight.is_finite()) {
            return Err(not_finite("a weight"));
        }
        stages.next()?;
        Ok(Self { by_user: Arc::clone(&data.by_user), weighting, n_items, weights })
    }

    fn row(&self, item: u32) -> &[f32] {
        &self.weights[item as usize * self.n_items..][..self.n_items]
    }

    fn add_votes(&self, own: u32, rating: f32, scores: &mut [f32]) {
        let weight = self.weighting.of(rating);
        for (score, &b) in scores.iter_mut().zip(self.row(own)) {
            *score += weight * b;
        }
    }

    fn votes(&self, user: u32, item: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        let (own, ratings) = self.by_user.row(user as usize);
        own.iter()
            .zip(ratings)
            .map(move |(&own, &rating)| (own, self.weighting.of(rating) * self.row(own)[item as usize]))
    }
}

fn announce_inverse(n_items: usize, observer: &mut dyn FitObserver) {
    let (threads, seconds) = (rayon::current_num_threads(), seconds_of_inverse(n_items));
    if seconds > ANNOUNCED_S {
        let message = format!(
            "ease inverts a matrix of {n_items} by {n_items} numbers: about {} on {threads} threads. dataset.min_item \
             leaves fewer items; slim and item-knn need no inverse.",
            duration(seconds)
        );
        observer.event(EventKind::Log { message, seconds: Some(seconds) });
    }
}

/// Rows and columns of the weights that are written together: what is read across its memory stays in the nearest cache.
const TILE: usize = 64;

/// `B_ij = −P_ij / P_jj` for the rows from `first` on, from the lower triangle of `P`: the other holds nothing.
fn weights_of_rows(inverse: &[f64], n_items: usize, first: usize, rows: &mut [f32]) {
    let n_rows = rows.len() / n_items.max(1);
    let column_of = |j: usize| &inverse[j * n_items..][..n_items];
    for left in (0..n_items).step_by(TILE) {
        let columns = left..(left + TILE).min(n_items);
        if left <= first {
            for j in columns {
                let (column, diagonal) = (column_of(j), column_of(j)[j]);
                for i in j.max(first)..first + n_rows {
                    rows[(i - first) * n_items + j] = if i == j { 0.0 } else { (-column[i] / diagonal) as f32 };
                }
            }
        }
        if left >= first {
            for i in first..first + n_rows {
                let column = column_of(i);
                for j in left.max(i + 1)..(left + TILE).min(n_items) {
                    rows[(i - first) * n_items + j] = (-column[j] / column_of(j)[j]) as f32;
                }
            }
        }
    }
}

/// The stages of the fit: Gramian, inverse, weights. Each is one piece of work.
struct Stages<'a> {
    observer: &'a mut dyn FitObserver,
    done: u64,
}

impl Stages<'_> {
    const TOTAL: u64 = 3;

    /// Before each stage, and after the last one.
    fn next(&mut self) -> Result<(), FitError> {
        if self.done < Self::TOTAL && self.observer.stop_requested() {
            return Err(FitError::Interrupted { done: self.done, total: Self::TOTAL, unit: "stages" });
        }
        let event = EventKind::Progress { done: self.done, total: Self::TOTAL, unit: "stages".to_owned() };
        self.observer.event(event);
        self.done += 1;
        Ok(())
    }
}

/// `XᵀX + λI`, `[n_items, n_items]`, a row at a time; each row adds in the order of its users.
pub(super) fn gramian(
    by_user: &Csr,
    by_item: &Csr,
    weighting: Weighting,
    regularization: f64,
) -> Result<Vec<f64>, FitError> {
    let n_items = by_item.n_rows();
    let mut gram: Vec<f64> = reserve(n_items.checked_mul(n_items), "the products of the items", Inverse::REMEDY)?;
    gram.par_chunks_mut(n_items.max(1)).enumerate().for_each(|(item, row)| {
        let (users, ratings) = by_item.row(item);
        for (&user, &rating) in users.iter().zip(ratings) {
            let weight = f64::from(weighting.of(rating));
            let (others, other_ratings) = by_user.row(user as usize);
            for (&other, &other_rating) in others.iter().zip(other_ratings) {
                row[other as usize] += weight * f64::from(weighting.of(other_rating));
            }
        }
        row[item] += regularization;
    });
    Ok(gram)
}

impl Recommender for Ease {
    fn n_users(&self) -> usize {
        self.by_user.n_rows()
    }

    fn n_items(&self) -> usize {
        self.n_items
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        self.votes(user, item).fold(0.0, |sum, (_, part)| sum + part)
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        scores.fill(0.0);
        let (own, ratings) = self.by_user.row(user as usize);
        for (&own, &rating) in own.iter().zip(ratings) {
            self.add_votes(own, rating, scores);
        }
    }

    fn read(&mut self, interactions: &Interactions, known: &[u32], _: &mut dyn FitObserver) -> Result<(), FitError> {
        self.by_user = Arc::new(Csr::by_user(interactions, known));
        Ok(())
    }

    fn memory(&self) -> MemoryBytes {
        let entries = size_of_val(&self.by_user.indptr[..]) + 8 * self.by_user.nnz();
        model_bytes(size_of_val(&self.weights[..]), entries)
    }

    fn parameters(&self) -> u64 {
        self.weights.len() as u64
    }

    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        Some(weightiest(self.votes(user, item).collect(), n))
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    /// `weights`: `B`; `ratings`: users × items.
    fn parts(&self) -> Parts {
        Parts::default().with_matrix("weights", self.n_items, &self.weights).with_csr("ratings", &self.by_user)
    }
}

impl FoldIn for Ease {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        scores.fill(0.0);
        for own in basket {
            self.add_votes(own.item, own.rating, scores);
        }
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        let part = |own: &BasketItem| (own.item, self.weighting.of(own.rating) * self.row(own.item)[item as usize]);
        weightiest(basket.iter().map(part).collect(), n)
    }
}
