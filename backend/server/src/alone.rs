//! One at a time: a lock that is a file, there only as long as somebody holds it. By it one process at a time measures
//! the same study below a lab's folder, and one after the other reads a study's report, puts rows into it and writes
//! it, or a section into a document.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How often the file is opened anew where others take it away meanwhile.
const TRIES: u32 = 100;
/// How often one who waits looks again.
const TICK: Duration = Duration::from_millis(5);
/// How long is waited for one who holds it only while a file is read and written: one that was stopped (SIGSTOP) would
/// be waited for for ever.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What nobody else has as long as this value is there. The file of the lock has the number of the process in it.
#[derive(Debug)]
pub(crate) struct Alone {
    path: PathBuf,
    /// Whether its folder goes with it where nothing else is in that.
    takes_folder: bool,
    /// The lock lives as long as the file is open: one that is killed leaves none behind.
    _file: File,
}

/// Somebody else has it.
#[derive(Debug)]
pub(crate) struct Held {
    /// Who, for people.
    pub(crate) by: String,
    /// The file of the lock.
    pub(crate) lock: PathBuf,
}

/// What came of one attempt.
enum Attempt {
    Ours(Alone),
    Theirs(Held),
    /// Who held it has just taken the file away: others lock another one.
    Gone,
    /// No lock can be held there.
    None,
}

impl Alone {
    /// Takes the lock at `path`; `None` where no lock can be held, as where the folder cannot be written, and in some
    /// network folders: then one goes on without.
    ///
    /// # Errors
    /// [`Held`].
    pub(crate) fn take(path: &Path) -> Result<Option<Self>, Held> {
        for _ in 0..TRIES {
            match attempt(path) {
                Attempt::Ours(alone) => return Ok(Some(alone)),
                Attempt::Theirs(held) => return Err(held),
                Attempt::Gone => {}
                Attempt::None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Waits for the lock at `path`; `None` as of [`Self::take`].
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] where somebody holds it for longer than `patience`, with who that is.
    pub(crate) fn wait(path: &Path, patience: Duration) -> io::Result<Option<Self>> {
        let since = Instant::now();
        loop {
            let by = match attempt(path) {
                Attempt::Ours(alone) => return Ok(Some(alone)),
                Attempt::None => return Ok(None),
                Attempt::Theirs(held) => held.by,
                Attempt::Gone => "others".to_owned(),
            };
            if since.elapsed() >= patience {
                let (lock, seconds) = (path.display(), patience.as_secs());
                let words = format!("{lock} has been held by {by} for {seconds} s; let that go on, or end it");
                return Err(io::Error::new(io::ErrorKind::TimedOut, words));
            }
            thread::sleep(TICK);
        }
    }

    /// The same in a folder that is not the lab's: it stays, also where it is empty.
    pub(crate) fn keeping_folder(mut self) -> Self {
        self.takes_folder = false;
        self
    }
}

fn attempt(path: &Path) -> Attempt {
    let mut file = match open(path) {
        Ok(file) => file,
        // The folder was empty, and who left last took it away.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Attempt::Gone,
        // The same while the folder was looked for; a file in its place stays one.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !folder_of(path).is_file() => {
            return Attempt::Gone;
        }
        Err(_) => return Attempt::None,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Attempt::Theirs(Held { by: holder(&mut file), lock: path.to_owned() });
        }
        Err(TryLockError::Error(_)) => {
            let _ = fs::remove_file(path);
            return Attempt::None;
        }
    }
    // Who held it may have taken the name away before we had the lock.
    if !is_at(&file, path) {
        return Attempt::Gone;
    }
    // Nobody but a message needs the number.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Attempt::Ours(Alone { path: path.to_owned(), takes_folder: true, _file: file })
}

impl Drop for Alone {
    fn drop(&mut self) {
        // The name goes before the lock does: who has opened the file by then finds that it is there no longer.
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = self.path.parent().filter(|_| self.takes_folder) {
            // It goes only where nothing was kept in it.
            let _ = fs::remove_dir(folder);
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn open(path: &Path) -> io::Result<File> {
    fs::create_dir_all(folder_of(path))?;
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
        let held = Alone::take(&path).expect_err("taken");
        assert_eq!((held.by, held.lock), (format!("process {}", std::process::id()), path.clone()));
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
    fn a_folder_that_is_not_the_labs_stays_also_where_it_is_empty() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("somebody's");
        fs::create_dir(&folder).expect("a folder");
        let path = folder.join(".studies.md.lock");
        drop(Alone::wait(&path, PATIENCE).expect("free").expect("a lock").keeping_folder());
        assert!(folder.is_dir() && !path.exists(), "the lock alone is gone");
    }

    #[test]
    fn where_no_lock_can_be_held_one_goes_on_without() {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("studies"), "a file").expect("written");
        let path = home.path().join("studies/mixed.key.lock");
        assert!(Alone::take(&path).expect("goes on").is_none());
        assert!(Alone::wait(&path, PATIENCE).expect("goes on").is_none(), "and nobody is waited for");
    }

    #[test]
    fn those_who_wait_have_it_one_after_the_other_and_nothing_stays() {
        let home = tempfile::tempdir().expect("a folder");
        let (path, count) = (home.path().join("studies/mixed.report.lock"), home.path().join("count"));
        fs::write(&count, "0").expect("written");
        let add = || {
            for _ in 0..50 {
                let alone = Alone::wait(&path, PATIENCE).expect("its turn comes").expect("a lock");
                let before: u32 = fs::read_to_string(&count).expect("readable").parse().expect("a number");
                fs::write(&count, (before + 1).to_string()).expect("written");
                drop(alone);
            }
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(add);
            }
        });
        assert_eq!(fs::read_to_string(&count).expect("readable"), "200", "one wrote over another's number");
        assert!(!home.path().join("studies").exists(), "nothing stays");
    }

    #[test]
    fn one_who_holds_it_for_too_long_is_named_with_what_helps() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("studies/mixed.report.lock");
        let _first = Alone::take(&path).expect("free").expect("a lock");
        let error = Alone::wait(&path, Duration::from_millis(50)).expect_err("taken");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let said = error.to_string();
        assert!(said.contains(&format!("held by process {}", std::process::id())), "{said}");
        assert!(said.starts_with(&path.display().to_string()) && said.ends_with("or end it"), "{said}");
    }
}
