//! User neighbours: what people of similar taste gave.

mod alike;
mod similarities;

use std::sync::Arc;

use recspeed_data::parts::expect_len;
use recspeed_data::{Csr, Interactions};
use recspeed_types::event::MemoryBytes;
use recspeed_types::spec::ResolvedRecommender;
use recspeed_types::{FitObserver, Remedy};

use super::pairs::PAIR_BYTES;
use super::{ALLOWED_BYTES, GROUP_ROWS};
use crate::baselines::deviations;
use crate::fit::Method;
use crate::memory::{allowed, allowed_with};
use crate::recommender::model_bytes;
use crate::scratch::Pool;
use crate::{BasketItem, FitError, FoldIn, Parts, PartsError, Reason, Recommender, TrainSet};
use alike::{Comparing, Shared};
use similarities::Similarities;

pub(super) const METHOD: Method = Method {
    kind: "user-knn",
    fit: |request, observer| Ok(Box::new(UserKnn::fit(Settings::of(request.recommender), request.data, observer)?)),
    restore: |request, parts| Ok(Box::new(UserKnn::restore(request.recommender, parts)?)),
};

/// Surprise's regularization of the baselines, in imaginary ratings at the mean.
const USER_RATINGS: f64 = 15.0;
const ITEM_RATINGS: f64 = 10.0;
const BASELINE_ROUNDS: u64 = 10;
/// What to do about similarities that are too many.
const REMEDY: &Remedy = &Remedy {
    lower: "the number of users with dataset.min_user or dataset.sample, raise recommender.min_support",
    instead: &["item-knn"],
};

/// `r̂_ui = l_u(i) + s_u · Σ_v sim(u, v) · (r_vi − l_v(i)) / s_v  /  Σ_v sim(u, v)` over the `neighbours` most similar users
/// `v` who rated `i` and have a similarity above 0. The level `l` and the scale `s` are by `centring`: `none` 0 and 1;
/// `mean` the user's mean and 1; `z-score` the mean and the standard deviation; `baseline` `μ + b_u + b_i` and 1. Without
/// such a neighbour the level itself, and the mean of all ratings where there is none.
///
/// Similarities are over the items that both rated: `msd` `1 / (1 + mean (r_u − r_v)²)`, `cosine`, `pearson`; fewer than
/// `min_support` of them make it 0, and `shrinkage` multiplies it by `n / (n + shrinkage)`. `u` counts by all that is read of them, `v` by
/// what was learnt from.
/// Source: Herlocker et al., "An Algorithmic Framework for Performing Collaborative Filtering", doi:10.1145/312624.312682;
/// Koren, doi:10.1145/1644873.1644874, for the baselines; the settings are those of Surprise's k-NN family.
#[derive(Debug)]
struct UserKnn {
    by_user: Arc<Csr>,
    by_item: Arc<Csr>,
    settings: Settings,
    levels: Levels,
    similarities: Similarities,
    /// Where other rows are read than were learnt from.
    reading: Option<Reading>,
}

