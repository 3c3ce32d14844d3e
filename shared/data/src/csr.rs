//! Compressed sparse rows.

use rayon::prelude::*;

use crate::interactions::Interactions;

/// A sparse matrix by rows; inside a row the column ids ascend and are distinct.
///
/// # Shapes
/// - `indptr`: `[rows + 1]`, ascending from 0; row `i` is `indptr[i]..indptr[i + 1]`
/// - `indices`, `values`: `[entries]`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Csr {
    /// Where each row begins.
    pub indptr: Vec<usize>,
    /// Column of each entry.
    pub indices: Vec<u32>,
    /// Value of each entry.
    pub values: Vec<f32>,
}

impl Csr {
    /// Users × items with ratings as values, from the given rows of the interactions. Of a user's several rows with
    /// one item, the last in the file's order counts.
    pub fn by_user(interactions: &Interactions, rows: &[u32]) -> Self {
        Self::of(
            interactions,
            rows,
            &interactions.user,
            interactions.n_users(),
            &interactions.item,
            interactions.n_items(),
        )
    }

    /// Items × users: the transpose of [`Self::by_user`].
    pub fn by_item(interactions: &Interactions, rows: &[u32]) -> Self {
        Self::of(
            interactions,
            rows,
            &interactions.item,
            interactions.n_items(),
            &interactions.user,
            interactions.n_users(),
        )
    }

    fn of(
        data: &Interactions,
        rows: &[u32],
        row_of: &[u32],
        n_rows: usize,
        column_of: &[u32],
        n_columns: usize,
    ) -> Self {
        let sorted;
        let rows = if rows.is_sorted() {
            rows
        } else {
            sorted = {
                let mut copy = rows.to_vec();
                copy.sort_unstable();
                copy
            };
            &sorted
        };
        // Two stable counting sorts, by column and then by row, leave columns ascending inside each row and equal
        // pairs side by side in the file's order.
        let (mut next, starts) = places(rows, column_of, n_columns);
        let mut by_column = vec![(0, 0.0); rows.len()];
        for &entry in rows {
            let (entry, next) = (entry as usize, &mut next[column_of[entry as usize] as usize]);
            by_column[*next as usize] = (row_of[entry], data.rating[entry]);
            *next += 1;
        }
        let (mut next, indptr) = places(rows, row_of, n_rows);
        let mut csr = Self { indptr, indices: vec![0; rows.len()], values: vec![0.0; rows.len()] };
        for (column, bounds) in (0..).zip(starts.windows(2)) {
            for &(row, value) in &by_column[bounds[0]..bounds[1]] {
                let next = &mut next[row as usize];
                (csr.indices[*next as usize], csr.values[*next as usize]) = (column, value);
                *next += 1;
            }
        }
        csr.keep_last_of_equal();
        csr
    }

    /// Of equal columns side by side in a row, the last counts.
    fn keep_last_of_equal(&mut self) {
        let (mut end, mut start) = (0, 0);
        for row in 0..self.n_rows() {
            let (begin, stop) = (end, self.indptr[row + 1]);
            for at in start..stop {
                if end == begin || self.indices[end - 1] != self.indices[at] {
                    end += 1;
                }
                (self.indices[end - 1], self.values[end - 1]) = (self.indices[at], self.values[at]);
            }
            start = stop;
            self.indptr[row + 1] = end;
        }
        self.indices.truncate(end);
        self.values.truncate(end);
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.indptr.len().saturating_sub(1)
    }

    /// Number of entries.
    pub fn nnz(&self) -> usize {
        self.indices.len()
    }

