//! What is kept of a study under the lab's folder: its last report, and how its last attempt went.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use recspeed_types::api::StudyAttempt;
use serde::de::DeserializeOwned;

use crate::whole_file;

/// A kept file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be read ({cause})", file.display())]
pub struct Damaged {
    /// Where it lies on this machine.
    file: PathBuf,
    /// What the system or the file's reader says.
    cause: io::Error,
}

impl Damaged {
    /// Whether a folder lies there, whose place no file can take.
    pub fn is_folder(&self) -> bool {
        self.cause.kind() == io::ErrorKind::IsADirectory
    }
}

/// The folder of reports.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// Below the lab's folder.
    pub(super) fn below(home: &Path) -> Self {
        Self { folder: home.join("studies") }
    }

    /// The last report; `None` where it was never made here.
    pub(super) fn report<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Damaged> {
        read(self.folder.join(format!("{name}.json")))
    }

    /// Takes a report's place.
    pub(super) fn put_report(&self, name: &str, text: &[u8]) -> io::Result<()> {
        self.write(&format!("{name}.json"), text)
    }

    /// How the last attempt went.
    pub(super) fn attempt(&self, name: &str) -> Result<Option<StudyAttempt>, Damaged> {
        read(self.folder.join(format!("{name}.attempt.json")))
    }

    /// Keeps how an attempt stands.
    pub(super) fn put_attempt(&self, name: &str, attempt: &StudyAttempt) -> io::Result<()> {
        self.write(&format!("{name}.attempt.json"), &serde_json::to_vec(attempt)?)
    }

    /// Who reads meanwhile reads all of the old one.
    fn write(&self, file: &str, text: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        whole_file::write(&self.folder.join(file), text)
    }
}

fn read<T: DeserializeOwned>(file: PathBuf) -> Result<Option<T>, Damaged> {
    let read = match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    read.map_err(|cause| Damaged { file, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_the_place_of_a_report_is_told_from_a_file_that_is_damaged() {
        let home = tempfile::tempdir().expect("a folder");
        let kept = Kept::below(home.path());
        fs::create_dir_all(home.path().join("studies/mixed.json")).expect("a folder");
        fs::write(home.path().join("studies/methods.json"), "{").expect("written");
        let is_folder = |name| kept.report::<Vec<u32>>(name).expect_err("no report").is_folder();
        assert!(is_folder("mixed") && !is_folder("methods"));
    }

    /// Two servers, or a server and what it had begun before it was killed, may keep a report at once.
    #[test]
    fn a_report_is_written_under_a_name_that_nobody_else_takes() {
        let home = tempfile::tempdir().expect("a folder");
        let kept = Kept::below(home.path());
        fs::create_dir_all(home.path().join("studies/mixed.json.new")).expect("a folder");
        kept.put_report("mixed", b"[1]").expect("nothing in its way");
        assert_eq!(kept.report::<Vec<u32>>("mixed").expect("readable"), Some(vec![1]));
        assert_eq!(fs::read_dir(home.path().join("studies")).expect("a folder").count(), 2, "nothing stays beside it");
    }
}
