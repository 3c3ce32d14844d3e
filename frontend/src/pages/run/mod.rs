//! A stored run: live while it works, whole when it is done.

mod tools;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use recspeed_types::{ExperimentSpec, RunId};

use crate::components::{AskModel, Refused, ResultDetails, ResultPanel, RunStanding, SpecView};
use crate::state::api::{self, ApiError};
use crate::state::{Origin, RunState, RunView, follow, unfollow, use_lab};

/// Said of an address that names no run.
const MISSING: &str = "There is no such run";

/// What the page knows about the run in its address.
#[derive(Clone, PartialEq)]
enum Found {
    Asking,
    Here(RunState),
    Missing,
    Failed(String),
}

/// The run page.
#[component]
pub(crate) fn RunPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let found = RwSignal::new(Found::Asking);
    let watched = StoredValue::new(None::<RunId>);
    let lab = use_lab();
    let leave = move || {
        // What the lab page shows is watched on.
        if let Some(id) = watched.get_value().filter(|id| lab.session.held(Origin::Server, id).is_none()) {
            unfollow(&id);
        }
    };
    let load = move |text: String| {
        leave();
        found.set(Found::Asking);
        let Ok(id) = RunId::new(text) else {
            found.set(Found::Missing);
            return;
        };
        watched.set_value(Some(id.clone()));
        spawn_local(async move {
            let answer = api::run(&id).await;
            // A page that was left meanwhile watches nothing: nobody would end that.
            if watched.try_get_value().flatten().as_ref() != Some(&id) {
                return;
            }
            found.set(match answer {
                Ok(record) => Found::Here(follow(RunState::new(Origin::Server, record, RunView::default()))),
                Err(error) if error.is_not_found() => Found::Missing,
                Err(error @ (ApiError::Unreachable | ApiError::Refused { .. } | ApiError::Unreadable { .. })) => {
                    Found::Failed(error.to_string())
                }
            });
        });
    };
    Effect::new(move |_| load(id.get()));
    on_cleanup(leave);
    super::titled(Signal::derive(move || match found.get() {
        Found::Here(run) => run.record.with(|record| lab.title_of_run(record)),
        Found::Missing => MISSING.to_owned(),
        Found::Asking | Found::Failed(_) => "Run".to_owned(),
    }));
    view! {
        {move || match found.get() {
            Found::Asking => view! { <div class="blank" aria-busy="true"><p class="note">"Opening the run…"</p></div> }.into_any(),
            Found::Missing => view! {
                <div class="blank" data-testid="run-missing">
                    <h1>{MISSING}</h1>
                    <p>"It may have been deleted, or the link is not whole."</p>
                    <p><A href="/" attr:class="button primary">"Open the lab"</A></p>
                </div>
            }.into_any(),
            Found::Failed(text) => view! {
                <div class="blank">
                    <Refused text=text again=move |()| load(id.get_untracked()) test_id="run-unopened"/>
                </div>
            }.into_any(),
            Found::Here(run) => view! { <Whole run=run/> }.into_any(),
        }}
    }
}

#[component]
fn Whole(run: RunState) -> impl IntoView {
    let shown = RwSignal::new(Some(run.clone()));
    let nothing = RwSignal::new(None::<RunState>);
    let spec: Signal<ExperimentSpec> = {
        let run = run.clone();
        Memo::new(move |_| run.record.with(|record| record.spec.clone())).into()
    };
    let title = {
        let run = run.clone();
        let lab = use_lab();
        Memo::new(move |_| run.record.with(|record| lab.title_of_run(record)))
    };
    let parent = run.record.with_untracked(|record| record.parent.clone());
    let created = run.record.with_untracked(|record| record.created_ms);
    let attempts = {
        let run = run.clone();
        Memo::new(move |_| run.record.with(|record| record.attempts))
    };
    let id = run.id();
    view! {
        <div class="run-page">
            <header class="run-head">
                <p class="crumbs"><A href="/runs">"Runs"</A>" / "<code>{id.to_string()}</code></p>
                <h1>{move || title.get()}</h1>
                <p class="stage-about">
                    <RunStanding run=run.clone()/>
                    <time>{super::runs::when(created)}</time>
                    {move || (attempts.get() > 1).then(|| format!("attempt {}", attempts.get()))}
                    {parent.map(|parent| view! { <span>"made from " <A href=format!("/r/{parent}")>{parent.to_string()}</A></span> })}
                </p>
                <tools::Tools run=run.clone()/>
            </header>
            <div class="run-grid">
                <section class="card stage" aria-label="Result" data-testid="stage">
                    <ResultPanel run=shown ghost=nothing/>
                </section>
                <AskModel run=run/>
                <ResultDetails run=shown ghost=nothing/>
                <SpecView spec=spec/>
            </div>
        </div>
    }
}
