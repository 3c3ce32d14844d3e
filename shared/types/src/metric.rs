//! Names and definitions of the metrics: `rmse`, `ndcg@10`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::MAX_K;

/// What a metric measures. Its formula is in `recspeed-metrics`, one file a family; its definition in words is
/// [`MetricKind::definition`], which the page and the documentation show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetricKind {
    /// Root mean squared error of the predicted ratings.
    Rmse,
    /// Mean absolute error of the predicted ratings.
    Mae,
    /// Root mean squared error on the scale from 0 to 1.
    Nrmse,
    /// Mean absolute error on the scale from 0 to 1.
    Nmae,
    /// Root mean squared error of each user, averaged over users.
    UserRmse,
    /// Mean absolute error of each user, averaged over users.
    UserMae,
    /// Share of test ratings on the right side of the threshold.
    Accuracy,
    /// Area under the ROC curve.
    Auc,
    /// Logarithmic loss of predicted probabilities.
    LogLoss,
    /// Precision at k.
    Precision,
    /// Recall at k.
    Recall,
    /// Harmonic mean of precision and recall at k.
    F1,
    /// Hit rate at k.
    Hit,
    /// Normalised discounted cumulative gain at k.
    Ndcg,
    /// Mean average precision at k.
    Map,
    /// Mean reciprocal rank at k.
    Mrr,
    /// Item coverage at k.
    Coverage,
    /// Share of the items without rows before the test that are recommended at k.
    ColdCoverage,
    /// Mean popularity of the recommended items at k.
    MeanPopularity,
    /// How much more popular the recommended items are than the user's own, at k.
    PopularityLift,
    /// Self-information of the recommended items at k.
    Novelty,
    /// How different the items of a list are from each other, at k.
    Diversity,
    /// Relevant items that popularity would not have found, at k.
    Serendipity,
    /// Inequality of the items' numbers of recommendations at k.
    Gini,
}

/// Every kind, in the order that tables and help texts use.
pub const METRIC_KINDS: [MetricKind; 24] = [
    MetricKind::Rmse,
    MetricKind::Mae,
    MetricKind::Nrmse,
    MetricKind::Nmae,
    MetricKind::UserRmse,
    MetricKind::UserMae,
    MetricKind::Accuracy,
    MetricKind::Auc,
    MetricKind::LogLoss,
    MetricKind::Precision,
    MetricKind::Recall,
    MetricKind::F1,
    MetricKind::Hit,
    MetricKind::Ndcg,
    MetricKind::Map,
    MetricKind::Mrr,
    MetricKind::Coverage,
    MetricKind::ColdCoverage,
    MetricKind::MeanPopularity,
    MetricKind::PopularityLift,
    MetricKind::Novelty,
    MetricKind::Diversity,
    MetricKind::Serendipity,
    MetricKind::Gini,
];

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smaller ones.
    Lower,
    /// Larger ones.
    Higher,
    /// Neither: it describes.
    Neither,
}

