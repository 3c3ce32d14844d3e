//! What the runs of one method gave, and what it is called.

use recspeed_metrics::comparison::{spread, spreads};
use recspeed_types::comparison::{ComparedMethod, Spread};

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
        metrics: spreads(&metrics),
        fit_s: spread(fit).unwrap_or(Spread { mean: 0.0, sd: None, values: Vec::new() }),
        peak_bytes: runs.iter().map(|run| run.summary.memory.peak).max().unwrap_or(0),
        list_ms: waits.and_then(spread).map(|spread| spread.mean),
    }
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
    fn a_name_that_is_taken_gets_a_number() {
        let names = ["a", "a", "a #2", "b", "a"].map(str::to_owned).into();
        assert_eq!(told_apart(names), ["a", "a #2", "a #2 #2", "b", "a #3"]);
    }
}
