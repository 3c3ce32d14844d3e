//! Latent factors.

pub(crate) mod adagrad;
mod ahead;
mod als;
pub(crate) mod draws;
mod factor_model;
pub(crate) mod folding;
pub(crate) mod pairs;
mod pairwise;
mod race;
mod ratings;
pub(crate) mod strata;

use crate::fit::Method;
pub use als::{Als, AlsSettings, Confidence, Solver};
pub(crate) use als::{BLOCK_ROWS, CHUNK};
pub(crate) use pairwise::negatives::sketch_bits;
pub(crate) use pairwise::warp::written_by_all;
pub(crate) use race::pays as race_pays;

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[
    als::EXPLICIT,
    als::IMPLICIT,
    pairwise::bpr::METHOD,
    pairwise::warp::METHOD,
    ratings::biased_mf::METHOD,
    ratings::svdpp::METHOD,
    ratings::nmf::METHOD,
];
