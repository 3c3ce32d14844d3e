//! What a run's model recommends to a user, or for a basket, and why: asked where the model is.

mod list;
mod question;

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use recspeed_types::recommend::USERS_WITHHELD;
use serde_json::Value;

use self::list::{list, texts};
use self::question::question;
use super::{Icon, Picture, Refused};
use crate::state::{Answerer, Answers, RunState};

/// Users and items that are offered as buttons.
const OFFERED: usize = 3;
/// Users whose answers were recorded, all of them.
const RECORDED: usize = 5;

/// What became of a question.
#[derive(Clone, PartialEq)]
enum Reply {
    Nothing,
    /// About whom, where it was a user, and the answer.
    Answer(String, Value),
    Failed(String),
}

/// Asks the model of a finished run; says why where that cannot be.
#[component]
pub(crate) fn AskModel(
    /// The run.
    run: RunState,
    /// Whether it stands among the numbers of the lab, where there is room for a few items.
    #[prop(optional)]
    in_stage: bool,
) -> impl IntoView {
    let answers = Memo::new(move |_| run.answers());
    move || match answers.get() {
        Answers::NotYet => ().into_any(),
        Answers::Nobody(why) => framed(in_stage, "ask-none", view! { <p class="note">{why}</p> }.into_any()),
        Answers::From(who) => framed(in_stage, "ask", view! { <Panel who=who in_stage=in_stage/> }.into_any()),
    }
}

fn framed(in_stage: bool, test_id: &'static str, content: AnyView) -> AnyView {
    if in_stage {
        view! {
            <section class="asked" tabindex="-1" aria-labelledby="ask-title" data-testid=test_id>
                <h3 id="ask-title">"What it recommends"</h3>
                {content}
            </section>
        }
        .into_any()
    } else {
        view! {
            <section class="card details ask" tabindex="-1" aria-labelledby="ask-title" data-testid=test_id>
                <h2 id="ask-title">"Ask the model"</h2>
                {content}
            </section>
        }
        .into_any()
    }
}

