//! What it takes to look rows up in tables of embeddings and to move them, which no product of matrices counts.
//!
//! Counted as it is done (`parallel/tables`, `neural/training/rows.rs`, and `saved.rs` for the first numbers): a step
//! copies the rows that its batch names out of the tables, gets a slope for each of their places, adds up what a row
//! got at several places, and moves those rows and no others, with their moments. Neither the gradient nor the
//! optimizer goes over a whole table, so that a step costs the same however many rows there are, as long as these lie
//! in a cache.

use recspeed_types::Extent;
use recspeed_types::spec::{Loss, ResolvedRecommender, Training};

use crate::learnt::{fields, number};
use crate::spec::optimizer_of;

/// Bytes of a number.
const NUMBER: u64 = 4;
/// Bytes that pass for a number that is looked up: it is read and written down; its slope is written, read, and added
/// to a sum that is read and written.
const LOOKED_UP: u64 = 7 * NUMBER;
/// Bytes that pass once it moves: the sum is read, the number read and written; so is each of its moments.
const MOVED: u64 = 3 * NUMBER;
const MOMENT: u64 = 2 * NUMBER;
/// So many of these bytes in a second, and seconds for a row beside them: it is drawn or found, copied by itself, and
/// sorted. A row that lies in no cache is waited for in its table and in each of its moments.
///
/// Fitted to NeuMF with one small layer, whose time is that of its tables: an epoch more, in seconds of one thread of
/// an AMD EPYC with other work on it (27 November 2026; the figures stand in `tests/paces.rs`).
pub(crate) const BYTES_PER_S: f64 = 1.1e10;
const ROW_S: f64 = 2e-7;
const WAITED_S: f64 = 1e-7;
/// Tables that take more with their moments lie in no cache. Of those fitted to, the smaller ones took 49 MB, the
/// larger ones 280.
const CACHES: u64 = 64 << 20;
/// First numbers of tables that one thread draws in a second (in the same runs: 187 million of them in 11.6 s).
const DRAWN_PER_S: f64 = 1.6e7;

/// The tables of a network, and what an epoch looks up in them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LookUps {
    /// Rows, each as often as it is looked up.
    rows: f64,
    /// Numbers of these rows.
    numbers: f64,
    /// Numbers of the tables.
    held: u64,
    /// Numbers that the optimizer keeps beside each.
    moments: u64,
}

impl LookUps {
    /// Tables of so many rows and so wide, and how many rows of each an epoch of this training looks up.
    pub fn new(tables: impl IntoIterator<Item = ((u64, u64), f64)>, training: &Training) -> Self {
        let none = Self { moments: optimizer_of(training).bytes() / NUMBER, ..Self::default() };
        tables.into_iter().fold(none, |sum, ((rows, width), looked_up)| Self {
            rows: sum.rows + looked_up,
            numbers: sum.numbers + looked_up * width as f64,
            held: sum.held.saturating_add(rows.saturating_mul(width)),
            ..sum
        })
    }

    /// Those of a network. `tables`: their rows and widths; `rows`: what an epoch learns from; `samples`: what it makes
    /// of these, pairs of a user and an item or items of histories.
    pub(super) fn of(
        recommender: &ResolvedRecommender,
        training: &Training,
        (data, tables): (&Extent, &[(u64, u64)]),
        (rows, samples): (f64, f64),
    ) -> Self {
        let each = |looked_up: f64| vec![looked_up; tables.len()];
        let looked_up = match recommender.entry.kind {
            "neumf" => each(samples),
            // All that each person has.
            "autoencoder" => each(rows),
            "sasrec" | "gru4rec" | "bert4rec" => each(samples + scored(recommender, training, data, samples)),
            // The items of each window, whose it is, and what is asked for behind it.
            "caser" => {
                let [window, ahead] = ["window", "ahead"].map(|name| number(recommender, name).max(1) as f64);
                vec![samples * window, samples, scored(recommender, training, data, samples * ahead)]
            }
            // A row for each field of a pair. Of a bag of words there are more, and of crosses as many as are named.
            _ => each(samples * fields(data) as f64),
        };
        Self::new(tables.iter().copied().zip(looked_up), training)
    }

    /// Seconds of an epoch, beside what is computed.
    pub(super) fn seconds(&self) -> f64 {
        let kept = 1 + self.moments;
        let bytes = LOOKED_UP + MOVED + MOMENT * self.moments;
        let in_cache = NUMBER.saturating_mul(kept).saturating_mul(self.held) <= CACHES;
        let row = if in_cache { ROW_S } else { ROW_S + WAITED_S * kept as f64 };
        self.rows * row + self.numbers * bytes as f64 / BYTES_PER_S
    }

    /// Seconds until the first numbers are there.
    pub(super) fn first(&self) -> f64 {
        self.held as f64 / DRAWN_PER_S
    }
}

/// Rows of items that so many questions of an epoch are scored against: all items at each step, or the one that was
/// wanted and those that questions of a group, or else of a batch, have drawn together.
fn scored(recommender: &ResolvedRecommender, training: &Training, data: &Extent, questions: f64) -> f64 {
    let steps = data.users.div_ceil(training.batch_size.max(1).into()) as f64;
    if training.loss == Loss::CrossEntropy {
        return steps * data.items as f64;
    }
    let groups = match number(recommender, "shared_by") {
        0 => steps,
        size => questions / size as f64,
    };
    questions + groups * number(recommender, "negatives").max(1) as f64
}
