//! One half of an iteration: every vector of one side, while the other side stands still.

use pulp::Arch;
use rayon::prelude::*;
use recspeed_data::Csr;

use super::conjugate_gradient::{self, SolveBlock};
use super::exact::{self, SolveExactly};
use super::{AlsSettings, Solver};

/// Rows that are solved together. Their borders are fixed, so the bits do not depend on the number of threads.
pub(crate) const BLOCK_ROWS: usize = 64;

/// Floating-point operations of one group of blocks, about a tenth of a second on two cores.
const GROUP_FLOP: f64 = 4e9;

/// The system of every row `u` of a side: `(G + λI + Σ_i e_ui · y_i y_iᵀ) x_u = Σ_i (1 + e_ui) y_i`, where `e = c − 1`
/// and `i` runs over the row's entries. `G` is the Gramian of the other side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Systems<'a> {
    /// This side's rows: entries number vectors of the other side.
    pub(super) entries: &'a Csr,
    /// The other side's vectors, `[n, d]`.
    pub(super) other: &'a [f32],
    /// `G + λI`, `[d, d]`.
    pub(super) gram: &'a [f32],
    pub(super) settings: AlsSettings,
}

impl<'a> Systems<'a> {
    /// Confidence beyond 1 and vector of each entry of a row.
    #[inline(always)]
    pub(super) fn entries_of(&self, row: usize) -> impl Iterator<Item = (f32, &'a [f32])> + use<'a> {
        let (columns, ratings) = self.entries.row(row);
        let (other, d, confidence) = (self.other, self.settings.factors, self.settings.confidence);
        columns
            .iter()
            .zip(ratings)
            .map(move |(&column, &rating)| (confidence.extra(rating), &other[column as usize * d..][..d]))
    }

    /// Solves for all `vectors`, `[n_rows, d]`; asks `go_on` between groups of rows and stops when it says no.
    /// Whether all rows were solved.
    pub(super) fn solve(&self, vectors: &mut [f32], mut go_on: impl FnMut() -> bool) -> bool {
        let d = self.settings.factors;
        let arch = Arch::new();
        let mut first = 0;
        let mut rest = vectors;
        while !rest.is_empty() {
            if !go_on() {
                return false;
            }
            let rows = self.group_rows(first).min(rest.len() / d);
            let (group, after) = rest.split_at_mut(rows * d);
            let blocks = group.par_chunks_mut(BLOCK_ROWS * d).enumerate();
            match self.settings.solver {
                Solver::ConjugateGradient { steps } => blocks.for_each_init(
                    || conjugate_gradient::Scratch::new(d),
                    |scratch, (block, vectors)| {
                        let first = first + block * BLOCK_ROWS;
                        arch.dispatch(SolveBlock { systems: *self, first, vectors, steps, scratch });
                    },
                ),
                Solver::Cholesky => blocks.for_each_init(
                    || exact::Scratch::new(d),
                    |scratch, (block, vectors)| {
                        let first = first + block * BLOCK_ROWS;
                        arch.dispatch(SolveExactly { systems: *self, first, vectors, scratch });
                    },
                ),
            }
            first += rows;
            rest = after;
        }
        true
    }

    /// Rows from `first` on that make up a group, a whole number of blocks.
    fn group_rows(&self, first: usize) -> usize {
        let d = self.settings.factors as f64;
        let (row_flop, entry_flop) = match self.settings.solver {
            Solver::ConjugateGradient { steps } => {
                let products = f64::from(steps) + 1.0;
                (2.0 * products * d * d, 4.0 * products * d)
            }
            Solver::Cholesky => (d * d * d / 3.0, d * d),
        };
        group_rows(self.entries, first, row_flop, entry_flop)
    }
}

/// Rows from `first` on that make up a group, a whole number of blocks, with so many operations for each row and entry.
pub(super) fn group_rows(entries: &Csr, first: usize, row_flop: f64, entry_flop: f64) -> usize {
    let n_rows = entries.n_rows();
    let least = 8 * rayon::current_num_threads() * BLOCK_ROWS;
    let mut end = first;
    loop {
        end = (end + BLOCK_ROWS).min(n_rows);
        let flop = row_flop * (end - first) as f64 + entry_flop * (entries.indptr[end] - entries.indptr[first]) as f64;
        if end == n_rows || (flop >= GROUP_FLOP && end - first >= least) {
            return (end - first).max(1);
        }
    }
}
