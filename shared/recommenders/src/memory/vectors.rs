//! What the factor models hold at their highest point, method by method, and how long they take.
//!
//! `m` users and `n` items have vectors of length `d`, which become two numbers longer once they are learnt: a bias,
//! and the 1 that a bias of the other side is multiplied with.

use recspeed_types::Remedy;
use recspeed_types::catalogue::Predicts;
use recspeed_types::spec::ResolvedRecommender;

use super::paces::{DRAWN_PER_S, EXPLICIT_PER_S, IMPLICIT_PER_S, MOVED_PER_S, SUMMED_PER_S};
use super::{Course, NUMBER_BYTES, Needs};
use crate::TrainSet;
use crate::factorization::draws::{READ_AT_ONCE, ROWS_AT_ONCE};
use crate::factorization::strata;
use crate::factorization::{self, BLOCK_ROWS, races_over, sketch_bits};

/// What is refused.
pub(crate) const WHAT: &str = "the fit of vectors of users and items";

/// What makes it smaller.
const LOWER: &str = "recommender.factors, or the number of users and items with dataset.min_user and dataset.min_item";
const REMEDY_OF_SCORES: &Remedy = &Remedy { lower: LOWER, instead: &["item-knn", "popularity"] };
const REMEDY_OF_RATINGS: &Remedy = &Remedy { lower: LOWER, instead: &["bias", "item-mean"] };
/// Rows of a block that is solved (in nmf updated) at once, and entries whose vectors are multiplied at once.
const BLOCK: u64 = BLOCK_ROWS as u64;
const CHUNK: u64 = factorization::CHUNK as u64;
/// Partial sums of a Gramian, at most.
const GRAM_PIECES: u64 = recspeed_dense::GRAM_PIECES as u64;
/// Rows or columns of a panel that a product is computed from, at most (gemm).
const PANEL: u64 = 48;

/// Numbers that a thread packs into panels where it multiplies vectors of length `d` with themselves: both factors,
/// `CHUNK` of their vectors at once, the last panel filled up.
const fn packed(d: u64) -> u64 {
    2 * CHUNK * (d + PANEL)
}

/// What counts tell of the data and the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// `m` and `n`.
    pub(crate) users: u64,
    pub(crate) items: u64,
    /// Items that somebody has.
    pub(crate) known: u64,
    /// Training rows, each counted once.
    pub(crate) rows: u64,
    /// Pairs of a user and an item that have a row.
    pub(crate) entries: u64,
    pub(crate) threads: u64,
}

impl Counts {
    pub(crate) fn of(data: &TrainSet<'_>) -> Self {
        Self {
            users: data.n_users() as u64,
            items: data.n_items() as u64,
            known: data.by_item.indptr.windows(2).filter(|row| row[0] < row[1]).count() as u64,
            rows: data.rows.len() as u64,
            entries: data.by_user.nnz() as u64,
            threads: rayon::current_num_threads() as u64,
        }
    }

    /// Numbers of vectors of length `d`, of everybody and everything.
    const fn vectors(&self, d: u64) -> u64 {
        (self.users + self.items) * d
    }

    /// The most numbers while the vectors of the users, then those of the items, grow from `width` to `d + 2`: where
    /// the memory of a side cannot grow it moves, and then the side is there twice.
    fn lengthened(&self, width: u64, d: u64) -> u64 {
        let users = self.users * (width + d + 2) + self.items * width;
        let items = self.users * (d + 2) + self.items * (width + d + 2);
        users.max(items)
    }

    /// What a race takes beside rows of so many numbers of users and of items, and their squares: neighbouring numbers
    /// are pairs there, the last one may have nobody beside it, and one array at a time is there in both forms. A thread
    /// has read some rows ahead, two numbers of each.
    fn raced(&self, users: u64, items: u64) -> u64 {
        let padding = self.users * (users % 2) + self.items * (items % 2);
        let both = (self.users * users.next_multiple_of(2)).max(self.items * items.next_multiple_of(2));
        2 * padding + both + 2 * self.threads * READ_AT_ONCE as u64
    }

    /// Parts of the users and of the items where rows of length `d` learn in strata from so many entries.
    fn parts(&self, d: u64, entries: u64) -> (u64, u64) {
        let bytes = NUMBER_BYTES * self.vectors(d);
        let [bytes, known, entries] = [bytes, self.known, entries].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let (n, more) = strata::divisions(bytes, known, entries);
        ((n * more) as u64, n as u64)
    }

    /// Blocks of a stratum that are worked off at once, on average.
    fn at_once(&self, d: u64, entries: u64) -> f64 {
        let (_, blocks) = self.parts(d, entries);
        blocks as f64 / blocks.div_ceil(self.threads.max(1)) as f64
    }

    /// What strata hold beside rows of length `d` that learn: the entries, `of_entry` numbers each, where the blocks begin,
    /// which items there are and where each is dealt to, and their numbers there.
    fn strata(&self, d: u64, (entries, of_entry): (u64, u64)) -> u64 {
        let (of_users, of_items) = self.parts(d, entries);
        entries * of_entry + of_users * (of_items + 1) + 2 * self.items + self.known * (2 + d + 1)
    }

