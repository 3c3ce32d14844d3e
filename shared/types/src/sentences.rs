//! Words of an error as a sentence of their own, and numbers in it as somebody writes them.

use std::fmt;

/// With a capital first letter; a place in a spec (`dataset.path: …`, `recommender.attributes names …`) stays as it is written there.
pub fn capital(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default();
    if word.trim_end_matches('.').contains(['.', '_', ':', '[']) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// With a [`capital`] first letter and a full stop.
pub fn sentence(words: &str) -> String {
    format!("{}.", capital(words.trim_end_matches('.')))
}

/// A number as somebody writes it in a spec, with all its digits: `10`, `0.001`, `3e-5`.
pub fn written(number: f64) -> String {
    if number == 0.0 || (1e-4..1e6).contains(&number.abs()) { number.to_string() } else { format!("{number:e}") }
}

/// Characters that a number may have: of a row of more zeros nobody can tell how many they are. Whole numbers of 64 bits have no more.
pub(crate) const MOST_DIGITS: usize = 20;

/// What was given, as it is, but for a number of more than [`MOST_DIGITS`] characters, which is [`written`].
pub(crate) fn told(given: impl fmt::Display) -> String {
    let text = given.to_string();
    match text.parse::<f64>() {
        Ok(number) if text.len() > MOST_DIGITS => written(number),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_given_is_told_without_a_row_of_zeros_however_small_or_large_it_is() {
        let numbers = [1e-300, -2.5e-30, 1e300, 0.000_001, 0.0, 1.0, 123_456_789.5, -1.234_567_890_123_456_7e-4];
        let due = ["1e-300", "-2.5e-30", "1e300", "0.000001", "0", "1", "123456789.5", "-0.00012345678901234567"];
        assert_eq!(numbers.map(told), due);
        assert_eq!((told(u64::MAX), told(i64::MIN)), (u64::MAX.to_string(), i64::MIN.to_string()));
        assert_eq!(told("a text of more than twenty characters"), "a text of more than twenty characters");
    }

    #[test]
    fn a_number_is_written_without_a_row_of_zeros_and_with_all_its_digits() {
        let numbers = [10.0, 0.736_489_585_564_221_6, 1e-4, 3.2e-5, 0.0, -0.5, -2e-9, 123_456.0, 2e7].map(written);
        let due = ["10", "0.7364895855642216", "0.0001", "3.2e-5", "0", "-0.5", "-2e-9", "123456", "2e7"];
        assert_eq!(numbers, due);
    }

    #[test]
    fn sentences_begin_with_a_capital_and_places_of_a_spec_as_they_are_written() {
        assert_eq!(capital("the worker left."), "The worker left.");
        assert_eq!(capital("done."), "Done.");
        assert_eq!(sentence("ünder way."), "Ünder way.");
        for place in [
            "dataset.path: there is no file `x`",
            "split: fits nothing",
            "training.components[0].kind: is `x`",
            "recommender.attributes names `nope`",
        ] {
            assert_eq!(capital(place), place);
            assert_eq!(sentence(place), format!("{place}."));
        }
    }
}
