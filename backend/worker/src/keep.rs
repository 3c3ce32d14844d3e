//! Keeps the model of a finished run.

use std::path::Path;

use recspeed_data::Csr;
use recspeed_experiment::{Model, Outcome, liked_rating, rating_scale};
use recspeed_models::{Manifest, ModelError, ModelToSave};
use recspeed_types::{ExperimentSpec, RunId};

/// Saves what a run leaves behind into `dir`.
pub(crate) fn keep(dir: &Path, run: &RunId, spec: &ExperimentSpec, outcome: &Outcome) -> Result<Manifest, ModelError> {
    let data = &outcome.interactions;
    recspeed_models::save(
        dir,
        &ModelToSave {
            run,
            spec,
            data: &outcome.summary.data,
            users: &data.users,
            items: &data.items,
            titles: outcome.titles.as_ref(),
            known: &Csr::by_user(data, &outcome.known_rows),
            liked_rating: liked_rating(data, &outcome.known_rows, spec.evaluation.threshold),
            rating_scale: rating_scale(data, &outcome.known_rows),
            parts: &outcome.model.as_recommender().parts(),
            as_tensors: matches!(outcome.model, Model::Network(_)),
        },
    )
}
