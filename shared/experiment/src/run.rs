//! The course of an experiment: load, split, fit, evaluate, summarise.

use recspeed_data::{Attributes, Interactions, SplitRows, Titles, apply_filters, leak_count, split};
use recspeed_types::event::{MemoryBytes, Phase};
use recspeed_types::spec::{Candidates, EvaluateOn, FitOn, ResolvedSpec};
use recspeed_types::summary::{DataInfo, EngineInfo, EvaluationInfo, RunSummary, SummaryStatus, Timing};
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, Mode, RunId, UserValues};

use crate::baselines::baselines;
use crate::enriched::enriched;
use crate::evaluate::{UserTable, evaluate};
use crate::fit::fit;
use crate::foresee::{
    refuse_so_many_items, refuse_to_go_on, refuse_too_many_items, refuse_what_cannot_fit, refuse_what_is_not_there,
    refuse_what_was_not_read, refuse_what_will_not_fit,
};
use crate::importance::importance;
use crate::latency::latency;
use crate::measurable::keep_measurable;
use crate::model::Model;
use crate::scale::warn_of_far_ratings;
use crate::{Host, LoadedData, RunFailure, attributes, lacking, unread, unshrunk, wordless};

/// Runs `spec` to its end. Everything that happens is told to the host as events, all but the last one: the caller turns
/// the summary into `finished`, or the failure into `failed`, once it has closed its files.
///
/// What the run leaves behind besides its summary is the caller's to keep or to drop.
///
/// # Errors
/// [`RunFailure`]: the spec is wrong, the data cannot be read or held, the training diverged, or the host stopped the run.
pub fn run(run: &RunId, spec: &ExperimentSpec, host: &mut dyn Host) -> Result<Outcome, RunFailure> {
    let mut begun = false;
    let outcome = course(run, spec, host, &mut begun);
    outcome.map_err(|failure| if begun { failure } else { failure.before_any_work() })
}

