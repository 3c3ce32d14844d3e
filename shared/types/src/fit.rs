//! The conversation between a method that learns and whoever runs it.

use crate::event::EventKind;

/// Bytes that whoever writes a state leaves free behind it: there it is said whose it is, and of which component of a hybrid,
/// without a copy. A longer word than fits costs one.
pub const STATE_ROOM: usize = 4096;

/// Listens to a fit. A fit calls it between units of work that take well under a second, and stops when told to.
pub trait FitObserver {
    /// Something to pass on: progress, a loss, memory, a warning.
    fn event(&mut self, event: EventKind);

    /// Whether the fit should stop now; it then returns what it calls interrupted.
    fn stop_requested(&mut self) -> bool;

    /// Bytes of memory that the fit may still take, where that is known: what needs more is refused before any work. What
    /// [`Self::take_resume_state`] has yet to give is a part of them, wherever it lies: whoever goes on from a state
    /// counts it among what it will hold.
    fn memory_left(&self) -> Option<u64> {
        None
    }

    /// Offered after each epoch or iteration: `step` says how far the fit is, `state` writes all that
    /// [`Self::take_resume_state`] needs later to continue to the same bits, with [`STATE_ROOM`] free behind it. The
    /// observer may decline by not calling it.
    fn checkpoint(&mut self, step: u64, state: &mut dyn FnMut() -> Vec<u8>);

    /// Whether [`Self::checkpoint`] takes states at all during this fit: each lies in memory beside the fit while it is
    /// taken.
    fn keeps_checkpoints(&self) -> bool {
        true
    }

    /// Whether [`Self::checkpoint`] would take the state now: what it needs may have to be brought together first.
    fn wants_checkpoint(&mut self) -> bool {
        true
    }

    /// The state of an earlier checkpoint of this very spec, given once. A fit reads it and lets it go before it works.
    fn take_resume_state(&mut self) -> Option<Vec<u8>>;
}

/// Listens to nothing and never stops a fit: for tests and benchmarks.
#[derive(Debug, Default, Clone, Copy)]
pub struct Unobserved;

impl FitObserver for Unobserved {
    fn event(&mut self, _: EventKind) {}

    fn stop_requested(&mut self) -> bool {
        false
    }

    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}

    fn keeps_checkpoints(&self) -> bool {
        false
    }

    fn wants_checkpoint(&mut self) -> bool {
        false
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}
