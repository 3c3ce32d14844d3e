//! What becomes of a question to the server, for a page that waits for the answer.

use serde_json::Value;

use super::api::ApiError;

/// What became of a question; pages that read answers by name share one kind of answer, and the code that holds it.
#[derive(Clone, PartialEq)]
pub(crate) enum Reply<T = Value> {
    /// The answer is on its way.
    Asking,
    /// The answer.
    Answer(T),
    /// Why there is none, in a sentence.
    Failed(String),
}

impl<T> Reply<T> {
    /// What an answer is to whoever waits for it.
    pub(crate) fn of(answer: Result<T, ApiError>) -> Self {
        answer.map_or_else(|error| Self::Failed(error.to_string()), Self::Answer)
    }
}
