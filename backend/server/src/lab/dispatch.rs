//! The task that owns the queue.

use std::collections::HashMap;
use std::time::Duration;

use recspeed_types::api::{Failure, RunRecord, RunStatus};
use recspeed_types::{EventKind, FailureCode, RunEvent, RunId};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::quiet::{Quiet, Waiter};
use super::{LabError, LabOptions, MAX_WAITING, MAX_WAITING_OF_ONE, sweep};
use crate::clock::now_ms;
use crate::launch::{self, Assignment, Outcome};
use crate::queue::{Kind, Queue, Waiting};
use crate::store::{self, Ending, NewRun, Place, Store, StoreError};

/// How often estimates are looked at again while runs wait.
const REFRESH: Duration = Duration::from_secs(10);

type Reply<T> = oneshot::Sender<Result<T, LabError>>;

/// What the dispatcher is asked to do.
pub(super) enum Command {
    /// Put a run into the queue.
    Submit {
        /// The run.
        run: Box<NewRun>,
        /// Its record.
        reply: Reply<RunRecord>,
    },
    /// End a run.
    Cancel {
        /// The run.
        run: RunId,
        /// Its record.
        reply: Reply<RunRecord>,
    },
    /// Put a run back into the queue.
    Retry {
        /// The run.
        run: RunId,
        /// Its record.
        reply: Reply<RunRecord>,
    },
    /// Forget a run.
    Delete {
        /// The run.
        run: RunId,
        /// Done.
        reply: Reply<()>,
    },
    /// Let no run start until the machine was somebody's alone.
    Quiet {
        /// Who waits for that.
        waiting: Waiter,
        /// It stands in the line.
        reply: Reply<()>,
    },
}

