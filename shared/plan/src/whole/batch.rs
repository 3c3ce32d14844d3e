//! What one step of a network holds beside its parameters: what it looks up, what its layers keep for the way back, and scores.
//!
//! Upper estimates, of the buffers as the code makes them (`neural/training`, `neural/sequence/tied.rs`, `all_items.rs`). What is the
//! network's own stands in its file of `networks`.

use recspeed_types::Extent;
use recspeed_types::spec::{Device, Loss, ResolvedRecommender, Training};

use super::Lessons;
use crate::blocks;
use crate::learnt::{number, widths};
use crate::networks::network;
use crate::scoring::LARGEST_KEPT;

/// Bytes of a number.
const NUMBER: u64 = 4;
/// Copies of what is looked up in a table: as it was gathered, its slopes as the tape has them and as they leave it, and once more
/// by the rows that they belong to.
pub(crate) const OF_A_ROW: u64 = 4;
/// The same of a pair of a user and an item: the tape's slopes are gone before there are any by the rows that they belong to.
const OF_A_ROW_OF_A_PAIR: u64 = 3;
/// Of a row of an item that is scored, on the way back: as it was gathered, and its slope by the scores; or that slope alone and behind
/// the encoder's.
pub(crate) const OF_A_SCORED_ROW: u64 = 2;
/// Once more while scores become slopes: those of the drawn items, before they stand behind those of the wanted ones. By then the
/// encoder's way back has not begun. Fitted: with two copies and this one no training of `caser` and `sasrec` on `MovieLens` 100K held
/// more (docs/parallel.md).
pub(crate) const ONE_ROW: u64 = 1;
/// Blocks of scores at once: corrections, products, both together, powers, shares, slopes and what is made of them.
pub(crate) const OF_A_SCORE: u64 = 8;
/// The same of drawn items: products, these beside the wanted one's, corrections, both together, and slopes.
pub(crate) const OF_A_DRAWN_SCORE: u64 = 5;
/// Lanes of cross-entropy over all items, each with slopes of all items and a part of the scores, and the copies that go in
/// and the sum that comes out.
pub(crate) const LANES: u64 = blocks::LANES as u64;
const TOGETHER: u64 = blocks::LANE_SCORES as u64;
pub(crate) const IN_AND_OUT: u64 = 2;
/// Vectors of a question beside the items: as they were computed, by groups, and the slopes of both.
pub(crate) const OF_A_QUESTION: u64 = 6;

/// Bytes of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Step {
    /// Rows of tables that are looked up, with their slopes.
    pub(crate) looked_up: u64,
    /// What layers keep for the way back, and slopes of it.
    pub(crate) activations: u64,
    /// Scores, their slopes, and what the loss makes of them.
    pub(crate) scores: u64,
    /// Of all that, what goes back to the system before anybody is evaluated, because it is in large buffers.
    pub(crate) returned: u64,
}

impl Step {
    /// Of so many numbers: of rows that are looked up, of what layers keep, of slopes that stand beside that, and of scores.
    pub(crate) const fn of_numbers(looked_up: u64, (kept, slopes): (u64, u64), scores: u64) -> Self {
        let activations = NUMBER * (kept + slopes);
        Self { looked_up: NUMBER * looked_up, activations, scores: NUMBER * scores, returned: 0 }
    }
}

/// What an encoder of sequences holds of a batch, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Encoded {
    /// What its layers keep for the way back.
    pub(crate) kept: u64,
    /// What stands beside that on the way back: slopes of one layer at a time, since what a layer kept goes as its slopes come.
    pub(crate) slopes: u64,
    /// What it looks up.
    pub(crate) read: u64,
    /// Questions that it asks, and numbers of the vector of each.
    pub(crate) questions: (u64, u64),
    /// Of what it keeps, the numbers of each of the largest buffers, and how many of these there are.
    pub(crate) largest: (u64, u64),
}

/// Bytes of so many buffers of so many numbers each, where one is so large that the system has them back as soon as they are free.
const fn returned((numbers, count): (u64, u64)) -> u64 {
    let one = NUMBER.saturating_mul(numbers);
    if one > LARGEST_KEPT { one.saturating_mul(count) } else { 0 }
}

/// What is asked of a network in a batch.
pub(crate) struct Asked<'a> {
    pub(crate) recommender: &'a ResolvedRecommender,
    pub(crate) training: &'a Training,
    pub(crate) device: Device,
    pub(crate) data: &'a Extent,
    pub(crate) lessons: Lessons,
}

