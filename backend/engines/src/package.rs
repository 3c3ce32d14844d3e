//! The Python package that runs in the environments, carried inside and unpacked where it is needed.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{EngineError, at};
use crate::record::sha256_hex;

const NAME: &str = "recspeed_engines";

/// Every file of the package.
const FILES: &[(&str, &str)] = &[
    ("__init__.py", include_str!("../recspeed_engines/__init__.py")),
    ("__main__.py", include_str!("../recspeed_engines/__main__.py")),
    ("compiled.py", include_str!("../recspeed_engines/compiled.py")),
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

/// What names the package: a part of the checksum of all that is in it.
pub(crate) fn version() -> String {
    let all: Vec<String> = FILES.iter().map(|(name, text)| format!("{name} {}\n{text}", text.len())).collect();
    sha256_hex(all.concat().as_bytes())[..16].to_owned()
}

/// Unpacks the package below `root`, unless it is there, and gives the folder for `PYTHONPATH`. Its name is that of its
/// content, so another build's package never takes its place; one that was changed since is unpacked again.
pub(crate) fn unpacked(root: &Path) -> Result<PathBuf, EngineError> {
    let folder = root.join(version());
    if is_whole(&folder) {
        return Ok(folder);
    }
    fs::create_dir_all(root).map_err(at("create", root))?;
    // One worker at a time, until this is dropped. Where the file system has no locks, `put` still moves nothing away that is whole.
    let alone = fs::File::open(root).map_err(at("open", root))?;
    let _ = alone.lock();
    if is_whole(&folder) {
        return Ok(folder);
    }
    let aside = tempfile::tempdir_in(root).map_err(at("create", root))?;
    let package = aside.path().join(NAME);
    fs::create_dir(&package).map_err(at("create", &package))?;
    for (name, text) in FILES {
        let file = package.join(name);
        fs::write(&file, text).map_err(at("write", &file))?;
    }
    put(root, aside, &folder)?;
    Ok(folder)
}

/// Moves a whole package to its place. Python may import at any moment from one that is there and whole: that one stays where it is.
fn put(root: &Path, package: TempDir, folder: &Path) -> Result<(), EngineError> {
    // A folder that has something in it is not replaced.
    let first = fs::rename(package.path(), folder);
    let moved = first.or_else(|error| {
        if is_whole(folder) {
            return Err(error);
        }
        let damaged = tempfile::tempdir_in(root)?;
        let _ = fs::rename(folder, damaged.path().join(NAME));
        fs::rename(package.path(), folder)
    });
    match moved {
        Ok(()) => drop(package.keep()),
        // Another worker was faster: the same content.
        Err(_) if is_whole(folder) => {}
        Err(error) => return Err(at("create", folder)(error)),
    }
    Ok(())
}

/// Whether every file is there as it is carried.
fn is_whole(folder: &Path) -> bool {
    let package = folder.join(NAME);
    FILES.iter().all(|(name, text)| fs::read(package.join(name)).is_ok_and(|read| read == text.as_bytes()))
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
    fn frameworks_read_their_first_rows_for_as_long_as_the_labs_own_containers_do() {
        use recspeed_types::study::retrieval::{WARM_ROWS, WARM_S};
        let text = FILES.iter().find(|(name, _)| *name == "retrieval.py").map_or("", |(_, text)| *text);
        for line in [format!("\nWARM_ROWS = {WARM_ROWS}\n"), format!("\nWARM_S = {WARM_S}\n")] {
            assert!(text.contains(&line), "{line}");
        }
    }

    #[test]
    fn the_package_is_unpacked_once() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = unpacked(root.path()).expect("unpacked");
        assert!(folder.join(NAME).join("__main__.py").is_file());
        assert_eq!(unpacked(root.path()).expect("again"), folder);
        assert_eq!(fs::read_dir(root.path()).expect("the folder").count(), 1);
    }

    #[test]
    fn a_package_that_was_changed_or_is_half_there_is_unpacked_again() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = unpacked(root.path()).expect("unpacked");
        let story = folder.join(NAME).join("story.py");
        let text = fs::read(&story).expect("a file");
        fs::write(&story, "print('another')").expect("written");
        assert_eq!(unpacked(root.path()).expect("again"), folder);
        assert_eq!(fs::read(&story).expect("a file"), text);
        fs::remove_file(&story).expect("it was there");
        unpacked(root.path()).expect("again");
        assert_eq!(fs::read(&story).expect("a file"), text);
        assert_eq!(fs::read_dir(root.path()).expect("the folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn one_that_another_worker_has_put_there_meanwhile_stays_where_it_is() {
        use std::os::unix::fs::MetadataExt as _;
        let root = tempfile::tempdir().expect("a folder");
        let folder = unpacked(root.path()).expect("unpacked");
        let which = |folder: &Path| fs::metadata(folder).expect("a folder").ino();
        let before = which(&folder);
        // A second worker that had found nothing there.
        let aside = tempfile::tempdir_in(root.path()).expect("a folder");
        fs::create_dir(aside.path().join(NAME)).expect("a folder");
        put(root.path(), aside, &folder).expect("it is there");
        assert_eq!(which(&folder), before, "it was not moved away, not for a moment");
        assert_eq!(fs::read_dir(root.path()).expect("the folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn many_workers_at_once_find_it_whole() {
        let root = tempfile::tempdir().expect("a folder");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(is_whole(&unpacked(root.path()).expect("unpacked"))));
            }
        });
        assert_eq!(fs::read_dir(root.path()).expect("the folder").count(), 1, "it is there once");
    }
}
