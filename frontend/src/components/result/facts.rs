//! Everything that must be known to trust and to repeat a result: nothing is folded away.

use leptos::prelude::*;
use recspeed_types::RunSummary;
use recspeed_types::event::MemoryBytes;
use recspeed_types::spec::EvaluateOn;
use recspeed_types::summary::TrainingInfo;

use crate::charts::{bytes, count, duration, share, value};

type Fact = (&'static str, String);

/// A stretch of time that was measured. The clock of a browser may tick every tenth of a millisecond only, or every one: what
/// it did not see was not nothing.
fn measured_time(seconds: f64) -> String {
    if seconds > 0.0 { duration(seconds) } else { "less than the clock’s resolution".to_owned() }
}

/// What computed a result: an engine where there is a network, and the lab itself where there is none.
fn made_by(summary: &RunSummary, by_engine: bool) -> Vec<Fact> {
    let engine = &summary.engine;
    let what = if by_engine {
        format!("{} on {}", engine.kind, engine.device)
    } else {
        "none: the lab itself, on the processor".to_owned()
    };
    let mut facts = vec![
        ("Engine", what),
        ("Host", engine.host.clone()),
        ("Threads", count(engine.threads.into())),
        ("Seed", summary.seed.to_string()),
        ("Run again", summary.mode().in_words().to_owned()),
    ];
    if let Some(precision) = engine.precision.filter(|_| by_engine) {
        facts.push(("Products of matrices in", precision.title().to_owned()));
    }
    let versions = engine.versions.iter().filter(|(name, _)| by_engine || *name == "recspeed");
    let versions: Vec<String> = versions.map(|(name, version)| format!("{name} {version}")).collect();
    if !versions.is_empty() {
        facts.push(("Versions", versions.join(", ")));
    }
    facts
}

/// The groups of facts of a result.
fn groups(summary: &RunSummary, by_engine: bool) -> Vec<(&'static str, Vec<Fact>)> {
    let evaluation = &summary.evaluation;
    let users = match (evaluation.evaluated_users, evaluation.sampled_users) {
        (n, true) => {
            let asked = evaluation.test_users.saturating_sub(evaluation.left_out_users);
            format!("{} drawn by the seed from {}", count(n), count(asked))
        }
        (n, false) => format!("{} of {} with test rows", count(n), count(evaluation.test_users)),
    };
    let on = match evaluation.on {
        EvaluateOn::Test => "The test rows",
        EvaluateOn::Validation => {
            "The validation rows, called test rows below; those of the test were left out of everything"
        }
    };
    let mut measured = vec![("Measured on", on.to_owned())];
    if summary.has_errors() {
        measured.push(("Scale of errors", evaluation.rating_scale.clone()));
    }
    if summary.has_lists() {
        measured.extend([
            ("Candidates", evaluation.candidates.clone()),
            ("Candidate items", count(evaluation.candidate_items)),
            ("Users evaluated", users),
            ("Tie rule", evaluation.tie_rule.clone()),
            ("Lists cut by a tie", share(evaluation.tie_share)),
        ]);
    }
    measured.push(("Cold users, of all with test rows", count(evaluation.cold_users)));
    measured.push(("Test rows of cold items", count(evaluation.cold_item_rows)));
    measured.push(("Test rows of what the user had", count(evaluation.repeated_rows)));
    let data = &summary.data;
    let synthetic = if data.synthetic { " (synthetic)" } else { "" };
    let mut rows = vec![
        ("Data set", format!("{}{synthetic}", data.name)),
        ("Users × items", format!("{} × {}", count(data.users), count(data.items))),
        ("Rows to learn from", count(data.train)),
        ("Validation rows", count(data.validation)),
        ("Test rows", count(data.test)),
        ("Lines skipped", count(data.bad_lines)),
    ];
    rows.extend(data.leaks.map(|leaks| ("Test rows that leak the past", count(leaks))));
    rows.push(("SHA-256", data.sha256.clone()));
    let timing = &summary.timing;
    let mut time = vec![
        ("Loading", measured_time(timing.load_s)),
        ("Learning", measured_time(timing.fit_s)),
        (
            if timing.evaluate_has_lists() { "Measuring, and timing single lists" } else { "Measuring" },
            measured_time(timing.evaluate_s),
        ),
    ];
    if let Some(latency) = &timing.recommend {
        let (median, worst) = (measured_time(latency.p50_ms / 1e3), measured_time(latency.p99_ms / 1e3));
        let wait = format!("median {median}, 99th percentile {worst}; {}", latency.measured_over());
        time.push(("One user's ten items", wait));
    }
    if let Some(training) = &summary.training {
        time.push(("Epochs or iterations", count(training.epochs.into())));
        time.push(("Steps", count(training.steps)));
        time.push(last_loss(training));
        time.push(("Parameters", count(training.parameters)));
        if let Some(best) = training.best_epoch {
            time.push(("Best epoch", count(best.into())));
        }
        time.push(("Stopped early", if training.stopped_early { "yes" } else { "no" }.to_owned()));
    }
    vec![
        ("How it was measured", measured),
        ("Data", rows),
        ("Time and training", time),
        ("Memory", memory(&summary.memory)),
        ("Engine", made_by(summary, by_engine)),
    ]
}

/// What a training ended at. The curve of one that has many steps an epoch ends at another number.
fn last_loss(training: &TrainingInfo) -> Fact {
    let loss = value(training.final_loss);
    if training.steps > u64::from(training.epochs) {
        ("Mean loss of the last epoch", format!("{loss}; the loss curve ends at the mean of its last few steps"))
    } else {
        ("Loss of the last iteration", loss)
    }
}

/// The parts of the memory that are not zero; the totals always.
fn memory(held: &MemoryBytes) -> Vec<Fact> {
    let parts = [
        ("Parameters", held.parameters),
        ("Gradients", held.gradients),
        ("Optimizer state", held.optimizer),
        ("Optimizer state, offloaded", held.host),
        ("Activations", held.activations),
        ("Data and buffers", held.buffers),
    ];
    let mut facts: Vec<Fact> = parts.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name, bytes(n))).collect();
    facts.push(("Process at the end", bytes(held.allocator_total)));
    facts.push(("Peak", bytes(held.peak)));
    facts
}

