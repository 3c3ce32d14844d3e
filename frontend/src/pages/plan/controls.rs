//! The knobs of the studio; each is a name of the address with its bounds.

use leptos::prelude::*;

use super::{Studio, measured};
use crate::components::{Hint, Select};
use crate::form::Choice;
use crate::studio::{LINKS, MODELS, MODELS_AND_OWN, OFFLOADS, OPTIMIZERS, RECOMPUTES, SCHEDULES, Setup, ZEROS};

type Names = &'static [(&'static str, &'static str)];

const WIDE: &[usize] = &[1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096];
const MANY: &[usize] = &[1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 192, 256];
const FEW: &[usize] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 24, 32, 48, 64];
const DEEP: &[usize] = &[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 150, 192, 256, 384, 512, 768, 999];
const DOUBLED: &[usize] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/// All knobs.
#[component]
pub(super) fn Controls() -> impl IntoView {
    let studio = expect_context::<Studio>();
    let model = Memo::new(move |_| studio.setup.with(|setup| setup.model));
    let own = Memo::new(move |_| studio.setup.with(|setup| setup.of.is_some()));
    let interleaved = Memo::new(move |_| studio.setup.with(|setup| setup.schedule == "interleaved"));
    let shared = Memo::new(move |_| studio.setup.with(|setup| setup.replicas > 1));
    // On a phone the knobs lie under the picture, closed until somebody wants them; elsewhere the style sheet shows them always.
    let open = RwSignal::new(false);
    view! {
        <section class="card controls plan-controls" class:open=move || open.get() aria-label="Strategy">
            <button
                type="button"
                class="plan-handle"
                data-testid="plan-knobs"
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
            >
                "Pipeline, replicas, model, machine"
            </button>
            <Fold title="Pipeline" open=true>
                <Dial name="ranks" word="Ranks" stops=FEW help="Ranks of the pipeline, each with one stage, or with several under the interleaved schedule."/>
                <Dial name="micro-batches" word="Micro-batches" stops=MANY help="Pieces that a batch is cut into, so that ranks can work at the same time."/>
                <Pick name="schedule" word="Schedule" names=SCHEDULES
                    help="GPipe: all forward passes, then all backward passes. 1F1B: one forward, one backward, and less is held. Interleaved: several smaller stages a rank. ZB-H1: the backward pass in two parts, the second fills the bubble."/>
                {move || interleaved.get().then(|| view! {
                    <Dial name="chunks" word="Stages a rank" stops=&[1, 2, 3, 4, 5, 6, 7, 8] help="Each rank holds so many stages; the bubble shrinks as often, messages multiply."/>
                })}
                <Pick name="recompute" word="Recompute" names=RECOMPUTES
                    help="Which forward passes are computed again in the backward pass instead of being kept: less memory for more time."/>
            </Fold>
            <Fold title="Replicas" open=true>
                <Dial name="replicas" word="Data-parallel ranks" stops=DOUBLED.split_at(10).0 help="Copies of the whole pipeline, each with its own batch."/>
                <Pick name="zero" word="ZeRO" names=ZEROS
                    help="What the data-parallel ranks divide among them: 1 the optimizer state, 2 the gradients too, 3 the parameters too. 2 and 3 exchange their parts for every micro-batch."/>
                {move || (!shared.get()).then(|| view! { <p class="help">"ZeRO needs 2 data-parallel ranks or more: with one there is nothing to divide."</p> })}
                <Pick name="optimizer" word="Optimizer" names=OPTIMIZERS help="Adam keeps two numbers for each parameter, SGD none."/>
                <Pick name="offload" word="Its state" names=OFFLOADS
                    help="Where those numbers lie: with the rank, or in the memory of the machine that has the rank’s GPU."/>
            </Fold>
            <Fold title="Model" open=true>
                {move || {
                    let names = if own.get() { MODELS_AND_OWN } else { MODELS };
                    view! {
                        <Pick name="model" word="Model" names=names list=true
                            help="Layers of a network. Their times come from counted operations at the speed of a rank, not from a measurement."/>
                    }
                }}
                {move || if model.get() == "layers" {
                    view! { <Widths/> }.into_any()
                } else if model.get() == "experiment" {
                    view! { <p class="help" data-testid="plan-own">"Layers, tables and ranks that share layers are those of the experiment that you came from."</p> }.into_any()
                } else {
                    view! {
                        <Dial name="depth" word="Layers" stops=DEEP help="Layers of the dense block, or hidden layers of the MLP."/>
                        <Dial name="width" word="Width" stops=WIDE help="Numbers that each layer makes: the growth rate of a DenseNet."/>
                    }.into_any()
                }}
                <Dial name="batch" word="Batch" stops=DOUBLED help="Samples between two updates, in each replica."/>
            </Fold>
            // Open where a run is named: what is said of it stands there.
            <Fold title="Machine, measured run" open=studio.setup.with_untracked(|setup| setup.run.is_some())>
                <Pick name="link" word="Link" names=LINKS list=true
                    help="Between every two ranks: nominal speed and latency. Messages do not hold up computation unless somebody waits for them."/>
                <Dial name="gflops" word="Speed, GFLOP/s" stops=&[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20_000, 100_000]
                    help="Thousand million operations a second, of each rank: an assumption, to be set to what yours does. Each call of a layer takes 2 µs more."/>
                <Dial name="room" word="Memory, MiB" stops=&[0, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 81_920]
                    help="Of each rank; 0 is not limited. A plan that needs more is said not to fit before it runs."/>
                <measured::RunField/>
            </Fold>
            <button type="button" class="button quiet" data-testid="plan-reset" on:click=move |_| {
                studio.dropped.set(None);
                studio.setup.set(Setup::default());
            }>
                "Reset"
            </button>
        </section>
    }
}

