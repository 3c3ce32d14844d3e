//! What is written down of an engine once it works.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalogue::Reference;

/// What is known of an installed engine. Written last: an engine without a record is half installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The Python that runs it.
    pub python: PathBuf,
    /// Whether the environment was made by the lab; otherwise it is somebody else's, and never changed.
    pub own: bool,
    /// SHA-256 of the requirements that it was installed from.
    pub requirements: String,
    /// The lab's own package that it was tried with; nothing where it was installed by a version of the lab that did not note it.
    #[serde(default)]
    pub package: String,
    /// What it said of itself: Python, the framework, what that needs.
    pub versions: BTreeMap<String, String>,
    /// Bytes on disk; 0 where the environment is somebody else's.
    pub bytes: u64,
    /// Files that had another size than their packages say, or never came, when all had just been installed: no damage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub as_they_came: Vec<String>,
    /// What each package there was called with its version, and the bytes of the list of its files, when all had just been installed (as
    /// `keras-3.15.1.dist-info`, 41234); nothing where it was installed by a version of the lab that did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<BTreeMap<String, u64>>,
}

/// A mending that has not come to its end, with what was there before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mending {
    /// What was to be mended.
    pub why: String,
    /// Why it was not.
    pub failed: String,
    /// The engine as it was installed: one that is whole and starts again is taken back.
    pub record: Record,
}

impl Record {
    /// Packages whose version is not the pinned one, as `numpy 2.0.0 instead of 2.4.6`.
    pub fn differences(&self, reference: &Reference) -> Vec<String> {
        let told = reference.unpinned(&self.versions).into_iter();
        told.map(|(pin, found)| format!("{} {found} instead of {}", pin.name, pin.version)).collect()
    }

    /// What is another than when it was installed, as `torch 2.10.0 instead of 2.9.0`. How PyVelox' vectors are built is no version.
    pub fn changes(&self, now: &BTreeMap<String, String>) -> Vec<String> {
        let is_version = |text: &str| text.contains(|c: char| c.is_ascii_digit());
        let told = now.iter().filter_map(|(name, version)| {
            let before = self.versions.get(name)?;
            let changed = before != version && is_version(before) && is_version(version);
            changed.then(|| format!("{name} {version} instead of {before}"))
        });
        told.collect()
    }
}

/// What names a set of requirements.
pub(crate) fn fingerprint(requirements: &str) -> String {
    sha256_hex(requirements.as_bytes())
}

/// SHA-256 of some bytes, hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::spec::EngineKind;

    #[test]
    fn other_versions_than_the_pinned_ones_are_named_and_builds_of_the_same_are_not() {
        let reference = crate::find(EngineKind::Pytorch).expect("an entry");
        let record = |torch: &str| Record {
            python: "python".into(),
            own: false,
            requirements: String::new(),
            package: String::new(),
            versions: BTreeMap::from([("torch".to_owned(), torch.to_owned())]),
            bytes: 0,
            as_they_came: Vec::new(),
            lists: None,
        };
        let pinned = reference.pins().find(|pin| pin.name == "torch").expect("a pin").version;
        assert!(record(&format!("{pinned}+cpu")).differences(reference).is_empty());
        assert_eq!(record("1.0").differences(reference), [format!("torch 1.0 instead of {pinned}")]);
        let now = |torch: &str| {
            let now = [("torch", torch), ("pyvelox-vectors", "list")];
            record("2.9.0+cpu").changes(&now.map(|(name, it)| (name.to_owned(), it.to_owned())).into())
        };
        assert!(now("2.9.0+cpu").is_empty());
        assert_eq!(now("2.9.0+cu128"), ["torch 2.9.0+cu128 instead of 2.9.0+cpu"]);
    }
}
