//! A deadline for what cannot be asked to stop: a call into a library that waits without limit.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::ran::{LOOK, Ran};

/// Dropped in time, it says nothing.
#[derive(Debug)]
pub(crate) struct Deadline {
    _in_time: Sender<()>,
}

impl Deadline {
    /// Calls `late` on a thread of its own, unless what it gives is dropped before. Time in which the process is stopped is not counted.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn after(limit: Duration, late: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (in_time, waits) = channel::<()>();
        std::thread::Builder::new().name("deadline".to_owned()).spawn(move || {
            let mut ran = Ran::begin();
            loop {
                let left = limit.saturating_sub(ran.look());
                if left.is_zero() {
                    return late();
                }
                if waits.recv_timeout(left.min(LOOK)) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { _in_time: in_time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_late_once_and_silent_where_it_is_dropped_in_time() {
        let (told, heard) = channel();
        let again = told.clone();
        let late = Deadline::after(Duration::from_millis(20), move || told.send("late").expect("somebody hears"));
        let in_time = Deadline::after(Duration::from_millis(400), move || again.send("again").expect("somebody hears"));
        drop(in_time.expect("a thread"));
        assert_eq!(heard.recv(), Ok("late"));
        drop(late.expect("a thread"));
        // Both threads are gone, and with them what they would say it through.
        assert!(heard.recv().is_err());
    }
}
