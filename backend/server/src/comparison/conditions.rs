//! What runs must share for their numbers to stand side by side, and what else they differ in.

use std::collections::BTreeMap;

use recspeed_types::{ExperimentSpec, MetricName};
use serde_json::Value;

use super::Run;

/// Every field of a spec as written, by its path: `training.epochs` → `3`. Without the name, the version, the seeds and
/// the kind of recommender, which a method is called by.
pub(crate) fn fields(spec: &ExperimentSpec) -> BTreeMap<String, String> {
    let short = ExperimentSpec { recommender: spec.recommender.without_defaults(), ..spec.clone() };
    let mut found = BTreeMap::new();
    // A spec can always be written.
    flatten("", &serde_json::to_value(short).unwrap_or_default(), &mut found);
    for path in ["version", "name", "seed", "data_seed", "recommender.kind"] {
        found.remove(path);
    }
    found
}

fn flatten(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, found);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(found.insert(path.to_owned(), text.clone())),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            let texts: Vec<String> =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
            found.insert(path.to_owned(), texts.join(", "));
        }
        other => drop(found.insert(path.to_owned(), other.to_string())),
    }
}

/// The seed of the data, the split and the users that are ranked for.
pub(crate) fn data_seed(spec: &ExperimentSpec) -> u64 {
    spec.data_seed.unwrap_or(spec.seed)
}

/// Whether a field decides what is learnt from and measured on; the list of metrics does not.
fn is_condition(path: &str) -> bool {
    path != "evaluation.metrics"
        && ["dataset.", "split.", "evaluation."].iter().any(|section| path.starts_with(section))
}

/// Whether two specs measure on the same rows, whatever they leave to the defaults.
fn same(left: &ExperimentSpec, right: &ExperimentSpec) -> bool {
    let lists = both_rank(left, right);
    let conditions = |spec: &ExperimentSpec| {
        let spec = spec.resolve().ok()?;
        let ranked = lists.then_some((spec.evaluation.candidates, spec.evaluation.max_users, spec.evaluation.sampled));
        Some((spec.dataset, spec.split, spec.data_seed, spec.evaluation.on, spec.evaluation.threshold, ranked))
    };
    conditions(left) == conditions(right)
}

/// Something that decides the rows and differs, with both values; `None` where one leaves it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// A field of the spec by its path, or a figure of the data.
    pub(crate) what: String,
    /// The first one's.
    pub(crate) left: Option<String>,
    /// The other's.
    pub(crate) right: Option<String>,
}

impl Difference {
    fn new(what: &str, left: &impl ToString, right: &impl ToString) -> Self {
        Self { what: what.to_owned(), left: Some(left.to_string()), right: Some(right.to_string()) }
    }

    /// What the other one has and the first one has not.
    pub(crate) fn told(&self) -> String {
        let what = &self.what;
        match (&self.left, &self.right) {
            (Some(left), Some(right)) => format!("{what} is {right}, not {left}"),
            (None, Some(right)) => format!("{what} is {right}, and not set there"),
            (Some(left), None) => format!("{what} is not set, and {left} there"),
            (None, None) => format!("{what} are others"),
        }
    }
}

/// Why the runs of two methods were not measured on the same rows; nothing when they were. Every run counts: the seeds of one
/// method stand in one mean.
pub(crate) fn differences(left: &[Run<'_>], right: &[Run<'_>]) -> Vec<Difference> {
    let (Some(first), Some(other)) = (left.first(), right.first()) else { return Vec::new() };
    let mut found = of_specs(first.spec, other.spec);
    if !found.is_empty() {
        return found;
    }
    for difference in left.iter().chain(right).flat_map(|run| of_data(first, run)) {
        if !found.iter().any(|known| known.what == difference.what) {
            found.push(difference);
        }
    }
    found
}

