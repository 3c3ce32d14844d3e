//! `[search]`: which parameters are tried, by which method, for how long, and by which metric they are judged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits::MAX_TRIALS;
use crate::metric::MetricName;
use crate::spec::{EvaluateOn, ExperimentSpec, Problems, SpecParseError};

/// `[search]` as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SearchSpec {
    /// How the next trial is chosen.
    #[serde(default)]
    pub method: SearchMethod,
    /// What is optimised, measured on the validation rows: the first metric of `[evaluation]` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricName>,
    /// Trials of each recommender (20 unless set, or unless `seconds` is).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<u32>,
    /// Seconds of each recommender: the trial that runs when they are over is cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Trained recommenders stop after so many epochs without a better validation loss, or NDCG@10 where they rank (5 unless set),
    /// where `[training]` does not say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<u32>,
    /// What is tried, by path: `recommender.neighbours = { min = 5, max = 200, log = true }`. Left out: around the defaults.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, Value>>"))]
    pub space: Value,
}

impl SearchSpec {
    /// A search of no trials would have nothing to choose from.
    pub(crate) fn check(&self, problems: &mut Problems) {
        if let Some(trials) = self.trials {
            problems.range("search.trials", trials, 1, MAX_TRIALS);
        }
    }
}

impl Default for SearchSpec {
    fn default() -> Self {
        Self {
            method: SearchMethod::default(),
            metric: None,
            trials: None,
            seconds: None,
            early_stopping: None,
            space: Value::Null,
        }
    }
}

/// How the next trial is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SearchMethod {
    /// Every combination of a few values of each parameter, in an order drawn by the seed.
    Grid,
    /// Values drawn by the seed.
    Random,
    /// Tree-structured Parzen estimators: values that are likelier among the good trials than among the others.
    #[default]
    Tpe,
}

impl SearchMethod {
    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Random => "random",
            Self::Tpe => "tpe",
        }
    }
}

/// The values of one parameter that may be tried.
#[derive(Debug, Clone, PartialEq)]
pub enum Range {
    /// Any of these.
    Values(Vec<Value>),
    /// Any whole number from `min` to `max`.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// Whether ratios count, not differences.
        log: bool,
    },
    /// Any number from `min` to `max`.
    Float {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
        /// Whether ratios count, not differences.
        log: bool,
    },
}

/// A recommender of a search, and what is tried of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchMember {
    /// The experiment whose parameters are changed.
    pub spec: ExperimentSpec,
    /// Where its space is written, as `search.space` or `compare[1].space`.
    pub at: String,
    /// Its own space, else what that of `[search]` says of parameters that it has; empty where neither says any.
    pub space: BTreeMap<String, Range>,
}

impl SearchMember {
    /// The same as its trials are: measured on the validation rows, learning from the training rows alone.
    #[must_use]
    pub fn as_trial(&self) -> Self {
        Self { spec: self.spec.on_validation(), ..self.clone() }
    }
}

/// A whole search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// How.
    pub search: SearchSpec,
    /// Of what; each has the same budget.
    pub members: Vec<SearchMember>,
}

/// Most values that a range may list.
const MAX_VALUES: usize = 1000;

/// The ranges of a space written as nested tables, `recommender.neighbours = { min = 5, max = 200 }` or `[5, 50, 200]`.
///
/// # Errors
/// [`SpecParseError::Fields`], with the path below `at`.
pub(crate) fn ranges(at: &str, space: &Value) -> Result<BTreeMap<String, Range>, SpecParseError> {
    let mut found = BTreeMap::new();
    if !space.is_null() {
        collect(at, "", space, &mut found)?;
    }
    Ok(found)
}

fn collect(at: &str, path: &str, value: &Value, found: &mut BTreeMap<String, Range>) -> Result<(), SpecParseError> {
    let here = if path.is_empty() { at.to_owned() } else { format!("{at}.{path}") };
    let wrong = |message: &str| SpecParseError::field(here.clone(), message);
    if let Value::Object(fields) = value
        && !fields.contains_key("min")
        && !fields.contains_key("max")
    {
        for (name, inner) in fields {
            let inner_path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(at, &inner_path, inner, found)?;
        }
        return Ok(());
    }
    if !(path.starts_with("recommender.") || path.starts_with("training.")) {
        return Err(wrong("is no parameter; a space names recommender.… and training.…"));
    }
    let range = match value {
        Value::Array(values) if (1..=MAX_VALUES).contains(&values.len()) => Range::Values(values.clone()),
        Value::Object(fields) => numbers(fields).ok_or_else(|| {
            wrong("is no range; write { min = 5, max = 200 }, min under max, with log = true (both above 0) where ratios count")
        })?,
        _ => return Err(wrong("is no range; write { min = 5, max = 200 } or a list of 1 to 1000 values")),
    };
    found.insert(path.to_owned(), range);
    Ok(())
}

