//! What rows of a data set become when a network learns from them.

mod likes;
mod ratings;

pub(crate) use likes::{LikeLesson, Likes, PairNetwork, Paired};
pub(crate) use ratings::{Describe, RatingLesson};
