//! The address bar: the draft is always in it, and a link that is opened fills the draft.

use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::{ExperimentSpec, PermalinkError, RunId, decode_permalink, encode_permalink};
use wasm_bindgen::prelude::*;

use super::Lab;
use crate::form::SpecDraft;

/// The full link to an experiment; it works without any server state.
pub(crate) fn permalink_url(spec: &ExperimentSpec) -> Result<String, PermalinkError> {
    Ok(format!("{}/#x={}", origin(), encode_permalink(spec)?))
}

/// The full link to a stored run.
pub(crate) fn run_url(id: &RunId) -> String {
    format!("{}/r/{id}", origin())
}

/// The link to a comparison of stored runs.
pub(crate) fn comparison_url(runs: &[String]) -> String {
    format!("{}/c/{}", origin(), runs.join(","))
}

/// Whether the page comes from an address that no other machine reaches.
pub(crate) fn on_this_machine() -> bool {
    let host = window().location().hostname().unwrap_or_default();
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}

fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

fn hash() -> String {
    window().location().hash().unwrap_or_default()
}

/// Whether the address carries an experiment.
pub(super) fn has_permalink() -> bool {
    hash().starts_with("#x=")
}

/// Whether the query has `name=1`.
pub(super) fn has_flag(name: &str) -> bool {
    query(name).is_some_and(|value| value == "1")
}

/// The value of `name` in the query. Values here are ids and flags, which need no decoding.
fn query(name: &str) -> Option<String> {
    let query = window().location().search().unwrap_or_default();
    let pair = |part: &str| part.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    query.trim_start_matches('?').split('&').filter_map(pair).find(|(key, _)| key == name).map(|(_, value)| value)
}

/// Reads the address now and whenever its hash changes, and writes the draft into it whenever that changes.
pub(super) fn watch(lab: Lab) {
    read(lab);
    let on_change = Closure::<dyn Fn()>::new(move || read(lab));
    for event in ["hashchange", "popstate"] {
        // Refused only where there is no window at all.
        let _ = window().add_event_listener_with_callback(event, on_change.as_ref().unchecked_ref());
    }
    // The page lives as long as the tab.
    on_change.forget();
    Effect::new(move |before: Option<()>| {
        let spec = lab.draft.with(|draft| draft.spec().clone());
        if before.is_some() {
            write(&spec);
        }
    });
}

/// Opens the experiment in the address, if there is one.
pub(crate) fn read(lab: Lab) {
    if window().location().pathname().unwrap_or_default() != "/" {
        return;
    }
    let parent = query("fork").and_then(|id| RunId::new(id).ok());
    if let Some(id) = parent.clone().filter(|id| lab.parent.with_untracked(|known| known.as_ref() != Some(id))) {
        spawn_local(super::showcase::load_parent(lab, id));
    }
    lab.parent.set(parent);
    if !has_permalink() {
        lab.link_error.set(None);
        return;
    }
    match decode_permalink(&hash()) {
        Ok(spec) => {
            lab.link_error.set(None);
            if lab.draft.with_untracked(|draft| *draft.spec() != spec) {
                lab.session.leave_example(&spec);
                lab.draft.set(SpecDraft::of(spec));
            }
        }
        Err(error) => {
            let text = error.to_string();
            lab.link_error.set(Some(text[..1].to_uppercase() + &text[1..] + "."));
        }
    }
}

/// Replaces the hash without a new entry in the history: every turn of a knob would be one.
fn write(spec: &ExperimentSpec) {
    let location = window().location();
    if location.pathname().unwrap_or_default() != "/" {
        return;
    }
    // An experiment that no link holds has none in the address either: an old one would be of another experiment.
    let link = encode_permalink(spec).map_or_else(|_| String::new(), |payload| format!("#x={payload}"));
    if hash() == link {
        return;
    }
    let query = location.search().unwrap_or_default();
    if let Ok(history) = window().history() {
        let state = history.state().unwrap_or(JsValue::NULL);
        // Refused only for a page without an address of its own, as in a sandbox.
        let _ = history.replace_state_with_url(&state, "", Some(&format!("/{query}{link}")));
    }
}

/// What is set on the studio's page, decoded, as the query of its address says.
pub(crate) fn plan_query(query: &str) -> String {
    js_sys::decode_uri_component(query).map_or_else(|_| query.to_owned(), String::from)
}

/// The address of the studio's page with what is set there; `None` when another page is shown by now.
pub(crate) fn plan_address(query: &str) -> Option<String> {
    if window().location().pathname().unwrap_or_default() != "/plan" {
        return None;
    }
    let embed = if has_flag("embed") { "embed=1" } else { "" };
    let parts: Vec<&str> = [embed, query].into_iter().filter(|part| !part.is_empty()).collect();
    Some(if parts.is_empty() { "/plan".to_owned() } else { format!("/plan?{}", parts.join("&")) })
}
