//! What can be done with a stored run.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::components::A;
use leptos_router::hooks::use_navigate;
use recspeed_types::api::RunStatus;
use recspeed_types::encode_permalink;
use serde_json::Value;

use crate::components::{Icon, Menu, Picture, ShareButton, use_arrival};
use crate::state::{Link, RunState, RunView, api, curve_csv, follow, link, save, use_lab};

/// Edit a copy, share, compare, retry, cancel, download.
#[component]
pub(crate) fn Tools(
    /// The run.
    run: RunState,
) -> impl IntoView {
    let lab = use_lab();
    let navigate = use_navigate();
    let run = StoredValue::new(run);
    let over = Memo::new(move |_| run.get_value().status().is_over());
    let link = link();
    let unheard = Memo::new(move |_| link.get() == Link::Reconnecting);
    let finished = Memo::new(move |_| run.get_value().status() == RunStatus::Finished);
    let spec = Signal::derive(move || run.get_value().record.with(|record| record.spec.clone()));
    let stored = Signal::derive(move || Some(run.get_value().id()));
    let fork = move |_| {
        let (id, payload) = run.with_value(|run| (run.id(), run.record.with_untracked(|r| encode_permalink(&r.spec))));
        match payload {
            Ok(payload) => navigate(&format!("/?fork={id}#x={payload}"), NavigateOptions::default()),
            Err(error) => lab.toasts.say(error.to_string()),
        }
    };
    // Each of the two goes once it has been heard.
    let arrival = use_arrival();
    let cancel = move |event: web_sys::MouseEvent| {
        arrival.stay_by(&event_target::<web_sys::Element>(&event));
        lab.cancel(run.get_value());
    };
    let retry = move |event: web_sys::MouseEvent| {
        arrival.stay_by(&event_target::<web_sys::Element>(&event));
        spawn_local(async move {
            let run = run.get_value();
            match api::retry(&run.id()).await {
                Ok(record) => {
                    run.view.set(RunView::default());
                    run.record.set(record);
                    follow(run);
                }
                Err(error) => lab.toasts.say(error.to_string()),
            }
        });
    };
    view! {
        <div class="tools" role="group" tabindex="-1" aria-label="What can be done with this run">
            <button type="button" class="button primary" data-testid="fork" on:click=fork>
                <Icon picture=Picture::Fork/>
                <span>"Edit a copy"</span>
            </button>
            <ShareButton spec=spec stored=stored/>
            <Show when=move || finished.get()>
                <A href=run.with_value(|run| format!("/c/{}", run.id())) attr:class="button">"Compare"</A>
            </Show>
            <Show when=move || lab.is_owner() && !over.get()>
                <button type="button" class="button" data-testid="cancel" disabled=move || unheard.get() on:click=cancel>
                    <Icon picture=Picture::Stop/>
                    <span>"Cancel"</span>
                </button>
            </Show>
            // The server tries again what has no result; of a finished run a copy is made.
            <Show when=move || lab.is_owner() && over.get() && !finished.get()>
                <button type="button" class="button" data-testid="retry" on:click=retry>
                    <Icon picture=Picture::Retry/>
                    <span>"Run again"</span>
                </button>
            </Show>
            <Downloads run=run.get_value()/>
        </div>
    }
}

/// The run as files.
#[component]
fn Downloads(run: RunState) -> impl IntoView {
    let lab = use_lab();
    let run = StoredValue::new(run);
    let events = move |_| {
        spawn_local(async move {
            let id = run.with_value(RunState::id);
            match api::written_events(&id, 0).await {
                Ok(events) => {
                    let text = Value::Array(events).to_string();
                    save(&format!("{id}-events.json"), "application/json", &text);
                }
                Err(error) => lab.toasts.say(error.to_string()),
            }
        });
    };
    let summary = move |_| {
        spawn_local(async move {
            let id = run.with_value(RunState::id);
            match api::written_run(&id).await {
                Ok(record) => save(&format!("{id}-summary.json"), "application/json", &record.to_string()),
                Err(error) => lab.toasts.say(error.to_string()),
            }
        });
    };
    let csv = move |_| {
        let (id, text) = run.with_value(|run| (run.id(), run.view.with_untracked(curve_csv)));
        save(&format!("{id}-curve.csv"), "text/csv", &text);
    };
    view! {
        <Menu title="Download" picture=Picture::Download test_id="downloads">
            <button type="button" data-testid="download-summary" on:click=summary>"Summary (JSON)"</button>
            <button type="button" data-testid="download-events" on:click=events>"Events (JSON)"</button>
            <button type="button" data-testid="download-curve" on:click=csv>"Curve (CSV)"</button>
        </Menu>
    }
}
