//! Runs: rows in, records out.

use recspeed_types::api::{Failure, RunRecord, RunStatus};
use recspeed_types::spec::{DatasetSpec, ExperimentSpec};
use recspeed_types::{RunId, RunSummary};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::StoreError;
use super::events;
use super::writer::Work;

/// What is known of a run before it is stored.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its name.
    pub id: RunId,
    /// Who asked, for the fair queue; never shown.
    pub person: String,
    /// What was asked.
    pub spec: ExperimentSpec,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// The run that it was forked from.
    pub parent: Option<RunId>,
}

/// The process of a worker, told apart from a later process with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessId {
    /// Number of the process, and of its group.
    pub pid: i32,
    /// Its start, in clock ticks since the machine's, from `/proc`.
    pub start: u64,
}

/// A run that is neither over nor deleted.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// As stored.
    pub record: RunRecord,
    /// Who asked.
    pub person: String,
    /// The worker of the last attempt.
    pub process: Option<ProcessId>,
    /// How often a server's end interrupted it since it was last asked for.
    pub restarts: u32,
}

/// A waiting run's place.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The run.
    pub run: RunId,
    /// From 1.
    pub position: u32,
    /// Estimated seconds until it starts.
    pub starts_in_s: Option<f64>,
    /// The study that no run starts before.
    pub waits_for_study: Option<&'static str>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// It did all that it was asked to.
    Finished(Box<RunSummary>),
    /// It failed.
    Failed(Failure),
    /// Somebody cancelled it.
    Cancelled(Failure),
}

/// What to estimate from: a run that finished.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// `recommender.kind`.
    pub recommender: String,
    /// The data set, as [`dataset_key`] names it.
    pub dataset: String,
    /// Seconds from the worker's start to its end.
    pub seconds: f64,
}

/// The columns of a [`Raw`] run.
pub(super) const COLUMNS: &str = "id, status, spec, created_ms, started_ms, ended_ms, queue_position, starts_in_s, attempts, \
                       parent, summary, failure, n, person, pid, pid_start, restarts, waits_for_study";

/// A row before its texts are parsed.
pub(super) struct Raw {
    id: String,
    status: String,
    spec: String,
    created_ms: i64,
    started_ms: Option<i64>,
    ended_ms: Option<i64>,
    queue_position: Option<u32>,
    starts_in_s: Option<f64>,
    attempts: u32,
    parent: Option<String>,
    summary: Option<String>,
    failure: Option<String>,
    pub(super) n: i64,
    person: String,
    pid: Option<i32>,
    pid_start: Option<i64>,
    restarts: u32,
    waits_for_study: Option<String>,
}

impl Raw {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            status: row.get(1)?,
            spec: row.get(2)?,
            created_ms: row.get(3)?,
            started_ms: row.get(4)?,
            ended_ms: row.get(5)?,
            queue_position: row.get(6)?,
            starts_in_s: row.get(7)?,
            attempts: row.get(8)?,
            parent: row.get(9)?,
            summary: row.get(10)?,
            failure: row.get(11)?,
            n: row.get(12)?,
            person: row.get(13)?,
            pid: row.get(14)?,
            pid_start: row.get(15)?,
            restarts: row.get(16)?,
            waits_for_study: row.get(17)?,
        })
    }

    pub(super) fn record(&self) -> Result<RunRecord, StoreError> {
        let broken = |what: String| StoreError::damaged(&self.id, what);
        let status =
            [RunStatus::Queued, RunStatus::Running, RunStatus::Finished, RunStatus::Failed, RunStatus::Cancelled]
                .into_iter()
                .find(|status| status.as_str() == self.status)
                .ok_or_else(|| broken(format!("status `{}`", self.status)))?;
        let summary = self.summary.as_deref().map(serde_json::from_str).transpose();
        let failure = self.failure.as_deref().map(serde_json::from_str).transpose();
        Ok(RunRecord {
            id: RunId::new(self.id.clone()).map_err(|error| broken(error.to_string()))?,
            status,
            spec: ExperimentSpec::from_json(&self.spec).map_err(|error| broken(format!("spec: {error}")))?,
            created_ms: self.created_ms,
            started_ms: self.started_ms,
            ended_ms: self.ended_ms,
            queue_position: self.queue_position,
            starts_in_s: self.starts_in_s,
            waits_for_study: self.waits_for_study.clone(),
            attempts: self.attempts,
            parent: self.parent.clone().and_then(|parent| RunId::new(parent).ok()),
            summary: summary.map_err(|error| broken(format!("summary: {error}")))?,
            failure: failure.map_err(|error| broken(format!("failure: {error}")))?,
            model: None,
        })
    }
}

/// Names a data set for search and for estimates.
pub fn dataset_key(dataset: &DatasetSpec) -> String {
    dataset.id.clone().or_else(|| dataset.path.clone()).unwrap_or_default()
}

