//! The timeline: the plan's lanes, a run's under them, what each rank holds; what is under the pointer, in words.

use leptos::html;
use leptos::prelude::*;
use recspeed_plan::timeline::{Part, Waits, lane_name, memory_of};
use recspeed_plan::{Layout, RankOutlook, words};
use wasm_bindgen::prelude::*;

use super::Studio;
use crate::charts::{Scene, bytes, paint};
use crate::state::{Theme, system_is_dark, use_lab};
use crate::studio::{Band, Frame, Lane, about_bar, about_waits, compared, step_to, summary};

/// How much wider than the page the picture can be.
const ZOOMS: [usize; 4] = [1, 2, 4, 8];
/// Wider canvases are refused by some browsers.
const WIDEST: f64 = 14_000.0;

/// The picture with its tools.
#[component]
pub(super) fn Timeline() -> impl IntoView {
    let studio = expect_context::<Studio>();
    let lab = use_lab();
    let canvas = NodeRef::<html::Canvas>::new();
    let scroll = NodeRef::<html::Div>::new();
    let width = watch_width(scroll);
    let zoom = RwSignal::new(1_usize);
    let system = system_is_dark();
    let frame = Memo::new(move |_| {
        let measured = studio.measured.with(|bars| {
            let ends = bars.iter().map(|bar| bar.end_us).fold(0.0, f64::max);
            (bars.last().map_or(0, |bar| bar.rank + 1), ends)
        });
        studio.planned.with(|planned| Frame {
            width: (width.get() * zoom.get() as f64).min(WIDEST),
            total_us: planned.outlook.simulation.total_us.max(measured.1),
            ranks: planned.outlook.schedule.ranks(),
            measured: measured.0,
        })
    });
    let chosen = RwSignal::new(None::<(Lane, usize)>);
    // Another picture has other bars.
    Effect::new(move |_| {
        studio.planned.track();
        studio.measured.track();
        chosen.set(None);
    });
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        let dark = match lab.theme.get() {
            Theme::System => system.get(),
            theme => theme == Theme::Dark,
        };
        let frame = frame.get();
        if frame.width <= 0.0 {
            return;
        }
        let name = studio.planned.with(|planned| {
            studio.measured.with(|measured| {
                let held = memory_of(&planned.outlook);
                let (room, predicted) = (planned.setup.room(), &planned.bars);
                studio.marks.with(|marks| {
                    paint(&canvas, &Scene { frame: &frame, predicted, measured, marks, held: &held, room });
                });
            });
            format!("{} {} {}", planned.setup.schedule, planned.setup.ranks, planned.setup.micro_batches)
        });
        // For browser tests: what is drawn by now, and with which colours.
        let _ = canvas.set_attribute("data-drawn", &format!("{name}{}", if dark { " dark" } else { "" }));
    });
    let words = move || {
        let Some((lane, at)) = chosen.get() else {
            return "Point at a bar, or focus the picture and press the arrow keys.".to_owned();
        };
        studio.planned.with(|planned| {
            let ranks = planned.outlook.schedule.ranks();
            let (bar, layout) = match lane {
                Lane::Predicted => (planned.bars.get(at).copied(), Layout::new(ranks, ranks, 1).ok()),
                Lane::Measured => (studio.measured.with(|bars| bars.get(at).copied()), studio.layout.get()),
            };
            let Some(bar) = bar else { return String::new() };
            if lane == Lane::Predicted {
                return about_bar(&bar, layout, false);
            }
            about_bar(&bar, layout, true) + &studio.marks.with(|marks| about_waits(&bar, marks))
        })
    };
    let mark = Memo::new(move |_| {
        let (lane, at) = chosen.get()?;
        let frame = frame.get();
        let bar = match lane {
            Lane::Predicted => studio.planned.with(|planned| planned.bars.get(at).copied()),
            Lane::Measured => studio.measured.with(|bars| bars.get(at).copied()),
        }?;
        Some(frame.rect(lane, &bar))
    });
    let pointed = move |event: web_sys::MouseEvent| {
        let Some(canvas) = canvas.get_untracked() else { return };
        let area = canvas.get_bounding_client_rect();
        let (x, y) = (f64::from(event.client_x()) - area.left(), f64::from(event.client_y()) - area.top());
        let found = studio.planned.with_untracked(|planned| {
            studio.measured.with_untracked(|measured| frame.get_untracked().hit(x, y, &planned.bars, measured))
        });
        if found != chosen.get_untracked() {
            chosen.set(found);
        }
    };
    let key = move |event: web_sys::KeyboardEvent| {
        let (lane, at) = chosen.get_untracked().map_or((Lane::Predicted, None), |(lane, at)| (lane, Some(at)));
        let next = match lane {
            Lane::Predicted => studio.planned.with_untracked(|planned| step_to(&planned.bars, at, &event.key())),
            Lane::Measured => studio.measured.with_untracked(|bars| step_to(bars, at, &event.key())),
        };
        let keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
        if let Some(next) = next.filter(|_| keys.contains(&event.key().as_str())) {
            event.prevent_default();
            chosen.set(Some((lane, next)));
            if let (Some(mark), Some(scroll)) = (mark.get_untracked(), scroll.get_untracked()) {
                let shown = f64::from(scroll.client_width());
                let left = f64::from(scroll.scroll_left());
                if mark.x < left || mark.x + mark.w > left + shown {
                    scroll.set_scroll_left((mark.x - shown / 2.0) as i32);
                }
            }
        }
    };
    let waited = move || {
        let waits = studio.measured.with(|bars| studio.marks.with(|marks| Waits::of(bars, marks)));
        words::waited(&waits)
    };
    let label = Memo::new(move |_| studio.planned.with(|planned| summary(&planned.strategy, &planned.outlook)));
    view! {
        <div class="plan-timeline">
            <div class="plan-part">
                <h2>"Timeline"</h2>
                <div class="segments" role="group" aria-label="Zoom">
                    {ZOOMS.map(|times| view! {
                        <button
                            type="button"
                            data-testid=format!("plan-zoom-{times}")
                            aria-pressed=move || (zoom.get() == times).to_string()
                            on:click=move |_| zoom.set(times)
                        >
                            {format!("{times}×")}
                        </button>
                    }).collect_view()}
                </div>
            </div>
            <Legend/>
            <div class="timeline">
                <MemoryLegend frame=frame/>
                <Names frame=frame/>
                <div class="timeline-scroll" node_ref=scroll>
                    <div
                        class="timeline-picture"
                        tabindex="0"
                        role="application"
                        aria-roledescription="timeline"
                        aria-label=move || label.get()
                        aria-describedby="plan-detail"
                        data-testid="plan-timeline"
                        style:width=move || format!("{}px", frame.get().width)
                        style:height=move || format!("{}px", frame.get().height())
                        on:mousemove=pointed
                        on:click=pointed
                        on:mouseleave=move |_| chosen.set(None)
                        on:keydown=key
                    >
                        <canvas
                            node_ref=canvas
                            aria-hidden="true"
                            style:width=move || format!("{}px", frame.get().width)
                            style:height=move || format!("{}px", frame.get().height())
                        ></canvas>
                        {move || mark.get().map(|rect| view! {
                            <div
                                class="timeline-mark"
                                style:left=format!("{}px", rect.x - 1.0)
                                style:top=format!("{}px", rect.y - 1.0)
                                style:width=format!("{}px", rect.w + 2.0)
                                style:height=format!("{}px", rect.h + 2.0)
                            ></div>
                        })}
                    </div>
                </div>
            </div>
            {move || studio.planned.with(|planned| {
                studio.measured.with(|bars| compared(&planned.outlook, bars, (studio.fullest.get(), studio.sent.get())))
            }).map(|text| view! { <p class="plan-compared" data-testid="plan-compared">{text}</p> })}
            {move || waited().map(|text| view! { <p class="plan-compared" data-testid="plan-waited">{text}</p> })}
            <p class="plan-detail" id="plan-detail" role="status" data-testid="plan-detail">{words}</p>
        </div>
    }
}