#[component]
fn Panel(who: Answerer, in_stage: bool) -> impl IntoView {
    let is_recorded = matches!(who, Answerer::Recorded(_));
    // A tab answers at once and bothers nobody; a server would start a process for it.
    let unasked = is_recorded || (in_stage && matches!(who, Answerer::Tab(_)));
    let who = StoredValue::new(who);
    let model = RwSignal::new(None::<Value>);
    // Why nothing is known of the model: it can be asked for a user all the same, by whoever knows one.
    let unknown = RwSignal::new(None::<String>);
    let (reply, asking) = (RwSignal::new(Reply::Nothing), RwSignal::new(false));
    let of_basket = RwSignal::new(false);
    let (whom, k) = (RwSignal::new(String::new()), RwSignal::new(if in_stage { "5" } else { "10" }.to_owned()));
    let turn = StoredValue::new(0_u32);
    // What stands there is no answer to what is asked from here on.
    let begin_anew = move |with: Reply| {
        turn.update_value(|turn| *turn += 1);
        asking.set(false);
        reply.set(with);
    };
    let put = move |question: Result<Value, String>| {
        let question = match question {
            Ok(question) => question,
            Err(text) => {
                begin_anew(Reply::Failed(text));
                return;
            }
        };
        turn.update_value(|turn| *turn += 1);
        asking.set(true);
        let mine = turn.get_value();
        let about = question["user"].as_str().unwrap_or_default().to_owned();
        who.get_value().recommend(&question, move |answer| {
            // Of two questions the later one's answer stays; a panel that is gone shows none.
            if turn.try_get_value() == Some(mine) {
                asking.set(false);
                reply.set(answer.map_or_else(Reply::Failed, |answer| Reply::Answer(about, answer)));
            }
        });
    };
    let of_user = move |id: String| {
        let asked = question(false, &id, &k.get_untracked());
        of_basket.set(false);
        whom.set(id);
        put(asked);
    };
    let users = Memo::new(move |_| names(model.get().as_ref(), "users"));
    let items = Memo::new(move |_| names(model.get().as_ref(), "items"));
    let learn = move || {
        unknown.set(None);
        who.get_value().info(move |told| match told {
            Ok(info) => {
                let first = names(Some(&info), "users").into_iter().next().filter(|_| unasked);
                let for_baskets_alone = info["users_withheld"] == true && info["new_users"] == true;
                if model.try_set(Some(info)).is_none() {
                    if for_baskets_alone {
                        of_basket.set(true);
                    }
                    if let Some(first) = first {
                        of_user(first);
                    }
                }
            }
            Err(text) => drop(unknown.try_set(Some(text))),
        });
    };
    learn();
    let offered = if is_recorded { RECORDED } else { OFFERED };
    let person = move |id: String| {
        let (own, called) = (id.clone(), id.clone());
        let pressed = move || (!of_basket.get() && whom.with(|whom| *whom == own)).to_string();
        view! {
            <button type="button" class="chip" data-testid="ask-user" aria-pressed=pressed on:click=move |_| of_user(id.clone())>{called}</button>
        }
    };
    let drawn = move |_| {
        let id = users.with_untracked(|users| {
            let place = (js_sys::Math::random() * users.len() as f64) as usize;
            users.get(place).cloned()
        });
        if let Some(id) = id {
            of_user(id);
        }
    };
    let people = view! {
        <div class="chips" role="group" aria-label="Some users">
            {move || users.get().into_iter().take(offered).map(person).collect_view()}
            <button type="button" class="chip" data-testid="ask-random" hidden=move || users.with(|users| users.len() <= RECORDED)
                on:click=drawn>"Random user"</button>
        </div>
    };
    let form = (!is_recorded).then(|| {
        let ask = move |event: SubmitEvent| {
            event.prevent_default();
            put(question(of_basket.get_untracked(), &whom.get_untracked(), &k.get_untracked()));
        };
        let side = move |basket: bool, title: &'static str| {
            let turn_to = move |_| {
                of_basket.set(basket);
                whom.set(String::new());
                begin_anew(Reply::Nothing);
            };
            view! {
                <button type="button" aria-pressed=move || (of_basket.get() == basket).to_string() on:click=turn_to>{title}</button>
            }
        };
        let item = move |id: String| {
            let called = id.clone();
            let add = move |_| whom.update(|whom| *whom = joined(whom, &id));
            view! { <button type="button" class="chip" data-testid="ask-item" on:click=add>{called}</button> }
        };
        let says = move |what: &str| model.with(|model| model.as_ref().is_some_and(|model| model[what] == true));
        let able = move || says("new_users");
        let withheld = move || says("users_withheld");
        // A guest, and a model that serves no basket.
        let nobody = move || withheld() && !able();
        let why_no_user = move || {
            withheld().then(|| view! { <p class="help" data-testid="ask-no-user">{USERS_WITHHELD}</p> })
        };
        let not_for_baskets = move || {
            let why =
                model.with(|model| model.as_ref().and_then(|model| Some(model["no_new_users"].as_str()?.to_owned())));
            why.map(|why| view! { <p class="help" data-testid="ask-no-basket">{why}</p> })
        };
        let help = move || {
            if of_basket.get() {
                let example = items.with(|items| items.first().cloned()).unwrap_or_default();
                format!("Separated by commas, each with a rating where there is one, as in {example}:4")
            } else {
                "A user of the data set, by the id that it has there.".to_owned()
            }
        };
        view! {
            <form on:submit=ask>
                <div class="segments" role="group" aria-label="For whom" hidden=move || !able() || withheld()>{side(false, "A user")}{side(true, "A basket")}</div>
                <div class="ask-line" hidden=nobody>
                    <div class="ask-field">
                        <label for="ask-whom">{move || if of_basket.get() { "Items that somebody has" } else { "User id" }}</label>
                        <input id="ask-whom" type="text" autocomplete="off" spellcheck="false" data-testid="ask-whom" aria-describedby="ask-help"
                            prop:value=move || whom.get() on:input=move |event| whom.set(event_target_value(&event))/>
                    </div>
                    <div class="ask-field">
                        <label for="ask-k">"How many"</label>
                        <input id="ask-k" type="text" inputmode="numeric" class="ask-k" data-testid="ask-k"
                            prop:value=move || k.get() on:input=move |event| k.set(event_target_value(&event))/>
                    </div>
                    <button type="submit" class="button primary" data-testid="ask-go" disabled=move || asking.get()>
                        {move || if asking.get() { "Asking…" } else { "Recommend" }}
                    </button>
                </div>
                <p class="help" id="ask-help" hidden=nobody>{help}</p>
                <div class="chips" role="group" aria-label="Some items" hidden=move || !of_basket.get()>
                    {move || items.get().into_iter().take(OFFERED).map(item).collect_view()}
                </div>
                {why_no_user}
                {not_for_baskets}
            </form>
        }
        .into_any()
    });
    let form = form.map(|form| {
        if !in_stage {
            return form;
        }
        view! {
            <details class="ask-more">
                <summary data-testid="ask-more">"Ask for anybody else, or for a basket"</summary>
                {form}
            </details>
        }
        .into_any()
    });
    let recorded = is_recorded.then(|| {
        view! {
            <p class="note">
                "These answers were recorded with the run. Run it in this tab, and its model can be asked for anybody, or for a basket."
            </p>
        }
    });
    view! {
        <div class="ask-body">
            {move || unknown.get().map(|text| view! { <Refused text=text again=move |()| learn() test_id="ask-unknown"/> })}
            {people}
            {form}
            <div aria-live="polite" aria-busy=move || asking.get().to_string()>{move || match reply.get() {
                Reply::Nothing => ().into_any(),
                Reply::Failed(text) => view! {
                    <div class="message message-error" role="alert" data-testid="ask-error"><Icon picture=Picture::Warning/><p>{text}</p></div>
                }.into_any(),
                Reply::Answer(whom, answer) => list(&whom, &answer).into_any(),
            }}</div>
            {recorded}
        </div>
    }
}

/// Ids that a model names.
fn names(model: Option<&Value>, of: &str) -> Vec<String> {
    model.map(|model| texts(&model[of])).unwrap_or_default()
}

/// A basket with one more item; one that it has already is not named twice.
fn joined(basket: &str, item: &str) -> String {
    let mut all: Vec<&str> = basket.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    let is_it = |one: &&str| one.split_once(':').map_or(*one, |(id, _)| id) == item;
    if !all.iter().any(is_it) {
        all.push(item);
    }
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_put_into_a_basket_once_whether_or_not_it_has_a_rating_there() {
        assert_eq!(joined("", "a"), "a");
        assert_eq!(joined(" b:4 ,", "a"), "b:4, a");
        assert_eq!(joined("a:4, b", "a"), "a:4, b");
    }
}