impl Asked<'_> {
    /// A parameter that is a whole number.
    pub(crate) fn of(&self, name: &str) -> u64 {
        number(self.recommender, name)
    }

    /// One step; nothing of recommenders that are no such network.
    pub(super) fn step(&self) -> Step {
        network(self.recommender.entry.kind).map(|network| (network.step)(self)).unwrap_or_default()
    }

    /// Rows of a batch: no more than there are.
    pub(crate) fn batch(&self) -> u64 {
        let rows = self.lessons.rows.unwrap_or(u64::MAX);
        let most = if self.recommender.entry.reads_history { rows.min(self.data.users) } else { rows };
        u64::from(self.training.batch_size).min(most).max(1)
    }

    /// Numbers that the ReLU layers of a pair keep.
    pub(crate) fn tower(&self) -> u64 {
        3 * widths(self.recommender, "hidden").iter().sum::<u64>() + 1
    }

    /// Rows that are held of so many that are gathered from a table.
    pub(crate) const fn gathered(rows: u64) -> u64 {
        OF_A_ROW * rows
    }

    /// An item that somebody has, and those that stand against it, each a pair with the user: numbers that are kept and that are
    /// looked up of a pair.
    pub(crate) fn pairs(&self, kept: u64, looked_up: u64) -> Step {
        let pairs = self.batch() * (1 + self.of("negatives"));
        // Of a bag of words each has a slope, but no word more than once.
        let words = self.data.words.iter().sum::<u64>() * self.of("embedding");
        // Slopes of what the widest layer makes.
        let widest = widths(self.recommender, "hidden").into_iter().max().unwrap_or(0);
        let looked_up = OF_A_ROW_OF_A_PAIR * pairs * looked_up + words;
        Step::of_numbers(looked_up, (pairs * kept, pairs * widest), OF_A_SCORE * pairs)
    }

    /// Items that the sequences of a batch have together, at most: where nobody knows how long they are, each as many as are read.
    pub(crate) fn places(&self) -> u64 {
        let whole = self.batch() * self.of("length");
        self.lessons.lengths.map_or(whole, |lengths| lengths.of_a_batch(self.batch()).min(whole)).max(1)
    }

    /// Items of the longest of these sequences, as far as they are read.
    pub(crate) fn longest(&self) -> u64 {
        let length = self.of("length").max(1);
        self.lessons.lengths.map_or(length, |lengths| lengths.longest().clamp(1, length))
    }

    /// Slots of the rows that they are packed into. Where nobody knows how long they are: of two rows that follow each other one at most
    /// is less than half full.
    pub(crate) fn slots(&self) -> u64 {
        let whole = self.batch() * self.longest();
        let packed = self.lessons.lengths.and_then(|lengths| lengths.slots(self.batch()));
        packed.unwrap_or_else(|| 2 * self.places() + self.longest()).min(whole).max(1)
    }

    /// What is held at the worse of two moments: when scores become slopes, and the encoder has what it keeps; and on the encoder's way
    /// back, when slopes stand beside that and the scores are gone. Of the scores counts what they take beyond these slopes.
    pub(crate) fn sequences(&self, encoded: &Encoded) -> Step {
        let &Encoded { kept, slopes, read, questions: (questions, width), largest } = encoded;
        let items = self.data.items;
        let of_questions = OF_A_QUESTION * questions * width;
        let over_all = self.training.loss == Loss::CrossEntropy;
        let in_cache = matches!(self.device, Device::Flex | Device::Browser);
        let (scored, scores) = match (over_all, in_cache) {
            (false, _) => {
                let count = self.of("negatives").max(1);
                let size = match self.of("shared_by") {
                    0 => questions,
                    size => size,
                };
                let groups = questions.div_ceil(size.max(1));
                (questions + groups * count, OF_A_DRAWN_SCORE * questions * (1 + count))
            }
            // The scores of some questions at a time stay in the processor's cache.
            (true, true) => {
                let part = TOGETHER.max(items).min(questions * items);
                (items, LANES * (items * width + part) + IN_AND_OUT * items * width)
            }
            (true, false) => (items, OF_A_SCORE * questions * items),
        };
        Step {
            looked_up: NUMBER * (OF_A_ROW * read + OF_A_SCORED_ROW * scored * width),
            activations: NUMBER * (kept + slopes + of_questions),
            scores: NUMBER * (scores + ONE_ROW * scored * width).saturating_sub(slopes),
            returned: returned(largest).saturating_add(returned((scored * width, OF_A_SCORED_ROW))),
        }
    }

    /// What the lesson makes of the rows: who has what, in which order it is gone through, and what stands against it.
    pub(super) fn lists(&self) -> u64 {
        let rows = self.lessons.rows.unwrap_or(0);
        let Extent { users, items, .. } = *self.data;
        if self.recommender.entry.reads_history {
            // By user, once for the lesson and once for the model, and the order of the users.
            return 16 * rows + 24 * users + NUMBER * items;
        }
        // By user, as pairs, in an order, and the drawn items; what is known of each user and item, twice.
        let bags = 32 * (users + items) * self.data.words.len() as u64;
        let numbers = 2 * NUMBER * (users + items) * self.data.numbers;
        (24 + NUMBER * self.of("negatives")) * rows + 8 * users + NUMBER * items + bags + numbers
    }
}
