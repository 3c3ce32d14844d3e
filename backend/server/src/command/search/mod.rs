//! `recspeed search FILE`: parameters tried on the validation rows, every recommender with the same budget; the best of each is
//! written out and measured once on the test rows.

mod log;
mod outcome;
mod plan;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use recspeed_search::propose;
use recspeed_types::search::SearchMethod;
use recspeed_types::{FailureCode, MetricName};

use self::log::{Log, Trial};
use self::plan::{Member, Plan};
use super::failure::CommandError;
use super::kept::{Ended, KeepArgs, Keeper, Ran};
use super::{figures, output};

pub(crate) use plan::SearchError;

/// Arguments of `recspeed search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// A TOML spec or spec group (`[[compare]]`), with `[search]` or without
    #[arg(value_name = "FILE")]
    file: String,
    /// Trials of each recommender (20 unless set here or in the file)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    trials: Option<u32>,
    /// Seconds of each recommender: no trial begins after them
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// How the next trial is chosen (tpe unless set here or in the file)
    #[arg(long, value_name = "METHOD")]
    method: Option<Chosen>,
    /// What is optimised (the first metric unless set here or in the file)
    #[arg(long, value_name = "METRIC")]
    metric: Option<MetricName>,
    /// Replace one field of the spec, as dataset.sample=10000 (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where the log, the best specs and their results go (otherwise FILE's name with `.search`, here); a search goes on from there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Begin anew, whatever is there
    #[arg(long)]
    fresh: bool,
    /// Print the result as one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// The worker to use (otherwise `recspeed-worker` beside this program, then in PATH)
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
    /// Where imported data and caches lie (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
}

/// [`SearchMethod`] on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Chosen {
    Grid,
    Random,
    Tpe,
}

impl From<Chosen> for SearchMethod {
    fn from(chosen: Chosen) -> Self {
        match chosen {
            Chosen::Grid => Self::Grid,
            Chosen::Random => Self::Random,
            Chosen::Tpe => Self::Tpe,
        }
    }
}

/// Runs the search. Exit status 0 when every recommender has a result, 130 after Ctrl-C.
pub(crate) fn run(args: SearchArgs) -> Result<u8, CommandError> {
    let plan = Plan::new(&args)?;
    let folder = args.out.clone().unwrap_or_else(|| beside(&args.file));
    let keep = KeepArgs { keep: Some(folder.clone()), fresh: args.fresh, worker: args.worker, home: args.home };
    let keeper = Keeper::new(keep)?;
    let mut log = Log::open(&folder, &plan, args.fresh)?;
    for (place, member) in plan.members.iter().enumerate() {
        if let Some(status) = try_out(&plan, place, member, &mut log, &keeper)? {
            return Ok(status);
        }
    }
    let mut results = Vec::new();
    for (place, member) in plan.members.iter().enumerate() {
        let Some(best) = log.best(place, &plan).cloned() else {
            output::complain(&format!("{}: no trial finished; see {}", member.name, log.path().display()));
            continue;
        };
        let spec = plan.final_spec(member, &best)?;
        let title = format!("{}, the best of its trials on the test rows", member.name);
        let run = match keeper.run(&spec, &plan.dir, &title)? {
            Ended::Finished(run, kept) => {
                if !kept {
                    log.note_test(place, &run.summary.metrics)?;
                }
                run
            }
            Ended::Failed { code, cause } => {
                output::complain(&format!("{title}: failed: {cause}"));
                return Ok(code.exit_status());
            }
            Ended::Interrupted => return Ok(interrupted(&log)),
        };
        results.push(outcome::result(&plan, place, &best, &log, spec, *run));
    }
    let written = outcome::write(&folder, &plan, &results)?;
    let text = if args.json {
        serde_json::to_string(&results).map_err(std::io::Error::other)?
    } else {
        outcome::render(&plan, &results, &written, log.path())
    };
    output::say(&output::printable(&text))?;
    Ok(if results.len() == plan.members.len() { 0 } else { FailureCode::Diverged.exit_status() })
}

/// The usual folder: the file's name with `.search`, in the working folder.
fn beside(file: &str) -> PathBuf {
    let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    PathBuf::from(format!("{stem}.search"))
}

fn interrupted(log: &Log) -> u8 {
    output::complain(&format!(
        "recspeed: the search was interrupted. Kept: every trial that had ended, in {}, and how far the last one was; the same command goes on from there.",
        log.path().display()
    ));
    FailureCode::Cancelled.exit_status()
}

/// All trials of one member that its budget allows; a status when the search must end here.
fn try_out(
    plan: &Plan,
    place: usize,
    member: &Member,
    log: &mut Log,
    keeper: &Keeper,
) -> Result<Option<u8>, CommandError> {
    loop {
        let history = log.judged(place, member, plan);
        if plan.is_spent(history.len(), log.seconds(place)) {
            return Ok(None);
        }
        let Some(values) = propose(&member.space, plan.search.method, plan.seed(), &history) else { return Ok(None) };
        let spec = plan.trial_spec(member, &values)?;
        let number = history.len() + 1;
        let title = plan.title(member, number, &values);
        let (ran, seconds) = keeper.try_out(&spec, &plan.dir, &title)?;
        let trial = match ran {
            Ran::Interrupted => return Ok(Some(interrupted(log))),
            // What is wrong with the data or the spec is wrong in every trial.
            Ran::Failed { code: code @ (FailureCode::Data | FailureCode::InvalidSpec), cause } => {
                output::complain(&format!("recspeed: {title}: {cause}"));
                return Ok(Some(code.exit_status()));
            }
            Ran::Failed { cause, .. } => Trial::failed(place, number, member, &values, seconds, cause),
            Ran::Finished(summary) if log.data().is_some_and(|seen| seen != summary.data.sha256) => {
                return Err(SearchError::OtherData { path: log.path().display().to_string() }.into());
            }
            Ran::Finished(summary) => Trial::finished(place, number, member, &values, seconds, &summary, plan.metric),
        };
        let shown = trial.value.map_or_else(|| "failed".to_owned(), figures::value);
        output::complain(&format!("{title}: {} {shown} ({})", plan.metric, figures::seconds(seconds)));
        log.add(trial)?;
    }
}
