//! A small process beside the ranks. Once whoever started them is gone, however that ended, it ends what is left of them: who is killed
//! cannot, and a rank that is stopped hears nothing.
//!
//! The system could send a signal by itself (`PR_SET_PDEATHSIG`), but at the end of the thread that started a process: that is one of
//! `mpirun`'s, which come and go.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use super::processes::end_all;

/// Such a process. It ends when this is dropped: whoever started the ranks has ended them by then, unless it panics.
pub(super) struct Watcher(Child);

impl Watcher {
    /// Starts it, before there are any ranks.
    pub(super) fn start(worker: &Path, folder: &Path) -> std::io::Result<Self> {
        let mut command = Command::new(worker);
        command.arg("end-ranks").arg(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Whoever ends this worker's group does not reach it.
        command.process_group(0).spawn().map(Self)
    }

    /// Tells it of `mpirun`, which is left some time to clean up behind itself.
    pub(super) fn spare(&mut self, mpirun: u32) {
        // Untold, it ends `mpirun` with the others.
        let _ = self.0.stdin.as_mut().map(|input| writeln!(input, "{mpirun}"));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Who panics has ended nobody: that is left to it, and the end of its input is what it waits for.
        if !std::thread::panicking() {
            // A signal that reaches it though it is stopped: nothing keeps the run's end back.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// What it does: waits for the end of whoever started it, which closes its input, and ends all that share the folder and
/// do not leave then.
pub(crate) fn end_orphans(folder: &Path) -> ExitCode {
    let told = std::io::read_to_string(std::io::stdin()).unwrap_or_default();
    end_all(folder, told.trim().parse().ok());
    ExitCode::SUCCESS
}
