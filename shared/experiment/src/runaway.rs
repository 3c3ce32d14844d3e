//! What is said where a model's numbers have grown without bound: of whom, and what to change of what its recommender has.

use recspeed_data::Interactions;
use recspeed_recommenders::{RankError, what_to_change};
use recspeed_types::FailureCode;
use recspeed_types::catalogue::{Condition, Under};
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

/// What to try where a model knows less than somebody who knows nothing: whether it learnt too little or too wildly nobody can tell.
pub(crate) fn what_else(spec: &ResolvedSpec) -> String {
    let recommender = &spec.recommender;
    // Of those that this one reads, given its other parameters.
    let is_read = |name: &str| {
        Condition::of(recommender.entry.kind, name).is_none_or(|condition| match condition.under {
            Under::Parameter(other) => recommender.params().get(other).is_none_or(|value| condition.holds(value)),
            Under::Loss => true,
        })
    };
    let own = ["learning_rate", "regularization", "l1", "l2", "init_deviation", "iterations"];
    let own = own.iter().filter(|name| is_read(name));
    let own = own.filter_map(|name| Some(format!("recommender.{name} (now {})", recommender.params().get(name)?)));
    let of_training = spec.training.iter().flat_map(|training| {
        let (rate, epochs) = (training.learning_rate, training.epochs);
        [format!("training.learning_rate (now {rate})"), format!("training.epochs (now {epochs})")]
    });
    let all: Vec<String> = of_training.chain(own).collect();
    match all.split_last() {
        None if recommender.components().is_empty() => "take another recommender".to_owned(),
        None => "run its components alone to see which of them is to blame".to_owned(),
        Some((last, [])) => format!("try another {last}"),
        Some((last, others)) => format!("try another {} or {last}", others.join(", ")),
    }
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
