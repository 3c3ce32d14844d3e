//! Whether a recommender errs usefully less than one number for everybody, and what is said where it does not.

use std::collections::BTreeMap;

use recspeed_recommenders::divided;
use recspeed_types::catalogue::{Family, ParamKind};
use recspeed_types::spec::{Loss, ResolvedSpec};

use crate::Host;
use crate::enriched::shuffled_inputs;
use crate::run::{Prepared, Story};
use crate::runaway::{what_else, what_else_of};

/// Errors that are smaller by less than this part help nobody: on the first fold of MovieLens-100K the mean of each
/// user errs 7.9 % less than that of all ratings, and that of each item 10.4 %.
const LITTLE: f64 = 0.01;

/// Where the test rows leave open that errors are smaller by this part, they are too few to say that nothing was
/// learnt.
const USEFUL: f64 = 0.05;

/// So many standard errors are what chance may do to a mean difference: in one of forty cases it does more, each way.
const CHANCE: f64 = 2.0;

/// Of fewer users nobody can tell how far chance reaches: their spread is a guess itself.
const FEW: usize = 30;

/// Errors so many times as large are told however few users there are, where something could be set otherwise.
const CLEARLY: f64 = 1.1;

/// What keeps near the mean where the data tell little.
const SHRINKING: &str = "take one that shrinks towards the mean what few ratings tell, as bias";

/// The size of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Its square.
    Rmse,
    /// Its absolute value.
    Mae,
}

impl Measure {
    /// What the recommender makes small: who learns medians may well have a larger rmse than the mean has.
    pub(crate) fn of(spec: &ResolvedSpec) -> Self {
        match spec.training.map(|training| training.loss) {
            Some(Loss::Mae) => Self::Mae,
            _ => Self::Rmse,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Rmse => "rmse",
            Self::Mae => "mae",
        }
    }

    fn size(self, error: f64) -> f64 {
        match self {
            Self::Rmse => error * error,
            Self::Mae => error.abs(),
        }
    }

    /// A mean size in the unit of the errors.
    fn in_their_unit(self, size: f64) -> f64 {
        match self {
            Self::Rmse => size.sqrt(),
            Self::Mae => size,
        }
    }

    /// The part of the mean size that is gone where the errors, in their unit, are smaller by a part of them.
    fn gone(self, smaller: f64) -> f64 {
        match self {
            Self::Rmse => 1.0 - (1.0 - smaller).powi(2),
            Self::Mae => smaller,
        }
    }
}

/// The errors of predictions beside those of one number for everybody on the same rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BesideMean {
    measure: Measure,
    /// Mean size of the errors of the number.
    of_mean: f64,
    /// By how much that of the predictions is smaller.
    gain: f64,
    /// Standard error of `gain`.
    spread: f64,
    /// With rows.
    users: usize,
}

/// What the errors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Larger than those of the number, and not by chance.
    Worse,
    /// As large, or hardly smaller.
    Little,
}

impl BesideMean {
    /// Row by row, because both err more on the same ratings. Users, and not rows, are what chance draws: the rows of
    /// one user err alike, and many of them are no more evidence than some.
    ///
    /// # Shapes
    /// - `users`, `predicted`, `truth`: `[n]`, all finite
    pub(crate) fn of(measure: Measure, users: &[u32], (predicted, truth): (&[f32], &[f32]), mean: f64) -> Self {
        let rows = truth.len().max(1) as f64;
        let (mut of_mean, mut gain) = (0.0, 0.0);
        let mut by_user: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for ((&user, &predicted), &truth) in users.iter().zip(predicted).zip(truth) {
            let truth = f64::from(truth);
            let of_number = measure.size(mean - truth);
            let less = of_number - measure.size(f64::from(predicted) - truth);
            of_mean += of_number;
            gain += less;
            let (sum, count) = by_user.entry(user).or_default();
            *sum += less;
            *count += 1.0;
        }
        let (of_mean, gain, users) = (of_mean / rows, gain / rows, by_user.len());
        let apart: f64 = by_user.values().map(|(sum, count)| (sum - count * gain).powi(2)).sum();
        let unseen = users as f64 / users.saturating_sub(1).max(1) as f64;
        Self { measure, of_mean, gain, spread: (apart * unseen).sqrt() / rows, users }
    }

