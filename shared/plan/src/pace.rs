//! About how long a network trains: multiply-adds, counted of its parameters and the rows, and rows of tables that are
//! looked up, over rates that were measured.
//!
//! What takes most of the time is counted, and nothing else: an estimate to choose by, some times too low or too high.
//!
//! Every rate of networks stands here and in `pace/look_ups.rs`; those of classical methods in
//! `recommenders/src/memory/paces.rs`, since neither crate may import the other.

mod look_ups;

use recspeed_types::catalogue::{Entry, Predicts};
use recspeed_types::spec::{Loss, ResolvedRecommender, Training};
use recspeed_types::{Extent, Remedy};

use crate::Lessons;
use crate::learnt::{Learnt, learnt, number};
use crate::spec::blocks_of;

pub(crate) use look_ups::BYTES_PER_S;
pub use look_ups::LookUps;

/// Thousands of millions of operations a second of each rank, where nobody has measured them: what plans assume.
pub const GFLOPS: f64 = 50.0;

/// Multiply-adds for each on the way there: both gradients on the way back take one more each.
const THERE_AND_BACK: f64 = 3.0;
/// Multiply-adds of products of matrices that one thread does in a second, there and back: two operations each, at the
/// speed that plans assume (docs/benchmarks.md: the four-layer network, 8,641 parameters and 30,000 rows in 31 ms; SASRec
/// on Beauty 5-core, 28,544 parameters of its block and 154,000 rows in 0.86 s, with the rows that it looks up).
const OF_MATRICES_PER_S: f64 = GFLOPS * 1e9 / 2.0;
/// The same of networks that go through a history in small steps (on one thread of an Intel Xeon, judgements included: 22 epochs of GRU4Rec,
/// 82,000 parameters and 131,000 rows each, in 862 s; 13 of Caser, 125,000 multiply-adds a row, in 643 s: a third of this. On two threads of
/// another one, an epoch of `MovieLens` 100K: GRU4Rec 2.1 s, and 9 with histories of 200 items; Caser with windows of 20 on 20,000 rows 24 s: up
/// to two and a half times this).
const OF_SMALL_STEPS_PER_S: f64 = 3e9;
/// Shares of attention of one head, there and back, that are computed in a second: powers, dropout, sums and slopes of each, which no
/// product of matrices counts (BERT4Rec on `MovieLens` 100K, two threads of an Intel Xeon: 1.5 s where 42,000 slots score 50 each in two blocks,
/// 5 s where 94,000 score 200; SASRec on 50,000 of its rows, 2.6 s where 54,000 score 350).
const OF_SHARES_PER_S: f64 = 2e7;

/// Seconds that the training of a network takes at most, about: early stopping may end it sooner. `None` of what is no network. `rows`: those
/// that it learns from; histories are taken to be as long as they are on average.
pub fn training_seconds(
    recommender: &ResolvedRecommender,
    training: &Training,
    data: &Extent,
    rows: u64,
) -> Option<f64> {
    seconds_with(recommender, training, data, (rows, None))
}

/// The same where it may be known how long histories are; `None` also where nobody knows how many rows there are.
pub fn lessons_seconds(
    recommender: &ResolvedRecommender,
    training: &Training,
    data: &Extent,
    lessons: &Lessons,
) -> Option<f64> {
    let longest = lessons.lengths.map(|lengths| lengths.longest());
    seconds_with(recommender, training, data, (lessons.about.or(lessons.rows)?, longest))
}

fn seconds_with(
    recommender: &ResolvedRecommender,
    training: &Training,
    data: &Extent,
    (rows, longest): (u64, Option<u64>),
) -> Option<f64> {
    let Learnt { dense, tables } = learnt(recommender, data)?;
    let work = Work::of(recommender, training, data, (dense, rows, longest));
    let look_ups = LookUps::of(recommender, training, (data, &tables), (rows as f64, work.samples));
    Some(work.seconds(recommender.entry.kind, training.epochs, look_ups))
}

/// The same of a network that is there: `samples` of an epoch, each of which goes through `dense` parameters and is scored against
/// `scored` numbers of items.
pub fn seconds_of(kind: &str, epochs: u32, samples: u64, (dense, scored): (u64, u64), look_ups: LookUps) -> f64 {
    Work { samples: samples as f64, of_a_sample: dense as f64 + scored as f64, shares: 0.0 }
        .seconds(kind, epochs, look_ups)
}

