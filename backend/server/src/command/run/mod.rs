//! `recspeed run FILE`: one experiment in the terminal, through the same worker and protocol as on the server.

mod ending;
mod interrupt;
mod lines;
mod model;
mod progress;
mod ranks;
mod silence;
mod spec_file;
mod story;
mod summary;
mod worker;
mod worker_error;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, RunEvent, RunSummary};

pub(super) use interrupt::Interrupts;
pub(super) use lines::Among;
pub(super) use progress::Screen;
pub(crate) use spec_file::SpecFileError;
pub(super) use spec_file::{SearchFile, SpecFile};
pub(super) use worker::{WorkerOptions, find as find_worker};
pub(crate) use worker_error::WorkerError;

use self::ending::Ending;
use self::model::LabModels;
use self::silence::Silence;
use self::story::Story;
use self::worker::{Heard, WorkerProcess};
use super::failure::CommandError;
use super::models::ModelCommandError;
use super::timeline::trace_of;
use super::writable;
use super::{figures, output};
use crate::whole_file;

/// How long a worker that was asked to stop may take before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Signals this close together are one wish: `timeout`, for one, sends its signal to the process and to its group.
const SAME_INTERRUPT: Duration = Duration::from_millis(500);

/// Arguments of `recspeed run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The spec: a TOML or JSON file, `-` for standard input, or a permalink (anything with `#x=`)
    #[arg(value_name = "FILE")]
    file: String,
    /// Replace one field of the spec, as training.epochs=5 (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the result as one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// Also show the metrics of groups: users by activity, items by popularity, cold and warm
    #[arg(long, conflicts_with = "json")]
    groups: bool,
    /// The worker to use (otherwise `recspeed-worker` beside this program, then in PATH)
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
    /// Where imported data and caches lie (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
    /// Keep the last three checkpoints of the run in this folder, for --resume. One may be written after each epoch of a network and
    /// after each iteration of a fit in iterations, of a hybrid while it fits such a component, and one when the run is told to stop;
    /// never within 2 seconds of another, nor within 20 times what writing that took. Recommenders that are fitted in one go, as
    /// slope-one or ease, and other engines keep none
    #[arg(long, value_name = "DIR")]
    checkpoint_dir: Option<PathBuf>,
    /// Keep the trained model in this folder and not in the lab's, for `recspeed recommend`, `importance` and `export`, which take
    /// --model DIR then and not --run ID: a new or empty folder, or one with an earlier model, which it replaces
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Keep no model. Otherwise the lab's folder keeps it under the name of the run, the newest ones as far as `recspeed serve` was last
    /// told to have room (--model-space, 20 GiB unless set)
    #[arg(long, conflicts_with = "model")]
    no_keep: bool,
    /// Write the measured timeline of a training on several ranks, with the planned one, in Chrome's trace event format (JSON), which
    /// Perfetto reads: a new file, or one with an earlier timeline, which it replaces
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Continue from a checkpoint of the same recommender, training, seed, rows and attributes
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
}

/// Runs the experiment. The exit status is the worker's; 2 when the spec is invalid, 130 after Ctrl-C.
pub(crate) fn run(args: RunArgs) -> Result<u8, CommandError> {
    let SpecFile { spec, dir, title, .. } = SpecFile::read(&args.file, &args.set)?;
    check_places(&args)?;
    if let Some(told) = without_checkpoints(&args, &spec) {
        output::complain(&told);
    }
    let elsewhere = args.no_keep || args.model.is_some();
    let models = if elsewhere { None } else { LabModels::of(args.home.as_deref()) };
    let options = WorkerOptions {
        program: find_worker(args.worker.as_deref())?,
        spec_dir: dir,
        data_home: args.home,
        checkpoint_dir: args.checkpoint_dir,
        model: args.model,
        models: models.as_ref().map(|models| models.folder().to_owned()),
        resume: args.resume,
        users: None,
        baselines: true,
        silence: None,
        limit: None,
    };
    let mut screen = Screen::with_lines(&title);
    let (worker, mut story) = watch(&spec, &options, &mut screen, &Interrupts::listen())?;
    screen.clear();
    for warning in story.unshown_warnings(screen.visible()) {
        output::complain(&format!("recspeed: warning: {warning}"));
    }
    let last = story.take_last();
    let finished = matches!(last, Some(EventKind::Finished { .. }));
    let kept = models.is_some_and(|models| models.settle(story.run(), finished));
    match last {
        Some(EventKind::Finished { summary }) => {
            let text = if args.json {
                serde_json::to_string(&summary).map_err(std::io::Error::other)?
            } else {
                let text = summary::render(&title, &spec, &summary, &story.losses, args.groups);
                let ranks = story.ranks().as_text(&spec);
                let model = kept.then(|| asked_by(&summary));
                [Some(text), ranks, model].into_iter().flatten().collect::<Vec<_>>().join("\n")
            };
            output::say(&output::printable(&text))?;
            if let Some(path) = &args.trace {
                match trace_of(&spec, story.spans()) {
                    Some(text) => whole_file::write(path, text.as_bytes())
                        .map_err(|source| CommandError::WriteFile { path: path.clone(), source })?,
                    None => output::complain(
                        "no trace was written: ranks tell when they did what, and this training was not divided among several of them \
                         or took too few steps; see [strategy]",
                    ),
                }
            }
            let status = worker.after_finished()?;
            match options.model {
                Some(dir) if !holds_model_of(&dir, &summary) => Err(CommandError::ModelNotKept { dir }),
                _ => Ok(status),
            }
        }
        Some(EventKind::Failed { code, cause, detail, .. }) => {
            output::complain(&format!("recspeed: {cause}"));
            if !detail.is_empty() {
                output::complain(&detail);
            }
            if code == FailureCode::Cancelled || worker.interrupted {
                output::complain(&story.kept(options.checkpoint_dir.as_deref()));
            }
            Ok(worker.after_failed(code))
        }
        _ if worker.interrupted => {
            output::complain("recspeed: the run was interrupted.");
            output::complain(&story.kept(options.checkpoint_dir.as_deref()));
            Ok(FailureCode::Cancelled.exit_status())
        }
        _ => Err(worker.without_end(&options.program).into()),
    }
}

