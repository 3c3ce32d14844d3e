//! `/api/runs`: ask, list, look, cancel, try again, delete.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use recspeed_engines::Engines;
use recspeed_types::api::{EngineState, Role, RunPage, RunRecord, RunStatus};
use recspeed_types::builtin::BUILTIN_DATASETS;
use recspeed_types::catalogue::ENTRIES;
use recspeed_types::spec::{Source, SpecError};
use recspeed_types::{ExperimentSpec, RunId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::{Query, run_id};
use super::specs::{checked, not_whole};
use super::told::as_json;
use super::{ApiError, AppState};
use crate::access::Visitor;
use crate::store::{ListQuery, Word};

/// Runs on one page of the list.
const PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;
/// Events on one page of a story.
const EVENTS: u32 = 1_000;
const MAX_EVENTS: u32 = 10_000;
/// Bytes of events on one page.
const EVENT_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Characters of a search.
const MAX_SEARCH: usize = 200;
/// Words of a search that count.
const MAX_WORDS: usize = 8;
/// Recommenders or data sets that a word may stand for.
const MAX_NAMED: usize = 200;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(look, delete))
        .routes(routes!(events))
        .routes(routes!(cancel))
        .routes(routes!(retry))
}

/// Put a run into the queue
#[utoipa::path(
    post, path = "/api/runs", tag = "runs",
    request_body(content = ref("#/components/schemas/RunRequest"), content_type = "application/json"),
    responses(
        (status = 201, description = "The run, with its place in the queue", body = ref("#/components/schemas/RunRecord"),
         headers(("location" = String, description = "Its address"))),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
        (status = 413, description = "The request is too long", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "The spec has mistakes, each with its path", body = ref("#/components/schemas/ApiFailure")),
        (status = 429, description = "Too many runs wait", body = ref("#/components/schemas/ApiFailure")),
        (status = 507, description = "The disk is full", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn create(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, ApiError> {
    visitor.must_own()?;
    let (spec, parent) = request(&super::specs::text(body)?)?;
    checked(&app, &spec)?;
    has_whole_engine(&app, &spec).await?;
    has_upload(&app, &spec)?;
    let record = app.lab.submit(visitor.person, spec, parent).await?;
    let location = format!("/api/runs/{}", record.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(record)).into_response())
}

/// Refuses an engine that is damaged, before a run waits for it. Tens of thousands of files are looked at, which takes a
/// fraction of a second: on a thread of its own, and for the owner alone.
async fn has_whole_engine(app: &AppState, spec: &ExperimentSpec) -> Result<(), ApiError> {
    let kind = spec.engine.kind;
    if !kind.is_reference() {
        return Ok(());
    }
    let home = app.lab.data_home().to_owned();
    let look = move || Engines::open(Some(&home)).map(|engines| EngineState::from(&engines.look(kind)));
    let looked = tokio::task::spawn_blocking(look).await.map_err(|error| ApiError::internal(&error))?;
    match looked.map_err(|error| ApiError::internal(&error))? {
        EngineState::Ready => Ok(()),
        state => Err(ApiError::spec(vec![not_whole(kind, state)])),
    }
}

/// Refuses an upload that nobody has made, before a run waits for it. Only here: a guest who has a spec checked is not
/// told which files the lab keeps.
fn has_upload(app: &AppState, spec: &ExperimentSpec) -> Result<(), ApiError> {
    let Source::Upload { sha256, .. } = spec.resolve()?.dataset.source else { return Ok(()) };
    if app.data.find(&sha256).is_ok() {
        return Ok(());
    }
    let message = format!("is {sha256}, and this lab has no file of that hash");
    Err(ApiError::spec(vec![SpecError::new("dataset.id", message)]).remedy(
        "Upload it (POST /api/datasets), or `recspeed data import` it on the server; take the hash that it answers.",
    ))
}

/// A `RunRequest`, with the path of every mistake; the spec inside has its own.
fn request(text: &str) -> Result<(ExperimentSpec, Option<RunId>), ApiError> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| ApiError::invalid("", format!("is not valid JSON: {error}")))?;
    let serde_json::Value::Object(mut fields) = value else {
        return Err(ApiError::invalid("", "is no object; write {\"spec\": …}"));
    };
    let spec = fields.remove("spec").ok_or_else(|| ApiError::invalid("spec", "is missing"))?;
    let parent = match fields.remove("parent") {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(id)) => {
            Some(RunId::new(id).map_err(|error| ApiError::invalid("parent", error.to_string()))?)
        }
        Some(_) => return Err(ApiError::invalid("parent", "is no text; give a run's id or leave it out")),
    };
    if let Some(name) = fields.keys().next() {
        let name: String = name.chars().take(60).collect();
        return Err(ApiError::invalid(&name, "is unknown; known: spec, parent"));
    }
    let spec = ExperimentSpec::from_value(spec).map_err(|error| ApiError::from(error.into_errors()))?;
    Ok((spec, parent))
}

