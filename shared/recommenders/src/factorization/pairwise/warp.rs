//! WARP: the wrong item is searched for, and the longer the search, the less there is to correct.

use std::array::from_fn;
use std::mem::{replace, take};

use pulp::{Arch, Simd, WithSimd};
use rand_chacha::ChaCha8Rng;
use recspeed_dense as dense;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use crate::course::{self, Learner};
use crate::divergence::OfNothing;
use crate::factorization::adagrad;
use crate::factorization::ahead::{AHEAD, look_up};
use crate::factorization::draws::{ITEMS_STREAM, READ_AT_ONCE, ROWS_AT_ONCE, USERS_STREAM, order, stream};
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::pairwise::{Loss, Others, Pairwise, Steps as StepKind};
use crate::factorization::pairs::{PairData, part_stream, two_rows};
use crate::factorization::race::{SharedRows, may_pay, race};
use crate::fit::{FitRequest, Method};
use crate::memory::Counts;
use crate::{FitError, Parts, PartsError};

pub(crate) const METHOD: Method = Method {
    kind: "warp",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |request, parts| {
        let newcomers = |mut parts: Parts, n_items: usize| -> Result<Pairwise, PartsError> {
            Ok(newcomers(request.recommender, Others::take_from(&mut parts, n_items)?))
        };
        Ok(Box::new(FactorModel::restore_with(parts, newcomers)?))
    },
};

/// ChaCha8 streams of the items that are drawn in one order, one an epoch.
const OTHERS_STREAM: u64 = 1 << 21;

/// `x_ui = p_u · q_i + b_i`. For each interaction of each epoch, in an order drawn anew, items are drawn uniformly until one
/// that the user does not have scores above `x_ui − 1`, `max_sampled` at most. Found by the `N`-th draw, it stands for about
/// `k = ⌊(n − 1) / N⌋` such items, and one step is taken down the gradient of
/// `L(k) (1 − x_ui + x_uj) + ½ λ ‖numbers‖²` with `L(k) = Σ_{i ≤ k} 1/i`, which minds the top of the list most.
/// Source: Weston, Bengio, Usunier, "WSABIE: Scaling Up To Large Vocabulary Image Annotation", IJCAI 2011. As in LightFM, each
/// number has a step length of its own (Adagrad), the number of draws is bounded, and items have biases.
///
/// One order for all, and not strata as `bpr` has: where the pairs of a user follow one another, it learns less (MovieLens-100K ua,
/// 20 epochs, three seeds: NDCG@10 .298 so, .279 in strata, which would take half of the time).
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<FactorModel, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let d = recommender.integer("factors") as usize;
    let pairs = PairData::new(data);
    let (users, items) = (
        PairData::vectors(&data.by_user, d, request.seed, USERS_STREAM)?,
        PairData::vectors(&data.by_item, d, request.seed, ITEMS_STREAM)?,
    );
    let mut learner = Warp {
        d,
        learning_rate: recommender.float("learning_rate") as f32,
        regularization: recommender.float("regularization") as f32,
        rank_weights: rank_weights(pairs.n_known(), recommender.integer("max_sampled") as usize),
        races: races(recommender.is_fast(), d as u64, &Counts::of(data)),
        seed: request.seed,
        user_squares: vec![1.0; users.len()],
        item_squares: vec![1.0; items.len()],
        bias_squares: vec![1.0; data.n_items()],
        biases: vec![0.0; data.n_items()],
        pairs,
        users,
        items,
    };
    course::take(&mut learner, recommender.integer("iterations") as u64, observer)?;
    // What only learning needs goes before the vectors grow.
    let Warp { users, items, biases, user_squares, item_squares, bias_squares, pairs, .. } = learner;
    let PairData { known, owner, .. } = pairs;
    drop((user_squares, item_squares, bias_squares, owner));
    let newcomers = newcomers(recommender, Others { known, seed: request.seed });
    Ok(PairData::model(d, users, items, &biases, newcomers))
}

/// Whether threads race where vectors of length `d` are learnt from such data: only in the fast mode, and there only where
/// that may pay; where it cannot, the fast mode is the exact one. The fit, its forecast and the mode in the result all ask
/// here.
pub(crate) const fn races(fast: bool, d: u64, counts: &Counts) -> bool {
    fast && may_pay(counts.threads, counts.entries, written_by_all(counts.known, d))
}

