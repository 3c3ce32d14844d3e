//! Writing a model.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use recspeed_data::parts::{Array, Parts, Values};
use recspeed_data::{Csr, Dictionary, Titles};
use recspeed_types::summary::DataInfo;
use recspeed_types::{ExperimentSpec, RunId};

use crate::error::{ModelError, at};
use crate::folder::{self, write_file};
use crate::manifest::{self, Manifest, SavedFile, is_plain_name};
use crate::{array_file, load, tensors};

/// What the folders of files begin with.
pub(crate) const FOLDER: &str = "files-";
/// Files besides the arrays.
pub(crate) const USERS: &str = "users.ids.arrow";
pub(crate) const ITEMS: &str = "items.ids.arrow";
/// Beside them where the items have titles; a lab that does not know it leaves it.
pub(crate) const TITLES: &str = "items.titles.arrow";
pub(crate) const TENSORS: &str = "arrays.safetensors";
/// What the files of arrays begin and end with.
pub(crate) const ARRAY: (&str, &str) = ("array-", ".arrow");
/// What each user knows, as arrays of these names.
pub(crate) const KNOWN: (&str, &str) = ("known.indptr", "known.indices");

/// Ids that a manifest shows.
const EXAMPLES: usize = 5;

/// A model that is to be saved.
#[derive(Debug, Clone, Copy)]
pub struct ModelToSave<'a> {
    /// The run that it comes from.
    pub run: &'a RunId,
    /// The experiment, as it was written.
    pub spec: &'a ExperimentSpec,
    /// What it was fitted on.
    pub data: &'a DataInfo,
    /// Ids of the users, by index.
    pub users: &'a Dictionary,
    /// Ids of the items, by index.
    pub items: &'a Dictionary,
    /// What the items are called, by index, where the data set says so.
    pub titles: Option<&'a Titles>,
    /// Users × items: what each user had before the test. The values are not kept.
    pub known: &'a Csr,
    /// What an item counts as that somebody has and did not rate.
    pub liked_rating: f32,
    /// Lowest and highest rating before the test, where the data have ratings.
    pub rating_scale: Option<[f32; 2]>,
    /// Its arrays.
    pub parts: &'a Parts,
    /// Whether the arrays go into one safetensors file, as those of networks do; each into an Arrow file otherwise.
    pub as_tensors: bool,
}

/// Saves a model into `dir`, which is made where it is missing, in place of the model that was there. Whatever happens
/// meanwhile, `dir` holds the old model or the new one, whole.
///
/// # Errors
/// [`ModelError`]: `dir` holds something else, or cannot be written.
pub fn save(dir: &Path, model: &ModelToSave<'_>) -> Result<Manifest, ModelError> {
    save_watched(dir, model, &mut || {})
}

/// As [`save`]; `watch` is called between any two changes of the disk.
fn save_watched(dir: &Path, model: &ModelToSave<'_>, watch: &mut dyn FnMut()) -> Result<Manifest, ModelError> {
    check_place(dir)?;
    fs::create_dir_all(dir).map_err(at("write", dir))?;
    watch();
    let files = folder::new_in(dir, FOLDER)?;
    watch();
    let written = write_files(files.path(), model, watch)?;
    folder::sync_folder(files.path())?;
    let manifest = Manifest {
        version: manifest::VERSION,
        lab: env!("CARGO_PKG_VERSION").to_owned(),
        run: model.run.clone(),
        spec: model.spec.clone(),
        data: model.data.clone(),
        liked_rating: model.liked_rating,
        rating_scale: model.rating_scale,
        users: examples(model.users, (0..model.users.len()).filter(|&user| !model.known.row(user).0.is_empty())),
        items: examples(model.items, model.known.indices.iter().map(|&item| item as usize)),
        created_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64),
        folder: files.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        files: written,
    };
    let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    // Beside the files until it is renamed: what a killed writer leaves is swept with its folder.
    let new = files.path().join(manifest::FILE);
    write_file(&new, |to| to.write_all(&text))?;
    watch();
    let path = dir.join(manifest::FILE);
    // Kept before the manifest names it; from here on only sweeping removes it.
    let _ = files.keep();
    fs::rename(&new, &path).map_err(at("write", &path))?;
    watch();
    folder::sync_folder(dir)?;
    sweep(dir, &manifest.folder, watch);
    Ok(manifest)
}

