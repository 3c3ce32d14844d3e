//! The in-tab runner: the experiment in a web worker, speaking the run protocol.
//!
//! `worker.js` hands [`run`] what the page posted; every [`RunEvent`](recspeed_types::RunEvent) goes back as one message
//! with its JSON text. The last message of a run is `finished` or `failed`, as from any other worker. There is one
//! thread and no files: a run is stopped by ending the web worker, and uploads come as bytes.

mod data;
mod kept;
mod outlet;
mod retrieval;
mod tab;

use recspeed_experiment::RunFailure;
use recspeed_types::limits::MAX_SPEC_BYTES;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, RunId, RunSummary};
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

use tab::Tab;

/// Prepares the instance: a panic becomes the last event of the run before the instance dies.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| outlet::last_words(&panic.to_string())));
}

/// Runs an experiment to its end and posts its events.
///
/// - `run`: the run's name, in every event; nothing happens when it is no run id, because no event could carry it
/// - `spec`: the spec as JSON
/// - `upload`: the bytes of the uploaded file, where `dataset.source` is `upload`
/// - `name`: the uploaded file's name, for people
/// - `version`: that of the server whose page this is, with the commit; this program is built together with that one, and is
///   not built again where a commit changes nothing of it
#[wasm_bindgen]
pub fn run(run: &str, spec: &str, upload: Option<Vec<u8>>, name: Option<String>, version: Option<String>) {
    let Ok(run) = RunId::new(run) else { return };
    outlet::open(run.clone());
    kept::forget();
    outlet::emit(match attempt(&run, spec, Tab::new(upload, name, version)) {
        Ok(summary) => EventKind::Finished { summary: Box::new(summary) },
        Err(failure) => failure.into_event(),
    });
}

/// Asks the model of a run that has finished here, if it was the last one, and gives a reply as JSON.
///
/// - `run`: the run's name
/// - `question`: a `RecommendRequest` as JSON; without one it says what can be asked
#[wasm_bindgen]
pub fn ask(run: &str, question: Option<String>) -> String {
    kept::reply(run, question.as_deref())
}

/// Reads a file as a run would, and gives why that cannot be done; nothing where it can.
///
/// - `format`: how it is said to be written, as in a spec
/// - `upload`: its bytes
#[wasm_bindgen]
pub fn check(format: &str, upload: &[u8]) -> Option<String> {
    data::refusal(format, upload)
}

/// Reads ratings back from plain columns in the tab's own memory, and gives what it measured as JSON: `{ "retrieved": … }`.
///
/// - `asked`: how, as JSON
/// - the columns: bare little-endian numbers
///
/// # Errors
/// What was asked cannot be read, or the columns are no ratings.
#[wasm_bindgen]
pub fn retrieve(asked: &str, user: &[u8], item: &[u8], rating: &[u8], timestamp: &[u8]) -> Result<String, JsError> {
    retrieval::retrieve(asked, [user, item, rating, timestamp])
}

fn attempt(run: &RunId, spec: &str, mut tab: Tab) -> Result<RunSummary, RunFailure> {
    let invalid = |cause: String| RunFailure::new(FailureCode::InvalidSpec, cause);
    if spec.len() > MAX_SPEC_BYTES {
        return Err(invalid(format!("The spec has {} bytes; allowed: {MAX_SPEC_BYTES}.", spec.len())));
    }
    let spec = ExperimentSpec::from_json(spec).map_err(|error| invalid(format!("The spec cannot be read: {error}")))?;
    let outcome = recspeed_experiment::run(run, &spec, &mut tab)?;
    // What ran is resolved again to the same; the summary does not depend on it.
    let Ok(resolved) = spec.resolve() else { return Ok(outcome.summary) };
    let (summary, answering) = outcome.into_answering(&resolved);
    kept::keep(run.clone(), answering);
    Ok(summary)
}
