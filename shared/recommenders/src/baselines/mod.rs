//! Baselines: what every other method must beat.

mod bias;
mod means;
mod popularity;
mod random;

pub(crate) use bias::deviations;

use crate::fit::Method;

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] =
    &[random::METHOD, means::GLOBAL_MEAN, means::USER_MEAN, means::ITEM_MEAN, bias::METHOD, popularity::METHOD];
