//! Python programs that are started and listened to.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Lines of a program's log that are kept for a failure's text.
const LAST_LINES: usize = 4;
const TICK: Duration = Duration::from_millis(200);

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
/// It is in a group of its own: Ctrl-C in a terminal reaches this program alone, which then ends the other with all that it has started.
pub(crate) fn run(
    command: &mut Command,
    stop: &dyn Fn() -> bool,
    hear: &mut dyn FnMut(Option<&str>),
) -> Result<(), Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(Ended::NotStarted)?;
    let (sender, lines) = channel();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let forward = |stream: Option<Box<dyn std::io::Read + Send>>| {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in stream.into_iter().flat_map(|stream| BufReader::new(stream).lines().map_while(Result::ok)) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        })
    };
    let readers = [
        forward(out.map(|stream| Box::new(stream) as Box<dyn std::io::Read + Send>)),
        forward(err.map(|stream| Box::new(stream) as Box<dyn std::io::Read + Send>)),
    ];
    drop(sender);
    let mut last: Vec<String> = Vec::new();
    loop {
        if stop() {
            if let Ok(group) = i32::try_from(child.id()) {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
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
            Err(RecvTimeoutError::Timeout) => hear(None),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    for reader in readers {
        // A reader cannot panic: it only passes lines on.
        let _ = reader.join();
    }
    let status = child.wait().map_err(Ended::NotStarted)?;
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

/// What a program printed, and whether it ended well; at most a mebibyte of it. Ctrl-C does not reach it: it takes seconds, and one that
/// was interrupted would look like one that does not work.
pub(crate) fn answer(command: &mut Command) -> Result<Vec<u8>, Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let output = command.output().map_err(Ended::NotStarted)?;
    if output.status.success() {
        let mut answer = Vec::new();
        output.stdout.as_slice().take(1 << 20).read_to_end(&mut answer).map_err(Ended::NotStarted)?;
        return Ok(answer);
    }
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = log.lines().rev().find(|line| !line.trim().is_empty()).map(|line| line.chars().take(400).collect());
    Err(Ended::Failed(last.unwrap_or_else(|| output.status.to_string())))
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
