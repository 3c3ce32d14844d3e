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

use recspeed_data::Attributes;

pub(crate) use attributes::refuse_taken;

use crate::fit::{FitRequest, Method};

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

/// What a hybrid will tell one of its components of the items, as far as that is known before any is fitted; `None` where
/// it tells what the data say.
pub(crate) fn attributes_for(request: &FitRequest<'_>, place: usize) -> Option<Attributes> {
    match request.recommender.entry.kind {
        "feature-combination" => Some(feature_combination::combined(request)),
        "feature-augmentation" if place == feature_augmentation::SECOND => {
            Some(feature_augmentation::at_least(request.data))
        }
        _ => None,
    }
}
