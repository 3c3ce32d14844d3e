//! Asking the worker what it can do.

use std::path::Path;
use std::time::Duration;

use recspeed_types::probe::{PROTOCOL_VERSION, Probe};
use tokio::process::Command;

/// A worker that does not say what it can do.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It cannot be started.
    #[error("the worker {path} cannot be started ({cause}); build it with `make lab`, or name another with --worker")]
    Start {
        /// The program.
        path: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// It does not answer.
    #[error("the worker {path} did not answer `probe` within {seconds} s")]
    Silent {
        /// The program.
        path: String,
        /// How long it was given.
        seconds: u64,
    },
    /// Its answer is none.
    #[error(
        "the worker {path} answered `probe` with something else ({why}); build server and worker together with `make lab`"
    )]
    Answer {
        /// The program.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// It speaks another protocol.
    #[error("the worker {path} speaks protocol {given}, this server {PROTOCOL_VERSION}; build both with `make lab`")]
    Protocol {
        /// The program.
        path: String,
        /// Its protocol.
        given: u32,
    },
}

/// Runs `WORKER probe`.
///
/// # Errors
/// [`ProbeError`].
pub async fn probe(worker: &Path, patience: Duration) -> Result<Probe, ProbeError> {
    let path = || worker.display().to_string();
    let asked = Command::new(worker).arg("probe").stdin(std::process::Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(patience, asked)
        .await
        .map_err(|_| ProbeError::Silent { path: path(), seconds: patience.as_secs() })?
        .map_err(|cause| ProbeError::Start { path: path(), cause })?;
    if !output.status.success() {
        return Err(ProbeError::Answer { path: path(), why: output.status.to_string() });
    }
    let probe: Probe = serde_json::from_slice(&output.stdout)
        .map_err(|error| ProbeError::Answer { path: path(), why: error.to_string() })?;
    if probe.protocol == PROTOCOL_VERSION {
        Ok(probe)
    } else {
        Err(ProbeError::Protocol { path: path(), given: probe.protocol })
    }
}
