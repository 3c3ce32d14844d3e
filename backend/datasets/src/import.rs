//! Imported files: copies under the SHA-256 of their bytes, each with a record.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use recspeed_data::{ReadLimits, read_ratings};
use recspeed_types::api::UploadRecord;
use recspeed_types::spec::DataFormat;

use crate::file::{Mapped, hashed, write_whole};
use crate::{DataHome, DatasetError};

const RECORD: &str = "record.json";
const CONTENT: &str = "content";

impl DataHome {
    /// Copies a file into the lab, after reading it whole once. The same bytes are kept once; a second import renames them.
    ///
    /// # Errors
    /// [`DatasetError`]: the file cannot be read, is no ratings file of this format, or cannot be stored.
    pub fn import(&self, path: &Path, name: &str, format: DataFormat) -> Result<UploadRecord, DatasetError> {
        let name = checked_name(name)?;
        let source = Mapped::open(path)?;
        let bytes = source.bytes();
        let sha256 = hashed(bytes, &mut |_, _| {});
        let read = read_ratings(format, bytes, ReadLimits::default())
            .map_err(|source| DatasetError::Content { path: path.to_owned(), source })?;
        let folder = self.import_of(&sha256);
        let content = folder.join(CONTENT);
        if !content.is_file() {
            write_whole(&content, |file| std::io::Write::write_all(file, bytes))?;
        }
        // The rows are parsed already: the first run need not do it again. A cache that cannot be written costs time only.
        if read.report.bad_lines == 0 {
            let _ = self.into_cache(&sha256, format, &read.interactions, &read.report);
        }
        let record = UploadRecord {
            sha256,
            name,
            bytes: bytes.len() as u64,
            format,
            rows: read.report.rows,
            bad_lines: read.report.bad_lines,
            created_ms: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        };
        write_whole(&folder.join(RECORD), |file| serde_json::to_writer(file, &record).map_err(std::io::Error::other))?;
        Ok(record)
    }

    /// Every imported file, newest first. A folder without a whole record is an import that did not end: it is left out.
    ///
    /// # Errors
    /// [`DatasetError::File`] when the folder of imports cannot be read.
    pub fn list(&self) -> Result<Vec<UploadRecord>, DatasetError> {
        let folder = self.imports();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(DatasetError::reading(&folder, error)),
        };
        let mut records: Vec<UploadRecord> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| fs::read(entry.path().join(RECORD)).ok())
            .filter_map(|bytes| serde_json::from_slice(&bytes).ok())
            .collect();
        records.sort_by(|a, b| b.created_ms.cmp(&a.created_ms).then_with(|| a.sha256.cmp(&b.sha256)));
        Ok(records)
    }

    /// The imported file with this content hash.
    ///
    /// # Errors
    /// [`DatasetError::UnknownUpload`].
    pub fn find(&self, sha256: &str) -> Result<PathBuf, DatasetError> {
        let content = self.import_of(sha256).join(CONTENT);
        // The hash comes from outside: nothing but hexadecimal digits may become part of a path.
        let plain = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
        if plain && content.is_file() { Ok(content) } else { Err(DatasetError::UnknownUpload { sha256: sha256.to_owned() }) }
    }

    /// The name that an imported file was given.
    pub(crate) fn name_of(&self, sha256: &str) -> Option<String> {
        let bytes = fs::read(self.import_of(sha256).join(RECORD)).ok()?;
        serde_json::from_slice::<UploadRecord>(&bytes).ok().map(|record| record.name)
    }
}

fn checked_name(name: &str) -> Result<String, DatasetError> {
    let name = name.trim();
    let fits = (1..=120).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(name.to_owned()) } else { Err(DatasetError::Name { given: name.chars().take(120).collect() }) }
}
