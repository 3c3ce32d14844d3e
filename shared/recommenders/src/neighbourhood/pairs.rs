//! What all pairs of rows that share a column will take, told before they are made.

use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_types::{FitObserver, Remedy};

use super::GROUP_ROWS;
use crate::FitError;
use crate::memory::paces::VISITED_PER_S;
use crate::memory::{self, Needs};

/// Rows whose pairs are counted, where bounds alone do not decide.
const COUNTED: usize = 256;
/// Bytes of a kept pair: the other row, and a number.
pub(super) const PAIR_BYTES: u64 = 8;

/// How much of the pairs is kept, and what that takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeping {
    /// Pairs of a row, at most.
    pub(super) most: usize,
    /// Bytes of each, all told.
    pub(super) pair_bytes: u64,
    /// Bytes beside the pairs.
    pub(super) beside: u64,
    /// Entries that one thread adds up in a second.
    pub(super) visits_per_s: f64,
}

impl Keeping {
    /// All pairs, once.
    pub(super) const ALL: Self =
        Self { most: usize::MAX, pair_bytes: PAIR_BYTES, beside: 0, visits_per_s: VISITED_PER_S };
}

/// Rows, and the same numbers by column.
#[derive(Clone, Copy)]
pub(super) struct Pairs<'a> {
    pub(super) rows: &'a Csr,
    pub(super) columns: &'a Csr,
}

