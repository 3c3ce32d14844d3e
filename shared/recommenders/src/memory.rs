//! What a fit may take: told from counts before any work, in place of an end in the middle of it.

use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use crate::linear::seconds_of_inverse;
use crate::{FitError, TrainSet};

/// A method's own bound, or what the run has left where that is less.
pub(crate) fn allowed(bound: u64, observer: &dyn FitObserver) -> u64 {
    allowed_with(0, bound, observer)
}

/// The same, where so many of the bytes are held already and so are not among what is left.
pub(crate) fn allowed_with(held: u64, bound: u64, observer: &dyn FitObserver) -> u64 {
    observer.memory_left().map_or(bound, |left| left.saturating_add(held).min(bound))
}

/// Refuses what takes more than is `allowed`.
///
/// # Errors
/// [`FitError::OutOfMemory`].
pub(crate) fn check(bytes: u64, allowed: u64, what: &'static str, remedy: &'static str) -> Result<(), FitError> {
    if bytes > allowed { Err(FitError::OutOfMemory { what, bytes, remedy }) } else { Ok(()) }
}

/// Refuses a dense inverse of `n` by `n` numbers that is too large: `matrices` of them in f64 at once.
///
/// # Errors
/// [`FitError::Unaffordable`].
pub(crate) fn check_inverse(
    (n, matrices): (usize, u64),
    allowed: u64,
    what: &'static str,
    remedy: &'static str,
) -> Result<(), FitError> {
    let bytes = (n as u64).saturating_pow(2).saturating_mul(8 * matrices);
    let seconds = seconds_of_inverse(n);
    if bytes > allowed { Err(FitError::Unaffordable { what, bytes, seconds, remedy }) } else { Ok(()) }
}

/// Refuses vectors of users and items, in f32, that are more than the run has left. Methods may need more than this, none needs less.
///
/// # Errors
/// [`FitError::OutOfMemory`].
pub(crate) fn check_factors(
    recommender: &ResolvedRecommender,
    data: &TrainSet<'_>,
    observer: &dyn FitObserver,
) -> Result<(), FitError> {
    if !recommender.entry.params.iter().any(|param| param.name == "factors") {
        return Ok(());
    }
    let rows = (data.n_users() + data.n_items()) as u64;
    let bytes = rows.saturating_mul(4).saturating_mul(recommender.integer("factors").unsigned_abs());
    check(bytes, allowed(u64::MAX, observer), "the vectors of users and items", "recommender.factors")
}
