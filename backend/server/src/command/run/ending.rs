//! How a worker ended, and the exit status that follows from it.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;

use nix::sys::signal::Signal;
use recspeed_types::{FailureCode, memory};

use super::super::failure::CommandError;
use super::worker_error::{LogTail, WorkerError, killed_status};

/// How a worker ended.
#[derive(Debug)]
pub(super) struct Ending {
    /// As the operating system tells.
    pub(super) status: ExitStatus,
    /// Whether it was asked to stop.
    pub(super) interrupted: bool,
    /// Whether it was ended because its time was over.
    pub(super) cut_off: bool,
    /// Whether that was this program's doing.
    pub(super) killed_by_us: bool,
    /// The end of its log.
    pub(super) log: LogTail,
}

impl Ending {
    /// The status after a result: 0, or an error when the process failed all the same.
    pub(super) fn after_finished(self) -> Result<u8, CommandError> {
        if self.status.success() {
            return Ok(0);
        }
        let code = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => u8::try_from(code).unwrap_or(1),
            (None, Some(signal)) => killed_status(signal),
            (None, None) => 1,
        };
        Err(WorkerError::FailedAfterwards { status: self.status.to_string(), code, log: self.log }.into())
    }

    /// The status after a failure that the worker has told: its own, unless that contradicts what it said.
    pub(super) fn after_failed(&self, code: FailureCode) -> u8 {
        match self.status.code().and_then(|status| u8::try_from(status).ok()) {
            Some(0) | None => code.exit_status(),
            Some(status) => status,
        }
    }

    /// The failure of a worker that ended without its last event.
    pub(super) fn without_end(self, program: &Path) -> WorkerError {
        let log = self.log;
        match self.status.signal() {
            Some(number) => {
                let name = Signal::try_from(number).map_or("unknown", Signal::as_str);
                let remedy = match number {
                    9 if self.killed_by_us => "it did not end by itself; run it again",
                    9 => {
                        "the kernel does so when memory runs out, or somebody ended it; a smaller sample (--set dataset.sample=10000) \
                         needs less memory"
                    }
                    _ if log.0.iter().any(|line| memory::was_refused(line)) => {
                        "its log says that it got no more memory; try a smaller sample (--set dataset.sample=10000)"
                    }
                    _ => "run it again, and report it with its log if it happens twice",
                };
                let ours = self.killed_by_us;
                WorkerError::Killed { signal: format!("{number} ({name})"), number, ours, remedy, log }
            }
            None => WorkerError::Silent {
                path: program.display().to_string(),
                status: self.status.code().unwrap_or(1),
                log,
            },
        }
    }
}
