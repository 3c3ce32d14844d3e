//! What the fits leave behind: a rating or a score is a product of two vectors that hold the biases too.

use std::sync::Arc;

use recspeed_data::Csr;
use recspeed_data::parts::expect_len;
use recspeed_dense as dense;
use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;

use super::folding::pairwise::Pairwise;
use super::folding::{Folding, Items};
use crate::ranking::{self, RankError, RankRequest, Ranking};
use crate::recommender::{model_bytes, weightiest};
use crate::{BasketItem, FoldIn, Parts, PartsError, Profiles, Reason, Recommender};

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
    /// Users × items: the ratings that explanations tell of, where the method explains, by what folding makes of them.
    pub(super) own: Option<Arc<Csr>>,
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

    const fn item_vectors(&self) -> Items<'_> {
        Items { vectors: self.items.as_slice(), d: self.d }
    }

    fn reasons(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        match &self.folding {
            Folding::Ridge(ridge) => weightiest(ridge.parts_of_score(self.item_vectors(), basket, item), n),
            Folding::None | Folding::Logistic(_) | Folding::NonNegative(_) | Folding::Pairwise(_) => Vec::new(),
        }
    }

    /// What was learnt of a known user beside what their ratings as a basket give, in an item's score.
    fn rest_of(&self, user: u32, basket: &[BasketItem], item: u32) -> f32 {
        let items = self.item_vectors();
        let folded = self.folding.fold(items, basket);
        let rest = self.user(user).iter().zip(&folded).map(|(learnt, folded)| learnt - folded);
        rest.zip(items.of(item)).map(|(rest, value)| rest * value).sum()
    }

    /// `users`, `items`, what folds new users in, and `ratings` where there are explanations.
    fn to_parts(&self) -> Parts {
        let parts =
            Parts::default().with_matrix("users", self.d, &self.users).with_matrix("items", self.d, &self.items);
        let parts = match self.scale {
            Some((low, width)) => parts.with_list("scale", &[low, width]),
            None => parts.with_list("scale", &[]),
        };
        let parts = self.folding.add_to(parts, self.d);
        match &self.own {
            Some(own) => parts.with_csr("ratings", own),
            None => parts,
        }
    }

    /// The inverse of [`Recommender::parts`] for methods that learn from ratings.
    pub(super) fn restore(parts: Parts) -> Result<Self, PartsError> {
        Self::restore_with(parts, |_, _| {
            let what = "belongs to a method that learns from pairs".to_owned();
            Err(PartsError::Content { name: "folding.known".to_owned(), what })
        })
    }

    /// The inverse of [`Recommender::parts`], with `pairwise` as in [`Folding::take_from`].
    pub(super) fn restore_with(
        mut parts: Parts,
        pairwise: impl FnOnce(Parts, usize) -> Result<Pairwise, PartsError>,
    ) -> Result<Self, PartsError> {
        let (n_users, d, users) = parts.take_vectors("users")?;
        let (n_items, item_d, items) = parts.take_vectors("items")?;
        expect_len("items", item_d, d)?;
        let scale = match parts.take_list("scale")?[..] {
            [low, width] => Some((low, width)),
            _ => None,
        };
        let folding = Folding::take_from(&mut parts, (n_items, d), pairwise)?;
        let own = if parts.has("ratings.indptr") {
            let own = parts.take_csr("ratings", n_items)?;
            expect_len("ratings.indptr", own.n_rows(), n_users)?;
            Some(Arc::new(own))
        } else {
            None
        };
        Ok(Self { d, users, items, scale, folding, own })
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
        let learnt = size_of_val(&self.users[..]) + size_of_val(&self.items[..]) + self.folding.learnt_bytes();
        let own = self.own.as_ref().map_or(0, |own| size_of_val(&own.indptr[..]) + 8 * own.nnz());
        model_bytes(learnt, own + self.folding.known_bytes())
    }

    fn parameters(&self) -> u64 {
        self.memory().parameters / 4
    }

    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        let (items, ratings) = self.own.as_ref()?.row(user as usize);
        let rated = items.iter().zip(ratings).map(|(&item, &rating)| BasketItem { item, rating });
        let rated: Vec<BasketItem> = rated.collect();
        let mut reasons = self.reasons(&rated, item, n);
        let part = if rated.is_empty() { 0.0 } else { self.rest_of(user, &rated, item) };
        if part != 0.0 {
            // The score is of the vector that the fit learnt, which need not be the solution that the items add up to:
            // steps of SVD++ end elsewhere, and explicit ALS has moved the items since it solved for the user.
            let weightier = |reason: &Reason| matches!(reason, Reason::OwnItem { part: own, .. } if *own >= part);
            reasons.insert(reasons.partition_point(weightier), Reason::Learnt { part });
            reasons.truncate(n);
        }
        Some(reasons)
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        (self.folding != Folding::None).then_some(self)
    }

    fn profiles(&self) -> Option<&dyn Profiles> {
        Some(self)
    }

    fn parts(&self) -> Parts {
        self.to_parts()
    }
}

/// The factors, without what makes the rating or the score of one and no taste.
impl Profiles for FactorModel {
    fn n_features(&self) -> usize {
        self.d - 2
    }

    fn of_user(&self, user: u32) -> Vec<(u32, f32)> {
        (0..).zip(self.user(user)[..self.d - 2].iter().copied()).collect()
    }

    fn of_basket(&self, basket: &[BasketItem]) -> Vec<(u32, f32)> {
        let folded = self.folding.fold(self.item_vectors(), basket);
        (0..).zip(folded).take(self.d - 2).filter(|(_, value)| value.is_finite()).collect()
    }
}

impl FoldIn for FactorModel {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        self.score_vector(&self.folding.fold(self.item_vectors(), basket), scores);
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        if self.own.is_some() { self.reasons(basket, item, n) } else { Vec::new() }
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
