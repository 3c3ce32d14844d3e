//! The result of a run.

mod precision;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{MemoryBytes, RunId};
use crate::spec::EvaluateOn;
use crate::{Importance, Mode};

pub use precision::MatrixPrecision;

/// The result of a run, and what must be known to trust and repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// How it ended; always `finished` in a summary that a worker sends.
    pub status: SummaryStatus,
    /// Value by metric name, as `rmse` and `ndcg@10`; every value is finite.
    pub metrics: BTreeMap<String, f64>,
    /// Seconds of each part.
    pub timing: Timing,
    /// Bytes held at the end, and the peak, before baselines were fitted beside the method. Gradients, the optimizer's state and activations
    /// are what the training of a network held at most, each by itself: of one device as it was counted before the first step, of ranks as
    /// the first one counted it.
    pub memory: MemoryBytes,
    /// What ran it.
    pub engine: EngineInfo,
    /// What it ran on.
    pub data: DataInfo,
    /// How the metrics came about.
    pub evaluation: EvaluationInfo,
    /// The same metrics for groups of users and items: who is served well, and who is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakdowns: Vec<Breakdown>,
    /// What the fitted model loses where features that `features.permute` names tell nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub importance: Vec<Importance>,
    /// Epochs or iterations trained, and where the best one lay; absent for methods without iterations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingInfo>,
    /// The seed of everything random.
    pub seed: u64,
    /// Whether running the spec again gives the same bits. Absent in results of before engines and devices were told
    /// apart, unless threads raced: [`Self::mode`] says it of these too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Warnings given on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl RunSummary {
    /// Whether lists were ranked.
    pub fn has_lists(&self) -> bool {
        self.metrics.keys().any(|name| name.contains('@'))
    }

    /// What it promises of being run again; of an older result, what its engine promises.
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or_else(|| Mode::of_engine(&self.engine))
    }

    /// Whether predictions of test rows were compared with the truth.
    pub fn has_errors(&self) -> bool {
        self.metrics.keys().any(|name| !name.contains('@'))
    }
}

/// How a summarised run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SummaryStatus {
    /// It did all that it was asked to.
    Finished,
}

/// Wall-clock seconds of each part of a run. None of them holds those of baselines, which have a span of their own,
/// `baselines`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timing {
    /// Reading or making the data, and splitting it.
    pub load_s: f64,
    /// Training.
    pub fit_s: f64,
    /// Measuring: predictions, rankings and metrics; in results of which [`Self::evaluate_has_lists`] is true also the
    /// timing of single lists.
    pub evaluate_s: f64,
    /// Starting another framework, handing the data over and taking the model back, which do not count as training;
    /// absent where none was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_s: Option<f64>,
    /// How long one user waits for ten items; absent where nothing was ranked. To time it is no part of the measuring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommend: Option<Latency>,
}

impl Timing {
    /// Whether the seconds of measuring hold those of timing single lists, as they did before the threads of these were
    /// told.
    pub fn evaluate_has_lists(&self) -> bool {
        self.recommend.is_some_and(|latency| latency.threads.is_none())
    }
}

/// Wall-clock milliseconds from asking for one user's list to having it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Latency {
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Lists that were timed, one after another.
    pub lists: u32,
    /// Threads that the work of a list could be shared among; absent in results of before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
}

impl Latency {
    /// What it was measured over, in words: `200 lists, one after another, on up to 2 threads`.
    pub fn measured_over(&self) -> String {
        let lists = match self.lists {
            1 => "1 list".to_owned(),
            lists => format!("{lists} lists, one after another"),
        };
        match self.threads {
            None => lists,
            Some(1) => format!("{lists}, on 1 thread"),
            Some(threads) => format!("{lists}, on up to {threads} threads"),
        }
    }
}

/// Metrics of groups that together are everybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Breakdown {
    /// What the groups differ in.
    pub by: BreakdownBy,
    /// The groups in their natural order; empty ones are left out.
    pub groups: Vec<Group>,
}

