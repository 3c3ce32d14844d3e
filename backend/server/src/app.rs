//! The whole HTTP application: API, page, access, limits, headers.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::trace::TraceLayer;

use crate::access::{self, Access};
use crate::api::{self, ApiError, AppState};
use crate::page::{self, Assets, SecurityHeaders};

/// Brotli and gzip at a level that is quicker than the network; the page's own files are packed harder beforehand.
const LEVEL: CompressionLevel = CompressionLevel::Precise(4);

/// The application, ready to be served or asked in a test.
pub fn app(state: AppState, access: Access, assets: Arc<Assets>, security: SecurityHeaders) -> Router {
    let pages = Router::new().fallback(page::serve).with_state(assets);
    api::router(state)
        .fallback_service(pages)
        .layer(middleware::from_fn_with_state(access, access::layer))
        .layer(middleware::from_fn_with_state(security, page::secure))
        .layer(
            CompressionLayer::new()
                .quality(LEVEL)
                .compress_when(DefaultPredicate::new().and(NotForContentType::const_new("text/event-stream"))),
        )
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_response(responded).on_request(()).on_failure(()))
}

/// The span of a request: its path without the query, which may hold the token.
fn span<B>(request: &Request<B>) -> tracing::Span {
    tracing::info_span!("request", method = %request.method(), path = request.uri().path())
}

fn responded<B>(response: &axum::http::Response<B>, took: Duration, _: &tracing::Span) {
    let status = response.status().as_u16();
    if response.status().is_server_error() {
        tracing::warn!(status, ?took, "answered");
    } else {
        tracing::debug!(status, ?took, "answered");
    }
}

fn panicked(cause: Box<dyn std::any::Any + Send>) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    let mut response = ApiError::internal(&format!("a handler panicked: {text}")).into_response();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().remove(header::RETRY_AFTER);
    response
}
