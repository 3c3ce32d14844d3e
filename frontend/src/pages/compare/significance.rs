//! Whether the differences are more than chance: every method against the first, user by user.

use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::MetricName;
use serde_json::Value;

use super::{list, text};
use crate::charts::{count, difference, in_order};
use crate::components::Refused;
use crate::state::{Reply, api};

/// A p-value; never more exact than it is.
fn chance(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// What a metric is tested by: errors of all rows by their like for each user, `rmse` as `user-rmse`.
fn tested_by(metric: &str) -> String {
    let of_users = metric.parse::<MetricName>().ok().and_then(MetricName::of_users);
    of_users.map_or_else(|| metric.to_owned(), |name| name.to_string())
}

/// The test of a method against the first by a metric.
fn test_of<'a>(answer: &'a Value, metric: &str, method: usize) -> Option<&'a Value> {
    let by = tested_by(metric);
    let of_method = |test: &&Value| test["metric"] == by.as_str() && test["left"].as_u64() == Some(method as u64);
    list(&answer["tests"]).iter().find(of_method)
}

/// Whether a method differs from the first by more than chance; `None` where that is not tested.
pub(super) fn more_than_chance(answer: &Value, metric: &str, method: usize) -> Option<bool> {
    let test = test_of(answer, metric, method)?;
    Some(is_shown(answer, test["p_randomization_holm"].as_f64()?))
}

/// Whether `one` method is better than the `other` by more than chance, where less is better if `lower`. Not where nobody has tested
/// that: all are tested against the first alone. The test decides the direction, too: an error over all rows can be smaller where those
/// of most users are larger.
pub(super) fn is_better(answer: &Value, metric: &str, lower: bool, (one, other): (usize, usize)) -> bool {
    let left = match (one, other) {
        (one, 0) => one,
        (0, other) => other,
        _ => return false,
    };
    let Some(test) = test_of(answer, metric, left) else { return false };
    let shown = test["p_randomization_holm"].as_f64().is_some_and(|p| is_shown(answer, p));
    // The difference is what the left one has more than the first.
    let left_is_better = (test["difference"].as_f64().unwrap_or_default() < 0.0) == lower;
    shown && left_is_better == (left == one)
}

/// Where a test stands among the metrics of the table above.
fn place_among(metrics: &[String], tested: &str) -> usize {
    metrics.iter().position(|name| tested_by(name) == tested).unwrap_or(metrics.len())
}

fn is_shown(answer: &Value, p: f64) -> bool {
    p < 1.0 - answer["procedure"]["level"].as_f64().unwrap_or(LEVEL)
}

/// The level where the answer names none.
const LEVEL: f64 = 0.95;

/// Asks for the tests; they come later than the table, because they take longer.
pub(super) fn ask(chosen: Memo<Vec<String>>, reply: RwSignal<Reply>) {
    reply.set(Reply::Asking);
    let asked = chosen.get_untracked().join(",");
    spawn_local(async move {
        reply.try_set(Reply::of(api::comparison_tests(&asked).await));
    });
}

/// The card.
pub(super) fn card(answer: &Value, chosen: Memo<Vec<String>>, reply: RwSignal<Reply>) -> AnyView {
    let names: Vec<String> = list(&answer["methods"]).iter().map(|method| text(&method["name"])).collect();
    let metrics: Vec<String> = list(&answer["metrics"]).iter().map(text).collect();
    let first = names.first().cloned().unwrap_or_default();
    view! {
        <section class="card details" tabindex="-1" aria-labelledby="tests-title" data-testid="compared-tests">
            <h2 id="tests-title">"More than chance?"</h2>
            <div aria-live="polite">{move || match reply.get() {
                Reply::Asking => view! { <p class="note">"Testing user by user…"</p> }.into_any(),
                Reply::Failed(text) => {
                    view! { <Refused text=text again=move |()| ask(chosen, reply) test_id="tests-error"/> }.into_any()
                }
                Reply::Answer(answer) => told(&answer, &names, &first, &metrics),
            }}</div>
        </section>
    }
    .into_any()
}

