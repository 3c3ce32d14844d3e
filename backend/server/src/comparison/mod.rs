//! Stored runs side by side: which of them are one method with several seeds, what the methods differ in, and whether their
//! numbers were measured on the same rows.

mod conditions;
mod curves;
mod significance;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use recspeed_metrics::comparison::{spread, spreads};
use recspeed_types::api::RunRecord;
use recspeed_types::catalogue;
use recspeed_types::comparison::{ComparedMethod, ComparedRuns, RunComparison, Spread};
use recspeed_types::{ExperimentSpec, RunId, RunSummary};

pub(crate) use curves::Collector;
pub(crate) use significance::{Tested, against_first};

/// A finished run.
#[derive(Debug, Clone)]
pub(crate) struct FinishedRun {
    record: RunRecord,
    summary: RunSummary,
}

impl FinishedRun {
    /// The run, when it has finished.
    pub(crate) fn of(mut record: RunRecord) -> Option<Self> {
        let summary = record.summary.take()?;
        Some(Self { record, summary })
    }

    /// Its id.
    pub(crate) fn id(&self) -> &RunId {
        &self.record.id
    }

    fn spec(&self) -> &ExperimentSpec {
        &self.record.spec
    }
}

/// Runs of one method, in the order in which they were named.
pub(crate) type Method = Vec<FinishedRun>;

/// Puts runs that differ in the seed alone together, each method at the place of its first run.
pub(crate) fn methods(runs: Vec<FinishedRun>) -> Vec<Method> {
    let mut methods: Vec<Method> = Vec::new();
    for run in runs {
        let own = run.spec();
        let same = |method: &&mut Method| {
            let other = method[0].spec();
            let seedless = ExperimentSpec { seed: own.seed, data_seed: own.data_seed, ..other.clone() };
            seedless == *own
                && conditions::data_seed(own) == conditions::data_seed(other)
                && method.iter().all(|one| one.spec().seed != own.seed)
        };
        match methods.iter_mut().find(same) {
            Some(method) => method.push(run),
            None => methods.push(vec![run]),
        }
    }
    methods
}

/// Everything about these methods that needs nothing but their records.
pub(crate) fn compare(methods: &[Method]) -> RunComparison {
    let specs: Vec<&ExperimentSpec> = methods.iter().map(|method| method[0].spec()).collect();
    let paths = conditions::settings(&specs);
    let settings: Vec<BTreeMap<String, String>> = specs.iter().map(|spec| conditions::fields(spec)).collect();
    let names = names(&specs, &paths, &settings);
    let mut metrics: Vec<String> = Vec::new();
    for name in specs.iter().flat_map(|spec| &spec.evaluation.metrics).map(ToString::to_string) {
        if !metrics.contains(&name) && methods.iter().any(|method| method[0].summary.metrics.contains_key(&name)) {
            metrics.push(name);
        }
    }
    let unlike: Vec<Vec<String>> = methods.iter().map(|method| differences(&methods[0], method)).collect();
    let compared = methods.iter().zip(&names).zip(&unlike).zip(&settings).map(|(((method, name), unlike), fields)| {
        let value = |path: &String| fields.get(path).cloned().unwrap_or_default();
        ComparedRuns {
            method: describe(name, method),
            runs: method.iter().map(|run| run.record.id.clone()).collect(),
            settings: paths.iter().map(value).collect(),
            same_rows: unlike.is_empty(),
        }
    });
    let mut warnings: Vec<String> = Vec::new();
    for (name, unlike) in names.iter().zip(&unlike).filter(|(_, unlike)| !unlike.is_empty()) {
        warnings.push(format!(
            "“{name}” was not measured on the same rows as “{}”: {}. Their numbers do not stand side by side.",
            names[0],
            unlike.join("; ")
        ));
    }
    warnings.extend(of_machines(methods, &names));
    warnings.extend(of_scales(methods, &names));
    RunComparison {
        methods: compared.collect(),
        settings: paths,
        metrics,
        warnings,
        curves: Vec::new(),
        left_out: Vec::new(),
    }
}

