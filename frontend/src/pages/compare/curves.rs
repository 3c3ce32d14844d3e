//! The curves of the methods in one chart.

use leptos::prelude::*;
use serde_json::Value;

use super::{list, text};
use crate::charts::{CurveChart, Plot, curve_title};
use crate::components::theme_colours;
use crate::state::{Point, Rows, loss_first};

/// Name, and the lines that belong to it.
type Lines = Vec<((usize, String), Rows, Vec<Point>)>;

fn lines(answer: &Value, name: &str) -> Lines {
    let curves = list(&answer["curves"]).iter().filter(|curve| curve["name"] == name);
    curves
        .map(|curve| {
            let place = curve["method"].as_u64().unwrap_or_default() as usize;
            let on = match curve["split"].as_str() {
                Some("validation") => Rows::Validation,
                Some("test") => Rows::Test,
                _ => Rows::Train,
            };
            let number = |value: &Value| value.as_f64().unwrap_or_default();
            let point = |point: &Value| Point {
                step: point["step"].as_u64().unwrap_or_default(),
                epoch: number(&point["epoch"]),
                value: number(&point["value"]),
            };
            let run = (place, text(&answer["methods"][place]["name"]));
            (run, on, list(&curve["points"]).iter().map(point).collect())
        })
        .collect()
}

/// The chart; there is none where no method left a curve.
pub(super) fn card(answer: &Value) -> Option<AnyView> {
    let names = loss_first(list(&answer["curves"]).iter().map(|curve| text(&curve["name"])).collect());
    let first = names.first()?.clone();
    let kind = |curve: &Value| text(&answer["methods"][curve["method"].as_u64().unwrap_or_default() as usize]["kind"]);
    let mut kinds = list(&answer["curves"]).iter().map(kind);
    let first_kind = kinds.next();
    let unlike = kinds.any(|kind| Some(kind) != first_kind);
    let answer = StoredValue::new(answer.clone());
    let name = RwSignal::new(first);
    let log = RwSignal::new(false);
    let plot = Memo::new(move |_| {
        let name = name.get();
        answer.with_value(|answer| Plot::compared(&name, lines(answer, &name)))
    });
    let several = names.len() > 1;
    let buttons: Vec<AnyView> = names
        .into_iter()
        .map(|item| {
            let (pressed, shown) = (item.clone(), curve_title(&item).to_owned());
            view! {
                <button type="button" aria-pressed=move || (name.get() == pressed).to_string() on:click=move |_| name.set(item.clone())>{shown}</button>
            }
            .into_any()
        })
        .collect();
    let chart = view! {
        <section class="card details" aria-labelledby="curves-title">
            <h2 id="curves-title">"Curves"</h2>
            <div class="curves">
                <div class="curve-tools">
                    <div class="segments" role="group" aria-label="What the chart shows" hidden=!several>{buttons}</div>
                    <label class="check">
                        <input type="checkbox" prop:checked=move || log.get() on:change=move |e| log.set(event_target_checked(&e))/>
                        "log scale"
                    </label>
                </div>
                <CurveChart plot=plot log=log colours=theme_colours()/>
                {unlike.then(|| view! { <p class="note">"Losses of different methods have no common scale: compare their shapes, and the metrics above."</p> })}
            </div>
        </section>
    };
    Some(chart.into_any())
}
