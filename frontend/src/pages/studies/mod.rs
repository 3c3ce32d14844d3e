//! The studies: the paper's tables, and what this machine makes of the same questions.

mod attempt;
mod bars;
mod recorded;
mod study;
mod table;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use recspeed_types::api::{StudyAttempt, StudyListing, StudyStatus};

use crate::components::{Icon, Picture, Refused, with_code};
use crate::state::{Reply, api};

pub(crate) use study::StudyPage;

/// How an attempt stands, in words.
fn status_words(attempt: &StudyAttempt) -> &'static str {
    match attempt.status {
        StudyStatus::Waiting => "waits for the runs at work",
        StudyStatus::Running => "is being measured",
        StudyStatus::Finished => "measured",
        StudyStatus::Failed => "the last attempt failed",
        StudyStatus::Cancelled => "the last attempt was cancelled",
        StudyStatus::Interrupted => "the last attempt was interrupted",
    }
}

/// The list of studies.
#[component]
pub(crate) fn StudiesPage() -> impl IntoView {
    let reply = RwSignal::new(Reply::<Vec<StudyListing>>::Asking);
    let load = move || {
        reply.set(Reply::Asking);
        spawn_local(async move {
            reply.try_set(Reply::of(api::studies().await));
        });
    };
    load();
    super::titled("Studies".into());
    view! {
        <div class="runs-page studies">
            <header class="runs-head"><h1>"Studies"</h1></header>
            <p class="lead">"The questions of the paper “Recommending with Speed”, each with the paper’s table, what Recspeed’s authors measured, and what this machine measures."</p>
            <div role="group" tabindex="-1" aria-label="All studies" aria-busy=move || (reply.get() == Reply::Asking).to_string()>
                {move || match reply.get() {
                    Reply::Asking => view! { <p class="note pad">"Opening the studies…"</p> }.into_any(),
                    Reply::Failed(text) => view! { <Refused text=text again=move |()| load() test_id="studies-error"/> }.into_any(),
                    Reply::Answer(all) => view! { <ul class="study-list" data-testid="study-list">{all.into_iter().map(row).collect_view()}</ul> }.into_any(),
                }}
            </div>
        </div>
    }
}

/// Which kept file of a study cannot be read, and what mends it; nothing where all can.
fn damage(study: &StudyListing) -> Option<AnyView> {
    let text = with_code(study.damage.as_ref()?);
    let drawn = view! {
        <p class="message" data-testid="study-damage"><Icon picture=Picture::Warning/><span>{text}</span></p>
    };
    Some(drawn.into_any())
}

fn row(study: StudyListing) -> AnyView {
    let damage = damage(&study);
    let measured = match (study.measured_ms, study.partial) {
        (Some(ms), None) => format!("Last measured {}", super::runs::when(ms)),
        (Some(ms), Some(at)) => {
            format!("Partly measured {}: {} of {} measurements", super::runs::when(ms), at.done, at.total)
        }
        (None, _) if damage.is_some() => String::new(),
        (None, _) => "Never measured here".to_owned(),
    };
    let recorded = study.recorded.as_ref().filter(|_| study.measured_ms.is_none());
    let recorded = recorded.map(|recorded| {
        let words = format!("measured by Recspeed’s authors {}", super::runs::when(recorded.measured_ms));
        view! { <span data-testid="study-row-recorded">{words}</span> }
    });
    let attempt = study.attempt.as_ref().filter(|attempt| attempt.status != StudyStatus::Finished);
    let attempt = attempt.map(|attempt| view! { <span>{status_words(attempt)}</span> });
    view! {
        <li class="card" data-testid="study-row">
            <h2><A href=format!("/studies/{}", study.name)>{study.title}</A></h2>
            <p>{study.question}</p>
            <p class="run-sub"><span>{measured}</span>{recorded}{attempt}</p>
            {damage}
        </li>
    }
    .into_any()
}
