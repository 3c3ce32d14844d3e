//! The server's log on standard error: nothing that the server does waits for it, or breaks because of it.
//!
//! Lines are handed to a thread of their own, which alone writes. A reader that has gone, a full disk or a terminal
//! that stands still costs lines of the log and nothing else. Where lines are lost because their reader is slow, the
//! log says how many as soon as it goes on.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

/// Lines that wait to be written; those that come when so many wait are lost.
const WAITING: usize = 4096;
/// How often it is looked whether all are written.
const STEP: Duration = Duration::from_millis(5);

/// A log; clones write into the same one. Writing to it never fails and never waits.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    lines: SyncSender<Vec<u8>>,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    /// Lines that were taken and are not written yet.
    waiting: AtomicUsize,
    /// Lines that were not taken and not told of yet.
    lost: AtomicU64,
}

impl Log {
    /// Sends what this process logs to standard error, filtered by `RECSPEED_LOG`, and the words of its panics: the usual
    /// way of those waits for a reader that stands still, and with it whatever broke.
    ///
    /// # Errors
    /// [`io::Error`] when the system starts no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let log = Self::to(io::stderr())?;
        let filter = EnvFilter::try_from_env("RECSPEED_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
        let (colours, lines) = (io::stderr().is_terminal(), log.clone());
        // Of its own errors a subscriber complains with `eprintln!`, which panics where nobody reads standard error.
        let subscriber =
            tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).log_internal_errors(false);
        // A second subscriber in one process is a test's, and as good.
        let _ = subscriber.with_writer(move || lines.clone()).try_init();
        let words = log.clone();
        std::panic::set_hook(Box::new(move |panic| words.panicked(panic)));
        Ok(log)
    }

    /// A log whose thread writes to `sink`.
    ///
    /// # Errors
    /// [`io::Error`] when the system starts no thread.
    fn to(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, taken) = sync_channel(WAITING);
        let tally = Arc::new(Tally::default());
        let log = Self { lines, tally: Arc::clone(&tally) };
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(sink, &taken, &tally))?;
        Ok(log)
    }

    /// Takes a line with its end, unless too many wait.
    pub(crate) fn line(&self, line: &[u8]) {
        self.tally.waiting.fetch_add(1, Ordering::AcqRel);
        if self.lines.try_send(line.to_vec()).is_err() {
            self.tally.waiting.fetch_sub(1, Ordering::AcqRel);
            self.tally.lost.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Takes the words of a panic, with the way to it where the environment asks for that.
    fn panicked(&self, panic: &PanicHookInfo<'_>) {
        let (thread, way) = (std::thread::current(), Backtrace::capture());
        let name = thread.name().unwrap_or("<unnamed>");
        let words = match way.status() {
            BacktraceStatus::Captured => format!("thread '{name}' {panic}\nstack backtrace:\n{way}\n"),
            _ => format!("thread '{name}' {panic}\n"),
        };
        self.line(words.as_bytes());
    }

    /// Waits until all lines are written, and no longer than `patience`: for a process that is about to end.
    pub(crate) fn finish(&self, patience: Duration) {
        let begun = Instant::now();
        while self.tally.waiting.load(Ordering::Acquire) > 0 && begun.elapsed() < patience {
            std::thread::sleep(STEP);
        }
    }
}

/// What is written at once is one line, as the subscriber does it.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines until every handle is gone.
fn write_all(mut sink: impl Write, taken: &Receiver<Vec<u8>>, tally: &Tally) {
    while let Ok(line) = taken.recv() {
        let lost = tally.lost.swap(0, Ordering::AcqRel);
        // Nobody can be told of a log that cannot be written.
        if lost > 0 {
            let _ = writeln!(sink, "recspeed: {lost} lines of the log were lost: nobody read it fast enough");
        }
        let _ = sink.write_all(&line);
        tally.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Says that it is given something, and takes nothing until its other end is dropped.
    struct Stuck {
        given: Sender<()>,
        until: Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.given.send(());
            let _ = self.until.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Nobody reads it any more.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_that_are_counted_and_makes_nobody_wait() {
        let ((go, until), (given, has_some)) = (channel(), channel());
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut log = Log::to(Stuck { given, until, written: Arc::clone(&written) }).unwrap();
        let mut write = |number: usize| log.write_all(format!("line {number}\n").as_bytes()).unwrap();
        write(0);
        has_some.recv_timeout(PATIENCE).unwrap();
        let begun = Instant::now();
        (1..=WAITING + 1000).for_each(&mut write);
        log.finish(Duration::from_millis(50));
        assert!(begun.elapsed() < PATIENCE, "the log was waited for");
        assert!(written.lock().unwrap().is_empty());
        drop(go);
        log.finish(PATIENCE);
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let mut due: Vec<String> = (0..=WAITING).map(|number| format!("line {number}")).collect();
        due.insert(1, "recspeed: 1000 lines of the log were lost: nobody read it fast enough".to_owned());
        assert!(text.lines().eq(due), "{text}");
    }

    #[test]
    fn who_panics_while_a_reader_stands_still_does_not_wait_for_it_and_its_words_are_kept() {
        let ((go, until), (given, has_some)) = (channel(), channel());
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = Log::to(Stuck { given, until, written: Arc::clone(&written) }).unwrap();
        log.line(b"before\n");
        has_some.recv_timeout(PATIENCE).unwrap();
        let words = log.clone();
        // Panics of other tests are told as usual.
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match std::thread::current().name() {
            Some("breaks") => words.panicked(panic),
            _ => usual(panic),
        }));
        let (over, is_over) = channel();
        let panics = || -> usize { panic!("index out of bounds") };
        let breaks = move || over.send(std::panic::catch_unwind(panics).is_err()).unwrap();
        std::thread::Builder::new().name("breaks".to_owned()).spawn(breaks).unwrap();
        assert!(is_over.recv_timeout(PATIENCE).expect("it waits for the reader"));
        drop(go);
        log.finish(PATIENCE);
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let told = text.starts_with("before\nthread 'breaks' panicked at ") && text.contains("index out of bounds");
        assert!(told, "{text}");
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure_of_who_logs() {
        let mut log = Log::to(Gone).unwrap();
        for _ in 0..3 {
            log.write_all(b"a line\n").unwrap();
        }
        let begun = Instant::now();
        log.finish(PATIENCE);
        assert!(begun.elapsed() < PATIENCE, "lines that cannot be written are waited for");
    }
}
