//! What is known of the rows that a network learns from: by a plan and by a run alike, so that both come to the same verdict.
//!
//! How long histories are is read where the data are read, and kept so that it can be asked for batches of any size: what is foretold of a
//! smaller batch is what a plan of that batch foretells.

use recspeed_types::spec::ResolvedRecommender;

use crate::attention::Rows;
use crate::blocks;
use crate::spec::blocks_of;

/// What is known of the rows that a network learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lessons {
    /// How many there are.
    pub rows: Option<u64>,
    /// How long the histories of users are, where that is known.
    pub lengths: Option<Lengths>,
    /// How many rows there may be, where `rows` is only the least: time is told by these.
    pub about: Option<u64>,
}

/// How long histories are, each counted as far as the network reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lengths {
    /// Items of the histories that a batch may have.
    items: Spread,
    /// How they lie in rows of slots, where the network packs them.
    packed: Option<Packed>,
    /// Slots, items or pictures of histories that are read together for an answer: of the largest such parts of all histories, the
    /// largest first.
    parts: [u64; PARTS],
    /// How many such parts there are.
    of_parts: u64,
}

/// What each of some users has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Spread {
    users: u64,
    /// All of them have so much.
    together: u64,
    /// The sum of the squares of what each has.
    squares: u64,
    /// Who has most has so much.
    largest: u64,
}

/// Sequences in rows of slots, as `neural/sequence/packing.rs` lays them out: the longest first, each into the first row that has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Packed {
    /// Slots that each takes.
    rooms: Spread,
    /// Halves of a row that each keeps from others: no shorter one fits beside a sequence that is longer than half a row and almost as
    /// long as all others, and no two beside one longer than a third.
    halves: Spread,
    /// Slots of a row: as the longest sequence needs.
    width: u64,
    /// Slots of the rows for a thousand that sequences take.
    taken: u64,
}

/// Standard deviations of the rows of a batch that lie between their mean and what is foretold, beside one user who has most.
const DEVIATIONS: f64 = 4.0;
/// Histories that are read together for an answer.
const TOGETHER: usize = blocks::HISTORIES;
/// Threads whose parts are kept apart: more of them have parts like the last one's.
const PARTS: usize = 4;
/// Sequences, as long as those of the data, that are packed to see what packing leaves empty: of more it leaves no more.
const PACKED: usize = 512;
/// A batch that is drawn leaves a little more empty than those did.
const MORE: u64 = 1030;

impl Lessons {
    /// Of the users of these rows.
    pub fn of(recommender: &ResolvedRecommender, users: usize, learnt: impl IntoIterator<Item = u32>) -> Self {
        let (mut of_users, mut rows) = (vec![0_u64; users], 0);
        for user in learnt {
            rows += 1;
            if let Some(own) = of_users.get_mut(user as usize) {
                *own += 1;
            }
        }
        // A network that reads windows of a history asks for every item of it.
        let length = recommender.entry.param("length").map(|_| recommender.integer("length").max(1) as u64);
        for own in &mut of_users {
            *own = length.map_or(*own, |most| most.min(*own));
        }
        let kind = recommender.entry.kind;
        let longest = of_users.iter().copied().max().unwrap_or(0).max(1);
        let rows_of_slots = match kind {
            "sasrec" => Some(blocks_of(recommender).within(Some(longest)).rows()),
            "bert4rec" => Some(Rows { align: 1, width: longest, scored: longest }),
            _ => None,
        };
        let mut parts: Vec<u64> = Vec::new();
        let read: Vec<u64> = of_users.iter().copied().filter(|&own| own > 0).collect();
        for together in read.chunks(TOGETHER) {
            parts.push(match (kind, rows_of_slots) {
                // One picture of each.
                ("caser", _) => together.len() as u64,
                // The item that is asked for has a place of its own, unless the history fills all there are.
                ("bert4rec", Some(slots)) => {
                    let asked = |&own: &u64| length.map_or(own + 1, |most| most.min(own + 1));
                    first_fit(&mut together.iter().map(asked).collect::<Vec<u64>>(), slots.align, 0)
                }
                (_, Some(slots)) => first_fit(&mut together.to_vec(), slots.align, 0),
                _ => together.iter().sum(),
            });
        }
        // A sequence of one item has no next one: nobody is asked for it, and no batch has it.
        if recommender.entry.reads_history && kind != "autoencoder" {
            of_users.retain(|&own| own > 1);
        }
        let lengths = Lengths {
            packed: rows_of_slots.map(|slots| Packed::of(slots, &of_users)),
            of_parts: parts.len() as u64,
            parts: largest(parts),
            ..Lengths::of(of_users)
        };
        Self { rows: Some(rows), lengths: Some(lengths), about: None }
    }

