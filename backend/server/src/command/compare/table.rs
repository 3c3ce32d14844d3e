//! A comparison as text or as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use recspeed_types::MetricName;
use recspeed_types::beside::{Beside, GLOBAL_MEAN, GLOBAL_MEAN_IS, GLOBAL_MEAN_TITLE, beside};
use recspeed_types::comparison::{ComparedMethod, Comparison, PairedTest, Spread};
use recspeed_types::metric::Direction;

use super::super::figures::{bytes, count, seconds, value};
use super::methods::Method;

/// The whole: who did how well, who beats whom, and what one must know to trust it.
pub(super) fn render(comparison: &Comparison, methods: &[Method], markdown: bool) -> String {
    let metrics = metrics_of(methods);
    let mut text = format!("{}\n\n{}\n", on_what(comparison), results(comparison, &metrics, markdown));
    for metric in tested(comparison, &metrics) {
        let _ = write!(text, "\n{}{metric}, user by user\n\n{}\n", if markdown { "### " } else { "" }, {
            let tests: Vec<&PairedTest> = comparison.tests.iter().filter(|test| test.metric == metric).collect();
            pairs(comparison, &tests, markdown)
        });
    }
    let _ = write!(text, "\n{}\n", how(comparison));
    for warning in &comparison.warnings {
        let _ = write!(text, "\nWarning: {warning}\n");
    }
    for failed in &comparison.failed {
        let _ = write!(
            text,
            "\nNot compared: {}, whose run with seed {} failed: {}\n",
            failed.name, failed.seed, failed.cause
        );
    }
    text
}

/// Metrics in the order in which they were asked for.
fn metrics_of(methods: &[Method]) -> Vec<MetricName> {
    let mut metrics = Vec::new();
    for name in methods.iter().flat_map(|method| &method.spec.evaluation.metrics) {
        if !metrics.contains(name) {
            metrics.push(*name);
        }
    }
    metrics
}

/// Names of the metrics with tests, in the same order.
fn tested(comparison: &Comparison, metrics: &[MetricName]) -> Vec<String> {
    let mut names: Vec<String> =
        metrics.iter().filter_map(|name| name.of_users()).map(|name| name.to_string()).collect();
    names.dedup();
    names.retain(|name| comparison.tests.iter().any(|test| test.metric == *name));
    names
}

fn empty(markdown: bool) -> Table {
    let mut table = Table::new();
    let preset = if markdown { presets::ASCII_MARKDOWN } else { presets::UTF8_FULL_CONDENSED };
    table.load_style(preset);
    table.set_content_arrangement(if markdown { ContentArrangement::Disabled } else { ContentArrangement::Dynamic });
    table
}