/// Refuses places that nothing can be written to, before the work that they are for, and tells what will be replaced.
fn check_places(args: &RunArgs) -> Result<(), CommandError> {
    if let Some(dir) = &args.model {
        writable::folder("--model", dir)?;
        recspeed_models::check_place(dir).map_err(ModelCommandError::from)?;
    }
    if let Some(dir) = &args.checkpoint_dir {
        writable::folder("--checkpoint-dir", dir)?;
    }
    if let Some(path) = &args.trace {
        writable::trace("--trace", path)?;
    }
    // An earlier model stays until this run has its own: there is time to stop the run.
    if let Some(dir) = &args.model
        && let Ok(earlier) = recspeed_models::manifest(dir)
    {
        output::complain(&format!(
            "recspeed: {} holds the model of the run {} ({} on {}); the model of this run will replace it",
            dir.display(),
            earlier.run,
            earlier.spec.recommender.kind,
            earlier.data.name
        ));
    }
    Ok(())
}

/// That the folder for checkpoints gets none, and why.
fn without_checkpoints(args: &RunArgs, spec: &ExperimentSpec) -> Option<String> {
    let folder = args.checkpoint_dir.as_ref()?;
    // What has mistakes is told by the worker.
    let none = spec.resolve().ok()?.no_checkpoints()?;
    Some(format!("recspeed: {none}; nothing will be written to {}", folder.display()))
}

/// Whether the model in a folder is that of the run, and not an older one: a worker that cannot keep it only warns.
fn holds_model_of(dir: &Path, summary: &RunSummary) -> bool {
    recspeed_models::manifest(dir).is_ok_and(|manifest| manifest.run == summary.run)
}

/// How the kept model is asked.
fn asked_by(summary: &RunSummary) -> String {
    let run = &summary.run;
    format!(
        "The lab keeps the model: `recspeed recommend --run {run} --user U` asks it, \
         `recspeed export --run {run} --to DIR` writes it."
    )
}

/// How a run among others ended: its result, its failure, or not at all because the user stopped it.
pub(super) enum Ran {
    Finished(Box<RunSummary>),
    /// `refused`: before any work, for its spec, its data or what it would take.
    Failed {
        code: FailureCode,
        cause: String,
        refused: bool,
    },
    Interrupted,
}

/// Runs one spec among others, without printing anything.
///
/// # Errors
/// [`WorkerError`], when the worker cannot be started or breaks its word.
pub(super) fn run_quietly(
    spec: &ExperimentSpec,
    options: &WorkerOptions,
    screen: &mut Screen,
    interrupts: &Interrupts,
) -> Result<Ran, CommandError> {
    run_with_ledger(spec, options, screen, interrupts).map(|(ran, _)| ran)
}

