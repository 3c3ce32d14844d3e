//! The one thread that writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use recspeed_types::RunId;
use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::error::StoreError;
use super::message::{self, Message};
use super::reserve::Reserve;

/// Jobs that share one transaction, so one `fsync`.
const GROUP: usize = 64;

/// How long after the reserve was given up a write that succeeds fills it again.
const REFILL_AFTER: Duration = Duration::from_secs(1);

/// What a job writes with: the connection, inside a transaction, and what to announce after the commit.
pub struct Work<'c> {
    /// The writer's connection.
    pub connection: &'c Connection,
    last_id: i64,
    announced: Vec<Message>,
}

impl Work<'_> {
    /// The next number of the event stream.
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// Announces a stored event; `json` is the event's own text.
    pub(super) fn announce_event(&mut self, id: i64, run: &RunId, json: &str) {
        self.announced.push(Message::event(id, run.clone(), json));
    }

    /// Stores and announces that the run's record changed.
    ///
    /// # Errors
    /// [`StoreError`] when the run is not there or the notice cannot be written.
    pub(super) fn announce_run(&mut self, run: &RunId) -> Result<(), StoreError> {
        let record =
            super::runs::record(self.connection, run)?.ok_or_else(|| StoreError::NoRun { run: run.to_string() })?;
        let id = self.next_id();
        message::put_notice(self.connection, id, run, false)?;
        self.announced.push(Message::run(id, record));
        Ok(())
    }

    /// Stores and announces that the run is gone.
    ///
    /// # Errors
    /// [`StoreError`] when the notice cannot be written.
    pub(super) fn announce_deleted(&mut self, run: &RunId) -> Result<(), StoreError> {
        let id = self.next_id();
        message::put_notice(self.connection, id, run, true)?;
        self.announced.push(Message::deleted(id, run.clone()));
        Ok(())
    }
}

/// Tells the caller how its job ended, once the transaction has.
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// A write, and what to tell afterwards. Given an error instead of [`Work`], it only tells.
pub(super) type Job = Box<dyn FnOnce(Result<&mut Work<'_>, StoreError>) -> Option<Reply> + Send>;

/// Packs a write and its caller.
pub(super) fn job<T, F>(write: F, answer: oneshot::Sender<Result<T, StoreError>>) -> Job
where
    T: Send + 'static,
    F: FnOnce(&mut Work<'_>) -> Result<T, StoreError> + Send + 'static,
{
    // A caller that went away does not need its answer.
    Box::new(move |work| match work.and_then(write) {
        Ok(value) => Some(Box::new(move |committed| {
            let _ = answer.send(committed.map(|()| value));
        })),
        Err(error) => {
            let _ = answer.send(Err(error));
            None
        }
    })
}

/// Writes until every handle is gone.
pub(super) fn run(
    mut connection: Connection,
    mut waiting: mpsc::Receiver<Job>,
    live: &broadcast::Sender<Arc<Message>>,
    mut last_id: i64,
    reserve: Option<&Reserve>,
) {
    // When the reserve was given up, or could not be filled again.
    let mut given_up: Option<Instant> = None;
    while let Some(first) = waiting.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP {
            match waiting.try_recv() {
                Ok(job) => group.push(job),
                Err(_) => break,
            }
        }
        match commit(&mut connection, group, &mut last_id) {
            Ok(announced) => {
                for message in announced {
                    // Nobody listening is fine: the store has it.
                    let _ = live.send(Arc::new(message));
                }
                // There is space again: the disk may be full a second time before anybody else looks.
                if let Some(reserve) = reserve
                    && given_up.is_some_and(|since| since.elapsed() >= REFILL_AFTER)
                {
                    given_up = (!reserve.refill()).then(Instant::now);
                }
            }
            Err(StoreError::Full) => {
                if let Some(reserve) = reserve {
                    reserve.release();
                    given_up = Some(Instant::now());
                }
            }
            Err(error) => tracing::error!(%error, "a group of writes failed"),
        }
    }
}

/// Does a group in one transaction; what is to be announced. The numbers of a group that failed are not used again: a
/// gap is harmless.
fn commit(connection: &mut Connection, group: Vec<Job>, last_id: &mut i64) -> Result<Vec<Message>, StoreError> {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        let error = StoreError::from(error);
        for job in group {
            job(Err(told(&error)));
        }
        return Err(error);
    }
    let mut work = Work { connection, last_id: *last_id, announced: Vec::new() };
    let mut replies = Vec::with_capacity(group.len());
    // Without space SQLite may end the whole transaction in the middle of a job.
    let mut lost = false;
    for job in group {
        let kept = work.announced.len();
        if let Err(error) = work.connection.execute_batch("SAVEPOINT job") {
            job(Err(error.into()));
        } else if let Some(reply) = job(Ok(&mut work)) {
            replies.push(reply);
            lost |= work.connection.execute_batch("RELEASE job").is_err();
        } else {
            work.announced.truncate(kept);
            lost |= work.connection.is_autocommit();
            lost |= work.connection.execute_batch("ROLLBACK TO job; RELEASE job").is_err();
        }
    }
    let Work { last_id: reached, announced, .. } = work;
    *last_id = reached;
    let outcome = if lost || connection.is_autocommit() {
        Err(StoreError::Full)
    } else {
        connection.execute_batch("COMMIT").map_err(StoreError::from)
    };
    if outcome.is_err() && !connection.is_autocommit() {
        // A rollback that fails leaves the transaction to the next BEGIN, which then says so.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for reply in replies {
        reply(match &outcome {
            Ok(()) => Ok(()),
            Err(error) => Err(told(error)),
        });
    }
    outcome.map(|()| announced)
}

/// An error of the whole group, as each of its callers is told it.
fn told(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        other => StoreError::Sqlite(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR),
            Some(other.to_string()),
        )),
    }
}
