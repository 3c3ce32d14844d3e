//! What can go wrong with the store.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// A read or a write that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space: nothing of the write is kept, everything stored before is.
    #[error("the disk of the server is full; free some space, then try again")]
    Full,
    /// The file cannot be opened.
    #[error("cannot open the store {path}: {cause}; check that the folder is writable")]
    Open {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        cause: rusqlite::Error,
    },
    /// No space to open the file.
    #[error("cannot open the store {path}: its disk is full; free some space there, then start the lab again")]
    NoSpace {
        /// The file.
        path: PathBuf,
    },
    /// The file is of a later lab.
    #[error("the store is of version {found}, and this lab reads up to version {known}; update the lab")]
    Later {
        /// Its version.
        found: i64,
        /// The newest that this build reads.
        known: i64,
    },
    /// The file is of an earlier lab, and nobody is there to bring it up to date.
    #[error(
        "the store is of version {found}, and this lab reads version {known}; start the lab once, which brings it up to date"
    )]
    Earlier {
        /// Its version.
        found: i64,
        /// The one that this build reads.
        known: i64,
    },
    /// The writer's thread cannot be started.
    #[error("cannot start the store's writer: {cause}")]
    Thread {
        /// The system's words.
        cause: std::io::Error,
    },
    /// A row that should be there is not.
    #[error("there is no run `{run}`")]
    NoRun {
        /// The run.
        run: String,
    },
    /// A row that should not be there is.
    #[error("there is already a run `{run}`")]
    RunExists {
        /// The run.
        run: String,
    },
    /// A row does not read back as what was written.
    #[error("run `{run}` is damaged in the store: {what}")]
    Damaged {
        /// The run.
        run: String,
        /// What does not read.
        what: String,
    },
    /// The server is ending.
    #[error("the store is closed")]
    Closed,
    /// Anything else that SQLite says.
    #[error("the store failed: {0}")]
    Sqlite(rusqlite::Error),
}

impl StoreError {
    /// Whether the same write may succeed a little later without anybody mending the store itself.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Full => true,
            Self::Sqlite(cause) => matches!(
                cause.sqlite_error_code(),
                Some(
                    ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::OutOfMemory
                        | ErrorCode::SystemIoFailure
                )
            ),
            _ => false,
        }
    }

    pub(crate) fn opening(path: &Path, cause: rusqlite::Error) -> Self {
        Self::Open { path: path.to_owned(), cause }
    }

    /// Names the file in an error of opening it.
    pub(crate) fn at(self, path: &Path) -> Self {
        match self {
            Self::Sqlite(cause) => Self::opening(path, cause),
            Self::Full => Self::NoSpace { path: path.to_owned() },
            other => other,
        }
    }

    pub(crate) fn damaged(run: impl ToString, what: impl ToString) -> Self {
        Self::Damaged { run: run.to_string(), what: what.to_string() }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Sqlite(error),
        }
    }
}
