//! Which checkpoints a run may go on from.

use std::collections::HashSet;

use recspeed_types::{EventKind, RunEvent, RunId};
use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;
use super::events::{number, tail};
use super::runs::changed;
use super::writer::Work;

/// A checkpoint that a run spoke of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// File name inside the run's folder.
    pub file: String,
    /// Steps in it.
    pub step: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// The newest checkpoints that the run spoke of and may go on from, newest first.
///
/// # Errors
/// [`StoreError::NoRun`].
pub fn checkpoints(connection: &Connection, run: &RunId, limit: u32) -> Result<Vec<CheckpointRow>, StoreError> {
    let number = number(connection, run)?;
    let mut statement = connection.prepare_cached(
        "SELECT json FROM events WHERE run = ?1 AND json_extract(json, '$.kind') = 'checkpoint'
           AND seq >= (SELECT resume_from FROM runs WHERE n = ?1) ORDER BY seq DESC LIMIT ?2",
    )?;
    let texts = statement.query_map(params![number, limit], |row| row.get::<_, String>(0))?;
    let mut found = Vec::new();
    for text in texts {
        if let Ok(RunEvent { kind: EventKind::Checkpoint { file, step, sha256 }, .. }) = serde_json::from_str(&text?) {
            found.push(CheckpointRow { file, step, sha256 });
        }
    }
    Ok(found)
}

/// Forbids the run to go on from any checkpoint that it has announced so far. `because`: the end of a sentence.
///
/// # Errors
/// [`StoreError`] when it cannot be written.
pub fn forget_checkpoints(work: &mut Work<'_>, run: &RunId, because: &str) -> Result<(), StoreError> {
    let next_seq = tail(work.connection, run)?.next_seq as i64;
    changed(
        run,
        work.connection.execute(
            "UPDATE runs SET resume_from = ?2, afresh = ?3 WHERE id = ?1",
            params![run.as_str(), next_seq, because],
        )?,
    )
}

/// Why the run does not go on from its earlier checkpoints, where [`forget_checkpoints`] said so.
///
/// # Errors
/// [`StoreError::NoRun`].
pub fn afresh(connection: &Connection, run: &RunId) -> Result<Option<String>, StoreError> {
    let found = connection.query_row("SELECT afresh FROM runs WHERE id = ?1", [run.as_str()], |row| row.get(0));
    found.optional()?.ok_or_else(|| StoreError::NoRun { run: run.to_string() })
}

/// Ids of the runs whose checkpoints may still be needed: all that did not finish.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn resumable(connection: &Connection) -> Result<HashSet<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM runs WHERE status <> 'finished'")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}