/// Stores a run that waits.
///
/// # Errors
/// [`StoreError::RunExists`] for an id that is taken.
pub fn create(work: &mut Work<'_>, run: &NewRun) -> Result<RunRecord, StoreError> {
    let inserted = work.connection.prepare_cached(
        "INSERT INTO runs (id, person, status, spec, name, recommender, dataset, created_ms, parent)
         VALUES (?1, ?2, 'queued', ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
    )?;
    insert(inserted, run)?;
    work.announce_run(&run.id)?;
    stored(work.connection, &run.id)
}

fn insert(mut statement: rusqlite::CachedStatement<'_>, run: &NewRun) -> Result<(), StoreError> {
    let count = statement.execute(params![
        run.id.as_str(),
        run.person,
        run.spec.to_json(),
        run.spec.name,
        run.spec.recommender.kind,
        dataset_key(&run.spec.dataset),
        run.created_ms,
        run.parent.as_ref().map(RunId::as_str),
    ])?;
    if count == 1 { Ok(()) } else { Err(StoreError::RunExists { run: run.id.to_string() }) }
}

/// Stores a run that happened elsewhere, with its whole story; a run that is already there is left as it is.
///
/// # Errors
/// [`StoreError`] when it cannot be written.
pub fn import(work: &mut Work<'_>, record: &RunRecord, story: &[recspeed_types::RunEvent]) -> Result<(), StoreError> {
    if find(work.connection, &record.id)?.is_some() {
        return Ok(());
    }
    let run = NewRun {
        id: record.id.clone(),
        person: String::new(),
        spec: record.spec.clone(),
        created_ms: record.created_ms,
        parent: record.parent.clone(),
    };
    let statement = work.connection.prepare_cached(
        "INSERT INTO runs (id, person, status, spec, name, recommender, dataset, created_ms, parent)
         VALUES (?1, ?2, 'queued', ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
    )?;
    insert(statement, &run)?;
    events::append(work, &record.id, story)?;
    work.connection.execute(
        "UPDATE runs SET status = ?2, started_ms = ?3, ended_ms = ?4, attempts = ?5, summary = ?6, failure = ?7
         WHERE id = ?1",
        params![
            record.id.as_str(),
            record.status.as_str(),
            record.started_ms,
            record.ended_ms,
            record.attempts,
            text(record.summary.as_ref()),
            text(record.failure.as_ref()),
        ],
    )?;
    work.announce_run(&record.id)
}

/// The run, if it is there.
///
/// # Errors
/// [`StoreError::Damaged`] when its texts do not parse.
pub fn record(connection: &Connection, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
    find(connection, run)?.map(|raw| raw.record()).transpose()
}

fn stored(connection: &Connection, run: &RunId) -> Result<RunRecord, StoreError> {
    record(connection, run)?.ok_or_else(|| StoreError::NoRun { run: run.to_string() })
}

fn find(connection: &Connection, run: &RunId) -> Result<Option<Raw>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE id = ?1"))?;
    Ok(statement.query_row([run.as_str()], Raw::read).optional()?)
}

/// Who asked for the run.
///
/// # Errors
/// [`StoreError::NoRun`].
pub fn person_of(connection: &Connection, run: &RunId) -> Result<String, StoreError> {
    find(connection, run)?.map(|raw| raw.person).ok_or_else(|| StoreError::NoRun { run: run.to_string() })
}

/// Every run that waits or runs, oldest first.
///
/// # Errors
/// [`StoreError`] when the store cannot be read. A damaged run is left out and logged.
pub fn unfinished(connection: &Connection) -> Result<Vec<Unfinished>, StoreError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE status IN ('queued', 'running') ORDER BY n"))?;
    let rows = statement.query_map([], Raw::read)?.collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::with_capacity(rows.len());
    for raw in rows {
        match raw.record() {
            Ok(record) => found.push(Unfinished {
                record,
                process: raw.pid.zip(raw.pid_start).map(|(pid, start)| ProcessId { pid, start: start as u64 }),
                person: raw.person,
                restarts: raw.restarts,
            }),
            Err(error) => tracing::error!(%error, "left out of the queue"),
        }
    }
    Ok(found)
}

/// People in the order in which they were last served: what makes the queue fair across a restart.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn served(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT person FROM runs WHERE started_ms IS NOT NULL GROUP BY person ORDER BY max(started_ms) DESC LIMIT 1000",
    )?;
    let mut people = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    people.reverse();
    Ok(people)
}

/// The newest runs that finished, oldest first.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn past(connection: &Connection, limit: u32) -> Result<Vec<PastRun>, StoreError> {
    // Imported runs belong to nobody and happened on another machine.
    let mut statement = connection.prepare_cached(
        "SELECT recommender, dataset, (ended_ms - started_ms) / 1000.0 FROM runs
         WHERE status = 'finished' AND person <> '' AND ended_ms >= started_ms ORDER BY n DESC LIMIT ?1",
    )?;
    let mut runs = statement
        .query_map([limit], |row| Ok(PastRun { recommender: row.get(0)?, dataset: row.get(1)?, seconds: row.get(2)? }))?
        .collect::<Result<Vec<_>, _>>()?;
    runs.reverse();
    Ok(runs)
}

