//! The numbers of every method: metrics with the leading one marked and the difference to the first method, times, what else differs.

use std::collections::BTreeMap;
use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::components::A;
use recspeed_types::MetricName;
use recspeed_types::beside::{Beside, beside};
use recspeed_types::metric::{Direction, MetricKind};
use serde_json::Value;

use super::{list, significance, text};
use crate::charts::{bytes, difference, duration, is_beyond_rounding, value};
use crate::components::{Hint, Icon, Picture, use_arrival};
use crate::state::Reply;

/// One row of numbers, as they are drawn.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    name: String,
    kind: Option<MetricKind>,
    cells: Vec<Cell>,
}

impl Line {
    fn is_lower_better(&self) -> bool {
        self.kind.map(MetricKind::direction) == Some(Direction::Lower)
    }

    /// Whether a method is the best: it leads, and is better than every other one of the same rows and scale by more than chance.
    fn is_best(&self, place: usize, tests: &Reply) -> bool {
        let Reply::Answer(answer) = tests else { return false };
        let worse = |(other, _): (usize, &Cell)| {
            significance::is_better(answer, &self.name, self.is_lower_better(), (place, other))
        };
        let mut rivals = self.cells.iter().enumerate().filter(|(other, cell)| *other != place && cell.is_rival);
        self.cells.get(place).is_some_and(|cell| cell.leads) && rivals.all(worse)
    }

    /// What is said of the leading method where it is not known to be the best.
    fn extreme(&self) -> &'static str {
        if self.is_lower_better() { "lowest" } else { "highest" }
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Cell {
    mean: Option<f64>,
    sd: Option<f64>,
    /// Whether it stands beside the others: of the same rows and on the same scale.
    is_rival: bool,
    /// Whether no rival has a better number.
    leads: bool,
    /// What separates it from the first method.
    change: Option<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Change {
    by: f64,
    /// Whether it is for the better; `None` where neither direction is.
    better: Option<bool>,
    /// Whether it is more than the rounding of what is shown.
    told: bool,
}

impl Change {
    /// Its colour: only where it is more than chance or, where nothing tests that, more than rounding.
    fn class(self, chance: Chance) -> &'static str {
        let sure = match chance {
            Chance::Asking => false,
            Chance::Tested { more } => more,
            Chance::Untested => self.told,
        };
        match self.better.filter(|_| sure) {
            Some(true) => "change better",
            Some(false) => "change worse",
            None => "change",
        }
    }
}

/// What is known of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Chance {
    Asking,
    Tested { more: bool },
    Untested,
}

fn chance(tests: &Reply, metric: &str, method: usize) -> Chance {
    match tests {
        Reply::Asking => Chance::Asking,
        Reply::Failed(_) => Chance::Untested,
        Reply::Answer(answer) => significance::more_than_chance(answer, metric, method)
            .map_or(Chance::Untested, |more| Chance::Tested { more }),
    }
}

/// A metric of every method. Methods that were measured on other rows, or whose errors are on another scale, are
/// neither leading nor told with a difference to the first.
fn line(name: &str, methods: &[Value]) -> Line {
    let metric = name.parse::<MetricName>().ok();
    let (kind, is_error) = (metric.map(|name| name.kind), metric.is_some_and(MetricName::is_error));
    let direction = kind.map_or(Direction::Neither, MetricKind::direction);
    let mut cells: Vec<Cell> = methods
        .iter()
        .map(|method| {
            let spread = &method["metrics"][name];
            Cell { mean: spread["mean"].as_f64(), sd: spread["sd"].as_f64(), ..Cell::default() }
        })
        .collect();
    let alike =
        |place: usize| methods[place]["same_rows"] == true && !(is_error && methods[place]["same_scale"] == false);
    let better = |a: f64, b: f64| if direction == Direction::Lower { a < b } else { a > b };
    let best = cells.iter().enumerate().filter(|(place, _)| alike(*place)).filter_map(|(_, cell)| cell.mean);
    let best = best.reduce(|a, b| if better(b, a) { b } else { a });
    for (place, cell) in cells.iter_mut().enumerate() {
        cell.is_rival = alike(place) && cell.mean.is_some();
    }
    let rivals = cells.iter().filter(|cell| cell.is_rival).count();
    let first = cells.first().and_then(|cell| cell.mean);
    for (place, cell) in cells.iter_mut().enumerate().filter(|(_, cell)| cell.is_rival) {
        let Some(mean) = cell.mean else { continue };
        cell.leads = direction != Direction::Neither && rivals > 1 && Some(mean) == best;
        if let Some(first) = first.filter(|_| place > 0) {
            let better = (direction != Direction::Neither && mean != first).then(|| better(mean, first));
            cell.change = Some(Change { by: mean - first, better, told: is_beyond_rounding(mean, first) });
        }
    }
    Line { name: name.to_owned(), kind, cells }
}

