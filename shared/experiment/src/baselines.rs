//! What baselines get on the rows of a run: the least that a method has to beat.

use std::collections::BTreeMap;

use recspeed_recommenders::{FitError, Recommender, TrainSet, fit};
use recspeed_types::catalogue::Family;
use recspeed_types::spec::{ResolvedRecommender, ResolvedSpec};
use recspeed_types::{FailureCode, MetricKind, MetricName};

use crate::audience::Audience;
use crate::enriched::{Inputs, shuffled_inputs};
use crate::evaluate::{UserTable, Values, predict_test_rows};
use crate::model::Model;
use crate::rank::{Question, Quiet};
use crate::run::Prepared;
use crate::{Host, RunFailure};

/// What stands beside predicted ratings: it knows who is generous and what is liked, and nothing of who likes what.
const OF_RATINGS: &str = "bias";

/// What stands beside lists: the same for everybody.
const OF_LISTS: &str = "popularity";

/// Fits the baselines of what was measured and judges them by the same code on the same rows, by kind and metric. They cost little
/// beside a network: one counts the rows of each item, the other goes over the rows twenty times without any product. Neither stands beside
/// itself, nor anything where inputs were dealt out anew, which is to do harm; and what learns no more than deviations
/// has nothing to be held against them.
///
/// # Errors
/// [`RunFailure`]: the host stopped it.
pub(crate) fn baselines(
    spec: &ResolvedSpec,
    data: &Prepared,
    audience: Option<&Audience>,
    host: &mut dyn Host,
) -> Result<BTreeMap<String, Values>, RunFailure> {
    let mut all = BTreeMap::new();
    let (own, predicts) = (spec.recommender.entry, spec.recommender.predicts());
    if !shuffled_inputs(spec).is_empty() {
        return Ok(all);
    }
    let errors: Vec<MetricName> = asked(spec, MetricKind::of_ratings);
    if !errors.is_empty()
        && own.family != Family::Baseline
        && !predicts.has_probabilities()
        && let Some(model) = fitted(OF_RATINGS, spec, data, host)?
    {
        let inputs = Inputs::new(spec, &data.test_rows);
        let made = predict_test_rows(spec, data, &Model::Classical(model), &inputs, &mut Quiet(host));
        if let Some(made) = unless_stopped(made)? {
            let measured = errors.iter().filter_map(|name| {
                // What these rows leave undefined, the run has said of its own predictions.
                Some((name.to_string(), made.measure(name.kind, spec.evaluation.threshold).ok()?))
            });
            add(&mut all, OF_RATINGS, measured.collect());
        }
    }
    let hits: Vec<MetricName> = asked(spec, is_of_hits);
    if let Some(audience) = audience
        && !hits.is_empty()
        && own.kind != OF_LISTS
        && let Some(model) = fitted(OF_LISTS, spec, data, host)?
    {
        let (mut values, mut nobody) = (Values::new(), UserTable::default());
        let question = Question::new(spec, data, audience, &hits);
        let asked = question.ask(data, model.as_ref(), (&hits[..], &mut values, &mut nobody), &mut Quiet(host));
        if unless_stopped(asked)?.is_some() {
            add(&mut all, OF_LISTS, values);
        }
    }
    Ok(all)
}

/// A run that has its result loses it by no baseline: only who stops the run stops these.
fn unless_stopped<T>(made: Result<T, RunFailure>) -> Result<Option<T>, RunFailure> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(failure) if failure.code == FailureCode::Cancelled => Err(failure),
        Err(_) => Ok(None),
    }
}

/// The asked metrics of some kind.
fn asked(spec: &ResolvedSpec, of: impl Fn(MetricKind) -> bool) -> Vec<MetricName> {
    spec.evaluation.metrics.iter().copied().filter(|name| of(name.kind)).collect()
}

/// Whether a metric says how much of what people took a list holds; the others say what lists are made of, where less popular
/// may be better or worse.
const fn is_of_hits(kind: MetricKind) -> bool {
    use MetricKind::{F1, Hit, Map, Mrr, Ndcg, Precision, Recall};
    matches!(kind, Precision | Recall | F1 | Hit | Ndcg | Map | Mrr)
}

/// The baseline with its defaults; `None` where these rows give it nothing to learn.
fn fitted(
    kind: &str,
    spec: &ResolvedSpec,
    data: &Prepared,
    host: &mut dyn Host,
) -> Result<Option<Box<dyn Recommender>>, RunFailure> {
    let Some(recommender) = ResolvedRecommender::by_default(kind) else { return Ok(None) };
    let train = TrainSet::new(&data.interactions, &data.fit_rows);
    match fit(&recommender, &train, spec.seed, &mut Quiet(host)) {
        Ok(model) => Ok(Some(model)),
        Err(FitError::Interrupted { .. }) => Err(RunFailure::cancelled()),
        Err(_) => Ok(None),
    }
}

/// JSON has no other numbers than finite ones.
fn add(all: &mut BTreeMap<String, Values>, kind: &str, values: Values) {
    let values: Values = values.into_iter().filter(|(_, value)| value.is_finite()).collect();
    if !values.is_empty() {
        all.insert(kind.to_owned(), values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_that_fails_is_left_out_and_one_that_is_stopped_stops_the_run() {
        let failed = |code| Err::<(), _>(RunFailure::new(code, "no room".to_owned()));
        assert!(matches!(unless_stopped(failed(FailureCode::OutOfMemory)), Ok(None)));
        assert!(
            matches!(unless_stopped(failed(FailureCode::Cancelled)), Err(failure) if failure.code == FailureCode::Cancelled)
        );
        assert!(matches!(unless_stopped(Ok(7)), Ok(Some(7))));
    }
}
