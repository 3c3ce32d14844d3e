//! Files that a command writes: whole or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::super::failure::CommandError;
use super::super::writable::Unwritable;
use super::DataError;

/// Bytes collected before they are written.
const BUFFER: usize = 1 << 18;

/// Writes a new file by `content`; an unfinished one never takes its name, and none takes that of a file that is there. Gives the bytes
/// written.
///
/// # Errors
/// What the disk or `content` says; [`io::ErrorKind::AlreadyExists`].
pub(super) fn write(path: &Path, content: impl FnOnce(&mut Counted) -> io::Result<()>) -> io::Result<u64> {
    // A device or a pipe cannot be replaced by a finished file: it is written straight.
    if path.exists() && !path.is_file() {
        let mut to = Counted::new(OpenOptions::new().write(true).open(path)?);
        content(&mut to)?;
        to.file.flush()?;
        return Ok(to.bytes);
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::NamedTempFile::new_in(folder)?;
    let mut to = Counted::new(temporary.reopen()?);
    content(&mut to)?;
    to.file.flush()?;
    // Temporary files are for their owner alone; a data file is not secret.
    std::fs::set_permissions(temporary.path(), Permissions::from_mode(0o644))?;
    match temporary.persist_noclobber(path) {
        Ok(_) => Ok(to.bytes),
        Err(lost) if lost.error.kind() == io::ErrorKind::AlreadyExists || path.exists() => Err(lost.error),
        // A file system that can neither rename without replacing nor have a file under two names.
        Err(lost) => lost.file.persist(path).map(|_| to.bytes).map_err(|error| error.error),
    }
}

/// What is said where [`write`] could not: a file that came meanwhile is in the way as one that was there before is.
pub(super) fn unwritten(path: &Path, cause: io::Error) -> CommandError {
    match cause.kind() {
        io::ErrorKind::AlreadyExists => Unwritable::Taken { flag: "--to", path: path.to_owned() }.into(),
        _ => DataError::Write { path: path.display().to_string(), cause }.into(),
    }
}

/// A file that counts what is written to it.
#[derive(Debug)]
pub(super) struct Counted {
    file: BufWriter<File>,
    bytes: u64,
}

impl Counted {
    fn new(file: File) -> Self {
        Self { file: BufWriter::with_capacity(BUFFER, file), bytes: 0 }
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_its_name_when_it_is_whole_and_not_that_of_one_that_came_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["out", "other"].map(|name| folder.path().join(name));
        let broken = write(&path, |to| {
            to.write_all(b"half")?;
            Err(io::Error::other("the content broke off"))
        });
        assert!(broken.is_err() && !path.exists());
        assert_eq!(write(&path, |to| to.write_all(b"whole")).unwrap(), 5);
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        let late = write(&other, |to| {
            std::fs::write(&other, "somebody else's")?;
            to.write_all(b"ours")
        });
        let said = unwritten(&other, late.unwrap_err());
        let due = format!("--to names {}, which is there already and is not replaced; ", other.display());
        assert!(said.to_string().starts_with(&due) && said.exit_status() == 2, "{said}");
        assert_eq!(std::fs::read(&other).unwrap(), b"somebody else's");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn a_full_disk_leaves_no_file_and_says_so() {
        if !Path::new("/dev/full").exists() {
            eprintln!("skipped: this system has no /dev/full");
            return;
        }
        let error = write(Path::new("/dev/full"), |to| to.write_all(b"x")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
