//! A new user's vector where its products go through the logistic function onto the scale of the ratings.

use pulp::{Arch, Simd, WithSimd};
use recspeed_dense::{self as dense, Cholesky};

use super::Items;
use crate::BasketItem;

/// Steps at most; some twenty come as near to the minimum as 32 bits tell.
const STEPS: usize = 50;
/// A step that lowers the objective by less than this share of it is the last.
const SMALL: f64 = 1e-7;
/// How much of the mean diagonal is added to it: at first, at least, and at most.
const DAMPING: [f32; 3] = [1e-3, 1e-6, 1e6];

/// The person's half of the fit's objective, `Σ (r − low − width · σ(μ + b + b_i + p · q))² + λ n (‖p‖² + β b²)`, lowered
/// with the items as they are: damped Gauss-Newton steps from the cold user's numbers. The vectors end in the item's bias
/// and in 1: `x = (p, 1, μ + b)`, `y = (q, b_i, 1)`.
/// Source of the steps: Marquardt, 1963, doi:10.1137/0111030; the objective is that of MyMediaLite's
/// BiasedMatrixFactorization, whose own fold-in takes the fit's steps instead, as many as the fit took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::factorization) struct Logistic {
    /// The λ of one rating.
    pub(in crate::factorization) regularization: f32,
    /// The β.
    pub(in crate::factorization) bias_regularization: f32,
    /// The μ: the place of the mean rating on the scale, behind the link.
    pub(in crate::factorization) mean: f32,
    /// Lowest rating and width of the scale.
    pub(in crate::factorization) scale: (f32, f32),
}

impl Logistic {
    pub(super) fn fold(self, items: Items<'_>, basket: &[BasketItem]) -> Vec<f32> {
        let free = items.free();
        let mut solved = vec![0.0; free + 1];
        if !basket.is_empty() {
            Arch::new().dispatch(Descent { logistic: self, items, basket, solved: &mut solved });
        }
        let mut vector = vec![0.0; items.d];
        vector[..free].copy_from_slice(&solved[..free]);
        vector[free] = 1.0;
        vector[free + 1] = self.mean + solved[free];
        vector
    }

    /// What a rating is above its prediction, and the prediction's slope, where the product is `sum`.
    fn error_and_slope(self, rating: f32, sum: f32) -> (f32, f32) {
        let (low, width) = self.scale;
        let place = 1.0 / (1.0 + (-sum).exp());
        (rating - (low + width * place), width * place * (1.0 - place))
    }
}

/// Moves `solved`, the person's `(p, b)`, from zeros to the minimum.
struct Descent<'a> {
    logistic: Logistic,
    items: Items<'a>,
    basket: &'a [BasketItem],
    /// `[d − 1]`
    solved: &'a mut [f32],
}

impl WithSimd for Descent<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.solved.len();
        let [mut damping, least, most] = DAMPING;
        let mut lost = self.loss(simd, self.solved);
        for _ in 0..STEPS {
            let (matrix, right) = self.system(simd);
            let mean = matrix.iter().step_by(n + 1).sum::<f32>() / n as f32;
            let lower = loop {
                if damping > most {
                    // No step lowers it any more: this is the minimum, as far as 32 bits tell.
                    return;
                }
                let (mut damped, mut tried) = (matrix.clone(), right.clone());
                for diagonal in damped.iter_mut().step_by(n + 1) {
                    *diagonal += damping * mean;
                }
                if let Ok(factor) = Cholesky::factorise(simd, &mut damped, n) {
                    factor.solve(simd, &mut tried);
                    tried.iter_mut().zip(&*self.solved).for_each(|(tried, solved)| *tried += solved);
                    let loss = self.loss(simd, &tried);
                    if loss < lost {
                        self.solved.copy_from_slice(&tried);
                        break loss;
                    }
                }
                damping *= 10.0;
            };
            let is_last = lost - lower <= SMALL * lost;
            (lost, damping) = (lower, (damping / 10.0).max(least));
            if is_last {
                return;
            }
        }
    }
}

