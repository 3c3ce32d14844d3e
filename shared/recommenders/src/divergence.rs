//! A fit that learns in rounds and has run away, by the [`Rule`] that holds for all trainings, and how that is told.

use recspeed_data::{FAR_RATING, usual_rating};
use recspeed_types::divergence::{Gauge as Rule, Good, in_digits};

use crate::FitError;

/// So often in a row a loss that is far off comes back no lower, with a good one between, before a fit is ended.
const RETURNS: u32 = 10;

/// A loss that comes back with less than this part of what it was is on its way down, however slowly.
const NO_LOWER: f64 = 0.998;

/// What a model costs that knows nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OfNothing {
    /// The loss of answering 0 to everything.
    zeros: f64,
    /// That of answering one number to everything, where that tells what a good loss is.
    one: f64,
}

impl OfNothing {
    /// Of a loss that is no error of ratings.
    pub(crate) const fn zeros(loss: f64) -> Self {
        Self { zeros: loss, one: loss }
    }

    /// Of squared errors of these ratings. A few ratings beyond every scale make the errors of all others look small:
    /// what is good is told by the usual one.
    pub(crate) fn ratings(ratings: &[f32]) -> Self {
        let n = ratings.len().max(1) as f64;
        let (mut sum, mut squares) = (0.0, 0.0);
        for rating in ratings.iter().copied().map(f64::from) {
            sum += rating;
            squares += rating * rating;
        }
        let (mean, zeros) = (sum / n, squares / n);
        let far = f64::from(FAR_RATING) * f64::from(usual_rating(ratings).unwrap_or_default().max(1.0));
        Self { zeros, one: (zeros - mean * mean).clamp(0.0, far * far) }
    }
}

/// What the losses of a fit were like before it ran away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Before {
    /// It has no rounds, and so no losses.
    WithoutRounds,
    /// None was good.
    NeverGood,
    /// The last one that was good: the fit has not come back since.
    Good(Good),
    /// They go up and down from one iteration to the next, and this is the lower one; it may be no good one.
    Swinging(f64),
}

/// Holds the losses of a fit against the rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauge {
    rule: Rule,
    swing: Swing,
}

impl Gauge {
    pub(crate) const fn new(of_nothing: OfNothing) -> Self {
        let rule = Rule::of_rounds(of_nothing.zeros).with_one_number(of_nothing.one);
        Self { rule, swing: Swing { last: [None; 3], returns: 0 } }
    }

    /// Of a fit whose first rounds, before it was stopped, have cost so much.
    ///
    /// # Errors
    /// As [`Self::take`], where those rounds had ended it already.
    pub(crate) fn having_seen(mut self, losses: &[f64]) -> Result<Self, FitError> {
        losses.iter().zip(1..).try_for_each(|(&loss, round)| self.take(loss, round))?;
        Ok(self)
    }

    /// Takes the loss of a round, from 1.
    ///
    /// # Errors
    /// [`FitError::Diverged`] where it is no finite number or beyond all use, or the fit has left for good or
    /// swings without end.
    pub(crate) fn take(&mut self, loss: f64, round: u64) -> Result<(), FitError> {
        if !loss.is_finite() {
            return Err(self.not_finite("the loss", round));
        }
        self.swing.take(loss, self.rule.is_lost(loss));
        if !self.rule.takes(round, loss) || self.rule.has_left() {
            return Err(self.grown(loss, round, false));
        }
        match self.swing.between() {
            Some(bounds) if self.swing.returns >= RETURNS => Err(swinging(bounds, round)),
            _ => Ok(()),
        }
    }

