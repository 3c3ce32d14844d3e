//! `/api/stream`: one multiplexed stream of server-sent events for a tab.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use recspeed_types::RunId;
use recspeed_types::api::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::Query;
use super::{ApiError, AppState};
use crate::access::Visitor;
use crate::stream::{Interest, Listener};

/// Runs that one stream may name.
const MAX_NAMED: usize = 64;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(stream))
}

/// Follow runs as they happen
///
/// Server-sent events whose data is a `StreamMessage` and whose id is the position to resume after: with the header
/// `Last-Event-ID`, or the parameter `after`, everything since that position comes first. Without either the stream
/// begins now; `after=0` begins with all that the named runs ever said. The owner hears of every run whose state
/// changes, and the events of the named runs; a guest hears of the named runs only.
#[utoipa::path(
    get, path = "/api/stream", tag = "runs",
    params(
        ("runs" = Option<String>, Query, description = "Ids of runs whose events are wanted, separated by commas; up to 64"),
        ("after" = Option<i64>, Query, description = "The position to resume after, where no header can be sent"),
        ("Last-Event-ID" = Option<i64>, Header, description = "The position to resume after"),
    ),
    responses(
        (status = 200, description = "A stream without an end", body = ref("#/components/schemas/StreamMessage"), content_type = "text/event-stream"),
        (status = 401, description = "A guest must name the runs", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "A parameter is wrong", body = ref("#/components/schemas/ApiFailure")),
        (status = 503, description = "Too many listen, or the server is ending", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn stream(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, ApiError> {
    query.only(&["runs", "after"])?;
    let named = named(query.text("runs").unwrap_or_default())?;
    let everything = visitor.role == Role::Owner;
    if !everything && named.is_empty() {
        return Err(ApiError::sign_in());
    }
    // A header that is no position of ours is as good as none: the browser sends back whatever it was given last.
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let after = header.or(query.parsed("after", "a position that this stream gave, or 0")?);
    if app.lab.ends().is_cancelled() {
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "ending", "The server is ending."));
    }
    let permit = app.listeners.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-listeners", "Too many pages listen to this server.")
            .remedy("Close some tabs; numbers still arrive when the page is reloaded.")
    })?;
    // An event does not have the spec of its run beside it, whose files it may name.
    let hidden = if everything { None } else { Some(Arc::new(app.places_of(&named).await?)) };
    let interest = Interest { named, everything, hidden };
    let listener = Listener::open(app.lab.store().clone(), interest, after, app.lab.ends().clone(), permit).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that gather an answer before they pass it on would turn a live curve into a still one.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(listener.frames())).into_response())
}

fn named(text: &str) -> Result<Vec<RunId>, ApiError> {
    let mut runs = Vec::new();
    for id in text.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        let run = RunId::new(id).map_err(|error| ApiError::invalid("runs", error.to_string()))?;
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    if runs.len() > MAX_NAMED {
        return Err(ApiError::invalid("runs", format!("names {} runs; allowed: up to {MAX_NAMED}", runs.len())));
    }
    Ok(runs)
}
