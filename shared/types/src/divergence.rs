//! When a training has diverged: one rule for every method that learns in steps or rounds.
//!
//! What a model costs that knows nothing is known before anything is learnt: `ln n` where one of n candidates is to be
//! chosen, `ln 2` of odds, the average square of the ratings where 0 is answered to all. A training may cost more for a
//! while, after a long first step or in a warm-up, and early stopping may bring a better epoch back; one that *ends*
//! several times above that answers with confidence what is wrong, and its metrics are no result, finite as they are.
//! Honest ends lie below the cost itself, so five times as much leaves them room. A loss that is no finite number, or a
//! million times as large, is not come back from: that ends a training at its step.
//!
//! Good is a loss with which a training may end.

/// A loss of so many times the cost of knowing nothing is not come back from: an error a thousand times as long as what is
/// to be answered, or odds of e to the million.
const HOPELESS: f64 = 1e6;

/// A model whose last epoch or round cost so many times what knowing nothing costs has learnt nothing but to be wrong.
const LOST: f64 = 5.0;

/// What the losses of a training are held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gauge {
    of_nothing: f64,
    last_good: Option<f64>,
}

impl Gauge {
    /// `of_nothing`: what a model that knows nothing costs on average. At least 1 is taken, so that a task that costs
    /// nothing, as ratings of 0 alone, measures too.
    pub const fn new(of_nothing: f64) -> Self {
        Self { of_nothing: of_nothing.max(1.0), last_good: None }
    }

    /// Takes the loss of a step or a round; whether the training may go on.
    pub fn takes(&mut self, loss: f64) -> bool {
        if !self.is_lost(loss) {
            self.last_good = Some(loss);
        }
        loss.is_finite() && loss <= HOPELESS * self.of_nothing
    }

    /// Whether a training that ends with such a loss has diverged; `loss`: the mean of its last epoch or round.
    pub fn is_lost(&self, loss: f64) -> bool {
        !loss.is_finite() || loss > LOST * self.of_nothing
    }

    /// The last good loss that was taken.
    pub const fn last_good(&self) -> Option<f64> {
        self.last_good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(of_nothing: f64, losses: &[f64]) -> (Gauge, bool) {
        let mut gauge = Gauge::new(of_nothing);
        let all = losses.iter().all(|&loss| gauge.takes(loss));
        (gauge, all)
    }

    #[test]
    fn a_spike_that_recovers_is_no_divergence() {
        // The first step of a batch that happened to fit, a warm-up spike, and the way down.
        let (gauge, all) = taken(1.0, &[0.0, 0.3, 8e4, 900.0, 2.0, 0.1]);
        assert!(all && !gauge.is_lost(0.1) && gauge.last_good() == Some(0.1));
        // A start with large numbers, and an end that is still worse than knowing nothing.
        let (gauge, all) = taken(7.4, &[5200.0, 60.0, 11.0]);
        assert!(all && !gauge.is_lost(11.0));
    }

    /// The losses of GRU4Rec, BERT4Rec and SASRec at learning rates of 0.5 and 2, among 1,000 items.
    #[test]
    fn an_end_far_above_the_cost_of_knowing_nothing_is_a_divergence_however_finite_it_is() {
        for end in [326.2, 659.3, 194.3] {
            let (gauge, all) = taken(1000.0_f64.ln(), &[5.5, 23.0, 411.7, end]);
            assert!(all && gauge.is_lost(end), "{end}");
            assert_eq!(gauge.last_good(), Some(23.0), "411.7 is no good value");
        }
    }

    #[test]
    fn a_loss_that_only_grows_is_told_at_its_step() {
        for hopeless in [2e7, f64::INFINITY, f64::NAN] {
            let (gauge, all) = taken(0.08, &[0.08, 3.0, 5e3, hopeless]);
            assert!(!all && gauge.last_good() == Some(3.0) && gauge.is_lost(hopeless), "{hopeless}");
        }
    }

    #[test]
    fn a_task_that_costs_nothing_is_measured_too() {
        assert!(!Gauge::new(0.0).is_lost(1e-6) && Gauge::new(0.0).is_lost(11.0));
    }
}
