//! Slope One: the mean difference between two items' ratings.

use std::sync::Arc;

use rayon::prelude::*;
use recspeed_data::{Csr, Interactions};
use recspeed_types::event::{EventKind, MemoryBytes};
use recspeed_types::{FitObserver, Remedy};

use super::pairs::{Keeping, Pairs};
use super::{ALLOWED_BYTES, GROUP_ROWS};
use crate::divergence::beyond;
use crate::fit::{FitRequest, Method};
use crate::memory::allowed;
use crate::recommender::{model_bytes, weightiest};
use crate::scratch::Pool;
use crate::{BasketItem, FitError, FoldIn, Parts, Reason, Recommender, TrainSet};

pub(super) const METHOD: Method = Method {
    kind: "slope-one",
    fit: |request, observer| Ok(Box::new(SlopeOne::fit(request, observer)?)),
    restore: |_, mut parts| {
        let n_items = parts.take_count("items")?;
        let (by_user, differences) = (parts.take_csr("ratings", n_items)?, parts.take_csr("differences", n_items)?);
        Ok(Box::new(SlopeOne { mean: parts.take_number("mean")?, by_user: Arc::new(by_user), differences }))
    },
};

/// What to do about differences that are too many.
const REMEDY: &Remedy = &Remedy { lower: "the number of items with dataset.min_item", instead: &["bias", "biased-mf"] };

/// `r̂_ui = μ_u + mean over the user's items j of dev(i, j)`, with `dev(i, j)` the mean of `r_vi − r_vj` over the users `v`
/// who rated both; items `j` that nobody rated together with `i` are left out.
/// Source: Lemire, Maclachlan, "Slope One Predictors for Online Rating-Based Collaborative Filtering",
/// doi:10.1137/1.9781611972757.43; unweighted, as Surprise has it.
#[derive(Debug)]
struct SlopeOne {
    /// Mean of all ratings: what somebody without ratings gets.
    mean: f32,
    by_user: Arc<Csr>,
    /// Row `j`: `dev(i, j)` for each item `i` that somebody rated together with `j`.
    differences: Csr,
}

impl SlopeOne {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let data = request.data;
        let n_items = data.n_items();
        refuse_overflow(data)?;
        let lines = Pool::new();
        let differences_of = |sums: &mut Vec<_>, item| differences_to(&data.by_user, &data.by_item, item, sums);
        let line = || lines.lend(|| vec![(0.0, 0); n_items]);
        let allowed = allowed(ALLOWED_BYTES, observer);
        let pairs = Pairs { rows: &data.by_item, columns: &data.by_user };
        let count = |item| differences_of(&mut line(), item).len();
        pairs.check(count, Keeping::ALL, allowed, ("the differences between items", REMEDY), observer)?;
        let mut differences = Csr { indptr: vec![0], ..Csr::default() };
        for start in (0..n_items).step_by(GROUP_ROWS) {
            if observer.stop_requested() {
                return Err(FitError::Interrupted { done: start as u64, total: n_items as u64, unit: "items" });
            }
            let end = (start + GROUP_ROWS).min(n_items);
            let rows: Vec<Vec<(u32, f32)>> =
                (start..end).into_par_iter().map_init(line, |sums, item| differences_of(sums, item)).collect();
            for row in rows {
                differences.indices.extend(row.iter().map(|(item, _)| *item));
                differences.values.extend(row.iter().map(|(_, difference)| *difference));
                differences.indptr.push(differences.indices.len());
            }
            pairs.check_kept(differences.nnz(), allowed, ("the differences between items (so far)", REMEDY))?;
            observer.event(EventKind::Progress { done: end as u64, total: n_items as u64, unit: "items".to_owned() });
        }
        let mean = data.global_mean().ok_or(FitError::NoRows)? as f32;
        Ok(Self { mean, by_user: Arc::clone(&data.by_user), differences })
    }

    fn score(&self, own: impl Iterator<Item = (u32, f32)> + Clone, scores: &mut [f32]) {
        let level = self.level(own.clone());
        let mut counts = vec![0u32; scores.len()];
        scores.fill(0.0);
        for (j, _) in own {
            let (items, differences) = self.differences.row(j as usize);
            for (&item, &difference) in items.iter().zip(differences) {
                scores[item as usize] += difference;
                counts[item as usize] += 1;
            }
        }
        for (score, count) in scores.iter_mut().zip(counts) {
            *score = level + if count > 0 { *score / count as f32 } else { 0.0 };
        }
    }

    /// What each of somebody's items adds to an item's score beside the mean of all ratings, which somebody without any
    /// gets: its own share of how far their mean is from that, and of the mean difference where it was rated together
    /// with the item.
    fn reasons(&self, own: impl Iterator<Item = (u32, f32)>, item: u32, n: usize) -> Vec<Reason> {
        let differences = own.map(|(j, rating)| (j, rating, self.difference(item, j)));
        let differences: Vec<(u32, f32, Option<f32>)> = differences.collect();
        let count = differences.len() as f32;
        let together = differences.iter().filter(|(_, _, difference)| difference.is_some()).count() as f32;
        let part = |&(j, rating, difference): &(u32, f32, Option<f32>)| {
            (j, (rating - self.mean) / count + difference.map_or(0.0, |difference| difference / together))
        };
        weightiest(differences.iter().map(part).collect(), n)
    }

    /// `dev(i, j)`, where somebody rated both.
    fn difference(&self, i: u32, j: u32) -> Option<f32> {
        let (items, differences) = self.differences.row(j as usize);
        items.binary_search(&i).ok().map(|at| differences[at])
    }

    /// The mean of somebody's ratings; of all ratings without any.
    fn level(&self, own: impl Iterator<Item = (u32, f32)>) -> f32 {
        let (sum, count) = own.fold((0.0f64, 0u32), |(sum, count), (_, rating)| (sum + f64::from(rating), count + 1));
        if count > 0 { (sum / f64::from(count)) as f32 } else { self.mean }
    }

    fn own(&self, user: u32) -> impl Iterator<Item = (u32, f32)> + Clone + '_ {
        let (items, ratings) = self.by_user.row(user as usize);
        items.iter().copied().zip(ratings.iter().copied())
    }
}

