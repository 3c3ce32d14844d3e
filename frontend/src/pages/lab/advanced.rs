//! Every other setting, folded.

use leptos::prelude::*;
use leptos_router::components::A;
use recspeed_types::metric::METRIC_KINDS;

use crate::components::{CopyCommand, FieldRow};
use crate::form::{Field, SpecDraft, advanced};
use crate::state::use_lab;
use crate::studio::Setup;

/// The folded settings.
#[component]
pub(crate) fn Advanced() -> impl IntoView {
    let lab = use_lab();
    let offer = Memo::new(move |_| lab.offer());
    let sections = Memo::new(move |_| lab.draft.with(|draft| offer.with(|offer| advanced(draft.spec(), offer))));
    let headings = move || sections.with(|all| all.iter().map(|s| (s.title, s.about)).collect::<Vec<_>>());
    let fields = move |title: &str| {
        sections.with(|all| all.iter().find(|s| s.title == title).map(|s| s.fields.clone()).unwrap_or_default())
    };
    let resting = Memo::new(move |_| lab.draft.with(SpecDraft::is_unreadable));
    let changed = Memo::new(move |_| {
        let fields = sections.with(|all| all.iter().flat_map(|s| s.fields.clone()).collect::<Vec<_>>());
        lab.draft.with(|draft| fields.iter().filter(|f| draft.problem_at(&f.path).is_some()).count())
    });
    view! {
        <details class="card advanced" data-testid="advanced">
            <summary>
                <span>"Advanced"</span>
                <span class="note">{move || match changed.get() {
                    0 => "engine, strategy, split, metrics, seed".to_owned(),
                    1 => "one setting needs a look".to_owned(),
                    n => format!("{n} settings need a look"),
                }}</span>
            </summary>
            <fieldset class="sections" disabled=move || resting.get()>
                <legend class="visually-hidden">"Advanced settings"</legend>
                <For each=headings key=|heading| *heading let((title, about))>
                    <SectionView title=title about=about fields=Signal::derive(move || fields(title))/>
                </For>
            </fieldset>
        </details>
    }
}

/// A heading and its fields. A field stays while only its help changes: the reader may be at it.
#[component]
fn SectionView(title: &'static str, about: &'static str, fields: Signal<Vec<Field>>) -> impl IntoView {
    let help = move |path: String| {
        Signal::derive(move || {
            fields.with(|all| all.iter().find(|f| f.path == path).map(|f| f.help.to_string()).unwrap_or_default())
        })
    };
    let more = match title {
        "Evaluation" => view! { <Definitions/> }.into_any(),
        "Engine" => view! { <MoreEngines/> }.into_any(),
        "Strategy" => view! { <Plan/> }.into_any(),
        _ => ().into_any(),
    };
    view! {
        <section class="section">
            <h3>{title}</h3>
            <p class="note">{about}</p>
            <For each=move || fields.get() key=|field| format!("{}{:?}", field.path, field.kind) let:field>
                <FieldRow help=help(field.path.clone()) field=field/>
            </For>
            {more}
        </section>
    }
    .into_any()
}

/// The engines and devices that the server has not, each with the reason and what brings it.
#[component]
fn MoreEngines() -> impl IntoView {
    let lab = use_lab();
    let wanted = Memo::new(move |_| lab.offer().wanted());
    view! {
        <details class="definitions" data-testid="more-engines" hidden=move || wanted.with(Vec::is_empty)>
            <summary>"Engines and devices that are not here"</summary>
            <dl>
                {move || wanted.get().into_iter().map(|one| {
                    let command = (!one.install.is_empty()).then(|| view! { <CopyCommand command=one.install/> });
                    view! { <div><dt>{format!("{}: {}", one.title, one.state)}</dt><dd>{command}{one.note}</dd></div> }
                }).collect_view()}
            </dl>
            <p class="help">"To be run on the server’s machine: “recspeed” with the lab’s --home where it was started with one, “make” in the folder of its source. An engine is here after a reload of this page, a device after a restart of the server."</p>
        </details>
    }
}

/// The way to the strategy studio, which opens with what is set here.
#[component]
fn Plan() -> impl IntoView {
    let lab = use_lab();
    let address = move || {
        let query = lab.draft.with(|draft| Setup::of_spec(draft.spec())).map(|setup| setup.to_query());
        query.map_or_else(|| "/plan".to_owned(), |query| format!("/plan?{query}"))
    };
    view! { <p class="section-more"><A href=address attr:class="button" attr:data-testid="plan-strategy">"See it in the strategy studio"</A></p> }
}

/// What each metric means.
#[component]
fn Definitions() -> impl IntoView {
    view! {
        <details class="definitions">
            <summary>"What the metrics mean"</summary>
            <dl>
                {METRIC_KINDS.map(|kind| {
                    let name = if kind.at_k() { format!("{}@k", kind.as_str()) } else { kind.as_str().to_owned() };
                    view! { <div><dt><code>{name}</code></dt><dd>{kind.definition()}</dd></div> }
                }).collect_view()}
            </dl>
        </details>
    }
}
