//! What is kept of a study under the lab's folder: its last report, and how its last attempt went.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use recspeed_types::api::StudyAttempt;
use serde::de::DeserializeOwned;

use crate::alone::{self, Alone};
use crate::{home, whole_file};

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
        Self { folder: home::studies(home) }
    }

    /// The last report; `None` where it was never made here.
    pub(super) fn report<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Damaged> {
        read(self.folder.join(format!("{name}.json")))
    }

    /// What the file of the last report holds, whatever that is; `None` where nothing can be read there.
    pub(super) fn held(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(format!("{name}.json"))).ok()
    }

    /// Takes a report's place, which held `before` when its study began. Where it holds something else by now the study
    /// has kept its report by itself, and others may have put rows into that, or theirs in its place: then nothing is
    /// written.
    ///
    /// # Errors
    /// What the system says, or who holds the lock of the report for too long.
    pub(super) fn put_report(&self, name: &str, text: &[u8], before: Option<&[u8]>) -> io::Result<()> {
        let _alone = Alone::wait(&home::report_lock(&self.folder, name), alone::PATIENCE)?;
        if self.held(name).as_deref() != before {
            return Ok(());
        }
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
        kept.put_report("mixed", b"[1]", None).expect("nothing in its way");
        assert_eq!(kept.report::<Vec<u32>>("mixed").expect("readable"), Some(vec![1]));
        assert_eq!(fs::read_dir(home.path().join("studies")).expect("a folder").count(), 2, "nothing stays beside it");
    }

    /// A study keeps its report by itself before its server has read it.
    #[test]
    fn what_others_have_put_into_a_report_since_its_study_kept_it_stays() {
        let home = tempfile::tempdir().expect("a folder");
        let kept = Kept::below(home.path());
        kept.put_report("mixed", b"[0]", None).expect("room");
        let before = kept.held("mixed");
        // Nobody has written since: a program that only prints its report.
        kept.put_report("mixed", b"[1]", before.as_deref()).expect("room");
        assert_eq!(kept.held("mixed").as_deref(), Some(&b"[1]"[..]));
        let before = kept.held("mixed");
        // The study keeps its report, and another command puts a row into that.
        for text in ["[2]", "[2, 3]"] {
            fs::write(home.path().join("studies/mixed.json"), text).expect("written");
        }
        kept.put_report("mixed", b"[2]", before.as_deref()).expect("nothing to do");
        assert_eq!(kept.report::<Vec<u32>>("mixed").expect("readable"), Some(vec![2, 3]));
        // The first report of all.
        fs::write(home.path().join("studies/methods.json"), "[4]").expect("written");
        kept.put_report("methods", b"[5]", None).expect("nothing to do");
        assert_eq!(kept.report::<Vec<u32>>("methods").expect("readable"), Some(vec![4]));
        assert_eq!(fs::read_dir(home.path().join("studies")).expect("a folder").count(), 2, "no lock stays");
    }
}
