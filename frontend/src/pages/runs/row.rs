//! One run in the list.

use leptos::prelude::*;
use leptos_router::components::A;
use recspeed_types::api::RunRecord;

use crate::charts::{duration, value};
use crate::components::{Icon, Picture, StatusBadge};
use crate::state::use_lab;

/// A moment for people, in their own time zone and language.
pub(crate) fn when(ms: i64) -> String {
    let date = js_sys::Date::new(&(ms as f64).into());
    let options = js_sys::Object::new();
    for (name, style) in [("dateStyle", "medium"), ("timeStyle", "short")] {
        // Setting a property of a plain object does not fail.
        let _ = js_sys::Reflect::set(&options, &name.into(), &style.into());
    }
    String::from(date.to_locale_string("default", &options))
}

/// The first metrics of a result on one line.
pub(crate) fn headline(run: &RunRecord) -> String {
    let Some(summary) = &run.summary else {
        return run.failure.as_ref().map(|failure| failure.cause.clone()).unwrap_or_default();
    };
    let named = run.spec.evaluation.metrics.iter().map(ToString::to_string);
    let parts: Vec<String> =
        named.filter_map(|name| summary.metrics.get(&name).map(|v| format!("{name} {}", value(*v)))).take(3).collect();
    parts.join(" · ")
}

/// A run with a link to its page.
#[component]
pub(crate) fn Row(
    /// The run.
    run: RunRecord,
    /// Deletes it.
    delete: Callback<RunRecord>,
) -> impl IntoView {
    let status = run.status;
    let refused = run.failure.as_ref().is_some_and(|failure| failure.refusal.is_some());
    let took = run.started_ms.zip(run.ended_ms).map(|(from, to)| duration((to - from).max(0) as f64 / 1000.0));
    let behind = if run.waits_for_study.is_some() { ", behind a study" } else { "" };
    let place = run.queue_position.map(|place| format!("number {place} in the queue{behind}"));
    let lab = use_lab();
    let title = Signal::derive({
        let spec = run.spec.clone();
        move || lab.title_of(&spec)
    });
    let label = Signal::derive(move || format!("Delete “{}”", title.get()));
    let record = run.clone();
    let spec = run.spec.clone();
    view! {
        <li class="run-row" data-testid="run-row">
            <StatusBadge status=status refused=refused/>
            <div class="run-main">
                <A href=format!("/r/{}", run.id) attr:class="run-title">{move || title.get()}</A>
                <p class="run-sub">
                    <span>{move || lab.dataset_title(&spec)}</span>
                    <span>{when(run.created_ms)}</span>
                    {took.map(|took| view! { <span>{took}</span> })}
                    {place.map(|place| view! { <span>{place}</span> })}
                </p>
            </div>
            <p class="run-metrics">{headline(&run)}</p>
            <button
                type="button"
                class="button quiet square"
                data-testid="delete-run"
                aria-label=label
                title=label
                on:click=move |_| delete.run(record.clone())
            >
                <Icon picture=Picture::Bin/>
            </button>
        </li>
    }
}
