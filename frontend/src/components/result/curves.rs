//! The curves of a run with the choice of what to see.

use leptos::prelude::*;

use crate::charts::{CurveChart, MetricBars, Plot, curve_title};
use crate::components::theme_colours;
use crate::state::{RunState, RunView, has_curve, use_lab};

/// The curve of the run, over the one before; bars where a method has no curve.
#[component]
pub(crate) fn Curves(
    /// The run in full colour; none while the draft has moved on.
    #[prop(into)]
    run: Signal<Option<RunState>>,
    /// The run whose curve stays as a ghost.
    #[prop(into)]
    ghost: Signal<Option<RunState>>,
) -> impl IntoView {
    let log = RwSignal::new(false);
    let chosen = RwSignal::new(String::new());
    let names = Memo::new(move |_| {
        let of = |run: Option<RunState>| run.map(|run| run.view.with(RunView::drawable)).unwrap_or_default();
        let mut names = of(run.get());
        for name in of(ghost.get()) {
            if run.get().is_none() && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    });
    let name = Memo::new(move |_| {
        let chosen = chosen.get();
        names.with(|names| if names.contains(&chosen) { chosen } else { names.first().cloned().unwrap_or_default() })
    });
    let plot = Memo::new(move |_| {
        let name = name.get();
        let ghost = ghost.get();
        let ghost = ghost.as_ref().map(|ghost| ghost.view.get());
        match run.get() {
            Some(run) => run.view.with(|view| Plot::new(&name, view, ghost.as_ref())),
            None => Plot::new(&name, &RunView::default(), ghost.as_ref()),
        }
    });
    let drawn = Memo::new(move |_| !names.with(Vec::is_empty) && plot.with(|plot| !plot.is_empty()));
    let metrics = Memo::new(move |_| final_metrics(run.get()));
    let before = Memo::new(move |_| final_metrics(ghost.get()));
    let bars = Memo::new(move |_| !metrics.with(|m| crate::charts::bars(m, &[]).is_empty()));
    let over = Memo::new(move |_| run.get().is_some_and(|run| run.status().is_over()));
    let colours = theme_colours();
    let lab = use_lab();
    // Of the experiment that is set, which has not run.
    let awaits_curve = Memo::new(move |_| lab.draft.with(|draft| has_curve(draft.spec())));
    view! {
        <div class="curves">
            <Show when=move || drawn.get()>
                <div class="curve-tools">
                    <h3 class="curve-name" hidden=move || names.with(Vec::len) != 1>{move || curve_title(&name.get()).to_owned()}</h3>
                    <div class="segments" role="group" aria-label="What the chart shows" hidden=move || names.with(Vec::len) < 2>
                        <For each=move || names.get() key=Clone::clone let:item>
                            {
                                let (shown, pressed, click) = (item.clone(), item.clone(), item);
                                view! {
                                    <button
                                        type="button"
                                        aria-pressed=move || (name.get() == pressed).to_string()
                                        on:click=move |_| chosen.set(click.clone())
                                    >
                                        {curve_title(&shown).to_owned()}
                                    </button>
                                }
                            }
                        </For>
                    </div>
                    <label class="check">
                        <input type="checkbox" prop:checked=move || log.get() on:change=move |e| log.set(event_target_checked(&e))/>
                        "log scale"
                    </label>
                </div>
                <CurveChart plot=plot log=log colours=colours/>
            </Show>
            <Show when=move || bars.get()>
                <MetricBars metrics=metrics before=before/>
            </Show>
            <Show when=move || !drawn.get() && !bars.get()>
                <div class="empty-chart" class:ended=move || over.get() data-testid="curve-empty">
                    <p>{move || match run.get() {
                        Some(_) if over.get() => "This run left no curve: its method learns in one step, or it ended before the first measurement.",
                        Some(run) if !run.record.with(|record| has_curve(&record.spec)) => "This method has no curve: its metrics appear here when they are measured.",
                        Some(_) => "The curve appears with the first measurement.",
                        None if awaits_curve.get() => "Press Run: the curve appears here while it learns.",
                        None => "Press Run: this method has no curve, and its metrics appear here as bars.",
                    }}</p>
                </div>
            </Show>
        </div>
    }
}

/// Name and value of every final metric, in the order of the spec.
pub(super) fn final_metrics(run: Option<RunState>) -> Vec<(String, f64)> {
    let Some(run) = run else { return Vec::new() };
    let told = run.view.with(|view| view.summary().map(|summary| summary.metrics.clone()));
    let metrics = told.or_else(|| run.record.with(|record| record.summary.as_ref().map(|s| s.metrics.clone())));
    let metrics = metrics.unwrap_or_default();
    let order: Vec<String> =
        run.record.with(|record| record.spec.evaluation.metrics.iter().map(ToString::to_string).collect());
    let asked: Vec<(String, f64)> = order.iter().filter_map(|name| Some((name.clone(), *metrics.get(name)?))).collect();
    let others = metrics.into_iter().filter(|(name, _)| !order.contains(name));
    asked.into_iter().chain(others).collect()
}
