//! Studies on the server's machine: one at a time, while no run is at work, each in a process that may fail, hang or be
//! killed without the lab.
//!
//! What is shown as finished has a report that was read whole. An attempt that a server's end interrupted says so. One that is ended
//! writes what it has by itself, below the lab's folder, and goes on there when it is asked for again. A report of each study, measured by
//! Recspeed's authors, comes with the program ([`recorded_study`]).

mod child;
mod kept;
mod recorded;
mod said;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use recspeed_types::api::{StudyAttempt, StudyStatus};
use recspeed_types::study::{STUDIES, StudyReport};
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::lab::{Lab, LabError, Turn};
use child::End;
use kept::Kept;
use said::Said;

pub use kept::Damaged;
pub use recorded::{Recorded, recorded_study};

/// How long a study that is ended may take beyond its worker to write what it has.
const WRITING: Duration = Duration::from_secs(3);
/// What is said of a study whose server was ended.
const INTERRUPTED: &str =
    "The server was ended while it measured. Run it again: it goes on behind what it had measured.";

/// A study that was not started.
#[derive(Debug, thiserror::Error)]
pub enum StudiesError {
    /// One is being made.
    #[error("the study `{name}` is being made; studies are made one at a time")]
    Busy {
        /// Which one.
        name: &'static str,
    },
    /// What is kept of it cannot be written.
    #[error("what is kept of the study `{name}` cannot be written: {cause}")]
    Kept {
        /// The study.
        name: &'static str,
        /// The system's words.
        cause: std::io::Error,
    },
    /// It cannot stand in the line.
    #[error(transparent)]
    Lab(#[from] LabError),
}

/// The studies of a lab; clones share them.
#[derive(Clone)]
pub struct Studies {
    inner: Arc<Inner>,
}

struct Inner {
    lab: Lab,
    /// The program `recspeed`.
    program: PathBuf,
    kept: Kept,
    going: Mutex<Option<Going>>,
}

/// The study that is being made.
struct Going {
    name: &'static str,
    attempt: StudyAttempt,
    cancel: CancellationToken,
}

impl Studies {
    /// The studies of a lab, made by `program`. Those that an earlier server was making are marked.
    pub async fn open(lab: Lab, program: PathBuf) -> Self {
        let kept = Kept::below(lab.data_home());
        for name in STUDIES.iter().map(|study| study.name) {
            // A damaged file says nothing of a process.
            if let Ok(Some(mut attempt)) = kept.attempt(name)
                && !attempt.status.is_over()
            {
                child::end_all(name, lab.data_home()).await;
                attempt.status = StudyStatus::Interrupted;
                attempt.cause = Some(INTERRUPTED.to_owned());
                attempt.ended_ms = Some(now_ms());
                if let Err(cause) = kept.put_attempt(name, &attempt) {
                    tracing::warn!(name, %cause, "a study that was interrupted is not marked so yet");
                }
            }
        }
        Self { inner: Arc::new(Inner { lab, program, kept, going: Mutex::new(None) }) }
    }

    /// The last report; `None` where the study was never made here.
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn report(&self, name: &str) -> Result<Option<StudyReport>, Damaged> {
        self.inner.kept.report(name)
    }

    /// The last attempt; `None` where nobody asked for one.
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn attempt(&self, name: &str) -> Result<Option<StudyAttempt>, Damaged> {
        if let Some(going) = self.lock().as_ref().filter(|going| going.name == name) {
            return Ok(Some(going.attempt.clone()));
        }
        let attempt = self.inner.kept.attempt(name)?;
        Ok(attempt.map(|attempt| StudyAttempt {
            // Nobody is at it: its end could not be written.
            status: if attempt.status.is_over() { attempt.status } else { StudyStatus::Interrupted },
            ..attempt
        }))
    }

