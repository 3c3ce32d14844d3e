//! What stands in `manifest.json`.

use std::collections::BTreeMap;

use recspeed_types::api::ApiFailure;
use recspeed_types::catalogue;
use recspeed_types::recommend::{SAY_WHY_SINCE, no_new_users};
use recspeed_types::summary::DataInfo;
use recspeed_types::{ExperimentSpec, RunId};
use serde::{Deserialize, Serialize};

use crate::save::{ARRAY, TENSORS};

/// Name of the file.
pub(crate) const FILE: &str = "manifest.json";
/// Version of the layout.
pub(crate) const VERSION: u64 = 1;

/// A saved model, described.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout: 1.
    pub version: u64,
    /// Version of the lab that wrote it.
    pub lab: String,
    /// The run that it comes from.
    pub run: RunId,
    /// The experiment, as it was written.
    pub spec: ExperimentSpec,
    /// What it was fitted on.
    pub data: DataInfo,
    /// What an item counts as that somebody has and did not rate.
    pub liked_rating: f32,
    /// Lowest and highest rating before the test; absent where the data have no ratings, and in models of a lab that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating_scale: Option<[f32; 2]>,
    /// Some ids of users who had something before the test, to show.
    pub users: Vec<String>,
    /// Some ids of items that somebody had before the test, to show.
    pub items: Vec<String>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// The folder of the files, beside the manifest.
    pub folder: String,
    /// The files by name.
    pub files: BTreeMap<String, SavedFile>,
}

/// A file of a saved model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    /// Its size.
    pub bytes: u64,
    /// Hash of its content, 64 hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    /// Why it has nothing for people who came after the training, as far as the spec and the files tell; `None` where it serves
    /// them.
    pub fn no_new_users(&self) -> Option<ApiFailure> {
        // A spec that no longer resolves is told where the model is asked.
        let recommender = self.spec.resolve().ok()?.recommender;
        let served = recommender.serves_new_users() && !is_of_known_users(&self.files);
        (!served).then(|| no_new_users(&recommender))
    }

    /// Whether it can say why, as far as the catalogue and the files tell.
    pub fn explains(&self) -> bool {
        let kind = self.spec.recommender.kind.as_str();
        catalogue::find(kind).is_some_and(|entry| entry.explains.is_some()) && !is_without_ratings(kind, &self.files)
    }
}

fn file_of(array: &str) -> String {
    format!("{}{array}{}", ARRAY.0, ARRAY.1)
}

/// Whether an earlier version of the lab kept it, which had nothing for new people where it was fitted so, and said it: of the model
/// or of a component.
fn is_of_known_users(files: &BTreeMap<String, SavedFile>) -> bool {
    let says = format!("folding.none{}", ARRAY.1);
    files.keys().any(|name| name.ends_with(&says))
}

/// Whether an earlier version of the lab kept it, whose models of this kind had no ratings to explain by.
fn is_without_ratings(kind: &str, files: &BTreeMap<String, SavedFile>) -> bool {
    let is_told = !files.contains_key(TENSORS);
    SAY_WHY_SINCE.contains(&kind) && is_told && !files.contains_key(&file_of("ratings.indptr"))
}

/// Whether a name stays inside its folder.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_earlier_versions_are_told_by_what_lies_beside_their_manifest() {
        let files = |names: &[&str]| -> BTreeMap<String, SavedFile> {
            names.iter().map(|name| ((*name).to_owned(), SavedFile { bytes: 1, sha256: String::new() })).collect()
        };
        for older in ["array-folding.none.arrow", "array-components.1.folding.none.arrow"] {
            assert!(is_of_known_users(&files(&["array-users.arrow", older])), "{older}");
        }
        for now in ["array-folding.known.arrow", "array-folding.logistic.arrow", TENSORS] {
            assert!(!is_of_known_users(&files(&["array-users.arrow", now])), "{now}");
        }
        for kind in SAY_WHY_SINCE {
            assert!(is_without_ratings(kind, &files(&["array-users.arrow"])), "{kind}");
            assert!(!is_without_ratings(kind, &files(&["array-users.arrow", "array-ratings.indptr.arrow"])), "{kind}");
            assert!(!is_without_ratings(kind, &files(&[TENSORS])), "{kind}: a file of all arrays does not tell");
        }
        assert!(!is_without_ratings("item-knn", &files(&[])));
    }
}