/// What is read of people.
#[derive(Debug)]
struct Reading {
    /// `[n_users]`: level and scale of each reader.
    people: Vec<Person>,
    /// `[n_users]`: of whom other rows are read than were learnt from, so that their similarities are others.
    differs: Vec<bool>,
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    neighbours: usize,
    similarity: Similarity,
    centring: Centring,
    min_support: u32,
    shrinkage: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Similarity {
    Msd,
    Cosine,
    Pearson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Centring {
    None,
    Mean,
    ZScore,
    Baseline,
}

impl Settings {
    fn of(recommender: &ResolvedRecommender) -> Self {
        Self {
            neighbours: recommender.integer("neighbours") as usize,
            similarity: match recommender.text("similarity") {
                "cosine" => Similarity::Cosine,
                "pearson" => Similarity::Pearson,
                _ => Similarity::Msd,
            },
            centring: match recommender.text("centring") {
                "none" => Centring::None,
                "mean" => Centring::Mean,
                "z-score" => Centring::ZScore,
                _ => Centring::Baseline,
            },
            min_support: recommender.integer("min_support") as u32,
            shrinkage: recommender.float("shrinkage"),
        }
    }
}

/// What a rating is compared with.
#[derive(Debug)]
struct Levels {
    /// Mean of all ratings.
    mean: f32,
    /// `[n_users]`: mean, or `μ + b_u`.
    users: Vec<f32>,
    /// `[n_users]`: standard deviation, or 1.
    scales: Vec<f32>,
    /// `[n_items]`: `b_i`, or 0.
    items: Vec<f32>,
}

/// One person: known or new.
#[derive(Debug, Clone, Copy)]
struct Person {
    level: f32,
    scale: f32,
}

impl Levels {
    fn of(data: &TrainSet<'_>, centring: Centring) -> Result<Self, FitError> {
        let mean = data.global_mean().ok_or(FitError::NoRows)?;
        if centring == Centring::Baseline {
            let (users, items) = deviations(data, BASELINE_ROUNDS, USER_RATINGS, ITEM_RATINGS);
            let users = users.into_iter().map(|b| (mean + b) as f32).collect();
            let items = items.into_iter().map(|b| b as f32).collect();
            return Ok(Self { mean: mean as f32, users, scales: vec![1.0; data.n_users()], items });
        }
        let person = |user: usize| person(data.by_user.row(user).1, mean as f32, centring);
        let people: Vec<Person> = (0..data.n_users()).map(person).collect();
        Ok(Self {
            mean: mean as f32,
            users: people.iter().map(|person| person.level).collect(),
            scales: people.iter().map(|person| person.scale).collect(),
            items: vec![0.0; data.n_items()],
        })
    }

    fn person(&self, user: u32) -> Person {
        Person { level: self.users[user as usize], scale: self.scales[user as usize] }
    }
}

/// Level and scale from somebody's ratings alone.
fn person(ratings: &[f32], otherwise: f32, centring: Centring) -> Person {
    let n = ratings.len() as f64;
    if ratings.is_empty() {
        return Person { level: otherwise, scale: 1.0 };
    }
    let mean = ratings.iter().map(|&r| f64::from(r)).sum::<f64>() / n;
    let deviation = (ratings.iter().map(|&r| (f64::from(r) - mean).powi(2)).sum::<f64>() / n).sqrt();
    match centring {
        Centring::Mean => Person { level: mean as f32, scale: 1.0 },
        // Whoever gives everything the same has no scale of their own.
        Centring::ZScore => Person { level: mean as f32, scale: if deviation > 0.0 { deviation as f32 } else { 1.0 } },
        // The level is used only where there is no neighbour.
        Centring::None | Centring::Baseline => Person { level: otherwise, scale: 1.0 },
    }
}

impl UserKnn {
    fn fit(settings: Settings, data: &TrainSet<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let n_users = data.n_users();
        let lines = Pool::new();
        let comparing =
            Comparing { readers: &data.by_user, by_item: &data.by_item, settings: &settings, lines: &lines };
        let allowed = allowed(ALLOWED_BYTES, observer);
        comparing.check(data, allowed, observer)?;
        let levels = Levels::of(data, settings.centring)?;
        let everybody: Vec<usize> = (0..n_users).collect();
        let mut similarities = Similarities::none(n_users, GROUP_ROWS);
        comparing.renew(&mut similarities, &everybody, allowed, observer)?;
        let (by_user, by_item) = (Arc::clone(&data.by_user), Arc::clone(&data.by_item));
        Ok(Self { by_user, by_item, settings, levels, similarities, reading: None })
    }

    fn restore(recommender: &ResolvedRecommender, mut parts: Parts) -> Result<Self, PartsError> {
        let n_items = parts.take_count("items")?;
        let by_user = parts.take_csr("ratings", n_items)?;
        let n_users = by_user.n_rows();
        let similarities = parts.take_csr("similarities", n_users)?;
        let levels = Levels {
            mean: parts.take_number("mean")?,
            users: parts.take_list("user_levels")?,
            scales: parts.take_list("user_scales")?,
            items: parts.take_list("item_levels")?,
        };
        expect_len("user_levels", levels.users.len(), n_users)?;
        expect_len("user_scales", levels.scales.len(), n_users)?;
        expect_len("item_levels", levels.items.len(), n_items)?;
        expect_len("similarities.indptr", similarities.n_rows(), n_users)?;
        let reading = if parts.has("reader_levels") {
            let (levels, scales) = (parts.take_list("reader_levels")?, parts.take_list("reader_scales")?);
            expect_len("reader_levels", levels.len(), n_users)?;
            expect_len("reader_scales", scales.len(), n_users)?;
            let people = levels.into_iter().zip(scales).map(|(level, scale)| Person { level, scale }).collect();
            // The parts do not say of whom: it may be anybody.
            Some(Reading { people, differs: vec![true; n_users] })
        } else {
            None
        };
        let by_item = Arc::new(by_user.transpose(n_items));
        let (by_user, settings) = (Arc::new(by_user), Settings::of(recommender));
        let similarities = Similarities::of(similarities);
        Ok(Self { by_user, by_item, settings, levels, similarities, reading })
    }

    /// Level and scale of a known reader.
    fn person(&self, user: u32) -> Person {
        self.reading.as_ref().map_or_else(|| self.levels.person(user), |reading| reading.people[user as usize])
    }

    /// The neighbours who rated the item, most similar first: similarity, user, what they add before the division.
    /// `similarity`: of the person to a user.
    fn neighbours(&self, item: u32, similarity: impl Fn(u32) -> f32, found: &mut Vec<(f32, u32, f32)>) {
        found.clear();
        let (users, ratings) = self.by_item.row(item as usize);
        for (&user, &rating) in users.iter().zip(ratings) {
            let similarity = similarity(user);
            if similarity > 0.0 {
                found.push((similarity, user, rating));
            }
        }
        let order = |a: &(f32, u32, f32), b: &(f32, u32, f32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if found.len() > self.settings.neighbours {
            found.select_nth_unstable_by(self.settings.neighbours, order);
            found.truncate(self.settings.neighbours);
        }
        found.sort_unstable_by(order);
        let level_of_item = self.levels.items[item as usize];
        for (similarity, user, rating) in found {
            let (level, scale) = match self.settings.centring {
                Centring::None => (0.0, 1.0),
                _ => (self.levels.users[*user as usize] + level_of_item, self.levels.scales[*user as usize]),
            };
            *rating = *similarity * ((*rating - level) / scale);
        }
    }

    fn rating(&self, person: Person, item: u32, neighbours: &[(f32, u32, f32)]) -> f32 {
        let (sum, weight) = neighbours
            .iter()
            .fold((0.0, 0.0), |(sum, weight), (similarity, _, part)| (sum + part, weight + similarity));
        let level = match self.settings.centring {
            Centring::None if weight > 0.0 => 0.0,
            Centring::None => self.levels.mean,
            _ => person.level + self.levels.items[item as usize],
        };
        if weight > 0.0 { level + person.scale * (sum / weight) } else { level }
    }

    fn score(&self, person: Person, similar: (&[u32], &[f32]), scores: &mut [f32]) {
        let mut dense = vec![0.0; self.by_user.n_rows()];
        for (&user, &similarity) in similar.0.iter().zip(similar.1) {
            dense[user as usize] = similarity;
        }
        let mut found = Vec::new();
        for (item, score) in scores.iter_mut().enumerate() {
            self.neighbours(item as u32, |user| dense[user as usize], &mut found);
            *score = self.rating(person, item as u32, &found);
        }
    }

    fn similarity_to(&self, user: u32) -> impl Fn(u32) -> f32 + '_ {
        let (others, similarities) = self.similarities.row(user as usize);
        move |other| others.binary_search(&other).map_or(0.0, |at| similarities[at])
    }

    fn newcomer(&self, basket: &[BasketItem]) -> Person {
        let (items, ratings): (Vec<u32>, Vec<f32>) = basket.iter().map(|own| (own.item, own.rating)).unzip();
        self.person_of(&items, &ratings)
    }

    /// Level and scale from what somebody has.
    fn person_of(&self, items: &[u32], ratings: &[f32]) -> Person {
        if self.settings.centring == Centring::Baseline {
            let deviation = |(&item, &rating): (&u32, &f32)| {
                f64::from(rating) - f64::from(self.levels.mean) - f64::from(self.levels.items[item as usize])
            };
            let sum: f64 = items.iter().zip(ratings).map(deviation).sum();
            let bias = if items.is_empty() { 0.0 } else { sum / (USER_RATINGS + items.len() as f64) };
            return Person { level: (f64::from(self.levels.mean) + bias) as f32, scale: 1.0 };
        }
        person(ratings, self.levels.mean, self.settings.centring)
    }
}

/// The most similar neighbours, each with its part of the weighted mean.
fn reasons(neighbours: &[(f32, u32, f32)], n: usize) -> Vec<Reason> {
    let weight: f32 = neighbours.iter().map(|(similarity, ..)| similarity).sum();
    let reason = |(_, user, part): &(f32, u32, f32)| Reason::SimilarUser { user: *user, part: part / weight };
    neighbours.iter().filter(|(.., part)| *part != 0.0).take(n).map(reason).collect()
}

impl Recommender for UserKnn {
    fn n_users(&self) -> usize {
        self.by_user.n_rows()
    }

    fn n_items(&self) -> usize {
        self.by_item.n_rows()
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        let mut found = Vec::new();
        self.neighbours(item, self.similarity_to(user), &mut found);
        self.rating(self.person(user), item, &found)
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.score(self.person(user), self.similarities.row(user as usize), scores);
    }

    /// Each reader is compared by all that is read of them with what the others gave in training. So what is read of
    /// one says nothing to another: those of whom other rows are read than before are compared anew, nobody else, and
    /// the similarities are, to the last bit, those of a comparison of everybody. Levels and scales are made anew for
    /// everybody, as newcomers' with these rows, in one look at each row: a baseline that was learnt together with all
    /// others is not, to the last bit, what somebody's own rows give.
    fn read(
        &mut self,
        interactions: &Interactions,
        known: &[u32],
        observer: &mut dyn FitObserver,
    ) -> Result<(), FitError> {
        let known = Csr::by_user(interactions, known);
        let n_users = known.n_rows();
        let differs: Vec<bool> = (0..n_users).map(|reader| known.row(reader) != self.by_user.row(reader)).collect();
        let before = self.reading.take().map_or_else(|| vec![false; n_users], |reading| reading.differs);
        let anew: Vec<usize> = (0..n_users).filter(|&reader| differs[reader] || before[reader]).collect();
        let people = (0..n_users).map(|reader| self.person_of(known.row(reader).0, known.row(reader).1)).collect();
        // After a stop the rows of any of them may be those of either reading: the next one makes all of them anew.
        let either = differs.iter().zip(&before).map(|(now, before)| *now || *before).collect();
        self.reading = Some(Reading { people, differs: either });
        let lines = Pool::new();
        let comparing = Comparing { readers: &known, by_item: &self.by_item, settings: &self.settings, lines: &lines };
        let held = PAIR_BYTES * self.similarities.nnz() as u64;
        let allowed = allowed_with(held, ALLOWED_BYTES, observer);
        comparing.renew(&mut self.similarities, &anew, allowed, observer)?;
        // Where all is as it was learnt, the levels are those that were learnt.
        self.reading =
            self.reading.take().filter(|_| differs.contains(&true)).map(|reading| Reading { differs, ..reading });
        Ok(())
    }

    fn memory(&self) -> MemoryBytes {
        let bytes = |csr: &Csr| size_of_val(&csr.indptr[..]) + 8 * csr.nnz();
        let levels = 4 * (self.levels.users.len() + self.levels.scales.len() + self.levels.items.len());
        let of = |reading: &Reading| size_of_val(&reading.people[..]) + size_of_val(&reading.differs[..]);
        let reading = self.reading.as_ref().map_or(0, of);
        model_bytes(self.similarities.bytes() + levels, bytes(&self.by_user) + bytes(&self.by_item) + reading)
    }

    fn parameters(&self) -> u64 {
        (self.similarities.nnz() + 2 * self.levels.users.len() + self.levels.items.len()) as u64
    }

    /// The most similar neighbours who rated the item, each with its part of the difference to the user's own level.
    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        let mut found = Vec::new();
        self.neighbours(item, self.similarity_to(user), &mut found);
        Some(reasons(&found, n))
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    /// `similarities`: readers × users; `ratings`: users × items; levels and scales as `user_levels`, `user_scales`,
    /// `item_levels`, `mean`. Where more was read, `reader_levels` and `reader_scales`.
    fn parts(&self) -> Parts {
        let parts = Parts::default().with_count("items", self.n_items()).with_number("mean", self.levels.mean);
        let parts = parts
            .with_csr("ratings", &self.by_user)
            .with_own_csr("similarities", self.similarities.joined())
            .with_list("user_levels", &self.levels.users)
            .with_list("user_scales", &self.levels.scales)
            .with_list("item_levels", &self.levels.items);
        let Some(Reading { people, .. }) = &self.reading else { return parts };
        let (levels, scales): (Vec<f32>, Vec<f32>) = people.iter().map(|person| (person.level, person.scale)).unzip();
        parts.with_list("reader_levels", &levels).with_list("reader_scales", &scales)
    }
}

impl FoldIn for UserKnn {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        let mut shared = Shared::new(self.by_user.n_rows());
        let own = basket.iter().map(|own| (own.item, own.rating));
        let (users, similarities): (Vec<u32>, Vec<f32>) =
            shared.similar(own, &self.by_item, &self.settings).into_iter().unzip();
        self.score(self.newcomer(basket), (&users, &similarities), scores);
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        let mut shared = Shared::new(self.by_user.n_rows());
        let own = basket.iter().map(|own| (own.item, own.rating));
        let rows = shared.similar(own, &self.by_item, &self.settings);
        let mut found = Vec::new();
        let similarity = |user: u32| rows.binary_search_by_key(&user, |row| row.0).map_or(0.0, |at| rows[at].1);
        self.neighbours(item, similarity, &mut found);
        reasons(&found, n)
    }
}

#[cfg(test)]
mod tests;
