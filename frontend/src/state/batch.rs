//! Events arrive one by one, faster than anybody can look: they are applied together, a few times a second.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use recspeed_types::RunEvent;
use recspeed_types::api::RunStatus;

use super::run_view::Applied;
use super::{Ending, RunState};

/// The pause between two applications: long enough to draw in between, short enough to look alive.
const PAUSE: Duration = Duration::from_millis(60);

/// Collects a run's events and applies them together.
#[derive(Clone)]
pub(super) struct Batch {
    run: RunState,
    waiting: Rc<RefCell<Vec<RunEvent>>>,
    on_gap: Rc<dyn Fn(RunState)>,
}

impl Batch {
    /// A batch for `run`; `on_gap` is called when events are missing.
    pub(super) fn new(run: RunState, on_gap: impl Fn(RunState) + 'static) -> Self {
        Self { run, waiting: Rc::default(), on_gap: Rc::new(on_gap) }
    }

    /// Takes an event; it shows within a moment.
    pub(super) fn push(&self, event: RunEvent) {
        let first = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.push(event);
            waiting.len() == 1
        };
        if first {
            let batch = self.clone();
            set_timeout(move || batch.flush(), PAUSE);
        }
    }

    fn flush(&self) {
        let events = std::mem::take(&mut *self.waiting.borrow_mut());
        if apply(&self.run, &events) == Applied::Gap {
            (self.on_gap)(self.run.clone());
        }
    }
}

/// Applies events in order and lets the record follow; [`Applied::Gap`] when some are missing before the rest.
pub(super) fn apply(run: &RunState, events: &[RunEvent]) -> Applied {
    let mut outcome = Applied::Known;
    let known = run.view.with_untracked(|view| events.iter().all(|event| event.seq < view.next_seq));
    if !known {
        run.view.update(|view| {
            for event in events {
                match view.apply(event) {
                    Applied::Gap => {
                        outcome = Applied::Gap;
                        break;
                    }
                    Applied::Taken => outcome = Applied::Taken,
                    Applied::Known => {}
                }
            }
        });
    }
    settle(run);
    outcome
}

/// Lets the record say what the events say: a run in the tab has nobody else to tell it.
fn settle(run: &RunState) {
    let ending = run.view.with_untracked(|view| view.ending.clone());
    let over = run.record.with_untracked(|record| record.status.is_over());
    let Some(ending) = ending.filter(|_| !over) else { return };
    run.record.update(|record| {
        record.ended_ms = Some(js_sys::Date::now() as i64);
        match ending {
            Ending::Finished(summary) => {
                record.status = RunStatus::Finished;
                record.summary = Some(*summary);
            }
            Ending::Failed(failure) => {
                let cancelled = failure.code == recspeed_types::FailureCode::Cancelled;
                record.status = if cancelled { RunStatus::Cancelled } else { RunStatus::Failed };
                record.failure = Some(failure);
            }
        }
    });
}
