//! How scores of different recommenders become comparable.

use recspeed_types::catalogue::Predicts;
use recspeed_types::spec::ResolvedRecommender;

/// A common scale for the scores of one user over all items of the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Mean 0 and standard deviation 1: `(s − mean) / sd`.
    ZScore,
    /// `(s − min) / (max − min)`.
    MinMax,
    /// As they are.
    Own,
}

impl Scale {
    /// That of the hybrid's parameter `normalise`. Stars are a common scale already.
    pub(super) fn of(recommender: &ResolvedRecommender) -> Self {
        match recommender.text("normalise") {
            _ if recommender.predicts() == Predicts::Ratings => Self::Own,
            "z-score" => Self::ZScore,
            "min-max" => Self::MinMax,
            _ => Self::Own,
        }
    }

    /// Brings one user's scores to the scale. Scores that are all equal say nothing and become 0.
    pub(super) fn apply(self, scores: &mut [f32]) {
        let (shift, width) = match self {
            Self::Own => return,
            Self::ZScore => {
                let n = scores.len().max(1) as f64;
                let mean = scores.iter().map(|&score| f64::from(score)).sum::<f64>() / n;
                let squares = scores.iter().map(|&score| (f64::from(score) - mean).powi(2)).sum::<f64>();
                (mean, (squares / n).sqrt())
            }
            Self::MinMax => {
                let bounds = scores.iter().fold((f32::MAX, f32::MIN), |(l, h), &score| (l.min(score), h.max(score)));
                (f64::from(bounds.0), f64::from(bounds.1) - f64::from(bounds.0))
            }
        };
        let factor = if width > 0.0 { 1.0 / width } else { 0.0 };
        for score in scores {
            *score = ((f64::from(*score) - shift) * factor) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(scale: Scale, scores: &[f32]) -> Vec<f32> {
        let mut scores = scores.to_vec();
        scale.apply(&mut scores);
        scores
    }

    #[test]
    fn scores_have_the_mean_and_the_spread_or_the_ends_that_are_said() {
        let root = 1.5f32.sqrt();
        assert_eq!(scaled(Scale::ZScore, &[1.0, 2.0, 3.0]), [-root, 0.0, root]);
        assert_eq!(scaled(Scale::MinMax, &[2.0, -2.0, 0.0]), [1.0, 0.0, 0.5]);
        assert_eq!(scaled(Scale::Own, &[2.0, 7.0]), [2.0, 7.0]);
    }

    #[test]
    fn whoever_says_the_same_of_everything_says_nothing() {
        for scale in [Scale::ZScore, Scale::MinMax] {
            assert_eq!(scaled(scale, &[3.7; 1000]), [0.0; 1000]);
            assert_eq!(scaled(scale, &[]), [0.0; 0]);
        }
    }
}
