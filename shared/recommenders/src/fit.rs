//! From a catalogue entry to a fitted recommender.

use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use crate::baselines::{Bias, GlobalMean, ItemMean, Popularity, Random, UserMean};
use crate::factorization::ImplicitAls;
use crate::neighbourhood::ItemKnn;
use crate::{FitError, Recommender, TrainSet};

/// The kinds of the catalogue that [`fit`] can fit.
pub const KINDS: [&str; 8] =
    ["random", "global-mean", "user-mean", "item-mean", "bias", "popularity", "item-knn", "als-implicit"];

/// Fits the recommender to the training set. Everything random comes from `seed`; the result is the same to the last bit
/// for any number of rayon's threads.
///
/// # Errors
/// [`FitError`].
pub fn fit(
    recommender: &ResolvedRecommender,
    data: &TrainSet<'_>,
    seed: u64,
    observer: &mut dyn FitObserver,
) -> Result<Box<dyn Recommender>, FitError> {
    let kind = recommender.entry.kind;
    if !KINDS.contains(&kind) {
        return Err(FitError::NotHere { kind });
    }
    if data.rows.is_empty() {
        return Err(FitError::NoRows);
    }
    Ok(match kind {
        "random" => Box::new(Random::new(data, seed)),
        "global-mean" => Box::new(GlobalMean::fit(data)),
        "user-mean" => Box::new(UserMean::fit(data)),
        "item-mean" => Box::new(ItemMean::fit(data)),
        "bias" => Box::new(Bias::fit(recommender, data, observer)?),
        "popularity" => Box::new(Popularity::fit(data)),
        "item-knn" => Box::new(ItemKnn::fit(recommender, data, observer)?),
        "als-implicit" => Box::new(ImplicitAls::fit(recommender, data, seed, observer)?),
        _ => return Err(FitError::NotHere { kind }),
    })
}
