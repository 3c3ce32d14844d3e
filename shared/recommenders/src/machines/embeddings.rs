//! Feature embeddings in LightFM's manner: a user is the sum of what is known of them, and so is an item.

use rand_chacha::ChaCha8Rng;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use super::features::{Side, Sides};
use super::model::{Described, Machine, Newcomers, check_needs};
use super::permuted::Within;
use crate::course::{self, Learner};
use crate::divergence::OfNothing;
use crate::error::reserve;
use crate::factorization::adagrad;
use crate::factorization::draws::{ITEMS_STREAM, ROWS_AT_ONCE, USERS_STREAM, normal, order, stream};
use crate::factorization::folding::pairwise::{self, Others, Pairwise, Steps};
use crate::factorization::pairs::PairData;
use crate::fit::{FitRequest, Method};
use crate::memory::machines::{self, REMEDY_OF_EMBEDDINGS};
use crate::{FitError, Parts, PartsError};

pub(super) const METHOD: Method = Method {
    kind: "feature-embeddings",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |request, parts| {
        let newcomers = |mut parts: Parts, (_, n_items): (usize, usize)| -> Result<Newcomers, PartsError> {
            Ok(newcomers(request.recommender, Others::take_from(&mut parts, n_items)?))
        };
        Ok(Box::new(Machine::restore_with(parts, newcomers)?))
    },
};

/// ChaCha8 streams of the other items, one an epoch.
const OTHERS_STREAM: u64 = 1 << 23;
/// Standard deviation of the first numbers, times the root of the length of a vector.
const INITIAL: f32 = 0.1;
/// Largest weight of a pair, as LightFM cuts it.
const MAX_WEIGHT: f32 = 10.0;

/// `s_ui = (Σ x e) · (Σ y e) + Σ x b + Σ y b` over the features of the user (`x`) and of the item (`y`), each side's values
/// divided by their sum. For each interaction of each epoch, in an order drawn anew, other items are drawn that the user does
/// not have, and one step is taken by AdaGrad, in its paper's order, which is not LightFM's. Source: Kula, "Metadata
/// Embeddings for User and Item Cold-start Recommendations", arXiv:1507.08439; WARP is of Weston, Bengio, Usunier, "WSABIE",
/// doi:10.5591/978-1-57735-516-8/IJCAI11-460.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Machine, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let sides = Sides::of(data, recommender)?;
    let k = recommender.integer("factors") as usize;
    let iterations = recommender.integer("iterations") as u64;
    let needs = machines::embeddings(&sides.counts(data), (k as u64, iterations), observer.keeps_checkpoints());
    check_needs(needs, observer, REMEDY_OF_EMBEDDINGS)?;
    let mut learner = Embeddings {
        settings: Settings {
            loss: Loss::of(recommender),
            rate: recommender.float("learning_rate") as f32,
            penalty: recommender.float("regularization") as f32,
            draws: recommender.integer("max_sampled") as usize,
        },
        k,
        seed: request.seed,
        pairs: PairData::new(data),
        users: Embedded::new(&sides.users, k, request.seed, USERS_STREAM)?,
        items: Embedded::new(&sides.items, k, request.seed, ITEMS_STREAM)?,
    };
    course::take(&mut learner, iterations, observer)?;
    let Embeddings { mut users, mut items, pairs: PairData { known, owner, .. }, .. } = learner;
    // What only learning needs goes before the model is made.
    drop(owner);
    (users.squares, items.squares) = (Vec::new(), Vec::new());
    let (users, items) = (users.finish(k, true), items.finish(k, false));
    let newcomer = newcomers(recommender, Others { known, seed: request.seed });
    Ok(Machine { d: k + 2, users, items, newcomer })
}

/// Somebody of whom no attribute is known is the feature that stands for them alone, as a known user without
/// attributes.
fn newcomers(recommender: &ResolvedRecommender, others: Others) -> Newcomers {
    let n_known = others.known.len();
    let loss = match Loss::of(recommender) {
        Loss::Bpr => pairwise::Loss::Bpr,
        Loss::Logistic => pairwise::Loss::Logistic,
        Loss::Warp => {
            let draws = recommender.integer("max_sampled") as usize;
            pairwise::Loss::Warp((1..=draws).map(|drawn| weight(n_known, drawn)).collect())
        }
    };
    Newcomers::Learnt(Pairwise {
        loss,
        steps: Steps::AdaGrad,
        rate: recommender.float("learning_rate") as f32,
        penalty: recommender.float("regularization") as f32,
        epochs: recommender.integer("iterations") as u64,
        others,
    })
}

