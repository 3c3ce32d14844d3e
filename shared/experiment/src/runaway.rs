//! What is said where a model's numbers have grown without bound: of whom, and what to change of what its recommender has.

use recspeed_data::Interactions;
use recspeed_recommenders::{RankError, what_to_change};
use recspeed_types::FailureCode;
use recspeed_types::spec::ResolvedSpec;

use crate::RunFailure;

/// A `score` or `prediction` of an item for a user, by their indices, that is no finite number.
pub(crate) fn not_finite(spec: &ResolvedSpec, data: &Interactions, what: &str, (user, item): (u32, u32)) -> RunFailure {
    let (user, item) = (data.users.get(user), data.items.get(item));
    let cause = format!("The {what} of item `{item}` for user `{user}` is not a finite number; {}.", remedy(spec));
    RunFailure::new(FailureCode::Diverged, cause)
}

/// A metric that is no finite number.
pub(crate) fn metric(spec: &ResolvedSpec, name: &str, value: f64) -> RunFailure {
    let cause = format!("{name} is {value}, not a number: the predictions grew without bound; {}.", remedy(spec));
    RunFailure::new(FailureCode::Diverged, cause)
}

/// Why there are no lists.
pub(crate) fn not_ranked(spec: &ResolvedSpec, data: &Interactions, error: RankError) -> RunFailure {
    let code = match error {
        RankError::Interrupted { .. } => return RunFailure::cancelled(),
        RankError::NotFinite { user, item } => return not_finite(spec, data, "score", (user, item)),
        RankError::OutOfMemory { .. } => FailureCode::OutOfMemory,
        RankError::Shape { .. } | RankError::UnknownUser { .. } => FailureCode::Internal,
    };
    RunFailure::new(code, format!("The items could not be ranked: {error}."))
}

/// What to change where predictions are beyond all measure.
pub(crate) fn remedy(spec: &ResolvedSpec) -> String {
    let own = what_to_change(&spec.recommender);
    match &spec.training {
        Some(training) => {
            let rate = training.learning_rate;
            format!("lower training.learning_rate (now {rate}), set training.gradient_clip = 1, or {own}")
        }
        None => own,
    }
}
