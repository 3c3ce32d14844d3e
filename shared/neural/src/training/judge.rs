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

    /// By how much it judges, where that is not all validation rows: a sentence for the log.
    fn scope(&self) -> Option<String> {
        None
    }
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

/// Users below whom a mean of NDCG says little: at .02 each, one of a thousand is a step of 2 % of it.
const ENOUGH_USERS: usize = 1000;

/// How much a judgement may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Users, each with all items.
    Users(usize),
    /// Scores. Users become fewer first, then the items of each: never fewer than [`ENOUGH_USERS`] users where there are as
    /// many.
    Scores(usize),
}

/// By ranking: NDCG@10 of lists of all items that somebody has, without those that the user has already; of some of these
/// items where all would cost too much.
pub(crate) struct RankJudge {
    /// Users to rank for, ascending.
    users: Vec<u32>,
    /// Users with validation rows.
    of_users: usize,
    /// Items against which those that the user will have are ranked, ascending; `None` for all.
    sample: Option<Vec<u32>>,
    /// What each user has.
    known: Csr,
    /// What each user will have.
    relevant: Csr,
    /// Whether somebody has it.
    candidate: Vec<bool>,
    tie_ranks: Vec<u32>,
}

impl RankJudge {
    /// Of the users with validation rows as many as the limit allows, evenly spread: a judge speaks after every epoch, and must
    /// not take longer than the epoch did.
    pub(crate) fn new(train: Rows<'_>, validation: Rows<'_>, limit: Limit) -> Self {
        let data = train.interactions;
        let known = Csr::by_user(data, train.rows);
        let relevant = Csr::by_user(data, validation.rows);
        let mut candidate = vec![false; data.n_items()];
        for &item in &known.indices {
            candidate[item as usize] = true;
        }
        let users: Vec<u32> =
            (0..data.n_users() as u32).filter(|&user| !relevant.row(user as usize).0.is_empty()).collect();
        let of_users = users.len();
        let most = match limit {
            Limit::Users(most) => most,
            Limit::Scores(most) => (most / data.n_items().max(1)).max(ENOUGH_USERS),
        };
        let users = spread(&users, most);
        let sample = match limit {
            Limit::Scores(most) if users.len().saturating_mul(data.n_items()) > most => {
                let all: Vec<u32> = (0..data.n_items() as u32).filter(|&item| candidate[item as usize]).collect();
                Some(spread(&all, (most / users.len().max(1)).max(PLACES * PLACES)))
            }
            _ => None,
        };
        Self { users, of_users, sample, known, relevant, candidate, tie_ranks: data.items.tie_ranks() }
    }

    /// NDCG@10 of each user among the sampled items and those that they will have.
    fn among(&self, sample: &[u32], model: &dyn NeuralModel) -> Vec<f64> {
        let at = model.reference_timestamp();
        let of_user = |&user: &u32| {
            let mut items = [sample, self.relevant.row(user as usize).0].concat();
            items.sort_unstable();
            items.dedup();
            let found = model.predict_rows(&vec![user; items.len()], &items, &vec![at; items.len()]);
            if found.iter().any(|score| !score.is_finite()) {
                return f64::NAN;
            }
            let mut scores = vec![f32::NEG_INFINITY; self.candidate.len()];
            items.iter().zip(found).for_each(|(&item, score)| scores[item as usize] = score);
            self.of_list(user, &mut scores)
        };
        self.users.par_iter().map(of_user).collect()
    }

    /// NDCG@10 of each user among all items.
    fn among_all(&self, model: &dyn NeuralModel) -> Vec<f64> {
        let n_items = self.candidate.len().max(1);
        let of_tile = |users: &[u32]| {
            let mut scores = vec![0.0; users.len() * n_items];
            model.score_tile(users, &mut scores);
            let lists = users.iter().zip(scores.chunks_exact_mut(n_items));
            let one = |(&user, scores): (&u32, &mut [f32])| {
                if scores.iter().all(|score| score.is_finite()) { self.of_list(user, scores) } else { f64::NAN }
            };
            lists.map(one).collect::<Vec<f64>>()
        };
        self.users.par_chunks(model.tile_users().max(1)).flat_map_iter(of_tile).collect()
    }

