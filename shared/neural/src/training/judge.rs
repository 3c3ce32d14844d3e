//! How good a network is after an epoch, by rows that it does not learn from: what early stopping goes by.

use std::num::NonZeroUsize;

use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_metrics::ranking::ndcg;
use recspeed_types::spec::Loss;

use crate::scaling::RatingScale;
use crate::{NeuralModel, Rows};

/// What a judge says of a network.
pub(crate) struct Verdict {
    /// What early stopping goes by: lower is better.
    pub(crate) regret: f64,
    /// What is told: names and values.
    pub(crate) told: Vec<(&'static str, f64)>,
}

/// Judges a network after each epoch.
pub(crate) trait Judge: Sync {
    /// What [`Verdict::regret`] is the best of, in words.
    fn goes_by(&self) -> &'static str;

    /// Its judgement: the same for the same numbers.
    fn judge(&self, model: &dyn NeuralModel) -> Verdict;
}

/// By the errors of ratings.
pub(crate) struct ErrorJudge<'a> {
    pub(crate) validation: Rows<'a>,
    pub(crate) scale: RatingScale,
    pub(crate) loss: Loss,
}

impl Judge for ErrorJudge<'_> {
    fn goes_by(&self) -> &'static str {
        "validation loss"
    }

    /// Loss on the network's scale and root mean squared error in stars, over the validation rows.
    fn judge(&self, model: &dyn NeuralModel) -> Verdict {
        let data = self.validation.interactions;
        let (mut loss, mut squares) = (0.0, 0.0);
        for (rows, stars) in predicted(self.validation, model) {
            for (&row, star) in rows.iter().zip(stars) {
                let truth = data.rating[row as usize];
                let miss = f64::from(self.scale.target(star)) - f64::from(self.scale.target(truth));
                loss += if self.loss == Loss::Mae { miss.abs() } else { miss * miss };
                squares += (f64::from(star) - f64::from(truth)).powi(2);
            }
        }
        let count = self.validation.len() as f64;
        let (loss, rmse) = (loss / count, (squares / count).sqrt());
        Verdict { regret: loss, told: vec![("loss", loss), ("rmse", rmse)] }
    }
}

/// By whether liking is told from not liking.
pub(crate) struct LikeJudge<'a> {
    pub(crate) validation: Rows<'a>,
    /// A rating of at least this many stars is liked.
    pub(crate) threshold: f64,
    pub(crate) loss: Loss,
}

/// The nearest to 0 and 1 that a probability counts as in a cross-entropy: f32 rounds what lies nearer to them.
const SURE: f64 = 1e-7;

impl Judge for LikeJudge<'_> {
    fn goes_by(&self) -> &'static str {
        "validation loss"
    }

    /// Loss of the probabilities, and the share that lies on the right side of ½, over the validation rows.
    fn judge(&self, model: &dyn NeuralModel) -> Verdict {
        let data = self.validation.interactions;
        let (mut loss, mut right) = (0.0, 0u64);
        for (rows, probabilities) in predicted(self.validation, model) {
            for (&row, probability) in rows.iter().zip(probabilities) {
                let liked = f64::from(data.rating[row as usize]) >= self.threshold;
                let probability = f64::from(probability);
                let of_truth = if liked { probability } else { 1.0 - probability };
                loss += match self.loss {
                    Loss::Mse => (1.0 - of_truth).powi(2),
                    Loss::Mae => 1.0 - of_truth,
                    // `max` would turn NaN into a number.
                    _ => -(if of_truth < SURE { SURE } else { of_truth }).ln(),
                };
                right += u64::from((probability >= 0.5) == liked);
            }
        }
        let count = self.validation.len() as f64;
        let (loss, accuracy) = (loss / count, right as f64 / count);
        Verdict { regret: loss, told: vec![("loss", loss), ("accuracy", accuracy)] }
    }
}