/// A group of knobs.
#[component]
fn Fold(title: &'static str, open: bool, children: Children) -> impl IntoView {
    view! { <details class="plan-fold" open=open><summary>{title}</summary>{children()}</details> }
}

/// A whole number: a slider over useful values and a box for any.
#[component]
fn Dial(name: &'static str, word: &'static str, stops: &'static [usize], help: &'static str) -> impl IntoView {
    let studio = expect_context::<Studio>();
    let value = Memo::new(move |_| studio.setup.with(|setup| setup.number(name)));
    let (least, most) = Setup::bounds(name);
    let at = move || stops.partition_point(|stop| *stop <= value.get()).saturating_sub(1);
    let set = move |value: usize| studio.turn(|setup| setup.set_number(name, value));
    let id = format!("plan-{name}");
    view! {
        <div class="knob">
            <div class="knob-head">
                <Hint word=word text=help control=id.clone()/>
                <input
                    type="text"
                    inputmode="numeric"
                    autocomplete="off"
                    id=id.clone()
                    data-testid=id.clone()
                    aria-describedby=format!("{id}-help")
                    title=format!("{least} to {most}")
                    prop:value=move || value.get().to_string()
                    on:change=move |event| {
                        let box_ = event_target::<web_sys::HtmlInputElement>(&event);
                        if let Ok(number) = box_.value().trim().parse() {
                            set(number);
                        }
                        // What was no number, or outside the bounds, is put right where it was typed.
                        box_.set_value(&value.get_untracked().to_string());
                    }
                />
            </div>
            <input
                type="range"
                class="slider"
                min="0"
                max=stops.len() - 1
                step="1"
                aria-label=format!("{word}, slider")
                aria-valuetext=move || value.get().to_string()
                data-testid=format!("plan-slider-{name}")
                prop:value=move || at().to_string()
                on:input=move |event| {
                    let at: usize = event_target_value(&event).parse().unwrap_or_default();
                    set(stops[at.min(stops.len() - 1)]);
                }
            />
        </div>
    }
    .into_any()
}

/// One of several: buttons, or a list where they are many or long.
#[component]
fn Pick(
    name: &'static str,
    word: &'static str,
    names: Names,
    help: &'static str,
    #[prop(optional)] list: bool,
) -> impl IntoView {
    let studio = expect_context::<Studio>();
    let value = Memo::new(move |_| studio.setup.with(|setup| setup.choice(name)));
    let set = move |chosen: &str| studio.turn(|setup| setup.set_choice(name, chosen));
    let id = format!("plan-{name}");
    let control = if list {
        let options = names.iter().map(|(value, title)| Choice::titled(value, *title)).collect::<Vec<_>>();
        view! {
            <Select
                id=id.clone()
                options=options
                chosen=Signal::derive(move || value.get().to_owned())
                choose=move |chosen: String| set(&chosen)
            />
        }
        .into_any()
    } else {
        let button = move |(one, title): &'static (&'static str, &'static str)| {
            view! {
                <button
                    type="button"
                    data-testid=format!("plan-{name}-{one}")
                    aria-pressed=move || (value.get() == *one).to_string()
                    on:click=move |_| set(one)
                >
                    {*title}
                </button>
            }
        };
        view! { <div class="segments" role="group" aria-label=word>{names.iter().map(button).collect_view()}</div> }
            .into_any()
    };
    let hint = if list {
        view! { <Hint word=word text=help control=id/> }.into_any()
    } else {
        view! { <Hint word=word text=help/> }.into_any()
    };
    view! { <div class="knob knob-choice">{hint}{control}</div> }.into_any()
}

/// The widths of layers by hand.
#[component]
fn Widths() -> impl IntoView {
    let studio = expect_context::<Studio>();
    let text = Memo::new(move |_| studio.setup.with(|setup| setup.widths.clone()));
    view! {
        <div class="knob knob-choice">
            <Hint
                word="Widths"
                text="Numbers that go into each layer, and what comes out of the last: 4, 512*8, 1 is nine layers."
                control="plan-widths"
            />
            <input
                type="text"
                id="plan-widths"
                class="plan-widths"
                data-testid="plan-widths"
                autocomplete="off"
                spellcheck="false"
                aria-describedby="plan-widths-help"
                prop:value=move || text.get()
                on:change=move |event| {
                    let text = event_target_value(&event);
                    studio.turn(|setup| setup.choose_model(|setup| setup.widths = text));
                }
            />
        </div>
    }
}
