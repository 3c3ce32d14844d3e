//! `/api/datasets/ID/report`, `/api/datasets/report`: what a data set, or the data of a spec, look like, as the page draws it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use recspeed_data::ReadLimits;
use recspeed_datasets::{DataHome, FILE_ID, LoadRequest, Loaded, LookBounds, LookUp, server_files};
use recspeed_types::ExperimentSpec;
use recspeed_types::api::{FileOrigin, ServerFile};
use recspeed_types::builtin::{self, BEAUTY_SYNTHETIC_LICENCE, BEAUTY_SYNTHETIC_SOURCE};
use recspeed_types::limits::MAX_SEED;
use recspeed_types::spec::{ColumnNames, Dataset, Filters, Source};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::Query;
use super::specs::text;
use super::{ApiError, AppState};
use crate::access::Visitor;

/// Reports that are remembered; each is some ten kilobytes.
const REMEMBERED: usize = 16;
/// The seed of built-in sets and of the splits, unless another one is asked for.
const SEED: u64 = 42;

/// Reports that were made, the newest last.
#[derive(Debug, Clone, Default)]
pub struct Reports(Arc<Mutex<VecDeque<Made>>>);

/// Data set, seed and text of a report.
type Made = ((String, u64), Arc<str>);

impl Reports {
    fn get(&self, key: &(String, u64)) -> Option<Arc<str>> {
        let made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().find(|(of, _)| of == key).map(|(_, text)| Arc::clone(text))
    }

    fn keep(&self, key: (String, u64), text: Arc<str>) {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while made.len() >= REMEMBERED {
            made.pop_front();
        }
        made.push_back((key, text));
    }
}

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(report)).routes(routes!(of_spec))
}

/// What a data set looks like
///
/// Counts, ratings, times, long tails, and what each kind of split holds out: cold starts and leaks. The same as `recspeed data
/// describe --json`.
#[utoipa::path(
    get, path = "/api/datasets/{id}/report", tag = "data",
    params(
        ("id" = String, Path, description = "A built-in data set, the hash of an upload, or the id of a file of /api/datasets/files"),
        ("seed" = Option<u64>, Query, description = "Seed of built-in sets and of the splits (42 unless set)"),
    ),
    responses(
        (status = 200, description = "The report", body = ref("#/components/schemas/DataReport")),
        (status = 401, description = "Uploads and files are the owner's", body = ref("#/components/schemas/ApiFailure")),
        (status = 404, description = "No such data set", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "A parameter is wrong", body = ref("#/components/schemas/ApiFailure")),
        (status = 429, description = "Other files are being read", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn report(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    query.only(&["seed"])?;
    let seed = query.parsed("seed", "0 or more")?.unwrap_or(SEED);
    if seed > MAX_SEED {
        return Err(ApiError::invalid("seed", format!("is {seed}; allowed: 0 to {MAX_SEED}")));
    }
    if builtin::find(&id).is_none() {
        visitor.must_own()?;
    }
    // The content of a file may change under its name.
    let lasts = !id.starts_with(FILE_ID);
    let key = (id, seed);
    let text = if let Some(text) = app.reports.get(&key) {
        text
    } else {
        let _turn = turn(&app)?;
        let (data, look_up) = (Arc::clone(&app.data), Arc::clone(&app.look_up));
        let asked = key.clone();
        let made = tokio::task::spawn_blocking(move || make(&data, &look_up, &asked.0, asked.1));
        let text: Arc<str> = made.await.map_err(|error| ApiError::internal(&error))??.into();
        if lasts {
            app.reports.keep(key, Arc::clone(&text));
        }
        text
    };
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], text.to_string())
        .into_response())
}

/// What the data of a spec look like
///
/// The same of the rows that the filters of the spec keep, with what is to be said of its attributes: items and users that have no line, ids
/// that occur twice, values that do not count.
#[utoipa::path(
    post, path = "/api/datasets/report", tag = "data",
    request_body(content = ref("#/components/schemas/ExperimentSpec"), content_type = "application/json"),
    responses(
        (status = 200, description = "The report", body = ref("#/components/schemas/DataReport")),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
        (status = 413, description = "The request is too long", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "The spec is wrong, or its data cannot be read", body = ref("#/components/schemas/ApiFailure")),
        (status = 429, description = "Other files are being read", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn of_spec(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    visitor.must_own()?;
    let spec = ExperimentSpec::from_json(&text(body)?).map_err(|error| ApiError::from(error.into_errors()))?;
    let resolved = spec.resolve()?;
    let _turn = turn(&app)?;
    let (data, look_up) = (Arc::clone(&app.data), Arc::clone(&app.look_up));
    let made = tokio::task::spawn_blocking(move || {
        let loaded = load(&data, &look_up, &resolved.dataset, (resolved.data_seed, "The data of the spec"))?;
        let name = loaded.name.clone();
        Ok::<_, ApiError>(page((&name, resolved.data_seed), &loaded, &about(&loaded, resolved.data_seed)))
    });
    let text = made.await.map_err(|error| ApiError::internal(&error))??;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], text).into_response())
}