    /// Of the slots of `batch` sequences of `sasrec`, each in a row as wide as the longest needs, the share that their rows take at most,
    /// by what they hold and what packing leaves; 1 where nobody knows, and of other networks.
    pub(crate) fn filled(&self, recommender: &ResolvedRecommender, batch: u64) -> f64 {
        let lengths = self.lengths.filter(|_| recommender.entry.kind == "sasrec");
        let Some(packed) = lengths.and_then(|lengths| lengths.packed) else { return 1.0 };
        let slots = packed.width.max(1).saturating_mul(batch.max(1));
        (packed.slots(batch) as f64 / slots as f64).min(1.0)
    }
}

/// The largest of so many parts, in order.
fn largest(mut parts: Vec<u64>) -> [u64; PARTS] {
    parts.sort_unstable_by(|a, b| b.cmp(a));
    parts.resize(PARTS, 0);
    let mut largest = [0; PARTS];
    largest.copy_from_slice(&parts);
    largest
}

/// Slots of the rows into which sequences of these lengths are packed, as wide as the longest needs and as `least`: the longest first, each
/// into the first row that has room. Orders them.
fn first_fit(lengths: &mut [u64], align: u64, least: u64) -> u64 {
    let align = align.max(1);
    for length in lengths.iter_mut() {
        *length = length.next_multiple_of(align);
    }
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let width = lengths.first().copied().unwrap_or(0).max(least);
    let mut free: Vec<u64> = Vec::new();
    for &room in &*lengths {
        if let Some(left) = free.iter_mut().find(|left| **left >= room) {
            *left -= room;
        } else {
            free.push(width - room);
        }
    }
    width * free.len() as u64
}

impl Spread {
    /// Whoever has nothing is nobody.
    fn of(each: impl IntoIterator<Item = u64>) -> Self {
        each.into_iter().filter(|&own| own > 0).fold(Self::default(), |spread, own| Self {
            users: spread.users + 1,
            together: spread.together.saturating_add(own),
            squares: spread.squares.saturating_add(own.saturating_mul(own)),
            largest: spread.largest.max(own),
        })
    }

    /// What a batch of so many users has together, drawn anew for each epoch. Nearly none has more than the mean, four standard deviations
    /// of such a draw, and the one user who has most; none has more than so many times that user, nor than all users.
    fn of_a_batch(&self, batch: u64) -> u64 {
        let drawn = batch.min(self.users);
        let most = drawn.saturating_mul(self.largest).min(self.together);
        if self.users < 2 {
            return most;
        }
        let users = self.users as f64;
        let mean = self.together as f64 / users;
        let variance = (self.squares as f64 / users - mean * mean).max(0.0);
        // Without replacement: of all of them together there is but one sum.
        let of_draws = drawn as f64 * (self.users - drawn) as f64 / (users - 1.0);
        let likely = mean * drawn as f64 + DEVIATIONS * (variance * of_draws).sqrt() + self.largest as f64;
        most.min(likely.ceil() as u64)
    }
}

impl Packed {
    fn of(rows: Rows, lengths: &[u64]) -> Self {
        let room = |&length: &u64| length.next_multiple_of(rows.align.max(1));
        let halves = |length: &u64| match room(length) {
            taken if 2 * taken > rows.width => 2,
            taken if 3 * taken > rows.width => 1,
            _ => 0,
        };
        let mut some = evenly(lengths.iter().map(room).collect());
        let filled: u64 = some.iter().sum();
        let taken = (first_fit(&mut some, rows.align, rows.width) * MORE).checked_div(filled).unwrap_or(MORE);
        Self {
            rooms: Spread::of(lengths.iter().map(room)),
            // Whoever keeps no half counts among those who are drawn, too.
            halves: Spread { users: lengths.len() as u64, ..Spread::of(lengths.iter().map(halves)) },
            width: rows.width,
            taken: taken.max(MORE),
        }
    }

    /// Slots of the rows of a batch of so many sequences, at most as far as is known.
    fn slots(&self, batch: u64) -> u64 {
        let filled = self.rooms.of_a_batch(batch).saturating_mul(self.taken).div_ceil(1000);
        let apart = self.halves.of_a_batch(batch).div_ceil(2).saturating_mul(self.width);
        let most = batch.min(self.rooms.users).saturating_mul(self.width);
        filled.max(apart).saturating_add(self.width).min(most)
    }
}

