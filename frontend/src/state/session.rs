//! The runs of the lab page: the one that is shown, and the curve of the one before it.

use std::sync::Arc;

use leptos::prelude::*;
use recspeed_types::api::{Failure, RunRecord, RunStatus};
use recspeed_types::{ExperimentSpec, FailureCode, RunId};
use serde_json::Value;

use super::{Ending, RunView};

/// Where a run happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A stored, finished run that a first visit shows.
    Showcase,
    /// In this tab; nothing is stored.
    Tab,
    /// On the server, stored there.
    Server,
}

/// A run that the page shows: what is stored about it, and what its events tell.
#[derive(Clone)]
pub(crate) struct RunState {
    /// Where it happens.
    pub origin: Origin,
    /// The record; made up here for a run in the tab.
    pub record: ArcRwSignal<RunRecord>,
    /// What its events tell.
    pub view: ArcRwSignal<RunView>,
    /// What its model answered when it was recorded: `RecordedAnswers`, read by name.
    pub recorded: Option<Arc<Value>>,
}

impl PartialEq for RunState {
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record
    }
}

impl RunState {
    /// A run with its events so far.
    pub(crate) fn new(origin: Origin, record: RunRecord, view: RunView) -> Self {
        Self { origin, record: ArcRwSignal::new(record), view: ArcRwSignal::new(view), recorded: None }
    }

    /// The same with what its model answered when it was recorded.
    pub(crate) fn with_answers(self, recorded: Option<Value>) -> Self {
        Self { recorded: recorded.map(Arc::new), ..self }
    }

    /// A run that begins in this tab.
    pub(crate) fn in_tab(id: RunId, spec: ExperimentSpec, parent: Option<RunId>, now_ms: i64) -> Self {
        let record = RunRecord {
            id,
            status: RunStatus::Running,
            spec,
            created_ms: now_ms,
            started_ms: Some(now_ms),
            ended_ms: None,
            queue_position: None,
            starts_in_s: None,
            waits_for_study: None,
            attempts: 1,
            parent,
            summary: None,
            failure: None,
            model: None,
        };
        Self::new(Origin::Tab, record, RunView::default())
    }

    /// Its name in links.
    pub(crate) fn id(&self) -> RunId {
        self.record.with_untracked(|record| record.id.clone())
    }

    /// The status as told by the record or, sooner, by the events.
    pub(crate) fn status(&self) -> RunStatus {
        let stored = self.record.with(|record| record.status);
        if stored.is_over() {
            return stored;
        }
        self.view.with(|view| match &view.ending {
            Some(Ending::Finished(_)) => RunStatus::Finished,
            Some(Ending::Failed(failure)) if failure.code == FailureCode::Cancelled => RunStatus::Cancelled,
            Some(Ending::Failed(_)) => RunStatus::Failed,
            None if view.next_seq > 0 => RunStatus::Running,
            None => stored,
        })
    }

    /// Why it failed, when it did.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let told = self.view.with(|view| match &view.ending {
            Some(Ending::Failed(failure)) => Some(failure.clone()),
            _ => None,
        });
        told.or_else(|| self.record.with(|record| record.failure.clone()))
    }

    /// Whether it was refused before any work.
    pub(crate) fn is_refused(&self) -> bool {
        self.failure().is_some_and(|failure| failure.refusal.is_some())
    }
}

/// Whether two experiments learn by the same loss from the same rows, so that their curves can be held against each other.
fn is_of_one_kind(one: &ExperimentSpec, other: &ExperimentSpec) -> bool {
    let loss = |spec: &ExperimentSpec| {
        let usual = || recspeed_types::catalogue::find(&spec.recommender.kind)?.losses.first().copied();
        spec.training.loss.or_else(usual)
    };
    // What a method without a choice of losses counts down is its own.
    let one_loss = loss(one) == loss(other) && (loss(one).is_some() || one.recommender.kind == other.recommender.kind);
    one_loss && one.dataset == other.dataset && one.split == other.split
}

/// The name of an experiment for people: its own, or its recommender on the data set of this name.
pub(super) fn title_on(spec: &ExperimentSpec, dataset: &str) -> String {
    if !spec.name.is_empty() {
        return spec.name.clone();
    }
    let method = recspeed_types::catalogue::find(&spec.recommender.kind)
        .map_or(spec.recommender.kind.as_str(), |entry| entry.title);
    format!("{method} on {dataset}")
}

