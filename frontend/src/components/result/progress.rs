//! How far a run is: the bar, and the words for those who listen.

use leptos::prelude::*;
use recspeed_types::api::RunStatus;
use recspeed_types::event::Phase;

use crate::charts::{count, duration, share};
use crate::state::{Link, Origin, Progress, RunState, link};

/// A phase for people.
const fn title(phase: Option<Phase>) -> &'static str {
    match phase {
        None => "Starting",
        Some(Phase::Load) => "Loading the data",
        Some(Phase::Fit) => "Learning",
        Some(Phase::Evaluate) => "Measuring",
    }
}

/// The position of the bar from 0 to 1 over all phases, as people feel them: most of a run is learning.
fn overall(phase: Option<Phase>, share: Option<f64>) -> f64 {
    let (from, to) = match phase {
        None => (0.0, 0.02),
        Some(Phase::Load) => (0.02, 0.15),
        Some(Phase::Fit) => (0.15, 0.85),
        Some(Phase::Evaluate) => (0.85, 1.0),
    };
    from + (to - from) * share.unwrap_or(0.0)
}

fn detail(progress: Option<&Progress>) -> String {
    progress.map_or_else(String::new, |p| format!("{} of {} {}", count(p.done), count(p.total), p.unit))
}

/// The bar of a run that is not over.
#[component]
pub(crate) fn ProgressLine(
    /// The run.
    run: RunState,
) -> impl IntoView {
    let status = {
        let run = run.clone();
        Memo::new(move |_| run.status())
    };
    let phase = {
        let run = run.clone();
        Memo::new(move |_| run.view.with(|view| view.phase))
    };
    let progress = {
        let run = run.clone();
        Memo::new(move |_| run.view.with(|view| view.progress.clone()))
    };
    let done = {
        let run = run.clone();
        Memo::new(move |_| run.view.with(|view| overall(view.phase, view.share())))
    };
    let elapsed = {
        let run = run.clone();
        Memo::new(move |_| run.view.with(|view| view.at_us) as f64 / 1e6)
    };
    let queue = {
        let run = run.clone();
        Memo::new(move |_| run.record.with(|record| (record.queue_position, record.starts_in_s)))
    };
    let waiting = move || {
        let (place, starts) = queue.get();
        let place =
            place.map_or_else(|| "Waiting for a free slot".to_owned(), |place| format!("Number {place} in the queue"));
        starts.map_or(place.clone(), |s| format!("{place}, starts in about {}", duration(s)))
    };
    // The spoken text changes with the phase and in tenths of it, not with every batch.
    let spoken = Memo::new(move |_| {
        if status.get() == RunStatus::Queued {
            return waiting();
        }
        let tenths = (done.get() * 10.0).floor() / 10.0;
        format!("{}, {} of the run done", title(phase.get()), share(tenths))
    });
    let server = run.origin == Origin::Server;
    let link = link();
    view! {
        <div class="progress" data-testid="run-progress">
            <div class="progress-head">
                <strong>{move || if status.get() == RunStatus::Queued { waiting() } else { title(phase.get()).to_owned() }}</strong>
                <span class="progress-detail">{move || detail(progress.get().as_ref())}</span>
                <span class="progress-time">{move || (elapsed.get() > 0.0).then(|| duration(elapsed.get()))}</span>
            </div>
            <progress max="1" prop:value=move || done.get() aria-label="Progress of the run"></progress>
            <p class="visually-hidden" role="status" aria-live="polite">{move || spoken.get()}</p>
            <Show when=move || server && link.get() == Link::Reconnecting>
                <p class="note" role="status">"The connection is interrupted. The run goes on; this page connects again by itself."</p>
            </Show>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_never_goes_back_from_phase_to_phase() {
        let stages = [None, Some(Phase::Load), Some(Phase::Fit), Some(Phase::Evaluate)];
        let places: Vec<f64> =
            stages.iter().flat_map(|phase| [overall(*phase, None), overall(*phase, Some(1.0))]).collect();
        assert!(places.windows(2).all(|pair| pair[0] <= pair[1]), "{places:?}");
        assert_eq!(places.last(), Some(&1.0));
    }
}
