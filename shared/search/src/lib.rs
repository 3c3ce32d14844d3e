//! Which parameters to try next, from what was tried so far. A pure function of the space, the seed and the history: a search
//! that is taken up again proposes what it would have proposed.

mod dimension;
mod parzen;
mod propose;
mod space;

pub use dimension::Dimension;
pub use propose::{Judged, goes_through, propose};
pub use space::{Space, SpaceError};

/// The values of one trial, one for each dimension of the space, in its order.
pub type Values = Vec<serde_json::Value>;
