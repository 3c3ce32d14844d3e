//! `recspeed engines`: which other frameworks are here, installing them, seeing that they work.

mod check;
mod devices;
mod install;
mod libtorch;
mod screen;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use recspeed_engines::{EngineError, Engines, LIBTORCH, Mending, Record, Reference, State};
use recspeed_types::FailureCode;
use serde_json::{Value, json};

use super::failure::CommandError;
use super::output;

/// What `recspeed engines` can be asked for.
#[derive(Debug, Subcommand)]
pub enum EnginesCommand {
    /// List the engines and the devices of Burn: what is here, how large, and how to get the rest
    ///
    /// Names and sizes of their files are held against what was installed; no engine is started: `check` does that, too. The workers
    /// are asked which devices they have, which takes a moment where a driver is tried.
    List(ListArgs),
    /// Install engines, each into a Python environment of its own; go on where an installation was interrupted
    ///
    /// What is damaged or does not start is mended. Where one of several cannot be installed, the others still are. Exit status: 0 when
    /// all are ready, 1 when one is not, 2 for a name that no engine has, 130 when it was stopped.
    #[command(override_usage = "recspeed engines install [OPTIONS] <NAME>...")]
    Install(InstallArgs),
    /// See whether installed engines are whole and start, and what they are made of
    ///
    /// Exit status: 0 when all do, 1 when one does not, 2 for a name that no engine has.
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
        EnginesCommand::Install(args) => install::install(&args),
        EnginesCommand::Check(args) => check::check(&args),
        EnginesCommand::Path(args) => libtorch::path(&args),
    }
}

fn list(args: &ListArgs) -> Result<u8, CommandError> {
    let engines = Engines::open(args.place.home.as_deref()).map_err(EnginesError::from)?;
    let rows: Vec<(&Reference, State)> =
        Reference::all().iter().map(|reference| (reference, engines.look(reference.kind))).collect();
    if args.place.json {
        let told: Vec<Value> = rows.iter().map(|(reference, state)| told(reference, state)).collect();
        let (state, why) = libtorch::state(&engines);
        let all = json!({
            "devices": devices::told(&devices::ask()),
            "folder": engines.root(),
            "engines": told,
            "libtorch": engines.libtorch(),
            "libtorch_state": state,
            "libtorch_why": why,
        });
        output::say(&all.to_string())?;
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
        table.add_row([reference.kind.as_str(), reference.about, &here(&engines, reference, state), &size]);
    }
    table.add_row(libtorch::row(&engines));
    table.add_rows(devices::rows(&devices::ask()));
    output::say(&output::printable(&table.to_string()))?;
    Ok(0)
}

/// What there is of an engine, in words.
fn here(engines: &Engines, reference: &Reference, state: &State) -> String {
    match state {
        State::Missing => format!("no: {}", reference.install_command()),
        State::Unfinished => format!("half: go on with {}", reference.install_command()),
        State::Busy => "being installed by another process".to_owned(),
        State::Unmended(Mending { why, failed, .. }) => {
            format!("damaged ({why}), and mending it failed ({failed}): {}", reference.install_command())
        }
        State::Stale(why) => format!("unusable ({why}): {}", reference.install_command()),
        State::OtherVersion(why) => {
            format!("unusable (installed by another version of the lab: {why}): {}", reference.install_command())
        }
        State::Damaged(damage) => format!("damaged ({damage}): {}", reference.install_command()),
        State::Ready(record) => {
            let place = if record.own { String::new() } else { format!(", {}", record.python.display()) };
            format!("yes: {}{place}{}", versions(record), devices::without(engines, reference))
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
        State::Busy => ("busy", None, None),
        State::Unmended(mending) => {
            ("unmended", None, Some(format!("{}; mending it failed: {}", mending.why, mending.failed)))
        }
        State::Stale(why) => ("stale", None, Some(why.clone())),
        State::OtherVersion(why) => ("other-version", None, Some(why.clone())),
        State::Damaged(damage) => ("damaged", None, Some(damage.to_string())),
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