/// What takes less memory and time than a network, beside a smaller one: methods that predict the same.
pub const fn remedy(entry: &Entry) -> &'static Remedy {
    const LOWER: &str = "training.batch_size, the sizes of the network or the number of rows with dataset.sample";
    match entry.predicts {
        Predicts::Ratings | Predicts::Likes => &Remedy { lower: LOWER, instead: &["biased-mf", "bias"] },
        _ => &Remedy { lower: LOWER, instead: &["item-knn", "popularity"] },
    }
}

/// An epoch.
struct Work {
    samples: f64,
    /// Multiply-adds of each, on the way there.
    of_a_sample: f64,
    /// Shares of attention of each, of all heads and blocks.
    shares: f64,
}

impl Work {
    fn of(
        recommender: &ResolvedRecommender,
        training: &Training,
        data: &Extent,
        (dense, rows, longest): (u64, u64, Option<u64>),
    ) -> Self {
        let entry = recommender.entry;
        let of = |name: &str| if entry.param(name).is_some() { number(recommender, name) } else { 0 };
        if entry.kind == "autoencoder" {
            // A person with all that they have, and scores of all items, is one sample.
            return Self { samples: rows.min(data.users) as f64, of_a_sample: dense as f64, shares: 0.0 };
        }
        if !entry.reads_history {
            // Some are drawn to stand against each row.
            let samples = rows as f64 * (1 + of("negatives")) as f64;
            return Self { samples, of_a_sample: dense as f64, shares: 0.0 };
        }
        let (d, length) = (of("factors"), of("length"));
        let rows = if length > 0 { rows.min(data.users.saturating_mul(length)) } else { rows };
        let asked = if training.loss == Loss::CrossEntropy { data.items } else { 1 + of("negatives") };
        let (d, asked) = (d as f64, asked as f64);
        // A row of slots is as long as the longest history; where nobody knows that, as one is in the mean.
        let mean = rows.div_ceil(data.users.max(1));
        let scored = longest.map_or(mean, |longest| longest.min(length.max(1))).max(mean) as f64;
        let heads = of("heads") * of("blocks");
        // Vectors of positions are looked up, and nothing is multiplied with them.
        let dense = if heads > 0 { dense.saturating_sub(of("factors") * length) } else { dense };
        let of_a_sample = match entry.kind {
            "caser" => {
                let [window, horizontal, vertical] = ["window", "horizontal", "vertical"].map(of);
                let places: u64 = (1..=window).map(|height| (window + 1 - height) * height).sum();
                let filters = (places * horizontal + window * vertical) as f64 * d;
                let together = (window * horizontal) as f64 * d + vertical as f64 * d * d;
                filters + together + of("ahead").max(1) as f64 * asked * (2.0 * d + 1.0)
            }
            "gru4rec" => dense as f64 + asked * d,
            // Only the hidden ones of its items are asked for.
            "bert4rec" => dense as f64 + attention(&of, scored) + recommender.float("hidden") * asked * d,
            _ => dense as f64 + attention(&of, scored) + asked * d,
        };
        // Windows and blocks score fewer of them.
        let scored = if entry.kind == "sasrec" {
            blocks_of(recommender).within(Some(scored as u64)).rows().scored as f64
        } else {
            scored
        };
        Self { samples: rows as f64, of_a_sample, shares: scored * heads as f64 }
    }

    fn seconds(&self, kind: &str, epochs: u32, look_ups: LookUps) -> f64 {
        let rate = if matches!(kind, "gru4rec" | "caser") { OF_SMALL_STEPS_PER_S } else { OF_MATRICES_PER_S };
        let shares = self.samples * self.shares / OF_SHARES_PER_S;
        let of_an_epoch = THERE_AND_BACK * self.samples * self.of_a_sample / rate + shares + look_ups.seconds();
        look_ups.first() + f64::from(epochs) * of_an_epoch
    }
}

/// What an item scores of its row, and takes from it.
fn attention(of: &dyn Fn(&str) -> u64, scored: f64) -> f64 {
    2.0 * scored * (of("factors") * of("blocks")) as f64
}
