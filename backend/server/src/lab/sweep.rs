//! Files that nothing needs any more: checkpoints of runs that finished or are gone, halves of checkpoints, uploads that a
//! killed server was receiving.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use recspeed_types::RunId;

use crate::answers::make_room;
use crate::home;
use crate::launch::{LaunchOptions, Outcome};

/// The folder's own checkpoints go when the run has finished: nothing goes on from them.
pub(super) async fn after(folder: &Path, outcome: &Outcome) {
    if matches!(outcome, Outcome::Over { finished_after_s: Some(_) }) {
        match tokio::fs::remove_dir_all(folder).await {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(folder = %folder.display(), %cause, "the checkpoints of a finished run stay");
            }
            _ => {}
        }
    }
}

/// The oldest models go when the model of a finished run needs their room.
pub(super) async fn models(options: &LaunchOptions, run: &RunId, outcome: &Outcome) {
    if matches!(outcome, Outcome::Over { finished_after_s: Some(_) }) {
        let (folder, space, run) = (options.models(), options.model_space, run.clone());
        // A panic in there would only mean that old models stay.
        let _ = tokio::task::spawn_blocking(move || make_room(&folder, space, &run)).await;
    }
}

/// Bytes that the values of each user of all runs may take together.
const PER_USER_SPACE: u64 = 1 << 30;

/// The oldest values of users go when all together need more than their room.
pub(super) async fn per_user(options: &LaunchOptions, outcome: &Outcome) {
    if matches!(outcome, Outcome::Over { finished_after_s: Some(_) }) {
        let folder = home::per_user(&options.data_home);
        // A panic in there would only mean that old values stay.
        let _ = tokio::task::spawn_blocking(move || keep_newest(&folder, PER_USER_SPACE)).await;
    }
}

/// Removes the oldest files of a folder until the others take no more than `allowed` bytes.
fn keep_newest(folder: &Path, allowed: u64) {
    let facts = |file: fs::DirEntry| {
        let metadata = file.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len(), file.path()))
    };
    let mut kept: Vec<_> = children(folder).filter_map(facts).collect();
    kept.sort_unstable();
    let mut held: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in kept {
        if held <= allowed {
            break;
        }
        held -= bytes;
        remove(&path);
    }
}

/// What an earlier server left behind in the folder of runs. `needed`: ids of the runs that may go on.
pub(super) fn runs(folder: &Path, needed: &HashSet<String>) {
    for run in children(folder) {
        let name = run.file_name();
        if name.to_str().is_some_and(|name| needed.contains(name)) {
            let files: Vec<fs::DirEntry> = children(&run.path()).collect();
            let halves = files.iter().filter(|file| file.path().extension().is_some_and(|end| end == "part"));
            halves.for_each(|file| remove(&file.path()));
        } else {
            remove(&run.path());
        }
    }
}

/// Uploads that were never complete: their names are temporary ones.
pub(super) fn uploads(folder: &Path) {
    let unfinished = |name: &str| name.starts_with(".tmp");
    let left = children(folder).filter(|file| file.file_name().to_str().is_some_and(unfinished));
    left.for_each(|file| remove(&file.path()));
}

fn children(folder: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

fn remove(path: &Path) {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Ok(()) => tracing::info!(path = %path.display(), "removed what an earlier server left behind"),
        Err(cause) => tracing::warn!(path = %path.display(), %cause, "what an earlier server left behind stays"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_values_of_users_go_first() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in [(30, "a.json"), (10, "c.json"), (20, "b.json")] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_len(100).unwrap();
            file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
        }
        let names = || {
            let mut names: Vec<_> = children(folder.path()).map(|file| file.file_name()).collect();
            names.sort_unstable();
            names
        };
        keep_newest(folder.path(), 250);
        assert_eq!(names(), ["b.json", "c.json"]);
        keep_newest(folder.path(), 200);
        assert_eq!(names().len(), 2);
        keep_newest(&folder.path().join("nowhere"), 0);
    }

    #[test]
    fn only_what_nothing_needs_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for file in [
            "runs/going/checkpoint-4.bin",
            "runs/going/checkpoint-5.bin.part",
            "runs/done/checkpoint-9.bin",
            "uploads/.tmpAb12",
            "uploads/abcd.json",
        ] {
            fs::create_dir_all(path(file).parent().unwrap()).unwrap();
            fs::write(path(file), b"x").unwrap();
        }
        runs(&path("runs"), &HashSet::from(["going".to_owned()]));
        uploads(&path("uploads"));
        assert!(path("runs/going/checkpoint-4.bin").exists() && path("uploads/abcd.json").exists());
        assert!(!path("runs/going/checkpoint-5.bin.part").exists());
        assert!(!path("runs/done").exists() && !path("uploads/.tmpAb12").exists());
    }
}
