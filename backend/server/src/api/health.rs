//! `/healthz`: for whoever watches the server.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiError, AppState};
use crate::store;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(healthz))
}

/// Whether the server and its store answer
#[utoipa::path(
    get, path = "/healthz", tag = "lab",
    responses(
        (status = 200, description = "They do", body = String, content_type = "text/plain"),
        (status = 500, description = "The store does not", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn healthz(State(app): State<AppState>) -> Result<&'static str, ApiError> {
    app.lab.store().read(store::is_empty).await?;
    Ok("ok")
}
