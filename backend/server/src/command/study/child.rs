//! A process that measures one thing and prints it as JSON: started, waited for, ended when it takes too long.

use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use recspeed_types::memory::KILLED;
use serde::de::DeserializeOwned;

const TICK: Duration = Duration::from_millis(20);
/// What one that is ended may take to end others first: a browser is in no group but its own.
const GRACE: Duration = Duration::from_secs(3);
/// How long what one that has ended wrote may stay open: something that it has started may hold it for ever.
const DRAIN: Duration = Duration::from_secs(2);

/// What came of it.
pub(super) enum Answer<T> {
    Told(Box<T>),
    Failed(String),
    /// It was not over within its limit, and was ended.
    Late,
    Interrupted,
}

/// Runs the process to its end; `input` is what it reads, `stopped` is asked again and again whether somebody wants no answer any more.
pub(super) fn ask<T: DeserializeOwned>(
    mut command: Command,
    input: &str,
    limit: Duration,
    stopped: &dyn Fn() -> bool,
) -> Answer<T> {
    if stopped() {
        return Answer::Interrupted;
    }
    // A group of its own: Ctrl-C comes to us, who then end all of it.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Answer::Failed(format!("it cannot be started: {error}")),
    };
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.as_bytes().to_vec();
        // One that does not read what it is given must not hold us, and says why at its end.
        thread::spawn(move || stdin.write_all(&input));
    }
    let (out, log) = (Written::by(child.stdout.take()), Written::by(child.stderr.take()));
    let since = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if stopped() => break Err(Answer::Interrupted),
            Ok(None) if since.elapsed() > limit => break Err(Answer::Late),
            Ok(None) => thread::sleep(TICK),
            Err(error) => break Err(Answer::Failed(format!("the process was lost: {error}"))),
        }
    };
    let status = match ended {
        Ok(status) => status,
        Err(answer) => {
            end(&mut child);
            return answer;
        }
    };
    let until = Instant::now() + DRAIN;
    let whole = [&out, &log].map(|written| written.is_whole(until));
    if whole.contains(&false) {
        let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
    }
    let (out, log) = (out.so_far(), log.so_far());
    if !status.success() {
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        return Answer::Failed(match (status.signal(), last) {
            (Some(9), None) => format!("it {KILLED}"),
            (Some(9), Some(last)) => format!("it {KILLED}; its last words: {last}"),
            (_, last) => format!("{status}: {}", last.unwrap_or("without a word")),
        });
    }
    match serde_json::from_str(out.trim()) {
        Ok(told) => Answer::Told(Box::new(told)),
        Err(error) => Answer::Failed(format!("it told something else ({error})")),
    }
}

/// Ends it with its group, politely first.
fn end(child: &mut Child) {
    let group = Pid::from_raw(child.id() as i32);
    let _ = killpg(group, Signal::SIGTERM);
    let since = Instant::now();
    while since.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(TICK);
    }
    let _ = killpg(group, Signal::SIGKILL);
    let _ = child.wait();
}

/// All that a process writes, read on a thread of its own so that it never waits for a reader.
struct Written {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Nothing is ever sent: it ends where the process, and all that it has started, has closed it.
    closed: Receiver<()>,
}

impl Written {
    fn by(from: Option<impl Read + Send + 'static>) -> Self {
        let (open, closed) = channel::<()>();
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        thread::spawn(move || {
            let _open = open;
            let Some(mut from) = from else { return };
            let mut some = [0; 1 << 14];
            loop {
                let read = match from.read(&mut some) {
                    Ok(0) => return,
                    Ok(read) => some.get(..read).unwrap_or_default(),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => return,
                };
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(read);
            }
        });
        Self { bytes, closed }
    }

    /// Waits for the end of it.
    fn is_whole(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        self.closed.recv_timeout(left) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_that_crashes_hangs_or_babbles_is_a_failure_in_words() {
        let failed =
            |script: &str, limit: u64| match ask::<u32>(sh(script), "", Duration::from_millis(limit), &|| false) {
                Answer::Failed(why) => why,
                Answer::Late => "late".to_owned(),
                _ => panic!("{script}"),
            };
        assert!(failed("echo gone >&2; exit 3", 5000).contains("gone"));
        assert_eq!(failed("kill -9 $$", 5000), format!("it {KILLED}"));
        assert_eq!(failed("echo gone >&2; kill -9 $$", 5000), format!("it {KILLED}; its last words: gone"));
        assert_eq!(failed("sleep 60", 100), "late");
        assert_eq!(failed("trap '' TERM; sleep 60", 100), "late");
        assert!(failed("echo hello", 5000).contains("something else"));
    }

    #[test]
    fn a_process_reads_what_it_is_given() {
        match ask::<Vec<u32>>(sh("cat"), "[1,2]", Duration::from_mins(1), &|| false) {
            Answer::Told(numbers) => assert_eq!(*numbers, [1, 2]),
            _ => panic!("it gives back what it reads"),
        }
    }

    #[test]
    fn an_answer_is_heard_also_where_what_gave_it_leaves_somebody_behind_who_is_then_ended() {
        let begun = Instant::now();
        let Answer::Told(pid) = ask::<i32>(sh("sleep 600 & echo $!"), "", Duration::from_mins(1), &|| false) else {
            panic!("it answers")
        };
        // Killed is not yet gone: the system takes it apart in its own time.
        while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(begun.elapsed() < Duration::from_mins(1), "it goes on");
            thread::sleep(TICK);
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_process_that_does_not_read_is_waited_for_no_longer_than_it_may_take() {
        let begun = Instant::now();
        let much = "x".repeat(1 << 20);
        let answer = ask::<u32>(sh("sleep 600"), &much, Duration::from_millis(100), &|| false);
        assert!(matches!(answer, Answer::Late));
        let is_begun = std::cell::Cell::new(false);
        let answer = ask::<u32>(sh("sleep 600"), &much, Duration::from_mins(5), &|| is_begun.replace(true));
        assert!(matches!(answer, Answer::Interrupted));
        assert!(begun.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_process_that_nobody_wants_any_more_is_not_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let begun = folder.path().join("begun");
        let script = format!("echo > '{}'; echo 5", begun.display());
        let answer = ask::<u32>(sh(&script), "", Duration::from_mins(1), &|| true);
        assert!(matches!(answer, Answer::Interrupted) && !begun.exists());
        assert!(matches!(ask::<u32>(sh(&script), "", Duration::from_mins(1), &|| false), Answer::Told(_)));
        assert!(begun.exists(), "where somebody does");
    }
}
