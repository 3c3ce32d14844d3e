//! The result of a comparison: several recommenders on the same data, with several seeds, tested user by user.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Mode;
use crate::event::{MeasuredOn, RunId};
use crate::summary::{DataInfo, EvaluationInfo};

/// A comparison of recommenders on the same test rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// What all of them ran on.
    pub data: DataInfo,
    /// How the metrics came about; the tie share is that of the first run, and the global mean and the baselines have
    /// what all runs that tell it agree on, be the first among them or not.
    pub evaluation: EvaluationInfo,
    /// The recommenders, in the order in which they were given.
    pub methods: Vec<ComparedMethod>,
    /// Every pair, by every metric that has a value for each user.
    pub tests: Vec<PairedTest>,
    /// How the tests were made.
    pub procedure: Procedure,
    /// Recommenders whose run failed; they are not among `methods`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedMethod>,
    /// What to know before the numbers are set beside each other, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One recommender with its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComparedMethod {
    /// What to call it: unlike every other name of the comparison.
    pub name: String,
    /// Its entry of the catalogue.
    pub kind: String,
    /// Seeds of its runs; one where the method does not depend on the seed.
    pub seeds: Vec<u64>,
    /// Whether it depends on the seed at all.
    pub random: bool,
    /// What its runs promise of being run again: the weakest of their promises. Absent in comparisons of before it was told: then nobody
    /// knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// By metric name, what the runs gave.
    pub metrics: BTreeMap<String, Spread>,
    /// Seconds of training.
    pub fit_s: Spread,
    /// Most bytes that the process held.
    pub peak_bytes: u64,
    /// Median milliseconds of one user's list; absent where nothing was ranked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_ms: Option<f64>,
}

/// The values of several runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with `n − 1`; absent for a single run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<f64>,
    /// One for each seed.
    pub values: Vec<f64>,
}

/// Two recommenders by one metric, user by user; each user's value is the mean over the seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PairedTest {
    /// The metric.
    pub metric: String,
    /// Place of the first recommender in `methods`.
    pub left: usize,
    /// Place of the second.
    pub right: usize,
    /// Users with a value under both.
    pub users: u64,
    /// Mean of left − right over those users.
    pub difference: f64,
    /// Interval of the mean difference, by bootstrap.
    pub interval: [f64; 2],
    /// Interval of the mean difference, by the t distribution.
    pub t_interval: [f64; 2],
    /// Users for whom the left value is larger.
    pub left_larger: u64,
    /// Users for whom the right value is larger.
    pub right_larger: u64,
    /// Cohen's d of pairs; absent where every user differs by the same amount.
    pub cohens_d: Option<f64>,
    /// Hedges' g of pairs; absent as `cohens_d` is, and for two users.
    pub hedges_g: Option<f64>,
    /// Two-sided p-value of the paired t test.
    pub p_t: f64,
    /// The same after Holm's correction over all tests of the comparison.
    pub p_t_holm: f64,
    /// Two-sided p-value of the randomization test.
    pub p_randomization: f64,
    /// The same after Holm's correction over all tests of the comparison.
    pub p_randomization_holm: f64,
    /// Whether the randomization test looked at every assignment of signs.
    pub exact: bool,
}

/// Draws for each test of a comparison: the smallest corrected p is then 1/40, half of what 5 % asks for.
const DRAWS_PER_TEST: u32 = 40;

/// How the tests of a comparison were made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Procedure {
    /// Level of the intervals.
    pub level: f64,
    /// Resamples of each bootstrap.
    pub resamples: u32,
    /// Assignments of signs drawn where not all were looked at.
    pub draws: u32,
    /// Seed of both.
    pub seed: u64,
}