impl Descent<'_> {
    /// Penalties of `p` and of `b`.
    fn penalties(&self) -> (f32, f32) {
        let penalty = self.logistic.regularization * self.basket.len() as f32;
        (penalty, penalty * self.logistic.bias_regularization)
    }

    #[inline(always)]
    fn sum<S: Simd>(&self, simd: S, numbers: &[f32], item: &[f32]) -> f32 {
        let free = self.items.free();
        self.logistic.mean + numbers[free] + item[free] + dense::dot(simd, &numbers[..free], &item[..free])
    }

    /// The objective; not a number where it is none, which is below nothing.
    #[inline(always)]
    fn loss<S: Simd>(&self, simd: S, numbers: &[f32]) -> f64 {
        let free = self.items.free();
        let (penalty, of_bias) = self.penalties();
        let length = dense::dot(simd, &numbers[..free], &numbers[..free]);
        let mut loss = f64::from(penalty * length + of_bias * numbers[free] * numbers[free]);
        for own in self.basket {
            let sum = self.sum(simd, numbers, self.items.of(own.item));
            loss += f64::from(self.logistic.error_and_slope(own.rating, sum).0).powi(2);
        }
        loss
    }

    /// `Σ s² z zᵀ + Λ`, its lower half, and `Σ s e z − Λ x`, with `z = (q, 1)`, errors `e` and slopes `s`.
    #[inline(always)]
    fn system<S: Simd>(&self, simd: S) -> (Vec<f32>, Vec<f32>) {
        let (n, free) = (self.solved.len(), self.items.free());
        let (mut matrix, mut right, mut z) = (vec![0.0; n * n], vec![0.0; n], vec![1.0; n]);
        for own in self.basket {
            let item = self.items.of(own.item);
            z[..free].copy_from_slice(&item[..free]);
            let (error, slope) = self.logistic.error_and_slope(own.rating, self.sum(simd, self.solved, item));
            for (row, &value) in z.iter().enumerate() {
                dense::add_scaled(simd, slope * slope * value, &z[..=row], &mut matrix[row * n..][..=row]);
            }
            dense::add_scaled(simd, slope * error, &z, &mut right);
        }
        let (penalty, of_bias) = self.penalties();
        for (at, (right, solved)) in right.iter_mut().zip(&*self.solved).enumerate() {
            let penalty = if at < free { penalty } else { of_bias };
            matrix[at * (n + 1)] += penalty;
            *right -= penalty * solved;
        }
        (matrix, right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: usize = 3;

    /// Vectors of twelve items, `(q, b_i, 1)`.
    fn vectors() -> Vec<f32> {
        let number = |at: usize| ((at * 37 + 11) % 23) as f32 / 11.0 - 1.0;
        let of =
            |item: usize| [number(4 * item), number(4 * item + 1), number(4 * item + 2), number(4 * item + 3), 1.0];
        (0..12).flat_map(of).collect()
    }

    fn objective(logistic: Logistic, vectors: &[f32], basket: &[BasketItem], person: &[f64; FREE + 1]) -> f64 {
        let (low, width) = (f64::from(logistic.scale.0), f64::from(logistic.scale.1));
        let error = |own: &BasketItem| {
            let item = &vectors[own.item as usize * (FREE + 2)..][..FREE + 2];
            let product: f64 = person[..FREE].iter().zip(item).map(|(p, q)| p * f64::from(*q)).sum();
            let sum = f64::from(logistic.mean) + person[FREE] + f64::from(item[FREE]) + product;
            (f64::from(own.rating) - low - width / (1.0 + (-sum).exp())).powi(2)
        };
        let length: f64 = person[..FREE].iter().map(|p| p * p).sum();
        let biased = length + f64::from(logistic.bias_regularization) * person[FREE] * person[FREE];
        let weight = f64::from(logistic.regularization) * basket.len() as f64;
        basket.iter().map(error).sum::<f64>() + weight * biased
    }

    #[test]
    fn the_numbers_of_a_basket_are_where_the_persons_objective_is_lowest() {
        let vectors = vectors();
        let items = Items { vectors: &vectors, d: FREE + 2 };
        for (regularization, bias_regularization) in [(0.05, 1.0), (0.1, 0.5), (0.05, 10.0)] {
            let logistic = Logistic { regularization, bias_regularization, mean: 0.4, scale: (1.0, 4.0) };
            for n in [1u32, 2, 5, 12] {
                let basket: Vec<BasketItem> =
                    (0..n).map(|item| BasketItem { item, rating: (item * 3 % 5 + 1) as f32 }).collect();
                let vector = logistic.fold(items, &basket);
                assert_eq!(vector[FREE], 1.0);
                let mut person: [f64; FREE + 1] = std::array::from_fn(|at| f64::from(vector[at]));
                person[FREE] = f64::from(vector[FREE + 1]) - f64::from(logistic.mean);
                let lowest = objective(logistic, &vectors, &basket, &person);
                assert!(lowest < objective(logistic, &vectors, &basket, &[0.0; FREE + 1]));
                for at in 0..=FREE {
                    for step in [-0.05, 0.05] {
                        let mut beside = person;
                        beside[at] += step;
                        let there = objective(logistic, &vectors, &basket, &beside);
                        assert!(lowest < there, "{logistic:?}, {n} items: {lowest}, and {there} at {beside:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_a_basket_holds_the_numbers_are_finite_and_nobody_is_a_cold_user() {
        let vectors = vectors();
        let items = Items { vectors: &vectors, d: FREE + 2 };
        for regularization in [0.0, 0.02, 1.0] {
            let logistic = Logistic { regularization, bias_regularization: 1.0, mean: 0.4, scale: (1.0, 4.0) };
            assert_eq!(logistic.fold(items, &[]), [0.0, 0.0, 0.0, 1.0, 0.4]);
            for rating in [-1e6, 0.0, 1.0, 5.0, 1e6] {
                let basket = [BasketItem { item: 2, rating }, BasketItem { item: 7, rating: 1.0 }];
                let vector = logistic.fold(items, &basket);
                assert!(vector.iter().all(|value| value.is_finite()), "{regularization} {rating}: {vector:?}");
            }
        }
    }
}
