//! A small panel: what the run's model recommends to a user, or for a basket, and why.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::recommend::{BasketEntry, NOTHING_KNOWN};
use serde_json::{Value, json};

use crate::charts::value;
use crate::components::{Icon, Picture};
use crate::state::{RunState, api};

/// Items asked for at most.
const MOST: u32 = 100;

/// What became of a question.
#[derive(Clone, PartialEq)]
enum Reply {
    Nothing,
    Asking,
    Answer(Value),
    Failed(String),
}

/// The panel; there is none while the run has no model.
#[component]
pub(super) fn AskModel(
    /// The run.
    run: RunState,
) -> impl IntoView {
    let id = run.id();
    let model = RwSignal::new(None::<Value>);
    // A run without a model, as the example of a first visit, is not asked for one. One that ends in sight tells of its model in
    // the record that is asked for at its end.
    let kept = Memo::new(move |_| run.record.with(|record| record.model == Some(true)));
    Effect::new({
        let id = id.clone();
        move |_| {
            let id = id.clone();
            if kept.get() {
                spawn_local(async move { drop(model.try_set(api::model(&id).await.ok())) });
            }
        }
    });
    let reply = RwSignal::new(Reply::Nothing);
    let of_basket = RwSignal::new(false);
    let whom = RwSignal::new(String::new());
    let k = RwSignal::new("10".to_owned());
    let ask = move |event: SubmitEvent| {
        event.prevent_default();
        let question = match question(of_basket.get_untracked(), &whom.get_untracked(), &k.get_untracked()) {
            Ok(question) => question,
            // In place of the last answer, which was to another question.
            Err(text) => {
                reply.set(Reply::Failed(text));
                return;
            }
        };
        reply.set(Reply::Asking);
        let id = id.clone();
        spawn_local(async move {
            let answer = api::recommend(&id, &question).await;
            reply.try_set(answer.map_or_else(|error| Reply::Failed(error.to_string()), Reply::Answer));
        });
    };
    let ask = StoredValue::new(ask);
    let examples = move |name: &str| {
        let list = model.with(|model| model.as_ref().map(|model| model[name].clone())).unwrap_or_default();
        texts(&list).into_iter().take(3).collect::<Vec<_>>().join(", ")
    };
    let side = move |basket: bool, title: &'static str| {
        view! {
            <button type="button" aria-pressed=move || (of_basket.get() == basket).to_string() on:click=move |_| {
                of_basket.set(basket);
                whom.set(String::new());
            }>{title}</button>
        }
    };
    let able = move || model.with(|model| model.as_ref().is_some_and(|model| model["new_users"] == true));
    let not_for_baskets = move || {
        let why = model.with(|model| model.as_ref().and_then(|model| Some(model["no_new_users"].as_str()?.to_owned())));
        why.map(|why| view! { <p class="help" data-testid="ask-no-basket">{why}</p> })
    };
    view! {
        <Show when=move || model.with(Option::is_some)>
            <section class="card details ask" aria-labelledby="ask-title" data-testid="ask">
                <h2 id="ask-title">"Ask the model"</h2>
                <form on:submit=move |event| ask.with_value(|ask| ask(event))>
                    <div class="segments" role="group" aria-label="For whom" hidden=move || !able()>{side(false, "A user")}{side(true, "A basket")}</div>
                    <label for="ask-whom">{move || if of_basket.get() { "Items that somebody has" } else { "User id" }}</label>
                    <div class="ask-line">
                        <input id="ask-whom" type="text" autocomplete="off" spellcheck="false" data-testid="ask-whom" aria-describedby="ask-help"
                            prop:value=move || whom.get() on:input=move |event| whom.set(event_target_value(&event))/>
                        <input type="text" inputmode="numeric" class="ask-k" aria-label="How many items" data-testid="ask-k"
                            prop:value=move || k.get() on:input=move |event| k.set(event_target_value(&event))/>
                        <button type="submit" class="button primary" data-testid="ask-go" disabled=move || reply.get() == Reply::Asking>
                            {move || if reply.get() == Reply::Asking { "Asking…" } else { "Recommend" }}
                        </button>
                    </div>
                    <p class="help" id="ask-help">
                        {move || if of_basket.get() {
                            format!("Separated by commas, each with a rating where there is one, as in {}:4", examples("items"))
                        } else {
                            format!("For example {}", examples("users"))
                        }}
                    </p>
                    {not_for_baskets}
                </form>
                <div aria-live="polite" aria-busy=move || (reply.get() == Reply::Asking).to_string()>{move || match reply.get() {
                    Reply::Nothing | Reply::Asking => ().into_any(),
                    Reply::Failed(text) => view! {
                        <div class="message message-error" role="alert" data-testid="ask-error"><Icon picture=Picture::Warning/><p>{text}</p></div>
                    }.into_any(),
                    Reply::Answer(answer) => list(&answer).into_any(),
                }}</div>
            </section>
        </Show>
    }
}

