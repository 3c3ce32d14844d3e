//! Measures a fitted recommender on the test rows.

use std::collections::BTreeMap;

use recspeed_data::Interactions;
use recspeed_metrics::{MetricError, liking, rating};
use recspeed_types::event::MeasuredOn;
use recspeed_types::spec::{Candidates, EvaluateOn, ResolvedSpec};
use recspeed_types::summary::{Breakdown, EvaluationInfo};
use recspeed_types::{EventKind, FailureCode, FitObserver, MetricKind, MetricName};

use crate::apart::warn_of_one_list;
use crate::audience::Audience;
use crate::beside_mean::{BesideMean, Measure, warn_of_no_use};
use crate::breakdown::{Measured, breakdowns};
use crate::enriched::{Inputs, shuffled_inputs};
use crate::measurable::not_measured;
use crate::model::Model;
use crate::rank::rank;
use crate::run::{Prepared, Story};
use crate::scale::warn_of_errors_beyond;
use crate::{Host, RunFailure, runaway};

/// The rule for equal scores, as every result states it.
const TIE_RULE: &str =
    "score descending, then the lower item id: numeric where every id is an integer, bytewise otherwise";

/// Test rows predicted between two looks at the clock.
const ROWS_AT_ONCE: usize = recspeed_plan::blocks::PREDICTED;

/// The metrics that one number for everybody has as well; the others compare predictions with each other, or users.
const OF_ONE_NUMBER: [MetricKind; 5] =
    [MetricKind::Rmse, MetricKind::Mae, MetricKind::Nrmse, MetricKind::Nmae, MetricKind::Accuracy];

/// Value by metric name.
pub(crate) type Values = BTreeMap<String, f64>;

pub(crate) struct Evaluated {
    pub(crate) metrics: Values,
    pub(crate) info: EvaluationInfo,
    pub(crate) breakdowns: Vec<Breakdown>,
    /// Whom lists were made for; `None` where none were.
    pub(crate) ranked_for: Option<Audience>,
    pub(crate) users: UserTable,
}

/// The value of each user of every metric that is a mean over users: what two runs are compared by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserTable {
    /// Indices of the users with test rows, ascending.
    pub users: Vec<u32>,
    /// By metric name, one value for each of `users`; `None` where the user was not evaluated or has no value.
    pub columns: BTreeMap<String, Vec<Option<f64>>>,
}

impl UserTable {
    /// Adds the values of the audience's evaluated users.
    pub(crate) fn add(&mut self, name: MetricName, audience: &Audience, values: &[Option<f64>]) {
        self.insert(name, audience.users.iter().copied().zip(values.iter().copied()));
    }

    /// Adds values by user.
    fn insert(&mut self, name: MetricName, values: impl Iterator<Item = (u32, Option<f64>)>) {
        let mut column = vec![None; self.users.len()];
        for (user, value) in values {
            if let Ok(place) = self.users.binary_search(&user) {
                column[place] = value;
            }
        }
        self.columns.insert(name.to_string(), column);
    }
}

