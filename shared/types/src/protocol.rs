//! The order of what a run says: its own name, an unbroken count, one end. Whoever starts a worker holds it to this.

use crate::event::{EventKind, RunEvent, RunId};

/// An event that does not belong where it came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfOrder {
    /// An event of another run.
    #[error("speaks for run `{given}` instead of `{expected}`")]
    OtherRun {
        /// What it says.
        given: RunId,
        /// What it should say.
        expected: RunId,
    },
    /// A gap or a repetition.
    #[error("has seq {given} where {expected} was due")]
    Gap {
        /// What it says.
        given: u64,
        /// What it should say.
        expected: u64,
    },
    /// Words after the end.
    #[error("comes after the last event")]
    AfterTheEnd,
}

/// Follows the events of one run.
#[derive(Debug)]
pub struct Protocol {
    run: RunId,
    next_seq: u64,
    over: bool,
}

impl Protocol {
    /// The events of `run` from the number `next_seq` on: 0, or where an earlier attempt ended.
    pub const fn new(run: RunId, next_seq: u64) -> Self {
        Self { run, next_seq, over: false }
    }

    /// The number of the next event.
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// [`OutOfOrder`], after which the event counts as not heard.
    pub fn hear(&mut self, event: &RunEvent) -> Result<(), OutOfOrder> {
        if self.over {
            return Err(OutOfOrder::AfterTheEnd);
        }
        let speaks_for = match &event.kind {
            EventKind::Finished { summary } if event.run == self.run => &summary.run,
            _ => &event.run,
        };
        if *speaks_for != self.run {
            return Err(OutOfOrder::OtherRun { given: speaks_for.clone(), expected: self.run.clone() });
        }
        if event.seq != self.next_seq {
            return Err(OutOfOrder::Gap { given: event.seq, expected: self.next_seq });
        }
        self.next_seq += 1;
        self.over = event.kind.is_last();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FailureCode;

    fn event(run: &str, seq: u64, kind: EventKind) -> RunEvent {
        RunEvent { run: RunId::new(run).unwrap(), seq, at_us: 0, kind }
    }

    fn log() -> EventKind {
        EventKind::Log { message: "hello".into(), seconds: None }
    }

    #[test]
    fn gaps_strangers_and_words_after_the_end_are_out_of_order() {
        let mut protocol = Protocol::new(RunId::new("r1").unwrap(), 5);
        protocol.hear(&event("r1", 5, log())).unwrap();
        assert_eq!(protocol.hear(&event("r1", 7, log())), Err(OutOfOrder::Gap { given: 7, expected: 6 }));
        assert_eq!(protocol.hear(&event("r1", 5, log())), Err(OutOfOrder::Gap { given: 5, expected: 6 }));
        assert!(matches!(protocol.hear(&event("r2", 6, log())), Err(OutOfOrder::OtherRun { .. })));
        let end =
            EventKind::Failed { code: FailureCode::Internal, cause: "c".into(), detail: String::new(), refusal: None };
        protocol.hear(&event("r1", 6, end)).unwrap();
        assert_eq!(protocol.hear(&event("r1", 7, log())), Err(OutOfOrder::AfterTheEnd));
        assert_eq!(protocol.next_seq(), 7);
    }
}
