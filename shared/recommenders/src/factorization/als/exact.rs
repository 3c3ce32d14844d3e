//! Exact solutions, row by row.

use pulp::{Arch, Simd, WithSimd};
use recspeed_dense::{Cholesky, add_scaled};

use super::conjugate_gradient::{self, SolveBlock};
use super::solve::Systems;

pub(super) struct Scratch {
    matrix: Vec<f32>,
    target: Vec<f32>,
    iterative: conjugate_gradient::Scratch,
}

impl Scratch {
    pub(super) fn new(d: usize) -> Self {
        Self { matrix: vec![0.0; d * d], target: vec![0.0; d], iterative: conjugate_gradient::Scratch::new(d) }
    }
}

/// The exact solution of each row of a block. A system that is singular within f32, as with λ = 0 and fewer items than
/// factors, is solved by `d` steps of conjugate gradient instead, which find one of its solutions.
pub(super) struct SolveExactly<'a> {
    pub(super) systems: Systems<'a>,
    /// Number of the block's first row.
    pub(super) first: usize,
    /// `[rows, d]`
    pub(super) vectors: &'a mut [f32],
    pub(super) scratch: &'a mut Scratch,
}

impl WithSimd for SolveExactly<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { systems, first, vectors, scratch } = self;
        let d = systems.settings.factors;
        for (index, vector) in vectors.chunks_exact_mut(d).enumerate() {
            let row = first + index;
            if systems.entries.row(row).0.is_empty() {
                vector.fill(0.0);
                continue;
            }
            assemble(simd, &systems, row, &mut scratch.matrix);
            scratch.target.fill(0.0);
            for (extra, y) in systems.entries_of(row) {
                add_scaled(simd, 1.0 + extra, y, &mut scratch.target);
            }
            match Cholesky::factorise(simd, &mut scratch.matrix, d) {
                Ok(factor) => {
                    factor.solve(simd, &mut scratch.target);
                    vector.copy_from_slice(&scratch.target);
                }
                Err(_) => SolveBlock {
                    systems,
                    first: row,
                    vectors: vector,
                    steps: d as u32,
                    scratch: &mut scratch.iterative,
                }
                .with_simd(simd),
            }
        }
    }
}

/// The lower triangle of a row's matrix, `G + λI + Σ_i e_ui · y_i y_iᵀ`.
#[inline(always)]
fn assemble<S: Simd>(simd: S, systems: &Systems<'_>, row: usize, matrix: &mut [f32]) {
    matrix.copy_from_slice(systems.gram);
    for (extra, y) in systems.entries_of(row) {
        for (i, line) in matrix.chunks_exact_mut(y.len()).enumerate() {
            add_scaled(simd, extra * y[i], &y[..=i], &mut line[..=i]);
        }
    }
}

impl Systems<'_> {
    /// `A⁻¹ · target` with the matrix `A` of a row; `None` when it is singular within f32.
    pub(super) fn solve_for(&self, row: usize, target: &[f32]) -> Option<Vec<f32>> {
        Arch::new().dispatch(SolveFor { systems: self, row, target })
    }
}

struct SolveFor<'a> {
    systems: &'a Systems<'a>,
    row: usize,
    target: &'a [f32],
}

impl WithSimd for SolveFor<'_> {
    type Output = Option<Vec<f32>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let d = self.target.len();
        let mut matrix = vec![0.0; d * d];
        assemble(simd, self.systems, self.row, &mut matrix);
        let mut solved = self.target.to_vec();
        Cholesky::factorise(simd, &mut matrix, d).ok()?.solve(simd, &mut solved);
        Some(solved)
    }
}
