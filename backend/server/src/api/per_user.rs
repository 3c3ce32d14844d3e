//! `/api/runs/ID/per-user`: what two runs are compared by.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::run_id;
use super::{ApiError, AppState};
use crate::home;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(per_user))
}

/// What a run measured of each user
///
/// The value of each user of every metric that is a mean over users: what paired tests of two runs need. Kept of runs that
/// finished on the server, the newest ones as far as there is room, up to 16 MiB a run.
#[utoipa::path(
    get, path = "/api/runs/{id}/per-user", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "Ids of users, and by metric a value for each of them, null where there is none", body = ref("#/components/schemas/UserValues")),
        (status = 404, description = "No such run, or its values are not kept", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn per_user(State(app): State<AppState>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let run = app.lab.record(run_id(id)?).await?.id;
    match tokio::fs::read(home::per_user(app.data.root()).join(format!("{run}.json"))).await {
        Ok(text) => Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response()),
        Err(cause) => {
            if cause.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(%run, %cause, "the values of a run's users cannot be read");
            }
            let message = "The lab keeps no values of this run's users.";
            Err(ApiError::new(StatusCode::NOT_FOUND, "no-user-values", message)
                .remedy("Run it on the server once more, or `recspeed compare` its spec; very large runs keep none."))
        }
    }
}
