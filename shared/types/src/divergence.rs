//! When a training has diverged: one rule for every method that learns in steps or rounds.
//!
//! What a model costs that knows nothing is known before anything is learnt: `ln n` where one of n candidates is to
//! be chosen, `ln 2` of odds, the average square of the ratings where 0 is answered to all. A training may cost more
//! for a while, after a long first step or in a warm-up, and early stopping may bring a better epoch back; one that
//! *ends* several times above that answers with confidence what is wrong, and its metrics are no result, finite as
//! they are. Honest ends lie below the cost itself, so five times as much leaves them room. A loss that is no finite
//! number, or a million times as large, is not come back from: that ends a training at its step. So does a whole
//! stretch of losses each of which is a hundred times as large: of squares, errors ten times as long as what is to be
//! answered. Every one must be, and not their mean, which a single spike lifts above any bound; and a loss below must
//! have come before, because a training that has been there from its start on, as one whose first numbers are large,
//! is on its way down.
//!
//! Good is a loss with which a training may end, and which is not far above what one number for everybody would cost,
//! where that is known to be less than answering 0.

/// A loss of so many times the cost of knowing nothing is not come back from: an error a thousand times as long as what
/// is to be answered, or odds of e to the million.
const HOPELESS: f64 = 1e6;

/// A model whose last steps or round cost so many times what knowing nothing costs has learnt nothing but to be wrong.
const LOST: f64 = 5.0;

/// A training that has cost less than so many times as much, and costs more for a whole stretch, has left for good.
const FAR: f64 = 100.0;

/// Steps of a stretch: those of an epoch, within these bounds. Fewer may be one spike, and more are only waited for.
const STEPS: (u64, u64) = (8, 100);

/// So much of an epoch is its end: a tenth.
const END: u64 = 10;

/// Rounds of a stretch: each is a mean over all rows, so that the second one tells that it was no spike.
const ROUNDS: u64 = 2;

/// How many of the last steps of an epoch of so many tell, by their mean, how it ends: a tenth of them, of a short
/// epoch more, so that a single one decides as little as can be. One long step before them, as a first one often is,
/// lifts the mean of the epoch above any bound and says nothing of its end; where losses go up and down from step to
/// step, two of them do not pass for the lower one.
pub fn judged_steps(per_epoch: u64) -> u64 {
    let of_a_short_one = per_epoch.div_ceil(2).min(STEPS.0);
    per_epoch.div_ceil(END).max(of_a_short_one).max(2).min(per_epoch)
}

/// A loss with which a training may end, and which one number for everybody would not undercut by far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Good {
    /// Of which step or round, from 1.
    pub at: u64,
    /// How large.
    pub loss: f64,
}

/// What the losses of a training are held against.
///
/// A training in steps that goes on from a checkpoint begins with a new one, and nothing of it is kept: it waits for a
/// loss that is not far off, and therefore never ends a training that the old one would have let go on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gauge {
    of_nothing: f64,
    /// Of losses up to [`LOST`] times this one is told that they are good.
    of_one: f64,
    stretch: u64,
    last_good: Option<Good>,
    /// How many of the last losses were far off, one after the other; `None` before the first one that was not.
    far: Option<u64>,
}

impl Gauge {
    /// Of a training in steps, so many an epoch. `of_nothing`: what a model that knows nothing costs on average. At
    /// least 1 is taken, so that a task that costs nothing, as ratings of 0 alone, measures too.
    pub fn of_steps(of_nothing: f64, per_epoch: u64) -> Self {
        Self { stretch: per_epoch.clamp(STEPS.0, STEPS.1), ..Self::of_rounds(of_nothing) }
    }

    /// Of a training in rounds over all rows.
    pub const fn of_rounds(of_nothing: f64) -> Self {
        let of_nothing = of_nothing.max(1.0);
        Self { of_nothing, of_one: of_nothing, stretch: ROUNDS, last_good: None, far: None }
    }

    /// Calls no loss good that lies far above `of_one`, what one number for everybody costs. Nothing else is held
    /// against it: what may end a training stays as it is. At least 1 is taken, and never more than what knowing
    /// nothing costs.
    #[must_use]
    pub const fn with_one_number(self, of_one: f64) -> Self {
        Self { of_one: of_one.max(1.0).min(self.of_nothing), ..self }
    }

    /// Takes the loss of a step or a round, from 1; whether it can be come back from.
    pub fn takes(&mut self, at: u64, loss: f64) -> bool {
        if !self.is_lost(loss) && loss <= LOST * self.of_one {
            self.last_good = Some(Good { at, loss });
        }
        self.far = if loss > FAR * self.of_nothing { self.far.map(|far| far + 1) } else { Some(0) };
        loss.is_finite() && loss <= HOPELESS * self.of_nothing
    }

    /// Whether the training has left for good: the losses of a whole stretch were far off, and one before them was not.
    pub fn has_left(&self) -> bool {
        self.far.is_some_and(|far| far >= self.stretch)
    }

