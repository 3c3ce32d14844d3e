//! Latent factors.

mod als;

use crate::fit::Method;
pub use als::{Als, AlsSettings, Confidence, Solver};

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[als::IMPLICIT];
