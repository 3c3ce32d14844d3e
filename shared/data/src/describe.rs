//! What a data set looks like.

use serde::Serialize;

use crate::calendar;
use crate::interactions::Interactions;
use crate::long_tail::{CountBin, TailPoint, bins, curve};

/// A data set in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatasetReport {
    /// Distinct users.
    pub users: u64,
    /// Distinct items.
    pub items: u64,
    /// Rows.
    pub rows: u64,
    /// Rows beyond the first of each pair of user and item.
    pub repeated_pairs: u64,
    /// Distinct pairs / (users × items), 0 to 1.
    pub density: f64,
    /// Rows by rating, ratings ascending; empty where the data have none or more than 32 different ones.
    pub ratings: Vec<(f32, u64)>,
    /// Mean rating; absent where the data have none.
    pub rating_mean: Option<f64>,
    /// Standard deviation of the ratings over all rows (divided by n); absent where the data have none.
    pub rating_sd: Option<f64>,
    /// Rows of a user.
    pub per_user: CountQuantiles,
    /// Rows of an item.
    pub per_item: CountQuantiles,
    /// Oldest timestamp, seconds since 1970; absent where the data have none.
    pub first_timestamp: Option<i64>,
    /// Newest timestamp, seconds since 1970; absent where the data have none.
    pub last_timestamp: Option<i64>,
    /// Rows by calendar year (UTC), years ascending; empty where the data have no times.
    pub years: Vec<(i64, u64)>,
    /// Rows by calendar month (UTC) as `2014-07`, without gaps; empty where the data have no times.
    pub months: Vec<(String, u64)>,
    /// By calendar year, users and items whose first row is of that year; empty where the data have no times.
    pub arrivals: Vec<Arrivals>,
    /// Users by number of rows.
    pub user_activity: Vec<CountBin>,
    /// Items by number of rows.
    pub item_popularity: Vec<CountBin>,
    /// What the most active users hold.
    pub user_tail: Vec<TailPoint>,
    /// What the most popular items hold.
    pub item_tail: Vec<TailPoint>,
    /// Users with fewer than five rows: too few to learn a taste from.
    pub cold_users: u64,
    /// Items with fewer than five rows.
    pub cold_items: u64,
    /// Bytes of the columns and dictionaries in memory.
    pub column_bytes: u64,
}

/// Who and what came in a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Arrivals {
    /// The calendar year.
    pub year: i64,
    /// Users whose oldest row is of it.
    pub users: u64,
    /// Items whose oldest row is of it.
    pub items: u64,
}

/// How rows spread over users or items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
pub struct CountQuantiles {
    /// Mean.
    pub mean: f64,
    /// Smallest.
    pub min: u32,
    /// A quarter have at most this many (nearest rank).
    pub q25: u32,
    /// Half have at most this many.
    pub median: u32,
    /// Three quarters have at most this many.
    pub q75: u32,
    /// 99 % have at most this many.
    pub q99: u32,
    /// Largest.
    pub max: u32,
    /// Gini coefficient: 0 all equal, towards 1 few have nearly all.
    pub gini: f64,
}

/// Rows that a user or item needs not to count as cold.
const WARM: u32 = 5;

/// Most different ratings that are listed one by one.
const MAX_RATINGS_LISTED: usize = 32;

