//! `/api/comparison`: stored runs side by side, and every method tested against the first.

use std::path::Path;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use recspeed_types::comparison::{LeftOut, Procedure, RunTests};
use recspeed_types::limits::MAX_COMPARED_RUNS;
use recspeed_types::{MetricName, RunId, UserValues};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::Query;
use super::{ApiError, AppState};
use crate::access::Visitor;
use crate::comparison::{Collector, FinishedRun, Method, Tested, against_first, compare, methods};
use crate::home;

/// Events read at a time.
const EVENTS: u32 = 5_000;
const EVENT_BYTES: usize = 4 << 20;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(side_by_side)).routes(routes!(tests))
}

/// Stored runs side by side
///
/// Runs that differ in the seed alone are one method, with mean and standard deviation. A run that is gone or has not finished
/// is left out and named.
#[utoipa::path(
    get, path = "/api/comparison", tag = "runs",
    params(("runs" = String, Query, description = "Ids with commas between, 1 to 24; the first one is what the others are held against")),
    responses(
        (status = 200, description = "Metrics, times, curves, what differs, and whether the numbers may stand side by side", body = ref("#/components/schemas/RunComparison")),
        (status = 422, description = "A parameter is wrong, or none of the runs has a result", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn side_by_side(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    query: Query,
) -> Result<Response, ApiError> {
    let (methods, left_out) = asked(&app, &query).await?;
    let mut comparison = compare(&methods);
    for (place, method) in methods.iter().enumerate() {
        for run in method {
            let mut collector = Collector::default();
            let mut from = 0;
            loop {
                let page = app.lab.events(run.id().clone(), from, EVENTS, EVENT_BYTES).await?;
                page.events.iter().for_each(|event| collector.take(event));
                from += page.events.len() as u64;
                if !page.more || page.events.is_empty() {
                    break;
                }
            }
            comparison.curves.extend(collector.finish(place, run.id()));
        }
    }
    comparison.left_out = left_out;
    app.told(&visitor, &comparison)
}

/// How long a caller waits for the tests of others.
const PATIENCE: Duration = Duration::from_secs(20);

/// Every method of a comparison tested against the first, user by user
///
/// Paired t test, randomization test and bootstrap interval of each metric that the runs were asked for and that is a mean over
/// users (errors of ratings: each user's own); Holm's correction over all of them, as `recspeed compare --against` makes it.
#[utoipa::path(
    get, path = "/api/comparison/tests", tag = "runs",
    params(("runs" = String, Query, description = "As for `/api/comparison`")),
    responses(
        (status = 200, description = "The tests, and what was not tested and why", body = ref("#/components/schemas/RunTests")),
        (status = 422, description = "A parameter is wrong, or none of the runs has a result", body = ref("#/components/schemas/ApiFailure")),
        (status = 429, description = "Other tests are being made", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn tests(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    query: Query,
) -> Result<Response, ApiError> {
    let (methods, _) = asked(&app, &query).await?;
    let described = compare(&methods);
    // A turn is also a bound on what all callers together hold of their runs' values. Whoever chooses other runs while the tests of
    // the ones before are made waits for them, and is not refused.
    let turn = tokio::time::timeout(PATIENCE, app.tests.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Other tests are being made right now.")
            .remedy("Try again in a moment."));
    };
    let procedure = Procedure::default();
    let metrics: Vec<MetricName> =
        methods.iter().flat_map(|method| &method[0].spec().evaluation.metrics).copied().collect();
    let folder = home::per_user(app.data.root());
    let told = tokio::task::spawn_blocking(move || {
        // Not given back before the end, also where the caller has left.
        let _turn = turn;
        let tested = methods.iter().zip(described.methods).map(|(method, compared)| {
            let values = method.iter().map(|run| user_values(&folder, run.id())).collect();
            let (name, same_rows, same_scale) = (compared.method.name, compared.same_rows, compared.same_scale);
            Tested { name, same_rows, same_scale, values }
        });
        against_first(tested.collect(), &metrics, procedure)
    });
    let told = told.await.map_err(|error| ApiError::internal(&error))?;
    let nothing = |why: String| RunTests { tests: Vec::new(), procedure, untested: vec![why] };
    app.told(&visitor, &told.unwrap_or_else(|why| nothing(why.to_string())))
}

/// The runs of the query, those with a result as methods.
async fn asked(app: &AppState, query: &Query) -> Result<(Vec<Method>, Vec<LeftOut>), ApiError> {
    query.only(&["runs"])?;
    let text =
        query.text("runs").ok_or_else(|| ApiError::invalid("runs", "is missing; give run ids with commas between"))?;
    let ids: Vec<&str> = text.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if !(1..=MAX_COMPARED_RUNS).contains(&ids.len()) {
        return Err(ApiError::invalid("runs", format!("names {} runs; allowed: 1 to {MAX_COMPARED_RUNS}", ids.len())));
    }
    let mut finished: Vec<FinishedRun> = Vec::new();
    let mut left_out = Vec::new();
    for text in ids {
        let id = RunId::new(text).map_err(|error| ApiError::invalid("runs", error.to_string()))?;
        if finished.iter().any(|run| *run.id() == id) {
            continue;
        }
        let why = match app.lab.record(id.clone()).await {
            Ok(record) => {
                let status = record.status.as_str();
                match FinishedRun::of(record) {
                    Some(run) => {
                        finished.push(run);
                        continue;
                    }
                    None => format!("is {status} and has no result"),
                }
            }
            Err(crate::lab::LabError::NoRun { .. }) => "is gone".to_owned(),
            Err(error) => return Err(error.into()),
        };
        left_out.push(LeftOut { run: id, why });
    }
    if finished.is_empty() {
        let message = "None of these runs exists or has a result.";
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "no-results", message)
            .remedy("Wait until the runs have finished, or check the link."));
    }
    Ok((methods(finished), left_out))
}

/// The values of each user of a run, where the server keeps them in `folder`.
fn user_values(folder: &Path, run: &RunId) -> Option<UserValues> {
    serde_json::from_slice(&std::fs::read(folder.join(format!("{run}.json"))).ok()?).ok()
}
