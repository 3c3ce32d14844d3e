//! Reasons in words.

use recspeed_data::{Dictionary, Titles};
use recspeed_recommenders::Reason;
use recspeed_types::recommend::NOT_FOR_GUESTS;

/// Whose reasons: it decides how their own items are spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    User,
    Basket,
}

/// What users and items are called, and whether that may be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) users: &'a Dictionary,
    pub(crate) items: &'a Dictionary,
    pub(crate) titles: Option<&'a Titles>,
    /// Whether rows of the data set are not told: which items a user of it has, who another user is, what is known of a user.
    pub(crate) withhold_rows: bool,
}

/// Characters of a title that a reason quotes.
const TITLE: usize = 60;

/// A reason as half a sentence, with its part of the score.
pub(crate) fn in_words(reason: &Reason, whose: Whose, names: Names<'_>) -> String {
    match reason {
        // A basket's items are the asker's own; another user, and what is known of one, are rows whoever asks.
        Reason::OwnItem { part, .. } if names.withhold_rows && whose == Whose::User => {
            format!("an item that they have {NOT_FOR_GUESTS}{}", adds(*part))
        }
        Reason::SimilarUser { part, .. } if names.withhold_rows => {
            format!("somebody whose taste is similar {NOT_FOR_GUESTS}{}", adds(*part))
        }
        Reason::UserAttribute { name, part, .. } if names.withhold_rows => {
            format!("the user's {name} {NOT_FOR_GUESTS}{}", adds(*part))
        }
        Reason::OwnItem { item, part } => {
            let own = if whose == Whose::User { "they have" } else { "the basket has" };
            format!("{own} {}{}{}", named(names.items, *item), titled(names, *item), adds(*part))
        }
        Reason::Learnt { part } => format!("what else was learnt of them{}", adds(*part)),
        Reason::SimilarUser { user, part } => {
            format!("{}, whose taste is similar{}", named(names.users, *user), adds(*part))
        }
        Reason::Attribute { name, value, part } => format!("its {name} is {value}{}", adds(*part)),
        Reason::UserAttribute { name, value, part } => format!("the user's {name} is {value}{}", adds(*part)),
        Reason::Component { index, component, part, because } => {
            let own: Vec<String> = because.iter().map(|reason| in_words(reason, whose, names)).collect();
            let own = if own.is_empty() { String::new() } else { format!(", because {}", own.join(" and ")) };
            format!("component {}, {component}{}{own}", index + 1, adds(*part))
        }
        Reason::Popularity { interactions: 1 } => "one person has it".to_owned(),
        Reason::Popularity { interactions } => format!("{interactions} people have it"),
    }
}

fn named(ids: &Dictionary, index: u32) -> &str {
    if (index as usize) < ids.len() { ids.get(index) } else { "?" }
}

/// ` “Heat (1995)”` behind an id; nothing where the item has no title.
fn titled(names: Names<'_>, item: u32) -> String {
    let Some(title) = names.titles.and_then(|titles| titles.get(item)) else { return String::new() };
    let mut shown: String = title.chars().take(TITLE).collect();
    if shown.len() < title.len() {
        shown.push('…');
    }
    format!(" “{shown}”")
}

