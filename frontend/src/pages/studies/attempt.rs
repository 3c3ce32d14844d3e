//! The button that measures a study again, and how that goes.

use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::api::{StudyAttempt, StudyPage, StudyStatus};

use super::status_words;
use crate::charts::capital;
use crate::components::{Icon, Picture};
use crate::state::{Looker, api, use_lab};

/// The button and what has become of the last press.
#[component]
pub(super) fn Attempt(
    /// The study as the server has it.
    found: Memo<Option<StudyPage>>,
    /// Whether the server does not answer right now.
    silent: RwSignal<bool>,
    /// Hears what the server answered.
    #[prop(into)]
    answer: Callback<StudyPage>,
) -> impl IntoView {
    let lab = use_lab();
    let asking = RwSignal::new(false);
    let refusal = RwSignal::new(None::<String>);
    let attempt = Memo::new(move |_| found.with(|found| found.as_ref().and_then(|found| found.study.attempt.clone())));
    let at_work = Memo::new(move |_| attempt.with(|a| a.as_ref().is_some_and(|a| !a.status.is_over())));
    let measured = Memo::new(move |_| found.with(|found| found.as_ref().is_some_and(|found| found.report.is_some())));
    let owner = Memo::new(move |_| lab.is_owner());
    let guest = Memo::new(move |_| lab.looker() == Looker::Guest);
    // One button, so that the reader's place stays where it is.
    let press = move |_| {
        let name = found.with_untracked(|found| found.as_ref().map(|found| found.study.name.clone()));
        let Some(name) = name.filter(|_| !asking.get_untracked()) else { return };
        let stop = at_work.get_untracked();
        asking.set(true);
        refusal.set(None);
        spawn_local(async move {
            let told = if stop { api::cancel_study(&name).await } else { api::run_study(&name).await };
            asking.try_set(false);
            match told {
                // Nobody hears it where the page was left meanwhile.
                Ok(found) => {
                    answer.try_run(found);
                }
                Err(error) => {
                    refusal.try_set(Some(error.to_string()));
                }
            }
        });
    };
    let label = move || match (at_work.get(), measured.get()) {
        (true, _) => "Cancel",
        (false, true) => "Run again on this machine",
        (false, false) => "Measure here",
    };
    let picture = Signal::derive(move || match (at_work.get(), measured.get()) {
        (true, _) => Picture::Stop,
        (false, true) => Picture::Retry,
        (false, false) => Picture::Play,
    });
    view! {
        <div class="study-attempt">
            <Show when=move || owner.get()>
                <button
                    type="button"
                    class="button"
                    class:primary=move || !at_work.get()
                    data-testid="study-run"
                    aria-disabled=move || asking.get().to_string()
                    on:click=press
                >
                    <Icon picture=picture/>
                    <span>{label}</span>
                </button>
            </Show>
            <p class="note" hidden=move || !owner.get() || measured.get() || at_work.get()>
                "It takes minutes, and runs while nothing else does. Engines that are not installed are rows that say so."
            </p>
            <p class="note" hidden=move || !guest.get()>"Measuring needs the owner’s link, which “recspeed serve” printed at its start."</p>
            <div class="study-progress" role="status" data-testid="study-status" data-status=move || attempt.with(|a| a.as_ref().map(|a| word(a.status)))>
                {move || attempt.get().and_then(|attempt| told(&attempt))}
                {move || attempt.get().filter(|attempt| attempt.status == StudyStatus::Running).and_then(|attempt| attempt.progress).map(|at| view! {
                    <p class="study-done" data-testid="study-progress">
                        <progress max=at.total.to_string() prop:value=f64::from(at.done) aria-label="Measurements made"></progress>
                        <span>{format!("{} of {} measurements", at.done, at.total)}</span>
                    </p>
                })}
                {move || silent.get().then(|| view! { <p class="note">"The server does not answer; it is asked again."</p> })}
            </div>
            {move || attempt.get().filter(|attempt| !attempt.said.is_empty() && attempt.status != StudyStatus::Finished).map(|attempt| view! {
                <details class="log" data-testid="study-said">
                    <summary>"What it says"</summary>
                    <ul>{attempt.said.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul>
                </details>
            })}
            {move || refusal.get().map(|text| view! {
                <div class="message message-error" role="alert" data-testid="study-refused"><Icon picture=Picture::Warning/><p>{text}</p></div>
            })}
        </div>
    }
}

const fn word(status: StudyStatus) -> &'static str {
    match status {
        StudyStatus::Waiting => "waiting",
        StudyStatus::Running => "running",
        StudyStatus::Finished => "finished",
        StudyStatus::Failed => "failed",
        StudyStatus::Cancelled => "cancelled",
        StudyStatus::Interrupted => "interrupted",
    }
}

/// How an attempt goes or ended; nothing of one that the report speaks for.
fn told(attempt: &StudyAttempt) -> Option<AnyView> {
    let words = match attempt.status {
        StudyStatus::Finished => return None,
        StudyStatus::Waiting => "Waits until the runs at work have ended. None starts before the study has.".to_owned(),
        StudyStatus::Running => {
            let last =
                attempt.said.last().cloned().unwrap_or_else(|| "The first measurement is on its way.".to_owned());
            let since = attempt.started_ms.map(|ms| format!(" since {}", crate::pages::runs::when(ms)));
            format!("Measures{}. {last}", since.unwrap_or_default())
        }
        StudyStatus::Failed | StudyStatus::Cancelled | StudyStatus::Interrupted => {
            let cause = attempt.cause.clone().unwrap_or_default();
            format!("{}. {cause}", capital(status_words(attempt)))
        }
    };
    let bad = matches!(attempt.status, StudyStatus::Failed | StudyStatus::Interrupted);
    let picture = match attempt.status {
        StudyStatus::Waiting => Picture::Clock,
        StudyStatus::Running => Picture::Busy,
        StudyStatus::Cancelled => Picture::Cancelled,
        _ => Picture::Warning,
    };
    Some(
        view! { <p class:message=bad class:study-going=!bad><Icon picture=picture/><span>{words}</span></p> }
            .into_any(),
    )
}
