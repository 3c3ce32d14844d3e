//! What the factorization machines hold at their highest point, and how long they take: they learn numbers of features,
//! and leave vectors of users, items and attributes.

use recspeed_types::Remedy;

use super::paces::{DRAWN_PER_S, STEPPED_PER_S, SWEPT_PER_S};
use super::{Course, NUMBER_BYTES, Needs};

/// What is refused, and what takes less.
pub(crate) const WHAT: &str = "the fit of vectors of users, items and attributes";
/// What makes it smaller.
const LOWER: &str =
    "recommender.factors, name fewer attributes in recommender.user_attributes and recommender.item_attributes";
/// Of machines that predict ratings.
pub(crate) const REMEDY: &Remedy = &Remedy { lower: LOWER, instead: &["biased-mf", "bias"] };
/// Of the Gibbs sampler, whose model grows with what it keeps.
pub(crate) const REMEDY_OF_SAMPLES: &Remedy = &Remedy {
    lower: "recommender.samples or recommender.factors, name fewer attributes in recommender.user_attributes and \
            recommender.item_attributes, take recommender.solver = \"als\"",
    instead: &["biased-mf"],
};
/// Of feature embeddings, which only order items.
pub(crate) const REMEDY_OF_EMBEDDINGS: &Remedy = &Remedy { lower: LOWER, instead: &["bpr", "item-knn"] };

/// Numbers of the sums of a sweep over an entity's rows: seven, in f64. For the weights there is one in f32, too.
const SUMS: u64 = 14;

/// What counts tell of the features.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Features {
    /// Users and items.
    pub(crate) entities: [u64; 2],
    /// Attributes of users and of items.
    pub(crate) attributes: [u64; 2],
    /// Entries of entities × attributes, of both sides.
    pub(crate) described: u64,
    /// Fields of users and of items, the ids' among them.
    pub(crate) fields: [u64; 2],
    /// Training rows, each counted once.
    pub(crate) rows: u64,
    /// Pairs of a user and an item that have a row.
    pub(crate) entries: u64,
    pub(crate) threads: u64,
}

impl Features {
    const fn both(&self) -> u64 {
        self.entities[0] + self.entities[1]
    }

    const fn of(&self, side: usize) -> u64 {
        self.entities[side] + self.attributes[side]
    }

    const fn all(&self) -> u64 {
        self.of(0) + self.of(1)
    }

    fn larger(&self) -> u64 {
        self.entities[0].max(self.entities[1])
    }

    /// Bytes of a model that keeps a vector of length `d` of each feature.
    const fn model(&self, d: u64) -> u64 {
        self.all().saturating_mul(d).saturating_mul(NUMBER_BYTES)
    }

    /// A copy of both sides' entries, with where each row begins and how often each entity is rated.
    const fn copied(&self) -> u64 {
        2 * self.described + 3 * self.both()
    }

    /// Features of a row, in the mean.
    fn of_a_row(&self) -> f64 {
        2.0 + 2.0 * self.described as f64 / self.both().max(1) as f64
    }
}

/// How an fm is fitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fm {
    pub(crate) factors: u64,
    pub(crate) iterations: u64,
    /// Samples that are kept: 1 where none are drawn.
    pub(crate) kept: u64,
    pub(crate) descends: bool,
}

/// Gradient descent learns a vector and a weight of each feature; at the end these are turned, side after side, beside
/// what they add up to for each entity, in f64 too, and the vectors of the model. Sweeps hold the kept vectors, the
/// rows in both orders (two numbers each, the rating, and an error a side), the attributes the other way round, the
/// sums of each entity, and for a round the sums anew in f64, the rows of one factor, or a sweep's sums and noise.
pub(crate) fn fm(f: &Features, fit: Fm, checkpoints: bool) -> Needs {
    let Fm { factors: k, kept: samples, .. } = fit;
    let numbers = f.all() * (k + 1) + 1;
    let kept = (f.all() + 1).saturating_mul(samples * k + 2) + samples * (k + 1);
    let sums = f.both() * (k + 1);
    let course = if fit.descends {
        let end = numbers + kept + (f.of(0).max(f.of(1)) * k).max(sums + 2 * f.larger() * k);
        Course { learnt: numbers, beside: 0, round: f.rows.max(f.all() * k), end }
    } else {
        let hyper = 2 * (1 + k) * (f.fields[0] + f.fields[1]);
        let learnt = numbers.saturating_add(kept) + hyper;
        let beside = 7 * f.rows + 2 * f.both() + 2 * f.described + 2 * f.all() + sums;
        let anew = f.larger() * (3 * k + 1);
        let swept = (SUMS + 1) * f.larger() + 2 * f.of(0).max(f.of(1));
        Course { learnt, beside, round: anew.max(f.both() * k).max(swept), end: learnt.saturating_add(beside) }
    };
    let moved = (f.rows as f64 * f.of_a_row() + f.all() as f64) * (k + 1) as f64;
    let threads = if fit.descends { 1.0 } else { f.threads as f64 };
    let seconds = fit.iterations as f64 * moved / (SWEPT_PER_S * threads);
    Needs { bytes: course.bytes(checkpoints), stays: f.model(samples.saturating_mul(k) + 2), seconds }
}

