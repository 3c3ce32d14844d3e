//! SLIM: sparse linear weights between items, one elastic net a candidate.

use std::sync::Arc;

use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_types::event::EventKind;
use recspeed_types::{FitObserver, Remedy, written};

use crate::error::{reserve, room};
use crate::fit::{FitRequest, Method};
use crate::item_to_item::{ItemToItem, Weighting};
use crate::linear::products::{GROUP, Keeps, Products, Progress};
use crate::memory::paces::{SOLVED_PER_S, VISITED_PER_S};
use crate::memory::{Needs, allowed, check};
use crate::ranking::Best;
use crate::scratch::Pool;
use crate::{FitError, TrainSet};

pub(super) const METHOD: Method = Method {
    kind: "slim",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(ItemToItem::restore(request.recommender, parts)?)),
};

/// Bytes that the fit may hold where nobody knows what is left. A browser tab addresses 4 GiB.
const ALLOWED_BYTES: u64 = if cfg!(target_arch = "wasm32") { 2 << 30 } else { 16 << 30 };
/// What is refused, and what takes less.
const WHAT: &str = "the weights between items and the products of neighbours";
const REMEDY: &Remedy = &Remedy {
    lower: "recommender.neighbours (0 takes all), or the number of items with dataset.min_item",
    instead: &["item-knn"],
};
/// Bytes for each item of a row while its list grows: item and product, and what the lists took before.
const LIST_BYTES: u64 = 36;
/// Candidates whose neighbours are counted beforehand.
const COUNTED: usize = 16;
/// Rounds of coordinate descent at most, and the change of a weight that counts as none.
const MAX_ROUNDS: usize = 100;
const TOLERANCE: f64 = 1e-4;

/// For each candidate `c` non-negative weights `w` of other items `j`, minimising `½‖x_c − Σ_j w_j x_j‖² + ½ λ₂ ‖w‖² +
/// λ₁ ‖w‖₁` by coordinate descent on inner products; only the `neighbours` items most similar to `c` by cosine may have
/// a weight (0: all that share a user with it). Source: Ning, Karypis, "SLIM: Sparse Linear Methods for Top-N
/// Recommender Systems", doi:10.1109/ICDM.2011.134.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<ItemToItem, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let n_items = data.n_items();
    let weighting = Weighting::named(recommender.text("weighting"));
    let neighbours = match recommender.integer("neighbours") as usize {
        0 => n_items,
        some => some,
    };
    let allowed = allowed(ALLOWED_BYTES, observer);
    let lines = Pool::new();
    let rows = Rows::of(data, neighbours);
    let mut held = Held::of(n_items, rows, neighbours.min(rows.widest));
    if held.bytes() > allowed / 2 {
        held = Held::of(n_items, rows, most_neighbours(data).min(neighbours));
        // How many weights are not 0 is known only when they are found: what comes after this fit is told the most that
        // they can be, for which the fit itself makes room.
        let needs = Needs { bytes: held.bytes(), stays: held.weights, seconds: seconds(data, neighbours) };
        check(needs, allowed, WHAT, REMEDY)?;
    }
    let (keeps, _) = Keeps::within((allowed - held.while_solving()).min(allowed / 2), data);
    let mut progress = Progress::new(observer, n_items * (1 + keeps.rounds()));
    let problem = Problem {
        products: Products::new(data, weighting, keeps, &lines, &mut progress)?,
        tie_ranks: data.interactions.items.tie_ranks(),
        squares: squares(&data.by_item, weighting),
        neighbours,
        l1: recommender.float("l1"),
        l2: recommender.float("l2"),
    };
    // At once as long as they may become: what grows on the way is twice as much for a while.
    let mut weights_of = Csr {
        indptr: room(n_items.checked_add(1), WHAT, REMEDY)?,
        indices: room(usize::try_from(rows.weights).ok(), WHAT, REMEDY)?,
        values: room(usize::try_from(rows.weights).ok(), WHAT, REMEDY)?,
    };
    weights_of.indptr.push(0);
    let mut strongest = Vec::with_capacity(n_items);
    for start in (0..n_items).step_by(GROUP) {
        progress.begin()?;
        let end = (start + GROUP).min(n_items);
        let solved: Vec<Solved> = (start..end)
            .into_par_iter()
            .map_init(|| lines.lend(|| vec![0.0; n_items]), |line, item| problem.solve(item as u32, line))
            .collect::<Result<_, FitError>>()?;
        for Solved { weights, strongest: product } in solved {
            strongest.push(product);
            weights_of.indices.extend(weights.iter().map(|(item, _)| *item));
            weights_of.values.extend(weights.iter().map(|(_, weight)| *weight));
            weights_of.indptr.push(weights_of.indices.len());
        }
        progress.end(end - start);
    }
    let l1 = problem.l1;
    // What only learning needs goes before the weights are there twice.
    drop((problem, lines));
    if let Some(message) = too_sparse(l1, strongest, weights_of.values.len()) {
        observer.event(EventKind::Warning { message });
    }
    Ok(ItemToItem { by_user: Arc::clone(&data.by_user), weighting, candidates_of: weights_of.transpose(n_items) })
}

