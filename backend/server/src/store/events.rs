//! What runs said.

use recspeed_types::{RunEvent, RunId};
use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;
use super::writer::Work;

/// Where a run's story stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunTail {
    /// The `seq` of the next event.
    pub next_seq: u64,
    /// Microseconds of the last event; 0 before the first.
    pub at_us: u64,
}

/// A stored part of a run's story: the events' own texts.
#[derive(Debug, Clone, Default)]
pub struct EventRows {
    /// One JSON text each, by `seq`.
    pub events: Vec<String>,
    /// Whether more are stored behind the last one.
    pub more: bool,
}

pub(super) fn number(connection: &Connection, run: &RunId) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT n FROM runs WHERE id = ?1")?
        .query_row([run.as_str()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::NoRun { run: run.to_string() })
}

/// Stores and announces events, which must continue the run's story without a gap.
///
/// # Errors
/// [`StoreError::NoRun`]; [`StoreError::Damaged`] when `seq` does not continue.
pub fn append(work: &mut Work<'_>, run: &RunId, events: &[RunEvent]) -> Result<(), StoreError> {
    let number = number(work.connection, run)?;
    let next = tail_of(work.connection, number)?.next_seq;
    let connection = work.connection;
    let mut insert = connection.prepare_cached("INSERT INTO events (id, run, seq, json) VALUES (?1, ?2, ?3, ?4)")?;
    for (due, event) in (next..).zip(events) {
        if event.seq != due {
            return Err(StoreError::damaged(run, format!("event {} was stored where {due} belongs", event.seq)));
        }
        let json = serde_json::to_string(event).map_err(|error| StoreError::damaged(run, error))?;
        let id = work.next_id();
        insert.execute(params![id, number, event.seq as i64, json])?;
        work.announce_event(id, run, &json);
    }
    Ok(())
}

/// Puts `event` in the place of the run's last one, as a new message: a retry turns the old end into a part of the story.
///
/// # Errors
/// [`StoreError::NoRun`]; [`StoreError::Damaged`] when the last event has another `seq`.
pub fn replace_last(work: &mut Work<'_>, event: &RunEvent) -> Result<(), StoreError> {
    let number = number(work.connection, &event.run)?;
    let removed = work.connection.execute(
        "DELETE FROM events WHERE run = ?1 AND seq = ?2 AND seq = (SELECT max(seq) FROM events WHERE run = ?1)",
        params![number, event.seq as i64],
    )?;
    if removed != 1 {
        return Err(StoreError::damaged(&event.run, format!("event {} is not the last one", event.seq)));
    }
    let run = event.run.clone();
    append(work, &run, std::slice::from_ref(event))
}

/// Where the run's story stands.
///
/// # Errors
/// [`StoreError::NoRun`].
pub fn tail(connection: &Connection, run: &RunId) -> Result<RunTail, StoreError> {
    tail_of(connection, number(connection, run)?)
}

fn tail_of(connection: &Connection, number: i64) -> Result<RunTail, StoreError> {
    let last = connection
        .prepare_cached(
            "SELECT seq, coalesce(json_extract(json, '$.at_us'), 0) FROM events WHERE run = ?1 ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([number], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    Ok(last.map_or_else(RunTail::default, |(seq, at_us)| RunTail { next_seq: seq as u64 + 1, at_us: at_us as u64 }))
}

/// The run's events from `from` on: up to `limit` of them or about `bytes` bytes, and at least one if there is one.
///
/// # Errors
/// [`StoreError::NoRun`].
pub fn page(
    connection: &Connection,
    run: &RunId,
    from: u64,
    limit: u32,
    bytes: usize,
) -> Result<EventRows, StoreError> {
    let number = number(connection, run)?;
    let mut statement =
        connection.prepare_cached("SELECT json FROM events WHERE run = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3")?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![number, from, i64::from(limit) + 1])?;
    let mut found = EventRows::default();
    let mut size = 0;
    while let Some(row) = rows.next()? {
        if found.events.len() == limit as usize || size >= bytes {
            found.more = true;
            break;
        }
        let json: String = row.get(0)?;
        size += json.len();
        found.events.push(json);
    }
    Ok(found)
}

/// When the ranks of a run did what, as its last attempt told.
///
/// # Errors
/// [`StoreError::NoRun`]; [`StoreError::Damaged`] when an event does not parse.
pub fn spans(connection: &Connection, run: &RunId) -> Result<Vec<RunEvent>, StoreError> {
    let number = number(connection, run)?;
    let mut statement = connection.prepare_cached(
        "SELECT json FROM events WHERE run = ?1 AND json_extract(json, '$.kind') = 'span' AND seq >
             coalesce((SELECT max(seq) FROM events WHERE run = ?1 AND json_extract(json, '$.kind') = 'started'), -1)
         ORDER BY seq",
    )?;
    let texts = statement.query_map([number], |row| row.get::<_, String>(0))?;
    texts.map(|text| serde_json::from_str(&text?).map_err(|error| StoreError::damaged(run, error))).collect()
}