/// What the page and the tests call each method: the name that it was given or that of its recommender, with what it differs in
/// where two would be called the same.
fn names(specs: &[&ExperimentSpec], paths: &[String], settings: &[BTreeMap<String, String>]) -> Vec<String> {
    let plain: Vec<String> = specs
        .iter()
        .map(|spec| match spec.name.trim() {
            "" => {
                catalogue::find(&spec.recommender.kind).map_or(&*spec.recommender.kind, |entry| entry.title).to_owned()
            }
            name => name.to_owned(),
        })
        .collect();
    let mut names: Vec<String> = Vec::new();
    for (place, name) in plain.iter().enumerate() {
        let mut full = name.clone();
        let alike: Vec<usize> = (0..plain.len()).filter(|other| plain[*other] == *name).collect();
        if alike.len() > 1 {
            let varies =
                |path: &&String| alike.iter().any(|other| settings[*other].get(*path) != settings[place].get(*path));
            for path in paths.iter().filter(varies).take(3) {
                let short = path.rsplit('.').next().unwrap_or(path).replace('_', " ");
                let value = settings[place].get(path).map_or("as usual", String::as_str);
                // Writing into a String cannot fail.
                let _ = write!(full, ", {short} {value}");
            }
        }
        let unnumbered = full.clone();
        let mut number = 1;
        while names.contains(&full) {
            number += 1;
            full = format!("{unnumbered} #{number}");
        }
        names.push(full);
    }
    names
}

fn describe(name: &str, method: &[FinishedRun]) -> ComparedMethod {
    let metrics: Vec<_> = method.iter().map(|run| &run.summary.metrics).collect();
    let fit = method.iter().map(|run| run.summary.timing.fit_s).collect();
    let waits: Option<Vec<f64>> = method.iter().map(|run| Some(run.summary.timing.recommend?.p50_ms)).collect();
    let spec = method[0].spec();
    ComparedMethod {
        name: name.to_owned(),
        kind: spec.recommender.kind.clone(),
        seeds: method.iter().map(|run| run.summary.seed).collect(),
        random: spec.resolve().is_ok_and(|resolved| resolved.recommender.random()),
        metrics: spreads(&metrics),
        fit_s: spread(fit).unwrap_or(Spread { mean: 0.0, sd: None, values: Vec::new() }),
        peak_bytes: method.iter().map(|run| run.summary.memory.peak).max().unwrap_or(0),
        list_ms: waits.and_then(spread).map(|spread| spread.mean),
    }
}

/// Why a method was not measured on the same rows as the first one; nothing when it was.
fn differences(first: &[FinishedRun], other: &[FinishedRun]) -> Vec<String> {
    let told = |(path, left, right): (String, Option<String>, Option<String>)| match (left, right) {
        (Some(left), Some(right)) => format!("{path} is {right}, not {left}"),
        (None, Some(right)) => format!("{path} is {right}, and not set there"),
        (Some(left), None) => format!("{path} is not set, and {left} there"),
        (None, None) => path,
    };
    let by_spec: Vec<String> = conditions::unlike(first[0].spec(), other[0].spec()).into_iter().map(told).collect();
    if !by_spec.is_empty() {
        return by_spec;
    }
    let (l, r) = (&first[0].summary, &other[0].summary);
    let figures = [
        ("the data's SHA-256", l.data.sha256.clone(), r.data.sha256.clone()),
        ("users", l.data.users.to_string(), r.data.users.to_string()),
        ("items", l.data.items.to_string(), r.data.items.to_string()),
        ("training rows", l.data.train.to_string(), r.data.train.to_string()),
        ("test rows", l.data.test.to_string(), r.data.test.to_string()),
    ];
    let figures = figures.into_iter().filter(|(_, left, right)| left != right);
    figures.map(|(name, left, right)| format!("{name}: {right}, not {left}")).collect()
}

/// Times of unlike machines say nothing about the methods.
fn of_machines(methods: &[Method], names: &[String]) -> Option<String> {
    let machine = |method: &Method| {
        let engine = &method[0].summary.engine;
        format!("{} with {} threads, {}", engine.device, engine.threads, engine.host)
    };
    let first = machine(&methods[0]);
    let other = methods.iter().position(|method| machine(method) != first)?;
    Some(format!(
        "Times and memory are of unlike machines: “{}” ran on {first}, “{}” on {}.",
        names[0],
        names[other],
        machine(&methods[other])
    ))
}

/// Errors on two scales are no errors of one kind.
fn of_scales(methods: &[Method], names: &[String]) -> Option<String> {
    let scale = |method: &Method| {
        let summary = &method[0].summary;
        summary.has_errors().then(|| summary.evaluation.rating_scale.clone())
    };
    let (first, of_first) = methods.iter().enumerate().find_map(|(place, method)| Some((place, scale(method)?)))?;
    let (other, of_other) = methods
        .iter()
        .enumerate()
        .find_map(|(place, method)| Some((place, scale(method).filter(|scale| *scale != of_first)?)))?;
    Some(format!(
        "Errors are on two scales: “{}” is measured in {of_first}, “{}” in {of_other}.",
        names[first], names[other]
    ))
}
