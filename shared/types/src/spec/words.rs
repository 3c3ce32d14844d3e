//! The parser's words for what does not fit, in words that are not Rust.

use super::dataset::shorten;
use super::{SPEC_VERSION, SpecError};
use crate::limits::MAX_SEED;
use crate::sentences::told;

/// The mistake at `path`, from the deserializer's `message`. A message of an unknown form is kept as it is.
pub(super) fn in_plain_words(path: String, message: &str) -> SpecError {
    // The TOML parser adds lines with the place, which is told by `path`.
    let message = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("does not fit");
    if let Some(name) = message.strip_prefix("missing field ") {
        let name = unquoted(name);
        return SpecError::new(below(&path, name), missing(&below(&path, name)));
    }
    for (prefix, field) in [("unknown field ", true), ("unknown variant ", false)] {
        if let Some((name, allowed)) = message.strip_prefix(prefix).and_then(|rest| rest.rsplit_once(", expected ")) {
            let name = unquoted(name);
            let allowed = allowed.strip_prefix("one of ").unwrap_or(allowed);
            let near = nearest(name, allowed).map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
            return if field {
                let path = if path.rsplit('.').next() == Some(name) { path } else { below(&path, name) };
                SpecError::new(shorten(&path), format!("is no field of this section{near}; allowed: {allowed}"))
            } else {
                SpecError::new(path, format!("is `{}`{near}; allowed: {allowed}", shorten(name)))
            };
        }
    }
    let wrong = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    if let Some((given, expected)) = wrong.and_then(|rest| rest.rsplit_once(", expected ")) {
        let allowed = match path.as_str() {
            "seed" | "data_seed" => format!("a whole number from 0 to {MAX_SEED}"),
            _ => expected_words(expected),
        };
        return SpecError::new(path, format!("is {}; allowed: {allowed}", given_words(given)));
    }
    SpecError::new(path, message)
}

/// What to write where a field must not be left out.
fn missing(path: &str) -> String {
    let write = match path {
        "version" => format!("version = {SPEC_VERSION}"),
        "split.kind" => "kind = \"random\" or another kind of split".to_owned(),
        "recommender.kind" => "kind = \"popularity\" or another recommender".to_owned(),
        "dataset.source" => "source = \"builtin\", \"file\" or \"upload\"".to_owned(),
        "dataset" | "recommender" => format!("a section [{path}]"),
        _ => return "is missing".to_owned(),
    };
    format!("is missing; write {write}")
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn unquoted(name: &str) -> &str {
    name.trim_matches('`')
}

/// The name in a list such as "`a`, `b` or `c`" that is nearest to a mistyped one, when one is near.
fn nearest<'a>(name: &str, list: &'a str) -> Option<&'a str> {
    let name: String = name.chars().take(64).collect();
    list.split('`')
        .skip(1)
        .step_by(2)
        .map(|known| (strsim::damerau_levenshtein(known, &name), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min()
        .map(|(_, known)| known)
}

/// What was given, from serde's words for it (`serde::de::Unexpected`).
fn given_words(given: &str) -> String {
    if let Some(text) = given.strip_prefix("string ") {
        return format!("the text {}", shorten(text));
    }
    for prefix in ["integer ", "floating point ", "boolean "] {
        if let Some(value) = given.strip_prefix(prefix) {
            return told(unquoted(value));
        }
    }
    match given {
        "sequence" => "a list".to_owned(),
        "map" => "a section".to_owned(),
        // What the TOML parser calls a number where a name is due.
        "unit variant" => "not a name".to_owned(),
        "null" | "unit value" | "Option value" => "empty".to_owned(),
        other => shorten(other),
    }
}

/// What is allowed, from the words of the deserializers.
fn expected_words(expected: &str) -> String {
    let words = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "a borrowed string" => "a text in quotes",
        "a sequence" => "a list in brackets",
        "a map" => "a section with fields",
        // A unit enum: its names are told when a text is given.
        text if text.starts_with("string o") || text.starts_with("variant ") => "a name in quotes",
        text if text.starts_with("struct ") => "a section with fields",
        other => other,
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_the_parser_has_its_sentence() {
        let say = |path: &str, message: &str| in_plain_words(path.to_owned(), message).to_string();
        assert_eq!(say("", "missing field `dataset`"), "dataset: is missing; write a section [dataset]");
        assert_eq!(
            say("recommender", "missing field `kind`"),
            "recommender.kind: is missing; write kind = \"popularity\" or another recommender"
        );
        assert_eq!(
            say("training.epoch", "unknown field `epoch`, expected one of `epochs`, `loss`"),
            "training.epoch: is no field of this section (did you mean `epochs`?); allowed: `epochs`, `loss`"
        );
        assert_eq!(
            say("engine.device", "unknown variant `gpu`, expected `flex` or `browser`\n"),
            "engine.device: is `gpu`; allowed: `flex` or `browser`"
        );
        assert_eq!(
            say("seed", "invalid type: string \"x, expected y\", expected u64"),
            "seed: is the text \"x, expected y\"; allowed: a whole number from 0 to 9007199254740991"
        );
        assert_eq!(
            say("training.epochs", "invalid value: integer `-1`, expected u32"),
            "training.epochs: is -1; allowed: a whole number, 0 or more"
        );
        assert_eq!(
            say("training.epochs", &format!("invalid type: floating point `{}`, expected u32", 1e300)),
            "training.epochs: is 1e300; allowed: a whole number, 0 or more"
        );
        assert_eq!(say("a", "something new"), "a: something new");
    }

    #[test]
    fn a_long_text_is_quoted_short() {
        let error =
            in_plain_words("seed".to_owned(), &format!("invalid type: string \"{}\", expected u64", "x".repeat(9000)));
        assert!(error.message.chars().count() < 200);
    }
}
