//! LibTorch among the engines: a library for a worker of its own.

use clap::Args;
use recspeed_engines::{EngineError, Engines, InstallOptions, LIBTORCH, LIBTORCH_BYTES, Libtorch, LibtorchState};
use serde_json::json;

use super::screen::Screen;
use super::{EnginesError, InstallArgs, Place, megabytes};
use crate::command::failure::CommandError;
use crate::command::output;

/// Arguments of `recspeed engines path`.
#[derive(Debug, Args)]
pub struct PathArgs {
    /// `libtorch`
    #[arg(value_name = "NAME", value_parser = [LIBTORCH])]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// Its line among the engines.
pub(super) fn row(engines: &Engines) -> [String; 4] {
    let (installed, download) = LIBTORCH_BYTES;
    let what = "a library for a worker of its own, with the devices libtorch-cpu and libtorch-cuda";
    let to_get = format!("{} to download, {} on disk", megabytes(download), megabytes(installed));
    let (here, size) = match engines.libtorch_state() {
        LibtorchState::Ready(libtorch) => {
            let size = if libtorch.bytes > 0 { megabytes(libtorch.bytes) } else { String::new() };
            (format!("yes: {}, for `make worker-libtorch`", words(&libtorch)), size)
        }
        LibtorchState::Missing => (format!("no: recspeed engines install {LIBTORCH}"), to_get),
        LibtorchState::Busy => ("being installed by another process".to_owned(), to_get),
        LibtorchState::Unfinished => (format!("half: go on with recspeed engines install {LIBTORCH}"), to_get),
        LibtorchState::Unusable { why, remedy } => (format!("unusable ({why}): {remedy}"), to_get),
    };
    [LIBTORCH.to_owned(), what.to_owned(), here, size]
}

/// The same for programs: in a word, and why it cannot be used.
pub(super) fn state(engines: &Engines) -> (&'static str, Option<String>) {
    match engines.libtorch_state() {
        LibtorchState::Missing => ("missing", None),
        LibtorchState::Unfinished => ("unfinished", None),
        LibtorchState::Busy => ("busy", None),
        LibtorchState::Unusable { why, .. } => ("unusable", Some(why)),
        LibtorchState::Ready(_) => ("ready", None),
    }
}

/// What it is and where it lies.
pub(super) fn words(libtorch: &Libtorch) -> String {
    let half = if libtorch.cuda { "with CUDA" } else { "for the processor" };
    format!("{} {half}, {}", libtorch.version, libtorch.folder.display())
}

/// Installs it, or takes the one that `--existing` names.
pub(super) fn install(
    args: &InstallArgs,
    engines: &Engines,
    options: &InstallOptions,
    stop: &dyn Fn() -> bool,
) -> Result<Libtorch, EngineError> {
    if let Some(python) = &args.existing {
        return engines.adopt_libtorch(python);
    }
    let mut screen = Screen::new(LIBTORCH, LIBTORCH_BYTES.0 + LIBTORCH_BYTES.1);
    let libtorch = engines.install_libtorch(options, stop, &mut |step| screen.show(&step));
    screen.clear();
    libtorch
}

/// What is said once it is there.
pub(super) fn ready(libtorch: &Libtorch) -> String {
    format!(
        "LibTorch is ready ({}): `make worker-libtorch` builds a worker with it, whose devices are libtorch-cpu and libtorch-cuda.",
        words(libtorch)
    )
}

/// Prints its folder.
pub(super) fn path(args: &PathArgs) -> Result<u8, CommandError> {
    let engines = Engines::open(args.place.home.as_deref()).map_err(EnginesError::from)?;
    let libtorch = engines.check_libtorch().map_err(|error| match error {
        EngineError::Missing { .. } => EnginesError::NoLibtorch,
        other => EnginesError::Engine(other),
    })?;
    if args.place.json {
        output::say(&json!({ "name": args.name, "libtorch": libtorch }).to_string())?;
    } else {
        output::say(&libtorch.folder.display().to_string())?;
    }
    Ok(0)
}
