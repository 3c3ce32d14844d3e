//! Whether the differences are more than chance: every method against the first, user by user.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::{Reply, list, text};
use crate::charts::{count, difference};
use crate::state::api;

/// A p-value; never more exact than it is.
fn chance(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// The card; the tests come later than the table, because they take longer.
pub(super) fn card(answer: &Value, chosen: Memo<Vec<String>>) -> AnyView {
    let names: Vec<String> = list(&answer["methods"]).iter().map(|method| text(&method["name"])).collect();
    let reply = RwSignal::new(Reply::Asking);
    let asked = chosen.get_untracked().join(",");
    spawn_local(async move {
        let answer = api::comparison_tests(&asked).await;
        reply.try_set(answer.map_or_else(|error| Reply::Failed(error.to_string()), Reply::Answer));
    });
    let first = names.first().cloned().unwrap_or_default();
    view! {
        <section class="card details" aria-labelledby="tests-title" data-testid="compared-tests">
            <h2 id="tests-title">"More than chance?"</h2>
            <div aria-live="polite">{move || match reply.get() {
                Reply::Asking => view! { <p class="note">"Testing user by user…"</p> }.into_any(),
                Reply::Failed(text) => view! { <p class="note" role="alert">{text}</p> }.into_any(),
                Reply::Answer(answer) => told(&answer, &names, &first),
            }}</div>
        </section>
    }
    .into_any()
}

fn told(answer: &Value, names: &[String], first: &str) -> AnyView {
    let level = answer["procedure"]["level"].as_f64().unwrap_or(0.95);
    let row = |test: &Value| {
        let number = |name: &str| test[name].as_f64().unwrap_or_default();
        let method = names.get(test["left"].as_u64().unwrap_or_default() as usize).cloned().unwrap_or_default();
        let interval = format!(
            "{} to {}",
            difference(test["interval"][0].as_f64().unwrap_or_default()),
            difference(test["interval"][1].as_f64().unwrap_or_default())
        );
        let effect = test["hedges_g"].as_f64().map_or_else(|| "–".to_owned(), |g| format!("{g:.2}"));
        let p = number("p_randomization_holm");
        let verdict = if p < 1.0 - level { "more than chance" } else { "not shown" };
        view! {
            <tr>
                <th scope="row">{text(&test["metric"])}</th>
                <td>{method}</td>
                <td class="number">{difference(number("difference"))}</td>
                <td class="number">{interval}</td>
                <td class="number">{effect}</td>
                <td class="number">{chance(p)}</td>
                <td>{verdict}</td>
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
            <div class="table-scroll" tabindex="0" role="region" aria-labelledby="tests-title">
                <table class="table">
                    <caption class="note">{format!(
                        "Difference to “{first}” over {} users, with its {:.0} % bootstrap interval and Hedges' g; p by the randomization test, after Holm's correction over all rows.",
                        count(users.unwrap_or_default()), level * 100.0
                    )}</caption>
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
