//! The subcommands of `recspeed` besides `serve`: `run`, `recommend`, `importance`, `export`, `plan`, `trace`, `compare`,
//! `search`, `features`, `engines`, `study`, `schema`, `recommenders` and `data`.
//!
//! Results go to standard output; progress, warnings and failures go to standard error, bars only where that is a
//! terminal. A reader that closes the pipe early, as `head` does, ends a command quietly, but
//! for a study, which says where its report is.

mod compare;
mod data;
mod engines;
mod failure;
mod features;
mod figures;
mod importance;
mod kept;
mod models;
mod once;
mod output;
mod plan;
mod recommenders;
mod run;
mod schema;
mod search;
mod study;
mod timeline;
mod trace;
mod warned;
mod writable;

use std::process::ExitCode;

use clap::Subcommand;

use failure::CommandError;

pub(crate) use study::{Settings, against_present, rows_that_it_lacks};

/// What `recspeed` can be asked for in a terminal, besides `serve`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an experiment and print its result
    Run(run::RunArgs),
    /// Ask a trained model: what it recommends to a user or for a basket, and why
    Recommend(models::RecommendArgs),
    /// Measure what a trained model loses where a feature tells nothing, without training it again
    Importance(models::ImportanceArgs),
    /// Write a trained model for other tools: Parquet, Arrow or safetensors
    Export(models::ExportArgs),
    /// Run several recommenders on the same data, with several seeds, and test their differences
    Compare(compare::CompareArgs),
    /// Search the parameters of recommenders on the validation rows, then measure the best once on the test rows
    Search(search::SearchArgs),
    /// Measure what each feature is worth: left out, shuffled, or derived and added
    Features(features::FeaturesArgs),
    /// Other frameworks that train the same networks: list, install and check them
    #[command(subcommand)]
    Engines(engines::EnginesCommand),
    /// Measure the paper's tables again on this machine, beside the paper's
    ///
    /// Every measurement is kept as soon as it is made. A study that is stopped, by Ctrl-C, SIGTERM or `timeout`, writes a report of what it has,
    /// which says that it is partial. The same command then goes on behind that, on the same machine with the same programs, also after a
    /// kill; --fresh measures everything anew.
    ///
    /// The page of a study shows its last report. One of fewer runs than usual, or of settings of its own, does not take the place of one that
    /// has more: it is kept beside it, and --publish has the page show it. Nor does it so in the files of --out and --document, which --replace
    /// writes over; rows of a part of the study are put among those that are there.
    ///
    /// A report of each study comes with the program: --recorded prints what Recspeed's authors measured on a machine of theirs.
    #[command(subcommand)]
    Study(study::StudyCommand),
    /// Print the JSON Schema of experiment specs
    Schema,
    /// Look at, make and bring data sets
    #[command(subcommand)]
    Data(data::DataCommand),
    /// List the recommenders, or describe one
    Recommenders(recommenders::RecommendersArgs),
    /// Draw a pipeline schedule, its bubble and what its ranks hold, before anything runs
    Plan(plan::PlanArgs),
    /// Write the timeline of a stored run in Chrome's trace event format, which Perfetto reads
    Trace(trace::TraceArgs),
}

/// Does what was asked. Blocks; may be called inside or outside an async runtime.
///
/// A failure is one sentence on standard error. Exit status: 0 done, 2 wrong input, otherwise as the worker's
/// (see [`recspeed_types::FailureCode::exit_status`]); `docs/exit-statuses.md` lists those of all commands.
pub fn run(command: Command) -> ExitCode {
    let outcome = match command {
        Command::Run(args) => run::run(args),
        Command::Recommend(args) => models::recommend(args),
        Command::Importance(args) => models::importance(args),
        Command::Export(args) => models::export(args),
        Command::Compare(args) => compare::run(args),
        Command::Search(args) => search::run(args),
        Command::Features(args) => features::run(args),
        Command::Engines(command) => engines::run(command),
        Command::Study(command) => study::run(command),
        Command::Schema => schema::print(),
        Command::Data(command) => data::run(command),
        Command::Recommenders(args) => recommenders::print(&args),
        Command::Plan(args) => plan::print(&args),
        Command::Trace(args) => trace::print(args),
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(CommandError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("recspeed: {error}"));
            ExitCode::from(error.exit_status())
        }
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::FailureCode;

    use super::Command;

    #[test]
    fn the_exit_statuses_of_every_command_stand_in_one_place() {
        let page = include_str!("../../../../docs/exit-statuses.md");
        let (statuses, commands) = page.split_once("What each command makes of them:").expect("two tables");
        for code in [
            FailureCode::InvalidSpec,
            FailureCode::OutOfMemory,
            FailureCode::Data,
            FailureCode::Cancelled,
            FailureCode::Diverged,
            FailureCode::TimeLimit,
            FailureCode::Checkpoint,
            FailureCode::Worker,
            FailureCode::Internal,
        ] {
            let row = format!("\n| {} | ", code.exit_status());
            assert_eq!(statuses.matches(&row).count(), 1, "{code:?}: one row `{}`", row.trim());
        }
        let all = <Command as clap::Subcommand>::augment_subcommands(clap::Command::new("recspeed"));
        for name in all.get_subcommands().map(clap::Command::get_name).chain(["serve"]) {
            assert!(commands.contains(&format!("`recspeed {name}`")), "docs/exit-statuses.md does not name {name}");
        }
    }
}
