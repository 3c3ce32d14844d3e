//! What an earlier server left: orphans are ended, interrupted runs go on, waiting runs wait on.

use std::time::{Duration, Instant};

use recspeed_types::api::{Failure, RunStatus};
use recspeed_types::{EventKind, FailureCode, RunEvent};

use super::dispatch::kind_of;
use super::{LabError, LabOptions};
use crate::launch;
use crate::queue::{History, Kind, Queue, Waiting};
use crate::store::{self, Ending, Store, StoreError, Unfinished};

/// How often a run may be interrupted before it is blamed for that.
const MAX_RESTARTS: u32 = 5;
/// Past runs to estimate from.
const PAST_RUNS: u32 = 500;
/// How long a killed orphan may take to disappear.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(3);

/// The queue as the store has it.
///
/// # Errors
/// [`LabError::Store`].
pub(super) async fn queue(store: &Store, options: &LabOptions) -> Result<Queue, LabError> {
    let (past, served, unfinished) = store
        .read(|connection| {
            Ok((store::past(connection, PAST_RUNS)?, store::served(connection)?, store::unfinished(connection)?))
        })
        .await?;
    let mut history = History::default();
    for run in past {
        history.add(&Kind { recommender: run.recommender, dataset: run.dataset }, run.seconds);
    }
    let mut queue = Queue::new(options.slots, history);
    for person in served {
        queue.remember_served(&person);
    }
    for run in unfinished {
        if run.record.status == RunStatus::Running && !bring_back(store, &run).await? {
            continue;
        }
        let interrupted = run.record.status == RunStatus::Running || run.restarts > 0;
        queue.push(Waiting {
            run: run.record.id.clone(),
            kind: kind_of(&run.record.spec),
            person: run.person,
            interrupted,
        });
    }
    Ok(queue)
}

/// Puts an interrupted run back into the queue; `false` when it was interrupted too often and has failed.
async fn bring_back(store: &Store, left: &Unfinished) -> Result<bool, StoreError> {
    let run = left.record.id.clone();
    if let Some(process) = left.process {
        let subject = run.clone();
        let waited = tokio::task::spawn_blocking(move || {
            if launch::end_orphans(process, &subject) == 0 {
                return;
            }
            tracing::warn!(run = %subject, pid = process.pid, "ended the worker that an earlier server left behind");
            let patience = Instant::now() + ORPHAN_PATIENCE;
            while launch::is_alive(process, &subject) && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        waited.await.map_err(|_| StoreError::Closed)?;
    }
    let again = left.restarts < MAX_RESTARTS;
    store
        .write(move |work| {
            if again {
                let tail = store::tail(work.connection, &run)?;
                let message = "The server was stopped in the middle of this run, and is back.".to_owned();
                let kind = EventKind::Warning { message };
                store::append(
                    work,
                    &run,
                    &[RunEvent { run: run.clone(), seq: tail.next_seq, at_us: tail.at_us, kind }],
                )?;
                return store::hand_back(work, &run);
            }
            let failure = Failure {
                code: FailureCode::Internal,
                cause: format!(
                    "The server was stopped {} times in the middle of this run, so it is not started again by itself. \
                     If the run takes all memory of the machine, make it smaller; otherwise press “Run again” on its page.",
                    MAX_RESTARTS + 1
                ),
                detail: String::new(),
                refusal: None,
            };
            launch::write_end(work, &run, &Ending::Failed(failure), 0)
        })
        .await?;
    Ok(again)
}
