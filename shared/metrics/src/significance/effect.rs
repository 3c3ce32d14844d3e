//! How large a difference is, in units of its own spread.

use statrs::function::gamma::ln_gamma;

use super::Paired;

/// Cohen's d of pairs (d_z): mean difference / standard deviation of the differences; 0 where nothing differs, `None` where
/// every pair differs by the same amount.
/// Source: Lakens, "Calculating and reporting effect sizes", doi:10.3389/fpsyg.2013.00863, formula 7.
pub fn cohens_d(paired: &Paired) -> Option<f64> {
    if paired.sd() > 0.0 { Some(paired.mean() / paired.sd()) } else { (paired.mean() == 0.0).then_some(0.0) }
}

/// Hedges' g of pairs: [`cohens_d`] without its bias for few pairs, `J(n − 1)·d` with `J(m) = Γ(m/2) / (√(m/2)·Γ((m − 1)/2))`.
/// `None` for two pairs too, where the factor does not exist.
/// Source: Hedges, "Distribution Theory for Glass's Estimator of Effect size", doi:10.3102/10769986006002107.
pub fn hedges_g(paired: &Paired) -> Option<f64> {
    let df = paired.pairs() as f64 - 1.0;
    (df > 1.0).then(|| Some(correction(df) * cohens_d(paired)?)).flatten()
}

/// Hedges' factor.
fn correction(df: f64) -> f64 {
    (ln_gamma(df / 2.0) - ln_gamma((df - 1.0) / 2.0) - 0.5 * (df / 2.0).ln()).exp()
}

#[cfg(test)]
mod tests {
    use super::super::paired::tests::pairs;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_two_movies_of_lakens_differ_by_one_and_a_half() {
        // Lakens 2013, table 1: ratings of two movies by ten people, t(9) = 4.74, d_z = 1.50.
        let first = [9.0, 7.0, 8.0, 9.0, 8.0, 9.0, 9.0, 10.0, 9.0, 9.0];
        let second = [9.0, 6.0, 7.0, 8.0, 7.0, 9.0, 8.0, 8.0, 8.0, 7.0];
        let paired = Paired::new(&first, &second).unwrap();
        let d = cohens_d(&paired).unwrap();
        assert!((d - 1.5).abs() < 1e-12, "{d}");
        assert!((d * 10f64.sqrt() - 4.74).abs() < 5e-3);
        assert!((hedges_g(&paired).unwrap() - 1.5 * 0.9138748917925523).abs() < 1e-9);
    }

    #[test]
    fn the_factor_is_that_of_hedges_table() {
        // Exact values by scipy 1.17.1 (gammaln); Hedges' approximation 1 − 3/(4m − 1) is near them.
        for (df, j) in [(9.0, 0.9138748917925523), (14.0, 0.9452877293068114), (22362.0, 0.9999664605111231)] {
            assert!((correction(df) - j).abs() < 1e-9, "{df}: {}", correction(df));
            assert!((correction(df) - (1.0 - 3.0 / (4.0 * df - 1.0))).abs() < 3e-3);
        }
    }

    #[test]
    fn a_difference_without_spread_has_no_size_in_units_of_it() {
        assert_eq!(cohens_d(&pairs(&[1.0; 3])), None);
        assert_eq!(cohens_d(&pairs(&[0.0; 3])), Some(0.0));
        assert_eq!(hedges_g(&pairs(&[1.0, 2.0])), None);
    }

    proptest! {
        #[test]
        fn a_size_does_not_depend_on_the_unit(differences in prop::collection::vec(-5f64..6.0, 3..40), unit in 0.01f64..100.0) {
            let size = |list: &[f64]| cohens_d(&pairs(list)).unwrap_or(0.0);
            let scaled: Vec<f64> = differences.iter().map(|d| d * unit).collect();
            prop_assert!((size(&differences) - size(&scaled)).abs() < 1e-9);
        }
    }
}
