//! Learning from pairs: an item that somebody has, and one that they do not have.

pub(super) mod bpr;
pub(crate) mod negatives;
pub(super) mod warp;