fn right_aligned(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn results(comparison: &Comparison, metrics: &[MetricName], markdown: bool) -> String {
    let mut table = empty(markdown);
    let names = metrics.iter().map(ToString::to_string);
    table.set_header(
        ["recommender", "runs"]
            .map(str::to_owned)
            .into_iter()
            .chain(names)
            .chain(["fit", "one list", "peak"].map(str::to_owned)),
    );
    for method in &comparison.methods {
        let of = |name: &MetricName| {
            let spread = method.metrics.get(&name.to_string());
            let best = spread.is_some_and(|spread| is_best(comparison, *name, spread.mean));
            spread.map_or("–".to_owned(), |spread| format!("{}{}", plus_minus(spread), if best { " *" } else { "" }))
        };
        let wait = method.list_ms.map_or("–".to_owned(), |ms| seconds(ms / 1e3));
        let rest = [seconds(method.fit_s.mean), wait, bytes(method.peak_bytes)];
        table.add_row([method.name.clone(), runs_of(method)].into_iter().chain(metrics.iter().map(of)).chain(rest));
    }
    for one in those_beside(comparison) {
        if let Some(values) = values_of(&one.values, metrics) {
            let head = [one.title, "–".to_owned()];
            table.add_row(head.into_iter().chain(values).chain(["–", "–", "–"].map(str::to_owned)));
        }
    }
    right_aligned(&mut table, 1);
    table.to_string()
}

/// What stands beside the recommenders without being one of them.
fn those_beside(comparison: &Comparison) -> Vec<Beside> {
    let (evaluation, methods) = (&comparison.evaluation, &comparison.methods);
    let own: Vec<&str> = methods.iter().map(|method| method.kind.as_str()).collect();
    beside(&evaluation.of_the_mean, &evaluation.baselines, &own)
}

/// What it has of each metric that is shown; `None` where it has none of them.
fn values_of(values: &BTreeMap<String, f64>, metrics: &[MetricName]) -> Option<Vec<String>> {
    let of = |name: &MetricName| values.get(&name.to_string()).map_or("–".to_owned(), |value| short(*value));
    let has_any = metrics.iter().any(|name| values.contains_key(&name.to_string()));
    has_any.then(|| metrics.iter().map(of).collect())
}

fn runs_of(method: &ComparedMethod) -> String {
    if method.random { method.seeds.len().to_string() } else { "1 (no chance)".to_owned() }
}

/// Four significant digits of the mean, and as many decimals of the deviation.
fn plus_minus(spread: &Spread) -> String {
    let mean = short(spread.mean);
    match spread.sd {
        Some(sd) => {
            let decimals = mean.split_once('.').map_or(0, |(_, digits)| digits.len());
            format!("{mean} ± {sd:.decimals$}")
        }
        None => mean,
    }
}

/// A value with four significant digits.
fn short(number: f64) -> String {
    if number == 0.0 || !number.is_finite() || !(1e-4..1e6).contains(&number.abs()) {
        return if number == 0.0 { "0".to_owned() } else { format!("{number:.3e}") };
    }
    let decimals = (3 - number.abs().log10().floor() as i32).clamp(0, 8) as usize;
    format!("{number:.decimals$}")
}

fn is_best(comparison: &Comparison, name: MetricName, mean: f64) -> bool {
    let means = || comparison.methods.iter().filter_map(|m| Some(m.metrics.get(&name.to_string())?.mean));
    match name.kind.direction() {
        _ if comparison.methods.len() < 2 => false,
        Direction::Higher => means().all(|other| other <= mean),
        Direction::Lower => means().all(|other| other >= mean),
        Direction::Neither => false,
    }
}

fn pairs(comparison: &Comparison, tests: &[&PairedTest], markdown: bool) -> String {
    let mut table = empty(markdown);
    let level = comparison.procedure.level * 100.0;
    table.set_header([
        "pair".to_owned(),
        "difference".to_owned(),
        format!("{level:.0} % interval"),
        "Hedges' g".to_owned(),
        "p, t test".to_owned(),
        "p, randomization".to_owned(),
        "users better : worse".to_owned(),
    ]);
    for test in tests {
        let name = |place: usize| comparison.methods[place].name.as_str();
        let lower = test.metric.parse::<MetricName>().is_ok_and(|name| name.kind.direction() == Direction::Lower);
        let (better, worse) =
            if lower { (test.right_larger, test.left_larger) } else { (test.left_larger, test.right_larger) };
        table.add_row([
            format!("{} − {}", name(test.left), name(test.right)),
            short(test.difference),
            format!("{} to {}", short(test.interval[0]), short(test.interval[1])),
            test.hedges_g.map_or("–".to_owned(), |g| format!("{g:.3}")),
            chance(test.p_t_holm),
            format!("{}{}", chance(test.p_randomization_holm), if test.exact { " (exact)" } else { "" }),
            format!("{} : {}", count(better), count(worse)),
        ]);
    }
    right_aligned(&mut table, 1);
    table.to_string()
}

/// A p-value with the digits that mean something.
fn chance(p: f64) -> String {
    if p < 1e-4 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

fn on_what(comparison: &Comparison) -> String {
    let (data, evaluation) = (&comparison.data, &comparison.evaluation);
    let made_up = if data.synthetic { " (synthetic)" } else { "" };
    format!(
        "On {}{made_up}: {} users, {} items; {} rows to learn from, {} for validation, {} for the test, the same for all.",
        data.name,
        count(data.users),
        count(data.items),
        count(data.train),
        count(data.validation),
        count(data.test),
    ) + &if comparison.methods.iter().any(|method| method.metrics.keys().any(|name| name.contains('@'))) {
        format!(
            " Candidates: {}. {} of {} users with test rows are ranked for.",
            evaluation.candidates,
            count(evaluation.evaluated_users),
            count(evaluation.test_users)
        )
    } else {
        String::new()
    }
}

fn how(comparison: &Comparison) -> String {
    let procedure = &comparison.procedure;
    let mut text =
        "Runs: mean ± standard deviation over the seeds (n − 1); data and split stay the same. * is the best mean."
            .to_owned();
    let those = those_beside(comparison);
    if !those.is_empty() {
        text.push_str(
            " Rows without a number of runs are baselines that the results carry, learnt and judged on the same rows; \
             they have no value where the results do not agree.",
        );
    }
    if those.iter().any(|one| one.kind == GLOBAL_MEAN) {
        let _ = write!(text, " {GLOBAL_MEAN_TITLE} is {GLOBAL_MEAN_IS}.");
    }
    if comparison.tests.is_empty() {
        return text;
    }
    let _ = write!(
        text,
        " Pairs: each user's value is the mean over the seeds; interval of the mean difference by BCa bootstrap ({} resamples); \
         two-sided p of the paired t test and of the randomization test ({} draws, or exact), both after Holm's correction over all \
         {} tests above: what they say holds for the seeds that ran, not for other trainings. Seed {}. Smallest p that {} draws can show: {}.",
        count(u64::from(procedure.resamples)),
        count(u64::from(procedure.draws)),
        comparison.tests.len(),
        procedure.seed,
        count(u64::from(procedure.draws)),
        value(procedure.floor(comparison.tests.len())),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_have_the_decimals_of_their_mean() {
        let spread = |mean, sd| Spread { mean, sd, values: Vec::new() };
        assert_eq!(plus_minus(&spread(0.123_456, Some(0.001_26))), "0.1235 ± 0.0013");
        assert_eq!(plus_minus(&spread(0.943_21, None)), "0.9432");
        assert_eq!(plus_minus(&spread(123.456, Some(1.0))), "123.5 ± 1.0");
        assert_eq!(short(-0.000_001), "-1.000e-6");
    }

    #[test]
    fn what_stands_beside_has_its_own_metrics_and_no_others() {
        let metrics: Vec<MetricName> = ["rmse", "ndcg@10"].map(|name| name.parse::<MetricName>().unwrap()).into();
        let values = BTreeMap::from([("rmse".to_owned(), 1.125_62)]);
        assert_eq!(values_of(&values, &metrics), Some(vec!["1.126".to_owned(), "–".to_owned()]));
        assert_eq!(values_of(&BTreeMap::new(), &metrics), None);
        assert_eq!(values_of(&values, &metrics[1..]), None, "a row of nothing");
    }

    #[test]
    fn p_values_are_not_more_exact_than_they_are() {
        assert_eq!(
            (chance(0.0), chance(0.049_702), chance(1.0)),
            ("< 0.0001".into(), "0.0497".into(), "1.0000".into())
        );
    }
}
