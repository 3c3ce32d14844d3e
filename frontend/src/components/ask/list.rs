//! An answer: what the user has, the items with their scores and reasons, and what must be known to understand them.

use leptos::prelude::*;
use recspeed_types::recommend::{NOTHING_KNOWN, ROWS_WITHHELD};
use serde_json::{Value, json};

use crate::charts::value;

/// The texts of a list.
pub(super) fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

/// An item's title before its id, where it has one.
fn named(item: &Value) -> String {
    let [id, title] = ["item", "title"].map(|name| texts(&json!([item[name]])).concat());
    if title.is_empty() { id } else { format!("{title} · {id}") }
}

/// What the user has, as far as the answer tells.
fn owned(whom: &str, answer: &Value) -> Option<String> {
    let has: Vec<String> = answer["has"].as_array()?.iter().map(named).collect();
    let others = answer["left_out"].as_u64().unwrap_or_default().saturating_sub(has.len() as u64);
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    (!has.is_empty()).then(|| format!("{whom} has {}{others}.", has.join(", ")))
}

/// What stands below the list.
fn notes(answer: &Value, names_own: bool) -> Vec<String> {
    let mut notes = texts(&answer["notes"]);
    if answer["items"].as_array().is_none_or(Vec::is_empty) {
        notes.insert(0, "Nothing is left to recommend: every item that could be is known already.".to_owned());
    }
    if let Some(known @ 1..) = answer["left_out"].as_u64().filter(|_| !names_own) {
        notes.push(format!("{known} known {} left out.", if known == 1 { "item is" } else { "items are" }));
    }
    if answer["withheld"] == true {
        notes.push(ROWS_WITHHELD.to_owned());
    }
    notes
}

/// The answer about `whom`, a user's id.
pub(super) fn list(whom: &str, answer: &Value) -> impl IntoView + use<> {
    let mut items: Vec<AnyView> = answer["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let score = value(item["score"].as_f64().unwrap_or_default());
            let why = texts(&item["reasons"]).join(" · ");
            view! { <li><strong>{named(item)}</strong><span class="number">{score}</span><small>{why}</small></li> }
                .into_any()
        })
        .collect();
    if let Some(known) = answer["ties_from"].as_u64().map(|known| known as usize).filter(|known| *known <= items.len())
    {
        items.insert(known, view! { <li class="ask-border" data-testid="ask-border">{NOTHING_KNOWN}</li> }.into_any());
    }
    let has = owned(whom, answer);
    let notes = notes(answer, has.is_some());
    let has = has.map(|has| view! { <p class="note" data-testid="ask-has">{has}</p> });
    let notes: Vec<AnyView> = notes.into_iter().map(|note| view! { <p class="note">{note}</p> }.into_any()).collect();
    view! { {has}<ol class="ask-list" data-testid="ask-list">{items}</ol>{notes} }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_called_by_its_title_and_its_id_and_a_user_s_own_are_named_as_far_as_they_are_told() {
        assert_eq!(texts(&json!(["a", 1, "b"])), ["a", "b"]);
        assert_eq!(named(&json!({ "item": "181", "title": "Heat (1995)" })), "Heat (1995) · 181");
        assert_eq!(named(&json!({ "item": "181" })), "181");
        let has = json!({ "has": [{ "item": "a", "title": "A" }, { "item": "b" }], "left_out": 5 });
        assert_eq!(owned("u", &has).as_deref(), Some("u has A · a, b and 3 more."));
        assert_eq!(owned("u", &json!({ "has": [{ "item": "a" }], "left_out": 0 })).as_deref(), Some("u has a."));
        assert_eq!((owned("u", &json!({ "has": [] })), owned("", &json!({ "left_out": 2 }))), (None, None));
    }

    #[test]
    fn a_guest_who_is_not_told_what_the_user_has_is_told_that_it_is_not_shown_and_whoever_is_told_is_not() {
        let items = json!([{ "item": "a", "score": 0.5 }]);
        let of_guest = json!({ "items": items, "left_out": 2, "withheld": true });
        assert_eq!(notes(&of_guest, false), ["2 known items are left out.", ROWS_WITHHELD]);
        let of_owner = json!({ "items": items, "left_out": 2, "notes": ["A note."] });
        assert_eq!(
            (notes(&of_owner, false), notes(&of_owner, true)),
            (vec!["A note.".to_owned(), "2 known items are left out.".to_owned()], vec!["A note.".to_owned()])
        );
        let none = notes(&json!({ "items": [], "left_out": 0 }), false);
        assert!(none.len() == 1 && none[0].starts_with("Nothing is left to recommend"), "{none:?}");
    }
}
