//! Standard output and standard error without panics on a closed pipe.

use std::io::{self, Write as _};

/// Writes `text` and a line end to standard output.
///
/// # Errors
/// [`io::Error`], of the kind [`io::ErrorKind::BrokenPipe`] when the reader has gone.
pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Writes `text` and a line end to standard error, best effort: when that is closed too, nobody can be told.
pub(crate) fn complain(text: &str) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "{}", printable(text));
}

/// `text` without control characters besides line ends: a worker, a file or a server must not steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\tc\nd"), "a [31mb c\nd");
    }
}