/// The weights of one candidate.
struct Solved {
    /// Items and their weights, ascending.
    weights: Vec<(u32, f32)>,
    /// The largest product with an item that may have one; 0 where none may.
    strongest: f64,
}

/// What to say where the L1 penalty has left most items without any weight: they score 0 for everybody, whatever anybody has. `strongest`:
/// of each item the largest product with another one; the item has a weight exactly where that is above the penalty.
fn too_sparse(l1: f64, mut strongest: Vec<f64>, weights: usize) -> Option<String> {
    strongest.retain(|product| *product > 0.0);
    let without = strongest.iter().filter(|product| **product <= l1).count();
    if 2 * without <= strongest.len() {
        return None;
    }
    strongest.sort_unstable_by(f64::total_cmp);
    // Nine of ten have one below this.
    let enough = strongest[strongest.len() / 10];
    Some(format!(
        "recommender.l1 = {} left {weights} weights, and none to {without} of the {} items that share users with others: these score 0 \
         for everybody. Lower recommender.l1: below {} nine items of ten have a weight",
        written(l1),
        strongest.len(),
        written(enough)
    ))
}

/// How many entries the users of an item have: of other items it has no more to do with.
fn visits(data: &TrainSet<'_>, item: usize) -> usize {
    data.by_item.row(item).0.iter().map(|&user| data.by_user.row(user as usize).0.len()).sum()
}

/// What counts tell of the rows of products.
#[derive(Debug, Clone, Copy)]
struct Rows {
    /// Items in the longest one, at most.
    widest: usize,
    /// Weights of all candidates together, at most.
    weights: u64,
}

impl Rows {
    fn of(data: &TrainSet<'_>, neighbours: usize) -> Self {
        let n_items = data.n_items();
        let row = |item: usize| {
            let widest = visits(data, item).min(n_items);
            Self { widest, weights: widest.min(neighbours) as u64 }
        };
        let none = || Self { widest: 0, weights: 0 };
        let both = |a: Self, b: Self| Self { widest: a.widest.max(b.widest), weights: a.weights + b.weights };
        (0..n_items).into_par_iter().map(row).reduce(none, both)
    }
}

/// Bytes that the fit holds beside the products that it keeps.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// The weights, candidate by candidate.
    weights: u64,
    /// What candidates are solved with.
    solving: u64,
}

impl Held {
    fn of(n_items: usize, rows: Rows, neighbours: usize) -> Self {
        let threads = rayon::current_num_threads() as u64;
        let (items, widest, neighbours) = (n_items as u64, rows.widest as u64, neighbours as u64);
        // The products among the neighbours of one candidate, a line over all items, and lists of what is in it.
        let of_a_thread = 8 * neighbours.saturating_pow(2) + 8 * items + LIST_BYTES * widest;
        // Lengths, ranks and strongest products of the items, and the weights of a group, in lists that grow.
        let solving = threads.saturating_mul(of_a_thread) + 20 * items + 16 * neighbours * GROUP as u64;
        Self { weights: 8 * rows.weights + 12 * items, solving }
    }

    const fn while_solving(self) -> u64 {
        self.weights.saturating_add(self.solving)
    }

    /// At the highest point: the weights lie beside what they are learnt with, then beside themselves, turned round.
    fn bytes(self) -> u64 {
        self.while_solving().max(2 * self.weights)
    }
}

