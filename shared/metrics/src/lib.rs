//! Metrics as pure functions over slices, one file a family.
//!
//! Each function computes exactly what [`MetricKind::definition`](recspeed_types::MetricKind::definition) says in words:
//! [`rating`] compares predicted with true ratings, [`liking`] asks whether liked is told from not liked, [`ranking`]
//! judges one user's list, [`beyond_accuracy`] looks at all lists together, [`variety`] at what a list is made of, and
//! [`significance`] asks whether two methods differ by more than chance. Sums are in `f64` and in the order of the slices, so the same input gives the same bits.

pub mod beyond_accuracy;
pub mod comparison;
mod error;
pub mod liking;
pub mod ranking;
pub mod rating;
pub mod significance;
pub mod variety;

pub use beyond_accuracy::{Lists, NO_ITEM};
pub use error::MetricError;
pub use significance::SignificanceError;
