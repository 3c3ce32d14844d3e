//! The finished run that a first visit shows: baked into the page for an instant start, then the server's own.

use recspeed_types::api::RunRecord;
use recspeed_types::{RunEvent, RunId};
use serde::Deserialize;
use serde_json::Value;

use super::{Lab, Origin, RunState, RunView, api};
use crate::form::SpecDraft;
use leptos::prelude::*;

/// `showcase.json`: a real run, as it was recorded.
#[derive(Deserialize)]
struct Recording {
    record: RunRecord,
    events: Vec<RunEvent>,
    /// What its model answered; nothing where a server tells of the run.
    #[serde(default)]
    asked: Option<Value>,
}

/// Shows the run that was recorded when the page was built. Without the file the page opens empty, and says how to start.
pub(super) async fn load_baked(lab: Lab) {
    let Ok(text) = api::static_text("/showcase.json").await else { return };
    let Ok(recording) = recspeed_types::api::read::<Recording>(&text) else { return };
    show(lab, recording);
}

/// Shows the run that the server names.
pub(super) async fn load_stored(lab: Lab, id: RunId) {
    let known = lab.session.current.with_untracked(|run| run.as_ref().is_some_and(|run| run.id() == id));
    if known {
        return;
    }
    let Ok(record) = api::run(&id).await else { return };
    let Ok(events) = api::events(&id, 0).await else { return };
    show(lab, Recording { record, events, asked: None });
}

/// Shows the run that the reader forked: its curve is what the next one is held against.
pub(super) async fn load_parent(lab: Lab, id: RunId) {
    // A run that is gone, or not for this reader, leaves the page as it is: the spec came with the link.
    let Ok(record) = api::run(&id).await else { return };
    let Ok(events) = api::events(&id, 0).await else { return };
    let view = RunView::of(&events);
    let run = RunState::new(Origin::Server, record, view);
    if untrack(|| run.status().is_over()) {
        lab.session.show_parent(run);
    }
}

/// Where this tab remembers the run that it last started on the server.
const LAST: &str = "recspeed-run";

fn storage() -> Option<web_sys::Storage> {
    window().session_storage().ok().flatten()
}

/// Remembers a run that was started on the server, until this tab is closed.
pub(super) fn remember(id: &RunId) {
    // A browser that refuses storage forgets it with the next reload.
    let _ = storage().map(|storage| storage.set_item(LAST, id.as_str()));
}

/// Shows the run that this tab started before it was loaded again, while that is at work.
pub(super) async fn load_remembered(lab: Lab) {
    let id = storage().and_then(|storage| storage.get_item(LAST).ok().flatten()).and_then(|id| RunId::new(id).ok());
    let Some(id) = id else { return };
    if let Ok(record) = api::run(&id).await
        && !record.status.is_over()
    {
        let run = super::live::follow(RunState::new(Origin::Server, record, RunView::default()));
        lab.session.show_parent(run);
    }
}

fn show(lab: Lab, recording: Recording) {
    let mut spec = recording.record.spec.clone();
    // The name belongs to the recorded run; what the reader makes of it is something else.
    spec.name.clear();
    let opened_by_link = super::location::has_permalink() && lab.link_error.with_untracked(Option::is_none);
    if opened_by_link && lab.draft.with_untracked(|draft| !super::same_experiment(draft.spec(), &spec)) {
        // Whoever comes with an experiment of their own sees that one, not ours.
        return;
    }
    let view = RunView::of(&recording.events);
    lab.session.show_example(RunState::new(Origin::Showcase, recording.record, view).with_answers(recording.asked));
    // A visitor without a link of their own starts from what they see.
    let untouched = lab.draft.with_untracked(|draft| *draft == SpecDraft::default());
    if untouched && !opened_by_link {
        lab.load_spec(spec);
    }
}