/// Predictions of some rows, some at a time.
fn predicted<'a>(of: Rows<'a>, model: &'a dyn NeuralModel) -> impl Iterator<Item = (&'a [u32], Vec<f32>)> + 'a {
    let data = of.interactions;
    of.rows.chunks(1 << 16).map(move |rows| {
        let column = |values: &[u32]| rows.iter().map(|&row| values[row as usize]).collect::<Vec<_>>();
        let times: Vec<i64> = rows.iter().map(|&row| data.timestamp[row as usize]).collect();
        (rows, model.predict_rows(&column(&data.user), &column(&data.item), &times))
    })
}

/// Places of the lists that [`RankJudge`] looks at.
const PLACES: usize = 10;

/// By full ranking: NDCG@10 of lists of all items that somebody has, without those that the user has already.
pub(crate) struct RankJudge {
    /// Users to rank for, ascending.
    users: Vec<u32>,
    /// What each user has.
    known: Csr,
    /// What each user will have.
    relevant: Csr,
    /// Whether somebody has it.
    candidate: Vec<bool>,
    tie_ranks: Vec<u32>,
}

impl RankJudge {
    /// Of the users with validation rows at most `most`, evenly spread: a judge speaks after every epoch, and must not take
    /// longer than the epoch did.
    pub(crate) fn new(train: Rows<'_>, validation: Rows<'_>, most: usize) -> Self {
        let data = train.interactions;
        let known = Csr::by_user(data, train.rows);
        let relevant = Csr::by_user(data, validation.rows);
        let mut candidate = vec![false; data.n_items()];
        for &item in &known.indices {
            candidate[item as usize] = true;
        }
        let users: Vec<u32> =
            (0..data.n_users() as u32).filter(|&user| !relevant.row(user as usize).0.is_empty()).collect();
        let step = users.len().div_ceil(most.max(1)).max(1);
        let users = users.into_iter().step_by(step).collect();
        Self { users, known, relevant, candidate, tie_ranks: data.items.tie_ranks() }
    }

    /// NDCG@10 of one list; NaN when a score is no finite number.
    fn of_list(&self, user: u32, scores: &mut [f32]) -> f64 {
        if scores.iter().any(|score| !score.is_finite()) {
            return f64::NAN;
        }
        for &own in self.known.row(user as usize).0 {
            scores[own as usize] = f32::NEG_INFINITY;
        }
        let mut best: Vec<u32> = Vec::with_capacity(PLACES + 1);
        let before = |a: u32, b: u32| {
            let (left, right) = (scores[a as usize], scores[b as usize]);
            left > right || (left == right && self.tie_ranks[a as usize] < self.tie_ranks[b as usize])
        };
        for item in 0..scores.len() as u32 {
            let eligible = self.candidate[item as usize] && scores[item as usize] > f32::NEG_INFINITY;
            if eligible && (best.len() < PLACES || best.last().is_some_and(|&last| before(item, last))) {
                best.insert(best.partition_point(|&other| before(other, item)), item);
                best.truncate(PLACES);
            }
        }
        let places = NonZeroUsize::new(PLACES).unwrap_or(NonZeroUsize::MIN);
        ndcg(&best, self.relevant.row(user as usize).0, places).unwrap_or(f64::NAN)
    }
}

impl Judge for RankJudge {
    fn goes_by(&self) -> &'static str {
        "validation NDCG@10"
    }

    fn judge(&self, model: &dyn NeuralModel) -> Verdict {
        let n_items = self.candidate.len().max(1);
        let of_tile = |users: &[u32]| {
            let mut scores = vec![0.0; users.len() * n_items];
            model.score_tile(users, &mut scores);
            let lists = users.iter().zip(scores.chunks_exact_mut(n_items));
            lists.map(|(&user, scores)| self.of_list(user, scores)).collect::<Vec<f64>>()
        };
        let values: Vec<f64> = self.users.par_chunks(model.tile_users().max(1)).flat_map_iter(of_tile).collect();
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        Verdict { regret: -mean, told: vec![("ndcg@10", mean)] }
    }
}
