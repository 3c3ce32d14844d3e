//! Whether the differences are more than chance: every method against the first, user by user.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::{list, text};
use crate::charts::{count, difference};
use crate::components::Refused;
use crate::state::{Reply, api};

/// A p-value; never more exact than it is.
fn chance(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// Whether a method differs from the first by more than chance; `None` where that is not tested. Errors of all rows are tested by
/// their like for each user, `rmse` as `user-rmse`.
pub(super) fn more_than_chance(answer: &Value, metric: &str, method: usize) -> Option<bool> {
    let by_user = format!("user-{metric}");
    let of_method = |test: &&Value| {
        (test["metric"] == metric || test["metric"] == by_user.as_str()) && test["left"].as_u64() == Some(method as u64)
    };
    let test = list(&answer["tests"]).iter().find(of_method)?;
    Some(is_shown(answer, test["p_randomization_holm"].as_f64()?))
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
    let first = names.first().cloned().unwrap_or_default();
    view! {
        <section class="card details" aria-labelledby="tests-title" data-testid="compared-tests">
            <h2 id="tests-title">"More than chance?"</h2>
            <div aria-live="polite">{move || match reply.get() {
                Reply::Asking => view! { <p class="note">"Testing user by user…"</p> }.into_any(),
                Reply::Failed(text) => {
                    view! { <Refused text=text again=move |()| ask(chosen, reply) test_id="tests-error"/> }.into_any()
                }
                Reply::Answer(answer) => told(&answer, &names, &first),
            }}</div>
        </section>
    }
    .into_any()
}

fn told(answer: &Value, names: &[String], first: &str) -> AnyView {
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
                <td data-label="verdict">{verdict}</td>
            </tr>
        }
        .into_any()
    };
    let rows: Vec<AnyView> = list(&answer["tests"]).iter().map(row).collect();
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
            <div class="table-scroll" tabindex="0" role="region" aria-labelledby="tests-title">
                <table class="table stacked" aria-describedby="tests-about">
                    <thead><tr>
                        <th scope="col">"metric"</th><th scope="col">"method"</th><th scope="col" class="number">"difference"</th>
                        <th scope="col" class="number">"interval"</th><th scope="col" class="number">"effect"</th>
                        <th scope="col" class="number">"p"</th><th scope="col">"verdict"</th>
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
    use super::*;

    #[test]
    fn p_values_are_not_more_exact_than_they_are() {
        assert_eq!((chance(0.0), chance(0.049_702)), ("< 0.0001".to_owned(), "0.0497".to_owned()));
    }
}
