//! Files that nothing needs any more: checkpoints of runs that finished or are gone, halves of checkpoints, uploads that a
//! killed server was receiving.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use recspeed_types::RunId;

use crate::answers::make_room;
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
