//! When a loss or a weight that is still a finite number says that a training has run away.
//!
//! A network that knows nothing scores everything alike. What that costs is known: what a network is to answer with lies in
//! [0, 1] or is a choice, so squares and odds cost at most 1, and the loss of the first step, with weights as they were drawn, tells
//! the rest (the logarithm of the number of items, sums over the items of a row). The larger of the two is the measure.

/// A loss of so many times the measure is not come back from: an error a thousand times as long as the scale of what is to be
/// answered, or odds of e to the million. Spikes of a long first step or of a warm-up stay orders of magnitude below it.
const HOPELESS: f64 = 1e6;

/// A network whose last epoch cost so many times the measure on average has learnt nothing but to be wrong. Batches differ less
/// than that even where their losses are sums over the items of one user.
const LOST: f64 = 1e2;

/// Inputs and answers of networks lie in [0, 1] and looked-up vectors are short: a weight beyond this answers for every other one,
/// and says so where the loss cannot, because what it is of is bounded.
pub(super) const RUNAWAY_WEIGHT: f32 = 1e4;

/// What the losses of a training are held against.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Gauge {
    /// Since this process trains. A training that was interrupted may have become better by then, which the limits leave room for.
    measure: Option<f64>,
    /// The last loss that was no larger than [`LOST`] allows.
    pub(super) last_good: Option<f64>,
}

impl Gauge {
    /// Of a training on ratings whose steps are taken elsewhere.
    pub(super) const fn of_ratings() -> Self {
        Self { measure: Some(1.0), last_good: None }
    }

    /// Takes the loss of a step; whether the training may go on.
    pub(super) fn takes(&mut self, loss: f64) -> bool {
        let measure = *self.measure.get_or_insert(loss.max(1.0));
        if loss <= LOST * measure {
            self.last_good = Some(loss);
        }
        loss <= HOPELESS * measure
    }

    /// Whether a training whose last epoch cost so much on average has learnt nothing.
    pub(super) fn is_lost(&self, mean: f64) -> bool {
        self.measure.is_some_and(|measure| mean > LOST * measure)
    }
}

/// Whether a weight is no finite number, or beyond all use.
pub(super) fn has_run_away(weight: f32) -> bool {
    !weight.is_finite() || weight.abs() > RUNAWAY_WEIGHT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(losses: &[f64]) -> (Gauge, bool) {
        let mut gauge = Gauge::default();
        let all = losses.iter().all(|&loss| gauge.takes(loss));
        (gauge, all)
    }

    #[test]
    fn a_spike_that_recovers_is_no_divergence() {
        // The first step of a batch that happened to fit, a warm-up spike, and the way down.
        let (gauge, all) = taken(&[0.0, 0.3, 8e4, 900.0, 2.0, 0.1]);
        assert!(all && !gauge.is_lost(0.1) && gauge.last_good == Some(0.1));
        // Sums over the items of a user: the first one had one item, another has seven hundred.
        let (gauge, all) = taken(&[7.4, 5200.0, 60.0]);
        assert!(all && !gauge.is_lost(700.0));
    }

    #[test]
    fn a_loss_that_only_grows_is_one_and_the_last_good_value_is_kept() {
        let (gauge, all) = taken(&[0.08, 3.0, 5e3, 2e7]);
        assert!(!all && gauge.last_good == Some(3.0));
        // It never grew without bound, and never came back.
        let (gauge, all) = taken(&[9.3, 12.0, 4e3, 5e3]);
        assert!(all && gauge.is_lost(4.5e3) && gauge.last_good == Some(12.0));
    }

    #[test]
    fn a_training_that_took_no_step_is_not_judged() {
        assert!(!Gauge::default().is_lost(1e9));
    }

    #[test]
    fn weights_run_away_before_they_overflow() {
        assert!(has_run_away(f32::NAN) && has_run_away(-2e4) && !has_run_away(-300.0));
    }
}
