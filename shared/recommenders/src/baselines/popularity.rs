//! The same list for everybody.

use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;

use crate::fit::Method;
use crate::ranking::{self, RankError, RankRequest, Ranking};
use crate::recommender::model_bytes;
use crate::{BasketItem, FoldIn, Parts, Reason, Recommender, TrainSet, Values};

pub(super) const METHOD: Method = Method {
    kind: "popularity",
    fit: |request, _| Ok(Box::new(Popularity::fit(request.data))),
    restore: |_, mut parts| {
        Ok(Box::new(Popularity { counts: parts.take_indices("counts")?, users: parts.take_count("users")? }))
    },
};

/// Scores an item by its number of training rows.
#[derive(Debug)]
struct Popularity {
    counts: Vec<u32>,
    users: usize,
}

impl Popularity {
    fn fit(data: &TrainSet<'_>) -> Self {
        Self { counts: data.item_counts(), users: data.n_users() }
    }

    fn score(&self, item: u32) -> f32 {
        self.counts[item as usize] as f32
    }
}

impl Recommender for Popularity {
    fn n_users(&self) -> usize {
        self.users
    }

    fn n_items(&self) -> usize {
        self.counts.len()
    }

    fn predict(&self, _: u32, item: u32, _: i64) -> f32 {
        self.score(item)
    }

    fn score_all(&self, _: u32, scores: &mut [f32]) {
        for (score, &count) in scores.iter_mut().zip(&self.counts) {
            *score = count as f32;
        }
    }

    fn rank(&self, request: &RankRequest<'_>, observer: &mut dyn FitObserver) -> Result<Ranking, RankError> {
        let score = |item| self.score(item);
        ranking::by_shared_order(self.users, self.counts.len(), &score, &|_, item| score(item), request, observer)
    }

    fn memory(&self) -> MemoryBytes {
        model_bytes(size_of_val(&self.counts[..]), 0)
    }

    fn parameters(&self) -> u64 {
        self.counts.len() as u64
    }

    fn explain(&self, _: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        let interactions = u64::from(self.counts[item as usize]);
        Some(std::iter::once(Reason::Popularity { interactions }).take(n).collect())
    }
    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    fn parts(&self) -> Parts {
        let counts = Values::U32(self.counts.clone());
        Parts::default().with("counts", &[self.counts.len()], counts).with_count("users", self.users)
    }
}

impl FoldIn for Popularity {
    fn score_basket(&self, _: &[BasketItem], scores: &mut [f32]) {
        self.score_all(0, scores);
    }

    fn explain_basket(&self, _: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        self.explain(0, item, n).unwrap_or_default()
    }
}
