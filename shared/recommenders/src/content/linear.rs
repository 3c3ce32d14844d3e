//! A linear model of each person over what the items are.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use recspeed_data::parts::expect_len;
use recspeed_data::{Csr, Interactions, Permutation};
use recspeed_dense::invert;
use recspeed_types::event::{EventKind, MemoryBytes};
use recspeed_types::spec::ResolvedRecommender;
use recspeed_types::{FitObserver, Remedy};

use super::terms::Terms;
use super::words::terms_of;
use crate::divergence::not_finite;
use crate::error::{no_inverse, reserve};
use crate::fit::{FitRequest, Method};
use crate::item_to_item::Weighting;
use crate::memory::{allowed, check_inverse};
use crate::recommender::model_bytes;
use crate::{BasketItem, FitError, FoldIn, Parts, PartsError, Reason, Recommender};

pub(super) const METHOD: Method = Method {
    kind: "content-linear",
    fit: |request, observer| Ok(Box::new(ContentLinear::fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(ContentLinear::restore(request.recommender, parts)?)),
};

/// Bytes that the fit may hold where nobody knows what is left. A browser tab addresses 4 GiB.
const ALLOWED_BYTES: u64 = if cfg!(target_arch = "wasm32") { 2 << 30 } else { 16 << 30 };
/// What takes less.
const REMEDY: &Remedy = &Remedy {
    lower: "the number of attributes with recommender.attributes, raise recommender.min_items",
    instead: &["content-tfidf"],
};
/// Dense f64 matrices that the fit holds at once.
const MATRICES: u64 = 2;
/// Terms, their products, the inverse.
const STAGES: u64 = 3;

/// Ridge regression of each user's row `x_u` (stars or 1 for their items, 0 for the other known ones) on the items' terms,
/// with a constant of its own: `w_u` minimises `Σ_i (x_ui − c_u − a_i · w)² + λ ‖w‖²`, and an item's score is `a_i · w_u`. All
/// users share one matrix: `w_u = (Σ_i a_i a_iᵀ − n ā āᵀ + λI)⁻¹ (Σ_j x_uj a_j − (Σ_j x_uj) ā)`. `a_i` is 1
/// for each term that the item has: weighing terms by their rarity, as for a cosine, takes from what the fit can tell.
/// Source: the linear content-based model of Sedhain et al., "Low-Rank Linear Cold-Start Recommendation from Social Data",
/// doi:10.1609/aaai.v31i1.10758, with attributes of the items in place of those of the users.
#[derive(Debug)]
struct ContentLinear {
    by_user: Arc<Csr>,
    weighting: Weighting,
    /// Items × terms, 1 for each.
    items: Csr,
    terms: Terms,
    /// The inverse of the matrix above, `[terms, terms]`.
    inverse: Vec<f32>,
    /// The inverse times `ā`, `[terms]`.
    level: Vec<f32>,
    /// What the items are asked with in place of `items`: [`Recommender::permute`].
    permuted: Option<Csr>,
}

impl ContentLinear {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let (data, recommender) = (request.data, request.recommender);
        let mut done = 0;
        let mut next = |observer: &mut dyn FitObserver| {
            if done < STAGES && observer.stop_requested() {
                return Err(FitError::Interrupted { done, total: STAGES, unit: "stages" });
            }
            observer.event(EventKind::Progress { done, total: STAGES, unit: "stages".to_owned() });
            done += 1;
            Ok(())
        };
        next(observer)?;
        let (terms, counts) = terms_of(recommender, data)?;
        let n = terms.len();
        let what = "the dense inverse over all attributes";
        check_inverse((n, MATRICES), allowed(ALLOWED_BYTES, observer), what, REMEDY)?;
        let items = Csr { values: vec![1.0; counts.nnz()], ..counts };
        next(observer)?;
        let known: Vec<bool> = data.candidates();
        let (mut solved, mean) = matrix(&items, &known, n, recommender.float("regularization"))?;
        next(observer)?;
        // With λ > 0 the matrix is positive definite; rounding can only lose that for a λ far below the numbers' size.
        invert(&mut solved, n).map_err(no_inverse(REMEDY))?;
        let mut inverse: Vec<f32> = reserve(n.checked_mul(n), "the weights of the attributes", REMEDY)?;
        inverse.par_chunks_mut(n.max(1)).enumerate().for_each(|(row, line)| {
            for (column, value) in line.iter_mut().enumerate() {
                // One triangle of the symmetric inverse is filled.
                *value = solved[row.min(column) * n + row.max(column)] as f32;
            }
        });
        let level: Vec<f32> = inverse
            .par_chunks(n.max(1))
            .map(|line| line.iter().zip(&mean).map(|(&p, &mean)| f64::from(p) * mean).sum::<f64>() as f32)
            .collect();
        if inverse.iter().chain(&level).any(|value| !value.is_finite()) {
            return Err(not_finite("a weight"));
        }
        next(observer)?;
        let weighting = Weighting::named(recommender.text("weighting"));
        let by_user = Arc::clone(&data.by_user);
        Ok(Self { by_user, weighting, items, terms, inverse, level, permuted: None })
    }

    fn restore(recommender: &ResolvedRecommender, mut parts: Parts) -> Result<Self, PartsError> {
        let terms = Terms::take_from(&mut parts)?;
        let items = parts.take_csr("items", terms.len())?;
        let by_user = Arc::new(parts.take_csr("ratings", items.n_rows())?);
        let (rows, columns, inverse) = parts.take_matrix("inverse")?;
        expect_len("inverse", rows, terms.len())?;
        expect_len("inverse", columns, terms.len())?;
        let level = parts.take_list("level")?;
        expect_len("level", level.len(), terms.len())?;
        let weighting = Weighting::named(recommender.text("weighting"));
        Ok(Self { by_user, weighting, items, terms, inverse, level, permuted: None })
    }

    /// `w_u`, `[terms]`: all 0 for somebody without items.
    fn weights(&self, own: impl Iterator<Item = (u32, f32)>) -> Vec<f32> {
        let n = self.terms.len();
        let mut sums: BTreeMap<u32, f64> = BTreeMap::new();
        let mut total = 0.0;
        for (item, rating) in own {
            let weight = f64::from(self.weighting.of(rating));
            total += weight;
            let (terms, values) = self.items.row(item as usize);
            for (&term, &value) in terms.iter().zip(values) {
                *sums.entry(term).or_default() += weight * f64::from(value);
            }
        }
        let mut weights: Vec<f32> = self.level.iter().map(|&level| (-total) as f32 * level).collect();
        for (term, sum) in sums {
            let line = &self.inverse[term as usize * n..][..n];
            weights.iter_mut().zip(line).for_each(|(weight, &p)| *weight += sum as f32 * p);
        }
        weights
    }

    fn own(&self, user: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        let (items, ratings) = self.by_user.row(user as usize);
        items.iter().copied().zip(ratings.iter().copied())
    }

    /// What each term of an item adds to its score, terms ascending.
    fn shares<'a>(&'a self, weights: &'a [f32], item: u32) -> impl Iterator<Item = (u32, f32)> + 'a {
        let (terms, values) = self.permuted.as_ref().unwrap_or(&self.items).row(item as usize);
        terms.iter().zip(values).map(|(&term, &value)| (term, value * weights[term as usize]))
    }

    fn score(&self, weights: &[f32], scores: &mut [f32]) {
        for (item, score) in scores.iter_mut().enumerate() {
            *score = self.shares(weights, item as u32).fold(0.0, |sum, (_, part)| sum + part);
        }
    }

    fn reasons(&self, weights: &[f32], item: u32, n: usize) -> Vec<Reason> {
        let mut parts: Vec<(u32, f32)> = self.shares(weights, item).filter(|(_, part)| *part != 0.0).collect();
        parts.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        parts.truncate(n);
        parts.into_iter().map(|(term, part)| self.terms.reason(term, part)).collect()
    }
}

