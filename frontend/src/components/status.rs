//! Where a run stands, as a picture and a word.

use std::time::Duration;

use leptos::prelude::*;
use recspeed_types::api::RunStatus;

use super::{Icon, Picture};
use crate::charts::duration;
use crate::state::{Link, Origin, RunState, link, unheard_s};

/// Picture and word of a status; a run that failed before any work was refused.
#[component]
pub(crate) fn StatusBadge(
    /// The status.
    #[prop(into)]
    status: Signal<RunStatus>,
    /// Whether it was refused.
    #[prop(into)]
    refused: Signal<bool>,
) -> impl IntoView {
    let word = Signal::derive(move || if refused.get() { "refused" } else { status.get().as_str() });
    let picture = Signal::derive(move || match status.get() {
        RunStatus::Queued => Picture::Clock,
        RunStatus::Running => Picture::Busy,
        RunStatus::Finished => Picture::Check,
        RunStatus::Failed => Picture::Warning,
        RunStatus::Cancelled => Picture::Cancelled,
    });
    view! {
        <span class="status" data-status=word data-testid="run-status">
            <Icon picture=picture/>
            <span>{word}</span>
        </span>
    }
}

/// The same of a run that is watched: what was heard last of one at work on a server that does not answer may be old.
#[component]
pub(crate) fn RunStanding(
    /// The run.
    run: RunState,
) -> impl IntoView {
    let link = link();
    let unheard = Memo::new({
        let run = run.clone();
        move |_| run.origin == Origin::Server && !run.status().is_over() && link.get() == Link::Reconnecting
    });
    move || {
        if unheard.get() {
            return view! { <Unheard/> }.into_any();
        }
        let (run, same) = (run.clone(), run.clone());
        let status = Signal::derive(move || run.status());
        let refused = Signal::derive(move || same.is_refused());
        view! { <StatusBadge status=status refused=refused/> }.into_any()
    }
}

/// Since when nothing is known.
#[component]
fn Unheard() -> impl IntoView {
    let quiet_s = RwSignal::new(unheard_s());
    let tick = move || {
        quiet_s.try_set(unheard_s());
    };
    if let Ok(clock) = set_interval_with_handle(tick, Duration::from_secs(1)) {
        on_cleanup(move || clock.clear());
    }
    view! {
        <span class="status" data-status="unheard" data-testid="run-status">
            <Icon picture=Picture::Warning/>
            <span>{move || unheard_words(quiet_s.get())}</span>
        </span>
    }
}

fn unheard_words(seconds: f64) -> String {
    let ago = if seconds < 60.0 { format!("{:.0} s", seconds.floor()) } else { duration(seconds) };
    format!("not connected, last heard {ago} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_without_word_is_told_in_whole_seconds() {
        assert_eq!(unheard_words(12.9), "not connected, last heard 12 s ago");
        assert_eq!(unheard_words(75.0), "not connected, last heard 1 min 15 s ago");
    }
}
