//! A second thread that keeps the worker's promises when the first one is busy: leave within five seconds of SIGTERM, end
//! with a cause before the machine runs out of memory, and leave when nobody listens or whoever started it is gone.

use std::os::unix::process::parent_id;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use recspeed_experiment::RunFailure;
use recspeed_types::FailureCode;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::emitter::Emitter;
use crate::{machine, mpi};

/// How long a run that was told to stop may take to write its checkpoint and leave.
const GRACE: Duration = Duration::from_millis(4500);
/// How long a listener may take to read the last event of a run that the watch ends.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(200);
/// How often the promises are checked.
const TICK: Duration = Duration::from_millis(50);

/// Starts the watch; the flag it returns says that the run should stop. `guarded`: stop too when the parent process ends,
/// as a server does that is killed.
pub(crate) fn start(emitter: &Emitter, limit: Option<u64>, guarded: bool) -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let parent = guarded.then(parent_id);
    let (flag, emitter) = (Arc::clone(&stop), emitter.clone());
    std::thread::Builder::new().name("watch".to_owned()).spawn(move || watch(&emitter, &flag, limit, parent))?;
    Ok(stop)
}

/// Ends this process, which tells no events, once whoever started it is gone.
pub(crate) fn follow() -> std::io::Result<()> {
    let parent = parent_id();
    let follow = move || {
        while parent_id() == parent {
            std::thread::sleep(TICK);
        }
        std::process::exit(i32::from(FailureCode::Cancelled.exit_status()));
    };
    std::thread::Builder::new().name("watch".to_owned()).spawn(follow).map(drop)
}

fn watch(emitter: &Emitter, stop: &AtomicBool, limit: Option<u64>, parent: Option<u32>) {
    let mut asked: Option<Instant> = None;
    loop {
        std::thread::sleep(TICK);
        if parent.is_some_and(|parent| parent_id() != parent) {
            emitter.abandon();
        }
        if emitter.is_deaf() {
            stop.store(true, Ordering::Relaxed);
        }
        if stop.load(Ordering::Relaxed) {
            let since = asked.get_or_insert_with(Instant::now);
            if since.elapsed() > GRACE {
                leave(emitter, RunFailure::cancelled());
            }
        }
        if let Some(limit) = limit {
            let held = machine::process_memory().now;
            if held > limit {
                leave(emitter, out_of_memory(held, limit));
            }
        }
    }
}

pub(crate) fn out_of_memory(held: u64, limit: u64) -> RunFailure {
    let told = |bytes: u64| match bytes as f64 / f64::from(1 << 20) {
        mib if mib < 1024.0 => format!("{mib:.0} MiB"),
        mib => format!("{:.2} GiB", mib / 1024.0),
    };
    RunFailure::new(
        FailureCode::OutOfMemory,
        format!(
            "The run needed more than the {} of memory that it may use; take fewer rows (dataset.sample), fewer factors or smaller layers.",
            told(limit)
        ),
    )
    .with_detail(format!("resident {}, limit {}", told(held), told(limit)))
}

/// Ends the process with the failure as the run's last event, unless the run has just ended by itself. Ranks that it has started go
/// before it: some may not hear that it is gone.
fn leave(emitter: &Emitter, failure: RunFailure) {
    let status = failure.code.exit_status();
    mpi::end_ranks();
    if emitter.last_words(failure.into_event(), LAST_WORDS) {
        std::process::exit(i32::from(status));
    }
    // The last event is out already: the main thread is about to leave with its own status.
    std::thread::sleep(Duration::from_secs(1));
}
