//! `recspeed engines`: which other frameworks are here, installing them, seeing that they work.

mod libtorch;
mod screen;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use recspeed_engines::{Checked, EngineError, Engines, InstallOptions, LIBTORCH, Record, Reference, State};
use recspeed_types::FailureCode;
use serde_json::{Value, json};

use super::failure::CommandError;
use super::output;
use super::run::Interrupts;
use screen::Screen;

/// What `recspeed engines` can be asked for.
#[derive(Debug, Subcommand)]
pub enum EnginesCommand {
    /// List the engines: what is installed, how large, and how to get the rest
    List(ListArgs),
    /// Install engines, each into a Python environment of its own; go on where an installation was interrupted
    #[command(override_usage = "recspeed engines install [OPTIONS] <NAME>...")]
    Install(InstallArgs),
    /// See whether installed engines start, and what they are made of
    Check(CheckArgs),
    /// Print where LibTorch lies, for building a worker with it
    Path(libtorch::PathArgs),
}

/// Where engines lie.
#[derive(Debug, Args)]
struct Place {
    /// The lab's folder (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
}

/// Arguments of `recspeed engines list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    place: Place,
}

/// Arguments of `recspeed engines install`.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// The engines, as pytorch
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Use this Python environment, which has the engine's packages already, and change nothing in it
    #[arg(long, value_name = "PYTHON", conflicts_with_all = ["python", "extra_index_url"])]
    existing: Option<PathBuf>,
    /// The Python that makes the environments (python3 unless set)
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Another package index beside PyPI, as https://download.pytorch.org/whl/cpu for a PyTorch without CUDA
    #[arg(long, value_name = "URL")]
    extra_index_url: Option<String>,
    /// Room to ask for before anything is downloaded, in MB, in place of what the list says
    #[arg(long, value_name = "MB")]
    needs: Option<u64>,
    #[command(flatten)]
    place: Place,
}

/// Arguments of `recspeed engines check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The engines (all that are installed unless given)
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// Why `recspeed engines` did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnginesError {
    /// No engine has this name.
    #[error("no engine is called `{given}`; those that can be installed: {known}")]
    Unknown {
        /// What was given.
        given: String,
        /// Every one.
        known: String,
    },
    /// No engine was named.
    #[error("name the engines to install, as `recspeed engines install pytorch tensorflow`; there are {known}")]
    NoName {
        /// Every one.
        known: String,
    },
    /// LibTorch was never installed or named.
    #[error(
        "LibTorch is not here; run `recspeed engines install {LIBTORCH}`, with --existing PYTHON for an installed PyTorch"
    )]
    NoLibtorch,
    /// An engine's own failure.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl EnginesError {
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Unknown { .. } | Self::NoName { .. } => FailureCode::InvalidSpec.exit_status(),
            Self::Engine(EngineError::Stopped { .. }) => FailureCode::Cancelled.exit_status(),
            Self::NoLibtorch | Self::Engine(_) => FailureCode::Internal.exit_status(),
        }
    }
}

/// Does what was asked.
pub(super) fn run(command: EnginesCommand) -> Result<u8, CommandError> {
    match command {
        EnginesCommand::List(args) => list(&args),
        EnginesCommand::Install(args) => install(&args),
        EnginesCommand::Check(args) => check(&args),
        EnginesCommand::Path(args) => libtorch::path(&args),
    }
}