    /// `can_be_tuned`: whether something could be set otherwise.
    fn verdict(&self, can_be_tuned: bool) -> Option<Verdict> {
        let gone = |smaller: f64| self.measure.gone(smaller) * self.of_mean;
        let at_best = self.gain + CHANCE * self.spread;
        let [error, of_mean] = self.errors();
        if of_mean > 0.0 && can_be_tuned && error > CLEARLY * of_mean {
            return Some(Verdict::Worse);
        }
        if of_mean > 0.0 && self.users >= FEW {
            if at_best < 0.0 && self.gain < -gone(LITTLE) {
                return Some(Verdict::Worse);
            }
            return (self.gain < gone(LITTLE) && at_best < gone(USEFUL)).then_some(Verdict::Little);
        }
        None
    }

    /// Of the predictions, and of the number, in their unit.
    fn errors(&self) -> [f64; 2] {
        // What is left of a difference of huge numbers may lie below 0 by rounding.
        [(self.of_mean - self.gain).max(0.0), self.of_mean].map(|size| self.measure.in_their_unit(size))
    }
}

/// Warns of errors that are no less than those of one number for everybody, or hardly less. Not of baselines, which are
/// there to be beaten, nor where an input is dealt out anew among the test rows, which is to do harm.
pub(crate) fn warn_of_no_use(
    (spec, data): (&ResolvedSpec, &Prepared),
    beside: &BesideMean,
    host: &mut dyn Host,
    story: &mut Story,
) {
    if spec.recommender.entry.family == Family::Baseline || !shuffled_inputs(spec).is_empty() {
        return;
    }
    if let Some(verdict) = beside.verdict(can_be_tuned(spec)) {
        story.warn(host, told((spec, data), beside, verdict));
    }
}

fn told((spec, data): (&ResolvedSpec, &Prepared), beside: &BesideMean, verdict: Verdict) -> String {
    let [error, of_mean] = beside.errors().map(rounded);
    let number = if spec.recommender.predicts().has_probabilities() {
        "the share of liked ones among the training ratings"
    } else {
        "the mean of the training ratings"
    };
    let means = match verdict {
        Verdict::Worse => "predictions that know nothing err less",
        Verdict::Little => "next to nothing that helps here was learnt",
    };
    format!(
        "the {} is {error}, and that of {number}, for everybody and everything, is {of_mean}: {means}; {}",
        beside.measure.name(),
        remedy((spec, data), verdict)
    )
}

fn remedy((spec, data): (&ResolvedSpec, &Prepared), verdict: Verdict) -> String {
    let ratings = &data.interactions.rating;
    let (rows, cold) = (data.test_rows.len(), cold_rows(data));
    if verdict == Verdict::Little && 2 * cold > rows && divided(&spec.recommender, ratings).is_none() {
        return format!(
            "{cold} of {rows} test rows are of users or items without a row to learn from, of which only attributes tell: \
             take one that reads them, as fm, where the data have some, or keep fewer such users and items \
             (dataset.min_user, dataset.min_item)"
        );
    }
    // Bias predicts ratings, and no probabilities.
    if spec.recommender.predicts().has_probabilities() {
        return what_else(spec);
    }
    if can_be_tuned(spec) {
        return format!("{}; or {SHRINKING}", what_else_of(spec, ratings));
    }
    let kind = spec.recommender.entry.kind;
    format!("{kind} has nothing to set, and the data give it too little to learn from; {SHRINKING}")
}

/// Test rows of users or items that no row to learn from has.
fn cold_rows(data: &Prepared) -> usize {
    let all = &data.interactions;
    let (mut users, mut items) = (vec![false; all.n_users()], vec![false; all.n_items()]);
    let of = |row: u32| (all.user[row as usize] as usize, all.item[row as usize] as usize);
    for &row in &data.fit_rows {
        let (user, item) = of(row);
        (users[user], items[item]) = (true, true);
    }
    let is_cold = |row: u32| {
        let (user, item) = of(row);
        !users[user] || !items[item]
    };
    data.test_rows.iter().filter(|&&row| is_cold(row)).count()
}

/// Whether there are numbers to set, or components to be run alone.
fn can_be_tuned(spec: &ResolvedSpec) -> bool {
    let is_name = |kind: &ParamKind| matches!(kind, ParamKind::Boolean { .. } | ParamKind::Choice { .. });
    let has_numbers = !spec.recommender.entry.params.iter().all(|param| is_name(&param.kind));
    spec.training.is_some() || has_numbers || !spec.recommender.components().is_empty()
}

