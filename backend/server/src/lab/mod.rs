//! The lab: runs are asked for, wait, run, and end. The API speaks to it; it speaks to the store, the queue and the
//! workers.
//!
//! One task, the dispatcher, owns the queue and decides; every change it makes is in the store before anybody hears of
//! it. Requests reach it through a channel, so they are served in order and never race.

mod dispatch;
mod error;
mod quiet;
mod recover;
mod showcase;
mod sweep;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use recspeed_types::api::{RunPage, RunRecord};
use recspeed_types::probe::Probe;
use recspeed_types::spec::Device;
use recspeed_types::{ExperimentSpec, RunId};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::now_ms;
use crate::launch::{self, LaunchOptions};
use crate::store::{self, EventRows, ListQuery, NewRun, Store};

pub use error::LabError;
pub use quiet::{QuietMachine, Turn};
pub use showcase::{SHOWCASE_KEY, ShowcaseError, StoredRun, import_showcase};
pub use watch::Stopped;
use watch::Watch;

/// Runs that may wait, of everybody.
pub const MAX_WAITING: usize = 1_000;
/// Runs of one person that may wait or run.
pub const MAX_WAITING_OF_ONE: usize = 200;
/// Requests that wait for the dispatcher before callers wait too.
const WAITING_COMMANDS: usize = 64;
/// How long a worker may take to say what it can do.
const PROBE_PATIENCE: Duration = Duration::from_secs(10);

/// How a lab works.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// Runs at the same time.
    pub slots: usize,
    /// How workers are started.
    pub launch: LaunchOptions,
    /// Folder with a folder a run.
    pub runs: PathBuf,
}

/// A handle to the lab; clones share it.
#[derive(Clone)]
pub struct Lab {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    options: LabOptions,
    commands: mpsc::Sender<dispatch::Command>,
    probe: OnceLock<Result<Probe, String>>,
    ends: CancellationToken,
    tasks: TaskTracker,
    watch: Watch,
}

impl Lab {
    /// Opens the lab on a store: brings back what an earlier server left, and starts to work. When `ends` is
    /// cancelled, workers are asked for a checkpoint and ended; [`Self::finished`] waits for that.
    ///
    /// # Errors
    /// [`LabError`] when the store cannot be read or written.
    pub async fn open(store: Store, options: LabOptions, ends: CancellationToken) -> Result<Self, LabError> {
        let queue = recover::queue(&store, &options).await?;
        // After the orphans were ended: nobody writes there now.
        let needed = store.read(store::resumable).await?;
        sweep::runs(&options.runs, &needed);
        sweep::uploads(&options.launch.data_home.join("uploads"));
        let (commands, waiting) = mpsc::channel(WAITING_COMMANDS);
        let tasks = TaskTracker::new();
        let watch = Watch::new(ends.clone());
        let dispatcher = dispatch::Dispatcher::new(store.clone(), options.clone(), queue, ends.clone(), tasks.clone());
        let dispatches = async move {
            dispatcher.run(waiting).await;
            Ok(())
        };
        tasks.spawn(watch.clone().over("the dispatcher", dispatches));
        let (ending, broken) = (ends.clone(), store.broken());
        let writes = async move {
            tokio::select! {
                () = ending.cancelled() => Ok(()),
                () = broken.cancelled() => Err("it panicked; the log has its words".to_owned()),
            }
        };
        tasks.spawn(watch.clone().over("the store's writer", writes));
        let inner = Inner { store, options, commands, probe: OnceLock::new(), ends, tasks, watch };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Runs at the same time.
    pub fn slots(&self) -> usize {
        self.inner.options.slots
    }

    /// Longest time of one attempt at a run.
    pub fn time_limit(&self) -> Duration {
        self.inner.options.launch.time_limit
    }

    /// Bytes that a run may hold: what the server was told, or else what a worker takes as its limit, nine tenths of the
    /// memory of the machine. `None` where nobody knows that.
    pub fn memory_limit(&self) -> Option<u64> {
        let of_machine = || {
            let devices = &self.probed().ok()?.devices;
            let processor = devices.iter().find(|found| found.device == Device::Flex.as_str())?;
            processor.memory.map(|bytes| bytes / 10 * 9)
        };
        self.inner.options.launch.memory_limit.or_else(of_machine)
    }

    /// The lab's folder of data sets, caches and engines.
    pub fn data_home(&self) -> &Path {
        &self.inner.options.launch.data_home
    }

    /// Cancelled when the server ends.
    pub fn ends(&self) -> &CancellationToken {
        &self.inner.ends
    }

    /// Asks the worker what it can do, once.
    pub async fn probe(&self) {
        let answer = match &self.inner.options.launch.worker {
            Ok(worker) => launch::probe_all(worker, PROBE_PATIENCE).await.map_err(|error| error.to_string()),
            Err(missing) => Err(missing.to_string()),
        };
        if let Err(failure) = &answer {
            tracing::warn!(failure, "no probe");
        }
        // A second probe would find the same program.
        let _ = self.inner.probe.set(answer);
    }

    /// What the workers can do, or why that is not known.
    ///
    /// # Errors
    /// One sentence: no worker, no answer, or not yet.
    pub fn probed(&self) -> Result<&Probe, &str> {
        match self.inner.probe.get() {
            Some(Ok(probe)) => Ok(probe),
            Some(Err(failure)) => Err(failure),
            None => Err("the worker has not answered yet"),
        }
    }

    /// Puts a checked spec into the queue.
    ///
    /// # Errors
    /// [`LabError::TooMany`]; [`LabError::Store`].
    pub async fn submit(
        &self,
        person: String,
        spec: ExperimentSpec,
        parent: Option<RunId>,
    ) -> Result<RunRecord, LabError> {
        let run = NewRun { id: new_run_id()?, person, spec, created_ms: now_ms(), parent };
        self.ask(|reply| dispatch::Command::Submit { run: Box::new(run), reply }).await
    }

    /// Cancels a run that waits or runs; one that is over stays as it is.
    ///
    /// # Errors
    /// [`LabError::NoRun`]; [`LabError::Store`].
    pub async fn cancel(&self, run: RunId) -> Result<RunRecord, LabError> {
        self.ask(|reply| dispatch::Command::Cancel { run, reply }).await
    }

    /// Puts a run that failed or was cancelled back into the queue; it goes on from its last checkpoint, if it has one.
    ///
    /// # Errors
    /// [`LabError::NoRun`]; [`LabError::NotRetriable`]; [`LabError::TooMany`]; [`LabError::Store`].
    pub async fn retry(&self, run: RunId) -> Result<RunRecord, LabError> {
        self.ask(|reply| dispatch::Command::Retry { run, reply }).await
    }

    /// Deletes a run with all that it said and wrote.
    ///
    /// # Errors
    /// [`LabError::NoRun`]; [`LabError::StillRunning`]; [`LabError::Store`].
    pub async fn delete(&self, run: RunId) -> Result<(), LabError> {
        self.ask(|reply| dispatch::Command::Delete { run, reply }).await
    }

    /// Stands in the line for the machine without runs; from then on none starts before the turn has come and its answer is
    /// dropped, or the turn is. Who comes first has it first.
    ///
    /// # Errors
    /// [`LabError::Ending`].
    pub async fn line_up(&self, study: &'static str) -> Result<Turn, LabError> {
        let (waiting, turn) = quiet::turn(study);
        self.ask(|reply| dispatch::Command::Quiet { waiting, reply }).await?;
        Ok(turn)
    }

    /// Does something of the lab's in a task that [`Self::finished`] waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.spawn(task);
    }