/// The name of its data set for people.
pub(crate) fn dataset_title(spec: &ExperimentSpec) -> String {
    let given = spec.dataset.id.as_deref().unwrap_or_default();
    match (&spec.dataset.path, recspeed_types::builtin::find(given)) {
        (_, Some(builtin)) => builtin.title.to_owned(),
        (Some(path), None) => path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned(),
        (None, None) => format!("upload {}", given.chars().take(8).collect::<String>()),
    }
}

/// The runs of the lab page.
#[derive(Clone, Copy)]
pub(crate) struct Session {
    /// The run that is shown.
    pub current: RwSignal<Option<RunState>>,
    /// The run before it, whose curve stays as a ghost.
    pub ghost: RwSignal<Option<RunState>>,
}

impl Session {
    /// Nothing to show yet.
    pub(crate) fn new() -> Self {
        Self { current: RwSignal::new(None), ghost: RwSignal::new(None) }
    }

    /// A run that it still holds.
    pub(crate) fn held(self, origin: Origin, id: &RunId) -> Option<RunState> {
        let held = [self.current.get_untracked(), self.ghost.get_untracked()];
        held.into_iter().flatten().find(|run| run.origin == origin && run.id() == *id)
    }

    /// Shows a run that begins; the one before it becomes the ghost when it has something to draw or to compare. Curves of other rows or
    /// of another loss are held against nothing.
    pub(crate) fn begin(self, run: RunState) {
        let before = self.current.get_untracked().into_iter().chain(self.ghost.get_untracked()).find(|before| {
            let alike = |spec: &ExperimentSpec| run.record.with_untracked(|record| is_of_one_kind(spec, &record.spec));
            before.view.with_untracked(|view| !view.curves.is_empty())
                && before.record.with_untracked(|record| alike(&record.spec))
        });
        self.ghost.set(before);
        self.current.set(Some(run));
    }

    /// Takes the stored example away where another experiment is opened: it has nothing to do with that.
    pub(crate) fn leave_example(self, opened: &ExperimentSpec) {
        let foreign = self.current.with_untracked(|current| {
            current.as_ref().is_some_and(|run| {
                run.origin == Origin::Showcase
                    && run.record.with_untracked(|record| !super::same_experiment(&record.spec, opened))
            })
        });
        if foreign {
            self.current.set(None);
        }
    }

    /// Shows the run that the reader goes on from, unless one is at work.
    pub(crate) fn show_parent(self, run: RunState) {
        let at_work = self
            .current
            .with_untracked(|current| current.as_ref().is_some_and(|run| untrack(|| !run.status().is_over())));
        if !at_work {
            self.current.set(Some(run));
        }
    }

    /// Shows a stored example as long as the reader has not run anything.
    pub(crate) fn show_example(self, run: RunState) {
        let untouched = self.current.with_untracked(|c| c.as_ref().is_none_or(|c| c.origin == Origin::Showcase));
        if untouched {
            self.current.set(Some(run));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::spec::{Loss, RecommenderSpec};

    fn of(kind: &str) -> ExperimentSpec {
        ExperimentSpec { recommender: RecommenderSpec::new(kind), ..ExperimentSpec::default() }
    }

    #[test]
    fn curves_are_held_against_each_other_where_rows_and_loss_are_the_same() {
        let [mlp, mut other] = [of("mlp"), of("mlp")];
        other.training.learning_rate = Some(0.01);
        assert!(is_of_one_kind(&mlp, &other));
        other.training.loss = Some(Loss::Mae);
        assert!(!is_of_one_kind(&mlp, &other), "another loss");
        other.training.loss = Some(Loss::Mse);
        assert!(is_of_one_kind(&mlp, &other), "the loss that it has anyway, said");
        let mut elsewhere = of("mlp");
        elsewhere.dataset.id = Some("beauty-synthetic".to_owned());
        assert!(!is_of_one_kind(&mlp, &elsewhere), "other rows");
        assert!(!is_of_one_kind(&of("nmf"), &of("als-explicit")), "each counts down its own");
        assert!(is_of_one_kind(&of("nmf"), &of("nmf")));
    }
}