fn cell(line: &Arc<Line>, place: usize, tests: RwSignal<Reply>) -> AnyView {
    let cell = &line.cells[place];
    let Some(mean) = cell.mean else { return view! { <td class="number muted">"–"</td> }.into_any() };
    let sd = cell.sd.map(|sd| view! { <small>{format!(" ± {}", value(sd))}</small> });
    let best: Signal<bool> = if cell.leads {
        let line = Arc::clone(line);
        Memo::new(move |_| tests.with(|tests| line.is_best(place, tests))).into()
    } else {
        Signal::stored(false)
    };
    let is_best = move || best.get();
    let extreme = line.extreme();
    let mark = cell.leads.then(|| {
        view! {
            <span class=move || if is_best() { "best-mark" } else { "lead-mark" }>
                {move || if is_best() { "best" } else { extreme }}
            </span>
        }
    });
    let change = cell.change.map(|change| {
        let metric = line.name.clone();
        let class = move || change.class(tests.with(|tests| chance(tests, &metric, place)));
        view! { <span class=class>{difference(change.by)}</span> }
    });
    view! {
        <td class="number" class:best=is_best data-value=mean.to_string()>
            <span class="compared-line">{mark}<span class="compared-value">{value(mean)}{sd}</span></span>
            {change}
        </td>
    }
    .into_any()
}

/// The simplest methods that the answer tells of beside the compared ones: those that have any of its metrics, and are
/// not compared on the same rows themselves.
fn those_beside(answer: &Value) -> Vec<Beside> {
    let mut baselines = BTreeMap::new();
    // Here and below one by one: what is collected into a map is sorted first, by five thousand bytes of program.
    for (kind, values) in answer["baselines"].as_object().into_iter().flatten() {
        baselines.insert(kind.clone(), numbers(values));
    }
    let own = list(&answer["methods"]).iter().filter(|method| method["same_rows"] == true);
    let own: Vec<&str> = own.filter_map(|method| method["kind"].as_str()).collect();
    let metrics: Vec<String> = list(&answer["metrics"]).iter().map(text).collect();
    let mut all = beside(&numbers(&answer["of_the_mean"]), &baselines, &own);
    all.retain(|one| metrics.iter().any(|name| one.values.contains_key(name)));
    all
}

/// The numbers of an object by their names; none of what is no object.
fn numbers(object: &Value) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for (name, number) in object.as_object().into_iter().flatten() {
        if let Some(number) = number.as_f64() {
            all.insert(name.clone(), number);
        }
    }
    all
}

/// A cell of the column of a method that was not compared: nobody timed it, and it has no settings here.
fn of_everybody(text: Option<String>) -> AnyView {
    let (text, muted) = text.map_or_else(|| ("–".to_owned(), true), |text| (text, false));
    view! { <td class="number of-everybody" class:muted=muted>{text}</td> }.into_any()
}

