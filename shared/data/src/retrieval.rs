//! Ratings read back from a container, one by one and in batches: what is measured, without a clock of its own.
//!
//! Every number that is read is added up, so that nothing can be left out.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Range;

use recspeed_types::study::retrieval::{Asked, Retrieved};

/// Most times that one piece of work is done to make up the least time.
const MOST_ROUNDS: u32 = 1 << 20;

/// The four columns of ratings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    /// Indices of users.
    pub user: Vec<u32>,
    /// Indices of items.
    pub item: Vec<u32>,
    /// Ratings.
    pub rating: Vec<f32>,
    /// Seconds since 1970.
    pub timestamp: Vec<i64>,
}

/// Columns that are no ratings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the columns have {rows:?} rows; all must have as many")]
pub struct UnequalColumns {
    /// Rows of each.
    pub rows: [usize; 4],
}

/// Rows in objects of one kind.
pub trait Container {
    /// The objects.
    type Filled;

    /// Takes the columns in.
    fn fill(&self, columns: Columns) -> Self::Filled;
    /// Reads the first rows one by one, all four numbers of each, and adds them up.
    fn singles(&self, filled: &Self::Filled, rows: usize) -> f64;
    /// Copies rows to the beginning of other columns.
    fn batch(&self, filled: &Self::Filled, rows: Range<usize>, into: &mut Columns);
    /// Every number, as plain columns.
    fn back(&self, filled: &Self::Filled) -> Columns;
    /// How many objects there are.
    fn objects(&self) -> u32;
    /// Bytes of the first object itself.
    fn header_bytes(&self) -> u64;
    /// Bytes of the numbers.
    fn buffer_bytes(&self, filled: &Self::Filled) -> u64;
}

/// Measures a container that was filled with `plain`. What only the process knows stays empty: `container`, `versions`, `host`,
/// `threads` and `resident_bytes`. `now_s` is a clock in seconds; what takes less than `least_s` by it is done again until it has taken that
/// long, and its mean is told: clocks of browsers tick rarely.
pub fn measure<C: Container>(
    container: &C,
    filled: &C::Filled,
    plain: &Columns,
    asked: &Asked,
    least_s: f64,
    now_s: &mut impl FnMut() -> f64,
) -> Retrieved {
    let rows = plain.rating.len();
    let single_rows = asked.single_rows.map_or(rows, |most| rows.min(most as usize));
    let batch_rows = rows.min(asked.batch_rows as usize).max(1);
    let mut targets = Columns::zeros(batch_rows);
    let parts: Vec<_> = (0..rows).step_by(batch_rows).map(|start| start..rows.min(start + batch_rows)).collect();
    let mut batch_sum = 0.0;
    for part in &parts {
        container.batch(filled, part.clone(), &mut targets);
        batch_sum += targets.sum(part.len());
    }
    let single_sum = container.singles(filled, single_rows);
    // The container's numbers have been through the caches by now; so have those that it is held against.
    for part in &parts {
        Plain.batch(plain, part.clone(), &mut targets);
    }
    let mut timed =
        |work: &mut dyn FnMut()| -> Vec<f64> { (0..asked.repeats).map(|_| mean_s(least_s, now_s, work)).collect() };
    Retrieved {
        container: String::new(),
        versions: BTreeMap::new(),
        host: String::new(),
        threads: None,
        rows: rows as u64,
        objects: container.objects(),
        header_bytes: container.header_bytes(),
        buffer_bytes: container.buffer_bytes(filled),
        resident_bytes: None,
        single_rows: single_rows as u64,
        single_s: timed(&mut || {
            black_box(container.singles(black_box(filled), single_rows));
        }),
        batch_rows: batch_rows as u64,
        batch_s: timed(&mut || {
            for part in &parts {
                container.batch(black_box(filled), part.clone(), &mut targets);
            }
        }),
        copy_s: timed(&mut || {
            for part in &parts {
                Plain.batch(black_box(plain), part.clone(), &mut targets);
            }
        }),
        back_s: timed(&mut || {
            black_box(container.back(black_box(filled)));
        }),
        build_s: (0..asked.repeats).map(|_| built_s(container, plain.clone(), now_s)).collect(),
        single_sum,
        batch_sum,
    }
}

/// Seconds of the work, done as often as it takes to fill `least_s`.
fn mean_s(least_s: f64, now_s: &mut impl FnMut() -> f64, work: &mut dyn FnMut()) -> f64 {
    let mut rounds = 1;
    loop {
        let start = now_s();
        for _ in 0..rounds {
            work();
        }
        let seconds = now_s() - start;
        if seconds >= least_s || rounds >= MOST_ROUNDS {
            return seconds / f64::from(rounds);
        }
        rounds *= 2;
    }
}

/// Seconds from columns to the container, which takes them over.
fn built_s<C: Container>(container: &C, columns: Columns, now_s: &mut impl FnMut() -> f64) -> f64 {
    let start = now_s();
    let filled = container.fill(columns);
    let seconds = now_s() - start;
    black_box(filled);
    seconds
}

