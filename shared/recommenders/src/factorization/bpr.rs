//! Learning from pairs: an item that somebody has shall score higher than one that they do not have.

use pulp::{Arch, Simd, WithSimd};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use recspeed_types::FitObserver;

use super::draws::{ITEMS_STREAM, ROWS_AT_ONCE, USERS_STREAM, normal, order, stream};
use super::factor_model::{FactorModel, Folding};
use crate::course::{self, Learner};
use crate::dense;
use crate::error::reserve;
use crate::fit::{FitRequest, Method};
use crate::{FitError, TrainSet};

pub(super) const METHOD: Method = Method {
    kind: "bpr",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |_, parts| Ok(Box::new(FactorModel::restore(parts)?)),
};

/// ChaCha8 streams of the other items, one an epoch.
const OTHERS_STREAM: u64 = 1 << 21;
/// Standard deviation of the first numbers.
const INITIAL: f32 = 0.1;
/// Draws of an item that the user does not have before the step is left out: they have nearly everything.
const TRIES: u32 = 64;

/// `x_ui = p_u · q_i + b_i`; for each interaction of each epoch, in an order drawn anew, one item `j` that the user does not
/// have is drawn uniformly, and one step taken down the gradient of `−ln σ(x_ui − x_uj) + ½ λ ‖numbers‖²`.
/// Source: Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", arXiv:1205.2618.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<FactorModel, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let d = recommender.integer("factors") as usize;
    let vectors = |known: &recspeed_data::Csr, which: u64| -> Result<Vec<f32>, FitError> {
        let len = known.n_rows().checked_mul(d);
        let mut values: Vec<f32> = reserve(len, "the vectors of users and items", "recommender.factors")?;
        let mut rng = stream(request.seed, which);
        for (row, vector) in values.chunks_exact_mut(d).enumerate() {
            // Who has no interaction has nothing to learn from: their numbers stay 0.
            if !known.row(row).0.is_empty() {
                for value in vector {
                    *value = normal(&mut rng, INITIAL / (d as f32).sqrt());
                }
            }
        }
        Ok(values)
    };
    let user_of = |row: usize| std::iter::repeat_n(row as u32, data.by_user.row(row).0.len());
    let mut learner = Pairs {
        data,
        d,
        learning_rate: recommender.float("learning_rate") as f32,
        regularization: recommender.float("regularization") as f32,
        seed: request.seed,
        owner: (0..data.n_users()).flat_map(user_of).collect(),
        known: (0..data.n_items() as u32).filter(|&item| !data.by_item.row(item as usize).0.is_empty()).collect(),
        users: vectors(&data.by_user, USERS_STREAM)?,
        items: vectors(&data.by_item, ITEMS_STREAM)?,
        biases: vec![0.0; data.n_items()],
    };
    course::take(&mut learner, recommender.integer("iterations") as u64, observer)?;
    let Pairs { users, items, biases, .. } = learner;
    // No bias of users: it would move all scores of one list alike. A cold user's list is the items' biases.
    let zeros = vec![0.0; data.n_users()];
    Ok(FactorModel {
        d: d + 2,
        users: FactorModel::augment(&users, d, &zeros, 0.0, true),
        items: FactorModel::augment(&items, d, &biases, 0.0, false),
        scale: None,
        folding: Folding::None,
    })
}

struct Pairs<'a> {
    data: &'a TrainSet<'a>,
    d: usize,
    learning_rate: f32,
    regularization: f32,
    seed: u64,
    /// User of each entry of `data.by_user`.
    owner: Vec<u32>,
    /// Items that somebody has.
    known: Vec<u32>,
    users: Vec<f32>,
    items: Vec<f32>,
    biases: Vec<f32>,
}

impl Learner for Pairs<'_> {
    fn name(&self) -> String {
        let sizes = (self.data.n_users(), self.data.n_items(), self.d, self.owner.len());
        format!("bpr {sizes:?} {:?}, seed {}", (self.learning_rate, self.regularization), self.seed)
    }

    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        vec![&mut self.users, &mut self.items, &mut self.biases]
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let order = order(self.owner.len(), self.seed, round);
        let mut others = stream(self.seed, OTHERS_STREAM + round);
        let mut loss = 0.0;
        for entries in order.chunks(ROWS_AT_ONCE) {
            if !go_on() {
                return Ok(None);
            }
            loss += Arch::new().dispatch(Steps { pairs: self, entries, others: &mut others });
        }
        Ok(Some(loss / order.len() as f64))
    }
}

/// Some steps; the sum of their losses.
struct Steps<'a, 'b> {
    pairs: &'a mut Pairs<'b>,
    entries: &'a [u32],
    others: &'a mut ChaCha8Rng,
}

impl WithSimd for Steps<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { pairs, entries, others } = self;
        let Pairs { data, d, learning_rate, regularization, owner, known, users, items, biases, .. } = pairs;
        let d = *d;
        let keep = 1.0 - *learning_rate * *regularization;
        let mut total = 0.0;
        for &entry in entries {
            let user = owner[entry as usize];
            let item = data.by_user.indices[entry as usize] as usize;
            let own = data.by_user.row(user as usize).0;
            let p = &mut users[user as usize * d..][..d];
            let score = |items: &[f32], p: &[f32], biases: &[f32], item: usize| {
                dense::dot(simd, p, &items[item * d..][..d]) + biases[item]
            };
            let Some(other) = draw(known, own, others) else { continue };
            let difference = score(items, p, biases, item) - score(items, p, biases, other);
            total += f64::from((-difference).exp().ln_1p());
            let slope = 1.0 / (1.0 + difference.exp());
            let step = *learning_rate * slope;
            biases[item] = keep * biases[item] + step;
            biases[other] = keep * biases[other] - step;
            let (low, high) = items.split_at_mut(item.max(other) * d);
            let (first, second) = (&mut low[item.min(other) * d..][..d], &mut high[..d]);
            let (q, r) = if item < other { (first, second) } else { (second, first) };
            for ((p, q), r) in p.iter_mut().zip(q).zip(r) {
                let before = *p;
                *p = keep * before + step * (*q - *r);
                *q = keep * *q + step * before;
                *r = keep * *r - step * before;
            }
        }
        total
    }
}

/// An item that somebody has, and this user, whose items are `own`, ascending, does not.
#[inline(always)]
fn draw(known: &[u32], own: &[u32], rng: &mut ChaCha8Rng) -> Option<usize> {
    (0..TRIES).find_map(|_| {
        let item = known[((u64::from(rng.next_u32()) * known.len() as u64) >> 32) as usize];
        own.binary_search(&item).is_err().then_some(item as usize)
    })
}
