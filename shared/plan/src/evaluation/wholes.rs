//! How networks that one device trains whole are evaluated: what is held of a tile of users, and of histories that are read once
//! more. Counted from `neural/network` (`neumf`, `fielded`, `autoencoder`) and `neural/sequence/model.rs`; what is the
//! network's own stands in its file of `networks`.

use recspeed_types::spec::ResolvedRecommender;

use super::{Blocks, NUMBER, TILE, TILE_OF_SEQUENCES, TOGETHER};
use crate::learnt::widths;

/// Times that histories may be longer than the mean, and that rows of slots may be longer than what is in them.
const LONGER: u64 = 4;

/// In numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ranked {
    /// Users of a tile.
    pub(super) tile: u64,
    /// Of each user and item of the tile.
    of_a_score: u64,
    /// Of each user of it.
    of_a_user: u64,
    /// Of each item of a block.
    of_an_item: u64,
    /// Of a vector that everybody has, made of what they did.
    pub(super) width: u64,
    /// Of an item of a history that is read, and how many of them count.
    of_a_place: u64,
    length: u64,
}

impl Ranked {
    /// Pairs of a user and an item, each with vectors of so many numbers.
    pub(crate) fn of_pairs(recommender: &ResolvedRecommender, vectors: u64) -> Self {
        let hidden = widths(recommender, "hidden");
        let first = hidden.first().copied().unwrap_or(1);
        let widest = hidden.iter().copied().max().unwrap_or(1);
        // Its vectors, as they were looked up and twice as they are combined; its part of the first sums; layers.
        let of_an_item = 3 * vectors + first + 4 * widest + 2 * TILE;
        Self { tile: TILE, of_a_score: 1, of_an_item, ..Self::default() }
    }

    /// Vectors that everybody has, made of what they did: of so many numbers, with so many for each item of a history that is read,
    /// of which so many count.
    pub(crate) fn of_sequences(width: u64, of_a_place: u64, length: u64) -> Self {
        Self { tile: TILE_OF_SEQUENCES, of_a_score: 2, of_a_user: width, width, of_a_place, length, ..Self::default() }
    }

    /// Scores of all items at once, so many numbers each, with so many beside them for each user.
    pub(crate) fn of_all_items(of_a_score: u64, of_a_user: u64) -> Self {
        Self { tile: TILE_OF_SEQUENCES, of_a_score, of_a_user, ..Self::default() }
    }

    /// Bytes of a tile of so many users, whose items are scored in blocks.
    pub(super) const fn block(&self, tile: u64, items: u64, chunk: u64) -> u64 {
        NUMBER * (tile * (self.of_a_score * items + self.of_a_user) + chunk * self.of_an_item)
    }

    /// Histories that are read once more, each thread some of them; `of_a_user`: how long they are on average, where that is known.
    pub(super) fn reading(&self, of_a_user: Option<u64>, threads: u64) -> Blocks {
        let places = TOGETHER * of_a_user.map_or(self.length, |mean| self.length.min(LONGER * mean));
        Blocks { of_a_thread: NUMBER * places * self.of_a_place, threads, returned: 0 }
    }
}
