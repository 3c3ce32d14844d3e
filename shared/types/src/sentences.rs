//! Words of an error as a sentence of their own.

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

#[cfg(test)]
mod tests {
    use super::*;

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
