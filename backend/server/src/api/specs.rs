//! `/api/specs/check`: is this spec one that the server would run?

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use recspeed_engines::{EngineError, Engines, Reference, find};
use recspeed_types::ExperimentSpec;
use recspeed_types::api::EngineState;
use recspeed_types::probe::Probe;
use recspeed_types::spec::{Device, EngineKind, EngineSpec, SpecError};
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
        mistakes.extend(of_engine(app, &engine));
    } else if spec.engine.device == Device::Browser {
        let message = "is `browser`, which runs only in a tab; choose `flex`, or press Run in this tab";
        mistakes.push(SpecError::new("engine.device", message));
    } else if let Ok(probe) = app.lab.probed() {
        mistakes.extend(of_devices(probe, spec));
        let kind = &spec.recommender.kind;
        if !probe.recommenders.is_empty() && !probe.recommenders.contains(kind) {
            let known = probe.recommenders.join(", ");
            mistakes.push(SpecError::new("recommender.kind", format!("is `{kind}`; this server's worker has {known}")));
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(ApiError::spec(mistakes)) }
}

/// What the engine of another framework lacks for a run.
fn of_engine(app: &AppState, engine: &EngineSpec) -> Option<SpecError> {
    let (error, state) = match Engines::open(Some(app.lab.data_home())) {
        Ok(engines) => {
            // Without a GPU there is no use in installing an engine for one.
            let usable = engines.has_device(engine.kind, engine.device).and_then(|()| engines.launch(engine.kind));
            (usable.err()?, EngineState::from(&engines.state(engine.kind)))
        }
        Err(error) => (error, EngineState::Unusable),
    };
    if let EngineError::NoDevice { device, why, remedy, .. } = &error {
        let message = format!("is `{device}`: {} on this server; {remedy}", why.words());
        return Some(SpecError::new("engine.device", message));
    }
    // Who asks may be anybody; where things lie on this machine is for its log.
    tracing::warn!(kind = engine.kind.as_str(), %error, "an engine cannot be started");
    Some(not_whole(engine.kind, state))
}

/// How an engine stands that cannot be used, and what mends it.
pub(super) fn not_whole(kind: EngineKind, state: EngineState) -> SpecError {
    let name = kind.as_str();
    let install = find(kind).map(Reference::install_command).unwrap_or_default();
    // It was whole when it was asked for, and could not be started all the same.
    let state = if state == EngineState::Ready { EngineState::Unusable } else { state };
    SpecError::new("engine.kind", format!("is `{name}`: {} on this server; {}", state.words(), state.remedy(&install)))
}

/// The first device of Burn's that the workers have not, why, and what brings it.
fn of_devices(probe: &Probe, spec: &ExperimentSpec) -> Option<SpecError> {
    let path = if spec.strategy.devices.is_some() { "strategy.devices" } else { "engine.device" };
    let absent = spec.devices().into_iter().find_map(|device| probe.absence(device))?;
    let known: Vec<_> = probe.devices.iter().map(|found| format!("`{}`", found.device)).collect();
    let (why, remedy) = (absent.why.words(), absent.remedy);
    let message =
        format!("is `{}`: {why} on this server; {remedy}; its workers have {}", absent.device, known.join(", "));
    Some(SpecError::new(path, message))
}