fn numbers(fields: &serde_json::Map<String, Value>) -> Option<Range> {
    if fields.keys().any(|name| !["min", "max", "log"].contains(&name.as_str())) {
        return None;
    }
    let log = fields.get("log").map_or(Some(false), Value::as_bool)?;
    let (min, max) = (fields.get("min")?, fields.get("max")?);
    let range = match (min.as_i64(), max.as_i64()) {
        (Some(min), Some(max)) => Range::Integer { min, max, log },
        _ => Range::Float { min: min.as_f64()?, max: max.as_f64()?, log },
    };
    let (low, high) = (min.as_f64()?, max.as_f64()?);
    (low < high && (high - low).is_finite() && (!log || low > 0.0)).then_some(range)
}

impl ExperimentSpec {
    /// The same spec with the value at `path` (as `recommender.factors`, or `recommender.components.0.weight`) replaced.
    ///
    /// # Errors
    /// [`SpecParseError::NoElement`] for a component that is not there, [`SpecParseError::Fields`] when the field or its type does not
    /// fit.
    pub fn with_value(&self, path: &str, value: Value) -> Result<Self, SpecParseError> {
        let mut document = serde_json::to_value(self).unwrap_or_default();
        let names: Vec<&str> = path.split('.').collect();
        let (last, sections) = names.split_last().unwrap_or((&"", &[]));
        let mut place = &mut document;
        for (at, name) in sections.iter().enumerate() {
            place = match place {
                // A list that is left out has a default that nothing can be put into.
                Value::Object(fields) if !fields.contains_key(*name) && names[at + 1].parse::<usize>().is_ok() => {
                    return Err(SpecParseError::NoElement { path: names[..=at + 1].join("."), len: 0 });
                }
                Value::Object(fields) => {
                    fields.entry((*name).to_owned()).or_insert_with(|| Value::Object(serde_json::Map::new()))
                }
                Value::Array(list) => {
                    let missing = SpecParseError::NoElement { path: names[..=at].join("."), len: list.len() };
                    name.parse().ok().and_then(|index: usize| list.get_mut(index)).ok_or(missing)?
                }
                _ => return Err(SpecParseError::field(path, "is no field of a spec")),
            };
        }
        let Value::Object(fields) = place else { return Err(SpecParseError::field(path, "is no field of a spec")) };
        fields.insert((*last).to_owned(), value);
        Self::from_value(document)
    }

    /// The same measured on the validation rows.
    fn on_validation(&self) -> Self {
        let mut spec = self.clone();
        spec.evaluation.on = EvaluateOn::Validation;
        spec
    }

