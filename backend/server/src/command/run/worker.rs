//! The worker as a child process: found, started, heard, stopped.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use recspeed_types::limits::MAX_EVENT_BYTES;
use recspeed_types::{ExperimentSpec, RunEvent, RunId};

use super::super::output;
use super::ending::Ending;
use super::worker_error::{LogTail, WorkerError};
use crate::launch::{StopWatch, WORKER, longest_stop, of_devices};

/// Lines of the worker's own log that are kept to explain its death.
const LOG_LINES: usize = 12;
/// Bytes of one such line.
const LOG_LINE_BYTES: u64 = 2000;
/// How long a worker's output may stay open after the process has gone.
const DRAIN: Duration = Duration::from_secs(2);

/// The worker program: `named`, or beside this program, or in PATH.
///
/// # Errors
/// [`WorkerError::NotThere`] or [`WorkerError::Missing`].
pub(in crate::command) fn find(named: Option<&Path>) -> Result<PathBuf, WorkerError> {
    if let Some(path) = named {
        // A bare name means a program in the working folder here, not in PATH.
        let path = if path.components().count() == 1 { Path::new(".").join(path) } else { path.to_owned() };
        return if path.is_file() { Ok(path) } else { Err(WorkerError::NotThere { path: path.display().to_string() }) };
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .iter()
        .cloned()
        .chain(std::env::split_paths(&in_path))
        .map(|folder| folder.join(WORKER))
        .find(|program| program.is_file())
        .ok_or_else(|| WorkerError::Missing {
            beside: beside.map_or("this program".to_owned(), |folder| folder.display().to_string()),
        })
}

/// Which worker, and with which folders.
#[derive(Debug, Clone)]
pub(in crate::command) struct WorkerOptions {
    /// The program.
    pub(in crate::command) program: PathBuf,
    /// Relative data paths are looked up here first.
    pub(in crate::command) spec_dir: PathBuf,
    /// Imported data and caches.
    pub(in crate::command) data_home: Option<PathBuf>,
    /// Where checkpoints go.
    pub(in crate::command) checkpoint_dir: Option<PathBuf>,
    /// Where the trained model goes.
    pub(in crate::command) model: Option<PathBuf>,
    /// The folder in which it goes into one of the run's name, where `model` names none.
    pub(in crate::command) models: Option<PathBuf>,
    /// A checkpoint to continue from.
    pub(in crate::command) resume: Option<PathBuf>,
    /// Where it writes the value of each user.
    pub(in crate::command) users: Option<PathBuf>,
    /// Whether it fits baselines beside the run, for the result to tell what they get.
    pub(in crate::command) baselines: bool,
    /// How long it may say nothing before it is ended; where somebody watches, that is theirs to decide.
    pub(in crate::command) silence: Option<Duration>,
    /// How long it may run before it is ended, with nothing kept.
    pub(in crate::command) limit: Option<Duration>,
}

/// What came from the worker.
#[derive(Debug)]
pub(super) enum Heard {
    /// A line, without its end.
    Line(Vec<u8>),
    /// A line over the limit.
    TooLong,
    /// Nothing in the time given.
    Nothing,
    /// Its output has ended.
    End,
}

/// A running worker. Dropping it kills it, and whatever end it takes, nobody of its group stays behind.
pub(super) struct WorkerProcess {
    child: Child,
    run: RunId,
    lines: Receiver<Heard>,
    log: Arc<Mutex<VecDeque<String>>>,
    gone_since: Option<Instant>,
    end_by: Option<Instant>,
    killed_by_us: bool,
    /// Whether the system has been asked how it ended: from then on its id may be another process'.
    reaped: bool,
    stopped: Option<StopWatch>,
}

impl WorkerProcess {
    /// Starts the worker and gives it the spec.
    ///
    /// # Errors
    /// [`WorkerError::Start`].
    pub(super) fn start(spec: &ExperimentSpec, options: &WorkerOptions) -> Result<Self, WorkerError> {
        let run = run_id();
        let program = of_devices(&options.program, &spec.devices());
        let model = options.model.clone().or_else(|| Some(options.models.as_ref()?.join(run.as_str())));
        let mut command = Command::new(&program);
        command.arg("--run").arg(run.as_str()).arg("--spec-dir").arg(&options.spec_dir);
        for (flag, path) in [
            ("--data-home", &options.data_home),
            ("--checkpoint-dir", &options.checkpoint_dir),
            ("--model", &model),
            ("--resume", &options.resume),
            ("--users", &options.users),
        ] {
            if let Some(path) = path {
                command.arg(flag).arg(path);
            }
        }
        if !options.baselines {
            command.arg("--no-baselines");
        }
        // Whoever sets a limit hears every word of the framework's, and ends both; the worker's own limit must not come before.
        if let Some(limit) = options.silence.filter(|_| spec.engine.kind.is_reference()) {
            command.arg("--engine-silence").arg(limit.as_secs().saturating_mul(2).saturating_add(60).to_string());
        }
        // A process group of its own: Ctrl-C reaches this program alone, which then asks the worker to stop.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = |source| WorkerError::Start { path: program.display().to_string(), source };
        let mut child = command.spawn().map_err(start)?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(start(io::Error::other("no pipes")));
        };
        let json = spec.to_json();
        // On a thread: a worker that never reads must not block us. One that has gone shows by its exit status.
        thread::spawn(move || stdin.write_all(json.as_bytes()));
        let (sender, lines) = sync_channel(1024);
        thread::spawn(move || read_lines(BufReader::with_capacity(1 << 16, stdout), &sender));
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let tail = Arc::clone(&log);
        thread::spawn(move || read_log(BufReader::new(stderr), &tail));
        let stopped = longest_stop(spec).map(|limit| StopWatch::new(child.id() as i32, limit));
        let (gone_since, end_by) = (None, None);
        Ok(Self { child, run, lines, log, gone_since, end_by, killed_by_us: false, reaped: false, stopped })
    }

    /// The run that it was asked for.
    pub(super) const fn run_id(&self) -> &RunId {
        &self.run
    }

    /// Waits at most `patience` for the next line.
    pub(super) fn hear(&mut self, patience: Duration) -> Heard {
        if self.end_by.is_some_and(|limit| Instant::now() >= limit) {
            self.kill();
            self.end_by = None;
        }
        match self.lines.recv_timeout(patience) {
            Ok(heard) => {
                if let Some(stopped) = &mut self.stopped {
                    stopped.hears();
                }
                heard
            }
            Err(RecvTimeoutError::Disconnected) => Heard::End,
            Err(RecvTimeoutError::Timeout) => {
                // A grandchild may hold the pipe open after the worker itself has gone.
                if self.gone_since.is_none() && self.has_left() {
                    self.gone_since = Some(Instant::now());
                }
                if self.gone_since.is_some_and(|since| since.elapsed() > DRAIN) { Heard::End } else { Heard::Nothing }
            }
        }
    }

    /// Looks whether its process is stopped; for how long, where that is longer than its ranks wait for each other.
    pub(super) fn stopped_too_long(&mut self) -> Option<Duration> {
        self.stopped.as_mut().and_then(StopWatch::over)
    }

    /// Asks it to write a checkpoint and leave.
    pub(super) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        self.killed_by_us = true;
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        if !self.reaped {
            // A group that is already gone needs no signal.
            let _ = killpg(self.pid(), signal);
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Whether it has ended, without asking how: its id stays its own.
    fn has_left(&self) -> bool {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        !matches!(waitid(Id::Pid(self.pid()), look), Ok(WaitStatus::StillAlive))
    }

    /// Ends those that it has started and that are still there, then asks how it ended. A rank of another framework leaves by itself
    /// where its starter is gone, but one that is stopped runs nothing.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::SIGKILL);
        self.reaped = true;
        self.child.wait()
    }

    /// After the last event: the process must end within `grace`.
    pub(super) fn expect_end(&mut self, grace: Duration) {
        self.end_by = Some(Instant::now() + grace);
    }

    /// Kills a worker that broke the protocol, or hangs; gives `error` back with the end of its log.
    pub(super) fn give_up(mut self, error: WorkerError) -> WorkerError {
        self.kill();
        let _ = self.reap();
        match error {
            WorkerError::Rubbish { line, .. } => WorkerError::Rubbish { line, log: self.log_tail() },
            WorkerError::Hung { after, .. } => WorkerError::Hung { after, log: self.log_tail() },
            WorkerError::Stopped { after, .. } => WorkerError::Stopped { after, log: self.log_tail() },
            other => other,
        }
    }

    /// Waits for the end and tells how it was.
    ///
    /// # Errors
    /// [`WorkerError::Lost`] when the operating system cannot say.
    pub(super) fn ending(mut self, interrupted: bool) -> Result<Ending, WorkerError> {
        let limit = Instant::now() + super::STOP_GRACE;
        while !self.has_left() {
            // It closed its output but stays: there is nothing more to hear from it.
            if Instant::now() >= limit {
                self.kill();
            }
            thread::sleep(Duration::from_millis(10));
        }
        let status = self.reap()?;
        // The log's reader needs a moment for the last lines.
        thread::sleep(Duration::from_millis(20));
        Ok(Ending { status, interrupted, cut_off: false, killed_by_us: self.killed_by_us, log: self.log_tail() })
    }

    fn log_tail(&self) -> LogTail {
        LogTail(self.log.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect())
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.reap();
        }
    }
}