/// About how long the fit takes, the products computed anew for each candidate: where memory is short they are not
/// kept.
fn seconds(data: &TrainSet<'_>, neighbours: usize) -> f64 {
    let of_candidate = |item: usize| {
        let visits = visits(data, item);
        let own = visits.min(data.n_items()).min(neighbours) as f64;
        own * own / SOLVED_PER_S + own * visits as f64 / VISITED_PER_S
    };
    let all: f64 = (0..data.n_items()).map(of_candidate).sum();
    all / rayon::current_num_threads() as f64
}

/// Squared length of each item's column of weights.
fn squares(by_item: &Csr, weighting: Weighting) -> Vec<f64> {
    let square = |&rating: &f32| f64::from(weighting.of(rating)).powi(2);
    (0..by_item.n_rows()).map(|item| by_item.row(item).1.iter().map(square).sum()).collect()
}

/// Neighbours of the candidate that has the most, looked for among those whose users have the most items.
fn most_neighbours(data: &TrainSet<'_>) -> usize {
    let items_of = |user: &u32| data.by_user.row(*user as usize).0;
    let mut items: Vec<(usize, usize)> =
        (0..data.n_items()).into_par_iter().map(|item| (visits(data, item), item)).collect();
    items.sort_unstable_by_key(|&item| std::cmp::Reverse(item));
    let neighbours = |&(_, item): &(usize, usize)| {
        let mut seen = vec![false; items.len()];
        let others = data.by_item.row(item).0.iter().flat_map(items_of);
        others.filter(|&&other| !std::mem::replace(&mut seen[other as usize], true)).count()
    };
    items.iter().take(COUNTED).map(neighbours).max().unwrap_or(0)
}

struct Problem<'a> {
    products: Products<'a>,
    tie_ranks: Vec<u32>,
    squares: Vec<f64>,
    neighbours: usize,
    l1: f64,
    l2: f64,
}

impl Problem<'_> {
    /// The weights of one candidate, items ascending. `line`: `[n_items]`, all zero before and after.
    fn solve(&self, candidate: u32, line: &mut [f64]) -> Result<Solved, FitError> {
        let target = self.squares[candidate as usize];
        let mut best = Best::new(self.neighbours);
        let row = self.products.row(candidate, line);
        for (&other, &product) in row.items.iter().zip(&*row.products).filter(|&(&other, _)| other != candidate) {
            let similarity = product / (target * self.squares[other as usize]).sqrt();
            if similarity > 0.0 {
                best.offer(similarity as f32, self.tie_ranks[other as usize], other);
            }
        }
        let mut chosen: Vec<u32> = best.take().into_iter().map(|scored| scored.item).collect();
        chosen.sort_unstable();
        let n = chosen.len();
        let mut correlation = vec![0.0; n];
        self.products.among(candidate, &chosen, line, &mut correlation);
        let mut gram: Vec<f64> = reserve(n.checked_mul(n), WHAT, REMEDY)?;
        for (row, &item) in gram.chunks_exact_mut(n.max(1)).zip(&chosen) {
            self.products.among(item, &chosen, line, row);
        }
        let weights = self.descend(&gram, &correlation);
        let weights = chosen.into_iter().zip(weights).filter(|(_, w)| *w > 0.0).map(|(item, w)| (item, w as f32));
        let strongest = correlation.iter().copied().fold(0.0, f64::max);
        Ok(Solved { weights: weights.collect(), strongest })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_penalty_that_leaves_most_items_nothing_is_told_with_one_that_would_not() {
        // Nine pairs of people who gave 5 and 4 stars to the same two items, one that three gave, one that nobody shares.
        let most = [vec![20.0; 9], vec![0.0, 75.0]].concat();
        let told = too_sparse(50.0, most.clone(), 1).expect("nine of ten have none");
        assert!(told.starts_with("recommender.l1 = 50 left 1 weights, and none to 9 of the 10 items that"), "{told}");
        assert!(told.ends_with("Lower recommender.l1: below 20 nine items of ten have a weight"), "{told}");
        // What is as large as the penalty gives no weight.
        assert!(too_sparse(20.0, most.clone(), 1).is_some());
        for l1 in [0.0, 19.9] {
            assert_eq!(too_sparse(l1, most.clone(), 90), None, "{l1}");
        }
        let half = [vec![20.0; 5], vec![75.0; 5]].concat();
        assert_eq!(too_sparse(50.0, half, 5), None, "half of them have one");
        assert_eq!(too_sparse(50.0, vec![0.0; 3], 0), None, "no penalty is to blame where nobody shares anything");
    }
}
