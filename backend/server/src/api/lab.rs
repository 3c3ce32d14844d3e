//! `/api/lab`: what the page needs to know before it draws.

use std::path::Path;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use recspeed_engines::{Engines, Reference, gpu};
use recspeed_types::api::{EngineInfo, EngineState, LabInfo};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiError, AppState};
use crate::access::Visitor;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(lab))
}

/// What this lab is and who is asking
#[utoipa::path(
    get, path = "/api/lab", tag = "lab",
    responses((status = 200, description = "Version, role, devices, slots, example", body = ref("#/components/schemas/LabInfo")))
)]
async fn lab(State(app): State<AppState>, Extension(visitor): Extension<Visitor>) -> Result<Response, ApiError> {
    let (probe, probe_failure) = match app.lab.probed() {
        Ok(probe) => (Some(probe.clone()), None),
        Err(failure) => (None, Some(failure.to_owned())),
    };
    let info = LabInfo {
        version: crate::build::version().to_owned(),
        role: visitor.role,
        probe,
        probe_failure,
        gpu: gpu(),
        engines: engines(app.lab.data_home()),
        slots: app.lab.slots() as u32,
        memory_limit: app.lab.memory_limit(),
        time_limit_s: Some(app.lab.time_limit().as_secs()),
        showcase: app.lab.showcase().await?,
    };
    app.told(&visitor, &info)
}

/// Looked up at every visit, so that an engine is offered as soon as it is installed: small files alone, so none of the tens of
/// thousands of an environment is looked at: those are, once a run asks for the engine. Where things lie on this machine is
/// nobody's business.
fn engines(home: &Path) -> Vec<EngineInfo> {
    let Ok(engines) = Engines::open(Some(home)) else { return Vec::new() };
    let info = |reference: &Reference| EngineInfo {
        kind: reference.kind,
        state: EngineState::from(&engines.state(reference.kind)),
        install: reference.install_command(),
        processors_alone: engines.is_for_processors(reference.kind),
    };
    Reference::all().iter().map(info).collect()
}
