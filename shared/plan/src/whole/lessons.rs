//! What is known of the rows that a network learns from: by a plan and by a run alike, so that both come to the same verdict.

use recspeed_types::spec::ResolvedRecommender;

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
}

/// Standard deviations of the rows of a batch that lie between their mean and what is foretold, beside one user who has most.
const DEVIATIONS: f64 = 4.0;
/// Rows of slots into which sequences are packed, the longest first, for each that there need be: the bound of first-fit decreasing
/// (`neural/sequence/packing.rs`).
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
        Self { rows: Some(rows), longest: Some(Longest::of(of_users, batch)), about: None }
    }

    /// Of the slots of `batch` sequences of `sasrec` the share that is filled at most, by its items and by what packing leaves; 1 where
    /// nobody knows, and of other networks.
    pub fn filled(&self, recommender: &ResolvedRecommender, batch: u64) -> f64 {
        let Some(longest) = self.longest.filter(|_| recommender.entry.kind == "sasrec") else { return 1.0 };
        let width = blocks_of(recommender).rows().width as f64;
        let slots = width * batch.max(1) as f64;
        let packed = PACKED * longest.together(batch) as f64 + width;
        (packed / slots).min(1.0)
    }
}

impl Longest {
    /// Of users with so many rows each, in batches of `batch` of them, drawn anew for each epoch. No batch has more than the users who
    /// have most; nearly none has more than the mean, four standard deviations of such a draw, and the one user who has most.
    pub fn of(mut rows: Vec<u64>, batch: u64) -> Self {
        // Nobody learns from whom there is no row.
        rows.retain(|&own| own > 0);
        rows.sort_unstable_by(|a, b| b.cmp(a));
        let users = rows.len();
        let drawn = usize::try_from(batch).unwrap_or(usize::MAX).min(users);
        let most: u64 = rows.iter().take(drawn).sum();
        let of_one = rows.first().copied().unwrap_or(0);
        if users < 2 {
            return Self { of_a_batch: most, of_one };
        }
        let mean = rows.iter().sum::<u64>() as f64 / users as f64;
        let variance = rows.iter().map(|&own| (own as f64 - mean).powi(2)).sum::<f64>() / users as f64;
        // Without replacement: of all of them together there is but one sum.
        let of_draws = drawn as f64 * (users - drawn) as f64 / (users - 1) as f64;
        let likely = mean * drawn as f64 + DEVIATIONS * (variance * of_draws).sqrt() + of_one as f64;
        Self { of_a_batch: most.min(likely.ceil() as u64), of_one }
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
        assert_eq!(sequences.longest, Some(Longest { of_a_batch: 60, of_one: 6 }));
        assert!(people.longest.is_some_and(|longest| longest.of_a_batch < 60), "{people:?}");
    }

    #[test]
    fn all_users_together_have_what_they_have_and_one_who_has_nothing_is_no_user() {
        let all = Longest::of(vec![3, 0, 9, 1], 10);
        assert_eq!(all, Longest { of_a_batch: 13, of_one: 9 });
        assert_eq!(Longest::of(Vec::new(), 4), Longest::default());
        assert_eq!(Longest::of(vec![5], 1), Longest { of_a_batch: 5, of_one: 5 });
        assert_eq!(Longest::of(vec![7; 19], 16).of_a_batch, 112, "all alike: as many as there are");
    }
}
