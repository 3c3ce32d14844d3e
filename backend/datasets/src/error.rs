//! What can go wrong with data on disk.

use std::io;
use std::path::{Path, PathBuf};

use recspeed_data::ReadError;
use recspeed_types::Instead;

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// No place for it is known.
    #[error("no folder for data is known: set RECSPEED_HOME to one, or HOME")]
    NoPlace,
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}: {}{}", path.display(), plain(source), remedy(source))]
    Io {
        /// As `read`, `write` or `create`.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file to import is not data of the given format.
    #[error("{name} cannot be imported: {source}")]
    NotData {
        /// The file or the name given to it.
        name: String,
        /// What is wrong with it.
        source: ReadError,
    },
    /// A record beside an imported file is damaged.
    #[error("the record {} is damaged ({reason}); import the file again", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such upload.
    #[error(
        "no uploaded data set has the hash {sha256}; upload the file, or `recspeed data import` it, and use the hash that it answers"
    )]
    Unknown {
        /// The hash asked for.
        sha256: String,
    },
}

/// Why a data set cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file was not found.
    #[error("{field}: `{path}` was not found; looked for {}{}", list(looked), data_hint(*has_data_root))]
    Missing {
        /// The field of the spec: `dataset.path`, `dataset.items` or `dataset.users`.
        field: &'static str,
        /// The path as written.
        path: String,
        /// The places where it was looked for.
        looked: Vec<PathBuf>,
        /// Whether RECSPEED_DATA was set.
        has_data_root: bool,
    },
    /// The file was found and cannot be read.
    #[error("{field}: {} cannot be read: {}{}", path.display(), plain(source), remedy(source))]
    Io {
        /// The field of the spec.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file was read and is not data of its format.
    #[error("{field}: {}: {source}", path.display())]
    Read {
        /// The field of the spec.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ReadError,
    },
    /// The filters leave no row.
    #[error("dataset: the filters leave none of {rows} rows; lower min_user, min_item or implicit_threshold")]
    NothingLeft {
        /// Rows before the filters.
        rows: usize,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl LoadError {
    /// The settings of the spec that would do in place of those that its data were read by, where the data tell them.
    pub fn instead(&self) -> Vec<Instead> {
        match self {
            Self::Read { source, .. } => source.instead(),
            _ => Vec::new(),
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ")
}

const fn data_hint(has_data_root: bool) -> &'static str {
    if has_data_root {
        "; correct the path, or put the file there"
    } else {
        "; correct the path, or set RECSPEED_DATA to the folder of your data"
    }
}

/// The cause without the operating system's error number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::StorageFull => "the disk is full".into(),
        _ => error.to_string(),
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; let your user read and write it",
        io::ErrorKind::StorageFull => "; make room or set RECSPEED_HOME to another disk",
        io::ErrorKind::IsADirectory => "; name the file in it",
        io::ErrorKind::NotFound => "; check the path",
        _ => "",
    }
}

/// Turns an I/O error into a [`HomeError`] that names action and path.
pub(crate) fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> HomeError + 'a {
    move |source| HomeError::Io { action, path: path.to_owned(), source }
}
