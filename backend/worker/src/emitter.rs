//! One JSON event a line on standard output, numbered, never after the last one.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use recspeed_experiment::Numbering;
use recspeed_types::EventKind;

/// The run's voice. Clones speak into the same stream; once the last event is out, all are silent.
#[derive(Clone)]
pub(crate) struct Emitter {
    start: Instant,
    start_us: u64,
    state: Arc<Mutex<State>>,
}

struct State {
    numbering: Numbering,
    over: bool,
    /// Standard output is gone: whoever listened has left.
    deaf: bool,
    /// Somebody else tells of this run.
    mute: bool,
}

impl Emitter {
    /// The run had taken `start_us` at the moment `started_at`, microseconds since 1970; now, unless given.
    pub(crate) fn new(numbering: Numbering, start_us: u64, started_at: Option<u64>) -> Self {
        let state = State { numbering, over: false, deaf: false, mute: false };
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let ago = started_at.map_or(Duration::ZERO, |at| since.saturating_sub(Duration::from_micros(at)));
        let start = Instant::now();
        Self { start: start.checked_sub(ago).unwrap_or(start), start_us, state: Arc::new(Mutex::new(state)) }
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
                    state.deaf = true;
                }
            }
            Err(error) => eprintln!("recspeed-worker: event {} cannot be written: {error}", event.seq),
        }
        state.over = last;
        last
    }

    /// Notes that whoever started this worker is gone.
    pub(crate) fn abandon(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).deaf = true;
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_deaf(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).deaf
    }
}
