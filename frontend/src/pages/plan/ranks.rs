//! Every number of the picture, rank by rank.

use leptos::prelude::*;

use super::Studio;
use crate::charts::{bytes, count, share};
use crate::studio::bubble;

/// The table of ranks.
#[component]
pub(super) fn Ranks() -> impl IntoView {
    let studio = expect_context::<Studio>();
    let heads = [
        "rank",
        "layers",
        "parameters",
        "busy",
        "parameter bytes",
        "gradients",
        "optimizer state",
        "activations",
        "update",
        "peak",
        "sent in a step",
    ];
    let open = RwSignal::new(false);
    // As long as nobody looks, its hundreds of cells cost nothing.
    let rows = move || {
        open.get().then(|| {
            studio.planned.with(|planned| {
                let outlook = &planned.outlook;
                let (schedule, run) = (&outlook.schedule, &outlook.simulation);
                let layers = outlook.partition.counts();
                let row = |(rank, held): (usize, &recspeed_plan::RankOutlook)| {
                    let own = || (0..schedule.chunks()).map(|chunk| schedule.stage(rank, chunk));
                    let cells = [
                        own().map(|stage| layers[stage].to_string()).collect::<Vec<_>>().join(" + "),
                        count(own().map(|stage| outlook.stages[stage].parameters).sum()),
                        share(if run.computed_us > 0.0 { run.busy_us[rank] / run.computed_us } else { 0.0 }),
                        bytes(held.shares.parameters),
                        bytes(held.shares.gradients),
                        bytes(held.shares.optimizer),
                        bytes(held.activations + held.shares.transient),
                        bytes(held.shares.update),
                        bytes(held.peak()),
                        bytes(held.sent()),
                    ];
                    let cells = cells.map(|text| view! { <td class="number">{text}</td> }).collect_view();
                    view! { <tr><th scope="row">{rank}</th>{cells}</tr> }
                };
                outlook.ranks.iter().enumerate().map(row).collect_view()
            })
        })
    };
    view! {
        <details class="groups" on:toggle=move |event| open.set(event_target::<web_sys::HtmlElement>(&event).has_attribute("open"))>
            <summary>"Every rank in numbers"</summary>
            <div class="table-scroll" tabindex="0" role="region" aria-label="Every rank in numbers">
                <table class="table" data-testid="plan-table">
                    <caption class="visually-hidden">"What each rank of the plan computes, holds and sends"</caption>
                    <thead><tr>{heads.map(|head| view! { <th scope="col" class="number">{head}</th> }).collect_view()}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            <p class="note" data-testid="plan-bubble">
                {move || studio.planned.with(|planned| bubble(&planned.strategy, &planned.outlook))}
            </p>
            <p class="note">"Times are counted operations at the speed of a rank, 2 µs for each call of a layer, and the link's nominal speed: a plan, not a measurement. The exchange with the replicas is counted whole, after the last backward pass."</p>
        </details>
    }
}
