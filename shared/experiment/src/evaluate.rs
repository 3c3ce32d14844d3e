//! Measures a fitted recommender on the test rows.

use std::collections::BTreeMap;

use recspeed_metrics::rating;
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::summary::EvaluationInfo;
use recspeed_types::{EventKind, FailureCode, MetricKind, MetricName};

use crate::model::Model;
use crate::rank::{Audience, rank};
use crate::run::{Prepared, Story, stop_if_asked};
use crate::{Host, RunFailure};

/// The rule for equal scores, as every result states it.
const TIE_RULE: &str =
    "score descending, then the lower item id: numeric where every id is an integer, bytewise otherwise";

/// Test rows predicted between two looks at the clock.
const ROWS_AT_ONCE: usize = 65_536;

pub(crate) struct Evaluated {
    pub(crate) metrics: BTreeMap<String, f64>,
    pub(crate) info: EvaluationInfo,
}

pub(crate) fn evaluate(
    spec: &ResolvedSpec,
    data: &Prepared,
    model: &Model,
    (step, epoch): (u64, f64),
    host: &mut dyn Host,
    story: &mut Story,
) -> Result<Evaluated, RunFailure> {
    let audience = Audience::new(spec, data);
    let (of_ratings, of_lists): (Vec<MetricName>, Vec<MetricName>) =
        spec.evaluation.metrics.iter().partition(|name| name.kind.of_ratings());
    let mut values: BTreeMap<String, f64> = BTreeMap::new();
    if !of_ratings.is_empty() {
        let (predicted, truth) = predict_test_rows(data, model, host)?;
        for name in of_ratings {
            let value = match name.kind {
                MetricKind::Rmse => rating::rmse(&predicted, &truth),
                MetricKind::Mae => rating::mae(&predicted, &truth),
                _ => rating::accuracy(&predicted, &truth, spec.evaluation.threshold),
            };
            values.insert(name.to_string(), value.map_err(unmeasurable)?);
        }
    }
    let mut tie_share = 0.0;
    if !of_lists.is_empty() {
        let ranked = rank(spec, data, &audience, model.as_recommender(), &of_lists, host)?;
        values.extend(ranked.values);
        tie_share = ranked.tie_share;
    }
    for (name, value) in &values {
        if !value.is_finite() {
            return Err(RunFailure::new(
                FailureCode::Diverged,
                format!(
                    "{name} is {value}, not a number: the recommender's predictions grew without bound; lower the learning rate or raise the regularization."
                ),
            ));
        }
    }
    for name in &spec.evaluation.metrics {
        if let Some(&value) = values.get(&name.to_string()) {
            host.event(EventKind::metric(name, value, step, epoch));
        }
    }
    let info = EvaluationInfo {
        candidates: spec.evaluation.candidates.describe().to_owned(),
        candidate_items: audience.candidate_items(),
        test_users: audience.test_users,
        evaluated_users: audience.users.len() as u64,
        sampled_users: (audience.users.len() as u64) < audience.test_users,
        cold_users: audience.cold_users,
        cold_item_rows: audience.cold_item_rows,
        tie_rule: TIE_RULE.to_owned(),
        tie_share,
        rating_scale: "stars".to_owned(),
    };
    warn_of_what_cannot_be_found(&info, data, host, story);
    Ok(Evaluated { metrics: values, info })
}

/// Predicted and true ratings of the test rows, in their order.
fn predict_test_rows(data: &Prepared, model: &Model, host: &mut dyn Host) -> Result<(Vec<f32>, Vec<f32>), RunFailure> {
    let all = &data.interactions;
    let total = data.test_rows.len() as u64;
    let mut predicted = Vec::with_capacity(data.test_rows.len());
    for rows in data.test_rows.chunks(ROWS_AT_ONCE) {
        stop_if_asked(host)?;
        let column = |values: &[u32]| rows.iter().map(|&row| values[row as usize]).collect::<Vec<u32>>();
        let times: Vec<i64> = rows.iter().map(|&row| all.timestamp[row as usize]).collect();
        predicted.extend(model.predict_rows(&column(&all.user), &column(&all.item), &times));
        host.event(EventKind::Progress { done: predicted.len() as u64, total, unit: "rows".to_owned() });
    }
    let truth = data.test_rows.iter().map(|&row| all.rating[row as usize]).collect();
    Ok((predicted, truth))
}

fn warn_of_what_cannot_be_found(info: &EvaluationInfo, data: &Prepared, host: &mut dyn Host, story: &mut Story) {
    let rows = data.test_rows.len() as u64;
    if 10 * info.cold_item_rows > rows {
        story.warn(
            host,
            format!(
                "{} of {rows} test rows ask for items that nobody rated before the test: no ranking among known items can find them",
                info.cold_item_rows
            ),
        );
    }
    if 10 * info.cold_users > info.test_users {
        story.warn(
            host,
            format!(
                "{} of {} test users have no row before the test: what they get says little about the recommender",
                info.cold_users, info.test_users
            ),
        );
    }
}

pub(crate) fn unmeasurable(error: recspeed_metrics::MetricError) -> RunFailure {
    RunFailure::new(FailureCode::Internal, format!("A metric could not be computed: {error}"))
}
