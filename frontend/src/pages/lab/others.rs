//! What else this tab has on the server while one run is shown.

use leptos::prelude::*;
use leptos_router::components::A;
use recspeed_types::api::RunStatus;

use crate::components::{Icon, Picture, focus_on};
use crate::state::{Link, RunState, link, use_lab};

/// The runs that wait, work or have just ended; nothing where there are none.
#[component]
pub(super) fn Others() -> impl IntoView {
    let others = use_lab().session.others;
    view! {
        <ul class="others" aria-label="Also on the server" data-testid="other-runs" hidden=move || others.with(Vec::is_empty)>
            <For each=move || others.get() key=|run| run.id().to_string() let:run><Other run=run/></For>
        </ul>
    }
}

/// One of them, with the ways to it and to its end. One that is over has a page.
#[component]
fn Other(run: RunState) -> impl IntoView {
    let lab = use_lab();
    let address = format!("/r/{}", run.id());
    let run = StoredValue::new(run);
    let title = move || run.with_value(|run| run.record.with(|record| lab.title_of(&record.spec)));
    let stands = move || run.with_value(|run| words(run.status(), run.record.with(|record| record.queue_position)));
    let over = Memo::new(move |_| run.with_value(|run| run.status().is_over()));
    let link = link();
    let unheard = Memo::new(move |_| link.get() == Link::Reconnecting);
    view! {
        <li data-testid="other-run">
            <A href=address>{title}</A>
            <span class="note" role="status">{stands}</span>
            <button
                type="button"
                class="button quiet"
                data-testid="show-run"
                hidden=move || over.get()
                disabled=move || lab.is_tab_busy()
                on:click=move |_| {
                    lab.show(run.get_value());
                    // Its line goes; what it leads to has this title.
                    if let Some(title) = document().get_element_by_id("stage-title") {
                        focus_on(&title);
                    }
                }
            >
                "Show it"
            </button>
            <button
                type="button"
                class="button quiet square"
                data-testid="cancel-other"
                aria-label=move || format!("Cancel {}", title())
                title="Cancel"
                hidden=move || over.get()
                disabled=move || unheard.get()
                on:click=move |event| {
                    lab.cancel(run.get_value());
                    // The button goes once the run is over; the link beside it stays.
                    let line = event_target::<web_sys::Element>(&event).closest("li").ok().flatten();
                    if let Some(link) = line.and_then(|line| line.query_selector("a").ok().flatten()) {
                        focus_on(&link);
                    }
                }
            >
                <Icon picture=Picture::Stop/>
            </button>
        </li>
    }
    .into_any()
}

/// Where a run stands that is not shown.
fn words(status: RunStatus, place: Option<u32>) -> String {
    match (status, place) {
        (RunStatus::Queued, Some(place)) => format!("number {place} in the queue"),
        (RunStatus::Queued, None) => "waits for a free slot".to_owned(),
        (status, _) => status.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_told_with_its_place_and_what_works_or_has_ended_without() {
        assert_eq!(words(RunStatus::Queued, Some(2)), "number 2 in the queue");
        assert_eq!(words(RunStatus::Queued, None), "waits for a free slot");
        // A place is not told of a run that has left the queue, whatever came first.
        assert_eq!(words(RunStatus::Running, Some(1)), "running");
        assert_eq!(words(RunStatus::Finished, None), "finished");
    }
}