impl Breakdown {
    /// Whether lists were made for fewer than are in the groups: then both numbers have to be shown.
    pub fn ranks_fewer(&self) -> bool {
        let fewer =
            |group: &Group| group.ranked.is_some_and(|ranked| (ranked.users, ranked.rows) != (group.users, group.rows));
        self.groups.iter().any(fewer)
    }

    /// Of tenths by popularity, why some are not among the groups; `None` where all are, and of other groups.
    pub fn missing_tenths(&self) -> Option<String> {
        let has = |tenth: &u32| {
            let name = format!("tenth {tenth}");
            // The first has a name of its own.
            let is_it = |group: &Group| group.name == name || (*tenth == 1 && group.name.starts_with("most popular"));
            self.groups.iter().any(is_it)
        };
        let missing: Vec<String> = (1..=10).filter(|tenth| !has(tenth)).map(|tenth| tenth.to_string()).collect();
        let (last, others) = missing.split_last().filter(|_| self.by == BreakdownBy::ItemPopularity)?;
        let (named, have) = match others {
            [] => (format!("tenth {last}"), "has no items of its own"),
            others => (format!("tenths {} and {last}", others.join(", ")), "have no items of their own"),
        };
        Some(format!(
            "No row is missing: items that are equally popular stay together in the first tenth that they reach, so {named} {have}, or none with test rows."
        ))
    }
}

/// What the groups of a breakdown differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BreakdownBy {
    /// The user's number of rows before the test; an item counts as often as the user has a row of it. Metrics at k are
    /// means over the group's users who were ranked for.
    UserActivity,
    /// The test item's popularity before the test: tenths of the known items, the most popular ones first. `rows-found@k`
    /// is the share of the group's test rows, of those that were looked for, that their users' first k hold.
    ItemPopularity,
    /// Whether user and item have a row before the test, measured as for `item-popularity`.
    ColdStart,
}

impl BreakdownBy {
    /// In words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::UserActivity => "By the user's rows before the test",
            Self::ItemPopularity => "By the item's popularity",
            Self::ColdStart => "Cold and warm",
        }
    }
}

/// One group of a breakdown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Group {
    /// Its name, as `5 to 19 ratings`, or `5 to 19 rows` of data without ratings.
    pub name: String,
    /// Users with test rows in it.
    pub users: u64,
    /// Test rows in it.
    pub rows: u64,
    /// What metrics at k were measured on; absent where nothing was ranked, and in results of before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranked: Option<RankedFor>,
    /// Value by metric name.
    pub metrics: BTreeMap<String, f64>,
}

/// Of a group, what lists were made for: fewer than are in it where users were drawn, or rows of known items left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RankedFor {
    /// Users of the group who were ranked for; of a group of rows, those with a row that was looked for.
    pub users: u64,
    /// Test rows of the group whose item was looked for in a list.
    pub rows: u64,
}

/// What ran an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EngineInfo {
    /// The engine, as in the spec.
    pub kind: String,
    /// The device, as in the spec.
    pub device: String,
    /// Name and version of each part that computes.
    pub versions: BTreeMap<String, String>,
    /// Operating system, processor and cores, or the browser.
    pub host: String,
    /// Threads it used.
    pub threads: u32,
    /// How it multiplies matrices; unknown of runs that were made before this was told, and of another framework until it has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<MatrixPrecision>,
}

/// What an experiment ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DataInfo {
    /// Name of the data set.
    pub name: String,
    /// Distinct users after the filters.
    pub users: u64,
    /// Distinct items after the filters.
    pub items: u64,
    /// Rows to learn from.
    pub train: u64,
    /// Rows held out to steer the training.
    pub validation: u64,
    /// Rows held out to the end.
    pub test: u64,
    /// Lines of the file that were skipped.
    pub bad_lines: u64,
    /// SHA-256 of the file's bytes, or of the columns of generated data; hexadecimal.
    pub sha256: String,
    /// Whether the rows were made up from a seed.
    pub synthetic: bool,
    /// Measured rows older than the newest row of the same user that was learnt from; absent without timestamps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaks: Option<u64>,
}

