//! Where a run stands, as a picture and a word.

use leptos::prelude::*;
use recspeed_types::api::RunStatus;

use super::{Icon, Picture};

/// Picture and word of a status.
#[component]
pub(crate) fn StatusBadge(
    /// The status.
    #[prop(into)]
    status: Signal<RunStatus>,
) -> impl IntoView {
    let picture = Signal::derive(move || match status.get() {
        RunStatus::Queued => Picture::Clock,
        RunStatus::Running => Picture::Busy,
        RunStatus::Finished => Picture::Check,
        RunStatus::Failed => Picture::Warning,
        RunStatus::Cancelled => Picture::Cancelled,
    });
    view! {
        <span class="status" data-status=move || status.get().as_str() data-testid="run-status">
            <Icon picture=picture/>
            <span>{move || status.get().as_str()}</span>
        </span>
    }
}