impl Pairs<'_> {
    /// Refuses pairs that have become more than was counted beforehand. `kept`: pairs so far.
    ///
    /// # Errors
    /// [`FitError::Unaffordable`]
    pub(super) fn check_kept(
        self,
        kept: usize,
        allowed: u64,
        (what, remedy): (&'static str, &'static Remedy),
    ) -> Result<(), FitError> {
        let bytes = PAIR_BYTES * kept as u64;
        if bytes <= allowed {
            return Ok(());
        }
        let seconds = Some(self.seconds(VISITED_PER_S));
        Err(FitError::Unaffordable { what, bytes, stays: bytes, at_test: bytes, seconds, fits: None, remedy })
    }

    /// Refuses a matrix of pairs that takes more than `allowed` bytes. `count`: of a row, how many pairs it has.
    ///
    /// A row has at most as many pairs as there are entries in its columns, and as there are rows, and keeps some of
    /// them. Where the sum of that is too much, some rows are counted, and the others are taken to keep the same share
    /// of their bounds.
    ///
    /// # Errors
    /// [`FitError::Unaffordable`], or stopped while rows were counted.
    pub(super) fn check(
        self,
        count: impl Fn(usize) -> usize + Sync,
        Keeping { most, pair_bytes, beside, visits_per_s }: Keeping,
        allowed: u64,
        (what, remedy): (&'static str, &'static Remedy),
        observer: &mut dyn FitObserver,
    ) -> Result<(), FitError> {
        let n_rows = self.rows.n_rows();
        let of_a_row = (most as u64).min(n_rows as u64);
        let bound = |row: usize| self.visits(row).min(of_a_row);
        let bounds: u64 = (0..n_rows).into_par_iter().map(bound).sum();
        if bounds.saturating_mul(pair_bytes).saturating_add(beside) <= allowed {
            return Ok(());
        }
        let step = n_rows.div_ceil(COUNTED).max(1);
        let some: Vec<usize> = (0..n_rows).step_by(step).collect();
        let (mut counted, mut of_counted) = (0, 0);
        for (group, rows) in some.chunks(GROUP_ROWS).enumerate() {
            if observer.stop_requested() {
                let (done, total) = ((group * GROUP_ROWS) as u64, some.len() as u64);
                return Err(FitError::Interrupted { done, total, unit: "rows that are counted beforehand" });
            }
            let of_row = |&row: &usize| ((count(row) as u64).min(of_a_row), bound(row));
            let (pairs, most) = rows.par_iter().map(of_row).reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
            counted += pairs;
            of_counted += most;
        }
        let pairs = bounds as f64 * (counted as f64 / of_counted.max(1) as f64);
        let bytes = (pair_bytes as f64 * pairs).round() as u64 + beside;
        let stays = PAIR_BYTES * pairs.round() as u64;
        memory::check(Needs { bytes, stays, seconds: self.seconds(visits_per_s) }, allowed, what, remedy)
    }

    /// About how long all pairs take.
    pub(super) fn seconds(self, visits_per_s: f64) -> f64 {
        let all: u64 = (0..self.rows.n_rows()).into_par_iter().map(|row| self.visits(row)).sum();
        all as f64 / (visits_per_s * rayon::current_num_threads() as f64)
    }

    /// Entries in the columns of a row.
    fn visits(self, row: usize) -> u64 {
        let (columns, _) = self.rows.row(row);
        columns.iter().map(|&column| self.columns.row(column as usize).0.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::{EventKind, Unobserved};

    use super::*;

    /// Stops whatever asks it.
    struct Stopping;

    impl FitObserver for Stopping {
        fn event(&mut self, _: EventKind) {}
        fn stop_requested(&mut self) -> bool {
            true
        }
        fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
        fn take_resume_state(&mut self) -> Option<Vec<u8>> {
            None
        }
    }

    const NOTHING: &Remedy = &Remedy { lower: "nothing", instead: &[] };

    /// Every row has the columns that its number divides.
    fn rows(n: usize, n_columns: usize) -> Csr {
        let mut csr = Csr { indptr: vec![0], ..Csr::default() };
        for row in 0..n {
            csr.indices.extend((0..n_columns as u32).filter(|column| (*column as usize).is_multiple_of(row + 1)));
            csr.values.resize(csr.indices.len(), 1.0);
            csr.indptr.push(csr.indices.len());
        }
        csr
    }

    fn kept(rows: &Csr, columns: &Csr, row: usize) -> usize {
        let all = rows.row(row).0.iter().flat_map(|&column| columns.row(column as usize).0).copied();
        all.filter(|other| *other as usize != row).collect::<std::collections::BTreeSet<u32>>().len()
    }

    #[test]
    fn what_fits_passes_and_what_does_not_is_told_with_its_size_and_time() {
        let rows = rows(400, 900);
        let columns = rows.transpose(900);
        let pairs = Pairs { rows: &rows, columns: &columns };
        let bytes: u64 = (0..400).map(|row| PAIR_BYTES * kept(&rows, &columns, row) as u64).sum();
        let count = |row| kept(&rows, &columns, row);
        let check = |allowed| pairs.check(count, Keeping::ALL, allowed, ("pairs", NOTHING), &mut Unobserved);
        assert_eq!(check(u64::MAX), Ok(()));
        assert_eq!(check(bytes * 5 / 4), Ok(()), "the bound alone would refuse it");
        let told = check(bytes / 2).expect_err("twice as much as there is");
        let FitError::Unaffordable { bytes: foretold, seconds, .. } = told else { panic!("{told}") };
        assert!(foretold.abs_diff(bytes) < bytes / 5, "{foretold} of {bytes}");
        assert!(seconds.is_some_and(|seconds| seconds > 0.0));
    }

    #[test]
    fn what_a_row_does_not_keep_takes_nothing_and_what_lies_beside_is_counted() {
        let rows = rows(400, 900);
        let columns = rows.transpose(900);
        let pairs = Pairs { rows: &rows, columns: &columns };
        let keeping = Keeping { most: 3, pair_bytes: 10, beside: 77, ..Keeping::ALL };
        let count = |row| kept(&rows, &columns, row);
        let check = |allowed| pairs.check(count, keeping, allowed, ("pairs", NOTHING), &mut Unobserved);
        assert_eq!(check(3 * 400 * 10 + 77), Ok(()));
        let told = check(76).expect_err("what lies beside alone is more");
        let FitError::Unaffordable { bytes, .. } = told else { panic!("{told}") };
        assert!((77 + 2 * 400 * 10..=77 + 3 * 400 * 10).contains(&bytes), "{bytes}");
    }

    #[test]
    fn counting_before_a_refusal_can_be_stopped_and_what_needs_no_count_asks_nobody() {
        let rows = rows(400, 900);
        let columns = rows.transpose(900);
        let pairs = Pairs { rows: &rows, columns: &columns };
        let count = |row| kept(&rows, &columns, row);
        let check = |allowed| pairs.check(count, Keeping::ALL, allowed, ("pairs", NOTHING), &mut Stopping);
        assert_eq!(check(u64::MAX), Ok(()));
        assert!(matches!(check(0), Err(FitError::Interrupted { done: 0, total: 200, .. })), "{:?}", check(0));
    }
}
