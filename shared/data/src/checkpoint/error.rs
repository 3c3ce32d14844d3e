//! Why a checkpoint is refused, in one sentence.

/// What to do about it, whatever it is.
const REMEDY: &str = "take another one, or start again without it";

/// A checkpoint that is not gone on from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Something else.
    #[error("{} is not a checkpoint of this lab ({found}); {}", called(file.as_deref(), "the file to go on from"), REMEDY)]
    NotOne {
        /// The file, where somebody knows its place.
        file: Option<String>,
        /// What was found in its place.
        found: String,
    },
    /// What an earlier version of the lab wrote.
    #[error(
        "{} is a checkpoint of an earlier version of the lab, which this version does not read; {}",
        called(file.as_deref(), "the file to go on from"),
        REMEDY
    )]
    Earlier {
        /// The file, where somebody knows its place.
        file: Option<String>,
    },
    /// Not all of it is as it was written.
    #[error("{} is damaged: {how}; {}", called(file.as_deref(), "the checkpoint"), REMEDY)]
    Damaged {
        /// The file, where somebody knows its place.
        file: Option<String>,
        /// By what that shows.
        how: &'static str,
    },
    /// It belongs to another fit.
    #[error("the checkpoint does not continue this fit: {reason}; {}", REMEDY)]
    Other {
        /// What does not match.
        reason: String,
    },
}

impl CheckpointError {
    /// One that does not match.
    pub fn other(reason: impl Into<String>) -> Self {
        Self::Other { reason: reason.into() }
    }

    /// One that is damaged, by what shows it.
    pub const fn damaged(how: &'static str) -> Self {
        Self::Damaged { file: None, how }
    }

    /// With the place of the file.
    #[must_use]
    pub fn of_file(self, place: &str) -> Self {
        let file = Some(place.to_owned());
        match self {
            Self::NotOne { found, .. } => Self::NotOne { file, found },
            Self::Earlier { .. } => Self::Earlier { file },
            Self::Damaged { how, .. } => Self::Damaged { file, how },
            other @ Self::Other { .. } => other,
        }
    }
}

fn called(file: Option<&str>, otherwise: &str) -> String {
    file.map_or_else(|| otherwise.to_owned(), |file| format!("the file {file}"))
}