/// An event from a line.
///
/// # Errors
/// [`WorkerError::Rubbish`] with the start of the line.
pub(super) fn parse(line: &[u8]) -> Result<RunEvent, WorkerError> {
    serde_json::from_slice(line).map_err(|_| {
        let text = String::from_utf8_lossy(&line[..line.len().min(320)]);
        let shown: String = text.chars().take(80).collect();
        let more = if line.len() > shown.len() { "…" } else { "" };
        let line = format!("`{}{more}`", output::printable(&shown).replace('\n', " "));
        WorkerError::Rubbish { line, log: LogTail::default() }
    })
}

/// A name that no other run of this machine has: time and process.
fn run_id() -> RunId {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    RunId::new(format!("t{:x}-{:x}", since.as_micros(), std::process::id()))
        .expect("hexadecimal digits of two numbers fit a run id")
}

/// Passes lines on, each at most [`MAX_EVENT_BYTES`] long; stops behind a longer one.
fn read_lines(mut from: impl BufRead, to: &SyncSender<Heard>) {
    loop {
        let mut line = Vec::new();
        match from.by_ref().take(MAX_EVENT_BYTES as u64 + 1).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() > MAX_EVENT_BYTES {
            let _ = to.send(Heard::TooLong);
            return;
        }
        if to.send(Heard::Line(line)).is_err() {
            return;
        }
    }
}

