//! The trials of one recommender, one after another, as long as its budget allows.

use std::time::Duration;

use recspeed_search::Judged;
use recspeed_types::{FailureCode, MetricName};

use super::interrupted;
use super::log::{Log, Trial};
use super::plan::{Plan, SearchError};
use crate::command::failure::CommandError;
use crate::command::kept::{Among, Keeper, Ran};
use crate::command::{figures, output};

/// What came of the trials of a recommender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tried {
    /// All that its budget allows are made.
    All,
    /// It takes more than there is as the file has it, too, for this cause. That is its own size: the others may fit.
    TooLarge(String),
    /// The search ends here, with this exit status.
    End(u8),
}

/// All trials of the member at `place` that its budget allows.
///
/// A trial that a worker refuses, for its spec, its data or the memory and the time that it would take, is written down as that; but where
/// everything would be refused, as with a file that is not there, no trial is written down but that and why, so that it goes on once that
/// is mended. Whether it would is asked of the recommender as it is, where no trial tells.
pub(super) fn try_out(plan: &Plan, place: usize, log: &mut Log, keeper: &Keeper) -> Result<Tried, CommandError> {
    let member = &plan.members[place];
    // The last trials as far as they were refused, and whether something before them was not.
    let (mut refused, mut one_was_not): (Vec<Trial>, bool) = (Vec::new(), false);
    // Whether one has ever had the memory that it takes.
    let mut one_fitted = log.best(place, plan).is_some();
    loop {
        let mut history = log.judged(place, member, plan);
        history.extend(refused.iter().map(|trial| Judged { values: trial.values(member), loss: None }));
        let seconds = log.seconds(place) + refused.iter().map(|trial| trial.seconds).sum::<f64>();
        let free = log.refusals(place) + refused.iter().filter(|trial| trial.refused).count();
        let counted = plan.counted(history.len(), free);
        let next = if plan.is_spent(counted, seconds) { None } else { plan.propose(member, &history)? };
        let Some((values, spec)) = next else {
            write(&mut refused, log)?;
            if let Some(ended) = plan.used_up(member, (history.len(), counted), seconds) {
                let (budget, why) = (plan.budget(), plan.nothing_new(member));
                output::complain(&format!("{}: {ended}, before its budget of {budget}: {why}", member.name));
            }
            return Ok(Tried::All);
        };
        let number = history.len() + 1;
        let title = plan.title(member, number, counted, &values);
        let among = Among {
            title: title.clone(),
            place: plan.place_of(place),
            best: log.best(place, plan).map(|best| format!("{} (trial {})", told(best, plan), best.number)),
            rest: plan.rest(counted, seconds).map(|seconds| (seconds, "trials")),
        };
        let left = plan.left(seconds);
        let (ran, seconds) = keeper.try_out(&spec, &plan.dir, &among, left)?;
        let trial = match with_value(ran, plan.metric) {
            Ran::Interrupted => return Ok(Tried::End(interrupted(log))),
            Ran::Failed { code, cause, refused: before_work } if is_refusal(code, before_work) => {
                output::complain(&format!("{title}: refused: {cause}"));
                let why = cause.clone();
                let trial = Trial::failed(place, number, member, &values, seconds, (Some(code), cause));
                refused.push(Trial { refused: before_work, ..trial });
                if one_fitted && code == FailureCode::OutOfMemory {
                    // Its own size alone: the data were read, and asking the recommender as it is would be a whole fit.
                    write(&mut refused, log)?;
                    continue;
                }
                if one_was_not {
                    // This one's own fault, or something has happened since: the next one tells.
                    one_was_not = false;
                    continue;
                }
                if let Some(ended) = as_it_is(plan, place, (code, why, left), log, keeper)? {
                    return Ok(ended);
                }
                (one_was_not, one_fitted) = (true, true);
                write(&mut refused, log)?;
                continue;
            }
            Ran::Failed { code, cause, .. } => {
                Trial::failed(place, number, member, &values, seconds, (Some(code), cause))
            }
            Ran::Finished(summary) if log.data().is_some_and(|seen| seen != summary.data.sha256) => {
                return Err(SearchError::OtherData { path: log.path().display().to_string() }.into());
            }
            Ran::Finished(summary) => Trial::finished(place, number, member, &values, seconds, &summary, plan.metric),
        };
        output::complain(&format!("{title}: {} ({})", told(&trial, plan), figures::seconds(seconds)));
        (one_was_not, one_fitted) = (true, true);
        write(&mut refused, log)?;
        log.add(trial)?;
    }
}

