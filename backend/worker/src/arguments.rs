//! The worker's command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use recspeed_experiment::TOLD_STEPS;
use recspeed_types::RunId;

use crate::importance::ImportanceArguments;
use crate::machine;
use crate::predict::PredictArguments;
use crate::retrieval::RetrievalArguments;

/// Runs one experiment and exits.
#[derive(Debug, Parser)]
#[command(name = "recspeed-worker", version = machine::version(), about)]
pub(crate) struct Arguments {
    /// What to do instead of running a spec.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Read the spec from this file (TOML or JSON) instead of JSON from standard input.
    #[arg(long)]
    pub(crate) spec: Option<PathBuf>,

    /// The run's name in every event.
    #[arg(long, default_value = "local", value_parser = run_id)]
    pub(crate) run: RunId,

    /// Look relative data paths up here first; with --spec, the spec's own folder unless set.
    #[arg(long)]
    pub(crate) spec_dir: Option<PathBuf>,

    /// The lab's folder of data sets and caches.
    #[arg(long)]
    pub(crate) data_home: Option<PathBuf>,

    /// Write checkpoints into this folder.
    #[arg(long)]
    pub(crate) checkpoint_dir: Option<PathBuf>,

    /// Continue from this checkpoint of the same spec and data.
    #[arg(long)]
    pub(crate) resume: Option<PathBuf>,

    /// Keep the model of a finished run in this folder, in place of the model that is there.
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,

    /// Write the value of each user into this file (JSON) before the run's last event.
    #[arg(long)]
    pub(crate) users: Option<PathBuf>,

    /// Values of users that take more than this many bytes, or cannot be written, are a warning and no failure.
    #[arg(long, value_name = "BYTES", requires = "users")]
    pub(crate) users_limit: Option<u64>,

    /// Number of the first event: more than 0 when an earlier worker of this run has already spoken.
    #[arg(long, default_value_t = 0)]
    pub(crate) first_seq: u64,

    /// Microseconds that the run had taken when this worker was started.
    #[arg(long, default_value_t = 0)]
    pub(crate) start_us: u64,

    /// End the run when the process holds more than this many bytes (nine tenths of the machine's memory unless set).
    #[arg(long)]
    pub(crate) memory_limit: Option<u64>,

    /// End another framework that says nothing for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) engine_silence: u64,

    /// Tell of this many steps when each rank of a divided training did what, from the second step on: an event for
    /// every pass and message of every rank, between which a GPU is waited for.
    #[arg(long, value_name = "N", default_value_t = TOLD_STEPS, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) told_steps: u32,

    /// Fit no baselines beside the run, and tell nothing of them: for runs of which one is chosen.
    #[arg(long)]
    pub(crate) no_baselines: bool,

    /// This is one of the ranks that share this folder.
    #[cfg(feature = "mpi")]
    #[arg(long, hide = true)]
    pub(crate) ranks_in: Option<PathBuf>,

    /// Microseconds since 1970 at the moment that --start-us tells of, so that the ranks' clocks agree.
    #[arg(long, hide = true)]
    pub(crate) started_at: Option<u64>,
}

/// What to do instead of running a spec.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Print as JSON what this build can do: devices with memory, features, versions.
    Probe,
    /// Write what a saved model predicts for the rows of its split, as a table.
    Predict(PredictArguments),
    /// Print as JSON what a saved model loses where a feature is dealt out anew; nothing is learnt.
    Importance(ImportanceArguments),
    /// Read ratings back from one of the lab's containers, and print as JSON how long that took and what it holds.
    Retrieval(RetrievalArguments),
    /// Use a device, for a process that must not be taken along when its driver crashes.
    #[command(hide = true)]
    TryDevice {
        /// Its name in a spec.
        device: String,
    },
    /// Print as one line of JSON what a communicator of one rank does on the first GPU.
    #[cfg(feature = "nccl")]
    #[command(hide = true)]
    TryNccl,
    /// Wait until standard input is closed, and end the ranks that share a folder.
    #[cfg(feature = "mpi")]
    #[command(hide = true)]
    EndRanks {
        /// The folder.
        folder: PathBuf,
    },
    /// Answer from a saved model: one question a line as JSON on standard input, one answer a line on standard output.
    Recommend {
        /// The folder of the model.
        #[arg(long, value_name = "DIR")]
        model: PathBuf,
    },
}

fn run_id(text: &str) -> Result<RunId, String> {
    RunId::new(text).map_err(|error| error.to_string())
}
