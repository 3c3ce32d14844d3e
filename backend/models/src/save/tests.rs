//! A folder holds the old model or the new one, never a half; what is not as it was written is one clear sentence.

use std::path::PathBuf;

use recspeed_types::spec::RecommenderSpec;
use tempfile::TempDir;

use super::*;
use crate::{SavedModel, load};

pub(super) struct Example {
    spec: ExperimentSpec,
    data: DataInfo,
    run: RunId,
    users: Dictionary,
    items: Dictionary,
    titles: Option<Titles>,
    known: Csr,
    parts: Parts,
}

impl Example {
    pub(super) fn new(seed: u64) -> Self {
        let spec = ExperimentSpec { seed, recommender: RecommenderSpec::new("bias"), ..ExperimentSpec::default() };
        let number = seed as f32;
        Self {
            spec,
            data: DataInfo {
                name: "example".to_owned(),
                users: 2,
                items: 3,
                train: 3,
                validation: 0,
                test: 1,
                bad_lines: 0,
                sha256: "0".repeat(64),
                synthetic: true,
                leaks: None,
            },
            run: RunId::new("example").expect("a run id"),
            users: ["u1", "u2"].into_iter().collect(),
            items: ["a", "b", "c"].into_iter().collect(),
            titles: Some(["Heat", "", "Up, é"].into_iter().collect()),
            known: Csr { indptr: vec![0, 2, 3], indices: vec![0, 2, 1], values: vec![1.0; 3] },
            parts: Parts::default().with_number("mean", number).with_matrix("items", 2, &[number; 6]),
        }
    }

    pub(super) fn to_save(&self, as_tensors: bool) -> ModelToSave<'_> {
        let Self { spec, data, run, users, items, titles, known, parts } = self;
        let titles = titles.as_ref();
        let (liked_rating, rating_scale) = (4.5, Some([1.0, 5.0]));
        ModelToSave { run, spec, data, users, items, titles, known, liked_rating, rating_scale, parts, as_tensors }
    }

    fn is(&self, saved: &SavedModel) -> bool {
        let ids = saved.users == self.users && saved.items == self.items && saved.titles == self.titles;
        ids && saved.parts == self.parts && saved.known == self.known
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { copy(&entry.path(), &to) } else { drop(fs::copy(entry.path(), to)) }
    }
}

fn saved(example: &Example) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    save(&dir, &example.to_save(false)).unwrap();
    (folder, dir)
}

#[test]
fn a_model_without_titles_is_as_one_that_a_lab_saved_which_kept_none() {
    let mut example = Example::new(1);
    example.titles = None;
    let folder = tempfile::tempdir().unwrap();
    let written = save(folder.path(), &example.to_save(false)).unwrap();
    assert!(!written.files.contains_key(TITLES) && written.version == 1);
    assert!(example.is(&load(folder.path()).unwrap()));
}

#[test]
fn a_model_comes_back_as_it_was_from_arrow_and_from_safetensors() {
    let example = Example::new(1);
    for as_tensors in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let written = save(folder.path(), &example.to_save(as_tensors)).unwrap();
        let back = load(folder.path()).unwrap();
        assert!(example.is(&back));
        assert_eq!(back.manifest, written);
        assert_eq!(back.manifest.files.contains_key(TENSORS), as_tensors);
        assert_eq!((back.manifest.spec.seed, back.manifest.liked_rating), (1, 4.5));
    }
}

#[test]
fn whenever_the_writer_is_killed_the_folder_holds_the_old_model_or_the_new_one() {
    let (old, new) = (Example::new(1), Example::new(2));
    for as_tensors in [false, true] {
        let (folder, dir) = saved(&old);
        let mut moments = 0;
        let mut seen = (0, 0);
        // What lies on the disk between any two changes is what a killed writer leaves.
        let mut watch = || {
            moments += 1;
            let left = folder.path().join(format!("moment-{moments}"));
            copy(&dir, &left);
            let found = load(&left).expect("a whole model at any moment");
            assert!(old.is(&found) || new.is(&found), "moment {moments}");
            *if old.is(&found) { &mut seen.0 } else { &mut seen.1 } += 1;
            // Whoever saves next is not hindered by what was left.
            save(&left, &new.to_save(false)).expect("a folder that can be saved into");
            assert_eq!(fs::read_dir(&left).unwrap().count(), 2, "a manifest and one folder");
        };
        save_watched(&dir, &new.to_save(as_tensors), &mut watch).unwrap();
        assert!(seen.0 >= 5 && seen.1 >= 2, "{seen:?}");
        assert!(new.is(&load(&dir).unwrap()));
    }
}

