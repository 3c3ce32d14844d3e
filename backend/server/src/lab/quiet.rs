//! Turns of the whole machine: what is measured in one is not slowed down by runs.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::LabError;

/// The machine, without runs as long as this is kept.
#[derive(Debug)]
pub struct QuietMachine {
    _held: oneshot::Sender<()>,
}

/// Somebody who waits for that.
pub(super) struct Waiter {
    /// What for: the name of a study.
    study: &'static str,
    answer: oneshot::Sender<QuietMachine>,
}

/// The turn of somebody who stands in the line.
#[derive(Debug)]
pub struct Turn(oneshot::Receiver<QuietMachine>);

impl Turn {
    /// Waits for it.
    ///
    /// # Errors
    /// [`LabError::Ending`].
    pub async fn come(self) -> Result<QuietMachine, LabError> {
        self.0.await.map_err(|_| LabError::Ending)
    }
}

/// A waiter, and what hears of its turn.
pub(super) fn turn(study: &'static str) -> (Waiter, Turn) {
    let (answer, turn) = oneshot::channel();
    (Waiter { study, answer }, Turn(turn))
}

/// Who has the machine, and who waits for it.
#[derive(Default)]
pub(super) struct Quiet {
    waiting: VecDeque<Waiter>,
    /// Ends when the one who has it leaves.
    held: Option<(&'static str, oneshot::Receiver<()>)>,
}

impl Quiet {
    /// Comes last.
    pub(super) fn wait(&mut self, waiter: Waiter) {
        self.waiting.push_back(waiter);
    }

    /// The study for which no run may start. `idle` says that none is at work: then the next one has the machine.
    pub(super) fn wanted_by(&mut self, idle: bool) -> Option<&'static str> {
        while self.held.is_none() {
            // Who went away does not want it any more.
            self.waiting.retain(|waiter| !waiter.answer.is_closed());
            if self.waiting.is_empty() || !idle {
                break;
            }
            let Some(waiter) = self.waiting.pop_front() else { break };
            let (held, left) = oneshot::channel();
            if waiter.answer.send(QuietMachine { _held: held }).is_ok() {
                self.held = Some((waiter.study, left));
            }
        }
        let held = self.held.as_ref().map(|(study, _)| *study);
        held.or_else(|| self.waiting.front().map(|waiter| waiter.study))
    }

    /// Waits until the one who has the machine leaves, or the first one who waits goes away.
    pub(super) async fn left(&mut self) {
        match (&mut self.held, self.waiting.front_mut()) {
            (Some((_, left)), _) => {
                // It is never sent: it is dropped.
                let _ = left.await;
                self.held = None;
            }
            (None, Some(first)) => first.answer.closed().await,
            (None, None) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_machine_is_one_persons_at_a_time_and_no_run_starts_meanwhile() {
        let mut quiet = Quiet::default();
        assert_eq!(quiet.wanted_by(true), None, "nobody asked");
        let ((first, one), (second, two), (third, three)) = (turn("one"), turn("two"), turn("three"));
        let (mut one, mut two, mut three) = (one.0, two.0, three.0);
        for waiter in [first, second, third] {
            quiet.wait(waiter);
        }
        assert!(quiet.wanted_by(false) == Some("one") && one.try_recv().is_err(), "a run is at work");
        assert_eq!(quiet.wanted_by(true), Some("one"));
        let has = one.try_recv().unwrap();
        assert!(two.try_recv().is_err());
        drop((has, two));
        quiet.left().await;
        assert_eq!(quiet.wanted_by(true), Some("three"), "the second one went away, so the third one has it");
        drop(three.try_recv().unwrap());
        quiet.left().await;
        assert_eq!(quiet.wanted_by(true), None);
    }
}