/// What came of a trial: `ndcg@10 0.3`, or why it failed.
fn told(trial: &Trial, plan: &Plan) -> String {
    match (trial.value, &trial.cause) {
        (None, Some(cause)) if trial.code == Some(FailureCode::TimeLimit) => {
            format!("cut off: {}", first_sentence(cause))
        }
        (Some(value), _) => format!("{} {}", plan.metric, figures::value(value)),
        (None, Some(cause)) => format!("failed: {}", first_sentence(cause)),
        (None, None) => format!("failed: it gave no {}", plan.metric),
    }
}

/// The first sentence, without its full stop; points in numbers and names end none.
pub(super) fn first_sentence(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.split(". ").next().unwrap_or_default().trim_end_matches('.')
}

/// A trial whose rows give the metric of the search no value counts as refused: they give no other trial one either.
fn with_value(ran: Ran, metric: MetricName) -> Ran {
    let summary = match ran {
        Ran::Finished(summary) => summary,
        other => return other,
    };
    let name = metric.to_string();
    let due = format!("{name} is not measured");
    let why = summary.warnings.iter().find(|warning| warning.starts_with(&due)).cloned();
    match why.filter(|_| !summary.metrics.contains_key(&name)) {
        Some(cause) => Ran::Failed { code: FailureCode::InvalidSpec, cause, refused: false },
        None => Ran::Finished(summary),
    }
}

/// Whether a failure says that the spec or the data are wrong, or was a refusal before any work, and not how a training went.
/// `refused`: whether the worker says that.
fn is_refusal(code: FailureCode, refused: bool) -> bool {
    refused || matches!(code, FailureCode::Data | FailureCode::InvalidSpec)
}

fn write(refused: &mut Vec<Trial>, log: &mut Log) -> Result<(), SearchError> {
    refused.drain(..).try_for_each(|trial| log.add(trial))
}

/// What a refusal of everything means: memory is the recommender's own affair, spec and data are those of the search.
fn refused_whole(code: FailureCode, cause: String) -> Tried {
    if code == FailureCode::OutOfMemory { Tried::TooLarge(cause) } else { Tried::End(code.exit_status()) }
}

