//! Stored runs side by side, for the page.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use recspeed_types::api::RunRecord;
use recspeed_types::catalogue;
use recspeed_types::comparison::{ComparedMethod, ComparedRuns, RunComparison};
use recspeed_types::{ExperimentSpec, RunId, RunSummary};

use super::{
    Difference, Run, baselines, conditions, describe, differences, flattered, not_to_the_bit, nothing_shared,
    of_the_mean, one_method, same_scale, told_apart, two_scales, uneven_knowledge,
};

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

    /// What was asked.
    pub(crate) fn spec(&self) -> &ExperimentSpec {
        &self.record.spec
    }

    /// As it is compared; its users' values lie elsewhere.
    fn lend(&self) -> Run<'_> {
        Run { spec: &self.record.spec, summary: &self.summary, users: None }
    }
}

/// Runs of one method, in the order in which they were named.
pub(crate) type Method = Vec<FinishedRun>;

/// Puts runs that differ in the seed alone together, each method at the place of its first run.
pub(crate) fn methods(runs: Vec<FinishedRun>) -> Vec<Method> {
    let mut methods: Vec<Method> = Vec::new();
    for run in runs {
        let own = run.spec();
        // The same seed twice is shown twice.
        let same = |method: &&mut Method| {
            one_method(own, method[0].spec()) && method.iter().all(|one| one.spec().seed != own.seed)
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
    let lent: Vec<Vec<Run<'_>>> = methods.iter().map(|method| method.iter().map(FinishedRun::lend).collect()).collect();
    let unlike: Vec<Vec<Difference>> = lent.iter().map(|runs| differences(&lent[0], runs)).collect();
    let same_scale = same_scale(&specs);
    let compared: Vec<ComparedRuns> = (0..methods.len())
        .map(|place| {
            let (method, fields, unlike) = (&methods[place], &settings[place], &unlike[place]);
            let value = |path: &String| fields.get(path).cloned().unwrap_or_default();
            let random = specs[place].resolve().is_ok_and(|resolved| resolved.recommender.random());
            ComparedRuns {
                method: describe(&names[place], random, &lent[place]),
                runs: method.iter().map(|run| run.record.id.clone()).collect(),
                settings: paths.iter().map(value).collect(),
                same_rows: unlike.is_empty(),
                same_scale: same_scale[place],
            }
        })
        .collect();
    let mut warnings: Vec<String> = Vec::new();
    for (place, unlike) in unlike.iter().enumerate().filter(|(_, unlike)| !unlike.is_empty()) {
        let (name, first) = (&names[place], &names[0]);
        let told = unlike.iter().map(Difference::told).collect::<Vec<_>>().join("; ");
        warnings.push(match place {
            0 => format!("The runs of “{name}” were not measured on the same rows: {told}. Their mean says nothing."),
            _ => format!(
                "“{name}” was not measured on the same rows as “{first}”: {told}. Their numbers do not stand side by side."
            ),
        });
    }
    let alike = (0..methods.len()).filter(|place| unlike[*place].is_empty());
    let alike: Vec<(&str, &ExperimentSpec)> = alike.map(|place| (names[place].as_str(), specs[place])).collect();
    let first = (names[0].as_str(), specs[0]);
    warnings.extend(alike.iter().filter_map(|other| nothing_shared(first, *other)));
    warnings.extend(uneven_knowledge(lent[0][0].summary.data.validation, &alike));
    let every: Vec<(&str, &ExperimentSpec)> = names.iter().map(String::as_str).zip(specs.iter().copied()).collect();
    warnings.extend(flattered(&every));
    warnings.extend(of_machines(methods, &names));
    let described: Vec<ComparedMethod> = compared.iter().map(|runs| runs.method.clone()).collect();
    warnings.extend(not_to_the_bit(&described));
    warnings.extend(two_scales(&specs).map(|scales| {
        let (stars, likes) = (&names[scales.stars], &names[scales.likes]);
        format!("Errors are on two scales: those of “{stars}” are in stars, those of “{likes}” of probabilities.")
    }));
    let on_its_rows = methods.iter().zip(&unlike).filter(|(_, unlike)| unlike.is_empty());
    let on_its_rows: Vec<&RunSummary> = on_its_rows.flat_map(|(method, _)| method).map(|run| &run.summary).collect();
    let (of_the_mean, baselines) = (of_the_mean(&on_its_rows), baselines(&on_its_rows));
    let (curves, left_out) = (Vec::new(), Vec::new());
    RunComparison { methods: compared, settings: paths, metrics, warnings, curves, left_out, of_the_mean, baselines }
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
    let full = |(place, name): (usize, &String)| {
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
        full
    };
    told_apart(plain.iter().enumerate().map(full).collect())
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
