//! Permutation importance: what the fitted model loses where a feature tells nothing.

use recspeed_data::{Permutation, shuffled};
use recspeed_types::metric::Direction;
use recspeed_types::spec::{FeatureName, ResolvedSpec};
use recspeed_types::{EventKind, FailureCode, Importance, MetricName};

use crate::audience::Audience;
use crate::enriched::Inputs;
use crate::evaluate::{UserTable, Values, predict_test_rows, unmeasurable};
use crate::model::Model;
use crate::rank::{Question, Quiet};
use crate::run::{Prepared, Story, stop_if_asked};
use crate::unread::{passed_over, who_reads};
use crate::{Host, RunFailure};

/// Asks the model again for each of `features.permute`, each dealt out anew several times, and by the metrics of the evaluation
/// that say what is better: for the same users, among the same candidates. The model is left as it was.
///
/// Attributes are dealt out among all items or users of the data set, `user`, `item` and `time` among the test rows.
pub(crate) fn importance(
    spec: &ResolvedSpec,
    data: &Prepared,
    model: &mut Model,
    whole: &Values,
    host: &mut dyn Host,
    story: &mut Story,
) -> Result<Vec<Importance>, RunFailure> {
    let names = &spec.features.permute;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let again = Again::new(spec, data, whole);
    let repeats = u64::from(spec.features.repeats());
    let total = names.len() as u64 * repeats;
    let mut all = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let mut losses: Vec<(MetricName, Vec<f64>)> = Vec::new();
        for repeat in 0..repeats {
            stop_if_asked(host)?;
            let done = place as u64 * repeats + repeat;
            host.event(EventKind::Progress { done, total, unit: "permutations".to_owned() });
            // Each repeat has an order of its own, and so has each run.
            let seed = spec.seed.wrapping_add((repeat + 1) << 53);
            let values = match again.without(name, seed, model, host)? {
                Ok(values) => values,
                Err(reason) => {
                    story.warn(host, reason);
                    break;
                }
            };
            for (at, (metric, value)) in values.into_iter().enumerate() {
                let before = whole.get(&metric.to_string()).copied().unwrap_or(f64::NAN);
                let lower = metric.kind.direction() == Direction::Lower;
                let loss = if lower { value - before } else { before - value };
                if !loss.is_finite() {
                    let cause = format!("{metric} is {value} with {name} dealt out anew, not a number.");
                    return Err(RunFailure::new(FailureCode::Diverged, cause));
                }
                if losses.len() <= at {
                    losses.push((metric, Vec::new()));
                }
                losses[at].1.push(loss);
            }
        }
        model.permute(None);
        all.extend(
            losses.into_iter().map(|(metric, losses)| Importance::new(name.clone(), metric.to_string(), losses)),
        );
    }
    host.event(EventKind::Progress { done: total, total, unit: "permutations".to_owned() });
    Ok(all)
}

/// What the evaluation asked, to ask it again.
struct Again<'a> {
    spec: &'a ResolvedSpec,
    data: &'a Prepared,
    audience: Audience,
    of_ratings: Vec<MetricName>,
    of_lists: Vec<MetricName>,
}

/// Value by metric, in the order of the spec; or why there is none.
type Measured = Result<Vec<(MetricName, f64)>, String>;

impl<'a> Again<'a> {
    /// By the metrics that have a value in `whole`.
    fn new(spec: &'a ResolvedSpec, data: &'a Prepared, whole: &Values) -> Self {
        let mut judging: Vec<MetricName> = Vec::new();
        for metric in spec.evaluation.metrics.iter().filter(|metric| whole.contains_key(&metric.to_string())) {
            if metric.kind.direction() != Direction::Neither && !judging.contains(metric) {
                judging.push(*metric);
            }
        }
        let (of_ratings, of_lists) = judging.into_iter().partition(|metric| metric.kind.of_ratings());
        Self { spec, data, audience: Audience::new(spec, data), of_ratings, of_lists }
    }

