//! Processes and their groups: starting, ending, and telling ours from a stranger with the same number.

use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use recspeed_types::RunId;
use tokio::process::{Child, Command};

use crate::store::ProcessId;

/// Starts a program in a group of its own, with all three streams as pipes. It is killed when the handle is dropped.
pub(super) fn start(program: &Path, arguments: &[String]) -> std::io::Result<Child> {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Sends a signal to the whole group of a process that this server started and has not yet waited for.
pub(super) fn signal(pid: i32, signal: Signal) {
    if pid > 1 {
        // A group that is already gone needs no signal.
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

/// Names the process `pid` for good.
pub(super) fn identify(pid: i32) -> ProcessId {
    // Where there is no /proc, start 0 says "unknown", and such a process is never ended after a restart.
    ProcessId { pid, start: start_of(pid).unwrap_or(0) }
}

/// The start of a process in clock ticks, field 22 of `/proc/PID/stat`; see proc_pid_stat(5).
fn start_of(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, and may hold spaces and brackets itself.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Whether that very process, the worker of `run`, is still there.
pub fn is_alive(process: ProcessId, run: &RunId) -> bool {
    if process.pid <= 1 || process.start == 0 || start_of(process.pid) != Some(process.start) {
        return false;
    }
    // After a reboot another process could have the same number and start; it would not carry the run's id.
    std::fs::read(format!("/proc/{}/cmdline", process.pid))
        .is_ok_and(|line| line.split(|&byte| byte == 0).any(|argument| argument == run.as_str().as_bytes()))
}

/// Kills the worker that an earlier server left behind, if that very process is still there; whether it was.
pub fn end_orphan(process: ProcessId, run: &RunId) -> bool {
    if !is_alive(process, run) {
        return false;
    }
    // No polite signal: nobody reads the pipe that would tell of its checkpoint, and checkpoints are hashed.
    signal(process.pid, Signal::SIGKILL);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_very_process_with_the_runs_id_is_ended() {
        let run = RunId::new("r-orphan").unwrap();
        let arguments = ["-c", "sleep 60 & wait", "r-orphan"].map(String::from);
        let mut child = start(Path::new("/bin/sh"), &arguments).unwrap();
        let process = identify(child.id().unwrap() as i32);
        assert!(is_alive(process, &run));
        assert!(!end_orphan(ProcessId { start: process.start + 1, ..process }, &run), "another start");
        assert!(!end_orphan(process, &RunId::new("r-other").unwrap()), "another run");
        assert!(!end_orphan(ProcessId { pid: 1, start: 0 }, &run), "never the first process");
        assert!(end_orphan(process, &run));
        assert!(!child.wait().await.unwrap().success());
        assert!(!is_alive(process, &run));
    }
}
