//! The best items of many users: score descending, then tie rank ascending.
//!
//! Five ways to the same lists: [`by_scores`] for any method, [`by_tiles`] where some users together are scored faster than
//! one after another, [`by_shared_order`] where the order of the items is the same for everybody, [`by_touched`] where most items
//! have no score, and [`by_factors`] where scores are products of vectors.

mod basket;
mod error;
mod factors;
mod request;
mod scan;
mod scores;
mod shared_order;
mod tiles;
mod top;
mod touched;

pub use basket::for_basket;
pub use error::RankError;
pub use factors::by_factors;
pub use request::{RankRequest, Ranking};
pub(crate) use scores::by_scores;
pub(crate) use shared_order::by_shared_order;
pub use tiles::{TILE_SCORES, by_tiles};
pub(crate) use top::{Best, Scored};
pub(crate) use touched::{Speaks, Sums, by_touched};