/// The table of a comparison. What the simplest methods get has a column each as the methods have; on a phone, where
/// two of them fill the width, it stands below the names of the metrics.
pub(super) fn table(
    answer: &Value,
    chosen: Memo<Vec<String>>,
    go: Callback<Vec<String>>,
    tests: RwSignal<Reply>,
) -> AnyView {
    let methods = list(&answer["methods"]);
    let several = methods.len() > 1;
    let heads: Vec<AnyView> = methods
        .iter()
        .enumerate()
        .map(|(place, method)| {
            let role = if several { Some(place == 0) } else { None };
            head(place, method, role, (chosen, go))
        })
        .collect();
    let those = those_beside(answer);
    let metrics: Vec<AnyView> = list(&answer["metrics"])
        .iter()
        .map(|name| {
            let line = Arc::new(line(&text(name), methods));
            let definition =
                line.kind.map_or("A number that this version of the page does not know.", MetricKind::definition);
            let cells: Vec<AnyView> = (0..line.cells.len()).map(|place| cell(&line, place, tests)).collect();
            let id = format!("compared-{}", line.name.replace('@', "-"));
            let gets = |one: &Beside| one.values.get(&line.name).copied().map(value);
            let below = those.iter().filter_map(|one| Some(format!("{}: {}", one.title, gets(one)?)));
            let below: Vec<AnyView> =
                below.map(|text| view! { <small class="of-mean">{text}</small> }.into_any()).collect();
            let beside: Vec<AnyView> = those.iter().map(|one| of_everybody(gets(one))).collect();
            view! { <tr data-testid=id><th scope="row"><Hint word=line.name.clone() text=definition/>{below}</th>{cells}{beside}</tr> }
                .into_any()
        })
        .collect();
    let plain = |name: &str, of: &dyn Fn(&Value) -> String| {
        let cells: Vec<AnyView> =
            methods.iter().map(|method| view! { <td class="number">{of(method)}</td> }.into_any()).collect();
        let beside: Vec<AnyView> = those.iter().map(|_| of_everybody(None)).collect();
        view! { <tr><th scope="row">{name.to_owned()}</th>{cells}{beside}</tr> }.into_any()
    };
    let optional = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let of_all = |one: &Beside| {
        let id = format!("compared-of-{}", one.kind);
        view! {
            <th scope="col" class="of-everybody" data-testid=id>
                <Hint word=one.title.clone() text=one.explanation()/>
            </th>
        }
        .into_any()
    };
    let everybody: Vec<AnyView> = those.iter().map(of_all).collect();
    let mut rest = vec![
        plain("Learning", &|method| optional(method["fit_s"]["mean"].as_f64().map(duration))),
        plain("One user's list", &|method| optional(method["list_ms"].as_f64().map(|ms| duration(ms / 1e3)))),
        plain("Peak memory", &|method| optional(method["peak_bytes"].as_u64().map(bytes))),
    ];
    for (place, path) in list(&answer["settings"]).iter().enumerate() {
        rest.push(plain(&text(path), &|method| {
            let text = text(&method["settings"][place]);
            if text.is_empty() { "–".to_owned() } else { text }
        }));
    }
    view! {
        <section class="card details" aria-labelledby="compared-title">
            <h2 id="compared-title">"Side by side"</h2>
            {(methods.len() > 2).then(|| view! {
                <p class="note compared-more">{format!("{} methods: swipe the table sideways to see all →", methods.len())}</p>
            })}
            <div class="table-scroll" tabindex="0" role="region" aria-label="Every number of each method">
                <table class="table compared" data-testid="compared-table">
                    <thead><tr><td></td>{heads}{everybody}</tr></thead>
                    <tbody>{metrics}</tbody>
                    <tbody class="compared-rest">{rest}</tbody>
                </table>
            </div>
            {several.then(|| view! { <p class="note" data-testid="compared-marks">{MARKS}</p> })}
        </section>
    }
    .into_any()
}

/// What the marks mean.
const MARKS: &str = "“best”: better than every other method here by more than chance. “highest” and “lowest” are only the largest \
     and the smallest number. All are tested against the baseline: make the leading method the baseline to have it tested against each.";