    /// Does something that the lab cannot do without, in a task that [`Self::finished`] does not wait for: where it panics
    /// or fails, the lab ends, and [`Self::stopped`] says why.
    pub fn spawn_watched(
        &self,
        part: &'static str,
        work: impl Future<Output = Result<(), String>> + Send + 'static,
    ) -> JoinHandle<()> {
        tokio::spawn(self.inner.watch.clone().over(part, work))
    }

    /// What stopped the lab, where nobody asked it to end.
    pub fn stopped(&self) -> Option<&Stopped> {
        self.inner.watch.stopped()
    }

    /// How workers are started.
    pub fn launch(&self) -> &LaunchOptions {
        &self.inner.options.launch
    }

    /// The run.
    ///
    /// # Errors
    /// [`LabError::NoRun`]; [`LabError::Store`].
    pub async fn record(&self, run: RunId) -> Result<RunRecord, LabError> {
        let subject = run.clone();
        let record = self.store().read(move |connection| store::record(connection, &subject)).await?;
        record.ok_or(LabError::NoRun { run })
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// [`LabError::Store`].
    pub async fn list(&self, query: ListQuery) -> Result<RunPage, LabError> {
        Ok(self.store().read(move |connection| store::list(connection, &query)).await?)
    }

    /// A part of what a run said, from `from` on: up to `limit` events or about `bytes` bytes.
    ///
    /// # Errors
    /// [`LabError::NoRun`]; [`LabError::Store`].
    pub async fn events(&self, run: RunId, from: u64, limit: u32, bytes: usize) -> Result<EventRows, LabError> {
        Ok(self.store().read(move |connection| store::event_page(connection, &run, from, limit, bytes)).await?)
    }

    /// The run that a first visit shows: the imported example, while it is there.
    ///
    /// # Errors
    /// [`LabError::Store`].
    pub async fn showcase(&self) -> Result<Option<RunId>, LabError> {
        let found = self.store().read(|connection| {
            let Some(run) = store::meta(connection, SHOWCASE_KEY)?.and_then(|id| RunId::new(id).ok()) else {
                return Ok(None);
            };
            Ok(store::record(connection, &run)?.map(|_| run))
        });
        Ok(found.await?)
    }

    /// Waits until every worker has left and its run's state is stored; to be called after `ends` was cancelled.
    pub async fn finished(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, LabError>>) -> dispatch::Command,
    ) -> Result<T, LabError> {
        let (reply, answer) = oneshot::channel();
        self.inner.commands.send(command(reply)).await.map_err(|_| LabError::Ending)?;
        answer.await.map_err(|_| LabError::Ending)?
    }
}

/// A fresh id: 60 random bits, so that nobody guesses the link of somebody else's run.
fn new_run_id() -> Result<RunId, LabError> {
    // Without i, l, o and u: no letter is taken for a digit or another letter.
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes).map_err(|cause| LabError::Random { cause: cause.to_string() })?;
    let text: String =
        bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32))).map(|&l| char::from(l)).collect();
    RunId::new(text).map_err(|error| LabError::Random { cause: error.to_string() })
}
