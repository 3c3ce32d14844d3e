//! What is said of a file that a command has written, or has not.

use std::io;
use std::path::Path;

use super::super::failure::CommandError;
use super::super::output;
use super::super::writable::Unwritable;
use super::DataError;

/// What is said where a new file could not be written: one that came meanwhile is in the way as one that was there before is.
pub(super) fn unwritten(path: &Path, cause: io::Error) -> CommandError {
    match cause.kind() {
        io::ErrorKind::AlreadyExists => Unwritable::Taken { flag: "--to", path: path.to_owned() }.into(),
        _ => DataError::Write { path: path.display().to_string(), cause }.into(),
    }
}

/// Says what was written: on standard error where that went into a device or a pipe, which may be standard output itself and is to hold
/// nothing else.
pub(super) fn tell(path: &Path, text: &str) -> io::Result<()> {
    if path.is_file() {
        return output::say(&output::printable(text));
    }
    output::complain(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use recspeed_datasets::write_new;

    use super::*;

    #[test]
    fn a_file_that_came_meanwhile_is_in_the_way_as_one_that_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        let late = write_new(&other, |to| {
            std::fs::write(&other, "somebody else's")?;
            to.write_all(b"ours")
        });
        let said = unwritten(&other, late.unwrap_err());
        let due = format!("--to names {}, which is there already and is not replaced; ", other.display());
        assert!(said.to_string().starts_with(&due) && said.exit_status() == 2, "{said}");
    }
}