/// What an item that was found by so many draws from so many items weighs.
fn weight(n_known: usize, drawn: usize) -> f32 {
    let rank = (n_known.saturating_sub(1) / drawn).max(1);
    (rank as f32).ln().min(MAX_WEIGHT)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    /// `−ln σ(s_ui − s_uj)` for one other item.
    Bpr,
    /// The first of some other items that comes within 1 of the own item; the later it was found, the less it counts.
    Warp,
    /// `−ln σ(s_ui) − ln σ(−s_uj)` for one other item.
    Logistic,
}

impl Loss {
    fn of(recommender: &ResolvedRecommender) -> Self {
        match recommender.text("loss") {
            "bpr" => Self::Bpr,
            "logistic" => Self::Logistic,
            _ => Self::Warp,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    loss: Loss,
    rate: f32,
    penalty: f32,
    /// Other items that WARP looks at, at most.
    draws: usize,
}

struct Embeddings<'a> {
    pairs: PairData<'a>,
    settings: Settings,
    k: usize,
    seed: u64,
    users: Embedded<'a>,
    items: Embedded<'a>,
}

/// The numbers of one side, those of a feature side by side: its vector, then its bias.
struct Embedded<'a> {
    side: &'a Side,
    /// What each entity's values are multiplied with, so that they add up to 1.
    scale: Vec<f32>,
    /// `[n_features, k + 1]`
    numbers: Vec<f32>,
    /// Sum of the squared slopes of each number, from 1.
    squares: Vec<f32>,
}

impl<'a> Embedded<'a> {
    fn new(side: &'a Side, k: usize, seed: u64, which: u64) -> Result<Self, FitError> {
        let len = side.n_features().checked_mul(k + 1);
        let mut numbers: Vec<f32> = reserve(len, "the vectors of the features", REMEDY_OF_EMBEDDINGS)?;
        let mut squares: Vec<f32> = reserve(len, "the squared slopes of the features", REMEDY_OF_EMBEDDINGS)?;
        squares.fill(1.0);
        let mut rng = stream(seed, which);
        let deviation = INITIAL / (k as f32).sqrt();
        for (vector, _) in numbers.chunks_exact_mut(k + 1).zip(side.rows_of_features()).filter(|(_, rows)| *rows > 0) {
            // What no row has learns nothing: its numbers stay 0.
            vector[..k].iter_mut().for_each(|value| *value = normal(&mut rng, deviation));
        }
        let scale = |entity: usize| 1.0 / side.features(entity).map(|(_, x)| x.abs()).sum::<f32>();
        Ok(Self { scale: (0..side.len()).map(scale).collect(), side, numbers, squares })
    }

    fn features(&self, entity: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let scale = self.scale[entity];
        self.side.features(entity).map(move |(feature, x)| (feature, scale * x))
    }

    /// The entity's vector and bias.
    fn write(&self, entity: usize, sum: &mut [f32]) {
        sum.fill(0.0);
        let width = sum.len();
        for (feature, x) in self.features(entity) {
            let numbers = &self.numbers[feature * width..][..width];
            sum.iter_mut().zip(numbers).for_each(|(sum, value)| *sum += x * value);
        }
    }

    /// One step against `slope`, the derivative of the loss by the entity's vector and bias.
    fn step(&mut self, entity: usize, slope: &[f32], Settings { rate, penalty, .. }: Settings) {
        let width = slope.len();
        let (side, scale) = (self.side, self.scale[entity]);
        for (feature, x) in side.features(entity) {
            let numbers = &mut self.numbers[feature * width..][..width];
            let squares = &mut self.squares[feature * width..][..width];
            for ((value, square), slope) in numbers.iter_mut().zip(squares).zip(slope) {
                let slope = scale * x * slope + penalty * *value;
                adagrad::step(value, square, slope, rate);
            }
        }
    }

