//! What baselines get on the rows of a run: the least that a method has to beat.

use std::collections::BTreeMap;

use recspeed_recommenders::{Recommender, TrainSet, fit};
use recspeed_types::catalogue::Family;
use recspeed_types::event::BASELINES;
use recspeed_types::spec::{ResolvedRecommender, ResolvedSpec};
use recspeed_types::{EventKind, FailureCode, MetricKind, MetricName};

use crate::audience::Audience;
use crate::beside_popularity::warn_of_fewer_hits;
use crate::enriched::{Inputs, shuffled_inputs};
use crate::evaluate::{Evaluated, UserTable, Values, predict_test_rows};
use crate::fit::classical_failure;
use crate::model::Model;
use crate::rank::{Question, Quiet};
use crate::run::{Prepared, Story};
use crate::{Host, RunFailure};

/// What stands beside predicted ratings: it knows who is generous and what is liked, and nothing of who likes what.
const OF_RATINGS: &str = "bias";

/// What stands beside lists: the same for everybody.
const OF_LISTS: &str = "popularity";

/// Fits the baselines of what was measured and judges them by the same code on the same rows, by kind and metric;
/// `None` where none is due. They cost little beside a network: one counts the rows of each item, the other goes over
/// the rows twenty times without any product. Neither stands beside itself, nor anything where inputs were dealt out
/// anew, which is to do harm; and what learns no more than deviations has nothing to be held against them. Whoever runs
/// many to choose among them wants none.
///
/// One that fails is told as a warning, and left out: the result is as true without it. What was trained and finds less
/// than popularity is warned of.
///
/// # Errors
/// [`RunFailure`]: the host stopped it.
pub(crate) fn baselines(
    spec: &ResolvedSpec,
    data: &Prepared,
    evaluated: &Evaluated,
    host: &mut dyn Host,
    story: &mut Story,
) -> Result<Option<BTreeMap<String, Values>>, RunFailure> {
    if !host.wants_baselines() || !shuffled_inputs(spec).is_empty() {
        return Ok(None);
    }
    let own = spec.recommender.entry;
    let has_stars = own.family != Family::Baseline && !spec.recommender.predicts().has_probabilities();
    let errors = if has_stars { measured(spec, evaluated, MetricKind::of_ratings) } else { Vec::new() };
    let ranked_for = evaluated.ranked_for.as_ref().filter(|_| own.kind != OF_LISTS);
    let hits = if ranked_for.is_some() { measured(spec, evaluated, is_of_hits) } else { Vec::new() };
    if errors.is_empty() && hits.is_empty() {
        return Ok(None);
    }
    let total = u64::from(!errors.is_empty()) + u64::from(!hits.is_empty());
    tell(host, 0, total);
    let mut all = BTreeMap::new();
    if !errors.is_empty() {
        let made = of_ratings(spec, data, &errors, host);
        keep(&mut all, (OF_RATINGS, &errors[..]), made, host, story)?;
        tell(host, 1, total);
    }
    if let Some(audience) = ranked_for.filter(|_| !hits.is_empty()) {
        let mut of_users = UserTable { users: audience.test_users.clone(), columns: BTreeMap::new() };
        let made = of_lists(spec, data, (audience, &hits[..]), &mut of_users, host);
        keep(&mut all, (OF_LISTS, &hits[..]), made, host, story)?;
        tell(host, total, total);
        // The first that was asked for alone: of many one would be less by chance.
        if let Some(&first) = hits.first() {
            warn_of_fewer_hits(spec, first, (&evaluated.users, &of_users), host, story);
        }
    }
    Ok(Some(all))
}

/// So many of the baselines are done: whoever waits knows that it is them whom the run is at.
fn tell(host: &mut dyn Host, done: u64, total: u64) {
    host.event(EventKind::Progress { done, total, unit: BASELINES.to_owned() });
}

/// The asked metrics of some kind that the run has a value of.
fn measured(spec: &ResolvedSpec, evaluated: &Evaluated, of: impl Fn(MetricKind) -> bool) -> Vec<MetricName> {
    let asked = spec.evaluation.metrics.iter().copied();
    asked.filter(|name| of(name.kind) && evaluated.metrics.contains_key(&name.to_string())).collect()
}

/// Whether a metric says how much of what people took a list holds; the others say what lists are made of, where less popular
/// may be better or worse.
const fn is_of_hits(kind: MetricKind) -> bool {
    use MetricKind::{F1, Hit, Map, Mrr, Ndcg, Precision, Recall};
    matches!(kind, Precision | Recall | F1 | Hit | Ndcg | Map | Mrr)
}