/// Three digits behind the point, where that tells two errors apart.
fn rounded(error: f64) -> String {
    if (0.1..1e5).contains(&error) { format!("{error:.3}") } else { format!("{error:.3e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ratings of 1 and -1 in turn, of which 0 is the mean, each of a user of its own; of each is predicted so much.
    fn of_users(measure: Measure, users: u32, predicted: impl Fn(u32) -> f32) -> BesideMean {
        of_rows(measure, (users, 1), predicted)
    }

    /// The same with so many such rows of each user.
    fn of_rows(measure: Measure, (users, each): (u32, u32), predicted: impl Fn(u32) -> f32) -> BesideMean {
        let rows: Vec<u32> = (0..users).flat_map(|user| (0..each).map(move |_| user)).collect();
        let truth: Vec<f32> = rows.iter().map(|user| if user.is_multiple_of(2) { 1.0 } else { -1.0 }).collect();
        let predicted: Vec<f32> = rows.iter().zip(&truth).map(|(&user, truth)| truth * predicted(user)).collect();
        BesideMean::of(measure, &rows, (&predicted, &truth), 0.0)
    }

    /// Half of the users are told to the digit, and of the others the squared errors are 1.99 times those of the mean: the
    /// rmse of all is 0.25 % less.
    fn wild(user: u32) -> f32 {
        if (user / 2).is_multiple_of(2) { 1.0 } else { 1.0 - 1.99_f32.sqrt() }
    }

    #[test]
    fn a_hundredth_of_the_mean_s_error_is_where_something_was_learnt() {
        for measure in [Measure::Rmse, Measure::Mae] {
            for (part, due) in [
                (0.5, None),
                (0.011, None),
                (0.009, Some(Verdict::Little)),
                (0.0, Some(Verdict::Little)),
                (-0.009, Some(Verdict::Little)),
                (-0.011, Some(Verdict::Worse)),
                (-0.5, Some(Verdict::Worse)),
            ] {
                let beside = of_users(measure, 40, |_| part);
                assert_eq!(beside.verdict(false), due, "{measure:?}: {part}");
                let [error, of_mean] = beside.errors();
                assert!((error - (1.0 - f64::from(part))).abs() < 1e-6 && of_mean == 1.0, "{beside:?}");
            }
        }
    }

    #[test]
    fn what_chance_may_have_done_to_few_rows_is_not_told_and_many_rows_are_believed() {
        assert_eq!(of_users(Measure::Rmse, 40, wild).verdict(true), None, "it may be a tenth less");
        assert_eq!(of_users(Measure::Rmse, 40_000, wild).verdict(true), Some(Verdict::Little));
        // A tenth of the users err by 2.3 where the mean errs by 1.
        let some = |user: u32| if user % 20 < 2 { -1.3 } else { 0.17 };
        assert_eq!(of_users(Measure::Rmse, 40, some).verdict(false), None);
        assert_eq!(of_users(Measure::Rmse, 4_000, some).verdict(false), Some(Verdict::Worse));
    }

    #[test]
    fn more_rows_of_the_same_users_are_no_more_evidence() {
        let beside = of_rows(Measure::Rmse, (40, 1000), wild);
        assert_eq!(beside.verdict(true), None, "{beside:?}");
    }

    #[test]
    fn of_few_users_only_what_is_clear_is_told_and_only_where_something_can_be_set() {
        for (part, tuned, due) in
            [(0.0, true, None), (-0.09, true, None), (-0.2, false, None), (-0.2, true, Some(Verdict::Worse))]
        {
            assert_eq!(of_users(Measure::Rmse, 29, |_| part).verdict(tuned), due, "{part}");
        }
    }

    #[test]
    fn a_number_that_errs_by_nothing_cannot_be_beaten_and_no_rows_say_nothing() {
        let users: Vec<u32> = (0..40).collect();
        let exact = BesideMean::of(Measure::Rmse, &users, (&[3.1; 40], &[3.0; 40]), 3.0);
        assert_eq!(exact.verdict(true), None);
        assert_eq!(BesideMean::of(Measure::Mae, &[], (&[], &[]), 3.0).verdict(true), None);
    }

    #[test]
    fn two_errors_are_told_apart_however_small_or_large_they_are() {
        assert_eq!([1.1256, 918.2, 0.0421, 2.5e20].map(rounded), ["1.126", "918.200", "4.210e-2", "2.500e20"]);
    }
}
