//! What a training begins with, as two numbers that another framework can tell too: the first weights, and the order in
//! which the rows are visited. `backend/engines/recspeed_engines/job.py` folds what it has read in the same way.

use std::collections::BTreeMap;
use std::ops::Range;

use recspeed_types::summary::Begun;

use super::layout::Layout;

/// What sets two places apart: 2^64 divided by the golden ratio, as in `SplitMix64`, whose last steps follow.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Folds words of 32 bits, each with its place, into 64 bits. It finds accidents, not attacks, and takes about a
/// nanosecond a word: the clock of a training runs meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Digest {
    sum: u64,
    place: u64,
}

impl Digest {
    /// Of words that stand behind so many others; the sums of all are the sum of the whole.
    pub(crate) const fn behind(words: u64) -> Self {
        Self { sum: 0, place: words }
    }

    /// Takes the next word.
    pub(crate) fn add(&mut self, word: u32) {
        self.place = self.place.wrapping_add(1);
        let mut mixed = u64::from(word).wrapping_add(self.place.wrapping_mul(STEP));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.sum = self.sum.wrapping_add(mixed ^ (mixed >> 31));
    }

    /// What was folded so far.
    pub(crate) const fn sum(self) -> u64 {
        self.sum
    }
}

/// The digest of the dense parameters, in the order of their names.
///
/// # Shapes
/// - `flat`: `[layout.flat_len()]`
pub(crate) fn weights_of(layout: &Layout, flat: &[f32]) -> u64 {
    digest_of(layout, |range| flat[range].iter().copied())
}

/// The same of the first numbers, none of which is held for it.
pub(crate) fn first_weights_of(layout: &Layout, seed: u64) -> u64 {
    let first = layout.first_numbers(seed);
    digest_of(layout, |range| first.of(range))
}

fn digest_of<I: Iterator<Item = f32>>(layout: &Layout, numbers: impl Fn(Range<usize>) -> I) -> u64 {
    let by_name: BTreeMap<&str, &Range<usize>> =
        layout.parameters().iter().map(|parameter| (parameter.name.as_str(), &parameter.range)).collect();
    let mut digest = Digest::default();
    for number in by_name.into_values().flat_map(|range| numbers(range.clone())) {
        digest.add(number.to_bits());
    }
    digest.sum()
}

/// What a training has begun with so far: an epoch's order is known once it has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning {
    weights: u64,
    orders: u64,
}

impl Beginning {
    /// With these weights, and no epoch yet.
    pub(crate) const fn of_weights(weights: u64) -> Self {
        Self { weights, orders: 0 }
    }

    /// The order of one more epoch, folded at its place among those of all.
    pub(crate) fn add_order(&mut self, order: u64) {
        self.orders = self.orders.wrapping_add(order);
    }

    /// For the result.
    pub(crate) fn told(self) -> Begun {
        Begun { weights: format!("{:016x}", self.weights), orders: format!("{:016x}", self.orders) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Initial;
    use super::*;

    fn of(words: &[u32]) -> u64 {
        let mut digest = Digest::default();
        for &word in words {
            digest.add(word);
        }
        digest.sum()
    }

    #[test]
    fn the_digest_is_the_one_that_other_frameworks_compute() {
        // The same numbers stand in backend/engines/tests/test_protocol.py.
        let mut layout = Layout::default();
        layout.dense("layers.1.weight", &[2], Initial::Constant(0.0));
        layout.dense("layers.0.weight", &[1, 2], Initial::Constant(0.0));
        let weights = weights_of(&layout, &[2.5, -1.0, 0.5, -0.0]);
        let mut begun = Beginning::of_weights(weights);
        for (epoch, order) in [[2, 0, 1], [1, 2, 0]].iter().enumerate() {
            let mut digest = Digest::behind(3 * epoch as u64);
            for &place in order {
                digest.add(place);
            }
            begun.add_order(digest.sum());
        }
        let Begun { weights, orders } = begun.told();
        assert_eq!((weights.as_str(), orders.as_str()), ("cd0a400cec0497d7", "13b5e38a5b5c793e"));
    }

    #[test]
    fn first_weights_have_the_digest_of_all_of_them_and_of_no_other_seed() {
        let mut layout = Layout::default();
        layout.linear("tower.10", 5, 7);
        layout.dense("tower.9.scale", &[4], Initial::Constant(1.0));
        layout.dense("embedding", &[6, 3], Initial::NormalBeforeBias(0.1));
        layout.linear("tower.9", 7, 2);
        for seed in [0, 1, 42] {
            assert_eq!(first_weights_of(&layout, seed), weights_of(&layout, &layout.initial_flat(seed)));
        }
        assert_ne!(first_weights_of(&layout, 1), first_weights_of(&layout, 2));
    }

    #[test]
    fn words_in_another_order_or_of_another_number_have_another_digest() {
        let first = of(&[1, 2, 3, 4]);
        for other in [&[2, 1, 3, 4][..], &[1, 2, 4, 3], &[1, 2, 3], &[1, 2, 3, 4, 0], &[0, 1, 2, 3, 4], &[1, 2, 3, 5]] {
            assert_ne!(of(other), first, "{other:?}");
        }
        assert_ne!(of(&[0.0_f32.to_bits()]), of(&[(-0.0_f32).to_bits()]), "bits count, not values");
    }
}
