//! New files: whole or not at all, in place of none, with the rights that the system gives to any new file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// Bytes collected before they are written.
const BUFFER: usize = 1 << 18;

/// A file in the folder of `path`, whose place it is to take; it disappears unless it does. The system takes from its rights what it
/// takes from those of any new file (the umask); by itself a temporary one would be its owner's alone.
///
/// # Errors
/// What the system says, without the temporary name, which nobody has chosen: who asked names `path`.
pub fn file_beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let new = |place: &Path| OpenOptions::new().read(true).write(true).create_new(true).mode(0o666).open(place);
    Builder::new().make_in(folder, new)
}

/// Writes a new file by `content`; an unfinished one never takes its name, and none takes that of a file that is there. A device or a
/// pipe is written straight. Gives the bytes written.
///
/// # Errors
/// What the system or `content` says; [`io::ErrorKind::AlreadyExists`].
pub fn write_new(path: &Path, content: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>) -> io::Result<u64> {
    // A device or a pipe cannot be replaced by a finished file.
    if path.exists() && !path.is_file() {
        let mut to = Counted::new(OpenOptions::new().write(true).open(path)?);
        content(&mut to)?;
        to.file.flush()?;
        return Ok(to.bytes);
    }
    let temporary = file_beside(path)?;
    let mut to = Counted::new(temporary.as_file().try_clone()?);
    content(&mut to)?;
    to.file.flush()?;
    match temporary.persist_noclobber(path) {
        Ok(_) => Ok(to.bytes),
        // It came meanwhile; a link that leads nowhere is there, too.
        Err(_) if path.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        // A file system that can neither rename without replacing nor have a file under two names.
        Err(lost) => lost.file.persist(path).map(|_| to.bytes).map_err(|error| error.error),
    }
}

/// A file that counts what is written to it.
struct Counted {
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
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_takes_its_name_when_it_is_whole_and_not_that_of_one_that_came_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["out", "other"].map(|name| folder.path().join(name));
        let broken = write_new(&path, |to| {
            to.write_all(b"half")?;
            Err(io::Error::other("the content broke off"))
        });
        assert!(broken.is_err() && !path.exists());
        assert_eq!(write_new(&path, |to| to.write_all(b"whole")).unwrap(), 5);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        let late = write_new(&other, |to| {
            fs::write(&other, "somebody else's")?;
            to.write_all(b"ours")
        });
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&other).unwrap(), b"somebody else's");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn a_new_file_has_the_rights_of_any_other_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, plain] = ["ours", "plain"].map(|name| folder.path().join(name));
        write_new(&ours, |to| to.write_all(b"x")).unwrap();
        fs::write(&plain, "x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&ours), mode(&plain));
        assert_eq!(mode(file_beside(&ours).unwrap().path()), mode(&plain));
    }

    #[test]
    fn what_the_system_refuses_is_told_without_the_name_of_a_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/such.json");
        let system = File::create(&path).unwrap_err().to_string();
        assert_eq!(file_beside(&path).unwrap_err().to_string(), system);
        assert_eq!(write_new(&path, |to| to.write_all(b"x")).unwrap_err().to_string(), system);
    }

    #[test]
    fn a_full_disk_leaves_no_file_and_says_so() {
        if !Path::new("/dev/full").exists() {
            eprintln!("skipped: this system has no /dev/full");
            return;
        }
        let error = write_new(Path::new("/dev/full"), |to| to.write_all(b"x")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
