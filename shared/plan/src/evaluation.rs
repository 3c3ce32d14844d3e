//! What the evaluation of a network holds beside its model, once the training is over: what each thread computes the scores
//! of a block with, the lists, and what the rows are sorted into.
//!
//! Counted from the blocks as they are cut: of users in `recommenders/ranking/tiles.rs`, of items or rows in
//! `neural/network/pairs.rs` (DLRM), `neural/network/described.rs` (`mlp`, `densenet`) and `neural/sequence/model.rs`
//! (`sasrec`); of the other networks in `wholes.rs` and `networks`. What the allocator keeps of it was fitted to the peaks of processes (docs/parallel.md), as the factors of
//! `process.rs` were.

mod wholes;

use recspeed_types::Extent;
use recspeed_types::spec::{ResolvedSpec, Split};

use crate::attention::Rows;
use crate::networks::network;
use crate::scoring::LARGEST_KEPT;
use crate::spec::{blocks_of, products_of};
use crate::{Assumed, Layer, Lessons, Products, blocks, layers_of};

pub(crate) use wholes::Ranked;

/// Bytes of a number.
const NUMBER: u64 = 4;
/// As work is cut: a forward pass, and what the others of these names are.
const CHUNK: u64 = blocks::PASS as u64;
const ROWS_AT_ONCE: u64 = blocks::PREDICTED as u64;
const TILE: u64 = blocks::TILE_OF_PAIRS as u64;
const TILE_OF_SEQUENCES: u64 = blocks::TILE_OF_SEQUENCES as u64;
const TILE_SCORES: u64 = blocks::TILE_SCORES as u64;
const TOGETHER: u64 = blocks::HISTORIES as u64;
/// Vectors of a slot that a block has at once where nothing is kept for the way back, and shares of attention.
const OF_A_SLOT: u64 = 8;
const SHARES: u64 = 3;
/// Items that users may not get, held at once where lists are ranked among a few drawn ones, and bytes of one.
const HELD: u64 = blocks::EXCLUDED as u64;
const EXCLUDED: u64 = 8;
/// A place of a list: an item and its score.
const PLACE: u64 = 8;
/// A value of a user, and whether there is one.
const VALUE: u64 = 16;
/// Of a user of the data set, ranked or not: where their rows begin in three matrices (before the test, in it, learnt
/// from), where the next one goes while such a one is made, and three lists of users (`Audience` and `Judge` of
/// `experiment`, `Csr` of `data`).
const USER: u64 = 3 * 8 + 4 + 3 * 4;
/// Of an item: four numbers and a mark (`Audience` and `Question` of `experiment`), and a key by which its place among
/// equals is sorted (`data/dictionary.rs`); where its rows begin and what lists are judged by come later, and are less.
const ITEM: u64 = 4 * 4 + 1 + 32;
/// The errors of a user: of one kind, of another, and the tree that these are gathered in, about half of whose places
/// are free (`per_user` of `metrics/rating.rs`). They become two columns of values, which are less.
const ERRORS: u64 = 16 + 16 + 48;
/// A row of the data set, by user and by item, and what is predicted of it beside the truth.
const ROW: u64 = 40;
/// Of one thread's block the allocator keeps so many hundredths more than is in use: buffers of the last, shorter block fit
/// none that was freed.
const KEPT: u64 = 75;
/// Code and small things that nothing before has touched.
const SMALL: u64 = 2 << 20;

/// What decides how much is held at once beside the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judging {
    /// Threads of the process that evaluates.
    pub threads: u64,
    /// Rows of the data set, where that is known.
    pub rows: Option<u64>,
    /// What is known of those that were learnt from.
    pub lessons: Lessons,
}

