//! `[evaluation]`: what is measured, on whom, among which candidates.

use serde::{Deserialize, Serialize};

use super::Problems;
use super::recommender::{RecommenderSpec, ResolvedRecommender};
use crate::catalogue::Predicts;
use crate::limits::{LIKED_FROM, MAX_DRAWN, MAX_METRICS};
use crate::metric::{Direction, MetricKind, MetricName};

/// `[evaluation]` as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EvaluationSpec {
    /// The metrics; each name once. Left out: rmse and mae for recommenders that predict ratings, ndcg, hit, recall and
    /// coverage at 10 for the others.
    #[serde(default)]
    pub metrics: Vec<MetricName>,
    /// The items among which each user's list is ranked.
    #[serde(default)]
    pub candidates: Candidates,
    /// A rating at or above it counts as liked, for `accuracy`.
    #[serde(default = "default_threshold")]
    pub threshold: f64,
    /// Rank for at most this many users, drawn by the seed (all unless set). The result says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_users: Option<u64>,
    /// Rank each user's test items among this many candidates, drawn by the data seed, and not among all: how many papers measured. It
    /// flatters, and the result says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<u64>,
    /// The rows that are measured on (the test rows unless set). A search for parameters measures on the validation rows.
    #[serde(default, skip_serializing_if = "EvaluateOn::is_test")]
    pub on: EvaluateOn,
}

/// The held-out rows that a recommender is measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EvaluateOn {
    /// The rows held out to the end.
    #[default]
    Test,
    /// The rows held out to steer the training; the test rows are left out of everything, and the recommender learns from the
    /// training rows alone.
    Validation,
}

impl EvaluateOn {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_test(&self) -> bool {
        *self == Self::Test
    }
}

/// The candidate set: every item with a row before the test, in training or validation (full ranking), less what this names;
/// or every item of the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Candidates {
    /// Without the items that the user has in training or validation.
    #[default]
    Unseen,
    /// With them.
    All,
    /// Every item of the data set, those that nobody rated before the test too, without the user's own: what methods that
    /// know items by their attributes are for.
    UnseenAndCold,
    /// Only items that nobody rated before the test: how well what is new is put in order.
    Cold,
}

impl Candidates {
    /// Every candidate set.
    pub const EVERY: [Self; 4] = [Self::Unseen, Self::All, Self::UnseenAndCold, Self::Cold];

    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            Self::All => "all",
            Self::UnseenAndCold => "unseen-and-cold",
            Self::Cold => "cold",
        }
    }

    /// In words, for a result that is measured on these rows: before the validation rows nothing but the training rows is known.
    pub const fn describe(self, on: EvaluateOn) -> &'static str {
        match (self, on) {
            (Self::Unseen, EvaluateOn::Test) => {
                "full ranking over all items with training or validation rows, less the user's own"
            }
            (Self::Unseen, EvaluateOn::Validation) => {
                "full ranking over all items with training rows, less the user's own"
            }
            (Self::All, EvaluateOn::Test) => {
                "full ranking over all items with training or validation rows, the user's own included"
            }
            (Self::All, EvaluateOn::Validation) => {
                "full ranking over all items with training rows, the user's own included"
            }
            (Self::UnseenAndCold, EvaluateOn::Test) => {
                "full ranking over all items of the data set, items without rows before the test too, less the user's own"
            }
            (Self::UnseenAndCold, EvaluateOn::Validation) => {
                "full ranking over all items of the data set, items without training rows too, less the user's own"
            }
            (Self::Cold, EvaluateOn::Test) => "ranking over the items without rows before the test only",
            (Self::Cold, EvaluateOn::Validation) => "ranking over the items without training rows only",
        }
    }
}

fn default_metrics() -> Vec<MetricName> {
    vec![MetricName::plain(MetricKind::Rmse), MetricName::plain(MetricKind::Mae)]
}

/// The metrics of a spec that names none.
fn metrics_of_lists() -> Vec<MetricName> {
    [MetricKind::Ndcg, MetricKind::Hit, MetricKind::Recall, MetricKind::Coverage]
        .map(|kind| MetricName::at(kind, 10))
        .into()
}

const fn default_threshold() -> f64 {
    4.0
}