/// `Σ_i a_i a_iᵀ − n ā āᵀ + λI` over the known items, and `ā`.
fn matrix(items: &Csr, known: &[bool], n: usize, regularization: f64) -> Result<(Vec<f64>, Vec<f64>), FitError> {
    let by_term = items.transpose(n);
    let count = known.iter().filter(|&&known| known).count().max(1) as f64;
    let known_of = |term: usize| {
        let (items, values) = by_term.row(term);
        items.iter().zip(values).filter(|(item, _)| known[**item as usize])
    };
    let mean: Vec<f64> =
        (0..n).map(|term| known_of(term).map(|(_, &value)| f64::from(value)).sum::<f64>() / count).collect();
    let mut gram: Vec<f64> = reserve(n.checked_mul(n), "the products of the attributes", REMEDY)?;
    gram.par_chunks_mut(n.max(1)).enumerate().for_each(|(term, line)| {
        for (&item, &value) in known_of(term) {
            let (others, other_values) = items.row(item as usize);
            for (&other, &other_value) in others.iter().zip(other_values) {
                line[other as usize] += f64::from(value) * f64::from(other_value);
            }
        }
        for (sum, other) in line.iter_mut().zip(&mean) {
            *sum -= count * mean[term] * other;
        }
        line[term] += regularization;
    });
    Ok((gram, mean))
}

impl Recommender for ContentLinear {
    fn n_users(&self) -> usize {
        self.by_user.n_rows()
    }

    fn n_items(&self) -> usize {
        self.items.n_rows()
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        self.shares(&self.weights(self.own(user)), item).fold(0.0, |sum, (_, part)| sum + part)
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.score(&self.weights(self.own(user)), scores);
    }

    fn read(&mut self, interactions: &Interactions, known: &[u32], _: &mut dyn FitObserver) -> Result<(), FitError> {
        self.by_user = Arc::new(Csr::by_user(interactions, known));
        Ok(())
    }

    /// A person's weights are what was learnt: they stay those of the items as they are.
    fn permute(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        self.permuted = None;
        let Some(permutation) = permutation.filter(|p| p.fits(true, self.items.n_rows())) else { return false };
        let Some(is_dealt) = self.terms.of_attribute(permutation.attribute) else { return false };
        self.permuted = Some(permutation.deal(&self.items, |term| is_dealt[term as usize]));
        true
    }

    fn memory(&self) -> MemoryBytes {
        let bytes = |csr: &Csr| size_of_val(&csr.indptr[..]) + 8 * csr.nnz();
        let learnt = size_of_val(&self.inverse[..]) + size_of_val(&self.level[..]);
        model_bytes(learnt, bytes(&self.items) + bytes(&self.by_user) + self.terms.bytes())
    }

    fn parameters(&self) -> u64 {
        (self.inverse.len() + self.level.len()) as u64
    }

    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        Some(self.reasons(&self.weights(self.own(user)), item, n))
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    /// `items`: items × terms; `ratings`: users × items; `inverse`, `level` and the terms as text.
    fn parts(&self) -> Parts {
        let parts = self.terms.add_to(Parts::default());
        let parts = parts.with_csr("items", &self.items).with_csr("ratings", &self.by_user);
        parts.with_matrix("inverse", self.terms.len(), &self.inverse).with_list("level", &self.level)
    }
}

impl FoldIn for ContentLinear {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        self.score(&self.weights(basket.iter().map(|own| (own.item, own.rating))), scores);
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        self.reasons(&self.weights(basket.iter().map(|own| (own.item, own.rating))), item, n)
    }
}
