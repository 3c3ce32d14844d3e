//! Differences of pairs, with their mean and spread.

use super::SignificanceError;

/// Differences of no more than this share of the values count as none, of a pair and of means: the last digits of both are rounding, and the
/// order of a sum must not decide. A sum of a million values is rounded by less.
pub(super) const ROUNDING: f64 = 1e-12;

/// The differences `left − right`, pair by pair; at least two, all finite. What rounding explains is 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    differences: Vec<f64>,
    mean: f64,
    sd: f64,
    /// Mean size of the larger value of each pair.
    scale: f64,
}

impl Paired {
    /// Pairs the values of two methods, user by user.
    ///
    /// # Shapes
    /// - `left`, `right`: `[n]`, n at least 2
    ///
    /// # Errors
    /// [`SignificanceError::Lengths`], [`SignificanceError::TooFew`], [`SignificanceError::NotFinite`].
    pub fn new(left: &[f64], right: &[f64]) -> Result<Self, SignificanceError> {
        if left.len() != right.len() {
            return Err(SignificanceError::Lengths { left: left.len(), right: right.len() });
        }
        if left.len() < 2 {
            return Err(SignificanceError::TooFew { pairs: left.len() });
        }
        // The difference of two finite numbers may be infinite.
        let of_pair = |(l, r): (&f64, &f64)| settled(l - r, l.abs().max(r.abs()));
        let differences: Vec<f64> = left.iter().zip(right).map(of_pair).collect();
        if let Some(place) = differences.iter().position(|difference| !difference.is_finite()) {
            return Err(SignificanceError::NotFinite { place, left: left[place], right: right[place] });
        }
        let n = differences.len() as f64;
        // Divided first: a sum of finite sizes may be infinite.
        let scale = left.iter().zip(right).map(|(l, r)| l.abs().max(r.abs()) / n).sum::<f64>();
        let mean = settled(differences.iter().sum::<f64>() / n, scale);
        // Equal differences have no spread, whatever the rounding of their mean.
        let spread = differences.iter().any(|difference| *difference != differences[0]);
        let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
        Ok(Self { mean, sd: if spread { (squares / (n - 1.0)).sqrt() } else { 0.0 }, scale, differences })
    }

    /// A mean of as many of the differences, or 0 where it is no more than rounding.
    pub(super) fn settled(&self, mean: f64) -> f64 {
        settled(mean, self.scale)
    }

    /// `[n]`, in the order of the pairs.
    pub fn differences(&self) -> &[f64] {
        &self.differences
    }

    /// Number of pairs.
    pub fn pairs(&self) -> usize {
        self.differences.len()
    }

    /// Mean difference.
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation of the differences, with `n − 1`.
    pub const fn sd(&self) -> f64 {
        self.sd
    }

    /// Pairs in which the left value is larger, and pairs in which the right one is.
    pub fn wins(&self) -> (usize, usize) {
        let count = |wanted: fn(f64) -> bool| self.differences.iter().filter(|&&d| wanted(d)).count();
        (count(|d| d > 0.0), count(|d| d < 0.0))
    }
}

/// A difference of values of such a size, or 0 where it is no more than their rounding.
fn settled(difference: f64, scale: f64) -> f64 {
    if difference.abs() <= ROUNDING * scale { 0.0 } else { difference }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Darwin's maize, cross-fertilised less self-fertilised height of fifteen pairs, in eighths of an inch; in Fisher, "The
    /// Design of Experiments" (1935), table 3 and section 17.
    pub(in crate::significance) const DARWIN: [f64; 15] =
        [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0];

    /// Pairs with the given differences.
    pub(in crate::significance) fn pairs(differences: &[f64]) -> Paired {
        Paired::new(differences, &vec![0.0; differences.len()]).unwrap()
    }

    #[test]
    fn darwin_s_maize_has_the_mean_that_fisher_gives() {
        let paired = pairs(&DARWIN);
        // 314/15 = 20.93 eighths of an inch.
        assert_eq!((paired.mean(), paired.pairs(), paired.wins()), (314.0 / 15.0, 15, (13, 2)));
    }

    #[test]
    fn what_cannot_be_paired_is_refused_with_its_place() {
        let message = |left: &[f64], right: &[f64]| Paired::new(left, right).unwrap_err().to_string();
        assert_eq!(message(&[1.0], &[]), "1 values of one method and 0 of the other; give both the same users");
        assert_eq!(message(&[1.0], &[1.0]), "1 pairs tell nothing about chance; compare on at least 2 users");
        assert_eq!(
            message(&[1.0, f64::NAN], &[1.0, 2.0]),
            "the pair at place 1 (NaN and 2) is not finite; leave out users without a value"
        );
        assert!(Paired::new(&[f64::MAX, 0.0], &[-f64::MAX, 0.0]).is_err());
    }

    #[test]
    fn equal_differences_have_no_spread_however_their_mean_rounds() {
        assert_eq!(pairs(&[0.1; 7]).sd(), 0.0);
    }

    #[test]
    fn what_rounding_explains_is_no_difference_of_a_pair_nor_of_the_means() {
        // Fifths, as the means over five seeds: in floats 0.6 − 0.4 is less than 0.4 − 0.2, and 0.1 + 0.2 is more than 0.3.
        let paired = Paired::new(&[0.6, 0.2, 0.1 + 0.2], &[0.4, 0.4, 0.3]).unwrap();
        assert_eq!((paired.mean(), paired.wins(), paired.differences()[2]), (0.0, (1, 1), 0.0));
        let same = Paired::new(&[0.1 + 0.2; 9], &[0.3; 9]).unwrap();
        assert_eq!((same.mean(), same.sd(), same.wins()), (0.0, 0.0, (0, 0)));
        // What is small and no rounding stays.
        let small = Paired::new(&[1.0, 1.0 + 1e-9], &[1.0, 1.0]).unwrap();
        assert!((small.mean() - 5e-10).abs() < 1e-15 && small.wins() == (1, 0), "{small:?}");
        let tiny = Paired::new(&[3e-18, 1e-18], &[1e-18, 1e-18]).unwrap();
        assert!((tiny.mean() - 1e-18).abs() < 1e-30, "{tiny:?}");
    }
}
