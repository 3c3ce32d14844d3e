//! Another framework trains: its process is started, listened to, watched, and ended.
//!
//! It speaks the lab's own protocol on its standard output, up to a `checkpoint` that names the trained weights. Nothing that
//! it does may hang the run: silence, too much memory and rubbish end it with a cause.

use std::io;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use recspeed_engines::{Group, Launch};
use recspeed_experiment::{Elsewhere, Job, Trained, Trainer, TrainerFailure};
use recspeed_models::{LaterList, read_tensors, write_tensors_file};
use recspeed_types::event::MeasuredOn;
use recspeed_types::protocol::Protocol;
use recspeed_types::summary::{Begun, EngineInfo};
use recspeed_types::{EventKind, FailureCode, FitObserver, RunEvent, RunId, memory};

use crate::last_words::LastWords;
use crate::lines::lines;
use crate::machine;
use crate::ran::Ran;

/// How long one that was told to stop may take; the worker itself leaves half a second later.
const GRACE: Duration = Duration::from_millis(3500);
/// How long one that has said its last word may take to leave.
const LEAVING: Duration = Duration::from_secs(30);
/// How long the output of one that has ended may stay open: what it has started may hold it.
const DRAIN: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(50);

/// Trains in the environment of a reference engine.
pub(crate) struct Framework {
    pub(crate) launch: Launch,
    /// The spec as JSON, with every default written out.
    pub(crate) spec: String,
    pub(crate) threads: u32,
    /// How long it may say nothing. Keras tells of whole epochs only.
    pub(crate) silence: Duration,
    /// Most bytes that its process may hold, with those that it has started.
    pub(crate) memory_limit: Option<u64>,
    /// The most that it has held is written here.
    pub(crate) peak: Arc<AtomicU64>,
}

impl Trainer for Framework {
    fn train(&mut self, job: &Job<'_>, observer: &mut dyn FitObserver) -> Result<Trained, TrainerFailure> {
        let folder = tempfile::tempdir().map_err(|error| internal("make a folder for the engine", &error))?;
        let [spec, numbers, trained] =
            ["spec.json", "job.safetensors", "trained.safetensors"].map(|name| folder.path().join(name));
        let orders = LaterList { len: job.rows, make: job.order };
        write_tensors_file(&numbers, &job.parts, "order", job.epochs, orders)
            .map_err(|error| internal("write the job", &error))?;
        std::fs::write(&spec, &self.spec).map_err(|error| internal("write the spec", &error))?;
        let mut command = self.launch.command();
        command.arg("--spec").arg(&spec).arg("--job").arg(&numbers).arg("--out").arg(&trained);
        let threads = self.threads.to_string();
        for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
            command.env(name, &threads);
        }
        let mut running = Running::start(&mut command).map_err(|error| internal("start the engine", &error))?;
        let log = LastWords::of(running.child.stderr.take().expect("piped"));
        let out = running.child.stdout.take().expect("piped");
        let ended = match Conversation::new(&running, out).listen(self, observer) {
            Ok(heard) => {
                let status = running.last_status().map_err(|error| internal("wait for the engine", &error))?;
                for message in heard.unlike(self.threads, &self.launch) {
                    observer.event(EventKind::Warning { message });
                }
                heard.trained((status, log), &trained, &self.launch)
            }
            Err(failure) => Err(failure),
        };
        // One that was told to stop may end in any way: in the midst of a line, or by the signal itself.
        ended.map_err(|failure| match failure.code {
            FailureCode::Worker if observer.stop_requested() => cancelled(),
            _ => failure,
        })
    }
}

/// The process of a framework with all that it has started, as ranks. Whatever end it takes, nobody of its group stays, also where this
/// worker is killed: a rank leaves by itself where its starter is gone, but one that is stopped runs nothing.
struct Running {
    child: Child,
    group: Group,
    /// Whether the system has been asked how it ended: from then on its id may be another process'.
    reaped: bool,
}

impl Running {
    fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (child, group) = Group::start(command)?;
        Ok(Self { child, group, reaped: false })
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Whether it has ended, without asking how.
    fn has_left(&self) -> bool {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        !matches!(waitid(Id::Pid(self.pid()), look), Ok(WaitStatus::StillAlive))
    }

    /// The end of one that has nothing more to say, and little time to leave.
    fn last_status(&mut self) -> io::Result<ExitStatus> {
        let since = Instant::now();
        while since.elapsed() < LEAVING && !self.has_left() {
            std::thread::sleep(TICK);
        }
        self.end()
    }

