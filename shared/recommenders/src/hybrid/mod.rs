//! Hybrids: several recommenders as one, in the seven ways of Burke, "Hybrid Recommender Systems: Survey and
//! Experiments", doi:10.1023/A:1021240730564.
//!
//! A component learns what it would learn alone: the same rows, the same seed.

mod attributes;
mod cascade;
mod components;
mod composed;
mod feature_augmentation;
mod feature_combination;
mod meta_level;
mod mixed;
mod nonnegative;
mod scale;
mod switching;
mod weighted;

use crate::fit::Method;

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[
    weighted::METHOD,
    switching::METHOD,
    mixed::METHOD,
    cascade::METHOD,
    feature_combination::METHOD,
    feature_augmentation::METHOD,
    meta_level::METHOD,
];
