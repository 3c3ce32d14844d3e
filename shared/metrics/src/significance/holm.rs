//! Several questions at once.

/// Holm's step-down correction: with the p-values ascending, `p_(i)·(m − i + 1)`, never below an earlier one and at most 1. At
/// a level of 5 %, the chance of calling any difference real that is none stays under 5 %.
/// Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", jstor:4615733.
///
/// # Shapes
/// - `p`: `[m]`; a value that is not a number counts as 1
/// - returns: `[m]`, in the order of `p`
pub fn holm(p: &[f64]) -> Vec<f64> {
    let value = |place: usize| if p[place].is_nan() { 1.0 } else { p[place] };
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
    let mut corrected = vec![1.0; p.len()];
    let mut least = 0.0f64;
    for (earlier, &place) in order.iter().enumerate() {
        least = least.max(value(place) * (p.len() - earlier) as f64).min(1.0);
        corrected[place] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hand_worked_case() {
        // Ascending .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, and .04 raised to .06.
        // statsmodels 0.15.0, multipletests(method="holm"), gives the same.
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (given, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((given - expected).abs() < 1e-15, "{corrected:?}");
        }
    }

    #[test]
    fn one_question_needs_no_correction_and_none_has_no_answer() {
        assert_eq!(holm(&[0.04]), [0.04]);
        assert!(holm(&[]).is_empty());
        assert_eq!(holm(&[f64::NAN, 0.5]), [1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn corrected_values_keep_the_order_and_lie_between_the_value_and_bonferroni_s(
            p in prop::collection::vec(0f64..1.0, 1..20)
        ) {
            let corrected = holm(&p);
            for i in 0..p.len() {
                prop_assert!(corrected[i] >= p[i] && corrected[i] <= (p[i] * p.len() as f64).min(1.0) + 1e-15);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || corrected[i] <= corrected[j]);
                }
            }
        }
    }
}
