//! `/api/openapi.json` and `/api/spec-schema`: the interface and the spec, described for programs.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use recspeed_types::api::{
    ApiFailure, EventPage, LabInfo, RunPage, RunRecord, RunRequest, ServerFiles, StreamMessage, StudyListing,
    StudyPage, UploadRecord,
};
use recspeed_types::comparison::{RunComparison, RunTests};
use recspeed_types::recommend::{ModelInfo, RecommendRequest, Recommendations};
use recspeed_types::study::StudyReport;
use recspeed_types::{ExperimentSpec, UserValues};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(openapi)).routes(routes!(spec_schema))
}

/// Title, version and what every address has in common.
pub(super) fn heading() -> OpenApi {
    let about = "A lab for recommender-system experiments. The owner's token, as `Authorization: Bearer TOKEN` or as \
                 the cookie that the printed link gives, is needed to list, start, cancel and delete runs; whoever has \
                 a run's link may read it. Every answer that is not a success is an `ApiFailure`.";
    let info = InfoBuilder::new().title("Recspeed").version(env!("CARGO_PKG_VERSION")).description(Some(about));
    OpenApiBuilder::new().info(info.build()).build()
}

/// This description
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "lab",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value, content_type = "application/json"))
)]
async fn openapi() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    answer(TEXT.get_or_init(|| document().to_string()))
}

/// The JSON Schema of a spec
#[utoipa::path(
    get, path = "/api/spec-schema", tag = "specs",
    responses((status = 200, description = "JSON Schema 2020-12", body = serde_json::Value, content_type = "application/json"))
)]
async fn spec_schema() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    answer(TEXT.get_or_init(|| schemars::schema_for!(ExperimentSpec).as_value().to_string()))
}

fn answer(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

/// The whole description: the routes as utoipa has them, the shared types as schemars has them.
pub fn document() -> Value {
    let (_, api) = super::routes().split_for_parts();
    // A description of plain data can always be written.
    let mut document = serde_json::to_value(&api).unwrap_or_default();
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut types = settings.into_generator();
    describe(&mut types);
    let mut schemas: serde_json::Map<String, Value> = types.take_definitions(true);
    // A list and an empty answer have no types of their own.
    let uploads = json!({ "type": "array", "items": { "$ref": "#/components/schemas/UploadRecord" } });
    schemas.insert("UploadList".to_owned(), uploads);
    let studies = json!({ "type": "array", "items": { "$ref": "#/components/schemas/StudyListing" } });
    schemas.insert("StudyList".to_owned(), studies);
    // What `recspeed data describe --json` prints.
    let parts = ["name", "sha256", "synthetic", "about", "report", "splits", "reading", "attributes", "warnings"];
    schemas.insert("DataReport".to_owned(), json!({ "type": "object", "required": parts }));
    schemas.insert("SpecAccepted".to_owned(), json!({ "type": "object", "maxProperties": 0 }));
    if let Some(own) = document.pointer("/components/schemas").and_then(Value::as_object) {
        schemas.extend(own.clone());
    }
    document["components"]["schemas"] = Value::Object(schemas);
    document["components"]["securitySchemes"] = json!({ "token": { "type": "http", "scheme": "bearer" } });
    document["security"] = json!([{}, { "token": [] }]);
    document
}

/// Every type that a route names.
fn describe(types: &mut SchemaGenerator) {
    types.subschema_for::<ApiFailure>();
    types.subschema_for::<EventPage>();
    types.subschema_for::<ExperimentSpec>();
    types.subschema_for::<LabInfo>();
    types.subschema_for::<ModelInfo>();
    types.subschema_for::<RecommendRequest>();
    types.subschema_for::<Recommendations>();
    types.subschema_for::<RunComparison>();
    types.subschema_for::<RunPage>();
    types.subschema_for::<RunRecord>();
    types.subschema_for::<RunRequest>();
    types.subschema_for::<RunTests>();
    types.subschema_for::<ServerFiles>();
    types.subschema_for::<StreamMessage>();
    types.subschema_for::<StudyListing>();
    types.subschema_for::<StudyPage>();
    types.subschema_for::<StudyReport>();
    types.subschema_for::<UploadRecord>();
    types.subschema_for::<UserValues>();
}
