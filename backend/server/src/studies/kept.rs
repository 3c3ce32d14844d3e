//! What is kept of a study under the lab's folder: its last report, and how its last attempt went.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use recspeed_types::api::StudyAttempt;
use serde::de::DeserializeOwned;

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
    pub(super) fn report<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        read(&self.folder.join(format!("{name}.json")))
    }

    /// Takes a report's place.
    pub(super) fn put_report(&self, name: &str, text: &[u8]) -> io::Result<()> {
        self.write(&format!("{name}.json"), text)
    }

    /// How the last attempt went.
    pub(super) fn attempt(&self, name: &str) -> io::Result<Option<StudyAttempt>> {
        read(&self.folder.join(format!("{name}.attempt.json")))
    }

    /// Keeps how an attempt stands.
    pub(super) fn put_attempt(&self, name: &str, attempt: &StudyAttempt) -> io::Result<()> {
        self.write(&format!("{name}.attempt.json"), &serde_json::to_vec(attempt)?)
    }

    /// Written aside and renamed: who reads meanwhile reads all of the old one.
    fn write(&self, file: &str, text: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let aside = self.folder.join(format!("{file}.new"));
        fs::write(&aside, text)?;
        fs::rename(&aside, self.folder.join(file))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
