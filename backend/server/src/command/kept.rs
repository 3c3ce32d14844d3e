//! Runs among others, each kept in a file of its own as soon as it has ended, so that an interrupted comparison or search goes
//! on where it was.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use clap::Args;
use recspeed_datasets::{DataHome, LookUp, sha256_hex};
use recspeed_types::{ExperimentSpec, FailureCode, RunSummary, UserValues};
use serde::{Deserialize, Serialize};

use super::data::DataError;
use super::failure::CommandError;
use super::run::{Interrupts, Screen, WorkerOptions, find_worker, run_quietly};
use super::writable;
use crate::comparison::Run;

pub(super) use super::run::{Among, Ran};

/// What a file of a kept run ends in.
pub(super) const ENDING: &str = ".run.json";

/// The results of a search, in the folder that keeps its runs. Not `.json`: `recspeed compare` reads such files of a folder as specs.
pub(super) const RESULTS: &str = "results.jsonl";

/// A run that cannot be kept or taken up again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// The disk says no.
    #[error("cannot keep runs in {path}: {source}; make room, or name another folder with {flag} DIR")]
    Disk {
        /// What names the folder, as `--keep`.
        flag: &'static str,
        /// The file or folder.
        path: String,
        /// Why.
        source: io::Error,
    },
}

fn at(flag: &'static str, path: &Path) -> impl Fn(io::Error) -> KeepError {
    let path = path.display().to_string();
    move |source| KeepError::Disk { flag, path: path.clone(), source }
}

/// Arguments of every command that keeps runs.
#[derive(Debug, Args)]
pub(super) struct KeepArgs {
    /// Keep each run in this folder (otherwise in the lab's, under `kept`)
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
    /// Run everything again, whatever is kept
    #[arg(long)]
    pub(super) fresh: bool,
    /// The worker to use (otherwise `recspeed-worker` beside this program, then in PATH)
    #[arg(long, value_name = "PATH")]
    pub(super) worker: Option<PathBuf>,
    /// Where imported data and caches lie (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    pub(super) home: Option<PathBuf>,
}

/// A finished run: what was asked and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptRun {
    /// What was asked.
    pub(super) spec: ExperimentSpec,
    /// The result.
    pub(super) summary: RunSummary,
    /// The value of each user.
    pub(super) users: UserValues,
}

impl KeptRun {
    /// Reads a file; `None` when it is no whole kept run of this lab.
    pub(super) fn read(path: &Path) -> Option<Self> {
        serde_json::from_reader(BufReader::new(File::open(path).ok()?)).ok()
    }

    /// The files of the kept runs that count in a folder: those that the results of a search name, its winners; in any other folder all, as
    /// they were made.
    ///
    /// # Errors
    /// The folder, or the results in it, cannot be read.
    pub(super) fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
        if let Some(winners) = winners(folder)? {
            return Ok(winners);
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if is_kept(&path) {
                files.push((fs::metadata(&path)?.modified()?, path));
            }
        }
        files.sort();
        Ok(files.into_iter().map(|(_, path)| path).collect())
    }

    /// As it is compared.
    pub(super) fn lend(&self) -> Run<'_> {
        Run { spec: &self.spec, summary: &self.summary, users: Some(&self.users) }
    }

    /// Whole or not at all.
    fn write(&self, path: &Path, flag: &'static str) -> Result<(), KeepError> {
        let aside = path.with_extension("part");
        let write = || -> io::Result<()> {
            let mut file = BufWriter::new(File::create(&aside)?);
            serde_json::to_writer(&mut file, self)?;
            file.flush()?;
            file.get_ref().sync_all()?;
            fs::rename(&aside, path)
        };
        write().map_err(at(flag, path))
    }
}

/// Whether a file is a kept run, by its name.
pub(super) fn is_kept(path: &Path) -> bool {
    path.to_string_lossy().ends_with(ENDING)
}

/// A line of the results of a search, as far as it says where a run is kept.
#[derive(Deserialize)]
struct Winner {
    run: String,
}

