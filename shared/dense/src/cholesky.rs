//! Solving symmetric positive definite systems.

use pulp::Simd;

use crate::kernels::dot;

/// The matrix is singular, or not positive definite, within f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPositiveDefinite;

/// A lower triangle `L` with `A = L·Lᵀ`, in place of `A`; rows one after another.
#[derive(Debug)]
pub struct Cholesky<'a> {
    lower: &'a mut [f32],
    d: usize,
}

impl<'a> Cholesky<'a> {
    /// Factorises in place; reads only the lower triangle of `matrix`, `[d, d]`. A pivot below `d · ε` of its diagonal
    /// element counts as zero.
    ///
    /// # Errors
    /// [`NotPositiveDefinite`].
    #[inline(always)]
    pub fn factorise<S: Simd>(simd: S, matrix: &'a mut [f32], d: usize) -> Result<Self, NotPositiveDefinite> {
        for i in 0..d {
            let (above, row) = matrix.split_at_mut(i * d);
            let row = &mut row[..=i];
            for j in 0..i {
                let other = &above[j * d..=j * d + j];
                row[j] = (row[j] - dot(simd, &row[..j], &other[..j])) / other[j];
            }
            let diagonal = row[i];
            let pivot = diagonal - dot(simd, &row[..i], &row[..i]);
            if pivot.is_nan() || pivot <= diagonal.abs() * (d as f32 * f32::EPSILON) {
                return Err(NotPositiveDefinite);
            }
            row[i] = pivot.sqrt();
        }
        Ok(Self { lower: matrix, d })
    }

    /// Solves `A · x = b` in place: `x` holds `b` before and the solution after.
    #[inline(always)]
    pub fn solve<S: Simd>(&self, simd: S, x: &mut [f32]) {
        let d = self.d;
        for i in 0..d {
            let row = &self.lower[i * d..=i * d + i];
            x[i] = (x[i] - dot(simd, &row[..i], &x[..i])) / row[i];
        }
        for i in (0..d).rev() {
            let row = &self.lower[i * d..=i * d + i];
            x[i] /= row[i];
            let value = x[i];
            for (x, &l) in x[..i].iter_mut().zip(row) {
                *x -= l * value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, WithSimd};

    struct Solve<'a>(&'a mut [f32], &'a mut [f32]);

    impl WithSimd for Solve<'_> {
        type Output = Result<(), NotPositiveDefinite>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let d = self.1.len();
            Cholesky::factorise(simd, self.0, d).map(|factor| factor.solve(simd, self.1))
        }
    }

    #[test]
    fn a_hand_worked_system() {
        // [[4, 2], [2, 3]] · [1, 2] = [8, 8]; the upper triangle is never read.
        let mut x = [8.0, 8.0];
        assert_eq!(Arch::new().dispatch(Solve(&mut [4.0, f32::NAN, 2.0, 3.0], &mut x)), Ok(()));
        assert!((x[0] - 1.0).abs() < 1e-6 && (x[1] - 2.0).abs() < 1e-6, "{x:?}");
    }

    #[test]
    fn a_singular_matrix_is_refused() {
        let singular = Arch::new().dispatch(Solve(&mut [1.0, 1.0, 1.0, 1.0], &mut [1.0, 1.0]));
        assert_eq!(singular, Err(NotPositiveDefinite));
    }
}
