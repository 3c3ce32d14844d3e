//! Space kept back for the last words of a run when the disk is full.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Enough for the failures of every running run and the write-ahead log that carries them.
const BYTES: usize = 4 * 1024 * 1024;

/// A file of zeros that is given up when the store finds no space, and filled again when there is some.
#[derive(Debug, Clone)]
pub struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// The reserve at `path`; [`Self::refill`] makes it.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Writes the reserve unless it is there; without space it stays away and nothing is lost. Whether it is there now.
    pub fn refill(&self) -> bool {
        if fs::metadata(&self.path).is_ok_and(|found| found.len() >= BYTES as u64) {
            return true;
        }
        let written = File::create(&self.path).and_then(|mut file| {
            let block = vec![0_u8; 64 * 1024];
            for _ in 0..BYTES / block.len() {
                file.write_all(&block)?;
            }
            file.sync_all()
        });
        if let Err(cause) = &written {
            tracing::warn!(%cause, "no space for the store's reserve");
            let _ = fs::remove_file(&self.path);
        }
        written.is_ok()
    }

    /// Gives the space back to the file system.
    pub fn release(&self) {
        if fs::remove_file(&self.path).is_ok() {
            tracing::warn!("the disk is full: the store's reserve was given up");
        }
    }
}
