//! `recspeed compare FILE…`: several recommenders on the same data, split and evaluation, with several seeds; mean ± standard
//! deviation, and every pair tested user by user.

mod best;
mod conditions;
mod methods;
mod table;

use clap::Args;
use recspeed_metrics::comparison::mean_over_runs;
use recspeed_types::comparison::{ComparedMethod, Comparison, FailedMethod, Procedure};
use recspeed_types::{ExperimentSpec, FailureCode, MetricName, RunSummary, UserValues};

use self::best::Best;
use super::failure::CommandError;
use super::kept::{Among, Ended, KeepArgs, Keeper, KeptRun};
use super::{figures, output, warned};
use crate::comparison::{
    Pairs, Run, baselines, describe, flattered, not_to_the_bit, of_the_mean, paired_tests, uneven_knowledge,
};

pub(crate) use conditions::CompareError;
pub(super) use methods::{Method, label};

/// Arguments of `recspeed compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Specs: TOML or JSON files, spec groups (`[[compare]]`), folders of them, permalinks; or kept runs (`*.run.json`)
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Runs of each recommender that depends on the seed; the others run once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Measure this instead of what the specs name (may be repeated)
    #[arg(long = "metric", value_name = "METRIC")]
    metrics: Vec<MetricName>,
    /// Test only the pairs with this recommender, by the name that the table gives it
    #[arg(long, value_name = "NAME")]
    against: Option<String>,
    /// Replace one field of every spec, as dataset.sample=10000, or of one of a group, as compare.0.recommender.neighbours=5 (may be
    /// repeated); kept runs stay as they are
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the comparison as one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// Print the comparison as Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    #[command(flatten)]
    keep: KeepArgs,
}

/// Runs the comparison. Exit status 0 when every run finished, that of the first failure when one did not, 130 after Ctrl-C.
pub(crate) fn run(args: CompareArgs) -> Result<u8, CommandError> {
    let mut methods = methods::read(&args.files, &args.set)?;
    methods::measure(&mut methods, &args.metrics)?;
    conditions::same_rows(&methods)?;
    conditions::same_scale(&methods)?;
    let against = args.against.as_deref().map(|name| methods::find(&methods, name)).transpose()?;
    let keeper = Keeper::new(args.keep, "--keep")?;
    let Some((finished, failed)) = run_all(&methods, args.seeds, &keeper)? else {
        output::complain(&format!(
            "recspeed: the comparison was interrupted. Kept: every run that had ended, in {}; the same command goes on from there.",
            keeper.folder().display()
        ));
        return Ok(FailureCode::Cancelled.exit_status());
    };
    let status = failed.first().map_or(0, |(code, _)| code.exit_status());
    let failed: Vec<FailedMethod> = failed.into_iter().map(|(_, method)| method).collect();
    conditions::same_data(&methods, &finished)?;
    warned::complain(finished.iter().flat_map(|(place, runs)| {
        let name = methods[*place].name.as_str();
        runs.iter().map(move |run| (name, &run.summary))
    }));
    let Some(comparison) = evaluate(&methods, &finished, against, failed)? else { return Ok(status) };
    let text = if args.json {
        serde_json::to_string(&comparison).map_err(std::io::Error::other)?
    } else {
        table::render(&comparison, &methods, args.markdown)
    };
    output::say(&output::printable(&text))?;
    Ok(status)
}

/// The runs of one method, by its place in the list.
pub(super) type Runs = (usize, Vec<KeptRun>);

/// Every run of every method, those that failed apart; `None` when the user stopped it.
#[expect(clippy::type_complexity, reason = "two lists that only this file sees")]
pub(super) fn run_all(
    methods: &[Method],
    seeds: u64,
    keeper: &Keeper,
) -> Result<Option<(Vec<Runs>, Vec<(FailureCode, FailedMethod)>)>, CommandError> {
    let plans: Vec<Vec<ExperimentSpec>> = methods.iter().map(|method| method.runs(seeds)).collect();
    let total: usize = plans.iter().map(Vec::len).sum();
    let (mut finished, mut failed, mut number) = (Vec::new(), Vec::new(), 0);
    let mut best = Best::by(methods);
    for (place, (method, plan)) in methods.iter().zip(&plans).enumerate() {
        let mut runs = method.stored.clone();
        for run in &runs {
            best.take(&method.name, run);
        }
        for (at, spec) in plan.iter().enumerate() {
            number += 1;
            let among = Among {
                title: format!("{number} of {total}: {}, seed {}", method.name, spec.seed),
                place: None,
                best: best.words(),
                rest: rest(&runs, plan.len()).map(|seconds| (seconds, "seeds")),
            };
            match keeper.run(spec, &method.dir, &among)? {
                Ended::Finished(run, kept) => {
                    output::complain(&format!("{}: {}", among.title, short(&run, kept)));
                    best.take(&method.name, &run);
                    runs.push(*run);
                }
                Ended::Failed { code, cause } => {
                    let cause = method.told(&cause);
                    output::complain(&format!("{}: failed: {cause}", among.title));
                    failed.push((code, FailedMethod { name: method.name.clone(), seed: spec.seed, cause }));
                    // What failed once is not compared: its other seeds would be work for nothing.
                    let left = &plan[at + 1..];
                    if let Some(words) = passed_over(&method.name, number, total, left) {
                        output::complain(&words);
                    }
                    runs.clear();
                    number += left.len();
                    break;
                }
                Ended::Interrupted => return Ok(None),
            }
        }
        if !runs.is_empty() {
            finished.push((place, runs));
        }
    }
    Ok(Some((finished, failed)))
}

