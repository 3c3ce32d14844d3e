//! `recspeed search FILE`: parameters tried on the validation rows, every recommender with the same budget; the best of each is
//! written out and measured once on the test rows.

mod log;
mod outcome;
mod plan;
mod trials;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use recspeed_types::limits::MAX_TRIALS;
use recspeed_types::search::SearchMethod;
use recspeed_types::{FailureCode, MetricName};

use self::log::{Log, Trial};
use self::outcome::Outcome;
use self::plan::Plan;
use self::trials::{Tried, try_out};
use super::failure::CommandError;
use super::kept::{Among, Ended, KeepArgs, Keeper};
use super::{output, warned};

pub(crate) use plan::SearchError;

/// Arguments of `recspeed search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// A TOML spec or spec group (`[[compare]]`), with `[search]` or without
    #[arg(value_name = "FILE")]
    file: String,
    /// Trials of each recommender (20 unless set here or in the file)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_TRIALS)))]
    trials: Option<u32>,
    /// Seconds of each recommender: the trial that runs then is cut off
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seconds: Option<f64>,
    /// How the next trial is chosen (tpe unless set here or in the file)
    #[arg(long, value_name = "METHOD")]
    method: Option<Chosen>,
    /// What is optimised (the first metric unless set here or in the file)
    #[arg(long, value_name = "METRIC")]
    metric: Option<MetricName>,
    /// Replace one field of every spec, as dataset.sample=10000, or of one of a group, as compare.0.recommender.neighbours=5 (may be
    /// repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where the log, the best specs and their results go (otherwise FILE's name with `.search`, here): a new or empty folder, or one with an
    /// earlier search, which goes on from there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Begin anew in place of the earlier search that is there
    #[arg(long)]
    fresh: bool,
    /// Print the results as one JSON list and nothing else on standard output
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

/// Runs the search. Exit status 0 when every recommender has a result, that of the first failure when one has none, 130 after Ctrl-C.
pub(crate) fn run(args: SearchArgs) -> Result<u8, CommandError> {
    let plan = Plan::new(&args)?;
    let folder = args.out.clone().unwrap_or_else(|| beside(&args.file));
    let keep = KeepArgs { keep: Some(folder.clone()), fresh: args.fresh, worker: args.worker, home: args.home };
    let keeper = Keeper::new(keep, "--out")?;
    let mut log = Log::open(&folder, &plan, args.fresh)?;
    // Why a recommender takes more than there is.
    let mut too_large: Vec<Option<String>> = vec![None; plan.members.len()];
    for (place, why) in too_large.iter_mut().enumerate() {
        match try_out(&plan, place, &mut log, &keeper)? {
            Tried::All => {}
            Tried::TooLarge(cause) => *why = Some(cause),
            Tried::End(status) => return Ok(status),
        }
    }
    let best: Vec<Option<Trial>> = (0..plan.members.len()).map(|place| log.best(place, &plan).cloned()).collect();
    let specs = plan.final_specs(&best.iter().map(Option::as_ref).collect::<Vec<_>>())?;
    let mut all = Vec::new();
    for (place, (member, found)) in plan.members.iter().zip(best.iter().zip(specs)).enumerate() {
        if let Some(cause) = too_large[place].take() {
            output::complain(&format!("{}: no result: it takes more than there is as it is, too", member.name));
            all.push(outcome::without(&plan, place, &log, (FailureCode::OutOfMemory, cause)));
            continue;
        }
        let (Some(best), Some(spec)) = found else {
            let last = log.last_failed(place);
            let code = last.and_then(|trial| trial.code).unwrap_or(FailureCode::Diverged);
            let remedy = if code == FailureCode::TimeLimit { "give more with --seconds, or " } else { "" };
            output::complain(&format!("{}: no trial finished; {remedy}see {}", member.name, log.path().display()));
            let cause = last.and_then(|trial| trial.cause.clone());
            let cause = cause.unwrap_or_else(|| format!("no trial gave {} a value", plan.metric));
            all.push(outcome::without(&plan, place, &log, (code, cause)));
            continue;
        };
        let title = format!("{}, the best of its trials on the test rows", member.name);
        let among = Among { title, place: plan.place_of(place), ..Among::default() };
        match keeper.run(&spec, &plan.dir, &among)? {
            Ended::Finished(run, _) => {
                let file = keeper.name_of(&spec, &plan.dir);
                warned::complain([(member.name.as_str(), &run.summary)]);
                log.note_test(place, &file, &run.summary.metrics)?;
                all.push(outcome::result(&plan, place, best, &log, *run, file));
            }
            // The others are measured all the same.
            Ended::Failed { code, cause } => {
                output::complain(&format!("{}: failed: {cause}", among.title));
                all.push(outcome::without(&plan, place, &log, (code, cause)));
            }
            Ended::Interrupted => return Ok(interrupted(&log)),
        }
    }
    let written = outcome::write(&folder, &plan, &all)?;
    let text = if args.json {
        serde_json::to_string(&all).map_err(std::io::Error::other)?
    } else {
        outcome::render(&plan, &all, &written, log.path())
    };
    output::say(&output::printable(&text))?;
    Ok(all.iter().find_map(Outcome::failure).map_or(0, FailureCode::exit_status))
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
