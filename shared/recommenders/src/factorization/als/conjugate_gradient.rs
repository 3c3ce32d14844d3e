//! Conjugate gradient on a block of rows in lockstep, so that the products with the shared matrix are matrix products.

use pulp::{Simd, WithSimd};
use recspeed_dense::{Into, Matrix, add_scaled, dot, multiply};

use super::solve::{BLOCK_ROWS, Systems};

/// A squared residual below it ends the steps of a row.
const SOLVED: f32 = 1e-20;

/// Vectors of the rows of one block that have entries, `[active, d]` each.
pub(super) struct Scratch {
    active: Vec<usize>,
    solution: Vec<f32>,
    residual: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
    squares: Vec<f32>,
}

impl Scratch {
    pub(super) fn new(d: usize) -> Self {
        let block = || vec![0.0; BLOCK_ROWS * d];
        Self {
            active: Vec::with_capacity(BLOCK_ROWS),
            solution: block(),
            residual: block(),
            direction: block(),
            product: block(),
            squares: vec![0.0; BLOCK_ROWS],
        }
    }
}

/// `steps` steps for each row of a block, from the vectors that are there. A row without entries becomes 0, its solution.
pub(super) struct SolveBlock<'a> {
    pub(super) systems: Systems<'a>,
    /// Number of the block's first row.
    pub(super) first: usize,
    /// `[rows, d]`
    pub(super) vectors: &'a mut [f32],
    pub(super) steps: u32,
    pub(super) scratch: &'a mut Scratch,
}

impl WithSimd for SolveBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { systems, first, vectors, steps, scratch } = self;
        let d = systems.settings.factors;
        scratch.active.clear();
        for (index, vector) in vectors.chunks_exact_mut(d).enumerate() {
            if systems.entries.row(first + index).0.is_empty() {
                vector.fill(0.0);
            } else {
                scratch.solution[scratch.active.len() * d..][..d].copy_from_slice(vector);
                scratch.active.push(first + index);
            }
        }
        let rows = scratch.active.len();
        let size = rows * d;
        let solution = &mut scratch.solution[..size];
        let residual = &mut scratch.residual[..size];
        let direction = &mut scratch.direction[..size];
        let product = &mut scratch.product[..size];
        let gram = Matrix::by_rows(systems.gram, d, d);

        // r = b − A x, where A x = (G + λI) x + Σ e (y·x) y.
        multiply(product, Into::Overwrite, Matrix::by_rows(solution, rows, d), gram);
        for (at, &row) in scratch.active.iter().enumerate() {
            let x = &solution[at * d..][..d];
            let r = &mut residual[at * d..][..d];
            for (r, &p) in r.iter_mut().zip(&product[at * d..][..d]) {
                *r = -p;
            }
            for (extra, y) in systems.entries_of(row) {
                let weight = 1.0 + extra - extra * dot(simd, y, x);
                add_scaled(simd, weight, y, r);
            }
            scratch.squares[at] = dot(simd, r, r);
        }
        direction.copy_from_slice(residual);

        for _ in 0..steps {
            multiply(product, Into::Overwrite, Matrix::by_rows(direction, rows, d), gram);
            for (at, &row) in scratch.active.iter().enumerate() {
                let before = scratch.squares[at];
                if before < SOLVED {
                    continue;
                }
                let range = at * d..(at + 1) * d;
                let p = &mut direction[range.clone()];
                let ap = &mut product[range.clone()];
                for (extra, y) in systems.entries_of(row) {
                    let weight = extra * dot(simd, y, p);
                    add_scaled(simd, weight, y, ap);
                }
                let curvature = dot(simd, p, ap);
                // Rounding can take a flat direction of a singular system below 0: the row is as solved as it gets.
                if curvature <= 0.0 {
                    scratch.squares[at] = 0.0;
                    continue;
                }
                let alpha = before / curvature;
                add_scaled(simd, alpha, p, &mut solution[range.clone()]);
                let r = &mut residual[range];
                add_scaled(simd, -alpha, ap, r);
                let after = dot(simd, r, r);
                let beta = after / before;
                for (p, &r) in p.iter_mut().zip(&*r) {
                    *p = r + beta * *p;
                }
                scratch.squares[at] = after;
            }
        }
        for (at, &row) in scratch.active.iter().enumerate() {
            vectors[(row - first) * d..][..d].copy_from_slice(&solution[at * d..][..d]);
        }
    }
}
