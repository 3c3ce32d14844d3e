//! A study that a server makes ends when the server does, however that ended: nobody would read its report.

use std::os::unix::process::parent_id;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_types::FailureCode;

const TICK: Duration = Duration::from_millis(200);
/// How long a study may take to end what it has started.
const GRACE: Duration = Duration::from_secs(8);

/// From here on this process ends once `parent`, which started it, is gone.
///
/// The system could send a signal by itself (`PR_SET_PDEATHSIG`), but at the end of the thread that started this process, and a
/// server's threads come and go.
pub(super) fn follow(parent: u32) -> std::io::Result<()> {
    thread::Builder::new().name("guard".to_owned()).spawn(move || {
        while parent_id() == parent {
            thread::sleep(TICK);
        }
        // As Ctrl-C: a study then ends its workers. They also leave by themselves once this process has gone.
        let _ = kill(Pid::this(), Signal::SIGTERM);
        thread::sleep(GRACE);
        std::process::exit(i32::from(FailureCode::Cancelled.exit_status()));
    })?;
    Ok(())
}
