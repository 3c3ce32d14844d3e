//! What another process says, line by line, on a thread that reads it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::ChildStdout;
use std::sync::mpsc::{Receiver, sync_channel};

use recspeed_types::limits::MAX_EVENT_BYTES;

/// The lines of a process, each as long as an event may be; the end where it closes its output.
pub(crate) fn lines(out: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, lines) = sync_channel(256);
    std::thread::spawn(move || {
        let mut out = BufReader::new(out);
        loop {
            let mut line = Vec::new();
            match out.by_ref().take(MAX_EVENT_BYTES as u64 + 1).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if sender.send(line).is_err() => return,
                Ok(_) => {}
            }
        }
    });
    lines
}
