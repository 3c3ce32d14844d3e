//! Ridge regression of a basket's ratings on the vectors of its items, and what each of them adds to a score.

use pulp::{Arch, Simd, WithSimd};
use recspeed_dense::{self as dense, Cholesky};

use super::Items;
use crate::BasketItem;

/// Ridge regression of the basket's ratings on the items' vectors, as far as what the basket's items say by being there
/// leaves something to explain. The vectors end in the item's bias and in 1: `x = (p, 1, μ + b_u)`, `y = (q, b_i, 1)`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::factorization) struct Ridge {
    /// The λ of one rating.
    pub(in crate::factorization) regularization: f32,
    /// The mean of all ratings.
    pub(in crate::factorization) mean: f32,
    /// Whether a person has a bias too.
    pub(in crate::factorization) biased: bool,
    /// `[n_items, d − 2]`, or empty: the sum of the vectors of the basket's items, divided by the root of their number,
    /// is a part of `p`.
    pub(in crate::factorization) implicit: Vec<f32>,
}

impl Ridge {
    pub(super) fn fold(&self, items: Items<'_>, basket: &[BasketItem]) -> Vec<f32> {
        let free = items.free();
        let given = self.given(items, basket);
        let solved = self.solve(items, basket, &given, Wanted::Ratings);
        let mut vector = vec![0.0; items.d];
        for ((value, given), solved) in vector.iter_mut().zip(&given).zip(&solved) {
            *value = given + solved;
        }
        vector[free] = 1.0;
        vector[free + 1] = self.mean + solved[free];
        vector
    }

    /// What each item of the basket adds to an item's score beside what somebody without ratings gets, `μ + b_i`.
    ///
    /// The solution is `x = A⁻¹ Σ_j rest_j z_j` with the names of [`System`], so the score is a sum over the basket:
    /// its item `j` adds `rest_j · z_iᵀ A⁻¹ z_j` by its stars and, where there are implicit vectors, `|N|^−½ y_j · q_i`
    /// by being there. Source: the analogue, for ratings, of equation 7 of Hu, Koren, Volinsky,
    /// doi:10.1109/ICDM.2008.22.
    pub(in crate::factorization) fn parts_of_score(
        &self,
        items: Items<'_>,
        basket: &[BasketItem],
        item: u32,
    ) -> Vec<(u32, f32)> {
        let free = items.free();
        let asked = items.of(item);
        let given = self.given(items, basket);
        let solved = self.solve(items, basket, &given, Wanted::Item(asked));
        let bias = if self.biased { solved[free] } else { 0.0 };
        let share = share(basket);
        let part = |own: &BasketItem| {
            let vector = items.of(own.item);
            let rest = own.rating - self.mean - vector[free] - dot(&given, &vector[..free]);
            let by_stars = rest * (dot(&solved[..free], &vector[..free]) + bias);
            let by_being_there = self.implicit_of(own.item, free).map_or(0.0, |y| share * dot(y, &asked[..free]));
            (own.item, by_stars + by_being_there)
        };
        basket.iter().map(part).collect()
    }

    /// What the basket's items say by being there, `[d − 2]`.
    fn given(&self, items: Items<'_>, basket: &[BasketItem]) -> Vec<f32> {
        let free = items.free();
        let mut given = vec![0.0; free];
        for own in basket {
            let implicit = self.implicit_of(own.item, free).unwrap_or(&[]);
            given.iter_mut().zip(implicit).for_each(|(sum, value)| *sum += value);
        }
        let share = share(basket);
        for value in &mut given {
            *value *= share;
        }
        given
    }

    fn implicit_of(&self, item: u32, free: usize) -> Option<&[f32]> {
        (!self.implicit.is_empty()).then(|| &self.implicit[item as usize * free..][..free])
    }

    /// The solution of the basket's system, `[d − 1]`; zeros where it has none.
    fn solve(&self, items: Items<'_>, basket: &[BasketItem], given: &[f32], wanted: Wanted<'_>) -> Vec<f32> {
        let mut solved = vec![0.0; items.free() + 1];
        Arch::new().dispatch(System { ridge: self, items, basket, given, wanted, solved: &mut solved });
        solved
    }
}

/// `|N|^−½`
fn share(basket: &[BasketItem]) -> f32 {
    1.0 / (basket.len().max(1) as f32).sqrt()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The right-hand side of a [`System`].
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// `Σ z rest`: the solution is the person's vector and bias.
    Ratings,
    /// `z` of this item: the solution's product with the `z` of an item of the basket is that item's weight.
    Item(&'a [f32]),
}

/// Solves `(Σ z zᵀ + λ n I) x = Σ z rest` over the basket, with `z = (q, 1)`, without a bias `z = (q, 0)`, and with
/// `rest = r − μ − b_i − given · q`; or the same matrix with another right-hand side.
struct System<'a> {
    ridge: &'a Ridge,
    items: Items<'a>,
    basket: &'a [BasketItem],
    /// What is known of `p` already, `[d − 2]`.
    given: &'a [f32],
    wanted: Wanted<'a>,
    /// `[d − 1]`, zeros; stays so when the system has no solution.
    solved: &'a mut [f32],
}

impl WithSimd for System<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { ridge, items, basket, given, wanted, solved } = self;
        let n = solved.len();
        let free = n - 1;
        if basket.is_empty() {
            return;
        }
        let mut matrix = vec![0.0; n * n];
        let mut right = vec![0.0; n];
        let mut z = vec![f32::from(ridge.biased); n];
        if let Wanted::Item(asked) = wanted {
            right[..free].copy_from_slice(&asked[..free]);
            right[free] = f32::from(ridge.biased);
        }
        for own in basket {
            let item = items.of(own.item);
            z[..free].copy_from_slice(&item[..free]);
            for (row, &value) in z.iter().enumerate() {
                dense::add_scaled(simd, value, &z, &mut matrix[row * n..][..n]);
            }
            if matches!(wanted, Wanted::Ratings) {
                let rest = own.rating - ridge.mean - item[free] - dense::dot(simd, given, &item[..free]);
                dense::add_scaled(simd, rest, &z, &mut right);
            }
        }
        for diagonal in matrix.iter_mut().step_by(n + 1) {
            *diagonal += ridge.regularization * basket.len() as f32;
        }
        if !ridge.biased {
            matrix[n * n - 1] = 1.0;
        }
        if let Ok(factor) = Cholesky::factorise(simd, &mut matrix, n) {
            factor.solve(simd, &mut right);
            if right.iter().all(|value| value.is_finite()) {
                solved.copy_from_slice(&right);
            }
        }
    }
}
