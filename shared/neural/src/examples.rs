//! What rows of a data set become when a network learns from them.

mod likes;
mod pair_stages;
mod ratings;

#[cfg(test)]
pub(crate) use likes::PairedInput;
pub(crate) use likes::{LikeLesson, Likes, PairNetwork, Paired};
pub(crate) use pair_stages::StagedPairs;
pub(crate) use ratings::{Describe, RatingLesson};
