//! What the runs of one method gave, and what it is called.

use recspeed_metrics::comparison::{spread, spreads};
use recspeed_types::Mode;
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
        mode: runs.iter().map(|run| run.summary.mode()).max(),
        metrics: spreads(&metrics),
        fit_s: spread(fit).unwrap_or(Spread { mean: 0.0, sd: None, values: Vec::new() }),
        peak_bytes: runs.iter().map(|run| run.summary.memory.peak).max().unwrap_or(0),
        list_ms: waits.and_then(spread).map(|spread| spread.mean),
    }
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

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let names = ["a", "a", "a #2", "b", "a"].map(str::to_owned).into();
        assert_eq!(told_apart(names), ["a", "a #2", "a #2 #2", "b", "a #3"]);
    }
}
