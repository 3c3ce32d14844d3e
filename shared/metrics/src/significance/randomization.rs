//! Fisher's randomization test of pairs: what the mean difference would be if each pair's sign were a coin's.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::paired::ROUNDING;
use super::{Paired, SignificanceError};

/// Up to so many pairs that differ, every assignment of signs is looked at: half a million sums.
pub const MAX_EXACT: usize = 20;

/// The answer of the randomization test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Randomization {
    /// Chance, if signs are chance, of a mean difference at least as far from 0: two-sided.
    pub p: f64,
    /// Random assignments drawn; `None` where all were looked at and `p` is exact.
    pub draws: Option<u32>,
}

/// Randomization test of "the sign of each difference is chance". With up to [`MAX_EXACT`] pairs that differ, exact; else from
/// `draws` random assignments, the one observed counted among them, so that `p` is never 0.
/// Source: Fisher, "The Design of Experiments" (1935), section 21; Smucker, Allan, Carterette, "A Comparison of Statistical
/// Significance Tests for Information Retrieval Evaluation", doi:10.1145/1321440.1321528; Phipson, Smyth,
/// "Permutation P-values Should Never Be Zero", doi:10.2202/1544-6115.1585.
///
/// # Errors
/// [`SignificanceError::NoDraws`].
pub fn randomization(paired: &Paired, draws: u32, seed: u64) -> Result<Randomization, SignificanceError> {
    if draws == 0 {
        return Err(SignificanceError::NoDraws);
    }
    // A pair without a difference is the same under either sign.
    let sizes: Vec<f64> = paired.differences().iter().copied().filter(|d| *d != 0.0).collect();
    let total: f64 = sizes.iter().map(|d| d.abs()).sum();
    // Sums that differ by so small a share of all |differences| count as equal.
    let observed = sizes.iter().sum::<f64>().abs() - ROUNDING * total;
    if sizes.len() <= MAX_EXACT {
        return Ok(Randomization { p: exact(&sizes, observed), draws: None });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let extreme = (0..draws).filter(|_| random_sum(&sizes, &mut rng).abs() >= observed).count();
    Ok(Randomization { p: (extreme + 1) as f64 / f64::from(draws + 1), draws: Some(draws) })
}

/// Share of all assignments of signs whose sum is at least as far from 0. The other sign of every difference gives the same
/// distance, so the last one keeps its own.
fn exact(sizes: &[f64], observed: f64) -> f64 {
    let Some((last, free)) = sizes.split_last() else { return 1.0 };
    let assignments = 1u32 << free.len();
    let mut extreme = 0u32;
    for signs in 0..assignments {
        let sum = free.iter().enumerate().fold(
            *last,
            |sum, (place, size)| {
                if signs >> place & 1 == 1 { sum - size } else { sum + size }
            },
        );
        extreme += u32::from(sum.abs() >= observed);
    }
    f64::from(extreme) / f64::from(assignments)
}

/// The sum with random signs, 64 at a time.
fn random_sum(sizes: &[f64], rng: &mut impl Rng) -> f64 {
    const SIGN: u64 = 1 << 63;
    let mut sum = 0.0;
    for part in sizes.chunks(64) {
        let mut signs = rng.next_u64();
        for size in part {
            sum += f64::from_bits(size.to_bits() ^ (signs & SIGN));
            signs <<= 1;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::paired::tests::{DARWIN, pairs};
    use super::super::paired_t;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn darwin_s_maize_gives_fisher_s_count() {
        // Fisher 1935, section 21: of 32,768 sums 863 are at least 314, and as many at most −314.
        let test = randomization(&pairs(&DARWIN), 1, 0).unwrap();
        assert_eq!(test, Randomization { p: 2.0 * 863.0 / 32768.0, draws: None });
    }

    #[test]
    fn a_hand_worked_case() {
        // Sums of ±1 ±2 ±3: 6, 4, 2, 0 and their negatives; 6 and −6 of eight are as far as 1 + 2 + 3.
        assert_eq!(randomization(&pairs(&[1.0, 2.0, 3.0]), 1, 0).unwrap().p, 0.25);
        // −1 + 2 + 3 = 4: of eight, ±6 and ±4.
        assert_eq!(randomization(&pairs(&[-1.0, 2.0, 3.0]), 1, 0).unwrap().p, 0.5);
        // Pairs without a difference change nothing.
        assert_eq!(randomization(&pairs(&[0.0, 1.0, 0.0, 2.0, 3.0]), 1, 0).unwrap().p, 0.25);
        assert_eq!(randomization(&pairs(&[0.0; 30]), 1, 0).unwrap().p, 1.0);
    }

    #[test]
    fn rounding_does_not_tell_equal_sums_apart() {
        // In floats 0.1 + 0.2 − 0.3 is not 0: without a tolerance half of the sums would be nearer than they are.
        assert_eq!(randomization(&pairs(&[0.1, 0.2, -0.3]), 1, 0).unwrap().p, 1.0);
    }

    #[test]
    fn drawn_signs_agree_with_all_signs_and_with_the_seed() {
        // Darwin's pairs twice are 30 pairs, too many to look at all.
        let twice = pairs(&[DARWIN, DARWIN].concat());
        let drawn = randomization(&twice, 20_000, 7).unwrap();
        assert_eq!(drawn.draws, Some(20_000));
        assert_eq!(drawn, randomization(&twice, 20_000, 7).unwrap());
        assert_ne!(drawn.p, randomization(&twice, 20_000, 8).unwrap().p);
        // The t test, whose assumption roughly holds here, is within the noise of 20,000 draws.
        let p = paired_t(&twice, 0.95).unwrap().p;
        assert!((drawn.p - p).abs() < 5e-3, "{drawn:?} beside {p}");
        assert_eq!(randomization(&twice, 0, 7), Err(SignificanceError::NoDraws));
    }

    #[test]
    fn a_difference_beyond_every_draw_is_not_called_impossible() {
        assert_eq!(randomization(&pairs(&[1.0; 200]), 999, 1).unwrap().p, 1.0 / 1000.0);
    }

    proptest! {
        #[test]
        fn drawn_signs_come_near_the_exact_answer(differences in prop::collection::vec(-5i8..6, 2..12)) {
            let sizes: Vec<f64> = differences.iter().map(|d| f64::from(*d)).filter(|d| *d != 0.0).collect();
            let observed = sizes.iter().sum::<f64>().abs() - 1e-9;
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let near = (0..4000).filter(|_| random_sum(&sizes, &mut rng).abs() >= observed).count() as f64 / 4000.0;
            prop_assert!((near - exact(&sizes, observed)).abs() < 0.05);
        }
    }
}
