//! The model of a run of the terminal, kept where the server of the lab keeps those of its runs, and by the same rule.

use std::fs;
use std::path::{Path, PathBuf};

use recspeed_types::RunId;

use crate::answers::make_room;
use crate::home;

/// The lab's folder of models.
#[derive(Debug)]
pub(super) struct LabModels {
    folder: PathBuf,
    /// Bytes that all of them may take together.
    allowed: u64,
}

impl LabModels {
    /// That of the lab at `root`, or at its usual place; `None` where there is no such place, or where the lab keeps no models.
    pub(super) fn of(root: Option<&Path>) -> Option<Self> {
        let root = root.map(Path::to_owned).or_else(home::usual_place)?;
        let allowed = home::model_space(&root).saturating_mul(1 << 20);
        (allowed > 0).then(|| Self { folder: home::models(&root), allowed })
    }

    /// The folder, with one for each run.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Once the run has ended: whether its model is there. Then the oldest ones make room for it; otherwise nothing of it stays, as half
    /// a model where its worker was ended while it wrote it.
    pub(super) fn settle(&self, run: &RunId, finished: bool) -> bool {
        let own = self.folder.join(run.as_str());
        let kept = finished && recspeed_models::manifest(&own).is_ok_and(|manifest| manifest.run == *run);
        if kept {
            make_room(&self.folder, self.allowed, run);
        } else {
            leave_nothing(&self.folder, run);
        }
        kept
    }
}

/// Removes what the worker of this run left in `models`, the folder with one for each run. It must have ended: it would write on.
pub(super) fn leave_nothing(models: &Path, run: &RunId) {
    // The name is this run's alone, and mostly nothing is there.
    let _ = fs::remove_dir_all(models.join(run.as_str()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_whose_server_keeps_no_models_keeps_none_of_the_terminal() {
        let root = tempfile::tempdir().unwrap();
        let models = LabModels::of(Some(root.path())).unwrap();
        assert_eq!((models.folder(), models.allowed), (root.path().join("models").as_path(), 20_480 << 20));
        home::note_model_space(root.path(), 0).unwrap();
        assert!(LabModels::of(Some(root.path())).is_none());
        home::note_model_space(root.path(), u64::MAX).unwrap();
        assert_eq!(LabModels::of(Some(root.path())).unwrap().allowed, u64::MAX);
    }

    #[test]
    fn what_a_worker_leaves_half_written_goes_with_its_run_and_no_other() {
        let root = tempfile::tempdir().unwrap();
        let models = LabModels::of(Some(root.path())).unwrap();
        let [own, other] = ["own", "other"].map(|name| models.folder().join(name));
        for folder in [&own, &other] {
            fs::create_dir_all(folder.join("files-x")).unwrap();
        }
        assert!(!models.settle(&RunId::new("own").unwrap(), true), "half a model is none");
        assert!(!own.exists() && other.exists());
        assert!(!models.settle(&RunId::new("gone").unwrap(), false));
        assert!(other.exists());
    }
}
