//! Cross-entropy over all items: its value and its way back in one pass, a part of the questions at a time.
//!
//! With all of Beauty's items a batch has nine million scores. As tensors they would be written and read a dozen times over,
//! 36 MB each time, in memory that the system hands out anew for each. Here the scores of some questions stay in the cache
//! while they become shares, then slopes, and are multiplied back.

#![allow(
    clippy::inline_always,
    reason = "a vector loop must be compiled inside the function that chose the instruction set"
)]

use std::sync::Mutex;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use recspeed_dense::{Into, Matrix, multiply};
use recspeed_plan::blocks;

/// Parts that may be worked on at once. What each adds up is added in their order, so their number, unlike that of the
/// threads, is a part of the result.
const LANES: usize = blocks::LANES;
/// Scores of the questions that are worked on together, at most: 4 MB.
const TOGETHER: usize = blocks::LANE_SCORES;
/// Numbers that are summed side by side.
const WIDE: usize = 16;

/// Memory that lasts from step to step.
#[derive(Default)]
pub(super) struct AllItems {
    lanes: Mutex<Vec<Lane>>,
}

/// What one lane works with.
#[derive(Default)]
struct Lane {
    /// Scores, then shares, then slopes of some questions, `[questions, items]`.
    scores: Vec<f32>,
    /// `[items, d]`
    by_items: Vec<f32>,
}

/// The loss, averaged over questions, and its derivatives.
pub(super) struct Learnt {
    pub(super) value: f64,
    /// `[questions, d]`
    pub(super) by_vectors: Vec<f32>,
    /// `[items, d]`
    pub(super) by_items: Vec<f32>,
}

impl AllItems {
    /// The mean of `−ln softmax(vectors · itemsᵀ)` at the wanted items.
    ///
    /// # Shapes
    /// - `vectors`: `[questions, d]`; `items`: `[items, d]`; `wanted`: `[questions]`, at least one
    pub(super) fn cross_entropy(&self, vectors: &[f32], items: &[f32], d: usize, wanted: &[u32]) -> Learnt {
        let n_items = items.len() / d;
        let of_lane = wanted.len().div_ceil(LANES);
        let mut by_vectors = vec![0.0; vectors.len()];
        // Only one training uses this network; were there two, the second would wait.
        let mut lanes = self.lanes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lanes.resize_with(wanted.len().div_ceil(of_lane), Lane::default);
        let per_question = 1.0 / wanted.len() as f32;
        let values: Vec<f64> = lanes
            .par_iter_mut()
            .zip(wanted.par_chunks(of_lane))
            .zip(vectors.par_chunks(of_lane * d))
            .zip(by_vectors.par_chunks_mut(of_lane * d))
            .map(|(((lane, wanted), vectors), by_vectors)| {
                lane.by_items.resize(items.len(), 0.0);
                lane.learn((vectors, wanted), (items, d), by_vectors, per_question)
            })
            .collect();
        let mut by_items = vec![0.0; items.len()];
        by_items.par_chunks_mut(1 << 14).enumerate().for_each(|(index, sums)| {
            let at = index << 14;
            for lane in lanes.iter() {
                let parts = &lane.by_items[at..at + sums.len()];
                sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
            }
        });
        debug_assert_eq!(by_items.len(), n_items * d);
        Learnt { value: values.iter().sum::<f64>() / wanted.len() as f64, by_vectors, by_items }
    }
}

impl Lane {
    /// Overwrites `by_vectors` and the lane's own sums; returns the sum of the losses.
    fn learn(
        &mut self,
        (vectors, wanted): (&[f32], &[u32]),
        (items, d): (&[f32], usize),
        by_vectors: &mut [f32],
        per_question: f32,
    ) -> f64 {
        let n_items = items.len() / d;
        let items = Matrix::by_rows(items, n_items, d);
        let parts = wanted.len().div_ceil((TOGETHER / n_items).max(1));
        let size = wanted.len().div_ceil(parts);
        let arch = Arch::new();
        let mut value = 0.0;
        let mut into = Into::Overwrite;
        let of_parts = wanted.chunks(size).zip(vectors.chunks(size * d)).zip(by_vectors.chunks_mut(size * d));
        for ((wanted, vectors), by_vectors) in of_parts {
            let questions = wanted.len();
            self.scores.resize(questions * n_items, 0.0);
            let vectors = Matrix::by_rows(vectors, questions, d);
            multiply(&mut self.scores, Into::Overwrite, vectors, items.transposed());
            for (scores, &wanted) in self.scores.chunks_exact_mut(n_items).zip(wanted) {
                value += arch.dispatch(Slopes { scores, wanted: wanted as usize, per_question });
            }
            let slopes = Matrix::by_rows(&self.scores, questions, n_items);
            multiply(by_vectors, Into::Overwrite, slopes, items);
            multiply(&mut self.by_items, into, slopes.transposed(), vectors);
            into = Into::Add;
        }
        value
    }
}

/// Turns the scores of one question into the slopes of its loss; returns the loss.
struct Slopes<'a> {
    scores: &'a mut [f32],
    wanted: usize,
    per_question: f32,
}

impl WithSimd for Slopes<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let Self { scores, wanted, per_question } = self;
        let highest = highest(scores);
        let of_wanted = scores[wanted] - highest;
        let mut sums = [0.0f32; WIDE];
        let mut chunks = scores.chunks_exact_mut(WIDE);
        for chunk in &mut chunks {
            for (score, sum) in chunk.iter_mut().zip(&mut sums) {
                *score = power(*score - highest);
                *sum += *score;
            }
        }
        for (score, sum) in chunks.into_remainder().iter_mut().zip(&mut sums) {
            *score = power(*score - highest);
            *sum += *score;
        }
        let total: f32 = sums.iter().sum();
        let scale = per_question / total;
        for share in scores.iter_mut() {
            *share *= scale;
        }
        scores[wanted] -= per_question;
        f64::from(total).ln() - f64::from(of_wanted)
    }
}

