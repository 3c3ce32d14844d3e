//! Python programs that are started and listened to.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::group::Group;

/// Lines of a program's log that are kept for a failure's text.
const LAST_LINES: usize = 4;
const TICK: Duration = Duration::from_millis(200);
/// Longest stretch without a line's end that is read at once.
const STRETCH: u64 = 64 << 10;
/// How long the streams of a program that has ended may stay open.
const DRAIN: Duration = Duration::from_secs(2);
/// Bytes of an answer, or of its log, that are kept; the rest is read and let go.
const MOST_BYTES: u64 = 1 << 20;
/// How long a program may take to answer a question: a framework imports all its libraries for it, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
/// The same for one that may compile a part of itself first.
pub(crate) const COMPILING: Duration = Duration::from_mins(15);

/// How a program ended that did not do what it should.
pub(crate) enum Ended {
    /// It could not be started.
    NotStarted(std::io::Error),
    /// It failed, with its last words.
    Failed(String),
    /// It was ended because nobody wants it any more.
    Stopped,
}

/// Runs a program to its end. Each line that it prints goes to `hear`; `stop` is asked between lines, at least every
/// 200 ms. What it printed last is kept for its failure.
///
/// Ctrl-C in a terminal reaches this program alone, which then ends the other with all that it has started; so does the end of this
/// program, however it came ([`Group`]).
pub(crate) fn run(
    command: &mut Command,
    stop: &dyn Fn() -> bool,
    hear: &mut dyn FnMut(Option<&str>),
) -> Result<(), Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, group) = Group::start(command).map_err(Ended::NotStarted)?;
    let (sender, lines) = channel();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let forward = |stream: Option<Box<dyn std::io::Read + Send>>| {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let Some(mut stream) = stream.map(BufReader::new) else { return };
            loop {
                let mut line = Vec::new();
                match stream.by_ref().take(STRETCH).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
                // In whatever letters: one who stops reading would end the other.
                let line = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                if sender.send(line).is_err() {
                    return;
                }
            }
        })
    };
    forward(out.map(|stream| Box::new(stream) as Box<dyn std::io::Read + Send>));
    forward(err.map(|stream| Box::new(stream) as Box<dyn std::io::Read + Send>));
    drop(sender);
    let mut last: Vec<String> = Vec::new();
    let mut gone: Option<Instant> = None;
    let status = loop {
        if stop() {
            group.kill();
            let _ = child.wait();
            return Err(Ended::Stopped);
        }
        match lines.recv_timeout(TICK) {
            Ok(line) => {
                hear(Some(&line));
                if !line.trim().is_empty() {
                    if last.len() == LAST_LINES {
                        last.remove(0);
                    }
                    last.push(line.trim().chars().take(400).collect());
                }
            }
            // It may have ended, and something that it has started holds its streams.
            Err(RecvTimeoutError::Timeout) => {
                hear(None);
                if let Some(status) = child.try_wait().map_err(Ended::NotStarted)?
                    && gone.get_or_insert_with(Instant::now).elapsed() > DRAIN
                {
                    break status;
                }
            }
            // It has closed its streams, and may stay.
            Err(RecvTimeoutError::Disconnected) => match child.try_wait().map_err(Ended::NotStarted)? {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(10)),
            },
        }
    };
    if status.success() {
        Ok(())
    } else {
        let words = if last.is_empty() { status.to_string() } else { last.join("; ") };
        Err(Ended::Failed(words))
    }
}

/// Bytes below a folder, links not followed; what vanishes meanwhile does not count.
pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let mut total = 0;
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                total += entry.metadata().map_or(0, |metadata| metadata.len());
            }
        }
    }
    total
}

/// What a program printed, and whether it ended well; at most a mebibyte of it. Ctrl-C does not reach it: it takes
/// seconds, and one that was interrupted would look like one that does not work. One that takes longer than it may is
/// ended with all that it has started, and so is one whose asker is killed.
pub(crate) fn answer(command: &mut Command, within: Duration) -> Result<Vec<u8>, Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, group) = Group::start(command).map_err(Ended::NotStarted)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (done, ended) = channel();
    // Both streams are read to their ends, so that no full pipe holds it; one that it has started may hold them longer.
    let whole = |stream: Option<Box<dyn std::io::Read + Send>>| {
        let done = done.clone();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            let read = stream.map_or(Ok(0), |mut stream| {
                stream.by_ref().take(MOST_BYTES).read_to_end(&mut kept)?;
                std::io::copy(&mut stream, &mut std::io::sink())
            });
            let _ = done.send(());
            read.map(|_| kept)
        })
    };
    let readers = [
        whole(out.map(|stream| Box::new(stream) as Box<dyn std::io::Read + Send>)),
        whole(err.map(|stream| Box::new(stream) as Box<dyn std::io::Read + Send>)),
    ];
    let until = Instant::now() + within;
    let closed = readers.iter().all(|_| ended.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok());
    // One that has closed its streams may still stay.
    let mut status = None;
    while closed && status.is_none() && Instant::now() < until {
        status = child.try_wait().map_err(Ended::NotStarted)?;
        if status.is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let Some(status) = status else {
        group.kill();
        let _ = child.wait();
        return Err(Ended::Failed(format!("it did not answer within {} s", within.as_secs())));
    };
    // A reader cannot panic: it only reads.
    let [answer, log] = readers.map(|reader| reader.join().unwrap_or_else(|_| Ok(Vec::new())));
    if status.success() {
        return answer.map_err(Ended::NotStarted);
    }
    let log = String::from_utf8_lossy(&log.unwrap_or_default()).into_owned();
    let last = log.lines().rev().find(|line| !line.trim().is_empty()).map(|line| line.chars().take(400).collect());
    Err(Ended::Failed(last.unwrap_or_else(|| status.to_string())))
}