#[test]
fn a_first_save_that_was_killed_leaves_no_model_and_does_not_hinder_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    fs::create_dir_all(dir.join("files-abc")).unwrap();
    assert!(matches!(load(&dir), Err(ModelError::NotThere { .. })));
    save(&dir, &Example::new(1).to_save(false)).unwrap();
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
}

#[test]
fn a_folder_with_other_things_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "important").unwrap();
    let error = save(folder.path(), &Example::new(1).to_save(false)).unwrap_err().to_string();
    assert!(error.ends_with("holds other files; name a new or empty folder"), "{error}");
    fs::write(folder.path().join(manifest::FILE), "{\"name\": \"an app\"}").unwrap();
    let error = save(folder.path(), &Example::new(1).to_save(false)).unwrap_err().to_string();
    assert!(error.contains("is no manifest of a model of this lab (it has no version of this lab)"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn whatever_is_damaged_is_named_in_one_sentence() {
    let example = Example::new(1);
    let (_folder, dir) = saved(&example);
    let manifest = crate::manifest(&dir).unwrap();
    let whole = dir.with_file_name("whole");
    copy(&dir, &whole);
    let mut said = Vec::new();
    for name in manifest.files.keys() {
        for damage in ["missing", "short", "changed"] {
            fs::remove_dir_all(&dir).unwrap();
            copy(&whole, &dir);
            let path = dir.join(&manifest.folder).join(name);
            let mut bytes = fs::read(&path).unwrap();
            match damage {
                "missing" => fs::remove_file(&path).unwrap(),
                "short" => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                _ => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                    fs::write(&path, bytes).unwrap();
                }
            }
            let error = load(&dir).unwrap_err().to_string();
            assert!(error.contains(" is damaged: ") && error.contains(name.as_str()), "{error}");
            assert!(error.ends_with("; run its experiment again") && !error.contains('\n'), "{error}");
            said.push(error);
        }
    }
    assert!(said.iter().any(|error| error.contains("is missing")));
    assert!(said.iter().any(|error| error.contains("bytes instead of")));
    assert!(said.iter().any(|error| error.contains("does not agree with its checksum")));
}

#[test]
fn a_manifest_that_is_cut_off_foreign_or_of_a_later_lab_is_told_apart() {
    let (_folder, dir) = saved(&Example::new(1));
    let path = dir.join(manifest::FILE);
    let whole = fs::read_to_string(&path).unwrap();
    let said = |text: &str| {
        fs::write(&path, text).unwrap();
        load(&dir).unwrap_err().to_string()
    };
    assert!(said(&whole[..whole.len() / 2]).contains("(it is no JSON, or cut off)"));
    assert!(said("[1, 2]").contains("is no manifest of a model of this lab"));
    assert!(
        said(&whole.replace("\"version\": 1", "\"version\": 9")).contains("is of version 9, this lab reads version 1")
    );
    let escaping = whole.replace("\"folder\": \"files-", "\"folder\": \"../files-");
    assert!(said(&escaping).contains("it names a folder \"../files-"));
    let escaping = whole.replace("\"users.ids.arrow\"", "\"../../secret\"");
    assert!(said(&escaping).contains("it names a file \"../../secret\""));
    fs::remove_file(&path).unwrap();
    assert!(load(&dir).unwrap_err().to_string().contains("holds no saved model; name a folder that `recspeed run"));
    assert!(load(Path::new("/dev/null")).unwrap_err().to_string().contains("/dev/null holds no saved model"));
}