fn told(answer: &Value, names: &[String], first: &str, metrics: &[String]) -> AnyView {
    let level = answer["procedure"]["level"].as_f64().unwrap_or(LEVEL);
    let row = |test: &Value| {
        let number = |name: &str| test[name].as_f64().unwrap_or_default();
        let method = names.get(test["left"].as_u64().unwrap_or_default() as usize).cloned().unwrap_or_default();
        let interval = format!(
            "{} to {}",
            difference(test["interval"][0].as_f64().unwrap_or_default()),
            difference(test["interval"][1].as_f64().unwrap_or_default())
        );
        let effect = test["hedges_g"].as_f64().map_or_else(|| "–".to_owned(), |g| format!("{g:.2}").replace('-', "−"));
        let p = number("p_randomization_holm");
        let verdict = if is_shown(answer, p) { "more than chance" } else { "not shown" };
        view! {
            <tr>
                <th scope="row">{text(&test["metric"])}</th>
                <td data-label="method">{method}</td>
                <td class="number" data-label="difference">{difference(number("difference"))}</td>
                <td class="number" data-label="interval">{interval}</td>
                <td class="number" data-label="effect">{effect}</td>
                <td class="number" data-label="p">{chance(p)}</td>
                <td class="verdict" data-label="verdict">{verdict}</td>
            </tr>
        }
        .into_any()
    };
    let place = |test: &&Value| place_among(metrics, test["metric"].as_str().unwrap_or_default());
    let tests = in_order(list(&answer["tests"]), |one, other| place(one).cmp(&place(other)));
    let rows: Vec<AnyView> = tests.into_iter().map(row).collect();
    let users = list(&answer["tests"]).iter().filter_map(|test| test["users"].as_u64()).max();
    let untested: Vec<AnyView> = list(&answer["untested"])
        .iter()
        .map(|why| {
            view! { <p class="note">{format!("Not tested: {}.", text(why).trim_end_matches('.'))}</p> }.into_any()
        })
        .collect();
    let any = !rows.is_empty();
    view! {
        {any.then(|| view! {
            <p class="note" id="tests-about">{format!(
                "Difference to “{first}” over {} users, with its {:.0} % bootstrap interval and Hedges' g; p by the randomization test of {} draws, after Holm's correction over all rows, for the models that these seeds trained.",
                count(users.unwrap_or_default()), level * 100.0, count(answer["procedure"]["draws"].as_u64().unwrap_or_default())
            )}</p>
            <div class="table-scroll" tabindex="0" role="region" aria-label="Every test">
                <table class="table stacked" aria-describedby="tests-about">
                    <thead><tr>
                        <th scope="col">"metric"</th><th scope="col">"method"</th><th scope="col" class="number">"difference"</th>
                        <th scope="col" class="number">"interval"</th><th scope="col" class="number">"effect"</th>
                        <th scope="col" class="number">"p"</th><th scope="col" class="verdict">"verdict"</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        })}
        {untested}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(metric: &str, left: u64, difference: f64, p: f64) -> Value {
        let test =
            json!({ "metric": metric, "left": left, "right": 0, "difference": difference, "p_randomization_holm": p });
        json!({ "procedure": { "level": 0.95 }, "tests": [test] })
    }

    #[test]
    fn a_method_is_better_only_where_its_test_says_so_and_in_which_direction() {
        let higher = answer("ndcg@10", 1, 0.1, 0.01);
        assert!(is_better(&higher, "ndcg@10", false, (1, 0)) && !is_better(&higher, "ndcg@10", false, (0, 1)));
        let less = answer("ndcg@10", 1, -0.1, 0.01);
        assert!(is_better(&less, "ndcg@10", false, (0, 1)) && !is_better(&less, "ndcg@10", false, (1, 0)));
        let error = answer("user-rmse", 2, -0.1, 0.01);
        for name in ["rmse", "nrmse"] {
            assert!(is_better(&error, name, true, (2, 0)) && !is_better(&error, name, true, (0, 2)), "{name}");
        }
        assert!(!is_better(&error, "rmse", true, (2, 1)), "nobody has tested these two");
        assert!(!is_better(&error, "mae", true, (2, 0)), "nor this metric");
        assert!(!is_better(&answer("ndcg@10", 1, 0.1, 0.2), "ndcg@10", false, (1, 0)), "it may be chance");
    }

    #[test]
    fn tests_stand_in_the_order_of_the_table_above_them() {
        let metrics = ["ndcg@10", "hit@10", "rmse"].map(str::to_owned);
        let places = ["ndcg@10", "hit@10", "user-rmse", "map@5"].map(|tested| place_among(&metrics, tested));
        assert_eq!(places, [0, 1, 2, 3]);
    }

    #[test]
    fn p_values_are_not_more_exact_than_they_are() {
        assert_eq!((chance(0.0), chance(0.049_702)), ("< 0.0001".to_owned(), "0.0497".to_owned()));
    }
}
