//! One attempt at a run, from the worker's start to the run's stored end.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use recspeed_types::api::Failure;
use recspeed_types::limits::MAX_EVENT_BYTES;
use recspeed_types::spec::Device;
use recspeed_types::{EventKind, RunEvent, RunId};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::Child;
use tokio::time::{MissedTickBehavior, sleep_until};
use tokio_util::sync::CancellationToken;

use super::lines::Lines;
use super::stopped::{self, StopWatch};
use super::story::Story;
use super::tail::Tail;
use super::verdict::{self, End};
use super::{LaunchOptions, PER_USER_BYTES, Resume, of_devices, process};
use crate::clock::now_ms;
use crate::store::{self, Ending, ProcessId, RunTail, Store, StoreError};

/// Bytes of the pipe's buffer on our side.
const PIPE_BUFFER: usize = 64 * 1024;
/// How long a pipe is read after its process has gone, in case a child of it still holds the other end.
const LINGER: Duration = Duration::from_secs(1);

/// What a worker is given.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The run.
    pub run: RunId,
    /// The spec as JSON.
    pub spec: String,
    /// Where it computes: what decides which build of the worker runs it.
    pub devices: Vec<Device>,
    /// How long its process may be stopped before it is ended.
    pub longest_stop: Option<Duration>,
    /// Where its checkpoints go.
    pub folder: std::path::PathBuf,
    /// Where it goes on.
    pub resume: Option<Resume>,
    /// Where its story goes on.
    pub tail: RunTail,
}

/// Why a server ends a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Somebody cancelled the run.
    Cancel,
    /// It took too long.
    TimeLimit,
    /// Its process was stopped from outside, and did not go on.
    Stopped {
        /// For so long.
        after: Duration,
    },
    /// The server itself is ending; the run goes on when it is back.
    ServerEnds,
    /// Its events cannot be stored for want of space.
    DiskFull,
    /// Its events cannot be stored for another reason.
    Internal {
        /// The store's words.
        what: String,
    },
    /// It broke the protocol.
    Rubbish {
        /// How.
        what: String,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The run's end is stored; the seconds that it took where it finished.
    Over {
        /// Seconds of a run that finished.
        finished_after_s: Option<f64>,
    },
    /// The run is stored as running, to go on when the server is back.
    Interrupted,
}

/// Runs one attempt to its stored end.
pub async fn supervise(
    store: &Store,
    options: &LaunchOptions,
    assignment: Assignment,
    cancel: &CancellationToken,
    server_ends: &CancellationToken,
) -> Outcome {
    let run = assignment.run.clone();
    let begun = Instant::now();
    let start_us = assignment.tail.at_us;
    let ending = attempt(store, options, assignment, cancel, server_ends).await;
    let Some(ending) = ending else { return Outcome::Interrupted };
    let finished_after_s = matches!(ending, Ending::Finished(_)).then(|| begun.elapsed().as_secs_f64());
    let at_us = start_us + begun.elapsed().as_micros() as u64;
    if conclude(store, &run, &ending, at_us, server_ends).await {
        Outcome::Over { finished_after_s }
    } else {
        Outcome::Interrupted
    }
}

/// Ends a run whose attempt could not even be prepared.
pub(crate) async fn give_up(
    store: &Store,
    run: &RunId,
    error: &StoreError,
    server_ends: &CancellationToken,
) -> Outcome {
    tracing::error!(%run, %error, "a run cannot be prepared");
    let ending = verdict::not_started("the server's store failed; its log has the cause", &error.to_string());
    without_result(store, run, &ending, server_ends).await
}

/// Ends a run whose attempt broke off in the server itself, by a mistake of the lab, with whatever is left of its worker.
pub(crate) async fn break_off(store: &Store, run: &RunId, what: &str, server_ends: &CancellationToken) -> Outcome {
    tracing::error!(%run, what, "an attempt at a run broke off in the server");
    let subject = run.clone();
    let nobody = ProcessId { pid: 0, start: 0 };
    // A panic in there would only mean that a process is left.
    let _ = tokio::task::spawn_blocking(move || process::end_orphans(nobody, &subject)).await;
    without_result(store, run, &verdict::broken_off(what), server_ends).await
}

async fn without_result(store: &Store, run: &RunId, ending: &Ending, server_ends: &CancellationToken) -> Outcome {
    if conclude(store, run, ending, 0, server_ends).await {
        Outcome::Over { finished_after_s: None }
    } else {
        Outcome::Interrupted
    }
}

