//! How far a study is, as it says in front of its lines and as it is shown.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Measurements of a study: runs of a row, containers that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StudyProgress {
    /// Those that are made.
    pub done: u32,
    /// All; fewer than at first once a row has failed.
    pub total: u32,
}

/// As `[3/27]`.
impl fmt::Display for StudyProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}/{}]", self.done, self.total)
    }
}

impl StudyProgress {
    /// What a line says of it, and the rest of the line; `None` where it says nothing of it.
    pub fn split(line: &str) -> Option<(Self, &str)> {
        let (told, rest) = line.strip_prefix('[')?.split_once(']')?;
        let (done, total) = told.split_once('/')?;
        let progress = Self { done: done.parse().ok()?, total: total.parse().ok()? };
        (progress.done <= progress.total).then_some((progress, rest.trim_start()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_heard_and_nothing_else_is() {
        let progress = StudyProgress { done: 3, total: 27 };
        assert_eq!(StudyProgress::split(&format!("{progress} PyTorch: 0.4 s")), Some((progress, "PyTorch: 0.4 s")));
        for other in ["", "PyTorch [3/27]", "[3/2] x", "[a/b]", "[3]", "[-1/4] x", "[3/27"] {
            assert_eq!(StudyProgress::split(other), None, "{other}");
        }
    }
}
