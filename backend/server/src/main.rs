//! The binary `recspeed`: the lab's server and its commands in a terminal.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use recspeed_server::build;
use recspeed_server::command::{self, Command};
use recspeed_server::serve::{self, ServeArgs};

/// What this program was built from, as `make` says it to the compiler; cargo alone says nothing.
#[cfg(not(test))]
const BUILT_FROM: Option<&str> = option_env!("RECSPEED_BUILD");
#[cfg(test)]
const BUILT_FROM: Option<&str> = None;

/// A lab for recommender-system experiments.
#[derive(Debug, Parser)]
#[command(name = "recspeed", version = build::version())]
struct Arguments {
    #[command(subcommand)]
    wanted: Wanted,
}

#[derive(Debug, Subcommand)]
enum Wanted {
    /// Open the lab: serve its page, its API and its queue
    Serve(ServeArgs),
    #[command(flatten)]
    Command(Command),
}

fn main() -> ExitCode {
    build::tell(BUILT_FROM);
    match Arguments::parse().wanted {
        Wanted::Serve(args) => serve::run(args),
        Wanted::Command(wanted) => command::run(wanted),
    }
}
