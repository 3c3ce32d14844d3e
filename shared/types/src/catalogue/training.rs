//! How a network is trained where the spec does not say.

use crate::limits::LEARNING_RATE;

/// The settings of `[training]` that a kind has values of its own for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainingDefaults {
    /// Passes over the training rows.
    pub epochs: u32,
    /// Rows in a mini-batch.
    pub batch_size: u32,
    /// Step size.
    pub learning_rate: f64,
}

impl TrainingDefaults {
    /// The paper's.
    pub(super) const PAPER: Self = Self::of(3, 64);

    /// So many epochs of such batches, at the step size of all. Of the kinds that learn vectors of users and items, settings that
    /// reach a good list on MovieLens 100K in well under a minute.
    pub(super) const fn of(epochs: u32, batch_size: u32) -> Self {
        Self { epochs, batch_size, learning_rate: 1e-3 }
    }

    /// A step size to try where a training diverged with this one: a tenth of it, and no more than what works as a
    /// rule; this one itself where it is the smallest that there is.
    pub fn calmer_than(self, learning_rate: f64) -> f64 {
        self.learning_rate.min(in_three_digits(learning_rate / 10.0)).max(LEARNING_RATE.0)
    }
}

/// Somebody types it: a tenth of 3e-4 is 2.9999999999999997e-5 in the numbers of a processor.
fn in_three_digits(rate: f64) -> f64 {
    format!("{rate:.2e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_size_that_is_far_off_is_answered_with_the_usual_one_and_another_with_a_tenth() {
        let usual = TrainingDefaults::PAPER;
        assert_eq!(usual.calmer_than(100.0), usual.learning_rate);
        assert_eq!(usual.calmer_than(0.25), usual.learning_rate);
        assert_eq!(usual.calmer_than(0.005), 0.005 / 10.0);
        assert!(usual.calmer_than(usual.learning_rate) < usual.learning_rate);
    }

    #[test]
    fn a_step_size_to_try_has_few_digits() {
        let usual = TrainingDefaults::PAPER;
        for (now, calmer) in [(3e-4, "3e-5"), (7e-4, "7e-5"), (6e-5, "6e-6"), (1.23456e-4, "1.23e-5")] {
            assert_eq!(format!("{:e}", usual.calmer_than(now)), calmer);
        }
    }

    #[test]
    fn no_step_size_is_offered_that_a_spec_may_not_have() {
        let usual = TrainingDefaults::PAPER;
        assert_eq!(usual.calmer_than(2.0 * LEARNING_RATE.0), LEARNING_RATE.0);
        assert_eq!(usual.calmer_than(LEARNING_RATE.0), LEARNING_RATE.0);
    }
}