/// Counts and distributions of a data set.
pub fn describe(interactions: &Interactions) -> DatasetReport {
    let data = interactions;
    let rows = data.len();
    let per_user = counts(&data.user, data.n_users());
    let per_item = counts(&data.item, data.n_items());
    let all: Vec<u32> = (0..rows as u32).collect();
    let pairs = crate::Csr::by_user(data, &all).nnz();
    let cells = data.n_users() as f64 * data.n_items() as f64;
    let rated = data.has_ratings && rows > 0;
    let mean = data.rating.iter().map(|&r| f64::from(r)).sum::<f64>() / rows.max(1) as f64;
    let variance = data.rating.iter().map(|&r| (f64::from(r) - mean).powi(2)).sum::<f64>() / rows.max(1) as f64;
    let times = || data.has_timestamps.then_some(&data.timestamp);
    DatasetReport {
        users: data.n_users() as u64,
        items: data.n_items() as u64,
        rows: rows as u64,
        repeated_pairs: (rows - pairs) as u64,
        density: if cells > 0.0 { pairs as f64 / cells } else { 0.0 },
        ratings: if rated { rating_histogram(&data.rating) } else { Vec::new() },
        rating_mean: rated.then_some(mean),
        rating_sd: rated.then(|| variance.sqrt()),
        user_activity: bins(&per_user),
        item_popularity: bins(&per_item),
        user_tail: curve(&per_user),
        item_tail: curve(&per_item),
        cold_users: per_user.iter().filter(|&&n| n < WARM).count() as u64,
        cold_items: per_item.iter().filter(|&&n| n < WARM).count() as u64,
        per_user: quantiles(per_user),
        per_item: quantiles(per_item),
        first_timestamp: times().and_then(|t| t.iter().min().copied()),
        last_timestamp: times().and_then(|t| t.iter().max().copied()),
        years: times().map(|t| calendar::years(t)).unwrap_or_default(),
        months: times().map(|t| calendar::months(t)).unwrap_or_default(),
        arrivals: if data.has_timestamps { arrivals(data) } else { Vec::new() },
        column_bytes: data.column_bytes() as u64,
    }
}

/// Measured rows that are older than the newest row of their user that is learnt from: a model that is measured on them has
/// seen the user's future. 0 where the data have no times.
pub fn leak_count(interactions: &Interactions, learnt: &[u32], measured: &[u32]) -> u64 {
    if !interactions.has_timestamps {
        return 0;
    }
    let mut newest = vec![(i64::MIN, 0); interactions.n_users()];
    for &row in learnt {
        let seen = &mut newest[interactions.user[row as usize] as usize];
        *seen = interactions.moment(row).max(*seen);
    }
    let leaks = |row: &&u32| interactions.moment(**row) < newest[interactions.user[**row as usize] as usize];
    measured.iter().filter(leaks).count() as u64
}

fn arrivals(data: &Interactions) -> Vec<Arrivals> {
    let oldest = |column: &[u32], n: usize| {
        let mut oldest = vec![i64::MAX; n];
        for (&index, &time) in column.iter().zip(&data.timestamp) {
            oldest[index as usize] = oldest[index as usize].min(time);
        }
        oldest
    };
    let mut years: std::collections::BTreeMap<i64, (u64, u64)> = std::collections::BTreeMap::new();
    for time in oldest(&data.user, data.n_users()) {
        years.entry(calendar::year_of(time)).or_default().0 += 1;
    }
    for time in oldest(&data.item, data.n_items()) {
        years.entry(calendar::year_of(time)).or_default().1 += 1;
    }
    years.into_iter().map(|(year, (users, items))| Arrivals { year, users, items }).collect()
}

fn counts(column: &[u32], n: usize) -> Vec<u32> {
    let mut counts = vec![0; n];
    for &index in column {
        counts[index as usize] += 1;
    }
    counts
}

fn quantiles(mut counts: Vec<u32>) -> CountQuantiles {
    if counts.is_empty() {
        return CountQuantiles::default();
    }
    counts.sort_unstable();
    let n = counts.len();
    let at = |share: f64| counts[((share * n as f64).ceil() as usize).clamp(1, n) - 1];
    let total: u64 = counts.iter().map(|&c| u64::from(c)).sum();
    // Gini = (2 Σ i·x_i) / (n Σ x_i) − (n + 1) / n with x ascending and i from 1.
    let weighted: f64 = counts.iter().zip(1u64..).map(|(&c, i)| i as f64 * f64::from(c)).sum();
    CountQuantiles {
        mean: total as f64 / n as f64,
        min: counts[0],
        q25: at(0.25),
        median: at(0.5),
        q75: at(0.75),
        q99: at(0.99),
        max: counts[n - 1],
        gini: 2.0 * weighted / (n as f64 * total as f64) - (n as f64 + 1.0) / n as f64,
    }
}