/// `, adds 0.312`; a part that is too small or too large for that in powers of ten.
fn adds(part: f32) -> String {
    // What adds −0 takes nothing.
    let part = part + 0.0;
    let size = part.abs();
    let number = if size != 0.0 && !(1e-3..1e5).contains(&size) { format!("{part:.2e}") } else { format!("{part:.3}") };
    match number.strip_prefix('-') {
        Some(number) => format!(" (takes {number})"),
        None => format!(" (adds {number})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_reason_is_half_a_sentence() {
        let (users, items): (Dictionary, Dictionary) = (["u"].into_iter().collect(), ["a", "b"].into_iter().collect());
        let names = Names { users: &users, items: &items, titles: None, withhold_rows: false };
        let say = |reason: Reason, whose| in_words(&reason, whose, names);
        assert_eq!(say(Reason::OwnItem { item: 1, part: 0.3124 }, Whose::User), "they have b (adds 0.312)");
        assert_eq!(say(Reason::OwnItem { item: 0, part: -2.0 }, Whose::Basket), "the basket has a (takes 2.000)");
        let learnt = Reason::Learnt { part: 0.25 };
        assert_eq!(say(learnt, Whose::User), "what else was learnt of them (adds 0.250)");
        let similar = Reason::SimilarUser { user: 0, part: 1e-7 };
        assert_eq!(say(similar, Whose::User), "u, whose taste is similar (adds 1.00e-7)");
        let attribute = Reason::Attribute { name: "brand".to_owned(), value: "Aveda".to_owned(), part: 0.5 };
        assert_eq!(say(attribute, Whose::User), "its brand is Aveda (adds 0.500)");
        let of_user = Reason::UserAttribute { name: "age".to_owned(), value: "24".to_owned(), part: -0.25 };
        assert_eq!(say(of_user, Whose::User), "the user's age is 24 (takes 0.250)");
        let component = |because| Reason::Component { index: 0, component: "item-knn", part: 0.0, because };
        assert_eq!(say(component(vec![]), Whose::User), "component 1, item-knn (adds 0.000)");
        assert_eq!(adds(-0.0), " (adds 0.000)");
        let own = component(vec![Reason::OwnItem { item: 0, part: 1.0 }]);
        let words = "component 1, item-knn (adds 0.000), because the basket has a (adds 1.000)";
        assert_eq!(say(own, Whose::Basket), words);
        assert_eq!(say(Reason::Popularity { interactions: 12 }, Whose::User), "12 people have it");
        assert_eq!(say(Reason::OwnItem { item: 9, part: 1.0 }, Whose::User), "they have ? (adds 1.000)");
        let titles: Titles = [String::new(), "é".repeat(70)].into_iter().collect();
        let titled = |item| {
            in_words(&Reason::OwnItem { item, part: 1.0 }, Whose::User, Names { titles: Some(&titles), ..names })
        };
        assert_eq!(titled(0), "they have a (adds 1.000)");
        assert_eq!(titled(1), format!("they have b “{}…” (adds 1.000)", "é".repeat(60)));
    }

    #[test]
    fn a_reason_that_withholds_rows_keeps_its_part_and_names_no_own_item_no_other_user_and_no_value_of_one() {
        let (users, items): (Dictionary, Dictionary) =
            (["user-7"].into_iter().collect(), ["item-9"].into_iter().collect());
        let titles: Titles = ["Heat (1995)".to_owned()].into_iter().collect();
        let names = Names { users: &users, items: &items, titles: Some(&titles), withhold_rows: true };
        let of_user = |name: &str, value: &str| Reason::UserAttribute {
            name: name.to_owned(),
            value: value.to_owned(),
            part: 0.25,
        };
        let inside = Reason::Component {
            index: 0,
            component: "item-knn",
            part: 1.0,
            because: vec![Reason::OwnItem { item: 0, part: 0.5 }, Reason::SimilarUser { user: 0, part: 0.25 }],
        };
        for (reason, whose, told) in [
            (
                Reason::OwnItem { item: 0, part: 0.5 },
                Whose::User,
                "an item that they have (not shown to guests) (adds 0.500)",
            ),
            (Reason::OwnItem { item: 0, part: 0.5 }, Whose::Basket, "the basket has item-9 “Heat (1995)” (adds 0.500)"),
            (
                Reason::SimilarUser { user: 0, part: 0.5 },
                Whose::Basket,
                "somebody whose taste is similar (not shown to guests) (adds 0.500)",
            ),
            (of_user("age", "24"), Whose::User, "the user's age (not shown to guests) (adds 0.250)"),
            (
                inside,
                Whose::User,
                "component 1, item-knn (adds 1.000), because an item that they have (not shown to guests) (adds 0.500) \
                 and somebody whose taste is similar (not shown to guests) (adds 0.250)",
            ),
            (Reason::Popularity { interactions: 12 }, Whose::User, "12 people have it"),
        ] {
            assert_eq!(in_words(&reason, whose, names), told);
        }
    }
}
