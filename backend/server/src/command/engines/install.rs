//! `recspeed engines install`: one engine after the other, each whatever became of those before it.

use recspeed_engines::{EngineError, Engines, InstallOptions, LIBTORCH, Record, Reference, State};
use recspeed_types::FailureCode;
use serde_json::{Value, json};

use super::screen::Screen;
use super::{EnginesError, InstallArgs, installable, libtorch, megabytes, named, told, versions};
use crate::command::failure::CommandError;
use crate::command::once::each_once;
use crate::command::output;
use crate::command::run::Interrupts;

/// Installs what is named; exit status 1 where one of them could not be, and that of a cancelled run where somebody stopped it.
pub(super) fn install(args: &InstallArgs) -> Result<u8, CommandError> {
    let engines = Engines::open(args.place.home.as_deref()).map_err(EnginesError::from)?;
    if args.names.is_empty() {
        return Err(EnginesError::NoName { known: installable() }.into());
    }
    // All names are looked at before anything is downloaded.
    let names = each_once(("the command", "installed"), &args.names, String::clone);
    let (of_libtorch, names): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| *name == LIBTORCH);
    let wanted: Vec<&Reference> = names.into_iter().map(|name| named(name)).collect::<Result<_, _>>()?;
    let options = InstallOptions {
        python: args.python.clone(),
        extra_index: args.extra_index_url.clone(),
        needed_bytes: args.needs.map(|megabytes| megabytes.saturating_mul(1_000_000)),
    };
    if args.existing.is_none() {
        engines.room_for(&wanted, !of_libtorch.is_empty(), &options).map_err(EnginesError::from)?;
    }
    let interrupts = Interrupts::listen();
    let stop = || interrupts.came();
    let mut failures = Failures::default();
    let mut all = Vec::new();
    for reference in wanted {
        if failures.stopped {
            break;
        }
        let record = match engine(args, &engines, reference, (&options, &stop)) {
            Ok(record) => record,
            Err(error) => {
                failures.add(reference.kind.as_str(), &error);
                continue;
            }
        };
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
    let mut ready = None;
    if !of_libtorch.is_empty() && !failures.stopped {
        match libtorch::install(args, &engines, &options, &stop) {
            Ok(libtorch) => {
                if !args.place.json {
                    output::say(&output::printable(&libtorch::ready(&libtorch)))?;
                }
                ready = Some(libtorch);
            }
            Err(error) => failures.add(LIBTORCH, &error),
        }
    }
    if args.place.json {
        let (folder, failed) = (engines.root(), &failures.told);
        output::say(&json!({ "folder": folder, "engines": all, "libtorch": ready, "failures": failed }).to_string())?;
    }
    Ok(failures.exit_status())
}

fn engine(
    args: &InstallArgs,
    engines: &Engines,
    reference: &Reference,
    (options, stop): (&InstallOptions, &dyn Fn() -> bool),
) -> Result<Record, EngineError> {
    if let Some(python) = &args.existing {
        let kind = reference.kind.as_str();
        // A framework imports all its libraries first: on a busy machine that is minutes without a word.
        let (does, takes) = if engines.compiles(reference.kind) {
            ("compiling a part of it, then trying whether it starts", "minutes")
        } else {
            ("trying whether it starts", "a minute or more")
        };
        let words = format!("{kind}: {does} with {}, which may take {takes}", python.display());
        output::complain(&output::printable(&words));
        return engines.adopt(reference, python);
    }
    let mut screen = Screen::new(reference.kind.as_str(), reference.installed_bytes + reference.download_bytes);
    let record = engines.install(reference, options, stop, &mut |step| screen.show(&step));
    screen.clear();
    record
}

/// What could not be installed.
#[derive(Default)]
struct Failures {
    told: Vec<Value>,
    stopped: bool,
}

impl Failures {
    fn add(&mut self, name: &str, error: &EngineError) {
        output::complain(&format!("recspeed: {error}"));
        self.stopped |= matches!(error, EngineError::Stopped { .. });
        self.told.push(json!({ "name": name, "failure": error.to_string() }));
    }

    fn exit_status(&self) -> u8 {
        match (self.stopped, self.told.is_empty()) {
            (true, _) => FailureCode::Cancelled.exit_status(),
            (false, true) => 0,
            (false, false) => FailureCode::Internal.exit_status(),
        }
    }
}
