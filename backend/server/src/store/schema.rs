//! Tables, and how an older file becomes a newer one.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;

/// How long a connection waits for another one's lock.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// One step a version; `user_version` says how many were taken. Never change a step that was released: add one.
const STEPS: [&str; 3] = [
    // `runs.parent` is no foreign key: a run may be forked from one that was deleted since, or that lives in a tab.
    "CREATE TABLE runs (
        n              INTEGER PRIMARY KEY AUTOINCREMENT,
        id             TEXT NOT NULL UNIQUE,
        person         TEXT NOT NULL,
        status         TEXT NOT NULL CHECK (status IN ('queued', 'running', 'finished', 'failed', 'cancelled')),
        spec           TEXT NOT NULL,
        name           TEXT NOT NULL,
        recommender    TEXT NOT NULL,
        dataset        TEXT NOT NULL,
        created_ms     INTEGER NOT NULL,
        started_ms     INTEGER,
        ended_ms       INTEGER,
        queue_position INTEGER,
        starts_in_s    REAL,
        attempts       INTEGER NOT NULL DEFAULT 0,
        restarts       INTEGER NOT NULL DEFAULT 0,
        parent         TEXT,
        summary        TEXT,
        failure        TEXT,
        pid            INTEGER,
        pid_start      INTEGER,
        CHECK ((status = 'finished') = (summary IS NOT NULL))
    ) STRICT;
    CREATE INDEX runs_by_status ON runs (status, n);
    CREATE TABLE events (
        id   INTEGER PRIMARY KEY,
        run  INTEGER NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
        seq  INTEGER NOT NULL,
        json TEXT NOT NULL,
        UNIQUE (run, seq)
    ) STRICT;
    CREATE INDEX events_of_run ON events (run);
    CREATE TABLE notices (
        id      INTEGER PRIMARY KEY,
        run     TEXT NOT NULL UNIQUE,
        deleted INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;",
    // Checkpoints announced before event `resume_from` are not gone on from; `afresh` says why not, in words.
    "ALTER TABLE runs ADD COLUMN resume_from INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN afresh TEXT;",
    // The study that a waiting run waits for, where one has the machine or is next.
    "ALTER TABLE runs ADD COLUMN waits_for_study TEXT;",
];

/// Sets a connection up that only reads, and sees to it that the file has the tables that are read here.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    let known = STEPS.len() as i64;
    match connection.query_row("PRAGMA user_version", [], |row| row.get(0))? {
        found if found > known => Err(StoreError::Later { found, known }),
        found if found < known => Err(StoreError::Earlier { found, known }),
        _ => Ok(()),
    }
}

/// Sets the connection up and takes the steps that are missing.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;",
    )?;
    connection.query_row("PRAGMA journal_size_limit = 67108864", [], |_| Ok(()))?;
    let known = STEPS.len() as i64;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Later { found, known });
    }
    for (index, step) in STEPS.iter().enumerate().skip(found.max(0) as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.execute_batch(&format!("PRAGMA user_version = {}", index + 1))?;
        transaction.commit()?;
    }
    Ok(())
}