/// The same, with the most bytes that each rank of the run has held: by its own ledger, or its process where another framework
/// trained, which keeps none. Once somebody has interrupted, no run begins.
///
/// # Errors
/// As [`run_quietly`].
pub(super) fn run_with_ledger(
    spec: &ExperimentSpec,
    options: &WorkerOptions,
    screen: &mut Screen,
    interrupts: &Interrupts,
) -> Result<(Ran, Vec<u64>), CommandError> {
    // The run before this one may have been told to stop when it had nothing left to do but to end well.
    if interrupts.came() {
        return Ok((Ran::Interrupted, Vec::new()));
    }
    let (worker, mut story) = match watch(spec, options, screen, interrupts) {
        // Whoever does not stop in time is killed, in the midst of a line as well: that is no failure of the run.
        Err(_) if interrupts.came() => return Ok((Ran::Interrupted, Vec::new())),
        watched => watched?,
    };
    let ran = match story.take_last() {
        _ if worker.cut_off => {
            let limit = figures::seconds(options.limit.unwrap_or_default().as_secs_f64());
            let cause = format!("the {limit} that were left to it are over");
            Ran::Failed { code: FailureCode::TimeLimit, cause, refused: false }
        }
        Some(EventKind::Finished { summary }) => worker.after_finished().map(|_| Ran::Finished(summary))?,
        _ if worker.interrupted => Ran::Interrupted,
        Some(EventKind::Failed { code: FailureCode::Cancelled, .. }) => Ran::Interrupted,
        Some(EventKind::Failed { code, cause, refusal, .. }) => Ran::Failed { code, cause, refused: refusal.is_some() },
        _ => return Err(worker.without_end(&options.program).into()),
    };
    let ranks = if spec.engine.kind.is_reference() { story.peaks() } else { story.held() };
    Ok((ran, ranks))
}

/// Starts the worker and listens until it has ended. Where that goes wrong there is no run whose name anybody knows: its model, whole or
/// half, goes with it.
fn watch(
    spec: &ExperimentSpec,
    options: &WorkerOptions,
    screen: &mut Screen,
    interrupts: &Interrupts,
) -> Result<(Ending, Story), WorkerError> {
    let process = WorkerProcess::start(spec, options)?;
    let run = process.run_id().clone();
    // The process is over with this call, however it ends.
    let watched = listen(process, options, screen, interrupts);
    if watched.is_err()
        && let Some(models) = &options.models
    {
        model::leave_nothing(models, &run);
    }
    watched
}

/// Listens to a worker until it has ended.
fn listen(
    mut process: WorkerProcess,
    options: &WorkerOptions,
    screen: &mut Screen,
    interrupts: &Interrupts,
) -> Result<(Ending, Story), WorkerError> {
    let mut story = Story::new(process.run_id().clone());
    let mut asked: Option<Instant> = None;
    let begun = Instant::now();
    let mut silence = Silence::default();
    let cut_off = loop {
        // Nothing of it is kept, so it is not asked to stop, which may take it as long as a checkpoint does; nor is it heard any more:
        // its last line may be half of one.
        let is_late = || options.limit.is_some_and(|limit| begun.elapsed() >= limit);
        if asked.is_none() && !story.is_over() && is_late() {
            process.kill();
            break true;
        }
        if interrupts.take() > 0 {
            match asked {
                None => {
                    process.terminate();
                    asked = Some(Instant::now());
                    screen.note("stopping: the worker may write a checkpoint; Ctrl-C again ends it at once");
                }
                Some(since) if since.elapsed() > SAME_INTERRUPT => process.kill(),
                Some(_) => {}
            }
        }
        if asked.is_some_and(|since| since.elapsed() >= STOP_GRACE) {
            process.kill();
        }
        match process.hear(Duration::from_millis(200)) {
            Heard::Line(line) => {
                let event: RunEvent = match worker::parse(&line) {
                    Ok(event) => event,
                    Err(error) => return Err(process.give_up(error)),
                };
                silence.hear(&event.kind, begun.elapsed());
                screen.show(&event.kind);
                if let Err(error) = story.hear(event) {
                    return Err(process.give_up(error));
                }
                if story.is_over() {
                    process.expect_end(STOP_GRACE);
                }
            }
            Heard::TooLong => return Err(process.give_up(WorkerError::too_long())),
            Heard::Nothing => {
                if asked.is_none()
                    && !story.is_over()
                    && let Some(after) = process.stopped_too_long()
                {
                    return Err(process.give_up(WorkerError::stopped(after)));
                }
                let now = begun.elapsed();
                let is_too_long = |limit: &Duration| silence.lasts(now) > *limit && silence.foretold(now).is_none();
                if let Some(limit) = options.silence.filter(is_too_long) {
                    return Err(process.give_up(WorkerError::hung(limit)));
                }
                screen.silence(silence.lasts(now), silence.foretold(now));
                // Bars say it where they are seen.
                if !screen.visible()
                    && let Some(told) = silence.told(now)
                {
                    output::complain(&format!("recspeed: {told}"));
                }
            }
            Heard::End => break false,
        }
    };
    Ok((Ending { cut_off, ..process.ending(asked.is_some())? }, story))
}