/// Runs that saw other rows in spite of the same spec.
fn of_data(left: &Run<'_>, right: &Run<'_>) -> Vec<Difference> {
    let (l, r) = (&left.summary.data, &right.summary.data);
    let count = |what: &str, left: u64, right: u64| (left != right).then(|| Difference::new(what, &left, &right));
    let hash = (l.sha256 != r.sha256).then(|| Difference::new("the data's SHA-256", &l.sha256, &r.sha256));
    let counts = [
        count("the number of users", l.users, r.users),
        count("the number of items", l.items, r.items),
        count("the number of training rows", l.train, r.train),
        count("the number of validation rows", l.validation, r.validation),
        count("the number of test rows", l.test, r.test),
    ];
    let measured = left.users.zip(right.users).and_then(|(l, r)| {
        let others = || Difference { what: "the users with test rows".to_owned(), left: None, right: None };
        let (some, many) = (l.users.len() as u64, r.users.len() as u64);
        count("the number of users with test rows", some, many).or_else(|| (l.users != r.users).then(others))
    });
    hash.into_iter().chain(counts.into_iter().flatten()).chain(measured).collect()
}

/// Where two specs do not mean the same rows.
pub(crate) fn of_specs(left: &ExperimentSpec, right: &ExperimentSpec) -> Vec<Difference> {
    if same(left, right) {
        return Vec::new();
    }
    let mut found = differing(left, right);
    let seeds = (data_seed(left), data_seed(right));
    if seeds.0 != seeds.1 {
        found.push(Difference::new("data_seed (or seed)", &seeds.0, &seeds.1));
    }
    found
}

fn differing(left: &ExperimentSpec, right: &ExperimentSpec) -> Vec<Difference> {
    let lists = both_rank(left, right);
    let (left, right) = (fields(left), fields(right));
    let mut paths: Vec<&String> = left.keys().chain(right.keys()).filter(|path| is_condition(path)).collect();
    paths.sort();
    paths.dedup();
    let of_lists = |path: &str| ["evaluation.max_users", "evaluation.sampled", "evaluation.candidates"].contains(&path);
    let fields = paths.into_iter().filter(|path| lists || !of_lists(path)).map(|path| Difference {
        what: path.clone(),
        left: left.get(path).cloned(),
        right: right.get(path).cloned(),
    });
    fields.filter(|field| field.left != field.right).collect()
}

/// Two methods whose errors of ratings are on two scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TwoScales {
    /// An error of the one in stars.
    pub(crate) metric: MetricName,
    /// The place of the one that predicts ratings.
    pub(crate) stars: usize,
    /// The place of the one that predicts probabilities.
    pub(crate) likes: usize,
}

/// Errors in stars beside errors of probabilities are no errors of one kind.
pub(crate) fn two_scales(specs: &[&ExperimentSpec]) -> Option<TwoScales> {
    let of = |wanted: bool| {
        let mut places = specs.iter().enumerate().filter(move |(_, spec)| likes(spec) == Some(wanted));
        places.find_map(|(place, spec)| Some((place, error_of(spec)?)))
    };
    let ((stars, metric), (likes, _)) = of(false).zip(of(true))?;
    Some(TwoScales { metric, stars, likes })
}

/// Of each spec, whether its errors are on the scale of those of the first one that has any; true of one without
/// errors.
pub(crate) fn same_scale(specs: &[&ExperimentSpec]) -> Vec<bool> {
    let first = specs.iter().find(|spec| error_of(spec).is_some()).and_then(|spec| likes(spec));
    specs.iter().map(|spec| error_of(spec).is_none() || likes(spec) == first).collect()
}

/// The first error among what it measures.
fn error_of(spec: &ExperimentSpec) -> Option<MetricName> {
    spec.evaluation.metrics.iter().copied().find(|name| name.is_error())
}

/// Whether it predicts probabilities that a row is liked, and not ratings.
fn likes(spec: &ExperimentSpec) -> Option<bool> {
    spec.resolve().ok().map(|resolved| resolved.recommender.predicts().has_probabilities())
}

/// Why two methods have no number in common, and what to do: neither is asked for a metric of the other. `None` where they share one.
pub(crate) fn nothing_shared(first: (&str, &ExperimentSpec), other: (&str, &ExperimentSpec)) -> Option<String> {
    let [left, right] = [first.1, other.1].map(|spec| &spec.evaluation.metrics);
    if left.is_empty() || right.is_empty() || left.iter().any(|name| right.contains(name)) {
        return None;
    }
    let (mut one, mut two) = (measured(first.1), measured(other.1));
    if one == two {
        [one, two] = [left, right].map(|names| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            format!("is measured by {}", names.join(", "))
        });
    }
    Some(format!(
        "“{}” and “{}” share no metric: one {one}, the other {two}. Run one of them again with a metric of the other \
         (evaluation.metrics) to compare them.",
        first.0, other.0
    ))
}

