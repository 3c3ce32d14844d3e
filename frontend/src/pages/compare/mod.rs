//! Stored runs side by side: metrics with the leading one marked, what differs, curves, paired tests. Everything is in the address,
//! `/c/ID,ID`; the first run is the baseline, which the others are tested against.

mod curves;
mod link;
mod picker;
mod significance;
mod table;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::{use_navigate, use_params_map};
use serde_json::Value;

use crate::components::{CopyField, Icon, Modal, Picture, Refused, warned};
use crate::state::{Reply, api, comparison_url};
use picker::Picker;

/// The ids in the address, each once.
fn ids(text: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for id in text.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        if !ids.iter().any(|other| other == id) {
            ids.push(id.to_owned());
        }
    }
    ids
}

/// The text at a place of an answer; empty where there is none.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The list at a place of an answer; empty where there is none.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The comparison page.
#[component]
pub(crate) fn ComparePage() -> impl IntoView {
    let params = use_params_map();
    let chosen = Memo::new(move |_| ids(&params.with(|params| params.get("runs").unwrap_or_default())));
    let reply = RwSignal::new(Reply::Asking);
    let load = move || {
        let asked = chosen.get();
        if asked.is_empty() {
            return;
        }
        reply.set(Reply::Asking);
        spawn_local(async move {
            let answer = api::comparison(&asked.join(",")).await;
            if chosen.try_get_untracked().as_ref() == Some(&asked) {
                reply.try_set(Reply::of(answer));
            }
        });
    };
    Effect::new(move |_| load());
    super::titled("Comparison".into());
    let navigate = use_navigate();
    let go = Callback::new(move |ids: Vec<String>| {
        navigate(
            &format!("/c/{}", ids.join(",")),
            leptos_router::NavigateOptions { scroll: false, ..Default::default() },
        );
    });
    let some = Memo::new(move |_| chosen.with(|ids| !ids.is_empty()));
    view! {
        <div class="runs-page compare">
            <header class="runs-head">
                <h1>"Comparison"</h1>
                <Show when=move || some.get()><Share chosen=chosen/></Show>
            </header>
            <Show when=move || some.get()>
                <div role="group" tabindex="-1" aria-label="What differs" aria-live="polite" aria-busy=move || (reply.get() == Reply::Asking).to_string()>
                    {move || match reply.get() {
                        Reply::Asking => view! { <p class="note pad">"Setting the runs side by side…"</p> }.into_any(),
                        Reply::Failed(text) => {
                            view! { <Refused text=text again=move |()| untrack(load) test_id="compare-error"/> }.into_any()
                        }
                        Reply::Answer(answer) => whole(&answer, chosen, go),
                    }}
                </div>
            </Show>
            <Picker chosen=chosen go=go/>
        </div>
    }
}

#[component]
fn Share(chosen: Memo<Vec<String>>) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <button type="button" class="button" data-testid="share" on:click=move |_| open.set(true)>
            <Icon picture=Picture::Share/>
            <span>"Share"</span>
        </button>
        <Modal open=open title="Share">
            <div class="share" data-testid="share-dialog">
                {move || view! {
                    <CopyField
                        label="This comparison"
                        help="Shows these runs side by side to anybody who can reach this server."
                        link=comparison_url(&chosen.get())
                        test_id="copy-comparison-link"
                    />
                }}
            </div>
        </Modal>
    }
}

/// Warnings, table, curves and tests of an answer.
fn whole(answer: &Value, chosen: Memo<Vec<String>>, go: Callback<Vec<String>>) -> AnyView {
    let told = list(&answer["warnings"]).iter().map(text);
    let left_out =
        list(&answer["left_out"]).iter().map(|run| format!("Run {} {}.", text(&run["run"]), text(&run["why"])));
    let several = list(&answer["methods"]).len() > 1;
    let tests = RwSignal::new(Reply::Asking);
    if several {
        significance::ask(chosen, tests);
    }
    view! {
        <div class="compare-parts">
            {warned(told.chain(left_out).collect(), "compare-warnings")}
            {table::table(answer, chosen, go, tests)}
            {curves::card(answer)}
            {several.then(|| significance::card(answer, chosen, tests))}
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_names_each_run_once() {
        assert_eq!(ids("a, b,,a"), ["a", "b"]);
        assert_eq!(ids(""), Vec::<String>::new());
    }
}