/// How an ffm is fitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ffm {
    pub(crate) factors: u64,
    pub(crate) iterations: u64,
    /// Whether the vectors within a side are kept for attributes dealt out anew.
    pub(crate) permutes: bool,
}

/// A vector for each feature and field, and a weight, each number with its squared slopes while it learns. The model
/// has a piece for each pair of a user's and an item's field, and is made side after side: the first side's numbers are
/// gone when the second is made.
pub(crate) fn ffm(f: &Features, fit: Ffm, checkpoints: bool) -> Needs {
    let (k, [users, items]) = (fit.factors, f.fields);
    let width = k * (users + items) + 1;
    let d = (k * users).saturating_mul(items) + 2;
    let numbers = f.all().saturating_mul(width);
    let own = |side: usize| if fit.permutes { f.of(side).saturating_mul(f.fields[side] * k) } else { 0 };
    let first = numbers.saturating_add(f.of(0).saturating_mul(d)).saturating_add(own(0));
    let second =
        (f.of(1) * width).saturating_add(f.all().saturating_mul(d)).saturating_add(own(0)).saturating_add(own(1));
    let learnt = numbers.saturating_mul(2);
    let course = Course { learnt, beside: 0, round: f.rows, end: first.max(second).saturating_add(f.copied()) };
    let features = f.of_a_row();
    let moved = f.rows as f64 * features * (features - 1.0) * k as f64;
    let seconds = numbers as f64 / DRAWN_PER_S + fit.iterations as f64 * moved / STEPPED_PER_S;
    Needs { bytes: course.bytes(checkpoints), stays: f.model(d), seconds }
}

/// A vector and a bias of each feature, each number with its squared slopes; beside them what each entity's values are
/// divided by, who has which entry and which items there are. The model is made side after side, without the squares
/// and without who has which entry.
pub(crate) fn embeddings(f: &Features, (factors, iterations): (u64, u64), checkpoints: bool) -> Needs {
    let width = factors + 1;
    let numbers = f.all() * width;
    let beside = f.both() + f.entries + f.entities[1];
    let first = numbers + f.of(0) * (width + 1);
    let second = f.of(1) * width + f.all() * (width + 1);
    let end = first.max(second) + f.both() + f.copied() + f.entities[1];
    let course = Course { learnt: 2 * numbers, beside, round: f.entries, end };
    let moved = f.entries as f64 * 1.5 * f.of_a_row() * width as f64;
    let seconds = numbers as f64 / DRAWN_PER_S + iterations as f64 * moved / STEPPED_PER_S;
    // Beside the vectors which items there are: the steps for a new user draw from them.
    let stays = f.model(factors + 2).saturating_add(f.entities[1].saturating_mul(NUMBER_BYTES));
    Needs { bytes: course.bytes(checkpoints), stays, seconds }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEATURES: Features = Features {
        entities: [1000, 400],
        attributes: [5, 30],
        described: 2500,
        fields: [2, 4],
        rows: 9000,
        entries: 8000,
        threads: 2,
    };

    #[test]
    fn what_is_kept_of_samples_is_counted_for_each() {
        let fit = |kept, descends| fm(&FEATURES, Fm { factors: 10, iterations: 5, kept, descends }, false);
        assert_eq!(fit(3, false).bytes - fit(2, false).bytes, fit(2, false).bytes - fit(1, false).bytes);
        assert_eq!(fit(2, false).bytes - fit(1, false).bytes, 4 * (10 * (1435 + 1) + 11));
        assert!(fit(1, true).bytes < fit(1, false).bytes, "descent has no rows of its own");
    }

    #[test]
    fn pairs_within_a_side_take_memory_only_where_they_are_kept() {
        let fit = |permutes| ffm(&FEATURES, Ffm { factors: 4, iterations: 5, permutes }, false).bytes;
        assert!(fit(true) > fit(false));
    }

    #[test]
    fn what_is_drawn_from_for_new_users_stays_with_the_vectors() {
        let Needs { bytes, stays, .. } = embeddings(&FEATURES, (10, 5), false);
        assert_eq!(stays, 4 * (1435 * 12 + 400));
        assert!(stays <= bytes, "{stays} of {bytes}");
    }

    #[test]
    fn sizes_beyond_all_memory_do_not_wrap() {
        let huge = Features { entities: [u64::from(u32::MAX); 2], fields: [1 << 20; 2], ..FEATURES };
        assert!(ffm(&huge, Ffm { factors: 64, iterations: 5, permutes: true }, true).bytes > 1 << 60);
        assert!(fm(&huge, Fm { factors: 256, iterations: 5, kept: 10_000, descends: false }, true).bytes > 1 << 50);
    }
}
