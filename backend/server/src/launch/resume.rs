//! Where an interrupted run can go on.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use recspeed_types::RunId;
use sha2::{Digest, Sha256};

use crate::store::{self, CheckpointRow, Store, StoreError};

/// Checkpoints that are tried, newest first, when the newest is damaged.
const TRIED: u32 = 3;

/// A checkpoint that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The file.
    pub file: PathBuf,
    /// Steps in it.
    pub step: u64,
}

/// The newest checkpoint of the run whose file in `folder` has the hash that was announced.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub async fn find_checkpoint(store: &Store, run: &RunId, folder: &Path) -> Result<Option<Resume>, StoreError> {
    let (run, folder) = (run.clone(), folder.to_owned());
    store
        .read(move |connection| {
            let rows = store::checkpoints(connection, &run, TRIED)?;
            Ok(rows.into_iter().find_map(|row| whole(&folder, &row)))
        })
        .await
}

fn whole(folder: &Path, row: &CheckpointRow) -> Option<Resume> {
    // The name came from a worker: it must be a plain file name.
    if Path::new(&row.file).file_name() != Some(row.file.as_ref()) {
        tracing::warn!(file = row.file, "a checkpoint's name is no file name");
        return None;
    }
    let file = folder.join(&row.file);
    match sha256(&file) {
        Ok(found) if found.eq_ignore_ascii_case(&row.sha256) => Some(Resume { file, step: row.step }),
        Ok(_) => {
            tracing::warn!(file = %file.display(), "a checkpoint is damaged");
            None
        }
        Err(cause) => {
            tracing::warn!(file = %file.display(), %cause, "a checkpoint cannot be read");
            None
        }
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => hash.update(chunk.get(..read).unwrap_or_default()),
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_counts_only_when_its_hash_is_right_and_it_lies_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("c.bin"), b"abc").unwrap();
        // SHA-256 of "abc": FIPS 180-4, appendix.
        let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let row = |file: &str, sha256: &str| CheckpointRow { file: file.into(), step: 7, sha256: sha256.into() };
        assert_eq!(whole(folder.path(), &row("c.bin", right)).unwrap().step, 7);
        assert_eq!(whole(folder.path(), &row("c.bin", &right.replace('b', "c"))), None);
        assert_eq!(whole(folder.path(), &row("absent.bin", right)), None);
        assert_eq!(whole(&folder.path().join("sub"), &row("../c.bin", right)), None);
    }
}
