//! How far a run is: the bar, and the words for those who listen.

use leptos::prelude::*;
use recspeed_types::api::RunStatus;
use recspeed_types::event::{BASELINES, Phase};
use recspeed_types::sentence;

use super::silence::Silence;
use crate::charts::{count, duration, share};
use crate::state::{Progress, RunState};

/// A phase for people.
const fn title(phase: Option<Phase>) -> &'static str {
    match phase {
        None => "Starting",
        Some(Phase::Load) => "Loading the data",
        Some(Phase::Fit) => "Learning",
        Some(Phase::Evaluate) => "Measuring",
    }
}

/// Which of its parts a run is at, from 1; 0 before the first.
const fn step(phase: Option<Phase>) -> u32 {
    match phase {
        None => 0,
        Some(Phase::Load) => 1,
        Some(Phase::Fit) => 2,
        Some(Phase::Evaluate) => 3,
    }
}

/// The parts of the bar, each from 0 to 1: what is behind is full, what is ahead is empty, and the part at work is as full as
/// the words beside it say.
fn parts(phase: Option<Phase>, share: Option<f64>) -> [f64; 3] {
    [1, 2, 3].map(|part| match part.cmp(&step(phase)) {
        std::cmp::Ordering::Less => 1.0,
        std::cmp::Ordering::Equal => share.unwrap_or(0.0),
        std::cmp::Ordering::Greater => 0.0,
    })
}

/// What a run is at, for people: what stands beside its result is measured when the method itself is.
fn doing(phase: Option<Phase>, progress: Option<&Progress>) -> &'static str {
    match progress {
        Some(at) if at.unit == BASELINES => "Measuring the baselines",
        _ => title(phase),
    }
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
        Memo::new(move |_| run.view.with(|view| parts(view.phase, view.share())))
    };
    let foretold = {
        let run = run.clone();
        Memo::new(move |_| run.view.with(|view| view.foretold.clone()))
    };
    let elapsed = {
        let run = run.clone();
        Memo::new(move |_| run.view.with(|view| view.at_us) as f64 / 1e6)
    };
    let queue = {
        let run = run.clone();
        Memo::new(move |_| {
            run.record.with(|record| (record.queue_position, record.starts_in_s, record.waits_for_study.clone()))
        })
    };
    let waiting = move || {
        let (place, starts, study) = queue.get();
        let place =
            place.map_or_else(|| "Waiting for a free slot".to_owned(), |place| format!("Number {place} in the queue"));
        if let Some(study) = study {
            return format!("{place}: the study {study} has the machine to itself");
        }
        starts.map_or(place.clone(), |s| format!("{place}, starts in about {}", duration(s)))
    };
    let words = move || progress.with(|progress| doing(phase.get(), progress.as_ref()));
    // The spoken text changes with the phase and in tenths of it, not with every batch.
    let spoken = Memo::new(move |_| {
        if status.get() == RunStatus::Queued {
            return waiting();
        }
        let at = step(phase.get());
        let done = done.get().get((at as usize).wrapping_sub(1)).copied().unwrap_or(0.0);
        let tenths = (done * 10.0).floor() / 10.0;
        if at == 0 { title(None).to_owned() } else { format!("Part {at} of 3: {}, {} done", words(), share(tenths)) }
    });
    view! {
        <div class="progress" data-testid="run-progress">
            <div class="progress-head">
                <strong>{move || if status.get() == RunStatus::Queued { waiting() } else { words().to_owned() }}</strong>
                <span class="progress-detail">{move || detail(progress.get().as_ref())}</span>
                <span class="progress-time">{move || (elapsed.get() > 0.0).then(|| duration(elapsed.get()))}</span>
            </div>
            <div class="progress-parts">
                {[Phase::Load, Phase::Fit, Phase::Evaluate].map(|part| view! {
                    <progress
                        max="1"
                        prop:value=move || done.get()[step(Some(part)) as usize - 1]
                        aria-label=title(Some(part))
                        title=title(Some(part))
                    ></progress>
                }).collect_view()}
            </div>
            {move || foretold.get().map(|text| view! { <p class="progress-detail" data-testid="foretold">{sentence(&text)}</p> })}
            <p class="visually-hidden" role="status" aria-live="polite">{move || spoken.get()}</p>
            <Silence run=run/>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_a_result_is_measured_under_its_own_name() {
        let of =
            |unit: &str| doing(Some(Phase::Evaluate), Some(&Progress { done: 0, total: 2, unit: unit.to_owned() }));
        assert_eq!([of("users"), of(BASELINES)], ["Measuring", "Measuring the baselines"]);
        assert_eq!([doing(None, None), doing(Some(Phase::Fit), None)], ["Starting", "Learning"]);
    }

    #[test]
    fn the_part_at_work_is_as_full_as_the_words_say_and_nothing_goes_back() {
        assert_eq!(parts(Some(Phase::Fit), Some(0.075)), [1.0, 0.075, 0.0]);
        let stages = [None, Some(Phase::Load), Some(Phase::Fit), Some(Phase::Evaluate)];
        let fullness: Vec<f64> = stages
            .iter()
            .flat_map(|phase| [parts(*phase, None), parts(*phase, Some(1.0))])
            .map(|parts| parts.iter().sum())
            .collect();
        assert!(fullness.windows(2).all(|pair| pair[0] <= pair[1]), "{fullness:?}");
        assert_eq!(fullness.last(), Some(&3.0));
    }
}
