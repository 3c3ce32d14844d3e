//! Whether a program is a Python that engines can use.

use std::path::Path;
use std::process::Command;

use crate::process::{self, Ended};

/// The oldest that knows `-P`, and that the pinned packages are made for.
const OLDEST: (u32, u32) = (3, 11);
/// What is wanted in the place of a program that is none.
pub(crate) const WANTED: &str = "name the Python, 3.11 or newer, of an environment that has the engine's packages, as \
                                 --existing /path/to/environment/bin/python";
const ASK: &str = "import sys; print('Python %d.%d' % sys.version_info[:2])";

/// Why a program is no Python that an engine can use; `None` where it is one.
pub(crate) fn unfit(program: &Path) -> Option<String> {
    let answer = match process::answer(Command::new(program).args(["-E", "-c", ASK]), process::PATIENCE) {
        Ok(answer) => String::from_utf8_lossy(&answer).into_owned(),
        Err(Ended::NotStarted(error)) => return Some(error.to_string()),
        Err(_) => String::new(),
    };
    match version(&answer) {
        None => Some("it does not answer as a Python does".to_owned()),
        Some(version) if version < OLDEST => Some(format!("it is Python {}.{}", version.0, version.1)),
        Some(_) => None,
    }
}

/// The version in an answer, major and minor.
fn version(answer: &str) -> Option<(u32, u32)> {
    let (major, minor) = answer.trim().strip_prefix("Python ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in;

    #[test]
    fn a_program_that_is_no_python_or_an_old_one_is_told_from_one_that_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("python");
        let plays = |script: &str| {
            stand_in::program(&program, script);
            unfit(&program)
        };
        assert_eq!(plays("echo Python 3.11"), None);
        assert_eq!(plays("echo Python 4.0"), None);
        assert_eq!(plays("echo Python 3.9").as_deref(), Some("it is Python 3.9"));
        // As /bin/true, /bin/echo and a program that takes no such arguments.
        for script in ["", "echo \"$@\"", "echo 'invalid option' >&2; exit 2"] {
            assert_eq!(plays(script).as_deref(), Some("it does not answer as a Python does"), "{script}");
        }
        assert!(unfit(Path::new("/nowhere/python")).is_some_and(|why| why.contains("No such file")));
    }
}
