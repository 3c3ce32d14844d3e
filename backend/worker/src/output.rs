//! Standard output and standard error beside the events of a run, without panics where nobody reads them: `println!`
//! and `eprintln!` would end a run whose log is lost.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

/// Writes a line to standard error, best effort: when that is closed too, nobody can be told.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes the one line that was asked for to standard output; a reader that left early did not need it.
pub(crate) fn answer(line: impl Display) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(format_args!("recspeed-worker: its answer cannot be written: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
