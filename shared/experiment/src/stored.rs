//! What a model that an earlier run left behind loses where a feature tells nothing.

use recspeed_data::Dictionary;
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::{ExperimentSpec, FailureCode, StoredImportance};

use crate::enriched::enriched;
use crate::evaluate::evaluate;
use crate::importance::importance;
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
    let mut spec = spec.resolve().map_err(|errors| {
        RunFailure::new(FailureCode::InvalidSpec, format!("The spec cannot be read: {}", one_line(&errors.to_string())))
    })?;
    // What there is to say of the data, the run has said.
    let mut said = Story::default();
    let data = prepare(&spec, host, &mut said)?;
    let (known, Stored { mut model, users, items, sha256 }) = (&data.interactions, stored);
    if data.info.sha256 != sha256 || known.users != users || known.items != items {
        let cause = format!(
            "{} is not the data set that the model was fitted on (SHA-256 {sha256}); bring that one back, or run the experiment again.",
            data.info.name
        );
        return Err(RunFailure::new(FailureCode::Data, cause));
    }
    let data = enriched(&spec, data)?;
    let chosen = !spec.features.permute.is_empty();
    if !chosen {
        spec.features.permute = every_feature(&spec, &data);
    }
    let whole = evaluate(&spec, &data, &model, (0, 0.0), host, &mut said)?;
    let mut story = Story::default();
    let importance = importance(&spec, &data, &mut model, &whole.metrics, host, &mut story)?;
    // That some features are not read is no news where nobody named them.
    let warnings = if chosen || importance.is_empty() { story.into_warnings() } else { Vec::new() };
    Ok(StoredImportance { metrics: whole.metrics, importance, warnings })
}

/// The attributes of items and users, and the inputs of a network that predicts ratings.
fn every_feature(spec: &ResolvedSpec, data: &Prepared) -> Vec<String> {
    let columns = [("items", &data.item_attributes), ("users", &data.user_attributes)];
    let attributes = columns.into_iter().flat_map(|(of, table)| {
        table.iter().flat_map(|table| &table.columns).map(move |column| format!("{of}.{}", column.name))
    });
    let predicts = spec.evaluation.metrics.iter().any(|metric| metric.kind.of_ratings());
    let reads_inputs = predicts && spec.recommender.trained().is_some();
    attributes.chain(["user", "item", "time"].map(str::to_owned).into_iter().filter(|_| reads_inputs)).collect()
}
