//! Products of a tall matrix with itself.

use rayon::prelude::*;

use crate::gemm::{Into, Matrix, multiply};

/// Rows of one partial sum, at least.
const PIECE_ROWS: usize = 1024;

/// Partial sums of a [`gramian`], at most: bounds the memory beside the result.
pub const GRAM_PIECES: usize = 32;

/// `XᵀX`. Each piece of rows is multiplied in f32, pieces are added in f64 in their order; the pieces depend on the shape
/// only, so the bits do not depend on the number of threads.
///
/// # Shapes
/// - `rows`: `[n, d]`, rows one after another
/// - returns: `[d, d]`
pub fn gramian(rows: &[f32], d: usize) -> Vec<f64> {
    let piece = PIECE_ROWS.max((rows.len() / d).div_ceil(GRAM_PIECES));
    let pieces: Vec<Vec<f32>> = rows
        .par_chunks(piece * d)
        .map(|piece| {
            let piece = Matrix::by_rows(piece, piece.len() / d, d);
            let mut product = vec![0.0; d * d];
            multiply(&mut product, Into::Overwrite, piece.transposed(), piece);
            product
        })
        .collect();
    let mut sum = vec![0.0; d * d];
    for piece in pieces {
        for (sum, value) in sum.iter_mut().zip(piece) {
            *sum += f64::from(value);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gramian_over_several_pieces_is_the_sum_of_outer_products() {
        let (n, d) = (5 * PIECE_ROWS + 3, 3);
        let rows: Vec<f32> = (0..n * d).map(|i| (i % 7) as f32 - 3.0).collect();
        let sum = gramian(&rows, d);
        for a in 0..d {
            for b in 0..d {
                let expected: f64 = rows.chunks(d).map(|row| f64::from(row[a]) * f64::from(row[b])).sum();
                assert_eq!(sum[a * d + b], expected);
            }
        }
    }
}
