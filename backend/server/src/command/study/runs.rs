//! The runs of a study, in turns, each kept as soon as it has ended.

use std::path::PathBuf;

use recspeed_engines::Engines;
use recspeed_types::memory::KILLED;
use recspeed_types::study::{Missing, StudyProgress, StudyReport};
use recspeed_types::summary::RunSummary;
use recspeed_types::{ExperimentSpec, FailureCode};
use serde::{Deserialize, Serialize};

use super::super::failure::CommandError;
use super::super::output;
use super::super::run::{Interrupts, Ran, Screen, WorkerError, WorkerOptions, find_worker, run_with_ledger};
use super::child::Answer;
use super::devices::Place;
use super::forecast::{self, Forecast};
use super::identity::{self, Identity};
use super::keep;
use super::log::{Log, numbered};
use super::memory::with_remedy;
use super::row::{Measured, Row};
use super::standing::{Ended, Standing, count_runs, not_reached};
use super::steps::Steps;
use super::{StudyArgs, limit, pins, tab};

/// One row before it has run.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    /// For people.
    pub(super) name: String,
    /// What it runs.
    pub(super) spec: ExperimentSpec,
    /// What it waits for, where that is known beforehand.
    pub(super) missing: Option<Missing>,
    /// What runs it.
    pub(super) by: By,
    /// Whether each of its runs has a seed of its own, one more than the last one's.
    pub(super) over_seeds: bool,
    /// In what its worker is another build than the usual one.
    pub(super) other_build: Option<String>,
}

/// What runs a row.
#[derive(Debug, Clone)]
pub(super) enum By {
    /// The worker.
    Worker,
    /// A fresh tab of a browser, after the same spec was run there as often.
    Tab {
        /// What opens it.
        program: PathBuf,
        /// Runs that do not count.
        before: u32,
    },
}

impl Planned {
    /// A row whose engine or device may not be here.
    pub(super) fn new(name: impl Into<String>, spec: ExperimentSpec, place: Place<'_>) -> Self {
        let (missing, other_build) = (place.lacks(&spec), place.other_build(&spec));
        Self { name: name.into(), spec, missing, by: By::Worker, over_seeds: false, other_build }
    }
}

/// A study whose rows are runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course<'a> {
    /// The study.
    pub(super) study: &'static str,
    /// What it was told.
    pub(super) args: &'a StudyArgs,
    /// The reference engines.
    pub(super) engines: &'a Engines,
    /// The command that measures the same, and goes on where this was stopped.
    pub(super) command: &'a str,
    /// Runs of each row.
    pub(super) repeats: u32,
    /// What of it needs less memory, in words.
    pub(super) less_memory: &'static str,
}

/// What came of all rows.
pub(super) struct Turns {
    pub(super) rows: Vec<Row>,
    repeats: u32,
    partial: Option<StudyProgress>,
    standing: Standing,
}

impl Turns {
    /// The report of these rows, with what is to be known of how it came about.
    pub(super) fn ended(self, mut report: StudyReport) -> Ended {
        if self.partial.is_some() {
            count_runs(&mut report, self.repeats);
        }
        self.standing.of(report, self.partial)
    }
}

/// What is kept of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Run {
    summary: RunSummary,
    /// The most bytes of each rank.
    ranks: Vec<u64>,
}

