//! What another process logs: passed on into this worker's own log, and its last lines kept for the text of a failure.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::ChildStderr;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Lines that are kept, and characters of each.
const LINES: usize = 3;
const CHARACTERS: usize = 300;
/// Longest stretch without a line's end that is read at once.
const STRETCH: u64 = 64 * 1024;
/// How long the log of a process that has ended may stay open: what it has started may hold it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The end of a process' log, once that has ended.
pub(crate) struct LastWords(Receiver<String>);

impl LastWords {
    /// Listens on a thread of its own to the end.
    pub(crate) fn of(log: ChildStderr) -> Self {
        let (sender, words) = channel();
        std::thread::spawn(move || {
            let mut log = BufReader::new(log);
            let mut last: VecDeque<String> = VecDeque::new();
            loop {
                let mut line = Vec::new();
                match log.by_ref().take(STRETCH).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
                // A worker whose own log is closed goes on.
                let _ = std::io::stderr().write_all(&line);
                let text: String =
                    String::from_utf8_lossy(&line).chars().filter(|c| !c.is_control()).take(CHARACTERS).collect();
                if !text.trim().is_empty() {
                    if last.len() == LINES {
                        last.pop_front();
                    }
                    last.push_back(text.trim().to_owned());
                }
            }
            // Nobody may want them.
            let _ = sender.send(Vec::from(last).join("; "));
        });
        Self(words)
    }

    /// The last lines, of a process that has ended; nothing where it logged none.
    pub(crate) fn said(self) -> Option<String> {
        self.0.recv_timeout(PATIENCE).ok().filter(|words| !words.is_empty())
    }
}
