//! What somebody has against what they do not have: learning from who took what, whatever the stars.

use std::f64::consts::LN_2;
use std::ops::Range;

use burn::tensor::{Device, Tensor};
use recspeed_data::parts::Parts;
use recspeed_data::{Csr, Permutation};
use recspeed_types::spec::{Loss, Training};

use crate::Rows;
use crate::random::{OtherDraws, epoch_order};
use crate::training::layout::Layout;
use crate::training::losses::Targets;
use crate::training::network::{Network, Noise, Output, Taped, Weights};
use crate::training::rows::LookUp;
use crate::training::saved::Parameters;
use crate::training::{Batch, Lesson};

/// Draws among all items before one is drawn among those that the user does not have: they have nearly everything.
const TRIES: u32 = 64;

/// Who has what.
pub(crate) struct Likes {
    /// Users × items, each item once.
    pub(crate) by_user: Csr,
    /// User and item of each pair that teaches something: not those of users who have every item, because nothing can stand
    /// against theirs.
    pairs: Vec<(u32, u32)>,
    /// Items that somebody has, ascending.
    known: Vec<u32>,
}

impl Likes {
    pub(crate) fn of(train: Rows<'_>) -> Self {
        let by_user = Csr::by_user(train.interactions, train.rows);
        let mut known = by_user.indices.clone();
        known.sort_unstable();
        known.dedup();
        let mut pairs = Vec::with_capacity(by_user.nnz());
        for user in 0..by_user.n_rows() {
            let own = by_user.row(user).0;
            if own.len() < known.len() {
                pairs.extend(own.iter().map(|&item| (user as u32, item)));
            }
        }
        Self { by_user, pairs, known }
    }

    /// Pairs of a user and an item that they have, and something that they do not have.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The pair of this number.
    pub(crate) fn pair(&self, entry: u32) -> (u32, u32) {
        self.pairs[entry as usize]
    }

    /// An item that somebody has and this user does not, uniform among them. The user is one of a pair: there is one.
    pub(crate) fn draw_other(&self, user: u32, draws: &mut OtherDraws) -> u32 {
        let own = self.by_user.row(user as usize).0;
        for _ in 0..TRIES {
            let item = self.known[draws.below(self.known.len() as u32) as usize];
            if own.binary_search(&item).is_err() {
                return item;
            }
        }
        let left: Vec<u32> = self.known.iter().copied().filter(|item| own.binary_search(item).is_err()).collect();
        left[draws.below(left.len() as u32) as usize]
    }
}

/// A network that gives a score to a user and an item.
pub(crate) trait PairNetwork: Send + Sync {
    /// What it computes with besides looked-up rows.
    type Fields: Send + Sync;

    /// Its parameters.
    fn layout(&self) -> &Layout;

    /// What it needs of these pairs of a user and an item: fields, and the rows of each table.
    fn look_up(&self, pairs: &[(u32, u32)]) -> (Self::Fields, Vec<LookUp>);

    /// # Shapes
    /// - returns: `[pairs, 1]`
    fn score(&self, weights: &Weights, fields: &Self::Fields, noise: Option<&mut Noise>) -> Tensor<2>;

    /// The scores of some users for some items, where they can be had for less than those of all pairs: what depends on
    /// the user alone or on the item alone is computed once. Equal to [`Self::score`] but for the last bits.
    ///
    /// # Shapes
    /// - returns: `[users × items]`
    fn grid(&self, _users: &[u32], _items: Range<u32>, _parameters: &Parameters, _device: &Device) -> Option<Vec<f32>> {
        None
    }

    /// As [`crate::NeuralModel::permute`].
    fn permute(&mut self, _permutation: Option<&Permutation<'_>>) -> bool {
        false
    }

    /// Adds what it knows besides its parameters.
    fn add_to(&self, parts: Parts) -> Parts {
        parts
    }

    /// Bytes of that.
    fn bytes(&self) -> u64 {
        0
    }
}

/// A [`PairNetwork`] as a network: some pairs make a row.
pub(crate) struct Paired<N>(pub(crate) N);

/// Pairs, some of which make a row.
pub(crate) struct PairedInput<F> {
    pub(super) fields: F,
    pub(super) rows: usize,
    pub(super) per_row: usize,
}

#[cfg(test)]
impl<F> PairedInput<F> {
    pub(crate) const fn new(fields: F, rows: usize, per_row: usize) -> Self {
        Self { fields, rows, per_row }
    }
}

impl<N: PairNetwork> Network for Paired<N> {
    type Input = PairedInput<N::Fields>;

    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn forward(&self, weights: &Weights, input: &Self::Input, noise: Option<&mut Noise>) -> Output {
        self.0.score(weights, &input.fields, noise).reshape([input.rows, input.per_row]).into()
    }
}