impl Ended {
    /// In words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::NotStarted(error) => error.to_string(),
            Self::Failed(words) => words,
            Self::Stopped => "it was stopped".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, within_ms: u64) -> Result<Vec<u8>, String> {
        let mut command = Command::new("sh");
        answer(command.args(["-c", script]), Duration::from_millis(within_ms)).map_err(Ended::words)
    }

    #[test]
    fn a_program_answers_or_says_at_last_why_not() {
        assert_eq!(shell("echo 5; echo log >&2", 10_000), Ok(b"5\n".to_vec()));
        assert_eq!(shell("echo one >&2; echo two >&2; exit 3", 10_000), Err("two".to_owned()));
        assert_eq!(shell("exit 3", 10_000), Err("exit status: 3".to_owned()));
        // More than a pipe holds, on both streams.
        let both = "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2";
        assert_eq!(shell(both, 10_000).map(|answer| answer.len()), Ok(300_000));
        assert_eq!(shell("head -c 3000000 /dev/zero", 10_000).map(|answer| answer.len()), Ok(1 << 20));
    }

    #[test]
    fn a_program_that_closes_its_streams_and_stays_is_ended_too() {
        let begun = Instant::now();
        assert_eq!(shell("exec >&- 2>&-; exec sleep 600", 1000), Err("it did not answer within 1 s".to_owned()));
        assert!(begun.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_program_that_does_not_answer_is_ended_with_all_that_it_has_started() {
        let begun = Instant::now();
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pid");
        let hangs = format!("sleep 600 & echo $! > {}; wait", file.display());
        let mut within_s = 1;
        // A busy machine may not come to the shell's second command in that time.
        let pid = loop {
            assert_eq!(shell(&hangs, 1000 * within_s), Err(format!("it did not answer within {within_s} s")));
            let written = std::fs::read_to_string(&file).unwrap_or_default();
            if written.ends_with('\n') {
                break written.trim().parse().expect("a number");
            }
            within_s *= 2;
            assert!(begun.elapsed() < Duration::from_mins(1), "the shell never began");
        };
        until_gone(pid);
    }

    /// Killed is not yet gone: the system takes it apart in its own time, and it is not ours to wait for.
    fn until_gone(pid: i32) {
        let begun = Instant::now();
        let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let gone = |state: &str| state.is_empty() || state.contains(") Z ") || state.contains(") X ");
        while !gone(&state()) {
            assert!(begun.elapsed() < Duration::from_mins(1), "{}", state());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a shell, with what it printed.
    fn heard(script: &str, stop: &dyn Fn() -> bool) -> (Result<(), String>, Vec<String>) {
        let mut heard = Vec::new();
        let mut command = Command::new("sh");
        let ended = run(command.args(["-c", script]), stop, &mut |line| heard.extend(line.map(str::to_owned)));
        (ended.map_err(Ended::words), heard)
    }

    #[test]
    fn lines_in_whatever_letters_are_read_to_the_end() {
        // More than a pipe holds behind a byte that is no letter: who does not read on would end it.
        let script = "printf 'a\\377b\\n'; head -c 300000 /dev/zero | tr '\\0' 'x'; echo; printf 'end\\r\\n'; exit 3";
        let (ended, heard) = heard(script, &|| false);
        assert!(ended.is_err_and(|words| words.ends_with("end")), "its last words are kept");
        assert!(heard.contains(&"a\u{fffd}b".to_owned()) && heard.contains(&"end".to_owned()));
        assert_eq!(heard.iter().map(|line| line.matches('x').count()).sum::<usize>(), 300_000);
    }

    #[test]
    fn a_program_that_closes_its_streams_and_stays_can_be_stopped() {
        let begun = Instant::now();
        let (ended, _) = heard("exec >&- 2>&-; exec sleep 600", &|| begun.elapsed() > Duration::from_secs(1));
        assert_eq!(ended, Err("it was stopped".to_owned()));
        assert!(begun.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_program_has_ended_also_where_something_that_it_started_holds_its_streams() {
        let begun = Instant::now();
        let (ended, heard) = heard("sleep 600 & echo $!", &|| false);
        assert_eq!(ended, Ok(()));
        assert!(begun.elapsed() < Duration::from_mins(1));
        let pid: i32 = heard.first().expect("a line").parse().expect("a number");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).expect("ours");
    }
}
