//! What one step of a network holds beside its parameters: what it looks up, what its layers keep for the way back, and scores.
//!
//! Upper estimates, of the buffers as the code makes them (`neural/training`, `neural/sequence/tied.rs`, `all_items.rs`).

use recspeed_types::Extent;
use recspeed_types::spec::{Device, Loss, ResolvedRecommender, Training};

use super::Lessons;
use crate::learnt::{fields, number, widths};

/// Bytes of a number.
const NUMBER: u64 = 4;
/// Numbers on the way back for each that was kept: a slope stands beside it.
const THERE_AND_BACK: u64 = 2;
/// Copies of what is looked up in a table: as it was gathered, its slopes as the tape has them and as they leave it, and once more
/// by the rows that they belong to.
const OF_A_ROW: u64 = 4;
/// Of a row of an item that is scored: cut out of what was looked up, its slope by the scores, and both of those behind the encoder's.
const OF_A_SCORED_ROW: u64 = 8;
/// Blocks of scores at once: corrections, products, both together, powers, shares, slopes and what is made of them.
const OF_A_SCORE: u64 = 8;
/// Blocks of the autoencoder: what people have, the scores, those that count, shares, the loss of each, and slopes.
const OF_ALL_ITEMS: u64 = 8;
/// Lanes of cross-entropy over all items, each with slopes of all items and a part of the scores (`LANES` and `TOGETHER` of
/// `all_items.rs`), and the copies that go in and the sum that comes out.
const LANES: u64 = 4;
const TOGETHER: u64 = 1 << 20;
const IN_AND_OUT: u64 = 2;
/// Vectors of a question beside the items: as they were computed, by groups, and the slopes of both.
const OF_A_QUESTION: u64 = 6;
/// Half as many hidden items again as there are on average, and some, are more than a batch has.
const HIDDEN: f64 = 1.5;
const SOME: u64 = 64;

/// Bytes of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Step {
    /// Rows of tables that are looked up, with their slopes.
    pub(super) looked_up: u64,
    /// What layers keep for the way back, and slopes of it.
    pub(super) activations: u64,
    /// Scores, their slopes, and what the loss makes of them.
    pub(super) scores: u64,
}

/// What is asked of a network in a batch.
pub(super) struct Asked<'a> {
    pub(super) recommender: &'a ResolvedRecommender,
    pub(super) training: &'a Training,
    pub(super) device: Device,
    pub(super) data: &'a Extent,
    pub(super) lessons: Lessons,
}

impl Asked<'_> {
    fn of(&self, name: &str) -> u64 {
        number(self.recommender, name)
    }

    /// One step.
    pub(super) fn step(&self) -> Step {
        match self.recommender.entry.kind {
            "autoencoder" => self.bags(),
            "gru4rec" => {
                let places = self.places();
                let kept = 3 * self.of("factors") + self.of("layers") * 20 * self.of("hidden");
                self.sequences(places * kept, places * self.of("factors"), (places, self.of("factors")))
            }
            "caser" => self.pictures(),
            "bert4rec" => self.hidden_items(),
            _ => self.pairs(),
        }
    }

    /// Rows of a batch: no more than there are.
    pub(super) fn batch(&self) -> u64 {
        let rows = self.lessons.rows.unwrap_or(u64::MAX);
        let most = if self.recommender.entry.reads_history { rows.min(self.data.users) } else { rows };
        u64::from(self.training.batch_size).min(most).max(1)
    }

    /// An item that somebody has, and those that stand against it, each a pair with the user.
    fn pairs(&self) -> Step {
        let pairs = self.batch() * (1 + self.of("negatives"));
        let hidden = widths(self.recommender, "hidden");
        let width = self.of("embedding");
        let beside = fields(self.data) * width;
        let tower = 3 * hidden.iter().sum::<u64>() + 1;
        // What layers keep, as the networks themselves count it, and what is looked up.
        let (kept, looked_up) = match self.recommender.entry.kind {
            "neumf" => {
                let factors = self.of("factors");
                (4 * (factors + width) + tower + 1, 2 * (factors + width))
            }
            "deepfm" => (4 * beside + 2 * self.data.numbers + tower + 3 * width + 4, beside + 1),
            _ => (2 * (beside + self.data.numbers) + tower + 4, beside + 2),
        };
        // Of a bag of words each has a slope, but no word more than once.
        let words = self.data.words.iter().sum::<u64>() * width;
        Step {
            looked_up: NUMBER * (OF_A_ROW * pairs * looked_up + words),
            activations: NUMBER * THERE_AND_BACK * pairs * kept,
            scores: NUMBER * OF_A_SCORE * pairs,
        }
    }

    /// People with all that they have; all items are scored for each.
    fn bags(&self) -> Step {
        let (people, items, hidden) = (self.batch(), self.data.items, self.of("hidden"));
        let own = self.lessons.rows.map_or(items, |rows| rows.min(items));
        Step {
            looked_up: NUMBER * (OF_A_ROW * people + own) * hidden,
            activations: NUMBER * THERE_AND_BACK * people * (4 * hidden + 6 * self.of("latent")),
            scores: NUMBER * OF_ALL_ITEMS * people * items,
        }
    }

    /// Items that the sequences of a batch have together, at most.
    fn places(&self) -> u64 {
        let whole = self.batch() * self.of("length");
        self.lessons.longest.map_or(whole, |longest| longest.together(self.batch()).min(whole)).max(1)
    }

    /// Pictures of the items before each item of a sequence, which may be longer than they are wide. Where nobody knows how long,
    /// histories are taken to be no more than twice as long as they are on average.
    fn pictures(&self) -> Step {
        let [d, window, horizontal, vertical] =
            ["factors", "window", "horizontal", "vertical"].map(|name| self.of(name));
        let mean = || self.lessons.rows.map_or(0, |rows| rows.div_ceil(self.data.users.max(1)));
        let pictures = match self.lessons.longest {
            Some(longest) => longest.together(self.batch()).max(1),
            None => self.batch() * window.max(2 * mean()),
        };
        let patches: u64 = (1..=window).map(|height| (window + 1 - height) * (height * d + 3 * horizontal)).sum();
        let kept = 4 * window * d + patches + 4 * (window * horizontal + vertical * d);
        let asked = pictures * self.of("ahead").max(1);
        self.sequences(pictures * kept, pictures * (window + 1) * d, (asked, 2 * d + 1))
    }

    /// Sequences that share rows of slots: of two rows that follow each other one at most is less than half full.
    fn hidden_items(&self) -> Step {
        let [d, blocks, heads, length] = ["factors", "blocks", "heads", "length"].map(|name| self.of(name));
        let places = self.places();
        let slots = (2 * places + length).min(self.batch() * length);
        let width = d + u64::from(self.recommender.boolean("item_bias"));
        let share = HIDDEN * self.recommender.float("hidden");
        let asked = ((share * places as f64).ceil() as u64 + self.batch() + SOME).min(places);
        self.sequences(slots * (6 * d + blocks * (28 * d + 4 * heads * length)), slots * width, (asked, width))
    }

    /// `kept`: numbers that the encoder keeps; `read`: numbers that it looks up; and so many questions of so wide vectors.
    fn sequences(&self, kept: u64, read: u64, (questions, width): (u64, u64)) -> Step {
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
                (questions + groups * count, OF_A_SCORE * questions * (1 + count))
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
            activations: NUMBER * (THERE_AND_BACK * kept + of_questions),
            scores: NUMBER * scores,
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