/// The names of lanes, beside the picture, so that they stay when it is scrolled.
#[component]
fn Names(frame: Memo<Frame>) -> impl IntoView {
    let studio = expect_context::<Studio>();
    // The same lanes over another stretch of time have the same names.
    let shape = Memo::new(move |_| frame.with(|frame| Frame { width: 0.0, total_us: 0.0, ..frame.clone() }));
    let peaks = Memo::new(move |_| {
        studio.planned.with(|planned| planned.outlook.ranks.iter().map(RankOutlook::peak).collect::<Vec<_>>())
    });
    let title = |top: f64, text: &'static str| {
        view! { <span class="timeline-title" style:top=format!("{top}px")>{text}</span> }
    };
    let px = |length: f64| format!("{length}px");
    move || {
        let frame = shape.get();
        let [predicted, _, measured, memory, _] = frame.groups();
        let name = |row: (f64, f64), (short, long): (String, String)| {
            view! { <span class="timeline-name" title=long style:top=px(row.0) style:height=px(row.1)>{short}</span> }
        };
        let names = |lane: Lane, ranks: usize, layout: Option<Layout>| {
            (0..ranks).map(|rank| name(frame.row(lane, rank), lane_name(rank, layout))).collect_view()
        };
        let plan = names(Lane::Predicted, frame.ranks, None);
        let run = names(Lane::Measured, frame.measured, studio.layout.get());
        let peak = move |rank: usize| peaks.with(|peaks| bytes(peaks.get(rank).copied().unwrap_or(0)));
        let held = (0..frame.ranks)
            .map(|rank| {
                let (top, height) = frame.held_row(rank);
                view! {
                    <span class="timeline-name" style:top=px(top) style:height=px(height)>{move || peak(rank)}</span>
                }
            })
            .collect_view();
        view! {
            <div class="timeline-names" style:height=format!("{}px", frame.height())>
                {title(predicted, "Predicted")}
                {plan}
                {(frame.measured > 0).then(|| title(measured, "Measured"))}
                {run}
                {title(memory, "Memory")}
                {held}
            </div>
        }
    }
}