/// Predictions of the test rows, and the truth, both in stars, or as probability and whether the row was liked.
pub(crate) struct Predictions {
    /// User of each test row.
    users: Vec<u32>,
    pub(crate) predicted: Vec<f32>,
    pub(crate) truth: Vec<f32>,
    /// The ratings themselves.
    stars: Vec<f32>,
    /// A prediction of at least this much says liked.
    cut: f64,
    /// Range of the training ratings, or 1 for probabilities; 0 where all are equal.
    range: f64,
    /// Lowest and highest rating of the training and the truth together; `None` of probabilities.
    scale: Option<(f32, f32)>,
    /// Mean of what was learnt from: of the ratings, or of likes (1) and others (0) where probabilities are predicted.
    mean: f64,
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
    let mut values = Values::new();
    let mut users = UserTable { users: audience.test_users.clone(), columns: BTreeMap::new() };
    let mut predictions = None;
    let mut of_the_mean = Values::new();
    if !of_ratings.is_empty() {
        let made = predict_test_rows(spec, data, model, &Inputs::new(spec, &data.test_rows), host)?;
        for name in &of_ratings {
            values.insert(name.to_string(), made.measure(name.kind, spec.evaluation.threshold).map_err(unmeasurable)?);
        }
        of_the_mean = made.of_the_mean(&of_ratings, spec.evaluation.threshold).map_err(unmeasurable)?;
        made.fill(&mut users).map_err(unmeasurable)?;
        warn_of_errors((spec, data), &made, &of_ratings, host, story)?;
        predictions = Some(made);
    }
    let mut ranked = None;
    if !of_lists.is_empty() {
        warn_of_lists_without_inputs(spec, &of_lists, host, story);
        let wanted = (&of_lists[..], &mut values, &mut users);
        let lists = rank(spec, data, &audience, model.as_recommender(), wanted, host)?;
        for (name, why) in &lists.undefined {
            // Beside others it is left out; where it is all that was asked for, there is no result.
            if values.is_empty() {
                return Err(unmeasurable(*why));
            }
            story.warn(host, not_measured(*name, &why.to_string()));
        }
        ranked = Some(lists);
    }
    for (name, value) in &mut values {
        // A sum of nothing may be minus 0, which is the same number and reads like another.
        *value += 0.0;
        if !value.is_finite() {
            return Err(runaway::metric(spec, &data.interactions, name, *value));
        }
    }
    let measured_on = match spec.evaluation.on {
        EvaluateOn::Test => MeasuredOn::Test,
        EvaluateOn::Validation => MeasuredOn::Validation,
    };
    for name in &spec.evaluation.metrics {
        if let Some(&value) = values.get(&name.to_string()) {
            host.event(EventKind::metric(name, measured_on, value, step, epoch));
        }
    }
    // Where as many are drawn as there are, nothing was sampled.
    let all_in_full = ranked.as_ref().is_some_and(|ranked| ranked.in_full == audience.users.len() as u64);
    let info = EvaluationInfo {
        on: spec.evaluation.on,
        candidates: candidates(spec, all_in_full),
        candidate_items: audience.candidate_items(),
        test_users: audience.test_users.len() as u64,
        evaluated_users: audience.users.len() as u64,
        sampled_users: (audience.users.len() as u64) < audience.seekers,
        left_out_rows: audience.left_out_rows,
        left_out_users: audience.test_users.len() as u64 - audience.seekers,
        cold_users: audience.cold_users,
        cold_item_rows: audience.cold_item_rows,
        repeated_rows: audience.repeated_rows,
        tie_rule: TIE_RULE.to_owned(),
        tie_share: ranked.as_ref().map_or(0.0, |ranked| ranked.tie_share),
        rating_scale: if spec.recommender.predicts().has_probabilities() {
            "liked (1) or not (0)".to_owned()
        } else {
            "stars".to_owned()
        },
        of_the_mean,
        baselines: BTreeMap::new(),
    };
    if let (Some(count), Some(ranked)) = (spec.evaluation.sampled, &ranked) {
        story.warn(host, told_of_sampling(count, ranked.in_full, &info));
    }
    warn_of_what_cannot_be_found(&info, spec.evaluation.candidates, data, host, story);
    if let Some(ranked) = &ranked {
        warn_of_one_list((spec, &data.interactions), &audience, ranked, host, story);
    }
    let mut cutoffs: Vec<u32> = of_lists.iter().filter_map(|name| name.k).collect();
    cutoffs.sort_unstable();
    cutoffs.dedup();
    let breakdowns = breakdowns(&Measured {
        data,
        audience: &audience,
        table: &users,
        predictions: predictions.as_ref(),
        ranking: ranked.as_ref().map(|ranked| (&ranked.ranking, &cutoffs[..])),
    });
    Ok(Evaluated { metrics: values, info, breakdowns, ranked_for: ranked.map(|_| audience), users })
}

/// Warns of errors that are larger than the scale, or not usefully smaller than those of one number for everybody. Of
/// probabilities only where an error was asked for: whom they put first may be right where their size is not.
fn warn_of_errors(
    (spec, data): (&ResolvedSpec, &Prepared),
    made: &Predictions,
    asked: &[MetricName],
    host: &mut dyn Host,
    story: &mut Story,
) -> Result<(), RunFailure> {
    let is_error =
        |name: &MetricName| !matches!(name.kind, MetricKind::Accuracy | MetricKind::Auc | MetricKind::LogLoss);
    let may_be_of_no_use = match made.scale {
        Some((low, high)) => {
            let error = made.measure(MetricKind::Rmse, spec.evaluation.threshold).map_err(unmeasurable)?;
            // Where all ratings are one number, one number is all that there is to learn.
            !warn_of_errors_beyond((low, high), error, (spec, &data.interactions), host, story) && low < high
        }
        None => asked.iter().any(is_error),
    };
    if may_be_of_no_use {
        warn_of_no_use((spec, data), &made.beside_the_mean(Measure::of(spec)), host, story);
    }
    Ok(())
}