    /// Ends what is left of it, then asks how it ended.
    fn end(&mut self) -> io::Result<ExitStatus> {
        if !self.reaped {
            self.group.kill();
            self.reaped = true;
        }
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of one that nobody wants any more, nobody asks either.
        let _ = self.end();
    }
}

/// What was heard.
#[derive(Default)]
struct Heard {
    /// SHA-256 of the trained weights.
    weights: Option<String>,
    seconds: Option<f64>,
    final_loss: Option<f64>,
    failure: Option<TrainerFailure>,
    /// What it says of itself.
    started: Option<EngineInfo>,
    /// The first weights and the orders that it has read.
    begun: Option<Begun>,
}

impl Heard {
    /// In what it is not what the run says of it.
    fn unlike(&self, threads: u32, launch: &Launch) -> Vec<String> {
        let Some(started) = &self.started else { return Vec::new() };
        let name = name(launch);
        let mut found = Vec::new();
        if started.threads != threads {
            found
                .push(format!("The engine {name} computes with {} threads, and was given {threads}.", started.threads));
        }
        for (what, installed) in &launch.record.versions {
            if let Some(now) = started.versions.get(what).filter(|now| *now != installed) {
                found.push(format!(
                    "The engine {name} has {what} {now} now and {installed} when it was installed; run `recspeed engines install {name}` again."
                ));
            }
        }
        found
    }

    fn trained(
        self,
        (status, log): (ExitStatus, LastWords),
        file: &Path,
        launch: &Launch,
    ) -> Result<Trained, TrainerFailure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let (Some(sha256), true) = (self.weights, status.success()) else {
            return Err(died(status, log, launch));
        };
        let broken = |what: &str| {
            let cause = format!("The engine {} ended without usable weights ({what}); run it again.", name(launch));
            TrainerFailure::new(FailureCode::Worker, cause)
        };
        let bytes = std::fs::read(file).map_err(|error| broken(&error.to_string()))?;
        if recspeed_engines::sha256_hex(&bytes) != sha256 {
            return Err(broken("their checksum is wrong"));
        }
        let started = self.started.ok_or_else(|| broken("it did not tell what it is"))?;
        Ok(Trained {
            parts: read_tensors(&bytes).ok_or_else(|| broken("they are no safetensors file"))?,
            final_loss: self.final_loss.ok_or_else(|| broken("it told no loss"))?,
            begun: self.begun,
            by: Elsewhere {
                seconds: self.seconds.ok_or_else(|| broken("it did not tell how long it trained"))?,
                threads: started.threads,
                versions: started.versions,
                precision: started.precision,
            },
        })
    }
}

/// The lines of one process.
struct Conversation<'a> {
    with: &'a Running,
    lines: Receiver<Vec<u8>>,
    protocol: Protocol,
}

impl<'a> Conversation<'a> {
    fn new(with: &'a Running, out: ChildStdout) -> Self {
        let run = RunId::new("local").expect("letters");
        Self { with, lines: lines(out), protocol: Protocol::new(run, 0) }
    }

