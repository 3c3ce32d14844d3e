//! Starts the ranks, passes on what the first one tells, and sees to it that all of them end.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use recspeed_experiment::RunFailure;
use recspeed_parallel::RankFailure;
use recspeed_types::{ExperimentSpec, FailureCode, RunEvent, RunSummary};

use super::note::Notes;
use super::rank::STOP;
use super::verdict::{Known, fallen};
use crate::arguments::Arguments;
use crate::emitter::Emitter;
use crate::lines::lines;
use crate::{machine, watch};

/// How long ranks that were told to stop may take; the worker itself leaves half a second later.
const GRACE: Duration = Duration::from_secs(4);
const TICK: Duration = Duration::from_millis(50);
/// Lines of standard error that are kept for the failure's detail.
const KEPT: usize = 12;

/// Trains on `ranks` ranks, to the end of the run.
pub(crate) fn launch(
    arguments: &Arguments,
    spec: &ExperimentSpec,
    ranks: usize,
    emitter: &Emitter,
    stop: &AtomicBool,
    memory_limit: Option<u64>,
) -> Result<RunSummary, RunFailure> {
    let folder = tempfile::tempdir().map_err(|error| internal("make a folder for the ranks", &error))?;
    let notes = Notes::new(folder.path());
    std::fs::write(notes.spec(), spec.to_json()).map_err(|error| internal("write the spec for the ranks", &error))?;
    let worker = std::env::current_exe().map_err(|error| internal("find its own program", &error))?;
    let mut command = Command::new("mpirun");
    command.arg("-n").arg(ranks.to_string()).args(["--oversubscribe", "--bind-to", "none"]).arg(worker);
    command.args(of_a_rank(arguments, emitter, memory_limit)).arg("--spec").arg(notes.spec());
    command.arg("--ranks-in").arg(folder.path());
    // Whoever started this worker has decided as whom it runs.
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    // Whoever waits sleeps; MPI's own way, to yield at each look, gives a busy machine milliseconds each time.
    command.env("OMPI_MCA_mpi_yield_when_idle", "0");
    // A signal to the terminal's processes is passed on in an orderly way instead.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| {
        let cause = format!(
            "strategy.launcher is `mpi`, and mpirun cannot be started ({error}); install Open MPI (on Debian: openmpi-bin), or set strategy.launcher to `threads`."
        );
        RunFailure::new(FailureCode::InvalidSpec, cause)
    })?;
    Group { child, notes, ranks, memory_limit }.follow(emitter, stop)
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
        ("--memory-limit", memory_limit),
        ("--start-us", Some(emitter.now_us())),
        ("--started-at", Some(since as u64)),
    ] {
        all.extend(number.into_iter().flat_map(|number| [name.into(), number.to_string().into()]));
    }
    all
}

/// What `mpirun` writes on standard error.
#[derive(Default)]
struct Said {
    last: Vec<String>,
    fallen: Option<RankFailure>,
}

/// The processes of a run.
struct Group {
    child: Child,
    notes: Notes,
    ranks: usize,
    memory_limit: Option<u64>,
}

impl Group {
    fn follow(mut self, emitter: &Emitter, stop: &AtomicBool) -> Result<RunSummary, RunFailure> {
        let heard = self.hear(emitter, stop);
        // Whatever became of it, it must not stay; the ranks go with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        heard
    }

    fn hear(&mut self, emitter: &Emitter, stop: &AtomicBool) -> Result<RunSummary, RunFailure> {
        let said = self.log();
        let out = self.child.stdout.take().ok_or_else(|| internal("listen to mpirun", &"it has no output"))?;
        let events = lines(out);
        let mut input = self.child.stdin.take();
        let mut known = Known::default();
        let mut asked: Option<Instant> = None;
        loop {
            match events.recv_timeout(TICK) {
                Ok(line) => match serde_json::from_slice::<RunEvent>(&line) {
                    Ok(event) if event.kind.is_last() => known.last = Some(event.kind),
                    Ok(event) => {
                        emitter.emit(event.kind);
                    }
                    // Libraries that MPI loads may have something to say too.
                    Err(_) => eprint!("{}", String::from_utf8_lossy(&line)),
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if stop.load(Ordering::Relaxed) && asked.is_none() {
                asked = Some(Instant::now());
                known.stopped = true;
                // Ranks that are gone cannot hear it.
                let _ = input.as_mut().map(|input| writeln!(input, "{STOP}").and_then(|()| input.flush()));
            }
            if asked.is_some_and(|asked| asked.elapsed() > GRACE) {
                return Err(RunFailure::cancelled());
            }
            self.check_memory()?;
        }
        drop(input);
        let status = self.child.wait().map_err(|error| internal("wait for mpirun", &error))?;
        // Its last words may come behind its end.
        let _ = said.1.join();
        let said = said.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.noted = self.notes.failed();
        known.fallen.clone_from(&said.fallen);
        known.detail = format!("mpirun: {status}\n{}", said.last.join("\n"));
        known.verdict()
    }

    /// Passes standard error on, and keeps what says how it ended.
    fn log(&mut self) -> (Arc<Mutex<Said>>, std::thread::JoinHandle<()>) {
        let said = Arc::<Mutex<Said>>::default();
        let (kept, err): (_, Option<ChildStderr>) = (said.clone(), self.child.stderr.take());
        let reader = std::thread::spawn(move || {
            for line in err.into_iter().flat_map(|err| BufReader::new(err).lines()).map_while(Result::ok) {
                eprintln!("{line}");
                let mut said = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if said.fallen.is_none() {
                    said.fallen = fallen(&line);
                }
                if said.last.len() == KEPT {
                    said.last.remove(0);
                }
                said.last.push(line);
            }
        });
        (said, reader)
    }

    /// Each rank watches itself; together they may need too much all the same.
    fn check_memory(&self) -> Result<(), RunFailure> {
        let held = (0..self.ranks).filter_map(|rank| self.notes.pid(rank)).map(|pid| machine::memory_of(pid).now).sum();
        match self.memory_limit {
            Some(limit) if held > limit => Err(watch::out_of_memory(held, limit)),
            _ => Ok(()),
        }
    }
}

fn internal(what: &str, error: &dyn std::fmt::Display) -> RunFailure {
    RunFailure::new(FailureCode::Internal, format!("The worker cannot {what}: {error}."))
}