impl MetricKind {
    /// The name as written in a spec, without `@k`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rmse => "rmse",
            Self::Mae => "mae",
            Self::Nrmse => "nrmse",
            Self::Nmae => "nmae",
            Self::UserRmse => "user-rmse",
            Self::UserMae => "user-mae",
            Self::Accuracy => "accuracy",
            Self::Auc => "auc",
            Self::LogLoss => "log-loss",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::F1 => "f1",
            Self::Hit => "hit",
            Self::Ndcg => "ndcg",
            Self::Map => "map",
            Self::Mrr => "mrr",
            Self::Coverage => "coverage",
            Self::ColdCoverage => "cold-coverage",
            Self::MeanPopularity => "mean-popularity",
            Self::PopularityLift => "popularity-lift",
            Self::Novelty => "novelty",
            Self::Diversity => "diversity",
            Self::Serendipity => "serendipity",
            Self::Gini => "gini",
        }
    }

    /// Whether the name carries a cut-off, as in `ndcg@10`: true for every metric of a ranked list.
    pub const fn at_k(self) -> bool {
        !matches!(
            self,
            Self::Rmse
                | Self::Mae
                | Self::Nrmse
                | Self::Nmae
                | Self::UserRmse
                | Self::UserMae
                | Self::Accuracy
                | Self::Auc
                | Self::LogLoss
        )
    }

    /// Whether it compares a prediction for each test row with the truth; the others need a ranking.
    pub const fn of_ratings(self) -> bool {
        !self.at_k()
    }

    /// Whether it needs predicted probabilities.
    pub const fn of_probabilities(self) -> bool {
        matches!(self, Self::LogLoss)
    }

    /// Whether it is a mean over users of one value for each user: those can be compared user by user.
    pub const fn per_user(self) -> bool {
        matches!(
            self,
            Self::UserRmse
                | Self::UserMae
                | Self::Precision
                | Self::Recall
                | Self::F1
                | Self::Hit
                | Self::Ndcg
                | Self::Map
                | Self::Mrr
                | Self::Novelty
                | Self::Diversity
                | Self::Serendipity
        )
    }

    /// Whether its definition keeps it between 0 and 1, both included. Errors over the range of the ratings are not: a
    /// prediction may lie outside that range.
    pub const fn is_fraction(self) -> bool {
        // Every kind is written out, so that a new one has to say it.
        match self {
            Self::Accuracy
            | Self::Auc
            | Self::Precision
            | Self::Recall
            | Self::F1
            | Self::Hit
            | Self::Ndcg
            | Self::Map
            | Self::Mrr
            | Self::Coverage
            | Self::ColdCoverage
            | Self::Diversity
            | Self::Serendipity
            | Self::Gini => true,
            Self::Rmse
            | Self::Mae
            | Self::Nrmse
            | Self::Nmae
            | Self::UserRmse
            | Self::UserMae
            | Self::LogLoss
            | Self::MeanPopularity
            | Self::PopularityLift
            | Self::Novelty => false,
        }
    }

    /// Which values are better.
    pub const fn direction(self) -> Direction {
        match self {
            Self::Rmse | Self::Mae | Self::Nrmse | Self::Nmae | Self::UserRmse | Self::UserMae | Self::LogLoss => {
                Direction::Lower
            }
            Self::Accuracy
            | Self::Auc
            | Self::Precision
            | Self::Recall
            | Self::F1
            | Self::Hit
            | Self::Ndcg
            | Self::Map
            | Self::Mrr
            | Self::Serendipity => Direction::Higher,
            Self::Coverage
            | Self::ColdCoverage
            | Self::MeanPopularity
            | Self::PopularityLift
            | Self::Novelty
            | Self::Diversity
            | Self::Gini => Direction::Neither,
        }
    }

    /// The definition, exact enough to recompute it.
    pub const fn definition(self) -> &'static str {
        match self {
            Self::Rmse => "√(mean over all test ratings of (predicted − true)²), in stars.",
            Self::Mae => "Mean over all test ratings of |predicted − true|, in stars.",
            Self::Nrmse => "rmse divided by the range of the training ratings: the error on the scale from 0 to 1.",
            Self::Nmae => "mae divided by the range of the training ratings: the error on the scale from 0 to 1.",
            Self::UserRmse => "rmse over each user's own test ratings; mean over the users with test ratings.",
            Self::UserMae => "mae over each user's own test ratings; mean over the users with test ratings.",
            Self::Accuracy => {
                "Share of test ratings where predicted ≥ threshold exactly when true ≥ threshold (4 stars unless set)."
            }
            Self::Auc => {
                "Chance that a test rating of at least the threshold got a higher prediction than one below it; equal predictions count half."
            }
            Self::LogLoss => {
                "−mean over all test ratings of ln p when the rating is at least the threshold, of ln(1 − p) when not; p is kept between 1e-7 and 1 − 1e-7."
            }
            Self::Precision => "Relevant items among the first k, divided by k; mean over the evaluated users.",
            Self::Recall => {
                "Relevant items among the first k, divided by the user's relevant items; mean over the evaluated users."
            }
            Self::F1 => {
                "2·precision·recall / (precision + recall) of each user's first k, 0 without a relevant item; mean over the evaluated users."
            }
            Self::Hit => "1 when at least one of the first k is relevant, else 0; mean over the evaluated users.",
            Self::Ndcg => {
                "Σ rel_r / log2(r + 1) over the ranks r ≤ k, divided by the best value possible with the user's relevant items; mean over the evaluated users."
            }
            Self::Map => {
                "Σ over the ranks r ≤ k that hold a relevant item of precision@r, divided by k; mean over the evaluated users."
            }
            Self::Mrr => "1 / rank of the first relevant item, 0 when it lies beyond k; mean over the evaluated users.",
            Self::Coverage => "Distinct items recommended to anybody, divided by the items of the candidate set.",
            Self::ColdCoverage => {
                "Distinct items without a row before the test recommended to anybody, divided by all such items; 0 where candidates leave them out (unseen, all)."
            }
            Self::MeanPopularity => {
                "Mean number of training interactions of the recommended items, over all places of all lists."
            }
            Self::PopularityLift => {
                "Mean over the evaluated users with training rows of the mean training interactions of their first k, divided by the mean over them of that of their own training items, minus 1 (ΔGAP)."
            }
            Self::Novelty => {
                "Mean over the first k of −log2(share of the training users who have the item, at least one); mean over the evaluated users."
            }
            Self::Diversity => {
                "Mean over the pairs of the first k of 1 − cosine of the items' training users; mean over the evaluated users with two items or more."
            }
            Self::Serendipity => {
                "Relevant items among the first k that are not among the k most popular candidates of that user, divided by k; mean over the evaluated users."
            }
            Self::Gini => {
                "Gini index of the number of lists that hold each candidate item in the first k: 0 when all are shown equally often, near 1 when few take all places."
            }
        }
    }
}

