//! The run on the lab page: the one that was just made, or the stored example.

use leptos::prelude::*;
use leptos_router::components::A;
use recspeed_types::ExperimentSpec;
use recspeed_types::api::RunStatus;
use web_sys::{ScrollIntoViewOptions, ScrollLogicalPosition};

use super::others::Others;
use crate::components::{Icon, Picture, ResultDetails, ResultPanel, RunStanding, ShareButton};
use crate::state::{Link, Origin, RunState, has_curve, link, same_experiment, use_lab};

/// The result side of the lab.
#[component]
pub(crate) fn Stage() -> impl IntoView {
    let lab = use_lab();
    let current = lab.session.current;
    let stale = Memo::new(move |_| lab.is_stale());
    // A run at work is always shown in full: turning a knob meanwhile does not hide it.
    let moved_on = Memo::new(move |_| stale.get() && !lab.is_busy());
    let news = Memo::new(move |_| {
        let curve = lab.draft.with(|draft| has_curve(draft.spec()));
        moved_on.get().then_some(if curve { "curve" } else { "numbers" })
    });
    let run = Signal::derive(move || if moved_on.get() { None } else { current.get() });
    let ghost = Signal::derive(move || if moved_on.get() { current.get() } else { lab.session.ghost.get() });
    let spec = Signal::derive(move || lab.draft.with(|draft| draft.spec().clone()));
    let stored = Signal::derive(move || run.get().filter(|run| run.origin == Origin::Server).map(|run| run.id()));
    // What has the experiment that is set is shown as soon as nothing else is at work.
    Effect::new(move |_| {
        if !moved_on.get() {
            return;
        }
        let is_set = |run: &RunState| {
            run.status() != RunStatus::Cancelled
                && lab.draft.with(|draft| run.record.with(|record| same_experiment(&record.spec, draft.spec())))
        };
        if let Some(next) = lab.session.others.get().into_iter().find(is_set) {
            lab.show(next);
        }
    });
    let may_cancel = Memo::new(move |_| {
        let at_work = |run: &RunState| run.origin == Origin::Server && !run.status().is_over();
        lab.is_owner() && current.get().as_ref().is_some_and(at_work)
    });
    let link = link();
    let unheard = Memo::new(move |_| link.get() == Link::Reconnecting);
    let title = NodeRef::<leptos::html::H2>::new();
    let cancel = move |_| {
        if let Some(run) = current.get_untracked() {
            lab.cancel(run);
        }
        // The button goes with the run.
        if let Some(title) = title.get_untracked() {
            // Fails only for elements that are gone.
            let _ = title.focus();
        }
    };
    view! {
        <section class="card stage" aria-labelledby="stage-title" data-testid="stage">
            <header class="card-head stage-head">
                <div>
                    <h2 id="stage-title" data-testid="stage-title" tabindex="-1" node_ref=title>{move || current.get().map_or_else(|| "Not run yet".to_owned(), |run| run.record.with(|record| lab.title_of(&record.spec)))}</h2>
                    <p class="stage-about">
                        {move || current.get().map(|run| about(&run, news.get()))}
                    </p>
                </div>
                <div class="stage-tools">
                    <Show when=move || may_cancel.get()>
                        <button type="button" class="button" data-testid="cancel" disabled=move || unheard.get() on:click=cancel>
                            <Icon picture=Picture::Stop/>
                            <span>"Cancel the run"</span>
                        </button>
                    </Show>
                    {move || stored.get().map(|id| view! {
                        <A href=format!("/r/{id}") attr:class="button" attr:data-testid="open-run">"Open its page"</A>
                    })}
                    <ShareButton spec=spec stored=stored/>
                </div>
            </header>
            <Others/>
            {move || lab.run_error.get().map(|text| view! { <NotBegun text=text/> })}
            <ResultPanel run=run ghost=ghost asks=true/>
        </section>
        <ResultDetails run=run ghost=ghost/>
    }
}

/// Why the run that was just asked for did not begin, over what was shown before: that has its own status, so the reader is taken to it.
#[component]
fn NotBegun(text: String) -> impl IntoView {
    let place = NodeRef::<leptos::html::Div>::new();
    Effect::new(move |_| {
        if let Some(place) = place.get() {
            let options = ScrollIntoViewOptions::new();
            options.set_block(ScrollLogicalPosition::Nearest);
            place.scroll_into_view_with_scroll_into_view_options(&options);
        }
    });
    view! {
        <div node_ref=place class="message message-error not-begun" role="alert" data-testid="run-error">
            <Icon picture=Picture::Warning/>
            <p><strong>"It did not begin. "</strong>{text}</p>
        </div>
    }
}

/// How the run stands; `news` is what another run would bring, where the settings have moved on.
fn about(run: &RunState, news: Option<&'static str>) -> impl IntoView + use<> {
    let origin = match run.origin {
        Origin::Showcase => "a stored run",
        Origin::Tab => "in this tab, not stored",
        Origin::Server => "on the server",
    };
    let seed = run.record.with(|record| seed_of(&record.spec));
    view! {
        <RunStanding run=run.clone()/>
        <span>{origin}</span>
        <span>{seed}</span>
        {news.map(|news| view! { <span class="moved-on" data-testid="moved-on">"Settings changed: run again to see the new "{news}</span> })}
    }
}

fn seed_of(spec: &ExperimentSpec) -> String {
    format!("seed {}", spec.seed)
}
