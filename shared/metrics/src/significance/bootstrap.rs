//! Where the mean difference lies, without assuming a distribution.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::{Interval, Paired, SignificanceError};

/// Bootstrap interval of the mean difference at `level` by the BCa method (bias-corrected and accelerated): `resamples` times as
/// many pairs are drawn with replacement, and the interval runs between two quantiles of their means, shifted for bias and skew.
/// Source: Efron, "Better Bootstrap Confidence Intervals", doi:10.1080/01621459.1987.10478410.
///
/// # Errors
/// [`SignificanceError::Level`], [`SignificanceError::NoDraws`].
pub fn bootstrap(paired: &Paired, level: f64, resamples: u32, seed: u64) -> Result<Interval, SignificanceError> {
    if !(level > 0.0 && level < 1.0) {
        return Err(SignificanceError::Level { level });
    }
    if resamples == 0 {
        return Err(SignificanceError::NoDraws);
    }
    if paired.sd() == 0.0 {
        return Ok(Interval { low: paired.mean(), high: paired.mean() });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> =
        (0..resamples).map(|_| paired.settled(resampled_mean(paired.differences(), &mut rng))).collect();
    means.sort_unstable_by(f64::total_cmp);
    let shifted = Shift::new(paired, &means);
    let tail = (1.0 - level) / 2.0;
    Ok(Interval { low: quantile(&means, shifted.share(tail)), high: quantile(&means, shifted.share(1.0 - tail)) })
}

fn resampled_mean(differences: &[f64], rng: &mut impl Rng) -> f64 {
    let n = differences.len() as u64;
    // 32 bits a draw; the widening multiplication leaves a bias under 2^-32 times the number of pairs.
    let draw = |bits: u64| differences[(((bits & 0xffff_ffff) * n) >> 32) as usize];
    let mut sum = 0.0;
    for _ in 0..n / 2 {
        let bits = rng.next_u64();
        sum += draw(bits) + draw(bits >> 32);
    }
    if n % 2 == 1 {
        sum += draw(rng.next_u64());
    }
    sum / n as f64
}

/// From the share of a tail to the share of the resampled means below the end of the interval.
struct Shift {
    normal: Normal,
    bias: f64,
    acceleration: f64,
}

impl Shift {
    fn new(paired: &Paired, means: &[f64]) -> Self {
        let normal = Normal::standard();
        let below = means.partition_point(|mean| *mean < paired.mean());
        let equal = means[below..].partition_point(|mean| *mean <= paired.mean());
        // Resampled means that equal the observed one count half. None below or none above would be an infinite bias.
        let share = (below as f64 + equal as f64 / 2.0) / means.len() as f64;
        let least = 0.5 / means.len() as f64;
        let bias = normal.inverse_cdf(share.clamp(least, 1.0 - least));
        // Skewness of the jackknife's means, which for a mean is that of the differences.
        let power = |exponent| paired.differences().iter().map(|d| (d - paired.mean()).powi(exponent)).sum::<f64>();
        let acceleration = power(3) / (6.0 * power(2).powf(1.5));
        Self { normal, bias, acceleration }
    }

    fn share(&self, tail: f64) -> f64 {
        let z = self.bias + self.normal.inverse_cdf(tail);
        self.normal.cdf(self.bias + z / (1.0 - self.acceleration * z))
    }
}

/// The value below which `share` of the ascending values lie, between two of them by their distance.
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (ascending.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(ascending.len() - 1);
    ascending[low] + part * (ascending[high] - ascending[low])
}

#[cfg(test)]
mod tests {
    use super::super::paired::tests::{DARWIN, pairs};
    use super::super::paired_t;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn darwin_s_maize_agrees_with_scipy_within_the_noise_of_the_draws() {
        // scipy 1.17.1, bootstrap(method="BCa", n_resamples=2_000_000): −1.60 to 36.33; percentile: 1.33 to 38.13.
        let interval = bootstrap(&pairs(&DARWIN), 0.95, 200_000, 1).unwrap();
        assert!((interval.low + 1.6).abs() < 0.3 && (interval.high - 36.33).abs() < 0.3, "{interval:?}");
    }

    #[test]
    fn many_pairs_give_the_interval_of_the_t_test() {
        // 5,000 differences without skew.
        let differences: Vec<f64> = (0..5000).map(|i| f64::from(i * 7919 % 5000) / 5000.0 - 0.45).collect();
        let paired = pairs(&differences);
        let (boot, t) = (bootstrap(&paired, 0.95, 4000, 5).unwrap(), paired_t(&paired, 0.95).unwrap().interval);
        let width = t.high - t.low;
        assert!((boot.low - t.low).abs() < 0.06 * width && (boot.high - t.high).abs() < 0.06 * width, "{boot:?} {t:?}");
    }

    #[test]
    fn an_end_of_the_interval_that_is_none_but_for_rounding_is_none() {
        // Of 200 users one is better by a fifth and one is worse: in three resamples of ten both are drawn as often.
        let (mut left, right) = (vec![0.4; 200], vec![0.4; 200]);
        (left[7], left[90]) = (0.6, 0.2);
        let interval = bootstrap(&Paired::new(&left, &right).unwrap(), 0.1, 500, 7).unwrap();
        assert_eq!(interval, Interval { low: 0.0, high: 0.0 });
    }

    #[test]
    fn the_seed_decides_and_bad_wishes_are_refused() {
        let paired = pairs(&DARWIN);
        let twice = [4, 4].map(|seed| bootstrap(&paired, 0.9, 500, seed).unwrap());
        assert_eq!(twice[0], twice[1]);
        assert_ne!(twice[0], bootstrap(&paired, 0.9, 500, 5).unwrap());
        assert_eq!(bootstrap(&paired, 0.0, 500, 4), Err(SignificanceError::Level { level: 0.0 }));
        assert_eq!(bootstrap(&paired, 0.9, 0, 4), Err(SignificanceError::NoDraws));
        assert_eq!(bootstrap(&pairs(&[2.0; 5]), 0.9, 10, 4), Ok(Interval { low: 2.0, high: 2.0 }));
    }

    proptest! {
        #[test]
        fn the_interval_lies_within_the_differences_and_grows_with_its_level(
            differences in prop::collection::vec(-5f64..6.0, 3..30), seed in 0u64..100
        ) {
            let paired = pairs(&differences);
            let (narrow, wide) =
                (bootstrap(&paired, 0.5, 200, seed).unwrap(), bootstrap(&paired, 0.95, 200, seed).unwrap());
            let (least, most) =
                differences.iter().fold((f64::MAX, f64::MIN), |(l, m), d| (l.min(*d), m.max(*d)));
            prop_assert!(least <= wide.low + 1e-12 && wide.high <= most + 1e-12);
            prop_assert!(wide.low <= narrow.low + 1e-12 && narrow.high <= wide.high + 1e-12);
        }
    }
}
