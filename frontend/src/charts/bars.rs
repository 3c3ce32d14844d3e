//! Metrics between 0 and 1 as bars, beside those of the run before: what a method without a training curve has to show.

use leptos::prelude::*;
use recspeed_types::metric::Direction;
use recspeed_types::{MetricKind, MetricName};

use super::number;

/// A metric to draw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its value in the run before.
    pub before: Option<f64>,
}

/// Where a bar ends, in per cent of the width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    /// The bar.
    pub value: f64,
    /// The mark of the run before.
    pub before: Option<f64>,
}

/// Whether a metric has its place on the common scale from 0: it is one of how right ranked lists are, and lies between
/// 0 and 1. Errors in stars, popularity and bits have other units, and the share of the catalogue that is shown is many
/// times as large: on its scale nothing could be told of the others.
const fn is_on_scale(kind: MetricKind) -> bool {
    kind.at_k() && kind.is_fraction() && matches!(kind.direction(), Direction::Higher)
}

/// The metrics that share a scale from 0, in their order.
pub(crate) fn bars(metrics: &[(String, f64)], before: &[(String, f64)]) -> Vec<Bar> {
    let on_scale = |name: &str| name.parse::<MetricName>().is_ok_and(|name| is_on_scale(name.kind));
    metrics
        .iter()
        .filter(|(name, value)| on_scale(name) && (0.0..=1.0).contains(value))
        .map(|(name, value)| {
            let before = before.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
            Bar { name: name.clone(), value: *value, before }
        })
        .collect()
}

/// Extents on a common scale whose end is the next round value over the largest.
pub(crate) fn extents(bars: &[Bar]) -> (f64, Vec<Extent>) {
    let largest = bars.iter().flat_map(|bar| [bar.value, bar.before.unwrap_or(0.0)]).fold(0.0, f64::max);
    let end = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].into_iter().find(|end| largest <= *end).unwrap_or(1.0);
    let place = |value: f64| (value / end * 100.0).clamp(0.0, 100.0);
    (end, bars.iter().map(|bar| Extent { value: place(bar.value), before: bar.before.map(place) }).collect())
}

/// Bars of the metrics of ranked lists; nothing when there are none.
#[component]
pub(crate) fn MetricBars(
    /// Name and value.
    #[prop(into)]
    metrics: Signal<Vec<(String, f64)>>,
    /// The same of the run before.
    #[prop(into)]
    before: Signal<Vec<(String, f64)>>,
) -> impl IntoView {
    move || {
        let bars = bars(&metrics.get(), &before.get());
        let (end, extents) = extents(&bars);
        let compared = bars.iter().any(|bar| bar.before.is_some());
        let rows = bars
            .into_iter()
            .zip(extents)
            .map(|(bar, extent)| {
                let was = bar.before.map(|b| format!(", before {}", number::value(b))).unwrap_or_default();
                let words = format!("{}: {}{was}", bar.name, number::value(bar.value));
                view! {
                    <li class="bar">
                        <span class="bar-name">{bar.name}</span>
                        <svg class="bar-track" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=words>
                            <rect class="bar-rail" x="0" y="0" width="100" height="10"></rect>
                            <rect class="bar-fill" x="0" y="0" width=extent.value height="10"></rect>
                            {extent.before.map(|at| view! { <rect class="bar-before" x=(at - 0.3).max(0.0) y="0" width="0.6" height="10"></rect> })}
                        </svg>
                        <span class="bar-value">{number::value(bar.value)}</span>
                    </li>
                }
            })
            .collect_view();
        view! {
            <div class="bars" data-testid="metric-bars">
                <ul>{rows}</ul>
                <p class="note">{format!("Scale from 0 to {end}.{}", if compared { " The thin mark is the run before." } else { "" })}</p>
            </div>
        }
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::metric::METRIC_KINDS;

    use super::*;

    #[test]
    fn only_metrics_of_lists_share_the_scale() {
        let metrics =
            [("rmse", 0.9), ("ndcg@10", 0.13), ("mean-popularity@10", 371.0), ("coverage@10", 0.65), ("hit@5", 0.1)]
                .map(|(n, v)| (n.to_owned(), v));
        let names: Vec<String> = bars(&metrics, &[]).into_iter().map(|bar| bar.name).collect();
        assert_eq!(names, ["ndcg@10", "hit@5"]);
    }

    #[test]
    fn every_fraction_that_says_how_right_lists_are_has_a_bar_and_no_other_metric() {
        let named: Vec<&str> =
            METRIC_KINDS.into_iter().filter(|kind| is_on_scale(*kind)).map(MetricKind::as_str).collect();
        assert_eq!(named, ["precision", "recall", "f1", "hit", "ndcg", "map", "mrr", "serendipity"]);
        let metrics = [("f1@10".to_owned(), 0.05), ("f1@5".to_owned(), 1.5)];
        let drawn = bars(&metrics, &[("f1@10".to_owned(), 0.04)]);
        assert_eq!(drawn, [Bar { name: "f1@10".to_owned(), value: 0.05, before: Some(0.04) }], "1.5 lies beyond it");
    }

    #[test]
    fn the_scale_ends_at_a_round_value_that_holds_both_runs() {
        let bars = [Bar { name: "ndcg@10".to_owned(), value: 0.04, before: Some(0.08) }];
        let (end, extents) = extents(&bars);
        assert_eq!(end, 0.1);
        assert_eq!(extents, [Extent { value: 40.0, before: Some(80.0) }]);
    }
}
