//! Reading a model.

use std::fs;
use std::io;
use std::path::Path;

use recspeed_data::parts::{Array, Parts, Values};
use recspeed_data::{Csr, Dictionary, Titles};

use crate::error::{ModelError, at};
use crate::manifest::{FILE, Manifest, VERSION, is_plain_name};
use crate::save::{ARRAY, FOLDER, ITEMS, KNOWN, TENSORS, TITLES, USERS};
use crate::{array_file, folder, tensors};

/// Bytes of a manifest: a spec and some lines for each file.
const MAX_MANIFEST_BYTES: u64 = 1 << 22;

/// A model in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedModel {
    /// What it is.
    pub manifest: Manifest,
    /// Ids of the users, by index.
    pub users: Dictionary,
    /// Ids of the items, by index.
    pub items: Dictionary,
    /// What the items are called, by index, where the data set said so.
    pub titles: Option<Titles>,
    /// Users × items: what each user had before the test; every value is 1.
    pub known: Csr,
    /// Its arrays.
    pub parts: Parts,
}

/// What the model in `dir` is, without reading it.
///
/// # Errors
/// [`ModelError`]: there is none, or its manifest is not as this lab writes it.
pub fn manifest(dir: &Path) -> Result<Manifest, ModelError> {
    let path = dir.join(FILE);
    let foreign = |reason: String| ModelError::Foreign { path: path.clone(), reason };
    let size = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(ModelError::NotThere { dir: dir.to_owned() });
        }
        Err(error) => return Err(at("read", &path)(error)),
    };
    if size > MAX_MANIFEST_BYTES {
        return Err(foreign(format!("it has {size} bytes")));
    }
    let text = fs::read(&path).map_err(at("read", &path))?;
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|_| foreign("it is no JSON, or cut off".to_owned()))?;
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(VERSION) => {}
        Some(version) if version > VERSION => return Err(ModelError::Later { dir: dir.to_owned(), version }),
        _ => return Err(foreign("it has no version of this lab".to_owned())),
    }
    let manifest: Manifest = serde_json::from_value(value).map_err(|error| foreign(error.to_string()))?;
    let inside = is_plain_name(&manifest.folder) && manifest.folder.starts_with(FOLDER);
    match manifest.files.keys().find(|name| !is_plain_name(name)) {
        None if inside => Ok(manifest),
        Some(name) => Err(foreign(format!("it names a file {name:?}"))),
        None => Err(foreign(format!("it names a folder {:?}", manifest.folder))),
    }
}

/// Reads the model in `dir`; every file is held against its checksum.
///
/// # Errors
/// [`ModelError`]: there is none, or it is damaged.
pub fn load(dir: &Path) -> Result<SavedModel, ModelError> {
    let manifest = manifest(dir)?;
    let mut files = Files { dir, manifest: &manifest };
    let users = files.read(USERS, array_file::read_ids)?;
    let items = files.read(ITEMS, array_file::read_ids)?;
    let titles = files.titles(items.len())?;
    let known = files.known(users.len(), items.len())?;
    let parts = files.parts()?;
    Ok(SavedModel { manifest, users, items, titles, known, parts })
}

impl SavedModel {
    /// How models of this kind are exchanged.
    pub fn usual_format(&self) -> crate::ExportFormat {
        if self.manifest.files.contains_key(TENSORS) {
            crate::ExportFormat::Safetensors
        } else {
            crate::ExportFormat::Parquet
        }
    }
}

struct Files<'a> {
    dir: &'a Path,
    manifest: &'a Manifest,
}

impl Files<'_> {
    fn damaged(&self, file: &str, reason: impl Into<String>) -> ModelError {
        ModelError::Damaged { dir: self.dir.to_owned(), file: file.to_owned(), reason: reason.into() }
    }

    /// Reads a file that is as it was written.
    fn read<T>(&mut self, name: &str, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, ModelError> {
        let saved = self.manifest.files.get(name).ok_or_else(|| self.damaged(name, "is not in its manifest"))?;
        let path = self.dir.join(&self.manifest.folder).join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.damaged(name, "is missing")),
            Err(error) => return Err(at("read", &path)(error)),
        };
        if bytes.len() as u64 != saved.bytes {
            return Err(self.damaged(name, format!("has {} bytes instead of {}", bytes.len(), saved.bytes)));
        }
        if folder::sha256(&bytes) != saved.sha256 {
            return Err(self.damaged(name, "does not agree with its checksum"));
        }
        parse(&bytes).ok_or_else(|| self.damaged(name, "is of another kind than its name says"))
    }

    /// Models of data sets without titles have none, nor have those of a lab that kept none.
    fn titles(&mut self, items: usize) -> Result<Option<Titles>, ModelError> {
        if !self.manifest.files.contains_key(TITLES) {
            return Ok(None);
        }
        let titles = self.read(TITLES, array_file::read_titles)?;
        if titles.len() != items {
            return Err(self.damaged(TITLES, format!("has {} items instead of {items}", titles.len())));
        }
        Ok(Some(titles))
    }

    fn known(&mut self, users: usize, items: usize) -> Result<Csr, ModelError> {
        let name = |name: &str| format!("{name}{}", ARRAY.1);
        let starts = self.read(&name(KNOWN.0), array_file::read)?;
        let indices = self.read(&name(KNOWN.1), array_file::read)?;
        let ones = Array { shape: indices.shape.clone(), values: Values::F32(vec![1.0; indices.values.len()]) };
        let arrays = [("known.indptr", starts), ("known.indices", indices), ("known.values", ones)];
        let mut parts: Parts = arrays.into_iter().map(|(name, array)| (name.to_owned(), array)).collect();
        match parts.take_csr("known", items) {
            Ok(known) if known.n_rows() == users => Ok(known),
            Ok(known) => Err(self.damaged(&name(KNOWN.0), format!("has {} users instead of {users}", known.n_rows()))),
            Err(error) => Err(self.damaged(&name(KNOWN.1), error.to_string())),
        }
    }

    fn parts(&mut self) -> Result<Parts, ModelError> {
        if self.manifest.files.contains_key(TENSORS) {
            return self.read(TENSORS, tensors::read);
        }
        let arrays = self.manifest.files.keys().filter_map(|file| {
            let name = file.strip_prefix(ARRAY.0)?.strip_suffix(ARRAY.1)?;
            Some((file.clone(), name.to_owned()))
        });
        let names: Vec<_> = arrays.collect();
        names.into_iter().map(|(file, name)| Ok((name, self.read(&file, array_file::read)?))).collect()
    }
}
