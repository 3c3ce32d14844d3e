//! Telling liked from not liked: a rating of at least `threshold` is liked.

use crate::MetricError;
use crate::rating::check;

/// How near to 0 and 1 a probability may come in [`log_loss`].
const LEAST: f64 = 1e-7;

/// Share of ratings where `predicted ≥ cut` exactly when `true ≥ threshold`; in `[0, 1]`. `cut` is the threshold itself for
/// predicted ratings and one half for predicted probabilities.
///
/// # Errors
/// [`MetricError::Lengths`], [`MetricError::NotFinite`]; [`MetricError::Empty`] without ratings.
pub fn accuracy(predicted: &[f32], truth: &[f32], cut: f64, threshold: f64) -> Result<f64, MetricError> {
    check("accuracy", predicted, truth)?;
    let right = predicted.iter().zip(truth).filter(|&(&p, &t)| (f64::from(p) >= cut) == (f64::from(t) >= threshold));
    Ok(right.count() as f64 / predicted.len() as f64)
}

/// Area under the receiver operating characteristic: the chance that a liked rating got a higher prediction than one that
/// is not, equal predictions counting half; in `[0, 1]`, one half by chance.
/// Source: Hanley, McNeil, "The Meaning and Use of the Area under a ROC Curve", doi:10.1148/radiology.143.1.7063747.
///
/// # Errors
/// As [`accuracy`]; [`MetricError::OneSided`] when all ratings lie on one side.
pub fn auc(predicted: &[f32], truth: &[f32], threshold: f64) -> Result<f64, MetricError> {
    check("auc", predicted, truth)?;
    let mut order: Vec<(f32, bool)> =
        predicted.iter().zip(truth).map(|(&p, &t)| (p, f64::from(t) >= threshold)).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let liked = order.iter().filter(|(_, liked)| *liked).count();
    let others = order.len() - liked;
    if liked == 0 || others == 0 {
        return Err(MetricError::OneSided { metric: "auc", liked: others == 0, threshold });
    }
    // Sum over the liked of the others below, those of equal prediction counting half.
    let (mut sum, mut below) = (0.0, 0usize);
    for equal in order.chunk_by(|a, b| a.0 == b.0) {
        let liked_here = equal.iter().filter(|(_, liked)| *liked).count();
        let others_here = equal.len() - liked_here;
        sum += liked_here as f64 * (below as f64 + others_here as f64 / 2.0);
        below += others_here;
    }
    Ok(sum / (liked as f64 * others as f64))
}

/// Logarithmic loss: `−1/n · Σ ln p` over the liked and `ln(1 − p)` over the others, with `p` kept between 1e-7 and
/// 1 − 1e-7; never negative, ln 2 for `p = 1/2`.
///
/// # Errors
/// As [`accuracy`].
pub fn log_loss(probabilities: &[f32], truth: &[f32], threshold: f64) -> Result<f64, MetricError> {
    check("log-loss", probabilities, truth)?;
    let loss = |(&p, &t): (&f32, &f32)| {
        let p = f64::from(p).clamp(LEAST, 1.0 - LEAST);
        if f64::from(t) >= threshold { -p.ln() } else { -(1.0 - p).ln() }
    };
    Ok(probabilities.iter().zip(truth).map(loss).sum::<f64>() / probabilities.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hand_worked_case() {
        // Sides of 4.0: (below, at), (at, at), (above, below): one of three agrees.
        assert_eq!(accuracy(&[3.0, 4.0, 5.0], &[4.0, 4.0, 3.0], 4.0, 4.0), Ok(1.0 / 3.0));
        // Liked: 0.9 and 0.5. Not liked: 0.5 and 0.1. Pairs: 0.9 beats both, 0.5 ties with one and beats the other.
        assert_eq!(auc(&[0.9, 0.5, 0.5, 0.1], &[5.0, 4.0, 1.0, 2.0], 4.0), Ok(3.5 / 4.0));
        let loss = log_loss(&[0.9, 0.2], &[5.0, 1.0], 4.0).unwrap();
        assert!((loss - (-(0.9f64.ln()) - 0.8f64.ln()) / 2.0).abs() < 1e-7, "{loss}");
    }

    #[test]
    fn a_rating_at_the_threshold_counts_as_liked() {
        assert_eq!(accuracy(&[4.0], &[5.0], 4.0, 4.0), Ok(1.0));
        assert_eq!(accuracy(&[3.999], &[4.0], 4.0, 4.0), Ok(0.0));
        assert_eq!(accuracy(&[0.5], &[4.0], 0.5, 4.0), Ok(1.0));
    }

    #[test]
    fn a_certain_mistake_costs_much_but_not_infinitely() {
        let worst = log_loss(&[0.0], &[5.0], 4.0).unwrap();
        assert!((worst - 1e7f64.ln()).abs() < 1e-9, "{worst}");
    }

    #[test]
    fn ratings_on_one_side_have_no_curve() {
        assert_eq!(
            auc(&[0.9, 0.5], &[5.0, 4.0], 4.0).unwrap_err().to_string(),
            "auc compares ratings of at least 4 with lower ones, and all test ratings are at least 4; set another evaluation.threshold"
        );
        assert!(auc(&[0.9], &[1.0], 4.0).unwrap_err().to_string().contains("all test ratings are below 4"));
    }

    proptest! {
        #[test]
        fn auc_is_the_share_of_pairs_in_the_right_order(
            rows in prop::collection::vec((0u8..6, prop::bool::ANY), 2..40)
        ) {
            let predicted: Vec<f32> = rows.iter().map(|row| f32::from(row.0)).collect();
            let truth: Vec<f32> = rows.iter().map(|row| if row.1 { 5.0 } else { 1.0 }).collect();
            prop_assume!(rows.iter().any(|row| row.1) && rows.iter().any(|row| !row.1));
            let (mut right, mut pairs) = (0.0, 0.0);
            for liked in rows.iter().filter(|row| row.1) {
                for other in rows.iter().filter(|row| !row.1) {
                    pairs += 1.0;
                    right += [0.0, 0.5, 1.0][(liked.0.cmp(&other.0) as i8 + 1) as usize];
                }
            }
            prop_assert!((auc(&predicted, &truth, 4.0).unwrap() - right / pairs).abs() < 1e-12);
        }
    }
}
