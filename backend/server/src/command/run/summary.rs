//! The result of a run as a page of text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use recspeed_types::beside::{Beside, beside};
use recspeed_types::spec::{EvaluateOn, FitOn};
use recspeed_types::summary::{Breakdown, MatrixPrecision};
use recspeed_types::{ExperimentSpec, RunSummary};

use super::super::figures::{bytes, count, counted, percent, seconds, sparkline, value};
use super::super::importance;

/// The result: metrics first, then everything that one must know to trust them.
pub(super) fn render(
    title: &str,
    spec: &ExperimentSpec,
    summary: &RunSummary,
    losses: &[f64],
    with_groups: bool,
) -> String {
    let mut text = format!("{title}\n\n{}\n\n", metrics(spec, summary));
    for breakdown in summary.breakdowns.iter().filter(|_| with_groups) {
        // Writing into a String cannot fail.
        let note = breakdown.missing_tenths().map_or_else(String::new, |note| format!("{note}\n"));
        let _ = write!(text, "{}\n{}\n{note}\n", breakdown.by.title(), groups(breakdown));
    }
    if !summary.importance.is_empty() {
        let _ = write!(text, "{}\n{}\n\n", importance::WORDS, importance::table(&summary.importance, false));
    }
    let mut facts = Table::new();
    facts.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    for (label, fact) in facts_of(spec, summary, losses) {
        facts.add_row([label.to_owned(), fact]);
    }
    for line in facts.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for warning in &summary.warnings {
        // Writing into a String cannot fail.
        let _ = write!(text, "\nWarning: {warning}\n");
    }
    text
}

/// What the simplest methods get on the same rows.
fn those_beside(spec: &ExperimentSpec, summary: &RunSummary) -> Vec<Beside> {
    let evaluation = &summary.evaluation;
    beside(&evaluation.of_the_mean, &evaluation.baselines, &[spec.recommender.kind.as_str()])
}