fn rating_histogram(ratings: &[f32]) -> Vec<(f32, u64)> {
    let mut found: Vec<(f32, u64)> = Vec::new();
    for &rating in ratings {
        match found.iter().position(|&(seen, _)| seen == rating) {
            Some(at) => found[at].1 += 1,
            None if found.len() == MAX_RATINGS_LISTED => return Vec::new(),
            None => found.push((rating, 1)),
        }
    }
    found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interactions::InteractionsBuilder;

    #[test]
    fn a_hand_worked_data_set_is_described_exactly() {
        let mut builder = InteractionsBuilder::default();
        for (user, item, rating, time) in
            [("u", "a", 1.0, 0), ("u", "b", 5.0, 86_400 * 365), ("u", "a", 3.0, 1), ("v", "a", 3.0, 2)]
        {
            builder.push(user, item, rating, time);
        }
        let report = describe(&builder.finish());
        assert_eq!((report.users, report.items, report.rows, report.repeated_pairs), (2, 2, 4, 1));
        assert_eq!(report.density, 0.75);
        assert_eq!(report.ratings, [(1.0, 1), (3.0, 2), (5.0, 1)]);
        assert_eq!((report.rating_mean, report.rating_sd), (Some(3.0), Some(2f64.sqrt())));
        assert_eq!((report.per_user.min, report.per_user.median, report.per_user.max), (1, 1, 3));
        // Counts 1 and 3: Gini = 2·(1·1 + 2·3)/(2·4) − 3/2 = 0.25.
        assert_eq!(report.per_user.gini, 0.25);
        assert_eq!(report.years, [(1970, 3), (1971, 1)]);
        assert_eq!(
            (report.months.len(), report.months[0].clone(), report.months[12].1),
            (13, ("1970-01".into(), 3), 1)
        );
        // Item b came in 1971, everybody and everything else in 1970.
        let came: Vec<_> = report.arrivals.iter().map(|came| (came.year, came.users, came.items)).collect();
        assert_eq!(came, [(1970, 2, 1), (1971, 0, 1)]);
        assert_eq!(report.item_popularity.iter().map(|bin| bin.count).collect::<Vec<_>>(), [1, 0, 1]);
        assert_eq!(report.cold_users, 2);
    }

    #[test]
    fn a_test_row_older_than_the_newest_training_row_of_its_user_is_a_leak() {
        let mut builder = InteractionsBuilder::default();
        for (user, time) in [("u", 1), ("u", 2), ("u", 3), ("v", 1), ("v", 9)] {
            builder.push(user, "i", 1.0, time);
        }
        let data = builder.finish();
        assert_eq!(leak_count(&data, &[1, 3], &[0, 2, 4]), 1);
        // Of what is learnt beside the training rows, too.
        assert_eq!(leak_count(&data, &[1, 2, 3, 4], &[0]), 1);
        assert_eq!(leak_count(&data, &[0, 3], &[1, 2, 4]), 0);
        // Within one second its parts tell.
        let mut parts = InteractionsBuilder::default();
        (0..2).for_each(|_| parts.push("u", "i", 1.0, 5));
        let parts = Interactions { fraction: vec![2, 1], ..parts.finish() };
        assert_eq!((leak_count(&parts, &[0], &[1]), leak_count(&parts, &[1], &[0])), (1, 0));
    }

    #[test]
    fn an_empty_data_set_is_described_without_numbers_that_do_not_exist() {
        let report = describe(&Interactions::default());
        assert_eq!((report.rows, report.density, report.rating_mean), (0, 0.0, None));
    }
}
