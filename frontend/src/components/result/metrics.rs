//! The metrics: the first ones large, all of them in a table with their definitions.

use leptos::prelude::*;
use recspeed_types::MetricName;
use recspeed_types::beside::{Beside, beside};
use recspeed_types::metric::{Direction, MetricKind};
use recspeed_types::summary::EvaluationInfo;

use crate::charts::{difference, is_beyond_rounding, value};
use crate::components::Hint;

/// What stands beside a metric that baselines have as well.
const OF_BASELINES: &str = " Below it stands what the simplest methods get on the same rows, learnt from the same ratings: \
                            whatever is worth its name does better.";
/// Metrics shown large.
const TILES: usize = 4;

/// The baselines of a result of a method of this kind, the simplest first; no method stands beside itself.
pub(crate) fn baselines_of(kind: &str, evaluation: &EvaluationInfo) -> Vec<Beside> {
    beside(&evaluation.of_the_mean, &evaluation.baselines, &[kind])
}

/// A metric with the same metric of the run before, and those of baselines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    name: String,
    kind: Option<MetricKind>,
    value: f64,
    before: Option<f64>,
    /// Kind and name of each baseline that has the metric, and what it gets.
    beside: Vec<(String, String, f64)>,
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
        [it, if self.beside.is_empty() { "" } else { OF_BASELINES }].concat()
    }

    /// Without a verdict: where a method errs clearly more, a warning says so.
    fn baselines(&self) -> impl IntoView + use<> {
        let one = |(kind, title, gets): &(String, String, f64)| {
            let text = format!("{title}: {}", value(*gets));
            view! { <small class="of-mean" data-baseline=kind.clone()>{text}</small> }
        };
        self.beside.iter().map(one).collect_view()
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

/// The rows of a result beside those of the run before and those of baselines.
pub(crate) fn rows(metrics: &[(String, f64)], before: &[(String, f64)], beside: &[Beside]) -> Vec<Row> {
    let of = |one: &Beside, name: &str| Some((one.kind.clone(), one.title.clone(), *one.values.get(name)?));
    metrics
        .iter()
        .map(|(name, value)| Row {
            name: name.clone(),
            kind: name.parse::<MetricName>().ok().map(|name| name.kind),
            value: *value,
            before: before.iter().find(|(other, _)| other == name).map(|(_, value)| *value),
            beside: beside.iter().filter_map(|one| of(one, name)).collect(),
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
        let (change, baselines) = (row.change(), row.baselines());
        view! {
            <div class="tile">
                <Hint word=row.name.clone() text=row.definition()/>
                <span class="tile-value">{value(row.value)}</span>
                {change}
                {baselines}
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
        let (change, baselines) = (row.change(), row.baselines());
        view! {
            <tr>
                <th scope="row"><Hint word=row.name.clone() text=row.definition()/>{baselines}</th>
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
        rows(&[(name.to_owned(), value)], &[(name.to_owned(), before)], &[]).remove(0)
    }

    /// What a result tells of how it was measured, with these baselines.
    fn measured(of_the_mean: &str, baselines: &str, scale: &str) -> EvaluationInfo {
        let text = format!(
            r#"{{"candidates":"","candidate_items":1,"test_users":1,"evaluated_users":1,"sampled_users":false,"cold_users":0,
            "cold_item_rows":0,"tie_rule":"","tie_share":0,"rating_scale":"{scale}","of_the_mean":{of_the_mean},"baselines":{baselines}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn baselines_stand_beside_the_metrics_that_they_have_by_their_names_and_never_beside_themselves() {
        let metrics = ["rmse", "ndcg@10", "coverage@10"].map(|name| (name.to_owned(), 0.9));
        let told =
            || measured(r#"{"rmse":1.1256}"#, r#"{"bias":{"rmse":1.01},"popularity":{"ndcg@10":0.05}}"#, "stars");
        let of = |kind: &str, told: EvaluationInfo| {
            let all = rows(&metrics, &[], &baselines_of(kind, &told));
            let named =
                |row: &Row| row.beside.iter().map(|(_, title, gets)| format!("{title} {gets}")).collect::<Vec<_>>();
            let explained: Vec<bool> =
                all.iter().map(|row| row.definition().contains("the simplest methods")).collect();
            assert_eq!(explained, all.iter().map(|row| !row.beside.is_empty()).collect::<Vec<_>>());
            all.iter().map(named).collect::<Vec<_>>()
        };
        let due: [&[&str]; 3] = [&["Global mean 1.1256", "User and item bias 1.01"], &["Popularity 0.05"], &[]];
        assert_eq!(of("biased-mf", told()), due);
        assert_eq!(of("global-mean", told())[0], ["User and item bias 1.01"]);
        assert_eq!(of("popularity", told())[1], Vec::<String>::new());
        let likes = measured(r#"{"rmse":0.4}"#, "{}", "liked (1) or not (0)");
        assert_eq!(of("densenet", likes)[0], ["Global mean 0.4"], "of likes, whose mean is their share");
        assert_eq!(of("mlp", measured("{}", "{}", "stars")), [const { Vec::<String>::new() }; 3], "an older result");
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