/// Each row is an item that somebody has, followed by some that they do not have, drawn anew in each epoch: uniform among
/// the items that somebody has.
pub(crate) struct LikeLesson<'a> {
    pub(crate) likes: &'a Likes,
    pub(crate) training: &'a Training,
    /// Drawn items for each one that somebody has; at least one.
    pub(crate) others: usize,
    pub(crate) seed: u64,
}

/// The order of the pairs, and the drawn items of each place.
pub(crate) struct LikeEpoch {
    order: Vec<u32>,
    /// `[pairs × others]`
    others: Vec<u32>,
}

impl<N: PairNetwork> Lesson<Taped<Paired<N>>> for LikeLesson<'_> {
    type Epoch = LikeEpoch;

    fn batches(&self) -> u64 {
        (self.likes.len() as u64).div_ceil(u64::from(self.training.batch_size))
    }

    fn epoch(&self, epoch: u32) -> LikeEpoch {
        let order = epoch_order(self.seed, epoch, self.likes.len() as u32);
        let mut draws = OtherDraws::new(self.seed, epoch);
        let mut others = Vec::with_capacity(order.len() * self.others);
        for &entry in &order {
            let (user, _) = self.likes.pair(entry);
            others.extend((0..self.others).map(|_| self.likes.draw_other(user, &mut draws)));
        }
        LikeEpoch { order, others }
    }

    fn batch(&self, network: &Taped<Paired<N>>, epoch: &LikeEpoch, index: u64) -> Batch<PairedInput<N::Fields>> {
        let size = self.training.batch_size as usize;
        let from = (index as usize).saturating_mul(size).min(epoch.order.len());
        let to = from.saturating_add(size).min(epoch.order.len());
        let mut pairs = Vec::with_capacity((to - from) * (1 + self.others));
        for place in from..to {
            let (user, item) = self.likes.pair(epoch.order[place]);
            pairs.push((user, item));
            let others = &epoch.others[place * self.others..][..self.others];
            pairs.extend(others.iter().map(|&other| (user, other)));
        }
        let (fields, look_ups) = network.0.0.look_up(&pairs);
        let input = PairedInput { fields, rows: to - from, per_row: 1 + self.others };
        Batch { input, look_ups, targets: Targets::First, rows: (to - from) as u64 }
    }

    fn batch_rows(&self) -> u64 {
        u64::from(self.training.batch_size).min(self.likes.len() as u64) * (1 + self.others as u64)
    }

    fn epoch_bytes(&self) -> u64 {
        4 * self.likes.len() as u64 * (1 + self.others as u64)
    }

    /// Odds of one half, or a choice among the items of a row.
    fn of_nothing(&self) -> f64 {
        match self.training.loss {
            Loss::SampledSoftmax => (1.0 + self.others as f64).ln(),
            _ => LN_2,
        }
    }

    fn name(&self) -> String {
        let sizes = (self.likes.by_user.n_rows(), self.likes.known.len(), self.likes.len());
        format!("likes {sizes:?}, {} others", self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_data::InteractionsBuilder;

    #[test]
    fn others_are_items_that_somebody_has_and_this_user_does_not() {
        let mut builder = InteractionsBuilder::default();
        for (user, item) in [("a", "1"), ("a", "2"), ("b", "3"), ("b", "1"), ("c", "4"), ("c", "5")] {
            builder.push(user, item, 1.0, 0);
        }
        let data = builder.finish();
        // Nobody has item 4 (the fourth) in these rows.
        let likes = Likes::of(Rows { interactions: &data, rows: &[0, 1, 2, 3, 5] });
        assert_eq!((likes.len(), likes.known.clone()), (5, vec![0, 1, 2, 4]));
        let mut draws = OtherDraws::new(1, 0);
        for _ in 0..200 {
            let other = likes.draw_other(0, &mut draws);
            assert!([2, 4].contains(&other), "{other}");
        }
    }

    #[test]
    fn nothing_that_a_user_has_stands_against_what_they_have() {
        let mut builder = InteractionsBuilder::default();
        // One has all items, one all but the last of a thousand.
        for item in 0..1000 {
            builder.push("all", &format!("{item}"), 1.0, 0);
            if item < 999 {
                builder.push("nearly", &format!("{item}"), 1.0, 0);
            }
        }
        let data = builder.finish();
        let rows: Vec<u32> = (0..data.len() as u32).collect();
        let likes = Likes::of(Rows { interactions: &data, rows: &rows });
        assert_eq!(likes.len(), 999, "who has everything teaches nothing");
        assert!((0..999).all(|entry| likes.pair(entry) == (1, entry)));
        let mut draws = OtherDraws::new(1, 0);
        assert!((0..50).all(|_| likes.draw_other(1, &mut draws) == 999));
    }
}
