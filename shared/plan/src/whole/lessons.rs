//! What is known of the rows that a network learns from: by a plan and by a run alike, so that both come to the same verdict.

use recspeed_types::spec::ResolvedRecommender;

use crate::attention::Rows;
use crate::spec::blocks_of;

/// What is known of the rows that a network learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lessons {
    /// How many there are.
    pub rows: Option<u64>,
    /// What the users of a batch have together, where that is known.
    pub longest: Option<Longest>,
    /// How many rows there may be, where `rows` is only the least: time is told by these.
    pub about: Option<u64>,
}

/// Rows of users, each counted as far as the network reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Longest {
    /// Of as many users as a batch has, together: more than any batch of a training has, save by an accident of its draws.
    pub of_a_batch: u64,
    /// Of one.
    pub of_one: u64,
    /// Slots of the rows into which the sequences of a batch are packed, where the network packs them: as far as is known, no more.
    pub slots: Option<u64>,
}

/// Standard deviations of the rows of a batch that lie between their mean and what is foretold, beside one user who has most.
const DEVIATIONS: f64 = 4.0;
/// Slots of a row for each that a short sequence takes (`neural/sequence/packing.rs`): first-fit decreasing takes at most so many times
/// as many rows as there need be, and of sequences of which three or more go into a row, little more than what they fill need be.
const PACKED: f64 = 11.0 / 9.0;

impl Lessons {
    /// Of the users of these rows, in batches of `batch` of them.
    pub fn of(
        recommender: &ResolvedRecommender,
        batch: u64,
        users: usize,
        learnt: impl IntoIterator<Item = u32>,
    ) -> Self {
        // A network that reads windows of a history asks for every item of it.
        let length = recommender.entry.param("length");
        let most = length.map_or(u64::MAX, |_| recommender.integer("length").max(1) as u64);
        let (mut of_users, mut rows) = (vec![0_u64; users], 0);
        for user in learnt {
            rows += 1;
            if let Some(own) = of_users.get_mut(user as usize) {
                *own = (*own + 1).min(most);
            }
        }
        // A sequence of one item has no next one: nobody is asked for it, and no batch has it.
        if recommender.entry.reads_history && recommender.entry.kind != "autoencoder" {
            of_users.retain(|&own| own > 1);
        }
        let packs = recommender.entry.kind == "sasrec";
        let slots = packs.then(|| packed(blocks_of(recommender).rows(), &of_users, batch));
        let longest = Longest { slots, ..Longest::of(of_users, batch) };
        Self { rows: Some(rows), longest: Some(longest), about: None }
    }

    /// Of the slots of `batch` sequences of `sasrec`, as many as these were counted for, the share that their rows take at most, by what
    /// they hold and what packing leaves; 1 where nobody knows, and of other networks.
    pub fn filled(&self, recommender: &ResolvedRecommender, batch: u64) -> f64 {
        let packed = self.longest.filter(|_| recommender.entry.kind == "sasrec").and_then(|longest| longest.slots);
        let Some(packed) = packed else { return 1.0 };
        let slots = blocks_of(recommender).rows().width.max(1).saturating_mul(batch.max(1));
        (packed as f64 / slots as f64).min(1.0)
    }
}

/// Slots of the rows that a batch of sequences of these lengths is packed into. No shorter one fits beside a sequence that is longer
/// than half a row and almost as long as all others, and no two beside one longer than a third: such take a row, or half of one.
fn packed(rows: Rows, lengths: &[u64], batch: u64) -> u64 {
    let room = |&length: &u64| length.next_multiple_of(rows.align.max(1));
    let halves = |length: &u64| match room(length) {
        taken if 2 * taken > rows.width => 2,
        taken if 3 * taken > rows.width => 1,
        _ => 0,
    };
    let filled = PACKED * of_a_batch(lengths.iter().map(room).collect(), batch) as f64;
    let apart = of_a_batch(lengths.iter().map(halves).collect(), batch).div_ceil(2).saturating_mul(rows.width);
    (filled.ceil() as u64).max(apart).saturating_add(rows.width)
}

/// What a batch of users has together of whom each has so much, drawn anew for each epoch. No batch has more than those who have most;
/// nearly none has more than the mean, four standard deviations of such a draw, and the one user who has most.
fn of_a_batch(mut each: Vec<u64>, batch: u64) -> u64 {
    each.sort_unstable_by(|a, b| b.cmp(a));
    let users = each.len();
    let drawn = usize::try_from(batch).unwrap_or(usize::MAX).min(users);
    let most: u64 = each.iter().take(drawn).sum();
    if users < 2 {
        return most;
    }
    let mean = each.iter().sum::<u64>() as f64 / users as f64;
    let variance = each.iter().map(|&own| (own as f64 - mean).powi(2)).sum::<f64>() / users as f64;
    // Without replacement: of all of them together there is but one sum.
    let of_draws = drawn as f64 * (users - drawn) as f64 / (users - 1) as f64;
    let likely = mean * drawn as f64 + DEVIATIONS * (variance * of_draws).sqrt() + each[0] as f64;
    most.min(likely.ceil() as u64)
}

