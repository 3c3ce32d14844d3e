//! The binary `recspeed`: the lab's server and its commands in a terminal.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use recspeed_server::command::{self, Command};
use recspeed_server::serve::{self, ServeArgs};

/// A lab for recommender-system experiments.
#[derive(Debug, Parser)]
#[command(name = "recspeed", version)]
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
    match Arguments::parse().wanted {
        Wanted::Serve(args) => serve::run(args),
        Wanted::Command(wanted) => command::run(wanted),
    }
}
