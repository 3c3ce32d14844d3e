//! One run from the first event to the exit status.

use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use recspeed_datasets::{DataHome, LookUp};
use recspeed_experiment::{Numbering, Outcome, RunFailure};
use recspeed_types::limits::MAX_SPEC_BYTES;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, RunSummary};

use crate::arguments::Arguments;
use crate::checkpoint::{Checkpoints, Resume};
use crate::emitter::Emitter;
use crate::host::Process;
use crate::mpi::{self, Member};
use crate::output::complain;
use crate::{keep, machine, per_user, watch};

/// Runs the spec; the exit status tells how it ended.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let numbering = Numbering::new(arguments.run.clone(), arguments.first_seq, arguments.start_us);
    let emitter = Emitter::new(numbering, arguments.start_us, arguments.started_at);
    let memory_limit = arguments.memory_limit.or_else(|| machine::memory_total().map(|total| total / 10 * 9));
    // The watch comes first: a rank may wait for the others as soon as it joins them.
    let watched = watch::start(&emitter, memory_limit, arguments.spec.is_none() || mpi::is_rank(arguments));
    let member = Member::of(arguments, &emitter);
    // A panic is a mistake in the lab: it becomes the run's last event like any other failure, its place goes to the log.
    let result = catch_unwind(AssertUnwindSafe(|| {
        let stop = watched.map_err(|error| {
            RunFailure::new(FailureCode::Internal, format!("The worker cannot watch for signals: {error}."))
        })?;
        attempt(arguments, &emitter, member.as_ref(), (stop, memory_limit))
    }))
    .unwrap_or_else(|panic| {
        let words = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        // A device of its own has memory of its own, and Burn can only panic when that is full.
        if words.to_lowercase().contains("out of memory") {
            let cause = "The device ran out of memory; take a smaller batch (training.batch_size) or smaller layers.";
            return Err(RunFailure::new(FailureCode::OutOfMemory, cause).with_detail(words));
        }
        Err(RunFailure::new(
            FailureCode::Internal,
            "The lab made a mistake and could not finish this run; please report it with the detail below.",
        )
        .with_detail(words))
    });
    match result {
        Ok(summary) => {
            emitter.emit(EventKind::Finished { summary: Box::new(summary) });
            if let Some(member) = member {
                member.part(None);
            }
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let status = failure.code.exit_status();
            complain(format_args!("recspeed-worker: {failure}"));
            emitter.emit(failure.clone().into_event());
            if let Some(member) = member {
                member.part(Some(&failure));
            }
            ExitCode::from(status)
        }
    }
}

fn attempt(
    arguments: &Arguments,
    emitter: &Emitter,
    member: Option<&Rc<Member>>,
    (stop, memory_limit): (Arc<AtomicBool>, Option<u64>),
) -> Result<RunSummary, RunFailure> {
    let spec = read_spec(arguments)?;
    let threads = threads_of(&spec, machine::cores());
    let threads = match member {
        None => threads,
        Some(member) => {
            member.listen(emitter, &stop);
            // Ranks divide what the run may use.
            Some((threads.unwrap_or_else(machine::cores) / member.ranks() as u32).max(1))
        }
    };
    #[cfg(feature = "mpi")]
    if member.is_none()
        && let Ok(resolved) = spec.resolve()
        && resolved.strategy.launcher == recspeed_types::spec::Launcher::Mpi
    {
        return mpi::launch(arguments, (&spec, &resolved.strategy), emitter, &stop, memory_limit);
    }
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build_global().map_err(|error| {
            RunFailure::new(FailureCode::InvalidSpec, format!("engine.threads = {threads} cannot be had: {error}."))
        })?;
    }
    let home = DataHome::open(arguments.data_home.clone())
        .map_err(|error| RunFailure::new(FailureCode::Data, error.to_string()))?;
    let spec_dir =
        arguments.spec_dir.clone().or_else(|| arguments.spec.as_deref().and_then(Path::parent).map(Path::to_owned));
    let mut process = Process {
        emitter: emitter.clone(),
        stop,
        home,
        look_up: LookUp::from_env(spec_dir),
        checkpoints: arguments.checkpoint_dir.as_deref().map(Checkpoints::new),
        memory_limit,
        engine_silence: Duration::from_secs(arguments.engine_silence),
        resume: arguments.resume.as_deref().map(resume_from).transpose()?,
        baselines: !arguments.no_baselines,
        told_steps: arguments.told_steps,
        framework_peak: Arc::default(),
        on_gpus: false.into(),
        member: member.cloned(),
    };
    let mut outcome = recspeed_experiment::run(&arguments.run, &spec, &mut process)?;
    // The result is true without what is kept beside it; whoever wanted that must know.
    let warn = |outcome: &mut Outcome, message: String| {
        emitter.emit(EventKind::Warning { message: message.clone() });
        outcome.summary.warnings.push(message);
    };
    if let Some(path) = &arguments.users
        && let Err(error) = per_user::write(path, &outcome.user_values(), arguments.users_limit)
    {
        if arguments.users_limit.is_none() {
            let place = path.display();
            let cause = format!(
                "The values of the users cannot be written to {place} ({error}); make room or name another file."
            );
            return Err(RunFailure::new(FailureCode::Internal, cause));
        }
        warn(&mut outcome, format!("the values of the users could not be kept: {error}"));
    }
    if let Some(dir) = &arguments.model
        && let Err(error) = keep::keep(dir, &arguments.run, &spec, &outcome)
    {
        warn(&mut outcome, format!("the model could not be kept: {error}"));
    }
    Ok(outcome.summary)
}

/// How many threads the run shall have, where that is not one a core. `RAYON_NUM_THREADS`, which whoever starts the worker may have set,
/// counts where the spec does not say.
fn threads_of(spec: &ExperimentSpec, cores: u32) -> Option<u32> {
    let said = || std::env::var_os("RAYON_NUM_THREADS").is_some();
    // What has mistakes fails by them, once the run begins.
    let unless_said =
        || spec.resolve().ok().map(|spec| spec.threads(cores)).filter(|&threads| threads < cores && !said());
    spec.engine.threads.filter(|&threads| threads > 0).or_else(unless_said)
}

fn resume_from(path: &Path) -> Result<Resume, RunFailure> {
    Resume::open(path).map_err(|error| {
        let place = path.display();
        let cause = format!("The checkpoint {place} cannot be read ({error}); start the run again without --resume.");
        RunFailure::new(FailureCode::Data, cause)
    })
}

fn read_spec(arguments: &Arguments) -> Result<ExperimentSpec, RunFailure> {
    let invalid = |cause: String| RunFailure::new(FailureCode::InvalidSpec, cause);
    let mut bytes = Vec::new();
    // One byte beyond the limit tells a spec that is too long from one that just fits.
    let most = MAX_SPEC_BYTES as u64 + 1;
    match &arguments.spec {
        Some(path) => {
            std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(|error| {
                invalid(format!("The spec {} cannot be read ({error}); check the path.", path.display()))
            })?
        }
        None => std::io::stdin()
            .lock()
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(|error| invalid(format!("The spec cannot be read from standard input: {error}.")))?,
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| invalid("The spec is not UTF-8 text; write it as TOML or JSON.".to_owned()))?;
    let parsed = if text.trim_start().starts_with('{') {
        ExperimentSpec::from_json(&text)
    } else {
        ExperimentSpec::from_toml(&text)
    };
    parsed.map_err(|error| invalid(format!("The spec cannot be read: {error}")))
}