/// A place, the estimate, and the study that all wait for.
type Shown = (u32, Option<f64>, Option<&'static str>);

/// Owns the queue, starts workers, and hears of their ends.
pub(super) struct Dispatcher {
    store: Store,
    options: LabOptions,
    queue: Queue,
    /// The way to cancel each running run.
    workers: HashMap<RunId, CancellationToken>,
    /// Places as stored.
    shown: HashMap<RunId, Shown>,
    server_ends: CancellationToken,
    tasks: TaskTracker,
    ended: mpsc::UnboundedSender<(RunId, Outcome)>,
    ends: mpsc::UnboundedReceiver<(RunId, Outcome)>,
    quiet: Quiet,
}

impl Dispatcher {
    pub(super) fn new(
        store: Store,
        options: LabOptions,
        queue: Queue,
        server_ends: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let (ended, ends) = mpsc::unbounded_channel();
        let (workers, shown, quiet) = (HashMap::new(), HashMap::new(), Quiet::default());
        Self { store, options, queue, workers, shown, server_ends, tasks, ended, ends, quiet }
    }

    /// Works until the server ends.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut refresh = tokio::time::interval(REFRESH);
        refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let server_ends = self.server_ends.clone();
        loop {
            self.settle().await;
            tokio::select! {
                () = server_ends.cancelled() => return,
                Some((run, outcome)) = self.ends.recv() => self.release(&run, &outcome),
                () = self.quiet.left() => {}
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                _ = refresh.tick() => {}
            }
        }
    }

    /// Fills free slots, then stores the places that changed.
    async fn settle(&mut self) {
        if self.server_ends.is_cancelled() {
            return;
        }
        let study = self.quiet.wanted_by(self.queue.is_idle());
        while study.is_none()
            && let Some(run) = self.queue.start_next(now_ms())
        {
            self.shown.remove(&run);
            self.start(run);
        }
        let mut changed = Vec::new();
        for place in self.queue.places(now_ms()) {
            let before = self.shown.get(&place.run);
            // How long a study takes is not known.
            let starts_in_s = place.starts_in_s.filter(|_| study.is_none());
            if before.is_none_or(|before| moved(*before, (place.position, starts_in_s, study))) {
                changed.push(Place { run: place.run, position: place.position, starts_in_s, waits_for_study: study });
            }
        }
        if changed.is_empty() {
            return;
        }
        let places = changed.clone();
        match self.store.write(move |work| store::places(work, &places)).await {
            Ok(()) => {
                for place in changed {
                    self.shown.insert(place.run, (place.position, place.starts_in_s, place.waits_for_study));
                }
            }
            // They are stored with the next change, or the next refresh.
            Err(error) => tracing::warn!(%error, "places in the queue cannot be stored yet"),
        }
    }

    fn release(&mut self, run: &RunId, outcome: &Outcome) {
        self.workers.remove(run);
        let finished_after_s = match outcome {
            Outcome::Over { finished_after_s } => *finished_after_s,
            Outcome::Interrupted => None,
        };
        self.queue.release(run, finished_after_s);
    }

    fn start(&mut self, run: RunId) {
        let cancel = CancellationToken::new();
        self.workers.insert(run.clone(), cancel.clone());
        let (store, options, server_ends) = (self.store.clone(), self.options.clone(), self.server_ends.clone());
        let ended = self.ended.clone();
        self.tasks.spawn(async move {
            let work = {
                let (store, options, run, server_ends) =
                    (store.clone(), options.clone(), run.clone(), server_ends.clone());
                async move { attempt(&store, &options, &run, &cancel, &server_ends).await }
            };
            let outcome = to_an_end(work, &store, &run, &server_ends).await;
            tracing::info!(%run, ?outcome, "a worker left");
            sweep::after(&options.runs.join(run.as_str()), &outcome).await;
            sweep::models(&options.launch, &run, &outcome).await;
            sweep::per_user(&options.launch, &outcome).await;
            // Nobody hears this when the server is ending.
            let _ = ended.send((run, outcome));
        });
    }

    async fn obey(&mut self, command: Command) {
        // A caller that went away does not need its answer.
        match command {
            Command::Submit { run, reply } => {
                let _ = reply.send(self.submit(*run).await);
            }
            Command::Cancel { run, reply } => {
                let _ = reply.send(self.cancel(run).await);
            }
            Command::Retry { run, reply } => {
                let _ = reply.send(self.retry(run).await);
            }
            Command::Delete { run, reply } => {
                let _ = reply.send(self.delete(run).await);
            }
            Command::Quiet { waiting, reply } => {
                self.quiet.wait(waiting);
                let _ = reply.send(Ok(()));
            }
        }
    }

    async fn submit(&mut self, run: NewRun) -> Result<RunRecord, LabError> {
        self.check_room(&run.person)?;
        let (id, person, kind) = (run.id.clone(), run.person.clone(), kind_of(&run.spec));
        self.store.write(move |work| store::create(work, &run)).await?;
        self.queue.push(Waiting { run: id.clone(), person, kind, interrupted: false });
        // The answer carries the place.
        self.settle().await;
        self.record(id).await
    }

    async fn cancel(&mut self, run: RunId) -> Result<RunRecord, LabError> {
        if self.queue.is_waiting(&run) {
            self.end_waiting(&run).await?;
        } else if let Some(worker) = self.workers.get(&run) {
            worker.cancel();
        }
        self.record(run).await
    }

    /// Ends a run that waits. First in the store: on a full disk it goes on waiting.
    async fn end_waiting(&mut self, run: &RunId) -> Result<(), LabError> {
        let failure = Failure {
            code: FailureCode::Cancelled,
            cause: "The run was cancelled while it waited.".into(),
            detail: String::new(),
            refusal: None,
        };
        let subject = run.clone();
        let ending = Ending::Cancelled(failure);
        self.store.write(move |work| launch::write_end(work, &subject, &ending, 0)).await?;
        self.queue.remove(run);
        self.shown.remove(run);
        Ok(())
    }

    async fn retry(&mut self, run: RunId) -> Result<RunRecord, LabError> {
        let record = self.record(run.clone()).await?;
        if !matches!(record.status, RunStatus::Failed | RunStatus::Cancelled) {
            return Err(LabError::NotRetriable { run, status: record.status });
        }
        self.hear_of_the_end(&run).await;
        let subject = run.clone();
        let person = self.store.read(move |connection| store::person_of(connection, &subject)).await?;
        self.check_room(&person)?;
        let (subject, failure) = (run.clone(), record.failure.clone());
        self.store.write(move |work| reopen(work, &subject, failure.as_ref())).await?;
        self.queue.push(Waiting { run: run.clone(), person, kind: kind_of(&record.spec), interrupted: false });
        self.settle().await;
        self.record(run).await
    }

    /// A run is stored as over, and shown so, a moment before its slot is given back here. Whoever acts on what the store
    /// says waits for that moment first.
    async fn hear_of_the_end(&mut self, run: &RunId) {
        while self.queue.is_running(run)
            && let Some((ended, outcome)) = self.ends.recv().await
        {
            self.release(&ended, &outcome);
        }
    }

    async fn delete(&mut self, run: RunId) -> Result<(), LabError> {
        if self.record(run.clone()).await?.status.is_over() {
            self.hear_of_the_end(&run).await;
        }
        if self.queue.is_running(&run) {
            return Err(LabError::StillRunning { run });
        }
        if self.queue.is_waiting(&run) {
            self.end_waiting(&run).await?;
        }
        let subject = run.clone();
        self.store.write(move |work| store::delete(work, &subject)).await?;
        for folder in [self.options.runs.join(run.as_str()), self.options.launch.models().join(run.as_str())] {
            match tokio::fs::remove_dir_all(&folder).await {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(folder = %folder.display(), %cause, "the folder of a deleted run stays");
                }
                _ => {}
            }
        }
        // A run that did not finish has none.
        let _ = tokio::fs::remove_file(self.options.launch.per_user(&run)).await;
        Ok(())
    }

    fn check_room(&self, person: &str) -> Result<(), LabError> {
        let (waiting, of_one) = (self.queue.len(), self.queue.count_of(person));
        if waiting >= MAX_WAITING {
            return Err(LabError::TooMany { waiting, allowed: MAX_WAITING });
        }
        if of_one >= MAX_WAITING_OF_ONE {
            return Err(LabError::TooMany { waiting: of_one, allowed: MAX_WAITING_OF_ONE });
        }
        Ok(())
    }

    async fn record(&self, run: RunId) -> Result<RunRecord, LabError> {
        let subject = run.clone();
        let record = self.store.read(move |connection| store::record(connection, &subject)).await?;
        record.ok_or(LabError::NoRun { run })
    }
}