    /// Columns and values of a row, columns ascending.
    ///
    /// # Panics
    /// When `row` is not below [`Self::n_rows`].
    #[inline]
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.indptr[row]..self.indptr[row + 1];
        (&self.indices[range.clone()], &self.values[range])
    }

    /// Columns become rows. `n_columns`: one more than the largest column id at least.
    ///
    /// # Panics
    /// When a column id is not below `n_columns`.
    #[must_use]
    pub fn transpose(&self, n_columns: usize) -> Self {
        // Each thread writes the rows of some columns, and for that goes through all entries: writing all over is what takes time.
        let parts = rayon::current_num_threads().min(1 + self.nnz() / ENTRIES_OF_A_THREAD);
        self.transpose_in(parts, n_columns)
    }

    fn transpose_in(&self, parts: usize, n_columns: usize) -> Self {
        let mut indptr = vec![0; n_columns + 1];
        for &column in &self.indices {
            indptr[column as usize + 1] += 1;
        }
        for at in 0..n_columns {
            indptr[at + 1] += indptr[at];
        }
        let (mut indices, mut values) = (vec![0; self.nnz()], vec![0.0; self.nnz()]);
        let ends = (1..=parts).map(|part| match part {
            _ if part == parts => n_columns,
            _ => indptr.partition_point(|&start| start < self.nnz() * part / parts).min(n_columns),
        });
        let (mut begin, mut work) = (0, Vec::with_capacity(parts));
        let (mut free_indices, mut free_values) = (&mut indices[..], &mut values[..]);
        for end in ends {
            let starts = &indptr[begin..=end];
            let length = starts[starts.len() - 1] - starts[0];
            let (own_indices, own_values);
            (own_indices, free_indices) = std::mem::take(&mut free_indices).split_at_mut(length);
            (own_values, free_values) = std::mem::take(&mut free_values).split_at_mut(length);
            work.push((begin as u32, starts, own_indices, own_values));
            begin = end;
        }
        work.into_par_iter().for_each(|(first, starts, indices, values)| self.scatter(first, starts, indices, values));
        Self { indptr, indices, values }
    }

    /// Writes the rows of the transpose from `first` on that begin at `starts`, whose first one is where `indices` and `values` begin.
    fn scatter(&self, first: u32, starts: &[usize], indices: &mut [u32], values: &mut [f32]) {
        let mut next: Vec<u32> = starts[..starts.len() - 1].iter().map(|start| (start - starts[0]) as u32).collect();
        for row in 0..self.n_rows() {
            let (columns, row_values) = self.row(row);
            for (&column, &value) in columns.iter().zip(row_values) {
                // Columns before the first one wrap around to numbers beyond the last.
                if let Some(next) = next.get_mut(column.wrapping_sub(first) as usize) {
                    (indices[*next as usize], values[*next as usize]) = (row as u32, value);
                    *next += 1;
                }
            }
        }
    }
}

/// Transposing fewer is not worth another thread.
const ENTRIES_OF_A_THREAD: usize = 100_000;

/// Where the rows of each key go, one after the other, and the same with the end of the last (`[n_keys + 1]`).
fn places(rows: &[u32], key: &[u32], n_keys: usize) -> (Vec<u32>, Vec<usize>) {
    let mut starts = vec![0; n_keys + 1];
    for &row in rows {
        starts[key[row as usize] as usize + 1] += 1;
    }
    for at in 0..n_keys {
        starts[at + 1] += starts[at];
    }
    // There are fewer rows than a u32 counts.
    (starts[..n_keys].iter().map(|&start| start as u32).collect(), starts)
}

/// `rows` in a stable order by key, and where each key's rows begin (`[n_keys + 1]`).
pub(crate) fn counting_sort(rows: &[u32], key: &[u32], n_keys: usize) -> (Vec<u32>, Vec<usize>) {
    let (mut next, starts) = places(rows, key, n_keys);
    let mut sorted = vec![0; rows.len()];
    for &row in rows {
        let next = &mut next[key[row as usize] as usize];
        sorted[*next as usize] = row;
        *next += 1;
    }
    (sorted, starts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::interactions::InteractionsBuilder;

    fn interactions(rows: &[(u8, u8, u8)]) -> Interactions {
        let mut builder = InteractionsBuilder::default();
        for &(user, item, rating) in rows {
            builder.push(&user.to_string(), &item.to_string(), f32::from(rating), 0);
        }
        builder.finish()
    }

    proptest! {
        #[test]
        fn both_views_hold_the_last_rating_of_every_pair_in_ascending_columns(
            rows in proptest::collection::vec((0u8..6, 0u8..6, 1u8..6), 0..60),
            keep in proptest::collection::vec(any::<bool>(), 60),
        ) {
            let data = interactions(&rows);
            let chosen: Vec<u32> = (0..rows.len() as u32).filter(|&row| keep[row as usize]).collect();
            let mut expected = BTreeMap::new();
            for &row in &chosen {
                let row = row as usize;
                expected.insert((data.user[row], data.item[row]), data.rating[row]);
            }
            let csr = Csr::by_user(&data, &chosen);
            prop_assert_eq!(csr.n_rows(), data.n_users());
            let mut found = Vec::new();
            for user in 0..csr.n_rows() {
                let (items, ratings) = csr.row(user);
                found.extend(items.iter().zip(ratings).map(|(&item, &rating)| ((user as u32, item), rating)));
            }
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
            let by_item = Csr::by_item(&data, &chosen);
            prop_assert_eq!(&csr.transpose(data.n_items()), &by_item);
            for parts in 1..9 {
                prop_assert_eq!(&by_item.transpose_in(parts, data.n_users()), &csr);
            }
        }

        #[test]
        fn the_order_of_the_given_rows_does_not_matter(rows in proptest::collection::vec((0u8..3, 0u8..3, 1u8..6), 1..20)) {
            let data = interactions(&rows);
            let forward: Vec<u32> = (0..rows.len() as u32).collect();
            let backward: Vec<u32> = forward.iter().rev().copied().collect();
            prop_assert_eq!(Csr::by_user(&data, &forward), Csr::by_user(&data, &backward));
        }
    }
}
