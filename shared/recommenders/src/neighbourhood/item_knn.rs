//! Item neighbours by cosine.

use std::sync::Arc;

use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;
use recspeed_types::spec::ResolvedRecommender;

use crate::fit::Method;
use crate::item_to_item::{ItemToItem, Weighting};
use crate::ranking::{Best, Scored};
use crate::{FitError, TrainSet};

pub(super) const METHOD: Method = Method {
    kind: "item-knn",
    fit: |request, observer| Ok(Box::new(fit(request.recommender, request.data, observer)?)),
    restore: |recommender, parts| Ok(Box::new(ItemToItem::restore(recommender, parts)?)),
};

/// Additions of one group of items, about a tenth of a second of work.
const GROUP_ADDITIONS: u64 = 30_000_000;

/// The neighbours of some items that follow each other.
#[derive(Default)]
struct Neighbours {
    lengths: Vec<usize>,
    entries: Vec<Scored>,
}

/// Scores a candidate by `Σ_j w_uj · sim(candidate, j)` over the user's own items `j` among the candidate's neighbours.
///
/// `sim(i, j) = Σ_u w_ui · w_uj / (‖w_i‖ · ‖w_j‖ + shrinkage)`, with `w` the rating or 1. Each candidate keeps its most
/// similar items with `sim > 0`, itself not among them; of equal similarities the lower item id stays.
/// Source: Deshpande, Karypis, "Item-Based Top-N Recommendation Algorithms", doi:10.1145/963770.963776.
fn fit(
    recommender: &ResolvedRecommender,
    data: &TrainSet<'_>,
    observer: &mut dyn FitObserver,
) -> Result<ItemToItem, FitError> {
    let weighting = Weighting::named(recommender.text("weighting"));
    let search = Search {
        data,
        weighting,
        shrinkage: recommender.float("shrinkage"),
        norms: norms(&data.by_item, weighting),
        tie_ranks: data.interactions.items.tie_ranks(),
    };
    let n_items = data.n_items();
    let kept = (recommender.integer("neighbours") as usize).min(n_items.max(1));
    let mut neighbours = Csr { indptr: Vec::with_capacity(n_items + 1), ..Csr::default() };
    neighbours.indptr.push(0);
    let mut start = 0;
    while start < n_items {
        if observer.stop_requested() {
            return Err(FitError::Interrupted { done: start as u64, total: n_items as u64, unit: "items" });
        }
        let end = search.group_end(start);
        let found: Vec<Neighbours> = (start..end)
            .into_par_iter()
            .fold(
                || (Neighbours::default(), None),
                |(mut neighbours, scratch), item| {
                    let mut scratch = scratch.unwrap_or_else(|| Scratch::new(n_items, kept));
                    search.neighbours_of(item as u32, &mut scratch, &mut neighbours);
                    (neighbours, Some(scratch))
                },
            )
            .map(|(neighbours, _)| neighbours)
            .collect();
        append(&mut neighbours, &found)?;
        start = end;
        observer.event(EventKind::Progress { done: end as u64, total: n_items as u64, unit: "items".to_owned() });
    }
    Ok(ItemToItem { by_user: Arc::clone(&data.by_user), weighting, candidates_of: neighbours.transpose(n_items) })
}

fn append(neighbours: &mut Csr, found: &[Neighbours]) -> Result<(), FitError> {
    let more: usize = found.iter().map(|piece| piece.entries.len()).sum();
    if neighbours.indices.try_reserve(more).is_err() || neighbours.values.try_reserve(more).is_err() {
        let bytes = 8 * (neighbours.indices.len() + more) as u64;
        return Err(FitError::OutOfMemory { what: "the neighbours", bytes, remedy: "recommender.neighbours" });
    }
    for piece in found {
        for length in &piece.lengths {
            neighbours.indptr.push(neighbours.indptr.last().copied().unwrap_or(0) + length);
        }
        neighbours.indices.extend(piece.entries.iter().map(|scored| scored.item));
        neighbours.values.extend(piece.entries.iter().map(|scored| scored.score));
    }
    Ok(())
}

/// Euclidean length of each item's column of weights.
fn norms(by_item: &Csr, weighting: Weighting) -> Vec<f64> {
    (0..by_item.n_rows())
        .map(|item| {
            let squares = by_item.row(item).1.iter().map(|&rating| f64::from(weighting.of(rating)).powi(2));
            squares.sum::<f64>().sqrt()
        })
        .collect()
}

/// What finding neighbours reads.
struct Search<'a> {
    data: &'a TrainSet<'a>,
    weighting: Weighting,
    shrinkage: f64,
    norms: Vec<f64>,
    tie_ranks: Vec<u32>,
}

/// What finding neighbours writes, once a thread: a sum for each item, and which sums belong to the current item.
struct Scratch {
    sums: Vec<f32>,
    touched_for: Vec<u32>,
    touched: Vec<u32>,
    best: Best,
}

impl Scratch {
    fn new(n_items: usize, kept: usize) -> Self {
        Self {
            sums: vec![0.0; n_items],
            touched_for: vec![u32::MAX; n_items],
            touched: Vec::new(),
            best: Best::new(kept),
        }
    }
}

impl Search<'_> {
    /// Where a group of items that starts at `start` ends, so that it takes a small part of a second.
    fn group_end(&self, start: usize) -> usize {
        let (mut end, mut additions) = (start, 0);
        while end < self.data.n_items() && additions < GROUP_ADDITIONS {
            let users = self.data.by_item.row(end).0;
            additions += 1 + users.iter().map(|&user| self.data.by_user.row(user as usize).0.len() as u64).sum::<u64>();
            end += 1;
        }
        end
    }

    fn neighbours_of(&self, item: u32, scratch: &mut Scratch, found: &mut Neighbours) {
        let Scratch { sums, touched_for, touched, best } = scratch;
        touched.clear();
        let (users, ratings) = self.data.by_item.row(item as usize);
        for (&user, &rating) in users.iter().zip(ratings) {
            let weight = self.weighting.of(rating);
            let (others, other_ratings) = self.data.by_user.row(user as usize);
            for (&other, &other_rating) in others.iter().zip(other_ratings) {
                let product = weight * self.weighting.of(other_rating);
                let sum = &mut sums[other as usize];
                let mark = &mut touched_for[other as usize];
                if *mark == item {
                    *sum += product;
                } else {
                    *mark = item;
                    *sum = product;
                    touched.push(other);
                }
            }
        }
        for &other in &*touched {
            let length = self.norms[item as usize] * self.norms[other as usize] + self.shrinkage;
            let similarity = (f64::from(sums[other as usize]) / length) as f32;
            if other != item && similarity > 0.0 && similarity >= best.threshold() {
                best.offer(similarity, self.tie_ranks[other as usize], other);
            }
        }
        let before = found.entries.len();
        found.entries.extend(best.take());
        found.lengths.push(found.entries.len() - before);
    }
}
