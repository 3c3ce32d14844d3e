//! The store: one SQLite file, one writer, every event durable before it is shown.
//!
//! All writes go through one thread that gathers waiting jobs into one transaction (a group commit), so two hundred
//! small writes cost one `fsync`. `synchronous = FULL` is chosen: with `NORMAL` a power cut could take back events
//! that listeners have already seen, and their `Last-Event-ID` would then point past the end of the store. What a
//! transaction announced is broadcast only after its commit.
//!
//! Every event and every notice takes its number from one rising sequence: the ids of the event stream.

mod checkpoints;
mod error;
mod events;
mod message;
mod reserve;
mod runs;
mod schema;
mod search;
mod writer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use checkpoints::{CheckpointRow, afresh, checkpoints, forget_checkpoints, resumable};
pub use error::StoreError;
pub use events::{EventRows, RunTail, append, page as event_page, replace_last, spans, tail};
pub use message::{Message, MessageKind, Missed, catch_up, last_id as newest_id};
pub use reserve::Reserve;
pub use runs::{
    Ending, NewRun, PastRun, Place, ProcessId, Unfinished, begin, create, dataset_key, delete, end, hand_back, import,
    is_empty, meta, past, person_of, places, record, requeue, served, set_meta, unfinished,
};
pub use search::{ListQuery, Word, list};
pub use writer::Work;

/// Messages that wait in memory for slow listeners; who falls further behind reads the store instead.
const LIVE_MESSAGES: usize = 512;
/// Jobs that wait for the writer before callers wait too.
const WAITING_JOBS: usize = 1024;
/// Read connections.
const READERS: usize = 4;

/// A handle to the store; clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    jobs: mpsc::Sender<writer::Job>,
    live: broadcast::Sender<Arc<Message>>,
    readers: Mutex<Vec<Connection>>,
    /// Turns of readers: however many listen, few connections and few threads serve them.
    turns: Arc<Semaphore>,
    /// Cancelled when the writer panicked.
    broken: CancellationToken,
}

impl Store {
    /// Opens or makes the store at `path`, and brings an older one up to date.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be opened, is no store, or was written by a later version.
    pub fn open(path: &Path, reserve: Option<Reserve>) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path).map_err(|cause| StoreError::opening(path, cause))?;
        schema::prepare(&mut connection).map_err(|error| error.at(path))?;
        let last_id = message::last_id(&connection)?;
        let (live, _) = broadcast::channel(LIVE_MESSAGES);
        let (jobs, waiting) = mpsc::channel(WAITING_JOBS);
        let publisher = live.clone();
        let broken = CancellationToken::new();
        let breaks = broken.clone();
        let write = move || {
            let write = || writer::run(connection, waiting, &publisher, last_id, reserve.as_ref());
            // Nothing of what it used is used again.
            if catch_unwind(AssertUnwindSafe(write)).is_err() {
                breaks.cancel();
            }
        };
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(write)
            .map_err(|cause| StoreError::Thread { cause })?;
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                jobs,
                live,
                readers: Mutex::new(Vec::new()),
                turns: Arc::new(Semaphore::new(READERS)),
                broken,
            }),
        })
    }

    /// Cancelled when the writer has broken off by a mistake of the lab: nothing can be stored any more.
    pub fn broken(&self) -> CancellationToken {
        self.inner.broken.clone()
    }

    /// Hears of everything that is committed from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Message>> {
        self.inner.live.subscribe()
    }

    /// Does `job` inside a transaction of the writer; answers once it is durable.
    ///
    /// # Errors
    /// What the job answers, in which case nothing of it is kept; [`StoreError::Full`] without space.
    pub async fn write<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Work<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.inner.jobs.send(writer::job(job, answer)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Reads what is committed, on a thread that may block.
    ///
    /// # Errors
    /// What `query` answers; [`StoreError`] when no connection can be opened.
    pub async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let turn = Arc::clone(&inner.turns).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        tokio::task::spawn_blocking(move || {
            let connection = inner.reader()?;
            let answer = query(&connection);
            inner.give_back(connection);
            drop(turn);
            answer
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    /// Lets the store grow to at most `pages` pages of 4 KiB: what a full disk does, for tests.
    ///
    /// # Errors
    /// [`StoreError`] when the store is closed.
    pub async fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        self.write(move |work| {
            work.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        })
        .await
    }
}

/// A connection that only reads; somebody else may be writing.
///
/// # Errors
/// [`StoreError`] when the file cannot be opened, or is of another version: only a server brings an older one up to date.
pub fn to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|cause| StoreError::opening(path, cause))?;
    schema::check(&connection).map_err(|error| error.at(path))?;
    Ok(connection)
}

impl Inner {
    fn reader(&self) -> Result<Connection, StoreError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.map_or_else(|| to_read(&self.path), Ok)
    }

    fn give_back(&self, connection: Connection) {
        let mut kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < READERS {
            kept.push(connection);
        }
    }
}