/// Stores the last event and the end in one transaction. Where the disk is full or the file is in use it waits, so that no
/// end is lost; what no waiting mends is logged, and the run is brought back at the server's next start. Whether it was
/// stored.
async fn conclude(store: &Store, run: &RunId, ending: &Ending, at_us: u64, server_ends: &CancellationToken) -> bool {
    let mut pause = Duration::from_millis(200);
    loop {
        let (subject, last) = (run.clone(), ending.clone());
        let written = store.write(move |work| write_end(work, &subject, &last, at_us)).await;
        match written {
            Ok(()) => return true,
            Err(StoreError::NoRun { .. }) => {
                tracing::warn!(%run, "ended after it was already over");
                return true;
            }
            Err(error) if error.may_pass() => tracing::error!(%run, %error, "the end of a run cannot be stored yet"),
            Err(error) => {
                tracing::error!(%run, %error, "the end of a run cannot be stored; the next start takes the run up again");
                return false;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
            () = server_ends.cancelled() => return false,
        }
    }
}

/// Appends the last event at the story's true end and stores the run's end.
///
/// # Errors
/// [`StoreError`] when it cannot be written.
pub(crate) fn write_end(
    work: &mut store::Work<'_>,
    run: &RunId,
    ending: &Ending,
    at_us: u64,
) -> Result<(), StoreError> {
    let tail = store::tail(work.connection, run)?;
    let kind = match ending {
        Ending::Finished(summary) => EventKind::Finished { summary: summary.clone() },
        Ending::Failed(failure) | Ending::Cancelled(failure) => {
            let Failure { code, cause, detail, refusal } = failure.clone();
            EventKind::Failed { code, cause, detail, refusal }
        }
    };
    let event = RunEvent { run: run.clone(), seq: tail.next_seq, at_us: at_us.max(tail.at_us), kind };
    store::append(work, run, &[event])?;
    store::end(work, run, ending, now_ms())
}

async fn attempt(
    store: &Store,
    options: &LaunchOptions,
    assignment: Assignment,
    cancel: &CancellationToken,
    server_ends: &CancellationToken,
) -> Option<Ending> {
    let program = match &options.worker {
        Ok(program) => of_devices(program, &assignment.devices),
        Err(missing) => return Some(verdict::not_started(&missing.to_string(), "")),
    };
    if let Err(cause) = tokio::fs::create_dir_all(&assignment.folder).await {
        let what = format!("its folder {} cannot be made", assignment.folder.display());
        return Some(verdict::not_started(&what, &cause.to_string()));
    }
    let mut child = match process::start(&program, &assignment.run, &arguments(options, &assignment)) {
        Ok(child) => child,
        Err(cause) => {
            let what = format!(
                "the worker {} cannot be started; build it with `make lab`, or name another with --worker",
                program.display()
            );
            return Some(verdict::not_started(&what, &cause.to_string()));
        }
    };
    let Some(pid) = child.id().map(|pid| pid as i32) else {
        return Some(verdict::not_started("the worker left at once", ""));
    };
    let (run, identity) = (assignment.run.clone(), process::identify(pid));
    // The process is known to the store before it is told what to do: a worker that nobody knows of gets no spec.
    let begun = store.write(move |work| store::begin(work, &run, identity, now_ms())).await;
    let mut attempt = Attempt {
        store,
        options,
        pid,
        run: assignment.run.clone(),
        stop: None,
        kill_at: None,
        killed: false,
        heard: Instant::now(),
        stopped: assignment.longest_stop.map(|limit| StopWatch::new(pid, limit)),
    };
    match begun {
        Ok(()) => hand_over(&mut child, assignment.spec),
        Err(error) => attempt.stop_for_store(&error),
    }
    let words = child.stderr.take().map(Tail::follow).unwrap_or_default();
    let story = Story::new(assignment.run, assignment.tail);
    let (story, status) = attempt.listen(&mut child, story, cancel, server_ends).await;
    verdict::judge(End {
        stop: attempt.stop,
        last: story.into_last(),
        status,
        words: words.text(),
        killed: attempt.killed,
        time_limit: options.time_limit,
        silent: attempt.heard.elapsed(),
    })
}

/// Writes the spec to the worker's standard input and closes it, without waiting for a worker that does not read.
fn hand_over(child: &mut Child, spec: String) {
    if let Some(mut stdin) = child.stdin.take() {
        tokio::spawn(async move {
            // A worker that left before reading says so by its exit status.
            let _ = stdin.write_all(spec.as_bytes()).await;
            let _ = stdin.shutdown().await;
        });
    }
}

fn arguments(options: &LaunchOptions, assignment: &Assignment) -> Vec<String> {
    let mut arguments = vec![
        "--run".to_owned(),
        assignment.run.to_string(),
        "--data-home".to_owned(),
        options.data_home.display().to_string(),
        "--checkpoint-dir".to_owned(),
        assignment.folder.display().to_string(),
        "--users".to_owned(),
        options.per_user(&assignment.run).display().to_string(),
        "--users-limit".to_owned(),
        PER_USER_BYTES.to_string(),
    ];
    if options.model_space > 0 {
        arguments.extend(["--model".to_owned(), options.models().join(assignment.run.as_str()).display().to_string()]);
    }
    if let Some(bytes) = options.memory_limit {
        arguments.extend(["--memory-limit".to_owned(), bytes.to_string()]);
    }
    if let Some(resume) = &assignment.resume {
        arguments.extend(["--resume".to_owned(), resume.file.display().to_string()]);
    }
    if assignment.tail.next_seq > 0 {
        arguments.extend([
            "--first-seq".to_owned(),
            assignment.tail.next_seq.to_string(),
            "--start-us".to_owned(),
            assignment.tail.at_us.to_string(),
        ]);
    }
    arguments
}

/// A worker at work.
struct Attempt<'a> {
    store: &'a Store,
    options: &'a LaunchOptions,
    pid: i32,
    run: RunId,
    stop: Option<Stop>,
    kill_at: Option<Instant>,
    killed: bool,
    heard: Instant,
    stopped: Option<StopWatch>,
}

