//! The runs of a study, in turns.

use std::path::PathBuf;
use std::time::Duration;

use recspeed_types::study::Missing;
use recspeed_types::summary::RunSummary;
use recspeed_types::{ExperimentSpec, FailureCode};

use super::super::failure::CommandError;
use super::super::run::{Interrupts, Ran, Screen, WorkerOptions, find_worker, run_with_ledger};
use super::child::Answer;
use super::devices::Place;
use super::row::{Measured, Row};
use super::steps::Steps;
use super::{StudyArgs, tab};

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
    /// Whether its worker is an older build than the usual one.
    pub(super) older_build: bool,
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
        let (missing, older_build) = (place.lacks(&spec), place.takes_older_build(&spec));
        Self { name: name.into(), spec, missing, by: By::Worker, over_seeds: false, older_build }
    }
}

/// How long a worker may say nothing: it is given more than it gives another framework, and the study goes on without it.
const SILENCE: Duration = Duration::from_mins(30);

/// Every row in turns, `repeats` times; `None` when the user stopped it.
pub(super) fn in_turns(
    args: &StudyArgs,
    repeats: u32,
    planned: Vec<Planned>,
) -> Result<Option<Vec<Row>>, CommandError> {
    let options = WorkerOptions {
        program: find_worker(args.worker.as_deref())?,
        spec_dir: PathBuf::from("."),
        data_home: args.home.clone(),
        checkpoint_dir: None,
        model: None,
        resume: None,
        users: None,
        silence: Some(SILENCE),
    };
    let interrupts = Interrupts::listen();
    let mut gathered: Vec<Gathered> = planned.into_iter().map(Gathered::new).collect();
    let ahead = gathered.iter().filter(|row| row.goes_on()).count();
    let mut steps = Steps::of(ahead * repeats as usize);
    for repeat in 1..=repeats {
        for row in gathered.iter_mut().filter(|row| row.goes_on()) {
            let title = format!("{}, {repeat} of {repeats}", row.planned.name);
            let cause = match once(&row.planned, repeat, &steps.title(&title), &options, &interrupts) {
                Ok((Ran::Finished(summary), ranks)) => {
                    steps.one(&format!("{title}: {:.3} s", summary.timing.fit_s));
                    row.runs.push(*summary);
                    row.ranks = ranks;
                    continue;
                }
                Ok((Ran::Interrupted, _)) => return Ok(None),
                Ok((Ran::Failed { cause, .. }, _)) => cause,
                // A worker that died: the study goes on with the others.
                Err(CommandError::Worker(error)) => error.to_string(),
                Err(error) => return Err(error),
            };
            steps.fewer(repeats - repeat);
            steps.one(&format!("{title}: failed: {cause}"));
            row.failed = Some(cause);
        }
    }
    Ok(Some(gathered.into_iter().map(Gathered::finish).collect()))
}

/// One run of a row, and the most bytes of each rank.
fn once(
    planned: &Planned,
    repeat: u32,
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
        By::Tab { program, before } => Ok(match tab::run(program, &spec, *before, interrupts) {
            Answer::Told(summary) => (Ran::Finished(summary), Vec::new()),
            Answer::Interrupted => (Ran::Interrupted, Vec::new()),
            Answer::Failed(cause) => (Ran::Failed { code: FailureCode::Worker, cause }, Vec::new()),
        }),
    };
    screen.clear();
    ran
}

/// A row while it is measured.
struct Gathered {
    planned: Planned,
    failed: Option<String>,
    runs: Vec<RunSummary>,
    ranks: Vec<u64>,
}

impl Gathered {
    fn new(planned: Planned) -> Self {
        Self { planned, failed: None, runs: Vec::new(), ranks: Vec::new() }
    }

    fn goes_on(&self) -> bool {
        self.planned.missing.is_none() && self.failed.is_none()
    }

    fn finish(self) -> Row {
        let Planned { name, spec, missing, older_build, .. } = self.planned;
        let finished = self.runs.len();
        let result = match (missing, self.failed) {
            (Some(missing), _) => Measured::Missing(missing),
            (None, Some(cause)) => Measured::Failed { cause, finished },
            (None, None) if finished == 0 => Measured::Failed { cause: "it never ran".to_owned(), finished },
            (None, None) => Measured::Ran(self.runs),
        };
        Row { name, spec, result, ranks: self.ranks, older_build }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_hangs_is_ended_and_its_row_says_so() {
        use std::os::unix::fs::PermissionsExt as _;
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
            older_build: false,
        };
        let options = WorkerOptions {
            program,
            spec_dir: PathBuf::from("."),
            data_home: None,
            checkpoint_dir: None,
            model: None,
            resume: None,
            users: None,
            silence: Some(Duration::from_secs(3)),
        };
        let begun = std::time::Instant::now();
        let ended = once(&planned, 1, "a row", &options, &Interrupts::listen());
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