/// Bytes of the items' numbers with their squares, biases too: in a race every thread writes them.
const fn written_by_all(known: u64, d: u64) -> u64 {
    known * (d + 1) * 2 * size_of::<f32>() as u64
}

fn newcomers(recommender: &ResolvedRecommender, others: Others) -> Pairwise {
    Pairwise {
        loss: Loss::Warp(rank_weights(others.known.len(), recommender.integer("max_sampled") as usize)),
        steps: StepKind::AdaGradByThePast,
        rate: recommender.float("learning_rate") as f32,
        penalty: recommender.float("regularization") as f32,
        epochs: recommender.integer("iterations") as u64,
        others,
    }
}

/// `L(⌊(n − 1) / N⌋)` for `N` from 1 on.
fn rank_weights(n: usize, max_sampled: usize) -> Vec<f32> {
    let mut harmonic = Vec::with_capacity(n.max(1));
    harmonic.push(0.0f64);
    for rank in 1..n {
        harmonic.push(harmonic[rank - 1] + 1.0 / rank as f64);
    }
    (1..=max_sampled).map(|draws| harmonic[n.saturating_sub(1) / draws] as f32).collect()
}

struct Warp<'a> {
    pairs: PairData<'a>,
    d: usize,
    learning_rate: f32,
    regularization: f32,
    /// For each number of draws, from 1 on.
    rank_weights: Vec<f32>,
    /// Whether threads race: only in the fast mode, and only where that may pay.
    races: bool,
    seed: u64,
    users: Vec<f32>,
    items: Vec<f32>,
    biases: Vec<f32>,
    /// 1 and the squares of all slopes so far, of each number.
    user_squares: Vec<f32>,
    item_squares: Vec<f32>,
    bias_squares: Vec<f32>,
}

impl Learner for Warp<'_> {
    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        let Self { users, items, biases, user_squares, item_squares, bias_squares, .. } = self;
        vec![users, items, biases, user_squares, item_squares, bias_squares]
    }

    fn of_nothing(&self) -> OfNothing {
        OfNothing::zeros(f64::from(self.rank_weights[0]).max(1.0))
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let order = order(self.pairs.len(), self.seed, round);
        if self.races {
            return Ok(self.race(&order, round, go_on).map(|loss| loss / order.len() as f64));
        }
        let mut candidates = Candidates::new(&self.pairs, stream(self.seed, OTHERS_STREAM + round));
        let mut loss = 0.0;
        for entries in order.chunks(ROWS_AT_ONCE) {
            if !go_on() {
                return Ok(None);
            }
            loss += Arch::new().dispatch(Steps { warp: self, entries, candidates: &mut candidates });
        }
        Ok(Some(loss / order.len() as f64))
    }
}

impl Warp<'_> {
    const fn rule(&self) -> Rule {
        Rule { learning_rate: self.learning_rate, regularization: self.regularization }
    }

    /// A round in which threads race; the sum of the losses.
    fn race(&mut self, order: &[u32], round: u64, go_on: &mut dyn FnMut() -> bool) -> Option<f64> {
        let d = self.d;
        let users = SharedNumbers {
            values: SharedRows::new(take(&mut self.users), Vec::new(), d),
            squares: SharedRows::new(take(&mut self.user_squares), Vec::new(), d),
        };
        let items = SharedNumbers {
            values: SharedRows::new(take(&mut self.items), take(&mut self.biases), d),
            squares: SharedRows::new(take(&mut self.item_squares), take(&mut self.bias_squares), d),
        };
        let loss = race(order, go_on, |piece, entries| {
            let candidates = Candidates::new(&self.pairs, stream(self.seed, part_stream(round, piece)));
            let steps = RacingSteps { warp: self, users: &users, items: &items, entries, candidates };
            Arch::new().dispatch(steps)
        });
        (self.users, _) = users.values.into_values();
        (self.user_squares, _) = users.squares.into_values();
        (self.items, self.biases) = items.values.into_values();
        (self.item_squares, self.bias_squares) = items.squares.into_values();
        loss
    }

    #[inline(always)]
    fn score<S: Simd>(&self, simd: S, user: usize, item: usize) -> f32 {
        let (p, q) = (&self.users[user * self.d..][..self.d], &self.items[item * self.d..][..self.d]);
        dense::dot(simd, p, q) + self.biases[item]
    }

    /// An item that the user does not have and that scores above `least`, its weight, and by how much; `None` where none of
    /// those drawn is one.
    #[inline(always)]
    fn search<S: Simd>(
        &self,
        simd: S,
        (user, least): (usize, f32),
        candidates: &mut Candidates,
    ) -> Option<(usize, f32, f32)> {
        for &weight in &self.rank_weights {
            let (other, later) = candidates.next(&self.pairs);
            look_up(&self.items[later as usize * self.d..][..self.d]);
            let above = self.score(simd, user, other as usize) - least;
            if above > 0.0 && self.pairs.own(user).binary_search(&other).is_err() {
                return Some((other as usize, weight, above));
            }
        }
        None
    }

    /// Looks up what a step some rows later begins with; the middle of the user's items is where a search among them begins.
    #[inline(always)]
    fn look_up_own(&self, user: usize) {
        let own = self.pairs.own(user);
        look_up(&own[own.len() / 2..][..1]);
    }
}