    /// At the end, after so many rounds; `left`: the loss of what the last one left behind, of a fit whose rounds tell
    /// the loss of what they found. Of such a fit it does not matter which of two rounds is the last: where one of them
    /// is far off and the other is not, it swings.
    ///
    /// # Errors
    /// [`FitError::Diverged`] where the end says that nothing was learnt.
    pub(crate) fn finish(mut self, rounds: u64, left: Option<f64>) -> Result<(), FitError> {
        if let Some(left) = left {
            if !left.is_finite() {
                let (what, iteration, before) = ("the loss", Some(rounds), self.before());
                let remedy = String::new();
                return Err(FitError::Diverged { what, value: None, iteration, left_behind: true, before, remedy });
            }
            self.swing.take(left, self.rule.is_lost(left));
            if let Some(bounds) = self.swing.between() {
                return Err(swinging(bounds, rounds));
            }
        }
        match self.swing.newest() {
            Some(loss) if self.rule.is_lost(loss) => Err(self.grown(loss, rounds, left.is_some())),
            _ => Ok(()),
        }
    }

    /// Something that was learnt or computed in a round is no finite number.
    pub(crate) fn not_finite(&self, what: &'static str, round: u64) -> FitError {
        let (iteration, before, remedy) = (Some(round), self.before(), String::new());
        FitError::Diverged { what, value: None, iteration, left_behind: false, before, remedy }
    }

    /// The same once all rounds are done, of something that any of them may have done.
    pub(crate) fn not_finite_in_the_end(&self, what: &'static str) -> FitError {
        let (before, remedy) = (self.before(), String::new());
        FitError::Diverged { what, value: None, iteration: None, left_behind: false, before, remedy }
    }

    fn grown(&self, loss: f64, round: u64, left_behind: bool) -> FitError {
        let (value, iteration, before) = (Some(loss), Some(round), self.before());
        FitError::Diverged { what: "the loss", value, iteration, left_behind, before, remedy: String::new() }
    }

    fn before(&self) -> Before {
        self.rule.last_good().map_or(Before::NeverGood, Before::Good)
    }
}

const fn swinging((low, high): (f64, f64), round: u64) -> FitError {
    let (value, iteration, before) = (Some(high), Some(round), Before::Swinging(low));
    FitError::Diverged { what: "the loss", value, iteration, left_behind: false, before, remedy: String::new() }
}

/// Whether losses go up and down from one round to the next: of updates that make up for twice what is wrong, so that
/// every other round is as far off as the start, and those between may look harmless.
#[derive(Debug, Clone, Copy)]
struct Swing {
    /// The last losses, the newest first, each with whether a fit that ends with it is lost.
    last: [Option<(f64, bool)>; 3],
    /// How often in a row a loss that is far off came back no lower, with one between that was not.
    returns: u32,
}

impl Swing {
    fn take(&mut self, loss: f64, is_lost: bool) {
        let [newest, before, _] = self.last;
        self.returns = match (newest, before) {
            (Some((_, false)), Some((peak, true))) if is_lost && loss >= NO_LOWER * peak => self.returns + 1,
            // Between two of them.
            (Some((_, true)), _) if !is_lost => self.returns,
            _ => 0,
        };
        self.last = [Some((loss, is_lost)), newest, before];
    }

    fn newest(&self) -> Option<f64> {
        self.last[0].map(|(loss, _)| loss)
    }

    /// The lower and the higher one of the last two losses, where the last three went up and down.
    fn between(&self) -> Option<(f64, f64)> {
        match self.last {
            [Some((newest, is_lost)), Some((other, was_lost)), Some((_, first_lost))]
                if is_lost != was_lost && was_lost != first_lost =>
            {
                Some((newest.min(other), newest.max(other)))
            }
            _ => None,
        }
    }
}

/// A method without rounds computed something that is no finite number.
pub(crate) const fn not_finite(what: &'static str) -> FitError {
    without_rounds(what, None)
}

/// A method without rounds would compute a number beyond what can be stored.
pub(crate) const fn beyond(what: &'static str, value: f64) -> FitError {
    without_rounds(what, Some(value))
}

const fn without_rounds(what: &'static str, value: Option<f64>) -> FitError {
    let remedy = String::new();
    FitError::Diverged { what, value, iteration: None, left_behind: false, before: Before::WithoutRounds, remedy }
}

