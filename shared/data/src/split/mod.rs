//! Which rows are held out.

mod per_user;
mod report;

pub use report::{SplitReport, split_reports};

use recspeed_types::spec::{Split, SplitPlan};

use crate::interactions::Interactions;
use crate::random::{Stream, draw_front, generator};

/// Row numbers by use: each list ascending, no row in two lists, every row in one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SplitRows {
    /// Rows to learn from.
    pub train: Vec<u32>,
    /// Rows to steer the training by; empty when the plan holds none out.
    pub validation: Vec<u32>,
    /// Rows to measure on.
    pub test: Vec<u32>,
}

/// Why data cannot be split as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// There is no row at all.
    #[error("split: no row is left to split; loosen the filters of [dataset]")]
    NoRows,
    /// The rule orders by time, and the data have none.
    #[error("split.kind: `global-time` needs timestamps and this data set has none; use `random` or `leave-last-out`")]
    NoTimestamps,
    /// A part that must not be empty would be.
    #[error("split: of {rows} rows none would be left for {part}; {remedy}")]
    EmptyPart {
        /// Rows that were to be divided.
        rows: usize,
        /// `training`, `validation` or `the test`.
        part: &'static str,
        /// What to change.
        remedy: &'static str,
    },
}

/// What a row is for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Part {
    Train,
    Validation,
    Test,
}

/// Divides the rows by the plan's rule; see [`Split`] for what each rule holds out. Shares of rows are rounded to the
/// nearest whole number. Depends on nothing but its arguments.
///
/// # Errors
/// [`SplitError`]: a part that the plan needs would be empty, or a time order is asked of data without times.
pub fn split(interactions: &Interactions, plan: &SplitPlan, seed: u64) -> Result<SplitRows, SplitError> {
    let n = interactions.len();
    if n == 0 {
        return Err(SplitError::NoRows);
    }
    let mut rng = generator(seed, Stream::Split);
    let mut parts = vec![Part::Train; n];
    match plan.split {
        Split::Random { test_ratio, validation_ratio } => {
            let (test, validation) = (share(n, test_ratio), share(n, validation_ratio));
            let mut rows: Vec<u32> = (0..n as u32).collect();
            draw_front(&mut rows, test + validation, &mut rng);
            assign(&mut parts, &rows, test, validation);
        }
        Split::GlobalTime { test_ratio, validation_ratio } => {
            if !interactions.has_timestamps {
                return Err(SplitError::NoTimestamps);
            }
            let (test, validation) = (share(n, test_ratio), share(n, validation_ratio));
            let mut rows: Vec<u32> = (0..n as u32).collect();
            interactions.sort_newest_first(&mut rows);
            assign(&mut parts, &rows, test, validation);
        }
        Split::ColdItems { test_ratio, validation_ratio } => {
            let mut items: Vec<u32> = interactions.item.clone();
            items.sort_unstable();
            items.dedup();
            let (test, validation) = (share(items.len(), test_ratio), share(items.len(), validation_ratio));
            draw_front(&mut items, test + validation, &mut rng);
            let mut part_of = vec![Part::Train; interactions.n_items()];
            assign(&mut part_of, &items, test, validation);
            parts.iter_mut().zip(&interactions.item).for_each(|(part, &item)| *part = part_of[item as usize]);
        }
        Split::ContiguousFold { folds, fold } => {
            let bounds = fold_bounds(n, folds, fold);
            parts[bounds].fill(Part::Test);
        }
        Split::KFold { folds, fold } => {
            let mut rows: Vec<u32> = (0..n as u32).collect();
            draw_front(&mut rows, n, &mut rng);
            let test = &rows[fold_bounds(n, folds, fold)];
            assign(&mut parts, test, test.len(), 0);
        }
        Split::PerUserRandom { test_ratio, validation_ratio } => {
            per_user::random(interactions, test_ratio, validation_ratio, &mut rng, &mut parts);
        }
        Split::LeaveLastOut { validation } => per_user::leave_last_out(interactions, validation, &mut parts),
        Split::PerUserFirstN { n } => per_user::first_n(interactions, n as usize, &mut parts),
    }
    collect(&parts, plan)
}

/// The first `test` of `rows` are for the test, the next `validation` for validation.
fn assign(parts: &mut [Part], rows: &[u32], test: usize, validation: usize) {
    for (place, &row) in rows.iter().take(test + validation).enumerate() {
        parts[row as usize] = if place < test { Part::Test } else { Part::Validation };
    }
}

/// `ratio` of `n`, to the nearest whole number.
fn share(n: usize, ratio: f64) -> usize {
    (n as f64 * ratio).round() as usize
}

/// Places of fold number `fold` (from 1) when `n` places are cut into `folds` parts that differ by one at most.
fn fold_bounds(n: usize, folds: u32, fold: u32) -> std::ops::Range<usize> {
    let cut = |fold: u32| (n as u64 * u64::from(fold) / u64::from(folds.max(1))) as usize;
    cut(fold.saturating_sub(1))..cut(fold)
}

fn collect(parts: &[Part], plan: &SplitPlan) -> Result<SplitRows, SplitError> {
    let pick =
        |part: Part| -> Vec<u32> { (0..parts.len() as u32).filter(|&row| parts[row as usize] == part).collect() };
    let rows = SplitRows { train: pick(Part::Train), validation: pick(Part::Validation), test: pick(Part::Test) };
    let empty = |part, remedy| Err(SplitError::EmptyPart { rows: parts.len(), part, remedy });
    if rows.train.is_empty() {
        return empty("training", "hold fewer rows out");
    }
    if rows.test.is_empty() {
        return empty("the test", "hold more rows out, or use data with more rows of each user");
    }
    if plan.split.has_validation() && rows.validation.is_empty() {
        return empty("validation", "hold more rows out, or use data with more rows of each user");
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