/// What a drawing of so many items did to the lists, of which some were ranked in full.
fn told_of_sampling(count: u64, in_full: u64, info: &EvaluationInfo) -> String {
    let (all, users) = (info.candidate_items, info.evaluated_users);
    if in_full == users {
        return format!(
            "evaluation.sampled: {count} drawn items are all that anybody's list could have besides their test items: lists were ranked in full, as without it"
        );
    }
    let some = match in_full {
        0 => String::new(),
        n => format!(" (for {n} of {users} users these are all that there are)"),
    };
    format!(
        "evaluation.sampled: lists were ranked among each user's test items and {count} drawn ones{some}, not among all {all}: such numbers are higher, can put methods in another order, and do not stand beside those of a full ranking"
    )
}

/// The candidate set in words. `all_in_full`: every list was ranked among all of it.
fn candidates(spec: &ResolvedSpec, all_in_full: bool) -> String {
    let all = spec.evaluation.candidates.describe(spec.evaluation.on);
    match spec.evaluation.sampled.filter(|_| !all_in_full) {
        Some(count) => {
            let pool = all.trim_start_matches("full ").trim_start_matches("ranking over ");
            format!("sampled ranking: each user's test items and {count} items drawn from {pool}")
        }
        None => all.to_owned(),
    }
}

impl Predictions {
    pub(crate) fn measure(&self, kind: MetricKind, threshold: f64) -> Result<f64, MetricError> {
        self.measure_of(&self.predicted, kind, threshold)
    }

    /// The metric of other predictions of the same rows.
    fn measure_of(&self, predicted: &[f32], kind: MetricKind, threshold: f64) -> Result<f64, MetricError> {
        let truth = &self.truth[..];
        let over_range = |error: f64| if self.range > 0.0 { error / self.range } else { error };
        let mean = |users: Vec<(u32, f64)>| users.iter().map(|(_, value)| value).sum::<f64>() / users.len() as f64;
        match kind {
            MetricKind::Mae => rating::mae(predicted, truth),
            MetricKind::Nrmse => rating::rmse(predicted, truth).map(over_range),
            MetricKind::Nmae => rating::mae(predicted, truth).map(over_range),
            MetricKind::UserRmse => rating::user_rmse(&self.users, predicted, truth).map(mean),
            MetricKind::UserMae => rating::user_mae(&self.users, predicted, truth).map(mean),
            MetricKind::Accuracy => liking::accuracy(predicted, &self.stars, self.cut, threshold),
            MetricKind::Auc => liking::auc(predicted, &self.stars, threshold),
            MetricKind::LogLoss => liking::log_loss(predicted, &self.stars, threshold),
            _ => rating::rmse(predicted, truth),
        }
    }

    /// What the metrics would be of the mean of what was learnt from, for everybody and everything; of those that were asked for, the ones
    /// that such a number has.
    fn of_the_mean(&self, asked: &[MetricName], threshold: f64) -> Result<Values, MetricError> {
        let predicted = vec![self.mean as f32; self.truth.len()];
        let mut values = Values::new();
        for name in asked.iter().filter(|name| OF_ONE_NUMBER.contains(&name.kind)) {
            let value = self.measure_of(&predicted, name.kind, threshold)?;
            // JSON has no other numbers.
            if value.is_finite() {
                values.insert(name.to_string(), value);
            }
        }
        Ok(values)
    }

    /// The errors beside those of that mean, asked for or not.
    fn beside_the_mean(&self, measure: Measure) -> BesideMean {
        BesideMean::of(measure, &self.users, (&self.predicted, &self.truth), self.mean)
    }

    /// Adds the errors of each user.
    fn fill(&self, table: &mut UserTable) -> Result<(), MetricError> {
        let some = |values: Vec<(u32, f64)>| values.into_iter().map(|(user, value)| (user, Some(value)));
        let rmse = rating::user_rmse(&self.users, &self.predicted, &self.truth)?;
        let mae = rating::user_mae(&self.users, &self.predicted, &self.truth)?;
        table.insert(MetricName::plain(MetricKind::UserRmse), some(rmse));
        table.insert(MetricName::plain(MetricKind::UserMae), some(mae));
        Ok(())
    }
}