/// Items that are drawn ahead: one is scored sooner than main memory answers.
const DRAWN: usize = 8;

/// Items in the order in which the generator gives them, drawn some before they are needed, so that each can be looked up
/// meanwhile. What one entry does not need is the next one's.
struct Candidates {
    rng: ChaCha8Rng,
    drawn: [u32; DRAWN],
    /// Which of them is the next.
    next: usize,
}

impl Candidates {
    fn new(pairs: &PairData<'_>, mut rng: ChaCha8Rng) -> Self {
        // Without entries there is nothing to draw from, and nobody to draw.
        let drawn = if pairs.n_known() == 0 { [0; DRAWN] } else { from_fn(|_| pairs.draw(&mut rng)) };
        Self { rng, drawn, next: 0 }
    }

    /// The next one, and one that comes `DRAWN` later.
    #[inline(always)]
    fn next(&mut self, pairs: &PairData<'_>) -> (u32, u32) {
        let later = pairs.draw(&mut self.rng);
        let item = replace(&mut self.drawn[self.next], later);
        self.next = (self.next + 1) % DRAWN;
        (item, later)
    }
}

/// Some steps; the sum of their losses.
struct Steps<'a, 'b> {
    warp: &'a mut Warp<'b>,
    entries: &'a [u32],
    candidates: &'a mut Candidates,
}

impl WithSimd for Steps<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { warp, entries, candidates } = self;
        let (d, rule) = (warp.d, warp.rule());
        let (mut pairs, mut total) = (Vec::with_capacity(READ_AT_ONCE), 0.0);
        for entries in entries.chunks(READ_AT_ONCE) {
            pairs.clear();
            pairs.extend(entries.iter().map(|&entry| warp.pairs.pair(entry)));
            for (place, &pair) in pairs.iter().enumerate() {
                if let Some(&later) = pairs.get(place + AHEAD) {
                    let [user, item] = later.map(|row| row as usize);
                    for values in [&warp.users, &warp.user_squares] {
                        look_up(&values[user * d..][..d]);
                    }
                    for values in [&warp.items, &warp.item_squares] {
                        look_up(&values[item * d..][..d]);
                    }
                    warp.look_up_own(user);
                }
                let [user, item] = pair.map(|row| row as usize);
                let least = warp.score(simd, user, item) - 1.0;
                // A number that is not finite compares with nothing: it must not look like an item in its place.
                if !least.is_finite() {
                    return f64::NAN;
                }
                let Some((other, weight, above)) = warp.search(simd, (user, least), candidates) else { continue };
                total += f64::from(weight * above);
                let p = Numbers::of(&mut warp.users, &mut warp.user_squares, user, d);
                let (q, r) = two_rows(&mut warp.items, d, item, other);
                let (q_squares, r_squares) = two_rows(&mut warp.item_squares, d, item, other);
                let (q, r) = (Numbers { values: q, squares: q_squares }, Numbers { values: r, squares: r_squares });
                rule.step(weight, p, q, r);
                rule.move_one(-weight, &mut warp.biases[item], &mut warp.bias_squares[item]);
                rule.move_one(weight, &mut warp.biases[other], &mut warp.bias_squares[other]);
            }
        }
        total
    }
}