/// The same; `begun` becomes true when it is left to the recommender to begin.
fn course(run: &RunId, spec: &ExperimentSpec, host: &mut dyn Host, begun: &mut bool) -> Result<Outcome, RunFailure> {
    let written = spec;
    let mut spec = spec.resolve().map_err(|errors| {
        RunFailure::new(FailureCode::InvalidSpec, format!("The spec cannot be run: {}", one_line(&errors.to_string())))
    })?;
    let engine = host.engine(&spec)?;
    host.event(EventKind::Started { engine: engine.clone(), seed: spec.seed, begun: None });
    refuse_to_go_on(&spec, host)?;
    refuse_what_is_not_there(&spec)?;
    refuse_what_cannot_fit(&spec, host)?;
    refuse_too_many_items(&spec, host)?;
    let mut story = Story::default();
    let parameters = written.recommender.without_effect("recommender", written.training.loss);
    let of_features = unread::without_effect(&spec).into_iter().chain(unshrunk::without_shrinkage(&spec));
    for sentence in parameters.into_iter().chain(of_features) {
        story.warn(host, sentence);
    }
    if let Some(choice) = spec.chooses_by_what_is_measured() {
        let sentence = format!(
            "evaluation.on = \"validation\": the recommender {choice} by the very rows that it is measured on, so its numbers are flattered; those to report are of the test rows, which choose nothing"
        );
        story.warn(host, sentence);
    }

    let load_start = host.now_us();
    host.event(EventKind::Phase { phase: Phase::Load });
    let prepared = prepare(&spec, host, &mut story)?;
    // Before [features] takes anything away: an item is called what it is called.
    let titles = prepared.item_attributes.as_ref().and_then(|table| Titles::of(table, &prepared.interactions.items));
    let prepared = enriched(&spec, prepared)?;
    host.event(EventKind::Data { data: prepared.info.clone() });
    wordless::warn(&spec, &prepared, host, &mut story);
    refuse_what_will_not_fit(&spec, &prepared, host)?;
    keep_measurable(&mut spec, &prepared, host, &mut story)?;

    let fit_start = host.now_us();
    host.event(EventKind::Phase { phase: Phase::Fit });
    *begun = true;
    let mut fitted = fit(&spec, &prepared, host)?;
    let mode = if fitted.raced {
        let sentence = "mode = \"fast\": threads learnt on the same numbers at once, and another run of this spec differs a little; with mode = \"exact\" one thread learns";
        story.warn(host, sentence.to_owned());
        Mode::Fast
    } else {
        Mode::of_engine(&engine)
    };
    let model = fitted.model.as_recommender().memory();
    let memory = with_process(
        MemoryBytes { buffers: model.buffers + prepared.interactions.column_bytes() as u64, ..model },
        host,
    );
    host.event(EventKind::Memory { rank: 0, bytes: memory });

    let evaluate_start = host.now_us();
    host.event(EventKind::Phase { phase: Phase::Evaluate });
    let evaluated = evaluate(&spec, &prepared, &fitted.model, fitted.steps(), host, &mut story)?;
    let end = host.now_us();
    // After the clock has stopped: neither is a part of the evaluation that others are compared with.
    let latency = match &evaluated.ranked_for {
        Some(audience) => latency(&spec, &prepared, audience, fitted.model.as_recommender(), engine.threads, host)?,
        None => None,
    };
    let timed = host.now_us();
    let importance = importance(&spec, &prepared, &mut fitted.model, &evaluated.metrics, host, &mut story)?;

    let memory = with_process(memory, host);
    host.event(EventKind::Memory { rank: 0, bytes: memory });
    // A model has none of these any more; its training had.
    let memory = with_training(memory, fitted.ledger);
    let all_but_baselines = host.now_us();
    // After time and memory were taken: they are no part of what the method costs.
    let baselines = baselines(&spec, &prepared, &evaluated, host, &mut story)?;
    let with_baselines = host.now_us();
    let whole_fit_s = seconds(fit_start, evaluate_start);
    let mut spans =
        vec![("load", load_start, fit_start), ("fit", fit_start, evaluate_start), ("evaluate", evaluate_start, end)];
    if latency.is_some() {
        spans.push(("single lists", end, timed));
    }
    if !importance.is_empty() {
        spans.push(("importance", timed, all_but_baselines));
    }
    if baselines.is_some() {
        spans.push(("baselines", all_but_baselines, with_baselines));
    }
    for (name, from, to) in spans {
        host.event(EventKind::Span {
            rank: 0,
            lane: "run".to_owned(),
            name: name.to_owned(),
            start_us: from,
            duration_us: to - from,
            bytes: 0,
            waited_us: 0,
            exchange: None,
        });
    }
    let summary = RunSummary {
        run: run.clone(),
        status: SummaryStatus::Finished,
        metrics: evaluated.metrics,
        timing: Timing {
            load_s: seconds(load_start, fit_start),
            fit_s: fitted.elsewhere.as_ref().map_or(whole_fit_s, |training| training.seconds),
            start_s: fitted.elsewhere.as_ref().map(|training| (whole_fit_s - training.seconds).max(0.0)),
            evaluate_s: seconds(evaluate_start, end),
            recommend: latency,
        },
        memory,
        // A framework that does not take the threads it is given, or is another than was installed, must not look as if it had.
        engine: match fitted.elsewhere {
            None => engine,
            Some(training) => EngineInfo {
                versions: engine.versions.into_iter().chain(training.versions).collect(),
                threads: training.threads,
                precision: training.precision,
                ..engine
            },
        },
        data: prepared.info,
        evaluation: EvaluationInfo { baselines: baselines.unwrap_or_default(), ..evaluated.info },
        breakdowns: evaluated.breakdowns,
        importance,
        training: fitted.training,
        seed: spec.seed,
        mode: Some(mode),
        warnings: story.warnings,
    };
    Ok(Outcome {
        summary,
        users: evaluated.users,
        model: fitted.model,
        interactions: prepared.interactions,
        titles,
        known_rows: prepared.known_rows,
    })
}

/// What a run leaves behind.
pub struct Outcome {
    /// The result.
    pub summary: RunSummary,
    /// The value of each user.
    pub users: UserTable,
    /// The model, which knows users and items by their indices in `interactions`.
    pub model: Model,
    /// The rows after the filters, with the dictionaries of ids.
    pub interactions: Interactions,
    /// What the items are called, by index, where the data set says so.
    pub titles: Option<Titles>,
    /// The rows before the test, ascending: what each user knows.
    pub known_rows: Vec<u32>,
}

