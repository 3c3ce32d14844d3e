//! Processes and their groups: starting, ending, and telling ours from a stranger with the same number.

use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use recspeed_types::RunId;
use tokio::process::{Child, Command};

use crate::store::ProcessId;

/// The variable that marks a worker and everything that it starts as belonging to a run. It stays readable in `/proc`
/// when the worker replaces itself by another program.
const MARK: &str = "RECSPEED_RUN";

/// Starts a program for `run` in a group of its own, with all three streams as pipes. It is killed when the handle is
/// dropped.
pub(crate) fn start(program: &Path, run: &RunId, arguments: &[String]) -> std::io::Result<Child> {
    Command::new(program)
        .args(arguments)
        .env(MARK, run.as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Sends a signal to the whole group of a process that this server started and has not yet waited for.
pub(crate) fn signal(pid: i32, signal: Signal) {
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

/// Whether the process carries the mark of `run`: it was started for it, directly or by its worker.
fn is_of(pid: i32, run: &RunId) -> bool {
    let mark = format!("{MARK}={run}");
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|&byte| byte == 0).any(|pair| pair == mark.as_bytes()))
}

/// Whether that very process, the worker of `run`, is still there.
pub fn is_alive(process: ProcessId, run: &RunId) -> bool {
    // After a reboot another process could have the same number and start; it would not carry the mark.
    process.pid > 1 && process.start != 0 && start_of(process.pid) == Some(process.start) && is_of(process.pid, run)
}

/// Kills the worker that an earlier server left behind, if that very process is still there, with its group, and
/// whatever else carries the run's mark; how many processes were found.
pub fn end_orphans(process: ProcessId, run: &RunId) -> usize {
    let mut found = 0;
    // No polite signal: nobody reads the pipe that would tell of its checkpoint, and checkpoints are hashed.
    if is_alive(process, run) {
        found += 1;
        signal(process.pid, Signal::SIGKILL);
    }
    let own = std::process::id() as i32;
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        // A server that was itself started inside a run must not end itself.
        if pid > 1 && pid != own && start_of(pid).is_some() && is_of(pid, run) {
            found += 1;
            // One that has gone meanwhile needs no signal.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(run: &RunId) -> Child {
        start(Path::new("/bin/sh"), run, &["-c", "sleep 60 & exec sleep 60"].map(String::from)).unwrap()
    }

    #[tokio::test]
    async fn only_processes_with_the_runs_mark_are_ended() {
        let (run, other) = (RunId::new("r-orphan").unwrap(), RunId::new("r-other").unwrap());
        let (mut child, mut bystander) = (marked(&run), marked(&other));
        let process = identify(child.id().unwrap() as i32);
        // The system sets a new process's environment a moment after it lets the parent go on, and again when the shell
        // becomes `sleep`.
        let begun = std::time::Instant::now();
        let mut seen = 0;
        while seen < 20 {
            assert!(begun.elapsed() < std::time::Duration::from_secs(5), "it never stays alive");
            seen = if is_alive(process, &run) { seen + 1 } else { 0 };
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(!is_alive(ProcessId { start: process.start + 1, ..process }, &run), "another start");
        assert!(!is_alive(process, &other), "another run");
        assert!(end_orphans(process, &run) >= 1);
        assert!(!child.wait().await.unwrap().success());
        assert!(!is_alive(process, &run));
        assert!(bystander.try_wait().unwrap().is_none(), "a process of another run was ended");
        bystander.kill().await.unwrap();
        end_orphans(ProcessId { pid: 0, start: 0 }, &other);
    }
}
