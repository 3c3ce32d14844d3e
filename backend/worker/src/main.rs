//! `recspeed-worker`: reads one spec, tells its run as events on standard output, exits.
//!
//! Exit status: 0 finished, 1 a mistake in the lab, 2 the spec is invalid, 3 out of memory, 4 the data set cannot be
//! read, 5 diverged, 130 cancelled. SIGTERM and SIGINT mean: write a checkpoint, then leave within five seconds. The log
//! goes to standard error.

// They panic where their reader has gone: `output` does not.
#![cfg_attr(not(test), warn(clippy::print_stderr, clippy::print_stdout))]

mod allocation;
mod arguments;
#[cfg(test)]
mod bubbles;
mod checkpoint;
mod deadline;
mod device;
#[cfg(test)]
mod dying;
mod emitter;
#[cfg(test)]
mod every_strategy;
mod framework;
mod host;
mod importance;
mod keep;
mod last_words;
mod lines;
mod machine;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(not(feature = "mpi"))]
#[path = "mpi_absent.rs"]
mod mpi;
#[cfg(feature = "nccl")]
mod nccl;
#[cfg(not(feature = "nccl"))]
#[path = "nccl_absent.rs"]
mod nccl;
mod output;
mod per_user;
mod predict;
mod probe;
mod ran;
mod reader;
mod recommend;
mod retrieval;
mod session;
mod threads;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

/// Does what may hang in a driver, as long as whoever asked for it is there.
fn followed(work: impl FnOnce() -> ExitCode) -> ExitCode {
    if let Err(error) = watch::follow() {
        let what = "it cannot watch for the end of whoever started it";
        output::complain(format_args!("recspeed-worker: {what}: {error}"));
        return ExitCode::FAILURE;
    }
    work()
}

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match &arguments.command {
        Some(arguments::Command::Probe) => followed(probe::print),
        Some(arguments::Command::Predict(arguments)) => predict::write(arguments),
        Some(arguments::Command::Importance(arguments)) => importance::print(arguments),
        Some(arguments::Command::Recommend { model }) => recommend::serve(model),
        Some(arguments::Command::Retrieval(arguments)) => retrieval::print(arguments),
        Some(arguments::Command::TryDevice { device }) => followed(|| device::attempt(device)),
        #[cfg(feature = "nccl")]
        Some(arguments::Command::TryNccl) => followed(nccl::print),
        #[cfg(feature = "mpi")]
        Some(arguments::Command::EndRanks { folder }) => mpi::end_orphans(folder),
        None => {
            allocation::keep_freed_buffers();
            session::run(&arguments)
        }
    }
}
