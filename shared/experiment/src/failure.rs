//! The end of a run that did not finish.

use recspeed_types::{EventKind, FailureCode};

/// Why a run did not finish: what becomes its last event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct RunFailure {
    /// What kind of failure; decides the worker's exit status.
    pub code: FailureCode,
    /// One sentence that a student understands, with the remedy.
    pub cause: String,
    /// For engineers; may be empty.
    pub detail: String,
}

impl RunFailure {
    /// A failure without further detail.
    pub fn new(code: FailureCode, cause: impl Into<String>) -> Self {
        Self { code, cause: cause.into(), detail: String::new() }
    }

    /// The run was told to stop, and did.
    pub fn cancelled() -> Self {
        Self::new(FailureCode::Cancelled, "The run was cancelled before it finished; run it again to get a result.")
    }

    /// With what an engineer wants to know.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The last event of the run.
    pub fn into_event(self) -> EventKind {
        EventKind::Failed { code: self.code, cause: self.cause, detail: self.detail }
    }
}
