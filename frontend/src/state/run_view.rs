//! A run as its events tell it: the events go in one by one, in order, and what the page draws comes out.

use std::collections::BTreeMap;

use recspeed_types::api::Failure;
use recspeed_types::event::{BASELINES, MeasuredOn, MemoryBytes, Phase, Sent};
use recspeed_types::summary::{DataInfo, EngineInfo};
use recspeed_types::{EventKind, RunEvent, RunSummary};

use super::Ending;

/// Which curve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CurveKey {
    /// `loss`, or a metric's name.
    pub name: String,
    /// The rows that it was measured on.
    pub on: Rows,
}

/// [`MeasuredOn`] with an order: training, validation, test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rows {
    /// Rows that the recommender learns from.
    Train,
    /// Rows that steer the training.
    Validation,
    /// Rows held out to the end.
    Test,
}

impl From<MeasuredOn> for Rows {
    fn from(on: MeasuredOn) -> Self {
        match on {
            MeasuredOn::Train => Self::Train,
            MeasuredOn::Validation => Self::Validation,
            MeasuredOn::Test => Self::Test,
        }
    }
}

impl Rows {
    /// The name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// One number on a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Steps or iterations so far.
    pub step: u64,
    /// Epochs so far.
    pub epoch: f64,
    /// The number.
    pub value: f64,
}

/// How far the current phase is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
    /// What a unit is.
    pub unit: String,
}

/// What became of an event that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was the next one.
    Taken,
    /// It was known already.
    Known,
    /// Events before it are missing: ask for them.
    Gap,
}

/// A run as its events tell it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RunView {
    /// The position that is expected next.
    pub next_seq: u64,
    /// Microseconds since the start, of the newest event.
    pub at_us: u64,
    /// What runs it.
    pub engine: Option<EngineInfo>,
    /// What it runs on.
    pub data: Option<DataInfo>,
    /// The part that it is in.
    pub phase: Option<Phase>,
    /// How far that part is.
    pub progress: Option<Progress>,
    /// What was said of how long a step of that part will take.
    pub foretold: Option<String>,
    /// Every number so far.
    pub curves: BTreeMap<CurveKey, Vec<Point>>,
    /// Bytes by rank.
    pub memory: BTreeMap<u32, MemoryBytes>,
    /// What each rank sent, in the steps whose spans are told, or in all where none is.
    pub sent: BTreeMap<u32, Sent>,
    /// The first `span` events.
    pub spans: Vec<RunEvent>,
    /// What the reader must know.
    pub warnings: Vec<String>,
    /// What is worth reading.
    pub logs: Vec<String>,
    /// How it ended.
    pub ending: Option<Ending>,
}

/// Lines of log kept; the events themselves can be downloaded.
const MAX_LOGS: usize = 200;

/// Spans kept: the four steps that a run of 32 ranks measures, and the 16,384 collectives that all ranks tell at most.
const MAX_SPANS: usize = 27_000 + 16_384;

impl RunView {
    /// The view after a list of events in order.
    pub(crate) fn of<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> Self {
        let mut view = Self::default();
        for event in events {
            view.apply(event);
        }
        view
    }

    /// Takes the next event.
    pub(crate) fn apply(&mut self, event: &RunEvent) -> Applied {
        if event.seq < self.next_seq {
            return Applied::Known;
        }
        if event.seq > self.next_seq {
            return Applied::Gap;
        }
        self.next_seq += 1;
        self.at_us = self.at_us.max(event.at_us);
        match &event.kind {
            EventKind::Started { engine, .. } => self.restart(engine),
            EventKind::Phase { phase } => {
                self.phase = Some(*phase);
                self.progress = None;
                self.foretold = None;
            }
            EventKind::Progress { done, total, unit } => {
                // What was foretold is of the method itself.
                if unit == BASELINES {
                    self.foretold = None;
                }
                self.progress = Some(Progress { done: *done, total: *total, unit: unit.clone() });
            }
            EventKind::Data { data } => self.data = Some(data.clone()),
            EventKind::Metric { name, split, step, epoch, value } => {
                let key = CurveKey { name: name.clone(), on: Rows::from(*split) };
                let point = Point { step: *step, epoch: *epoch, value: *value };
                self.curves.entry(key).or_default().push(point);
            }
            EventKind::Memory { rank, bytes } => {
                // What the whole process holds after the training comes as the first rank's, without gradients.
                let trained = self.memory.get(rank).is_some_and(|known| known.gradients > 0);
                if bytes.gradients > 0 || !trained {
                    self.memory.insert(*rank, *bytes);
                }
            }
            EventKind::Traffic { rank, all, told } => {
                self.sent.insert(*rank, if told.steps > 0 { *told } else { *all });
            }
            EventKind::Log { message, seconds } => {
                if seconds.is_some() {
                    self.foretold = Some(message.clone());
                }
                if self.logs.len() < MAX_LOGS {
                    self.logs.push(message.clone());
                }
            }
            EventKind::Warning { message } => {
                if !self.warnings.contains(message) {
                    self.warnings.push(message.clone());
                }
            }
            EventKind::Span { .. } => {
                if self.spans.len() < MAX_SPANS {
                    self.spans.push(event.clone());
                }
            }
            EventKind::Checkpoint { .. } => {}
            EventKind::Finished { summary } => self.ending = Some(Ending::Finished(summary.clone())),
            EventKind::Failed { code, cause, detail, refusal } => {
                let (cause, detail, refusal) = (cause.clone(), detail.clone(), refusal.clone());
                self.ending = Some(Ending::Failed(Failure { code: *code, cause, detail, refusal }));
            }
        }
        Applied::Taken
    }

