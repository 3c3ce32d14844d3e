//! What `mpirun` and the ranks say on standard error: passed on, and what tells of the run's end kept.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use recspeed_parallel::RankFailure;

use super::verdict::fallen;

/// Lines that are kept for the failure's detail.
const KEPT: usize = 12;
/// Longest stretch without a line's end that is read at once.
const STRETCH: u64 = 64 * 1024;
/// How long the log of processes that have ended may stay open.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was said.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// The last lines.
    pub(super) last: VecDeque<String>,
    /// The first rank that was ended from outside.
    pub(super) fallen: Option<RankFailure>,
}

/// A log that is read, on a thread of its own, to its end.
pub(super) struct Log {
    said: Arc<Mutex<Said>>,
    ended: Receiver<()>,
}

impl Log {
    pub(super) fn of(log: impl Read + Send + 'static) -> Self {
        let said = Arc::<Mutex<Said>>::default();
        let ((end, ended), kept) = (channel(), said.clone());
        std::thread::spawn(move || {
            let mut log = BufReader::new(log);
            loop {
                let mut line = Vec::new();
                match log.by_ref().take(STRETCH).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
                pass_on(&line);
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                let mut said = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if said.fallen.is_none() {
                    said.fallen = fallen(&line);
                }
                if said.last.len() == KEPT {
                    said.last.pop_front();
                }
                said.last.push_back(line);
            }
            // Nobody may wait for it.
            let _ = end.send(());
        });
        Self { said, ended }
    }

    /// What was said, by processes that have ended.
    pub(super) fn said(&self) -> Said {
        // The thread goes away only at the end.
        let _ = self.ended.recv_timeout(PATIENCE);
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Into this worker's own log; one whose log is closed goes on.
pub(super) fn pass_on(line: &[u8]) {
    let _ = std::io::stderr().write_all(line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_line_that_is_no_text_does_not_end_the_log() {
        let killed = "mpirun noticed that process rank 1 with PID 4711 on node lab exited on signal 9 (Killed).\n";
        let said = Log::of(Cursor::new([b"before\n\xff\xfe\xfd\n".as_slice(), killed.as_bytes()].concat())).said();
        assert_eq!(said.fallen.map(|fallen| fallen.rank), Some(1));
        assert_eq!(said.last.len(), 3, "{:?}", said.last);
        assert_eq!((said.last[0].as_str(), said.last[2].as_str()), ("before", killed.trim_end()));
    }

    #[test]
    fn the_last_lines_are_kept() {
        let lines: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let said = Log::of(Cursor::new(lines.join("\n"))).said();
        assert_eq!(Vec::from(said.last), lines[88..]);
        assert_eq!(said.fallen, None);
    }
}
