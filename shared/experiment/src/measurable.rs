//! Metrics that have no value on these rows, as far as that is known before anything is learnt. Beside others they
//! are left out, and the run says so; a fit whose every metric is one of them would be work for nothing.

use recspeed_metrics::MetricError;
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::{FailureCode, MetricKind, MetricName};

use crate::audience::Audience;
use crate::run::{Prepared, Story};
use crate::{Host, RunFailure};

/// Takes the metrics that have no value on these rows out of the spec, with a warning for each.
///
/// # Errors
/// [`RunFailure`] where none is left.
pub(crate) fn keep_measurable(
    spec: &mut ResolvedSpec,
    data: &Prepared,
    host: &mut dyn Host,
    story: &mut Story,
) -> Result<(), RunFailure> {
    let told: Vec<(MetricName, String)> = undefined(spec, data);
    let is_left = |name: &MetricName| !told.iter().any(|(other, _)| other == name);
    if !spec.evaluation.metrics.iter().any(is_left) {
        let all: Vec<&str> = told.iter().map(|(_, sentence)| sentence.as_str()).collect();
        let cause = format!("None of evaluation.metrics has a value on these rows: {}.", all.join("; "));
        return Err(RunFailure::new(FailureCode::InvalidSpec, cause));
    }
    for (_, sentence) in &told {
        story.warn(host, sentence.clone());
    }
    spec.evaluation.metrics.retain(is_left);
    Ok(())
}

/// What is said of a metric that has no value.
pub(crate) fn not_measured(name: MetricName, why: &str) -> String {
    format!("{name} is not measured: {why}")
}

/// The metrics of the spec that have no value, each with what is said of it.
fn undefined(spec: &ResolvedSpec, data: &Prepared) -> Vec<(MetricName, String)> {
    let metrics = &spec.evaluation.metrics;
    // Whom lists are for is worth finding out only where somebody asks.
    let asks_whom = |name: &MetricName| matches!(name.kind, MetricKind::ColdCoverage | MetricKind::PopularityLift);
    let audience = metrics.iter().any(asks_whom).then(|| Audience::new(spec, data));
    let why = |kind: MetricKind| match (kind, &audience) {
        (MetricKind::Auc, _) => one_sided(spec, data),
        (MetricKind::ColdCoverage, Some(audience)) => without_cold_items(audience),
        (MetricKind::PopularityLift, Some(audience)) => without_own_rows(audience, data),
        _ => None,
    };
    metrics.iter().filter_map(|name| Some((*name, not_measured(*name, &why(name.kind)?)))).collect()
}

fn one_sided(spec: &ResolvedSpec, data: &Prepared) -> Option<String> {
    let (metric, threshold) = (MetricKind::Auc.as_str(), spec.evaluation.threshold);
    let is_liked = |row: &u32| f64::from(data.interactions.rating[*row as usize]) >= threshold;
    let liked = data.test_rows.iter().filter(|&row| is_liked(row)).count();
    let is_one = liked == 0 || liked == data.test_rows.len();
    is_one.then(|| MetricError::OneSided { metric, liked: liked > 0, threshold }.to_string())
}

fn without_cold_items(audience: &Audience) -> Option<String> {
    let some = audience.known_counts.contains(&0);
    (!some).then(|| "every item has rows before the test; split.kind `cold-items` holds whole items out".to_owned())
}

fn without_own_rows(audience: &Audience, data: &Prepared) -> Option<String> {
    let mut learnt_from = vec![false; data.interactions.n_users()];
    for &row in &data.fit_rows {
        learnt_from[data.interactions.user[row as usize] as usize] = true;
    }
    let some = audience.users.iter().any(|&user| learnt_from[user as usize]);
    (!some).then(|| {
        "nobody who gets a list has rows that were learnt from; split.kind `per-user-random` leaves everybody some"
            .to_owned()
    })
}
