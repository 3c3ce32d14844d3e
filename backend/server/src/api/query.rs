//! Parts of an address, with errors that say what is allowed.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use recspeed_types::RunId;

use super::ApiError;

/// The pairs of a query, decoded. An unknown name is an error, so that a typing mistake is never silently ignored.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let pairs = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name), decoded(value))
            })
            .collect();
        Ok(Self { pairs })
    }
}

impl Query {
    /// Refuses names that are not among `known`.
    ///
    /// # Errors
    /// 422 with what is known.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        match self.pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => {
                let name: String = name.chars().take(60).collect();
                Err(ApiError::invalid(&name, format!("is unknown; known: {}", known.join(", "))))
            }
            None => Ok(()),
        }
    }

    /// The text under `name`; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value under `name`, parsed.
    ///
    /// # Errors
    /// 422 with what is `allowed`.
    pub(super) fn parsed<T: FromStr>(&self, name: &str, allowed: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let shown: String = text.chars().take(60).collect();
            ApiError::invalid(name, format!("is `{shown}`; allowed: {allowed}"))
        })
    }
}

/// Percent-decoding of a form: `+` is a space, and what does not decode stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let ahead: Vec<u8> = rest.clone().take(2).collect();
                let digit = |at: usize| ahead.get(at).and_then(|&byte| char::from(byte).to_digit(16));
                match (digit(0), digit(1)) {
                    (Some(high), Some(low)) => {
                        bytes.push((high * 16 + low) as u8);
                        rest.nth(1);
                    }
                    _ => bytes.push(byte),
                }
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A run's id out of a path.
///
/// # Errors
/// 404: what cannot name a run names no run.
pub(super) fn run_id(text: String) -> Result<RunId, ApiError> {
    RunId::new(text)
        .map_err(|error| ApiError::new(StatusCode::NOT_FOUND, "no-run", format!("{error}.")).remedy("Check the link."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_decode_as_forms_do() {
        for (given, text) in [("a+b", "a b"), ("%C3%A9%2F", "é/"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("%+1", "% 1")]
        {
            assert_eq!(decoded(given), text);
        }
    }
}