/// Whether the recommender at `place` is refused too as the file has it, which is written down; then what that ends. Networks take one
/// epoch of it. `code`, `why`: of the trial that was refused; `left`: the time that it had, which this may take as well.
fn as_it_is(
    plan: &Plan,
    place: usize,
    (code, why, left): (FailureCode, String, Option<Duration>),
    log: &mut Log,
    keeper: &Keeper,
) -> Result<Option<Tried>, CommandError> {
    let member = &plan.members[place];
    if member.is_fixed() {
        log.note_refusal(place, member, (code, &why))?;
        return Ok(Some(refused_whole(code, why)));
    }
    let title = format!("{}, as it is, to see whether it can be tried at all", member.name);
    let among = Among { title: title.clone(), place: plan.place_of(place), ..Among::default() };
    let (ran, _) = keeper.try_out(&Plan::probe_spec(member), &plan.dir, &among, left)?;
    Ok(match with_value(ran, plan.metric) {
        Ran::Interrupted => Some(Tried::End(interrupted(log))),
        Ran::Failed { code, cause, refused } if is_refusal(code, refused) => {
            output::complain(&format!("recspeed: {title}: {cause}"));
            log.note_refusal(place, member, (code, &cause))?;
            Some(refused_whole(code, cause))
        }
        Ran::Failed { .. } | Ran::Finished(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use recspeed_types::{FailureCode, RunSummary};

    use super::{Tried, first_sentence, is_refusal, refused_whole, with_value};
    use crate::command::kept::Ran;

    /// What a run ended with that measured `metrics` and warned of `warnings`.
    fn summary(metrics: &[(&str, f64)], warnings: &[&str]) -> RunSummary {
        let metrics: BTreeMap<&str, f64> = metrics.iter().copied().collect();
        serde_json::from_value(serde_json::json!({
            "run": "a", "status": "finished", "metrics": metrics, "seed": 1, "warnings": warnings,
            "timing": { "load_s": 0, "fit_s": 0, "evaluate_s": 0 },
            "memory": { "parameters": 0, "gradients": 0, "optimizer": 0, "activations": 0, "buffers": 0, "allocator_total": 0, "peak": 0 },
            "engine": { "kind": "burn", "device": "flex", "versions": {}, "host": "a", "threads": 1 },
            "data": { "name": "a", "users": 4, "items": 4, "train": 5, "validation": 0, "test": 6, "bad_lines": 0, "sha256": "a", "synthetic": true },
            "evaluation": {
                "candidates": "", "candidate_items": 4, "test_users": 4, "evaluated_users": 4, "sampled_users": false,
                "cold_users": 0, "cold_item_rows": 0, "tie_rule": "", "tie_share": 0, "rating_scale": "stars",
            },
        }))
        .expect("a result")
    }

    /// The cause of a trial that counts as refused.
    fn refused(metric: &str, summary: RunSummary) -> Option<String> {
        match with_value(Ran::Finished(Box::new(summary)), metric.parse().expect("a metric")) {
            Ran::Failed { code, cause, refused } if is_refusal(code, refused) => Some(cause),
            Ran::Finished(_) => None,
            _ => panic!("neither refused nor finished"),
        }
    }

    #[test]
    fn a_trial_whose_rows_give_the_searched_metric_no_value_is_refused_with_the_warning_that_says_why() {
        let why = "ndcg@10 is not measured: nobody has an item left to find";
        let others = ["ndcg@1 is not measured: another one", "recall@10 is not measured: another one"];
        let told = |metrics: &[(&str, f64)]| {
            refused("ndcg@10", summary(metrics, &[others[0], others[1], "a warning of something else", why]))
        };
        assert_eq!(told(&[("recall@5", 0.5)]).as_deref(), Some(why), "the warning of this metric, and of no other");
        // What has a value counts, whatever is said of it; so does what nobody says a word of, which gave no value.
        assert_eq!(told(&[("ndcg@10", 0.0)]), None);
        assert_eq!(refused("ndcg@10", summary(&[], &others)), None);
    }

    #[test]
    fn what_failed_or_was_interrupted_stays_what_it_is() {
        let metric = "rmse".parse().expect("a metric");
        assert!(matches!(with_value(Ran::Interrupted, metric), Ran::Interrupted));
        for code in [FailureCode::Diverged, FailureCode::Data, FailureCode::OutOfMemory] {
            let failed = Ran::Failed { code, cause: "rmse is not measured: no".to_owned(), refused: false };
            let Ran::Failed { code: after, cause, refused } = with_value(failed, metric) else { panic!("{code:?}") };
            assert_eq!((after, &cause[..], refused), (code, "rmse is not measured: no", false));
        }
    }

    #[test]
    fn what_was_refused_for_its_memory_is_a_refusal_and_what_ran_out_of_it_is_not() {
        assert!(is_refusal(FailureCode::OutOfMemory, true) && !is_refusal(FailureCode::OutOfMemory, false));
        assert!(is_refusal(FailureCode::Data, false) && is_refusal(FailureCode::InvalidSpec, false));
        assert!(!is_refusal(FailureCode::Diverged, false) && !is_refusal(FailureCode::TimeLimit, false));
    }

    #[test]
    fn what_is_too_large_ends_its_own_trials_and_what_is_wrong_with_spec_or_data_ends_the_search() {
        let refused = |code| refused_whole(code, "it needs 9 GiB".to_owned());
        assert_eq!(refused(FailureCode::OutOfMemory), Tried::TooLarge("it needs 9 GiB".to_owned()));
        assert_eq!(refused(FailureCode::InvalidSpec), Tried::End(2));
        assert_eq!(refused(FailureCode::Data), Tried::End(4));
    }

    #[test]
    fn the_first_sentence_ends_at_its_full_stop_and_not_in_a_number() {
        let cause =
            "The loss became 1.4 in iteration 3; lower recommender.learning_rate (now 0.5). See the log.\nMore.";
        assert_eq!(
            first_sentence(cause),
            "The loss became 1.4 in iteration 3; lower recommender.learning_rate (now 0.5)"
        );
        assert_eq!((first_sentence("it grew without bound"), first_sentence("")), ("it grew without bound", ""));
    }
}
