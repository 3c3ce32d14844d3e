//! The REST interface under `/api`: a file a resource, each with its own router, all described by OpenAPI.

mod comparison;
mod datasets;
mod failure;
mod health;
mod lab;
mod models;
mod openapi;
mod per_user;
mod query;
mod reports;
mod runs;
mod specs;
mod stream;
mod studies;
mod told;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use recspeed_datasets::{DataHome, LookUp};
use recspeed_types::limits::MAX_SPEC_BYTES;
use utoipa_axum::router::OpenApiRouter;

use tokio::sync::Semaphore;

use crate::access::Places;
use crate::answers::Answers;
use crate::lab::Lab;
use crate::studies::Studies;
use reports::Reports;

pub use failure::ApiError;
pub use openapi::document;

/// Bytes of a JSON request: a spec with room for what surrounds it.
const MAX_REQUEST_BYTES: usize = 2 * MAX_SPEC_BYTES;

/// What every handler may use.
#[derive(Clone)]
pub struct AppState {
    /// The lab.
    pub lab: Lab,
    /// Trained models, ready to be asked.
    pub answers: Answers,
    /// Uploaded data sets.
    pub data: Arc<DataHome>,
    /// Where the data files of this machine lie that a spec may name.
    pub look_up: Arc<LookUp>,
    /// Turns of uploads: each is read whole in memory once.
    pub uploads: Arc<Semaphore>,
    /// Reports on data sets that were made.
    pub reports: Reports,
    /// Studies that are made here.
    pub studies: Studies,
    /// Turns of paired tests: each takes every core.
    pub tests: Arc<Semaphore>,
    /// Places for streams.
    pub listeners: Arc<Semaphore>,
    /// What a guest is not told by name.
    pub places: Arc<Places>,
}

/// Uploads at the same time.
const MAX_UPLOADS: usize = 2;
/// Streams that may be open at the same time.
const MAX_LISTENERS: usize = 2_000;

impl AppState {
    /// The state over a lab, its models, its data sets and its studies.
    pub fn new(lab: Lab, answers: Answers, data: DataHome, studies: Studies) -> Self {
        Self {
            places: Arc::new(told::places(&lab)),
            lab,
            answers,
            studies,
            data: Arc::new(data),
            look_up: Arc::new(LookUp::from_env(None)),
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
            reports: Reports::default(),
            tests: Arc::new(Semaphore::new(1)),
            listeners: Arc::new(Semaphore::new(MAX_LISTENERS)),
        }
    }
}

/// Every route of the API with its description.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::heading())
        .merge(lab::router())
        .merge(runs::router())
        .merge(comparison::router())
        .merge(models::router())
        .merge(reports::router())
        .merge(per_user::router())
        .merge(specs::router())
        .merge(stream::router())
        .merge(studies::router())
        .merge(openapi::router())
        .merge(health::router())
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(axum::middleware::from_fn(refuse_what_is_announced_too_long))
        // Uploads have a bound of their own.
        .merge(datasets::router())
}

/// Answers before a body that is too long is sent: who announces it may wait for the answer first, or never send it.
async fn refuse_what_is_announced_too_long(request: Request, next: Next) -> Response {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > MAX_REQUEST_BYTES as u64) {
        return too_long().into_response();
    }
    next.run(request).await
}

/// The refusal of a body that is longer than any request.
fn too_long() -> ApiError {
    let message = format!("The request is longer than {MAX_REQUEST_BYTES} bytes, which no spec is.");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", message)
        .remedy("Send one spec, and give data as a file of the data sets (POST /api/datasets).")
}

/// The API as a router.
pub fn router(state: AppState) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .route("/api/{*rest}", axum::routing::any(unknown))
        .method_not_allowed_fallback(wrong_method)
        .with_state(state)
}

async fn unknown(uri: axum::http::Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::new(StatusCode::NOT_FOUND, "no-route", format!("There is nothing at `{path}`."))
        .remedy("/api/openapi.json lists every address.")
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", format!("`{path}` does not take {method}."))
        .remedy("/api/openapi.json lists what each address takes.")
}
