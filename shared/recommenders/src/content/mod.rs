//! Content-based methods: what the items are like.

mod linear;
mod terms;
mod tfidf;
mod weigh;
mod words;

use recspeed_types::spec::ResolvedRecommender;

use crate::fit::Method;
use crate::{FitError, TrainSet};
pub(crate) use terms::{Terms, term, word};
pub(crate) use tfidf::size_of_profiles;
pub use words::check_words;

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[tfidf::METHOD, linear::METHOD];

/// Refuses a hybrid before any of its components is fitted, where one of them would find no word or make nobody a profile: each of the
/// others looks when it is fitted.
///
/// # Errors
/// Those of [`check_words`], and [`FitError::NoProfiles`].
pub(crate) fn check_components(recommender: &ResolvedRecommender, data: &TrainSet<'_>) -> Result<(), FitError> {
    if recommender.components().is_empty() {
        return Ok(());
    }
    words::check_components(recommender, data)?;
    tfidf::check_profiles(recommender, &data.by_user)
}