/// The errors of user and item biases on the test rows.
fn of_ratings(
    spec: &ResolvedSpec,
    data: &Prepared,
    errors: &[MetricName],
    host: &mut dyn Host,
) -> Result<Values, RunFailure> {
    let model = Model::Classical(fitted(OF_RATINGS, spec, data, host)?);
    let inputs = Inputs::new(spec, &data.test_rows);
    let made = predict_test_rows(spec, data, &model, &inputs, &mut Quiet(host))?;
    let value = |name: &MetricName| Some((name.to_string(), made.measure(name.kind, spec.evaluation.threshold).ok()?));
    Ok(errors.iter().filter_map(value).collect())
}

/// The hits of lists by popularity, made for the same people. `table`: gets those of each of them.
fn of_lists(
    spec: &ResolvedSpec,
    data: &Prepared,
    (audience, hits): (&Audience, &[MetricName]),
    table: &mut UserTable,
    host: &mut dyn Host,
) -> Result<Values, RunFailure> {
    let model = fitted(OF_LISTS, spec, data, host)?;
    let mut values = Values::new();
    let question = Question::new(spec, data, audience, hits);
    question.ask(data, model.as_ref(), (hits, &mut values, table), &mut Quiet(host))?;
    Ok(values)
}

/// The baseline with its defaults.
fn fitted(
    kind: &'static str,
    spec: &ResolvedSpec,
    data: &Prepared,
    host: &mut dyn Host,
) -> Result<Box<dyn Recommender>, RunFailure> {
    let recommender = ResolvedRecommender::by_default(kind).ok_or_else(|| {
        RunFailure::new(FailureCode::Internal, "The catalogue has no such recommender that its defaults make.")
    })?;
    let train = TrainSet::new(&data.interactions, &data.fit_rows);
    fit(&recommender, &train, spec.seed, &mut Quiet(host)).map_err(classical_failure)
}

/// Adds what a baseline got, and warns of the metrics of which it has no value: a run that has its result loses it by
/// no baseline. Only who stops the run stops these.
fn keep(
    all: &mut BTreeMap<String, Values>,
    (kind, due): (&str, &[MetricName]),
    made: Result<Values, RunFailure>,
    host: &mut dyn Host,
    story: &mut Story,
) -> Result<(), RunFailure> {
    let (values, why) = kept(made)?;
    let without: Vec<String> = due.iter().map(ToString::to_string).filter(|name| !values.contains_key(name)).collect();
    if !without.is_empty() {
        story.warn(host, left_out(kind, &without, &why));
    }
    if !values.is_empty() {
        all.insert(kind.to_owned(), values);
    }
    Ok(())
}

/// The values that can be told, and why others have none.
fn kept(made: Result<Values, RunFailure>) -> Result<(Values, String), RunFailure> {
    match made {
        // JSON has no other numbers than finite ones.
        Ok(values) => Ok((
            values.into_iter().filter(|(_, value)| value.is_finite()).collect(),
            "it got no finite number there".to_owned(),
        )),
        Err(failure) if failure.code == FailureCode::Cancelled => Err(failure),
        Err(failure) => Ok((Values::new(), failure.cause)),
    }
}

fn left_out(kind: &str, metrics: &[String], why: &str) -> String {
    let (metrics, why) = (metrics.join(", "), why.trim_end_matches('.'));
    format!("the baseline `{kind}` has no {metrics} to stand beside this result, which holds without it: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_that_fails_is_told_and_left_out_and_one_that_is_stopped_stops_the_run() {
        let failed = |code| Err::<Values, _>(RunFailure::new(code, "There is no room."));
        let (values, why) = kept(failed(FailureCode::OutOfMemory)).expect("the run goes on");
        assert!(values.is_empty());
        let told = left_out(OF_RATINGS, &["rmse".to_owned(), "mae".to_owned()], &why);
        assert_eq!(
            told,
            "the baseline `bias` has no rmse, mae to stand beside this result, which holds without it: There is no room"
        );
        assert!(matches!(kept(failed(FailureCode::Cancelled)), Err(failure) if failure.code == FailureCode::Cancelled));
    }

    #[test]
    fn what_is_no_finite_number_is_left_out_and_the_rest_is_kept() {
        let made = Values::from([("rmse".to_owned(), f64::NAN), ("mae".to_owned(), 0.5)]);
        let (values, why) = kept(Ok(made)).expect("the run goes on");
        assert_eq!(values, Values::from([("mae".to_owned(), 0.5)]));
        assert!(why.contains("no finite number"), "{why}");
    }

    #[test]
    fn both_baselines_stand_by_their_defaults() {
        for kind in [OF_RATINGS, OF_LISTS] {
            assert!(ResolvedRecommender::by_default(kind).is_some(), "{kind}");
        }
    }
}
