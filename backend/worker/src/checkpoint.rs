//! Checkpoints on disk: whole or not at all, the last few of them.

use std::collections::VecDeque;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use recspeed_data::checkpoint::{CheckpointError, LOOK, look};
use sha2::{Digest as _, Sha256};

/// A written checkpoint.
#[derive(Debug)]
pub(crate) struct Written {
    /// File name inside the folder.
    pub(crate) file: String,
    /// SHA-256 of the file, hexadecimal.
    pub(crate) sha256: String,
}

/// Writes checkpoints into a folder, not more often than is cheap.
pub(crate) struct Checkpoints {
    folder: PathBuf,
    /// Files of this worker, oldest first.
    kept: VecDeque<String>,
    last_write: Instant,
    /// How long the last write took: writing shall cost at most a twentieth of the run.
    cost: Duration,
    /// [`sync_names`]; tests let the disk fail here.
    sync: fn(&Path) -> std::io::Result<()>,
}

/// Files that stay. More than one, because whoever started the worker may be killed before it has noted the newest: it then
/// looks for one that it knows.
const KEPT: usize = 3;
/// At least this long between two checkpoints.
const INTERVAL: Duration = Duration::from_secs(2);

impl Checkpoints {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            kept: VecDeque::new(),
            last_write: Instant::now(),
            cost: Duration::ZERO,
            sync: sync_names,
        }
    }

    /// Where they are written.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it is time for another one.
    pub(crate) fn is_due(&self) -> bool {
        self.last_write.elapsed() >= INTERVAL.max(self.cost * 20)
    }

    /// Writes `state` beside the earlier checkpoints, renames it into place, waits until the disk has its name, then
    /// removes the oldest one beyond [`KEPT`]. Where that fails, the next one is due as late as after one that was
    /// written.
    ///
    /// # Errors
    /// The system cannot write the file, or cannot bring its name to the disk. Nothing of it is left then.
    pub(crate) fn write(&mut self, step: u64, state: &[u8]) -> std::io::Result<Written> {
        let begun = Instant::now();
        let file = format!("checkpoint-{step}.bin");
        let written = self.put(&file, state);
        self.last_write = Instant::now();
        self.cost = begun.elapsed();
        written?;
        Ok(Written { file, sha256: hex(&Sha256::digest(state)) })
    }

    fn put(&mut self, file: &str, state: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let (partial, whole) = (self.folder.join(format!("{file}.part")), self.folder.join(file));
        if let Err(error) = write_whole(&partial, state).and_then(|()| fs::rename(&partial, &whole)) {
            // Half a checkpoint is of no use, and on a full disk in the way.
            let _ = fs::remove_file(&partial);
            return Err(error);
        }
        // A hybrid's components count their steps each from the beginning: a step can come again.
        self.kept.retain(|kept| kept != file);
        if let Err(error) = (self.sync)(&self.folder) {
            // Nobody hears of it, so that nobody would go on from it, or remove it.
            let _ = fs::remove_file(&whole);
            return Err(error);
        }
        self.kept.push_back(file.to_owned());
        while self.kept.len() > KEPT
            && let Some(oldest) = self.kept.pop_front()
        {
            // A checkpoint left behind costs space, not truth.
            let _ = fs::remove_file(self.folder.join(oldest));
        }
        Ok(())
    }
}

/// A checkpoint to go on from. Whether it is there is known at once; it is read when the fit asks for it, because the fit
/// counts it among what it will hold: read before, it would lie beside the data and be counted twice.
pub(crate) struct Resume {
    path: PathBuf,
    /// Open from the start: whoever removes the file takes nothing away.
    file: fs::File,
}

impl Resume {
    /// # Errors
    /// There is no such file, or it may not be read.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = fs::File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Whether it can be a checkpoint at all, by its ends. What has none to look at, as a pipe, is read by the fit.
    ///
    /// # Errors
    /// [`CheckpointError`], with the place of the file and what was found there.
    pub(crate) fn look(&self) -> Result<(), CheckpointError> {
        let Ok((first, last)) = self.ends() else { return Ok(()) };
        look(&first, &last).map_err(|error| error.of_file(&self.place().to_string()))
    }

    /// Its first and its last bytes.
    fn ends(&self) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        let data = self.file.metadata()?;
        if !data.is_file() {
            return Err(ErrorKind::Unsupported.into());
        }
        let count = data.len().min(LOOK as u64);
        let read = |from: u64| -> std::io::Result<Vec<u8>> {
            let mut bytes = vec![0; count as usize];
            self.file.read_exact_at(&mut bytes, from)?;
            Ok(bytes)
        };
        Ok((read(0)?, read(data.len() - count)?))
    }

    /// All of it, in no more memory than it takes.
    ///
    /// # Errors
    /// The system cannot read it, or has no memory for it.
    pub(crate) fn read(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(self.file.metadata()?.len()).unwrap_or(usize::MAX))?;
        (&self.file).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Where it lies, for people.
    pub(crate) fn place(&self) -> std::path::Display<'_> {
        self.path.display()
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut out = fs::File::create(path)?;
    out.write_all(bytes)?;
    out.sync_all()
}

