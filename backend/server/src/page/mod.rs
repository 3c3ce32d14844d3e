//! The front end, inside the binary.

mod assets;
mod headers;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};

use crate::api::ApiError;

pub use assets::{Asset, Assets};
pub use headers::{FrameAncestors, SecurityHeaders, secure};

/// Shown where the binary was built without a front end.
const WITHOUT_PAGE: &str = include_str!("without.html");

/// Answers a file of the front end, or its first page for the address of a page.
pub async fn serve(State(assets): State<Arc<Assets>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "wrong-method",
            format!("A page does not take {method}."),
        )
        .into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if let Some(asset) = assets.get(path) {
        return asset.answer(&headers);
    }
    // An address whose last part has a file's ending is a file that is not there; any other is a page.
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.contains('.') {
        return ApiError::new(StatusCode::NOT_FOUND, "no-file", "There is no such file.").into_response();
    }
    match assets.get("index.html") {
        Some(index) => {
            assets.visited();
            index.answer(&headers)
        }
        None => ([(header::CACHE_CONTROL, "no-store")], Html(WITHOUT_PAGE)).into_response(),
    }
}
