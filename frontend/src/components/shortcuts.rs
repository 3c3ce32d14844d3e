//! The help: what this is, and what the keyboard does; and doing that.

use leptos::ev::keydown;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

use super::Modal;
use crate::state::{keep, kept, use_lab};

/// Where it is kept that shortcuts of a single key do nothing.
const KEY: &str = "recspeed-keys";
/// A window over the page: what lies under it does not hear the keyboard.
const WINDOW: &str = "dialog[open]";
/// What takes single keys for itself: text to type, values to choose.
const FIELD: &str = "input:focus, textarea:focus, select:focus, [contenteditable]:focus";

/// What the lab is, in three sentences, and where more is said. The router takes the links; the window closes behind
/// them.
fn about(open: RwSignal<bool>) -> AnyView {
    let close = move |_| open.set(false);
    view! {
        <section class="help-about" aria-labelledby="about-title" data-testid="about">
            <h3 id="about-title">"What is this?"</h3>
            <p>
                "Recspeed is a lab for recommender systems: it trains a method on ratings, in this tab or on a server of your own, and measures how well it predicts and ranks. "
                "An experiment is one spec of data, method, training and evaluation, which its link carries whole, so that anybody can run it again. "
                "Its studies repeat the paper “Recommending with Speed” on your machine, beside what the paper printed."
            </p>
            <p>
                <a href="/recommenders" data-testid="about-recommenders" on:click=close>"Every recommender, explained"</a>
                " · "
                <a href="/studies" on:click=close>"The studies"</a>
                " · "
                <a href="/api/openapi.json" rel="external" target="_blank">"The interface for programs"</a>
            </p>
            <p class="note">
                "The folder " <code>"docs"</code> " of the repository says more: " <code>"spec.md"</code> ", " <code>"recommenders.md"</code>
                ", " <code>"studies.md"</code> ", " <code>"architecture.md"</code> "."
            </p>
        </section>
    }
    .into_any()
}

/// Whether something in the page is like that.
fn is_there(what: &str) -> bool {
    matches!(document().query_selector(what), Ok(Some(_)))
}

/// The help with the list of shortcuts, opened by `?`; listens on the whole page.
#[component]
pub(crate) fn Shortcuts(
    /// Whether the help is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    let lab = use_lab();
    let navigate = use_navigate();
    // Who speaks to the machine, or whose hand trembles, sets off single keys by accident.
    let single = RwSignal::new(kept(KEY).is_none());
    let on_lab = || window().location().pathname().is_ok_and(|path| path == "/");
    let listener = window_event_listener(keydown, move |event| {
        if is_there(WINDOW) {
            return;
        }
        let command = event.ctrl_key() || event.meta_key();
        if command && event.key() == "Enter" && on_lab() {
            event.prevent_default();
            if event.shift_key() && lab.is_owner() {
                lab.run_on_server();
            } else {
                lab.run_in_tab();
            }
            return;
        }
        if command || event.alt_key() || !single.get_untracked() || is_there(FIELD) {
            return;
        }
        match event.key().as_str() {
            "?" => open.set(true),
            "t" => lab.next_theme(),
            "l" => navigate("/", leptos_router::NavigateOptions::default()),
            "r" => navigate("/runs", leptos_router::NavigateOptions::default()),
            "c" => navigate("/c", leptos_router::NavigateOptions::default()),
            _ => {}
        }
    });
    on_cleanup(move || listener.remove());
    let rows = [
        ("Ctrl + Enter", "Run in this tab"),
        ("Ctrl + Shift + Enter", "Run on the server"),
        ("l", "Go to the lab"),
        ("r", "Go to the runs"),
        ("c", "Go to the comparison"),
        ("t", "Change the theme"),
        ("?", "This help"),
        ("Esc", "Close what is open"),
    ];
    view! {
        <Modal open=open title="Help">
            {about(open)}
            <h3 class="keys-title">"Keyboard shortcuts"</h3>
            <dl class="keys" data-testid="shortcuts">
                {rows.map(|(key, what)| view! { <div><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div> }).collect_view()}
            </dl>
            <label class="check">
                <input
                    type="checkbox"
                    data-testid="single-keys"
                    prop:checked=move || single.get()
                    on:change=move |event| {
                        let on = event_target_checked(&event);
                        single.set(on);
                        keep(KEY, (!on).then_some("off"));
                    }
                />
                "Shortcuts of a single key"
            </label>
        </Modal>
    }
}
