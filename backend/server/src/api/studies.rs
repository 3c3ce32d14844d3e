//! `/api/studies`: the paper's tables, measured again on this machine.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use recspeed_types::api::{Role, StudyAttempt, StudyListing, StudyPage, StudyRecorded};
use recspeed_types::sentence;
use recspeed_types::study::{self, Study};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::told::as_json;
use super::{ApiError, AppState};
use crate::access::Visitor;
use crate::studies::{Damaged, StudiesError, recorded_study};

/// What is done about a kept file that is damaged.
const MEND: &str = "Run the study again, which writes it anew, or move it away.";
/// The same of a folder in the place of one.
const MOVE: &str = "A folder lies in the place of a file, and nothing can be kept there: move it away.";

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(page))
        .routes(routes!(shipped))
        .routes(routes!(run))
        .routes(routes!(cancel))
}

/// The studies
///
/// One of which a kept file is damaged is among them, and says so.
#[utoipa::path(
    get, path = "/api/studies", tag = "studies",
    responses(
        (status = 200, description = "Every study, with when it was last measured here", body = ref("#/components/schemas/StudyList")),
    )
)]
async fn list(State(app): State<AppState>, Extension(visitor): Extension<Visitor>) -> Result<Response, ApiError> {
    let all: Vec<StudyListing> = study::STUDIES.iter().map(|study| read(&app, &visitor, study).study).collect();
    app.told(&visitor, &all)
}

/// A study: its last report, and how its last attempt went
#[utoipa::path(
    get, path = "/api/studies/{id}", tag = "studies",
    params(("id" = String, Path, description = "Its name, as four-layer")),
    responses(
        (status = 200, description = "The study", body = ref("#/components/schemas/StudyPage")),
        (status = 404, description = "No such study", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn page(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    app.told(&visitor, &read(&app, &visitor, find(&name)?))
}

/// What Recspeed's authors measured of a study, on a machine of theirs
///
/// It comes with the program. Its times are of another machine: they are not to be held against times of this one.
#[utoipa::path(
    get, path = "/api/studies/{id}/recorded", tag = "studies",
    params(("id" = String, Path, description = "Its name, as four-layer")),
    responses(
        (status = 200, description = "The report", body = ref("#/components/schemas/StudyReport")),
        (status = 404, description = "No such study, or no report of it comes with the program", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn shipped(Path(name): Path<String>) -> Result<Response, ApiError> {
    let study = find(&name)?;
    let found = recorded_study(study.name).ok_or_else(|| {
        let words = format!("No report of the study `{}` comes with this program.", study.name);
        ApiError::new(StatusCode::NOT_FOUND, "no-recorded-study", words).remedy("Measure it here.")
    })?;
    let json = serde_json::to_string(&found.told).map_err(|error| ApiError::internal(&error))?;
    Ok(as_json(json))
}

/// Make a study on this machine
///
/// It waits until no run is at work, and none starts before it has ended.
#[utoipa::path(
    post, path = "/api/studies/{id}/run", tag = "studies",
    params(("id" = String, Path, description = "Its name, as four-layer")),
    responses(
        (status = 202, description = "It waits or measures", body = ref("#/components/schemas/StudyPage")),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
        (status = 404, description = "No such study", body = ref("#/components/schemas/ApiFailure")),
        (status = 409, description = "A study is being made", body = ref("#/components/schemas/ApiFailure")),
        (status = 500, description = "Nothing can be kept of it", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn run(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Response), ApiError> {
    visitor.must_own()?;
    let study = find(&name)?;
    app.studies.start(study.name).await?;
    Ok((StatusCode::ACCEPTED, app.told(&visitor, &read(&app, &visitor, study))?))
}

/// End a study that waits or measures
#[utoipa::path(
    post, path = "/api/studies/{id}/cancel", tag = "studies",
    params(("id" = String, Path, description = "Its name, as four-layer")),
    responses(
        (status = 200, description = "The study; its end may follow within seconds", body = ref("#/components/schemas/StudyPage")),
        (status = 401, description = "Only the owner may", body = ref("#/components/schemas/ApiFailure")),
        (status = 404, description = "No such study", body = ref("#/components/schemas/ApiFailure")),
    )
)]
async fn cancel(
    State(app): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    visitor.must_own()?;
    let study = find(&name)?;
    app.studies.cancel(study.name);
    app.told(&visitor, &read(&app, &visitor, study))
}

fn find(name: &str) -> Result<&'static Study, ApiError> {
    study::find(name).ok_or_else(|| {
        let shown: String = name.chars().take(80).collect();
        ApiError::new(StatusCode::NOT_FOUND, "no-study", format!("There is no study `{shown}`."))
            .remedy("/api/studies lists them.")
    })
}

fn read(app: &AppState, visitor: &Visitor, study: &'static Study) -> StudyPage {
    let mut damage = Vec::new();
    let report = whole(app.studies.report(study.name), &mut damage);
    let attempt = whole(app.studies.attempt(study.name), &mut damage);
    // What it said is the owner's: it may name anything.
    let shown = |attempt| match visitor.role {
        Role::Owner => attempt,
        Role::Guest => StudyAttempt { said: Vec::new(), cause: None, ..attempt },
    };
    StudyPage {
        study: StudyListing {
            name: study.name.to_owned(),
            title: study.title.to_owned(),
            question: study.question.to_owned(),
            measured_ms: report.as_ref().map(|report| report.measured_ms),
            recorded: recorded_study(study.name).map(|found| StudyRecorded {
                measured_ms: found.report.measured_ms,
                older: found.older,
                settings: found.settings.clone(),
            }),
            partial: report.as_ref().and_then(|report| report.partial),
            attempt: attempt.map(shown),
            damage: (!damage.is_empty()).then(|| {
                let told: Vec<String> = damage.iter().map(ToString::to_string).collect();
                let remedy = if damage.iter().any(Damaged::is_folder) { MOVE } else { MEND };
                format!("{}. {remedy}", told.join(", and "))
            }),
        },
        report,
    }
}

/// What was kept, where it can be read; why it cannot, beside the damage of the same study.
fn whole<T>(kept: Result<Option<T>, Damaged>, damage: &mut Vec<Damaged>) -> Option<T> {
    kept.unwrap_or_else(|damaged| {
        damage.push(damaged);
        None
    })
}

impl From<StudiesError> for ApiError {
    fn from(error: StudiesError) -> Self {
        match error {
            StudiesError::Busy { .. } => Self::new(StatusCode::CONFLICT, "study-busy", sentence(&error.to_string()))
                .remedy("Wait for its end, or cancel it on its page."),
            StudiesError::Lab(error) => error.into(),
            StudiesError::Kept { .. } => {
                tracing::error!(%error, "studies");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "study-kept", sentence(&error.to_string()))
                    .remedy("Remove its files from the folder `studies` of the lab, or make room on the disk, then run it again.")
            }
        }
    }
}
