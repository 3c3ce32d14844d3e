//! Where events leave the worker, numbered and timed.

use std::cell::RefCell;

use recspeed_experiment::{Numbering, RunFailure};
use recspeed_types::{EventKind, FailureCode, RunId};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

thread_local! {
    static OUTLET: RefCell<Option<Outlet>> = const { RefCell::new(None) };
}

struct Outlet {
    numbering: Numbering,
    start_ms: f64,
}

/// The global object of the web worker.
pub(crate) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Milliseconds of the worker's own clock, which never runs backwards; 0 where there is none.
pub(crate) fn clock_ms() -> f64 {
    scope().performance().map_or(0.0, |performance| performance.now())
}

/// Begins the stream of a run: its time and its numbers start at 0.
pub(crate) fn open(run: RunId) {
    OUTLET.set(Some(Outlet { numbering: Numbering::new(run, 0, 0), start_ms: clock_ms() }));
}

/// Microseconds since the run began.
pub(crate) fn now_us() -> u64 {
    OUTLET.with_borrow(|outlet| outlet.as_ref().map_or(0, Outlet::now_us))
}

/// Posts the next event. Nothing follows the last one.
pub(crate) fn emit(kind: EventKind) {
    OUTLET.with_borrow_mut(|outlet| post(outlet, kind));
}

/// A panic: the run's last event says so. Stays silent when no run is open, or when the panic arose in here.
pub(crate) fn last_words(detail: &str) {
    let failure = RunFailure::new(
        FailureCode::Internal,
        "The lab made a mistake and could not finish this run; please report it with the detail below.",
    );
    OUTLET.with(|outlet| {
        if let Ok(mut outlet) = outlet.try_borrow_mut() {
            post(&mut outlet, failure.with_detail(detail).into_event());
        }
    });
}

fn post(outlet: &mut Option<Outlet>, kind: EventKind) {
    let Some(open) = outlet else { return };
    let last = kind.is_last();
    let now = open.now_us();
    let event = open.numbering.number(kind, now);
    if let Ok(text) = serde_json::to_string(&event) {
        // Posting fails only for values that cannot be cloned; a text always can.
        let _ = scope().post_message(&JsValue::from_str(&text));
    }
    if last {
        *outlet = None;
    }
}

impl Outlet {
    fn now_us(&self) -> u64 {
        ((clock_ms() - self.start_ms) * 1e3).max(0.0) as u64
    }
}
