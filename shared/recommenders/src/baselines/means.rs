//! Means of ratings. All three rank items by the predicted rating, so the tie rule orders items of equal mean.

use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;

use crate::fit::Method;
use crate::ranking::{self, RankError, RankRequest, Ranking};
use crate::recommender::model_bytes;
use crate::train::Tally;
use crate::{BasketItem, FoldIn, Parts, Recommender, TrainSet};

pub(super) const GLOBAL_MEAN: Method = Method {
    kind: "global-mean",
    fit: |request, _| Ok(Box::new(GlobalMean::fit(request.data))),
    restore: |_, mut parts| {
        let mean = parts.take_number("mean")?;
        Ok(Box::new(GlobalMean { mean, users: parts.take_count("users")?, items: parts.take_count("items")? }))
    },
};

pub(super) const USER_MEAN: Method = Method {
    kind: "user-mean",
    fit: |request, _| Ok(Box::new(UserMean::fit(request.data))),
    restore: |_, mut parts| {
        let (means, items) = (parts.take_list("means")?, parts.take_count("items")?);
        Ok(Box::new(UserMean { means, items, mean: parts.take_number("mean")? }))
    },
};

pub(super) const ITEM_MEAN: Method = Method {
    kind: "item-mean",
    fit: |request, _| Ok(Box::new(ItemMean::fit(request.data))),
    restore: |_, mut parts| {
        Ok(Box::new(ItemMean { means: parts.take_list("means")?, users: parts.take_count("users")? }))
    },
};

/// The mean of all training ratings, for everybody and everything.
#[derive(Debug)]
struct GlobalMean {
    mean: f32,
    users: usize,
    items: usize,
}

impl GlobalMean {
    fn fit(data: &TrainSet<'_>) -> Self {
        Self { mean: global(data) as f32, users: data.n_users(), items: data.n_items() }
    }
}

impl Recommender for GlobalMean {
    fn n_users(&self) -> usize {
        self.users
    }

    fn n_items(&self) -> usize {
        self.items
    }

    fn predict(&self, _: u32, _: u32, _: i64) -> f32 {
        self.mean
    }

    fn score_all(&self, _: u32, scores: &mut [f32]) {
        scores.fill(self.mean);
    }

    fn rank(&self, request: &RankRequest<'_>, observer: &mut dyn FitObserver) -> Result<Ranking, RankError> {
        ranking::by_shared_order(self.users, self.items, &|_| 0.0, &|_, _| self.mean, request, observer)
    }

    fn memory(&self) -> MemoryBytes {
        model_bytes(size_of::<f32>(), 0)
    }

    fn parameters(&self) -> u64 {
        1
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    fn parts(&self) -> Parts {
        let sizes = Parts::default().with_count("users", self.users).with_count("items", self.items);
        sizes.with_number("mean", self.mean)
    }
}

/// As everybody.
impl FoldIn for GlobalMean {
    fn score_basket(&self, _: &[BasketItem], scores: &mut [f32]) {
        scores.fill(self.mean);
    }
}

/// The mean of the user's own training ratings; the global mean for a user without any.
#[derive(Debug)]
struct UserMean {
    means: Vec<f32>,
    items: usize,
    /// Of all ratings.
    mean: f32,
}

impl UserMean {
    fn fit(data: &TrainSet<'_>) -> Self {
        let mean = global(data);
        Self { means: means(&data.user_tallies(), mean), items: data.n_items(), mean: mean as f32 }
    }
}

impl Recommender for UserMean {
    fn n_users(&self) -> usize {
        self.means.len()
    }

    fn n_items(&self) -> usize {
        self.items
    }

    fn predict(&self, user: u32, _: u32, _: i64) -> f32 {
        self.means[user as usize]
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        scores.fill(self.means[user as usize]);
    }

    fn rank(&self, request: &RankRequest<'_>, observer: &mut dyn FitObserver) -> Result<Ranking, RankError> {
        let score = |user: u32, _| self.means[user as usize];
        ranking::by_shared_order(self.means.len(), self.items, &|_| 0.0, &score, request, observer)
    }

    fn memory(&self) -> MemoryBytes {
        model_bytes(size_of_val(&self.means[..]), size_of::<f32>())
    }

    fn parameters(&self) -> u64 {
        self.means.len() as u64
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    /// `mean`: of all ratings, for whoever has none.
    fn parts(&self) -> Parts {
        let means = Parts::default().with_list("means", &self.means).with_number("mean", self.mean);
        means.with_count("items", self.items)
    }
}

/// The mean of the basket: that of a known user who has rated nothing twice.
impl FoldIn for UserMean {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        let sum: f64 = basket.iter().map(|own| f64::from(own.rating)).sum();
        scores.fill(if basket.is_empty() { self.mean } else { (sum / basket.len() as f64) as f32 });
    }
}

/// The mean of the item's training ratings; the global mean for an item without any.
#[derive(Debug)]
struct ItemMean {
    means: Vec<f32>,
    users: usize,
}

impl ItemMean {
    fn fit(data: &TrainSet<'_>) -> Self {
        Self { means: means(&data.item_tallies(), global(data)), users: data.n_users() }
    }
}

impl Recommender for ItemMean {
    fn n_users(&self) -> usize {
        self.users
    }

    fn n_items(&self) -> usize {
        self.means.len()
    }

    fn predict(&self, _: u32, item: u32, _: i64) -> f32 {
        self.means[item as usize]
    }

    fn score_all(&self, _: u32, scores: &mut [f32]) {
        scores.copy_from_slice(&self.means);
    }

    fn rank(&self, request: &RankRequest<'_>, observer: &mut dyn FitObserver) -> Result<Ranking, RankError> {
        let score = |item: u32| self.means[item as usize];
        ranking::by_shared_order(self.users, self.means.len(), &score, &|_, item| score(item), request, observer)
    }

    fn memory(&self) -> MemoryBytes {
        model_bytes(size_of_val(&self.means[..]), 0)
    }

    fn parameters(&self) -> u64 {
        self.means.len() as u64
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    fn parts(&self) -> Parts {
        Parts::default().with_list("means", &self.means).with_count("users", self.users)
    }
}

/// As everybody.
impl FoldIn for ItemMean {
    fn score_basket(&self, _: &[BasketItem], scores: &mut [f32]) {
        scores.copy_from_slice(&self.means);
    }
}

/// `fit` refuses an empty training set, so there is a mean.
fn global(data: &TrainSet<'_>) -> f64 {
    data.global_mean().unwrap_or(0.0)
}

fn means(tallies: &[Tally], otherwise: f64) -> Vec<f32> {
    tallies.iter().map(|tally| tally.mean().unwrap_or(otherwise) as f32).collect()
}
