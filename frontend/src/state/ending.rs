//! How a run ended, in a form that the page can show.

use recspeed_types::RunSummary;
use recspeed_types::api::Failure;

/// The last event of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    /// With a result.
    Finished(Box<RunSummary>),
    /// Without one.
    Failed(Failure),
}
