//! Latent factors.

mod als;
mod bpr;
mod draws;
mod factor_model;
mod ratings;

use crate::fit::Method;
pub use als::{Als, AlsSettings, Confidence, Solver};

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] =
    &[als::IMPLICIT, bpr::METHOD, ratings::biased_mf::METHOD, ratings::svdpp::METHOD, ratings::nmf::METHOD];
