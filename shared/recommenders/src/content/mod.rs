//! Content-based methods: what the items are like.

mod linear;
mod terms;
mod tfidf;
mod weigh;

use crate::fit::Method;
pub(crate) use terms::{Terms, term, word};

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[tfidf::METHOD, linear::METHOD];