    /// Steps of a group that are put together by their users.
    fn gathered(&self) -> u64 {
        (ROWS_AT_ONCE as u64 * self.threads).min(self.entries)
    }
}

/// What a factor model needs; `None` of other kinds.
pub(crate) fn needs(recommender: &ResolvedRecommender, counts: &Counts, checkpoints: bool) -> Option<Needs> {
    recommender.entry.param("factors")?;
    let (d, fast) = (recommender.integer("factors").unsigned_abs(), recommender.is_fast());
    let course = match recommender.entry.kind {
        "als-explicit" => als_explicit(counts, d, recommender.boolean("biases")),
        "als-implicit" => als_implicit(counts, d),
        "bpr" => bpr(counts, d),
        "warp" => warp(counts, d, fast),
        "biased-mf" => biased_mf(counts, d),
        "svd++" => svdpp(counts, d),
        "nmf" => nmf(counts, d),
        _ => return None,
    };
    Some(Needs {
        bytes: course.bytes(checkpoints),
        stays: NUMBER_BYTES * stays(recommender.entry.kind, counts, d),
        seconds: seconds(recommender, counts, d),
    })
}

/// What takes less, beside fewer factors: a method without vectors that predicts the same.
pub(crate) const fn remedy(predicts: Predicts) -> &'static Remedy {
    if matches!(predicts, Predicts::Scores) { REMEDY_OF_SCORES } else { REMEDY_OF_RATINGS }
}

/// A bias stands behind each vector already. A thread has three matrices of a system, the vectors of a row's entries,
/// once as they are and once packed, and a target.
fn als_explicit(c: &Counts, d: u64, biased: bool) -> Course {
    let width = d + u64::from(biased);
    let round = c.threads * (3 * width * width + width * width.max(CHUNK) + packed(width) + width);
    Course { learnt: c.vectors(width), beside: 0, round, end: c.lengthened(width, d) }
}

/// The model is what was learnt. Beside it the Gramian of the items in f64; a round makes that of the users, both with
/// λ in f32, and sums each from pieces, whose vectors a thread packs. Otherwise it has five numbers for each of a
/// block's, and a system; the loss two in f64 for each block.
fn als_implicit(c: &Counts, d: u64) -> Course {
    let square = d * d;
    let of_a_thread = packed(d).max(5 * BLOCK * d + square + d);
    let round = (2 + 2 + 2 + GRAM_PIECES) * square + c.threads * of_a_thread + c.users / BLOCK * 4;
    let (learnt, beside) = (c.vectors(d), 2 * square);
    Course { learnt, beside, round, end: learnt + beside }
}

/// Vectors of both sides and biases of the items, and strata of pairs. A thread has a sketch of a block's pairs, of twice as
/// many as blocks have on average, and some triples that it has drawn. Only vectors, biases and which items there are
/// are left when the model is made.
fn bpr(c: &Counts, d: u64) -> Course {
    let learnt = c.vectors(d) + c.items;
    let (of_users, of_items) = c.parts(d, c.entries);
    let pairs = 2 * c.entries / (of_users * of_items);
    let sketch = sketch_bits(usize::try_from(pairs).unwrap_or(ROWS_AT_ONCE)) as u64 / 32;
    let round = c.threads * (sketch + 3 * READ_AT_ONCE as u64);
    let end = c.lengthened(d, d) + 2 * c.items;
    Course { learnt, beside: c.strata(d, (c.entries, 2)), round, end }
}

/// Vectors of both sides and biases of the items, each number with its squared slopes beside it. Beside them who has which
/// entry and which items there are; a round has an order of the entries.
fn warp(c: &Counts, d: u64, fast: bool) -> Course {
    let numbers = c.vectors(d) + c.items;
    // Where threads race the squares are pairs, too.
    let shared = if races_over(fast, d, c) { c.gathered() + c.raced(d, d + 1) } else { 0 };
    let end = c.lengthened(d, d) + 2 * c.items;
    Course { learnt: 2 * numbers, beside: c.entries + c.items, round: c.entries + shared, end }
}

/// Vectors and biases of both sides, and strata of ratings; where somebody has rated an item several times, a matrix with
/// every rating, too.
fn biased_mf(c: &Counts, d: u64) -> Course {
    let biases = c.users + c.items;
    let matrix = if c.rows > c.entries { 2 * (c.users + 1 + c.rows) } else { 0 };
    let beside = matrix + c.strata(d, (c.rows, 3));
    Course { learnt: c.vectors(d) + biases, beside, round: 0, end: c.lengthened(d, d) + biases }
}

/// As biased-mf, with a second, implicit vector of each item, which the model keeps; the order is one of users.
fn svdpp(c: &Counts, d: u64) -> Course {
    let beside_vectors = c.items * d + c.users + c.items;
    let learnt = c.vectors(d) + beside_vectors;
    Course { learnt, beside: 0, round: c.users + 3 * d, end: c.lengthened(d, d) + beside_vectors }
}