/// The question as the server reads it, or what is wrong with it.
fn question(of_basket: bool, whom: &str, k: &str) -> Result<Value, String> {
    let count = k.trim().parse::<u32>().ok().filter(|count| (1..=MOST).contains(count));
    let Some(count) = count else {
        return Err(format!("How many items: “{}” is not a number from 1 to {MOST}.", k.trim()));
    };
    let mut question = json!({ "k": count, "explain": true });
    if of_basket {
        let basket: Vec<Value> = whom.split(',').filter_map(entry).collect();
        if basket.is_empty() {
            return Err("For whom: name at least one item that somebody has.".to_owned());
        }
        question["basket"] = basket.into();
    } else if whom.trim().is_empty() {
        return Err("For whom: type the id of a user.".to_owned());
    } else {
        question["user"] = whom.trim().into();
    }
    Ok(question)
}

/// An item of a basket as the server reads it.
fn entry(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| json!(BasketEntry::parse(text)))
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

/// An item's title before its id, where it has one.
fn named(id: &str, title: &str) -> String {
    if title.is_empty() { id.to_owned() } else { format!("{title} · {id}") }
}

/// The items with their scores and reasons, and what must be known to understand them.
fn list(answer: &Value) -> impl IntoView + use<> {
    let mut items: Vec<AnyView> = answer["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let score = value(item["score"].as_f64().unwrap_or_default());
            let id = texts(&json!([item["item"]])).concat();
            let title = texts(&json!([item["title"]])).concat();
            let why = texts(&item["reasons"]).join(" · ");
            view! { <li><strong>{named(&id, &title)}</strong><span class="number">{score}</span><small>{why}</small></li> }.into_any()
        })
        .collect();
    if let Some(known) = answer["ties_from"].as_u64().map(|known| known as usize).filter(|known| *known <= items.len())
    {
        items.insert(known, view! { <li class="ask-border" data-testid="ask-border">{NOTHING_KNOWN}</li> }.into_any());
    }
    let mut notes = texts(&answer["notes"]);
    if items.is_empty() {
        notes.insert(0, "Nothing is left to recommend: every item that could be is known already.".to_owned());
    }
    if let Some(known @ 1..) = answer["left_out"].as_u64() {
        notes.push(format!("{known} known {} left out.", if known == 1 { "item is" } else { "items are" }));
    }
    let notes: Vec<AnyView> = notes.into_iter().map(|note| view! { <p class="note">{note}</p> }.into_any()).collect();
    view! { <ol class="ask-list" data-testid="ask-list">{items}</ol>{notes} }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_without_a_user_or_with_an_impossible_number_of_items_is_not_asked() {
        assert_eq!(question(false, " u1 ", "3"), Ok(json!({ "k": 3, "explain": true, "user": "u1" })));
        let basket = json!({ "k": 10, "explain": true, "basket": [{ "item": "a" }] });
        assert_eq!(question(true, "a,", "10"), Ok(basket));
        for (of_basket, whom, k, told) in [
            (false, "u1", "0", "“0” is not a number from 1 to 100"),
            (false, "u1", "101", "“101” is not a number"),
            (false, "u1", "ten", "“ten” is not a number"),
            (false, "  ", "3", "type the id of a user"),
            (true, " , ", "3", "name at least one item"),
        ] {
            assert!(question(of_basket, whom, k).is_err_and(|error| error.contains(told)), "{told}");
        }
    }

    #[test]
    fn a_basket_is_read_as_the_server_reads_it() {
        assert_eq!(entry(" B00 : 4.5"), Some(json!({ "item": "B00", "rating": 4.5 })));
        assert_eq!(entry("isbn:1:x"), Some(json!({ "item": "isbn:1:x" })));
        assert_eq!(entry("  "), None);
        assert_eq!(texts(&json!(["a", 1, "b"])), ["a", "b"]);
        assert_eq!((named("181", "Heat (1995)").as_str(), named("181", "").as_str()), ("Heat (1995) · 181", "181"));
    }
}