/// The largest score; one that is no number may be passed over.
#[inline(always)]
fn highest(scores: &[f32]) -> f32 {
    let larger = |best: &mut f32, score: &f32| *best = if *score > *best { *score } else { *best };
    let mut best = [f32::NEG_INFINITY; WIDE];
    let chunks = scores.chunks_exact(WIDE);
    best.iter_mut().zip(chunks.remainder()).for_each(|(best, score)| larger(best, score));
    for chunk in chunks {
        best.iter_mut().zip(chunk).for_each(|(best, score)| larger(best, score));
    }
    best.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

/// `eˣ` for `x ≤ 0`, within three units in the last place; NaN stays NaN. Branch-free, so that loops over it use the vector
/// unit, and the same on every machine: the standard library's is neither.
#[inline(always)]
fn power(x: f32) -> f32 {
    /// Added and taken away again, it leaves the nearest whole number, which its lowest bits then hold.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first of which has zeros at its end.
    const LN2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    // Below, the result is no normal number; it is 0 for every purpose.
    let x = if x < -87.0 { -87.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let rest = x - whole * LN2.0 - whole * LN2.1;
    // Cephes' expf: the least largest error on ±ln 2 / 2.
    let tail = ((((1.987_569_1e-4 * rest + 1.398_199_9e-3) * rest + 8.333_452e-3) * rest + 4.166_579_6e-2) * rest
        + 1.666_666_5e-1)
        * rest
        + 0.5;
    let of_rest = tail * rest * rest + rest + 1.0;
    of_rest * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::WeightDraws;
    use proptest::prelude::*;

    #[test]
    fn powers_are_those_of_the_definition() {
        for step in 0..=870_000 {
            let x = -(step as f32) / 1e4;
            let (found, expected) = (f64::from(power(x)), f64::from(x).exp());
            assert!((found - expected).abs() <= 3e-7 * expected, "e^{x}: {found} {expected}");
        }
        assert!(power(f32::NAN).is_nan() && power(f32::NEG_INFINITY) < 1e-37);
        assert_eq!(power(0.0), 1.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn value_and_slopes_are_those_of_the_definition(questions in 1usize..12, n_items in 1usize..50, seed: u64) {
            let d = 3;
            let mut draws = WeightDraws::new(seed);
            let mut random = |count: usize| (0..count).map(|_| draws.uniform(3.0)).collect::<Vec<f32>>();
            let (vectors, items) = (random(questions * d), random(n_items * d));
            let wanted: Vec<u32> = (0..questions).map(|question| (question * 7 % n_items) as u32).collect();
            let all = AllItems::default();
            let _ = all.cross_entropy(&random(5 * d), &random(9 * d), d, &[1, 8, 0, 2, 4]);
            let found = all.cross_entropy(&vectors, &items, d, &wanted);

            let (mut value, mut by_vectors, mut by_items) = (0.0, vec![0.0; questions * d], vec![0.0; n_items * d]);
            for (question, &wanted) in wanted.iter().enumerate() {
                let score = |item: usize| -> f64 {
                    (0..d).map(|at| f64::from(vectors[question * d + at]) * f64::from(items[item * d + at])).sum()
                };
                let total: f64 = (0..n_items).map(|item| score(item).exp()).sum();
                value += (total.ln() - score(wanted as usize)) / questions as f64;
                for item in 0..n_items {
                    let share = score(item).exp() / total - f64::from(u8::from(item == wanted as usize));
                    for at in 0..d {
                        by_vectors[question * d + at] += share * f64::from(items[item * d + at]) / questions as f64;
                        by_items[item * d + at] += share * f64::from(vectors[question * d + at]) / questions as f64;
                    }
                }
            }
            prop_assert!((found.value - value).abs() < 1e-5 * value.abs().max(1.0), "{} {value}", found.value);
            for (found, expected) in [(found.by_vectors, by_vectors), (found.by_items, by_items)] {
                prop_assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected) {
                    prop_assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
                }
            }
        }
    }

    #[test]
    fn scores_that_are_no_numbers_are_told_and_huge_ones_overflow_nothing() {
        let learnt = AllItems::default().cross_entropy(&[1e4, 1.0], &[3e3, -3e3, 2.0], 1, &[1, 0]);
        assert!(learnt.value.is_finite() && learnt.value > 1e6, "{}", learnt.value);
        assert!(learnt.by_items.iter().chain(&learnt.by_vectors).all(|slope| slope.is_finite()));
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(!AllItems::default().cross_entropy(&[1.0, bad], &[1.0, 2.0], 1, &[1, 0]).value.is_finite());
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let mut draws = WeightDraws::new(3);
        let mut random = |count: usize| (0..count).map(|_| draws.uniform(1.0)).collect::<Vec<f32>>();
        let (vectors, items) = (random(150 * 8), random(9000 * 8));
        let wanted: Vec<u32> = (0..150).map(|question| question * 31).collect();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let learnt = pool.install(|| AllItems::default().cross_entropy(&vectors, &items, 8, &wanted));
            (learnt.value.to_bits(), learnt.by_vectors, learnt.by_items)
        };
        assert_eq!(on(1), on(3));
    }
}
