//! WARP: the wrong item is searched for, and the longer the search, the less there is to correct.

use pulp::{Arch, Simd, WithSimd};
use rand_chacha::ChaCha8Rng;
use recspeed_dense as dense;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use crate::course::{self, Learner};
use crate::factorization::adagrad;
use crate::factorization::draws::{ITEMS_STREAM, ROWS_AT_ONCE, USERS_STREAM, order, stream};
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::pairwise::{Loss, Others, Pairwise, Steps as StepKind};
use crate::factorization::pairs::{OTHERS_STREAM, PairData, fast_stream, two_rows};
use crate::factorization::race::{SharedRows, race};
use crate::fit::{FitRequest, Method};
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

/// `x_ui = p_u · q_i + b_i`. For each interaction of each epoch, in an order drawn anew, items are drawn uniformly until one
/// that the user does not have scores above `x_ui − 1`, `max_sampled` at most. Found by the `N`-th draw, it stands for about
/// `k = ⌊(n − 1) / N⌋` such items, and one step is taken down the gradient of
/// `L(k) (1 − x_ui + x_uj) + ½ λ ‖numbers‖²` with `L(k) = Σ_{i ≤ k} 1/i`, which minds the top of the list most.
/// Source: Weston, Bengio, Usunier, "WSABIE: Scaling Up To Large Vocabulary Image Annotation", IJCAI 2011. As in LightFM, each
/// number has a step length of its own (Adagrad), the number of draws is bounded, and items have biases.
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
        fast: recommender.is_fast(),
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
    fast: bool,
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
    fn name(&self) -> String {
        let sizes = (self.pairs.data.n_users(), self.pairs.data.n_items(), self.d, self.pairs.len());
        let settings = (self.learning_rate, self.regularization, self.rank_weights.len(), self.fast);
        format!("warp {sizes:?} {settings:?}, seed {}", self.seed)
    }

    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        let Self { users, items, biases, user_squares, item_squares, bias_squares, .. } = self;
        vec![users, items, biases, user_squares, item_squares, bias_squares]
    }

    fn of_zeros(&self) -> f64 {
        f64::from(self.rank_weights[0]).max(1.0)
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let order = order(self.pairs.len(), self.seed, round);
        if self.fast {
            return Ok(self.race(&order, round, go_on).map(|loss| loss / order.len() as f64));
        }
        let mut others = stream(self.seed, OTHERS_STREAM + round);
        let mut loss = 0.0;
        for entries in order.chunks(ROWS_AT_ONCE) {
            if !go_on() {
                return Ok(None);
            }
            loss += Arch::new().dispatch(Steps { warp: self, entries, others: &mut others });
        }
        Ok(Some(loss / order.len() as f64))
    }
}

impl Warp<'_> {
    const fn rule(&self) -> Rule {
        Rule { learning_rate: self.learning_rate, regularization: self.regularization }
    }

    /// A round in the fast mode; the sum of the losses.
    fn race(&mut self, order: &[u32], round: u64, go_on: &mut dyn FnMut() -> bool) -> Option<f64> {
        let share = |values: &mut Vec<f32>, squares: &mut Vec<f32>, d: usize| SharedNumbers {
            values: SharedRows::new(std::mem::take(values), d),
            squares: SharedRows::new(std::mem::take(squares), d),
        };
        let users = share(&mut self.users, &mut self.user_squares, self.d);
        let items = share(&mut self.items, &mut self.item_squares, self.d);
        let biases = share(&mut self.biases, &mut self.bias_squares, 1);
        let loss = race(order, go_on, |piece, entries| {
            let others = stream(self.seed, fast_stream(round, piece));
            let steps = RacingSteps { warp: self, users: &users, items: &items, biases: &biases, entries, others };
            Arch::new().dispatch(steps)
        });
        (self.users, self.user_squares) = users.into_numbers();
        (self.items, self.item_squares) = items.into_numbers();
        (self.biases, self.bias_squares) = biases.into_numbers();
        loss
    }
}

/// Some steps; the sum of their losses.
struct Steps<'a, 'b> {
    warp: &'a mut Warp<'b>,
    entries: &'a [u32],
    others: &'a mut ChaCha8Rng,
}

