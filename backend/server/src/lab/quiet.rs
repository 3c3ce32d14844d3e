//! Turns of the whole machine: what is measured in one is not slowed down by runs.

use std::collections::VecDeque;

use tokio::sync::oneshot;

/// The machine, without runs as long as this is kept.
#[derive(Debug)]
pub struct QuietMachine {
    _held: oneshot::Sender<()>,
}

/// Somebody who waits for that.
pub(super) struct Waiter {
    answer: oneshot::Sender<QuietMachine>,
}

/// A waiter, and what hears of its turn.
pub(super) fn turn() -> (Waiter, oneshot::Receiver<QuietMachine>) {
    let (answer, turn) = oneshot::channel();
    (Waiter { answer }, turn)
}

/// Who has the machine, and who waits for it.
#[derive(Default)]
pub(super) struct Quiet {
    waiting: VecDeque<Waiter>,
    /// Ends when the one who has it leaves.
    held: Option<oneshot::Receiver<()>>,
}

impl Quiet {
    /// Comes last.
    pub(super) fn wait(&mut self, waiter: Waiter) {
        self.waiting.push_back(waiter);
    }

    /// Whether no run may start. `idle` says that none is at work: then the next one has the machine.
    pub(super) fn is_wanted(&mut self, idle: bool) -> bool {
        while self.held.is_none() {
            // Who went away does not want it any more.
            self.waiting.retain(|waiter| !waiter.answer.is_closed());
            if self.waiting.is_empty() || !idle {
                break;
            }
            let Some(waiter) = self.waiting.pop_front() else { break };
            let (held, left) = oneshot::channel();
            if waiter.answer.send(QuietMachine { _held: held }).is_ok() {
                self.held = Some(left);
            }
        }
        self.held.is_some() || !self.waiting.is_empty()
    }

    /// Waits until the one who has the machine leaves, or the first one who waits goes away.
    pub(super) async fn left(&mut self) {
        match (&mut self.held, self.waiting.front_mut()) {
            (Some(left), _) => {
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
        assert!(!quiet.is_wanted(true), "nobody asked");
        let ((first, mut one), (second, mut two), (third, mut three)) = (turn(), turn(), turn());
        for waiter in [first, second, third] {
            quiet.wait(waiter);
        }
        assert!(quiet.is_wanted(false) && one.try_recv().is_err(), "a run is at work");
        assert!(quiet.is_wanted(true));
        let has = one.try_recv().unwrap();
        assert!(two.try_recv().is_err());
        drop((has, two));
        quiet.left().await;
        assert!(quiet.is_wanted(true), "the second one went away, so the third one has it");
        drop(three.try_recv().unwrap());
        quiet.left().await;
        assert!(!quiet.is_wanted(true));
    }
}
