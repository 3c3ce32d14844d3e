//! One process at a time measures the same study below a lab's folder: two would take the machine from each other, and write into the
//! same file of measurements.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::StudyError;

/// How often the file is opened anew where others take it away meanwhile.
const TRIES: u32 = 100;

/// A study that nobody else measures as long as this value is there. The file of the lock has the number of the process in it.
#[derive(Debug)]
pub(super) struct Alone {
    path: PathBuf,
    /// The lock lives as long as the file is open: one that is killed leaves none behind.
    _file: File,
}

impl Alone {
    /// Takes the lock at `path`; `None` where no lock can be held, as where the folder cannot be written, and in some network folders:
    /// then the study is measured without.
    ///
    /// # Errors
    /// [`StudyError::Busy`].
    pub(super) fn take(path: &Path) -> Result<Option<Self>, StudyError> {
        for _ in 0..TRIES {
            let mut file = match open(path) {
                Ok(file) => file,
                // The folder was empty, and who left last took it away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(_) => return Ok(None),
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(StudyError::Busy { by: holder(&mut file), lock: path.to_owned() });
                }
                Err(TryLockError::Error(_)) => {
                    let _ = fs::remove_file(path);
                    return Ok(None);
                }
            }
            // Who held it may have taken the name away before we had the lock: then others lock another file.
            if is_at(&file, path) {
                // Nobody but a message needs the number.
                let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
                return Ok(Some(Self { path: path.to_owned(), _file: file }));
            }
        }
        Ok(None)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // The name goes before the lock does: who has opened the file by then finds that it is there no longer.
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = self.path.parent() {
            // It goes only where nothing was kept in it.
            let _ = fs::remove_dir(folder);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Whether the file is the one that has this name.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(own), Ok(named)) = (file.metadata(), fs::metadata(path)) else { return false };
    (own.dev(), own.ino()) == (named.dev(), named.ino())
}

/// Who holds the lock, for people.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let number = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok());
    number.map_or_else(|| "another process".to_owned(), |number| format!("process {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_is_held_by_one_process_and_free_once_that_has_gone() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("studies/mixed.key.lock");
        let first = Alone::take(&path).expect("free").expect("a lock");
        let said = Alone::take(&path).expect_err("taken").to_string();
        assert!(said.contains(&format!("by process {}, ", std::process::id())), "{said}");
        assert!(said.contains(&path.display().to_string()), "{said}");
        let other = Alone::take(&path.with_file_name("mixed.other.lock")).expect("another study").expect("a lock");
        drop(other);
        assert!(path.exists(), "the other one takes its own away alone");
        drop(first);
        assert!(!path.exists() && !home.path().join("studies").exists(), "nothing stays");
        // As a killed process leaves it.
        fs::create_dir_all(home.path().join("studies")).expect("a folder");
        fs::write(&path, "4711\n").expect("written");
        let next = Alone::take(&path).expect("nobody holds it").expect("a lock");
        assert_eq!(fs::read_to_string(&path).expect("a file"), format!("{}\n", std::process::id()));
        drop(next);
    }

    #[test]
    fn where_no_lock_can_be_held_the_study_is_measured_without() {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("studies"), "a file").expect("written");
        assert!(Alone::take(&home.path().join("studies/mixed.key.lock")).expect("goes on").is_none());
    }
}