impl Default for EvaluationSpec {
    fn default() -> Self {
        Self {
            metrics: default_metrics(),
            candidates: Candidates::default(),
            threshold: default_threshold(),
            max_users: None,
            sampled: None,
            on: EvaluateOn::default(),
        }
    }
}

impl EvaluationSpec {
    /// As a document without the section means it: the metrics are still to be chosen.
    pub(crate) fn unset() -> Self {
        Self { metrics: Vec::new(), ..Self::default() }
    }

    /// Chooses the metrics of a document that names none by what the recommender predicts.
    pub(crate) fn choose_metrics(&mut self, recommender: &RecommenderSpec) {
        if self.metrics.is_empty() {
            let scores = recommender.predicts() == Some(Predicts::Scores);
            self.metrics = if scores { metrics_of_lists() } else { default_metrics() };
            if self.sampled.is_some() {
                self.metrics.retain(|metric| metric.kind != MetricKind::Coverage);
            }
        }
    }

    pub(crate) fn check(
        &self,
        recommender: Option<&ResolvedRecommender>,
        has_validation: bool,
        problems: &mut Problems,
    ) {
        if self.metrics.is_empty() || self.metrics.len() > MAX_METRICS {
            problems.add(
                "evaluation.metrics",
                format!(
                    "has {} names; allowed: 1 to {MAX_METRICS}, as [\"rmse\", \"ndcg@10\"], or leave it out for the usual ones",
                    self.metrics.len()
                ),
            );
        }
        for (index, metric) in self.metrics.iter().enumerate() {
            let path = format!("evaluation.metrics[{index}]");
            if self.metrics[..index].contains(metric) {
                problems.add(path, format!("repeats `{metric}`; name each metric once"));
            } else if metric.kind == MetricKind::Diversity && metric.k == Some(1) {
                problems.add(path, "is `diversity@1`, but a list of one item has no pairs; ask for two places or more");
            } else if let Some(recommender) = recommender
                && metric.kind.of_ratings()
                && !recommender.predicts().has_ratings()
            {
                let message = format!(
                    "is `{metric}`, but `{}` gives scores, not ratings; choose metrics at k, as ndcg@10",
                    recommender.entry.kind
                );
                problems.add(path, message);
            } else if let Some(recommender) = recommender
                && metric.kind.of_probabilities()
                && !recommender.predicts().has_probabilities()
            {
                let message = format!(
                    "is `{metric}`, but `{}` gives {}, not probabilities; choose accuracy or auc",
                    recommender.entry.kind,
                    recommender.predicts().as_str()
                );
                problems.add(path, message);
            }
        }
        if self.on == EvaluateOn::Validation && !has_validation {
            problems.add(
                "evaluation.on",
                "is `validation`, but no rows are held out for it; set split.validation_ratio (or split.validation with leave-last-out)",
            );
        }
        problems.range("evaluation.threshold", self.threshold, LIKED_FROM.0, LIKED_FROM.1);
        if let Some(users) = self.max_users {
            problems.range("evaluation.max_users", users, 1, u64::from(MAX_DRAWN));
        }
        if let Some(items) = self.sampled {
            problems.range("evaluation.sampled", items, 1, u64::from(MAX_DRAWN));
            let describes = |metric: &&MetricName| metric.kind.at_k() && metric.kind.direction() == Direction::Neither;
            // What a number that is impossible goes with follows from nothing.
            let possible = (1..=u64::from(MAX_DRAWN)).contains(&items);
            if let Some(metric) = self.metrics.iter().find(describes).filter(|_| possible) {
                let message = format!(
                    "is {items}, but `{metric}` describes lists among all items; leave it out of evaluation.metrics, or rank in full"
                );
                problems.add("evaluation.sampled", message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_validation_rows_candidates_are_told_by_the_training_rows_alone() {
        for candidates in Candidates::EVERY {
            let [test, validation] = [EvaluateOn::Test, EvaluateOn::Validation].map(|on| candidates.describe(on));
            assert_ne!(test, validation);
            assert!(!test.contains("training rows"), "{test}");
            assert!(validation.contains("training rows"), "{validation}");
            assert!(!validation.contains("validation") && !validation.contains("before the test"), "{validation}");
        }
    }
}
