//! What the fitted model loses where a feature tells nothing.

use leptos::prelude::*;
use recspeed_types::{Importance, RunSummary};

use crate::charts::{in_order, value};

/// The largest loss of each metric first, the metrics in their order.
fn sorted(all: Vec<Importance>) -> Vec<Importance> {
    let metrics: Vec<String> = all.iter().map(|one| one.metric.clone()).collect();
    let place = |one: &Importance| metrics.iter().position(|metric| *metric == one.metric);
    in_order(all, |a, b| place(a).cmp(&place(b)).then(b.mean.total_cmp(&a.mean)))
}

fn row(one: &Importance) -> AnyView {
    let loss = one.sd.map_or_else(|| value(one.mean), |sd| format!("{} ± {}", value(one.mean), value(sd)));
    view! {
        <tr>
            <th scope="row">{one.feature.clone()}</th>
            <td>{one.metric.clone()}</td>
            <td class="number">{loss}</td>
            <td class="number">{one.losses.len()}</td>
        </tr>
    }
    .into_any()
}

/// Permutation importance, where the spec asked for it.
#[component]
pub(crate) fn FeatureImportance(
    /// The result.
    #[prop(into)]
    summary: Signal<Option<RunSummary>>,
) -> impl IntoView {
    move || {
        let all = summary.with(|summary| summary.as_ref().map(|s| s.importance.clone()).unwrap_or_default());
        (!all.is_empty()).then(|| {
            let rows: Vec<AnyView> = sorted(all).iter().map(row).collect();
            view! {
                <details class="groups" data-testid="result-importance">
                    <summary>"What the model reads: permutation importance"</summary>
                    <p>
                        "What the fitted model loses when it is asked with a feature's values dealt out anew; nothing is learnt again. \
                         Mean ± standard deviation over the repeats."
                    </p>
                    <div class="table-scroll" tabindex="0" role="region" aria-label="Permutation importance">
                        <table class="table">
                            <thead><tr>
                                <th scope="col">"Feature"</th>
                                <th scope="col">"Metric"</th>
                                <th scope="col" class="number">"Loss"</th>
                                <th scope="col" class="number">"Repeats"</th>
                            </tr></thead>
                            <tbody>{rows}</tbody>
                        </table>
                    </div>
                </details>
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_that_costs_most_stands_first_for_each_metric() {
        let of = |feature: &str, metric: &str, loss: f64| Importance::new(feature.into(), metric.into(), vec![loss]);
        let all =
            sorted(vec![of("a", "rmse", 0.1), of("a", "ndcg@10", 0.3), of("b", "rmse", 0.2), of("b", "ndcg@10", 0.1)]);
        let order: Vec<String> = all.into_iter().map(|one| format!("{} {}", one.metric, one.feature)).collect();
        assert_eq!(order, ["rmse b", "rmse a", "ndcg@10 a", "ndcg@10 b"]);
    }
}