    /// Measures with one feature dealt out anew.
    fn without(&self, name: &str, seed: u64, model: &mut Model, host: &mut dyn Host) -> Result<Measured, RunFailure> {
        let data = &self.data.interactions;
        if let Some(reason) = self.untold(name) {
            return Ok(Err(reason));
        }
        let inputs = Inputs::new(self.spec, &self.data.test_rows);
        let (of_items, attribute) = match FeatureName::parse(name) {
            Some(FeatureName::Items(attribute)) => (true, attribute),
            Some(FeatureName::Users(attribute)) => (false, attribute),
            _ if self.of_ratings.is_empty() => {
                return Ok(Err(format!(
                    "features.permute: {name} is dealt out anew among the test rows, and no metric of this run is of predictions of them; ask for one, as rmse"
                )));
            }
            _ => return self.ratings(model, &inputs.with_dealt(name, seed), host).map(Ok),
        };
        let order = shuffled(if of_items { data.n_items() } else { data.n_users() }, seed);
        if !model.permute(Some(&Permutation { of_items, attribute, order: &order })) {
            return Ok(Err(self.undealt(name, of_items, attribute)));
        }
        let mut values = self.ratings(model, &inputs, host)?;
        values.extend(self.lists(model, host)?);
        Ok(Ok(values))
    }

    /// Why a feature has no importance whatever the model has learnt: it has one value, or nobody reads it.
    fn untold(&self, name: &str) -> Option<String> {
        let recommender = &self.spec.recommender;
        let feature = FeatureName::parse(name)?;
        if self.spec.features.drop.iter().any(|dropped| dropped == name) {
            return Some(format!(
                "features.permute: features.drop took {name} away, so there are no values to deal out anew; name it in one of the two lists"
            ));
        }
        if feature == FeatureName::Time && !self.data.interactions.has_timestamps {
            return Some(format!(
                "features.permute: the rows of {} have no times, so time has no permutation importance",
                self.data.info.name
            ));
        }
        let is_read = match feature {
            FeatureName::Items(_) | FeatureName::Users(_) => recommender.reads_feature(feature),
            input => recommender.predicts_from(input),
        };
        (!is_read).then(|| {
            let (kind, others) = (recommender.entry.kind, who_reads(recommender, name));
            format!("features.permute: {kind} does not read {name} and so has no permutation importance of it{others}")
        })
    }

    /// Why a model that was asked to deal an attribute out anew had nothing to deal: nobody reads values of its type, or what was read
    /// went into what was learnt.
    fn undealt(&self, name: &str, of_items: bool, attribute: &str) -> String {
        let recommender = &self.spec.recommender;
        let kind = recommender.entry.kind;
        let table = if of_items { &self.data.item_attributes } else { &self.data.user_attributes };
        let values = table.as_ref().and_then(|table| table.column(attribute));
        match values.and_then(|values| passed_over(recommender, name, values)) {
            Some(why) => format!(
                "features.permute: {kind} does not read {name} and so has no permutation importance of it: {why}"
            ),
            None => format!(
                "features.permute: {kind} does not read {name} when it answers: it has folded it into what it learnt, and so has no permutation importance; features.shuffle learns again from values dealt out anew"
            ),
        }
    }

    fn ratings(
        &self,
        model: &Model,
        inputs: &Inputs<'_>,
        host: &mut dyn Host,
    ) -> Result<Vec<(MetricName, f64)>, RunFailure> {
        if self.of_ratings.is_empty() {
            return Ok(Vec::new());
        }
        let made = predict_test_rows(self.spec, self.data, model, inputs, &mut Quiet(host))?;
        let threshold = self.spec.evaluation.threshold;
        let value = |metric: &MetricName| made.measure(metric.kind, threshold).map(|value| (*metric, value));
        self.of_ratings.iter().map(value).collect::<Result<_, _>>().map_err(unmeasurable)
    }

    fn lists(&self, model: &Model, host: &mut dyn Host) -> Result<Vec<(MetricName, f64)>, RunFailure> {
        let metrics = &self.of_lists[..];
        if metrics.is_empty() {
            return Ok(Vec::new());
        }
        let (mut values, mut table) = (Values::new(), UserTable::default());
        let question = Question::new(self.spec, self.data, &self.audience, metrics);
        question.ask(self.data, model.as_recommender(), (metrics, &mut values, &mut table), &mut Quiet(host))?;
        Ok(metrics.iter().filter_map(|metric| Some((*metric, *values.get(&metric.to_string())?))).collect())
    }
}
