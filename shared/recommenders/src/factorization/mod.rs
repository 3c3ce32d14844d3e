//! Latent factors.

mod als;
mod ratings;

use crate::fit::Method;
pub use als::{Als, AlsSettings, Confidence, Solver};

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] =
    &[als::IMPLICIT, ratings::biased_mf::METHOD, ratings::svdpp::METHOD, ratings::nmf::METHOD];