    /// The vectors of a [`Machine`].
    fn finish(self, k: usize, is_user: bool) -> Described {
        let width = k + 1;
        let line = |numbers: &[f32], one: f32| {
            let mut line = numbers[..k].to_vec();
            line.extend(if is_user { [one, numbers[k]] } else { [numbers[k], one] });
            line
        };
        let mut sum = vec![0.0; width];
        let mut vectors = Vec::with_capacity(self.side.len() * (width + 1));
        for entity in 0..self.side.len() {
            self.write(entity, &mut sum);
            vectors.extend(line(&sum, 1.0));
        }
        let attributes = &self.numbers[self.side.len() * width..];
        let mut parts = Vec::with_capacity(attributes.len() / width * (width + 1));
        parts.extend(attributes.chunks_exact(width).flat_map(|numbers| line(numbers, 0.0)));
        let mut side = self.side.clone();
        for (entity, scale) in self.scale.iter().enumerate() {
            let entries = side.attributes.indptr[entity]..side.attributes.indptr[entity + 1];
            side.attributes.values[entries].iter_mut().for_each(|value| *value *= scale);
        }
        Described::new(side, vectors, parts, Within::Shares)
    }
}

/// Vectors and biases of a user, an own item and another, and the slopes by them.
struct Scratch {
    user: Vec<f32>,
    own: Vec<f32>,
    other: Vec<f32>,
    slope: Vec<f32>,
}

