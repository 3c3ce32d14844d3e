//! An order that nothing was learnt for.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recspeed_types::event::MemoryBytes;

use crate::fit::Method;
use crate::recommender::model_bytes;
use crate::{BasketItem, FoldIn, Parts, Recommender, TrainSet, Values};

pub(super) const METHOD: Method = Method {
    kind: "random",
    fit: |request, _| Ok(Box::new(Random::new(request.data, request.seed))),
    restore: |_, mut parts| {
        let seed = parts.take_count("seed")? as u64;
        Ok(Box::new(Random { seed, users: parts.take_count("users")?, items: parts.take_count("items")? }))
    },
};

/// The first user's stream; the streams below it belong to splits, data and initial factors.
const FIRST_USER_STREAM: u64 = 1 << 32;
/// The streams of people who came later: the upper half, in which no user's lies.
const NEWCOMER_STREAMS: u64 = 1 << 63;
/// FNV-1a's numbers: what the hash of a basket starts with and is multiplied with.
const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;
const HASH_FACTOR: u64 = 0x0100_0000_01b3;

/// A score drawn uniformly from `[0, 1)` for each user and item: word `item` of a ChaCha8 stream of the user's
/// own under the seed, so that any score can be had without the others.
#[derive(Debug)]
struct Random {
    seed: u64,
    users: usize,
    items: usize,
}

impl Random {
    fn new(data: &TrainSet<'_>, seed: u64) -> Self {
        Self { seed, users: data.n_users(), items: data.n_items() }
    }

    fn stream(&self, user: u32) -> ChaCha8Rng {
        self.numbered(FIRST_USER_STREAM + u64::from(user))
    }

    fn numbered(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }
}

/// The upper 24 bits of a word as a multiple of 2⁻²⁴.
fn unit(word: u32) -> f32 {
    (word >> 8) as f32 / (1u32 << 24) as f32
}

impl Recommender for Random {
    fn n_users(&self) -> usize {
        self.users
    }

    fn n_items(&self) -> usize {
        self.items
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        let mut rng = self.stream(user);
        rng.set_word_pos(u128::from(item));
        unit(rng.next_u32())
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        let mut rng = self.stream(user);
        for score in scores {
            *score = unit(rng.next_u32());
        }
    }

    fn memory(&self) -> MemoryBytes {
        model_bytes(0, size_of::<Self>())
    }

    fn parameters(&self) -> u64 {
        0
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    fn parts(&self) -> Parts {
        let sizes = Parts::default().with_count("users", self.users).with_count("items", self.items);
        sizes.with("seed", &[], Values::U64(vec![self.seed]))
    }
}

/// An order for each set of items, the same whenever it is asked for. Nothing leads back from the items of a known user
/// to who they are, so their own order is another one.
impl FoldIn for Random {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        let mut items: Vec<u32> = basket.iter().map(|own| own.item).collect();
        items.sort_unstable();
        items.dedup();
        let bytes = items.iter().flat_map(|item| item.to_le_bytes());
        let hash = bytes.fold(HASH_START, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(HASH_FACTOR));
        let mut rng = self.numbered(NEWCOMER_STREAMS | hash);
        for score in scores {
            *score = unit(rng.next_u32());
        }
    }
}
