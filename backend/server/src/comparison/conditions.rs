//! What two specs must share for their numbers to stand side by side, and what else they differ in.

use std::collections::BTreeMap;

use recspeed_types::ExperimentSpec;
use serde_json::Value;

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
        let ranked = lists.then_some((spec.evaluation.candidates, spec.evaluation.max_users));
        Some((spec.dataset, spec.split, spec.data_seed, spec.evaluation.on, spec.evaluation.threshold, ranked))
    };
    conditions(left) == conditions(right)
}

/// A field in which two specs differ, with the value of each; `None` where a spec leaves it out.
pub(crate) type Unlike = (String, Option<String>, Option<String>);

/// Where two specs are not measured on the same rows.
pub(crate) fn unlike(left: &ExperimentSpec, right: &ExperimentSpec) -> Vec<Unlike> {
    if same(left, right) {
        return Vec::new();
    }
    let mut unlike = differing(left, right);
    let seeds = (data_seed(left), data_seed(right));
    if seeds.0 != seeds.1 {
        unlike.push(("data_seed (or seed)".to_owned(), Some(seeds.0.to_string()), Some(seeds.1.to_string())));
    }
    unlike
}

fn differing(left: &ExperimentSpec, right: &ExperimentSpec) -> Vec<Unlike> {
    let lists = both_rank(left, right);
    let (left, right) = (fields(left), fields(right));
    let mut paths: Vec<&String> = left.keys().chain(right.keys()).filter(|path| is_condition(path)).collect();
    paths.sort();
    paths.dedup();
    let of_lists = |path: &str| ["evaluation.max_users", "evaluation.candidates"].contains(&path);
    let rows = paths.into_iter().filter(|path| lists || !of_lists(path));
    let rows = rows.map(|path| (path.clone(), left.get(path).cloned(), right.get(path).cloned()));
    rows.filter(|(_, left, right)| left != right).collect()
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
    use recspeed_types::spec::{ParamValue, RecommenderSpec};

    use super::*;

    #[test]
    fn what_decides_the_rows_is_told_with_both_values_and_the_rest_is_a_setting() {
        let left = ExperimentSpec::default();
        let mut right = ExperimentSpec { name: "other".to_owned(), ..left.clone() };
        right.training.epochs = Some(9);
        right.recommender = RecommenderSpec::new("mlp").with("hidden", ParamValue::Integers(vec![8, 8]));
        assert_eq!(unlike(&left, &right), []);
        assert_eq!(settings(&[&left, &right]), ["recommender.hidden", "training.epochs"]);
        assert_eq!(fields(&right)["recommender.hidden"], "8, 8");
        right.dataset.sample = Some(500);
        right.seed = 7;
        let told = unlike(&left, &right);
        let text = |text: &str| Some(text.to_owned());
        let sample = ("dataset.sample".to_owned(), None, text("500"));
        assert_eq!(told, [sample, ("data_seed (or seed)".to_owned(), text("42"), text("7"))]);
    }

    #[test]
    fn whom_lists_are_made_for_matters_only_where_both_make_lists() {
        let left = ExperimentSpec::default();
        let mut right = left.clone();
        right.evaluation.max_users = Some(50);
        assert_eq!(unlike(&left, &right), [], "errors of ratings are of every test row");
        let lists = |spec: &ExperimentSpec| {
            let mut spec = spec.clone();
            spec.recommender = RecommenderSpec::new("item-knn");
            spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
            spec
        };
        let told = unlike(&lists(&left), &lists(&right));
        assert_eq!(told, [("evaluation.max_users".to_owned(), None, Some("50".to_owned()))]);
    }

    #[test]
    fn a_default_that_is_spelled_out_is_no_difference() {
        let left = ExperimentSpec::default();
        let mut right = left.clone();
        right.split.test_ratio = Some(0.2);
        assert_eq!(unlike(&left, &right), []);
    }
}
