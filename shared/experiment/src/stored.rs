//! A model that an earlier run left behind is asked again, over the data as its run prepared them: what it predicts, and what it loses
//! where a feature tells nothing.

use recspeed_data::{Dictionary, Interactions, split};
use recspeed_types::spec::{FeatureName, ResolvedSpec};
use recspeed_types::{ExperimentSpec, FailureCode, StoredImportance};

use crate::enriched::{Inputs, enriched};
use crate::evaluate::{evaluate, predict};
use crate::importance::importance;
use crate::measurable::keep_measurable;
use crate::model::Model;
use crate::run::{Prepared, Story, one_line, prepare};
use crate::{Host, RunFailure};

/// A model that an earlier run left behind, with what it was fitted on.
pub struct Stored {
    /// The model.
    pub model: Model,
    /// Ids of the users, by index.
    pub users: Dictionary,
    /// Ids of the items, by index.
    pub items: Dictionary,
    /// SHA-256 of the data.
    pub sha256: String,
}

/// The permutation importance of `features.permute`: the numbers that the model's own run gave, or would have given, because the spec and
/// its seed decide the rows, the users and every order. Where the spec asks for no feature, every one that the data have is tried.
/// Nothing is learnt.
///
/// # Errors
/// [`RunFailure`]: the spec has mistakes, the data cannot be read or are others than the model's, or the host stopped it.
pub fn stored_importance(
    spec: &ExperimentSpec,
    stored: Stored,
    host: &mut dyn Host,
) -> Result<StoredImportance, RunFailure> {
    let mut spec = resolved(spec)?;
    // What there is to say of the data, the run has said.
    let mut said = Story::default();
    let data = enriched(&spec, data_of(&spec, &stored, host, &mut said)?)?;
    let mut model = stored.model;
    let chosen = !spec.features.permute.is_empty();
    if !chosen {
        spec.features.permute = every_feature(&spec, &data);
    }
    keep_measurable(&mut spec, &data, host, &mut said)?;
    let whole = evaluate(&spec, &data, &model, (0, 0.0), host, &mut said)?;
    let mut story = Story::default();
    let importance = importance(&spec, &data, &mut model, &whole.metrics, host, &mut story)?;
    // That some features are not read is no news where nobody named them.
    let warnings = if chosen || importance.is_empty() { story.into_warnings() } else { Vec::new() };
    Ok(StoredImportance { metrics: whole.metrics, importance, warnings })
}

/// Rows of a model's own split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitPart {
    /// Those of the training.
    Train,
    /// Those of the validation.
    Validation,
    /// Those of the test.
    Test,
}

impl SplitPart {
    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// What a model predicts for rows of its own split.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPredictions {
    /// The rows as they are in the data, whatever `[features]` took from them.
    pub rows: Interactions,
    /// What the model predicts for each.
    pub predictions: Vec<f32>,
    /// Whether those can be compared with the truth; otherwise they are scores that only order items.
    pub of_ratings: bool,
}

/// What the model predicts for each row of a part of its own split, without what `features.drop` takes away, and with the inputs of
/// `features.shuffle` dealt out anew among these rows: for the rows that its run measured, the predictions that this measured.
///
/// # Errors
/// [`RunFailure`]: the spec has mistakes, the data cannot be read or are others than the model's, the part has no rows, or the host
/// stopped it.
pub fn stored_predictions(
    spec: &ExperimentSpec,
    stored: &Stored,
    part: SplitPart,
    host: &mut dyn Host,
) -> Result<StoredPredictions, RunFailure> {
    let spec = resolved(spec)?;
    let data = data_of(&spec, stored, host, &mut Story::default())?;
    // Before [features] takes the times away, by which rows are held out.
    let parts = split(&data.interactions, &spec.split, spec.data_seed)
        .map_err(|error| RunFailure::new(FailureCode::InvalidSpec, error.to_string()))?;
    let rows = match part {
        SplitPart::Train => parts.train,
        SplitPart::Validation => parts.validation,
        SplitPart::Test => parts.test,
    };
    if rows.is_empty() {
        let cause = format!("the model's split has no {} rows; see split.kind", part.as_str());
        return Err(RunFailure::new(FailureCode::Data, cause));
    }
    let as_read = data.interactions.subset(&rows);
    let data = enriched(&spec, data)?;
    let predictions = predict(&data.interactions, &stored.model, &Inputs::new(&spec, &rows), host)?;
    let of_ratings = spec.recommender.predicts().has_ratings();
    Ok(StoredPredictions { rows: as_read, predictions, of_ratings })
}

fn resolved(spec: &ExperimentSpec) -> Result<ResolvedSpec, RunFailure> {
    spec.resolve().map_err(|errors| {
        RunFailure::new(FailureCode::InvalidSpec, format!("The spec cannot be read: {}", one_line(&errors.to_string())))
    })
}

/// The data of a stored model, loaded and split as its run did, before `[features]`.
fn data_of(
    spec: &ResolvedSpec,
    stored: &Stored,
    host: &mut dyn Host,
    said: &mut Story,
) -> Result<Prepared, RunFailure> {
    let data = prepare(spec, host, said)?;
    let known = &data.interactions;
    if data.info.sha256 != stored.sha256 || known.users != stored.users || known.items != stored.items {
        let cause = format!(
            "{} is not the data set that the model was fitted on (SHA-256 {}); bring that one back, or run the experiment again.",
            data.info.name, stored.sha256
        );
        return Err(RunFailure::new(FailureCode::Data, cause));
    }
    Ok(data)
}

/// The attributes of items and users, and, where ratings are predicted, the inputs that they are predicted from.
fn every_feature(spec: &ResolvedSpec, data: &Prepared) -> Vec<String> {
    let columns = [("items", &data.item_attributes), ("users", &data.user_attributes)];
    let attributes = columns.into_iter().flat_map(|(of, table)| {
        table.iter().flat_map(|table| &table.columns).map(move |column| format!("{of}.{}", column.name))
    });
    let predicts = spec.evaluation.metrics.iter().any(|metric| metric.kind.of_ratings());
    let is_input =
        |name: &&str| predicts && FeatureName::parse(name).is_some_and(|input| spec.recommender.predicts_from(input));
    attributes.chain(["user", "item", "time"].into_iter().filter(is_input).map(str::to_owned)).collect()
}
