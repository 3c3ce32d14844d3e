//! What the event stream carries: each message numbered by the store, written out once for every listener.

use std::borrow::Cow;
use std::sync::OnceLock;

use axum::body::Bytes;
use recspeed_types::RunId;
use recspeed_types::api::{RunRecord, StreamMessage};
use rusqlite::{Connection, params};

use super::error::StoreError;
use crate::access::Places;

/// A message of the stream.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its number: what `Last-Event-ID` resumes after.
    pub id: i64,
    /// The run that it is about.
    pub run: RunId,
    /// Whether it is an event or news of the run itself.
    pub kind: MessageKind,
    /// `id: …\ndata: …\n\n`, shared by all listeners.
    pub frame: Bytes,
    /// The same for guests, made for the first of them.
    without_places: OnceLock<Bytes>,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// An event: only for those who asked for its run.
    Event,
    /// A changed or deleted run.
    Notice,
}

impl Message {
    /// A message about an event, whose text is spliced in as it is stored.
    pub(super) fn event(id: i64, run: RunId, json: &str) -> Self {
        let frame = format!("id: {id}\ndata: {{\"type\":\"event\",\"event\":{json}}}\n\n");
        Self { id, run, kind: MessageKind::Event, frame: frame.into(), without_places: OnceLock::new() }
    }

    /// A message about a run as it stands now.
    pub fn run(id: i64, record: RunRecord) -> Self {
        let run = record.id.clone();
        Self::notice(id, run, &StreamMessage::Run { run: Box::new(record) })
    }

    /// A message about a run that is gone.
    pub(super) fn deleted(id: i64, run: RunId) -> Self {
        Self::notice(id, run.clone(), &StreamMessage::Deleted { run })
    }

    /// The frame without these places. It is made once, however many guests listen: each has named this run, and knows the
    /// places that its spec names. Without a slash, as of every number that a run measures, it is the frame itself.
    pub fn frame_without(&self, places: &Places) -> Bytes {
        let make = || match places.hide_in_json(&String::from_utf8_lossy(&self.frame)) {
            Cow::Borrowed(_) => self.frame.clone(),
            Cow::Owned(told) => told.into(),
        };
        self.without_places.get_or_init(make).clone()
    }

    fn notice(id: i64, run: RunId, message: &StreamMessage) -> Self {
        // These types have only finite numbers and string keys, which JSON can always write.
        let json = serde_json::to_string(message).unwrap_or_default();
        let frame = format!("id: {id}\ndata: {json}\n\n");
        Self { id, run, kind: MessageKind::Notice, frame: frame.into(), without_places: OnceLock::new() }
    }
}

/// The largest number given so far. A notice of a deletion keeps the number of the newest row from being given twice.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn last_id(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row(
        "SELECT max(coalesce((SELECT max(id) FROM events), 0), coalesce((SELECT max(id) FROM notices), 0))",
        [],
        |row| row.get(0),
    )?)
}

/// Keeps only the newest notice of a run: the message carries the run as it stands, so older ones say nothing more.
pub(super) fn put_notice(connection: &Connection, id: i64, run: &RunId, deleted: bool) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO notices (id, run, deleted) VALUES (?1, ?2, ?3)")?
        .execute(params![id, run.as_str(), deleted])?;
    Ok(())
}

/// A part of what a listener missed.
#[derive(Debug, Clone)]
pub struct Missed {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The number up to which nothing that is wanted was left out.
    pub reached: i64,
    /// Whether the store holds nothing newer.
    pub complete: bool,
}

/// Messages after `after`, oldest first: up to `limit` of them or about `bytes` bytes, and at least one if there is
/// one. Events only of `named`; notices of `named` only, or of every run where `everything` says so.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn catch_up(
    connection: &Connection,
    after: i64,
    named: &[RunId],
    everything: bool,
    limit: usize,
    bytes: usize,
) -> Result<Missed, StoreError> {
    // One transaction, so one state of the store.
    let connection = connection.unchecked_transaction()?;
    let newest = last_id(&connection)?;
    let mut found = Vec::new();
    // How far every source has been read: a source that was cut holds the others back to its last row.
    let mut reached = newest.max(after);
    let mut of_run = connection.prepare_cached(
        "SELECT e.id, e.json FROM events e JOIN runs r ON r.n = e.run
         WHERE r.id = ?1 AND e.id > ?2 ORDER BY e.id LIMIT ?3",
    )?;
    for run in named {
        let mut rows = of_run.query(params![run.as_str(), after, limit as i64])?;
        let (mut count, mut size) = (0, 0);
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let json = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            count += 1;
            size += json.len();
            found.push(Message::event(id, run.clone(), json));
            if size >= bytes || count == limit {
                reached = reached.min(id);
                break;
            }
        }
    }
    drop(of_run);
    let mut notices = Vec::new();
    if everything {
        let mut all =
            connection.prepare_cached("SELECT id, run, deleted FROM notices WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let rows = all.query_map(params![after, limit as i64], notice_row)?;
        notices.extend(rows.collect::<Result<Vec<_>, _>>()?);
        if notices.len() == limit
            && let Some((id, ..)) = notices.last()
        {
            reached = reached.min(*id);
        }
    } else {
        let mut one = connection.prepare_cached("SELECT id, run, deleted FROM notices WHERE run = ?1 AND id > ?2")?;
        for run in named {
            notices.extend(one.query_map(params![run.as_str(), after], notice_row)?.collect::<Result<Vec<_>, _>>()?);
        }
    }
    for (id, run, deleted) in notices {
        let Ok(run) = RunId::new(run) else { continue };
        if deleted {
            found.push(Message::deleted(id, run));
            continue;
        }
        match super::runs::record(&connection, &run) {
            Ok(Some(record)) => found.push(Message::run(id, record)),
            Ok(None) => {}
            Err(error) => tracing::error!(%run, %error, "left out of the stream"),
        }
    }
    found.retain(|message| message.id <= reached);
    found.sort_by_key(|message| message.id);
    let mut size = 0;
    let fits = found.iter().take_while(|message| {
        let before = size;
        size += message.frame.len();
        before < bytes
    });
    let keep = fits.count().min(limit);
    if keep < found.len() {
        found.truncate(keep);
        reached = found.last().map_or(reached, |message| message.id);
    }
    Ok(Missed { messages: found, reached, complete: reached >= newest })
}

fn notice_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, String, bool)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}