/// A turn among those who read files.
fn turn(app: &AppState) -> Result<OwnedSemaphorePermit, ApiError> {
    app.uploads.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Other files are being read right now.")
            .remedy("Try again in a moment.")
    })
}

fn make(data: &DataHome, look_up: &LookUp, id: &str, seed: u64) -> Result<String, ApiError> {
    if id.starts_with(FILE_ID) {
        return of_file(data, look_up, id, seed);
    }
    let (source, name) = if let Some(entry) = builtin::find(id) {
        (Source::Builtin { entry }, entry.title.to_owned())
    } else {
        let known = data.list().map_err(|error| ApiError::internal(&error))?;
        let record = known
            .into_iter()
            .find(|record| record.sha256 == id)
            .ok_or_else(|| none(id, "Choose one of this lab's, or give it the file again."))?;
        // It was read when it was given: bad lines within its own bound are no failure now.
        let columns = ColumnNames::default();
        let source = Source::Upload { sha256: record.sha256, format: record.format, columns, max_bad_share: 1.0 };
        (source, record.name)
    };
    let dataset = Dataset { source, filters: Filters::default() };
    let loaded = load(data, look_up, &dataset, (seed, &name))?;
    Ok(page((&name, seed), &loaded, &about(&loaded, seed)))
}

/// The same of a file on this machine, of those that are listed.
fn of_file(data: &DataHome, look_up: &LookUp, id: &str, seed: u64) -> Result<String, ApiError> {
    let listed = server_files(look_up, LookBounds::default()).files;
    let ServerFile { title, path, format, items, users, about, .. } = listed
        .into_iter()
        .find(|file| file.id == id)
        .ok_or_else(|| none(id, "/api/datasets/files lists the files; it may have been moved or renamed."))?;
    let origin = about.map_or_else(
        || json!({ "file": path }),
        |FileOrigin { source, licence, citation, protocol }| {
            json!({ "file": path, "source": source, "licence": licence, "cite": citation, "usual split": protocol })
        },
    );
    let columns = ColumnNames::default();
    let max_bad_share = ReadLimits::default().max_bad_share;
    let source = Source::File { path, format, columns, items, users, max_bad_share };
    let dataset = Dataset { source, filters: Filters::default() };
    let loaded = load(data, look_up, &dataset, (seed, &title))?;
    Ok(page((&title, seed), &loaded, &origin))
}

/// 404: there is no such data set.
fn none(id: &str, remedy: &str) -> ApiError {
    let shown: String = id.chars().take(80).collect();
    ApiError::new(StatusCode::NOT_FOUND, "no-dataset", format!("There is no data set “{shown}”.")).remedy(remedy)
}

fn load(data: &DataHome, look_up: &LookUp, dataset: &Dataset, (seed, name): (u64, &str)) -> Result<Loaded, ApiError> {
    let request = LoadRequest { dataset, seed, look_up };
    data.load(&request, &mut |_, _| {}).map_err(|error| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "unreadable-data", format!("{name} cannot be read: {error}."))
    })
}

/// Where the data come from, as far as they tell it themselves.
fn about(loaded: &Loaded, seed: u64) -> Value {
    if loaded.synthetic {
        json!({ "seed": seed.to_string(), "source": BEAUTY_SYNTHETIC_SOURCE, "licence": BEAUTY_SYNTHETIC_LICENCE })
    } else {
        json!({})
    }
}

fn page((name, seed): (&str, u64), loaded: &Loaded, about: &Value) -> String {
    let page = json!({
        "name": name,
        "sha256": loaded.sha256,
        "synthetic": loaded.synthetic,
        "about": about,
        "report": recspeed_data::describe(&loaded.interactions),
        "splits": recspeed_data::split_reports(&loaded.interactions, seed),
        "reading": loaded.report,
        "attributes": loaded.coverage(),
        "warnings": loaded.report_warnings(),
    });
    page.to_string()
}
