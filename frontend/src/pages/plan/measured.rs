//! A run whose spans are laid under the plan: only what was measured, and only where there is any.

use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::{EventKind, RunId};

use super::Studio;
use crate::components::Hint;
use crate::state::api;
use crate::studio::{Bar, bars_of_events, first_step};

/// What is known of the run that is named; in the context as a signal.
#[derive(Clone, Copy)]
struct Note(RwSignal<String>);

/// Asks for the spans of the run that is named, whenever another one is.
pub(super) fn watch(studio: Studio) {
    let note = Note(RwSignal::new(String::new()));
    provide_context(note);
    let run = Memo::new(move |_| studio.setup.with(|setup| setup.run.clone()));
    Effect::new(move |_| {
        let named = run.get();
        studio.measured.set(Vec::new());
        note.0.set(String::new());
        let Some(named) = named else { return };
        spawn_local(async move {
            let (bars, peak, words) = spans(&named).await;
            // Another run may have been named while this one was asked for.
            if run.get_untracked().as_deref() == Some(&named) {
                studio.peak.set(peak);
                studio.measured.set(bars);
                note.0.set(words);
            }
        });
    });
}

/// Its bars, the most bytes that a rank's ledger told of, and what is to be said.
async fn spans(named: &str) -> (Vec<Bar>, Option<u64>, String) {
    let Ok(id) = RunId::new(named) else {
        return (Vec::new(), None, "This is no number of a run: it stands in the run's address, after /r/.".to_owned());
    };
    match api::events(&id, 0).await {
        Err(error) => (Vec::new(), None, error.to_string()),
        Ok(events) => {
            let bars = first_step(bars_of_events(&events));
            let words = if bars.is_empty() {
                "This run has measured no timeline.".to_owned()
            } else {
                "The first step of this run lies under the plan.".to_owned()
            };
            let peak = events.iter().filter_map(|event| match &event.kind {
                EventKind::Memory { bytes: b, .. } => Some(b.parameters + b.gradients + b.optimizer + b.activations),
                _ => None,
            });
            (bars, peak.max(), words)
        }
    }
}

/// Where a run is named.
#[component]
pub(super) fn RunField() -> impl IntoView {
    let studio = expect_context::<Studio>();
    let note = expect_context::<Note>();
    let text = Memo::new(move |_| studio.setup.with(|setup| setup.run.clone().unwrap_or_default()));
    view! {
        <div class="knob knob-choice">
            <Hint
                word="Measured run"
                text="The number of a finished run with several ranks, from its address after /r/: its timeline is laid under the plan, on the same axis."
                control="plan-run"
            />
            <input
                type="text"
                id="plan-run"
                class="plan-widths"
                data-testid="plan-run"
                autocomplete="off"
                spellcheck="false"
                placeholder="none"
                aria-describedby="plan-run-help"
                prop:value=move || text.get()
                on:change=move |event| {
                    let run = event_target_value(&event).trim().to_owned();
                    studio.setup.update(|setup| setup.run = (!run.is_empty()).then_some(run));
                }
            />
            <p class="help" role="status" data-testid="plan-run-note">{move || note.0.get()}</p>
        </div>
    }
}
