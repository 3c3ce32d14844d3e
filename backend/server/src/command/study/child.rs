//! A process that measures one thing and prints it as JSON: started, waited for, ended when it takes too long.

use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;

use crate::command::run::Interrupts;

const TICK: Duration = Duration::from_millis(20);
/// What one that is ended may take to end others first: a browser is in no group but its own.
const GRACE: Duration = Duration::from_secs(3);

/// What came of it.
pub(super) enum Answer<T> {
    Told(Box<T>),
    Failed(String),
    Interrupted,
}

/// Runs the process to its end; `input` is what it reads.
pub(super) fn ask<T: DeserializeOwned>(
    mut command: Command,
    input: &str,
    limit: Duration,
    interrupts: &Interrupts,
) -> Answer<T> {
    // A group of its own: Ctrl-C comes to us, who then end all of it.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Answer::Failed(format!("it cannot be started: {error}")),
    };
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read what it is given says why at its end.
        let _ = stdin.write_all(input.as_bytes());
    }
    let (out, log) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let since = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if interrupts.take() > 0 => break Err(Answer::Interrupted),
            Ok(None) if since.elapsed() > limit => {
                break Err(Answer::Failed(format!("it took longer than {} s", limit.as_secs())));
            }
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
    let (out, log) = (out.join().unwrap_or_default(), log.join().unwrap_or_default());
    if !status.success() {
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("without a word");
        return Answer::Failed(format!("{status}: {last}"));
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

/// All that a process writes, so that it never waits for a reader.
fn drain(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
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
        let interrupts = Interrupts::listen();
        let failed =
            |script: &str, limit: u64| match ask::<u32>(sh(script), "", Duration::from_millis(limit), &interrupts) {
                Answer::Failed(why) => why,
                _ => panic!("{script}"),
            };
        assert!(failed("echo gone >&2; exit 3", 5000).contains("gone"));
        assert!(failed("kill -9 $$", 5000).contains("signal: 9"));
        assert!(failed("sleep 60", 100).contains("longer than"));
        assert!(failed("trap '' TERM; sleep 60", 100).contains("longer than"));
        assert!(failed("echo hello", 5000).contains("something else"));
    }

    #[test]
    fn a_process_reads_what_it_is_given() {
        match ask::<Vec<u32>>(sh("cat"), "[1,2]", Duration::from_secs(5), &Interrupts::listen()) {
            Answer::Told(numbers) => assert_eq!(*numbers, [1, 2]),
            _ => panic!("it gives back what it reads"),
        }
    }
}
