//! Interactions in columns.

use std::cmp::Reverse;

use crate::dictionary::{Dictionary, DictionaryBuilder};
use crate::moment::{EpochUnit, rescale};

/// Who rated what, how and when: one row an interaction, in the file's order, in four columns, or five where times are
/// finer than a second.
///
/// # Shapes
/// - `user`, `item`, `rating`, `timestamp`: `[rows]`, at most 2^32 − 1 rows
/// - `fraction`: `[rows]`, or empty
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Interactions {
    /// User ids; `user` holds indices into it.
    pub users: Dictionary,
    /// Item ids; `item` holds indices into it.
    pub items: Dictionary,
    /// User index of each row.
    pub user: Vec<u32>,
    /// Item index of each row.
    pub item: Vec<u32>,
    /// Rating of each row, in the file's own unit (stars); 1 where the file has none. Always finite.
    pub rating: Vec<f32>,
    /// Seconds since 1970, rounded down. Where the file has no time: the position in the user's sequence, or 0.
    pub timestamp: Vec<i64>,
    /// Nanoseconds of each row beyond its second, less than 10⁹; empty where all are 0. They decide the order of rows
    /// of one second, and nothing else: what is computed from times reads whole seconds.
    pub fraction: Vec<u32>,
    /// Whether the ratings come from the data.
    pub has_ratings: bool,
    /// Whether the timestamps are times.
    pub has_timestamps: bool,
}

impl Interactions {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.user.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.user.is_empty()
    }

    /// Number of distinct users.
    pub fn n_users(&self) -> usize {
        self.users.len()
    }

    /// Number of distinct items.
    pub fn n_items(&self) -> usize {
        self.items.len()
    }

    /// Whether each user's rows have an order of their own: times of which not all are one, or positions in a sequence.
    /// Times that are the same for some rows, even for all of a user, are an order all the same; no more than one row
    /// needs none.
    pub fn has_order(&self) -> bool {
        if self.has_timestamps {
            self.len() < 2 || !self.has_one_time()
        } else {
            self.timestamp.iter().any(|&place| place != 0)
        }
    }

    /// Whether the timestamps are times, and every row has the same one.
    pub fn has_one_time(&self) -> bool {
        self.has_timestamps
            && self.timestamp.iter().all(|time| *time == self.timestamp[0])
            && self.fraction.iter().all(|fraction| *fraction == self.fraction[0])
    }

    /// When a row was: seconds since 1970 and the nanoseconds beyond them, by which rows are ordered.
    ///
    /// # Panics
    /// When the row number is not below [`Self::len`].
    pub fn moment(&self, row: u32) -> (i64, u32) {
        let row = row as usize;
        (self.timestamp[row], self.fraction.get(row).copied().unwrap_or(0))
    }

    /// Sorts row numbers by when the rows were, the newest first; of one moment the last in the file's order first.
    ///
    /// # Panics
    /// When a row number is not below [`Self::len`].
    pub(crate) fn sort_newest_first(&self, rows: &mut [u32]) {
        // Most files tell whole seconds, by which alone sorting is faster.
        if self.fraction.is_empty() {
            rows.sort_unstable_by_key(|&row| Reverse((self.timestamp[row as usize], row)));
        } else {
            rows.sort_unstable_by_key(|&row| Reverse((self.moment(row), row)));
        }
    }

    /// Why the newest row of a user is the last one in the file's order, in words that follow the name of the data; `None` where times or
    /// places tell rows apart.
    pub fn lacks_times(&self) -> Option<&'static str> {
        if self.has_one_time() {
            Some("has one time for all rows")
        } else if !self.has_order() {
            Some("has no times")
        } else {
            None
        }
    }

    /// Takes times that cannot be seconds since 1970 for what they are, as [`rescale`] says.
    pub(crate) fn rescale_times(&mut self) -> Option<(EpochUnit, u64)> {
        if self.has_timestamps { rescale(&mut self.timestamp, &mut self.fraction) } else { None }
    }

    /// Bytes of the columns and the two dictionaries.
    pub fn column_bytes(&self) -> usize {
        let row = 2 * size_of::<u32>() + size_of::<f32>() + size_of::<i64>();
        self.len() * row + size_of_val(&self.fraction[..]) + self.users.bytes() + self.items.bytes()
    }

    /// The given rows, in the given order, with dictionaries of their own: only ids that occur, renumbered by first
    /// appearance.
    ///
    /// # Panics
    /// When a row number is not below [`Self::len`].
    #[must_use]
    pub fn subset(&self, rows: &[u32]) -> Self {
        let (users, user) = recode(&self.users, &self.user, rows);
        let (items, item) = recode(&self.items, &self.item, rows);
        let mut fraction = Vec::new();
        if !self.fraction.is_empty() && rows.iter().any(|&row| self.fraction[row as usize] > 0) {
            fraction.extend(rows.iter().map(|&row| self.fraction[row as usize]));
        }
        Self {
            users,
            items,
            user,
            item,
            rating: rows.iter().map(|&row| self.rating[row as usize]).collect(),
            timestamp: rows.iter().map(|&row| self.timestamp[row as usize]).collect(),
            fraction,
            has_ratings: self.has_ratings,
            has_timestamps: self.has_timestamps,
        }
    }
}

