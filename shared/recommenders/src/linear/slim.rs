//! SLIM: sparse linear weights between items, one elastic net a candidate.

use std::sync::Arc;

use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;

use crate::error::reserve;
use crate::fit::{FitRequest, Method};
use crate::item_to_item::{ItemToItem, Weighting};
use crate::linear::ease::gramian;
use crate::memory::{allowed, check};
use crate::ranking::Best;
use crate::scratch::Pool;
use crate::{FitError, TrainSet};

pub(super) const METHOD: Method = Method {
    kind: "slim",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(ItemToItem::restore(request.recommender, parts)?)),
};

/// Candidates solved between two looks at the observer; a fixed number, so the bits do not depend on the threads.
const GROUP: usize = 64;
/// Items whose products are computed once and kept, 512 MB in all; with more of them each candidate computes its own.
const KEPT_ITEMS: usize = 8_000;
/// Bytes that the fit may hold. A browser tab addresses 4 GiB.
const ALLOWED_BYTES: u64 = if cfg!(target_arch = "wasm32") { 2 << 30 } else { 16 << 30 };
/// Candidates whose neighbours are counted beforehand.
const COUNTED: usize = 16;
/// Rounds of coordinate descent at most, and the change of a weight that counts as none.
const MAX_ROUNDS: usize = 100;
const TOLERANCE: f64 = 1e-4;

/// For each candidate `c` non-negative weights `w` of other items `j`, minimising
/// `½‖x_c − Σ_j w_j x_j‖² + ½ λ₂ ‖w‖² + λ₁ ‖w‖₁` by coordinate descent on inner products; only the `neighbours` items most
/// similar to `c` by cosine may have a weight (0: all that share a user with it).
/// Source: Ning, Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", doi:10.1109/ICDM.2011.134.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<ItemToItem, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let n_items = data.n_items();
    let weighting = Weighting::named(recommender.text("weighting"));
    let allowed = allowed(ALLOWED_BYTES, observer);
    let products_bytes = 8 * (n_items as u64).pow(2);
    let kept = n_items <= KEPT_ITEMS && products_bytes <= allowed / 2;
    let mut problem = Problem {
        products: None,
        data,
        weighting,
        tie_ranks: data.interactions.items.tie_ranks(),
        squares: squares(&data.by_item, weighting),
        neighbours: match recommender.integer("neighbours") as usize {
            0 => n_items,
            some => some,
        },
        l1: recommender.float("l1"),
        l2: recommender.float("l2"),
    };
    let lines = Pool::new();
    // Each thread holds the products among one candidate's neighbours.
    let bytes_of = |neighbours: usize| 8 * (neighbours as u64).pow(2) * rayon::current_num_threads() as u64;
    let left = allowed - if kept { products_bytes } else { 0 };
    if bytes_of(problem.neighbours.min(n_items)) > left {
        let remedy = "recommender.neighbours (0 takes all), or the number of items with dataset.min_item";
        check(bytes_of(problem.most_neighbours(&lines)), left, "the products of the neighbours", remedy)?;
    }
    if kept {
        problem.products = Some(gramian(&data.by_user, &data.by_item, weighting, 0.0)?);
    }
    let mut weights_of = Csr { indptr: vec![0], ..Csr::default() };
    for start in (0..n_items).step_by(GROUP) {
        if observer.stop_requested() {
            return Err(FitError::Interrupted { done: start as u64, total: n_items as u64, unit: "items" });
        }
        let end = (start + GROUP).min(n_items);
        let solved: Vec<Vec<(u32, f32)>> = (start..end)
            .into_par_iter()
            .map_init(|| lines.lend(|| vec![0.0; n_items]), |sums, item| problem.solve(item as u32, sums))
            .collect::<Result<_, FitError>>()?;
        for weights in solved {
            weights_of.indices.extend(weights.iter().map(|(item, _)| *item));
            weights_of.values.extend(weights.iter().map(|(_, weight)| *weight));
            weights_of.indptr.push(weights_of.indices.len());
        }
        observer.event(EventKind::Progress { done: end as u64, total: n_items as u64, unit: "items".to_owned() });
    }
    Ok(ItemToItem { by_user: Arc::clone(&data.by_user), weighting, candidates_of: weights_of.transpose(n_items) })
}

/// Squared length of each item's column of weights.
fn squares(by_item: &Csr, weighting: Weighting) -> Vec<f64> {
    let square = |&rating: &f32| f64::from(weighting.of(rating)).powi(2);
    (0..by_item.n_rows()).map(|item| by_item.row(item).1.iter().map(square).sum()).collect()
}

struct Problem<'a> {
    /// `XᵀX`, `[n_items, n_items]`, where it is small enough.
    products: Option<Vec<f64>>,
    data: &'a TrainSet<'a>,
    weighting: Weighting,
    tie_ranks: Vec<u32>,
    squares: Vec<f64>,
    neighbours: usize,
    l1: f64,
    l2: f64,
}