/// Whether a place is so different from the stored one that people want to know: another position, or an estimate that
/// differs by more than a fifth and by more than two seconds, or another study to wait for.
fn moved(before: Shown, now: Shown) -> bool {
    let estimate = match (before.1, now.1) {
        (Some(before), Some(now)) => (before - now).abs() > 2.0_f64.max(before / 5.0),
        (before, now) => before.is_some() != now.is_some(),
    };
    before.0 != now.0 || before.2 != now.2 || estimate
}

/// What a spec is like, for the estimate.
pub(super) fn kind_of(spec: &recspeed_types::ExperimentSpec) -> Kind {
    Kind { recommender: spec.recommender.kind.clone(), dataset: store::dataset_key(&spec.dataset) }
}

/// Makes the end of a run a part of its story, and the run a waiting one.
fn reopen(work: &mut store::Work<'_>, run: &RunId, failure: Option<&Failure>) -> Result<(), StoreError> {
    let tail = store::tail(work.connection, run)?;
    let cause = failure.map_or("it ended without a result", |failure| failure.cause.as_str());
    let message = format!("An earlier attempt ended: {cause} The run was asked for again.");
    if let Some(seq) = tail.next_seq.checked_sub(1) {
        let kind = EventKind::Warning { message };
        store::replace_last(work, &RunEvent { run: run.clone(), seq, at_us: tail.at_us, kind })?;
    }
    if let Some(because) = failure.and_then(|failure| afresh_after(failure.code)) {
        store::forget_checkpoints(work, run, because)?;
    }
    store::requeue(work, run)
}

