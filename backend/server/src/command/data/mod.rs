//! `recspeed data`: look at, make and bring data sets.

use clap::Subcommand;

use super::failure::CommandError;

/// What `recspeed data` can do.
#[derive(Debug, Subcommand)]
pub enum DataCommand {}

/// A data set that cannot be found, read, made or brought.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {}

impl DataError {
    /// The exit status that stands for this failure.
    pub(crate) fn exit_status(&self) -> u8 {
        match *self {}
    }
}

/// Does what was asked.
pub(crate) fn run(command: DataCommand) -> Result<u8, CommandError> {
    match command {}
}
