//! Ratings read back from a container, one by one and in batches: what is measured, without a clock of its own.
//!
//! Every number that is read is added up, so that nothing can be left out.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Range;

use recspeed_types::study::retrieval::{Asked, Beyond, Retrieved, WARM_ROWS, WARM_S};

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
/// long, and its mean is told: clocks of browsers tick rarely. What is read out of memory is read once, for it lies in the caches then.
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
    let mut batches = Batches::of(rows, asked.batch_rows as usize);
    let batch_sum = batches.sum(container, filled);
    // The container's numbers have been through the caches by now; so have those that it is held against.
    batches.read(&Plain, plain);
    warm_up(container, filled, single_rows, now_s);
    let (mut single_sum, mut single_s) = (0.0, Vec::new());
    for _ in 0..asked.repeats {
        let mut singles = || single_sum = pass(container, black_box(filled), single_rows);
        single_s.push(mean_s(least_s, now_s, &mut singles));
    }
    let (mut batch_s, mut copy_s) = (Vec::new(), Vec::new());
    // In turns: both meet the same caches and the same load, and neither has them to itself.
    for _ in 0..asked.repeats {
        batch_s.push(mean_s(least_s, now_s, &mut || batches.read(container, black_box(filled))));
        copy_s.push(mean_s(least_s, now_s, &mut || batches.read(&Plain, black_box(plain))));
    }
    let wide = asked.beyond_bytes.and_then(|bytes| Wide::of(bytes as usize, batches.bytes()));
    let beyond = wide.map(|wide| beyond(container, (filled, plain), &mut batches, (wide, asked.repeats), now_s));
    let mut back = || {
        black_box(container.back(black_box(filled)));
    };
    let back_s = (0..asked.repeats).map(|_| mean_s(least_s, now_s, &mut back)).collect();
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
        single_s,
        loop_s: Vec::new(),
        batch_rows: batches.rows() as u64,
        batch_s,
        copy_s,
        beyond,
        back_s,
        build_s: (0..asked.repeats).map(|_| built_s(container, plain.clone(), now_s)).collect(),
        single_sum,
        batch_sum,
    }
}

/// Reads the first rows one by one, again and again until [`WARM_S`] have passed: what a library does once a process, and what an engine
/// compiles meanwhile, is no part of a row.
fn warm_up<C: Container>(container: &C, filled: &C::Filled, rows: usize, now_s: &mut impl FnMut() -> f64) {
    let (rows, start) = (rows.min(WARM_ROWS as usize), now_s());
    for _ in 0..MOST_ROUNDS {
        black_box(pass(container, black_box(filled), rows));
        if now_s() - start >= WARM_S {
            return;
        }
    }
}

/// Reads the first rows one by one, by a call of its own. An engine that compiles anew what is busy, as a browser's does with wasm, changes to
/// the better code where a function is called and not inside one that runs: put into who times it, which is called once, the loop would
/// stay in the code of the first, quick compiler however long it is warmed.
#[inline(never)]
fn pass<C: Container>(container: &C, filled: &C::Filled, rows: usize) -> f64 {
    container.singles(filled, rows)
}

/// Every row in pieces, each copied to the beginning of the same columns.
struct Batches {
    parts: Vec<Range<usize>>,
    targets: Columns,
}

impl Batches {
    fn of(rows: usize, batch_rows: usize) -> Self {
        let batch_rows = rows.min(batch_rows).max(1);
        let parts = (0..rows).step_by(batch_rows).map(|start| start..rows.min(start + batch_rows)).collect();
        Self { parts, targets: Columns::zeros(batch_rows) }
    }

    /// By a call of its own, as [`pass`].
    #[inline(never)]
    fn read<C: Container>(&mut self, container: &C, filled: &C::Filled) {
        for part in &self.parts {
            container.batch(filled, part.clone(), &mut self.targets);
        }
    }