/// List runs, newest first
#[utoipa::path(
    get, path = "/api/runs", tag = "runs",
    params(
        ("before" = Option<String>, Query, description = "The `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "Runs on the page, 1 to 200 (50 unless set)"),
        ("q" = Option<String>, Query, description = "Only runs whose id, name, recommender or data set contain this text"),
        ("status" = Option<String>, Query, description = "Only runs that stand so: queued, running, finished, failed, cancelled"),
    ),
    responses(
        (status = 200, description = "A page of runs", body = ref("#/components/schemas/RunPage")),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "A parameter is wrong", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn list(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    query: Query,
) -> Result<Json<RunPage>, ApiError> {
    visitor.must_own()?;
    query.only(&["before", "limit", "q", "status"])?;
    let limit = query.parsed("limit", "1 to 200")?.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("is {limit}; allowed: 1 to {MAX_PAGE}")));
    }
    let status = query.text("status").map(status).transpose()?;
    let words = words(&app, query.text("q").unwrap_or_default()).await?;
    let before = query.parsed("before", "the `next` of the page before")?;
    Ok(Json(app.lab.list(ListQuery { before, limit, words, status }).await?))
}

/// The words of a search, with what the page calls by them: a reader looks for the titles that are shown.
async fn words(app: &AppState, text: &str) -> Result<Vec<Word>, ApiError> {
    let text: String = text.chars().take(MAX_SEARCH).collect::<String>().to_lowercase();
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let data = Arc::clone(&app.data);
    let listed = tokio::task::spawn_blocking(move || data.list()).await.map_err(|error| ApiError::internal(&error))?;
    // Without the list of uploads they are found by their hash.
    let uploads = listed.unwrap_or_default();
    let built_in = BUILTIN_DATASETS.iter().map(|dataset| (dataset.title, dataset.id));
    let datasets: Vec<(&str, &str)> =
        built_in.chain(uploads.iter().map(|upload| (upload.name.as_str(), upload.sha256.as_str()))).collect();
    let recommenders: Vec<(&str, &str)> = ENTRIES.iter().map(|entry| (entry.title, entry.kind)).collect();
    let named = |all: &[(&str, &str)], word: &str| -> Vec<String> {
        let found = all.iter().filter(|(title, _)| title.to_lowercase().contains(word));
        found.take(MAX_NAMED).map(|(_, key)| (*key).to_owned()).collect()
    };
    let word = |word: &str| Word {
        text: word.to_owned(),
        recommenders: named(&recommenders, word),
        datasets: named(&datasets, word),
    };
    // The page joins the two titles by this.
    Ok(text.split_whitespace().filter(|word| *word != "on").take(MAX_WORDS).map(word).collect())
}

fn status(text: &str) -> Result<RunStatus, ApiError> {
    let all = [RunStatus::Queued, RunStatus::Running, RunStatus::Finished, RunStatus::Failed, RunStatus::Cancelled];
    all.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        let allowed = all.map(RunStatus::as_str).join(", ");
        ApiError::invalid("status", format!("is `{shown}`; allowed: {allowed}"))
    })
}

