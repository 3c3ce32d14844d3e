//! How networks that one device trains whole are evaluated: what is held of a tile of users, and of histories that are read once
//! more. Counted from `neural/network` (`neumf`, `fielded`, `autoencoder`) and `neural/sequence/model.rs`; what is the
//! network's own stands in its file of `networks`.

use recspeed_types::spec::ResolvedRecommender;

use super::{Blocks, Judging, NUMBER, TILE, TILE_OF_SEQUENCES, TOGETHER};
use crate::learnt::widths;
use crate::scoring::LARGEST_KEPT;

/// Times that histories are taken to be longer than the mean, and rows of slots than what is in them, where nobody has counted them.
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
    /// Buffers of shares of attention at once, and heads that have them: each place has a share of every place of its row.
    shares: (u64, u64),
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
    /// of which so many count, and so many buffers of shares of so many heads.
    pub(crate) fn of_sequences(width: u64, of_a_place: u64, shares: (u64, u64), length: u64) -> Self {
        let (tile, of_a_score, of_a_user) = (TILE_OF_SEQUENCES, 2, width);
        Self { tile, of_a_score, of_a_user, width, of_a_place, length, shares, ..Self::default() }
    }

    /// Scores of all items at once, so many numbers each, with so many beside them for each user.
    pub(crate) fn of_all_items(of_a_score: u64, of_a_user: u64) -> Self {
        Self { tile: TILE_OF_SEQUENCES, of_a_score, of_a_user, ..Self::default() }
    }

    /// Bytes of a tile of so many users, whose items are scored in blocks.
    pub(super) const fn block(&self, tile: u64, items: u64, chunk: u64) -> u64 {
        NUMBER * (tile * (self.of_a_score * items + self.of_a_user) + chunk * self.of_an_item)
    }

    /// Histories that are read once more, each thread some of them; `of_a_user`: how long they are on average, where that is known and
    /// nobody has counted them.
    pub(super) fn reading(&self, of_a_user: Option<u64>, judging: &Judging) -> Blocks {
        let (places, threads) = judging.read(self.length).map_or_else(
            || {
                let each = of_a_user.map_or(self.length, |mean| self.length.min(LONGER * mean));
                (TOGETHER * each, judging.threads.max(1))
            },
            |(places, threads)| (places.div_ceil(threads), threads),
        );
        let (buffers, heads) = self.shares;
        let shares = NUMBER * places * heads * judging.longest(self.length);
        let returned = if shares > LARGEST_KEPT { buffers * shares } else { 0 };
        Blocks { of_a_thread: NUMBER * places * self.of_a_place + buffers * shares, threads, returned }
    }
}