impl Outcome {
    /// The value of each user, by the user's id.
    pub fn user_values(&self) -> UserValues {
        let id = |&user: &u32| self.interactions.users.get(user).to_owned();
        UserValues { users: self.users.users.iter().map(id).collect(), columns: self.users.columns.clone() }
    }
}

/// What the summary will repeat.
#[derive(Default)]
pub(crate) struct Story {
    warnings: Vec<String>,
}

impl Story {
    /// Tells the host and keeps the sentence for the summary.
    pub(crate) fn warn(&mut self, host: &mut dyn Host, message: String) {
        host.event(EventKind::Warning { message: message.clone() });
        self.warnings.push(message);
    }

    /// Its sentences.
    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}

/// The data set, filtered and split.
pub(crate) struct Prepared {
    pub(crate) interactions: Interactions,
    pub(crate) item_attributes: Option<Attributes>,
    pub(crate) user_attributes: Option<Attributes>,
    /// Rows that the recommender learns from, ascending.
    pub(crate) fit_rows: Vec<u32>,
    /// Rows that steer the training, ascending; empty when they are learnt from, or none were held out.
    pub(crate) steer_rows: Vec<u32>,
    /// All rows before the test, training and validation, ascending: what the user has seen.
    pub(crate) known_rows: Vec<u32>,
    /// Rows that are measured on, ascending: those held out to the end, or those of the validation in their place.
    pub(crate) test_rows: Vec<u32>,
    pub(crate) info: DataInfo,
}

pub(crate) fn prepare(spec: &ResolvedSpec, host: &mut dyn Host, story: &mut Story) -> Result<Prepared, RunFailure> {
    let loaded = host.load(&spec.dataset, spec.data_seed)?;
    stop_if_asked(host)?;
    for warning in &loaded.warnings {
        story.warn(host, warning.clone());
    }
    warn_of_bad_lines(&loaded, host, story);
    attributes::check(&loaded, host, story)?;
    refuse_what_was_not_read(spec, &loaded)?;
    lacking::refuse_ratings(spec, &loaded.interactions, &loaded.name)?;
    let LoadedData { interactions, item_attributes, user_attributes, report, name, sha256, synthetic, .. } = loaded;
    let before = interactions.len();
    let interactions = apply_filters(interactions, &spec.dataset.filters, spec.data_seed);
    if interactions.is_empty() {
        let cause = if before == 0 {
            format!("{name} holds no ratings; check dataset.format.")
        } else {
            format!(
                "The filters of [dataset] leave none of the {before} rows of {name}; loosen min_user, min_item or implicit_threshold."
            )
        };
        return Err(RunFailure::new(FailureCode::Data, cause));
    }
    warn_of_far_ratings(spec, &interactions, host, story);
    refuse_so_many_items(spec, interactions.n_items(), host)?;
    lacking::warn(spec, &interactions, &name, host, story);
    let SplitRows { train, validation, test } = split(&interactions, &spec.split, spec.data_seed)
        .map_err(|error| RunFailure::new(FailureCode::InvalidSpec, error.to_string()))?;
    let no_validation = spec.evaluation.on == EvaluateOn::Validation && validation.is_empty();
    if train.is_empty() || test.is_empty() || no_validation {
        let empty = match () {
            () if train.is_empty() => "training",
            () if test.is_empty() => "test",
            () => "validation",
        };
        let cause = format!(
            "The split leaves no {empty} rows of {} rows; choose another split.kind or another share.",
            interactions.len()
        );
        return Err(RunFailure::new(FailureCode::InvalidSpec, cause));
    }
    if spec.evaluation.candidates == Candidates::Cold {
        let mut known = vec![false; interactions.n_items()];
        let (steering, measured) = match spec.evaluation.on {
            EvaluateOn::Test => (&validation[..], &test),
            EvaluateOn::Validation => (&[][..], &validation),
        };
        for &row in train.iter().chain(steering) {
            known[interactions.item[row as usize] as usize] = true;
        }
        if measured.iter().all(|&row| known[interactions.item[row as usize] as usize]) {
            let cause = "evaluation.candidates is `cold`, but every item of the test has rows before it; take split.kind `cold-items`, or candidates `unseen`.";
            return Err(RunFailure::new(FailureCode::InvalidSpec, cause.to_owned()));
        }
    }
    let info = DataInfo {
        name,
        users: interactions.n_users() as u64,
        items: interactions.n_items() as u64,
        train: train.len() as u64,
        validation: validation.len() as u64,
        test: test.len() as u64,
        bad_lines: report.bad_lines,
        sha256,
        synthetic,
        leaks: None,
    };
    let known_rows = merge_sorted(&train, &validation);
    let rows = SplitRows { train, validation, test };
    let (measured, called) = match spec.evaluation.on {
        EvaluateOn::Validation => (&rows.validation, "validation"),
        EvaluateOn::Test => (&rows.test, "test"),
    };
    let learnt = match (spec.evaluation.on, spec.split.fit_on) {
        (EvaluateOn::Test, FitOn::TrainValidation) => &known_rows,
        _ => &rows.train,
    };
    let leaks = interactions.has_timestamps.then(|| leak_count(&interactions, learnt, measured));
    let info = DataInfo { leaks, ..info };
    warn_of_leaks(leaks.unwrap_or(0), (measured.len(), called), host, story);
    if spec.evaluation.on == EvaluateOn::Validation {
        // The test rows are left out of everything.
        return Ok(Prepared {
            interactions,
            item_attributes,
            user_attributes,
            fit_rows: rows.train.clone(),
            steer_rows: rows.validation.clone(),
            known_rows: rows.train,
            test_rows: rows.validation,
            info,
        });
    }
    let (fit_rows, steer_rows) = match spec.split.fit_on {
        FitOn::Train => (rows.train, rows.validation),
        FitOn::TrainValidation => (known_rows.clone(), Vec::new()),
    };
    Ok(Prepared {
        interactions,
        item_attributes,
        user_attributes,
        fit_rows,
        steer_rows,
        known_rows,
        test_rows: rows.test,
        info,
    })
}

