//! Programs that play Python and pip, for the tests of what starts them: shell scripts, and nothing is downloaded. The tests of
//! `recspeed engines` take this file too.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Writes a program that does `script`, in the place of whatever was there.
pub(crate) fn program(at: &Path, script: &str) {
    fs::write(at, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).expect("a program");
}

/// The script of a Python 3.11 with pip that makes environments of copies of itself, as `venv --clear` does. `making` is what it
/// does before that. `answers`: what else it is asked and does, as arms of a `case` over all its arguments.
pub(crate) fn python(making: &str, answers: &str) -> String {
    let make = r#"for last; do :; done; rm -rf "$last"; mkdir -p "$last/bin"; cp "$0" "$last/bin/python""#;
    format!(
        r#"case "$*" in
  *version_info*) echo 'Python 3.11' ;;
  *"-m venv"*) {making}
    {make} ;;
  *"pip --version"*) echo pip ;;
{answers}
esac"#
    )
}
