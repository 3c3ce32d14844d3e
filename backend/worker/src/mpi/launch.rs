//! Starts the ranks, passes on what the first one tells, and sees to it that all of them end.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use recspeed_experiment::RunFailure;
use recspeed_types::spec::Strategy;
use recspeed_types::{ExperimentSpec, FailureCode, RunEvent, RunSummary};

use super::log::{Log, pass_on};
use super::note::Notes;
use super::processes::{Processes, RANKS_IN, will_start};
use super::rank::STOP;
use super::verdict::Known;
use super::watcher::Watcher;
use crate::arguments::Arguments;
use crate::emitter::Emitter;
use crate::lines::lines;

/// How long ranks that were told to stop may take; the worker itself leaves half a second later.
const GRACE: Duration = Duration::from_secs(4);
const TICK: Duration = Duration::from_millis(50);
/// How long ranks may take to leave each other once the first one has said how the run ended.
const PARTING: Duration = Duration::from_secs(10);
/// How long `mpirun` may take to end once its ranks have; where the run was told to stop, most of its time is gone by then.
const PATIENCE: Duration = Duration::from_secs(2);
const LITTLE_PATIENCE: Duration = Duration::from_millis(300);

/// Trains on the ranks of a strategy, to the end of the run.
pub(crate) fn launch(
    arguments: &Arguments,
    (spec, strategy): (&ExperimentSpec, &Strategy),
    emitter: &Emitter,
    stop: &AtomicBool,
    memory_limit: Option<u64>,
) -> Result<RunSummary, RunFailure> {
    let folder = tempfile::tempdir().map_err(|error| internal("make a folder for the ranks", &error))?;
    let (notes, ranks) = (Notes::new(folder.path()), strategy.ranks as usize);
    std::fs::write(notes.spec(), spec.to_json()).map_err(|error| internal("write the spec for the ranks", &error))?;
    let worker = std::env::current_exe().map_err(|error| internal("find its own program", &error))?;
    let watcher = Watcher::start(&worker, folder.path());
    let mut watcher = watcher.map_err(|error| internal("start what watches over the ranks", &error))?;
    let mut command = Command::new("mpirun");
    command.arg("-n").arg(ranks.to_string()).args(["--oversubscribe", "--bind-to", "none"]).arg(worker);
    command.args(of_a_rank(arguments, emitter, memory_limit)).arg("--spec").arg(notes.spec());
    command.arg(RANKS_IN).arg(folder.path());
    // Whoever started this worker has decided as whom it runs.
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    // Whoever waits sleeps; MPI's own way, to yield at each look, gives a busy machine milliseconds each time.
    command.env("OMPI_MCA_mpi_yield_when_idle", "0");
    // A signal to the terminal's processes is passed on in an orderly way instead.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    will_start(folder.path());
    let child = command.spawn().map_err(|error| {
        let cause = format!(
            "strategy.launcher is `mpi`, and mpirun cannot be started ({error}); install Open MPI (on Debian: openmpi-bin), or set strategy.launcher to `threads`."
        );
        RunFailure::new(FailureCode::InvalidSpec, cause)
    })?;
    watcher.spare(child.id());
    let timeout = Duration::from_secs(u64::from(strategy.timeout));
    let processes = Processes::new(child, (notes.clone(), folder.path()), (ranks, timeout), memory_limit);
    Group { processes, notes }.follow(emitter, stop)
}