/// Keeps the last lines of the worker's log; the pipe is always emptied, so that the worker never blocks on it.
fn read_log(mut from: impl BufRead, tail: &Mutex<VecDeque<String>>) {
    loop {
        let mut line = Vec::new();
        match from.by_ref().take(LOG_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if text.is_empty() {
            continue;
        }
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == LOG_LINES {
            tail.pop_front();
        }
        tail.push_back(text.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rubbish_is_quoted_short_and_harmless() {
        let message = parse(b"\x1b[2Jhello").unwrap_err().to_string();
        assert!(message.starts_with("the worker printed what is no event: ` [2Jhello`;"), "{message}");
        let long = parse(&[0xff; 5000]).unwrap_err().to_string();
        assert!(long.chars().count() < 250 && long.contains('…'), "{long}");
    }

    #[test]
    fn a_line_over_the_limit_is_not_held_in_memory_whole() {
        let (sender, receiver) = sync_channel(8);
        read_lines(BufReader::new(io::repeat(b'x').take(10 * MAX_EVENT_BYTES as u64)), &sender);
        assert!(matches!(receiver.recv().unwrap(), Heard::TooLong));
    }

    #[test]
    fn a_worker_that_is_not_there_is_named() {
        let message = find(Some(Path::new("nowhere/worker"))).unwrap_err().to_string();
        assert_eq!(message, "there is no worker at nowhere/worker; name an existing program with --worker PATH");
    }
}
