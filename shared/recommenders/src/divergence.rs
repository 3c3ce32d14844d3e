//! A fit that learns in rounds and has run away, by the [`Rule`] that holds for all trainings, and what to change then.

use recspeed_types::catalogue::Predicts;
use recspeed_types::divergence::{Gauge as Rule, Good};
use recspeed_types::spec::ResolvedRecommender;

use crate::FitError;

/// What helps every method that reads what was rated.
const MEND: &str = "mend ratings far outside the scale";

/// What keeps learnt numbers small, and which way. Nothing of the neighbourhood methods, which learn none: what they
/// compute overflows by the ratings alone.
const WAYS: &[(&str, &str)] = &[
    ("lower", "learning_rate"),
    ("lower", "init_deviation"),
    ("lower", "alpha"),
    ("raise", "regularization"),
    ("raise", "bias_regularization"),
    ("raise", "regularization_user"),
    ("raise", "regularization_item"),
    ("raise", "l2"),
];

/// The average square of ratings: what answering 0 to each of them costs.
pub(crate) fn mean_square(ratings: &[f32]) -> f64 {
    let squares: f64 = ratings.iter().map(|&rating| f64::from(rating).powi(2)).sum();
    squares / ratings.len().max(1) as f64
}

/// Holds the losses of a fit against the rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauge {
    rule: Rule,
    last: Option<f64>,
}

impl Gauge {
    /// `of_zeros`: the loss of answering 0 to everything.
    pub(crate) const fn new(of_zeros: f64) -> Self {
        Self { rule: Rule::of_rounds(of_zeros), last: None }
    }

    /// Takes the loss of a round, from 1.
    ///
    /// # Errors
    /// [`FitError::Diverged`] where it is no finite number or beyond all use, or the fit has left for good.
    pub(crate) fn take(&mut self, loss: f64, round: u64) -> Result<(), FitError> {
        if !loss.is_finite() {
            return Err(self.not_finite("the loss", round));
        }
        self.last = Some(loss);
        if self.rule.takes(round, loss) && !self.rule.has_left() { Ok(()) } else { Err(self.grown(loss, round)) }
    }

    /// At the end, after so many rounds.
    ///
    /// # Errors
    /// [`FitError::Diverged`] where the loss of the last round says that nothing was learnt.
    pub(crate) fn finish(&self, rounds: u64) -> Result<(), FitError> {
        match self.last {
            Some(loss) if self.rule.is_lost(loss) => Err(self.grown(loss, rounds)),
            _ => Ok(()),
        }
    }

    /// Something that was learnt or computed is no finite number.
    pub(crate) const fn not_finite(&self, what: &'static str, round: u64) -> FitError {
        let (iteration, last_good) = (Some(round), self.rule.last_good());
        FitError::Diverged { what, value: None, iteration, last_good, remedy: String::new() }
    }

    const fn grown(&self, loss: f64, round: u64) -> FitError {
        let (iteration, last_good) = (Some(round), self.rule.last_good());
        FitError::Diverged { what: "the loss", value: Some(loss), iteration, last_good, remedy: String::new() }
    }
}

/// A method without rounds computed something that is no finite number.
pub(crate) const fn not_finite(what: &'static str) -> FitError {
    FitError::Diverged { what, value: None, iteration: None, last_good: None, remedy: String::new() }
}

/// What to change, of what this recommender's catalogue entry has, where it has run away or errs beyond all measure.
pub fn what_to_change(recommender: &ResolvedRecommender) -> String {
    let entry = recommender.entry;
    // As the Gibbs sampler finds its own regularization, and only gradient descent has steps.
    let ways = WAYS.iter().filter(|(_, name)| recommender.reads(name, None));
    let mut ways: Vec<String> = ways
        .filter_map(|(how, name)| Some(format!("{how} recommender.{name} (now {})", recommender.params().get(name)?)))
        .collect();
    if entry.predicts != Predicts::Scores || entry.param("weighting").is_some() {
        ways.push(MEND.to_owned());
    }
    match ways.split_last() {
        // Similarities, too, are made of the ratings' products.
        None => MEND.to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{}, or {last}", others.join(", ")),
    }
}

/// In words, with the last loss that was good where there was one.
pub(crate) fn told(
    (what, value): (&str, Option<f64>),
    iteration: Option<u64>,
    last_good: Option<Good>,
    remedy: &str,
) -> String {
    let short = |value: f64| if value.abs() < 1e5 { format!("{value:.4}") } else { format!("{value:.3e}") };
    let became = match value {
        Some(value) => format!("became {}", short(value)),
        None => "stopped being a finite number".to_owned(),
    };
    let when = iteration.map_or_else(String::new, |iteration| format!(" in iteration {iteration}"));
    let after = last_good.map_or_else(String::new, |Good { at, loss }| {
        format!(" after a loss of {} in iteration {at}, the last good one", short(loss))
    });
    format!("{what} {became}{when}{after}; {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(losses: &[f64]) -> Result<(), FitError> {
        let mut gauge = Gauge::new(13.0);
        losses.iter().zip(1..).try_for_each(|(&loss, round)| gauge.take(loss, round))?;
        gauge.finish(losses.len() as u64)
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
            let FitError::Diverged { iteration, last_good, .. } = &error else { panic!("{error}") };
            assert_eq!((*iteration, *last_good), (Some(round), Some(Good { at: 2, loss: 2.0 })), "{error}");
            assert!(error.to_string().contains(" after a loss of 2.0000 in iteration 2, the last good one"), "{error}");
        }
    }

    #[test]
    fn a_round_far_off_that_recovers_is_none() {
        assert_eq!(taken(&[2.0, 5e4, 900.0, 5e4, 1.2]), Ok(()));
    }
}
