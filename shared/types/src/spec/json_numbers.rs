//! NaN and infinities in JSON, which has no such numbers and many writers put there all the same: told with their field, as those of TOML
//! are.

use serde_json::Value;

use super::{SpecError, SpecErrors};

/// What such words are, longer before shorter, and what Rust calls them.
const WORDS: [(&str, &str); 4] = [("-Infinity", "-inf"), ("Infinity", "inf"), ("-NaN", "NaN"), ("NaN", "NaN")];
/// What a text begins with that stands for one: a character that no spec has.
const MARK: char = '\u{f8ff}';

/// The fields of a text whose only mistake are such words; `None` where it has none, or is no JSON without them.
pub(super) fn not_finite(text: &str) -> Option<SpecErrors> {
    let value: Value = serde_json::from_str(&marked(text)?).ok()?;
    let mut found = Vec::new();
    collect("", &value, &mut found);
    (!found.is_empty()).then_some(SpecErrors(found))
}

/// The text with each of the words outside of strings as a marked string; `None` where there is none.
fn marked(text: &str) -> Option<String> {
    let mut marked = String::with_capacity(text.len() + 16);
    let (mut rest, mut any) = (text, false);
    while let Some(first) = rest.chars().next() {
        if let Some((word, name)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
            marked.extend(['"', MARK]);
            marked.push_str(name);
            marked.push('"');
            (rest, any) = (&rest[word.len()..], true);
            continue;
        }
        let len = if first == '"' { string(rest) } else { first.len_utf8() };
        marked.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    any.then_some(marked)
}

/// Bytes of the string that a text begins with, its quotation marks included.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn collect(path: &str, value: &Value, found: &mut Vec<SpecError>) {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix(MARK) {
                found.push(SpecError::new(path, format!("is {name}; allowed: a finite number")));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(&format!("{path}[{index}]"), item, found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(&inner, field, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        not_finite(text).map(|errors| errors.to_string())
    }

    #[test]
    fn numbers_that_json_does_not_have_are_told_with_their_fields() {
        assert_eq!(
            told(r#"{"training": {"learning_rate": NaN}}"#).as_deref(),
            Some("training.learning_rate: is NaN; allowed: a finite number")
        );
        let two = told(r#"{"name": "NaN \" Infinity", "a": [1, -Infinity], "b": {"c": Infinity}}"#).unwrap();
        assert_eq!(two, "a[1]: is -inf; allowed: a finite number\nb.c: is inf; allowed: a finite number");
    }

    #[test]
    fn what_has_no_such_word_or_other_mistakes_is_left_to_the_parser() {
        for text in [r#"{"a": 1}"#, r#"{"a": "NaN"}"#, r#"{"a": NaN"#, r#"{"a": "x"#, "", "NaNs", r#"{"\\": "NaN"}"#] {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
