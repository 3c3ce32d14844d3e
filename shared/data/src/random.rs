//! Random numbers from explicit seeds: one ChaCha8 stream for each purpose, and draws that are the same on every target.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for. One seed feeds all of them without any sharing numbers with another.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(crate) enum Stream {
    /// [`crate::apply_filters`]: which rows a sample keeps.
    Sample = 1,
    /// [`crate::split`]: which rows are held out.
    Split = 2,
    /// [`crate::generate`]: the world behind the ratings (items, clusters, attributes).
    World = 3,
    /// [`crate::generate`]: the users and what they rate.
    Users = 4,
    /// [`crate::generate`]: the ratings.
    Ratings = 5,
    /// [`crate::shuffled`]: the order of what is dealt out anew.
    Shuffle = 6,
}

/// The generator of `stream` under `seed`.
pub(crate) fn generator(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    rng
}

/// A number in `0..bound`, `bound` at least 1. The widening multiplication leaves a bias under 2^-32 for the bounds
/// that occur here (row, user and item counts).
pub(crate) fn below(rng: &mut impl Rng, bound: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

/// A number in [0, 1) with 53 random bits.
pub(crate) fn unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// About normal, mean 0 and standard deviation 1: the sum of four uniform 16-bit numbers (Irwin-Hall), so that only
/// exact integer arithmetic and one rounding are involved.
pub(crate) fn bell(rng: &mut impl Rng) -> f32 {
    let bits = rng.next_u64();
    let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    // The sum has mean 2·65535 and standard deviation 65536·sqrt(4/12).
    (sum as f32 - 131_070.0) * (1.0 / 37_837.227)
}

/// The first `count` places of `items` become a uniform draw without replacement (Fisher-Yates, stopped early).
pub(crate) fn draw_front<T>(items: &mut [T], count: usize, rng: &mut impl Rng) {
    let len = items.len();
    for at in 0..count.min(len.saturating_sub(1)) {
        items.swap(at, at + below(rng, (len - at) as u64) as usize);
    }
}
