//! Every answer that is not a success: one table from error to status, code, sentence and remedy.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use recspeed_types::api::ApiFailure;
use recspeed_types::sentence;
use recspeed_types::spec::{SpecError, SpecErrors};

use crate::lab::LabError;
use crate::store::StoreError;

/// The colours and the type of every page; a binary without the front end has them, too.
const TOKENS: &str = include_str!("../../../../static/styles/tokens.css");

/// How a page looks that says no: as the one for an address that leads nowhere.
const REFUSED: &str = "
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.55 var(--sans); }
main { max-width: 34rem; margin: 12vh auto; padding: 24px; text-align: center; }
h1 { margin: 0; font-size: 28px; line-height: 1.25; letter-spacing: -0.02em; }
p { margin: 12px 0 0; color: var(--ink-2); }
a { display: inline-flex; align-items: center; min-height: 38px; margin-top: 8px; padding: 0 14px;
  border-radius: var(--radius-s); background: var(--accent); color: var(--accent-ink); font-weight: 540; text-decoration: none; }
a:hover { background: var(--accent-strong); }
a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
";

/// An answer that is not a success.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    failure: Box<ApiFailure>,
}

impl ApiError {
    /// An answer with a stable name and one sentence.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let failure = ApiFailure { code: code.to_owned(), message: message.into(), remedy: None, errors: Vec::new() };
        Self { status, failure: Box::new(failure) }
    }

    /// An answer whose words come from a worker.
    pub fn of(status: StatusCode, failure: ApiFailure) -> Self {
        Self { status, failure: Box::new(failure) }
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.failure.remedy = Some(remedy.into());
        self
    }

    /// 422: the mistakes of a spec, one by one.
    pub fn spec(errors: Vec<SpecError>) -> Self {
        let message = match errors.as_slice() {
            [one] if one.path.is_empty() => one.message.clone(),
            [one] => one.to_string(),
            several => format!("The spec has {} mistakes.", several.len()),
        };
        let mut answer = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-spec", message);
        answer.failure.errors = errors;
        answer
    }

    /// 422: one mistake outside a spec.
    pub fn invalid(path: &str, message: impl Into<String>) -> Self {
        let error = SpecError::new(path, message);
        let mut answer = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-request", error.to_string());
        answer.failure.errors = vec![error];
        answer
    }

    /// 401: only the owner may.
    pub fn sign_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "owner-only", "Only the owner of this lab may do that.")
            .remedy("Open the link that `recspeed serve` printed when it started; runs in the tab need no link.")
    }

    /// 500: the cause is logged, the answer is constant.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "an answer failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server made a mistake.")
            .remedy("Try again; if it happens again, the server's log has the cause.")
    }

    /// The same as a page, for a person who followed a link. Its words are the lab's own, so nothing needs escaping but
    /// what could look like markup.
    pub fn into_page(self) -> Response {
        let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('`', "");
        let (status, failure) = (self.status, self.failure);
        let page = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
             <title>Recspeed</title><link rel=icon href=/favicon.svg type=\"image/svg+xml\"><script src=/boot.js></script>\
             <style>{TOKENS}{REFUSED}</style><main><h1>{}</h1><p>{}</p><p><a href=/>Open the lab as a guest</a></p></main>",
            plain(&failure.message),
            plain(failure.remedy.as_deref().unwrap_or_default()),
        );
        (status, [(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(header::CACHE_CONTROL, "no-store")], Json(*self.failure)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<SpecErrors> for ApiError {
    fn from(errors: SpecErrors) -> Self {
        Self::spec(errors.0)
    }
}

impl From<LabError> for ApiError {
    fn from(error: LabError) -> Self {
        let message = sentence(&error.to_string());
        match error {
            LabError::NoRun { .. } => Self::new(StatusCode::NOT_FOUND, "no-run", message)
                .remedy("Check the link; the run may have been deleted."),
            LabError::TooMany { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, "queue-full", message)
                .remedy("Wait until some are over, or cancel some."),
            LabError::NotRetriable { .. } => Self::new(StatusCode::CONFLICT, "not-retriable", message)
                .remedy("To run the same spec again, start a new run from it."),
            LabError::StillRunning { .. } => {
                Self::new(StatusCode::CONFLICT, "still-running", message).remedy("Cancel it first, then delete it.")
            }
            LabError::Ending => Self::new(StatusCode::SERVICE_UNAVAILABLE, "ending", message)
                .remedy("Try again when it is back; nothing that was stored is lost."),
            LabError::Store(StoreError::Full) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "disk-full",
                "The disk of the server is full, so nothing new can be stored; what was stored is safe.",
            )
            .remedy("Free some space on the server, then try again."),
            LabError::Random { .. } | LabError::Store(_) => Self::internal(&error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        LabError::from(error).into()
    }
}