/// The runs that the results of a search name, in their order; `None` where the folder is no search's.
fn winners(folder: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    let text = match fs::read_to_string(folder.join(RESULTS)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let named = |line: &str| Ok(folder.join(serde_json::from_str::<Winner>(line)?.run));
    text.lines().map(named).collect::<io::Result<_>>().map(Some)
}

/// How a run among others ended.
pub(super) enum Ended {
    /// With a result, and whether that had been kept from before.
    Finished(Box<KeptRun>, bool),
    /// With a failure.
    Failed {
        /// Which kind.
        code: FailureCode,
        /// Why.
        cause: String,
    },
    /// Because the user stopped it.
    Interrupted,
}

/// Runs specs one after another, unless their results are kept.
pub(super) struct Keeper {
    program: PathBuf,
    home: Option<PathBuf>,
    folder: PathBuf,
    /// What names the folder on the command line.
    flag: &'static str,
    fresh: bool,
    worker: String,
    interrupts: Interrupts,
    begun: Instant,
    /// When the last line was said of how far a run is, since then.
    last_line: Cell<Option<Duration>>,
}

impl Keeper {
    /// Finds the worker and makes the folder, which `flag` names on the command line.
    ///
    /// # Errors
    /// No worker, no folder that can be written.
    pub(super) fn new(args: KeepArgs, flag: &'static str) -> Result<Self, CommandError> {
        let program = find_worker(args.worker.as_deref())?;
        let folder = if let Some(folder) = args.keep {
            folder
        } else {
            let home = DataHome::open(args.home.clone()).map_err(|error| DataError::Home(error.to_string()))?;
            home.root().join("kept")
        };
        writable::folder(flag, &folder)?;
        fs::create_dir_all(&folder).map_err(at(flag, &folder))?;
        // Another build may give other numbers.
        let worker = stamp(&program).unwrap_or_default();
        let (home, fresh, interrupts) = (args.home, args.fresh, Interrupts::listen());
        let (begun, last_line) = (Instant::now(), Cell::new(None));
        Ok(Self { program, home, folder, flag, fresh, worker, interrupts, begun, last_line })
    }

    /// Where runs are kept.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The result of `spec`: kept from before, or from a run now, which goes on from its own checkpoint where it has one.
    ///
    /// # Errors
    /// The worker cannot be started or breaks its word; the result cannot be kept.
    pub(super) fn run(&self, spec: &ExperimentSpec, dir: &Path, among: &Among) -> Result<Ended, CommandError> {
        let key = self.key(spec, dir);
        let path = self.folder.join(self.name_of(spec, dir));
        if !self.fresh
            && let Some(run) = KeptRun::read(&path)
        {
            return Ok(Ended::Finished(Box::new(KeptRun { spec: spec.clone(), ..run }), true));
        }
        let (users, checkpoints) =
            (self.folder.join(format!("{key}.users.json")), self.folder.join(format!("{key}.checkpoints")));
        let (ran, _) = self.go_on(spec, dir, among, (&checkpoints, Some(&users), None))?;
        let ended = match ran {
            Ran::Interrupted => return Ok(Ended::Interrupted),
            Ran::Failed { code, cause, .. } => Ended::Failed { code, cause },
            Ran::Finished(summary) => {
                let values = File::open(&users)
                    .and_then(|file| Ok(serde_json::from_reader(BufReader::new(file))?))
                    .map_err(at(self.flag, &users))?;
                let run = KeptRun { spec: spec.clone(), summary: *summary, users: values };
                run.write(&path, self.flag)?;
                Ended::Finished(Box::new(run), false)
            }
        };
        let _ = fs::remove_file(&users);
        let _ = fs::remove_dir_all(&checkpoints);
        Ok(ended)
    }

    /// Runs `spec` and keeps nothing of it once it has ended. Returns the seconds that it took too, those before an interruption
    /// included. After `limit`, which counts those as well, it is cut off: a failure with code `time-limit`.
    ///
    /// # Errors
    /// The worker cannot be started or breaks its word; the folder cannot be written.
    pub(super) fn try_out(
        &self,
        spec: &ExperimentSpec,
        dir: &Path,
        among: &Among,
        limit: Option<Duration>,
    ) -> Result<(Ran, f64), CommandError> {
        let checkpoints = self.folder.join(format!("trial-{}.checkpoints", self.key(spec, dir)));
        let (ran, seconds) = self.go_on(spec, dir, among, (&checkpoints, None, limit))?;
        if !matches!(ran, Ran::Interrupted) {
            let _ = fs::remove_dir_all(&checkpoints);
        }
        Ok((ran, seconds))
    }

    /// Runs `spec`, from its newest checkpoint where an earlier attempt left one. The seconds are those of all attempts, as far as their
    /// work was kept.
    fn go_on(
        &self,
        spec: &ExperimentSpec,
        dir: &Path,
        among: &Among,
        (checkpoints, users, limit): (&Path, Option<&PathBuf>, Option<Duration>),
    ) -> Result<(Ran, f64), CommandError> {
        if self.fresh {
            let _ = fs::remove_dir_all(checkpoints);
        }
        let mut resume = newest_checkpoint(checkpoints);
        loop {
            let spent = match &resume {
                Some(checkpoint) => spent_until(checkpoints, checkpoint),
                None => 0.0,
            };
            begin(checkpoints, spent).map_err(at(self.flag, checkpoints))?;
            let options = WorkerOptions {
                model: None,
                models: None,
                program: self.program.clone(),
                spec_dir: dir.to_owned(),
                data_home: self.home.clone(),
                checkpoint_dir: Some(checkpoints.to_owned()),
                resume: resume.take(),
                users: users.cloned(),
                // A trial is chosen by a number of its own, and its seconds are what the budget of a search counts.
                baselines: users.is_some(),
                silence: None,
                limit: limit.map(|limit| limit.saturating_sub(Duration::try_from_secs_f64(spent).unwrap_or_default())),
            };
            let resumed = options.resume.is_some();
            let mut screen = Screen::among(among, self.begun, self.last_line.get());
            let begun = Instant::now();
            let ran = run_quietly(spec, &options, &mut screen, &self.interrupts);
            screen.clear();
            self.last_line.set(screen.last_line());
            match ran? {
                // A checkpoint of another build: begin again.
                Ran::Failed { code: FailureCode::Checkpoint, .. } if resumed => {}
                ran => return Ok((ran, spent + begun.elapsed().as_secs_f64())),
            }
        }
    }

    /// The name of the file, in [`Self::folder`], that keeps the run of `spec`.
    pub(super) fn name_of(&self, spec: &ExperimentSpec, dir: &Path) -> String {
        format!("{}{ENDING}", self.key(spec, dir))
    }

    /// What decides a result: the spec but for its name, the files that it reads, and the worker.
    fn key(&self, spec: &ExperimentSpec, dir: &Path) -> String {
        let unnamed = ExperimentSpec { name: String::new(), ..spec.clone() };
        let look_up = LookUp::from_env(Some(dir.to_owned()));
        let files = [&spec.dataset.path, &spec.dataset.items, &spec.dataset.users].into_iter().flatten();
        let mut parts = vec![env!("CARGO_PKG_VERSION").to_owned(), self.worker.clone(), unnamed.to_json()];
        parts.extend(files.map(|file| look_up.places(file).iter().find_map(|place| stamp(place)).unwrap_or_default()));
        fingerprint(&parts)
    }
}

/// The beginning of the SHA-256 of the lines.
pub(super) fn fingerprint(lines: &[String]) -> String {
    sha256_hex(lines.join("\n").as_bytes()).chars().take(24).collect()
}

/// Place, length and time of a file: it changes with the file.
pub(super) fn stamp(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let data = fs::metadata(&path).ok()?;
    let time = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {} {}", path.display(), data.len(), time.as_micros()))
}

/// Where an attempt says how many seconds went before it; the file is as old as the attempt.
const SPENT: &str = "spent";

/// Notes that an attempt begins now, after so many seconds of earlier ones.
fn begin(checkpoints: &Path, spent: f64) -> io::Result<()> {
    fs::create_dir_all(checkpoints)?;
    fs::write(checkpoints.join(SPENT), spent.to_string())
}

/// Seconds of all attempts up to a checkpoint: what the last one came after, and what it took until then.
fn spent_until(checkpoints: &Path, checkpoint: &Path) -> f64 {
    let note = checkpoints.join(SPENT);
    let before = fs::read_to_string(&note).ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let written = |path: &Path| fs::metadata(path).ok()?.modified().ok();
    let since = written(&note).zip(written(checkpoint)).and_then(|(begun, kept)| kept.duration_since(begun).ok());
    before + since.map_or(0.0, |since| since.as_secs_f64())
}

/// The checkpoint that was written last into a folder; of several at the same time, that of the latest step. Steps alone do not tell
/// it: each component of a hybrid counts them from its own beginning.
fn newest_checkpoint(folder: &Path) -> Option<PathBuf> {
    let step = |path: &PathBuf| -> Option<u64> {
        path.file_name()?.to_str()?.strip_prefix("checkpoint-")?.strip_suffix(".bin")?.parse().ok()
    };
    let files = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let written = |path: &PathBuf| fs::metadata(path).and_then(|data| data.modified()).ok();
    files.filter(|path| step(path).is_some()).max_by_key(|path| (written(path), step(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_checkpoint_is_that_of_the_latest_step_not_of_the_last_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["checkpoint-9.bin", "checkpoint-10.bin", "checkpoint-11.bin.part", "notes"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(newest_checkpoint(folder.path()), Some(folder.path().join("checkpoint-10.bin")));
        assert_eq!(newest_checkpoint(&folder.path().join("gone")), None);
    }

    #[test]
    fn the_newest_checkpoint_of_a_hybrid_is_that_of_the_later_component_however_few_its_steps() {
        let folder = tempfile::tempdir().unwrap();
        // The first component ended at step 15, the second one stands at step 3.
        for (seconds, name) in [(10, "checkpoint-14.bin"), (20, "checkpoint-15.bin"), (30, "checkpoint-3.bin")] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        }
        assert_eq!(newest_checkpoint(folder.path()), Some(folder.path().join("checkpoint-3.bin")));
    }

    #[test]
    fn the_seconds_of_an_attempt_that_was_killed_count_up_to_its_last_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        begin(folder.path(), 40.0).unwrap();
        let checkpoint = folder.path().join("checkpoint-7.bin");
        fs::write(&checkpoint, "").unwrap();
        let begun = fs::metadata(folder.path().join(SPENT)).unwrap().modified().unwrap();
        let kept = File::options().write(true).open(&checkpoint).unwrap();
        kept.set_modified(begun + Duration::from_secs(25)).unwrap();
        assert!((spent_until(folder.path(), &checkpoint) - 65.0).abs() < 1e-6);
        // Nothing is known of an attempt before that: it counts as nothing.
        assert_eq!(spent_until(&folder.path().join("gone"), &checkpoint), 0.0);
    }
}