/// The ids of the first few different ones.
fn examples(ids: &Dictionary, places: impl Iterator<Item = usize>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for place in places.filter(|&place| place < ids.len()) {
        let id = ids.get(place as u32);
        if !found.iter().any(|earlier| earlier == id) {
            found.push(id.to_owned());
        }
        if found.len() == EXAMPLES {
            break;
        }
    }
    found
}

/// Writes every file but the manifest.
fn write_files(
    dir: &Path,
    model: &ModelToSave<'_>,
    watch: &mut dyn FnMut(),
) -> Result<BTreeMap<String, SavedFile>, ModelError> {
    let mut files = BTreeMap::new();
    let mut add = |name: String, saved: SavedFile| {
        files.insert(name, saved);
        watch();
    };
    for (name, ids) in [(USERS, model.users), (ITEMS, model.items)] {
        add(name.to_owned(), write_file(&dir.join(name), |to| array_file::write_ids(ids, to))?);
    }
    if let Some(titles) = model.titles {
        add(TITLES.to_owned(), write_file(&dir.join(TITLES), |to| array_file::write_titles(titles, to))?);
    }
    let starts: Vec<u64> = model.known.indptr.iter().map(|&start| start as u64).collect();
    let known = [
        (KNOWN.0, Array { shape: vec![starts.len()], values: Values::U64(starts) }),
        (KNOWN.1, Array { shape: vec![model.known.nnz()], values: Values::U32(model.known.indices.clone()) }),
    ];
    for (name, array) in &known {
        let name = format!("{name}{}", ARRAY.1);
        let saved = write_file(&dir.join(&name), |to| array_file::write(array, to))?;
        add(name, saved);
    }
    if model.as_tensors || model.parts.iter().any(|(name, _)| !is_plain_name(name)) {
        let notes = HashMap::from([("recspeed.kind".to_owned(), model.spec.recommender.kind.clone())]);
        let bytes = tensors::write(model.parts, notes)
            .map_err(|cause| at("write", &dir.join(TENSORS))(io::Error::other(cause)))?;
        let saved = write_file(&dir.join(TENSORS), |to| to.write_all(&bytes))?;
        add(TENSORS.to_owned(), saved);
    } else {
        for (name, array) in model.parts.iter() {
            let name = format!("{}{name}{}", ARRAY.0, ARRAY.1);
            let saved = write_file(&dir.join(&name), |to| array_file::write(array, to))?;
            add(name, saved);
        }
    }
    Ok(files)
}

/// Whether a model may be saved into `dir`: it is not there, is empty, or holds a model. For whoever wants to know before a training.
///
/// # Errors
/// [`ModelError`]: something else lies there, or a model that this lab does not read.
pub fn check_place(dir: &Path) -> Result<(), ModelError> {
    let names = folder::names(dir)?.unwrap_or_default();
    if names.iter().any(|name| name == manifest::FILE) {
        return load::manifest(dir).map(drop);
    }
    // What a writer left that was killed before its first model was whole.
    if names.iter().all(|name| name.starts_with(FOLDER)) {
        Ok(())
    } else {
        Err(ModelError::Occupied { dir: dir.to_owned() })
    }
}

/// Removes the model in `dir` with its folder: the manifest first, so that whoever looks meanwhile finds a whole model or none.
///
/// # Errors
/// Something cannot be removed, or is not there.
pub fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join(manifest::FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_dir_all(dir),
    }
}

/// Removes the files of earlier models; what cannot be removed costs space, not truth.
fn sweep(dir: &Path, kept: &str, watch: &mut dyn FnMut()) {
    for name in folder::names(dir).ok().flatten().unwrap_or_default() {
        if name.starts_with(FOLDER) && name != kept {
            let _ = fs::remove_dir_all(dir.join(name));
            watch();
        }
    }
}

/// A small model for the tests of this crate.
#[cfg(test)]
pub(crate) fn example() -> crate::SavedModel {
    let folder = tempfile::tempdir().expect("a temporary folder");
    save(folder.path(), &tests::Example::new(1).to_save(false)).expect("a new folder");
    load(folder.path()).expect("what was just saved")
}

#[cfg(test)]
mod tests;
