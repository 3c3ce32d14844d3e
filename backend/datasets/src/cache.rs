//! Parsed files, kept as Arrow IPC under the hash of their content.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use recspeed_data::{Interactions, ReadReport, arrow_ipc};

use crate::content::sha256_hex;
use crate::map::FileBytes;
use crate::read::Reading;

/// Key of the reading's report in the file's metadata.
const REPORT: &str = "recspeed.report";

/// Raised whenever readers read a file differently: what was parsed before is not taken for what would be now.
const READER: u32 = 5;

/// What looking into the cache found.
pub(crate) enum Cached {
    /// The parsed file.
    Hit(Box<(Interactions, ReadReport)>),
    /// Nothing.
    Miss,
    /// Something that cannot be used, and why.
    Damaged(String),
}

/// The cache file of a content.
pub(crate) fn path(folder: &Path, sha256: &str, reading: Reading<'_>) -> PathBuf {
    folder.join(format!("{sha256}-{}-r{READER}.arrow", reading.tag()))
}

/// The file beside it that holds its checksum, which is written last.
fn checksum_path(path: &Path) -> PathBuf {
    path.with_extension("arrow.sha256")
}

/// Reads a cache file whose checksum agrees.
pub(crate) fn get(path: &Path) -> Cached {
    if !path.exists() {
        return Cached::Miss;
    }
    let damaged = |why: &str| Cached::Damaged(format!("the cache file {} {why}; it is written again", path.display()));
    let Ok(bytes) = FileBytes::open(path) else { return damaged("cannot be read") };
    match fs::read_to_string(checksum_path(path)) {
        Ok(expected) if expected == sha256_hex(&bytes) => {}
        Ok(_) => return damaged("does not agree with its checksum"),
        Err(_) => return damaged("has no checksum"),
    }
    match arrow_ipc::read(&bytes) {
        Ok((interactions, notes)) => match notes.get(REPORT).and_then(|text| serde_json::from_str(text).ok()) {
            Some(report) => Cached::Hit(Box::new((interactions, report))),
            None => damaged("has no report"),
        },
        Err(_) => damaged("was written by another version"),
    }
}

/// Writes a cache file under a temporary name, then renames it: readers see all of it or nothing.
pub(crate) fn put(path: &Path, interactions: &Interactions, report: &ReadReport) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let fail = |cause: String| format!("the cache file {} cannot be written: {cause}", path.display());
    let write = || -> Result<(), Box<dyn std::error::Error>> {
        let report = serde_json::to_string(report)?;
        let mut bytes = Vec::with_capacity(interactions.column_bytes() + 4096);
        arrow_ipc::write(interactions, &[(REPORT, &report)], &mut bytes)?;
        write_atomically(folder, path, &bytes)?;
        write_atomically(folder, &checksum_path(path), sha256_hex(&bytes).as_bytes())?;
        Ok(())
    };
    write().map_err(|cause| fail(cause.to_string()))
}

/// Writes a file so that it appears whole or not at all.
pub(crate) fn write_atomically(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    {
        let mut writer = BufWriter::new(file.as_file_mut());
        writer.write_all(bytes)?;
        writer.flush()?;
    }
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
