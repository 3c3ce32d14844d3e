//! Why a study was not made, or its report not written.

use std::path::PathBuf;

use recspeed_engines::EngineError;
use recspeed_types::FailureCode;

use crate::alone::Held;

/// Why a study was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StudyError {
    /// No engine of the study has this name.
    #[error("the study has no engine `{given}`; it knows {known}")]
    UnknownEngine {
        /// What was given.
        given: String,
        /// Every one.
        known: String,
    },
    /// No container has this name.
    #[error("no container is called `{given}`; the study knows {known}")]
    UnknownContainer {
        /// What was given.
        given: String,
        /// Every one.
        known: String,
    },
    /// A field that makes the study's rows what they are.
    #[error(
        "--set {given}: every row of the study has a `{field}` of its own; run a spec with yours by `recspeed run`"
    )]
    OwnField {
        /// What was given.
        given: String,
        /// The field.
        field: &'static str,
    },
    /// A report cannot be written where it is to go.
    #[error("cannot write {}: {why}; give --out another file", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A document that does not serve, which was found before anything was measured.
    #[error(transparent)]
    NoDocument(Box<Self>),
    /// No report of the study comes with the program.
    #[error("no report of the study `{name}` comes with this program; `recspeed study {name}` measures one here")]
    NotRecorded {
        /// The study.
        name: &'static str,
    },
    /// Standard output broke off.
    #[error("the report was not printed to its end ({why}); {stands}")]
    NotPrinted {
        /// What the system says.
        why: String,
        /// Where the report is, and what helps.
        stands: String,
    },
    /// Another process measures the same.
    #[error(
        "the same study is being measured by {by}, which holds {}; wait for its end, or end it (Ctrl-C, `kill`, the button on its page): \
         what it has measured is kept, and the same command goes on behind it",
        lock.display()
    )]
    Busy {
        /// Who.
        by: String,
        /// The file of its lock.
        lock: PathBuf,
    },
    /// The rows that containers are given cannot be written.
    #[error(
        "cannot write the rows that are read below {}, the folder of temporary files: {why}; make room there, or name another folder by \
         TMPDIR",
        folder.display()
    )]
    Columns {
        /// The folder of temporary files.
        folder: PathBuf,
        /// Why not.
        why: String,
    },
    /// The lab's folder is not known.
    #[error(transparent)]
    Engines(#[from] EngineError),
    /// A file that `--out` names has a report of which something would be lost.
    #[error(
        "{} keeps its report, which {why}; give --out another file, or have it written over by --replace",
        path.display()
    )]
    OutKept {
        /// The file.
        path: PathBuf,
        /// What it has, or is.
        why: &'static str,
    },
    /// A file that `--out` names holds something that is no report, which would be lost.
    #[error(
        "{} holds no report that this version can read, and stays as it is; give --out another file, or have it \
         written over by --replace",
        path.display()
    )]
    OutUnread {
        /// The file.
        path: PathBuf,
    },
    /// A document has a section of a report of which something would be lost.
    #[error(
        "{} keeps its section `{section}`, which {why}; {remedy}, or have it written over by --replace",
        path.display()
    )]
    SectionKept {
        /// The file.
        path: PathBuf,
        /// The section.
        section: String,
        /// What it has, or is.
        why: &'static str,
        /// What helps without any loss.
        remedy: &'static str,
    },
    /// The document cannot be read or written, or has a section that does not end.
    #[error("cannot {action} {}: {why}; mend that, or give --document another file", path.display())]
    Document {
        /// As `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl From<Held> for StudyError {
    fn from(Held { by, lock }: Held) -> Self {
        Self::Busy { by, lock }
    }
}

impl StudyError {
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::UnknownEngine { .. }
            | Self::UnknownContainer { .. }
            | Self::OwnField { .. }
            | Self::Unwritable { .. }
            | Self::NoDocument(_)
            | Self::Busy { .. } => FailureCode::InvalidSpec.exit_status(),
            Self::Engines(_)
            | Self::Document { .. }
            | Self::OutKept { .. }
            | Self::OutUnread { .. }
            | Self::SectionKept { .. }
            | Self::Columns { .. }
            | Self::NotRecorded { .. }
            | Self::NotPrinted { .. } => FailureCode::Internal.exit_status(),
        }
    }
}
