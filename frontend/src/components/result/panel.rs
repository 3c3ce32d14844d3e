//! The result of a run, from its first event to its last.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};
use recspeed_types::api::RunStatus;
use recspeed_types::{ExperimentSpec, RunSummary, encode_permalink};

use super::curves::{Curves, final_metrics};
use super::facts::Facts;
use super::groups::Groups;
use super::importance::FeatureImportance;
use super::metrics::{MetricTable, Row, Tiles, baselines_of, rows};
use super::progress::ProgressLine;
use super::ranks::Ranks;
use crate::charts::capital;
use crate::components::{AskModel, Icon, Picture, instead_buttons};
use crate::form::{SpecDraft, with_kind};
use crate::state::{RunState, RunView, comparable, same_loss, use_lab};

/// Why a run did not finish.
#[component]
pub(crate) fn Failed(
    /// The run.
    run: RunState,
) -> impl IntoView {
    let failure = Memo::new({
        let run = run.clone();
        move |_| run.failure()
    });
    let cancelled = Memo::new({
        let run = run.clone();
        move |_| run.status() == RunStatus::Cancelled
    });
    move || {
        failure.get().map(|failure| {
            let refused = failure.refusal.is_some();
            let instead = failure.refusal.map(|refusal| refusal.instead).unwrap_or_default();
            // Whoever cancelled it has put that into the cause.
            let word = match (cancelled.get(), refused) {
                (true, _) => None,
                (false, true) => Some("Refused before any work. "),
                (false, false) => Some("The run failed. "),
            };
            let (run, failed) = (run.clone(), !cancelled.get() && !refused);
            view! {
                <div class="message" class:message-error=failed class:refusal=refused role="alert" data-testid="run-failure">
                    <Icon picture=if cancelled.get() { Picture::Cancelled } else { Picture::Warning }/>
                    <div>
                        <p>{word.map(|word| view! { <strong>{word}</strong> })}{capital(&failure.cause)}</p>
                        {(!instead.is_empty()).then(|| view! { <Instead run=run instead=instead/> })}
                        {(!failure.detail.is_empty()).then(|| view! {
                            <details><summary>"Detail for engineers"</summary><pre>{failure.detail}</pre></details>
                        })}
                    </div>
                </div>
            }
        })
    }
}

/// A button for each setting that would be taken in place of what was refused: it is set where experiments are set.
#[component]
fn Instead(run: RunState, instead: Vec<recspeed_types::Instead>) -> impl IntoView {
    let lab = use_lab();
    let (navigate, path) = (use_navigate(), use_location().pathname);
    instead_buttons(instead, move |one| {
        let spec = run.record.with_untracked(|record| record.spec.clone());
        if path.with_untracked(|path| path == "/") {
            lab.draft.update(|draft| {
                if *draft.spec() != spec {
                    *draft = SpecDraft::of(spec);
                }
                draft.choose(&one.path, &one.value);
            });
            return;
        }
        match with_kind(&spec, &one.path, &one.value).map(|next| encode_permalink(&next)) {
            Some(Ok(payload)) => {
                navigate(&format!("/?fork={}#x={payload}", run.id()), NavigateOptions::default());
            }
            Some(Err(error)) => lab.toasts.say(error.to_string()),
            None => {}
        }
    })
}

/// Progress, warnings, main metrics and curve of a run, over the run before it.
#[component]
pub(crate) fn ResultPanel(
    /// The run; none while there is nothing to show or the draft has moved on.
    #[prop(into)]
    run: Signal<Option<RunState>>,
    /// The run that stays as a ghost.
    #[prop(into)]
    ghost: Signal<Option<RunState>>,
    /// Whether the model of the run is asked here.
    #[prop(optional)]
    asks: bool,
) -> impl IntoView {
    // While the draft has moved on, the numbers of the ghost stay in sight, marked as such by the page.
    let shown = Signal::derive(move || run.get().or_else(|| ghost.get()));
    let compared = Signal::derive(move || if run.get().is_some() { ghost.get() } else { None });
    // The losses of two methods have no common scale.
    let drawn_ghost = Signal::derive(move || match (run.get(), ghost.get()) {
        (Some(run), Some(ghost)) => same_loss(&spec_of(&run), &spec_of(&ghost)).then_some(ghost),
        (_, ghost) => ghost,
    });
    let busy = Memo::new(move |_| run.get().filter(|run| !run.status().is_over()));
    // Why a run failed stays in sight while other settings are tried: they are tried for that reason.
    let ended = Memo::new(move |_| shown.get().filter(|run| run.status().is_over() && run.failure().is_some()));
    let curves = move || ended.with(Option::is_none) || run.get().is_none() || drawable(run.get());
    let metrics = Memo::new(move |_| rows_of(shown.get(), compared.get()));
    let warnings = Memo::new(move |_| warnings_of(shown.get()));
    let asked = Memo::new(move |_| shown.get().filter(|_| asks));
    view! {
        <div class="result" class:result-stale=move || run.get().is_none()>
            {move || busy.get().map(|run| view! { <ProgressLine run=run/> })}
            {move || ended.get().map(|run| view! { <Failed run=run/> })}
            <Show when=move || !metrics.with(Vec::is_empty)><Tiles rows=metrics/></Show>
            {move || asked.get().map(|run| view! { <AskModel run=run in_stage=true/> })}
            <Show when=curves><Curves run=run ghost=drawn_ghost/></Show>
            {move || to_know(warnings.get())}
        </div>
    }
}

