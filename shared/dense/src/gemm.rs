//! Matrix products of plain slices, on the calling thread.

/// A view of a matrix: `rows × columns` numbers, strides counted in numbers.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after another.
    ///
    /// # Panics
    /// When there are not `rows × columns` numbers.
    pub fn by_rows(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix of {rows} × {columns}");
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// Rows become columns.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// What becomes of the numbers that a product is written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// They are lost.
    Overwrite,
    /// The product is added to them.
    Add,
}

/// `product = a · b` or `product += a · b`, rows one after another. The same shapes give the same bits on the same
/// processor.
///
/// # Panics
/// When the shapes do not fit.
#[expect(unsafe_code, reason = "the kernels of `gemm` take pointers; every bound is checked above the call")]
pub fn multiply(product: &mut [f32], into: Into, a: Matrix<'_>, b: Matrix<'_>) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(k, b.rows, "inner dimensions");
    assert_eq!(product.len(), m * n, "size of the product");
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: the three slices cover m × n, m × k and k × n numbers at these strides, because `Matrix` is only made by
    // `by_rows`, which checks the length, and by `transposed`, which swaps sizes and strides together. `product` is
    // exclusively borrowed, so it overlaps neither factor. A factor with k = 0 is never read.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            product.as_mut_ptr(),
            1,
            n as isize,
            into == Into::Add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_product_is_what_the_definition_says(
            m in 1..20usize, n in 1..20usize, k in 0..40usize, add: bool, seed in 0..1000u32,
        ) {
            // Small whole numbers: every sum is exact, whatever its order.
            let number = |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 28) as f32 - 8.0;
            let a: Vec<f32> = (0..m * k).map(number).collect();
            let b: Vec<f32> = (0..n * k).map(|i| number(i + 7)).collect();
            let (mut product, into) = if add { (vec![3.0; m * n], Into::Add) } else { (vec![f32::NAN; m * n], Into::Overwrite) };
            multiply(&mut product, into, Matrix::by_rows(&a, m, k), Matrix::by_rows(&b, n, k).transposed());
            for row in 0..m {
                for column in 0..n {
                    let expected: f32 = (0..k).map(|i| a[row * k + i] * b[column * k + i]).sum();
                    prop_assert_eq!(product[row * n + column], expected + if add { 3.0 } else { 0.0 });
                }
            }
        }
    }
}
