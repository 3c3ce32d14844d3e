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

use recspeed_types::spec::ResolvedRecommender;

use crate::TrainSet;
use crate::fit::Method;
use crate::memory::Counts;
pub use als::{Als, AlsSettings, Confidence, Solver};
pub(crate) use als::{BLOCK_ROWS, CHUNK};
pub(crate) use pairwise::negatives::sketch_bits;
pub(crate) use pairwise::warp::races as races_over;

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

/// Whether threads race for the same numbers where this recommender, or a component of it, is fitted to these rows in the
/// pool of threads in which this is asked: no other fit differs from run to run.
pub fn races(recommender: &ResolvedRecommender, data: &TrainSet<'_>) -> bool {
    let counts = Counts::of(data);
    let races = |each: &ResolvedRecommender| {
        each.is_fast() && races_over(true, each.integer("factors").unsigned_abs(), &counts)
    };
    recommender.all().into_iter().any(races)
}
