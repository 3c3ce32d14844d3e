//! Why an engine cannot be used or installed.

use std::io;
use std::path::{Path, PathBuf};

use recspeed_types::Absence;

use crate::damage::Damage;

/// Why an engine cannot be used or installed; every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No folder for engines is known.
    #[error("no folder for engines is known: set RECSPEED_HOME to one, or HOME")]
    NoPlace,
    /// It was never installed.
    #[error("the engine `{kind}` is not installed here; run `recspeed engines install {kind}`")]
    Missing {
        /// The engine.
        kind: &'static str,
    },
    /// Its installation was interrupted.
    #[error("the engine `{kind}` is half installed; go on with `recspeed engines install {kind}`")]
    Unfinished {
        /// The engine.
        kind: &'static str,
    },
    /// It is damaged, and mending it did not come to its end.
    #[error(
        "the engine `{kind}` is damaged ({why}), and mending it failed: {failed}; run `recspeed engines install {kind}` again"
    )]
    Unmended {
        /// The engine.
        kind: &'static str,
        /// What was to be mended.
        why: String,
        /// Why it was not.
        failed: String,
    },
    /// Its record is damaged, or its Python is gone.
    #[error("the engine `{kind}` cannot be used: {why}; {remedy}")]
    Stale {
        /// The engine.
        kind: &'static str,
        /// What is wrong with it.
        why: String,
        /// What mends it, and who can do that.
        remedy: String,
    },
    /// Files of it are not as they were installed.
    #[error(
        "the engine `{kind}` is damaged: {damage}; run `recspeed engines install {kind}`, which installs again what is broken"
    )]
    Damaged {
        /// The engine.
        kind: &'static str,
        /// Which files.
        damage: Damage,
    },
    /// It was installed by another version of the lab, and does not do for this one.
    #[error(
        "the engine `{kind}` was installed by another version of the lab, and does not do for this one ({why}); {remedy}"
    )]
    OtherVersion {
        /// The engine.
        kind: &'static str,
        /// In what it does not do.
        why: String,
        /// What mends it, and who can do that.
        remedy: String,
    },
    /// It computes on a GPU, and there is none for it.
    #[error("the engine `{kind}` cannot compute on `{device}` here: {}; {remedy}", why.words())]
    NoDevice {
        /// The engine.
        kind: &'static str,
        /// The device, as in a spec.
        device: &'static str,
        /// Why it cannot.
        why: Absence,
        /// What to do.
        remedy: String,
    },
    /// The disk is too small.
    #[error(
        "the engine `{kind}` needs about {} while it is installed, and {} has {} free; make room, or name another folder with \
         --home",
        size(*needed), folder.display(), size(*free)
    )]
    DiskTooSmall {
        /// The engine.
        kind: &'static str,
        /// Where it would lie.
        folder: PathBuf,
        /// Bytes that it takes beside what is there, with what is downloaded.
        needed: u64,
        /// Bytes that there are.
        free: u64,
    },
    /// The disk is too small for all that are to be installed.
    #[error(
        "these engines together need about {} while they are installed, and {} has {} free; each alone needs: {each} (what is \
         downloaded for one is gone before the next one begins); make room, install fewer of them, or name another folder with --home",
        size(*needed), folder.display(), size(*free)
    )]
    TogetherTooLarge {
        /// What each needs while it is installed, as `pytorch 10.0 GB, tensorflow 2.3 GB`.
        each: String,
        /// Where they would lie.
        folder: PathBuf,
        /// The most bytes that they take at one moment, with what is downloaded.
        needed: u64,
        /// Bytes that there are.
        free: u64,
    },
    /// Another process installs it.
    #[error(
        "the engine `{kind}` is being installed by another process; wait for its end, and run the same command again"
    )]
    Busy {
        /// The engine.
        kind: &'static str,
    },
    /// There is no usable Python.
    #[error(
        "{python} cannot make a virtual environment ({why}); install Python 3.11 or newer with venv, or name one with --python"
    )]
    NoPython {
        /// The program.
        python: String,
        /// What it said.
        why: String,
    },
    /// Python's package installer failed.
    #[error("the engine `{kind}` could not be installed: {why}; run the same command again, it goes on where it ended")]
    Pip {
        /// The engine.
        kind: &'static str,
        /// The installer's last words.
        why: String,
    },
    /// What was installed, or named, does not work.
    #[error("the engine `{kind}` does not start with {}: {why}; {remedy}", python.display())]
    DoesNotStart {
        /// The engine.
        kind: &'static str,
        /// The Python that was asked.
        python: PathBuf,
        /// Its last words.
        why: String,
        /// What mends it, and who can do that.
        remedy: String,
    },
    /// Somebody stopped it.
    #[error("the installation of `{kind}` was stopped; the same command goes on with it")]
    Stopped {
        /// The engine.
        kind: &'static str,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}: {source}; make room, or name another folder with --home", path.display())]
    Io {
        /// As `write` or `create`.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Bytes for people: what is mended may be a few megabytes, of which nobody reads 0.0 GB.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 100_000_000 {
        format!("{} MB", bytes.div_ceil(1_000_000))
    } else {
        format!("{:.1} GB", bytes as f64 / 1e9)
    }
}

/// Names what could not be done with which path.
pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EngineError {
    let path = path.to_owned();
    move |source| EngineError::Io { action, path, source }
}
