//! What a spec counts on and the data do not have: ratings that differ, and an order of time.

use recspeed_data::Interactions;
use recspeed_types::FailureCode;
use recspeed_types::spec::{FeatureName, ResolvedRecommender, ResolvedSpec, Split};

use crate::run::Story;
use crate::scale::unweighed;
use crate::{Host, RunFailure};

/// Refuses metrics of ratings where the data have none: every row counts as 1, and so would every error be one of nothing.
pub(crate) fn refuse_ratings(spec: &ResolvedSpec, data: &Interactions, name: &str) -> Result<(), RunFailure> {
    let asked = metrics_of_ratings(spec);
    if data.has_ratings || asked.is_empty() {
        return Ok(());
    }
    let cause = format!(
        "{name} has no ratings: every row counts as 1, and there is nothing that {asked} could measure. Take metrics of lists, as \
         evaluation.metrics = [\"ndcg@10\", \"hit@10\"], or data with ratings."
    );
    Err(RunFailure::new(FailureCode::InvalidSpec, cause))
}

/// Says of the filtered rows what they do not tell, before they are split.
pub(crate) fn warn(spec: &ResolvedSpec, data: &Interactions, name: &str, host: &mut dyn Host, story: &mut Story) {
    let told = [of_ratings(spec, data, name), of_order(spec, data, name), of_time(spec, data, name)];
    for sentence in told.into_iter().flatten() {
        story.warn(host, sentence);
    }
}

fn of_ratings(spec: &ResolvedSpec, data: &Interactions, name: &str) -> Option<String> {
    let first = *data.rating.first()?;
    if !has_one_rating(data) {
        return None;
    }
    let why = if data.has_ratings {
        format!("every rating of {name} is {first}")
    } else {
        format!("{name} has no ratings, every row counts as 1")
    };
    let asked = metrics_of_ratings(spec);
    let measure = if asked.contains(", ") { "measure" } else { "measures" };
    let measured = (!asked.is_empty())
        .then(|| format!("{asked} {measure} whether one number was learnt, and nothing about taste"));
    let predicting = predicting_ratings(spec);
    let others = who_has_what(data);
    let learnt = (!predicting.is_empty())
        .then(|| format!("{predicting} can learn nothing else; {others} and others learn from who has what"));
    let told: Vec<String> = measured.into_iter().chain(learnt).collect();
    (!told.is_empty()).then(|| format!("{why}: {}", told.join("; ")))
}

/// Kinds that need no ratings. Two of them weigh what somebody has by its rating unless they are told otherwise: by a
/// rating of 0 that is nothing.
fn who_has_what(data: &Interactions) -> &'static str {
    if has_zeros_alone(data) {
        "als-implicit, item-knn or ease (these two by weighting = \"binary\")"
    } else {
        "item-knn, als-implicit, ease"
    }
}

/// Whether there are ratings, and all of them are 0.
fn has_zeros_alone(data: &Interactions) -> bool {
    data.has_ratings && data.rating.iter().all(|rating| *rating == 0.0)
}

/// Whether all ratings are one number, or none are there.
fn has_one_rating(data: &Interactions) -> bool {
    !data.has_ratings || data.rating.iter().all(|rating| *rating == data.rating[0])
}

/// What to take where nothing can be set that would help: where all ratings are one number, and the recommender, or
/// every component of it, learns nothing else.
pub(crate) fn instead_of_one_number(spec: &ResolvedSpec, data: &Interactions) -> Option<String> {
    let all = spec.recommender.all();
    let mut learning = all.iter().filter(|each| each.components().is_empty());
    (has_one_rating(data) && learning.all(|each| each.entry.predicts.has_ratings()))
        .then(|| format!("take one that learns from who has what, as {}", who_has_what(data)))
}

/// What to set where every rating is 0, and the recommender, or a component of it, weighs by the ratings what people
/// have: all its sums are 0, whatever else is set.
pub(crate) fn instead_of_zeros(spec: &ResolvedSpec, data: &Interactions) -> Option<String> {
    if !has_zeros_alone(data) {
        return None;
    }
    let set = unweighed(spec);
    (!set.is_empty()).then(|| format!("every rating is 0, and so is what it is weighed by: set {set}"))
}

fn of_order(spec: &ResolvedSpec, data: &Interactions, name: &str) -> Option<String> {
    let what = match spec.split.split {
        Split::LeaveLastOut { .. } => {
            "the newest row of a user, which split.kind `leave-last-out` holds out, is the last one in the file's order"
        }
        // Without any times the split itself is refused.
        Split::GlobalTime { .. } if data.has_one_time() => {
            "the newest rows, which split.kind `global-time` holds out, are the last ones in the file's order, \
             whoever's they are"
        }
        _ => return None,
    };
    let why = data.lacks_times()?;
    Some(format!("{name} {why}: {what}; unless that is an order of time, take `per-user-random`"))
}

/// Who predicts from the time of a row, where there is none; whoever takes the times away knows.
fn of_time(spec: &ResolvedSpec, data: &Interactions, name: &str) -> Option<String> {
    let reading = kinds_that(spec, |each| each.components().is_empty() && each.predicts_from(FeatureName::Time));
    if reading.is_empty() || spec.features.drop.iter().any(|feature| feature == "time") {
        return None;
    }
    match data.lacks_times() {
        Some(why) => {
            Some(format!("{name} {why}: time is an input of {reading}, the same for every row, and tells nothing"))
        }
        None if !data.has_timestamps => Some(format!(
            "{name} has an order and no times: what {reading} takes for the time of a row is its place among its user's rows"
        )),
        None => None,
    }
}

/// Names of the metrics that compare predicted ratings with given ones.
fn metrics_of_ratings(spec: &ResolvedSpec) -> String {
    let asked = spec.evaluation.metrics.iter().filter(|metric| metric.kind.of_ratings());
    asked.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Kinds of the recommender, or of its components, that predict ratings, each once.
fn predicting_ratings(spec: &ResolvedSpec) -> String {
    kinds_that(spec, |each| each.entry.predicts.has_ratings())
}

/// Kinds of the recommender, or of its components, of which something is true, each once.
fn kinds_that(spec: &ResolvedSpec, holds: impl Fn(&ResolvedRecommender) -> bool) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for each in spec.recommender.all() {
        if holds(each) && !kinds.contains(&each.entry.kind) {
            kinds.push(each.entry.kind);
        }
    }
    kinds.join(", ")
}