/// What must be known about numbers: the first in sight, any others folded below it.
fn to_know(warnings: Vec<String>) -> Option<AnyView> {
    let mut warnings = warnings.into_iter().map(|text| format!("{}.", capital(&text)));
    let first = warnings.next()?;
    let others: Vec<AnyView> = warnings.map(|text| view! { <li>{text}</li> }.into_any()).collect();
    let icon = view! { <Icon picture=Picture::Warning/> };
    Some(if others.is_empty() {
        view! { <p class="warnings" data-testid="warnings">{icon}<span>{first}</span></p> }.into_any()
    } else {
        let more = match others.len() {
            1 => "One more".to_owned(),
            n => format!("{n} more"),
        };
        view! {
            <details class="warnings" data-testid="warnings">
                <summary>{icon}<span>{first}" "<span class="warnings-more">{more}</span></span></summary>
                <ul>{others}</ul>
            </details>
        }
        .into_any()
    })
}

/// The numbers of a finished run in full, and everything that must be known to trust and repeat them.
#[component]
pub(crate) fn ResultDetails(
    /// The run; none while the draft has moved on.
    #[prop(into)]
    run: Signal<Option<RunState>>,
    /// The run that stays as a ghost.
    #[prop(into)]
    ghost: Signal<Option<RunState>>,
) -> impl IntoView {
    let shown = Signal::derive(move || run.get().or_else(|| ghost.get()));
    let compared = Signal::derive(move || if run.get().is_some() { ghost.get() } else { None });
    let metrics = Memo::new(move |_| rows_of(shown.get(), compared.get()));
    let summary = Memo::new(move |_| summary_of(shown.get()));
    let by_engine = Memo::new(move |_| shown.get().is_none_or(|run| is_by_engine(&spec_of(&run))));
    let logs = Memo::new(move |_| shown.get().map(|run| run.view.with(|view| view.logs.clone())).unwrap_or_default());
    let measured = Memo::new(move |_| !metrics.with(Vec::is_empty));
    let spoke = Memo::new(move |_| !logs.with(Vec::is_empty));
    view! {
        <Show when=move || measured.get() || spoke.get()>
            <section class="card details" aria-labelledby="details-title">
                <h2 id="details-title">"The result in full"</h2>
                <Show when=move || measured.get()>
                    <MetricTable rows=metrics/>
                    <Groups summary=summary/>
                    <FeatureImportance summary=summary/>
                    <Ranks run=shown/>
                    <Facts summary=summary by_engine=by_engine/>
                </Show>
                <Show when=move || spoke.get()>
                    <details class="log">
                        <summary>{move || format!("Log ({})", logs.with(Vec::len))}</summary>
                        <ul>{move || logs.get().into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul>
                    </details>
                </Show>
            </section>
        </Show>
    }
}

fn spec_of(run: &RunState) -> ExperimentSpec {
    run.record.with(|record| record.spec.clone())
}

/// Whether an engine had anything to compute: a network, or one among the components.
fn is_by_engine(spec: &ExperimentSpec) -> bool {
    spec.resolve().map_or(true, |spec| spec.recommender.trained().is_some())
}

/// Numbers of other data or another split are not set beside these: a difference would say nothing.
fn rows_of(shown: Option<RunState>, compared: Option<RunState>) -> Vec<Row> {
    let compared =
        compared.filter(|other| shown.as_ref().is_some_and(|run| comparable(&spec_of(run), &spec_of(other))));
    let kind = shown.as_ref().map(|run| spec_of(run).recommender.kind).unwrap_or_default();
    let beside = summary_of(shown.clone()).map(|summary| baselines_of(&kind, &summary.evaluation)).unwrap_or_default();
    rows(&final_metrics(shown), &final_metrics(compared), &beside)
}

/// Whether a run that did not finish left something to draw.
fn drawable(run: Option<RunState>) -> bool {
    run.is_some_and(|run| run.view.with(|view| !view.curves.is_empty()))
}

fn summary_of(run: Option<RunState>) -> Option<RunSummary> {
    let run = run?;
    run.view.with(|view| view.summary().cloned()).or_else(|| run.record.with(|record| record.summary.clone()))
}

fn warnings_of(run: Option<RunState>) -> Vec<String> {
    let Some(run) = run else { return Vec::new() };
    let mut all = run.view.with(|view: &RunView| view.warnings.clone());
    let stored = run.record.with(|record| record.summary.as_ref().map(|s| s.warnings.clone()).unwrap_or_default());
    all.extend(stored.into_iter().filter(|text| !all.contains(text)).collect::<Vec<_>>());
    all
}
