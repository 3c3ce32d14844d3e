//! BPR: an item that somebody has shall score higher than one drawn at random.

use std::mem::take;

use pulp::{Arch, Simd, WithSimd};
use rand_chacha::ChaCha8Rng;
use recspeed_dense as dense;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use crate::course::{self, Learner};
use crate::factorization::ahead::{AHEAD, look_up};
use crate::factorization::draws::{self, ITEMS_STREAM, READ_AT_ONCE, ROWS_AT_ONCE, USERS_STREAM, stream};
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::pairwise::{Loss, Others, Pairwise, Steps as StepKind};
use crate::factorization::pairs::{OTHERS_STREAM, PairData, fast_stream, two_rows};
use crate::factorization::race::{Neighbours, SharedRows, race};
use crate::fit::{FitRequest, Method};
use crate::{FitError, Parts, PartsError};

pub(crate) const METHOD: Method = Method {
    kind: "bpr",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |request, parts| {
        let newcomers = |mut parts: Parts, n_items: usize| -> Result<Pairwise, PartsError> {
            Ok(newcomers(request.recommender, Others::take_from(&mut parts, n_items)?))
        };
        Ok(Box::new(FactorModel::restore_with(parts, newcomers)?))
    },
};

/// Draws of an item that the user does not have before the step is left out: they have nearly everything.
const TRIES: u32 = 64;

/// A user, an item that they have, and one that they do not have.
type Triple = [u32; 3];

/// `x_ui = p_u · q_i + b_i`; for each interaction of each epoch, in an order drawn anew, one item `j` that the user does not
/// have is drawn uniformly, and one step taken down the gradient of `−ln σ(x_ui − x_uj) + ½ λ ‖numbers‖²`.
/// Source: Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", arXiv:1205.2618.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<FactorModel, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let d = recommender.integer("factors") as usize;
    let mut learner = Bpr {
        pairs: PairData::new(data),
        d,
        learning_rate: recommender.float("learning_rate") as f32,
        regularization: recommender.float("regularization") as f32,
        fast: recommender.is_fast(),
        seed: request.seed,
        users: PairData::vectors(&data.by_user, d, request.seed, USERS_STREAM)?,
        items: PairData::vectors(&data.by_item, d, request.seed, ITEMS_STREAM)?,
        biases: vec![0.0; data.n_items()],
        ahead: None,
    };
    course::take(&mut learner, recommender.integer("iterations") as u64, observer)?;
    // What only learning needs goes before the vectors grow.
    let Bpr { users, items, biases, ahead, pairs: PairData { known, owner, .. }, .. } = learner;
    drop((ahead, owner));
    let newcomers = newcomers(recommender, Others { known, seed: request.seed });
    Ok(PairData::model(d, users, items, &biases, newcomers))
}

fn newcomers(recommender: &ResolvedRecommender, others: Others) -> Pairwise {
    Pairwise {
        loss: Loss::Bpr,
        steps: StepKind::Plain,
        rate: recommender.float("learning_rate") as f32,
        penalty: recommender.float("regularization") as f32,
        epochs: recommender.integer("iterations") as u64,
        others,
    }
}

struct Bpr<'a> {
    pairs: PairData<'a>,
    d: usize,
    learning_rate: f32,
    regularization: f32,
    fast: bool,
    seed: u64,
    users: Vec<f32>,
    items: Vec<f32>,
    biases: Vec<f32>,
    /// The order of a round that is still to come.
    ahead: Option<(u64, Vec<u32>)>,
}

