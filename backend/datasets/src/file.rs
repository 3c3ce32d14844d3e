//! Bytes of a file: mapped into memory, hashed, written whole or not at all.
#![allow(unsafe_code)] // for the one call that maps a file; its condition stands beside it

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use memmap2::{Advice, Mmap};
use sha2::{Digest as _, Sha256};

use crate::DatasetError;

/// A file's bytes, mapped: the operating system reads them when they are looked at.
pub(crate) struct Mapped(Option<Mmap>);

impl Mapped {
    /// Maps a file.
    pub(crate) fn open(path: &Path) -> Result<Self, DatasetError> {
        let fail = |source| DatasetError::reading(path, source);
        let file = File::open(path).map_err(fail)?;
        let about = file.metadata().map_err(fail)?;
        if about.is_dir() {
            return Err(fail(std::io::ErrorKind::IsADirectory.into()));
        }
        if about.len() == 0 {
            return Ok(Self(None));
        }
        // SAFETY: the map is read-only and private to this process. A file that another program shortens while it is
        // read would end this process with SIGBUS; that is why only the worker and the command line read data, never the
        // server's own threads, and why imported files are copies that nobody else writes.
        let map = unsafe { Mmap::map(&file) }.map_err(fail)?;
        // Advice only: reading works without it.
        let _ = map.advise(Advice::Sequential);
        Ok(Self(Some(map)))
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// SHA-256 of some bytes, hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hashed(bytes, &mut |_, _| {})
}

/// SHA-256 of some bytes, hexadecimal, with progress in bytes.
pub(crate) fn hashed(bytes: &[u8], progress: &mut dyn FnMut(u64, u64)) -> String {
    use std::fmt::Write as _;
    let mut hasher = Sha256::new();
    let mut done = 0;
    for piece in bytes.chunks(16 << 20) {
        hasher.update(piece);
        done += piece.len() as u64;
        progress(done, bytes.len() as u64);
    }
    hasher.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes a file beside its place and renames it there: whoever looks sees the old one or the new one, whole.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), DatasetError> {
    let fail = |source| DatasetError::writing(path, source);
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(fail)?;
    let mut partial = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    write(partial.as_file_mut()).map_err(fail)?;
    partial.as_file_mut().flush().map_err(fail)?;
    partial.as_file().sync_all().map_err(fail)?;
    partial.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}
