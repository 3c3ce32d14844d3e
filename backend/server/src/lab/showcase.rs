//! The example that a first visit shows: real runs, recorded from a real worker, inside the binary.

use recspeed_types::api::{RunRecord, RunStatus};
use recspeed_types::recommend::RecordedAnswers;
use recspeed_types::{RunEvent, RunId};
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};

use crate::store::{self, Store, StoreError};

/// The key under which the store remembers the first example.
pub const SHOWCASE_KEY: &str = "showcase";

/// Recorded runs, in the order of their names; the first is the one that is shown.
#[derive(RustEmbed)]
#[folder = "showcase"]
#[allow_missing = true]
struct Recorded;

/// A run with all that it said, in one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredRun {
    /// The run.
    pub record: RunRecord,
    /// What it said, by `seq`.
    pub events: Vec<RunEvent>,
    /// What its model answered then, for the page alone: the store keeps none of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<RecordedAnswers>,
}

/// A file that is no recorded run.
#[derive(Debug, thiserror::Error)]
pub enum ShowcaseError {
    /// It does not parse.
    #[error("the example {file} is no recorded run: {cause}")]
    Syntax {
        /// The file.
        file: String,
        /// The parser's words.
        cause: serde_json::Error,
    },
    /// It is not a whole, finished run.
    #[error("the example {file} is no whole run: {what}")]
    NotWhole {
        /// The file.
        file: String,
        /// What is missing.
        what: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StoredRun {
    /// Reads and checks a recorded run.
    ///
    /// # Errors
    /// [`ShowcaseError::Syntax`]; [`ShowcaseError::NotWhole`] unless it is finished, with a summary, and its events are
    /// its own, without gaps, with one end.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, ShowcaseError> {
        let run: Self =
            serde_json::from_slice(bytes).map_err(|cause| ShowcaseError::Syntax { file: file.to_owned(), cause })?;
        let not_whole = |what: String| Err(ShowcaseError::NotWhole { file: file.to_owned(), what });
        if run.record.status != RunStatus::Finished || run.record.summary.is_none() {
            return not_whole(format!("it is {} and not finished with a summary", run.record.status.as_str()));
        }
        for (expected, event) in run.events.iter().enumerate() {
            let is_end = expected + 1 == run.events.len();
            if event.run != run.record.id || event.seq != expected as u64 || event.kind.is_last() != is_end {
                return not_whole(format!("event {expected} does not belong there"));
            }
        }
        if run.events.is_empty() { not_whole("it has no events".into()) } else { Ok(run) }
    }
}

/// Makes sure that a store which has never had an example, or still has that of an earlier build, gets those of this build. An example
/// that was deleted stays deleted, and that of an earlier build stays among the runs.
///
/// # Errors
/// [`ShowcaseError`] for a damaged file or a store that fails.
pub async fn import_showcase(store: &Store) -> Result<usize, ShowcaseError> {
    let known = store.read(|connection| {
        let Some(id) = store::meta(connection, SHOWCASE_KEY)? else { return Ok(None) };
        let is_there = match RunId::new(id.clone()) {
            Ok(run) => store::record(connection, &run)?.is_some(),
            Err(_) => false,
        };
        Ok(Some((id, is_there)))
    });
    let known = known.await?;
    if known.as_ref().is_some_and(|(_, is_there)| !is_there) {
        return Ok(0);
    }
    let mut names: Vec<_> = Recorded::iter().filter(|name| name.ends_with(".json")).collect();
    names.sort();
    let mut runs = Vec::with_capacity(names.len());
    for name in names {
        if let Some(file) = Recorded::get(&name) {
            runs.push(StoredRun::parse(&name, &file.data)?);
        }
    }
    let is_of_this_build = |(id, _): &(String, bool)| runs.iter().any(|run| run.record.id.as_str() == id);
    if known.as_ref().is_some_and(is_of_this_build) {
        return Ok(0);
    }
    let count = runs.len();
    store
        .write(move |work| {
            for run in &runs {
                store::import(work, &run.record, &run.events)?;
            }
            match runs.first() {
                Some(first) => store::set_meta(work, SHOWCASE_KEY, first.record.id.as_str()),
                None => Ok(()),
            }
        })
        .await?;
    Ok(count)
}
