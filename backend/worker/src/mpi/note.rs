//! The folder that the ranks of one run share with whoever started them: who they are, whom they wait for, and which of them failed
//! first.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use recspeed_parallel::{RankFailure, SeenWait};
use serde_json::{Value, json};

/// Such a folder.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    folder: PathBuf,
}

impl Notes {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(super) fn spec(&self) -> PathBuf {
        self.folder.join("spec.json")
    }

    fn failure(&self) -> PathBuf {
        self.folder.join("failed.json")
    }

    fn process(&self, rank: usize) -> PathBuf {
        self.folder.join(format!("rank-{rank}"))
    }

    fn joined(&self, rank: usize) -> PathBuf {
        self.folder.join(format!("joined-{rank}"))
    }

    fn done(&self, rank: usize) -> PathBuf {
        self.folder.join(format!("done-{rank}"))
    }

    fn wait_of(&self, rank: usize) -> PathBuf {
        self.folder.join(format!("waits-{rank}"))
    }

    /// Says which process this rank is.
    pub(super) fn sit_down(&self, rank: usize) {
        self.sit_down_as(rank, std::process::id());
    }

    /// Says which process a rank is.
    pub(super) fn sit_down_as(&self, rank: usize, pid: u32) {
        // Without it the rank's memory is not counted, and that it is stopped is not seen.
        let _ = std::fs::write(self.process(rank), pid.to_string());
    }

    /// Says that this rank has joined the others.
    pub(super) fn join(&self, rank: usize) -> std::io::Result<()> {
        File::create(self.joined(rank)).map(drop)
    }

    /// Whether a rank has joined the others.
    pub(super) fn has_joined(&self, rank: usize) -> bool {
        self.joined(rank).exists()
    }

    /// Says that nobody needs this rank any more.
    pub(super) fn end(&self, rank: usize) {
        // Without it the run fails where this process is stopped before the first rank has ended.
        let _ = File::create(self.done(rank));
    }

    /// Whether nobody needs a rank any more.
    pub(super) fn has_ended(&self, rank: usize) -> bool {
        self.done(rank).exists()
    }

    /// The process of a rank, once it has started.
    pub(super) fn pid(&self, rank: usize) -> Option<i32> {
        std::fs::read_to_string(self.process(rank)).ok()?.parse().ok()
    }

    /// Says whom a rank waits for.
    pub(super) fn wait(&self, wait: &SeenWait) {
        let note = json!({ "from": wait.from, "tag": wait.tag, "since_us": now_us().saturating_sub(wait.us) });
        let (file, new) = (self.wait_of(wait.rank), self.folder.join(format!("waits-{}.new", wait.rank)));
        // Others may read it at any time, and find a whole note or none. Without it they take this rank for one that hangs.
        let _ = std::fs::write(&new, note.to_string()).and_then(|()| std::fs::rename(&new, file));
    }

    /// Says that a rank which said so waits no longer.
    pub(super) fn go_on(&self, rank: usize) {
        let _ = std::fs::remove_file(self.wait_of(rank));
    }

    /// Whom a rank says that it waits for.
    pub(super) fn waits(&self, rank: usize) -> Option<SeenWait> {
        let note: Value = serde_json::from_slice(&std::fs::read(self.wait_of(rank)).ok()?).ok()?;
        Some(SeenWait {
            rank,
            from: note["from"].as_u64()? as usize,
            tag: note["tag"].as_str()?.to_owned(),
            us: now_us().saturating_sub(note["since_us"].as_u64()?),
        })
    }

    /// Notes a failure, unless another rank's is there already: the first one counts.
    pub(super) fn fail(&self, failure: &RankFailure) -> std::io::Result<()> {
        let mut file: File = OpenOptions::new().write(true).create_new(true).open(self.failure())?;
        let RankFailure { rank, cause, detail, follows } = failure;
        let note = json!({ "rank": rank, "cause": cause, "detail": detail, "follows": follows });
        file.write_all(note.to_string().as_bytes())
    }

    /// The failure that was noted first.
    pub(super) fn failed(&self) -> Option<RankFailure> {
        let note: Value = serde_json::from_slice(&std::fs::read(self.failure()).ok()?).ok()?;
        Some(RankFailure {
            rank: note["rank"].as_u64()? as usize,
            cause: note["cause"].as_str()?.to_owned(),
            detail: note["detail"].as_str()?.to_owned(),
            follows: note["follows"].as_bool()?,
        })
    }
}

/// Microseconds by the clock that all processes have.
fn now_us() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::new(folder.path());
        assert_eq!(notes.failed(), None);
        let failure = |rank| RankFailure { follows: rank == 0, ..RankFailure::new(rank, "\"no\"\n") };
        let [first, second] = [2, 0].map(|rank| RankFailure { detail: "a\nb".to_owned(), ..failure(rank) });
        notes.fail(&first).unwrap();
        assert!(notes.fail(&second).is_err());
        assert_eq!(notes.failed(), Some(first));
    }

    #[test]
    fn ranks_say_which_processes_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::new(folder.path());
        assert_eq!(notes.pid(1), None);
        notes.sit_down(1);
        assert_eq!(notes.pid(1), Some(std::process::id() as i32));
        assert!(!notes.has_joined(1) && !notes.has_ended(1));
        notes.join(1).unwrap();
        notes.end(1);
        assert!(notes.has_joined(1) && notes.has_ended(1) && !notes.has_joined(0) && !notes.has_ended(0));
    }
}
