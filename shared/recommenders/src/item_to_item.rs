//! Models that score an item by weights from the user's own items.

use std::sync::Arc;

use recspeed_data::parts::PartsError;
use recspeed_data::{Csr, Interactions};
use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;
use recspeed_types::spec::ResolvedRecommender;

use crate::ranking::{Speaks, Sums, by_touched};
use crate::recommender::{model_bytes, weightiest};
use crate::{BasketItem, FitError, FoldIn, Parts, RankError, RankRequest, Ranking, Reason, Recommender};

/// What an interaction weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weighting {
    Rating,
    Binary,
}

impl Weighting {
    pub(crate) fn named(name: &str) -> Self {
        if name == "binary" { Self::Binary } else { Self::Rating }
    }

    #[inline]
    pub(crate) fn of(self, rating: f32) -> f32 {
        match self {
            Self::Rating => rating,
            Self::Binary => 1.0,
        }
    }
}

/// Scores a candidate by `Σ_j w_uj · s(j, candidate)` over the user's own items `j`, with sparse weights `s`.
#[derive(Debug)]
pub(crate) struct ItemToItem {
    pub(crate) by_user: Arc<Csr>,
    pub(crate) weighting: Weighting,
    /// Row `j`: the candidates that item `j` speaks for, with the weight.
    pub(crate) candidates_of: Csr,
}

impl ItemToItem {
    /// The inverse of [`Recommender::parts`]; the recommender has a parameter `weighting`.
    pub(crate) fn restore(recommender: &ResolvedRecommender, mut parts: Parts) -> Result<Self, PartsError> {
        let n_items = parts.take_count("items")?;
        Ok(Self {
            weighting: Weighting::named(recommender.text("weighting")),
            by_user: Arc::new(parts.take_csr("ratings", n_items)?),
            candidates_of: parts.take_csr("similarities", n_items)?,
        })
    }
}

impl Recommender for ItemToItem {
    fn n_users(&self) -> usize {
        self.by_user.n_rows()
    }

    fn n_items(&self) -> usize {
        self.candidates_of.n_rows()
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        self.votes(user, item).map(|(_, part)| part).fold(0.0, |sum, part| sum + part)
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        scores.fill(0.0);
        let (own, ratings) = self.by_user.row(user as usize);
        for (&own, &rating) in own.iter().zip(ratings) {
            self.add_votes(own, rating, scores);
        }
    }

    fn rank(&self, request: &RankRequest<'_>, observer: &mut dyn FitObserver) -> Result<Ranking, RankError> {
        by_touched(self.n_users(), self.n_items(), self, request, observer)
    }

    fn read(&mut self, interactions: &Interactions, known: &[u32], _: &mut dyn FitObserver) -> Result<(), FitError> {
        self.by_user = Arc::new(Csr::by_user(interactions, known));
        Ok(())
    }

    fn memory(&self) -> MemoryBytes {
        model_bytes(csr_bytes(&self.candidates_of), csr_bytes(&self.by_user))
    }

    fn parameters(&self) -> u64 {
        self.candidates_of.nnz() as u64
    }

    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        Some(weightiest(self.votes(user, item).collect(), n))
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    /// `ratings`: users × items; `similarities`: row `j` has the candidates that have `j` among their neighbours.
    fn parts(&self) -> Parts {
        let parts = Parts::default().with_count("items", self.n_items());
        parts.with_csr("ratings", &self.by_user).with_csr("similarities", &self.candidates_of)
    }
}

impl Speaks for ItemToItem {
    fn parts(&self, user: u32) -> usize {
        self.by_user.row(user as usize).0.iter().map(|&own| self.candidates_of.row(own as usize).0.len()).sum()
    }

    fn speak(&self, user: u32, sums: &mut Sums) {
        let (own, ratings) = self.by_user.row(user as usize);
        for (&own, &rating) in own.iter().zip(ratings) {
            let weight = self.weighting.of(rating);
            let (candidates, similarities) = self.candidates_of.row(own as usize);
            candidates.iter().zip(similarities).for_each(|(&item, &similarity)| sums.add(item, weight * similarity));
        }
    }

    fn score_line(&self, user: u32, scores: &mut [f32]) {
        self.score_all(user, scores);
    }
}

impl FoldIn for ItemToItem {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        scores.fill(0.0);
        for own in basket {
            self.add_votes(own.item, own.rating, scores);
        }
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        weightiest(basket.iter().filter_map(|own| self.vote(own.item, own.rating, item)).collect(), n)
    }
}

impl ItemToItem {
    /// The user's own items among the candidate's neighbours, ascending, each with its part of the score.
    fn votes(&self, user: u32, candidate: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        let (own, ratings) = self.by_user.row(user as usize);
        own.iter().zip(ratings).filter_map(move |(&own, &rating)| self.vote(own, rating, candidate))
    }

    /// What an item that somebody rated adds to the candidate's score.
    fn vote(&self, own: u32, rating: f32, candidate: u32) -> Option<(u32, f32)> {
        let (candidates, similarities) = self.candidates_of.row(own as usize);
        let at = candidates.binary_search(&candidate).ok()?;
        Some((own, self.weighting.of(rating) * similarities[at]))
    }

    /// What an item that somebody rated adds to every score.
    fn add_votes(&self, own: u32, rating: f32, scores: &mut [f32]) {
        let weight = self.weighting.of(rating);
        let (candidates, similarities) = self.candidates_of.row(own as usize);
        for (&candidate, &similarity) in candidates.iter().zip(similarities) {
            scores[candidate as usize] += weight * similarity;
        }
    }
}

fn csr_bytes(csr: &Csr) -> usize {
    size_of_val(&csr.indptr[..]) + size_of_val(&csr.indices[..]) + size_of_val(&csr.values[..])
}
