//! `recspeed trace RUN`: when the ranks of a stored run did what, beside its plan, as a Chrome trace.

use std::path::PathBuf;

use clap::Args;
use recspeed_plan::timeline::bars_of_events;
use recspeed_types::api::{RunRecord, RunStatus};
use recspeed_types::{FailureCode, RunEvent, RunId};

use super::failure::CommandError;
use super::output;
use super::timeline::trace_of;
use super::writable;
use crate::store::{self, ListQuery, StoreError};
use crate::{home, whole_file};

/// Runs of an error that are named.
const NAMED: u32 = 5;

/// Arguments of `recspeed trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// The run: its number in the lab, as in its address after /r/
    #[arg(value_name = "RUN", value_parser = run_id)]
    run: RunId,
    /// Write it into this file, a new one or one with an earlier timeline, which it replaces (standard output unless given)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The lab's folder (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
}

/// A timeline that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TraceError {
    /// Nobody says where the lab is.
    #[error("no folder of a lab is known; name one with --home")]
    NoHome,
    /// There is no lab.
    #[error("{} holds no lab; name the folder of one with --home", home.display())]
    NoLab {
        /// What was named.
        home: PathBuf,
    },
    /// The lab does not know the run.
    #[error("the lab at {} knows no run `{run}`; {known}", home.display())]
    NoRun {
        /// The lab's folder.
        home: PathBuf,
        /// What was given.
        run: RunId,
        /// Runs that it knows.
        known: String,
    },
    /// Its ranks have not told when they did what.
    #[error("the run `{run}` has no timeline: {why}")]
    NoSpans {
        /// The run.
        run: RunId,
        /// Why not, and what to do.
        why: String,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TraceError {
    /// The exit status that stands for this failure.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Store(_) => FailureCode::Internal.exit_status(),
            _ => FailureCode::Data.exit_status(),
        }
    }
}

/// Writes the trace.
pub(crate) fn print(args: TraceArgs) -> Result<u8, CommandError> {
    if let Some(path) = &args.out {
        writable::trace("--out", path)?;
    }
    let (record, spans) = stored(args.home, &args.run)?;
    let text = trace_of(&record.spec, &spans).ok_or_else(|| without_bars(&record))?;
    match args.out {
        Some(path) => {
            whole_file::write(&path, text.as_bytes()).map_err(|source| CommandError::WriteFile { path, source })?;
        }
        None => output::say(&text)?,
    }
    Ok(0)
}

/// A run that the lab in this folder, or in the usual one, has stored, and what its ranks told; some of it are bars. A server may be at
/// work there.
///
/// # Errors
/// [`TraceError`]: there is no lab, or it knows no such run, or that has told no bars.
pub(super) fn stored(home: Option<PathBuf>, run: &RunId) -> Result<(RunRecord, Vec<RunEvent>), TraceError> {
    let home = home.or_else(home::usual_place).ok_or(TraceError::NoHome)?;
    let path = home::store(&home);
    if !path.is_file() {
        return Err(TraceError::NoLab { home });
    }
    let connection = store::to_read(&path)?;
    let Some(record) = store::record(&connection, run)? else {
        let query = ListQuery { limit: NAMED, ..ListQuery::default() };
        let known = known(&store::list(&connection, &query)?.runs);
        return Err(TraceError::NoRun { home, run: run.clone(), known });
    };
    let spans = store::spans(&connection, run)?;
    if bars_of_events(&spans).is_empty() { Err(without_bars(&record)) } else { Ok((record, spans)) }
}

fn without_bars(record: &RunRecord) -> TraceError {
    TraceError::NoSpans { run: record.id.clone(), why: why_none(record) }
}

/// The newest runs, in words.
fn known(runs: &[RunRecord]) -> String {
    let name = |run: &RunRecord| format!("{} ({})", run.id, run.spec.recommender.kind);
    match runs {
        [] => "it has none yet: those of its page and its API are stored there".to_owned(),
        runs => format!("its newest are {}", runs.iter().map(name).collect::<Vec<_>>().join(", ")),
    }
}

/// Why the ranks of a run have told nothing, and what to do.
fn why_none(record: &RunRecord) -> String {
    let engine = record.spec.engine.kind;
    if engine.is_reference() {
        return format!("{} trained it, and only Burn's ranks tell theirs; set engine.kind to `burn`", engine.title());
    }
    let divided = record.spec.resolve().is_ok_and(|spec| !spec.strategy.is_single());
    if !divided {
        return "one device trained it, and ranks tell theirs; run it again with several, as strategy.kind = \"pipeline\""
            .to_owned();
    }
    match record.status {
        RunStatus::Queued => "it waits for its turn; ask again when its first epoch is over".to_owned(),
        RunStatus::Running => "its ranks tell theirs when the first epoch is over; ask again then".to_owned(),
        RunStatus::Finished => {
            "its ranks tell theirs of the second to fourth step, and it took fewer than two; a smaller training.batch_size \
             makes more steps"
                .to_owned()
        }
        RunStatus::Failed | RunStatus::Cancelled => {
            "it ended before its first epoch was over; run it again".to_owned()
        }
    }
}

fn run_id(text: &str) -> Result<RunId, String> {
    RunId::new(text).map_err(|error| error.to_string())
}
