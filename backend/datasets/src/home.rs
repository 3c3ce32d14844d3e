//! The data folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use recspeed_data::{Interactions, ReadLimits, ReadReport};
use recspeed_types::api::UploadRecord;

use crate::cache;
use crate::content::{is_sha256, sha256_hex};
use crate::error::{HomeError, at};
use crate::map::FileBytes;
use crate::read::Reading;

/// Name of an imported file in its folder; the name that it was given stands in its record.
const FILE: &str = "data";

/// Name of the record beside it.
const RECORD: &str = "record.json";

/// A folder of imported files and parsed ones.
#[derive(Debug, Clone)]
pub struct DataHome {
    root: PathBuf,
}

impl DataHome {
    /// Opens `root`, or `$RECSPEED_HOME`, `$XDG_DATA_HOME/recspeed`, `~/.local/share/recspeed`, the first that is known;
    /// makes the folders that are missing.
    ///
    /// # Errors
    /// [`HomeError`]: no place is known, or a folder cannot be made.
    pub fn open(root: Option<PathBuf>) -> Result<Self, HomeError> {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = root
            .or_else(|| var("RECSPEED_HOME"))
            .or_else(|| var("XDG_DATA_HOME").map(|dir| dir.join("recspeed")))
            .or_else(|| var("HOME").map(|dir| dir.join(".local/share/recspeed")))
            .ok_or(HomeError::NoPlace)?;
        let home = Self { root };
        for folder in [home.datasets(), home.cache()] {
            fs::create_dir_all(&folder).map_err(at("create", &folder))?;
        }
        Ok(home)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn datasets(&self) -> PathBuf {
        self.root.join("datasets")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Copies a file into the folder under the hash of its content, after reading it once. A file that is there already
    /// gets the new name and format.
    ///
    /// # Errors
    /// [`HomeError`]: the file cannot be read, is no such data (more than 1 % bad lines count), or the disk is full.
    pub fn import(&self, path: &Path, name: &str, reading: Reading<'_>) -> Result<UploadRecord, HomeError> {
        let bytes = FileBytes::open(path).map_err(at("read", path))?;
        self.import_bytes(&Bytes::from_owner(bytes), name, reading)
    }

    /// The same for bytes in memory, as an upload brings them.
    ///
    /// # Errors
    /// As [`Self::import`].
    pub fn import_bytes(&self, bytes: &Bytes, name: &str, reading: Reading<'_>) -> Result<UploadRecord, HomeError> {
        let not_data = |source| HomeError::NotData { name: name.to_owned(), source };
        let outcome = reading.read(bytes, ReadLimits::default()).map_err(not_data)?;
        let sha256 = sha256_hex(bytes);
        let folder = self.datasets().join(&sha256);
        fs::create_dir_all(&folder).map_err(at("create", &folder))?;
        let file = folder.join(FILE);
        let stored = fs::metadata(&file).is_ok_and(|m| m.len() == bytes.len() as u64);
        if !stored {
            cache::write_atomically(&folder, &file, bytes).map_err(at("write", &file))?;
        }
        let record = UploadRecord {
            sha256,
            name: name.to_owned(),
            bytes: bytes.len() as u64,
            format: reading.format,
            rows: outcome.report.rows,
            bad_lines: outcome.report.bad_lines,
            created_ms: now_ms(),
        };
        self.keep_parsed(&record.sha256, reading, &outcome.interactions, &outcome.report);
        let path = folder.join(RECORD);
        // The record is written last: a folder without one is an import that did not finish.
        let text = serde_json::to_vec_pretty(&record).map_err(|error| at("write", &path)(error.into()))?;
        cache::write_atomically(&folder, &path, &text).map_err(at("write", &path))?;
        Ok(record)
    }

    /// Keeps a parsed file in the cache; a failure costs time later and nothing else, so it is only told.
    pub(crate) fn keep_parsed(
        &self,
        sha256: &str,
        reading: Reading<'_>,
        data: &Interactions,
        report: &ReadReport,
    ) -> Option<String> {
        cache::put(&cache::path(&self.cache(), sha256, reading), data, report).err()
    }

    /// The imported files, newest first. A folder without a record is skipped: its import did not finish.
    ///
    /// # Errors
    /// [`HomeError`]: the folder cannot be read, or a record is damaged.
    pub fn list(&self) -> Result<Vec<UploadRecord>, HomeError> {
        let folder = self.datasets();
        let mut records = Vec::new();
        for entry in fs::read_dir(&folder).map_err(at("read", &folder))? {
            let path = entry.map_err(at("read", &folder))?.path().join(RECORD);
            match fs::read(&path) {
                Ok(text) => {
                    let damaged =
                        |e: serde_json::Error| HomeError::Record { path: path.clone(), reason: e.to_string() };
                    let record: UploadRecord = serde_json::from_slice(&text).map_err(damaged)?;
                    records.push(record);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(at("read", &path)(error)),
            }
        }
        records.sort_by(|a, b| b.created_ms.cmp(&a.created_ms).then_with(|| a.sha256.cmp(&b.sha256)));
        Ok(records)
    }

    /// The imported file with this hash.
    ///
    /// # Errors
    /// [`HomeError::Unknown`]: there is none.
    pub fn find(&self, sha256: &str) -> Result<PathBuf, HomeError> {
        let unknown = || HomeError::Unknown { sha256: sha256.to_owned() };
        if !is_sha256(sha256) {
            return Err(unknown());
        }
        let file = self.datasets().join(sha256).join(FILE);
        if file.is_file() { Ok(file) } else { Err(unknown()) }
    }

    /// The record of the imported file with this hash.
    ///
    /// # Errors
    /// [`HomeError`]: there is none, or it is damaged.
    pub fn record(&self, sha256: &str) -> Result<UploadRecord, HomeError> {
        let path = self.find(sha256)?.with_file_name(RECORD);
        let text = fs::read(&path).map_err(at("read", &path))?;
        serde_json::from_slice(&text).map_err(|error| HomeError::Record { path, reason: error.to_string() })
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
