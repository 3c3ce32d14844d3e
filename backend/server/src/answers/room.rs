//! Room for models: the oldest go when all together need more.

use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use recspeed_types::RunId;

/// How long a folder without a whole model is left alone after its last change: a worker of this lab's server or of its terminal may be
/// writing one there.
const WRITING: Duration = Duration::from_hours(1);

/// Removes the oldest models until the others take no more than `allowed` bytes; `newest` stays in any case, and so does what somebody
/// may be writing. The server and the terminal may do it at once: each removes the oldest first, so what both have seen they agree on.
pub fn make_room(models: &Path, allowed: u64, newest: &RunId) {
    let mut kept: Vec<(i64, u64, PathBuf)> = fs::read_dir(models)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str() != Some(newest.as_str()))
        .filter_map(|entry| match recspeed_models::manifest(&entry.path()) {
            Ok(manifest) => Some((manifest.created_ms, manifest.bytes(), entry.path())),
            // No model, or not a whole one: the first to go.
            Err(_) => is_left(&entry.path()).then(|| (i64::MIN, 0, entry.path())),
        })
        .collect();
    kept.sort_unstable();
    let own = recspeed_models::manifest(&models.join(newest.as_str())).map_or(0, |manifest| manifest.bytes());
    let mut held = own + kept.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
    for (created, bytes, folder) in kept {
        if held <= allowed && created > i64::MIN {
            break;
        }
        held -= bytes;
        match recspeed_models::remove(&folder) {
            Ok(()) => tracing::info!(folder = %folder.display(), "removed the oldest model to make room"),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => tracing::warn!(folder = %folder.display(), %cause, "an old model stays"),
        }
    }
}

/// Whether nobody writes there any more: nothing has been made or removed in the folder and in those inside it for a while.
fn is_left(folder: &Path) -> bool {
    let inside = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let changed =
        iter::once(folder.to_owned()).chain(inside).filter_map(|path| fs::metadata(path).ok()?.modified().ok());
    changed.max().is_none_or(|changed| changed.elapsed().is_ok_and(|since| since > WRITING))
}
