//! Item neighbours.

mod nearest;
mod similarity;
mod weights;

use std::sync::Arc;

use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_types::event::EventKind;
use recspeed_types::spec::ResolvedRecommender;
use recspeed_types::{FitObserver, Remedy};

use super::ALLOWED_BYTES;
use super::pairs::{Keeping, PAIR_BYTES, Pairs};
use crate::divergence::not_finite;
use crate::fit::Method;
use crate::item_to_item::{ItemToItem, Weighting};
use crate::memory::allowed;
use crate::memory::paces::ADDED_PER_S;
use crate::scratch::Pool;
use crate::{FitError, TrainSet};
use nearest::Nearest;
use similarity::{Correlation, Cosine, Jaccard, Product, Similarity};
use weights::{Baskets, Weights};

pub(super) const METHOD: Method = Method {
    kind: "item-knn",
    fit: |request, observer| Ok(Box::new(fit(request.recommender, request.data, observer)?)),
    restore: |request, parts| Ok(Box::new(ItemToItem::restore(request.recommender, parts)?)),
};

/// Additions of one group of items, about a tenth of a second of work.
const GROUP_ADDITIONS: u64 = 30_000_000;
/// What is refused.
const WHAT: &str = "the neighbours of the items";
/// What to do about neighbours that are too many.
const REMEDY: &Remedy = &Remedy {
    lower: "recommender.neighbours, or the number of items with dataset.min_item",
    instead: &["popularity", "als-implicit"],
};
/// A neighbour is kept twice while the lists are turned round: by who has it, and by whose it is.
const KEPT_BYTES: u64 = 2 * PAIR_BYTES;

/// The neighbours of some items that follow each other.
#[derive(Default)]
struct Neighbours {
    lengths: Vec<usize>,
    items: Vec<u32>,
    similarities: Vec<f32>,
    /// Whether what some of them have in common is no finite number.
    overflowed: bool,
}

impl Neighbours {
    /// What was taken ahead would be as much again.
    fn trimmed(mut self) -> Self {
        self.lengths.shrink_to_fit();
        self.items.shrink_to_fit();
        self.similarities.shrink_to_fit();
        self
    }
}

/// Scores a candidate by `Σ_j w_uj · sim(candidate, j)` over the user's own items `j` among the candidate's neighbours, with
/// `w` the rating or 1. Each candidate keeps its most similar items with `sim > 0`, itself not among them; of equal
/// similarities the lower item id stays. Source: Deshpande, Karypis, "Item-Based Top-N Recommendation Algorithms",
/// doi:10.1145/963770.963776. The similarities:
///
/// - cosine of the columns of `w`, over all users;
/// - adjusted cosine: of how far the ratings lie above each user's mean, over the users who rated both.
///   Source: Sarwar et al., "Item-Based Collaborative Filtering Recommendation Algorithms", doi:10.1145/371920.372071;
/// - Pearson: the correlation of the ratings of the users who rated both;
/// - Jaccard: of the sets of users;
/// - TF-IDF: cosine of `√w · ln(n / (1 + n_u))`, `n` items, `n_u` of the user; BM25: product of the weights of Robertson,
///   Zaragoza, doi:10.1561/1500000019. Both as in implicit, whose items are the documents and users the words.
fn fit(
    recommender: &ResolvedRecommender,
    data: &TrainSet<'_>,
    observer: &mut dyn FitObserver,
) -> Result<ItemToItem, FitError> {
    let weighting = Weighting::named(recommender.text("weighting"));
    let shrinkage = recommender.float("shrinkage");
    let kept = recommender.integer("neighbours") as usize;
    let cosine = |weights: &Weights<'_>| Cosine { lengths: weights.by_item.lengths(), shrinkage };
    let neighbours = match recommender.text("similarity") {
        "adjusted-cosine" => {
            let similarity = Correlation { around_means: false, shrinkage };
            search(data, &Weights::centred_by_user(data), similarity, kept, observer)?
        }
        "pearson" => {
            let similarity = Correlation { around_means: true, shrinkage };
            search(data, &Weights::centred_by_item(data), similarity, kept, observer)?
        }
        "jaccard" => {
            let users = (0..data.n_items()).map(|item| data.by_item.row(item).0.len() as u32).collect();
            let weights = Weights::plain(data, Weighting::Rating);
            search(data, &weights, Jaccard { users, shrinkage }, kept, observer)?
        }
        "tf-idf" => {
            let weights = Weights::tf_idf(data, weighting)?;
            search(data, &weights, cosine(&weights), kept, observer)?
        }
        "bm25" => {
            let (k1, b) = (recommender.float("bm25_k1"), recommender.float("bm25_b"));
            search(data, &Weights::bm25(data, weighting, k1, b)?, Product { shrinkage }, kept, observer)?
        }
        _ => {
            let weights = Weights::plain(data, weighting);
            search(data, &weights, cosine(&weights), kept, observer)?
        }
    };
    let candidates_of = neighbours.transpose(data.n_items());
    Ok(ItemToItem { by_user: Arc::clone(&data.by_user), weighting, candidates_of })
}

