//! The Python package that runs in the environments, carried inside and unpacked where it is needed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{EngineError, at};
use crate::record::sha256_hex;

const NAME: &str = "recspeed_engines";

/// Every file of the package.
const FILES: &[(&str, &str)] = &[
    ("__init__.py", include_str!("../recspeed_engines/__init__.py")),
    ("__main__.py", include_str!("../recspeed_engines/__main__.py")),
    ("deepspeed.py", include_str!("../recspeed_engines/deepspeed.py")),
    ("job.py", include_str!("../recspeed_engines/job.py")),
    ("precision.py", include_str!("../recspeed_engines/precision.py")),
    ("pytorch.py", include_str!("../recspeed_engines/pytorch.py")),
    ("pyvelox.py", include_str!("../recspeed_engines/pyvelox.py")),
    ("retrieval.py", include_str!("../recspeed_engines/retrieval.py")),
    ("story.py", include_str!("../recspeed_engines/story.py")),
    ("tensorflow.py", include_str!("../recspeed_engines/tensorflow.py")),
    ("tensors.py", include_str!("../recspeed_engines/tensors.py")),
    ("torch_networks.py", include_str!("../recspeed_engines/torch_networks.py")),
    ("torchgpipe.py", include_str!("../recspeed_engines/torchgpipe.py")),
    ("training.py", include_str!("../recspeed_engines/training.py")),
];

/// Unpacks the package below `root`, unless it is there, and gives the folder for `PYTHONPATH`. Its name is that of its
/// content, so another build's package never takes its place.
pub(crate) fn unpacked(root: &Path) -> Result<PathBuf, EngineError> {
    let all: Vec<String> = FILES.iter().map(|(name, text)| format!("{name} {}\n{text}", text.len())).collect();
    let folder = root.join(&sha256_hex(all.concat().as_bytes())[..16]);
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(root).map_err(at("create", root))?;
    let aside = tempfile::tempdir_in(root).map_err(at("create", root))?;
    let package = aside.path().join(NAME);
    fs::create_dir(&package).map_err(at("create", &package))?;
    for (name, text) in FILES {
        let file = package.join(name);
        fs::write(&file, text).map_err(at("write", &file))?;
    }
    match fs::rename(aside.path(), &folder) {
        Ok(()) => drop(aside.keep()),
        // Another worker was faster: the same content.
        Err(_) if folder.is_dir() => {}
        Err(error) => return Err(at("create", &folder)(error)),
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_package_is_carried() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(NAME);
        let mut names: Vec<String> = fs::read_dir(source)
            .expect("the package")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
            .map(|path| path.file_name().expect("a file").to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, FILES.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    }

    #[test]
    fn the_package_is_unpacked_once() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = unpacked(root.path()).expect("unpacked");
        assert!(folder.join(NAME).join("__main__.py").is_file());
        assert_eq!(unpacked(root.path()).expect("again"), folder);
        assert_eq!(fs::read_dir(root.path()).expect("the folder").count(), 1);
    }
}
