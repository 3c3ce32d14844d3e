//! What every fitted recommender can do.

use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;
use serde::Serialize;

use crate::ranking::{self, RankError, RankRequest, Ranking};

/// A part of why an item is recommended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reason {
    /// An item of the user's own training rows, and the part of the score that it contributes.
    OwnItem {
        /// The item.
        item: u32,
        /// Its part, in the unit of the score.
        part: f32,
    },
    /// The item's number of training interactions.
    Popularity {
        /// How many.
        interactions: u64,
    },
}

/// A fitted recommender. Users and items are the indices of the dictionaries that it was fitted with.
pub trait Recommender: Send + Sync {
    /// Number of users that it knows by index, cold ones included.
    fn n_users(&self) -> usize;

    /// Number of items that it knows by index, cold ones included.
    fn n_items(&self) -> usize;

    /// The rating in stars (not clamped to the scale) or the score, as the catalogue's `predicts` says. Always finite.
    /// `timestamp`: seconds since 1970; methods without time ignore it.
    ///
    /// # Panics
    /// When `user` or `item` is not below [`Self::n_users`] or [`Self::n_items`].
    fn predict(&self, user: u32, item: u32, timestamp: i64) -> f32;

    /// [`Self::predict`] for every item, without a time. `scores`: `[n_items]`, overwritten.
    ///
    /// # Panics
    /// When `user` is not below [`Self::n_users`] or `scores` has another length.
    fn score_all(&self, user: u32, scores: &mut [f32]);

    /// The best items of each user: score descending, then tie rank ascending. Reports progress in users, and stops when
    /// the observer says so. Never holds more scores than one block of users and items has.
    ///
    /// # Errors
    /// [`RankError`]: the request does not fit the model, a score is not finite, or the observer stopped it.
    fn rank(&self, request: &RankRequest<'_>, observer: &mut dyn FitObserver) -> Result<Ranking, RankError> {
        ranking::by_scores(
            self.n_users(),
            self.n_items(),
            &|user, scores| self.score_all(user, scores),
            request,
            observer,
        )
    }

    /// Bytes that the fitted model holds: learnt numbers as parameters, data that it needs to answer as buffers.
    fn memory(&self) -> MemoryBytes;

    /// Number of learnt numbers.
    fn parameters(&self) -> u64;

    /// Why this item is recommended to this user: at most `n` reasons, the weightiest first. `None` where the method
    /// cannot explain; an empty list where nothing of the user's speaks for the item.
    ///
    /// # Panics
    /// As [`Self::predict`].
    fn explain(&self, _user: u32, _item: u32, _n: usize) -> Option<Vec<Reason>> {
        None
    }
}

/// The weightiest `n` parts; equal parts by item index, so that the answer is the same everywhere.
pub(crate) fn weightiest(mut parts: Vec<(u32, f32)>, n: usize) -> Vec<Reason> {
    parts.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    parts.truncate(n);
    parts.into_iter().map(|(item, part)| Reason::OwnItem { item, part }).collect()
}

/// Bytes of a model's two parts.
pub(crate) fn model_bytes(parameters: usize, buffers: usize) -> MemoryBytes {
    MemoryBytes { parameters: parameters as u64, buffers: buffers as u64, ..MemoryBytes::default() }
}