/// Look at a run
#[utoipa::path(
    get, path = "/api/runs/{id}", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "The run as it stands", body = ref("#/components/schemas/RunRecord")),
        (status = 404, description = "No such run", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn look(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let mut record = app.lab.record(run_id(id)?).await?;
    if record.status == RunStatus::Finished {
        record.model = Some(app.answers.has(&record.id).await);
    }
    app.told(&visitor, &record)
}

/// Read what a run said
#[utoipa::path(
    get, path = "/api/runs/{id}/events", tag = "runs",
    params(
        ("id" = String, Path, description = "The run"),
        ("from" = Option<u64>, Query, description = "The `seq` to begin with (0 unless set)"),
        ("limit" = Option<u32>, Query, description = "Events on the page, 1 to 10000 (1000 unless set)"),
    ),
    responses(
        (status = 200, description = "A page of events", body = ref("#/components/schemas/EventPage")),
        (status = 404, description = "No such run", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "A parameter is wrong", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn events(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    query.only(&["from", "limit"])?;
    let from = query.parsed("from", "0 or more")?.unwrap_or(0);
    let limit = query.parsed("limit", "1 to 10000")?.unwrap_or(EVENTS);
    if !(1..=MAX_EVENTS).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("is {limit}; allowed: 1 to {MAX_EVENTS}")));
    }
    let run = run_id(id)?;
    let page = app.lab.events(run.clone(), from, limit, EVENT_PAGE_BYTES).await?;
    // The events are stored as the texts that they are sent as: an `EventPage`, without parsing them. For a guest they are
    // taken one by one, so that only those with a slash are looked through.
    let events = match visitor.role {
        Role::Owner => page.events,
        Role::Guest => {
            let places = app.places_of(&[run]).await?;
            page.events.iter().map(|event| places.hide_in_json(event).into_owned()).collect()
        }
    };
    Ok(as_json(format!("{{\"events\":[{}],\"more\":{}}}", events.join(","), page.more)))
}

/// Cancel a run
///
/// A run that waits is over at once; a worker is asked for a checkpoint and has five seconds to leave. A run that is
/// over stays as it is.
#[utoipa::path(
    post, path = "/api/runs/{id}/cancel", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "The run as it stands", body = ref("#/components/schemas/RunRecord")),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
        (status = 404, description = "No such run", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn cancel(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Json<RunRecord>, ApiError> {
    visitor.must_own()?;
    Ok(Json(app.lab.cancel(run_id(id)?).await?))
}

/// Try a failed or cancelled run again
///
/// It goes on from its last checkpoint, if it has one that is whole.
#[utoipa::path(
    post, path = "/api/runs/{id}/retry", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "The run, with its place in the queue", body = ref("#/components/schemas/RunRecord")),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
        (status = 404, description = "No such run", body = ref("#/components/schemas/ApiFailure")),
        (status = 409, description = "The run did not fail", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "The server cannot run it any more", body = ref("#/components/schemas/ApiFailure")),
        (status = 429, description = "Too many runs wait", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn retry(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Json<RunRecord>, ApiError> {
    visitor.must_own()?;
    let run = run_id(id)?;
    let record = app.lab.record(run.clone()).await?;
    // An engine or a GPU that was here when it was asked for may be gone. What cannot be tried again is told that first.
    if matches!(record.status, RunStatus::Failed | RunStatus::Cancelled) {
        checked(&app, &record.spec)?;
        has_whole_engine(&app, &record.spec).await?;
    }
    Ok(Json(app.lab.retry(run).await?))
}

/// Delete a run with all that it said
#[utoipa::path(
    delete, path = "/api/runs/{id}", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
        (status = 404, description = "No such run", body = ref("#/components/schemas/ApiFailure")),
        (status = 409, description = "The run is still running", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn delete(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    visitor.must_own()?;
    app.lab.delete(run_id(id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
