//! WARP: the wrong item is searched for, and the longer the search, the less there is to correct.

use std::borrow::Cow;

use pulp::{Arch, Simd, WithSimd};
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use recspeed_dense as dense;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use crate::course::{self, Learner};
use crate::factorization::adagrad;
use crate::factorization::draws::{ITEMS_STREAM, USERS_STREAM, stream};
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::pairwise::{Loss, Others, Pairwise, Steps as StepKind};
use crate::factorization::pairs::{self, block_stream, two_rows};
use crate::factorization::pairwise::negatives::Negatives;
use crate::factorization::strata::{Block, Pair, Strata};
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
///
/// The order is one of strata, by which threads never meet, and items are drawn from the part of them that holds `i`: as they
/// are dealt to their parts anew in each epoch, as many of a part score too high as of all.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<FactorModel, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let d = recommender.integer("factors") as usize;
    let known = pairs::known(data);
    let (users, items) = (
        pairs::vectors(&data.by_user, d, request.seed, USERS_STREAM)?,
        pairs::vectors(&data.by_item, d, request.seed, ITEMS_STREAM)?,
    );
    let bytes = 2 * (size_of_val(&users[..]) + size_of_val(&items[..]));
    let mut learner = Warp {
        d,
        rule: Rule {
            learning_rate: recommender.float("learning_rate") as f32,
            regularization: recommender.float("regularization") as f32,
        },
        rank_weights: rank_weights(known.len(), recommender.integer("max_sampled") as usize),
        seed: request.seed,
        user_squares: vec![1.0; users.len()],
        item_squares: vec![1.0; items.len()],
        bias_squares: vec![1.0; data.n_items()],
        biases: vec![0.0; data.n_items()],
        users,
        items,
        strata: Strata::new(Cow::Borrowed(&data.by_user), &known, data.n_items(), bytes),
        n_pairs: data.by_user.nnz(),
        known,
    };
    course::take(&mut learner, recommender.integer("iterations") as u64, observer)?;
    // What only learning needs goes before the vectors grow.
    let Warp { users, items, biases, user_squares, item_squares, bias_squares, known, strata, .. } = learner;
    drop((user_squares, item_squares, bias_squares, strata));
    let newcomers = newcomers(recommender, Others { known, seed: request.seed });
    Ok(pairs::model(d, users, items, &biases, newcomers))
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
    d: usize,
    rule: Rule,
    /// For each number of draws, from 1 on.
    rank_weights: Vec<f32>,
    seed: u64,
    users: Vec<f32>,
    items: Vec<f32>,
    biases: Vec<f32>,
    /// 1 and the squares of all slopes so far, of each number.
    user_squares: Vec<f32>,
    item_squares: Vec<f32>,
    bias_squares: Vec<f32>,
    /// Items that somebody has.
    known: Vec<u32>,
    n_pairs: usize,
    strata: Strata<'a, Pair, 4>,
}

impl Learner for Warp<'_> {
    fn name(&self) -> String {
        let sizes = (self.users.len() / self.d, self.biases.len(), self.d, self.n_pairs);
        let (settings, strata) = ((self.rule, self.rank_weights.len()), self.strata.n_parts());
        format!("warp {sizes:?} {settings:?}, {strata} strata, seed {}", self.seed)
    }

    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        let Self { users, items, biases, user_squares, item_squares, bias_squares, .. } = self;
        vec![users, items, biases, user_squares, item_squares, bias_squares]
    }

    fn of_zeros(&self) -> f64 {
        f64::from(self.rank_weights[0]).max(1.0)
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let Self { users, items, biases, user_squares, item_squares, bias_squares, rank_weights, .. } = self;
        let (d, rule, seed, rank_weights) = (self.d, self.rule, self.seed, &rank_weights[..]);
        let users = [(users, d), (user_squares, d)];
        let items = [(items, d), (item_squares, d), (biases, 1), (bias_squares, 1)];
        let loss = self.strata.round((&self.known, seed, round), users, items, go_on, |block| {
            let rng = stream(seed, block_stream(round, block.number));
            Arch::new().dispatch(Steps { rule, d, rank_weights, block, rng })
        });
        Ok(loss.map(|loss| loss / self.n_pairs as f64))
    }
}

/// The steps of a block; the sum of their losses.
struct Steps<'a> {
    rule: Rule,
    d: usize,
    rank_weights: &'a [f32],
    block: Block<'a, Pair, 2, 4>,
    rng: ChaCha8Rng,
}

impl WithSimd for Steps<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { rule, d, rank_weights, block, mut rng } = self;
        let ([users, user_squares], [items, item_squares, biases, bias_squares]) = (block.users, block.items);
        block.entries.shuffle(&mut rng);
        let negatives = Negatives::new(block.ids, block.entries);
        let mut total = 0.0;
        for &[user, item] in &*block.entries {
            let (user_row, item) = (user as usize, item as usize);
            let p = &users[user_row * d..][..d];
            let least = score(simd, p, (items, biases), item) - 1.0;
            // A number that is not finite compares with nothing: it must not look like an item in its place.
            if !least.is_finite() {
                return f64::NAN;
            }
            // One that the user does not have and that scores above the least.
            let mut found = None;
            for &weight in rank_weights {
                let other = negatives.draw(&mut rng);
                let above = score(simd, p, (items, biases), other as usize) - least;
                if above > 0.0 && !negatives.has([user, other]) {
                    found = Some((other as usize, weight, above));
                    break;
                }
            }
            let Some((other, weight, above)) = found else { continue };
            total += f64::from(weight * above);
            let p = Numbers::of(users, user_squares, user_row, d);
            let (q, r) = two_rows(items, d, item, other);
            let (q_squares, r_squares) = two_rows(item_squares, d, item, other);
            let (q, r) = (Numbers { values: q, squares: q_squares }, Numbers { values: r, squares: r_squares });
            rule.step(weight, p, q, r);
            rule.move_one(-weight, &mut biases[item], &mut bias_squares[item]);
            rule.move_one(weight, &mut biases[other], &mut bias_squares[other]);
        }
        total
    }
}

/// `p · q + b`
#[inline(always)]
fn score<S: Simd>(simd: S, p: &[f32], (items, biases): (&[f32], &[f32]), item: usize) -> f32 {
    dense::dot(simd, p, &items[item * p.len()..][..p.len()]) + biases[item]
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
#[derive(Debug, Clone, Copy)]
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
