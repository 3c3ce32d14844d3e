//! What a fitted model loses when it is asked with an attribute that tells nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Permutation importance of one feature by one metric: the quality that the fitted model loses when the feature's values are
/// dealt out anew among those it is asked about. Nothing is learnt again. Source: Breiman, "Random Forests",
/// doi:10.1023/A:1010933404324, section 10.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Importance {
    /// The feature, as `items.category` or `time`.
    pub feature: String,
    /// The metric, as `ndcg@10`.
    pub metric: String,
    /// Mean loss of quality: positive where the model answers worse without the true values, whichever way the metric goes.
    pub mean: f64,
    /// Standard deviation of the losses, with `n − 1`; absent for one repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<f64>,
    /// The loss of each repeat.
    pub losses: Vec<f64>,
}

/// What asking a stored model again gives: `recspeed importance --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredImportance {
    /// The model's metrics with every feature as it is: those of its run.
    pub metrics: BTreeMap<String, f64>,
    /// What each feature is worth.
    pub importance: Vec<Importance>,
    /// Why a feature that was asked for has none, a sentence each.
    pub warnings: Vec<String>,
}

impl Importance {
    /// Of the losses of some repeats.
    pub fn new(feature: String, metric: String, losses: Vec<f64>) -> Self {
        let n = losses.len() as f64;
        let mean = losses.iter().sum::<f64>() / n.max(1.0) + 0.0;
        let squares: f64 = losses.iter().map(|loss| (loss - mean).powi(2)).sum();
        let sd = (losses.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
        Self { feature, metric, mean, sd, losses }
    }

    /// The same features and metrics measured in several runs, their repeats put together; in the order of the first run.
    pub fn together<'a>(runs: impl IntoIterator<Item = &'a [Self]>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for one in runs.into_iter().flatten() {
            match all.iter_mut().find(|known| (&known.feature, &known.metric) == (&one.feature, &one.metric)) {
                Some(known) => known.losses.extend(&one.losses),
                None => all.push(one.clone()),
            }
        }
        all.into_iter().map(|one| Self::new(one.feature, one.metric, one.losses)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_of_several_runs_are_one_mean_and_one_deviation() {
        let of = |feature: &str, losses: &[f64]| Importance::new(feature.into(), "rmse".into(), losses.to_vec());
        let one = of("time", &[0.5]);
        assert_eq!((one.mean, one.sd), (0.5, None));
        let runs = [vec![one, of("user", &[1.0])], vec![of("time", &[1.5])]];
        let all = Importance::together(runs.iter().map(Vec::as_slice));
        assert_eq!(all, [of("time", &[0.5, 1.5]), of("user", &[1.0])]);
        assert_eq!((all[0].mean, all[0].sd), (1.0, Some(0.5f64.sqrt())));
    }
}
