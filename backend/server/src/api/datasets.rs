//! `/api/datasets`, `/api/datasets/files`: files that somebody gives to the lab, and those that lie on its machine.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::StreamExt;
use recspeed_data::ReadError;
use recspeed_datasets::{DataHome, LookBounds, Reading, server_files};
use recspeed_types::api::{ServerFiles, UploadRecord};
use recspeed_types::limits::{MAX_NAME_CHARS, MAX_UPLOAD_BYTES};
use recspeed_types::spec::{ColumnNames, DataFormat};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::Query;
use super::{ApiError, AppState};
use crate::access::Visitor;

pub(super) fn router() -> OpenApiRouter<AppState> {
    // The handler counts the bytes itself, as they come.
    OpenApiRouter::new().routes(routes!(list, upload)).routes(routes!(files)).layer(DefaultBodyLimit::disable())
}

/// List uploaded data sets, newest first
#[utoipa::path(
    get, path = "/api/datasets", tag = "data",
    responses(
        (status = 200, description = "What a spec may name as an upload", body = ref("#/components/schemas/UploadList")),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn list(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Vec<UploadRecord>>, ApiError> {
    visitor.must_own()?;
    let data = Arc::clone(&app.data);
    let listed = tokio::task::spawn_blocking(move || data.list());
    let records = listed.await.map_err(|error| ApiError::internal(&error))?;
    Ok(Json(records.map_err(|error| ApiError::internal(&error))?))
}

/// List data files on the server's machine
///
/// Those below the folder that `RECSPEED_DATA` names, with what a spec says to read them, judged by their names and beginnings. A look
/// at the folder is bounded in depth, number and time.
#[utoipa::path(
    get, path = "/api/datasets/files", tag = "data",
    responses(
        (status = 200, description = "What a spec may name as a file", body = ref("#/components/schemas/ServerFiles")),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn files(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<ServerFiles>, ApiError> {
    visitor.must_own()?;
    let look_up = Arc::clone(&app.look_up);
    let found = tokio::task::spawn_blocking(move || server_files(&look_up, LookBounds::default()));
    Ok(Json(found.await.map_err(|error| ApiError::internal(&error))?))
}

/// Give the lab a data file
///
/// The body is the file, as it is; texts may be packed with gzip or zstd. It is read whole once, and kept under the hash of its content.
#[utoipa::path(
    post, path = "/api/datasets", tag = "data",
    params(
        ("name" = String, Query, description = "A name for people, 1 to 120 characters; of a path its last part"),
        ("format" = String, Query, description = "How it is written: amazon-csv, movielens, recbole, sequences, parquet, arrow"),
        ("user" = Option<String>, Query, description = "The column of the users, in a table where it has no usual name; a spec names it again in `dataset.columns`"),
        ("item" = Option<String>, Query, description = "The column of the items"),
        ("rating" = Option<String>, Query, description = "The column of the ratings"),
        ("timestamp" = Option<String>, Query, description = "The column of the times"),
    ),
    request_body(content = String, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "Its hash is `dataset.id` of a spec", body = ref("#/components/schemas/UploadRecord")),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
        (status = 413, description = "The file is too large", body = ref("#/components/schemas/ApiFailure")),
        (status = 422, description = "The file cannot be read as this format", body = ref("#/components/schemas/ApiFailure")),
        (status = 429, description = "Other files are being read", body = ref("#/components/schemas/ApiFailure")),
        (status = 507, description = "The disk is full", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn upload(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    visitor.must_own()?;
    query.only(&["name", "format", "user", "item", "rating", "timestamp"])?;
    let name = file_name(query.text("name").ok_or_else(|| ApiError::invalid("name", "is missing"))?)?.to_owned();
    let format = format(query.text("format"))?;
    let column = |what| query.text(what).map(str::to_owned);
    let columns = ColumnNames {
        user: column("user"),
        item: column("item"),
        rating: column("rating"),
        timestamp: column("timestamp"),
    };
    if let Some((what, _)) = columns.named().into_iter().find(|(_, name)| name.is_some() && !format.is_table()) {
        return Err(ApiError::invalid(what, "names a column; only the formats parquet and arrow have named columns"));
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > MAX_UPLOAD_BYTES) {
        return Err(too_large());
    }
    let _turn = app.uploads.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Other files are being read right now.")
            .remedy("Try again in a moment.")
    })?;
    let file = receive(app.data.root(), body).await?;
    let data = Arc::clone(&app.data);
    let imported =
        tokio::task::spawn_blocking(move || import(&data, &file, &name, Reading { format, columns: &columns }));
    let record = imported.await.map_err(|error| ApiError::internal(&error))??;
    Ok((StatusCode::CREATED, Json(record)).into_response())
}

/// The last part of a path of any system: some clients send the whole one, and people are shown a file, not a place.
fn file_name(given: &str) -> Result<&str, ApiError> {
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let chars = name.chars().count();
    if matches!(name.trim(), "" | "." | "..") {
        let message = format!("names no file; allowed: 1 to {MAX_NAME_CHARS} characters, as ratings.csv");
        return Err(ApiError::invalid("name", message));
    }
    if chars > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let message = format!("has {chars} characters; allowed: 1 to {MAX_NAME_CHARS}, without control characters");
        return Err(ApiError::invalid("name", message));
    }
    Ok(name)
}

fn format(text: Option<&str>) -> Result<DataFormat, ApiError> {
    let allowed = || DataFormat::ALL.map(DataFormat::as_str).join(", ");
    let text = text.ok_or_else(|| ApiError::invalid("format", format!("is missing; allowed: {}", allowed())))?;
    DataFormat::ALL.into_iter().find(|format| format.as_str() == text).ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        ApiError::invalid("format", format!("is `{shown}`; allowed: {}", allowed()))
    })
}

