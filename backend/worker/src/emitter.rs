//! One JSON event a line on standard output, numbered, never after the last one.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use recspeed_experiment::Numbering;
use recspeed_types::EventKind;

use crate::output::complain;

/// The run's voice. Clones speak into the same stream; once the last event is out, all are silent.
#[derive(Clone)]
pub(crate) struct Emitter {
    start: Instant,
    start_us: u64,
    state: Arc<Mutex<State>>,
    /// Standard output is gone: whoever listened has left. Beside the state, which is locked for as long as a line waits for a
    /// listener that does not read.
    deaf: Arc<AtomicBool>,
}

struct State {
    numbering: Numbering,
    over: bool,
    /// Somebody else tells of this run.
    mute: bool,
}

impl Emitter {
    /// The run had taken `start_us` at the moment `started_at`, microseconds since 1970; now, unless given.
    pub(crate) fn new(numbering: Numbering, start_us: u64, started_at: Option<u64>) -> Self {
        let state = State { numbering, over: false, mute: false };
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let ago = started_at.map_or(Duration::ZERO, |at| since.saturating_sub(Duration::from_micros(at)));
        let start = Instant::now();
        Self {
            start: start.checked_sub(ago).unwrap_or(start),
            start_us,
            state: Arc::new(Mutex::new(state)),
            deaf: Arc::default(),
        }
    }

    /// Says nothing from now on.
    #[cfg(feature = "mpi")]
    pub(crate) fn mute(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).mute = true;
    }

    /// Microseconds since the run started, earlier workers' time included.
    pub(crate) fn now_us(&self) -> u64 {
        self.start_us + u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Writes an event; gives whether it was the last one of the run and this call wrote it.
    pub(crate) fn emit(&self, kind: EventKind) -> bool {
        let now = self.now_us();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.over {
            return false;
        }
        let last = kind.is_last();
        if state.mute {
            state.over = last;
            return last;
        }
        let event = state.numbering.number(kind, now);
        match serde_json::to_string(&event) {
            Ok(line) => {
                let mut out = std::io::stdout().lock();
                if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                    self.abandon();
                }
            }
            Err(error) => {
                complain(format_args!("recspeed-worker: event {} cannot be written: {error}", event.seq));
            }
        }
        state.over = last;
        last
    }

    /// Writes the run's last event for a process that is about to end, whether anybody reads it or not: a listener that does not
    /// read is waited for no longer than `patience`. Gives whether the process is to end now; else another thread has written the
    /// last event and is about to end it.
    pub(crate) fn last_words(&self, kind: EventKind, patience: Duration) -> bool {
        let (said, heard) = channel();
        let emitter = self.clone();
        let speak = move || {
            // Whoever asked may be out of patience.
            let _ = said.send(emitter.emit(kind));
        };
        match std::thread::Builder::new().name("last words".to_owned()).spawn(speak) {
            Ok(_) => heard.recv_timeout(patience).unwrap_or(true),
            Err(_) => true,
        }
    }

    /// Notes that whoever started this worker is gone.
    pub(crate) fn abandon(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }
}
