//! Workers: one process a run, started, listened to, and ended.
//!
//! Nothing that a worker does may harm the server or leave a run without an end. What it says is believed only as far
//! as [`story`] allows; how it left is put into words by [`verdict`].

mod builds;
mod lines;
mod probe;
mod process;
mod resume;
mod stopped;
mod story;
mod supervise;
mod tail;
mod verdict;

use std::path::PathBuf;
use std::time::Duration;

use recspeed_types::RunId;

use crate::home;

pub(crate) use builds::{beside, of_device, of_devices};
pub use probe::{ProbeError, probe, probe_all};
pub use process::{end_orphans, is_alive};
pub(crate) use process::{signal, start};
pub(crate) use resume::hex;
pub use resume::{Resume, find_checkpoint};
pub(crate) use stopped::{StopWatch, longest_stop};
pub use supervise::{Assignment, Outcome, Stop, supervise};
pub(crate) use supervise::{break_off, give_up, write_end};

/// Bytes that the values of each user of one run may take: about 200,000 users with three metrics. A run with more has none.
const PER_USER_BYTES: u64 = 16 << 20;

/// How workers are started.
#[derive(Debug, Clone)]
pub struct LaunchOptions {
    /// The program, or why there is none.
    pub worker: Result<PathBuf, WorkerMissing>,
    /// Root of the data home, for built-in caches and uploads.
    pub data_home: PathBuf,
    /// Longest time of one attempt.
    pub time_limit: Duration,
    /// Most bytes of one worker; its own bound where there is none.
    pub memory_limit: Option<u64>,
    /// Time between a polite end and a hard one.
    pub grace: Duration,
    /// Bytes that the models of finished runs may take together; 0 keeps none.
    pub model_space: u64,
}

impl LaunchOptions {
    /// Where trained models are kept, a folder a run.
    pub fn models(&self) -> PathBuf {
        home::models(&self.data_home)
    }

    /// Where the values of each user of a run are kept.
    pub fn per_user(&self, run: &RunId) -> PathBuf {
        home::per_user(&self.data_home).join(format!("{run}.json"))
    }
}

/// There is no worker program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the program recspeed-worker is neither beside {beside} nor in PATH; build it with `make lab`, or name it with --worker"
)]
pub struct WorkerMissing {
    /// The folder that was searched.
    pub beside: String,
}

/// The file name of the worker program.
pub const WORKER: &str = "recspeed-worker";

/// Finds the worker: the given path as it is, else beside this program, else in `PATH`.
///
/// # Errors
/// [`WorkerMissing`] when it is in none of them.
pub fn find_worker(given: Option<PathBuf>) -> Result<PathBuf, WorkerMissing> {
    if let Some(given) = given {
        return Ok(given);
    }
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(PathBuf::from));
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(WORKER))
        .find(|file| file.is_file())
        .ok_or_else(|| WorkerMissing { beside: beside.map_or_else(|| "recspeed".into(), |b| b.display().to_string()) })
}
