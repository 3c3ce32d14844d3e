//! `/api/runs/ID/per-user`: what two runs are compared by.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use recspeed_types::UserValues;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::run_id;
use super::told::withholds_users;
use super::{ApiError, AppState};
use crate::access::Visitor;
use crate::home;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(per_user))
}

/// What a run measured of each user
///
/// The value of each user of every metric that is a mean over users: what paired tests of two runs need. Kept of runs that
/// finished on the server, the newest ones as far as there is room, up to 16 MiB a run. Where the data set is a file, uploaded or on the
/// server, a guest is told the users by numbers from 1, in the order of the data, in place of their ids: runs of one split have the same
/// user under the same number.
#[utoipa::path(
    get, path = "/api/runs/{id}/per-user", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "Ids of users, or their numbers, and by metric a value for each of them, null where there is none", body = ref("#/components/schemas/UserValues")),
        (status = 404, description = "No such run, or its values are not kept", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn per_user(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let run = app.lab.record(run_id(id)?).await?;
    let text = match tokio::fs::read(home::per_user(app.data.root()).join(format!("{}.json", run.id))).await {
        Ok(text) => text,
        Err(cause) => {
            if cause.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(run = %run.id, %cause, "the values of a run's users cannot be read");
            }
            return Err(not_kept());
        }
    };
    let text = if withholds_users(&visitor, &run.spec) {
        // Some megabytes are parsed and written again.
        let told = tokio::task::spawn_blocking(move || numbered(&text)).await;
        told.map_err(|error| ApiError::internal(&error))?.map_err(|cause| {
            tracing::warn!(run = %run.id, %cause, "the values of a run's users cannot be read");
            not_kept()
        })?
    } else {
        text
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The same values, of users who are told by their places.
fn numbered(text: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut values: UserValues = serde_json::from_slice(text)?;
    for (place, user) in values.users.iter_mut().enumerate() {
        *user = (place + 1).to_string();
    }
    serde_json::to_vec(&values)
}

fn not_kept() -> ApiError {
    let message = "The lab keeps no values of this run's users.";
    ApiError::new(StatusCode::NOT_FOUND, "no-user-values", message)
        .remedy("Run it on the server once more, or `recspeed compare` its spec; very large runs keep none.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_told_by_number_and_their_values_stay_to_the_last_bit() {
        let columns =
            [("ndcg@10".to_owned(), vec![Some(0.1 + 0.2), None, Some(1.0 / 3.0)]), ("rmse".to_owned(), vec![None; 3])];
        let users = ["eve@example.org", "2", "1"].map(str::to_owned).to_vec();
        let values = UserValues { users, columns: columns.into() };
        let told = numbered(&serde_json::to_vec(&values).unwrap()).unwrap();
        let told: UserValues = serde_json::from_slice(&told).unwrap();
        assert_eq!(told.users, ["1", "2", "3"], "by place, whatever the ids are");
        assert_eq!(told.columns, values.columns);
        assert!(numbered(br#"{"users":["#).is_err());
    }
}
