//! What each user did, oldest first.

use crate::Rows;

/// Items of each user in the order of their time, by parts of a second too; equal times in the file's order.
///
/// # Shapes
/// - `starts`: `[users + 1]`, ascending from 0; user `u` has `items[starts[u]..starts[u + 1]]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Histories {
    starts: Vec<usize>,
    items: Vec<u32>,
}

impl Histories {
    /// The given rows by user. Row numbers must exist, as [`Rows::check`] makes sure of.
    pub(crate) fn of(parts: &[Rows<'_>]) -> Self {
        let Some(data) = parts.first().map(|rows| rows.interactions) else { return Self::default() };
        let mut rows: Vec<u32> = parts.iter().flat_map(|part| part.rows).copied().collect();
        // Most files tell whole seconds, by which alone sorting is faster.
        if data.fraction.is_empty() {
            rows.sort_unstable_by_key(|&row| (data.user[row as usize], data.timestamp[row as usize], row));
        } else {
            rows.sort_unstable_by_key(|&row| (data.user[row as usize], data.moment(row), row));
        }
        let mut starts = vec![0; data.n_users() + 1];
        for &row in &rows {
            starts[data.user[row as usize] as usize + 1] += 1;
        }
        for user in 0..data.n_users() {
            starts[user + 1] += starts[user];
        }
        Self { starts, items: rows.iter().map(|&row| data.item[row as usize]).collect() }
    }

    /// Number of users, with those who did nothing.
    pub(crate) fn users(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Rows in all.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The items of one user, oldest first.
    pub(crate) fn of_user(&self, user: u32) -> &[u32] {
        &self.items[self.starts[user as usize]..self.starts[user as usize + 1]]
    }

    /// Users with at least `least` items, ascending.
    pub(crate) fn users_with(&self, least: usize) -> Vec<u32> {
        (0..self.users() as u32).filter(|&user| self.of_user(user).len() >= least).collect()
    }
}

/// The last `most` items of a sequence.
pub(crate) fn newest(items: &[u32], most: usize) -> &[u32] {
    &items[items.len().saturating_sub(most)..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_data::{Interactions, InteractionsBuilder};

    fn data() -> Interactions {
        let mut builder = InteractionsBuilder::default();
        for (user, item, time) in [("a", "x", 5), ("b", "y", 1), ("a", "y", 2), ("a", "z", 5), ("b", "x", 0)] {
            builder.push(user, item, 1.0, time);
        }
        builder.finish()
    }

    #[test]
    fn items_come_in_the_order_of_their_time_and_equal_times_in_that_of_the_file() {
        let data = data();
        let rows = |rows| Rows { interactions: &data, rows };
        let all = Histories::of(&[rows(&[0, 1, 2, 3, 4])]);
        assert_eq!((all.of_user(0), all.of_user(1)), (&[1, 0, 2][..], &[0, 1][..]));
        assert_eq!((all.users(), all.len(), newest(all.of_user(0), 2)), (2, 5, &[0, 2][..]));
        assert_eq!(Histories::of(&[rows(&[3, 0, 1]), rows(&[2, 4])]), all, "parts and their order do not matter");
        let some = Histories::of(&[rows(&[1])]);
        assert_eq!((some.of_user(0), some.of_user(1), some.users_with(1)), (&[][..], &[1][..], vec![1]));
    }

    #[test]
    fn within_one_second_its_parts_order_the_items() {
        let parts = Interactions { fraction: vec![900, 0, 0, 100, 0], ..data() };
        let all = Histories::of(&[Rows { interactions: &parts, rows: &[0, 1, 2, 3, 4] }]);
        // `x` and `z` are of the same second, and `z` stands behind `x` in the file.
        assert_eq!((all.of_user(0), all.of_user(1)), (&[1, 2, 0][..], &[0, 1][..]));
    }
}
