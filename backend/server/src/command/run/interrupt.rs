//! Ctrl-C and its relatives, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// Counts SIGINT, SIGTERM and SIGHUP from now on. They no longer end the process by themselves.
pub(in crate::command) struct Interrupts {
    /// All that came.
    count: Arc<AtomicUsize>,
    /// How many of them were taken.
    taken: AtomicUsize,
}

impl Interrupts {
    /// Starts to listen, on a thread of its own so that it works inside and outside an async runtime.
    pub(in crate::command) fn listen() -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let (ready, installed) = std::sync::mpsc::channel();
        let counter = Arc::clone(&count);
        std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async move {
                let (Ok(mut int), Ok(mut term), Ok(mut hup)) =
                    (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
                else {
                    return;
                };
                let _ = ready.send(());
                loop {
                    tokio::select! {
                        _ = int.recv() => {}
                        _ = term.recv() => {}
                        _ = hup.recv() => {}
                    }
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            });
        });
        // Without the handlers a signal ends this process as usual, so an error here is no reason to stop.
        let _ = installed.recv();
        Self { count, taken: AtomicUsize::new(0) }
    }

    /// Interrupts since the last call.
    pub(in crate::command) fn take(&self) -> usize {
        let count = self.count.load(Ordering::SeqCst);
        count.saturating_sub(self.taken.swap(count, Ordering::SeqCst))
    }

    /// Whether any came, taken or not. A run that was told to stop may come to its end all the same: the next one must not begin.
    pub(in crate::command) fn came(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_is_taken_once_and_is_not_forgotten() {
        let interrupts = Interrupts { count: Arc::new(AtomicUsize::new(0)), taken: AtomicUsize::new(0) };
        assert!(interrupts.take() == 0 && !interrupts.came());
        interrupts.count.fetch_add(2, Ordering::SeqCst);
        assert!(interrupts.came(), "before anybody takes it");
        assert_eq!([interrupts.take(), interrupts.take()], [2, 0]);
        assert!(interrupts.came(), "whoever begins something next has to know");
        interrupts.count.fetch_add(1, Ordering::SeqCst);
        assert_eq!([interrupts.take(), interrupts.take()], [1, 0]);
    }
}