/// The same beside other threads.
struct RacingSteps<'a, 'b> {
    warp: &'a Warp<'b>,
    users: &'a SharedNumbers,
    /// Each vector with its bias behind it.
    items: &'a SharedNumbers,
    entries: &'a [u32],
    candidates: Candidates,
}

impl WithSimd for RacingSteps<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { warp, users, items, entries, mut candidates } = self;
        let (d, rule) = (warp.d, warp.rule());
        let own = |width: usize| OwnNumbers { values: vec![0.0; width], squares: vec![0.0; width] };
        let (mut p, mut q, mut r) = (own(d + 1), own(d + 1), own(d + 1));
        // Behind the user's vector stands what a bias is multiplied with.
        p.values[d] = 1.0;
        let (mut pairs, mut total) = (Vec::with_capacity(READ_AT_ONCE), 0.0);
        for entries in entries.chunks(READ_AT_ONCE) {
            pairs.clear();
            pairs.extend(entries.iter().map(|&entry| warp.pairs.pair(entry)));
            for (place, &pair) in pairs.iter().enumerate() {
                if let Some(&later) = pairs.get(place + AHEAD) {
                    let [user, item] = later.map(|row| row as usize);
                    users.look_up(user);
                    items.look_up(item);
                    warp.look_up_own(user);
                }
                let [user, item] = pair.map(|row| row as usize);
                users.values.load(simd, user, &mut p.values[..d]);
                let least = items.values.dot(simd, item, &p.values) - 1.0;
                if !least.is_finite() {
                    return f64::NAN;
                }
                let mut wrong = None;
                for &weight in &warp.rank_weights {
                    let (other, later) = candidates.next(&warp.pairs);
                    items.values.look_up(later as usize);
                    let above = items.values.dot(simd, other as usize, &p.values) - least;
                    if above > 0.0 && warp.pairs.own(user).binary_search(&other).is_err() {
                        wrong = Some((other as usize, weight, above));
                        break;
                    }
                }
                let Some((other, weight, above)) = wrong else { continue };
                total += f64::from(weight * above);
                users.squares.load(simd, user, &mut p.squares[..d]);
                items.load(simd, item, &mut q);
                items.load(simd, other, &mut r);
                rule.step(weight, p.vector(d), q.vector(d), r.vector(d));
                rule.move_one(-weight, &mut q.values[d], &mut q.squares[d]);
                rule.move_one(weight, &mut r.values[d], &mut r.squares[d]);
                users.values.store(user, &p.values[..d]);
                users.squares.store(user, &p.squares[..d]);
                items.store(item, &q);
                items.store(other, &r);
            }
        }
        total
    }
}

/// Numbers that are learnt, and their slopes, for every thread.
struct SharedNumbers {
    values: SharedRows,
    squares: SharedRows,
}

impl SharedNumbers {
    #[inline(always)]
    fn look_up(&self, row: usize) {
        self.values.look_up(row);
        self.squares.look_up(row);
    }

    #[inline(always)]
    fn load<S: Simd>(&self, simd: S, row: usize, numbers: &mut OwnNumbers) {
        self.values.load(simd, row, &mut numbers.values);
        self.squares.load(simd, row, &mut numbers.squares);
    }

    #[inline(always)]
    fn store(&self, row: usize, numbers: &OwnNumbers) {
        self.values.store(row, &numbers.values);
        self.squares.store(row, &numbers.squares);
    }
}

/// A thread's copy of one row.
struct OwnNumbers {
    values: Vec<f32>,
    squares: Vec<f32>,
}

impl OwnNumbers {
    /// What stands before the bias.
    #[inline(always)]
    fn vector(&mut self, d: usize) -> Numbers<'_> {
        Numbers { values: &mut self.values[..d], squares: &mut self.squares[..d] }
    }
}

/// Numbers that are learnt, and what their slopes were so far.
struct Numbers<'a> {
    values: &'a mut [f32],
    squares: &'a mut [f32],
}

