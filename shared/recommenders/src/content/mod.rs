//! Content-based methods: what the items are like.

mod linear;
mod terms;
mod tfidf;
mod weigh;
mod words;

use crate::fit::Method;
pub(crate) use terms::{Terms, term, word};
pub(crate) use words::check_components;
pub use words::check_words;

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[tfidf::METHOD, linear::METHOD];
