//! Where a run stands, as a picture and a word.

use leptos::prelude::*;
use recspeed_types::api::RunStatus;

use super::{Icon, Picture};

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
