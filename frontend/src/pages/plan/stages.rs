//! The layers in their stages, with borders that can be dragged.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::Studio;
use crate::charts::counted;
use crate::studio::{Cut, time};

/// Stages of more than this many are not labelled.
const LABELLED: usize = 12;

/// The bar of layers.
#[component]
pub(super) fn Stages() -> impl IntoView {
    let studio = expect_context::<Studio>();
    let bar = NodeRef::<html::Div>::new();
    let counts = Memo::new(move |_| studio.planned.with(|planned| planned.outlook.partition.counts()));
    let stages = Memo::new(move |_| {
        studio.planned.with(|planned| {
            let outlook = &planned.outlook;
            let samples = outlook.sizes.first().copied().unwrap_or(1);
            let times = outlook.stages.iter().map(|stage| stage.time(samples));
            outlook.partition.counts().into_iter().zip(times).collect::<Vec<_>>()
        })
    });
    let number = Memo::new(move |_| counts.with(Vec::len));
    let balance = move |cut: Memo<Option<Cut>>, test_id: &'static str, title: &'static str| {
        view! {
            <button
                type="button"
                data-testid=test_id
                aria-pressed=move || cut.with(|cut| studio.setup.with(|setup| cut.as_ref() == Some(&setup.cut))).to_string()
                on:click=move |_| if let Some(cut) = cut.get_untracked() { studio.setup.update(|setup| setup.cut = cut) }
            >
                {title}
            </button>
        }
    };
    let always = |cut: Cut| Memo::new(move |_| Some(cut.clone()));
    // Layers by hand, as a spec has them: on another machine a run would measure something else.
    let by_run = Memo::new(move |_| {
        studio.by_run.with(|run| {
            let run = run.as_ref()?;
            studio.planned.with(|planned| run.cut(&planned.strategy, &planned.outlook)).map(Cut::ByHand)
        })
    });
    // The button stays the same, and keeps the focus, where the cut behind it becomes another one.
    let has_measured = Memo::new(move |_| by_run.with(Option::is_some));
    let measured = move || has_measured.get().then(|| balance(by_run, "plan-balance-measured", "measured"));
    view! {
        <div class="plan-stages">
            <div class="plan-part">
                <h2>"Stages"</h2>
                <div class="segments" role="group" aria-label="Balance the stages by">
                    <span class="segments-word">"Balance by"</span>
                    {balance(always(Cut::Time), "plan-balance-time", "time")}
                    {balance(always(Cut::Parameters), "plan-balance-parameters", "parameters")}
                    {balance(always(Cut::Memory), "plan-balance-memory", "memory")}
                    {measured}
                </div>
            </div>
            <div class="stage-bar" node_ref=bar data-testid="plan-stages">
                {move || blocks(stages)}
                <For each=move || 0..number.get().saturating_sub(1) key=|stage| *stage let:stage>
                    <Border bar=bar stage=stage counts=counts/>
                </For>
            </div>
            <div aria-live="polite">
                {move || studio.dropped.get().map(|text| view! { <p class="note" data-testid="plan-dropped">{text}</p> })}
            </div>
            <p class="note">"Drag a border, or focus it and press the arrow keys. Each block is as wide as it has layers, and filled as far as its time reaches that of the slowest stage."</p>
        </div>
    }
}

/// A block a stage: as wide as it has layers, filled by its share of the slowest stage's time.
fn blocks(stages: Memo<Vec<(usize, f64)>>) -> impl IntoView {
    stages.with(|stages| {
        let slowest = stages.iter().map(|stage| stage.1).fold(f64::MIN_POSITIVE, f64::max);
        let labelled = stages.len() <= LABELLED;
        stages
            .iter()
            .enumerate()
            .map(|(stage, &(count, us))| {
                let words =
                    format!("Stage {stage}: {}, {} for a micro-batch", counted(count as u64, "layer"), time(us));
                view! {
                    <div class="stage-block" style:flex-grow=count.to_string() title=words>
                        <div class="stage-fill" style:height=format!("{:.1}%", us / slowest * 100.0)></div>
                        {labelled.then(|| view! { <span class="stage-count">{count}<span class="stage-unit">{if count == 1 { " layer" } else { " layers" }}</span></span> })}
                        {labelled.then(|| view! { <span class="stage-time">{time(us)}</span> })}
                    </div>
                }
            })
            .collect_view()
    })
}

/// A border that can be dragged, and moved by the arrow keys.
#[component]
fn Border(bar: NodeRef<html::Div>, stage: usize, counts: Memo<Vec<usize>>) -> impl IntoView {
    let studio = expect_context::<Studio>();
    // Layers before the border, those where the stages beside it begin and end, and all of them.
    let place = Memo::new(move |_| {
        counts.with(|counts| {
            let before = |stages: usize| counts.iter().take(stages).sum::<usize>();
            (before(stage + 1), before(stage), before(stage + 2), before(counts.len()))
        })
    });
    let go = move |to: usize| {
        let counts = counts.get_untracked();
        studio.setup.update(|setup| setup.move_border(&counts, stage, to));
    };
    let drag = move |event: &web_sys::PointerEvent| {
        let Some(bar) = bar.get_untracked() else { return };
        let area = bar.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - area.left()) / area.width().max(1.0);
        let all = place.get_untracked().3;
        let to = (share.clamp(0.0, 1.0) * all as f64).round() as usize;
        if to != place.get_untracked().0 {
            go(to);
        }
    };
    let held = StoredValue::new(false);
    view! {
        <div
            class="stage-border"
            role="slider"
            tabindex="0"
            data-testid=format!("plan-border-{stage}")
            aria-label=format!("Border between stages {stage} and {}", stage + 1)
            aria-orientation="horizontal"
            aria-valuemin=move || (place.get().1 + 1).to_string()
            aria-valuemax=move || place.get().2.saturating_sub(1).to_string()
            aria-valuenow=move || place.get().0.to_string()
            aria-valuetext=move || format!("{} before it", counted(place.get().0 as u64, "layer"))
            style:left=move || format!("{:.4}%", place.get().0 as f64 / place.get().3.max(1) as f64 * 100.0)
            on:pointerdown=move |event| {
                event.prevent_default();
                held.set_value(true);
                if let Some(element) = event.current_target().and_then(|target| target.dyn_into::<web_sys::HtmlElement>().ok()) {
                    // Refused only when the pointer has gone by then.
                    let _ = element.set_pointer_capture(event.pointer_id());
                    let _ = element.focus();
                }
            }
            on:pointermove=move |event| if held.get_value() { drag(&event) }
            on:pointerup=move |_| held.set_value(false)
            on:pointercancel=move |_| held.set_value(false)
            on:keydown=move |event| {
                let (at, from, to, _) = place.get_untracked();
                let target = match event.key().as_str() {
                    "ArrowLeft" | "ArrowDown" => at.saturating_sub(1),
                    "ArrowRight" | "ArrowUp" => at + 1,
                    "PageDown" => at.saturating_sub(10),
                    "PageUp" => at + 10,
                    "Home" => from,
                    "End" => to,
                    _ => return,
                };
                event.prevent_default();
                go(target);
            }
        ></div>
    }
}