/// That the runs of a recommender behind the one with this number, which failed, are not made; `None` where none is left.
fn passed_over(name: &str, number: usize, total: usize, left: &[ExperimentSpec]) -> Option<String> {
    let (first, last) = (left.first()?.seed, left.last()?.seed);
    let (runs, seeds) = match left.len() {
        1 => ((number + 1).to_string(), format!("seed {first}")),
        several => (format!("{} to {}", number + 1, number + several), format!("seeds {first} to {last}")),
    };
    Some(format!("{runs} of {total}: {name}, {seeds}: passed over, for what failed once is not compared"))
}

/// A run in half a line.
fn short(run: &KeptRun, kept: bool) -> String {
    let first = run.spec.evaluation.metrics.first().map(ToString::to_string);
    let value = first.and_then(|name| Some(format!("{name} {}", figures::value(*run.summary.metrics.get(&name)?))));
    let time = if kept { "kept".to_owned() } else { figures::seconds(seconds_of(run)) };
    format!("{} ({time})", value.unwrap_or_default())
}

/// Seconds that a run took.
fn seconds_of(run: &KeptRun) -> f64 {
    let timing = &run.summary.timing;
    timing.load_s + timing.fit_s + timing.evaluate_s
}

/// Seconds that the next of `planned` runs of one recommender and those after it take, as far as `runs`, those that have ended, tell.
fn rest(runs: &[KeptRun], planned: usize) -> Option<f64> {
    let left = planned.saturating_sub(runs.len());
    let spent: f64 = runs.iter().map(seconds_of).sum();
    (!runs.is_empty()).then(|| left as f64 * spent / runs.len() as f64)
}

/// The figures of the comparison; `None` when nothing finished.
pub(super) fn evaluate(
    methods: &[Method],
    finished: &[Runs],
    against: Option<usize>,
    failed: Vec<FailedMethod>,
) -> Result<Option<Comparison>, CommandError> {
    let Some((_, first)) = finished.first() else { return Ok(None) };
    let mean = |(_, runs): &Runs| mean_over_runs(&runs.iter().map(|run| &run.users).collect::<Vec<_>>());
    let users = finished.iter().map(mean).collect::<Result<Vec<UserValues>, _>>().map_err(CompareError::from)?;
    let summary = &first[0].summary;
    let (data, mut evaluation) = (summary.data.clone(), summary.evaluation.clone());
    // The first one may rank by scores alone.
    let results: Vec<&RunSummary> = finished.iter().flat_map(|(_, runs)| runs).map(|run| &run.summary).collect();
    (evaluation.of_the_mean, evaluation.baselines) = (of_the_mean(&results), baselines(&results));
    let compared = finished.iter().map(|(place, runs)| {
        let runs: Vec<Run<'_>> = runs.iter().map(KeptRun::lend).collect();
        describe(&methods[*place].name, methods[*place].random, &runs)
    });
    let compared: Vec<ComparedMethod> = compared.collect();
    let known: Vec<(&str, &ExperimentSpec)> =
        finished.iter().map(|(place, runs)| (methods[*place].name.as_str(), &runs[0].spec)).collect();
    let told = [uneven_knowledge(data.validation, &known), flattered(&known), not_to_the_bit(&compared)];
    let warnings = told.into_iter().flatten().collect();
    let against = against.and_then(|place| finished.iter().position(|(of, _)| *of == place));
    let pairs = against.map_or(Pairs::All, Pairs::Against);
    let metrics: Vec<MetricName> = methods.iter().flat_map(|method| &method.spec.evaluation.metrics).copied().collect();
    let (tests, procedure) = paired_tests(&users, pairs, &metrics, Procedure::default()).map_err(CompareError::from)?;
    Ok(Some(Comparison { data, evaluation, methods: compared, tests, procedure, failed, warnings }))
}