    /// A worker starts, perhaps again after a crash. Curves stay: a resumed run continues them, and a repeated one overwrites
    /// them from its first step on, see [`Self::curve`].
    fn restart(&mut self, engine: &EngineInfo) {
        self.engine = Some(engine.clone());
        self.phase = None;
        self.progress = None;
        self.foretold = None;
        self.ending = None;
        self.spans.clear();
    }

    /// The points of a curve with rising steps: where a restarted worker went back, its later points replace the old ones.
    pub(crate) fn curve(&self, key: &CurveKey) -> Vec<Point> {
        let mut kept: Vec<Point> = Vec::new();
        for point in self.curves.get(key).into_iter().flatten() {
            while kept.last().is_some_and(|last| last.step >= point.step) {
                kept.pop();
            }
            kept.push(*point);
        }
        kept
    }

    /// Names with at least one curve of two points or more: what can be drawn, `loss` first.
    pub(crate) fn drawable(&self) -> Vec<String> {
        loss_first(self.curves.iter().filter(|(_, points)| points.len() > 1).map(|(key, _)| key.name.clone()).collect())
    }

    /// The result, once there is one.
    pub(crate) fn summary(&self) -> Option<&RunSummary> {
        match &self.ending {
            Some(Ending::Finished(summary)) => Some(summary),
            _ => None,
        }
    }

    /// The share of the current phase that is done, where it says so.
    pub(crate) fn share(&self) -> Option<f64> {
        let progress = self.progress.as_ref().filter(|p| p.total > 0)?;
        Some((progress.done as f64 / progress.total as f64).clamp(0.0, 1.0))
    }
}

/// Names of curves in the order in which they are offered, each once.
pub(crate) fn loss_first(all: Vec<String>) -> Vec<String> {
    fn place(name: &str) -> (bool, &str) {
        (name != "loss", name)
    }
    let mut names: Vec<String> = Vec::new();
    for name in all {
        if let Err(at) = names.binary_search_by(|other| place(other).cmp(&place(&name))) {
            names.insert(at, name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use recspeed_types::RunId;

    use super::*;

    fn event(seq: u64, kind: EventKind) -> RunEvent {
        RunEvent { run: RunId::new("r").unwrap(), seq, at_us: seq * 10, kind }
    }

    fn loss(seq: u64, step: u64, value: f64) -> RunEvent {
        let (name, split, epoch) = ("loss".to_owned(), MeasuredOn::Train, step as f64);
        event(seq, EventKind::Metric { name, split, step, epoch, value })
    }

    #[test]
    fn a_repeated_event_changes_nothing_and_a_gap_is_told() {
        let mut view = RunView::default();
        assert_eq!(view.apply(&loss(0, 1, 0.5)), Applied::Taken);
        let before = view.clone();
        assert_eq!(view.apply(&loss(0, 1, 0.9)), Applied::Known);
        assert_eq!(view.apply(&loss(2, 3, 0.9)), Applied::Gap);
        assert_eq!(view, before);
        assert_eq!(view.apply(&loss(1, 2, 0.4)), Applied::Taken);
    }

    #[test]
    fn after_a_restart_the_later_points_hold() {
        let view =
            RunView::of(&[loss(0, 1, 0.9), loss(1, 2, 0.8), loss(2, 3, 0.7), loss(3, 2, 0.81), loss(4, 3, 0.71)]);
        let key = CurveKey { name: "loss".to_owned(), on: Rows::Train };
        let values: Vec<f64> = view.curve(&key).iter().map(|p| p.value).collect();
        assert_eq!(values, [0.9, 0.81, 0.71]);
    }

    #[test]
    fn a_phase_starts_without_progress() {
        let mut view = RunView::default();
        view.apply(&event(0, EventKind::Progress { done: 3, total: 4, unit: "rows".to_owned() }));
        assert_eq!(view.share(), Some(0.75));
        view.apply(&event(1, EventKind::Phase { phase: Phase::Fit }));
        assert_eq!(view.share(), None);
    }

    #[test]
    fn what_is_foretold_stands_as_long_as_its_part_and_other_logs_do_not() {
        let log = |seconds| EventKind::Log { message: "about an hour".to_owned(), seconds };
        let mut view = RunView::default();
        view.apply(&event(0, EventKind::Phase { phase: Phase::Evaluate }));
        view.apply(&event(1, log(None)));
        assert_eq!(view.foretold, None);
        view.apply(&event(2, log(Some(3600.0))));
        view.apply(&event(3, EventKind::Progress { done: 3, total: 4, unit: "users".to_owned() }));
        assert_eq!(view.foretold.as_deref(), Some("about an hour"));
        let mut beside = view.clone();
        beside.apply(&event(4, EventKind::Progress { done: 0, total: 1, unit: BASELINES.to_owned() }));
        assert_eq!(beside.foretold, None, "it was of the method itself");
        view.apply(&event(4, EventKind::Phase { phase: Phase::Fit }));
        assert_eq!(view.foretold, None);
    }

    #[test]
    fn loss_is_drawn_first_and_single_points_are_not_drawn() {
        let mut view = RunView::of(&[loss(0, 1, 0.9), loss(1, 2, 0.8)]);
        for (seq, step) in [(2, 1), (3, 2)] {
            let kind = EventKind::Metric {
                name: "accuracy".to_owned(),
                split: MeasuredOn::Validation,
                step,
                epoch: 1.0,
                value: 0.5,
            };
            view.apply(&event(seq, kind));
        }
        let kind =
            EventKind::Metric { name: "rmse".to_owned(), split: MeasuredOn::Test, step: 2, epoch: 1.0, value: 1.0 };
        view.apply(&event(4, kind));
        assert_eq!(view.drawable(), ["loss", "accuracy"]);
    }
}
