//! How a run ended, in a form that the page can show.

use recspeed_types::{FailureCode, RunSummary};

/// The last event of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    /// With a result.
    Finished(Box<RunSummary>),
    /// Without one.
    Failed {
        /// What kind of failure.
        code: FailureCode,
        /// One sentence with the remedy.
        cause: String,
        /// For engineers; may be empty.
        detail: String,
    },
}