/// What the metrics of a spec measure, in words behind its name.
fn measured(spec: &ExperimentSpec) -> String {
    let lists = spec.evaluation.metrics.iter().filter(|name| name.kind.at_k()).count();
    let words = match (lists, spec.evaluation.metrics.len() - lists) {
        (_, 0) => "ranks items",
        (0, _) if likes(spec) == Some(true) => "predicts who likes an item",
        (0, _) => "predicts ratings",
        _ => "does both",
    };
    words.to_owned()
}

/// Whether both measure ranked lists: only then does it matter whom and among what is ranked.
fn both_rank(left: &ExperimentSpec, right: &ExperimentSpec) -> bool {
    [left, right].iter().all(|spec| spec.evaluation.metrics.iter().any(|name| name.kind.at_k()))
}

/// The paths of settings in which any of these specs differ, without those that decide the rows.
pub(crate) fn settings(specs: &[&ExperimentSpec]) -> Vec<String> {
    let all: Vec<BTreeMap<String, String>> = specs.iter().map(|spec| fields(spec)).collect();
    let mut paths: Vec<&String> = all.iter().flat_map(BTreeMap::keys).filter(|path| !is_condition(path)).collect();
    paths.sort();
    paths.dedup();
    let varies = |path: &&String| all.iter().any(|fields| fields.get(*path) != all[0].get(*path));
    paths.into_iter().filter(|path| *path != "evaluation.metrics").filter(varies).cloned().collect()
}

#[cfg(test)]
mod tests {
    use recspeed_types::spec::{EvaluateOn, ParamValue, RecommenderSpec};
    use recspeed_types::{RunSummary, UserValues};

    use super::*;

    #[test]
    fn what_decides_the_rows_is_told_with_both_values_and_the_rest_is_a_setting() {
        let left = ExperimentSpec::default();
        let mut right = ExperimentSpec { name: "other".to_owned(), ..left.clone() };
        right.training.epochs = Some(9);
        right.recommender = RecommenderSpec::new("mlp").with("hidden", ParamValue::Integers(vec![8, 8]));
        assert_eq!(of_specs(&left, &right), []);
        assert_eq!(settings(&[&left, &right]), ["recommender.hidden", "training.epochs"]);
        assert_eq!(fields(&right)["recommender.hidden"], "8, 8");
        right.dataset.sample = Some(500);
        right.seed = 7;
        let sample = Difference { left: None, ..Difference::new("dataset.sample", &"", &500) };
        assert_eq!(of_specs(&left, &right), [sample, Difference::new("data_seed (or seed)", &42, &7)]);
    }

    #[test]
    fn errors_are_on_the_scale_of_the_first_that_has_any_or_on_another() {
        let spec = |kind: &str, metric: &str| {
            let mut spec = ExperimentSpec { recommender: RecommenderSpec::new(kind), ..ExperimentSpec::default() };
            spec.evaluation.metrics = vec![metric.parse().unwrap()];
            assert!(spec.resolve().is_ok(), "{kind} {metric}");
            spec
        };
        let (scores, stars, likes) =
            (spec("popularity", "ndcg@10"), spec("biased-mf", "rmse"), spec("densenet", "rmse"));
        assert_eq!(same_scale(&[&scores, &stars, &likes, &stars]), [true, true, false, true]);
        assert_eq!(same_scale(&[&scores, &likes, &likes]), [true; 3], "likes beside likes");
        assert_eq!(same_scale(&[&stars, &spec("densenet", "auc")]), [true; 2], "no error is measured of it");
    }