fn recode(ids: &Dictionary, column: &[u32], rows: &[u32]) -> (Dictionary, Vec<u32>) {
    let mut new_index = vec![u32::MAX; ids.len()];
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    let column = rows
        .iter()
        .map(|&row| {
            let old = column[row as usize];
            let new = &mut new_index[old as usize];
            if *new == u32::MAX {
                *new = ends.len() as u32;
                bytes.extend_from_slice(ids.get(old).as_bytes());
                ends.push(bytes.len() as u32);
            }
            *new
        })
        .collect();
    let dictionary = Dictionary::from_arena(bytes, ends).expect("whole ids of a valid dictionary, one after another");
    (dictionary, column)
}

/// Collects interactions row by row: for small data and tests.
#[derive(Debug, Default)]
pub struct InteractionsBuilder {
    users: DictionaryBuilder,
    items: DictionaryBuilder,
    columns: Interactions,
}

impl InteractionsBuilder {
    /// Adds a row: `rating` finite, `timestamp` in seconds since 1970.
    pub fn push(&mut self, user: &str, item: &str, rating: f32, timestamp: i64) {
        self.columns.user.push(self.users.intern(user));
        self.columns.item.push(self.items.intern(item));
        self.columns.rating.push(rating);
        self.columns.timestamp.push(timestamp);
    }

    /// The columns; `has_ratings` and `has_timestamps` are true.
    pub fn finish(self) -> Interactions {
        Interactions {
            users: self.users.finish(),
            items: self.items.finish(),
            has_ratings: true,
            has_timestamps: true,
            ..self.columns
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_for_all_rows_is_no_order_and_the_same_time_within_each_user_is_one() {
        let of = |times: [i64; 4]| {
            let mut builder = InteractionsBuilder::default();
            for (row, time) in times.into_iter().enumerate() {
                builder.push(&format!("u{}", row / 2), &format!("i{row}"), 3.0, time);
            }
            builder.finish()
        };
        for time in [0, 7] {
            let data = of([time; 4]);
            assert!(!data.has_order() && data.lacks_times() == Some("has one time for all rows"), "{time}");
        }
        for times in [[7, 7, 9, 9], [7, 7, 7, 8]] {
            assert!(of(times).has_order() && of(times).lacks_times().is_none(), "{times:?}");
        }
        // Positions in sequences are no times: all of them 0 say nothing, any other one does.
        let places = |places| Interactions { has_timestamps: false, ..of(places) };
        assert!(!places([0; 4]).has_order() && places([0; 4]).lacks_times() == Some("has no times"));
        assert!(places([0, 1, 0, 0]).has_order());
        // Parts of one second tell rows apart, too.
        let parts = |fraction: [u32; 4]| Interactions { fraction: fraction.to_vec(), ..of([7; 4]) };
        assert!(parts([5, 5, 5, 9]).has_order() && parts([5, 5, 5, 9]).lacks_times().is_none());
        assert!(!parts([5; 4]).has_order());
        // Of one row there is nothing to order.
        assert!(of([7; 4]).subset(&[2]).has_order() && Interactions::default().lacks_times().is_some());
    }

    #[test]
    fn a_subset_renumbers_its_ids_by_first_appearance() {
        let mut builder = InteractionsBuilder::default();
        for (user, item, rating) in [("u1", "a", 1.0), ("u2", "b", 2.0), ("u3", "a", 3.0), ("u2", "c", 4.0)] {
            builder.push(user, item, rating, 0);
        }
        let some = builder.finish().subset(&[3, 2]);
        assert_eq!(some.users.iter().collect::<Vec<_>>(), ["u2", "u3"]);
        assert_eq!(some.items.iter().collect::<Vec<_>>(), ["c", "a"]);
        assert_eq!((some.user, some.item, some.rating), (vec![0, 1], vec![0, 1], vec![4.0, 3.0]));
    }

    #[test]
    fn a_subset_has_parts_of_seconds_only_where_one_of_its_rows_has() {
        let mut builder = InteractionsBuilder::default();
        (0..3).for_each(|row| builder.push("u", &format!("i{row}"), 1.0, 7));
        let data = Interactions { fraction: vec![0, 0, 250], ..builder.finish() };
        assert_eq!((data.moment(0), data.moment(2)), ((7, 0), (7, 250)));
        assert!(data.subset(&[0, 1]).fraction.is_empty());
        assert_eq!(data.subset(&[2, 1]).fraction, [250, 0]);
    }

    #[test]
    fn column_bytes_count_columns_and_dictionaries() {
        let mut builder = InteractionsBuilder::default();
        builder.push("abc", "de", 1.0, 0);
        let data = builder.finish();
        assert_eq!(data.column_bytes(), 20 + (3 + 4) + (2 + 4));
        assert_eq!(Interactions { fraction: vec![1], ..data }.column_bytes(), 24 + (3 + 4) + (2 + 4));
    }
}
