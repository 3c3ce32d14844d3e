//! What the runs of one method gave, and what it is called.

use std::collections::{BTreeMap, BTreeSet};

use recspeed_metrics::comparison::{spread, spreads};
use recspeed_types::comparison::{ComparedMethod, Spread};
use recspeed_types::{Mode, RunSummary};

use super::Run;

/// The figures of one method. `random`: whether it depends on the seed.
pub(crate) fn describe(name: &str, random: bool, runs: &[Run<'_>]) -> ComparedMethod {
    let metrics: Vec<_> = runs.iter().map(|run| &run.summary.metrics).collect();
    let fit = runs.iter().map(|run| run.summary.timing.fit_s).collect();
    let waits: Option<Vec<f64>> = runs.iter().map(|run| Some(run.summary.timing.recommend?.p50_ms)).collect();
    ComparedMethod {
        name: name.to_owned(),
        kind: runs.first().map(|run| run.spec.recommender.kind.clone()).unwrap_or_default(),
        seeds: runs.iter().map(|run| run.summary.seed).collect(),
        random,
        mode: runs.iter().map(|run| run.summary.mode()).max(),
        metrics: spreads(&metrics),
        fit_s: spread(fit).unwrap_or(Spread { mean: 0.0, sd: None, values: Vec::new() }),
        peak_bytes: runs.iter().map(|run| run.summary.memory.peak).max().unwrap_or(0),
        list_ms: waits.and_then(spread).map(|spread| spread.mean),
    }
}

/// Share of a value within which two machines that round differently tell the same one.
const ROUNDING: f64 = 1e-6;

/// What the global mean gets by each metric, as the first of these runs that has it says. Where another says
/// otherwise, as of likes and not of stars, or by other rows to learn from, there is no one number, and the metric is
/// left out.
pub(crate) fn of_the_mean(runs: &[&RunSummary]) -> BTreeMap<String, f64> {
    agreed(runs.iter().map(|run| &run.evaluation.of_the_mean))
}

/// What baselines get by kind and metric, under the same terms: runs carry them that were measured on the same rows. Of
/// errors there are none where some runs err in stars and others by likes, for whom no baseline tells any.
pub(crate) fn baselines(runs: &[&RunSummary]) -> BTreeMap<String, BTreeMap<String, f64>> {
    let erring = runs.iter().filter(|run| run.has_errors());
    let scales: BTreeSet<&str> = erring.map(|run| run.evaluation.rating_scale.as_str()).collect();
    let kinds: BTreeSet<&String> = runs.iter().flat_map(|run| run.evaluation.baselines.keys()).collect();
    let of_kind = |kind: &String| {
        let mut values = agreed(runs.iter().filter_map(|run| run.evaluation.baselines.get(kind)));
        values.retain(|name, _| scales.len() < 2 || name.contains('@'));
        (!values.is_empty()).then(|| (kind.clone(), values))
    };
    kinds.into_iter().filter_map(of_kind).collect()
}

/// By metric the value that the first tells, without those that another tells otherwise.
fn agreed<'a>(told: impl Iterator<Item = &'a BTreeMap<String, f64>>) -> BTreeMap<String, f64> {
    let mut agreed: BTreeMap<String, Option<f64>> = BTreeMap::new();
    for (name, value) in told.flatten() {
        let first = agreed.entry(name.clone()).or_insert(Some(*value));
        *first = first.filter(|first| (first - value).abs() <= ROUNDING * first.abs());
    }
    agreed.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Which methods another run of the same seed would give other numbers of; `None` where all repeat to the bit.
pub(crate) fn not_to_the_bit(methods: &[ComparedMethod]) -> Option<String> {
    let told: Vec<String> = [Mode::Seeded, Mode::Fast]
        .into_iter()
        .filter_map(|mode| {
            let named: Vec<String> = methods
                .iter()
                .filter(|method| method.mode == Some(mode))
                .map(|method| format!("“{}”", method.name))
                .collect();
            (!named.is_empty()).then(|| format!("{} – {}", named.join(", "), mode.in_words()))
        })
        .collect();
    (!told.is_empty()).then(|| {
        let told = told.join("; ");
        format!("Not all repeat to the bit: {told}. Their spread over the seeds holds that of running again, too.")
    })
}

/// Names none of which is another: by a number behind those that were taken.
pub(crate) fn told_apart(names: Vec<String>) -> Vec<String> {
    let mut apart: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let (mut unlike, mut number) = (name.clone(), 1);
        while apart.contains(&unlike) {
            number += 1;
            unlike = format!("{name} #{number}");
        }
        apart.push(unlike);
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_does_not_repeat_to_the_bit_is_named_with_what_that_means() {
        let unknown = describe("", true, &[]);
        assert_eq!(unknown.mode, None, "of nothing nothing is told");
        let method = |name: &str, mode| ComparedMethod { name: name.to_owned(), mode: Some(mode), ..unknown.clone() };
        let exact = method("a", Mode::Exact);
        assert_eq!(not_to_the_bit(&[exact.clone(), method("b", Mode::Exact), unknown.clone()]), None);
        // One that was kept before this was told promises nothing.
        let mut kept = serde_json::to_value(&exact).expect("JSON");
        kept.as_object_mut().expect("an object").remove("mode");
        let kept: ComparedMethod = serde_json::from_value(kept).expect("a method");
        assert_eq!(kept.mode, None);
        let told = not_to_the_bit(&[exact, method("b", Mode::Seeded), method("c", Mode::Fast)]).expect("a sentence");
        assert!(told.contains("“b” – seeded: ") && told.contains("; “c” – fast: ") && !told.contains("“a”"), "{told}");
    }

    fn summary(of_the_mean: &[(&str, f64)]) -> RunSummary {
        let of_the_mean: BTreeMap<&str, f64> = of_the_mean.iter().copied().collect();
        serde_json::from_value(serde_json::json!({
            "run": "a", "status": "finished", "metrics": {}, "seed": 1,
            "timing": { "load_s": 0, "fit_s": 0, "evaluate_s": 0 },
            "memory": { "parameters": 0, "gradients": 0, "optimizer": 0, "activations": 0, "buffers": 0, "allocator_total": 0, "peak": 0 },
            "engine": { "kind": "burn", "device": "flex", "versions": {}, "host": "a", "threads": 1 },
            "data": { "name": "a", "users": 4, "items": 4, "train": 5, "validation": 0, "test": 6, "bad_lines": 0, "sha256": "a", "synthetic": true },
            "evaluation": {
                "candidates": "", "candidate_items": 4, "test_users": 4, "evaluated_users": 4, "sampled_users": false,
                "cold_users": 0, "cold_item_rows": 0, "tie_rule": "", "tie_share": 0, "rating_scale": "stars", "of_the_mean": of_the_mean,
            },
        }))
        .expect("a result")
    }

    #[test]
    fn the_global_mean_is_that_of_the_first_run_that_has_it_and_none_where_another_says_otherwise() {
        let told = |runs: &[RunSummary]| {
            let runs: Vec<&RunSummary> = runs.iter().collect();
            of_the_mean(&runs).into_iter().collect::<Vec<_>>()
        };
        let (scores, stars) = (summary(&[]), summary(&[("rmse", 1.125), ("accuracy", 0.75)]));
        let both = [("accuracy".to_owned(), 0.75), ("rmse".to_owned(), 1.125)];
        assert_eq!(told(&[scores.clone(), stars.clone()]), both, "the first one ranks by scores alone");
        assert_eq!(told(&[stars.clone(), summary(&[("rmse", 1.125 + 1e-9)])]), both, "the same but for rounding");
        let likes = summary(&[("rmse", 0.4), ("accuracy", 0.75)]);
        for runs in [[stars.clone(), likes.clone()], [likes, stars.clone()]] {
            assert_eq!(told(&runs), both[..1], "another scale");
        }
        // What has once been told otherwise stays untold.
        assert_eq!(told(&[stars.clone(), summary(&[("rmse", 0.4)]), stars]), both[..1]);
        assert!(told(&[scores]).is_empty());
    }

    /// A result in stars or likes, with what these baselines get.
    fn carrying(scale: &str, metric: &str, baselines: &[(&str, &str, f64)]) -> RunSummary {
        let mut run = summary(&[]);
        run.metrics.insert(metric.to_owned(), 0.5);
        run.evaluation.rating_scale = scale.to_owned();
        for (kind, metric, value) in baselines {
            run.evaluation.baselines.entry((*kind).to_owned()).or_default().insert((*metric).to_owned(), *value);
        }
        run
    }

    #[test]
    fn baselines_are_those_that_any_run_carries_and_on_which_all_agree() {
        let told = |runs: &[RunSummary]| {
            let runs: Vec<&RunSummary> = runs.iter().collect();
            let all = baselines(&runs).into_iter();
            all.flat_map(|(kind, values)| values.into_iter().map(move |(name, value)| format!("{kind} {name} {value}")))
                .collect::<Vec<_>>()
        };
        let lists = carrying("stars", "ndcg@10", &[("popularity", "ndcg@10", 0.25)]);
        let stars = carrying("stars", "rmse", &[("bias", "rmse", 0.9), ("popularity", "ndcg@10", 0.25)]);
        assert_eq!(told(&[lists.clone(), stars.clone()]), ["bias rmse 0.9", "popularity ndcg@10 0.25"]);
        // By other rows to learn from.
        let other = carrying("stars", "ndcg@10", &[("popularity", "ndcg@10", 0.5)]);
        assert_eq!(told(&[stars.clone(), other]), ["bias rmse 0.9"]);
        // Beside errors of likes no star stands.
        let likes = carrying("liked (1) or not (0)", "rmse", &[]);
        assert_eq!(told(&[stars, likes]), ["popularity ndcg@10 0.25"]);
        assert!(told(&[carrying("stars", "rmse", &[])]).is_empty(), "results of before it was told");
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let names = ["a", "a", "a #2", "b", "a"].map(str::to_owned).into();
        assert_eq!(told_apart(names), ["a", "a #2", "a #2 #2", "b", "a #3"]);
    }
}
