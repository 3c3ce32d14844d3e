//! The conditions of a fair comparison: everybody learns from the same rows and is measured on the same rows.

use std::fmt::Write as _;

use recspeed_metrics::SignificanceError;
use recspeed_types::ExperimentSpec;

use super::Runs;
use super::methods::Method;
use crate::command::kept::KeptRun;
use crate::comparison::{Run, differences, of_specs, two_scales};

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
    /// A folder, or what a search wrote into it, that cannot be read.
    #[error("cannot read the kept runs of {path}: {source}; search again, or name the files")]
    Folder {
        /// The folder.
        path: String,
        /// Why.
        source: std::io::Error,
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

/// Refuses specs that differ in the data, the split, their seed, the rows that are measured, or whom and among what is ranked.
pub(super) fn same_rows(methods: &[Method]) -> Result<(), CompareError> {
    let Some((first, others)) = methods.split_first() else { return Ok(()) };
    let mut text = String::new();
    for other in others {
        for difference in of_specs(&first.spec, &other.spec) {
            let or_not = |value: Option<String>| value.unwrap_or_else(|| "not set".to_owned());
            // Writing into a String cannot fail.
            let _ = write!(
                text,
                "\n  {}: {} for {} ({}), {} for {} ({})",
                difference.what,
                or_not(difference.left),
                first.name,
                first.source,
                or_not(difference.right),
                other.name,
                other.source
            );
        }
    }
    if text.is_empty() { Ok(()) } else { Err(CompareError::Differ { differences: text }) }
}

/// Refuses rating errors of recommenders that predict on different scales.
pub(super) fn same_scale(methods: &[Method]) -> Result<(), CompareError> {
    let specs: Vec<&ExperimentSpec> = methods.iter().map(|method| &method.spec).collect();
    match two_scales(&specs) {
        Some(scales) => Err(CompareError::Scales {
            metric: scales.metric.to_string(),
            stars: methods[scales.stars].name.clone(),
            likes: methods[scales.likes].name.clone(),
        }),
        None => Ok(()),
    }
}

/// Refuses runs that saw other rows in spite of the same spec.
pub(super) fn same_data(methods: &[Method], finished: &[Runs]) -> Result<(), CompareError> {
    let Some((_, first)) = finished.first() else { return Ok(()) };
    let first: Vec<Run<'_>> = first.iter().map(KeptRun::lend).collect();
    let mut text = String::new();
    for (place, runs) in finished {
        let runs: Vec<Run<'_>> = runs.iter().map(KeptRun::lend).collect();
        for difference in differences(&first, &runs) {
            let _ = write!(text, "\n  {}: {}", methods[*place].name, difference.told());
        }
    }
    if text.is_empty() { Ok(()) } else { Err(CompareError::OtherData { differences: text }) }
}