impl Procedure {
    /// With as many draws as so many tests take: Holm's correction multiplies the smallest p of the draws by the number of tests,
    /// so that with fewer no difference, however large, could be shown at 5 %.
    #[must_use]
    pub const fn with_enough_draws(self, tests: usize) -> Self {
        let enough = (DRAWS_PER_TEST as usize).saturating_mul(tests).saturating_sub(1);
        let enough = if enough > u32::MAX as usize - 1 { u32::MAX - 1 } else { enough as u32 };
        Self { draws: if enough > self.draws { enough } else { self.draws }, ..self }
    }

    /// The smallest corrected p that the draws can show.
    pub fn floor(&self, tests: usize) -> f64 {
        (tests as f64 / (f64::from(self.draws) + 1.0)).min(1.0)
    }
}

impl Default for Procedure {
    fn default() -> Self {
        Self { level: 0.95, resamples: 2000, draws: 9999, seed: 42 }
    }
}

/// A recommender whose run did not finish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailedMethod {
    /// What it is called.
    pub name: String,
    /// The seed of the run.
    pub seed: u64,
    /// Why, as the run told it.
    pub cause: String,
}

/// Stored runs side by side: `GET /api/comparison`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunComparison {
    /// The methods; the first one is what the others are held against.
    pub methods: Vec<ComparedRuns>,
    /// Names of the metrics that any of them has, in the order of their specs.
    pub metrics: Vec<String>,
    /// Paths of the spec in which the methods differ, without those that decide the rows.
    pub settings: Vec<String>,
    /// Why some numbers do not stand side by side, a sentence each.
    pub warnings: Vec<String>,
    /// Their curves, thinned.
    pub curves: Vec<ComparedCurve>,
    /// Runs that were named and have no result.
    pub left_out: Vec<LeftOut>,
    /// By metric name, what the global mean gets on the rows of the first method; without the metrics of which the
    /// methods there tell unlike values, as of stars and of probabilities.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub of_the_mean: BTreeMap<String, f64>,
    /// By kind and metric name, what the baselines get there that the results of the methods carry, under the same
    /// terms; of errors none where some methods err in stars and others by likes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baselines: BTreeMap<String, BTreeMap<String, f64>>,
}

/// The runs of one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComparedRuns {
    /// Its name and numbers.
    #[serde(flatten)]
    pub method: ComparedMethod,
    /// The runs, one for each seed.
    pub runs: Vec<RunId>,
    /// What its spec says at each of the comparison's `settings`; empty where it says nothing.
    pub settings: Vec<String>,
    /// Whether it was measured on the same rows as the first method.
    pub same_rows: bool,
    /// Whether its errors are on the scale, stars or probabilities, of those of the first method that has any; true of
    /// one without errors.
    pub same_scale: bool,
}

/// One curve of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComparedCurve {
    /// Place of its method in `methods`.
    pub method: usize,
    /// The run.
    pub run: RunId,
    /// What is drawn, as `loss`.
    pub name: String,
    /// The rows that it was measured on.
    pub split: MeasuredOn,
    /// The points, in order.
    pub points: Vec<CurvePoint>,
}

/// One number on a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CurvePoint {
    /// Steps or iterations so far.
    pub step: u64,
    /// Epochs so far.
    pub epoch: f64,
    /// The number.
    pub value: f64,
}

/// A run that a comparison cannot show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// The run.
    pub run: RunId,
    /// Why, as `is gone`.
    pub why: String,
}

/// Every method of a comparison tested against the first: `GET /api/comparison/tests`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunTests {
    /// The tests; `left` is the method, `right` the first one.
    pub tests: Vec<PairedTest>,
    /// How they were made.
    pub procedure: Procedure,
    /// What was not tested and why, a sentence each.
    pub untested: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_many_tests_the_draws_can_still_show_a_difference() {
        let usual = Procedure::default();
        assert_eq!(usual.with_enough_draws(10), usual);
        // 9,999 draws and 600 tests: the smallest corrected p would be .06.
        assert!(usual.floor(600) > 0.05);
        let more = usual.with_enough_draws(600);
        assert_eq!((more.draws, more.floor(600)), (23_999, 0.025));
    }
}