/// A metric with its cut-off: `rmse`, `ndcg@10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricName {
    /// What it measures.
    pub kind: MetricKind,
    /// The cut-off; `None` exactly for the metrics of ratings.
    pub k: Option<u32>,
}

impl MetricName {
    /// A metric of ratings.
    ///
    /// # Panics
    /// When `kind` needs a cut-off: a mistake in the program, not in its input.
    pub const fn plain(kind: MetricKind) -> Self {
        assert!(!kind.at_k(), "this metric needs a cut-off");
        Self { kind, k: None }
    }

    /// A metric of rankings at `k`.
    ///
    /// # Panics
    /// When `kind` takes no cut-off: a mistake in the program, not in its input.
    pub const fn at(kind: MetricKind, k: u32) -> Self {
        assert!(kind.at_k(), "this metric takes no cut-off");
        Self { kind, k: Some(k) }
    }
}

impl MetricName {
    /// The metric that compares two methods user by user where this one is asked for: itself where it is a mean over users, the
    /// user's own error for an error over all ratings, none for the others.
    pub const fn of_users(self) -> Option<Self> {
        match self.kind {
            kind if kind.per_user() => Some(self),
            MetricKind::Rmse | MetricKind::Nrmse => Some(Self::plain(MetricKind::UserRmse)),
            MetricKind::Mae | MetricKind::Nmae => Some(Self::plain(MetricKind::UserMae)),
            _ => None,
        }
    }
}