/// Stores the places of waiting runs, and announces each.
///
/// # Errors
/// [`StoreError`] when they cannot be written.
pub fn places(work: &mut Work<'_>, places: &[Place]) -> Result<(), StoreError> {
    for place in places {
        let changed = work
            .connection
            .prepare_cached(
                "UPDATE runs SET queue_position = ?2, starts_in_s = ?3, waits_for_study = ?4 WHERE id = ?1 AND status = 'queued'",
            )?
            .execute(params![place.run.as_str(), place.position, place.starts_in_s, place.waits_for_study])?;
        if changed == 1 {
            work.announce_run(&place.run)?;
        }
    }
    Ok(())
}

/// Stores that a worker was started.
///
/// # Errors
/// [`StoreError::NoRun`] when the run is not there or not waiting.
pub fn begin(work: &mut Work<'_>, run: &RunId, process: ProcessId, now_ms: i64) -> Result<(), StoreError> {
    changed(
        run,
        work.connection.execute(
            "UPDATE runs SET status = 'running', attempts = attempts + 1, started_ms = ?2, ended_ms = NULL,
                 queue_position = NULL, starts_in_s = NULL, waits_for_study = NULL, failure = NULL, pid = ?3, pid_start = ?4
             WHERE id = ?1 AND status IN ('queued', 'running')",
            params![run.as_str(), now_ms, process.pid, process.start as i64],
        )?,
    )?;
    work.announce_run(run)
}

/// Puts a run that a server's end interrupted back into the queue.
///
/// # Errors
/// [`StoreError::NoRun`] when the run is not there or not running.
pub fn hand_back(work: &mut Work<'_>, run: &RunId) -> Result<(), StoreError> {
    changed(
        run,
        work.connection.execute(
            "UPDATE runs SET status = 'queued', restarts = restarts + 1, pid = NULL, pid_start = NULL
             WHERE id = ?1 AND status = 'running'",
            params![run.as_str()],
        )?,
    )?;
    work.announce_run(run)
}

/// Puts a run that failed or was cancelled back into the queue.
///
/// # Errors
/// [`StoreError::NoRun`] when the run is not there or did not fail.
pub fn requeue(work: &mut Work<'_>, run: &RunId) -> Result<(), StoreError> {
    changed(
        run,
        work.connection.execute(
            "UPDATE runs SET status = 'queued', restarts = 0, ended_ms = NULL, failure = NULL, pid = NULL,
                 pid_start = NULL
             WHERE id = ?1 AND status IN ('failed', 'cancelled')",
            params![run.as_str()],
        )?,
    )?;
    work.announce_run(run)
}

/// Stores how a run ended; in the same transaction as its last event.
///
/// # Errors
/// [`StoreError::NoRun`] when the run is not there or already over.
pub fn end(work: &mut Work<'_>, run: &RunId, ending: &Ending, now_ms: i64) -> Result<(), StoreError> {
    let (status, summary, failure) = match ending {
        Ending::Finished(summary) => (RunStatus::Finished, Some(summary), None),
        Ending::Failed(failure) => (RunStatus::Failed, None, Some(failure)),
        Ending::Cancelled(failure) => (RunStatus::Cancelled, None, Some(failure)),
    };
    changed(
        run,
        work.connection.execute(
            "UPDATE runs SET status = ?2, summary = ?3, failure = ?4, ended_ms = ?5, queue_position = NULL,
                 waits_for_study = NULL, starts_in_s = NULL, pid = NULL, pid_start = NULL
             WHERE id = ?1 AND status IN ('queued', 'running')",
            params![run.as_str(), status.as_str(), text(summary), text(failure), now_ms],
        )?,
    )?;
    work.announce_run(run)
}

/// Deletes a run and all that it said.
///
/// # Errors
/// [`StoreError::NoRun`] when it is not there, or waits or runs.
pub fn delete(work: &mut Work<'_>, run: &RunId) -> Result<(), StoreError> {
    changed(
        run,
        work.connection
            .execute("DELETE FROM runs WHERE id = ?1 AND status NOT IN ('queued', 'running')", params![run.as_str()])?,
    )?;
    work.announce_deleted(run)
}

/// Whether nothing was ever stored.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    Ok(super::message::last_id(connection)? == 0)
}

/// A remembered text.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn meta(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    Ok(connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()?)
}

/// Remembers a text.
///
/// # Errors
/// [`StoreError`] when it cannot be written.
pub fn set_meta(work: &mut Work<'_>, key: &str, value: &str) -> Result<(), StoreError> {
    work.connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [key, value])?;
    Ok(())
}

pub(super) fn changed(run: &RunId, rows: usize) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::NoRun { run: run.to_string() }) }
}

fn text<T: serde::Serialize>(value: Option<&T>) -> Option<String> {
    value.and_then(|value| serde_json::to_string(value).ok())
}
