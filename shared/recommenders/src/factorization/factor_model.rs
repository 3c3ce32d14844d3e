//! What the fits leave behind: a rating or a score is a product of two vectors that hold the biases too.

use pulp::{Arch, Simd, WithSimd};
use recspeed_data::parts::expect_len;
use recspeed_dense::{self as dense, Cholesky};
use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;

use crate::ranking::{self, RankError, RankRequest, Ranking};
use crate::recommender::model_bytes;
use crate::{BasketItem, FoldIn, Parts, PartsError, Recommender};

/// `r̂_ui = x_u · y_i`, or on the scale of the ratings `low + width · σ(x_u · y_i)`.
#[derive(Debug)]
pub(super) struct FactorModel {
    /// Length of a vector.
    pub(super) d: usize,
    /// `[n_users, d]`
    pub(super) users: Vec<f32>,
    /// `[n_items, d]`
    pub(super) items: Vec<f32>,
    /// Lowest rating and width of the scale, where the product goes through the logistic function.
    pub(super) scale: Option<(f32, f32)>,
    /// How a new user's vector is found.
    pub(super) folding: Folding,
}

/// How a new user's vector is found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Folding {
    /// Not at all.
    None,
    /// Ridge regression of the basket's ratings on the items' vectors, as far as what the basket's items say by being there
    /// leaves something to explain. The vectors end in the item's bias and in 1: `x = (p, 1, μ + b_u)`, `y = (q, b_i, 1)`.
    Ridge {
        /// The λ of one rating.
        regularization: f32,
        /// The mean of all ratings.
        mean: f32,
        /// Whether a person has a bias too.
        biased: bool,
        /// `[n_items, d − 2]`, or empty: the sum of the vectors of the basket's items, divided by the root of their number,
        /// is a part of `p`.
        implicit: Vec<f32>,
    },
}

impl FactorModel {
    /// Adds the biases to the vectors: `(p, 1, μ + b_u)` and `(q, b_i, 1)`. Users and items without training rows have
    /// zeros for their own numbers.
    pub(super) fn augment(vectors: Vec<f32>, d: usize, biases: &[f32], mean: f32, is_user: bool) -> Vec<f32> {
        Self::lengthen(vectors, d, d + 2, |row, vector| {
            let bias = biases[row];
            vector[d..].copy_from_slice(&if is_user { [1.0, mean + bias] } else { [bias, 1.0] });
        })
    }

    /// Makes the rows longer, from `width` numbers to `d`, in the memory that they have, where it can grow: at the end
    /// of a fit, vectors beside longer copies of themselves would be most of what it holds. `finish`, of a row and its
    /// numbers, sets those behind the first `width`.
    pub(super) fn lengthen(mut rows: Vec<f32>, width: usize, d: usize, finish: impl Fn(usize, &mut [f32])) -> Vec<f32> {
        let n = rows.len() / width;
        rows.reserve_exact(n * (d - width));
        rows.resize(n * d, 0.0);
        // From the last one on: a row never reaches back into one that has not moved yet.
        for row in (0..n).rev() {
            rows.copy_within(row * width..(row + 1) * width, row * d);
            finish(row, &mut rows[row * d..][..d]);
        }
        rows
    }

    fn user(&self, user: u32) -> &[f32] {
        &self.users[user as usize * self.d..][..self.d]
    }

    fn stars(&self, product: f32) -> f32 {
        match self.scale {
            Some((low, width)) => low + width / (1.0 + (-product).exp()),
            None => product,
        }
    }

    fn score_vector(&self, vector: &[f32], scores: &mut [f32]) {
        dense::dot_all(vector, &self.items, scores);
        for score in scores {
            *score = self.stars(*score);
        }
    }

    fn fold(&self, basket: &[BasketItem]) -> Vec<f32> {
        let free = self.d - 2;
        let mut vector = vec![0.0; self.d];
        vector[free] = 1.0;
        if let Folding::Ridge { regularization, mean, biased, implicit } = &self.folding {
            for own in basket.iter().filter(|_| !implicit.is_empty()) {
                let other = &implicit[own.item as usize * free..][..free];
                vector[..free].iter_mut().zip(other).for_each(|(sum, value)| *sum += value);
            }
            let share = 1.0 / (basket.len().max(1) as f32).sqrt();
            vector[..free].iter_mut().for_each(|value| *value *= share);
            let mut solved = vec![0.0; free + 1];
            let given = vector[..free].to_vec();
            let (lambda, mean, biased) = (*regularization, *mean, *biased);
            let ridge = Ridge { model: self, basket, given: &given, lambda, mean, biased, solved: &mut solved };
            Arch::new().dispatch(ridge);
            vector.iter_mut().zip(&solved[..free]).for_each(|(value, solved)| *value += solved);
            vector[free + 1] = mean + solved[free];
        }
        vector
    }

    /// `users`, `items`, and what folds new users in.
    fn to_parts(&self) -> Parts {
        let parts =
            Parts::default().with_matrix("users", self.d, &self.users).with_matrix("items", self.d, &self.items);
        let parts = match self.scale {
            Some((low, width)) => parts.with_list("scale", &[low, width]),
            None => parts.with_list("scale", &[]),
        };
        match &self.folding {
            Folding::None => parts.with_list("folding.none", &[]),
            Folding::Ridge { regularization, mean, biased, implicit } => parts
                .with_list("folding.ridge", &[*regularization, *mean, f32::from(*biased)])
                .with_matrix("folding.implicit", self.d - 2, implicit),
        }
    }

