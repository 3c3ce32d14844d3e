//! Content-based methods: what the items are like.

mod terms;
mod tfidf;

use crate::fit::Method;

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[tfidf::METHOD];