/// A round makes each number anew. A thread sums what stands below the fraction for one row; each block has a sum in f64.
fn nmf(c: &Counts, d: u64) -> Course {
    let learnt = c.vectors(d);
    let round = learnt + c.threads * d + 2 * c.users.max(c.items).div_ceil(BLOCK);
    Course { learnt, beside: 0, round, end: c.lengthened(d, d) }
}

/// Numbers that the model keeps: its vectors, and which items there are where the steps for a new user draw from them.
fn stays(kind: &str, c: &Counts, d: u64) -> u64 {
    match kind {
        "als-implicit" => c.vectors(d),
        "svd++" => c.vectors(d + 2) + c.items * d,
        "bpr" | "warp" => c.vectors(d + 2) + c.items,
        _ => c.vectors(d + 2),
    }
}

fn seconds(recommender: &ResolvedRecommender, c: &Counts, d: u64) -> f64 {
    let (rounds, length) = (recommender.integer("iterations") as f64, d);
    let d = d as f64;
    let (both, entries, threads) = ((c.users + c.items) as f64, c.entries as f64, c.threads as f64);
    let first = both * d / DRAWN_PER_S;
    match recommender.entry.kind {
        // A system of `d` unknowns for each row, into which each entry is added; both sides have all entries.
        "als-explicit" => rounds * (both * d.powi(3) / 3.0 + 4.0 * entries * d * d) / (EXPLICIT_PER_S * threads),
        "als-implicit" if recommender.text("solver") == "cholesky" => {
            rounds * (both * d.powi(3) / 3.0 + 2.0 * entries * d * d) / (IMPLICIT_PER_S * threads)
        }
        "als-implicit" => {
            let products = recommender.integer("cg_steps") as f64 + 1.0;
            rounds * products * (2.0 * both * d * d + 8.0 * entries * d) / (IMPLICIT_PER_S * threads)
        }
        "nmf" => rounds * entries * d / (SUMMED_PER_S * threads),
        // A stratum has as many blocks as the items have parts, and all of them are over before the next one begins.
        "bpr" => first + rounds * entries * d / (MOVED_PER_S * c.at_once(length, c.entries)),
        "biased-mf" => first + rounds * c.rows as f64 * d / (MOVED_PER_S * c.at_once(length, c.rows)),
        _ => first + rounds * entries * d / MOVED_PER_S,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts = Counts { users: 1000, items: 400, known: 400, rows: 9000, entries: 8000, threads: 2 };

    #[test]
    fn the_end_holds_less_than_the_vectors_and_what_they_become() {
        for d in [1, 2, 15, 64] {
            let (before, after) = (COUNTS.vectors(d), COUNTS.vectors(d + 2));
            assert!((after..before + after).contains(&COUNTS.lengthened(d, d)), "{d}");
            assert!(COUNTS.lengthened(d + 1, d) > COUNTS.lengthened(d, d), "{d}: a bias stands there already");
        }
    }

    #[test]
    fn each_method_is_told_by_what_it_alone_holds() {
        let d = 10;
        let plain = COUNTS.vectors(d);
        assert_eq!(warp(&COUNTS, d, false).learnt, 2 * bpr(&COUNTS, d).learnt);
        assert_eq!(svdpp(&COUNTS, d).learnt - biased_mf(&COUNTS, d).learnt, COUNTS.items * d);
        assert_eq!(nmf(&COUNTS, d).bytes(false), 4 * (2 * plain + 2 * d + 2 * 16));
        assert_eq!(als_explicit(&COUNTS, d, true).learnt - als_explicit(&COUNTS, d, false).learnt, 1400);
        assert_eq!(als_implicit(&COUNTS, d).learnt, plain);
    }

    #[test]
    fn the_fast_mode_is_foretold_to_take_more_only_where_its_threads_race() {
        let d = 10;
        // The items' numbers are a core's own, 400 × 11 × 8 bytes. On four threads, or of many items, they race.
        let round = |counts: Counts| (warp(&counts, d, false).round, warp(&counts, d, true).round);
        let (exact, fast) = round(COUNTS);
        assert_eq!((exact, fast), (8000, 8000));
        for counts in [Counts { threads: 4, ..COUNTS }, Counts { items: 40_000, known: 40_000, ..COUNTS }] {
            let (exact, fast) = round(counts);
            assert_eq!(fast - exact, counts.gathered() + counts.raced(d, d + 1), "{counts:?}");
        }
    }

    #[test]
    fn what_is_drawn_from_for_new_users_stays() {
        for kind in ["bpr", "warp"] {
            assert_eq!(stays(kind, &COUNTS, 10) - stays("biased-mf", &COUNTS, 10), COUNTS.items, "{kind}");
        }
        assert!(stays("bpr", &COUNTS, 10) <= bpr(&COUNTS, 10).end, "it is there when the model is made");
        assert!(stays("warp", &COUNTS, 10) <= warp(&COUNTS, 10, false).end, "it is there when the model is made");
    }
}
