//! What every method that learns from pairs draws from and starts with.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use recspeed_data::Csr;
use recspeed_types::catalogue::Predicts;

use crate::factorization::draws;
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::Folding;
use crate::factorization::folding::pairwise::Pairwise;
use crate::{FitError, TrainSet};

/// Standard deviation of the first numbers, times the root of the factors.
const INITIAL: f32 = 0.1;

/// The stream of what is drawn in one part of an epoch: a block, or in the fast mode a piece.
pub(crate) fn part_stream(round: u64, part: u64) -> u64 {
    (round + 1) << 32 | part
}

/// Who has what, entry by entry.
pub(crate) struct PairData<'a> {
    pub(crate) data: &'a TrainSet<'a>,
    /// User of each entry of `data.by_user`.
    pub(crate) owner: Vec<u32>,
    /// Items that somebody has.
    pub(crate) known: Vec<u32>,
}

impl<'a> PairData<'a> {
    pub(crate) fn new(data: &'a TrainSet<'a>) -> Self {
        let user_of = |row: usize| std::iter::repeat_n(row as u32, data.by_user.row(row).0.len());
        // At once as long as they become: what grows on the way is twice as much for a while.
        let mut owner = Vec::with_capacity(data.by_user.nnz());
        owner.extend((0..data.n_users()).flat_map(user_of));
        Self { data, owner, known: known_items(data) }
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.owner.len()
    }

    /// Items that somebody has.
    pub(crate) fn n_known(&self) -> usize {
        self.known.len()
    }

    /// User and item.
    #[inline(always)]
    pub(crate) fn pair(&self, entry: u32) -> [u32; 2] {
        [self.owner[entry as usize], self.data.by_user.indices[entry as usize]]
    }

    /// All items of a user, ascending.
    #[inline(always)]
    pub(crate) fn own(&self, user: usize) -> &[u32] {
        self.data.by_user.row(user).0
    }

    /// An item that somebody has.
    #[inline(always)]
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> u32 {
        self.known[((u64::from(rng.next_u32()) * self.known.len() as u64) >> 32) as usize]
    }

    /// First vectors of a side, `[n, d]`.
    pub(crate) fn vectors(known: &Csr, d: usize, seed: u64, which: u64) -> Result<Vec<f32>, FitError> {
        draws::vectors(known, d, INITIAL / (d as f32).sqrt(), (seed, which), Predicts::Scores)
    }

    /// `x_ui = p_u · q_i + b_i`. No bias of users: it would move all scores of one list alike. A cold user's list is the
    /// items' biases, and `newcomers` learn on from there.
    pub(super) fn model(
        d: usize,
        users: Vec<f32>,
        items: Vec<f32>,
        biases: &[f32],
        newcomers: Pairwise,
    ) -> FactorModel {
        FactorModel {
            d: d + 2,
            users: FactorModel::lengthen(users, d, d + 2, |_, vector| vector[d..].copy_from_slice(&[1.0, 0.0])),
            items: FactorModel::augment(items, d, biases, 0.0, false),
            scale: None,
            folding: Folding::Pairwise(newcomers),
            own: None,
        }
    }
}

/// Items that somebody has.
pub(crate) fn known_items(data: &TrainSet<'_>) -> Vec<u32> {
    // At once as long as they may become: what grows on the way is twice as much for a while.
    let mut known = Vec::with_capacity(data.n_items());
    known.extend((0..data.n_items() as u32).filter(|&item| !data.by_item.row(item as usize).0.is_empty()));
    known
}

/// The vectors of two different rows, for writing.
#[inline(always)]
pub(crate) fn two_rows(values: &mut [f32], d: usize, a: usize, b: usize) -> (&mut [f32], &mut [f32]) {
    let (low, high) = values.split_at_mut(a.max(b) * d);
    let (first, second) = (&mut low[a.min(b) * d..][..d], &mut high[..d]);
    if a < b { (first, second) } else { (second, first) }
}