    /// Asks for a study, which from then on stands in the line; it begins when no run is at work.
    ///
    /// # Errors
    /// [`StudiesError::Busy`]; [`StudiesError::Kept`]; [`StudiesError::Lab`].
    pub async fn start(&self, name: &'static str) -> Result<(), StudiesError> {
        if let Some(going) = self.lock().as_ref() {
            return Err(StudiesError::Busy { name: going.name });
        }
        // What is shown as waiting does wait. One who comes at the same moment and is refused below leaves the line.
        let turn = self.inner.lab.line_up(name).await?;
        let attempt = StudyAttempt {
            status: StudyStatus::Waiting,
            asked_ms: now_ms(),
            started_ms: None,
            ended_ms: None,
            progress: None,
            said: Vec::new(),
            cause: None,
        };
        let cancel = self.inner.lab.ends().child_token();
        {
            let mut going = self.lock();
            if let Some(going) = going.as_ref() {
                return Err(StudiesError::Busy { name: going.name });
            }
            // Before anything is measured: a server that is killed from now on finds it.
            self.inner.kept.put_attempt(name, &attempt).map_err(|cause| StudiesError::Kept { name, cause })?;
            *going = Some(Going { name, attempt, cancel: cancel.clone() });
        }
        let studies = self.clone();
        self.inner.lab.spawn(async move {
            let maker = studies.clone();
            let made = tokio::spawn(async move { maker.make(name, turn, &cancel).await }).await;
            // A mistake in there is the end of this study, and not of all that are asked for later.
            let (status, cause) = match made {
                Ok(ended) => ended,
                Err(error) => {
                    // Its workers would take the machine from the runs that begin now.
                    child::end_all(name, studies.inner.lab.data_home()).await;
                    let cause =
                        format!("The lab made a mistake and could not finish the study ({error}); please report it.");
                    (StudyStatus::Failed, Some(cause))
                }
            };
            studies.end(name, status, cause);
        });
        Ok(())
    }

    /// Ends a study that waits or measures; others are left as they are.
    pub fn cancel(&self, name: &str) {
        if let Some(going) = self.lock().as_ref().filter(|going| going.name == name) {
            going.cancel.cancel();
        }
    }

    async fn make(&self, name: &'static str, turn: Turn, cancel: &CancellationToken) -> (StudyStatus, Option<String>) {
        let Inner { lab, program, kept, .. } = &*self.inner;
        let stopped = || {
            if lab.ends().is_cancelled() {
                (StudyStatus::Interrupted, Some(INTERRUPTED.to_owned()))
            } else {
                (StudyStatus::Cancelled, None)
            }
        };
        let failed = |cause: String| (StudyStatus::Failed, Some(cause));
        let worker = match &lab.launch().worker {
            Ok(worker) => worker.display().to_string(),
            Err(missing) => return failed(missing.to_string()),
        };
        let quiet = tokio::select! {
            quiet = turn.come() => quiet,
            () = cancel.cancelled() => return stopped(),
        };
        let Ok(_quiet) = quiet else { return stopped() };
        self.change(|attempt| {
            attempt.status = StudyStatus::Running;
            attempt.started_ms = Some(now_ms());
        });
        let home = lab.data_home().display().to_string();
        // A server that is killed takes the study along.
        let own = std::process::id().to_string();
        let arguments = ["study", name, "--json", "--home", &home, "--worker", &worker, "--parent", &own];
        let arguments = arguments.map(str::to_owned);
        let before = kept.held(name);
        let hear = |said: &Said| {
            self.change(|attempt| {
                attempt.progress = said.progress();
                attempt.said = said.lines();
            });
        };
        let grace = lab.launch().grace + WRITING;
        match child::make(program, (name, lab.data_home()), &arguments, grace, cancel, hear).await {
            End::Stopped => stopped(),
            End::Failed(cause) => failed(cause),
            End::Report(text) => {
                if let Err(error) = serde_json::from_slice::<StudyReport>(&text) {
                    return failed(format!("The study wrote a report that cannot be read ({error})."));
                }
                let kept = kept.clone();
                // Whoever keeps a report at the same moment is waited for.
                let put = move || kept.put_report(name, &text, before.as_deref());
                let put = tokio::task::spawn_blocking(put).await;
                match put.map_err(std::io::Error::from).flatten() {
                    Ok(()) => (StudyStatus::Finished, None),
                    Err(error) => failed(format!("Its report cannot be kept ({error}).")),
                }
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut StudyAttempt)) {
        if let Some(going) = self.lock().as_mut() {
            change(&mut going.attempt);
        }
    }

    fn end(&self, name: &'static str, status: StudyStatus, cause: Option<String>) {
        self.change(|attempt| {
            attempt.status = status;
            attempt.ended_ms = Some(now_ms());
            attempt.cause = cause;
        });
        let mut going = self.lock();
        if let Some(Going { attempt, .. }) = going.take() {
            tracing::info!(name, ?status, "a study ended");
            if let Err(error) = self.inner.kept.put_attempt(name, &attempt) {
                tracing::warn!(name, %error, "the end of a study cannot be kept");
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Going>> {
        self.inner.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
