//! uPlot (vendored in `static/vendor/uplot`) through wasm-bindgen: the few calls that the page needs.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Reflect};
use leptos::prelude::{document, window};
use wasm_bindgen::prelude::*;

use super::number;
use super::series::{Line, Plot, curve_title};
use crate::state::Rows;

#[wasm_bindgen]
extern "C" {
    /// A drawn chart.
    #[wasm_bindgen(js_name = uPlot)]
    pub(super) type UPlot;

    #[wasm_bindgen(catch, constructor, js_class = "uPlot")]
    fn new(options: &Object, data: &Array, target: &web_sys::HtmlElement) -> Result<UPlot, JsValue>;

    #[wasm_bindgen(method, js_name = setData)]
    fn set_data(this: &UPlot, data: &Array);

    #[wasm_bindgen(method, js_name = setSize)]
    fn set_size(this: &UPlot, size: &Object);

    #[wasm_bindgen(method)]
    fn destroy(this: &UPlot);
}

/// Colours of the style sheet for runs side by side, `--run-0` and so on.
const RUN_COLOURS: usize = 8;

/// A chart in the page; gone from it when dropped.
pub(super) struct Drawing {
    plot: UPlot,
    reached: Rc<Cell<Option<f64>>>,
    _format: Closure<dyn Fn(JsValue, JsValue, JsValue) -> JsValue>,
    _ticks: Closure<dyn Fn(JsValue, Array) -> Array>,
}

impl Drop for Drawing {
    fn drop(&mut self) {
        self.plot.destroy();
    }
}

impl Drawing {
    /// Draws `plot` into `target`.
    ///
    /// # Errors
    /// What uPlot threw, as when its script could not be loaded.
    pub(super) fn new(
        target: &web_sys::HtmlElement,
        plot: &Plot,
        size: (f64, f64),
        log: bool,
    ) -> Result<Self, JsValue> {
        let reached = Rc::new(Cell::new(plot.reached()));
        let format = Closure::<dyn Fn(JsValue, JsValue, JsValue) -> JsValue>::new({
            let reached = Rc::clone(&reached);
            move |chart: JsValue, v: JsValue, series: JsValue| {
                // The horizontal axis is the first column: while the pointer is elsewhere it says how far the run is.
                let axis = series.as_f64() == Some(0.0);
                let end = || if axis { reached.get() } else { newest(&chart, &series) };
                let say = if axis { number::place } else { number::value };
                v.as_f64().or_else(end).map_or_else(|| JsValue::from("–"), |v| say(v).into())
            }
        });
        let ticks = Closure::<dyn Fn(JsValue, Array) -> Array>::new(|_: JsValue, splits: Array| {
            splits.iter().map(|v| v.as_f64().map_or(JsValue::from(""), |v| JsValue::from(tick(v)))).collect()
        });
        let options = options(plot, size, log, format.as_ref().unchecked_ref(), ticks.as_ref().unchecked_ref());
        let plot = UPlot::new(&options, &columns(plot), target)?;
        Ok(Self { plot, reached, _format: format, _ticks: ticks })
    }

    /// Draws other numbers into the same lines.
    pub(super) fn update(&self, plot: &Plot) {
        self.reached.set(plot.reached());
        self.plot.set_data(&columns(plot));
    }

    /// Takes another size, in CSS pixels.
    pub(super) fn resize(&self, size: (f64, f64)) {
        self.plot.set_size(&object(&[("width", size.0.into()), ("height", size.1.into())]));
    }
}

/// The last value of a series: what the legend says while the pointer is elsewhere.
fn newest(chart: &JsValue, series: &JsValue) -> Option<f64> {
    let data: Array = Reflect::get(chart, &"data".into()).ok()?.dyn_into().ok()?;
    let column: Array = data.get(series.as_f64()? as u32).dyn_into().ok()?;
    column.iter().filter_map(|v| v.as_f64()).next_back()
}

/// A tick's label: short, without trailing zeros.
fn tick(v: f64) -> String {
    let text = if v != 0.0 && (v.abs() < 1e-3 || v.abs() >= 1e6) { format!("{v:e}") } else { format!("{v:.4}") };
    number::trimmed(&text).to_owned()
}

fn columns(plot: &Plot) -> Array {
    let all = Array::of1(&plot.xs.iter().map(|x| JsValue::from(*x)).collect::<Array>());
    for line in &plot.lines {
        let column: Array = line.ys.iter().map(|y| y.map_or(JsValue::UNDEFINED, JsValue::from)).collect();
        all.push(&column);
    }
    all
}

