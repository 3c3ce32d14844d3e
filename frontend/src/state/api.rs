//! The server's REST interface, as the page uses it.

use gloo_net::http::{Request, RequestBuilder, Response};
use recspeed_types::api::{
    ApiFailure, LabInfo, RunPage, RunRecord, RunRequest, ServerFiles, StudyListing, StudyPage, UploadRecord,
};
use recspeed_types::study::StudyReport;
use recspeed_types::{RunEvent, RunId};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why an answer is not what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ApiError {
    /// Nobody answered.
    Unreachable,
    /// The server said no, and why.
    Refused {
        /// HTTP status.
        status: u16,
        /// Its words.
        failure: ApiFailure,
    },
    /// Something answered that is no server of this lab, or one of another version.
    Unreadable {
        /// HTTP status.
        status: u16,
    },
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable => {
                f.write_str("The server does not answer. Check that it runs; a tab that has run something before can go on without it.")
            }
            Self::Refused { failure, .. } => {
                f.write_str(&failure.message)?;
                match &failure.remedy {
                    Some(remedy) => write!(f, " {remedy}"),
                    None => Ok(()),
                }
            }
            Self::Unreadable { status } => {
                write!(f, "The server gave an answer that this page cannot read (status {status}). Reload the page.")
            }
        }
    }
}

impl ApiError {
    /// Whether the thing asked for does not exist.
    pub(crate) const fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the visitor is not allowed to.
    pub(crate) const fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }
}

/// Whether the server answers: `GET /healthz`.
pub(super) async fn is_here() -> bool {
    send(Request::get("/healthz")).await.is_ok_and(|answer| answer.ok())
}

/// `GET /api/lab`.
pub(crate) async fn lab() -> Result<LabInfo, ApiError> {
    answer(send(Request::get("/api/lab")).await?).await
}

/// `GET /api/datasets`.
pub(crate) async fn datasets() -> Result<Vec<UploadRecord>, ApiError> {
    answer(send(Request::get("/api/datasets")).await?).await
}

/// `GET /api/datasets/files`.
pub(crate) async fn server_files() -> Result<ServerFiles, ApiError> {
    answer(send(Request::get("/api/datasets/files")).await?).await
}

/// `GET /api/datasets/ID/report`, read by name.
pub(crate) async fn data_report(id: &str) -> Result<Value, ApiError> {
    let id = String::from(js_sys::encode_uri_component(id));
    answer(send(Request::get(&format!("/api/datasets/{id}/report"))).await?).await
}

/// `GET /api/runs`, newest first.
pub(crate) async fn runs(before: Option<&str>, q: &str, status: &str, limit: u32) -> Result<RunPage, ApiError> {
    let limit = limit.to_string();
    let given = [("before", before.unwrap_or_default()), ("q", q), ("status", status), ("limit", limit.as_str())];
    let query = given.into_iter().filter(|(_, value)| !value.is_empty());
    answer(send(Request::get("/api/runs").query(query)).await?).await
}

/// `GET /api/runs/ID`.
pub(crate) async fn run(id: &RunId) -> Result<RunRecord, ApiError> {
    answer(send(Request::get(&format!("/api/runs/{id}"))).await?).await
}

/// The same as the server wrote it, to be taken away: nothing in the page writes a result.
pub(crate) async fn written_run(id: &RunId) -> Result<Value, ApiError> {
    answer(send(Request::get(&format!("/api/runs/{id}"))).await?).await
}

/// `POST /api/runs`.
pub(crate) async fn create(request: &RunRequest) -> Result<RunRecord, ApiError> {
    let body = json_text(request);
    let request = Request::post("/api/runs").header("content-type", "application/json").body(body);
    let request = request.map_err(|_| ApiError::Unreachable)?;
    answer(request.send().await.map_err(|_| ApiError::Unreachable)?).await
}

/// `POST /api/runs/ID/cancel`.
pub(crate) async fn cancel(id: &RunId) -> Result<RunRecord, ApiError> {
    answer(send(Request::post(&format!("/api/runs/{id}/cancel"))).await?).await
}

/// `POST /api/runs/ID/retry`.
pub(crate) async fn retry(id: &RunId) -> Result<RunRecord, ApiError> {
    answer(send(Request::post(&format!("/api/runs/{id}/retry"))).await?).await
}

/// `GET /api/runs/ID/model`: a `ModelInfo`, read by name.
pub(crate) async fn model(id: &RunId) -> Result<Value, ApiError> {
    answer(send(Request::get(&format!("/api/runs/{id}/model"))).await?).await
}

/// `POST /api/runs/ID/recommendations`: a `RecommendRequest` for `Recommendations`, written and read by name.
pub(crate) async fn recommend(id: &RunId, question: &Value) -> Result<Value, ApiError> {
    let request = Request::post(&format!("/api/runs/{id}/recommendations")).header("content-type", "application/json");
    let request = request.body(question.to_string()).map_err(|_| ApiError::Unreachable)?;
    answer(request.send().await.map_err(|_| ApiError::Unreachable)?).await
}

