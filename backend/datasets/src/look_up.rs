//! Where a relative path of a spec is searched.

use std::path::{Path, PathBuf};

use crate::DatasetError;

/// Where a relative path of a spec is searched: beside the spec file, then under `RECSPEED_DATA`.
#[derive(Debug, Clone, Default)]
pub struct LookUp {
    /// The folder of the spec file.
    pub spec_dir: Option<PathBuf>,
    /// The folder that `RECSPEED_DATA` names.
    pub data_root: Option<PathBuf>,
}

impl LookUp {
    /// The file that `given` means.
    ///
    /// # Errors
    /// [`DatasetError::NotFound`], with the folders that were searched.
    pub fn find(&self, given: &Path) -> Result<PathBuf, DatasetError> {
        if given.is_absolute() {
            return Ok(given.to_owned());
        }
        let folder = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
        let searched: Vec<PathBuf> = [&self.spec_dir, &self.data_root].into_iter().flatten().map(|p| folder(p)).collect();
        searched
            .iter()
            .map(|folder| folder.join(given))
            .find(|path| path.exists())
            .ok_or_else(|| DatasetError::NotFound { given: given.to_owned(), searched })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_spec_comes_before_the_folder_of_the_data() {
        let (spec, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let look_up =
            LookUp { spec_dir: Some(spec.path().to_owned()), data_root: Some(data.path().to_owned()) };
        std::fs::write(data.path().join("a.csv"), "").unwrap();
        assert_eq!(look_up.find(Path::new("a.csv")).unwrap(), data.path().join("a.csv"));
        std::fs::write(spec.path().join("a.csv"), "").unwrap();
        assert_eq!(look_up.find(Path::new("a.csv")).unwrap(), spec.path().join("a.csv"));
    }

    #[test]
    fn a_missing_file_is_told_with_the_folders_that_were_searched() {
        let look_up = LookUp { spec_dir: Some("here".into()), data_root: Some("there".into()) };
        let message = look_up.find(Path::new("no.csv")).unwrap_err().to_string();
        assert_eq!(
            message,
            "no.csv was not found; looked in here and there; write an absolute path, or set RECSPEED_DATA to the folder that holds it"
        );
    }
}