    /// The sum of all that is read.
    fn sum<C: Container>(&mut self, container: &C, filled: &C::Filled) -> f64 {
        let mut total = 0.0;
        for part in &self.parts {
            container.batch(filled, part.clone(), &mut self.targets);
            total += self.targets.sum(part.len());
        }
        total
    }

    /// Rows of a piece.
    fn rows(&self) -> usize {
        self.targets.rating.len()
    }

    /// Bytes of a piece.
    fn bytes(&self) -> usize {
        Plain.buffer_bytes(&self.targets) as usize
    }
}

/// More bytes than a cache has, and room for a piece of them.
struct Wide {
    source: Vec<u8>,
    target: Vec<u8>,
}

impl Wide {
    /// `None` where there is no room.
    fn of(bytes: usize, piece: usize) -> Option<Self> {
        let mut source = Vec::new();
        source.try_reserve_exact(bytes).ok()?;
        // No zeros: the system may give those as one page for all, which a cache holds.
        source.resize(bytes, 1);
        Some(Self { source, target: vec![0; piece.max(1)] })
    }

    /// Copies all of it, piece by piece to the same place. Of what lay in the caches before, nothing does then.
    fn copy(&mut self) {
        for piece in self.source.chunks(self.target.len()) {
            self.target[..piece.len()].copy_from_slice(piece);
            black_box(&mut self.target);
        }
    }
}

/// Reads every row in batches, and from plain memory, each behind a copy that leaves nothing of them in the caches.
fn beyond<C: Container>(
    container: &C,
    (filled, plain): (&C::Filled, &Columns),
    batches: &mut Batches,
    (mut wide, repeats): (Wide, u32),
    now_s: &mut impl FnMut() -> f64,
) -> Beyond {
    let bytes = wide.source.len() as u64;
    let (mut memory_s, mut batch_s, mut copy_s) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..repeats {
        memory_s.push(once_s(now_s, || wide.copy()));
        batch_s.push(once_s(now_s, || batches.read(container, black_box(filled))));
        wide.copy();
        copy_s.push(once_s(now_s, || batches.read(&Plain, black_box(plain))));
    }
    Beyond { bytes, memory_s, batch_s, copy_s }
}