impl Attempt<'_> {
    /// Asks the worker to leave, the first time; a deadline makes sure that it does.
    fn stop(&mut self, why: Stop) {
        if self.stop.is_none() {
            tracing::info!(run = %self.run, ?why, "ending a worker");
            self.stop = Some(why);
            self.dismiss();
        }
    }

    fn dismiss(&mut self) {
        process::signal(self.pid, Signal::SIGTERM);
        self.kill_at = Some(Instant::now() + self.options.grace);
    }

    fn stop_for_store(&mut self, error: &StoreError) {
        tracing::error!(run = %self.run, %error, "an event cannot be stored");
        match error {
            StoreError::Full => self.stop(Stop::DiskFull),
            other => self.stop(Stop::Internal { what: other.to_string() }),
        }
    }

    /// Listens until the process has gone and its pipe is empty.
    async fn listen(
        &mut self,
        child: &mut Child,
        mut story: Story,
        cancel: &CancellationToken,
        server_ends: &CancellationToken,
    ) -> (Story, Option<ExitStatus>) {
        let Some(stdout) = child.stdout.take() else { return (story, child.wait().await.ok()) };
        let mut lines = Lines::new(BufReader::with_capacity(PIPE_BUFFER, stdout), MAX_EVENT_BYTES);
        let deadline = Instant::now() + self.options.time_limit;
        let mut status: Option<ExitStatus> = None;
        let mut linger_until: Option<Instant> = None;
        let mut open = true;
        let mut looks = tokio::time::interval(stopped::LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while open || status.is_none() {
            let running = self.stop.is_none() && status.is_none();
            tokio::select! {
                () = cancel.cancelled(), if running => self.stop(Stop::Cancel),
                () = server_ends.cancelled(), if running => self.stop(Stop::ServerEnds),
                () = sleep_until(deadline.into()), if running => self.stop(Stop::TimeLimit),
                _ = looks.tick(), if running && self.stopped.is_some() => {
                    if let Some(after) = self.stopped.as_mut().and_then(StopWatch::over) {
                        self.stop(Stop::Stopped { after });
                    }
                }
                () = sleep_until(self.kill_at.unwrap_or(deadline).into()), if self.kill_at.is_some() => {
                    self.kill_at = None;
                    self.killed |= status.is_none();
                    process::signal(self.pid, Signal::SIGKILL);
                }
                left = child.wait(), if status.is_none() => {
                    status = Some(left.unwrap_or_default());
                    linger_until = Some(Instant::now() + LINGER);
                }
                () = sleep_until(linger_until.unwrap_or(deadline).into()), if linger_until.is_some() => {
                    // A child of the worker still holds the pipe; whatever it would say is no part of the run.
                    process::signal(self.pid, Signal::SIGKILL);
                    open = false;
                    linger_until = None;
                }
                batch = lines.next_batch(), if open => match batch {
                    Ok(batch) if batch.is_empty() => {
                        open = false;
                        linger_until = None;
                        // A worker that has closed its output has nothing left to do.
                        if status.is_none() && self.kill_at.is_none() {
                            self.kill_at = Some(Instant::now() + self.options.grace);
                        }
                    }
                    Ok(batch) => self.take(&mut story, &batch).await,
                    Err(error) => {
                        self.stop(Stop::Rubbish { what: error.to_string() });
                        open = false;
                    }
                },
            }
        }
        // A rank of another framework that is stopped does not see that its starter is gone.
        process::signal(self.pid, Signal::SIGKILL);
        (story, status)
    }

    /// Checks and stores a batch of lines. After a breach, or where nothing can be stored, lines are read and dropped,
    /// so that the worker can leave in order.
    async fn take(&mut self, story: &mut Story, batch: &[Vec<u8>]) {
        self.heard = Instant::now();
        if let Some(stopped) = &mut self.stopped {
            stopped.hears();
        }
        if matches!(self.stop, Some(Stop::Rubbish { .. } | Stop::DiskFull | Stop::Internal { .. })) {
            return;
        }
        let mut events = Vec::with_capacity(batch.len());
        let mut breach = None;
        for line in batch {
            match story.accept(line) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => {}
                Err(found) => {
                    breach = Some(found);
                    break;
                }
            }
        }
        if !events.is_empty() {
            let run = self.run.clone();
            if let Err(error) = self.store.write(move |work| store::append(work, &run, &events)).await {
                self.stop_for_store(&error);
            }
        }
        if let Some(breach) = breach {
            let what = breach.to_string();
            match &self.stop {
                // Whatever it says while it is being ended does not change why.
                Some(Stop::Cancel | Stop::TimeLimit | Stop::Stopped { .. } | Stop::ServerEnds) => {}
                _ => self.stop(Stop::Rubbish { what }),
            }
        }
    }
}
