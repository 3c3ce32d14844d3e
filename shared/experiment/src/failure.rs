//! The end of a run that did not finish.

use recspeed_types::{EventKind, FailureCode, Instead, Refusal};

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
    /// Where it was refused before any work, what would be taken instead.
    pub refusal: Option<Refusal>,
}

impl RunFailure {
    /// A failure without further detail.
    pub fn new(code: FailureCode, cause: impl Into<String>) -> Self {
        Self { code, cause: cause.into(), detail: String::new(), refusal: None }
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

    /// Refused before any work, with the settings that its cause names.
    #[must_use]
    pub fn refused(mut self, instead: Vec<Instead>) -> Self {
        self.refusal = Some(Refusal { instead });
        self
    }

    /// As it is told of a run that had not begun to learn: what the spec, the data or the memory do not allow was refused then.
    pub(crate) fn before_any_work(mut self) -> Self {
        if matches!(self.code, FailureCode::InvalidSpec | FailureCode::OutOfMemory | FailureCode::Data) {
            self.refusal.get_or_insert_default();
        }
        self
    }

    /// As it is told of a run that had learnt.
    pub(crate) fn after_work(self) -> Self {
        Self { refusal: None, ..self }
    }

    /// The last event of the run.
    pub fn into_event(self) -> EventKind {
        EventKind::Failed { code: self.code, cause: self.cause, detail: self.detail, refusal: self.refusal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spec_data_or_memory_do_not_allow_is_refused_before_any_work_and_nothing_else_is() {
        for (code, is_refusal) in [
            (FailureCode::InvalidSpec, true),
            (FailureCode::OutOfMemory, true),
            (FailureCode::Data, true),
            (FailureCode::Cancelled, false),
            (FailureCode::Internal, false),
        ] {
            let failure = RunFailure::new(code, "no");
            assert_eq!(failure.refusal, None);
            assert_eq!(failure.before_any_work().refusal.is_some(), is_refusal, "{code:?}");
        }
        let instead = Instead::kinds("recommender", &["slim"]);
        let refused = RunFailure::new(FailureCode::OutOfMemory, "no").refused(instead.clone());
        assert_eq!(refused.clone().before_any_work().refusal, Some(Refusal { instead }));
        assert_eq!(refused.after_work().refusal, None);
    }
}
