//! Files that are replaced whole: a reader, and who looks after a crash, finds all of the old one or all of the new one.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use recspeed_datasets::file_beside;

/// Writes the whole file, or leaves what was there: aside under a name of its own, for two may write at once, on disk before it takes
/// the place. It has the rights that the old one had, and a link leads to the new one. A device or a pipe is written straight.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if is_stream(path) {
        return fs::write(path, bytes);
    }
    let path = behind_links(path);
    let mut file = file_beside(&path)?;
    // By the file itself, whose errors do not name it: the caller names `path`.
    file.as_file_mut().write_all(bytes)?;
    if let Ok(old) = fs::metadata(&path) {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether [`write`] can.
pub(crate) fn try_write(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    if is_stream(path) {
        return Ok(());
    }
    let path = behind_links(path);
    if path.exists() {
        may_be_replaced(fs::OpenOptions::new().write(true).open(&path))?;
    }
    file_beside(&path).map(drop)
}

/// Whether a file that was opened for writing, which leaves it as it is, can give its place to another one. One whose rights
/// forbid writing can; one that the system keeps from any change, as by `chattr +i`, cannot.
fn may_be_replaced(opened: io::Result<fs::File>) -> io::Result<()> {
    match opened {
        Err(error) if error.raw_os_error() == Some(nix::libc::EPERM) => Err(error),
        _ => Ok(()),
    }
}

/// A device or a pipe: a file would take its place for everybody.
pub(crate) fn is_stream(path: &Path) -> bool {
    path.exists() && !path.is_file() && !path.is_dir()
}

/// The file itself: a rename would take the place of the link.
pub(crate) fn behind_links(path: &Path) -> Cow<'_, Path> {
    fs::canonicalize(path).map_or(Cow::Borrowed(path), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        write(&path, b"first").expect("written");
        let mut reader = fs::File::open(&path).expect("readable");
        write(&path, b"second").expect("replaced");
        let mut read = String::new();
        reader.read_to_string(&mut read).expect("readable");
        assert_eq!(read, "first", "who has begun reads the old one to its end");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "second");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        assert!(write(&folder.path().join("no/such/folder.json"), b"x").is_err());
        assert!(try_write(folder.path()).is_err() && try_write(&path).is_ok());
    }

    #[test]
    fn what_the_system_refuses_is_told_without_the_name_of_a_temporary_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("no/such.json");
        let system = fs::File::create(&path).expect_err("its folder is not there").to_string();
        assert_eq!(write(&path, b"x").expect_err("its folder is not there").to_string(), system);
        assert_eq!(try_write(&path).expect_err("its folder is not there").to_string(), system);
    }

    #[test]
    fn a_file_that_nobody_may_change_is_found_beforehand_and_one_that_is_only_read_is_replaced() {
        let of = |code| may_be_replaced(Err(io::Error::from_raw_os_error(code)));
        assert!(of(nix::libc::EPERM).is_err() && of(nix::libc::EACCES).is_ok());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        fs::write(&path, "first").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("set");
        try_write(&path).expect("it can be replaced");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "first", "trying changes nothing");
        write(&path, b"second").expect("replaced");
    }

    #[test]
    fn a_pipe_is_written_and_stays_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("a program").success());
        // Open at both ends, so that nobody waits for the other one.
        let mut reader = fs::File::options().read(true).write(true).open(&pipe).expect("opened");
        try_write(&pipe).expect("nothing to try");
        write(&pipe, b"text").expect("written");
        assert!(!pipe.is_file(), "a file took its place");
        let mut read = [0; 4];
        reader.read_exact(&mut read).expect("readable");
        assert_eq!(&read, b"text");
    }

    #[test]
    fn a_file_keeps_its_rights_and_a_link_leads_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let [path, link, plain] = ["studies.md", "link.md", "plain.md"].map(|name| folder.path().join(name));
        write(&path, b"first").expect("written");
        fs::write(&plain, "x").expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode(&path), mode(&plain), "a new one is as any other");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("set");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        write(&link, b"second").expect("replaced");
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert_eq!((fs::read_to_string(&path).expect("readable").as_str(), mode(&path)), ("second", 0o640));
    }
}
