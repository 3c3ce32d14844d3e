//! Student's paired t test.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::{Interval, Paired, SignificanceError};

/// The answer of the paired t test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedT {
    /// `mean / (sd / √n)`; infinite where every pair differs by the same amount, 0 where none differs.
    pub t: f64,
    /// Degrees of freedom, `n − 1`.
    pub df: f64,
    /// Chance, if there is no difference, of a `t` at least as far from 0: two-sided.
    pub p: f64,
    /// Interval of the mean difference at the level asked for.
    pub interval: Interval,
}

/// Paired t test of "the mean difference is 0", and the interval of the mean difference at `level`.
/// Source: Student, "The Probable Error of a Mean", doi:10.2307/2331554.
///
/// # Errors
/// [`SignificanceError::Level`].
pub fn paired_t(paired: &Paired, level: f64) -> Result<PairedT, SignificanceError> {
    if !(level > 0.0 && level < 1.0) {
        return Err(SignificanceError::Level { level });
    }
    let n = paired.pairs() as f64;
    let df = n - 1.0;
    let error = paired.sd() / n.sqrt();
    if error == 0.0 {
        let same = Interval { low: paired.mean(), high: paired.mean() };
        let (t, p) = if paired.mean() == 0.0 { (0.0, 1.0) } else { (f64::INFINITY.copysign(paired.mean()), 0.0) };
        return Ok(PairedT { t, df, p, interval: same });
    }
    let t = paired.mean() / error;
    let half = quantile(df, level) * error;
    Ok(PairedT {
        t,
        df,
        p: two_sided(t, df),
        interval: Interval { low: paired.mean() - half, high: paired.mean() + half },
    })
}

/// Chance of a t at least as far from 0.
fn two_sided(t: f64, df: f64) -> f64 {
    student(df).map_or(f64::NAN, |student| (2.0 * student.sf(t.abs())).min(1.0))
}

/// What |t| stays below with probability `level`.
fn quantile(df: f64, level: f64) -> f64 {
    student(df).map_or(f64::NAN, |student| student.inverse_cdf(f64::midpoint(1.0, level)))
}

/// The distribution; degrees of freedom are at least 1 here, since there are two pairs.
fn student(df: f64) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, df).ok()
}

#[cfg(test)]
mod tests {
    use super::super::paired::tests::{DARWIN, pairs};
    use super::*;
    use proptest::prelude::*;

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() <= 1e-11 * expected.abs()
    }

    #[test]
    fn darwin_s_maize_gives_the_t_that_fisher_prints() {
        // Fisher 1935, section 17: t = 2.148, 14 degrees of freedom, probability just under 5 %.
        let test = paired_t(&pairs(&DARWIN), 0.95).unwrap();
        assert!((test.t - 2.148).abs() < 5e-4 && test.df == 14.0, "{test:?}");
        // scipy 1.17.1, ttest_rel and its confidence_interval.
        assert!(near(test.p, 0.049702944021800866), "{test:?}");
        assert!((test.interval.low - 0.031193318392979563).abs() < 1e-11, "{test:?}");
        assert!(near(test.interval.high, 41.83547334827369), "{test:?}");
    }

    #[test]
    fn student_s_own_sleep_data_give_his_t() {
        // Hours of sleep gained by ten patients with two drugs (Student 1908, table; R's `sleep`). R prints
        // t = -4.0621, df = 9, p-value = 0.002833, interval -2.4598858 -0.7001142.
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let test = paired_t(&Paired::new(&first, &second).unwrap(), 0.95).unwrap();
        assert!((test.t + 4.0621).abs() < 5e-5 && (test.p - 0.002833).abs() < 5e-7, "{test:?}");
        assert!((test.interval.low + 2.4598858).abs() < 5e-8 && (test.interval.high + 0.7001142).abs() < 5e-8);
    }

    #[test]
    fn tails_agree_with_scipy_from_one_pair_more_to_a_million() {
        // scipy 1.17.1, 2*stats.t.sf(t, df).
        for (df, t, p) in [
            (1.0, 0.5, 0.7048327646991335),
            (1.0, 40.0, 0.015912179824051624),
            (2.0, 5.0, 0.037749551350623724),
            (9.0, 40.0, 1.8982998449339822e-11),
            (99.0, 5.0, 2.481396013040949e-06),
            (99.0, 40.0, 6.385085160287251e-63),
            (9999.0, 2.0, 0.0455272633615101),
            (22362.0, 0.5, 0.6170799973899724),
            (22362.0, 5.0, 5.776377584617816e-07),
            (1e6, 2.0, 0.04550053385131924),
        ] {
            let given = two_sided(t, df);
            assert!((given - p).abs() <= 1e-8 * p, "df {df}, t {t}: {given} is not {p}");
            assert_eq!(given, two_sided(-t, df));
        }
        // scipy 1.17.1, stats.t.ppf(0.975, df).
        for (df, q) in [(1.0, 12.706204736174694), (9.0, 2.262157162798205), (22362.0, 1.9600700751157598)] {
            assert!((quantile(df, 0.95) - q).abs() < 1e-8 * q, "df {df}: {} is not {q}", quantile(df, 0.95));
        }
    }

    #[test]
    fn no_difference_is_certain_chance_and_the_same_difference_everywhere_is_none() {
        assert_eq!(paired_t(&pairs(&[0.0; 4]), 0.95).unwrap().p, 1.0);
        let same = paired_t(&pairs(&[-0.1; 4]), 0.95).unwrap();
        assert_eq!((same.t, same.p), (f64::NEG_INFINITY, 0.0));
        assert_eq!(paired_t(&pairs(&[1.0, 2.0]), 1.0), Err(SignificanceError::Level { level: 1.0 }));
    }

    proptest! {
        #[test]
        fn the_interval_leaves_out_zero_exactly_where_p_is_below_its_level(
            differences in prop::collection::vec(-5f64..6.0, 2..40), level in 0.5f64..0.999
        ) {
            let test = paired_t(&pairs(&differences), level).unwrap();
            prop_assume!((test.p - (1.0 - level)).abs() > 1e-6);
            let without_zero = test.interval.low > 0.0 || test.interval.high < 0.0;
            prop_assert_eq!(without_zero, test.p < 1.0 - level);
        }

        #[test]
        fn swapping_the_methods_changes_nothing_but_the_sign(differences in prop::collection::vec(-5f64..6.0, 2..40)) {
            let there = paired_t(&pairs(&differences), 0.95).unwrap();
            let back = paired_t(&pairs(&differences.iter().map(|d| -d).collect::<Vec<_>>()), 0.95).unwrap();
            prop_assert_eq!((there.t, there.p), (-back.t, back.p));
        }
    }
}