impl Longest {
    /// Of users with so many rows each, in batches of `batch` of them, by a network that packs no sequences.
    pub fn of(mut rows: Vec<u64>, batch: u64) -> Self {
        // Nobody learns from whom there is no row.
        rows.retain(|&own| own > 0);
        let of_one = rows.iter().copied().max().unwrap_or(0);
        Self { of_a_batch: of_a_batch(rows, batch), of_one, slots: None }
    }

    /// Of so many of them, no more than a batch has.
    pub(crate) const fn together(self, users: u64) -> u64 {
        let most = users.saturating_mul(self.of_one);
        if most < self.of_a_batch { most } else { self.of_a_batch }
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
            let told = Longest::of(rows.clone(), batch).of_a_batch;
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

    /// Slots of the rows into which sequences are packed as `neural/sequence/packing.rs` does it: the longest first, each into the first
    /// row that has room.
    fn first_fit(lengths: &[u64], align: u64) -> u64 {
        let mut rooms: Vec<u64> = lengths.iter().map(|length| length.next_multiple_of(align)).collect();
        rooms.sort_unstable_by(|a, b| b.cmp(a));
        let width = rooms.first().copied().unwrap_or(0);
        let mut free: Vec<u64> = Vec::new();
        for room in rooms {
            if let Some(left) = free.iter_mut().find(|left| **left >= room) {
                *left -= room;
            } else {
                free.push(width - room);
            }
        }
        width * free.len() as u64
    }

    #[test]
    fn sequences_that_no_other_fits_beside_take_rows_of_their_own_whatever_they_leave_empty() {
        let mut state = 3;
        // Of 50 slots: 26 to 34 of them, which leave a third or more of a row empty; those of a third; short ones; all kinds.
        for (least, most) in [(26, 34), (17, 25), (2, 9), (2, 50)] {
            let lengths: Vec<u64> = (0..600).map(|user| least + user * 7 % (most - least + 1)).chain([50]).collect();
            for (align, batch) in [(1, 32), (1, 128), (10, 128), (1, 5000)] {
                let told = packed(Rows { align, width: 50, scored: 50 }, &lengths, batch);
                for _ in 0..40 {
                    let mut order = lengths.clone();
                    shuffle(&mut order, &mut state);
                    order.truncate(batch as usize);
                    let taken = first_fit(&order, align);
                    assert!(taken <= told, "{least} to {most}, {align}, {batch}: {taken} {told}");
                }
            }
        }
    }

    #[test]
    fn a_batch_of_sequences_just_longer_than_half_a_row_fills_all_rows() {
        let text = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \
                    \"sasrec\"\nlength = 50\n[evaluation]\nmetrics = [\"ndcg@10\"]\n";
        let spec = recspeed_types::ExperimentSpec::from_toml(text).unwrap().resolve().unwrap();
        let of = |length: usize| {
            let learnt = (0..1000).flat_map(|user| std::iter::repeat_n(user, length));
            let lessons = Lessons::of(&spec.recommender, 128, 1000, learnt);
            lessons.filled(&spec.recommender, 128)
        };
        assert_eq!((of(26), of(50)), (1.0, 1.0));
        assert!((0.5..0.55).contains(&of(20)), "two in a row: {}", of(20));
        assert!((0.1..0.15).contains(&of(5)), "{}", of(5));
        assert!(Lessons::default().filled(&spec.recommender, 128) >= 1.0, "nobody knows");
    }

    #[test]
    fn users_of_one_row_are_in_no_batch_of_sequences() {
        let spec = |kind: &str| {
            let text = format!(
                "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \
                 \"{kind}\"\n[evaluation]\nmetrics = [\"ndcg@10\"]\n"
            );
            recspeed_types::ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap()
        };
        // A thousand users of one row, and ten of six.
        let learnt = || (0..1000).chain((1000..1010).flat_map(|user| [user; 6]));
        let of = |kind: &str| Lessons::of(&spec(kind).recommender, 10, 1010, learnt());
        let (sequences, people) = (of("gru4rec"), of("autoencoder"));
        assert_eq!(sequences.rows, Some(1060));
        assert_eq!(sequences.longest, Some(Longest { of_a_batch: 60, of_one: 6, slots: None }));
        assert!(people.longest.is_some_and(|longest| longest.of_a_batch < 60), "{people:?}");
    }

    #[test]
    fn all_users_together_have_what_they_have_and_one_who_has_nothing_is_no_user() {
        let all = Longest::of(vec![3, 0, 9, 1], 10);
        assert_eq!(all, Longest { of_a_batch: 13, of_one: 9, slots: None });
        assert_eq!(Longest::of(Vec::new(), 4), Longest::default());
        assert_eq!(Longest::of(vec![5], 1), Longest { of_a_batch: 5, of_one: 5, slots: None });
        assert_eq!(Longest::of(vec![7; 19], 16).of_a_batch, 112, "all alike: as many as there are");
    }
}
