//! Global mean plus the deviations of user and item.

use recspeed_types::FitObserver;
use recspeed_types::event::{EventKind, MemoryBytes};
use recspeed_types::spec::ResolvedRecommender;

use crate::fit::Method;
use crate::recommender::model_bytes;
use crate::{BasketItem, FitError, FoldIn, Parts, Recommender, TrainSet};

pub(super) const METHOD: Method = Method {
    kind: "bias",
    fit: |request, observer| Ok(Box::new(Bias::fit(request.recommender, request.data, observer)?)),
    restore: |request, mut parts| {
        let mean = parts.take_number("mean")?;
        let regularization_user = request.recommender.float("regularization_user");
        let (users, items) = (parts.take_list("users")?, parts.take_list("items")?);
        Ok(Box::new(Bias { mean, users, items, regularization_user }))
    },
};

/// `r̂_ui = μ + b_u + b_i`, fitted by alternating least squares: in each iteration first
/// `b_i = Σ_u (r_ui − μ − b_u) / (λ_i + n_i)`, then `b_u = Σ_i (r_ui − μ − b_i) / (λ_u + n_u)`.
/// Source: Koren, "Factor in the Neighbors", doi:10.1145/1644873.1644874, section 2.1; the order is Surprise's.
#[derive(Debug)]
struct Bias {
    mean: f32,
    users: Vec<f32>,
    items: Vec<f32>,
    /// The `λ_u`.
    regularization_user: f64,
}

impl Bias {
    fn fit(
        recommender: &ResolvedRecommender,
        data: &TrainSet<'_>,
        observer: &mut dyn FitObserver,
    ) -> Result<Self, FitError> {
        let total = recommender.integer("iterations") as u64;
        let mean = data.global_mean().ok_or(FitError::NoRows)?;
        let regularization = (recommender.float("regularization_user"), recommender.float("regularization_item"));
        let mut rounds = Rounds::new(data, mean, regularization);
        for done in 0..total {
            if observer.stop_requested() {
                return Err(FitError::Interrupted { done, total, unit: "iterations" });
            }
            rounds.alternate();
            observer.event(EventKind::Progress { done: done + 1, total, unit: "iterations".to_owned() });
        }
        let Rounds { users, items, .. } = rounds;
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        let (users, items) = (narrow(users), narrow(items));
        Ok(Self { mean: mean as f32, users, items, regularization_user: regularization.0 })
    }

    fn score_level(&self, level: f32, scores: &mut [f32]) {
        for (score, deviation) in scores.iter_mut().zip(&self.items) {
            *score = level + deviation;
        }
    }
}

/// The deviations `b_u` and `b_i` after so many rounds.
pub(crate) fn deviations(data: &TrainSet<'_>, rounds: u64, user: f64, item: f64) -> (Vec<f64>, Vec<f64>) {
    let mut fit = Rounds::new(data, data.global_mean().unwrap_or(0.0), (user, item));
    (0..rounds).for_each(|_| fit.alternate());
    (fit.users, fit.items)
}

/// The alternation in progress.
struct Rounds<'a> {
    data: &'a TrainSet<'a>,
    mean: f64,
    users: Vec<f64>,
    items: Vec<f64>,
    user_weights: Vec<f64>,
    item_weights: Vec<f64>,
}

impl<'a> Rounds<'a> {
    fn new(data: &'a TrainSet<'a>, mean: f64, (user, item): (f64, f64)) -> Self {
        let (users, items) = (vec![0.0; data.n_users()], vec![0.0; data.n_items()]);
        let user_weights = weights(&data.user_counts(), user);
        let item_weights = weights(&data.item_counts(), item);
        Self { data, mean, users, items, user_weights, item_weights }
    }

    fn alternate(&mut self) {
        let Self { data, mean, users, items, user_weights, item_weights } = self;
        let columns = data.interactions;
        alternate(data, *mean, (&columns.user, users), (&columns.item, items), item_weights);
        alternate(data, *mean, (&columns.item, items), (&columns.user, users), user_weights);
    }
}

/// `1 / (λ + n)` for each count; 0 where there is nothing to learn from.
fn weights(counts: &[u32], regularization: f64) -> Vec<f64> {
    counts.iter().map(|&n| if n == 0 { 0.0 } else { 1.0 / (regularization + f64::from(n)) }).collect()
}

fn alternate(
    data: &TrainSet<'_>,
    mean: f64,
    (fixed_index, fixed): (&[u32], &[f64]),
    (index, solved): (&[u32], &mut [f64]),
    weights: &[f64],
) {
    solved.fill(0.0);
    for &row in data.rows {
        let row = row as usize;
        let rest = f64::from(data.interactions.rating[row]) - mean - fixed[fixed_index[row] as usize];
        solved[index[row] as usize] += rest;
    }
    for (value, weight) in solved.iter_mut().zip(weights) {
        *value *= weight;
    }
}

impl Recommender for Bias {
    fn n_users(&self) -> usize {
        self.users.len()
    }

    fn n_items(&self) -> usize {
        self.items.len()
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        (self.mean + self.users[user as usize]) + self.items[item as usize]
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.score_level(self.mean + self.users[user as usize], scores);
    }

    fn memory(&self) -> MemoryBytes {
        model_bytes(size_of_val(&self.users[..]) + size_of_val(&self.items[..]) + size_of::<f32>(), 0)
    }

    fn parameters(&self) -> u64 {
        (self.users.len() + self.items.len() + 1) as u64
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    fn parts(&self) -> Parts {
        Parts::default().with_number("mean", self.mean).with_list("users", &self.users).with_list("items", &self.items)
    }
}

/// The last half of an iteration, for one more user: `b = Σ_i (r_i − μ − b_i) / (λ_u + n)`. It is the half that a fit
/// ends with, so a known user's own rows give their own deviation, but for rounding.
impl FoldIn for Bias {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        let rest =
            |own: &BasketItem| f64::from(own.rating) - f64::from(self.mean) - f64::from(self.items[own.item as usize]);
        // Without ratings there is nothing to learn from, as in a fit.
        let weight = if basket.is_empty() { 0.0 } else { 1.0 / (self.regularization_user + basket.len() as f64) };
        let deviation = weight * basket.iter().map(rest).sum::<f64>();
        self.score_level(self.mean + deviation as f32, scores);
    }
}
