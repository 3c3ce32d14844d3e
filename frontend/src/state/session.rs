//! The runs of the lab page: the one that is shown, the curve of the one before it, and what else this tab has on the
//! server.

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

/// Whether a run says something beside the next one: its numbers, or its curve.
fn stays_in_sight(before: &ExperimentSpec, next: &ExperimentSpec) -> bool {
    super::lab::comparable(before, next) || super::lab::same_loss(before, next)
}

/// The runs of the lab page.
#[derive(Clone, Copy)]
pub(crate) struct Session {
    /// The run that is shown.
    pub current: RwSignal<Option<RunState>>,
    /// The run before it, whose curve stays as a ghost.
    pub ghost: RwSignal<Option<RunState>>,
    /// Runs that this tab has put into the server's queue and does not show, in that order. One that has ended stays here
    /// until the next begins.
    pub others: RwSignal<Vec<RunState>>,
}

/// Whether a run is still to end.
fn is_at_work(run: &RunState) -> bool {
    untrack(|| !run.status().is_over())
}

impl Session {
    /// Nothing to show yet.
    pub(crate) fn new() -> Self {
        Self { current: RwSignal::new(None), ghost: RwSignal::new(None), others: RwSignal::new(Vec::new()) }
    }

    /// A run that it still holds.
    pub(crate) fn held(self, origin: Origin, id: &RunId) -> Option<RunState> {
        let held = [self.current.get_untracked(), self.ghost.get_untracked()];
        let mut all = held.into_iter().flatten().chain(self.others.get_untracked());
        all.find(|run| run.origin == origin && run.id() == *id)
    }

    /// Shows a run that begins.
    pub(crate) fn begin(self, run: RunState) {
        self.others.update(|others| others.retain(is_at_work));
        self.show(run);
    }

    /// Takes a run that the server has put into its queue: it is shown, unless another one is at work, beside which it
    /// waits then. Whether it is shown.
    pub(crate) fn queue(self, run: RunState) -> bool {
        let behind = self.current.with_untracked(|current| current.as_ref().is_some_and(is_at_work));
        if behind {
            self.others.update(|others| {
                others.retain(is_at_work);
                others.push(run);
            });
        } else {
            self.begin(run);
        }
        !behind
    }

    /// Shows a run. The one before it becomes the ghost where it is one; on the server it goes on, and is not lost from
    /// sight.
    pub(crate) fn show(self, run: RunState) {
        let before = self.current.get_untracked().filter(|before| *before != run);
        self.others.update(|others| {
            others.retain(|other| *other != run);
            others.extend(before.clone().filter(|before| before.origin == Origin::Server && is_at_work(before)));
        });
        let is_ghost = |old: &RunState| {
            let spec = |of: &RunState| of.record.with_untracked(|record| record.spec.clone());
            let has_curves = old.view.with_untracked(|view| !view.curves.is_empty());
            *old != run && has_curves && !is_at_work(old) && stays_in_sight(&spec(old), &spec(&run))
        };
        let ghost = [before, self.ghost.get_untracked()].into_iter().flatten().find(is_ghost);
        self.ghost.set(ghost);
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
    use recspeed_types::spec::{Loss, RecommenderSpec, SplitKind, SplitSpec};

    use super::*;

    #[test]
    fn a_ghost_is_a_run_of_the_same_data_and_split_and_a_curve_one_of_the_same_loss_as_well() {
        let plain = ExperimentSpec::default();
        let mut longer = plain.clone();
        longer.training.epochs = Some(9);
        let mut data = plain.clone();
        data.dataset.sample = Some(500);
        let split = ExperimentSpec { split: SplitSpec::of(SplitKind::LeaveLastOut), ..plain.clone() };
        let method = ExperimentSpec { recommender: RecommenderSpec::new("item-mean"), ..plain.clone() };
        let told = |next: &ExperimentSpec| (stays_in_sight(&plain, next), crate::state::same_loss(&plain, next));
        assert_eq!(told(&longer), (true, true));
        assert_eq!(told(&method), (true, false), "its numbers can be compared, and it has no loss");
        assert_eq!([&data, &split].map(told), [(false, false); 2]);
        let by = |kind: &str| ExperimentSpec { recommender: RecommenderSpec::new(kind), ..plain.clone() };
        let mut loss = plain.clone();
        loss.training.loss = Some(Loss::Mae);
        assert_eq!(told(&loss), (true, false), "another loss");
        loss.training.loss = Some(Loss::Mse);
        assert_eq!(told(&loss), (true, true), "the loss that it has anyway, said");
        assert!(!crate::state::same_loss(&by("nmf"), &by("als-explicit")), "each counts down its own");
        assert!(crate::state::same_loss(&by("nmf"), &by("nmf")));
        // Another seed learns from other rows, and its curve is still one of the same loss.
        assert_eq!(told(&ExperimentSpec { seed: 7, ..plain.clone() }), (true, true));
    }
}
