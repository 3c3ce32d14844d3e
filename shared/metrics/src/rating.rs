//! Errors of predicted ratings: every test rating counts once, whoever gave it.

use crate::MetricError;

/// Root mean squared error: `√(1/n · Σ (predicted − true)²)`, in the unit of the ratings.
///
/// # Errors
/// [`MetricError::Lengths`], [`MetricError::NotFinite`]; [`MetricError::Empty`] without ratings.
pub fn rmse(predicted: &[f32], truth: &[f32]) -> Result<f64, MetricError> {
    mean("rmse", predicted, truth, |p, t| (p - t) * (p - t)).map(f64::sqrt)
}

/// Mean absolute error: `1/n · Σ |predicted − true|`, in the unit of the ratings.
///
/// # Errors
/// As [`rmse`].
pub fn mae(predicted: &[f32], truth: &[f32]) -> Result<f64, MetricError> {
    mean("mae", predicted, truth, |p, t| (p - t).abs())
}

/// Share of ratings where `predicted ≥ threshold` exactly when `true ≥ threshold`; in `[0, 1]`.
///
/// # Errors
/// As [`rmse`].
pub fn accuracy(predicted: &[f32], truth: &[f32], threshold: f64) -> Result<f64, MetricError> {
    mean("accuracy", predicted, truth, |p, t| f64::from(u8::from((p >= threshold) == (t >= threshold))))
}

fn mean(
    metric: &'static str,
    predicted: &[f32],
    truth: &[f32],
    term: impl Fn(f64, f64) -> f64,
) -> Result<f64, MetricError> {
    if predicted.len() != truth.len() {
        return Err(MetricError::Lengths { predicted: predicted.len(), truth: truth.len() });
    }
    if predicted.is_empty() {
        return Err(MetricError::Empty { metric, over: "the test ratings" });
    }
    let mut sum = 0.0;
    for (place, (&p, &t)) in predicted.iter().zip(truth).enumerate() {
        if !(p.is_finite() && t.is_finite()) {
            return Err(MetricError::NotFinite { place, predicted: p, truth: t });
        }
        sum += term(f64::from(p), f64::from(t));
    }
    Ok(sum / predicted.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Errors −1, 0, 2 by hand: squares 1 + 0 + 4 over 3; absolute values 1 + 0 + 2 over 3.
    const PREDICTED: [f32; 3] = [3.0, 4.0, 5.0];
    const TRUTH: [f32; 3] = [4.0, 4.0, 3.0];

    #[test]
    fn a_hand_worked_case() {
        assert_eq!(rmse(&PREDICTED, &TRUTH), Ok((5.0f64 / 3.0).sqrt()));
        assert_eq!(mae(&PREDICTED, &TRUTH), Ok(1.0));
        // Sides of 4.0: (below, at), (at, at), (above, below): one of three agrees.
        assert_eq!(accuracy(&PREDICTED, &TRUTH, 4.0), Ok(1.0 / 3.0));
        assert_eq!(accuracy(&PREDICTED, &TRUTH, 0.0), Ok(1.0));
    }

    #[test]
    fn a_rating_at_the_threshold_counts_as_liked() {
        assert_eq!(accuracy(&[4.0], &[5.0], 4.0), Ok(1.0));
        assert_eq!(accuracy(&[3.999], &[4.0], 4.0), Ok(0.0));
    }

    #[test]
    fn undefined_values_are_errors_that_name_the_place() {
        assert_eq!(
            rmse(&[], &[]).unwrap_err().to_string(),
            "rmse is the mean over the test ratings, and there are none; hold out more rows"
        );
        assert_eq!(
            mae(&[1.0], &[]).unwrap_err().to_string(),
            "1 predictions for 0 true ratings; give one prediction for each rating"
        );
        assert_eq!(
            rmse(&[1.0, f32::NAN], &[1.0, 2.0]).unwrap_err().to_string(),
            "the pair at place 1 (predicted NaN, true 2) is not finite; the fit diverged or the rating is damaged"
        );
    }

    proptest! {
        #[test]
        fn mae_is_at_most_rmse_and_both_vanish_on_the_truth(pairs in prop::collection::vec((-5f32..10.0, 1f32..5.0), 1..50)) {
            let (predicted, truth): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let (rmse_value, mae_value) = (rmse(&predicted, &truth).unwrap(), mae(&predicted, &truth).unwrap());
            prop_assert!(mae_value <= rmse_value + 1e-9);
            prop_assert!(mae_value >= 0.0);
            prop_assert_eq!(rmse(&truth, &truth), Ok(0.0));
            prop_assert_eq!(accuracy(&truth, &truth, 3.0), Ok(1.0));
            prop_assert!((0.0..=1.0).contains(&accuracy(&predicted, &truth, 3.0).unwrap()));
        }

        #[test]
        fn rmse_and_mae_do_not_depend_on_which_side_is_called_truth(pairs in prop::collection::vec((1f32..5.0, 1f32..5.0), 1..50)) {
            let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            prop_assert_eq!(rmse(&a, &b), rmse(&b, &a));
            prop_assert_eq!(mae(&a, &b), mae(&b, &a));
        }
    }
}