impl Judging {
    /// Slots, items or pictures of the histories that all threads read at once for an answer, and how many threads do. Rows that were not
    /// learnt from, but may be known by then, make them longer, but none longer than `most`; `None` where nobody knows how long they are.
    fn read(&self, most: u64) -> Option<(u64, u64)> {
        let (read, threads) = self.lessons.lengths?.read(self.threads.max(1))?;
        let (all, learnt) = (self.rows.unwrap_or(0), self.lessons.rows.unwrap_or(0).max(1));
        let more = (read as f64 * (all.max(learnt) as f64 / learnt as f64)).ceil() as u64;
        // However many rows are held out, a network reads no further than it can.
        let full = threads.saturating_mul(TOGETHER).saturating_mul(most);
        Some((more.min(full.max(read)), threads))
    }

    /// Items of the longest history, of no more than so many that count.
    fn longest(&self, length: u64) -> u64 {
        self.lessons.lengths.map_or(length, |lengths| (lengths.longest() + 1).clamp(1, length.max(1)))
    }
}

/// Bytes that an evaluation holds at its worst moment, beside the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EvaluationOutlook {
    /// What all threads compute scores with.
    pub blocks: u64,
    /// Lists of those who are ranked for, values of those in the test, rows by user and by item, and vectors that are
    /// made of what people did.
    pub lists: u64,
    /// What the allocator keeps, and what nothing before has touched.
    pub allocator: u64,
    /// Threads that compute scores, beside the one that asks for them: all of those that there are where lists are ranked, also for early
    /// stopping; of predictions as many as have a pass of their own, none where there is but one.
    pub scorers: u64,
}

/// What one thread holds, and how many do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Blocks {
    of_a_thread: u64,
    threads: u64,
    /// Of a thread's, what is in buffers so large that the system has them back as soon as they are free.
    returned: u64,
}

impl Blocks {
    /// Of so many blocks in all, where that is known: no more threads have one.
    fn among(threads: u64, blocks: Option<u64>, of_a_thread: u64) -> Self {
        Self { of_a_thread, threads: blocks.map_or(threads, |blocks| threads.min(blocks)).max(1), returned: 0 }
    }

    const fn all(self) -> u64 {
        self.of_a_thread.saturating_mul(self.threads)
    }

    const fn kept(self) -> u64 {
        self.of_a_thread.saturating_sub(self.returned).saturating_mul(KEPT) / 100
    }

    /// These or those, which are not held at the same time.
    fn or(self, others: Self) -> Self {
        let held = |blocks: Self| blocks.all().saturating_add(blocks.kept());
        if held(others) > held(self) { others } else { self }
    }
}

