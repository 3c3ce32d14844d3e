//! BPR: an item that somebody has shall score higher than one drawn at random.

use std::borrow::Cow;

use pulp::{Arch, Simd, WithSimd};
use rand_chacha::ChaCha8Rng;
use recspeed_dense as dense;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use crate::course::{self, Learner};
use crate::divergence::OfNothing;
use crate::factorization::draws::{ITEMS_STREAM, READ_AT_ONCE, USERS_STREAM, stream};
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::pairwise::{Loss, Others, Pairwise, Steps as StepKind};
use crate::factorization::pairs::{PairData, known_items, part_stream, two_rows};
use crate::factorization::pairwise::negatives::Negatives;
use crate::factorization::strata::{Block, Pair, Strata};
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

/// Draws of an item that the user does not have before one is looked for in order: they have nearly everything.
const TRIES: u32 = 32;

/// `x_ui = p_u · q_i + b_i`; for each interaction of each epoch one item `j` that the user does not have is drawn uniformly,
/// and one step taken down the gradient of `−ln σ(x_ui − x_uj) + ½ λ ‖numbers‖²`.
/// Source: Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", arXiv:1205.2618.
///
/// The order is one of [`Strata`], by which threads never meet, and `j` is drawn from the part of the items that holds `i`: as the
/// items are dealt to their parts anew in each epoch, over the epochs every other one is as likely.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<FactorModel, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let d = recommender.integer("factors") as usize;
    let known = known_items(data);
    let (users, items) = (
        PairData::vectors(&data.by_user, d, request.seed, USERS_STREAM)?,
        PairData::vectors(&data.by_item, d, request.seed, ITEMS_STREAM)?,
    );
    let bytes = size_of_val(&users[..]) + size_of_val(&items[..]);
    let mut learner = Bpr {
        d,
        settings: (recommender.float("learning_rate") as f32, recommender.float("regularization") as f32),
        seed: request.seed,
        users,
        items,
        biases: vec![0.0; data.n_items()],
        strata: Strata::new(Cow::Borrowed(&data.by_user), &known, data.n_items(), bytes),
        n_pairs: data.by_user.nnz(),
        known,
    };
    course::take(&mut learner, recommender.integer("iterations") as u64, observer)?;
    // What only learning needs goes before the vectors grow.
    let Bpr { users, items, biases, known, strata, .. } = learner;
    drop(strata);
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
    d: usize,
    /// Learning rate and regularization.
    settings: (f32, f32),
    seed: u64,
    users: Vec<f32>,
    items: Vec<f32>,
    biases: Vec<f32>,
    /// Items that somebody has.
    known: Vec<u32>,
    n_pairs: usize,
    strata: Strata<'a, Pair, 2>,
}

impl Learner for Bpr<'_> {
    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        vec![&mut self.users, &mut self.items, &mut self.biases]
    }

    fn of_nothing(&self) -> OfNothing {
        OfNothing::zeros(std::f64::consts::LN_2)
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let (rule, d, seed) = (Rule::of(self.settings), self.d, self.seed);
        let Self { users, items, biases, known, strata, .. } = self;
        let loss = strata.round(
            (known, seed, round),
            [(&mut users[..], d)],
            [(&mut items[..], d), (&mut biases[..], 1)],
            go_on,
            |block| {
                let rng = stream(seed, part_stream(round, block.number));
                Arch::new().dispatch(Steps { rule, d, block, rng })
            },
        );
        Ok(loss.map(|loss| loss / self.n_pairs as f64))
    }
}

/// The steps of a block; the sum of their losses.
struct Steps<'a> {
    rule: Rule,
    d: usize,
    block: Block<'a, Pair, 1, 2>,
    rng: ChaCha8Rng,
}

impl WithSimd for Steps<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { rule, d, block, mut rng } = self;
        let ([users], [items, biases]) = (block.users, block.items);
        let negatives = Negatives::new(block.ids, block.entries);
        let (mut drawn, mut losses) = (Vec::with_capacity(READ_AT_ONCE), Losses::default());
        // Drawn first and learnt from then: neither waits for what the other one needs.
        for pairs in block.entries.chunks(READ_AT_ONCE) {
            drawn.clear();
            drawn.extend(pairs.iter().filter_map(|&pair| Some((pair, draw_other(&negatives, pair[0], &mut rng)?))));
            for &([user, item], other) in &drawn {
                let [user, item, other] = [user, item, other].map(|row| row as usize);
                let p = &mut users[user * d..][..d];
                let (q, r) = two_rows(items, d, item, other);
                let (mut b, mut c) = (biases[item], biases[other]);
                losses.add(rule.step(simd, p, (q, &mut b), (r, &mut c)));
                (biases[item], biases[other]) = (b, c);
            }
        }
        losses.sum()
    }
}