/// The name of a method, with what can be done with its column. `baseline`: whether it is what the others are tested against; `None` of a
/// method alone.
fn head(
    place: usize,
    method: &Value,
    baseline: Option<bool>,
    (chosen, go): (Memo<Vec<String>>, Callback<Vec<String>>),
) -> AnyView {
    let name = text(&method["name"]);
    let runs: Vec<String> = list(&method["runs"]).iter().map(text).collect();
    let seeds: Vec<String> = list(&method["seeds"]).iter().map(ToString::to_string).collect();
    let seeds = if seeds.len() > 1 { format!("{} seeds", seeds.len()) } else { format!("seed {}", seeds.join("")) };
    let link = runs.first().map(|run| format!("/r/{run}")).unwrap_or_default();
    let without =
        |ids: Vec<String>, runs: &[String]| ids.into_iter().filter(|id| !runs.contains(id)).collect::<Vec<_>>();
    let (of_first, of_removed) = (runs.clone(), runs);
    // The table is made anew, and with it the buttons.
    let arrival = use_arrival();
    let to_front = move |event: web_sys::MouseEvent| {
        arrival.stay_by(&event_target::<web_sys::Element>(&event));
        let rest = without(chosen.get_untracked(), &of_first);
        go.run(of_first.iter().cloned().chain(rest).collect());
    };
    let remove = move |event: web_sys::MouseEvent| {
        arrival.stay_by(&event_target::<web_sys::Element>(&event));
        go.run(without(chosen.get_untracked(), &of_removed));
    };
    let removes = format!("Take “{name}” out");
    view! {
        <th scope="col">
            <span class="compared-head">
                <span class=format!("run-dot run-dot-{}", place % 8) aria-hidden="true"></span>
                <A href=link>{name}</A>
                <button type="button" class="button quiet square" aria-label=removes.clone() title=removes on:click=remove><Icon picture=Picture::Cross/></button>
            </span>
            <span class="compared-sub">{seeds}{match baseline {
                None => ().into_any(),
                Some(true) => view! { <span>"baseline"</span> }.into_any(),
                Some(false) => view! { <button type="button" class="button link" on:click=to_front>"Make this the baseline"</button> }.into_any(),
            }}</span>
        </th>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn methods(same: bool) -> Vec<Value> {
        let method = |mean: f64, same: bool| json!({ "metrics": { "rmse": { "mean": mean }, "coverage@10": { "mean": mean } }, "same_rows": same });
        vec![method(1.2, true), method(1.0, true), method(0.5, same)]
    }

    #[test]
    fn what_stands_beside_the_methods_stands_there_once_and_has_a_metric_of_theirs() {
        let of = |same_rows: bool| {
            let answer = json!({
                "metrics": ["rmse", "hit@10"],
                "methods": [
                    { "kind": "biased-mf", "same_rows": true },
                    { "kind": "popularity", "same_rows": same_rows },
                ],
                "of_the_mean": { "rmse": 1.125 },
                "baselines": { "bias": { "rmse": 1.0 }, "popularity": { "hit@10": 0.5 }, "user-mean": { "mae": 0.5 } },
            });
            those_beside(&answer).into_iter().map(|one| one.title).collect::<Vec<_>>()
        };
        assert_eq!(of(true), ["Global mean", "User and item bias"]);
        assert_eq!(of(false), ["Global mean", "User and item bias", "Popularity"], "that one is of other rows");
        assert!(those_beside(&json!({ "metrics": ["rmse"], "methods": [] })).is_empty(), "an older answer");
    }

    #[test]
    fn the_smallest_error_leads_and_differences_are_to_the_first() {
        let line = line("rmse", &methods(true));
        assert_eq!(line.extreme(), "lowest");
        assert_eq!(line.cells.iter().map(|cell| cell.leads).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(line.cells[0].change, None);
        assert_eq!(line.cells[1].change.map(|change| change.better), Some(Some(true)));
    }

    /// What tests of methods against the first say: place, difference, p.
    fn tested(tests: &[(u64, f64, f64)]) -> Reply {
        let tests: Vec<Value> = tests
            .iter()
            .map(|(left, difference, p)| {
                json!({ "metric": "user-rmse", "left": left, "right": 0, "difference": difference, "p_randomization_holm": p })
            })
            .collect();
        Reply::Answer(json!({ "procedure": { "level": 0.95 }, "tests": tests }))
    }

    #[test]
    fn best_is_earned_against_every_rival_by_more_than_chance() {
        let best = |line: &Line, tests: &Reply| {
            (0..line.cells.len()).filter(|place| line.is_best(*place, tests)).collect::<Vec<_>>()
        };
        let mut leading_first = methods(true);
        leading_first.reverse();
        let all = line("rmse", &leading_first);
        assert_eq!(best(&all, &tested(&[(1, 0.5, 0.01), (2, 0.7, 0.01)])), [0]);
        assert_eq!(best(&all, &tested(&[(1, 0.5, 0.01), (2, 0.7, 0.2)])), [0; 0], "one of them may be chance");
        assert_eq!(best(&all, &tested(&[(1, 0.5, 0.01)])), [0; 0], "one of them is not tested");
        assert_eq!(
            best(&all, &tested(&[(1, -0.5, 0.01), (2, 0.7, 0.01)])),
            [0; 0],
            "of most users the error is larger"
        );
        // Of three, one that leads and is no baseline is tested against the baseline alone.
        let last = line("rmse", &methods(true));
        assert_eq!(best(&last, &tested(&[(1, -0.2, 0.01), (2, -0.7, 0.01)])), [0; 0]);
        // Of other rows nobody is a rival, and of two the baseline is the only one.
        let two = line("rmse", &methods(false));
        assert_eq!(best(&two, &tested(&[(1, -0.2, 0.01)])), [1]);
        for reply in [Reply::Asking, Reply::Failed(String::new())] {
            assert_eq!(best(&two, &reply), [0; 0]);
        }
    }

    #[test]
    fn a_difference_is_coloured_only_where_it_is_more_than_chance_or_untested_and_more_than_rounding() {
        let answer = json!({ "procedure": { "level": 0.95 }, "tests": [
            { "metric": "user-rmse", "left": 1, "right": 0, "p_randomization_holm": 0.001 },
            { "metric": "user-rmse", "left": 2, "right": 0, "p_randomization_holm": 0.4 },
        ] });
        let tests = Reply::Answer(answer);
        let change = |by: f64| Change { by, better: Some(by < 0.0), told: is_beyond_rounding(1.0 + by, 1.0) };
        assert_eq!(change(-0.0001).class(chance(&tests, "rmse", 1)), "change better");
        assert_eq!(change(0.3).class(chance(&tests, "rmse", 2)), "change");
        assert_eq!(change(0.0001).class(chance(&tests, "mae", 1)), "change");
        assert_eq!(change(0.3).class(chance(&tests, "mae", 1)), "change worse");
        assert_eq!(change(0.3).class(chance(&Reply::Asking, "mae", 1)), "change");
        assert_eq!(change(0.3).class(chance(&Reply::Failed(String::new()), "mae", 1)), "change worse");
    }

    #[test]
    fn an_error_on_another_scale_neither_leads_nor_differs_from_the_first() {
        let mut methods = methods(true);
        methods[2]["same_scale"] = json!(false);
        for method in &mut methods {
            method["metrics"]["auc"] = json!({ "mean": 0.5 });
        }
        methods[2]["metrics"]["auc"] = json!({ "mean": 0.75 });
        let of_errors = line("rmse", &methods);
        assert_eq!(of_errors.cells.iter().map(|cell| cell.leads).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!((of_errors.cells[2].mean, of_errors.cells[2].change), (Some(0.5), None), "it stands there alone");
        let two = line("rmse", &[methods[0].clone(), methods[2].clone()]);
        assert!(two.cells.iter().all(|cell| !cell.leads && cell.change.is_none()), "{two:?}");
        let of_order = line("auc", &methods);
        assert!(of_order.cells[2].leads && of_order.cells[2].change.is_some(), "an order has no scale");
    }

    #[test]
    fn what_was_measured_on_other_rows_is_no_rival() {
        let line = line("rmse", &methods(false));
        assert_eq!(line.cells.iter().map(|cell| cell.leads).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(line.cells[2].change, None);
        assert!(super::line("coverage@10", &methods(true)).cells.iter().all(|cell| !cell.leads), "it only describes");
    }
}
