//! Errors of predicted ratings: every test rating counts once, whoever gave it, or every user once.

use std::collections::BTreeMap;

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

/// Errors of one user at a time: `f` of the errors of each user's own ratings, averaged over the users that have any.
fn per_user(
    users: &[u32],
    predicted: &[f32],
    truth: &[f32],
    metric: &'static str,
    of_one: impl Fn(f64, f64) -> f64,
    end: impl Fn(f64) -> f64,
) -> Result<Vec<(u32, f64)>, MetricError> {
    check(metric, predicted, truth)?;
    let mut sums: BTreeMap<u32, (f64, u32)> = BTreeMap::new();
    for ((&user, &p), &t) in users.iter().zip(predicted).zip(truth) {
        let (sum, count) = sums.entry(user).or_default();
        *sum += of_one(f64::from(p), f64::from(t));
        *count += 1;
    }
    Ok(sums.into_iter().map(|(user, (sum, count))| (user, end(sum / f64::from(count)))).collect())
}

/// [`rmse`] over each user's own ratings.
///
/// # Shapes
/// - `users`, `predicted`, `truth`: `[n]`
/// - returns: one value for each user that occurs, users ascending
///
/// # Errors
/// As [`rmse`].
pub fn user_rmse(users: &[u32], predicted: &[f32], truth: &[f32]) -> Result<Vec<(u32, f64)>, MetricError> {
    per_user(users, predicted, truth, "user-rmse", |p, t| (p - t) * (p - t), f64::sqrt)
}

/// [`mae`] over each user's own ratings, shaped as [`user_rmse`].
///
/// # Errors
/// As [`rmse`].
pub fn user_mae(users: &[u32], predicted: &[f32], truth: &[f32]) -> Result<Vec<(u32, f64)>, MetricError> {
    per_user(users, predicted, truth, "user-mae", |p, t| (p - t).abs(), |mean| mean)
}

fn mean(
    metric: &'static str,
    predicted: &[f32],
    truth: &[f32],
    term: impl Fn(f64, f64) -> f64,
) -> Result<f64, MetricError> {
    check(metric, predicted, truth)?;
    let sum: f64 = predicted.iter().zip(truth).map(|(&p, &t)| term(f64::from(p), f64::from(t))).sum();
    Ok(sum / predicted.len() as f64)
}

/// Refuses pairs that have no error: none at all, not pairs, or not finite.
pub(crate) fn check(metric: &'static str, predicted: &[f32], truth: &[f32]) -> Result<(), MetricError> {
    if predicted.len() != truth.len() {
        return Err(MetricError::Lengths { predicted: predicted.len(), truth: truth.len() });
    }
    if predicted.is_empty() {
        return Err(MetricError::Empty { metric, over: "the test ratings" });
    }
    match predicted.iter().zip(truth).position(|(p, t)| !(p.is_finite() && t.is_finite())) {
        Some(place) => Err(MetricError::NotFinite { place, predicted: predicted[place], truth: truth[place] }),
        None => Ok(()),
    }
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
        // User 7 has the errors −1 and 2, user 3 has 0.
        assert_eq!(user_rmse(&[7, 3, 7], &PREDICTED, &TRUTH), Ok(vec![(3, 0.0), (7, 2.5f64.sqrt())]));
        assert_eq!(user_mae(&[7, 3, 7], &PREDICTED, &TRUTH), Ok(vec![(3, 0.0), (7, 1.5)]));
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
            // One user alone is everybody.
            prop_assert_eq!(user_mae(&vec![0; truth.len()], &predicted, &truth).unwrap(), vec![(0, mae_value)]);
        }

        #[test]
        fn rmse_and_mae_do_not_depend_on_which_side_is_called_truth(pairs in prop::collection::vec((1f32..5.0, 1f32..5.0), 1..50)) {
            let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            prop_assert_eq!(rmse(&a, &b), rmse(&b, &a));
            prop_assert_eq!(mae(&a, &b), mae(&b, &a));
        }
    }
}
