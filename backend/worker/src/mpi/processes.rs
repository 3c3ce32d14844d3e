//! The processes of a run, seen from whoever started them: whether they have found each other, whether they go on, and how they are
//! ended. Ranks are not only told to end: one that is stopped hears nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_experiment::RunFailure;
use recspeed_types::FailureCode;

use super::note::Notes;
use super::verdict::of_rank;
use crate::ran::Ran;
use crate::{machine, watch};

const TICK: Duration = Duration::from_millis(20);
/// For so long beyond the ranks' own time a stopped one is left to those who wait for it: they know what for.
const BEYOND: Duration = Duration::from_secs(5);
/// How long ranks may take to leave by themselves once nobody waits for them any more: the first one writes a checkpoint.
const LEAVING: Duration = Duration::from_secs(5);
/// How long `mpirun` may take to end then, once they have.
const PATIENCE: Duration = Duration::from_secs(2);
/// Nobody takes longer to go who is killed, unless the system holds it.
const LONGEST: Duration = Duration::from_secs(30);
/// The argument that all processes of a run have, before the folder that they share.
pub(super) const RANKS_IN: &str = "--ranks-in";

/// The folder of this process' run. It has one.
static STARTED: OnceLock<PathBuf> = OnceLock::new();

/// Notes the folder of the run that this process is about to start; it starts no other one.
pub(super) fn will_start(folder: &Path) {
    let _ = STARTED.set(folder.to_owned());
}

/// Ends all that this process has started, at once; for a process that is about to end itself.
pub(crate) fn end_ranks() {
    if let Some(folder) = STARTED.get() {
        kill_all(folder, None);
    }
}

/// Kills the processes that share the folder, but for one.
fn kill_all(folder: &Path, but: Option<i32>) {
    for pid in machine::started_with(RANKS_IN, &folder.to_string_lossy()) {
        if Some(pid) != but {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Ends all that share the folder and do not leave by themselves: the ranks first, and after some patience `mpirun`, which until then
/// may clean up behind itself.
pub(super) fn end_all(folder: &Path, mpirun: Option<i32>) {
    let begun = Instant::now();
    while begun.elapsed() < LONGEST && !machine::started_with(RANKS_IN, &folder.to_string_lossy()).is_empty() {
        if begun.elapsed() > LEAVING {
            kill_all(folder, mpirun.filter(|_| begun.elapsed() < LEAVING + PATIENCE));
        }
        std::thread::sleep(5 * TICK);
    }
}

/// `mpirun` and the ranks that it has started.
pub(super) struct Processes {
    pub(super) mpirun: Child,
    notes: Notes,
    folder: PathBuf,
    ranks: usize,
    timeout: Duration,
    memory_limit: Option<u64>,
    started: Ran,
    /// Whether all have joined each other.
    joined: bool,
    /// How long each rank is stopped; behind them `mpirun`.
    stopped: Vec<Option<Ran>>,
}

impl Processes {
    pub(super) fn new(
        mpirun: Child,
        (notes, folder): (Notes, &Path),
        (ranks, timeout): (usize, Duration),
        memory_limit: Option<u64>,
    ) -> Self {
        Self {
            mpirun,
            notes,
            folder: folder.to_owned(),
            ranks,
            timeout,
            memory_limit,
            started: Ran::begin(),
            joined: false,
            stopped: vec![None; ranks + 1],
        }
    }

    /// Whether they can go on: all have joined within the time that a rank waits for another, none is stopped for longer than that,
    /// and together they have no more memory than the run may use.
    pub(super) fn check(&mut self) -> Result<(), RunFailure> {
        self.check_start()?;
        self.check_stopped()?;
        self.check_memory()
    }

    fn check_start(&mut self) -> Result<(), RunFailure> {
        let missing = |rank: &usize| !self.notes.has_joined(*rank);
        if self.joined || self.started.look() < self.timeout {
            self.joined = self.joined || !(0..self.ranks).any(|rank| missing(&rank));
            return Ok(());
        }
        let missing: Vec<usize> = (0..self.ranks).filter(missing).collect();
        let stopped = |rank: &&usize| self.notes.pid(**rank).is_some_and(machine::is_stopped);
        let seconds = self.timeout.as_secs();
        match (missing.iter().find(stopped), missing.first()) {
            (_, None) => Ok(()),
            (Some(&rank), _) => {
                let cause = format!("its process is stopped and did not join the others within {seconds} s");
                Err(of_rank(rank, &cause))
            }
            (None, Some(&rank)) => {
                let cause = format!(
                    "it did not join the others within {seconds} s, as {} of {} ranks; a machine on which they need longer needs a longer \
                     `strategy.timeout`",
                    missing.len(),
                    self.ranks
                );
                Err(of_rank(rank, &cause))
            }
        }
    }

    fn check_stopped(&mut self) -> Result<(), RunFailure> {
        let longest = self.timeout + BEYOND;
        for (rank, since) in self.stopped.iter_mut().enumerate() {
            let (is_rank, ended) = (rank < self.ranks, self.notes.has_ended(rank));
            let pid = if is_rank { self.notes.pid(rank) } else { Some(self.mpirun.id() as i32) };
            if ended || !pid.is_some_and(machine::is_stopped) {
                *since = None;
                continue;
            }
            if since.get_or_insert_with(Ran::begin).look() > longest {
                let cause = format!("its process was stopped and did not go on for {} s", longest.as_secs());
                return Err(if is_rank {
                    of_rank(rank, &cause)
                } else {
                    RunFailure::new(FailureCode::Worker, format!("mpirun: {cause}."))
                });
            }
        }
        Ok(())
    }

    /// Each rank watches itself; together they may need too much all the same.
    fn check_memory(&self) -> Result<(), RunFailure> {
        let held = machine::memory_together((0..self.ranks).filter_map(|rank| self.notes.pid(rank)));
        match self.memory_limit {
            Some(limit) if held > limit => Err(watch::out_of_memory(held, limit)),
            _ => Ok(()),
        }
    }

    /// Ends those that are left: the ranks at once, and `mpirun`, which then ends by itself and cleans up behind itself, after some
    /// patience. Gives how it ended.
    pub(super) fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        let (begun, mpirun) = (Instant::now(), self.mpirun.id() as i32);
        loop {
            kill_all(&self.folder, Some(mpirun));
            if matches!(self.mpirun.try_wait(), Ok(Some(_)) | Err(_)) {
                break;
            }
            if begun.elapsed() > patience {
                // Where it has ended meanwhile there is nothing to kill.
                let _ = self.mpirun.kill();
                break;
            }
            std::thread::sleep(TICK);
        }
        let status = self.mpirun.wait().ok();
        // It may have started one until its end.
        kill_all(&self.folder, None);
        status
    }
}