    /// Whether `path` of a space leads to a parameter of the recommender, or of one of its components, or to a setting of a training that
    /// it has. A recommender that has mistakes is said to: whoever resolves the spec tells them.
    pub(crate) fn takes(&self, path: &str) -> bool {
        let Some(resolved) = self.recommender.resolve(&mut Problems::default()) else { return true };
        let Some(mut rest) = path.strip_prefix("recommender.") else { return resolved.trained().is_some() };
        let mut recommender = &resolved;
        while let Some((index, below)) = rest.strip_prefix("components.").and_then(|rest| rest.split_once('.')) {
            let index = index.parse::<usize>().ok();
            let Some(component) = index.and_then(|index| recommender.components().get(index)) else { return false };
            (recommender, rest) = (component, below);
        }
        recommender.params().contains_key(rest) || recommender.entry.param(rest).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"random\"\nvalidation_ratio = 0.1\n";

    fn search(rest: &str) -> Result<Search, SpecParseError> {
        ExperimentSpec::search_from_toml_with(&format!("{FRAME}{rest}"), &[])
    }

    #[test]
    fn a_space_is_written_with_the_paths_of_the_spec() {
        let search = search(
            "[recommender]\nkind = \"item-knn\"\n[search]\nmethod = \"random\"\ntrials = 7\nmetric = \"ndcg@10\"\n[search.space]\nrecommender.neighbours = { min = 5, max = 200, log = true }\nrecommender.shrinkage = { min = 0, max = 50.5 }\nrecommender.similarity = [\"cosine\", \"jaccard\"]\n",
        )
        .unwrap();
        assert_eq!((search.search.method, search.search.trials), (SearchMethod::Random, Some(7)));
        let space = &search.members[0].space;
        assert_eq!(space["recommender.neighbours"], Range::Integer { min: 5, max: 200, log: true });
        assert_eq!(space["recommender.shrinkage"], Range::Float { min: 0.0, max: 50.5, log: false });
        assert!(matches!(&space["recommender.similarity"], Range::Values(values) if values.len() == 2));
    }

    #[test]
    fn a_budget_out_of_range_is_refused_wherever_it_is_written() {
        let kind = "[recommender]\nkind = \"item-knn\"\n";
        for (trials, due) in [
            ("0", "search.trials: is 0; allowed: 1 to 100000"),
            ("100001", "search.trials: is 100001; allowed: 1 to 100000"),
            ("-1", "search.trials: is -1; allowed: a whole number, 0 or more"),
        ] {
            let written = search(&format!("{kind}[search]\ntrials = {trials}\n")).unwrap_err().to_string();
            let assigned = [format!("search.trials={trials}")];
            let assigned = ExperimentSpec::search_from_toml_with(&format!("{FRAME}{kind}"), &assigned).unwrap_err();
            assert_eq!((written.as_str(), assigned.to_string().as_str()), (due, due));
        }
        for trials in ["1", "100000"] {
            search(&format!("{kind}[search]\ntrials = {trials}\n")).unwrap();
        }
    }

    #[test]
    fn every_member_of_a_group_may_have_a_space_of_its_own() {
        let search = search(
            "[search]\nspace = { recommender = { neighbours = [5] } }\n[[compare]]\nrecommender = { kind = \"item-knn\" }\n[[compare]]\nrecommender = { kind = \"bpr\" }\nspace = { recommender = { factors = [8, 16] } }\n",
        )
        .unwrap();
        let paths: Vec<Vec<&String>> = search.members.iter().map(|member| member.space.keys().collect()).collect();
        assert_eq!(paths, [["recommender.neighbours"], ["recommender.factors"]]);
    }

    #[test]
    fn what_the_shared_space_says_counts_for_those_who_have_the_parameter_and_somebody_must() {
        const GROUP: &str = "[[compare]]\nrecommender = { kind = \"popularity\" }\n[[compare]]\nrecommender = { kind = \"item-knn\" }\n[[compare]]\nrecommender = { kind = \"mlp\" }\n";
        const SPACE: &str = "[search.space]\nrecommender.neighbours = [5]\ntraining.learning_rate = [0.1, 0.2]\n";
        let found = search(&format!("{SPACE}{GROUP}")).unwrap();
        let paths: Vec<Vec<&str>> =
            found.members.iter().map(|member| member.space.keys().map(String::as_str).collect()).collect();
        assert_eq!(paths, [vec![], vec!["recommender.neighbours"], vec!["training.learning_rate"]]);
        let message = search(&format!("{SPACE}recommender.neighbors = [5]\n{GROUP}")).unwrap_err().to_string();
        assert!(
            message.starts_with(
                "search.space.recommender.neighbors: is a parameter of none of these recommenders (popularity, item-knn, mlp)"
            ),
            "{message}"
        );
        // Of one alone, the check of the space itself says which parameters there are.
        let alone = search(&format!("{SPACE}[recommender]\nkind = \"item-knn\"\n")).unwrap();
        assert_eq!(alone.members[0].space.len(), 2);
    }

    #[test]
    fn a_space_that_cannot_be_is_refused_with_its_place() {
        let message = |space: &str| {
            search(&format!("[recommender]\nkind = \"item-knn\"\n[search.space]\n{space}\n")).unwrap_err().to_string()
        };
        assert!(message("seed = [1, 2]").starts_with("search.space.seed: is no parameter"));
        assert!(
            message("recommender.neighbours = { min = 9, max = 3 }")
                .starts_with("search.space.recommender.neighbours: ")
        );
        assert!(message("recommender.neighbours = { min = 0, max = 3, log = true }").contains("above 0"));
        assert!(message("recommender.neighbours = []").contains("1 to 1000 values"));
    }

    #[test]
    fn a_value_is_put_at_its_path() {
        let spec = ExperimentSpec::default();
        let changed = spec.with_value("training.learning_rate", 0.5.into()).unwrap();
        assert_eq!(changed.training.learning_rate, Some(0.5));
        assert!(spec.with_value("training.nothing", 1.into()).is_err());
        let hybrid =
            "[recommender]\nkind = \"weighted\"\ncomponents = [{ kind = \"item-knn\" }, { kind = \"ease\" }]\n";
        let hybrid = search(hybrid).unwrap().members.remove(0).spec;
        let changed = hybrid.with_value("recommender.components.1.weight", 2.into()).unwrap().resolve().unwrap();
        assert_eq!(changed.recommender.components()[1].float("weight"), 2.0);
        let message = |spec: &ExperimentSpec, path: &str| spec.with_value(path, 2.into()).unwrap_err().to_string();
        assert_eq!(
            message(&hybrid, "recommender.components.2.weight"),
            "recommender.components.2: is not there; the spec's list has 2 elements, numbered from 0"
        );
        assert!(message(&spec, "recommender.components.0.weight").contains("the spec's list has 0 elements"));
    }
}