/// Why a run that failed so must not go on from where it was.
const fn afresh_after(code: FailureCode) -> Option<&'static str> {
    match code {
        FailureCode::Diverged => Some("its earlier attempt diverged"),
        FailureCode::Checkpoint => Some("its checkpoint cannot be used"),
        _ => None,
    }
}

/// What becomes of an attempt. A mistake in it is the end of its run, and never of the queue, which waits for its slot.
async fn to_an_end(
    work: impl Future<Output = Outcome> + Send + 'static,
    store: &Store,
    run: &RunId,
    server_ends: &CancellationToken,
) -> Outcome {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome,
        Err(error) => launch::break_off(store, run, &error.to_string(), server_ends).await,
    }
}

/// One attempt: where does it go on, then the worker.
async fn attempt(
    store: &Store,
    options: &LabOptions,
    run: &RunId,
    cancel: &CancellationToken,
    server_ends: &CancellationToken,
) -> Outcome {
    match prepare(store, options, run).await {
        Ok(assignment) => launch::supervise(store, &options.launch, assignment, cancel, server_ends).await,
        Err(error) => launch::give_up(store, run, &error, server_ends).await,
    }
}

async fn prepare(store: &Store, options: &LabOptions, run: &RunId) -> Result<Assignment, StoreError> {
    let folder = options.runs.join(run.as_str());
    let subject = run.clone();
    let (record, tail, afresh) = store
        .read(move |connection| {
            let record =
                store::record(connection, &subject)?.ok_or_else(|| StoreError::NoRun { run: subject.to_string() })?;
            Ok((record, store::tail(connection, &subject)?, store::afresh(connection, &subject)?))
        })
        .await?;
    let (spec, devices) = (record.spec.to_json(), record.spec.devices());
    let longest_stop = launch::longest_stop(&record.spec);
    if tail.next_seq == 0 {
        return Ok(Assignment { run: run.clone(), spec, devices, longest_stop, folder, resume: None, tail });
    }
    let resume = launch::find_checkpoint(store, run, &folder).await?;
    let kind = if let Some(resume) = &resume {
        EventKind::Log {
            message: format!("The run goes on from its last checkpoint, at step {}.", resume.step),
            seconds: None,
        }
    } else {
        let because = afresh.as_deref().unwrap_or("there is no checkpoint to go on from");
        let message = format!(
            "The run starts again from the beginning, because {because}; what it measured before is repeated below."
        );
        EventKind::Warning { message }
    };
    let note = RunEvent { run: run.clone(), seq: tail.next_seq, at_us: tail.at_us, kind };
    let subject = run.clone();
    let tail = store
        .write(move |work| {
            store::append(work, &subject, &[note])?;
            store::tail(work.connection, &subject)
        })
        .await?;
    Ok(Assignment { run: run.clone(), spec, devices, longest_stop, folder, resume, tail })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use recspeed_types::ExperimentSpec;

    use super::*;

    #[tokio::test]
    async fn an_attempt_that_panics_in_the_server_is_the_end_of_its_run_and_gives_the_slot_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("lab.sqlite3"), None).unwrap();
        let run = RunId::new("r-broken").unwrap();
        let spec = ExperimentSpec::default();
        let new = NewRun { id: run.clone(), person: "somebody".to_owned(), spec, created_ms: 1, parent: None };
        store.write(move |work| store::create(work, &new)).await.unwrap();
        let panics = poll_fn(|_| -> Poll<Outcome> { panic!("index out of bounds") });
        let outcome = to_an_end(panics, &store, &run, &CancellationToken::new()).await;
        assert_eq!(outcome, Outcome::Over { finished_after_s: None }, "what the dispatcher hears frees the slot");
        let record = store.read(move |connection| store::record(connection, &run)).await.unwrap().unwrap();
        let failure = record.failure.unwrap();
        assert_eq!((record.status, failure.code), (RunStatus::Failed, FailureCode::Internal));
        assert!(failure.detail.contains("index out of bounds"), "{failure:?}");
    }
}
