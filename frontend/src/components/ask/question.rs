//! What is asked, as the server's interface reads it.

use recspeed_types::recommend::BasketEntry;
use serde_json::{Value, json};

/// Items asked for at most.
const MOST: u32 = 100;

/// The question as the server reads it, or what is wrong with it.
pub(super) fn question(of_basket: bool, whom: &str, k: &str) -> Result<Value, String> {
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
    }
}