/// What the colours mean; only those that are in the picture.
#[component]
fn Legend() -> impl IntoView {
    let studio = expect_context::<Studio>();
    let parts = Memo::new(move |_| {
        studio.planned.with(|planned| {
            studio.measured.with(|measured| {
                let drawn = |part: Part| planned.bars.iter().chain(measured).any(|bar| bar.part == part);
                Part::ALL.into_iter().filter(|part| drawn(*part)).map(Part::as_str).collect::<Vec<_>>()
            })
        })
    });
    let exchanged = Memo::new(move |_| studio.marks.with(|marks| !marks.is_empty()));
    let several = Memo::new(move |_| studio.planned.with(|planned| planned.outlook.schedule.chunks() > 1));
    let title = |name: &str| Part::ALL.into_iter().find(|part| part.as_str() == name).map_or("", Part::title);
    view! {
        <ul class="legend">
            {move || parts.get().into_iter().map(|name| view! { <li><i class=format!("key key-{name}")></i>{title(name)}</li> }).collect_view()}
            <li><i class="key key-idle"></i>"idle"</li>
            {move || exchanged.get().then(|| view! {
                <li data-testid="plan-key-exchange"><i class="key key-exchange"></i>"collectives with other ranks, at the foot of a bar"</li>
            })}
            {move || several.get().then(|| view! { <li><i class="key key-odd"></i>"every second stage of a rank"</li> })}
        </ul>
    }
}

/// What the colours of memory mean, beside that title; where it does not fit there, below the picture.
#[component]
fn MemoryLegend(frame: Memo<Frame>) -> impl IntoView {
    let top = move || format!("{}px", frame.with(|frame| frame.groups()[3]));
    view! {
        <ul class="legend legend-memory" style:top=top data-testid="plan-memory-legend">
            <li class="legend-word">"Memory:"</li>
            {Band::ALL.map(|band| view! { <li><i class=format!("key key-{}", band.as_str())></i>{band.title()}</li> }).collect_view()}
        </ul>
    }
}

/// The width that the picture has without zoom.
fn watch_width(scroll: NodeRef<html::Div>) -> RwSignal<f64> {
    let width = RwSignal::new(0.0);
    let measure = move || {
        if let Some(element) = scroll.get_untracked() {
            let now = f64::from(element.client_width()).max(200.0);
            if now != width.get_untracked() {
                width.set(now);
            }
        }
    };
    let on_resize = Closure::<dyn Fn()>::new(measure);
    let observer = web_sys::ResizeObserver::new(on_resize.as_ref().unchecked_ref()).ok();
    let watching = observer.clone();
    Effect::new(move |_| {
        if let Some(element) = scroll.get() {
            measure();
            if let Some(watching) = &watching {
                watching.observe(&element);
            }
        }
    });
    let kept = StoredValue::new_local((observer, on_resize));
    on_cleanup(move || {
        kept.with_value(|(observer, _)| {
            if let Some(observer) = observer {
                observer.disconnect();
            }
        });
    });
    width
}
