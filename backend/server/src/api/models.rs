//! `/api/runs/ID/model` and `/api/runs/ID/recommendations`: asking a trained model.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use recspeed_models::ModelError;
use recspeed_types::recommend::{
    BasketEntry, DEFAULT_K, HOW_TO_ASK, ModelInfo, RecommendRequest, Recommendations, USERS_WITHHELD,
};
use recspeed_types::sentence;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::{Query, run_id};
use super::told::withholds_users;
use super::{ApiError, AppState};
use crate::access::Visitor;
use crate::answers::AskError;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(model)).routes(routes!(recommend_by_query, recommend))
}

/// What a run's model is
///
/// Runs that finish on the server keep their models, the newest ones as far as there is room. Where the data set is a file, uploaded or on
/// the server, a guest is told none of its users, and `users_withheld` says so.
#[utoipa::path(
    get, path = "/api/runs/{id}/model", tag = "models",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "Its size, some ids to ask for, and what it can be asked", body = ref("#/components/schemas/ModelInfo")),
        (status = 404, description = "No such run, or it has no model", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn model(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Json<ModelInfo>, ApiError> {
    let run = app.lab.record(run_id(id)?).await?;
    let mut info = app.answers.info(&run.id).await?;
    if withholds_users(&visitor, &run.spec) {
        (info.users, info.users_withheld) = (Vec::new(), true);
    }
    Ok(Json(info))
}

/// Ask a run's model, in the address
///
/// Either `user` or `basket`. An answer that was given before is given again at once. Where the data set is a file, uploaded or on the
/// server, a guest is told no row of it: only the owner may ask for a user, and the reasons for a basket name no person and nothing that is
/// known of one, which `withheld` says.
#[utoipa::path(
    get, path = "/api/runs/{id}/recommendations", tag = "models",
    params(
        ("id" = String, Path, description = "The run"),
        ("user" = Option<String>, Query, description = "Id of a user of the data set"),
        ("basket" = Option<String>, Query, description = "Items of somebody who came after the training, each with a rating where there is one: `a,b:4,c`"),
        ("k" = Option<u32>, Query, description = "Items wanted, 1 to 1000 (10 unless set)"),
        ("explain" = Option<bool>, Query, description = "Say why, where the method can"),
        ("include_seen" = Option<bool>, Query, description = "Also recommend what is known already"),
    ),
    responses(
        (status = 200, description = "The best items", body = ref("#/components/schemas/Recommendations")),
        (status = 401, description = "For a user of a file only the owner may ask", body = ref("#/components/schemas/ApiFailure")),
        (status = 404, description = "No such run, or it has no model", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "An id is unknown (near ones are named), the method cannot answer, or a parameter is wrong", body = ref("#/components/schemas/ApiFailure")),
        (status = 429, description = "Too many questions wait", body = ref("#/components/schemas/ApiFailure")),
        (status = 503, description = "No worker can answer", body = ref("#/components/schemas/ApiFailure")),
        (status = 504, description = "The answer took too long", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn recommend_by_query(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<Recommendations>, ApiError> {
    query.only(&["user", "basket", "k", "explain", "include_seen"])?;
    let basket = query.text("basket").map(|text| BasketEntry::list(text.split(','))).transpose();
    let request = RecommendRequest {
        user: query.text("user").map(str::to_owned),
        basket: basket.map_err(AskError::Refused)?.unwrap_or_default(),
        k: query.parsed("k", "1 to 1000")?.unwrap_or(DEFAULT_K),
        explain: query.parsed("explain", "true or false")?.unwrap_or(false),
        include_seen: query.parsed("include_seen", "true or false")?.unwrap_or(false),
        withhold_rows: false,
    };
    answer(&app, &visitor, id, request).await
}

/// Ask a run's model
///
/// The same as JSON: for long baskets, and ids that hold commas. `withhold_rows` leaves out of the answer to the owner what rows of a file
/// say.
#[utoipa::path(
    post, path = "/api/runs/{id}/recommendations", tag = "models",
    params(("id" = String, Path, description = "The run")),
    request_body(content = ref("#/components/schemas/RecommendRequest"), content_type = "application/json"),
    responses(
        (status = 200, description = "The best items", body = ref("#/components/schemas/Recommendations")),
        (status = 401, description = "For a user of a file only the owner may ask", body = ref("#/components/schemas/ApiFailure")),
        (status = 404, description = "No such run, or it has no model", body = ref("#/components/schemas/ApiFailure")),
        (status = 413, description = "The request is too long", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "An id is unknown (near ones are named), the method cannot answer, or a field is wrong", body = ref("#/components/schemas/ApiFailure")),
        (status = 429, description = "Too many questions wait", body = ref("#/components/schemas/ApiFailure")),
        (status = 503, description = "No worker can answer", body = ref("#/components/schemas/ApiFailure")),
        (status = 504, description = "The answer took too long", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn recommend(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Json<Recommendations>, ApiError> {
    let text = super::specs::text(body)?;
    let unreadable = |error: serde_json::Error| {
        ApiError::invalid("", format!("The question cannot be read: {error}.")).remedy(HOW_TO_ASK)
    };
    let request: RecommendRequest = serde_json::from_str(&text).map_err(unreadable)?;
    answer(&app, &visitor, id, request).await
}

/// The answer as whoever asks may have it.
async fn answer(
    app: &AppState,
    visitor: &Visitor,
    id: String,
    mut request: RecommendRequest,
) -> Result<Json<Recommendations>, ApiError> {
    let run = app.lab.record(run_id(id)?).await?;
    if withholds_users(visitor, &run.spec) {
        // Without reasons, too: of a long list every item that is missing is one that the user has, and of a short list of the most popular
        // items just so; with the items that the user has left in, most methods put those first. Before the model is asked, which would
        // name users whose ids are near.
        if request.user.is_some() {
            return Err(users_are_the_owners());
        }
        request.withhold_rows = true;
    }
    Ok(Json(app.answers.ask(&run.id, &request).await?))
}

fn users_are_the_owners() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "owner-only", USERS_WITHHELD)
        .remedy("Show a basket of items (`basket`), or open the link that `recspeed serve` printed when it started.")
}

fn no_model() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no-model", "The lab keeps no model of this run.")
        .remedy("Run it again on the server: the models of finished runs are kept as far as there is room.")
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        let message = sentence(&error.to_string());
        match error {
            AskError::Model(ModelError::NotThere { .. }) => no_model(),
            AskError::Model(cause) => {
                tracing::warn!(%cause, "a model cannot be used");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged-model", "The model of this run is damaged.")
                    .remedy("Run it again.")
            }
            // Its own sentence names the folder that holds none.
            AskError::Refused(failure) if failure.code == "no-model" => no_model(),
            AskError::Refused(failure) => {
                let status = match failure.code.as_str() {
                    "damaged-model" | "not-ranked" => StatusCode::INTERNAL_SERVER_ERROR,
                    "out-of-memory" => StatusCode::INSUFFICIENT_STORAGE,
                    _ => StatusCode::UNPROCESSABLE_ENTITY,
                };
                if status.is_server_error() {
                    tracing::warn!(message = failure.message, "a model cannot be used");
                }
                if failure.code == "damaged-model" {
                    return Self::new(status, "damaged-model", "The model of this run is damaged.")
                        .remedy("Run it again.");
                }
                Self::of(status, failure)
            }
            AskError::Busy => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message).remedy("Try again in a moment.")
            }
            AskError::TimedOut { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, "timed-out", message)
                .remedy("Try again; a large model takes a while to be read the first time."),
            AskError::NoWorker(_) | AskError::Worker(_) => {
                tracing::warn!(%error, "no answer");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-answer", "The worker that should answer failed.")
                    .remedy("Try again; if it fails again, the server's log has the cause.")
            }
        }
    }
}
