//! The metrics of groups of users and items: who is served well, and who is not.

use leptos::prelude::*;
use recspeed_types::RunSummary;
use recspeed_types::summary::{Breakdown, Group};

use crate::charts::{count, value};

/// Names of the metrics of a breakdown, in the order of the first group that has them.
fn columns(breakdown: &Breakdown) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in breakdown.groups.iter().flat_map(|group| group.metrics.keys()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// `fewer`: lists were made for fewer than are in the groups, and how many is shown.
fn row(group: &Group, columns: &[String], fewer: bool) -> AnyView {
    let ranked = group.ranked.map_or_else(|| ["–", "–"].map(str::to_owned), |of| [count(of.users), count(of.rows)]);
    let numbers: Vec<String> = [count(group.users), count(group.rows)]
        .into_iter()
        .chain(ranked.into_iter().filter(|_| fewer))
        .chain(columns.iter().map(|name| group.metrics.get(name).map_or_else(|| "–".to_owned(), |&v| value(v))))
        .collect();
    let cells: Vec<_> = numbers.into_iter().map(|text| view! { <td class="number">{text}</td> }).collect();
    view! { <tr><th scope="row">{group.name.clone()}</th>{cells}</tr> }.into_any()
}

fn table(breakdown: &Breakdown) -> AnyView {
    let columns = columns(breakdown);
    let fewer = breakdown.ranks_fewer();
    let counted = ["Ranked for", "Rows looked for"].map(str::to_owned).into_iter().filter(|_| fewer);
    let head: Vec<_> = counted
        .chain(columns.iter().cloned())
        .map(|name| view! { <th scope="col" class="number">{name}</th> })
        .collect();
    let rows: Vec<_> = breakdown.groups.iter().map(|group| row(group, &columns, fewer)).collect();
    let title = breakdown.by.title();
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label=title>
            <table class="table">
                <caption>{title}</caption>
                <thead><tr>
                    <th scope="col">"Group"</th>
                    <th scope="col" class="number">"Users"</th>
                    <th scope="col" class="number">"Test rows"</th>
                    {head}
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {breakdown.missing_tenths().map(|note| view! { <p class="note">{note}</p> })}
    }
    .into_any()
}

/// The groups of a result, folded away until somebody asks who is served well.
#[component]
pub(crate) fn Groups(
    /// The result.
    #[prop(into)]
    summary: Signal<Option<RunSummary>>,
) -> impl IntoView {
    move || {
        let breakdowns = summary.with(|summary| summary.as_ref().map(|s| s.breakdowns.clone()).unwrap_or_default());
        (!breakdowns.is_empty()).then(|| {
            let tables: Vec<AnyView> = breakdowns.iter().map(table).collect();
            view! {
                <details class="groups" data-testid="result-groups">
                    <summary>"Who is served well: groups of users and items"</summary>
                    {tables}
                </details>
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::summary::BreakdownBy;

    #[test]
    fn every_metric_that_any_group_has_is_a_column_once() {
        let group = |names: &[&str]| Group {
            name: "g".into(),
            users: 1,
            rows: 1,
            ranked: None,
            metrics: names.iter().map(|name| ((*name).to_owned(), 1.0)).collect(),
        };
        let by = BreakdownBy::ColdStart;
        let breakdown = Breakdown { by, groups: vec![group(&["mae"]), group(&["mae", "recall@10"])] };
        assert_eq!(columns(&breakdown), ["mae", "recall@10"]);
    }
}