/// Without the user's bias, which is the same for every item.
fn score(user: &[f32], item: &[f32]) -> f32 {
    let k = user.len() - 1;
    user[..k].iter().zip(&item[..k]).map(|(p, q)| p * q).sum::<f32>() + item[k]
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(1 + eˣ)`, without overflow.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl Embeddings<'_> {
    /// One interaction; its loss.
    fn learn(&mut self, user: usize, item: usize, others: &mut ChaCha8Rng, scratch: &mut Scratch) -> f32 {
        let Scratch { user: p, own, .. } = scratch;
        self.users.write(user, p);
        self.items.write(item, own);
        let s = score(p, own);
        match self.settings.loss {
            Loss::Bpr => {
                let Some(other) = self.draw(user, others) else { return 0.0 };
                self.items.write(other, &mut scratch.other);
                let difference = s - score(&scratch.user, &scratch.other);
                self.pair(user, item, other, sigmoid(-difference), scratch);
                softplus(-difference)
            }
            Loss::Warp => {
                for drawn in 1..=self.settings.draws {
                    let Some(other) = self.draw(user, others) else { return 0.0 };
                    self.items.write(other, &mut scratch.other);
                    let margin = 1.0 - s + score(&scratch.user, &scratch.other);
                    if margin > 0.0 {
                        let weight = weight(self.pairs.n_known(), drawn);
                        self.pair(user, item, other, weight, scratch);
                        return weight * margin;
                    }
                }
                0.0
            }
            Loss::Logistic => {
                // The user's bias counts here: some people have more than others.
                let k = self.k;
                let own_score = s + scratch.user[k];
                self.single(user, item, sigmoid(own_score) - 1.0, scratch);
                let Some(other) = self.draw(user, others) else { return softplus(-own_score) };
                self.users.write(user, &mut scratch.user);
                self.items.write(other, &mut scratch.own);
                let other_score = score(&scratch.user, &scratch.own) + scratch.user[k];
                self.single(user, other, sigmoid(other_score), scratch);
                softplus(-own_score) + softplus(other_score)
            }
        }
    }

    /// A step that lifts the own item over the other: `weight` is minus the derivative of the loss by their difference.
    fn pair(&mut self, user: usize, item: usize, other: usize, weight: f32, scratch: &mut Scratch) {
        let Scratch { user: p, own: q, other: r, slope } = scratch;
        let k = self.k;
        for f in 0..k {
            slope[f] = weight * (r[f] - q[f]);
        }
        slope[k] = 0.0;
        self.users.step(user, slope, self.settings);
        for f in 0..k {
            slope[f] = -weight * p[f];
        }
        slope[k] = -weight;
        self.items.step(item, slope, self.settings);
        for slope in slope.iter_mut() {
            *slope = -*slope;
        }
        self.items.step(other, slope, self.settings);
    }

    /// A step of one score: `by_score` is the derivative of the loss by it.
    fn single(&mut self, user: usize, item: usize, by_score: f32, scratch: &mut Scratch) {
        let Scratch { user: p, own: q, slope, .. } = scratch;
        let k = self.k;
        for f in 0..k {
            slope[f] = by_score * q[f];
        }
        slope[k] = by_score;
        self.users.step(user, slope, self.settings);
        for f in 0..k {
            slope[f] = by_score * p[f];
        }
        self.items.step(item, slope, self.settings);
    }

    /// An item that somebody has and this user does not; `None` where 64 draws found none: they have nearly everything.
    fn draw(&self, user: usize, rng: &mut ChaCha8Rng) -> Option<usize> {
        let own = self.pairs.data.by_user.row(user).0;
        (0..64).find_map(|_| {
            let item = self.pairs.draw(rng);
            own.binary_search(&item).is_err().then_some(item as usize)
        })
    }
}

impl Learner for Embeddings<'_> {
    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        let (users, items) = (&mut self.users, &mut self.items);
        vec![&mut users.numbers, &mut users.squares, &mut items.numbers, &mut items.squares]
    }

    fn of_nothing(&self) -> OfNothing {
        OfNothing::zeros(match self.settings.loss {
            Loss::Bpr | Loss::Logistic => 2.0 * std::f64::consts::LN_2,
            Loss::Warp => f64::from(MAX_WEIGHT),
        })
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let order = order(self.pairs.len(), self.seed, round);
        let mut others = stream(self.seed, OTHERS_STREAM + round);
        let line = || vec![0.0; self.k + 1];
        let mut scratch = Scratch { user: line(), own: line(), other: line(), slope: line() };
        let mut loss = 0.0;
        for entries in order.chunks(ROWS_AT_ONCE) {
            if !go_on() {
                return Ok(None);
            }
            for &entry in entries {
                let [user, item] = self.pairs.pair(entry).map(|row| row as usize);
                loss += f64::from(self.learn(user, item, &mut others, &mut scratch));
            }
        }
        Ok(Some(loss / order.len() as f64))
    }
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;

    use super::*;
    use crate::TrainSet;

    /// A step of each loss against the derivative, by small differences, of the loss that it names.
    #[test]
    fn a_step_goes_down_the_gradient_of_its_loss() {
        let mut builder = InteractionsBuilder::default();
        for (user, item) in [("a", "x"), ("b", "y"), ("b", "z")] {
            builder.push(user, item, 1.0, 0);
        }
        let all = builder.finish();
        let rows = [0, 1, 2];
        let data = TrainSet::new(&all, &rows);
        for loss in [Loss::Bpr, Loss::Warp, Loss::Logistic] {
            let (users, items) = (Side::new(data.user_counts()), Side::new(data.item_counts()));
            let k = 2;
            // Squares so large that AdaGrad's steps are all of the same length: 10 / √1e8.
            let settings = Settings { loss, rate: 10.0, penalty: 0.0, draws: 1 };
            let embedded = |side, which| {
                let mut embedded = Embedded::new(side, k, 3, which).unwrap();
                embedded.squares.fill(1e8);
                embedded
            };
            // Item `y` is the only other one.
            let mut fit = Embeddings {
                pairs: PairData { data: &data, owner: vec![0, 1, 1], known: vec![0, 1, 1, 1, 1] },
                settings,
                k,
                seed: 3,
                users: embedded(&users, 65),
                items: embedded(&items, 66),
            };
            let before = (fit.users.numbers.clone(), fit.items.numbers.clone());
            let value = |users: &[f32], items: &[f32]| {
                let (p, q, r) = (&users[..3], &items[..3], &items[3..6]);
                match loss {
                    Loss::Bpr => softplus(score(p, r) - score(p, q)),
                    // Found at the first draw of five.
                    Loss::Warp => 4.0f32.ln() * (1.0 + score(p, r) - score(p, q)),
                    Loss::Logistic => softplus(-score(p, q) - p[2]) + softplus(score(p, r) + p[2]),
                }
            };
            let mut scratch =
                Scratch { user: vec![0.0; 3], own: vec![0.0; 3], other: vec![0.0; 3], slope: vec![0.0; 3] };
            fit.learn(0, 0, &mut stream(1, 1), &mut scratch);
            for (side, (old, new)) in
                [(&before.0, &fit.users.numbers), (&before.1, &fit.items.numbers)].into_iter().enumerate()
            {
                for place in 0..old.len() {
                    let moved = |change: f32| {
                        let mut numbers = before.clone();
                        if side == 0 {
                            numbers.0[place] += change;
                        } else {
                            numbers.1[place] += change;
                        }
                        value(&numbers.0, &numbers.1)
                    };
                    let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                    let step = (new[place] - old[place]) / 1e-3;
                    assert!((step + slope).abs() < 0.02, "{loss:?} side {side}, {place}: {step}, not {}", -slope);
                }
            }
        }
    }
}
