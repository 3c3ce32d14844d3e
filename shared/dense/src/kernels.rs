//! Vector loops. Each is generic over the instruction set and inlined into a caller that chose it.

use pulp::{Arch, Simd, WithSimd};

/// `Σ a_i · b_i`, in four running sums of vectors.
#[inline(always)]
pub fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let (a, a_tail) = S::as_simd_f32s(a);
    let (b, b_tail) = S::as_simd_f32s(b);
    let (a_fours, a_rest) = a.as_chunks::<4>();
    let (b_fours, b_rest) = b.as_chunks::<4>();
    let zero = simd.splat_f32s(0.0);
    let (mut s0, mut s1, mut s2, mut s3) = (zero, zero, zero, zero);
    for (a, b) in a_fours.iter().zip(b_fours) {
        s0 = simd.mul_add_e_f32s(a[0], b[0], s0);
        s1 = simd.mul_add_e_f32s(a[1], b[1], s1);
        s2 = simd.mul_add_e_f32s(a[2], b[2], s2);
        s3 = simd.mul_add_e_f32s(a[3], b[3], s3);
    }
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        s0 = simd.mul_add_e_f32s(a, b, s0);
    }
    let sum = simd.add_f32s(simd.add_f32s(s0, s1), simd.add_f32s(s2, s3));
    let mut sum = simd.reduce_sum_f32s(sum);
    for (&a, &b) in a_tail.iter().zip(b_tail) {
        sum += a * b;
    }
    sum
}

/// `y += α · x`
#[inline(always)]
pub fn add_scaled<S: Simd>(simd: S, alpha: f32, x: &[f32], y: &mut [f32]) {
    let (x, x_tail) = S::as_simd_f32s(x);
    let (y, y_tail) = S::as_mut_simd_f32s(y);
    let alphas = simd.splat_f32s(alpha);
    for (&x, y) in x.iter().zip(y) {
        *y = simd.mul_add_e_f32s(alphas, x, *y);
    }
    for (&x, y) in x_tail.iter().zip(y_tail) {
        *y += alpha * x;
    }
}

/// `scores_i = vector · rows_i` for every row of a matrix.
///
/// # Shapes
/// - `vector`: `[d]`; `rows`: `[n, d]`, rows one after another; `scores`: `[n]`
pub fn dot_all(vector: &[f32], rows: &[f32], scores: &mut [f32]) {
    struct DotAll<'a>(&'a [f32], &'a [f32], &'a mut [f32]);
    impl WithSimd for DotAll<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(vector, rows, scores) = self;
            for (row, score) in rows.chunks_exact(vector.len()).zip(scores) {
                *score = dot(simd, vector, row);
            }
        }
    }
    Arch::new().dispatch(DotAll(vector, rows, scores));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_dot_product_is_exact_on_whole_numbers_of_any_length(values in prop::collection::vec((-9i8..9, -9i8..9), 1..200)) {
            let (a, b): (Vec<f32>, Vec<f32>) = values.iter().map(|&(a, b)| (f32::from(a), f32::from(b))).unzip();
            let expected: i32 = values.iter().map(|&(a, b)| i32::from(a) * i32::from(b)).sum();
            let mut score = [0.0];
            dot_all(&a, &b, &mut score);
            prop_assert_eq!(score[0], expected as f32);
        }
    }
}
