//! Every other setting, folded.

use leptos::prelude::*;
use recspeed_types::metric::METRIC_KINDS;

use crate::components::FieldRow;
use crate::form::{Section, SpecDraft, advanced};
use crate::state::use_lab;

/// The folded settings.
#[component]
pub(crate) fn Advanced() -> impl IntoView {
    let lab = use_lab();
    let sections = Memo::new(move |_| lab.draft.with(|draft| advanced(draft.spec())));
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
                    0 => "split, metrics, seed, engine".to_owned(),
                    1 => "one setting needs a look".to_owned(),
                    n => format!("{n} settings need a look"),
                }}</span>
            </summary>
            <fieldset class="sections" disabled=move || resting.get()>
                <legend class="visually-hidden">"Advanced settings"</legend>
                <For each=move || sections.get() key=|section| format!("{section:?}") let:section>
                    <SectionView section=section/>
                </For>
            </fieldset>
        </details>
    }
}

#[component]
fn SectionView(section: Section) -> impl IntoView {
    let metrics = section.title == "Evaluation";
    view! {
        <section class="section">
            <h3>{section.title}</h3>
            <p class="note">{section.about}</p>
            {section.fields.into_iter().map(|field| view! { <FieldRow field=field/> }).collect_view()}
            {metrics.then(|| view! { <Definitions/> })}
        </section>
    }
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
