//! Why a worker gave no result: it could not be started, broke the protocol, or ended without a word.

use std::time::Duration;
use std::{fmt, io};

use recspeed_types::FailureCode;
use recspeed_types::limits::MAX_EVENT_BYTES;

use crate::launch::WORKER;

/// A worker that cannot be started or does not keep to the protocol.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerError {
    /// There is no worker.
    #[error("no `{WORKER}` beside {beside} or in PATH; build it with `make binaries`, or name it with --worker PATH")]
    Missing {
        /// The folder of this program.
        beside: String,
    },
    /// The program that was named is not there.
    #[error("there is no worker at {path}; name an existing program with --worker PATH")]
    NotThere {
        /// What was given.
        path: String,
    },
    /// The operating system refused.
    #[error("cannot start the worker {path}: {source}; check that it is an executable program for this machine")]
    Start {
        /// The program.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A line that is no event.
    #[error("the worker printed what is no event: {line}; use the worker that was built with this program{log}")]
    Rubbish {
        /// The start of the line.
        line: String,
        /// The end of the worker's log.
        log: LogTail,
    },
    /// Events that contradict each other.
    #[error("the worker broke the protocol: {what}; use the worker that was built with this program")]
    Protocol {
        /// How.
        what: String,
    },
    /// Ended by a signal.
    #[error("the worker was killed by signal {signal} before it had a result: {remedy}{log}")]
    Killed {
        /// Number and name.
        signal: String,
        /// Number alone.
        number: i32,
        /// Whether this program has sent it.
        ours: bool,
        /// What to do.
        remedy: &'static str,
        /// The end of its log.
        log: LogTail,
    },
    /// Ended by itself without a word.
    #[error(
        "the worker {path} ended with status {status} and without a result; run it again, and report it with its log if it happens twice{log}"
    )]
    Silent {
        /// The program.
        path: String,
        /// Its exit status.
        status: i32,
        /// The end of its log.
        log: LogTail,
    },
    /// It went on and told of nothing.
    #[error(
        "the worker said nothing for {} s and was ended; run it again, or with fewer rows (--set dataset.sample=10000){log}",
        after.as_secs()
    )]
    Hung {
        /// How long it was listened to in vain.
        after: Duration,
        /// The end of its log.
        log: LogTail,
    },
    /// Its process was stopped from outside, and did not go on.
    #[error(
        "the worker's process is stopped: it did not go on for {} s, as long as its ranks wait for each other, and was ended; let it go \
         on sooner (kill -CONT), or set strategy.timeout higher{log}",
        after.as_secs()
    )]
    Stopped {
        /// How long its ranks wait for each other.
        after: Duration,
        /// The end of its log.
        log: LogTail,
    },
    /// Finished, and then failed all the same.
    #[error(
        "the worker gave its result but then ended with {status}; trust the numbers above only after a second run{log}"
    )]
    FailedAfterwards {
        /// How it ended.
        status: String,
        /// Exit status to pass on.
        code: u8,
        /// The end of its log.
        log: LogTail,
    },
    /// Waiting for the process failed.
    #[error("lost the worker process: {0}")]
    Lost(#[from] io::Error),
}

impl WorkerError {
    /// A silence over the limit.
    pub(super) fn hung(after: Duration) -> Self {
        Self::Hung { after, log: LogTail::default() }
    }

    /// A stop over the limit.
    pub(super) fn stopped(after: Duration) -> Self {
        Self::Stopped { after, log: LogTail::default() }
    }

    /// A line over the limit.
    pub(super) fn too_long() -> Self {
        Self::Protocol { what: format!("it printed a line of more than {MAX_EVENT_BYTES} bytes") }
    }

    /// The exit status of `recspeed run` after this failure.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Killed { number, .. } => killed_status(*number),
            Self::Silent { status, .. } => u8::try_from(*status).ok().filter(|s| *s != 0).unwrap_or(1),
            Self::FailedAfterwards { code, .. } => *code,
            _ => FailureCode::Worker.exit_status(),
        }
    }
}

/// 128 + signal, as shells report it.
pub(super) fn killed_status(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(FailureCode::Worker.exit_status())
}

/// The last lines of a worker's log, indented under a message; empty when it said nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogTail(pub(super) Vec<String>);

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            f.write_str("\nThe end of its log:")?;
        }
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
