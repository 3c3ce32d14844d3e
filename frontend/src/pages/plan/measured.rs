//! A run whose spans are laid under the plan: only what was measured, and only where there is any.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_plan::Layout;
use recspeed_plan::timeline::{Told, first_step, marks_of_step};
use recspeed_types::event::{MemoryBytes, Sent};
use recspeed_types::{ExperimentSpec, RunId};

use super::Studio;
use crate::components::Hint;
use crate::state::{Origin, RunState, RunView, api, is_of_a_tab, use_lab};
use crate::studio::ByRun;

/// Said of a run in this tab.
const TURNS: &str = "The second step of this run lies under the plan. In a tab all ranks share one thread and take turns: what each does is \
     the plan’s, and one after the other.";
/// Said of a run in a tab that was closed or loaded again.
const GONE: &str = "This run happened in a tab that was closed or loaded again since, and its timeline went with it. Run it again, or \
                    on the server, which keeps it.";

/// How long until a run that goes on is asked again.
const PAUSE_MS: u32 = 2000;

/// What is known of the run that is named; in the context as a signal.
#[derive(Clone, Copy)]
struct Note(RwSignal<String>);

/// Asks for the spans of the run that is named, whenever another one is, and again until that run is over.
pub(super) fn watch(studio: Studio) {
    let (note, lab) = (Note(RwSignal::new(String::new())), use_lab());
    provide_context(note);
    let run = Memo::new(move |_| studio.setup.with(|setup| setup.run.clone()));
    Effect::new(move |_| {
        let named = run.get();
        studio.marks.set(Vec::new());
        studio.measured.set(Vec::new());
        studio.steps.set(Told::default());
        studio.by_run.set(None);
        note.0.set(String::new());
        let Some(named) = named else { return };
        let Ok(id) = RunId::new(&named) else {
            note.0.set("This is no number of a run: it stands in the run's address, after /r/.".to_owned());
            return;
        };
        if let Some(run) = lab.session.held(Origin::Tab, &id) {
            of_this_tab(studio, note, &run);
            return;
        }
        if is_of_a_tab(&id) {
            note.0.set(GONE.to_owned());
            return;
        }
        spawn_local(async move {
            let mut view = RunView::default();
            loop {
                // Its record before its events: all events of a run that is over are there.
                let record = api::run(&id).await.ok();
                let news = api::events(&id, view.next_seq).await;
                // Another run may have been named, or the page left, while this one was asked for.
                if run.try_get_untracked().flatten().as_deref() != Some(&named) {
                    return;
                }
                let over = record.as_ref().is_none_or(|record| record.status.is_over());
                match news {
                    Ok(news) => {
                        let first = view.next_seq == 0;
                        for event in &news {
                            view.apply(event);
                        }
                        if first || !news.is_empty() || over {
                            show(studio, note, &view, record.as_ref().map(|record| &record.spec), (over, false));
                        }
                    }
                    Err(error) => {
                        note.0.set(error.to_string());
                        return;
                    }
                }
                if over {
                    return;
                }
                TimeoutFuture::new(PAUSE_MS).await;
            }
        });
    });
}

/// Lays a run that this tab holds under the plan, now and whenever more of it is known.
fn of_this_tab(studio: Studio, note: Note, run: &RunState) {
    let (run, spec) = (run.clone(), run.record.with_untracked(|record| record.spec.clone()));
    Effect::new(move |_| {
        let over = run.status().is_over();
        run.view.with(|view| show(studio, note, view, Some(&spec), (over, true)));
    });
}

/// Lays the spans of a run under the plan, with the most bytes that a rank's ledger told of. `spec`: what it was asked for.
fn show(studio: Studio, note: Note, view: &RunView, spec: Option<&ExperimentSpec>, (over, in_tab): (bool, bool)) {
    let steps = Told::of_events(&view.spans);
    let bars = first_step(steps.bars.clone());
    let words = match (bars.last(), over) {
        (Some(_), _) if in_tab => TURNS,
        (Some(_), _) => "The second step of this run lies under the plan.",
        (None, true) => "This run has measured no timeline.",
        (None, false) => "This run has measured no timeline yet: it will lie here as soon as it has.",
    };
    // As the plan counts: all at one moment, with what comes and goes, and without what is offloaded.
    let fullest = view.memory.values().copied().max_by_key(MemoryBytes::on_the_device);
    // Where nobody knows the run's layout, its pipeline is taken to be as long as the plan's.
    let ranks = bars.last().map_or(0, |bar| bar.rank + 1);
    let stages = studio.planned.with_untracked(|planned| planned.strategy.ranks);
    let layout = spec.and_then(layout_of).or_else(|| Layout::new(ranks, stages, 1).ok());
    studio.layout.set(layout.filter(|layout| ranks <= layout.ranks()));
    studio.fullest.set(fullest);
    studio.sent.set(view.sent.values().copied().max_by_key(Sent::bytes_per_step));
    let marks = marks_of_step(&steps.marks, &bars);
    // What is drawn already stays as it is.
    if studio.marks.with_untracked(|old| *old != marks) {
        studio.marks.set(marks);
    }
    if studio.measured.with_untracked(|old| *old != bars) {
        studio.measured.set(bars);
    }
    // A run at work tells much that is no bar; behind this stands a plan of the whole run.
    if studio.steps.with_untracked(|old| old.bars != steps.bars) {
        studio.by_run.set(spec.and_then(|spec| ByRun::of(spec, &steps.bars)));
    }
    studio.steps.set(steps);
    if note.0.with_untracked(|old| old != words) {
        note.0.set(words.to_owned());
    }
}

/// Where the ranks of a run stand.
fn layout_of(spec: &ExperimentSpec) -> Option<Layout> {
    let strategy = spec.resolve().ok()?.strategy;
    Layout::new(strategy.ranks as usize, strategy.stages as usize, strategy.tensor as usize).ok()
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
                text="The number of a run with several ranks, from its address after /r/: its timeline is laid under the plan, on the same axis."
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
