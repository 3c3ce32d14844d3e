//! Where relative paths are looked for.

use std::path::{Path, PathBuf};

/// The folders that a relative path of a spec is looked up in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookUp {
    /// The folder of the spec file; `None` for a spec that came without a file.
    pub spec_dir: Option<PathBuf>,
    /// `RECSPEED_DATA`.
    pub data_root: Option<PathBuf>,
}

impl LookUp {
    /// Beside the spec file, then under the environment's `RECSPEED_DATA`.
    pub fn from_env(spec_dir: Option<PathBuf>) -> Self {
        let data_root = std::env::var_os("RECSPEED_DATA").filter(|value| !value.is_empty()).map(PathBuf::from);
        Self { spec_dir, data_root }
    }

    /// The places where `path` may be, best first. An absolute path may be at itself only; a relative one beside the
    /// spec file (in the working folder for a spec without a file), then under [`Self::data_root`].
    pub fn places(&self, path: &str) -> Vec<PathBuf> {
        let path = Path::new(path);
        if path.is_absolute() {
            return vec![path.to_owned()];
        }
        let beside = self.spec_dir.as_ref().map_or_else(|| path.to_owned(), |dir| dir.join(path));
        std::iter::once(beside).chain(self.data_root.as_ref().map(|root| root.join(path))).collect()
    }

    /// The first place where something is, or all places that were tried.
    pub(crate) fn find(&self, path: &str) -> Result<PathBuf, Vec<PathBuf>> {
        let places = self.places(path);
        places.iter().find(|place| place.exists()).cloned().ok_or(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_looked_up_beside_the_spec_then_under_the_data_root() {
        let look_up = LookUp { spec_dir: Some("/specs".into()), data_root: Some("/data".into()) };
        assert_eq!(look_up.places("a/b.csv"), [Path::new("/specs/a/b.csv"), Path::new("/data/a/b.csv")]);
        assert_eq!(look_up.places("/x.csv"), [Path::new("/x.csv")]);
        assert_eq!(LookUp::default().places("b.csv"), [Path::new("b.csv")]);
    }
}
