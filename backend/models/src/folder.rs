//! Files that are written with their checksum, and folders that appear whole.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::error::{ModelError, at};
use crate::manifest::SavedFile;

/// A file on its way to the disk: counted and hashed.
struct Hashing {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a file and waits until the disk has it.
pub(crate) fn write_file<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    path: &Path,
    content: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E>,
) -> Result<SavedFile, ModelError> {
    let write = || -> io::Result<SavedFile> {
        let file = BufWriter::with_capacity(1 << 18, File::create(path)?);
        let mut file = Hashing { file, hash: Sha256::new(), bytes: 0 };
        content(&mut file).map_err(io_error)?;
        file.flush()?;
        file.file.get_ref().sync_all()?;
        Ok(SavedFile { bytes: file.bytes, sha256: hex(&file.hash.finalize()) })
    };
    write().map_err(at("write", path))
}

/// The disk's own error where one lies below.
fn io_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    let error: Box<dyn std::error::Error + Send + Sync> = error.into();
    let mut below: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(cause) = below {
        if let Some(found) = cause.downcast_ref::<io::Error>() {
            return io::Error::new(found.kind(), found.to_string());
        }
        below = cause.source();
    }
    // Arrow and Parquet pass an error of the disk on as words.
    if error.to_string().contains("No space left") {
        io::ErrorKind::StorageFull.into()
    } else {
        io::Error::other(error)
    }
}

/// SHA-256 as 64 hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    let digits = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(digits[usize::from(digit)])).collect()
}

/// A new folder inside another one, which disappears unless it is kept.
pub(crate) fn new_in(dir: &Path, prefix: &str) -> Result<TempDir, ModelError> {
    let permissions = Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix(prefix).permissions(permissions).tempdir_in(dir).map_err(at("write", dir))
}

/// Waits until the disk has the names in a folder.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), ModelError> {
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(at("write", dir))
}

/// Names in a folder; `None` where there is no folder.
pub(crate) fn names(dir: &Path) -> Result<Option<Vec<String>>, ModelError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at("read", dir)(error)),
    };
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    entries.map(name).collect::<io::Result<Vec<_>>>().map(Some).map_err(at("read", dir))
}

/// The folder that holds `path`.
pub(crate) fn parent(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}