/// How the metrics came about: the part of a result that people forget to print.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EvaluationInfo {
    /// The rows that were measured on; `test` counts below are theirs.
    #[serde(default)]
    pub on: EvaluateOn,
    /// The candidate set in words.
    pub candidates: String,
    /// Items in the candidate set before a user's own are taken out.
    pub candidate_items: u64,
    /// Users with at least one test row.
    pub test_users: u64,
    /// Users that the ranking metrics were measured on.
    pub evaluated_users: u64,
    /// Whether `evaluated_users` were drawn by the seed from the test users, without those left out.
    pub sampled_users: bool,
    /// Test rows that rankings leave out: with cold candidates, those of items that are not cold.
    #[serde(default)]
    pub left_out_rows: u64,
    /// Test users without any other row.
    #[serde(default)]
    pub left_out_users: u64,
    /// Test users without any training row; they are ranked by what the method does for cold users.
    pub cold_users: u64,
    /// Test rows whose item has no training row: no full ranking can find them.
    pub cold_item_rows: u64,
    /// Test rows whose user had the item before the test: no list without the user's own items can hold them, and they count as not found.
    #[serde(default)]
    pub repeated_rows: u64,
    /// The tie rule in words.
    pub tie_rule: String,
    /// Share of the lists whose last place was decided by the tie rule; 0 where no ranking was made.
    pub tie_share: f64,
    /// The scale of rating errors: `stars`.
    pub rating_scale: String,
    /// What one number for everybody and everything gets on the same rows by the same code: the mean of the ratings that were learnt from, or
    /// of likes (1) and others (0) where those are predicted. Of the metrics, those that such a number has: `rmse`, `mae`, `nrmse`, `nmae` and
    /// `accuracy`; empty where none was asked for, and in results of before this was told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub of_the_mean: BTreeMap<String, f64>,
    /// What baselines with the catalogue's defaults, learnt from the same rows, get on the same rows by the same code,
    /// by kind and metric. `bias` has all metrics of predictions that the result has, beside methods that predict
    /// ratings and are no baselines themselves; `popularity` has `precision`, `recall`, `f1`, `hit`, `ndcg`, `map` and
    /// `mrr` at every cut-off of the result, for the same users and among the same candidates, beside every method that
    /// ranks but `popularity` itself. Metrics that a baseline could not be given are left out, with a warning in the
    /// result. Empty where neither is due, where `features.shuffle` dealt out inputs anew, where the host wanted none,
    /// as for the trials of a search and the runs of a study, and in results of before this was told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baselines: BTreeMap<String, BTreeMap<String, f64>>,
}

/// How the training went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrainingInfo {
    /// Epochs or iterations taken.
    pub epochs: u32,
    /// Optimizer steps taken.
    pub steps: u64,
    /// Mean training loss of the last epoch.
    pub final_loss: f64,
    /// Epoch (from 1) with the best validation value; absent without validation rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<u32>,
    /// Whether early stopping ended it.
    pub stopped_early: bool,
    /// Learnt parameters.
    pub parameters: u64,
    /// What it began with, as whoever trained has read it. Absent where nobody tells: of networks that no other framework trains,
    /// of a training that went on from a checkpoint, and in results of before this was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
}

