//! What a fit may take: told from counts before any work, in place of an end in the middle of it.

pub(crate) mod components;
pub(crate) mod machines;
pub(crate) mod paces;
mod profiles;
pub(crate) mod vectors;

pub(crate) use recspeed_types::forecast::LITTLE;
use recspeed_types::forecast::{bytes_of_inverse, largest_inverse};
use recspeed_types::spec::ResolvedRecommender;
use recspeed_types::{FitObserver, Remedy};

use crate::{FitError, TrainSet};
use paces::seconds_of_inverse;
pub(crate) use vectors::Counts;

/// Bytes of an f32 or a u32.
const NUMBER_BYTES: u64 = 4;

/// What a fit takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Needs {
    /// What it holds at its highest point, beside the data.
    pub(crate) bytes: u64,
    /// Of these, what the model keeps; 0 where only the fit can tell.
    pub(crate) stays: u64,
    /// About how long it takes on this machine.
    pub(crate) seconds: f64,
}

/// Numbers of four bytes each, at the points where a fit that goes over its data again and again may hold the most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Course {
    /// What rounds change. A checkpoint holds all of it once more.
    pub(crate) learnt: u64,
    /// What lies beside it from the first round to the last.
    pub(crate) beside: u64,
    /// What a round takes for itself, and gives back.
    pub(crate) round: u64,
    /// All that is there while the model is made.
    pub(crate) end: u64,
}

impl Course {
    /// Bytes at the highest point.
    pub(crate) fn bytes(self, checkpoints: bool) -> u64 {
        let checkpoint = if checkpoints { self.learnt } else { 0 };
        let during = self.learnt.saturating_add(self.beside).saturating_add(self.round.max(checkpoint));
        during.max(self.end).saturating_mul(NUMBER_BYTES)
    }
}

/// What the run has left; a method's own bound only where nobody knows that, as in a browser's tab.
pub(crate) fn allowed(bound: u64, observer: &dyn FitObserver) -> u64 {
    allowed_with(0, bound, observer)
}

/// The same, where so many of the bytes are held already and so are not among what is left.
pub(crate) fn allowed_with(held: u64, bound: u64, observer: &dyn FitObserver) -> u64 {
    observer.memory_left().map_or(bound, |left| left.saturating_add(held))
}

/// Refuses what takes more than is `allowed`.
///
/// # Errors
/// [`FitError::Unaffordable`].
pub(crate) fn check(
    Needs { bytes, stays, seconds }: Needs,
    allowed: u64,
    what: &'static str,
    remedy: &'static Remedy,
) -> Result<(), FitError> {
    if bytes <= allowed {
        return Ok(());
    }
    Err(FitError::Unaffordable { what, bytes, stays, at_test: stays, seconds: Some(seconds), fits: None, remedy })
}

/// Refuses a dense inverse of `n` by `n` numbers that is too large: `matrices` of them in f64 at once; the model keeps
/// one in f32.
///
/// # Errors
/// [`FitError::Unaffordable`].
pub(crate) fn check_inverse(
    (n, matrices): (usize, u64),
    allowed: u64,
    what: &'static str,
    remedy: &'static Remedy,
) -> Result<(), FitError> {
    let bytes = bytes_of_inverse(n as u64, matrices);
    let stays = (n as u64).saturating_pow(2).saturating_mul(NUMBER_BYTES);
    let told = check(Needs { bytes, stays, seconds: seconds_of_inverse(n) }, allowed, what, remedy);
    told.map_err(|mut error| {
        if let FitError::Unaffordable { fits, .. } = &mut error {
            *fits = Some(largest_inverse(allowed, matrices));
        }
        error
    })
}

/// Refuses vectors of users and items that are more than the run has left; what the fit needs, where it is of such a
/// kind.
///
/// # Errors
/// [`FitError::Unaffordable`].
pub(crate) fn check_vectors(
    recommender: &ResolvedRecommender,
    data: &TrainSet<'_>,
    observer: &dyn FitObserver,
) -> Result<Option<Needs>, FitError> {
    let Some(needs) = vectors::needs(recommender, &Counts::of(data), observer.keeps_checkpoints()) else {
        return Ok(None);
    };
    check(needs, allowed(u64::MAX, observer), vectors::WHAT, vectors::remedy(recommender.entry.predicts))?;
    Ok(Some(needs))
}

#[cfg(test)]
mod tests {
    use recspeed_types::EventKind;

    use super::*;

    /// A run with so many bytes left, where that is known.
    struct Left(Option<u64>);

    impl FitObserver for Left {
        fn event(&mut self, _: EventKind) {}
        fn stop_requested(&mut self) -> bool {
            false
        }
        fn memory_left(&self) -> Option<u64> {
            self.0
        }
        fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
        fn take_resume_state(&mut self) -> Option<Vec<u8>> {
            None
        }
    }

    #[test]
    fn a_method_has_a_bound_of_its_own_only_where_nobody_knows_what_is_left() {
        assert_eq!(allowed(100, &Left(None)), 100);
        assert_eq!(allowed(100, &Left(Some(7))), 7);
        assert_eq!(allowed(100, &Left(Some(1000))), 1000);
        assert_eq!(allowed_with(30, 100, &Left(Some(1000))), 1030);
    }

    #[test]
    fn the_highest_point_is_the_checkpoint_the_round_or_the_end_whichever_is_highest() {
        let course = Course { learnt: 100, beside: 10, round: 20, end: 115 };
        assert_eq!(course.bytes(true), 4 * 210);
        assert_eq!(course.bytes(false), 4 * 130);
        assert_eq!(Course { round: 0, ..course }.bytes(false), 4 * 115);
    }
}
