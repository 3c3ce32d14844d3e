//! `/api/specs/check`: is this spec one that the server would run?

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use recspeed_engines::Engines;
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::{Device, SpecError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiError, AppState, too_long};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(check))
}

/// Check a spec without running it
#[utoipa::path(
    post, path = "/api/specs/check", tag = "specs",
    request_body(content = ref("#/components/schemas/ExperimentSpec"), content_type = "application/json"),
    responses(
        (status = 200, description = "The server would run it", body = ref("#/components/schemas/SpecAccepted")),
        (status = 413, description = "The request is too long", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "Every mistake, with its path", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn check(
    State(app): State<AppState>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let spec = ExperimentSpec::from_json(&text(body)?).map_err(|error| ApiError::from(error.into_errors()))?;
    checked(&app, &spec)?;
    Ok(Json(serde_json::json!({})))
}

/// The body as text.
///
/// # Errors
/// 413 for one that is too long; 422 for one that is no UTF-8.
pub(super) fn text(body: Result<Bytes, BytesRejection>) -> Result<String, ApiError> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_long(),
        _ => ApiError::new(StatusCode::BAD_REQUEST, "unreadable", "The request ended before it was complete."),
    })?;
    String::from_utf8(body.into()).map_err(|_| ApiError::invalid("", "is no UTF-8 text; send JSON"))
}

/// Checks a spec as far as the server can: everything without the data, and what the workers can do.
///
/// # Errors
/// 422 with every mistake.
pub(super) fn checked(app: &AppState, spec: &ExperimentSpec) -> Result<(), ApiError> {
    let engine = spec.resolve()?.engine;
    let mut mistakes = Vec::new();
    if engine.kind.is_reference() {
        let engines = Engines::open(Some(app.lab.data_home()));
        if let Err(error) = engines.and_then(|engines| engines.launch(engine.kind)) {
            // Who asks may be anybody; where things lie on this machine is for its log.
            let kind = engine.kind.as_str();
            tracing::warn!(kind, %error, "an engine cannot be started");
            let message = format!("is `{kind}`, which does not work here; run `recspeed engines install {kind}`");
            mistakes.push(SpecError::new("engine.kind", message));
        }
    } else if spec.engine.device == Device::Browser {
        let message = "is `browser`, which runs only in a tab; choose `flex`, or press Run in this tab";
        mistakes.push(SpecError::new("engine.device", message));
    } else if let Ok(probe) = app.lab.probed() {
        let path = if spec.strategy.devices.is_some() { "strategy.devices" } else { "engine.device" };
        let here = |device: &Device| {
            probe.devices.iter().any(|found| found.engine == engine.kind.as_str() && found.device == device.as_str())
        };
        if let Some(missing) = spec.devices().iter().find(|device| !here(device)) {
            let known: Vec<_> = probe.devices.iter().map(|found| format!("`{}`", found.device)).collect();
            let message = format!("is `{}`; this server's worker has {}", missing.as_str(), known.join(", "));
            mistakes.push(SpecError::new(path, message));
        }
        let kind = &spec.recommender.kind;
        if !probe.recommenders.is_empty() && !probe.recommenders.contains(kind) {
            let known = probe.recommenders.join(", ");
            mistakes.push(SpecError::new("recommender.kind", format!("is `{kind}`; this server's worker has {known}")));
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(ApiError::spec(mistakes)) }
}
