//! A metric that has no value on some rows costs neither the others nor a fit.

mod desk;

use desk::attempt;
use recspeed_types::event::Phase;
use recspeed_types::{EventKind, FailureCode, RunSummary};

const HEAD: &str = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n";

/// Ten users with six of eight items each, one after another in time, all ratings at least 4.
fn rows() -> String {
    let row = |at: u32| format!("u{}\ti{}\t{}\t{at}\n", at / 6, (at / 6 + at % 6) % 8, 4 + at % 2);
    std::iter::once(HEAD.to_owned()).chain((0..60).map(row)).collect()
}

fn spec(split: &str, recommender: &str, metrics: &str) -> String {
    format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"{split}\"\n\
         [recommender]\nkind = \"{recommender}\"\n[evaluation]\nmetrics = [{metrics}]\n"
    )
}

/// What cannot be measured on the [`rows`]: the split, the recommender, the metric, another one beside it, and why.
const IMPOSSIBLE: [[&str; 5]; 3] = [
    ["leave-last-out", "popularity", "cold-coverage@5", "ndcg@5", "every item has rows before the test"],
    ["leave-last-out", "item-mean", "auc", "rmse", "all test ratings are at least 4; set another evaluation.threshold"],
    // The newest rows are all of those who came last.
    [
        "global-time",
        "popularity",
        "popularity-lift@5",
        "ndcg@5",
        "nobody who gets a list has rows that were learnt from",
    ],
];

#[test]
fn a_metric_without_a_value_is_left_out_with_the_reason_and_the_others_are_those_of_a_run_without_it() {
    for [split, recommender, metric, other, why] in IMPOSSIBLE {
        let finished = |metrics: &str| -> RunSummary {
            let text = spec(split, recommender, metrics);
            attempt(Some(&rows()), &text, None).0.unwrap_or_else(|failure| panic!("{text}: {failure}"))
        };
        let both = finished(&format!("\"{metric}\", \"{other}\""));
        assert_eq!(both.metrics, finished(&format!("\"{other}\"")).metrics, "{metric}");
        assert!(both.metrics.contains_key(other), "{metric}: {:?}", both.metrics);
        let told = both.warnings.iter().find(|warning| warning.starts_with(&format!("{metric} is not measured: ")));
        assert!(told.is_some_and(|told| told.contains(why)), "{metric}: {:?}", both.warnings);
    }
}

#[test]
fn nothing_is_learnt_where_no_metric_has_a_value() {
    for [split, recommender, metric, _, why] in IMPOSSIBLE {
        let (result, events) = attempt(Some(&rows()), &spec(split, recommender, &format!("\"{metric}\"")), None);
        let failure = result.expect_err(metric);
        assert_eq!(failure.code, FailureCode::InvalidSpec, "{failure}");
        assert!(failure.refusal.is_some() && failure.cause.contains(why), "{failure}");
        let fits = events.iter().any(|event| matches!(event, EventKind::Phase { phase: Phase::Fit }));
        assert!(!fits, "{metric}: it was fitted before");
    }
}

#[test]
fn what_only_the_lists_tell_is_left_out_after_they_were_made_and_the_others_stay() {
    // One candidate: no list has a pair of items.
    let row = |at: u32| format!("u{at}\ti{}\t5\t{}\n", u32::from(at > 7), at);
    let one: String = std::iter::once(HEAD.to_owned()).chain((0..10).map(row)).collect();
    let text = spec("global-time", "popularity", "\"hit@5\", \"diversity@5\"");
    let summary = attempt(Some(&one), &text, None).0.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(summary.metrics.keys().collect::<Vec<_>>(), ["hit@5"]);
    let told = |warning: &String| warning.starts_with("diversity@5 is not measured: ");
    assert!(summary.warnings.iter().any(told), "{:?}", summary.warnings);
    let alone = attempt(Some(&one), &spec("global-time", "popularity", "\"diversity@5\""), None).0.unwrap_err();
    assert!(alone.cause.contains("diversity is the mean over"), "{alone}");
}