/// Items × their neighbours.
fn search<S: Similarity>(
    data: &TrainSet<'_>,
    weights: &Weights<'_>,
    similarity: S,
    kept: usize,
    observer: &mut dyn FitObserver,
) -> Result<Csr, FitError> {
    let tie_ranks = data.interactions.items.tie_ranks();
    let item_of = nearest::inverse(&tie_ranks);
    let search = Search { weights, baskets: Baskets::new(&weights.by_user), similarity, tie_ranks, item_of };
    let n_items = data.n_items();
    let kept = kept.min(n_items.max(1));
    search.check(kept, allowed(ALLOWED_BYTES, observer), observer)?;
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
            .map(|(neighbours, _)| neighbours.trimmed())
            .collect();
        if found.iter().any(|piece| piece.overflowed) {
            return Err(not_finite("what two items have in common"));
        }
        append(&mut neighbours, &found)?;
        start = end;
        observer.event(EventKind::Progress { done: end as u64, total: n_items as u64, unit: "items".to_owned() });
    }
    Ok(neighbours)
}

fn append(neighbours: &mut Csr, found: &[Neighbours]) -> Result<(), FitError> {
    let more: usize = found.iter().map(|piece| piece.items.len()).sum();
    if neighbours.indices.try_reserve(more).is_err() || neighbours.values.try_reserve(more).is_err() {
        let bytes = 8 * (neighbours.indices.len() + more) as u64;
        let (stays, at_test, seconds) = (0, 0, None);
        return Err(FitError::Unaffordable { what: WHAT, bytes, stays, at_test, seconds, fits: None, remedy: REMEDY });
    }
    for piece in found {
        for length in &piece.lengths {
            neighbours.indptr.push(neighbours.indptr.last().copied().unwrap_or(0) + length);
        }
        neighbours.indices.extend_from_slice(&piece.items);
        neighbours.values.extend_from_slice(&piece.similarities);
    }
    Ok(())
}

/// What finding neighbours reads.
struct Search<'a, S> {
    weights: &'a Weights<'a>,
    baskets: Baskets,
    similarity: S,
    tie_ranks: Vec<u32>,
    /// The inverse of `tie_ranks`.
    item_of: Vec<u32>,
}

/// What finding neighbours writes, once a thread: for each item a sum, beside the item whose search it belongs to.
struct Scratch<T> {
    sums: Vec<(u32, T)>,
    touched: Vec<u32>,
    nearest: Nearest,
}

impl<T: Copy + Default> Scratch<T> {
    fn new(n_items: usize, kept: usize) -> Self {
        Self { sums: vec![(u32::MAX, T::default()); n_items], touched: Vec::new(), nearest: Nearest::new(kept) }
    }

    /// Bytes for each item: a sum, and lists that grow of what was touched and how near it is.
    const BYTES: u64 = (size_of::<(u32, T)>() + 2 * (size_of::<u32>() + size_of::<u64>())) as u64;
}

impl<S: Similarity> Search<'_, S> {
    /// Refuses neighbours that are too many, with what finding them takes beside.
    ///
    /// # Errors
    /// [`FitError::Unaffordable`], or stopped while neighbours were counted.
    fn check(&self, kept: usize, allowed: u64, observer: &mut dyn FitObserver) -> Result<(), FitError> {
        let Weights { by_user, by_item } = self.weights;
        let n_items = by_item.n_rows() as u64;
        let threads = rayon::current_num_threads() as u64;
        // Both matrices of neighbours say where the row of each item begins.
        let beside = n_items * (threads * Scratch::<S::Sum>::BYTES + 2 * size_of::<usize>() as u64);
        let keeping = Keeping { most: kept, pair_bytes: KEPT_BYTES, beside, visits_per_s: ADDED_PER_S };
        // They are lent to the counting alone: a search would take its marks for its own.
        let scratches = Pool::new();
        let count = |item: usize| {
            let mut found = Neighbours::default();
            let mut scratch = scratches.lend(|| Scratch::new(n_items as usize, kept));
            self.neighbours_of(item as u32, &mut scratch, &mut found);
            found.items.len()
        };
        let pairs = Pairs { rows: by_item.shape(), columns: by_user.shape() };
        pairs.check(count, keeping, allowed, (WHAT, REMEDY), observer)
    }

    /// Where a group of items that starts at `start` ends, so that it takes a small part of a second.
    fn group_end(&self, start: usize) -> usize {
        let by_item = &self.weights.by_item;
        let (mut end, mut additions) = (start, 0);
        while end < by_item.n_rows() && additions < GROUP_ADDITIONS {
            let users = by_item.row(end).0;
            additions += 1 + users.iter().map(|&user| self.baskets.of(user).len() as u64).sum::<u64>();
            end += 1;
        }
        end
    }

    fn neighbours_of(&self, item: u32, scratch: &mut Scratch<S::Sum>, found: &mut Neighbours) {
        let Scratch { sums, touched, nearest } = scratch;
        touched.clear();
        let (users, weights) = self.weights.by_item.row(item as usize);
        let shared = users.iter().zip(weights).filter(|(user, _)| self.baskets.has_several(**user));
        for (&user, &weight) in shared {
            for &(other, other_weight) in self.baskets.of(user) {
                let (mark, sum) = &mut sums[other as usize];
                if *mark != item {
                    *mark = item;
                    *sum = S::Sum::default();
                    touched.push(other);
                }
                S::add(sum, weight, other_weight);
            }
        }
        for &other in &*touched {
            let sum = sums[other as usize].1;
            let similarity = self.similarity.of(item, other, sum) as f32;
            if other != item {
                found.overflowed |= !S::is_finite(sum);
                nearest.offer(similarity, self.tie_ranks[other as usize]);
            }
        }
        let before = found.items.len();
        for (similarity, rank) in nearest.take() {
            found.items.push(self.item_of[rank as usize]);
            found.similarities.push(similarity);
        }
        found.lengths.push(found.items.len() - before);
    }
}