impl Learner for Bpr<'_> {
    fn name(&self) -> String {
        let sizes = (self.pairs.data.n_users(), self.pairs.data.n_items(), self.d, self.pairs.len());
        format!("bpr {sizes:?} {:?}, seed {}", (self.learning_rate, self.regularization, self.fast), self.seed)
    }

    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        vec![&mut self.users, &mut self.items, &mut self.biases]
    }

    fn of_zeros(&self) -> f64 {
        std::f64::consts::LN_2
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let order = match self.ahead.take() {
            Some((of, order)) if of == round => order,
            _ => draws::order(self.pairs.len(), self.seed, round),
        };
        if self.fast {
            return Ok(self.race(&order, round, go_on).map(|loss| loss / order.len() as f64));
        }
        let rule = self.rule();
        let Self { pairs, d, seed, users, items, biases, ahead, .. } = self;
        let (pairs, d, seed) = (&*pairs, *d, *seed);
        let mut others = stream(seed, OTHERS_STREAM + round);
        let mut pieces = order.chunks(ROWS_AT_ONCE);
        let mut draw = |piece: Option<&[u32]>| piece.map(|entries| pairs.draw_others(entries, &mut others));
        let mut waiting = draw(pieces.next());
        let mut loss = 0.0;
        while let Some(drawn) = waiting {
            if !go_on() {
                return Ok(None);
            }
            let steps = Steps { rule, d, users, items, biases, drawn: &drawn };
            // What comes next depends on nothing that is learnt: another thread can draw it meanwhile.
            let (learnt, next) = rayon::join(
                || Arch::new().dispatch(steps),
                || {
                    let next = draw(pieces.next());
                    if next.is_none() {
                        *ahead = Some((round + 1, draws::order(pairs.len(), seed, round + 1)));
                    }
                    next
                },
            );
            loss += learnt;
            waiting = next;
        }
        Ok(Some(loss / order.len() as f64))
    }
}

impl Bpr<'_> {
    fn rule(&self) -> Rule {
        Rule { learning_rate: self.learning_rate, keep: 1.0 - self.learning_rate * self.regularization }
    }

    /// A round in the fast mode; the sum of the losses.
    fn race(&mut self, order: &[u32], round: u64, go_on: &mut dyn FnMut() -> bool) -> Option<f64> {
        let users = SharedRows::new(take(&mut self.users), Vec::new(), self.d);
        let items = SharedRows::new(take(&mut self.items), take(&mut self.biases), self.d);
        let loss = race(order, Neighbours::Near, go_on, |piece, entries| {
            let others = stream(self.seed, fast_stream(round, piece));
            let steps = RacingSteps { bpr: self, users: &users, items: &items, entries, others };
            Arch::new().dispatch(steps)
        });
        (self.users, _) = users.into_values();
        (self.items, self.biases) = items.into_values();
        loss
    }
}

/// Some steps; the sum of their losses.
struct Steps<'a> {
    rule: Rule,
    d: usize,
    users: &'a mut [f32],
    items: &'a mut [f32],
    biases: &'a mut [f32],
    drawn: &'a [Triple],
}

impl WithSimd for Steps<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { rule, d, users, items, biases, drawn } = self;
        let mut losses = Losses::default();
        for (place, &triple) in drawn.iter().enumerate() {
            if let Some(&next) = drawn.get(place + AHEAD) {
                let [user, item, other] = next.map(|row| row as usize * d);
                look_up(&users[user..][..d]);
                look_up(&items[item..][..d]);
                look_up(&items[other..][..d]);
            }
            let [user, item, other] = triple.map(|row| row as usize);
            let p = &mut users[user * d..][..d];
            let (q, r) = two_rows(items, d, item, other);
            let (mut b, mut c) = (biases[item], biases[other]);
            losses.add(rule.step(simd, p, (q, &mut b), (r, &mut c)));
            (biases[item], biases[other]) = (b, c);
        }
        losses.sum()
    }
}

/// The same beside other threads.
struct RacingSteps<'a, 'b> {
    bpr: &'a Bpr<'b>,
    users: &'a SharedRows,
    /// Each vector with its bias behind it.
    items: &'a SharedRows,
    entries: &'a [u32],
    others: ChaCha8Rng,
}

impl WithSimd for RacingSteps<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { bpr, users, items, entries, mut others } = self;
        let (rule, d) = (bpr.rule(), bpr.d);
        let (mut p, mut q, mut r) = (vec![0.0; d], vec![0.0; d + 1], vec![0.0; d + 1]);
        let mut losses = Losses::default();
        for entries in entries.chunks(READ_AT_ONCE) {
            let drawn = bpr.pairs.draw_others(entries, &mut others);
            for (place, &triple) in drawn.iter().enumerate() {
                if let Some(&next) = drawn.get(place + AHEAD) {
                    let [user, item, other] = next.map(|row| row as usize);
                    users.look_up(user);
                    items.look_up(item);
                    items.look_up(other);
                }
                let [user, item, other] = triple.map(|row| row as usize);
                users.load(simd, user, &mut p);
                items.load(simd, item, &mut q);
                items.load(simd, other, &mut r);
                let ((q_vector, q_bias), (r_vector, r_bias)) = (q.split_at_mut(d), r.split_at_mut(d));
                losses.add(rule.step(simd, &mut p, (q_vector, &mut q_bias[0]), (r_vector, &mut r_bias[0])));
                users.store(user, &p);
                items.store(item, &q);
                items.store(other, &r);
            }
        }
        losses.sum()
    }
}