    /// NDCG@10 of one list. Items of the least score, −∞, are not in it.
    fn of_list(&self, user: u32, scores: &mut [f32]) -> f64 {
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
        if self.sample.is_some() { "sampled validation NDCG@10" } else { "validation NDCG@10" }
    }

    fn judge(&self, model: &dyn NeuralModel) -> Verdict {
        let (name, values) = match &self.sample {
            Some(sample) => ("sampled-ndcg@10", self.among(sample, model)),
            None => ("ndcg@10", self.among_all(model)),
        };
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        Verdict { regret: -mean, told: vec![(name, mean)] }
    }

    fn scope(&self) -> Option<String> {
        let items = match &self.sample {
            Some(sample) => format!(
                ", among {} evenly spread items and those that they will have: higher than a full ranking would say",
                sample.len()
            ),
            None => String::new(),
        };
        let (users, of) = (self.users.len(), self.of_users);
        Some(format!("Each epoch is judged by the NDCG@10 of {users} of {of} users with validation rows{items}."))
    }
}

/// At most `most` of them, evenly spread.
fn spread(all: &[u32], most: usize) -> Vec<u32> {
    all.iter().copied().step_by(all.len().div_ceil(most.max(1)).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_data::InteractionsBuilder;
    use recspeed_data::parts::Parts;
    use recspeed_types::event::MemoryBytes;

    /// Scores an item by a number that the user changes.
    struct ByNumber(usize);

    impl NeuralModel for ByNumber {
        fn predict_rows(&self, users: &[u32], items: &[u32], _: &[i64]) -> Vec<f32> {
            let score = |(user, item): (&u32, &u32)| ((item * 7919 + user * 31) % 1009) as f32;
            users.iter().zip(items).map(score).collect()
        }
        fn score_all(&self, user: u32, _: i64, scores: &mut [f32]) {
            let items: Vec<u32> = (0..self.0 as u32).collect();
            scores.copy_from_slice(&self.predict_rows(&vec![user; self.0], &items, &[]));
        }
        fn reference_timestamp(&self) -> i64 {
            0
        }
        fn parameters(&self) -> u64 {
            0
        }
        fn memory(&self) -> MemoryBytes {
            MemoryBytes::default()
        }
        fn parts(&self) -> Parts {
            Parts::default()
        }
    }

    #[test]
    fn a_judge_of_a_huge_catalogue_asks_enough_users_about_some_of_the_items() {
        let (users, items) = (1500, 600);
        let mut builder = InteractionsBuilder::default();
        for user in 0..users {
            for place in 0..3 {
                builder.push(&format!("u{user}"), &format!("i{}", (user * 7 + place * 11) % items), 1.0, 0);
            }
        }
        let data = builder.finish();
        let (train, validation): (Vec<u32>, Vec<u32>) = (0..data.len() as u32).partition(|row| row % 3 != 2);
        let rows = |rows| Rows { interactions: &data, rows };
        let judge = |limit| RankJudge::new(rows(&train), rows(&validation), limit);
        let model = ByNumber(data.n_items());

        let all = judge(Limit::Users(usize::MAX));
        assert_eq!((all.users.len(), &all.sample), (1500, &None));
        assert_eq!(judge(Limit::Users(100)).users.len(), 100);
        // With all items these scores would be those of a single user.
        let sampled = judge(Limit::Scores(data.n_items()));
        let sample = sampled.sample.as_ref().unwrap().len();
        assert!((750..=1500).contains(&sampled.users.len()) && (50..=100).contains(&sample), "{sample}");
        let scope = sampled.scope().unwrap();
        assert!(scope.contains(&format!("{} of 1500 users", sampled.users.len())), "{scope}");
        let (whole, part) = (all.judge(&model).told[0], sampled.judge(&model).told[0]);
        assert_eq!((whole.0, part.0), ("ndcg@10", "sampled-ndcg@10"));
        assert!(part.1 > whole.1 && whole.1 > 0.0, "{part:?} {whole:?}");

        // Among all items after all, the sampled judge says what the other one says.
        let everything = (0..data.n_items() as u32).collect();
        let same = RankJudge { sample: Some(everything), ..judge(Limit::Users(usize::MAX)) };
        assert_eq!(same.judge(&model).told[0].1.to_bits(), whole.1.to_bits());
    }
}
