//! Questions to trained models: the server links no recommender, so a worker process answers.
//!
//! A question waits for its turn, goes to a process that holds the model (a warm one where there is one), and has its time.
//! Processes that nobody asks any more leave; answers that were given are remembered for a while. A process that crashes,
//! hangs or talks rubbish costs its question a clear failure and nothing else.

mod memory;
mod process;
mod room;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use recspeed_models::{Manifest, ModelError};
use recspeed_types::RunId;
use recspeed_types::api::ApiFailure;
use recspeed_types::recommend::{ModelInfo, RecommendRequest, Recommendations};
use tokio::sync::Semaphore;

use crate::launch::WorkerMissing;
use memory::Memory;
use process::Process;

pub use room::make_room;

/// Questions answered at the same time.
const AT_ONCE: usize = 2;
/// Questions that may wait for their turn.
const WAITING: usize = 32;
/// Processes that stay with their models in memory.
const WARM: usize = 2;
/// Answers that are remembered.
const REMEMBERED: usize = 256;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Waiting for a turn.
    pub turn: Duration,
    /// Reading a model.
    pub load: Duration,
    /// One answer.
    pub answer: Duration,
    /// A process that nobody asks.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { turn: seconds(30), load: seconds(60), answer: seconds(20), idle: seconds(120) }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The run's model is not there or not whole.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The worker says why.
    #[error("{}", .0.message)]
    Refused(ApiFailure),
    /// Too many ask.
    #[error("too many questions wait for an answer")]
    Busy,
    /// It takes too long.
    #[error("the model gave no answer within {seconds} s")]
    TimedOut {
        /// The time that it was given.
        seconds: u64,
    },
    /// There is no worker.
    #[error(transparent)]
    NoWorker(#[from] WorkerMissing),
    /// The worker cannot be started, crashed, or said something else.
    #[error("the worker that should answer failed: {0}")]
    Worker(String),
}

/// The models of the lab, ready to be asked; clones share them.
#[derive(Clone)]
pub struct Answers {
    inner: Arc<Inner>,
}

struct Inner {
    worker: Result<PathBuf, WorkerMissing>,
    models: PathBuf,
    patience: Patience,
    turns: Semaphore,
    places: Semaphore,
    warm: Mutex<Vec<Warm>>,
    memory: Mutex<Memory>,
}

/// A process that waits for the next question.
struct Warm {
    model: ModelKey,
    process: Process,
    since: Instant,
}

/// A run's model as it was saved: the same run tried again has another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ModelKey {
    run: RunId,
    folder: String,
}

impl Answers {
    /// Answers from the models in the folder `models` (a folder a run), by processes of `worker`.
    pub fn new(worker: Result<PathBuf, WorkerMissing>, models: PathBuf, patience: Patience) -> Self {
        let inner = Inner {
            worker,
            models,
            patience,
            turns: Semaphore::new(AT_ONCE),
            places: Semaphore::new(AT_ONCE + WAITING),
            warm: Mutex::new(Vec::new()),
            memory: Mutex::new(Memory::new(REMEMBERED)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// What the run's model is.
    ///
    /// # Errors
    /// [`AskError::Model`].
    pub async fn manifest(&self, run: &RunId) -> Result<Manifest, AskError> {
        let folder = self.folder(run);
        let read = tokio::task::spawn_blocking(move || recspeed_models::manifest(&folder)).await;
        Ok(read.map_err(|error| AskError::Worker(error.to_string()))??)
    }

    /// Whether the run has a model that can be asked.
    pub async fn has(&self, run: &RunId) -> bool {
        self.manifest(run).await.is_ok()
    }

    /// What somebody needs to know who asks the run's model.
    ///
    /// # Errors
    /// [`AskError::Model`].
    pub async fn info(&self, run: &RunId) -> Result<ModelInfo, AskError> {
        let manifest = self.manifest(run).await?;
        let refusal = manifest.no_new_users();
        let in_words = |refusal: ApiFailure| format!("{} {}", refusal.message, refusal.remedy.unwrap_or_default());
        Ok(ModelInfo {
            bytes: manifest.bytes(),
            new_users: refusal.is_none(),
            no_new_users: refusal.map(in_words),
            explains: manifest.explains(),
            users: manifest.users,
            users_withheld: false,
            items: manifest.items,
        })
    }

    /// Asks the run's model.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(&self, run: &RunId, request: &RecommendRequest) -> Result<Recommendations, AskError> {
        request.check().map_err(AskError::Refused)?;
        let model = ModelKey { run: run.clone(), folder: self.manifest(run).await?.folder };
        let question = (model, serde_json::to_string(request).unwrap_or_default());
        if let Some(answer) = locked(&self.inner.memory).recall(&question) {
            return Ok(answer);
        }
        let patience = self.inner.patience;
        let _place = self.inner.places.try_acquire().map_err(|_| AskError::Busy)?;
        let turn = tokio::time::timeout(patience.turn, self.inner.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(AskError::Busy) };
        let answer = self.ask_in_turn(&question.0, &question.1).await?;
        locked(&self.inner.memory).keep(question, answer.clone());
        Ok(answer)
    }

    async fn ask_in_turn(&self, model: &ModelKey, question: &str) -> Result<Recommendations, AskError> {
        let patience = self.inner.patience;
        if let Some(mut process) = self.take_warm(model) {
            match process.ask(question, patience.answer).await {
                // A process that left while it waited is no failure: a new one is asked.
                Err(AskError::Worker(cause)) => tracing::info!(run = %model.run, cause, "a waiting worker had left"),
                answer => return self.keep_warm(model, process, answer),
            }
        }
        let worker = self.inner.worker.as_ref().map_err(Clone::clone)?;
        let mut process = Process::start(worker, &self.folder(&model.run), patience.load).await?;
        let answer = process.ask(question, patience.answer).await;
        self.keep_warm(model, process, answer)
    }

    fn take_warm(&self, model: &ModelKey) -> Option<Process> {
        let mut warm = locked(&self.inner.warm);
        let at = warm.iter().position(|waiting| waiting.model == *model)?;
        Some(warm.remove(at).process)
    }

    /// Keeps a process that answered, or that said why it does not; any other one is dropped, which ends it.
    fn keep_warm(
        &self,
        model: &ModelKey,
        process: Process,
        answer: Result<Recommendations, AskError>,
    ) -> Result<Recommendations, AskError> {
        if matches!(answer, Ok(_) | Err(AskError::Refused(_))) {
            let mut warm = locked(&self.inner.warm);
            warm.push(Warm { model: model.clone(), process, since: Instant::now() });
            let surplus = warm.len().saturating_sub(WARM);
            warm.drain(..surplus);
            drop(warm);
            let (inner, idle) = (Arc::downgrade(&self.inner), self.inner.patience.idle);
            tokio::spawn(async move {
                tokio::time::sleep(idle).await;
                if let Some(inner) = inner.upgrade() {
                    locked(&inner.warm).retain(|waiting| waiting.since.elapsed() < idle);
                }
            });
        }
        answer
    }

    fn folder(&self, run: &RunId) -> PathBuf {
        self.inner.models.join(run.as_str())
    }
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
