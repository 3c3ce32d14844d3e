//! Who has what, entry by entry, and what is drawn beside it.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::TrainSet;
use crate::factorization::pairs::known;

/// Who has what, entry by entry.
pub(super) struct PairData<'a> {
    pub(super) data: &'a TrainSet<'a>,
    /// User of each entry of `data.by_user`.
    pub(super) owner: Vec<u32>,
    /// Items that somebody has.
    pub(super) known: Vec<u32>,
}

impl<'a> PairData<'a> {
    pub(super) fn new(data: &'a TrainSet<'a>) -> Self {
        let user_of = |row: usize| std::iter::repeat_n(row as u32, data.by_user.row(row).0.len());
        // At once as long as they become: what grows on the way is twice as much for a while.
        let mut owner = Vec::with_capacity(data.by_user.nnz());
        owner.extend((0..data.n_users()).flat_map(user_of));
        Self { data, owner, known: known(data) }
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.owner.len()
    }

    /// Number of items that somebody has.
    pub(super) fn n_known(&self) -> usize {
        self.known.len()
    }

    /// User and item.
    #[inline(always)]
    pub(super) fn entry(&self, entry: u32) -> [usize; 2] {
        [self.owner[entry as usize], self.data.by_user.indices[entry as usize]].map(|row| row as usize)
    }

    /// An item that somebody has.
    #[inline(always)]
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> u32 {
        self.known[((u64::from(rng.next_u32()) * self.known.len() as u64) >> 32) as usize]
    }
}