/// Every row in turns, but for the runs that are kept from an earlier sitting; `None` when the user stopped it before anything was
/// measured.
pub(super) fn in_turns(course: Course<'_>, planned: Vec<Planned>) -> Result<Option<Turns>, CommandError> {
    let Course { args, repeats, .. } = course;
    let options = WorkerOptions {
        program: find_worker(args.worker.as_deref())?,
        spec_dir: PathBuf::from("."),
        data_home: args.home.clone(),
        checkpoint_dir: None,
        model: None,
        models: None,
        resume: None,
        users: None,
        // The tables have none of them.
        baselines: false,
        silence: None,
        limit: None,
    };
    let names: Vec<&str> = planned.iter().map(|row| row.name.as_str()).collect();
    let keys = numbered(&names);
    let mut log = Log::<Run>::open(args.home.as_deref(), course.identity(&keys, &planned, &options), args.fresh)?;
    let interrupts = Interrupts::listen();
    let rows = keys.into_iter().zip(planned);
    let mut gathered: Vec<Gathered> = rows.map(|(key, row)| Gathered::of(key, row, &log, repeats)).collect();
    let order = order(&gathered, repeats);
    let kept: usize = gathered.iter().map(|row| row.runs.len()).sum();
    let mut steps = Steps::of(order.len(), kept);
    // Of another machine it tells nothing.
    let last = keep::last(args.home.as_deref(), course.study).filter(|last| last.machine.id == identity::machine());
    let mut forecast = Forecast::of(gathered.iter().map(|row| row.left(repeats, last.as_ref())));
    if let Some(words) = forecast.words() {
        output::complain(&format!(
            "recspeed: {words}, as far as earlier runs tell; stopped at any time, the same command goes on behind what \
             is kept."
        ));
    }
    let mut stopped = false;
    'turns: for repeat in 1..=repeats {
        let due = |row: &Gathered| row.goes_on() && row.runs.len() < repeat as usize;
        for (place, row) in gathered.iter_mut().enumerate().filter(|(_, row)| due(row)) {
            let title = format!("{}, {repeat} of {repeats}", row.planned.name);
            let kind = row.planned.spec.engine.kind;
            let options = WorkerOptions { silence: Some(args.silence_of(&row.planned.spec)), ..options.clone() };
            let ran = once(&row.planned, (repeat, args), &steps.title(&title), &options, &interrupts);
            let cause = match ran {
                Ok((Ran::Finished(summary), ranks)) => {
                    let seconds = summary.timing.fit_s;
                    let run = Run { summary: *summary, ranks };
                    row.take(run.clone());
                    log.add(&row.key, &turn(repeat), run);
                    forecast.ran(place, seconds);
                    let left = forecast.words().map_or_else(String::new, |words| format!("; {words}"));
                    steps.one(&format!("{title}: {seconds:.3} s{left}"));
                    continue;
                }
                Ok((Ran::Interrupted, _)) => {
                    stopped = true;
                    break 'turns;
                }
                Ok((Ran::Failed { code, cause, .. }, _)) => with_remedy(cause, Some(code), course.less_memory),
                // A worker that hangs or died: the study goes on with the others.
                Err(CommandError::Worker(WorkerError::Hung { after, log })) => {
                    limit::silent(&row.planned.name, after) + &log.to_string()
                }
                Err(CommandError::Worker(WorkerError::Killed { number: 9, ours: false, log, .. })) => {
                    with_remedy(format!("Its worker {KILLED}."), None, course.less_memory) + &log.to_string()
                }
                Err(CommandError::Worker(error)) => with_remedy(error.to_string(), None, course.less_memory),
                Err(error) => return Err(error),
            };
            let cause = pins::failed(course.engines, kind, cause);
            forecast.given_up(place);
            steps.fewer(repeats - repeat);
            steps.one(&format!("{title}: failed: {cause}"));
            row.failed = Some(cause);
        }
    }
    if stopped && gathered.iter().all(|row| row.runs.is_empty()) {
        return Ok(None);
    }
    let unreached = stopped.then(|| not_reached(course.command));
    Ok(Some(Turns {
        rows: gathered.into_iter().map(|row| row.finish(unreached.as_ref())).collect(),
        repeats,
        partial: stopped.then(|| steps.progress()),
        standing: log.close(&order),
    }))
}

impl Course<'_> {
    /// What must be the same for the runs of two sittings to stand in one table.
    fn identity(&self, keys: &[String], planned: &[Planned], options: &WorkerOptions) -> Identity {
        let mut identity = Identity::new(self.study, self.command);
        for (key, row) in keys.iter().zip(planned) {
            identity.row(key, &row.spec, &options.program, self.engines);
            if let By::Tab { program, .. } = &row.by {
                identity.program(program);
            }
        }
        identity
    }
}

/// What a run is kept under beside its row.
fn turn(repeat: u32) -> String {
    format!("round {repeat}")
}

/// Turn and row of every run that can be made, in the order in which they are.
fn order(rows: &[Gathered], repeats: u32) -> Vec<(String, String)> {
    let mut order = Vec::new();
    for repeat in 1..=repeats {
        order.extend(rows.iter().filter(|row| row.goes_on()).map(|row| (turn(repeat), row.key.clone())));
    }
    order
}