    /// The inverse of [`Recommender::parts`].
    pub(super) fn restore(mut parts: Parts) -> Result<Self, PartsError> {
        let (_, d, users) = parts.take_vectors("users")?;
        let (n_items, item_d, items) = parts.take_vectors("items")?;
        expect_len("items", item_d, d)?;
        let scale = match parts.take_list("scale")?[..] {
            [low, width] => Some((low, width)),
            _ => None,
        };
        let folding = if parts.take("folding.none").is_ok() {
            Folding::None
        } else {
            let numbers = parts.take_list("folding.ridge")?;
            expect_len("folding.ridge", numbers.len(), 3)?;
            let (rows, columns, implicit) = parts.take_matrix("folding.implicit")?;
            expect_len("folding.implicit", columns + 2, d)?;
            if rows > 0 {
                expect_len("folding.implicit", rows, n_items)?;
            }
            Folding::Ridge { regularization: numbers[0], mean: numbers[1], biased: numbers[2] != 0.0, implicit }
        };
        Ok(Self { d, users, items, scale, folding })
    }
}

/// Solves `(Σ z zᵀ + λ n I) x = Σ z (r − μ − b_i − given · q)` over the basket, with `z = (q, 1)`: the person's vector and bias;
/// without a bias `z = (q, 0)`.
struct Ridge<'a> {
    model: &'a FactorModel,
    basket: &'a [BasketItem],
    /// What is known of `p` already, `[d − 2]`.
    given: &'a [f32],
    lambda: f32,
    mean: f32,
    biased: bool,
    /// `[d − 1]`, zeros; stays so when the system has no solution.
    solved: &'a mut [f32],
}

impl WithSimd for Ridge<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.solved.len();
        let free = n - 1;
        if self.basket.is_empty() {
            return;
        }
        let mut matrix = vec![0.0; n * n];
        let mut right = vec![0.0; n];
        let mut z = vec![f32::from(self.biased); n];
        for own in self.basket {
            let item = &self.model.items[own.item as usize * self.model.d..][..self.model.d];
            z[..free].copy_from_slice(&item[..free]);
            let rest = own.rating - self.mean - item[free] - dense::dot(simd, self.given, &item[..free]);
            for (row, &value) in z.iter().enumerate() {
                dense::add_scaled(simd, value, &z, &mut matrix[row * n..][..n]);
            }
            dense::add_scaled(simd, rest, &z, &mut right);
        }
        for diagonal in matrix.iter_mut().step_by(n + 1) {
            *diagonal += self.lambda * self.basket.len() as f32;
        }
        if !self.biased {
            matrix[n * n - 1] = 1.0;
        }
        if let Ok(factor) = Cholesky::factorise(simd, &mut matrix, n) {
            factor.solve(simd, &mut right);
            if right.iter().all(|value| value.is_finite()) {
                self.solved.copy_from_slice(&right);
            }
        }
    }
}

impl Recommender for FactorModel {
    fn n_users(&self) -> usize {
        self.users.len() / self.d
    }

    fn n_items(&self) -> usize {
        self.items.len() / self.d
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        let mut product = [0.0];
        dense::dot_all(self.user(user), &self.items[item as usize * self.d..][..self.d], &mut product);
        self.stars(product[0])
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.score_vector(self.user(user), scores);
    }

    fn rank(&self, request: &RankRequest<'_>, observer: &mut dyn FitObserver) -> Result<Ranking, RankError> {
        if self.scale.is_some() {
            let scores = |user: u32, scores: &mut [f32]| self.score_all(user, scores);
            return ranking::by_scores(self.n_users(), self.n_items(), &scores, request, observer);
        }
        ranking::by_factors(&self.users, &self.items, self.d, request, observer)
    }

    fn memory(&self) -> MemoryBytes {
        let folding = match &self.folding {
            Folding::Ridge { implicit, .. } => size_of_val(&implicit[..]),
            Folding::None => 0,
        };
        model_bytes(size_of_val(&self.users[..]) + size_of_val(&self.items[..]) + folding, 0)
    }

    fn parameters(&self) -> u64 {
        self.memory().parameters / 4
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        (self.folding != Folding::None).then_some(self)
    }

    fn parts(&self) -> Parts {
        self.to_parts()
    }
}

impl FoldIn for FactorModel {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        self.score_vector(&self.fold(basket), scores);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_grow_where_they_are_and_lose_nothing() {
        for (n, width) in [(1, 1), (5, 1), (7, 3), (0, 2)] {
            let rows: Vec<f32> = (0..n * width).map(|at| at as f32).collect();
            let longer = FactorModel::lengthen(rows.clone(), width, width + 2, |row, vector| {
                vector[width..].copy_from_slice(&[-1.0, row as f32]);
            });
            let expected: Vec<f32> =
                (0..n).flat_map(|row| rows[row * width..][..width].iter().copied().chain([-1.0, row as f32])).collect();
            assert_eq!(longer, expected, "{n} rows of {width}");
        }
        assert_eq!(FactorModel::augment(vec![5.0, 6.0], 1, &[0.5, 0.25], 3.0, true), [5.0, 1.0, 3.5, 6.0, 1.0, 3.25]);
        assert_eq!(FactorModel::augment(vec![5.0, 6.0], 1, &[0.5, 0.25], 3.0, false), [5.0, 0.5, 1.0, 6.0, 0.25, 1.0]);
    }
}
