//! What stands in `manifest.json`.

use std::collections::BTreeMap;

use recspeed_types::summary::DataInfo;
use recspeed_types::{ExperimentSpec, RunId};
use serde::{Deserialize, Serialize};

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
}

/// Whether a name stays inside its folder.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.bytes().all(fits)
}
