//! How networks that one device trains whole are evaluated: what is held of a tile of users, and of histories that are read once
//! more. Counted from `neural/network` (`neumf`, `fielded`, `autoencoder`) and `neural/sequence/model.rs`.

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use super::{Blocks, NUMBER, TILE, TILE_OF_SEQUENCES, TOGETHER};
use crate::learnt::{fields, number, widths};

/// Times that histories may be longer than the mean, and that rows of slots may be longer than what is in them.
const LONGER: u64 = 4;
/// Numbers of a recurrent state, of a slot of attention in its widest layer, and shares of attention, that a pass has at once where
/// nothing is kept for the way back.
const OF_A_STATE: u64 = 10;
const OF_A_SLOT: u64 = 16;
const SHARES: u64 = 3;

/// In numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ranked {
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
    pub(super) fn of(recommender: &ResolvedRecommender, data: &Extent) -> Self {
        let of = |name: &str| number(recommender, name);
        let pairs = |vectors: u64| {
            let hidden = widths(recommender, "hidden");
            let first = hidden.first().copied().unwrap_or(1);
            let widest = hidden.iter().copied().max().unwrap_or(1);
            // Its vectors, as they were looked up and twice as they are combined; its part of the first sums; layers.
            let of_an_item = 3 * vectors + first + 4 * widest + 2 * TILE;
            Self { tile: TILE, of_a_score: 1, of_an_item, ..Self::default() }
        };
        let sequences = |width: u64, of_a_place: u64, length: u64| Self {
            tile: TILE_OF_SEQUENCES,
            of_a_score: 2,
            of_a_user: width,
            width,
            of_a_place,
            length,
            ..Self::default()
        };
        match recommender.entry.kind {
            "neumf" => pairs(of("factors") + of("embedding")),
            "deepfm" | "wide-and-deep" => pairs(fields(data) * of("embedding") + data.numbers + 1),
            "gru4rec" => sequences(of("factors"), 2 * of("factors") + OF_A_STATE * of("hidden"), of("length")),
            "caser" => {
                let [d, window, horizontal, vertical] = ["factors", "window", "horizontal", "vertical"].map(of);
                let patches: u64 =
                    (1..=window).map(|height| (window + 1 - height) * (height * d + 3 * horizontal)).sum();
                let picture = 4 * window * d + patches + 4 * (window * horizontal + vertical * d);
                // Each history is one picture.
                sequences(2 * d + 1, picture, 1)
            }
            "bert4rec" => {
                let [d, heads, length] = ["factors", "heads", "length"].map(of);
                let width = d + u64::from(recommender.boolean("item_bias"));
                sequences(width, OF_A_SLOT * d + SHARES * heads * length, length)
            }
            // The autoencoder: of all items the tile's scores, as products, with their biases and as they are handed on.
            _ => Self {
                tile: TILE_OF_SEQUENCES,
                of_a_score: 4,
                of_a_user: 4 * of("hidden") + 2 * of("latent"),
                ..Self::default()
            },
        }
    }

    /// Bytes of a tile of so many users, whose items are scored in blocks.
    pub(super) const fn block(&self, tile: u64, items: u64, chunk: u64) -> u64 {
        NUMBER * (tile * (self.of_a_score * items + self.of_a_user) + chunk * self.of_an_item)
    }

    /// Histories that are read once more, each thread some of them; `of_a_user`: how long they are on average, where that is known.
    pub(super) fn reading(&self, of_a_user: Option<u64>, threads: u64) -> Blocks {
        let places = TOGETHER * of_a_user.map_or(self.length, |mean| self.length.min(LONGER * mean));
        Blocks { of_a_thread: NUMBER * places * self.of_a_place, threads }
    }
}