impl MetricName {
    /// Whether it is a distance between predictions and ratings, and so in their unit.
    pub const fn is_error(self) -> bool {
        matches!(
            self.kind,
            MetricKind::Rmse
                | MetricKind::Mae
                | MetricKind::Nrmse
                | MetricKind::Nmae
                | MetricKind::UserRmse
                | MetricKind::UserMae
        )
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.k {
            Some(k) => write!(f, "{}@{k}", self.kind.as_str()),
            None => f.write_str(self.kind.as_str()),
        }
    }
}

/// A metric name that the lab does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricNameError {
    /// No metric has this name.
    #[error("no metric is called `{given}`; known: {}", known())]
    Unknown {
        /// What was given.
        given: String,
    },
    /// The cut-off is missing, zero, too large or no number.
    #[error("`{given}` needs a cut-off from 1 to {MAX_K}, as in `{kind}@10`")]
    Cutoff {
        /// What was given.
        given: String,
        /// The metric.
        kind: &'static str,
    },
    /// The metric takes no cut-off.
    #[error("`{given}`: {kind} takes no cut-off; write `{kind}`")]
    NoCutoff {
        /// What was given.
        given: String,
        /// The metric.
        kind: &'static str,
    },
}

fn known() -> String {
    METRIC_KINDS
        .iter()
        .map(|m| if m.at_k() { format!("{}@k", m.as_str()) } else { m.as_str().to_owned() })
        .collect::<Vec<_>>()
        .join(", ")
}

impl FromStr for MetricName {
    type Err = MetricNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let given: String = text.chars().take(64).collect();
        let (name, cutoff) = match text.split_once('@') {
            Some((name, k)) => (name, Some(k)),
            None => (text, None),
        };
        // The names that other libraries print for the same definition.
        let name = match name {
            "hit-rate" | "hr" => "hit",
            other => other,
        };
        let Some(kind) = METRIC_KINDS.into_iter().find(|m| m.as_str() == name) else {
            return Err(MetricNameError::Unknown { given });
        };
        match (kind.at_k(), cutoff) {
            (false, None) => Ok(Self { kind, k: None }),
            (false, Some(_)) => Err(MetricNameError::NoCutoff { given, kind: kind.as_str() }),
            (true, cutoff) => match cutoff.and_then(|k| k.parse::<u32>().ok()) {
                Some(k @ 1..=MAX_K) => Ok(Self { kind, k: Some(k) }),
                _ => Err(MetricNameError::Cutoff { given, kind: kind.as_str() }),
            },
        }
    }
}

impl Serialize for MetricName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MetricName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for MetricName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MetricName".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (at_k, plain): (Vec<_>, Vec<_>) = METRIC_KINDS.iter().partition(|m| m.at_k());
        let names = |list: Vec<&MetricKind>| list.iter().map(|m| m.as_str()).collect::<Vec<_>>().join("|");
        schemars::json_schema!({
            "type": "string",
            "description": "A metric, with its cut-off where it has one: rmse, ndcg@10.",
            "pattern": format!("^(({})|({}|hit-rate|hr)@[1-9][0-9]{{0,3}})$", names(plain), names(at_k)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["rmse", "mae", "accuracy", "ndcg@10", "hit@1", "mean-popularity@1000", "coverage@20"] {
            assert_eq!(name.parse::<MetricName>().unwrap().to_string(), name);
        }
        assert_eq!("hr@5".parse::<MetricName>().unwrap().to_string(), "hit@5");
    }

    #[test]
    fn wrong_names_say_what_is_allowed() {
        let message = |text: &str| text.parse::<MetricName>().unwrap_err().to_string();
        assert!(message("ndgc@10").starts_with("no metric is called `ndgc@10`; known: rmse, mae"));
        assert_eq!(message("ndcg"), "`ndcg` needs a cut-off from 1 to 1000, as in `ndcg@10`");
        assert_eq!(message("ndcg@0"), "`ndcg@0` needs a cut-off from 1 to 1000, as in `ndcg@10`");
        assert_eq!(message("rmse@5"), "`rmse@5`: rmse takes no cut-off; write `rmse`");
    }
}