/// What the model says of the rows of `inputs`, in their order.
pub(crate) fn predict(
    all: &Interactions,
    model: &Model,
    inputs: &Inputs<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Vec<f32>, RunFailure> {
    let total = inputs.len() as u64;
    let mut predicted = Vec::with_capacity(inputs.len());
    for places in (0..inputs.len()).collect::<Vec<_>>().chunks(ROWS_AT_ONCE) {
        if observer.stop_requested() {
            return Err(RunFailure::cancelled());
        }
        let user: Vec<u32> = places.iter().map(|&place| all.user[inputs.user(place)]).collect();
        let item: Vec<u32> = places.iter().map(|&place| all.item[inputs.item(place)]).collect();
        let times: Vec<i64> = places.iter().map(|&place| all.timestamp[inputs.time(place)]).collect();
        predicted.extend(model.predict_rows(&user, &item, &times));
        observer.event(EventKind::Progress { done: predicted.len() as u64, total, unit: "rows".to_owned() });
    }
    Ok(predicted)
}

/// Predictions of the test rows, in their order.
pub(crate) fn predict_test_rows(
    spec: &ResolvedSpec,
    data: &Prepared,
    model: &Model,
    inputs: &Inputs<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Predictions, RunFailure> {
    let all = &data.interactions;
    let predicted = predict(all, model, inputs, observer)?;
    if let Some(place) = predicted.iter().position(|prediction| !prediction.is_finite()) {
        let of = (all.user[inputs.user(place)], all.item[inputs.item(place)]);
        return Err(runaway::not_finite(spec, all, "prediction", of));
    }
    let stars: Vec<f32> = data.test_rows.iter().map(|&row| all.rating[row as usize]).collect();
    let users = data.test_rows.iter().map(|&row| all.user[row as usize]).collect();
    let threshold = spec.evaluation.threshold;
    let to_learn_from = || data.fit_rows.iter().map(move |&row| all.rating[row as usize]);
    let mean_of = |sum: f64| sum / data.fit_rows.len().max(1) as f64;
    if spec.recommender.predicts().has_probabilities() {
        let liked = |rating: f32| f32::from(u8::from(f64::from(rating) >= threshold));
        let truth = stars.iter().map(|&rating| liked(rating)).collect();
        let mean = mean_of(to_learn_from().map(|rating| f64::from(liked(rating))).sum());
        return Ok(Predictions { users, predicted, truth, stars, cut: 0.5, range: 1.0, scale: None, mean });
    }
    let wider = |(low, high): (f32, f32), rating: f32| (low.min(rating), high.max(rating));
    let learnt = to_learn_from().fold((f32::MAX, f32::MIN), wider);
    let range = f64::from(learnt.1) - f64::from(learnt.0);
    let scale = Some(stars.iter().copied().fold(learnt, wider));
    let mean = mean_of(to_learn_from().map(f64::from).sum());
    Ok(Predictions { users, predicted, truth: stars.clone(), stars, cut: threshold, range, scale, mean })
}

/// Lists are of users among all items, and have no rows whose inputs could be dealt out.
fn warn_of_lists_without_inputs(spec: &ResolvedSpec, of_lists: &[MetricName], host: &mut dyn Host, story: &mut Story) {
    let inputs = shuffled_inputs(spec);
    if !inputs.is_empty() {
        let metrics: Vec<String> = of_lists.iter().map(ToString::to_string).collect();
        story.warn(
            host,
            format!(
                "features.shuffle deals out {} among the test rows whose ratings are predicted, and lists know nothing of it: {} as without",
                inputs.join(", "),
                metrics.join(", ")
            ),
        );
    }
}

fn warn_of_what_cannot_be_found(
    info: &EvaluationInfo,
    candidates: Candidates,
    data: &Prepared,
    host: &mut dyn Host,
    story: &mut Story,
) {
    let rows = data.test_rows.len() as u64;
    if info.left_out_rows > 0 {
        let (left, users, all) = (info.left_out_rows, info.left_out_users, info.test_users);
        story.warn(
            host,
            format!(
                "candidates are cold items: rankings leave out {left} of {rows} test rows, of items with rows before the test, and {users} of {all} users, who have no others; split.kind `cold-items` tests on cold items alone"
            ),
        );
    }
    if 10 * info.cold_item_rows > rows && matches!(candidates, Candidates::Unseen | Candidates::All) {
        story.warn(
            host,
            format!(
                "{} of {rows} test rows ask for items that nobody rated before the test: no ranking among known items can find them",
                info.cold_item_rows
            ),
        );
    }
    if 10 * info.repeated_rows > rows && matches!(candidates, Candidates::Unseen | Candidates::UnseenAndCold) {
        story.warn(
            host,
            format!(
                "{} of {rows} test rows ask for items that their user had before the test, which the user's list leaves out: they count as not found; evaluation.candidates `all` leaves them in",
                info.repeated_rows
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

pub(crate) fn unmeasurable(error: MetricError) -> RunFailure {
    // The data, the threshold or the split make it undefined, not the lab.
    let code = match error {
        MetricError::OneSided { .. } | MetricError::Empty { .. } => FailureCode::InvalidSpec,
        _ => FailureCode::Internal,
    };
    RunFailure::new(code, format!("A metric could not be computed: {error}."))
}
