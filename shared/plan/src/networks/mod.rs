//! What is foretold of the networks that one device trains whole, because they are no rows of layers that ranks could divide. Each
//! has a file: what it learns of data of some size, what a step of it holds, and what its evaluation does.

mod autoencoder;
mod bert4rec;
mod caser;
mod fielded;
mod gru4rec;
mod neumf;

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use crate::evaluation::Ranked;
use crate::learnt::Learnt;
use crate::whole::{Asked, Step};

/// A network, foretold.
pub(crate) struct Network {
    /// As in the catalogue.
    kind: &'static str,
    /// The parameter that its vectors are as long as: less of it takes less.
    pub(crate) width: &'static str,
    /// The numbers that it learns, as its own layout has them (`neural/network`, `neural/sequence`).
    pub(crate) learnt: fn(&ResolvedRecommender, &Extent) -> Learnt,
    /// What one step holds, at most.
    pub(crate) step: fn(&Asked<'_>) -> Step,
    /// What its lists are made with.
    pub(crate) ranked: fn(&ResolvedRecommender, &Extent) -> Ranked,
}

const NETWORKS: &[Network] = &[
    neumf::NETWORK,
    fielded::WIDE_AND_DEEP,
    fielded::DEEPFM,
    autoencoder::NETWORK,
    gru4rec::NETWORK,
    caser::NETWORK,
    bert4rec::NETWORK,
];

/// The one of this kind.
pub(crate) fn network(kind: &str) -> Option<&'static Network> {
    NETWORKS.iter().find(|network| network.kind == kind)
}
