//! Everything random inside a step: which items stand for the others, and which items a masked model must guess.
//!
//! Each step and purpose has a ChaCha stream of its own, so that a resumed training draws again what it would have drawn.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for: the upper half of its number, the step is the lower.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// Items that stand for all the others in a sampled loss.
    Negatives = 0x6e65_6761,
    /// Which items a masked model must guess.
    Masks = 0x6d61_736b,
}

/// The generator of one step for one purpose.
pub(crate) fn generator(seed: u64, purpose: Purpose, step: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((purpose as u64) << 32 | (step & 0xffff_ffff));
    rng
}

/// Uniform in `0..bound`; the bias of the widening multiplication is under `bound` / 2^32.
pub(crate) fn below(rng: &mut impl Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}

/// Uniform in `[0, 1)` on a grid of 2^24 values.
pub(crate) fn unit(rng: &mut impl Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// A tensor of item numbers or slots.
pub(crate) fn indices(values: &[u32], device: &Device) -> Tensor<1, burn::tensor::Int> {
    let values: Vec<i32> = values.iter().map(|&value| value.cast_signed()).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_below_a_bound_reach_every_number() {
        let mut rng = generator(1, Purpose::Negatives, 0);
        let mut seen = [false; 7];
        (0..200).for_each(|_| seen[below(&mut rng, 7) as usize] = true);
        assert_eq!(seen, [true; 7]);
        assert!((0..1000).map(|_| unit(&mut rng)).all(|value| (0.0..1.0).contains(&value)));
    }
}
