//! A new user's vector learnt from pairs: an item of the basket, and one that is not in it.

use rand::Rng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::Items;
use crate::factorization::adagrad;
use crate::factorization::draws::stream;
use crate::{BasketItem, Parts, PartsError, Values};

/// ChaCha8 stream of the orders and of the items drawn for somebody who came later.
const NEWCOMERS_STREAM: u64 = 1 << 24;
/// Draws of an item that is not in the basket before the step is left out: the basket has nearly everything.
const TRIES: u32 = 64;

/// Some more steps of the method itself, which move the vector of the new user and nothing else: as many epochs as the
/// fit took, over the basket's items, each beside items drawn from those that somebody has. The vector starts at zero,
/// and what is random comes from the seed of the fit: the same basket, in any order, gets the same answer. With the
/// items as they are, BPR's objective is convex, and with a penalty it has one minimum, which its steps, of one length
/// and as many as the fit took, come near and need not reach.
///
/// That is how new users are usually taken in without training again. Sources: Rendle, Schmidt-Thieme, "Online-updating
/// Regularized Kernel Matrix Factorization Models for Large-scale Recommender Systems", doi:10.1145/1454008.1454047;
/// MyMediaLite's `BPRMF.RetrainUser`. A fit moves items and users together, so a known user's own rows give nearly
/// their list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pairwise {
    pub(crate) loss: Loss,
    pub(crate) steps: Steps,
    pub(crate) rate: f32,
    pub(crate) penalty: f32,
    pub(crate) epochs: u64,
    pub(crate) others: Others,
}

/// What a step lowers; `s_j` is the score of a drawn item that is not in the basket.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Loss {
    /// `−ln σ(s_i − s_j)`
    Bpr,
    /// `w_N (1 − s_i + s_j)` for the `N`-th drawn item, the first for which that is above 0; the weights from `w_1` on.
    Warp(Vec<f32>),
    /// `−ln σ(s_i + a) − ln σ(−s_j − a)`, with `a` the bias of the user.
    Logistic,
}

/// How far a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steps {
    Plain,
    AdaGrad,
    /// In LightFM's order.
    AdaGradByThePast,
}

/// What is drawn from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Others {
    /// Items that somebody has.
    pub(crate) known: Vec<u32>,
    /// The seed of the fit.
    pub(crate) seed: u64,
}

impl Others {
    /// The inverse of [`Pairwise::to_parts`].
    pub(crate) fn take_from(parts: &mut Parts, n_items: usize) -> Result<Self, PartsError> {
        let known = parts.take_indices("known")?;
        if let Some(beyond) = known.iter().find(|item| **item as usize >= n_items) {
            let what = format!("names item {beyond} of {n_items}");
            return Err(PartsError::Content { name: "known".to_owned(), what });
        }
        Ok(Self { known, seed: parts.take_count("seed")? as u64 })
    }

    /// An item that somebody has and that is not among the own ones, which ascend.
    fn draw(&self, own: &[u32], rng: &mut ChaCha8Rng) -> Option<u32> {
        let n = self.known.len() as u64;
        let mut drawn = (0..TRIES).map(|_| ((u64::from(rng.next_u32()) * n) >> 32) as usize);
        drawn.find_map(|at| self.known.get(at).copied().filter(|item| own.binary_search(item).is_err()))
    }
}

/// Numbers that are learnt, `(p, a)`, and the sums of their squared slopes.
struct Learner<'a> {
    of: &'a Pairwise,
    values: Vec<f32>,
    squares: Vec<f32>,
}

impl Pairwise {
    pub(crate) const fn bytes(&self) -> usize {
        size_of::<u32>() * self.others.known.len()
    }

    /// What the spec does not say.
    pub(crate) fn to_parts(&self) -> Parts {
        let Others { known, seed } = &self.others;
        let known = Parts::default().with("known", &[known.len()], Values::U32(known.clone()));
        known.with("seed", &[], Values::U64(vec![*seed]))
    }

    /// The vector `(p, 1, a)` of whoever has this basket; zeros where nothing can be learnt of it.
    pub(crate) fn fold(&self, items: Items<'_>, basket: &[BasketItem]) -> Vec<f32> {
        let (d, free) = (items.d, items.free());
        let mut own: Vec<u32> = basket.iter().map(|own| own.item).collect();
        own.sort_unstable();
        own.dedup();
        // An item without numbers of its own, which nobody has, says nothing.
        let told = |item: &u32| items.of(*item)[..=free].iter().any(|value| *value != 0.0);
        let mut order: Vec<u32> = own.iter().copied().filter(told).collect();
        let mut learner = Learner { of: self, values: vec![0.0; free + 1], squares: vec![1.0; free + 1] };
        let mut rng = stream(self.others.seed, NEWCOMERS_STREAM);
        for _ in 0..self.epochs {
            order.shuffle(&mut rng);
            for &item in &order {
                learner.learn(items, item, &own, &mut rng);
            }
        }
        let mut vector = vec![0.0; d];
        vector[free] = 1.0;
        if learner.values.iter().all(|value| value.is_finite()) {
            vector[..free].copy_from_slice(&learner.values[..free]);
            vector[free + 1] = learner.values[free];
        }
        vector
    }
}

impl Learner<'_> {
    /// One item of the basket.
    fn learn(&mut self, items: Items<'_>, item: u32, own: &[u32], rng: &mut ChaCha8Rng) {
        let others = &self.of.others;
        let q = items.of(item);
        match &self.of.loss {
            Loss::Bpr => {
                let Some(other) = others.draw(own, rng) else { return };
                let r = items.of(other);
                let slope = sigmoid(self.score(r) - self.score(q));
                self.step(|f| slope * (r[f] - q[f]), 0.0);
            }
            Loss::Warp(weights) => {
                let least = self.score(q) - 1.0;
                for &weight in weights {
                    let Some(other) = others.draw(own, rng) else { return };
                    let r = items.of(other);
                    if self.score(r) > least {
                        self.step(|f| weight * (r[f] - q[f]), 0.0);
                        return;
                    }
                }
            }
            Loss::Logistic => {
                self.single(q, -1.0);
                let Some(other) = others.draw(own, rng) else { return };
                self.single(items.of(other), 0.0);
            }
        }
    }

    /// A step of one score, which is that of an item of the basket where `wanted` is −1, and 0 where it is not.
    fn single(&mut self, item: &[f32], wanted: f32) {
        let free = self.values.len() - 1;
        let by_score = sigmoid(self.score(item) + self.values[free]) + wanted;
        self.step(|f| by_score * item[f], by_score);
    }

    /// `p · q + b`
    fn score(&self, item: &[f32]) -> f32 {
        let free = self.values.len() - 1;
        self.values[..free].iter().zip(item).map(|(p, q)| p * q).sum::<f32>() + item[free]
    }

    /// A step against the slope of each number of `p`, and of the bias.
    fn step(&mut self, slope: impl Fn(usize) -> f32, by_bias: f32) {
        let Pairwise { steps, rate, penalty, .. } = *self.of;
        let free = self.values.len() - 1;
        for (f, (value, square)) in self.values.iter_mut().zip(&mut self.squares).enumerate() {
            let slope = penalty * *value + if f < free { slope(f) } else { by_bias };
            match steps {
                Steps::Plain => *value -= rate * slope,
                Steps::AdaGrad => adagrad::step(value, square, slope, rate),
                Steps::AdaGradByThePast => adagrad::step_by_the_past(value, square, slope, rate),
            }
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