/// What this worker was told, for a rank.
fn of_a_rank(arguments: &Arguments, emitter: &Emitter, memory_limit: Option<u64>) -> Vec<OsString> {
    let since = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros());
    let mut all: Vec<OsString> = vec!["--run".into(), arguments.run.as_str().into()];
    let own_folder = arguments.spec.as_deref().and_then(std::path::Path::parent);
    let spec_dir = arguments.spec_dir.as_deref().or(own_folder);
    for (name, path) in [
        ("--spec-dir", spec_dir),
        ("--data-home", arguments.data_home.as_deref()),
        ("--checkpoint-dir", arguments.checkpoint_dir.as_deref()),
        ("--resume", arguments.resume.as_deref()),
        ("--model", arguments.model.as_deref()),
        ("--users", arguments.users.as_deref()),
    ] {
        all.extend(path.into_iter().flat_map(|path| [name.into(), path.into()]));
    }
    for (name, number) in [
        ("--users-limit", arguments.users_limit),
        ("--told-steps", Some(u64::from(arguments.told_steps))),
        ("--memory-limit", memory_limit),
        ("--start-us", Some(emitter.now_us())),
        ("--started-at", Some(since as u64)),
    ] {
        all.extend(number.into_iter().flat_map(|number| [name.into(), number.to_string().into()]));
    }
    if arguments.no_baselines {
        all.push("--no-baselines".into());
    }
    all
}

/// What is heard of the processes of a run.
struct Group {
    processes: Processes,
    notes: Notes,
}

impl Group {
    fn follow(mut self, emitter: &Emitter, stop: &AtomicBool) -> Result<RunSummary, RunFailure> {
        let (out, err) = (self.processes.mpirun.stdout.take(), self.processes.mpirun.stderr.take());
        let log = err.map(Log::of);
        let mut known = Known::default();
        let heard = match out {
            Some(out) => self.hear((&lines(out), emitter, stop), &mut known),
            None => Err(internal("listen to mpirun", &"it has no output")),
        };
        // Whatever became of it, nobody may stay.
        let status = self.processes.end(if known.stopped { LITTLE_PATIENCE } else { PATIENCE });
        heard?;
        let said = log.map(|log| log.said()).unwrap_or_default();
        known.noted = self.notes.failed();
        known.fallen = said.fallen;
        let status = status.map_or_else(|| "no status".to_owned(), |status| status.to_string());
        known.detail = format!("mpirun: {status}\n{}", Vec::from(said.last).join("\n"));
        known.verdict()
    }

    /// Passes on what the first rank tells until `mpirun` has ended, or has had the time for it.
    fn hear(
        &mut self,
        (events, emitter, stop): (&Receiver<Vec<u8>>, &Emitter, &AtomicBool),
        known: &mut Known,
    ) -> Result<(), RunFailure> {
        let mut input = self.processes.mpirun.stdin.take();
        let (mut asked, mut over) = (None::<Instant>, None::<Instant>);
        let mut checked = Instant::now();
        loop {
            match events.recv_timeout(TICK) {
                Ok(line) => match serde_json::from_slice::<RunEvent>(&line) {
                    Ok(event) if event.kind.is_last() => {
                        known.last = Some(event.kind);
                        over.get_or_insert_with(Instant::now);
                    }
                    Ok(event) => {
                        emitter.emit(event.kind);
                    }
                    // Libraries that MPI loads may have something to say too.
                    Err(_) => pass_on(&line),
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = self.processes.mpirun.try_wait();
                    if ended.map_err(|error| internal("wait for mpirun", &error))?.is_some() {
                        return Ok(());
                    }
                    over.get_or_insert_with(Instant::now);
                    std::thread::sleep(TICK);
                }
            }
            if stop.load(Ordering::Relaxed) && asked.is_none() {
                asked = Some(Instant::now());
                known.stopped = true;
                // Ranks that are gone cannot hear it.
                let _ = input.as_mut().map(|input| writeln!(input, "{STOP}").and_then(|()| input.flush()));
            }
            if over.is_some_and(|over| over.elapsed() > PARTING) {
                return Ok(());
            }
            if asked.is_some_and(|asked| asked.elapsed() > GRACE) {
                // What the first rank has said last counts, though others do not end.
                return if known.last.is_some() { Ok(()) } else { Err(RunFailure::cancelled()) };
            }
            if over.is_none() && checked.elapsed() >= TICK {
                checked = Instant::now();
                self.processes.check()?;
            }
        }
    }
}

fn internal(what: &str, error: &dyn std::fmt::Display) -> RunFailure {
    RunFailure::new(FailureCode::Internal, format!("The worker cannot {what}: {error}."))
}
