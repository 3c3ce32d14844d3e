//! The inverse of a positive definite matrix in f64, on all threads, with the same bits on any number of them.
//!
//! The matrix is cut into tiles of one size. Threads take whole columns of tiles, and each product of tiles is computed by one of
//! them: how many there are decides who computes what, and not what is computed.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

/// Why there is no inverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InverseError {
    /// Rounding has lost that the matrix is positive definite; what it holds is of no use.
    #[error("the matrix is not positive definite")]
    NotPositiveDefinite,
    /// The memory cannot be had.
    #[error("the inverse takes {bytes} bytes, more than there are")]
    OutOfMemory {
        /// What it takes.
        bytes: u64,
    },
}

/// Rows and columns of a tile: three of them fit the second-level cache.
const TILE: usize = 128;

/// Turns a symmetric positive definite matrix, `[n, n]`, into its inverse; of both the lower triangle counts, a column at a time.
/// Takes `n³` operations, as many multiplications as additions, and another `n²` numbers.
///
/// Source: Golub, Van Loan, "Matrix Computations", section 4.2: `A = L·Lᵀ`, `A⁻¹ = L⁻ᵀ·L⁻¹`.
///
/// # Errors
/// [`InverseError`].
pub fn invert(matrix: &mut [f64], n: usize) -> Result<(), InverseError> {
    if n == 0 {
        return Ok(());
    }
    let mut inverse: Vec<f64> = Vec::new();
    match n.checked_mul(n) {
        Some(len) if inverse.try_reserve_exact(len).is_ok() => inverse.resize(len, 0.0),
        len => {
            let bytes = len.and_then(|len| len.checked_mul(size_of::<f64>())).map_or(u64::MAX, |bytes| bytes as u64);
            return Err(InverseError::OutOfMemory { bytes });
        }
    }
    factorise(matrix, n).ok_or(InverseError::NotPositiveDefinite)?;
    invert_factor(matrix, n, &mut inverse);
    matrix.par_chunks_mut(TILE * n).with_max_len(1).enumerate().for_each(|(j, column)| {
        for i in j..n.div_ceil(TILE) {
            let (left, right) = (tiles_below(&inverse, n, i, i), tiles_below(&inverse, n, j, i));
            let target = rows_of(column, n).subrows_mut(i * TILE, left.ncols());
            matmul(target, Accum::Replace, left.transpose(), right, 1.0, Par::Seq);
        }
    });
    Ok(())
}

/// `L` of `matrix = L·Lᵀ` into its lower triangle; the upper ones of its tiles are left as they are. `None` where there is none.
fn factorise(matrix: &mut [f64], n: usize) -> Option<()> {
    for k in 0..n.div_ceil(TILE) {
        let end = ((k + 1) * TILE).min(n) * n;
        let (done, rest) = matrix.split_at_mut(end);
        let column = rows_of(&mut done[k * TILE * n..], n);
        let width = column.ncols();
        let (mut square, mut below) = column.split_at_row_mut(k * TILE).1.split_at_row_mut(width);
        let factor = square.as_ref().llt(Side::Lower).ok()?;
        square.copy_from_triangular_lower(factor.L());
        solve_rows(square.as_ref(), below.as_mut());
        let below = below.as_ref();
        rest.par_chunks_mut(TILE * n).with_max_len(1).enumerate().for_each(|(at, column)| {
            let column = rows_of(column, n);
            let (first, width) = (at * TILE, column.ncols());
            let left = below.subrows(first, below.nrows() - first);
            let right = below.subrows(first, width).transpose();
            let target = column.split_at_row_mut((k + 1 + at) * TILE).1;
            matmul(target, Accum::Add, left, right, -1.0, Par::Seq);
        });
    }
    Some(())
}

/// `rows ← rows·L⁻ᵀ`, each row by itself.
fn solve_rows(lower: MatRef<'_, f64>, rows: MatMut<'_, f64>) {
    let tiles = rows.nrows().div_ceil(TILE);
    if tiles > 1 {
        let (above, below) = rows.split_at_row_mut(tiles / 2 * TILE);
        rayon::join(|| solve_rows(lower, above), || solve_rows(lower, below));
    } else if tiles == 1 {
        solve_lower_triangular_in_place(lower, rows.transpose_mut(), Par::Seq);
    }
}

/// `L⁻¹`, into `inverse`, which is zero and stays so above the diagonal.
fn invert_factor(factor: &[f64], n: usize, inverse: &mut [f64]) {
    inverse.par_chunks_mut(TILE * n).with_max_len(1).enumerate().for_each(|(j, column)| {
        let mut rest = rows_of(column, n).split_at_row_mut(j * TILE).1;
        for at in 0..rest.ncols() {
            rest[(at, at)] = 1.0;
        }
        for i in j..n.div_ceil(TILE) {
            let lower = tiles_below(factor, n, i, i);
            let (diagonal, below) = lower.split_at_row(lower.ncols());
            let (mut own, mut further) = rest.split_at_row_mut(lower.ncols());
            solve_lower_triangular_in_place(diagonal, own.as_mut(), Par::Seq);
            matmul(further.as_mut(), Accum::Add, below, own.as_ref(), -1.0, Par::Seq);
            rest = further;
        }
    });
}

/// The column `j` of tiles, from the tile of row `i` down.
fn tiles_below(matrix: &[f64], n: usize, j: usize, i: usize) -> MatRef<'_, f64> {
    let (from, to) = (j * TILE, ((j + 1) * TILE).min(n));
    MatRef::from_column_major_slice(&matrix[from * n..to * n], n, to - from).split_at_row(i * TILE).1
}

/// A column of tiles, all rows.
fn rows_of(column: &mut [f64], n: usize) -> MatMut<'_, f64> {
    let width = column.len() / n;
    MatMut::from_column_major_slice_mut(column, n, width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `M·Mᵀ + n·I` of a matrix of numbers that a seed gives.
    fn positive(n: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        let drawn: Vec<f64> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
        })
        .take(n * n)
        .collect();
        let entry = |i: usize, j: usize| -> f64 {
            let sum: f64 = (0..n).map(|k| drawn[i * n + k] * drawn[j * n + k]).sum();
            sum + if i == j { n as f64 } else { 0.0 }
        };
        (0..n * n).map(|at| entry(at % n, at / n)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn a_matrix_times_its_inverse_is_one(n in prop_oneof![1..40_usize, 120..140_usize, 250..390_usize], seed: u64) {
            let matrix = positive(n, seed);
            let mut inverse = matrix.clone();
            invert(&mut inverse, n).unwrap();
            let of = |i: usize, j: usize| inverse[i.min(j) * n + i.max(j)];
            for i in (0..n).step_by(7) {
                for j in 0..n {
                    let sum: f64 = (0..n).map(|k| matrix[i * n + k] * of(k, j)).sum();
                    prop_assert!((sum - f64::from(u8::from(i == j))).abs() < 1e-9, "({i}, {j}) of {n}: {sum}");
                }
            }
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let n = 3 * TILE + 17;
        let on = |threads: usize| {
            let mut matrix = positive(n, 5);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| invert(&mut matrix, n)).unwrap();
            matrix.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        let one = on(1);
        assert!((2..=4).all(|threads| on(threads) == one));
    }

    #[test]
    fn a_matrix_that_is_not_positive_is_told() {
        let n = TILE + 2;
        let mut matrix = positive(n, 9);
        matrix[(n - 1) * n + n - 1] = -1.0;
        assert!(invert(&mut matrix, n) == Err(InverseError::NotPositiveDefinite));
        assert!(invert(&mut [], 0).is_ok());
    }
}