fn list(args: &ListArgs) -> Result<u8, CommandError> {
    let engines = Engines::open(args.place.home.as_deref()).map_err(EnginesError::from)?;
    let rows: Vec<(&Reference, State)> =
        Reference::all().iter().map(|reference| (reference, engines.state(reference.kind))).collect();
    if args.place.json {
        let told: Vec<Value> = rows.iter().map(|(reference, state)| told(reference, state)).collect();
        output::say(&json!({ "folder": engines.root(), "engines": told, "libtorch": engines.libtorch() }).to_string())?;
        return Ok(0);
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header([
        "engine",
        "what it is",
        "here",
        "size",
    ]);
    table.add_row(["burn", "Recspeed's own, in Rust", "built in", ""]);
    for (reference, state) in &rows {
        let size = match state {
            State::Ready(record) if record.bytes > 0 => megabytes(record.bytes),
            State::Ready(_) => String::new(),
            _ => format!(
                "{} to download, {} on disk",
                megabytes(reference.download_bytes),
                megabytes(reference.installed_bytes)
            ),
        };
        table.add_row([reference.kind.as_str(), reference.about, &here(reference, state), &size]);
    }
    table.add_row(libtorch::row(&engines));
    output::say(&output::printable(&table.to_string()))?;
    Ok(0)
}

/// What there is of an engine, in words.
fn here(reference: &Reference, state: &State) -> String {
    match state {
        State::Missing => format!("no: {}", reference.install_command()),
        State::Unfinished => format!("half: go on with {}", reference.install_command()),
        State::Stale(why) => format!("unusable ({why}): {}", reference.install_command()),
        State::OtherVersion(why) => {
            format!("unusable (installed by another version of the lab: {why}): {}", reference.install_command())
        }
        State::Ready(record) => {
            let place = if record.own { String::new() } else { format!(", {}", record.python.display()) };
            format!("yes: {}{place}", versions(record))
        }
    }
}

fn versions(record: &Record) -> String {
    listed(&record.versions)
}

fn listed(versions: &BTreeMap<String, String>) -> String {
    versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
}

fn told(reference: &Reference, state: &State) -> Value {
    let kind = reference.kind.as_str();
    let (name, record, why) = match state {
        State::Missing => ("missing", None, None),
        State::Unfinished => ("unfinished", None, None),
        State::Stale(why) => ("stale", None, Some(why)),
        State::OtherVersion(why) => ("other-version", None, Some(why)),
        State::Ready(record) => ("ready", Some(record), None),
    };
    json!({
        "name": kind,
        "about": reference.about,
        "state": name,
        "why": why,
        "record": record,
        "differences": record.map(|record| record.differences(reference)),
        "download_bytes": reference.download_bytes,
        "installed_bytes": reference.installed_bytes,
        "install": reference.install_command(),
    })
}

fn install(args: &InstallArgs) -> Result<u8, CommandError> {
    let engines = Engines::open(args.place.home.as_deref()).map_err(EnginesError::from)?;
    if args.names.is_empty() {
        return Err(EnginesError::NoName { known: installable() }.into());
    }
    // All names are looked at before anything is downloaded.
    let (of_libtorch, names): (Vec<&String>, Vec<&String>) = args.names.iter().partition(|name| *name == LIBTORCH);
    let mut wanted: Vec<&Reference> = Vec::new();
    for name in names {
        let reference = named(name)?;
        if wanted.iter().any(|other| other.kind == reference.kind) {
            output::complain(&format!("recspeed: `{name}` is named again; it is installed once."));
        } else {
            wanted.push(reference);
        }
    }
    let options = InstallOptions {
        python: args.python.clone(),
        extra_index: args.extra_index_url.clone(),
        needed_bytes: args.needs.map(|megabytes| megabytes.saturating_mul(1_000_000)),
    };
    if args.existing.is_none() {
        engines.room_for(&wanted, !of_libtorch.is_empty(), &options).map_err(EnginesError::from)?;
    }
    let interrupts = Interrupts::listen();
    let stopped = AtomicBool::new(false);
    let stop = || {
        if interrupts.take() > 0 {
            stopped.store(true, Ordering::Relaxed);
        }
        stopped.load(Ordering::Relaxed)
    };
    let mut all = Vec::new();
    for reference in wanted {
        let record = if let Some(python) = &args.existing {
            engines.adopt(reference, python)
        } else {
            let mut screen = Screen::new(reference.kind.as_str(), reference.installed_bytes + reference.download_bytes);
            let record = engines.install(reference, &options, &stop, &mut |step| screen.show(&step));
            screen.clear();
            record
        };
        let record = record.map_err(EnginesError::from)?;
        for difference in record.differences(reference) {
            output::complain(&format!("warning: {} has {difference}", reference.kind.as_str()));
        }
        if !args.place.json {
            let size = if record.bytes > 0 { format!(", {}", megabytes(record.bytes)) } else { String::new() };
            output::say(&output::printable(&format!(
                "{} is ready ({}{size}): set engine.kind to `{}`.",
                reference.kind.title(),
                versions(&record),
                reference.kind.as_str()
            )))?;
        }
        all.push(told(reference, &State::Ready(record)));
    }
    let libtorch =
        if of_libtorch.is_empty() { None } else { Some(libtorch::install(args, &engines, &options, &stop)?) };
    if args.place.json {
        output::say(&json!({ "folder": engines.root(), "engines": all, "libtorch": libtorch }).to_string())?;
    }
    Ok(0)
}

/// Asks every engine, and fails at the end if one of them does not start.
fn check(args: &CheckArgs) -> Result<u8, CommandError> {
    let engines = Engines::open(args.place.home.as_deref()).map_err(EnginesError::from)?;
    let given = args.names.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?;
    let wanted: Vec<&Reference> = if given.is_empty() {
        Reference::all().iter().filter(|reference| engines.state(reference.kind) != State::Missing).collect()
    } else {
        given
    };
    let mut answers = Vec::new();
    let mut bad = 0;
    for reference in wanted {
        let kind = reference.kind.as_str();
        let answer = engines.check(reference.kind);
        let line = match &answer {
            Ok(checked) => format!("{kind}: starts, {}{}", listed(&checked.versions), remarks(reference, checked)),
            Err(error) => format!("{kind}: {error}"),
        };
        bad += u8::from(answer.is_err());
        let (checked, failure) = (answer.as_ref().ok(), answer.as_ref().err().map(ToString::to_string));
        answers.push(json!({
            "name": kind,
            "starts": checked.is_some(),
            "versions": checked.map(|checked| &checked.versions),
            "changes": checked.map(|checked| &checked.changes),
            "other_version": checked.map(|checked| checked.other_version),
            "failure": failure,
        }));
        if !args.place.json {
            output::say(&output::printable(&line))?;
        }
    }
    if args.place.json {
        output::say(&json!({ "engines": answers }).to_string())?;
    } else if answers.is_empty() {
        output::say("No engine is installed; `recspeed engines list` shows which there are.")?;
    }
    Ok(u8::from(bad > 0))
}

/// What is to be said of an engine that starts and is not as it was installed.
fn remarks(reference: &Reference, checked: &Checked) -> String {
    let mut remarks = String::new();
    if checked.other_version {
        remarks.push_str("; installed by another version of the lab, it does for this one too");
    }
    if !checked.changes.is_empty() {
        let (changes, install) = (checked.changes.join(", "), reference.install_command());
        let _ = write!(remarks, "; since it was installed it has {changes}: {install}");
    }
    remarks
}

fn named(name: &str) -> Result<&'static Reference, EnginesError> {
    let found = Reference::all().iter().find(|reference| reference.kind.as_str() == name);
    found.ok_or_else(|| EnginesError::Unknown { given: name.to_owned(), known: installable() })
}

/// The names that `recspeed engines install` takes.
fn installable() -> String {
    let engines = Reference::all().iter().map(|reference| reference.kind.as_str());
    engines.chain([LIBTORCH]).collect::<Vec<_>>().join(", ")
}

fn megabytes(bytes: u64) -> String {
    if bytes >= 1_000_000_000 {
        format!("{:.1} GB", bytes as f64 / 1e9)
    } else {
        format!("{:.0} MB", bytes as f64 / 1e6)
    }
}
