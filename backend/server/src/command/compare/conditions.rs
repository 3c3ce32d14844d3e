//! The conditions of a fair comparison: everybody learns from the same rows and is measured on the same rows.

use std::fmt::Write as _;

use recspeed_metrics::SignificanceError;
use recspeed_types::ExperimentSpec;
use serde_json::Value;

use super::Runs;
use super::methods::Method;

/// What cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    /// The specs differ in more than the recommender.
    #[error(
        "these are not measured on the same rows:{differences}\nGive all of them the same values, or write one file with [[compare]]."
    )]
    Differ {
        /// A line for each field.
        differences: String,
    },
    /// The specs agree, but the data did not.
    #[error(
        "the runs did not see the same data:{differences}\nOne of the files changed in between: run the comparison again with --fresh."
    )]
    OtherData {
        /// A line for each figure.
        differences: String,
    },
    /// No kept run.
    #[error("{path} is no kept run of this lab; give specs, or files that `recspeed compare --keep DIR` wrote")]
    NoRun {
        /// The file.
        path: String,
    },
    /// Nothing in common.
    #[error(
        "{name} predicts nothing that is to be measured; name a metric of ranked lists, as --metric ndcg@10, or leave it out"
    )]
    Nothing {
        /// The recommender.
        name: String,
    },
    /// Errors on two scales.
    #[error(
        "{metric} is in stars for {stars} and a distance of probabilities for {likes}: these are no errors of one scale; name other metrics, as --metric auc"
    )]
    Scales {
        /// The metric.
        metric: String,
        /// A recommender that predicts ratings.
        stars: String,
        /// A recommender that predicts probabilities.
        likes: String,
    },
    /// No recommender has this metric.
    #[error("none of these recommenders can be measured by {metric}; `recspeed recommenders` tells what each predicts")]
    NoMetric {
        /// The metric.
        metric: String,
    },
    /// No recommender of the comparison has this name.
    #[error("no recommender of this comparison is called `{given}`; known: {known}")]
    NoName {
        /// What was given.
        given: String,
        /// The names.
        known: String,
    },
    /// A test could not be made.
    #[error("the runs cannot be tested: {0}")]
    Untestable(#[from] SignificanceError),
}

/// Refuses specs that differ in the data, the split, their seed, or whom and among what is ranked.
pub(super) fn same_rows(methods: &[Method]) -> Result<(), CompareError> {
    let Some((first, others)) = methods.split_first() else { return Ok(()) };
    let mut differences = String::new();
    for other in others.iter().filter(|other| !same(first, other)) {
        let (left, right) = (shared(first), shared(other));
        let mut paths: Vec<&String> = left.iter().chain(&right).map(|(path, _)| path).collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let value = |list: &[(String, String)]| {
                list.iter().find(|(of, _)| of == path).map_or("not set".to_owned(), |(_, value)| value.clone())
            };
            if value(&left) != value(&right) {
                // Writing into a String cannot fail.
                let _ = write!(
                    differences,
                    "\n  {path}: {} for {} ({}), {} for {} ({})",
                    value(&left),
                    first.name,
                    first.source,
                    value(&right),
                    other.name,
                    other.source
                );
            }
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(CompareError::Differ { differences }) }
}

/// Refuses rating errors of recommenders that predict on different scales.
pub(super) fn same_scale(methods: &[Method]) -> Result<(), CompareError> {
    let likes = |method: &&Method| method.spec.resolve().is_ok_and(|s| s.recommender.predicts().has_probabilities());
    let measured = |method: &Method| method.spec.evaluation.metrics.iter().copied().find(|name| name.is_error());
    let of_errors = || methods.iter().filter_map(|method| Some((method, measured(method)?)));
    let stars = of_errors().find(|(method, _)| !likes(method));
    let probabilities = of_errors().find(|(method, _)| likes(method));
    match stars.zip(probabilities) {
        Some(((stars, metric), (likes, _))) => Err(CompareError::Scales {
            metric: metric.to_string(),
            stars: stars.name.clone(),
            likes: likes.name.clone(),
        }),
        None => Ok(()),
    }
}

/// Whether two specs mean the same, whatever they leave to the defaults.
fn same(left: &Method, right: &Method) -> bool {
    let conditions = |method: &Method| {
        let spec = method.spec.resolve().ok()?;
        let evaluation = (spec.evaluation.candidates, spec.evaluation.threshold, spec.evaluation.max_users);
        Some((spec.dataset, spec.split, spec.data_seed, evaluation))
    };
    conditions(left) == conditions(right)
}

/// Every field that all must share, as written, with its path.
fn shared(method: &Method) -> Vec<(String, String)> {
    let ExperimentSpec { dataset, split, evaluation, .. } = &method.spec;
    let mut fields = vec![("data_seed (or seed)".to_owned(), method.data_seed().to_string())];
    for (section, value) in [
        ("dataset", serde_json::to_value(dataset)),
        ("split", serde_json::to_value(split)),
        ("evaluation", serde_json::to_value(evaluation)),
    ] {
        let Ok(Value::Object(section_fields)) = value else { continue };
        let own = section_fields.into_iter().filter(|(name, _)| !(section == "evaluation" && name == "metrics"));
        fields.extend(own.map(|(name, value)| (format!("{section}.{name}"), value.to_string())));
    }
    fields
}

/// Refuses runs that saw other rows in spite of the same spec.
pub(super) fn same_data(finished: &[Runs]) -> Result<(), CompareError> {
    let runs: Vec<_> = finished.iter().flat_map(|(_, runs)| runs).collect();
    let Some((first, others)) = runs.split_first() else { return Ok(()) };
    let mut differences = String::new();
    for other in others {
        let (l, r) = (&first.summary, &other.summary);
        let figures = [
            ("sha256", l.data.sha256.clone(), r.data.sha256.clone()),
            ("users", l.data.users.to_string(), r.data.users.to_string()),
            ("items", l.data.items.to_string(), r.data.items.to_string()),
            ("training rows", l.data.train.to_string(), r.data.train.to_string()),
            ("validation rows", l.data.validation.to_string(), r.data.validation.to_string()),
            ("test rows", l.data.test.to_string(), r.data.test.to_string()),
            ("users with test rows", first.users.users.len().to_string(), other.users.users.len().to_string()),
        ];
        for (name, left, right) in figures.into_iter().filter(|(_, left, right)| left != right) {
            let kinds = (&first.spec.recommender.kind, &other.spec.recommender.kind);
            let _ = write!(differences, "\n  {name}: {left} for {}, {right} for {}", kinds.0, kinds.1);
        }
        if differences.is_empty() && first.users.users != other.users.users {
            differences.push_str("\n  the users with test rows are others");
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(CompareError::OtherData { differences }) }
}
