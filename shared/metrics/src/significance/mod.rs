//! Whether two methods differ by more than chance, from the values of the same users under both.
//!
//! [`Paired`] holds the differences; [`paired_t`] and [`randomization`] ask how likely so large a mean difference is if there is
//! none, [`bootstrap`] says where the mean difference lies, [`cohens_d`] and [`hedges_g`] how large it is, and [`holm`] corrects
//! the answers for how often one has asked. Random numbers come from a seed: the same input gives the same bits.

mod bootstrap;
mod effect;
mod error;
mod holm;
mod paired;
mod randomization;
mod t_test;

pub use bootstrap::bootstrap;
pub use effect::{cohens_d, hedges_g};
pub use error::SignificanceError;
pub use holm::holm;
pub use paired::Paired;
pub use randomization::{MAX_EXACT, Randomization, randomization};
pub use t_test::{PairedT, paired_t};

/// An interval that holds the mean difference, at the level that it was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}
