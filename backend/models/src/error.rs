//! What can be wrong with a saved model.

use std::io;
use std::path::{Path, PathBuf};

/// Why a model cannot be saved, read or exported.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// There is no model.
    #[error("{} holds no saved model; name a folder that `recspeed run --model` has written", dir.display())]
    NotThere {
        /// The folder.
        dir: PathBuf,
    },
    /// Other files are there already.
    #[error("{} holds other files; name a new or empty folder", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
    },
    /// Not written by this lab.
    #[error("{} is no manifest of a model of this lab ({reason}); name a folder that `recspeed run --model` has written", path.display())]
    Foreign {
        /// The manifest.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// Written by a later version.
    #[error("the model in {} is of version {version}, this lab reads version {}; update the lab", dir.display(), crate::manifest::VERSION)]
    Later {
        /// The folder.
        dir: PathBuf,
        /// The version.
        version: u64,
    },
    /// A file is not as it was written.
    #[error("the model in {} is damaged: {file} {reason}; run its experiment again", dir.display())]
    Damaged {
        /// The folder.
        dir: PathBuf,
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {}{}", path.display(), plain(source), remedy(source))]
    Io {
        /// As `read` or `write`.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl ModelError {
    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
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
        io::ErrorKind::StorageFull => "; make room or choose another place",
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::ReadOnlyFilesystem => {
            "; choose another place"
        }
        _ => "",
    }
}

/// Turns an I/O error into a [`ModelError`] that names action and path.
pub(crate) fn at<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> ModelError + 'a {
    move |source| ModelError::Io { action, path: path.to_owned(), source }
}