impl PairData<'_> {
    /// What the steps of these entries learn from, in their order; a user who has nearly everything is left out.
    fn draw_others(&self, entries: &[u32], rng: &mut ChaCha8Rng) -> Vec<Triple> {
        // At once as long as it may become: what grows on the way is twice as much for a while.
        let mut drawn = Vec::with_capacity(entries.len());
        drawn.extend(entries.iter().filter_map(|&entry| {
            let (user, item, own) = self.entry(entry);
            self.draw_other(own, rng).map(|other| [user as u32, item as u32, other as u32])
        }));
        drawn
    }

    /// An item that somebody has, and this user, whose items are `own`, does not.
    #[inline(always)]
    fn draw_other(&self, own: &[u32], rng: &mut ChaCha8Rng) -> Option<usize> {
        (0..TRIES).map(|_| self.draw(rng)).find(|item| own.binary_search(item).is_err()).map(|item| item as usize)
    }
}

/// The sum of `ln (1 + exp(−x))`, with one logarithm for many of them.
struct Losses {
    sum: f64,
    /// The product of `1 + exp(−x)` since the last logarithm.
    product: f64,
}

impl Default for Losses {
    fn default() -> Self {
        Self { sum: 0.0, product: 1.0 }
    }
}

impl Losses {
    /// The largest exponent whose factor leaves a product room: beyond it the loss is the exponent itself.
    const STEEP: f32 = 80.0;
    /// A product from here on is taken to its logarithm, so that one more factor never makes it infinite.
    const FULL: f64 = 1e200;

    #[inline(always)]
    fn add(&mut self, difference: f32) {
        if difference < -Self::STEEP {
            self.sum -= f64::from(difference);
            return;
        }
        self.product *= 1.0 + f64::from((-difference).exp());
        if self.product > Self::FULL {
            self.sum += self.product.ln();
            self.product = 1.0;
        }
    }

    fn sum(&self) -> f64 {
        self.sum + self.product.ln()
    }
}

/// One step.
#[derive(Clone, Copy)]
struct Rule {
    learning_rate: f32,
    keep: f32,
}

impl Rule {
    /// Moves a user, an item that they have and one that they do not have, each with its bias; by how much the first item
    /// scored higher before.
    #[inline(always)]
    fn step<S: Simd>(self, simd: S, p: &mut [f32], item: (&mut [f32], &mut f32), other: (&mut [f32], &mut f32)) -> f32 {
        let ((q, b), (r, c)) = (item, other);
        let difference = dense::dot(simd, p, q) + *b - (dense::dot(simd, p, r) + *c);
        let slope = 1.0 / (1.0 + difference.exp());
        let (step, keep) = (self.learning_rate * slope, self.keep);
        *b = keep * *b + step;
        *c = keep * *c - step;
        for ((p, q), r) in p.iter_mut().zip(q).zip(r) {
            let before = *p;
            *p = keep * before + step * (*q - *r);
            *q = keep * *q + step * before;
            *r = keep * *r - step * before;
        }
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_summed_as_one_by_one() {
        for scale in [0.01f32, 1.0, 30.0, 1000.0] {
            let mut losses = Losses::default();
            let mut sum = 0.0;
            for step in 0..5000 {
                let difference = ((step * 37) % 101 - 50) as f32 / 50.0 * scale;
                losses.add(difference);
                let x = f64::from(difference);
                sum += if x > 0.0 { (-x).exp().ln_1p() } else { x.exp().ln_1p() - x };
            }
            assert!((losses.sum() - sum).abs() <= 1e-6 * sum, "{scale}: {} instead of {sum}", losses.sum());
        }
        assert_eq!(Losses::default().sum(), 0.0);
    }
}