/// An item of the block that the user does not have; of a user who has all of them, none.
#[inline(always)]
fn draw_other(negatives: &Negatives<'_>, user: u32, rng: &mut ChaCha8Rng) -> Option<u32> {
    for _ in 0..TRIES {
        let item = negatives.draw(rng);
        if !negatives.has([user, item]) {
            return Some(item);
        }
    }
    let first = negatives.draw(rng);
    negatives.from(first).find(|&item| !negatives.has([user, item]))
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
#[derive(Debug, Clone, Copy)]
struct Rule {
    learning_rate: f32,
    keep: f32,
}

impl Rule {
    fn of((learning_rate, regularization): (f32, f32)) -> Self {
        Self { learning_rate, keep: 1.0 - learning_rate * regularization }
    }

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
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use recspeed_data::Csr;

    use super::*;

    /// 300 items in four parts; of three users one has every second item, one all but one, and one a single item.
    #[test]
    fn over_the_epochs_every_item_that_a_user_does_not_have_is_as_likely_and_none_that_they_have_is_drawn() {
        let (n_items, rounds) = (300u32, 2000);
        let own: [Vec<u32>; 3] = [(0..n_items).step_by(2).collect(), (0..n_items - 1).collect(), vec![7]];
        // Others, without whom so few pairs would be in one part.
        let rest = (0..60).map(|user| (0..40).map(|at| (user + at * 5) % n_items).collect::<Vec<u32>>());
        let rows: Vec<Vec<u32>> = own.iter().cloned().chain(rest).collect();
        let mut indptr = vec![0];
        indptr.extend(rows.iter().scan(0, |end, row| {
            *end += row.len();
            Some(*end)
        }));
        let mut indices = Vec::new();
        for mut row in rows {
            row.sort_unstable();
            indices.extend(row);
        }
        let by_user = Csr { indptr, values: vec![1.0; indices.len()], indices };
        let known: Vec<u32> = (0..n_items).collect();
        let mut strata = Strata::<Pair, 1>::new(Cow::Borrowed(&by_user), &known, known.len(), 0);
        assert_eq!(strata.n_parts(), (4, 4));
        let drawn: [Mutex<BTreeMap<u32, u32>>; 3] = Default::default();
        let (mut users, mut items) =
            (vec![0.0; by_user.n_rows()], (0..n_items).map(|item| item as f32).collect::<Vec<_>>());
        for round in 0..rounds {
            // Users name themselves, as items do.
            users.iter_mut().enumerate().for_each(|(user, row)| *row = user as f32);
            let work = |block: Block<'_, Pair, 1, 1>| {
                let mut rng = stream(1, part_stream(round, block.number));
                let negatives = Negatives::new(block.ids, block.entries);
                let ([users], [items]) = (block.users, block.items);
                for &[user, item] in &*block.entries {
                    let (row, first) = (users[user as usize] as usize, items[item as usize] as u32);
                    // Of each user one pair is enough.
                    if let Some(drawn) = drawn.get(row).filter(|_| own[row][0] == first)
                        && let Some(other) = draw_other(&negatives, user, &mut rng)
                    {
                        *drawn.lock().unwrap().entry(items[other as usize] as u32).or_default() += 1;
                    }
                }
                0.0
            };
            strata.round((&known, 1, round), [(&mut users, 1)], [(&mut items, 1)], &mut || true, work).unwrap();
        }
        for (own, drawn) in own.iter().zip(drawn) {
            let drawn = drawn.into_inner().unwrap();
            assert!(drawn.keys().all(|item| !own.contains(item)), "{drawn:?}");
            let others: Vec<u32> = (0..n_items).filter(|item| !own.contains(item)).collect();
            let total: u32 = drawn.values().sum();
            let expected = f64::from(total) / others.len() as f64;
            for item in others {
                let found = f64::from(drawn.get(&item).copied().unwrap_or(0));
                assert!((found - expected).abs() < 5.0 * expected.sqrt(), "{item}: {found} of {expected} expected");
            }
        }
    }

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