fn options(plot: &Plot, size: (f64, f64), log: bool, format: &Function, ticks: &Function) -> Object {
    let (ink, grid) = (colour("--chart-ink"), colour("--chart-grid"));
    let font: JsValue = "12px Inter, system-ui, sans-serif".into();
    let axis = |title: Option<&str>, width: f64| {
        let axis = object(&[
            ("stroke", ink.clone()),
            ("font", font.clone()),
            ("size", width.into()),
            ("values", ticks.into()),
            ("grid", object(&[("stroke", grid.clone()), ("width", 1.into())]).into()),
            ("ticks", object(&[("stroke", grid.clone()), ("width", 1.into()), ("size", 4.into())]).into()),
        ]);
        if let Some(title) = title {
            set(&axis, "label", title.into());
            set(&axis, "labelSize", 22.into());
            set(&axis, "labelFont", font.clone());
        }
        axis
    };
    let series = Array::of1(&object(&[("label", plot.x.title().into()), ("value", format.into())]));
    for line in &plot.lines {
        series.push(&stroke(plot, line, format));
    }
    object(&[
        ("width", size.0.into()),
        ("height", size.1.into()),
        ("padding", Array::of4(&10.into(), &12.into(), &0.into(), &0.into()).into()),
        ("series", series.into()),
        ("axes", Array::of2(&axis(Some(plot.x.title()), 30.0), &axis(None, 62.0)).into()),
        (
            "scales",
            object(&[
                ("x", object(&[("time", false.into())]).into()),
                ("y", object(&[("distr", if log { 3 } else { 1 }.into())]).into()),
            ])
            .into(),
        ),
        (
            "cursor",
            object(&[
                ("drag", object(&[("x", true.into()), ("y", false.into())]).into()),
                ("points", object(&[("size", 7.into())]).into()),
            ])
            .into(),
        ),
        ("legend", object(&[("show", true.into()), ("live", true.into())]).into()),
    ])
}

fn stroke(plot: &Plot, line: &Line, format: &Function) -> Object {
    let name = match &line.run {
        Some((_, run)) if line.on == Rows::Train => run.clone(),
        Some((_, run)) => format!("{run}, {}", line.on.title()),
        None => format!("{}{} {}", if line.ghost { "before: " } else { "" }, line.on.title(), curve_title(&plot.name)),
    };
    let own = match (&line.run, line.on) {
        (Some((place, _)), _) => &*format!("--run-{}", place % RUN_COLOURS),
        (None, Rows::Train) => "--curve-train",
        (None, Rows::Validation) => "--curve-validation",
        (None, Rows::Test) => "--curve-test",
    };
    let colour = colour(if line.ghost { "--curve-ghost" } else { own });
    let series = object(&[
        ("label", name.into()),
        ("stroke", colour.clone()),
        ("width", if line.ghost { 1.5 } else { 2.0 }.into()),
        ("spanGaps", true.into()),
        ("value", format.into()),
        (
            "points",
            object(&[("show", (line.is_short() && !line.ghost).into()), ("size", 6.into()), ("fill", colour)]).into(),
        ),
    ]);
    let dash: &[i32] = match (line.ghost, line.on) {
        (true, _) => &[5, 4],
        (false, Rows::Validation) => &[9, 3],
        (false, Rows::Test) => &[2, 3],
        (false, Rows::Train) => &[],
    };
    if line.ghost {
        // Drawn below, named behind: the style sheet puts it last in the legend.
        set(&series, "class", "legend-ghost".into());
    } else if !dash.is_empty() {
        set(&series, "class", "legend-dashed".into());
    }
    if !dash.is_empty() {
        set(&series, "dash", dash.iter().map(|d| JsValue::from(*d)).collect::<Array>().into());
    }
    series
}

/// A colour of the style sheet, so that charts follow the theme.
fn colour(name: &str) -> JsValue {
    let root = document().document_element();
    let style = root.and_then(|root| window().get_computed_style(&root).ok().flatten());
    let value = style.and_then(|style| style.get_property_value(name).ok()).unwrap_or_default();
    JsValue::from(value.trim())
}

fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        set(&object, name, value.clone());
    }
    object
}

fn set(object: &Object, name: &str, value: JsValue) {
    // Setting a property of a plain object made above does not fail.
    let _ = Reflect::set(object, &name.into(), &value);
}