impl EvaluationOutlook {
    /// The evaluation of a spec's network on data of this size, where that is known; `None` where the recommender is no network, and
    /// of a network that is no row of layers where its size is not known.
    pub fn of_spec(spec: &ResolvedSpec, data: Option<&Extent>, judging: Judging) -> Option<Self> {
        let recommender = &spec.recommender;
        let whole = data.zip(network(recommender.entry.kind)).map(|(data, whole)| (whole.ranked)(recommender, data));
        let layers = match layers_of(recommender, &Assumed::threads(1.0).on(data.cloned())) {
            None if whole.is_some() => Vec::new(),
            layers => layers?,
        };
        let threads = judging.threads.max(1);
        let metrics = &spec.evaluation.metrics;
        let of_lists = metrics.iter().filter(|name| !name.kind.of_ratings()).count() as u64;
        let items = data.map_or(0, |data| data.items);
        let everybody = data.map_or(0, |data| data.users);
        // Each has a value of each metric, however few are ranked for.
        let tested = most_tested(spec.split.split, everybody, judging.rows);
        let users = data.map(|data| spec.evaluation.max_users.map_or(data.users, |most| most.min(data.users)));
        let mut blocks = Blocks::default();
        let mut lists = ROW * judging.rows.unwrap_or(0) + USER * everybody + ITEM * items;
        if of_lists < metrics.len() as u64 {
            blocks = predicting(&layers, judging.rows, threads);
            lists += ERRORS * tested;
        }
        if of_lists > 0 {
            let ranked = users.unwrap_or(0);
            let places = metrics.iter().filter_map(|name| name.k).max().unwrap_or(1);
            // A metric's values of the ranked users, before they are put into its column.
            lists += ranked * (PLACE * u64::from(places) + VALUE) + VALUE * of_lists * tested;
            if spec.evaluation.sampled.is_some() {
                lists += EXCLUDED * ranked.saturating_mul(items).min(HELD.max(items));
            }
            let tile = |most: u64| most.min(users.unwrap_or(most)).clamp(1, (TILE_SCORES / items.max(1)).max(1));
            let tiles = |tile: u64| users.map(|users| users.div_ceil(tile));
            let chunk = data.map_or(CHUNK, |data| data.items.min(CHUNK));
            // The scores of the tile, and those of one block of it, as they were computed and as they are handed on.
            let scores = |tile: u64| NUMBER * tile * (items + 2 * chunk);
            let of_a_user = judging.rows.zip(data).map(|(rows, data)| rows.div_ceil(data.users.max(1)));
            // What everybody's vectors are made of, and with.
            let known = data.map_or(0, |data| 3 * data.users + data.items);
            let ranking = match (whole, recommender.entry.kind) {
                (Some(network), _) => {
                    lists += NUMBER * network.width * known;
                    let tile = tile(network.tile);
                    let scored = Blocks::among(threads, tiles(tile), network.block(tile, items, chunk));
                    scored.or(network.reading(of_a_user, &judging))
                }
                (None, "dlrm") => {
                    let tile = tile(TILE);
                    let of_items = chunk * of_a_pair(&products_of(recommender, data));
                    Blocks::among(threads, tiles(tile), scores(tile) + of_items)
                }
                (None, "sasrec") => {
                    let network = blocks_of(recommender);
                    lists += NUMBER * network.d * known;
                    let tile = tile(TILE_OF_SEQUENCES);
                    let products = Blocks::among(threads, tiles(tile), NUMBER * tile * (2 * items + network.d));
                    products.or(reading(network, of_a_user, &judging))
                }
                (None, _) => Blocks::among(threads, users, scores(1) + chunk * of_a_row(&layers)),
            };
            blocks = blocks.or(ranking);
        }
        let ranks = of_lists > 0 || spec.training.as_ref().is_some_and(|training| training.early_stopping.is_some());
        let tested_rows = judging.rows.map(|rows| most_rows_tested(spec.split.split, rows));
        let scorers = if ranks { threads } else { predictors(tested_rows, threads) };
        Some(Self { scorers, ..Self::of(blocks, lists) })
    }

    /// Predictions of ratings by a network of these layers, whatever the data are.
    pub fn of_predictions(layers: &[Layer], judging: Judging) -> Self {
        let threads = judging.threads.max(1);
        let blocks = predicting(layers, judging.rows, threads);
        Self { scorers: predictors(judging.rows, threads), ..Self::of(blocks, ROW * judging.rows.unwrap_or(0)) }
    }

    const fn of(blocks: Blocks, lists: u64) -> Self {
        Self { blocks: blocks.all(), lists, allocator: blocks.kept().saturating_add(SMALL), scorers: 0 }
    }

    /// All of it.
    pub const fn total(&self) -> u64 {
        self.blocks.saturating_add(self.lists).saturating_add(self.allocator)
    }
}

/// Users who can have a row that is held out, of so many with so many rows, where that is known: no more than there are
/// such rows. Who has their last one held out has another, and everybody has one.
fn most_tested(split: Split, users: u64, rows: Option<u64>) -> u64 {
    let Some(rows) = rows else { return users };
    let last = matches!(split, Split::LeaveLastOut { .. });
    users.min(if last { rows.saturating_sub(users) } else { most_rows_tested(split, rows) })
}