/// Refuses ratings so large that a sum of differences between them, one for each item, could be more than f32 holds.
///
/// # Errors
/// [`FitError::Diverged`].
fn refuse_overflow(data: &TrainSet<'_>) -> Result<(), FitError> {
    let ratings = data.rows.iter().map(|&row| f64::from(data.interactions.rating[row as usize]));
    let (low, high) = ratings.fold((f64::MAX, f64::MIN), |(low, high), rating| (low.min(rating), high.max(rating)));
    let sum = (high - low) * data.n_items() as f64;
    if sum + low.abs().max(high.abs()) <= f64::from(f32::MAX) {
        return Ok(());
    }
    let what = "a sum of differences between ratings";
    Err(beyond(what, sum))
}

/// `dev(i, j)` of every other item `i`, ascending. `sums`: `[n_items]`, zeros before and after.
fn differences_to(by_user: &Csr, by_item: &Csr, j: usize, sums: &mut [(f64, u32)]) -> Vec<(u32, f32)> {
    let mut touched = Vec::new();
    let (users, ratings) = by_item.row(j);
    for (&user, &rating) in users.iter().zip(ratings) {
        let (others, other_ratings) = by_user.row(user as usize);
        for (&other, &other_rating) in others.iter().zip(other_ratings) {
            let (sum, count) = &mut sums[other as usize];
            if *count == 0 {
                touched.push(other);
            }
            *sum += f64::from(other_rating) - f64::from(rating);
            *count += 1;
        }
    }
    touched.sort_unstable();
    let take = |item: u32| {
        let (sum, count) = std::mem::take(&mut sums[item as usize]);
        (item, (sum / f64::from(count)) as f32)
    };
    touched.into_iter().map(take).filter(|(item, _)| *item as usize != j).collect()
}

impl Recommender for SlopeOne {
    fn n_users(&self) -> usize {
        self.by_user.n_rows()
    }

    fn n_items(&self) -> usize {
        self.differences.n_rows()
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        let (mut sum, mut count) = (0.0, 0u32);
        for (j, _) in self.own(user) {
            if let Some(difference) = self.difference(item, j) {
                sum += difference;
                count += 1;
            }
        }
        self.level(self.own(user)) + if count > 0 { sum / count as f32 } else { 0.0 }
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.score(self.own(user), scores);
    }

    fn read(&mut self, interactions: &Interactions, known: &[u32], _: &mut dyn FitObserver) -> Result<(), FitError> {
        self.by_user = Arc::new(Csr::by_user(interactions, known));
        Ok(())
    }

    fn memory(&self) -> MemoryBytes {
        let bytes = |csr: &Csr| size_of_val(&csr.indptr[..]) + 8 * csr.nnz();
        model_bytes(bytes(&self.differences), bytes(&self.by_user))
    }

    fn parameters(&self) -> u64 {
        self.differences.nnz() as u64
    }

    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        Some(self.reasons(self.own(user), item, n))
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    /// `differences`: row `j` has `dev(i, j)`; `ratings`: users × items; `mean`: of all ratings.
    fn parts(&self) -> Parts {
        let parts = Parts::default().with_count("items", self.n_items()).with_number("mean", self.mean);
        parts.with_csr("ratings", &self.by_user).with_csr("differences", &self.differences)
    }
}

impl FoldIn for SlopeOne {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        self.score(basket.iter().map(|own| (own.item, own.rating)), scores);
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        self.reasons(basket.iter().map(|own| (own.item, own.rating)), item, n)
    }
}
