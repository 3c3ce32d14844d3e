//! Factorization machines: users, items and what is known of them are features, and every pair of features has a product.

mod embeddings;
mod features;
mod ffm;
mod fm;
mod model;
mod permuted;
mod telling;

use crate::fit::Method;

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[fm::METHOD, ffm::METHOD, embeddings::METHOD];