/// The metrics in the order of the spec, then any others; those of the simplest methods beside them, where these have
/// any.
fn metrics(spec: &ExperimentSpec, summary: &RunSummary) -> Table {
    let asked: Vec<String> = spec.evaluation.metrics.iter().map(ToString::to_string).collect();
    let others = summary.metrics.keys().filter(|name| !asked.contains(name));
    // No verdict stands there: where the method errs clearly more, a warning says so.
    let those = those_beside(spec, summary);
    let mut table = Table::new();
    let heads = ["metric", "value"].into_iter().chain(those.iter().map(|one| one.title.as_str()));
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(heads);
    for name in asked.iter().chain(others) {
        let shown = summary.metrics.get(name).map_or_else(|| "not measured".to_owned(), |v| value(*v));
        let beside = those.iter().map(|one| one.values.get(name).map_or_else(String::new, |v| value(*v)));
        table.add_row([name.clone(), shown].into_iter().chain(beside));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A row for each group, a column for each metric.
fn groups(breakdown: &Breakdown) -> Table {
    let names: BTreeSet<&String> = breakdown.groups.iter().flat_map(|group| group.metrics.keys()).collect();
    let mut table = Table::new();
    let fewer = breakdown.ranks_fewer();
    let mut fixed = vec!["group", "users", "test rows"];
    if fewer {
        fixed.extend(["ranked for", "rows looked for"]);
    }
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(fixed.into_iter().map(str::to_owned).chain(names.iter().map(|name| (*name).clone())));
    for group in &breakdown.groups {
        let measured = names.iter().map(|name| group.metrics.get(*name).map_or_else(String::new, |v| value(*v)));
        let mut fixed = vec![group.name.clone(), count(group.users), count(group.rows)];
        if fewer {
            let ranked = group.ranked;
            fixed.push(ranked.map_or_else(String::new, |ranked| count(ranked.users)));
            fixed.push(ranked.map_or_else(String::new, |ranked| count(ranked.rows)));
        }
        table.add_row(fixed.into_iter().chain(measured));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn facts_of(spec: &ExperimentSpec, summary: &RunSummary, losses: &[f64]) -> Vec<(&'static str, String)> {
    let (data, evaluation, memory) = (&summary.data, &summary.evaluation, &summary.memory);
    let made_up = if data.synthetic { " (synthetic)" } else { "" };
    let learns_all =
        data.validation > 0 && evaluation.on == EvaluateOn::Test && spec.split.fit_on == Some(FitOn::TrainValidation);
    let mut facts = vec![
        ("recommender", format!("{}, seed {}", spec.recommender.kind, summary.seed)),
        (
            "data",
            format!(
                "{}{made_up}: {} and {}; {}",
                data.name,
                counted(data.users, "user", "users"),
                counted(data.items, "item", "items"),
                counted(data.bad_lines, "bad line", "bad lines"),
            ),
        ),
        (
            "rows",
            format!(
                "{} to learn from, {} for validation{}, {} for the test",
                count(data.train),
                count(data.validation),
                if learns_all { " (learnt from, too)" } else { "" },
                count(data.test)
            ),
        ),
        ("sha256", data.sha256.clone()),
    ];
    if evaluation.on == EvaluateOn::Validation {
        facts.push(("measured on", "the validation rows; the test rows were left out of everything".to_owned()));
    }
    if summary.has_lists() {
        let items = counted(evaluation.candidate_items, "item", "items");
        facts.push(("candidates", format!("{}: {items}", evaluation.candidates)));
        facts.push(("users", users(summary)));
        facts.push((
            "ties",
            format!("{} of the lists were cut by the tie rule: {}", percent(evaluation.tie_share), evaluation.tie_rule),
        ));
    }
    if evaluation.left_out_rows > 0 {
        facts.push((
            "left out",
            format!(
                "{} of items that are no candidates, and {} without others",
                counted(evaluation.left_out_rows, "test row", "test rows"),
                counted(evaluation.left_out_users, "user", "users"),
            ),
        ));
    }
    if evaluation.cold_item_rows > 0 {
        facts.push((
            "cold items",
            format!(
                "{} on items that nobody has in training",
                counted(evaluation.cold_item_rows, "test row", "test rows")
            ),
        ));
    }
    if evaluation.repeated_rows > 0 {
        let rows = counted(evaluation.repeated_rows, "test row", "test rows");
        facts.push(("repeated", format!("{rows} on items that the user had before the test")));
    }
    if spec.evaluation.metrics.iter().any(|metric| metric.kind.of_ratings()) {
        facts.push(("rating scale", evaluation.rating_scale.clone()));
    }
    for (place, one) in those_beside(spec, summary).iter().enumerate() {
        facts.push((if place == 0 { "beside it" } else { "" }, one.explanation()));
    }
    if let Some(training) = &summary.training {
        let spark = sparkline(losses, 32);
        let spark = if spark.is_empty() { spark } else { format!(" {spark}") };
        let best = training.best_epoch.map_or(String::new(), |epoch| format!(", best epoch {epoch}"));
        let last =
            if training.steps > u64::from(training.epochs) { "mean loss of the last epoch" } else { "last loss" };
        let early = if training.stopped_early { ", stopped early" } else { "" };
        facts.push((
            "training",
            format!(
                "{}, {}, {last} {}{spark}{best}{early}",
                counted(u64::from(training.epochs), "epoch", "epochs"),
                counted(training.steps, "step", "steps"),
                value(training.final_loss),
            ),
        ));
    }
    let timing = &summary.timing;
    facts.push((
        "time",
        format!(
            "load {}, fit {}, evaluate {}{}",
            seconds(timing.load_s),
            seconds(timing.fit_s),
            seconds(timing.evaluate_s),
            if timing.evaluate_has_lists() { ", in which single lists were timed" } else { "" }
        ),
    ));
    if let Some(latency) = &timing.recommend {
        facts.push((
            "one list",
            format!(
                "{} median, {} at the 99th percentile of {}",
                seconds(latency.p50_ms / 1e3),
                seconds(latency.p99_ms / 1e3),
                latency.measured_over()
            ),
        ));
    }
    let parts: Vec<String> = [
        ("parameters", memory.parameters),
        ("gradients", memory.gradients),
        ("optimizer", memory.optimizer),
        ("optimizer, offloaded", memory.host),
        ("activations", memory.activations),
        ("buffers", memory.buffers),
    ]
    .into_iter()
    .filter(|(_, size)| *size > 0)
    .map(|(name, size)| format!("{name} {}", bytes(size)))
    .collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    facts.push(("memory", format!("peak {}{parts}", bytes(memory.peak))));
    let engine = &summary.engine;
    let versions: Vec<String> = engine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    facts.push((
        "engine",
        format!(
            "{} on {}, {}{}; {}; {}",
            engine.kind,
            engine.device,
            counted(u64::from(engine.threads), "thread", "threads"),
            if engine.precision == Some(MatrixPrecision::Tf32) { ", products in TF32" } else { "" },
            engine.host,
            versions.join(", ")
        ),
    ));
    facts.push(("run again", summary.mode().in_words().to_owned()));
    facts
}

fn users(summary: &RunSummary) -> String {
    let evaluation = &summary.evaluation;
    let asked = evaluation.test_users - evaluation.left_out_users.min(evaluation.test_users);
    let mut text = if evaluation.sampled_users {
        format!("{} of {} test users, drawn by the seed", count(evaluation.evaluated_users), count(asked))
    } else {
        format!("{} of {} test users evaluated", count(evaluation.evaluated_users), count(asked))
    };
    if evaluation.cold_users > 0 {
        let _ = write!(text, "; {} of all {} are cold", count(evaluation.cold_users), count(evaluation.test_users));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::Mode;
    use recspeed_types::event::MemoryBytes;
    use recspeed_types::summary::{
        BreakdownBy, DataInfo, EngineInfo, EvaluationInfo, Group, Latency, RankedFor, SummaryStatus, Timing,
    };

    fn example() -> RunSummary {
        RunSummary {
            run: recspeed_types::RunId::new("r1").unwrap(),
            status: SummaryStatus::Finished,
            metrics: [("rmse".to_owned(), 1.153_676_1), ("mae".to_owned(), 0.968_05), ("ndcg@10".to_owned(), 0.25)]
                .into(),
            timing: Timing { load_s: 0.1, fit_s: 2.0, evaluate_s: 0.05, start_s: None, recommend: None },
            memory: MemoryBytes { parameters: 2048, peak: 5 << 20, ..MemoryBytes::default() },
            engine: EngineInfo {
                kind: "burn".into(),
                device: "flex".into(),
                versions: [("burn".to_owned(), "0.22.1".to_owned())].into(),
                host: "linux x86_64".into(),
                threads: 2,
                precision: Some(MatrixPrecision::F32),
            },
            data: DataInfo {
                name: "ml-100k.inter".into(),
                users: 943,
                items: 1682,
                train: 80_000,
                validation: 0,
                test: 20_000,
                bad_lines: 1,
                sha256: "ab".repeat(32),
                synthetic: false,
                leaks: Some(0),
            },
            evaluation: EvaluationInfo {
                on: EvaluateOn::Test,
                candidates: "full ranking".into(),
                candidate_items: 1650,
                test_users: 459,
                evaluated_users: 100,
                sampled_users: true,
                left_out_rows: 0,
                left_out_users: 0,
                cold_users: 2,
                cold_item_rows: 32,
                repeated_rows: 7,
                tie_rule: "score descending, then the lower item id".into(),
                tie_share: 0.0042,
                rating_scale: "stars".into(),
                of_the_mean: std::collections::BTreeMap::new(),
                baselines: std::collections::BTreeMap::new(),
            },
            breakdowns: Vec::new(),
            importance: Vec::new(),
            training: None,
            seed: 42,
            mode: Some(Mode::Exact),
            warnings: vec!["the clock went backwards".into()],
        }
    }

    #[test]
    fn a_result_shows_all_that_is_needed_to_trust_it() {
        let text = render("A run", &ExperimentSpec::default(), &example(), &[], false);
        for part in [
            "1.153676",
            "0.9680500",
            "943 users and 1,682 items",
            "1 bad line",
            "80,000 to learn from",
            "20,000 for the test",
            "full ranking: 1,650 items",
            "100 of 459 test users, drawn by the seed; 2 of all 459 are cold",
            "0.4 % of the lists",
            "32 test rows on items",
            "7 test rows on items that the user had before",
            "fit 2.00 s",
            "peak 5.0 MiB (parameters 2.0 KiB)",
            "burn on flex, 2 threads",
            "exact: the same seed gives the same bits",
            "Warning: the clock went backwards",
            &"ab".repeat(32),
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(text.find("rmse").unwrap() < text.find("mae").unwrap(), "the order of the spec");
    }

    #[test]
    fn the_simplest_methods_stand_beside_the_metrics_that_they_have_and_none_beside_itself() {
        let mut summary = example();
        let without = render("A run", &ExperimentSpec::default(), &summary, &[], false);
        assert!(!without.contains("Global mean") && !without.contains("beside it"), "{without}");
        summary.evaluation.of_the_mean = [("rmse".to_owned(), 1.1256)].into();
        let popularity = [("ndcg@10".to_owned(), 0.0625)].into();
        summary.evaluation.baselines = [("popularity".to_owned(), popularity)].into();
        let mut spec = ExperimentSpec::default();
        let text = render("A run", &spec, &summary, &[], false);
        let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap_or_default();
        assert!(line("metric").contains("Global mean") && line("metric").contains("Popularity"), "{text}");
        assert!(line("rmse").contains("1.153676") && line("rmse").contains("1.125600"), "{text}");
        assert!(line("ndcg@10").contains("0.25") && line("ndcg@10").contains("0.0625"), "{text}");
        assert!(!line("ndcg@10").contains("1.1256") && !line("rmse").contains("0.0625"), "{text}");
        assert!(text.contains("Global mean is the mean of what was learnt from"), "{text}");
        spec.recommender.kind = "popularity".to_owned();
        assert!(!render("A run", &spec, &summary, &[], false).contains("Popularity"));
    }

    #[test]
    fn the_wait_for_a_list_says_over_what_it_was_measured_and_is_no_part_of_the_evaluation() {
        let of = |threads: Option<u32>| {
            let latency = Latency { p50_ms: 1.5, p99_ms: 4.0, lists: 200, threads };
            let timing = Timing { recommend: Some(latency), ..example().timing };
            render("A run", &ExperimentSpec::default(), &RunSummary { timing, ..example() }, &[], false)
        };
        let told = of(Some(2));
        assert!(told.contains("99th percentile of 200 lists, one after another, on up to 2 threads"), "{told}");
        assert!(!told.contains("in which single lists were timed"), "{told}");
        let older = of(None);
        assert!(older.contains("99th percentile of 200 lists, one after another"), "{older}");
        assert!(older.contains(", in which single lists were timed"), "{older}");
    }

    #[test]
    fn groups_show_how_many_were_ranked_for_where_that_is_not_all() {
        let of = |ranked: Option<RankedFor>| {
            let group = Group {
                name: "no ratings".into(),
                users: 31,
                rows: 41,
                ranked,
                metrics: [("hit@10".to_owned(), 0.5)].into(),
            };
            let breakdown = Breakdown { by: BreakdownBy::UserActivity, groups: vec![group] };
            let summary = RunSummary { breakdowns: vec![breakdown], ..example() };
            render("A run", &ExperimentSpec::default(), &summary, &[], true)
        };
        let text = of(Some(RankedFor { users: 7, rows: 9 }));
        assert!(text.contains("ranked for") && text.contains("rows looked for") && text.contains("41"), "{text}");
        for all in [Some(RankedFor { users: 31, rows: 41 }), None] {
            assert!(!of(all).contains("ranked for"), "{}", of(all));
        }
    }

    #[test]
    fn tenths_that_are_not_shown_are_told_beside_the_groups() {
        let group = |name: &str| Group {
            name: name.into(),
            users: 1,
            rows: 1,
            ranked: None,
            metrics: [("rmse".to_owned(), 0.5)].into(),
        };
        let groups = vec![group("most popular tenth"), group("tenth 3")];
        let breakdown = Breakdown { by: BreakdownBy::ItemPopularity, groups };
        let summary = RunSummary { breakdowns: vec![breakdown], ..example() };
        let text = render("A run", &ExperimentSpec::default(), &summary, &[], true);
        assert!(text.contains("so tenths 2, 4, 5, 6, 7, 8, 9 and 10 have no items of their own"), "{text}");
    }

    #[test]
    fn validation_rows_that_are_learnt_from_are_told_as_such() {
        let summary = RunSummary { data: DataInfo { validation: 9, ..example().data }, ..example() };
        let mut spec = ExperimentSpec::default();
        spec.split.fit_on = Some(FitOn::TrainValidation);
        let text = render("A run", &spec, &summary, &[], false);
        assert!(text.contains("9 for validation (learnt from, too), 20,000 for the test"), "{text}");
        assert!(!render("A run", &ExperimentSpec::default(), &summary, &[], false).contains("learnt from, too"));
    }

    #[test]
    fn a_result_says_where_the_same_seed_need_not_give_the_same_bits() {
        let mut older = RunSummary { mode: None, ..example() };
        older.engine.device = "vulkan".into();
        let text = render("A run", &ExperimentSpec::default(), &older, &[], false);
        assert!(text.contains("seeded: the same seed need not give the same bits"), "{text}");
        assert!(!text.contains("exact: "), "{text}");
    }
}