/// Writes the body to a file that disappears with its handle.
async fn receive(root: &Path, body: Body) -> Result<NamedTempFile, ApiError> {
    let folder = root.join("uploads");
    tokio::fs::create_dir_all(&folder).await.map_err(|error| storing(&error))?;
    let file = NamedTempFile::new_in(&folder).map_err(|error| storing(&error))?;
    let mut writer = tokio::fs::File::from_std(file.reopen().map_err(|error| storing(&error))?);
    let mut chunks = body.into_data_stream();
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            ApiError::new(StatusCode::BAD_REQUEST, "unreadable", "The upload broke off before it was complete.")
                .remedy("Send the file again.")
        })?;
        bytes += chunk.len() as u64;
        if bytes > MAX_UPLOAD_BYTES {
            return Err(too_large());
        }
        writer.write_all(&chunk).await.map_err(|error| storing(&error))?;
    }
    writer.flush().await.map_err(|error| storing(&error))?;
    Ok(file)
}

fn import(data: &DataHome, file: &NamedTempFile, name: &str, reading: Reading<'_>) -> Result<UploadRecord, ApiError> {
    data.import(file.path(), name, reading).map_err(|error| refusal(&error, name, reading.format))
}

/// What an import's failure means to whoever sent the file: its own sentence names a temporary path.
fn refusal(error: &(dyn Error + 'static), name: &str, format: DataFormat) -> ApiError {
    let mut cause = Some(error);
    while let Some(found) = cause {
        if let Some(unreadable) = found.downcast_ref::<ReadError>() {
            let message = format!("{name}: {}.", unreadable.without_remedy());
            let refused = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "unreadable-data", message);
            return match unreadable.advice(format) {
                Some(advice) => refused.remedy(advice),
                None => refused,
            };
        }
        if let Some(system) = found.downcast_ref::<io::Error>() {
            return storing(system);
        }
        cause = found.source();
    }
    ApiError::internal(&error)
}

fn too_large() -> ApiError {
    let megabytes = MAX_UPLOAD_BYTES / (1024 * 1024);
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("The file is larger than {megabytes} MiB."))
        .remedy("Put it on the server's own disk and import it there with `recspeed data import`.")
}

fn storing(error: &io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full(),
        _ => ApiError::internal(error),
    }
}

fn full() -> ApiError {
    ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", "The disk of the server has no room for this file.")
        .remedy("Free some space on the server, then send it again; nothing stored was changed.")
}