impl<'a> Numbers<'a> {
    #[inline(always)]
    fn of(values: &'a mut [f32], squares: &'a mut [f32], row: usize, d: usize) -> Self {
        Self { values: &mut values[row * d..][..d], squares: &mut squares[row * d..][..d] }
    }
}

/// Adagrad's steps.
#[derive(Clone, Copy)]
struct Rule {
    learning_rate: f32,
    regularization: f32,
}

impl Rule {
    /// Moves a user, an item that they have and one that they do not have, against the slope of `weight · (p·r − p·q)`.
    #[inline(always)]
    fn step(self, weight: f32, p: Numbers<'_>, q: Numbers<'_>, r: Numbers<'_>) {
        let items = q.values.iter_mut().zip(q.squares).zip(r.values.iter_mut().zip(r.squares));
        for ((p, p_squares), ((q, q_squares), (r, r_squares))) in p.values.iter_mut().zip(p.squares).zip(items) {
            let (before, slope) = (*p, weight * (*r - *q));
            self.move_one(slope, p, p_squares);
            self.move_one(-weight * before, q, q_squares);
            self.move_one(weight * before, r, r_squares);
        }
    }

    #[inline(always)]
    fn move_one(self, slope: f32, value: &mut f32, squares: &mut f32) {
        let slope = slope + self.regularization * *value;
        adagrad::step_by_the_past(value, squares, slope, self.learning_rate);
    }
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;

    use super::*;
    use crate::TrainSet;

    #[test]
    fn an_item_that_is_found_at_once_stands_for_many() {
        // 5 items: one draw stands for 4 of them, 1 + 1/2 + 1/3 + 1/4; two for 2; three and four for 1; five for none.
        let weights = rank_weights(5, 5);
        let expected = [25.0 / 12.0, 1.5, 1.0, 1.0, 0.0];
        assert!(weights.iter().zip(expected).all(|(weight, wanted)| (weight - wanted).abs() < 1e-6), "{weights:?}");
        assert_eq!(rank_weights(1, 3), [0.0; 3]);
    }

    #[test]
    fn candidates_come_in_the_order_in_which_they_are_drawn() {
        let mut builder = InteractionsBuilder::default();
        for item in ["a", "b", "c", "d", "e"] {
            builder.push("u", item, 1.0, 0);
        }
        let all = builder.finish();
        let rows = [0, 1, 2, 3, 4];
        let data = TrainSet::new(&all, &rows);
        let pairs = PairData::new(&data);
        let (mut candidates, mut rng) = (Candidates::new(&pairs, stream(7, 1)), stream(7, 1));
        let (found, later): (Vec<u32>, Vec<u32>) = (0..100).map(|_| candidates.next(&pairs)).unzip();
        let expected: Vec<u32> = (0..100).map(|_| pairs.draw(&mut rng)).collect();
        assert_eq!(found, expected);
        assert_eq!(later[..100 - DRAWN], found[DRAWN..]);
    }

    fn numbers<'a>(values: &'a mut [f32], squares: &'a mut [f32]) -> Numbers<'a> {
        Numbers { values, squares }
    }

    #[test]
    fn a_step_is_adagrads_by_hand() {
        let rule = Rule { learning_rate: 0.5, regularization: 0.1 };
        let (mut p, mut q, mut r) = ([1.0], [2.0], [3.0]);
        let (mut ps, mut qs, mut rs) = ([4.0], [1.0], [1.0]);
        rule.step(2.0, numbers(&mut p, &mut ps), numbers(&mut q, &mut qs), numbers(&mut r, &mut rs));
        // Slopes: 2 (3 − 2) + 0.1; −2 · 1 + 0.2; 2 · 1 + 0.3. Steps: 0.5 / √4, 0.5, 0.5.
        for (found, wanted) in [(p, 1.0 - 0.25 * 2.1), (q, 2.0 + 0.5 * 1.8), (r, 3.0 - 0.5 * 2.3)] {
            assert!((found[0] - wanted).abs() < 1e-6f32, "{found:?} {wanted}");
        }
        for (found, wanted) in [(ps, 4.0 + 2.1 * 2.1), (qs, 1.0 + 1.8 * 1.8), (rs, 1.0 + 2.3 * 2.3)] {
            assert!((found[0] - wanted).abs() < 1e-5f32, "{found:?} {wanted}");
        }
    }
}