/// The facts behind a result.
#[component]
pub(crate) fn Facts(
    /// The result.
    #[prop(into)]
    summary: Signal<Option<RunSummary>>,
    /// Whether an engine computed it.
    #[prop(into)]
    by_engine: Signal<bool>,
) -> impl IntoView {
    let group = |(title, facts): (&'static str, Vec<Fact>)| {
        let rows = facts.into_iter().map(|(name, text)| {
            let long = text.len() > 24;
            view! { <div class="fact" class:fact-long=long><dt>{name}</dt><dd>{text}</dd></div> }
        });
        view! { <section class="facts"><h3>{title}</h3><dl>{rows.collect_view()}</dl></section> }
    };
    view! {
        <div class="fact-groups" data-testid="result-facts">
            {move || summary.get().map(|summary| groups(&summary, by_engine.get()).into_iter().map(group).collect_view())}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clock_did_not_see_is_not_called_nothing() {
        assert_eq!(measured_time(0.0), "less than the clock’s resolution");
        assert_eq!(measured_time(0.0001), "100 µs");
    }

    #[test]
    fn the_last_loss_says_of_what_it_is_the_mean() {
        let training = |steps| TrainingInfo {
            epochs: 3,
            steps,
            final_loss: 0.1062,
            best_epoch: None,
            stopped_early: false,
            parameters: 1,
            begun: None,
        };
        let (name, text) = last_loss(&training(375));
        assert_eq!(name, "Mean loss of the last epoch");
        assert!(text.starts_with("0.1062; the loss curve ends at"), "{text}");
        assert_eq!(last_loss(&training(3)), ("Loss of the last iteration", "0.1062".to_owned()));
    }
}
