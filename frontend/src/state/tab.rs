//! Runs in this tab: a web worker with the engine inside, loaded when it is first needed.
//!
//! The page posts `{spec, run, version?, upload?, name?}`: texts, and a file of the reader's own where the spec names one; the
//! worker answers with one [`RunEvent`] as JSON a message, and afterwards questions to the model that it has learnt. It is kept for
//! the next run, which starts faster in a warm worker, and thrown away when a run is cancelled: there is no other way to stop a
//! computation in a browser.

use std::cell::RefCell;

use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::api::{Failure, RunStatus};
use recspeed_types::spec::DataSource;
use recspeed_types::{ExperimentSpec, FailureCode, RunEvent, RunId};
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use super::batch::Batch;
use super::{RunState, files, questions};

/// Address of the worker's script; built beside the page.
const SCRIPT: &str = "/runner/worker.js";

/// How the names of runs in a tab begin.
const PREFIX: &str = "tab-";

/// Whether a run of this name happens, or has happened, in a tab: no server knows it.
pub(crate) fn is_of_a_tab(id: &RunId) -> bool {
    id.as_str().starts_with(PREFIX)
}

thread_local! {
    static RUNNER: RefCell<Option<Runner>> = const { RefCell::new(None) };
    static ACTIVE: RefCell<Option<(RunState, Batch)>> = const { RefCell::new(None) };
}

struct Runner {
    worker: Worker,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(ErrorEvent)>,
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.worker.terminate();
        questions::nobody_replies();
    }
}

/// Starts a run in this tab.
///
/// `version` is the server's: it has been built together with this page, and names the commit.
pub(super) fn start(spec: ExperimentSpec, parent: Option<RunId>, version: Option<&str>) -> RunState {
    let now = js_sys::Date::now();
    let id = RunId::new(format!("{PREFIX}{}", now as u64)).expect("digits, letters and a hyphen, under 40 characters");
    let text = super::api::json_text(&spec);
    let own = (spec.dataset.source == DataSource::Upload)
        .then(|| spec.dataset.id.as_deref().and_then(files::content))
        .flatten();
    let run = RunState::in_tab(id.clone(), spec, parent, now as i64);
    let batch = Batch::new(run.clone(), |run| {
        fail(&run, FailureCode::Internal, "The runner in this tab skipped an event; run it again.", "");
    });
    ACTIVE.set(Some((run.clone(), batch)));
    let posted = RUNNER.with_borrow_mut(|runner| {
        if runner.is_none() {
            *runner = Some(load()?);
        }
        let message = js_sys::Object::new();
        js_sys::Reflect::set(&message, &"spec".into(), &text.into())?;
        js_sys::Reflect::set(&message, &"run".into(), &id.as_str().into())?;
        if let Some(version) = version {
            js_sys::Reflect::set(&message, &"version".into(), &version.into())?;
        }
        if let Some((name, content)) = &own {
            js_sys::Reflect::set(&message, &"upload".into(), content)?;
            js_sys::Reflect::set(&message, &"name".into(), &name.as_str().into())?;
        }
        runner.as_ref().map_or(Ok(()), |runner| runner.worker.post_message(&message))
    });
    if let Err(error) = posted {
        fail(&run, FailureCode::Worker, CANNOT_LOAD, &format!("{error:?}"));
    }
    run
}

/// Has the browser ask before it leaves a page whose run in this tab would be lost.
pub(super) fn ask_before_leaving() {
    let _ = window_event_listener_untyped("beforeunload", |event| {
        let run = ACTIVE.with_borrow(|active| active.as_ref().map(|(run, _)| run.clone()));
        if run.is_some_and(|run| !untrack(|| run.status()).is_over()) {
            event.prevent_default();
        }
    });
}

/// Stops a run in this tab at once.
pub(super) fn cancel(run: &RunState) {
    RUNNER.set(None);
    fail(run, FailureCode::Cancelled, "You stopped it.", "");
}

/// Asks the model of a run that has finished in this tab; without a question, what can be asked. `hear` gets JSON text, or nothing where
/// the runner is gone.
pub(super) fn ask(run: &RunId, question: Option<&str>, hear: impl FnOnce(Option<String>) + 'static) {
    match RUNNER.with_borrow(|runner| runner.as_ref().map(|runner| runner.worker.clone())) {
        Some(worker) => questions::post(&worker, run, question, Box::new(hear)),
        None => hear(None),
    }
}

pub(super) const CANNOT_LOAD: &str =
    "The in-tab runner could not be loaded. Reload the page; if that does not help, run on the server instead.";

const NOBODY_GIVES_IT: &str = "The server that the in-tab runner comes from does not answer. Keep this page, which \
                               a reload would lose, and run it again once the server is back.";

/// Why the runner did not come.
pub(super) async fn why_not_loaded() -> &'static str {
    if super::api::is_here().await { CANNOT_LOAD } else { NOBODY_GIVES_IT }
}

/// A worker with the engine inside.
pub(super) fn worker() -> Result<Worker, JsValue> {
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    Worker::new_with_options(SCRIPT, &options)
}

fn load() -> Result<Runner, JsValue> {
    let worker = worker()?;
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(|message: MessageEvent| receive(&message.data()));
    let on_error = Closure::<dyn Fn(ErrorEvent)>::new(|error: ErrorEvent| {
        RUNNER.set(None);
        let run = ACTIVE.with_borrow(|active| active.as_ref().map(|(run, _)| run.clone()));
        let Some(run) = run.filter(|run| !untrack(|| run.status()).is_over()) else { return };
        // A script that is missing gives an event without any words.
        let words =
            js_sys::Reflect::get(&error, &"message".into()).ok().and_then(|m| m.as_string()).unwrap_or_default();
        let started = run.view.with_untracked(|view| view.next_seq > 0);
        spawn_local(async move {
            let cause = if started {
                "The computation in this tab broke off, often because the tab ran out of memory. Try a smaller data set, or run on the server."
            } else {
                why_not_loaded().await
            };
            // The reader may have stopped it meanwhile.
            if !untrack(|| run.status()).is_over() {
                fail(&run, FailureCode::Worker, cause, &words);
            }
        });
    });
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    Ok(Runner { worker, _on_message: on_message, _on_error: on_error })
}

fn receive(data: &JsValue) {
    let Some(text) = data.as_string() else {
        questions::heard(data);
        return;
    };
    let Ok(event) = recspeed_types::api::read::<RunEvent>(&text) else { return };
    let batch = ACTIVE
        .with_borrow(|active| active.as_ref().filter(|(run, _)| run.id() == event.run).map(|(_, batch)| batch.clone()));
    if let Some(batch) = batch {
        batch.push(event);
    }
}

fn fail(run: &RunState, code: FailureCode, cause: &str, detail: &str) {
    run.record.update(|record| {
        record.status = if code == FailureCode::Cancelled { RunStatus::Cancelled } else { RunStatus::Failed };
        record.ended_ms = Some(js_sys::Date::now() as i64);
        record.failure = Some(Failure { code, cause: cause.to_owned(), detail: detail.to_owned(), refusal: None });
    });
}