    /// Whether a training that ends with such a loss has diverged; `loss`: the mean of its last round, or of the last
    /// steps of its last epoch ([`judged_steps`]); of a training elsewhere, which tells no single steps, of all of it.
    pub fn is_lost(&self, loss: f64) -> bool {
        !loss.is_finite() || loss > LOST * self.of_nothing
    }

    /// The last good loss that was taken.
    pub const fn last_good(&self) -> Option<Good> {
        self.last_good
    }
}

/// A loss in four digits, without a row of zeros for huge numbers and for tiny ones, which are not 0.
pub fn in_digits(value: f64) -> String {
    if value == 0.0 || (1e-3..1e5).contains(&value.abs()) { format!("{value:.4}") } else { format!("{value:.3e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tiny_loss_is_not_told_as_0_and_what_is_no_number_is_told_as_that() {
        let told = [4e-7, 0.0, 0.0012, 2e4, -3e5, f64::NAN, f64::INFINITY].map(in_digits);
        assert_eq!(told, ["4.000e-7", "0.0000", "0.0012", "20000.0000", "-3.000e5", "NaN", "inf"]);
    }

    fn taken(of_nothing: f64, losses: &[f64]) -> (Gauge, bool) {
        let mut gauge = Gauge::of_steps(of_nothing, 20);
        let all = losses.iter().zip(1..).all(|(&loss, at)| gauge.takes(at, loss) && !gauge.has_left());
        (gauge, all)
    }

    /// The first loss, from 1, at which it says that the training has left.
    fn left_at(mut gauge: Gauge, losses: &[f64]) -> Option<u64> {
        losses.iter().zip(1..).find_map(|(&loss, at)| {
            gauge.takes(at, loss);
            gauge.has_left().then_some(at)
        })
    }

    #[test]
    fn a_spike_that_recovers_is_no_divergence() {
        // The first step of a batch that happened to fit, a warm-up spike, and the way down.
        let (gauge, all) = taken(1.0, &[0.0, 0.3, 8e4, 900.0, 2.0, 0.1]);
        assert!(all && !gauge.is_lost(0.1) && gauge.last_good() == Some(Good { at: 6, loss: 0.1 }));
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
            assert_eq!(gauge.last_good(), Some(Good { at: 2, loss: 23.0 }), "411.7 is no good value");
        }
    }

    #[test]
    fn an_end_is_a_tenth_of_an_epoch_and_of_a_short_one_more() {
        let ends = [1, 2, 3, 4, 5, 10, 16, 20, 80, 81, 1000].map(|per_epoch| (per_epoch, judged_steps(per_epoch)));
        let due = [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (10, 5), (16, 8), (20, 8), (80, 8), (81, 9), (1000, 100)];
        assert_eq!(ends, due);
    }

    /// The mean of the last steps of an epoch.
    fn end_of(losses: &[f64]) -> f64 {
        let last = judged_steps(losses.len() as u64) as usize;
        losses[losses.len() - last..].iter().sum::<f64>() / last as f64
    }

    #[test]
    fn one_long_step_at_the_start_of_an_epoch_is_no_bad_end_and_what_stays_off_or_swings_is_one() {
        let gauge = Gauge::of_steps(1.0, 20);
        let mut early = [0.5; 20];
        early[0] = 5200.0;
        let mean = early.iter().sum::<f64>() / 20.0;
        assert!(gauge.is_lost(mean) && !gauge.is_lost(end_of(&early)), "{mean} as a whole");
        for steps in 2..200 {
            let swinging: Vec<f64> = (0..steps).map(|step| if step % 2 == 0 { 90.0 } else { 0.1 }).collect();
            let leaving: Vec<f64> = (0..steps).map(|step| if step < steps / 2 { 0.5 } else { 60.0 }).collect();
            for losses in [&swinging, &swinging[1..].to_vec(), &leaving] {
                assert!(gauge.is_lost(end_of(losses)) || losses.len() < 2, "{losses:?}");
            }
        }
    }

    #[test]
    fn a_loss_that_only_grows_is_told_at_its_step() {
        for hopeless in [2e7, f64::INFINITY, f64::NAN] {
            let (gauge, all) = taken(0.08, &[0.08, 3.0, 5e3, hopeless]);
            let good = Some(Good { at: 2, loss: 3.0 });
            assert!(!all && gauge.last_good() == good && gauge.is_lost(hopeless) && !gauge.has_left(), "{hopeless}");
        }
    }

    /// Ratings of 4 stars on average, of which one number for everybody misses by one.
    #[test]
    fn what_one_number_for_everybody_undercuts_by_far_is_not_called_good_and_ends_nothing() {
        let mut gauge = Gauge::of_rounds(17.0).with_one_number(1.0);
        for (at, loss) in [(1, 4.0), (2, 10.1), (3, 80.0)] {
            assert!(gauge.takes(at, loss) && !gauge.has_left());
        }
        assert_eq!(gauge.last_good(), Some(Good { at: 1, loss: 4.0 }));
        assert!(!gauge.is_lost(80.0) && gauge.is_lost(86.0), "an end is judged as before");
        let mut large = Gauge::of_rounds(5.2e56).with_one_number(1.6e7);
        assert!(large.takes(1, 5.206e56) && large.last_good().is_none(), "one rating of 1e30 makes no loss good");
    }

    #[test]
    fn a_task_that_costs_nothing_is_measured_too() {
        assert!(!Gauge::of_rounds(0.0).is_lost(1e-6) && Gauge::of_rounds(0.0).is_lost(11.0));
    }

    /// The losses of SASRec at a learning rate of 10 among 1,682 items, in epochs of 8 steps.
    #[test]
    fn a_training_that_stays_far_off_is_told_long_before_its_end() {
        let mut losses = vec![5.59, 30.0, 410.0];
        losses.extend((0_i32..157).map(|step| 2300.0 + 5400.0 * f64::from(step % 7) / 6.0));
        assert_eq!(left_at(Gauge::of_steps(1682.0_f64.ln(), 8), &losses), Some(11));
    }

    #[test]
    fn a_stretch_is_an_epoch_within_bounds_or_two_rounds() {
        let losses: Vec<f64> = [1.0].into_iter().chain([500.0; 300]).collect();
        for (per_epoch, steps) in [(1, 8), (8, 8), (40, 40), (100, 100), (5000, 100)] {
            assert_eq!(left_at(Gauge::of_steps(1.0, per_epoch), &losses), Some(1 + steps), "{per_epoch} an epoch");
        }
        assert_eq!(left_at(Gauge::of_rounds(1.0), &losses), Some(3));
        assert_eq!(
            left_at(Gauge::of_rounds(1.0), &[1.0, 500.0, 2.0, 500.0, 2.0]),
            None,
            "every other one is no stretch"
        );
    }

    /// Losses of which some are near and some far off.
    fn curve() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((0.0..1.0_f64, prop::sample::select(vec![1.0, 100.0, 900.0, 90_000.0])), 1..300)
            .prop_map(|points| points.into_iter().map(|(part, top)| part * top).collect())
    }

    proptest! {
        #[test]
        fn a_training_that_is_never_far_off_is_never_ended(
            of_nothing in 0.0..20.0_f64,
            parts in prop::collection::vec(0.0..=1.0_f64, 1..300),
            per_epoch in 1u64..300,
        ) {
            let bound = FAR * f64::max(of_nothing, 1.0);
            let mut gauge = Gauge::of_steps(of_nothing, per_epoch);
            for (part, at) in parts.into_iter().zip(1..) {
                prop_assert!(gauge.takes(at, part * bound) && !gauge.has_left());
            }
        }

        #[test]
        fn a_training_that_leaves_is_ended_after_one_stretch_and_one_that_comes_back_is_not(
            before in prop::collection::vec(0.0..=100.0_f64, 1..50),
            far in prop::collection::vec(100.1..1e6_f64, 100..150),
            per_epoch in 1u64..300,
        ) {
            let gauge = Gauge::of_steps(1.0, per_epoch);
            let stretch = per_epoch.clamp(8, 100) as usize;
            let left = [&before[..], &far[..]].concat();
            prop_assert_eq!(left_at(gauge, &left), Some((before.len() + stretch) as u64));
            let back = [&before[..], &far[..stretch - 1], &before[..], &far[..stretch - 1]].concat();
            prop_assert_eq!(left_at(gauge, &back), None);
        }

        #[test]
        fn a_training_that_begins_far_off_is_on_its_way(far in prop::collection::vec(100.1..1e6_f64, 1..300)) {
            prop_assert_eq!(left_at(Gauge::of_rounds(1.0), &far), None);
        }

        #[test]
        fn a_gauge_that_begins_anew_ends_nothing_that_the_old_one_would_not(
            losses in curve(),
            from in 0usize..300,
            per_epoch in 1u64..20,
        ) {
            let from = from % losses.len();
            for gauge in [Gauge::of_steps(1.0, per_epoch), Gauge::of_rounds(1.0)] {
                if let Some(at) = left_at(gauge, &losses[from..]) {
                    let whole = left_at(gauge, &losses);
                    prop_assert!(whole.is_some_and(|whole| whole <= from as u64 + at), "{whole:?}, {from} and {at}");
                }
            }
        }

        #[test]
        fn what_is_no_finite_number_ends_at_its_step_wherever_it_comes(
            losses in curve(),
            bad in prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        ) {
            let mut gauge = Gauge::of_steps(1.0, 20);
            for (&loss, at) in losses.iter().zip(1..) {
                prop_assert!(gauge.takes(at, loss));
            }
            let good = gauge.last_good();
            prop_assert!(!gauge.takes(1000, bad) && gauge.is_lost(bad) && gauge.last_good() == good);
        }
    }
}