    #[test]
    fn methods_without_a_common_metric_are_told_with_what_each_measures() {
        let spec = |kind: &str, metrics: &[&str]| {
            let mut spec = ExperimentSpec { recommender: RecommenderSpec::new(kind), ..ExperimentSpec::default() };
            spec.evaluation.metrics = metrics.iter().map(|name| name.parse().unwrap()).collect();
            spec
        };
        let told = |one: &ExperimentSpec, two: &ExperimentSpec| nothing_shared(("a", one), ("b", two));
        let (lists, stars) = (spec("item-knn", &["ndcg@10", "hit@10"]), spec("mlp", &["rmse", "mae"]));
        let words = told(&lists, &stars).unwrap();
        assert!(
            words.starts_with("“a” and “b” share no metric: one ranks items, the other predicts ratings."),
            "{words}"
        );
        let likes = told(&spec("densenet", &["auc"]), &stars).unwrap();
        assert!(likes.contains("one predicts who likes an item, the other predicts ratings"), "{likes}");
        let cut_off = told(&lists, &spec("ease", &["ndcg@5"])).unwrap();
        assert!(cut_off.contains("one is measured by ndcg@10, hit@10, the other is measured by ndcg@5"), "{cut_off}");
        assert_eq!(told(&lists, &spec("mlp", &["rmse", "hit@10"])), None, "one is enough");
        assert_eq!(told(&spec("ease", &[]), &stars), None, "nothing is asked for");
    }

    #[test]
    fn whom_lists_are_made_for_matters_only_where_both_make_lists() {
        let left = ExperimentSpec::default();
        let mut right = left.clone();
        right.evaluation.max_users = Some(50);
        assert_eq!(of_specs(&left, &right), [], "errors of ratings are of every test row");
        let lists = |spec: &ExperimentSpec| {
            let mut spec = spec.clone();
            spec.recommender = RecommenderSpec::new("item-knn");
            spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
            spec
        };
        let told = of_specs(&lists(&left), &lists(&right));
        assert_eq!(told, [Difference { left: None, ..Difference::new("evaluation.max_users", &"", &50) }]);
    }

    #[test]
    fn a_default_that_is_spelled_out_is_no_difference() {
        let left = ExperimentSpec::default();
        let mut right = left.clone();
        right.split.test_ratio = Some(0.2);
        assert_eq!(of_specs(&left, &right), []);
    }

    #[test]
    fn numbers_of_the_test_do_not_stand_beside_numbers_of_the_validation() {
        let left = ExperimentSpec::default();
        let mut right = left.clone();
        right.evaluation.on = EvaluateOn::Validation;
        let told = of_specs(&left, &right);
        assert_eq!(told.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(), ["evaluation.on"]);
    }

    fn summary(test: u64) -> RunSummary {
        serde_json::from_value(serde_json::json!({
            "run": "a", "status": "finished", "metrics": {}, "seed": 1,
            "timing": { "load_s": 0, "fit_s": 0, "evaluate_s": 0 },
            "memory": { "parameters": 0, "gradients": 0, "optimizer": 0, "activations": 0, "buffers": 0, "allocator_total": 0, "peak": 0 },
            "engine": { "kind": "burn", "device": "flex", "versions": {}, "host": "a", "threads": 1 },
            "data": { "name": "a", "users": 4, "items": 4, "train": 5, "validation": 0, "test": test, "bad_lines": 0, "sha256": "a", "synthetic": true },
            "evaluation": {
                "candidates": "", "candidate_items": 4, "test_users": 4, "evaluated_users": 4, "sampled_users": false,
                "cold_users": 0, "cold_item_rows": 0, "tie_rule": "", "tie_share": 0, "rating_scale": "stars",
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_later_seed_on_other_rows_or_other_users_is_a_difference_too() {
        let spec = ExperimentSpec::default();
        let (alike, other) = (summary(6), summary(7));
        let users = |ids: [&str; 2]| UserValues { users: ids.map(str::to_owned).into(), ..UserValues::default() };
        let (ab, ac) = (users(["a", "b"]), users(["a", "c"]));
        let run = |summary, users| Run { spec: &spec, summary, users: Some(users) };
        let (first, later) = ([run(&alike, &ab)], [run(&alike, &ab), run(&other, &ab)]);
        assert_eq!(differences(&first, &first), []);
        assert_eq!(differences(&first, &later), [Difference::new("the number of test rows", &6, &7)]);
        assert_eq!(differences(&later, &first).len(), 1, "among the runs of the first one too");
        let others = differences(&first, &[run(&alike, &ab), run(&alike, &ac)]);
        assert_eq!(others[0].told(), "the users with test rows are others");
    }
}
