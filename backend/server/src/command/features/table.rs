//! What each feature is worth, as text or as Markdown.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use recspeed_types::comparison::{Comparison, PairedTest};
use recspeed_types::metric::Direction;
use recspeed_types::{ExperimentSpec, MetricName};

use super::Report;
use crate::command::figures::{count, value};
use crate::command::importance;

/// The report: for each metric the variants, the largest change first.
pub(super) fn render(title: &str, spec: &ExperimentSpec, report: &Report, markdown: bool) -> String {
    let comparison = &report.comparison;
    let mut text = format!(
        "{title}: {} on {}, {} test rows\n",
        spec.recommender.kind,
        comparison.data.name,
        count(comparison.data.test)
    );
    let mut done: Vec<String> = Vec::new();
    for asked in &spec.evaluation.metrics {
        let metric = asked.of_users().unwrap_or(*asked).to_string();
        if done.contains(&metric) {
            continue;
        }
        let whole = comparison.methods.first().and_then(|method| method.metrics.get(&asked.to_string()));
        let whole = whole.map_or("–".to_owned(), |spread| value(spread.mean));
        // Writing into a String cannot fail.
        let _ = write!(text, "\n{}{asked}: {whole} as it is", if markdown { "### " } else { "" });
        let mut tests: Vec<&PairedTest> = comparison.tests.iter().filter(|test| test.metric == metric).collect();
        if tests.is_empty() {
            text.push_str("; not compared user by user\n");
        } else {
            tests.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
            let of = if metric == asked.to_string() { String::new() } else { format!(" ({metric})") };
            let _ = write!(text, "; change user by user{of}\n\n{}\n", changes(comparison, &tests, *asked, markdown));
        }
        done.push(metric);
    }
    let procedure = &comparison.procedure;
    let _ = write!(
        text,
        "\nA change is the variant less the experiment as it is, on the same test rows. \"without\": the feature has no values, and \
         everything is learnt anew. An attribute \"shuffled and relearnt\": dealt out anew among the items or users before the training, and \
         everything is learnt anew too. \"with\": the derived attribute is \
         added, made of the training rows alone. Interval of the mean change by BCa bootstrap ({} resamples, {:.0} %); p of the \
         randomization test ({} draws) after Holm's correction over all {} tests, at least {}.\n",
        count(u64::from(procedure.resamples)),
        procedure.level * 100.0,
        count(u64::from(procedure.draws)),
        comparison.tests.len(),
        value(procedure.floor(comparison.tests.len())),
    );
    if !report.importance.is_empty() {
        let heading = if markdown { "### " } else { "" };
        let table = importance::table(&report.importance, markdown);
        let _ = write!(text, "\n{heading}Permutation importance\n\n{table}\n\n{}.\n", importance::WORDS);
    }
    for note in &report.notes {
        let _ = write!(text, "\nNot measured: {note}.\n");
    }
    for failed in &comparison.failed {
        let _ = write!(text, "\nNot measured: {}, whose run failed: {}\n", failed.name, failed.cause);
    }
    text
}

fn changes(comparison: &Comparison, tests: &[&PairedTest], asked: MetricName, markdown: bool) -> String {
    let mut table = Table::new();
    let preset = if markdown { presets::ASCII_MARKDOWN } else { presets::UTF8_FULL_CONDENSED };
    table.load_style(preset);
    table.set_content_arrangement(if markdown { ContentArrangement::Disabled } else { ContentArrangement::Dynamic });
    table.set_header(["variant", "change", "interval", "p", "verdict"]);
    for test in tests {
        // The whole is on the right of every pair.
        let change = test.difference;
        let better = match asked.kind.direction() {
            Direction::Higher => change > 0.0,
            Direction::Lower => change < 0.0,
            Direction::Neither => false,
        };
        let sure = test.p_randomization_holm < 0.05;
        let verdict = match (sure, asked.kind.direction(), better) {
            (false, ..) => "no difference shown",
            (true, Direction::Neither, _) => "different",
            (true, _, true) => "better",
            (true, _, false) => "worse",
        };
        table.add_row([
            comparison.methods[test.left].name.clone(),
            value(change),
            format!("{} to {}", value(test.interval[0]), value(test.interval[1])),
            if test.p_randomization_holm < 1e-4 {
                "< 0.0001".to_owned()
            } else {
                format!("{:.4}", test.p_randomization_holm)
            },
            verdict.to_owned(),
        ]);
    }
    for place in 1..4 {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}
