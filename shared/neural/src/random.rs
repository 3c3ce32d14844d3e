//! Every random decision of a training, drawn from the seed.
//!
//! Each purpose has a ChaCha stream of its own, so that one more draw for one purpose moves no other. Only 32-bit
//! draws and 24-bit floats are used: they are the same on 32-bit wasm and on 64-bit machines.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recspeed_parallel::model::StepNoise;

const INITIAL_WEIGHTS: u64 = 0x7765_6967_6874_0000;
const EPOCH_ORDER: u64 = 0x6f72_6465_0000_0000;
const TABLE: u64 = 0x7461_626c_0000_0000;
const OTHER_ITEMS: u64 = 0x6f74_6865_0000_0000;
/// Its low 40 bits are epoch and batch.
const BAG: u64 = 0x6261_6700_0000_0000;
/// Its low 40 bits are the step.
const NOISE: u64 = 0x6e6f_6900_0000_0000;

fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}

/// Uniform in `[0, 1)`, on a grid of 2^24 values.
fn unit(generator: &mut ChaCha8Rng) -> f32 {
    (generator.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// Uniform numbers that make one that is about normal.
const TERMS: usize = 12;

/// About normal, mean 0 and standard deviation 1: the sum of twelve uniform numbers, the same on every machine.
fn normal(generator: &mut ChaCha8Rng) -> f32 {
    (0..TERMS).map(|_| unit(generator)).sum::<f32>() - 6.0
}

/// Draws initial weights, layer by layer.
pub(crate) struct WeightDraws(ChaCha8Rng);

impl WeightDraws {
    /// Words of the stream that a number of [`Self::uniform`] takes.
    pub(crate) const UNIFORM: usize = 1;
    /// Those of a number of [`Self::normal`].
    pub(crate) const NORMAL: usize = TERMS;

    pub(crate) fn new(seed: u64) -> Self {
        Self(generator(seed, INITIAL_WEIGHTS))
    }

    /// From this word of the stream on.
    pub(crate) fn at_word(mut self, word: u64) -> Self {
        self.0.set_word_pos(u128::from(word));
        self
    }

    /// Uniform in `[-bound, bound)`.
    pub(crate) fn uniform(&mut self, bound: f32) -> f32 {
        (2.0 * unit(&mut self.0) - 1.0) * bound
    }

    /// About normal.
    pub(crate) fn normal(&mut self, deviation: f32) -> f32 {
        normal(&mut self.0) * deviation
    }
}

/// Draws the first numbers of one table.
pub(crate) struct TableDraws(WeightDraws);

impl TableDraws {
    /// From this word of the table's stream on.
    pub(crate) fn from_word(seed: u64, table: u32, word: usize) -> Self {
        let mut generator = generator(seed, TABLE | u64::from(table));
        generator.set_word_pos(word as u128);
        Self(WeightDraws(generator))
    }

    /// Uniform in `[-bound, bound)`.
    pub(crate) fn uniform(&mut self, bound: f32) -> f32 {
        self.0.uniform(bound)
    }

    /// About normal.
    pub(crate) fn normal(&mut self, deviation: f32) -> f32 {
        self.0.normal(deviation)
    }
}

/// The dropout of one step for a network in stages: the numbers of [`NoiseDraws`], each found by its place.
pub(crate) const fn step_noise(seed: u64, step: u64) -> StepNoise {
    StepNoise { seed, stream: NOISE ^ step }
}

/// Draws the dropout and the noise of one step.
pub(crate) struct NoiseDraws(ChaCha8Rng);

impl NoiseDraws {
    pub(crate) fn new(seed: u64, step: u64) -> Self {
        Self(generator(seed, NOISE ^ step))
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        unit(&mut self.0) < probability
    }

    /// About normal, mean 0 and standard deviation 1.
    pub(crate) fn normal(&mut self) -> f32 {
        normal(&mut self.0)
    }
}

/// Draws, for one batch of one epoch, what is left out of a bag.
pub(crate) struct BagDraws(NoiseDraws);

impl BagDraws {
    pub(crate) fn new(seed: u64, epoch: u32, batch: u32) -> Self {
        Self(NoiseDraws(generator(seed, BAG ^ (u64::from(epoch) << 24) ^ u64::from(batch))))
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.0.chance(probability)
    }
}

/// Draws, in one epoch, items that somebody does not have.
pub(crate) struct OtherDraws(ChaCha8Rng);

impl OtherDraws {
    pub(crate) fn new(seed: u64, epoch: u32) -> Self {
        Self(generator(seed, OTHER_ITEMS | u64::from(epoch)))
    }

    /// Uniform in `0..bound`. Requires `bound > 0`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        below(&mut self.0, bound)
    }
}

/// The order in which epoch `epoch` visits `count` rows: a uniform permutation of `0..count` (Fisher and Yates). It
/// depends on the seed and the epoch alone, so a resumed training finds it again.
pub(crate) fn epoch_order(seed: u64, epoch: u32, count: u32) -> Vec<u32> {
    let mut generator = generator(seed, EPOCH_ORDER | u64::from(epoch));
    let mut order: Vec<u32> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last as usize, below(&mut generator, last + 1) as usize);
    }
    order
}

/// Uniform in `0..bound`, without bias (Lemire, arXiv:1805.10941). Requires `bound > 0`.
fn below(generator: &mut ChaCha8Rng, bound: u32) -> u32 {
    let mut product = u64::from(generator.next_u32()) * u64::from(bound);
    if (product as u32) < bound {
        let threshold = bound.wrapping_neg() % bound;
        while (product as u32) < threshold {
            product = u64::from(generator.next_u32()) * u64::from(bound);
        }
    }
    (product >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_epoch_visits_every_row_once(seed: u64, epoch in 0u32..10_000, count in 0u32..500) {
            let mut order = epoch_order(seed, epoch, count);
            order.sort_unstable();
            prop_assert_eq!(order, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn epochs_and_seeds_have_orders_of_their_own() {
        let base = epoch_order(42, 0, 100);
        assert_eq!(base, epoch_order(42, 0, 100));
        assert_ne!(base, epoch_order(42, 1, 100));
        assert_ne!(base, epoch_order(43, 0, 100));
    }

    #[test]
    fn initial_weights_stay_inside_their_bound_and_centre_on_zero() {
        let mut draws = WeightDraws::new(7);
        let values: Vec<f32> = (0..10_000).map(|_| draws.uniform(0.25)).collect();
        assert!(values.iter().all(|v| (-0.25..0.25).contains(v)));
        let mean = values.iter().sum::<f32>() / 10_000.0;
        assert!(mean.abs() < 0.01, "{mean}");
    }
}