/// In words: what happened, in which iteration, and what the losses were like before.
pub(crate) fn told(
    (what, value): (&str, Option<f64>),
    (iteration, left_behind): (Option<u64>, bool),
    before: Before,
    remedy: &str,
) -> String {
    let when = iteration.map_or_else(String::new, |iteration| format!(" in iteration {iteration}"));
    if let (Before::Swinging(low), Some(high)) = (before, value) {
        let (low, high) = (in_digits(low), in_digits(high));
        return format!("{what} swings between {low} and {high} from one iteration to the next, still{when}; {remedy}");
    }
    let happened = match (iteration.filter(|_| left_behind), value.map(in_digits)) {
        (Some(iteration), Some(value)) => format!("what iteration {iteration} left behind costs {value}"),
        (Some(iteration), None) => format!("what iteration {iteration} left behind costs no finite number"),
        (None, Some(value)) => format!("{what} became {value}{when}"),
        (None, None) => format!("{what} stopped being a finite number{when}"),
    };
    let after = match before {
        Before::Good(Good { at, loss }) => {
            let place = if left_behind { "at the start of" } else { "in" };
            format!(" after a loss of {} {place} iteration {at}, the last good one", in_digits(loss))
        }
        Before::NeverGood => ", and no good loss was seen before".to_owned(),
        Before::WithoutRounds | Before::Swinging(_) => String::new(),
    };
    format!("{happened}{after}; {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of ratings whose average square is 13, as of a fit that tells the loss of what each round left.
    fn taken(losses: &[f64]) -> Result<(), FitError> {
        ended(losses, None)
    }

    fn ended(losses: &[f64], left: Option<f64>) -> Result<(), FitError> {
        let mut gauge = Gauge::new(OfNothing::zeros(13.0));
        losses.iter().zip(1..).try_for_each(|(&loss, round)| gauge.take(loss, round))?;
        gauge.finish(losses.len() as u64, left)
    }

    #[test]
    fn a_bad_start_that_recovers_is_no_divergence() {
        assert_eq!(taken(&[2e5, 900.0, 1.2]), Ok(()));
    }

    #[test]
    fn a_loss_that_grows_without_bound_or_never_comes_back_is_one() {
        for (losses, round) in
            [(&[1.3, 2.0, 1.4e20][..], 3), (&[1.3, 2.0, 5e4][..], 3), (&[1.3, 2.0, 5e4, 4e4, 3e4][..], 4)]
        {
            let error = taken(losses).unwrap_err();
            let FitError::Diverged { iteration, before, .. } = &error else { panic!("{error}") };
            assert_eq!((*iteration, *before), (Some(round), Before::Good(Good { at: 2, loss: 2.0 })), "{error}");
            assert!(error.to_string().contains(" after a loss of 2.0000 in iteration 2, the last good one"), "{error}");
        }
    }

    #[test]
    fn a_tiny_loss_is_not_told_as_0_and_0_is() {
        for (good, told) in [(4e-7, "4.000e-7"), (0.0, "0.0000"), (0.0012, "0.0012")] {
            let said = taken(&[good, 5e4, 6e4]).unwrap_err().to_string();
            let due =
                format!("became 60000.0000 in iteration 3 after a loss of {told} in iteration 1, the last good one");
            assert!(said.contains(&due), "{said}");
        }
    }

    #[test]
    fn a_round_far_off_that_recovers_is_none() {
        assert_eq!(taken(&[2.0, 5e4, 900.0, 5e4, 1.2]), Ok(()));
        assert_eq!(taken(&[2.0, 500.0, 1.2]), Ok(()), "whatever the last round found is what it left");
    }

    /// Those of `nmf` with 100 factors and without regularization on ratings from 1 to 5.
    #[test]
    fn a_loss_that_swings_is_named_as_that_long_before_the_end_and_whichever_round_is_the_last() {
        let swing = |rounds: usize| -> Vec<f64> { [504.0, 10.1].into_iter().cycle().take(rounds).collect() };
        let error = taken(&swing(1000)).unwrap_err();
        let FitError::Diverged { iteration: Some(iteration), .. } = error else { panic!("{error}") };
        assert_eq!(iteration, 21, "{error}");
        let said =
            "the loss swings between 10.1000 and 504.0000 from one iteration to the next, still in iteration 21; ";
        assert_eq!(error.to_string(), said);
        for rounds in 2..10 {
            let left = swing(rounds + 1)[rounds];
            let error = ended(&swing(rounds), Some(left)).unwrap_err();
            let said = format!(
                "swings between 10.1000 and 504.0000 from one iteration to the next, still in iteration {rounds};"
            );
            assert!(error.to_string().contains(&said), "{error}");
        }
        assert_eq!(ended(&swing(1), Some(10.1)), Ok(()), "a start is far off");
    }

    /// Those of the same with a little regularization, which come down by a hundredth each time.
    #[test]
    fn a_swing_that_dies_away_is_waited_for() {
        let dying = |round: i32| if round % 2 == 0 { 450.0 * 0.99_f64.powi(round / 2) } else { 12.0 };
        let mut losses: Vec<f64> = (0..500).map(dying).collect();
        losses.extend([1.3, 1.2]);
        assert_eq!(ended(&losses, Some(1.2)), Ok(()));
    }

    #[test]
    fn what_the_last_round_left_is_told_apart_from_what_it_found() {
        let error = ended(&[5.0, 4.0, 3.0], Some(700.0)).unwrap_err().to_string();
        let said = "what iteration 3 left behind costs 700.0000 after a loss of 3.0000 at the start of iteration 3, \
                    the last good one; ";
        assert_eq!(error, said);
        let error = ended(&[5.0], Some(f64::NAN)).unwrap_err().to_string();
        assert!(
            error.starts_with("what iteration 1 left behind costs no finite number after a loss of 5.0000 "),
            "{error}"
        );
    }

    /// Of 1,920 ratings from 1 to 5, and of the same with one of 1e30.
    #[test]
    fn no_loss_is_called_good_that_one_number_for_everybody_or_the_usual_rating_says_is_not() {
        let mut ratings: Vec<f32> = (0..1920).map(|row| (row % 5 + 1) as f32).collect();
        let OfNothing { zeros, one } = OfNothing::ratings(&ratings);
        assert!((zeros - 11.0).abs() < 1e-9 && (one - 2.0).abs() < 1e-9, "{zeros} and {one}");
        let told = |of_nothing, losses: &[f64]| {
            let mut gauge = Gauge::new(of_nothing);
            let mut rounds = losses.iter().zip(1..);
            rounds.try_for_each(|(&loss, round)| gauge.take(loss, round)).expect("none of them ends it");
            gauge.not_finite("a learnt number", losses.len() as u64 + 1).to_string()
        };
        let of_stars = OfNothing::ratings(&ratings);
        assert!(
            told(of_stars, &[3.0, 10.1])
                .contains("in iteration 3 after a loss of 3.0000 in iteration 1, the last good")
        );
        ratings[700] = 1e30;
        let of_one_mistake = OfNothing::ratings(&ratings);
        let said = told(of_one_mistake, &[5.2083e56, 5.206e56]);
        assert_eq!(
            said,
            "a learnt number stopped being a finite number in iteration 3, and no good loss was seen before; "
        );
        assert!(told(of_one_mistake, &[3.0]).contains("after a loss of 3.0000"));
    }

    #[test]
    fn a_fit_that_goes_on_tells_of_the_losses_before_it_was_stopped() {
        let after = |losses: &[f64]| {
            let gauge = Gauge::new(OfNothing::zeros(13.0)).having_seen(losses).expect("none of them ends it");
            gauge.not_finite("a learnt number", losses.len() as u64 + 1).to_string()
        };
        assert!(after(&[3.0, 2.0]).contains("in iteration 3 after a loss of 2.0000 in iteration 2, the last good one"));
        for none_good in [Vec::new(), vec![900.0]] {
            let said = after(&none_good);
            assert!(said.contains("no good loss was seen before"), "{said}");
        }
    }

    #[test]
    fn ratings_that_are_all_one_and_none_at_all_are_measured_too() {
        assert_eq!(OfNothing::ratings(&[]), OfNothing::zeros(0.0));
        let OfNothing { zeros, one } = OfNothing::ratings(&[5.0; 7]);
        assert!((zeros - 25.0).abs() < 1e-9 && (0.0..1e-9).contains(&one), "{zeros} and {one}");
    }
}