    /// Listens to the end.
    fn listen(mut self, engine: &Framework, observer: &mut dyn FitObserver) -> Result<Heard, TrainerFailure> {
        let mut heard = Heard::default();
        // Since its last word, by the time in which this process could have heard one.
        let mut silent = Ran::begin();
        let mut told_to_stop: Option<Instant> = None;
        let mut gone: Option<Instant> = None;
        loop {
            match self.lines.recv_timeout(TICK) {
                Ok(line) => {
                    silent = Ran::begin();
                    self.hear(&line, &engine.launch, &mut heard, observer)?;
                }
                Err(RecvTimeoutError::Timeout) if gone.is_none() && self.with.has_left() => gone = Some(Instant::now()),
                Err(RecvTimeoutError::Timeout) if gone.is_some_and(|since| since.elapsed() > DRAIN) => {
                    return Ok(heard);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(heard),
            }
            if observer.stop_requested() && told_to_stop.is_none() {
                told_to_stop = Some(Instant::now());
                // One that has just ended needs no signal.
                let _ = kill(self.with.pid(), Signal::SIGTERM);
            }
            if told_to_stop.is_some_and(|since| since.elapsed() > GRACE) {
                return Err(cancelled());
            }
            if silent.look() > engine.silence {
                let cause = format!(
                    "The engine {} said nothing for {} s and was ended; run it again, or with fewer rows (dataset.sample).",
                    name(&engine.launch),
                    engine.silence.as_secs()
                );
                return Err(TrainerFailure::new(FailureCode::Worker, cause));
            }
            let held = machine::memory_of_family(self.with.pid().as_raw());
            engine.peak.fetch_max(held.peak, Ordering::Relaxed);
            if let Some(limit) = engine.memory_limit.filter(|&limit| held.now > limit) {
                let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
                let cause = format!(
                    "The engine {} needed more than the {:.2} GiB of memory that it may use; take fewer rows \
                     (dataset.sample) or smaller layers.",
                    name(&engine.launch),
                    gib(limit)
                );
                return Err(TrainerFailure::new(FailureCode::OutOfMemory, cause));
            }
        }
    }

    fn hear(
        &mut self,
        line: &[u8],
        launch: &Launch,
        heard: &mut Heard,
        observer: &mut dyn FitObserver,
    ) -> Result<(), TrainerFailure> {
        let rubbish = |what: String| {
            let cause = format!("The engine {} broke the protocol: {what}; report it with its log.", name(launch));
            TrainerFailure::new(FailureCode::Worker, cause)
        };
        let event: RunEvent = serde_json::from_slice(line).map_err(|error| {
            let text = String::from_utf8_lossy(line);
            let start: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
            rubbish(format!("`{start}` is no event ({error})"))
        })?;
        self.protocol.hear(&event).map_err(|error| rubbish(format!("its event {error}")))?;
        match &event.kind {
            EventKind::Checkpoint { sha256, .. } => heard.weights = Some(sha256.clone()),
            EventKind::Failed { code, cause, detail, .. } => {
                heard.failure = Some(TrainerFailure { code: *code, cause: cause.clone(), detail: detail.clone() });
            }
            EventKind::Finished { .. } => {
                return Err(rubbish("it tells a result, which is not its to tell".to_owned()));
            }
            // The worker has told of these.
            EventKind::Phase { .. } | EventKind::Data { .. } => {}
            EventKind::Started { engine, begun, .. } => {
                (heard.started, heard.begun) = (Some(engine.clone()), begun.clone());
            }
            EventKind::Span { name, duration_us, .. } => {
                if name == "train" {
                    heard.seconds = Some(*duration_us as f64 / 1e6);
                }
                // Its times count from its own start: a span of another clock would lie in the wrong place.
            }
            EventKind::Metric { name, split: MeasuredOn::Train, value, .. } => {
                if name == "epoch-loss" {
                    heard.final_loss = Some(*value);
                }
                observer.event(event.kind);
            }
            _ => observer.event(event.kind),
        }
        Ok(())
    }
}

fn name(launch: &Launch) -> &'static str {
    launch.kind.as_str()
}

/// It ended without its last word: what is known of that, and no guess.
fn died(status: ExitStatus, log: LastWords, launch: &Launch) -> TrainerFailure {
    use std::os::unix::process::ExitStatusExt as _;
    let (name, said) = (name(launch), log.said());
    let refused = said.as_deref().filter(|words| memory::was_refused(words));
    let (code, cause) = match (status.signal(), refused) {
        (Some(9), _) => {
            let less = "It needs less memory with fewer rows (dataset.sample) or a smaller batch (training.batch_size)";
            (FailureCode::Worker, format!("The engine {name} {}. {less}.", memory::KILLED))
        }
        (_, Some(words)) => {
            let (what, less) = if memory::is_of_gpu(words) {
                (
                    "more of the GPU's memory",
                    "a smaller batch (training.batch_size), smaller layers or fewer rows (dataset.sample)",
                )
            } else {
                ("more memory", "fewer rows (dataset.sample), a smaller batch (training.batch_size) or smaller layers")
            };
            let cause =
                format!("The engine {name} got no {what} ({status}): its log ends with “{words}”; take {less}.");
            (FailureCode::OutOfMemory, cause)
        }
        (_, None) => {
            let remedy = said.as_deref().map_or_else(
                || "it logged nothing; run it again, or try `recspeed engines check`".to_owned(),
                |words| format!("its log ends with “{words}”; run it again, or try `recspeed engines check`"),
            );
            (FailureCode::Worker, format!("The engine {name} ended without a result ({status}): {remedy}."))
        }
    };
    TrainerFailure::new(code, cause)
}

fn cancelled() -> TrainerFailure {
    let cause = "The run was cancelled before it finished; run it again to get a result.";
    TrainerFailure::new(FailureCode::Cancelled, cause)
}

fn internal(what: &str, error: &dyn std::fmt::Display) -> TrainerFailure {
    let cause = format!("The worker cannot {what}: {error}.");
    TrainerFailure::new(FailureCode::Internal, cause)
}
