//! Baselines: what every other method must beat.

mod bias;
mod means;
mod popularity;
mod random;

pub(crate) use bias::Bias;
pub(crate) use means::{GlobalMean, ItemMean, UserMean};
pub(crate) use popularity::Popularity;
pub(crate) use random::Random;