impl WithSimd for Steps<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { warp, entries, others } = self;
        let (d, rule) = (warp.d, warp.rule());
        let mut total = 0.0;
        for &entry in entries {
            let (user, item, own) = warp.pairs.entry(entry);
            let p = &warp.users[user * d..][..d];
            let score = |item: usize| dense::dot(simd, p, &warp.items[item * d..][..d]) + warp.biases[item];
            let least = score(item) - 1.0;
            // A number that is not finite compares with nothing: it must not look like an item in its place.
            if !least.is_finite() {
                return f64::NAN;
            }
            let wrong = warp.rank_weights.iter().find_map(|&weight| {
                let other = warp.pairs.draw(others);
                let above = score(other as usize) - least;
                (above > 0.0 && own.binary_search(&other).is_err()).then_some((other as usize, weight, above))
            });
            let Some((other, weight, above)) = wrong else { continue };
            total += f64::from(weight * above);
            let p = Numbers::of(&mut warp.users, &mut warp.user_squares, user, d);
            let (q, r) = two_rows(&mut warp.items, d, item, other);
            let (q_squares, r_squares) = two_rows(&mut warp.item_squares, d, item, other);
            rule.step(weight, p, Numbers { values: q, squares: q_squares }, Numbers { values: r, squares: r_squares });
            rule.move_one(-weight, &mut warp.biases[item], &mut warp.bias_squares[item]);
            rule.move_one(weight, &mut warp.biases[other], &mut warp.bias_squares[other]);
        }
        total
    }
}

/// The same beside other threads.
struct RacingSteps<'a, 'b> {
    warp: &'a Warp<'b>,
    users: &'a SharedNumbers,
    items: &'a SharedNumbers,
    biases: &'a SharedNumbers,
    entries: &'a [u32],
    others: ChaCha8Rng,
}

impl WithSimd for RacingSteps<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { warp, users, items, biases, entries, mut others } = self;
        let rule = warp.rule();
        let own = |d: usize| OwnNumbers { values: vec![0.0; d], squares: vec![0.0; d] };
        let (mut p, mut q, mut r, mut b, mut c) = (own(warp.d), own(warp.d), own(warp.d), own(1), own(1));
        let mut total = 0.0;
        for &entry in entries {
            let (user, item, own) = warp.pairs.entry(entry);
            users.values.load(user, &mut p.values);
            let p_values = &p.values;
            let score = |item: usize, vector: &mut [f32], bias: &mut [f32]| {
                items.values.load(item, vector);
                biases.values.load(item, bias);
                dense::dot(simd, p_values, vector) + bias[0]
            };
            let least = score(item, &mut q.values, &mut b.values) - 1.0;
            if !least.is_finite() {
                return f64::NAN;
            }
            let wrong = warp.rank_weights.iter().find_map(|&weight| {
                let other = warp.pairs.draw(&mut others);
                let above = score(other as usize, &mut r.values, &mut c.values) - least;
                (above > 0.0 && own.binary_search(&other).is_err()).then_some((other as usize, weight, above))
            });
            let Some((other, weight, above)) = wrong else { continue };
            total += f64::from(weight * above);
            users.squares.load(user, &mut p.squares);
            for (row, vector, bias) in [(item, &mut q, &mut b), (other, &mut r, &mut c)] {
                items.squares.load(row, &mut vector.squares);
                biases.squares.load(row, &mut bias.squares);
            }
            rule.step(weight, p.numbers(), q.numbers(), r.numbers());
            rule.move_one(-weight, &mut b.values[0], &mut b.squares[0]);
            rule.move_one(weight, &mut c.values[0], &mut c.squares[0]);
            users.store(user, &p);
            for (row, vector, bias) in [(item, &q, &b), (other, &r, &c)] {
                items.store(row, vector);
                biases.store(row, bias);
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
    fn store(&self, row: usize, numbers: &OwnNumbers) {
        self.values.store(row, &numbers.values);
        self.squares.store(row, &numbers.squares);
    }

    fn into_numbers(self) -> (Vec<f32>, Vec<f32>) {
        (self.values.into_values(), self.squares.into_values())
    }
}

/// A thread's copy of one row.
struct OwnNumbers {
    values: Vec<f32>,
    squares: Vec<f32>,
}

impl OwnNumbers {
    #[inline(always)]
    fn numbers(&mut self) -> Numbers<'_> {
        Numbers { values: &mut self.values, squares: &mut self.squares }
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
    use super::*;

    #[test]
    fn an_item_that_is_found_at_once_stands_for_many() {
        // 5 items: one draw stands for 4 of them, 1 + 1/2 + 1/3 + 1/4; two for 2; three and four for 1; five for none.
        let weights = rank_weights(5, 5);
        let expected = [25.0 / 12.0, 1.5, 1.0, 1.0, 0.0];
        assert!(weights.iter().zip(expected).all(|(weight, wanted)| (weight - wanted).abs() < 1e-6), "{weights:?}");
        assert_eq!(rank_weights(1, 3), [0.0; 3]);
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
