//! Questions to the model of the last run in this tab: posted to the worker, whose replies carry the number that each had.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use js_sys::{Object, Reflect};
use recspeed_types::RunId;
use wasm_bindgen::JsValue;
use web_sys::Worker;

/// Whoever waits for a reply: JSON text, or nothing where the worker is gone.
type Hear = Box<dyn FnOnce(Option<String>)>;

thread_local! {
    static WAITING: RefCell<BTreeMap<u32, Hear>> = const { RefCell::new(BTreeMap::new()) };
    static LAST: Cell<u32> = const { Cell::new(0) };
}

/// Posts a question; without one, the worker says what can be asked.
pub(super) fn post(worker: &Worker, run: &RunId, question: Option<&str>, hear: Hear) {
    // From 1: the worker takes 0 for no question.
    let number = LAST.get() + 1;
    LAST.set(number);
    let message = Object::new();
    let put = |name: &str, value: JsValue| Reflect::set(&message, &name.into(), &value).map(drop);
    let posted = put("asked", number.into())
        .and_then(|()| put("run", run.as_str().into()))
        .and_then(|()| question.map_or(Ok(()), |question| put("question", question.into())))
        .and_then(|()| worker.post_message(&message));
    match posted {
        Ok(()) => drop(WAITING.with_borrow_mut(|waiting| waiting.insert(number, hear))),
        Err(_) => hear(None),
    }
}

/// Hands a reply to whoever waits for it; anything else that the worker says is left alone.
pub(super) fn heard(data: &JsValue) {
    let of = |name: &str| Reflect::get(data, &name.into()).ok();
    let Some(number) = of("asked").and_then(|number| number.as_f64()) else { return };
    let hear = WAITING.with_borrow_mut(|waiting| waiting.remove(&(number as u32)));
    if let Some(hear) = hear {
        hear(of("reply").and_then(|reply| reply.as_string()));
    }
}

/// The worker is gone, and with it the model: nobody is kept waiting.
pub(super) fn nobody_replies() {
    for hear in WAITING.take().into_values() {
        hear(None);
    }
}