/// Waits until the disk has the names in a folder: a machine that loses its power may otherwise have a file's bytes, and
/// no name for them, though whoever reads the events knows it by that name. Where a file system cannot be asked for that
/// (some on networks answer EINVAL), or this user may write into the folder and not read it, nobody waits.
fn sync_names(folder: &Path) -> std::io::Result<()> {
    match fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use recspeed_data::checkpoint::{Identity, seal};

    use super::*;

    #[test]
    fn the_last_three_checkpoints_lie_in_the_folder_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::new(folder.path());
        for step in 1..=5_u64 {
            checkpoints.write(step, format!("state {step}").as_bytes()).unwrap();
            let mut files: Vec<_> = fs::read_dir(folder.path())
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let expected: Vec<_> =
                (step.saturating_sub(2).max(1)..=step).map(|s| format!("checkpoint-{s}.bin")).collect();
            assert_eq!(files, expected);
        }
        assert_eq!(fs::read_to_string(folder.path().join("checkpoint-4.bin")).unwrap(), "state 4");
    }

    #[test]
    fn steps_that_come_again_do_not_remove_what_was_written_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::new(folder.path());
        for (nth, step) in [4, 8, 12, 4, 8, 12, 16].into_iter().enumerate() {
            checkpoints.write(step, format!("state {nth}").as_bytes()).unwrap();
            let newest = fs::read_to_string(folder.path().join(format!("checkpoint-{step}.bin"))).unwrap();
            assert_eq!(newest, format!("state {nth}"));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), KEPT);
    }

    #[test]
    fn a_checkpoint_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        // A folder in its place: the last step, the renaming, fails.
        fs::create_dir_all(folder.path().join("checkpoint-1.bin/in-the-way")).unwrap();
        Checkpoints::new(folder.path()).write(1, b"state").unwrap_err();
        assert!(!folder.path().join("checkpoint-1.bin.part").exists());
    }

    #[test]
    fn a_checkpoint_whose_name_the_disk_has_not_is_told_of_and_leaves_nothing_and_the_earlier_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::new(folder.path());
        for step in 1..=KEPT as u64 {
            checkpoints.write(step, b"state").unwrap();
        }
        // Its bytes are there, and are renamed, before the disk is asked.
        checkpoints.sync = |folder| {
            assert!(folder.join("checkpoint-9.bin").is_file() && !folder.join("checkpoint-9.bin.part").exists());
            Err(ErrorKind::Other.into())
        };
        checkpoints.write(9, b"state").unwrap_err();
        assert!(!folder.path().join("checkpoint-9.bin").exists());
        let stays = (1..=KEPT).all(|step| folder.path().join(format!("checkpoint-{step}.bin")).is_file());
        assert!(stays, "none makes room for one that is not safe");
        checkpoints.sync = sync_names;
        checkpoints.write(10, b"state").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), KEPT);
    }

    #[test]
    fn the_names_in_a_folder_are_brought_to_the_disk_and_one_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        sync_names(folder.path()).unwrap();
        let missing = sync_names(&folder.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn one_that_could_not_be_written_is_not_tried_again_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::new(folder.path());
        checkpoints.last_write = Instant::now().checked_sub(2 * INTERVAL).expect("the machine has run for seconds");
        assert!(checkpoints.is_due());
        checkpoints.sync = |_| Err(ErrorKind::StorageFull.into());
        checkpoints.write(1, b"state").unwrap_err();
        assert!(!checkpoints.is_due());
    }

    #[test]
    fn a_checkpoint_to_go_on_from_is_looked_for_at_once_and_read_when_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("checkpoint-1.bin");
        assert!(Resume::open(&place).is_err(), "it is not there");
        assert!(Resume::open(folder.path()).is_err(), "it is a folder");
        fs::write(&place, b"state").unwrap();
        let resume = Resume::open(&place).unwrap();
        fs::remove_file(&place).unwrap();
        assert_eq!(resume.read().unwrap(), b"state", "what is open stays until it is read");
    }

    #[test]
    fn what_cannot_be_a_checkpoint_is_refused_by_its_ends_with_its_place_and_read_whole_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("given.bin");
        let torn = [&b"RSFIT003"[..], &[7; 3 * LOOK]].concat();
        for (bytes, said) in [
            (
                &b"user_id:token\n1"[..],
                Some("not a checkpoint of this lab (it is text that begins with `user_id:token`)"),
            ),
            (b"", Some("not a checkpoint of this lab (it is empty)")),
            (b"PK\x03\x04 and more", Some("not a checkpoint of this lab (it begins with the bytes 50 4b 03 04)")),
            (b"recsnn04 and more", Some("a checkpoint of an earlier version of the lab")),
            (&torn[..], Some("damaged: it is cut off")),
            (&seal(torn.clone(), &Identity::default())[..], None),
        ] {
            fs::write(&place, bytes).unwrap();
            let resume = Resume::open(&place).unwrap();
            let refused = resume.look().err().map(|error| error.to_string());
            match (&refused, said) {
                (Some(refused), Some(said)) => {
                    assert!(refused.starts_with(&format!("the file {} is ", place.display())), "{refused}");
                    assert!(refused.contains(said) && refused.ends_with("or start again without it"), "{refused}");
                }
                (refused, said) => assert_eq!(refused.as_deref(), said),
            }
            assert_eq!(resume.read().unwrap(), bytes, "looking moves nothing");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let written = Checkpoints::new(folder.path()).write(1, b"abc").unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(written.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