/// As many of these as are packed to see, from the shortest to the longest as they are among all.
fn evenly(mut all: Vec<u64>) -> Vec<u64> {
    all.sort_unstable();
    let of = all.len();
    if of <= PACKED {
        return all;
    }
    (0..PACKED).map(|at| all[(2 * at + 1) * of / (2 * PACKED)]).collect()
}

impl Lengths {
    /// Of users with so many rows each, by a network that packs no sequences; of a user of none there is no history.
    pub fn of(rows: Vec<u64>) -> Self {
        Self { items: Spread::of(rows), ..Self::default() }
    }

    /// Items that as many users as a batch has have together: more than any batch of a training has, save by an accident of its draws.
    pub fn of_a_batch(&self, batch: u64) -> u64 {
        self.items.of_a_batch(batch)
    }

    /// Items of the longest.
    pub const fn longest(&self) -> u64 {
        self.items.largest
    }

    /// Slots of the rows into which the sequences of a batch are packed, where the network packs them.
    pub(crate) fn slots(&self, batch: u64) -> Option<u64> {
        self.packed.map(|packed| packed.slots(batch))
    }

    /// What so many threads read together for an answer, and how many of them there is something for; `None` where nobody has counted
    /// that.
    pub(crate) fn read(&self, threads: u64) -> Option<(u64, u64)> {
        let threads = threads.min(self.of_parts);
        if threads == 0 {
            return None;
        }
        let apart = usize::try_from(threads).unwrap_or(PARTS).min(PARTS);
        let more = (threads - apart as u64).saturating_mul(self.parts[PARTS - 1]);
        Some((self.parts[..apart].iter().sum::<u64>().saturating_add(more), threads))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shuffle by a multiplicative generator: the same on every machine.
    fn shuffle(rows: &mut [u64], state: &mut u64) {
        for at in (1..rows.len()).rev() {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            rows.swap(at, ((*state >> 33) % (at as u64 + 1)) as usize);
        }
    }

    #[test]
    fn no_batch_that_is_drawn_has_more_rows_than_are_foretold_and_the_forecast_is_near_them() {
        // Few users have most rows, as in MovieLens 100K: 20 to 755.
        let rows: Vec<u64> = (1..=943_u64).map(|user| 20 + 44_000 / (60 + user * 3)).collect();
        let mut state = 7;
        for batch in [1, 32, 128, 512, 943, 5000] {
            let told = Lengths::of(rows.clone()).of_a_batch(batch);
            let mut largest = 0_u64;
            for _ in 0..300 {
                let mut order = rows.clone();
                shuffle(&mut order, &mut state);
                largest = largest.max(order.iter().take(batch as usize).sum::<u64>());
            }
            assert!(largest <= told, "{batch}: {largest} {told}");
            assert!(batch < 128 || told as f64 <= 1.5 * largest as f64, "{batch}: {largest} {told}");
        }
    }

    #[test]
    fn sequences_that_no_other_fits_beside_take_rows_of_their_own_whatever_they_leave_empty() {
        let mut state = 3;
        // Of 50 slots: 26 to 34 of them, which leave a third or more of a row empty; those of a third; short ones; all kinds.
        for (least, most) in [(26, 34), (17, 25), (2, 9), (2, 50)] {
            let lengths: Vec<u64> = (0..600).map(|user| least + user * 7 % (most - least + 1)).chain([50]).collect();
            for (align, batch) in [(1, 32), (1, 128), (10, 128), (1, 5000)] {
                let told = Packed::of(Rows { align, width: 50, scored: 50 }, &lengths).slots(batch);
                for _ in 0..40 {
                    let mut order = lengths.clone();
                    shuffle(&mut order, &mut state);
                    order.truncate(batch as usize);
                    let taken = first_fit(&mut order, align, 0);
                    assert!(taken <= told, "{least} to {most}, {align}, {batch}: {taken} {told}");
                }
            }
        }
    }

    fn spec(recommender: &str) -> recspeed_types::spec::ResolvedSpec {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n{recommender}\n[evaluation]\n\
             metrics = [\"ndcg@10\"]\n"
        );
        recspeed_types::ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap()
    }

    #[test]
    fn a_batch_of_sequences_just_longer_than_half_a_row_fills_all_rows() {
        let spec = spec("kind = \"sasrec\"\nlength = 50");
        // One fills a row.
        let of = |length: usize| {
            let learnt = (0..1000).flat_map(|user| std::iter::repeat_n(user, if user == 0 { 50 } else { length }));
            Lessons::of(&spec.recommender, 1000, learnt).filled(&spec.recommender, 128)
        };
        assert_eq!((of(26), of(50)), (1.0, 1.0));
        assert!((0.5..0.55).contains(&of(20)), "two in a row: {}", of(20));
        assert!((0.1..0.15).contains(&of(5)), "{}", of(5));
        assert!(Lessons::default().filled(&spec.recommender, 128) >= 1.0, "nobody knows");
    }

    #[test]
    fn what_nobody_has_is_not_counted_however_long_a_history_may_be() {
        for kind in ["sasrec", "bert4rec", "gru4rec"] {
            let of = |length: u32| {
                let spec = spec(&format!("kind = \"{kind}\"\nlength = {length}"));
                Lessons::of(
                    &spec.recommender,
                    200,
                    (0..200).flat_map(|user| std::iter::repeat_n(user, 2 + user as usize % 60)),
                )
            };
            let (all, more) = (of(61), of(4096));
            assert_eq!(all.lengths.map(|lengths| lengths.longest()), Some(61), "{kind}");
            // But for the item that is asked for, which has a place beside a history that fills all there are.
            let read = |lessons: Lessons| lessons.lengths.and_then(|lengths| lengths.read(1)).expect("some are read").0;
            assert!(10 * read(more) <= 11 * read(all), "{kind}");
            let slots = |lessons: Lessons| lessons.lengths.map(|lengths| lengths.slots(32));
            assert_eq!(slots(all), slots(more), "{kind}");
        }
    }

    #[test]
    fn a_smaller_batch_is_foretold_what_it_has_and_no_larger_one_has_less() {
        let spec = spec("kind = \"bert4rec\"\nlength = 1024");
        let learnt = (0..943_u32).flat_map(|user| std::iter::repeat_n(user, 18 + 44_000 / (60 + user as usize * 3)));
        let lengths = Lessons::of(&spec.recommender, 943, learnt).lengths.expect("they are read");
        let of: Vec<u64> = [1, 8, 32, 128, 512, 943, 5000].map(|batch| lengths.slots(batch).expect("packed")).to_vec();
        assert!(of.is_sorted(), "{of:?}");
        assert!(2 * of[3] < of[4], "a quarter of the users has less than half of what they have: {of:?}");
        assert_eq!(of[5], of[6], "there are no more");
        assert_eq!(of[0], lengths.longest(), "one sequence has a row");
    }

    #[test]
    fn threads_read_the_largest_parts_and_no_more_than_there_are() {
        let spec = spec("kind = \"gru4rec\"\nlength = 50");
        // 256 users of 40 items, 256 of 10, and three of two.
        let learnt = (0..515_u32).flat_map(|user| {
            let own = if user < 256 {
                40
            } else if user < 512 {
                10
            } else {
                2
            };
            std::iter::repeat_n(user, own)
        });
        let lengths = Lessons::of(&spec.recommender, 515, learnt).lengths.expect("they are read");
        let (largest, second, last) = (256 * 40, 256 * 10, 6);
        assert_eq!(lengths.read(1), Some((largest, 1)));
        assert_eq!(lengths.read(2), Some((largest + second, 2)));
        assert_eq!(lengths.read(64), Some((largest + second + last, 3)));
        assert_eq!(Lengths::default().read(2), None, "nobody has counted");
    }

    #[test]
    fn users_of_one_row_are_in_no_batch_of_sequences() {
        // A thousand users of one row, and ten of six.
        let learnt = || (0..1000).chain((1000..1010).flat_map(|user| [user; 6]));
        let of = |kind: &str| Lessons::of(&spec(&format!("kind = \"{kind}\"")).recommender, 1010, learnt());
        let (sequences, people) = (of("gru4rec"), of("autoencoder"));
        assert_eq!(sequences.rows, Some(1060));
        let lengths = sequences.lengths.expect("they are read");
        assert_eq!((lengths.of_a_batch(10), lengths.longest(), lengths.slots(10)), (60, 6, None));
        assert!(people.lengths.is_some_and(|lengths| lengths.of_a_batch(10) < 60), "{people:?}");
    }

    #[test]
    fn all_users_together_have_what_they_have_and_one_who_has_nothing_is_no_user() {
        let of = |rows: Vec<u64>, batch: u64| {
            let lengths = Lengths::of(rows);
            (lengths.of_a_batch(batch), lengths.longest())
        };
        assert_eq!(of(vec![3, 0, 9, 1], 10), (13, 9));
        assert_eq!(of(Vec::new(), 4), (0, 0));
        assert_eq!(of(vec![5], 1), (5, 5));
        assert_eq!(of(vec![7; 19], 16).0, 112, "all alike: as many as there are");
    }
}
