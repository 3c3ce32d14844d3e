//! What each kind of split makes of a data set: sizes, cold starts, leaks.

use recspeed_types::spec::{FitOn, Split, SplitKind, SplitPlan};
use serde::Serialize;

use super::split;
use crate::describe::leak_count;
use crate::interactions::Interactions;

/// A split in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitReport {
    /// The rule, as written in a spec, with its usual numbers.
    pub kind: &'static str,
    /// The rule in words.
    pub rule: String,
    /// Rows to learn from.
    pub train: u64,
    /// Rows to measure on.
    pub test: u64,
    /// Users with test rows.
    pub test_users: u64,
    /// Of them, those without a training row.
    pub cold_users: u64,
    /// Test rows whose item has no training row.
    pub cold_item_rows: u64,
    /// Test rows older than the newest training row of their user; absent without times.
    pub leaks: Option<u64>,
    /// Why the data cannot be split so; then all numbers are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Every kind of split with its usual numbers, without validation rows, under `seed`.
pub fn split_reports(interactions: &Interactions, seed: u64) -> Vec<SplitReport> {
    SplitKind::ALL.into_iter().map(|kind| report(interactions, kind, seed)).collect()
}

fn report(data: &Interactions, kind: SplitKind, seed: u64) -> SplitReport {
    let (rule, rows) = usual(kind);
    let by_file = match kind {
        SplitKind::LeaveLastOut => Some("each user's last row of the file"),
        // Without any times it is refused.
        SplitKind::GlobalTime if data.has_one_time() => Some("the last fifth of the file"),
        _ => None,
    };
    let by_file = by_file.zip(data.lacks_times()).map(|(what, why)| format!("{what}, because it {why}"));
    let rule = by_file.unwrap_or_else(|| rule.to_owned());
    let empty = SplitReport {
        kind: kind.as_str(),
        rule,
        train: 0,
        test: 0,
        test_users: 0,
        cold_users: 0,
        cold_item_rows: 0,
        leaks: None,
        refused: None,
    };
    let rows = match split(data, &SplitPlan { split: rows, fit_on: FitOn::Train }, seed) {
        Ok(rows) => rows,
        Err(error) => return SplitReport { refused: Some(error.to_string()), ..empty },
    };
    let (mut known_user, mut known_item) = (vec![false; data.n_users()], vec![false; data.n_items()]);
    for &row in &rows.train {
        known_user[data.user[row as usize] as usize] = true;
        known_item[data.item[row as usize] as usize] = true;
    }
    let mut tested = vec![false; data.n_users()];
    let mut cold_item_rows = 0;
    for &row in &rows.test {
        tested[data.user[row as usize] as usize] = true;
        cold_item_rows += u64::from(!known_item[data.item[row as usize] as usize]);
    }
    let cold = tested.iter().zip(&known_user).filter(|(tested, known)| **tested && !**known).count();
    SplitReport {
        train: rows.train.len() as u64,
        test: rows.test.len() as u64,
        test_users: tested.iter().filter(|&&tested| tested).count() as u64,
        cold_users: cold as u64,
        cold_item_rows,
        leaks: data.has_timestamps.then(|| leak_count(data, &rows.train, &rows.test)),
        ..empty
    }
}

/// A rule with its usual numbers.
fn usual(kind: SplitKind) -> (&'static str, Split) {
    let (test_ratio, validation_ratio) = (0.2, 0.0);
    match kind {
        SplitKind::Random => ("a fifth of the rows", Split::Random { test_ratio, validation_ratio }),
        SplitKind::PerUserRandom => {
            ("a fifth of each user's rows", Split::PerUserRandom { test_ratio, validation_ratio })
        }
        SplitKind::LeaveLastOut => ("each user's newest row", Split::LeaveLastOut { validation: false }),
        SplitKind::PerUserFirstN => ("each user's first 10 rows of the file", Split::PerUserFirstN { n: 10 }),
        SplitKind::ContiguousFold => ("the first fifth of the file", Split::ContiguousFold { folds: 5, fold: 1 }),
        SplitKind::GlobalTime => ("the newest fifth of all rows", Split::GlobalTime { test_ratio, validation_ratio }),
        SplitKind::ColdItems => ("a fifth of the items", Split::ColdItems { test_ratio, validation_ratio }),
        SplitKind::KFold => ("the first of five folds", Split::KFold { folds: 5, fold: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interactions::InteractionsBuilder;

    #[test]
    fn a_hand_worked_split_is_reported_exactly() {
        // The first fifth of ten rows are v's, who has no other; x is nobody else's.
        let mut builder = InteractionsBuilder::default();
        for (user, item, time) in [("v", "x", 9), ("v", "y", 1)] {
            builder.push(user, item, 1.0, time);
        }
        for time in 0..8 {
            builder.push("u", "y", 1.0, time);
        }
        let data = builder.finish();
        let reports = split_reports(&data, 1);
        let of = |kind: SplitKind| reports.iter().find(|report| report.kind == kind.as_str()).unwrap();
        let fold = of(SplitKind::ContiguousFold);
        assert_eq!((fold.train, fold.test, fold.test_users, fold.cold_users), (8, 2, 1, 1));
        assert_eq!((fold.cold_item_rows, fold.leaks), (1, Some(0)));
        // The newest of u is its last row, that of v its first.
        let last = of(SplitKind::LeaveLastOut);
        assert_eq!((last.test, last.test_users, last.cold_users, last.leaks), (2, 2, 0, Some(0)));
        assert_eq!(reports.len(), SplitKind::ALL.len());
    }

    #[test]
    fn the_newest_row_of_data_without_times_is_said_to_be_the_last_of_the_file() {
        let of = |kind, has_timestamps, last| {
            let mut builder = InteractionsBuilder::default();
            for (item, time) in [("x", 0), ("y", 0), ("z", last)] {
                builder.push("u", item, 1.0, time);
            }
            let data = Interactions { has_timestamps, ..builder.finish() };
            report(&data, kind, 1).rule
        };
        let rule = |has_timestamps, last| of(SplitKind::LeaveLastOut, has_timestamps, last);
        assert_eq!(rule(true, 9), "each user's newest row");
        assert_eq!(rule(true, 0), "each user's last row of the file, because it has one time for all rows");
        assert_eq!(rule(false, 0), "each user's last row of the file, because it has no times");
        let newest = |last| of(SplitKind::GlobalTime, true, last);
        assert_eq!(newest(9), "the newest fifth of all rows");
        assert_eq!(newest(0), "the last fifth of the file, because it has one time for all rows");
    }

    #[test]
    fn a_split_that_the_data_do_not_allow_says_why() {
        let mut builder = InteractionsBuilder::default();
        builder.push("u", "i", 1.0, 0);
        let reports = split_reports(&builder.finish(), 1);
        assert!(reports.iter().all(|report| report.refused.is_some()), "{reports:?}");
    }
}
