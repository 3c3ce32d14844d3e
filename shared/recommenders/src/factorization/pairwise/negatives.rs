//! Items of a block that are drawn to be scored beside one that somebody has.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::factorization::strata::{Ids, Pair};

/// The items of a block, and which of them each of its users has.
pub(super) struct Negatives<'a> {
    ids: Ids<'a>,
    had: Sketch,
}

impl<'a> Negatives<'a> {
    /// `pairs`: all those of the block.
    pub(super) fn new(ids: Ids<'a>, pairs: &[Pair]) -> Self {
        Self { ids, had: Sketch::of(pairs) }
    }

    /// Any item.
    #[inline(always)]
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> u32 {
        ((u64::from(rng.next_u32()) * self.ids.n_items() as u64) >> 32) as u32
    }

    /// All items in a circle that begins with this one.
    pub(super) fn from(&self, first: u32) -> impl Iterator<Item = u32> + use<> {
        let n = self.ids.n_items() as u32;
        (first..n).chain(0..first)
    }

    /// Whether the user has it.
    #[inline(always)]
    pub(super) fn has(&self, pair: Pair) -> bool {
        self.had.may_hold(pair) && self.ids.has(pair)
    }
}

/// Which pairs a block has, nearly: some bits for each, so that most of the pairs that it does not have are told from those
/// that it has without a search.
/// Source: Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors", doi:10.1145/362686.362692, with one hash
/// function, Knuth's multiplicative one.
struct Sketch {
    bits: Vec<u64>,
    shift: u32,
}

/// Bits of a pair: one in so many of the others, at most, is searched for in vain.
const BITS: usize = 16;

impl Sketch {
    fn of(pairs: &[Pair]) -> Self {
        let n_bits = sketch_bits(pairs.len());
        let mut sketch = Self { bits: vec![0; n_bits / 64], shift: 64 - n_bits.trailing_zeros() };
        for &pair in pairs {
            let bit = sketch.bit(pair);
            sketch.bits[bit / 64] |= 1 << (bit % 64);
        }
        sketch
    }

    /// Whether a pair may be there; where this says no it is not.
    #[inline(always)]
    fn may_hold(&self, pair: Pair) -> bool {
        let bit = self.bit(pair);
        self.bits[bit / 64] >> (bit % 64) & 1 == 1
    }

    #[inline(always)]
    fn bit(&self, [user, item]: Pair) -> usize {
        let pair = u64::from(user) << 32 | u64::from(item);
        (pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }
}

/// Bits of the sketch of so many pairs.
pub(crate) fn sketch_bits(n_pairs: usize) -> usize {
    (n_pairs * BITS).next_power_of_two().max(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pair_is_forgotten_and_few_are_taken_for_one() {
        for n in [0, 1, 7, 500, 5000u32] {
            let pairs: Vec<Pair> = (0..n).map(|at| [at * 31 % 200, at * 17 % 97]).collect();
            let sketch = Sketch::of(&pairs);
            assert!(pairs.iter().all(|&pair| sketch.may_hold(pair)), "{n}");
            let others = (0..200).flat_map(|user| (97..297).map(move |item| [user, item]));
            let taken = others.filter(|&pair| sketch.may_hold(pair)).count();
            assert!(taken <= 40_000 / 10, "{n}: {taken}");
        }
    }
}