fn warn_of_bad_lines(loaded: &LoadedData, host: &mut dyn Host, story: &mut Story) {
    let report = &loaded.report;
    if report.bad_lines == 0 {
        return;
    }
    let first =
        report.shown.first().map_or(String::new(), |bad| format!("; the first is line {}: {}", bad.line, bad.reason));
    story.warn(
        host,
        format!("Skipped as bad: {} of {} lines of {}{first}", report.bad_lines, report.lines, loaded.name),
    );
}

fn warn_of_leaks(leaks: u64, (measured, called): (usize, &str), host: &mut dyn Host, story: &mut Story) {
    if leaks > 0 {
        let share = 100.0 * leaks as f64 / measured as f64;
        story.warn(
            host,
            format!(
                "{leaks} of {measured} {called} rows ({share:.1} %) are older than the same user's newest training row: this split tests on the past; global-time and leave-last-out do not"
            ),
        );
    }
}

/// Ends the run when the host was told to stop.
pub(crate) fn stop_if_asked(host: &mut dyn Host) -> Result<(), RunFailure> {
    if host.stop_requested() { Err(RunFailure::cancelled()) } else { Ok(()) }
}

/// With what the training held by its own account.
fn with_training(bytes: MemoryBytes, ledger: Option<MemoryBytes>) -> MemoryBytes {
    let Some(MemoryBytes { gradients, optimizer, host, activations, .. }) = ledger else { return bytes };
    MemoryBytes { gradients, optimizer, host, activations, ..bytes }
}

fn with_process(bytes: MemoryBytes, host: &dyn Host) -> MemoryBytes {
    let process = host.memory();
    MemoryBytes { allocator_total: process.now, peak: process.peak, ..bytes }
}

fn seconds(from_us: u64, to_us: u64) -> f64 {
    to_us.saturating_sub(from_us) as f64 / 1e6
}

pub(crate) fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("; ")
}

/// Two ascending lists without common elements as one.
fn merge_sorted(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] < b[j] {
            merged.push(a[i]);
            i += 1;
        } else {
            merged.push(b[j]);
            j += 1;
        }
    }
    merged.extend_from_slice(&a[i..]);
    merged.extend_from_slice(&b[j..]);
    merged
}