/// Seconds of the work.
fn once_s(now_s: &mut impl FnMut() -> f64, work: impl FnOnce()) -> f64 {
    let start = now_s();
    work();
    now_s() - start
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
    use std::cell::RefCell;

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
        let asked = Asked { repeats: 2, batch_rows: 3, single_rows: Some(4), beyond_bytes: None };
        let found = measure(&Plain, &given, &given, &asked, 1.0, &mut clock);
        assert_eq!((found.single_sum, found.batch_sum), (given.sum(4), given.sum(10)));
        for seconds in [&found.single_s, &found.batch_s, &found.copy_s, &found.back_s] {
            assert_eq!(seconds.len(), 2);
            assert!(seconds.iter().all(|&mean| mean > 0.0), "{seconds:?}");
        }
        assert_eq!(found.build_s.len(), 2);
        assert_eq!((found.batch_rows, found.beyond, found.loop_s.len()), (3, None, 0));
    }

    /// A container that writes down whenever it is filled or read, as its clock does whenever it is looked at.
    struct Watched<'a>(&'a RefCell<Vec<&'static str>>);

    impl Container for Watched<'_> {
        type Filled = Columns;

        fn fill(&self, columns: Columns) -> Columns {
            self.0.borrow_mut().push("fill");
            columns
        }

        fn singles(&self, filled: &Columns, rows: usize) -> f64 {
            let is_all = rows == filled.rating.len();
            self.0.borrow_mut().push(if is_all { "singles" } else { "first rows" });
            Plain.singles(filled, rows)
        }

        fn batch(&self, filled: &Columns, rows: Range<usize>, into: &mut Columns) {
            self.0.borrow_mut().push("batch");
            Plain.batch(filled, rows, into);
        }

        fn back(&self, filled: &Columns) -> Columns {
            self.0.borrow_mut().push("back");
            filled.clone()
        }

        fn objects(&self) -> u32 {
            4
        }

        fn header_bytes(&self) -> u64 {
            24
        }

        fn buffer_bytes(&self, filled: &Columns) -> u64 {
            Plain.buffer_bytes(filled)
        }
    }

    #[test]
    fn batches_and_the_copy_that_they_are_held_against_are_timed_in_turns_in_and_out_of_the_caches() {
        let seen = RefCell::new(Vec::new());
        let given = columns(4);
        let asked = Asked { repeats: 2, batch_rows: 4, single_rows: None, beyond_bytes: Some(1000) };
        // It moves a second at each look, so that the first rows are read once.
        let mut looks = 0.0;
        let mut clock = || {
            seen.borrow_mut().push("clock");
            looks += 1.0;
            looks
        };
        let found = measure(&Watched(&seen), &given, &given, &asked, 0.0, &mut clock);
        let (timed, copied) = (["clock", "batch", "clock"], ["clock", "clock"]);
        let once = ["clock", "singles", "clock"];
        // Of the copies of plain memory only the clock is seen.
        let in_turns = [&timed[..], &copied].concat().repeat(2);
        let beyond = [&copied[..], &timed, &copied].concat().repeat(2);
        let rest = [["clock", "back", "clock"].repeat(2), ["clock", "fill", "clock"].repeat(2)].concat();
        let all = [vec!["batch"], once.to_vec(), once.repeat(2), in_turns, beyond, rest].concat();
        assert_eq!(*seen.borrow(), all);
        let beyond = found.beyond.expect("it was asked for");
        assert_eq!((beyond.bytes, [beyond.memory_s.len(), beyond.batch_s.len(), beyond.copy_s.len()]), (1000, [2; 3]));
    }

    #[test]
    fn before_any_row_is_timed_the_first_are_read_again_and_again_for_as_long_as_of_every_container() {
        let given = columns(2 * WARM_ROWS as usize);
        let asked = Asked { repeats: 2, batch_rows: 100, single_rows: None, beyond_bytes: None };
        // How often the first rows are read where one such call takes so many seconds.
        let calls = |seconds: f64| {
            let (seen, mut now) = (RefCell::new(Vec::new()), 0.0);
            let mut clock = || {
                now += seconds;
                now
            };
            let found = measure(&Watched(&seen), &given, &given, &asked, 0.0, &mut clock);
            assert_eq!(found.single_sum, given.sum(given.rating.len()), "the timed passes read all");
            let seen = seen.into_inner();
            let first = seen.iter().position(|what| *what == "singles").expect("a timed pass");
            assert!(!seen[first..].contains(&"first rows"), "none is read between those that are timed");
            seen.iter().filter(|what| **what == "first rows").count()
        };
        assert_eq!(calls(2.0 * WARM_S), 1, "a slow container reads them once");
        assert_eq!([calls(WARM_S / 3.5), calls(WARM_S / 63.5)], [4, 64], "until the time has passed");
    }

    #[test]
    fn the_copy_beyond_the_caches_goes_over_every_byte_and_lies_in_pages_of_its_own() {
        let mut wide = Wide::of(10, 4).expect("room");
        assert_eq!(wide.source, [1; 10], "zeros may all be one page");
        wide.copy();
        assert_eq!(wide.target, [1; 4]);
        wide.source = (0..10).collect();
        wide.copy();
        assert_eq!(wide.target, [8, 9, 6, 7], "the last piece is shorter");
        assert!(Wide::of(usize::MAX, 4).is_none(), "no room is no crash");
    }

    #[test]
    fn a_clock_that_stands_still_does_not_hang_it() {
        let asked = Asked { repeats: 1, batch_rows: 1, single_rows: None, beyond_bytes: None };
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
