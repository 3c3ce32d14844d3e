//! Listeners of the event stream.
//!
//! A listener has a position and nothing else: what is live comes from a ring that all listeners share, what it missed
//! comes from the store, page by page. However slow it is, the writer never waits for it and it holds no more than one
//! page in memory.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::Stream;
use recspeed_types::RunId;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio_util::sync::CancellationToken;

use crate::access::Places;
use crate::store::{self, Message, MessageKind, Store, StoreError};

/// A sign of life this often, so that proxies and browsers keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Messages and bytes that a listener holds while it catches up.
const PAGE_MESSAGES: usize = 200;
const PAGE_BYTES: usize = 32 * 1024;
/// Bytes of messages that are sent as one piece.
const PIECE_BYTES: usize = 16 * 1024;
/// How long a browser waits before it connects again.
const RECONNECT_MS: u32 = 1_000;

/// What a listener wants to hear.
#[derive(Debug, Clone)]
pub struct Interest {
    /// Runs whose events it wants.
    pub named: Vec<RunId>,
    /// Whether it hears of the state of every run, or of the named ones only.
    pub everything: bool,
    /// What is taken out of all that it hears; nothing for the owner.
    pub hidden: Option<Arc<Places>>,
}

impl Interest {
    fn wants(&self, message: &Message) -> bool {
        (self.everything && message.kind == MessageKind::Notice) || self.named.contains(&message.run)
    }

    fn frame(&self, message: &Message) -> Bytes {
        match &self.hidden {
            Some(places) => message.frame_without(places),
            None => message.frame.clone(),
        }
    }
}

/// One open stream.
pub struct Listener {
    store: Store,
    interest: Interest,
    live: broadcast::Receiver<Arc<Message>>,
    /// Everything up to here was sent or is not wanted.
    position: i64,
    /// Whether the store has more than the ring.
    behind: bool,
    ready: VecDeque<Bytes>,
    ends: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    /// Begins after the position `after`, or now.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn open(
        store: Store,
        interest: Interest,
        after: Option<i64>,
        ends: CancellationToken,
        permit: OwnedSemaphorePermit,
    ) -> Result<Self, StoreError> {
        // First the ring, then the store: what is committed in between is in both, and counted once by its number.
        let live = store.subscribe();
        let named = interest.named.clone();
        let (newest, records) = store
            .read(move |connection| {
                let newest = store::newest_id(connection)?;
                let mut records = Vec::new();
                for run in &named {
                    records.extend(store::record(connection, run)?);
                }
                Ok((newest, records))
            })
            .await?;
        let mut ready = VecDeque::from([Bytes::from(format!("retry: {RECONNECT_MS}\n\n"))]);
        let (position, behind) = match after {
            Some(after) if (0..=newest).contains(&after) => (after, true),
            // A position that was never given: the store is another one. All that the named runs said comes again.
            Some(_) => (0, true),
            None => (newest, false),
        };
        if !behind {
            // An id without data moves the browser's position without waking the page.
            ready.push_back(Bytes::from(format!("id: {newest}\n\n")));
            ready.extend(records.into_iter().map(|record| interest.frame(&Message::run(newest, record))));
        }
        Ok(Self { store, interest, live, position, behind, ready, ends, _permit: permit })
    }

    /// The stream's bytes, until the server ends.
    pub fn frames(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
        futures_util::stream::unfold(self, |mut listener| async move {
            let piece = listener.next().await?;
            Some((Ok(piece), listener))
        })
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.take_ready() {
                return Some(piece);
            }
            if self.ends.is_cancelled() {
                return None;
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            tokio::select! {
                biased;
                () = self.ends.cancelled() => return None,
                message = self.live.recv() => match message {
                    Ok(message) => {
                        self.hear(&message);
                        self.hear_what_waits();
                    }
                    Err(RecvError::Lagged(_)) => self.behind = true,
                    Err(RecvError::Closed) => return None,
                },
                () = tokio::time::sleep(HEARTBEAT) => return Some(Bytes::from_static(b": still here\n\n")),
            }
        }
    }

    /// Messages that came together leave together: one write instead of many.
    fn take_ready(&mut self) -> Option<Bytes> {
        let first = self.ready.pop_front()?;
        if self.ready.is_empty() {
            return Some(first);
        }
        let mut piece = first.to_vec();
        while let Some(next) = self.ready.front() {
            if piece.len() + next.len() > PIECE_BYTES {
                break;
            }
            piece.extend_from_slice(next);
            self.ready.pop_front();
        }
        Some(piece.into())
    }

    fn hear(&mut self, message: &Message) {
        if message.id > self.position {
            self.position = message.id;
            if self.interest.wants(message) {
                self.ready.push_back(self.interest.frame(message));
            }
        }
    }

    fn hear_what_waits(&mut self) {
        while self.ready.len() < PAGE_MESSAGES {
            match self.live.try_recv() {
                Ok(message) => self.hear(&message),
                Err(TryRecvError::Lagged(_)) => {
                    self.behind = true;
                    return;
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// Reads a page of what was missed; `None` when the store fails, which ends the stream: the browser comes back.
    async fn catch_up(&mut self) -> Option<()> {
        let (position, interest) = (self.position, self.interest.clone());
        let page = self.store.read(move |connection| {
            store::catch_up(connection, position, &interest.named, interest.everything, PAGE_MESSAGES, PAGE_BYTES)
        });
        match page.await {
            Ok(missed) => {
                // What was committed since that read is in the ring, which is older than the read; if the ring has
                // turned over meanwhile, the next receive says so.
                self.behind = !missed.complete;
                self.position = missed.reached;
                self.ready.extend(missed.messages.iter().map(|message| self.interest.frame(message)));
                Some(())
            }
            Err(error) => {
                tracing::error!(%error, "a stream ends because the store cannot be read");
                None
            }
        }
    }
}