/// `GET /api/comparison`: a `RunComparison`, read by name.
pub(crate) async fn comparison(runs: &str) -> Result<Value, ApiError> {
    answer(send(Request::get("/api/comparison").query([("runs", runs)])).await?).await
}

/// `GET /api/comparison/tests`: `RunTests`, read by name.
pub(crate) async fn comparison_tests(runs: &str) -> Result<Value, ApiError> {
    answer(send(Request::get("/api/comparison/tests").query([("runs", runs)])).await?).await
}

/// `GET /api/studies`.
pub(crate) async fn studies() -> Result<Vec<StudyListing>, ApiError> {
    answer(send(Request::get("/api/studies")).await?).await
}

/// `GET /api/studies/NAME`.
pub(crate) async fn study(name: &str) -> Result<StudyPage, ApiError> {
    answer(send(Request::get(&study_address(name))).await?).await
}

/// `GET /api/studies/NAME/recorded`: what Recspeed's authors measured on a machine of theirs.
pub(crate) async fn recorded_study(name: &str) -> Result<StudyReport, ApiError> {
    answer(send(Request::get(&format!("{}/recorded", study_address(name)))).await?).await
}

/// `POST /api/studies/NAME/run`.
pub(crate) async fn run_study(name: &str) -> Result<StudyPage, ApiError> {
    answer(send(Request::post(&format!("{}/run", study_address(name)))).await?).await
}

/// `POST /api/studies/NAME/cancel`.
pub(crate) async fn cancel_study(name: &str) -> Result<StudyPage, ApiError> {
    answer(send(Request::post(&format!("{}/cancel", study_address(name)))).await?).await
}

fn study_address(name: &str) -> String {
    format!("/api/studies/{}", String::from(js_sys::encode_uri_component(name)))
}

/// `DELETE /api/runs/ID`.
pub(crate) async fn delete(id: &RunId) -> Result<(), ApiError> {
    let response = send(Request::delete(&format!("/api/runs/{id}"))).await?;
    if response.ok() {
        return Ok(());
    }
    let status = response.status();
    Err(refusal(status, &response.text().await.unwrap_or_default()))
}

/// Every stored event of a run from `from` on.
pub(crate) async fn events(id: &RunId, from: u64) -> Result<Vec<RunEvent>, ApiError> {
    let written = written_events(id, from).await?;
    let events: Result<Vec<RunEvent>, _> = written.into_iter().map(serde_json::from_value).collect();
    events.map_err(|_| ApiError::Unreadable { status: 200 })
}

/// The same as the server wrote them, page by page.
pub(crate) async fn written_events(id: &RunId, from: u64) -> Result<Vec<Value>, ApiError> {
    const LIMIT: usize = 2000;
    let mut all: Vec<Value> = Vec::new();
    let mut next = from;
    loop {
        let url = format!("/api/runs/{id}/events?from={next}&limit={LIMIT}");
        let mut page: Value = answer(send(Request::get(&url)).await?).await?;
        let Some(Value::Array(events)) = page.get_mut("events").map(Value::take) else {
            return Err(ApiError::Unreadable { status: 200 });
        };
        let last = events.last().and_then(|event| event["seq"].as_u64());
        all.extend(events);
        match last {
            Some(last) if page["more"] == true => next = last + 1,
            _ => return Ok(all),
        }
    }
}

/// A file of the page itself.
pub(crate) async fn static_text(path: &str) -> Result<String, ApiError> {
    let response = send(Request::get(path)).await?;
    if !response.ok() {
        return Err(ApiError::Unreadable { status: response.status() });
    }
    response.text().await.map_err(|_| ApiError::Unreachable)
}

/// A value as JSON text. It goes by way of [`serde_json::Value`], as everything here does: one serializer in the bundle
/// instead of two.
pub(crate) fn json_text(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap_or_default().to_string()
}

async fn send(request: RequestBuilder) -> Result<Response, ApiError> {
    request.send().await.map_err(|_| ApiError::Unreachable)
}

async fn answer<T: DeserializeOwned>(response: Response) -> Result<T, ApiError> {
    let status = response.status();
    let text = response.text().await.map_err(|_| ApiError::Unreachable)?;
    read(status, &text)
}

/// What an answer says: the thing asked for, or the server's own words why not.
pub(super) fn read<T: DeserializeOwned>(status: u16, text: &str) -> Result<T, ApiError> {
    if (200..300).contains(&status) {
        recspeed_types::api::read(text).map_err(|_| ApiError::Unreadable { status })
    } else {
        Err(refusal(status, text))
    }
}

fn refusal(status: u16, text: &str) -> ApiError {
    match recspeed_types::api::read(text) {
        Ok(failure) => ApiError::Refused { status, failure },
        Err(_) => ApiError::Unreadable { status },
    }
}