/// One run of a row, and the most bytes of each rank.
fn once(
    planned: &Planned,
    (repeat, args): (u32, &StudyArgs),
    title: &str,
    options: &WorkerOptions,
    interrupts: &Interrupts,
) -> Result<(Ran, Vec<u64>), CommandError> {
    let mut screen = Screen::new(title);
    let mut spec = planned.spec.clone();
    if planned.over_seeds {
        spec.seed = spec.seed.wrapping_add(u64::from(repeat - 1));
    }
    let ran = match &planned.by {
        By::Worker => run_with_ledger(&spec, options, &mut screen, interrupts),
        By::Tab { program, before } => {
            let failed = |cause: String| Ran::Failed { code: FailureCode::Worker, cause, refused: false };
            let time = args.time_of_tab();
            let ran = match tab::run(program, &spec, *before, time, interrupts) {
                Answer::Told(summary) => Ran::Finished(summary),
                Answer::Interrupted => Ran::Interrupted,
                Answer::Failed(cause) => failed(cause),
                Answer::Late => failed(limit::late(&planned.name, time)),
            };
            Ok((ran, Vec::new()))
        }
    };
    screen.clear();
    ran
}

/// A row while it is measured.
struct Gathered {
    /// What its runs are kept under.
    key: String,
    planned: Planned,
    failed: Option<String>,
    runs: Vec<RunSummary>,
    ranks: Vec<u64>,
}

impl Gathered {
    /// A row with the runs that are kept of it.
    fn of(key: String, planned: Planned, log: &Log<Run>, repeats: u32) -> Self {
        let mut row = Self { key, planned, failed: None, runs: Vec::new(), ranks: Vec::new() };
        if row.goes_on() {
            for run in (1..=repeats).map_while(|repeat| log.find(&row.key, &turn(repeat)).cloned()).collect::<Vec<_>>()
            {
                row.take(run);
            }
        }
        row
    }

    fn take(&mut self, run: Run) {
        self.runs.push(run.summary);
        self.ranks = run.ranks;
    }

    /// How many runs are left of it, and the seconds of one: those of its own, or else what the last report foretells.
    fn left(&self, repeats: u32, last: Option<&StudyReport>) -> (u32, Option<f64>) {
        let runs = if self.goes_on() { repeats.saturating_sub(self.runs.len() as u32) } else { 0 };
        let own = self.runs.last().map(|run| run.timing.fit_s);
        (runs, own.or_else(|| forecast::seconds(last?, &self.planned.name, &self.planned.spec)))
    }

    fn goes_on(&self) -> bool {
        self.planned.missing.is_none() && self.failed.is_none()
    }

    /// What came of it; `unreached` is why it has no run where the study was stopped.
    fn finish(self, unreached: Option<&Missing>) -> Row {
        let Planned { name, spec, missing, other_build, .. } = self.planned;
        let finished = self.runs.len();
        let result = match (missing, self.failed) {
            (Some(missing), _) => Measured::Missing(missing),
            (None, Some(cause)) => Measured::Failed { cause, finished },
            (None, None) if finished == 0 => match unreached {
                Some(unreached) => Measured::Missing(unreached.clone()),
                None => Measured::Failed { cause: "it never ran".to_owned(), finished },
            },
            (None, None) => Measured::Ran(self.runs),
        };
        Row { name, spec, result, ranks: self.ranks, other_build }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_hangs_is_ended_and_its_row_says_so() {
        use std::os::unix::fs::PermissionsExt as _;
        use std::time::Duration;
        let folder = tempfile::tempdir().expect("a folder");
        let (program, pid) = (folder.path().join("worker"), folder.path().join("pid"));
        let script = format!("#!/bin/sh\necho $$ > {}\necho a word >&2\nkill -STOP $$\n", pid.display());
        std::fs::write(&program, script).expect("a script");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a program");
        let planned = Planned {
            name: "Burn".to_owned(),
            spec: ExperimentSpec::default(),
            missing: None,
            by: By::Worker,
            over_seeds: false,
            other_build: None,
        };
        let options = WorkerOptions {
            program,
            spec_dir: PathBuf::from("."),
            data_home: None,
            checkpoint_dir: None,
            model: None,
            models: None,
            resume: None,
            users: None,
            baselines: false,
            silence: Some(Duration::from_secs(3)),
            limit: None,
        };
        let begun = std::time::Instant::now();
        let args = StudyArgs::default();
        let ended = once(&planned, (1, &args), "a row", &options, &Interrupts::listen());
        let Err(CommandError::Worker(error)) = ended else { panic!("it hangs") };
        let error = error.to_string();
        assert!(
            error.starts_with("the worker said nothing for 3 s and was ended; ") && error.contains("a word"),
            "{error}"
        );
        let pid = std::fs::read_to_string(pid).expect("it began").trim().to_owned();
        assert!(!std::path::Path::new("/proc").join(pid).exists(), "it was waited for");
        assert!(begun.elapsed() < Duration::from_mins(1));
    }
}
