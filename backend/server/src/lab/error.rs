//! What the lab refuses, and what it cannot do.

use recspeed_types::RunId;
use recspeed_types::api::RunStatus;

use crate::store::StoreError;

/// A request that was not done.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// No such run.
    #[error("there is no run `{run}`")]
    NoRun {
        /// The run.
        run: RunId,
    },
    /// Too many runs wait.
    #[error("{waiting} runs wait already; allowed: {allowed}")]
    TooMany {
        /// How many wait.
        waiting: usize,
        /// How many may.
        allowed: usize,
    },
    /// Only an end that is no result can be tried again.
    #[error("run `{run}` is {}; only a failed or cancelled run can be tried again", status.as_str())]
    NotRetriable {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: RunStatus,
    },
    /// A worker is at it.
    #[error("run `{run}` is still running")]
    StillRunning {
        /// The run.
        run: RunId,
    },
    /// The server is ending.
    #[error("the server is ending")]
    Ending,
    /// No random numbers.
    #[error("the system gives no random numbers: {cause}")]
    Random {
        /// Its words.
        cause: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for LabError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoRun { run } => match RunId::new(run) {
                Ok(run) => Self::NoRun { run },
                Err(other) => Self::Store(StoreError::NoRun { run: other.given }),
            },
            StoreError::Closed => Self::Ending,
            other => Self::Store(other),
        }
    }
}