/// Of so many rows those that can be held out for one judgement.
fn most_rows_tested(split: Split, rows: u64) -> u64 {
    let share = |ratio: f64| (rows as f64 * ratio).ceil() as u64;
    match split {
        // The evaluation may be that of the validation rows.
        Split::Random { test_ratio, validation_ratio } | Split::GlobalTime { test_ratio, validation_ratio } => {
            share(test_ratio.max(validation_ratio))
        }
        Split::ContiguousFold { folds, .. } | Split::KFold { folds, .. } => rows.div_ceil(u64::from(folds.max(1))),
        Split::LeaveLastOut { .. }
        | Split::PerUserRandom { .. }
        | Split::PerUserFirstN { .. }
        | Split::ColdItems { .. } => rows,
    }
}

/// Threads that predict so many rows, where that is known: a single pass is the asking thread's own (`neural/network/described.rs`).
fn predictors(rows: Option<u64>, threads: u64) -> u64 {
    let passes = rows.map_or(threads, |rows| rows.min(ROWS_AT_ONCE).div_ceil(CHUNK));
    if rows.is_some_and(|rows| rows <= CHUNK) { 0 } else { threads.min(passes) }
}

/// Test rows, some of them on each thread.
fn predicting(layers: &[Layer], rows: Option<u64>, threads: u64) -> Blocks {
    let chunk = rows.map_or(CHUNK, |rows| rows.min(CHUNK));
    let chunks = rows.map(|rows| rows.min(ROWS_AT_ONCE).div_ceil(CHUNK));
    Blocks::among(threads, chunks, chunk * of_a_row(layers))
}

/// Bytes of a row in a forward pass that keeps nothing: what the largest layer sees and puts out, and that before and after it
/// was rectified; where layers write into one row, that row, and the one that is made of it.
fn of_a_row(layers: &[Layer]) -> u64 {
    let of = |layer: &Layer| layer.kept_bytes + layer.output_bytes * if layer.reads_in_place { 1 } else { 2 };
    layers.iter().map(of).max().unwrap_or(0)
}

/// Bytes of an item while all items of a block are scored for one user of the tile. The vectors of the items, and what they
/// add to the first sums of the bottom tower, stay for the whole tile. Beside them there are, while vectors are multiplied,
/// those of all fields, the user's repeated, the same with what the bottom tower made, and that; before and after it what the
/// largest layer of a tower sees and puts out.
fn of_a_pair(network: &Products) -> u64 {
    let Products { fields, width, .. } = *network;
    let sums = network.bottom.first().copied().unwrap_or(width);
    let vectors = fields + 1;
    let multiplied = (3 * fields + 2) * width + vectors * vectors + 2 * network.products();
    let widest = |tower: &[u64]| tower.iter().copied().max().unwrap_or(0);
    let layers = (fields + 2) * width + network.products() + 4 * widest(&network.top);
    let bottom = fields * width + 4 * widest(&network.bottom).max(width);
    NUMBER * (sums + multiplied.max(layers).max(bottom))
}

/// Histories that are read once more, each thread some of them: packed, as they are. Where nobody has counted them, each takes a full row at
/// most, and they are taken to be no more than half again as long as they are on average, where that is known: of some hundred that follow
/// each other as their users came, the mean is near that of all.
fn reading(network: crate::attention::Blocks, of_a_user: Option<u64>, judging: &Judging) -> Blocks {
    let (slots, threads, rows) = if let Some((slots, threads)) = judging.read(network.rows().width) {
        (slots.div_ceil(threads), threads, network.within(Some(judging.longest(network.length))).rows())
    } else {
        let long = |mean: u64| mean.saturating_add(mean.div_ceil(2));
        let slots =
            |rows: Rows| of_a_user.map_or(rows.width, |mean| rows.width.min(long(mean).next_multiple_of(rows.align)));
        let rows = network.rows_where(slots);
        (TOGETHER * slots(rows), judging.threads.max(1), rows)
    };
    let shares = NUMBER * slots * network.heads * rows.scored;
    let returned = if shares > LARGEST_KEPT { SHARES * shares } else { 0 };
    Blocks { of_a_thread: NUMBER * slots * OF_A_SLOT * network.d + SHARES * shares, threads, returned }
}