/// What a training began with: two digests of 64 bits, each in 16 hexadecimal digits. They find accidents, not attacks. Of two trainings
/// that shall differ in nothing but who computes, both are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Begun {
    /// Of the first weights: the bits of all parameters, in the order of their names.
    pub weights: String,
    /// Of the order in which the rows are visited, epoch after epoch.
    pub orders: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_that_are_not_among_the_groups_are_named_with_the_reason() {
        let of = |by: BreakdownBy, names: &[&str]| {
            let group = |name: &&str| Group {
                name: (*name).to_owned(),
                users: 1,
                rows: 1,
                ranked: None,
                metrics: BTreeMap::new(),
            };
            Breakdown { by, groups: names.iter().map(group).collect() }.missing_tenths()
        };
        let by = BreakdownBy::ItemPopularity;
        let first = ["most popular tenth", "tenth 2", "tenth 3", "tenth 4"];
        let then = ["tenth 6", "tenth 7", "tenth 8"];
        let last = ["tenth 9", "tenth 10", "items without ratings"];
        let told = of(by, &[&first[..], &then[..]].concat()).unwrap();
        assert!(told.contains("so tenths 5, 9 and 10 have no items of their own, or none with test rows"), "{told}");
        let told = of(by, &[&first[..], &then[..], &last[..]].concat()).unwrap();
        assert!(told.contains("so tenth 5 has no items of its own"), "{told}");
        assert_eq!(of(by, &[&first[..], &["tenth 5"][..], &then[..], &last[..]].concat()), None);
        assert_eq!(of(BreakdownBy::ColdStart, &["new item"]), None);
    }

    #[test]
    fn an_older_result_is_still_read_and_told_what_its_engine_promises() {
        let read = |kind: &str, device: &str| -> RunSummary {
            serde_json::from_value(serde_json::json!({
                "run": "a", "status": "finished", "metrics": {}, "seed": 1,
                "timing": { "load_s": 0, "fit_s": 0, "evaluate_s": 0 },
                "memory": { "parameters": 0, "gradients": 0, "optimizer": 0, "activations": 0, "buffers": 0, "allocator_total": 0, "peak": 0 },
                "engine": { "kind": kind, "device": device, "versions": {}, "host": "a", "threads": 1 },
                "data": { "name": "a", "users": 4, "items": 4, "train": 5, "validation": 0, "test": 1, "bad_lines": 0, "sha256": "a", "synthetic": true },
                "evaluation": {
                    "candidates": "", "candidate_items": 4, "test_users": 4, "evaluated_users": 4, "sampled_users": false,
                    "cold_users": 0, "cold_item_rows": 0, "tie_rule": "", "tie_share": 0, "rating_scale": "stars",
                },
            }))
            .expect("a result")
        };
        assert_eq!(read("burn", "flex").mode(), Mode::Exact);
        assert_eq!(read("burn", "vulkan").mode(), Mode::Seeded);
        assert_eq!(read("pytorch", "cpu").mode(), Mode::Seeded);
        let told = RunSummary { mode: Some(Mode::Fast), ..read("burn", "flex") };
        let again: RunSummary = serde_json::from_str(&serde_json::to_string(&told).expect("JSON")).expect("a result");
        assert_eq!((again.mode(), again), (Mode::Fast, told));
    }

    #[test]
    fn a_latency_says_what_it_was_measured_over_and_an_older_one_is_still_read() {
        let read = |text: &str| serde_json::from_str::<Timing>(text).expect("a timing");
        let older =
            read(r#"{"load_s":0.0,"fit_s":1.0,"evaluate_s":2.0,"recommend":{"p50_ms":1.0,"p99_ms":2.0,"lists":200}}"#);
        assert!(older.evaluate_has_lists(), "lists were timed within the evaluation");
        let latency = older.recommend.expect("a latency");
        assert_eq!((latency.threads, latency.measured_over()), (None, "200 lists, one after another".to_owned()));
        let told = Timing { recommend: Some(Latency { threads: Some(2), ..latency }), ..older };
        assert!(!told.evaluate_has_lists());
        assert_eq!(read(&serde_json::to_string(&told).expect("JSON")), told);
        let over = |lists, threads| Latency { lists, threads: Some(threads), ..latency }.measured_over();
        assert_eq!(over(200, 2), "200 lists, one after another, on up to 2 threads");
        assert_eq!(over(1, 1), "1 list, on 1 thread");
        let none = read(r#"{"load_s":0.0,"fit_s":1.0,"evaluate_s":2.0}"#);
        assert!(!none.evaluate_has_lists(), "nothing was ranked, and no list timed");
    }
}
