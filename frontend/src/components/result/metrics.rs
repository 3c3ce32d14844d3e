//! The metrics: the first ones large, all of them in a table with their definitions.

use std::collections::BTreeMap;

use leptos::prelude::*;
use recspeed_types::MetricName;
use recspeed_types::metric::{Direction, MetricKind};

use crate::charts::{difference, is_beyond_rounding, value};
use crate::components::Hint;

/// What stands beside a metric that one number for everybody has as well.
const OF_THE_MEAN: &str =
    " One number for everybody is the mean of what was learnt from, for every user and item of the same test.";

/// Metrics shown large.
const TILES: usize = 4;

/// A metric with the same metric of the run before, and that of one number for everybody.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    name: String,
    kind: Option<MetricKind>,
    value: f64,
    before: Option<f64>,
    of_the_mean: Option<f64>,
}

impl Row {
    /// Whether the change is for the better; `None` where neither direction is, or where it may be rounding.
    fn is_better(&self) -> Option<bool> {
        let direction = self.kind.map(MetricKind::direction).filter(|&direction| direction != Direction::Neither)?;
        let before = self.before.filter(|before| is_beyond_rounding(*before, self.value))?;
        Some((self.value < before) == (direction == Direction::Lower))
    }

    fn definition(&self) -> String {
        let it =
            self.kind.map_or("A number that this version of the page has no definition for.", MetricKind::definition);
        let of_the_mean = if self.of_the_mean.is_some() { OF_THE_MEAN } else { "" };
        [it, of_the_mean].concat()
    }

    /// Without a verdict: where a method errs clearly more, a warning says so.
    fn everybody(&self) -> Option<impl IntoView + use<>> {
        let text = self.of_the_mean.map(|mean| ["one number for everybody: ", &value(mean)].concat())?;
        Some(view! { <small class="of-mean">{text}</small> })
    }

    fn change(&self) -> Option<impl IntoView + use<>> {
        let before = self.before?;
        let (class, word) = match self.is_better() {
            Some(true) => ("change better", "better than"),
            Some(false) => ("change worse", "worse than"),
            None => ("change", "against"),
        };
        let text = difference(self.value - before);
        Some(
            view! { <span class=class>{text}<span class="visually-hidden">{format!(" {word} the run before")}</span></span> },
        )
    }
}

/// The rows of a result beside those of the run before; `of_the_mean`: by metric, what one number for everybody gets.
pub(crate) fn rows(
    metrics: &[(String, f64)],
    before: &[(String, f64)],
    of_the_mean: &BTreeMap<String, f64>,
) -> Vec<Row> {
    metrics
        .iter()
        .map(|(name, value)| Row {
            name: name.clone(),
            kind: name.parse::<MetricName>().ok().map(|name| name.kind),
            value: *value,
            before: before.iter().find(|(other, _)| other == name).map(|(_, value)| *value),
            of_the_mean: of_the_mean.get(name).copied(),
        })
        .collect()
}

/// The first metrics, large.
#[component]
pub(crate) fn Tiles(
    /// All metrics.
    #[prop(into)]
    rows: Signal<Vec<Row>>,
) -> impl IntoView {
    let tile = |row: Row| {
        let (change, everybody) = (row.change(), row.everybody());
        view! {
            <div class="tile">
                <Hint word=row.name.clone() text=row.definition()/>
                <span class="tile-value">{value(row.value)}</span>
                {change}
                {everybody}
            </div>
        }
    };
    view! { <div class="tiles">{move || rows.get().into_iter().take(TILES).map(tile).collect_view()}</div> }
}

/// Every metric with its definition.
#[component]
pub(crate) fn MetricTable(
    /// All metrics.
    #[prop(into)]
    rows: Signal<Vec<Row>>,
) -> impl IntoView {
    let compared = Memo::new(move |_| rows.with(|rows| rows.iter().any(|row| row.before.is_some())));
    let line = move |row: Row| {
        let (change, everybody) = (row.change(), row.everybody());
        view! {
            <tr>
                <th scope="row"><Hint word=row.name.clone() text=row.definition()/>{everybody}</th>
                <td class="number" data-testid=format!("metric-{}", row.name.replace('@', "-")) data-value=row.value.to_string()>
                    {precise(row.value)}
                </td>
                {compared.get().then(|| view! {
                    <td class="number muted">{row.before.map(precise)}</td>
                    <td class="number">{change}</td>
                })}
            </tr>
        }
    };
    view! {
        <table class="table" data-testid="result-table">
            <caption class="visually-hidden">"Metrics of the run"</caption>
            <thead>
                <tr>
                    <th scope="col">"metric"</th>
                    <th scope="col" class="number">"value"</th>
                    {move || compared.get().then(|| view! {
                        <th scope="col" class="number">"run before"</th>
                        <th scope="col" class="number">"change"</th>
                    })}
                </tr>
            </thead>
            <tbody>{move || rows.get().into_iter().map(line).collect_view()}</tbody>
        </table>
    }
}

/// Six decimals: as many as a comparison between machines can rest on in f32.
fn precise(v: f64) -> String {
    if v != 0.0 && v.abs() < 1e-4 { format!("{v:.3e}") } else { format!("{v:.6}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, value: f64, before: f64) -> Row {
        rows(&[(name.to_owned(), value)], &[(name.to_owned(), before)], &BTreeMap::new()).remove(0)
    }

    #[test]
    fn one_number_for_everybody_stands_beside_the_errors_that_it_has_and_is_explained_there() {
        let metrics = ["rmse", "ndcg@10"].map(|name| (name.to_owned(), 0.9));
        let all = rows(&metrics, &[], &BTreeMap::from([("rmse".to_owned(), 1.1256)]));
        assert_eq!(all.iter().map(|row| row.of_the_mean).collect::<Vec<_>>(), [Some(1.1256), None]);
        let explained = all.iter().map(|row| row.definition().contains("One number for everybody"));
        assert_eq!(explained.collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn less_error_is_better_and_more_hits_are_better() {
        assert_eq!(row("rmse", 0.9, 1.0).is_better(), Some(true));
        assert_eq!(row("ndcg@10", 0.9, 1.0).is_better(), Some(false));
        assert_eq!(row("coverage@10", 0.9, 1.0).is_better(), None);
        assert_eq!(row("mae", 1.0, 1.0).is_better(), None);
        assert_eq!(row("mae", 0.9999, 1.0).is_better(), None, "one step of the last digit shown");
    }
}
