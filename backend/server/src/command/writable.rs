//! Files and folders that a command is going to write, tried before its work: what would be found after an hour of training is
//! told at once.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A place that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{flag} names {}, which cannot be written: {}; give {flag} another {what}", path.display(), plain(what, source))]
pub(crate) struct Unwritable {
    /// What named it, as `--model`.
    flag: &'static str,
    /// The place.
    path: PathBuf,
    /// `file` or `folder`.
    what: &'static str,
    /// Why not.
    source: io::Error,
}

/// The cause without the operating system's error number.
fn plain(what: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound if what == "folder" => "no folder can be made there".into(),
        io::ErrorKind::NotFound => "its folder is not there".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::StorageFull => "the disk is full".into(),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "a file stands where a folder must be".into(),
        io::ErrorKind::IsADirectory => "it is a folder".into(),
        io::ErrorKind::ReadOnlyFilesystem => "its file system is read-only".into(),
        _ => error.to_string(),
    }
}

/// Whether files can be written into a folder, which is made where it is missing. Nothing stays behind: what was made to see it is
/// removed again.
///
/// # Errors
/// [`Unwritable`].
pub(super) fn folder(flag: &'static str, path: &Path) -> Result<(), Unwritable> {
    let missing = |folder: &&Path| !folder.as_os_str().is_empty() && fs::symlink_metadata(folder).is_err();
    // The innermost first, as they can be removed.
    let made: Vec<&Path> = path.ancestors().take_while(missing).collect();
    let tried = fs::create_dir_all(path).and_then(|()| tempfile::tempfile_in(path)).map(drop);
    for folder in made {
        // One that somebody else has put something into meanwhile stays.
        let _ = fs::remove_dir(folder);
    }
    tried.map_err(|source| Unwritable { flag, path: path.to_owned(), what: "folder", source })
}

/// Whether a file can be written, in place of what it holds. A device or a pipe is not touched: it would hear of it.
///
/// # Errors
/// [`Unwritable`].
pub(super) fn file(flag: &'static str, path: &Path) -> Result<(), Unwritable> {
    let tried = if path.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else if path.is_file() {
        OpenOptions::new().write(true).open(path).map(drop)
    } else if path.exists() {
        Ok(())
    } else {
        tempfile::tempfile_in(folder_of(path)).map(drop)
    };
    tried.map_err(|source| Unwritable { flag, path: path.to_owned(), what: "file", source })
}

/// As [`file()`], of a file that is made beside the old one and then takes its place.
///
/// # Errors
/// [`Unwritable`].
pub(super) fn replaced_file(flag: &'static str, path: &Path) -> Result<(), Unwritable> {
    file(flag, path)?;
    if path.exists() && !path.is_file() {
        return Ok(());
    }
    let beside = tempfile::tempfile_in(folder_of(path)).map(drop);
    beside.map_err(|source| Unwritable { flag, path: path.to_owned(), what: "file", source })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_can_be_made_is_not_there_afterwards_and_one_that_cannot_is_named_with_its_flag() {
        let dir = tempfile::tempdir().unwrap();
        folder("--model", &dir.path().join("a/b/c")).unwrap();
        folder("--model", dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "trying leaves nothing behind");
        let taken = dir.path().join("taken");
        fs::write(&taken, "important").unwrap();
        for place in [taken.clone(), taken.join("below")] {
            let message = folder("--checkpoint-dir", &place).unwrap_err().to_string();
            assert!(message.contains("a file stands where a folder must be"), "{message}");
            assert!(message.starts_with(&format!("--checkpoint-dir names {}, ", place.display())), "{message}");
            assert!(message.ends_with("give --checkpoint-dir another folder"), "{message}");
        }
        assert_eq!(fs::read_to_string(&taken).unwrap(), "important");
        if Path::new("/proc/self").exists() {
            let message = folder("--model", Path::new("/proc/x/y")).unwrap_err().to_string();
            assert!(message.contains("/proc/x/y, which cannot be written: no folder can be made there"), "{message}");
        }
    }

    #[test]
    fn a_file_is_tried_without_a_change_to_it_and_a_device_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("old.json");
        fs::write(&old, "old").unwrap();
        for tried in [file, replaced_file] {
            tried("--trace", &old).unwrap();
            tried("--trace", &dir.path().join("new.json")).unwrap();
            tried("--trace", Path::new("/dev/null")).unwrap();
            let message = tried("--trace", dir.path()).unwrap_err().to_string();
            assert!(message.ends_with("it is a folder; give --trace another file"), "{message}");
            let message = tried("--trace", &dir.path().join("no/such.json")).unwrap_err().to_string();
            assert!(message.contains("its folder is not there"), "{message}");
        }
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "trying leaves nothing behind");
    }
}