/// A vector a column.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Container for Plain {
    type Filled = Columns;

    fn fill(&self, columns: Columns) -> Columns {
        columns
    }

    fn singles(&self, filled: &Columns, rows: usize) -> f64 {
        let (user, item) = (&filled.user[..rows], &filled.item[..rows]);
        let (rating, timestamp) = (&filled.rating[..rows], &filled.timestamp[..rows]);
        let mut total = 0.0;
        for row in 0..rows {
            total += f64::from(user[row]) + f64::from(item[row]) + f64::from(rating[row]) + timestamp[row] as f64;
        }
        total
    }

    fn batch(&self, filled: &Columns, rows: Range<usize>, into: &mut Columns) {
        let count = rows.len();
        into.user[..count].copy_from_slice(&filled.user[rows.clone()]);
        into.item[..count].copy_from_slice(&filled.item[rows.clone()]);
        into.rating[..count].copy_from_slice(&filled.rating[rows.clone()]);
        into.timestamp[..count].copy_from_slice(&filled.timestamp[rows]);
    }

    fn back(&self, filled: &Columns) -> Columns {
        filled.clone()
    }

    fn objects(&self) -> u32 {
        4
    }

    fn header_bytes(&self) -> u64 {
        size_of::<Vec<u32>>() as u64
    }

    fn buffer_bytes(&self, filled: &Columns) -> u64 {
        20 * filled.rating.len() as u64
    }
}

impl Columns {
    /// So many rows of nothing.
    pub fn zeros(rows: usize) -> Self {
        Self { user: vec![0; rows], item: vec![0; rows], rating: vec![0.0; rows], timestamp: vec![0; rows] }
    }

    /// Columns of bare little-endian numbers, in the order of `COLUMN_FILES`; bytes behind the last whole number are left.
    ///
    /// # Errors
    /// [`UnequalColumns`].
    pub fn from_le_bytes([user, item, rating, timestamp]: [&[u8]; 4]) -> Result<Self, UnequalColumns> {
        let columns = Self {
            user: numbers(user, u32::from_le_bytes),
            item: numbers(item, u32::from_le_bytes),
            rating: numbers(rating, f32::from_le_bytes),
            timestamp: numbers(timestamp, i64::from_le_bytes),
        };
        let rows = [columns.user.len(), columns.item.len(), columns.rating.len(), columns.timestamp.len()];
        if rows.iter().any(|other| *other != rows[0]) { Err(UnequalColumns { rows }) } else { Ok(columns) }
    }

    /// Sum of all numbers of the first rows.
    pub fn sum(&self, rows: usize) -> f64 {
        (0..rows).map(|row| self.row(row)).sum()
    }

    /// The sum of a row's four numbers: exact, for every rating in halves of a star.
    pub fn row(&self, row: usize) -> f64 {
        f64::from(self.user[row]) + f64::from(self.item[row]) + f64::from(self.rating[row]) + self.timestamp[row] as f64
    }
}

/// Little-endian numbers of `N` bytes.
fn numbers<T, const N: usize>(bytes: &[u8], number: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(rows: usize) -> Columns {
        Columns {
            user: (0..rows as u32).map(|row| row % 70).collect(),
            item: (0..rows as u32).map(|row| row % 30).collect(),
            rating: (0..rows).map(|row| 1.0 + (row % 5) as f32).collect(),
            timestamp: (0..rows as i64).map(|row| 1_400_000_000 + row).collect(),
        }
    }

    #[test]
    fn what_takes_less_than_the_clock_sees_is_done_until_it_sees_it() {
        // A clock that ticks in whole seconds and moves a quarter at each look.
        let mut looks = 0_u32;
        let mut clock = || {
            looks += 1;
            f64::from(looks / 4)
        };
        let given = columns(10);
        let asked = Asked { repeats: 2, batch_rows: 3, single_rows: Some(4) };
        let found = measure(&Plain, &given, &given, &asked, 1.0, &mut clock);
        assert_eq!((found.single_sum, found.batch_sum), (given.sum(4), given.sum(10)));
        for seconds in [&found.single_s, &found.batch_s, &found.copy_s, &found.back_s] {
            assert_eq!(seconds.len(), 2);
            assert!(seconds.iter().all(|&mean| mean > 0.0), "{seconds:?}");
        }
        assert_eq!(found.build_s.len(), 2);
    }

    #[test]
    fn a_clock_that_stands_still_does_not_hang_it() {
        let asked = Asked { repeats: 1, batch_rows: 1, single_rows: None };
        let found = measure(&Plain, &columns(1), &columns(1), &asked, 1.0, &mut || 0.0);
        assert_eq!(found.single_s, [0.0]);
    }

    #[test]
    fn columns_are_what_their_bytes_say_and_of_one_length() {
        let given = columns(5);
        let (user, item): (Vec<u8>, Vec<u8>) = (
            given.user.iter().flat_map(|number| number.to_le_bytes()).collect(),
            given.item.iter().flat_map(|number| number.to_le_bytes()).collect(),
        );
        let rating: Vec<u8> = given.rating.iter().flat_map(|number| number.to_le_bytes()).collect();
        let timestamp: Vec<u8> = given.timestamp.iter().flat_map(|number| number.to_le_bytes()).collect();
        assert_eq!(Columns::from_le_bytes([&user, &item, &rating, &timestamp]), Ok(given));
        let short = Columns::from_le_bytes([&user, &item, &rating[..4], &timestamp]);
        assert_eq!(short, Err(UnequalColumns { rows: [5, 5, 1, 5] }));
    }
}
