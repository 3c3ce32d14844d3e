//! What every method that learns from pairs draws from and starts with.

use recspeed_data::Csr;
use recspeed_types::catalogue::Predicts;

use crate::factorization::draws;
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::Folding;
use crate::factorization::folding::pairwise::Pairwise;
use crate::{FitError, TrainSet};

/// Standard deviation of the first numbers, times the root of the factors.
const INITIAL: f32 = 0.1;

/// The ChaCha8 stream of what a block of an epoch draws.
pub(crate) fn block_stream(round: u64, block: u64) -> u64 {
    (round + 1) << 32 | block
}

/// Items that somebody has.
pub(crate) fn known(data: &TrainSet<'_>) -> Vec<u32> {
    // At once as long as they may become: what grows on the way is twice as much for a while.
    let mut known = Vec::with_capacity(data.n_items());
    known.extend((0..data.n_items() as u32).filter(|&item| !data.by_item.row(item as usize).0.is_empty()));
    known
}

/// First vectors of a side, `[n, d]`.
pub(crate) fn vectors(known: &Csr, d: usize, seed: u64, which: u64) -> Result<Vec<f32>, FitError> {
    draws::vectors(known, d, INITIAL / (d as f32).sqrt(), (seed, which), Predicts::Scores)
}

/// `x_ui = p_u · q_i + b_i`. No bias of users: it would move all scores of one list alike. A cold user's list is the
/// items' biases, and `newcomers` learn on from there.
pub(super) fn model(d: usize, users: Vec<f32>, items: Vec<f32>, biases: &[f32], newcomers: Pairwise) -> FactorModel {
    FactorModel {
        d: d + 2,
        users: FactorModel::lengthen(users, d, d + 2, |_, vector| vector[d..].copy_from_slice(&[1.0, 0.0])),
        items: FactorModel::augment(items, d, biases, 0.0, false),
        scale: None,
        folding: Folding::Pairwise(newcomers),
        own: None,
    }
}

/// The vectors of two different rows, for writing.
#[inline(always)]
pub(crate) fn two_rows(values: &mut [f32], d: usize, a: usize, b: usize) -> (&mut [f32], &mut [f32]) {
    let (low, high) = values.split_at_mut(a.max(b) * d);
    let (first, second) = (&mut low[a.min(b) * d..][..d], &mut high[..d]);
    if a < b { (first, second) } else { (second, first) }
}
