//! Ctrl-C and its relatives, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// Counts SIGINT, SIGTERM and SIGHUP from now on. They no longer end the process by themselves.
pub(in crate::command) struct Interrupts(Arc<AtomicUsize>);

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
        Self(count)
    }

    /// Interrupts since the last call.
    pub(in crate::command) fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}
