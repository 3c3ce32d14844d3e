//! A program and all that it starts, as one group of processes: ended together, also where this process is killed.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Waits until the pipe that it reads is closed, which the system does for whoever is killed, and then ends its group. The system also
/// hangs up on a group whose parents are gone and of which one is stopped: that must not end the one who ends the others.
const WATCH: &str = "trap '' HUP INT TERM; read -r _; kill -s KILL 0";

/// The group of a program that was started: whoever starts a program of an engine starts it so.
///
/// Its leader is a shell that holds nothing but a pipe to this process. The system's own way (`PR_SET_PDEATHSIG`) would ask for
/// unsafe code, and end the program without what that has started, as pip's compilers.
#[derive(Debug)]
pub struct Group {
    leader: Option<Child>,
    id: Pid,
}

impl Group {
    /// Starts a program in a group of its own. Ctrl-C in a terminal reaches this process alone.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub fn start(command: &mut Command) -> io::Result<(Child, Self)> {
        // Without a shell the program is its own leader, and outlives a killed parent.
        let leader = watcher().ok();
        let mut group = Self { id: leader.as_ref().map_or(Pid::from_raw(0), pid), leader };
        let child = command.process_group(group.id.as_raw()).spawn()?;
        if group.leader.is_none() {
            group.id = pid(&child);
        }
        Ok((child, group))
    }

    /// Ends all of it at once, stopped ones too. The program may have ended, but nobody may have asked yet how: its id could be
    /// another process' then.
    pub fn kill(&self) {
        let _ = killpg(self.id, Signal::SIGKILL);
    }
}

/// A group whose program has ended is watched no longer; what that has left behind goes on.
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(mut leader) = self.leader.take() {
            let _ = leader.kill();
            let _ = leader.wait();
        }
    }
}

fn watcher() -> io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", WATCH]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.process_group(0).spawn()
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_ends_when_its_pipe_is_closed_and_stays_when_its_program_has_ended() {
        let sleeper = || {
            let mut command = Command::new("sleep");
            command.arg("600");
            command
        };
        let (mut child, mut group) = Group::start(&mut sleeper()).expect("a shell");
        // As the system does for a process that is killed.
        drop(group.leader.as_mut().and_then(|leader| leader.stdin.take()));
        assert!(!child.wait().expect("it ends").success());
        drop(group);
        let (mut child, group) = Group::start(&mut sleeper()).expect("a shell");
        drop(group);
        assert!(child.try_wait().expect("ours").is_none(), "it goes on");
        child.kill().expect("ours");
        child.wait().expect("ended");
        let mut nothing = Command::new("/nowhere/program");
        assert!(Group::start(&mut nothing).is_err());
    }
}
