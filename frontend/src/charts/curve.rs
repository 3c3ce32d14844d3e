//! The live curve of a run: draws only.

use std::cell::RefCell;
use std::rc::Rc;

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;

use super::series::{Line, Plot};
use super::summary::in_words;
use super::uplot::Drawing;

/// The lines of one quantity over epochs or steps, with a sentence that says the same.
#[component]
pub(crate) fn CurveChart(
    /// What to draw.
    #[prop(into)]
    plot: Signal<Plot>,
    /// Whether the vertical axis is logarithmic.
    #[prop(into)]
    log: Signal<bool>,
    /// Changes when the colours do.
    #[prop(into)]
    colours: Signal<&'static str>,
) -> impl IntoView {
    let target = NodeRef::<html::Div>::new();
    let drawing: Rc<RefCell<Option<Drawing>>> = Rc::default();
    let failed = RwSignal::new(false);
    let words = Memo::new(move |_| plot.with(in_words));

    // The lines of a chart are fixed when it is made, so another set of lines, another scale or another theme is another
    // chart; other numbers are not.
    let shape = Memo::new(move |_| {
        let lines = plot.with(|plot| {
            // Few points of a line are marked, many are not.
            let looks = |line: &Line| (line.on, line.ghost, line.run.clone(), line.is_short());
            (plot.name.clone(), plot.x, plot.lines.iter().map(looks).collect::<Vec<_>>())
        });
        (lines, log.get(), colours.get())
    });
    Effect::new({
        let drawing = Rc::clone(&drawing);
        move |before: Option<_>| {
            let now = shape.get();
            let Some(element) = target.get() else { return now };
            plot.with(|plot| {
                let mut drawing = drawing.borrow_mut();
                if before.as_ref() == Some(&now)
                    && let Some(drawing) = &*drawing
                {
                    drawing.update(plot);
                    return;
                }
                *drawing = None;
                if plot.is_empty() {
                    return;
                }
                match Drawing::new(&element, plot, size(&element), now.1) {
                    Ok(new) => {
                        *drawing = Some(new);
                        failed.set(false);
                    }
                    Err(_) => failed.set(true),
                }
            });
            now
        }
    });
    watch_size(target, Rc::clone(&drawing));
    let drawing = StoredValue::new_local(drawing);
    on_cleanup(move || drawing.with_value(|drawing| *drawing.borrow_mut() = None));

    view! {
        <figure class="curve" data-testid="curve">
            <div class="curve-canvas" node_ref=target role="img" aria-label=move || words.get()></div>
            <Show when=move || failed.get()>
                <p class="note">"The chart could not be drawn in this browser; the numbers below are complete."</p>
            </Show>
            <figcaption data-testid="curve-summary">{move || words.get()}</figcaption>
        </figure>
    }
}

/// Width of the element; the height keeps a calm proportion, and stays low on phones.
fn size(element: &web_sys::HtmlElement) -> (f64, f64) {
    let width = f64::from(element.client_width()).max(240.0);
    (width, (width * 0.46).clamp(200.0, 340.0))
}

fn watch_size(target: NodeRef<html::Div>, drawing: Rc<RefCell<Option<Drawing>>>) {
    let on_resize = Closure::<dyn Fn()>::new(move || {
        if let (Some(element), Some(drawing)) = (target.get_untracked(), &*drawing.borrow()) {
            drawing.resize(size(&element));
        }
    });
    let Ok(observer) = web_sys::ResizeObserver::new(on_resize.as_ref().unchecked_ref()) else { return };
    let watching = observer.clone();
    Effect::new(move |_| {
        if let Some(element) = target.get() {
            watching.observe(&element);
        }
    });
    let kept = StoredValue::new_local((observer, on_resize));
    on_cleanup(move || kept.with_value(|(observer, _)| observer.disconnect()));
}