impl Problem<'_> {
    /// Neighbours of the candidate that has the most, looked for among those whose users have the most items.
    fn most_neighbours(&self, lines: &Pool<Vec<f64>>) -> usize {
        let n_items = self.squares.len();
        let visits = |item: usize| {
            let users = self.data.by_item.row(item).0;
            users.iter().map(|&user| self.data.by_user.row(user as usize).0.len()).sum::<usize>()
        };
        let mut items: Vec<(usize, usize)> = (0..n_items).into_par_iter().map(|item| (visits(item), item)).collect();
        items.sort_unstable_by_key(|&item| std::cmp::Reverse(item));
        let mut sums = lines.lend(|| vec![0.0; n_items]);
        let mut touched_by = |item: usize| {
            let mut touched = self.add_products(item as u32, &mut sums);
            let n = touched.len();
            clear(&mut sums, &mut touched);
            n
        };
        items.iter().take(COUNTED).map(|&(_, item)| touched_by(item)).max().unwrap_or(0).min(self.neighbours)
    }

    /// The weights of one candidate, items ascending. `sums`: `[n_items]`, all zero before and after.
    fn solve(&self, candidate: u32, sums: &mut [f64]) -> Result<Vec<(u32, f32)>, FitError> {
        let mut touched = self.add_products(candidate, sums);
        let target = self.squares[candidate as usize];
        let mut best = Best::new(self.neighbours);
        for &other in touched.iter().filter(|&&other| other != candidate) {
            let similarity = sums[other as usize] / (target * self.squares[other as usize]).sqrt();
            if similarity > 0.0 {
                best.offer(similarity as f32, self.tie_ranks[other as usize], other);
            }
        }
        let mut chosen: Vec<u32> = best.take().into_iter().map(|scored| scored.item).collect();
        chosen.sort_unstable();
        // Ratings that cancel out can make an item look new twice.
        chosen.dedup();
        let correlation: Vec<f64> = chosen.iter().map(|&item| sums[item as usize]).collect();
        clear(sums, &mut touched);
        let n = chosen.len();
        let mut gram: Vec<f64> = reserve(n.checked_mul(n), "the products of the neighbours", "recommender.neighbours")?;
        for (row, &item) in gram.chunks_exact_mut(n.max(1)).zip(&chosen) {
            if let Some(products) = &self.products {
                let all = &products[item as usize * sums.len()..][..sums.len()];
                row.iter_mut().zip(&chosen).for_each(|(value, &other)| *value = all[other as usize]);
                continue;
            }
            let mut touched = self.add_products(item, sums);
            row.iter_mut().zip(&chosen).for_each(|(value, &other)| *value = sums[other as usize]);
            clear(sums, &mut touched);
        }
        let weights = self.descend(&gram, &correlation);
        Ok(chosen.into_iter().zip(weights).filter(|(_, w)| *w > 0.0).map(|(item, w)| (item, w as f32)).collect())
    }

    /// Adds `x_item · x_other` to `sums` for every other item that shares a user; those items.
    fn add_products(&self, item: u32, sums: &mut [f64]) -> Vec<u32> {
        let mut touched = Vec::new();
        let (users, ratings) = self.data.by_item.row(item as usize);
        for (&user, &rating) in users.iter().zip(ratings) {
            let weight = f64::from(self.weighting.of(rating));
            let (others, other_ratings) = self.data.by_user.row(user as usize);
            for (&other, &other_rating) in others.iter().zip(other_ratings) {
                let sum = &mut sums[other as usize];
                if *sum == 0.0 {
                    touched.push(other);
                }
                *sum += weight * f64::from(self.weighting.of(other_rating));
            }
        }
        touched
    }

    /// `w_k ← max(0, (c_k − Σ_{l≠k} g_kl w_l − λ₁)) / (g_kk + λ₂)`, round by round.
    fn descend(&self, gram: &[f64], correlation: &[f64]) -> Vec<f64> {
        let n = correlation.len();
        let mut weights = vec![0.0; n];
        // `rest_k = c_k − Σ_l g_kl w_l`
        let mut rest = correlation.to_vec();
        for _ in 0..MAX_ROUNDS {
            let mut change = 0.0f64;
            for k in 0..n {
                let row = &gram[k * n..][..n];
                let denominator = row[k] + self.l2;
                if denominator <= 0.0 {
                    continue;
                }
                let wanted = ((rest[k] + row[k] * weights[k] - self.l1) / denominator).max(0.0);
                let step = wanted - weights[k];
                if step != 0.0 {
                    weights[k] = wanted;
                    for (rest, &g) in rest.iter_mut().zip(row) {
                        *rest -= g * step;
                    }
                    change = change.max(step.abs());
                }
            }
            if change < TOLERANCE {
                break;
            }
        }
        weights
    }
}

fn clear(sums: &mut [f64], touched: &mut Vec<u32>) {
    for item in touched.drain(..) {
        sums[item as usize] = 0.0;
    }
}
