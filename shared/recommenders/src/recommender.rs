//! What every fitted recommender can do.

use recspeed_data::{Interactions, Permutation};
use recspeed_types::FitObserver;
use recspeed_types::event::MemoryBytes;
use serde::Serialize;

use crate::ranking::{self, RankError, RankRequest, Ranking};
use crate::{FitError, Parts};

/// A part of why an item is recommended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reason {
    /// An item of the user's own training rows, and the part of the score that it contributes. All parts, with that of
    /// [`Self::Learnt`] where there is one, add up to the score less that of somebody who has nothing; without one, as
    /// exactly as the method's own solution is exact.
    OwnItem {
        /// The item.
        item: u32,
        /// Its part, in the unit of the score.
        part: f32,
    },
    /// What was learnt of a known user beside what their items as a basket add: a fit moves users and items together,
    /// and need not end where the items would have it. Nobody who came later has this.
    Learnt {
        /// Its part, in the unit of the score.
        part: f32,
    },
    /// A user with a similar taste.
    SimilarUser {
        /// The user.
        user: u32,
        /// Their part, in the unit of the score.
        part: f32,
    },
    /// Something that the item is, and that the user likes.
    Attribute {
        /// Name of the attribute, as `category`.
        name: String,
        /// Its value, as `Fragrance`.
        value: String,
        /// Its part, in the unit of the score.
        part: f32,
    },
    /// Something that the user is, whatever the item.
    UserAttribute {
        /// Name of the attribute, as `occupation`.
        name: String,
        /// Its value, as `technician`.
        value: String,
        /// What it adds to this item's score, in the unit of the score.
        part: f32,
    },
    /// What a component of a hybrid says.
    Component {
        /// Its place among the components, from 0.
        index: usize,
        /// Its kind.
        component: &'static str,
        /// Its part, in the unit of the score.
        part: f32,
        /// What it gives as its own reasons, in the unit of its own score; empty where it does not explain.
        because: Vec<Reason>,
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

    /// What the user's items are ranked by: [`Self::predict`] for every item, without a time, or, where the catalogue's
    /// `predicts` says both, a score of its own. `scores`: `[n_items]`, overwritten, always finite.
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

    /// Answers for known users from these rows of the interactions that it was fitted to from now on, all that is known of
    /// them before what is asked, without learning from them: whose answer is a function of what somebody has answers as to a
    /// basket of theirs. Until then, the rows that it learnt from are read. Methods that learn something of each person, a
    /// vector or a level, answer as before. Which do which the catalogue's `reads_history` says.
    ///
    /// Where that is work beyond a look at the rows, it reports progress in users and stops when the observer says so.
    /// After an error the model answers neither as before nor as it was told: it is to be dropped, or told again.
    ///
    /// # Errors
    /// [`FitError`]: the observer stopped it, or what it makes of the rows does not fit in memory.
    fn read(
        &mut self,
        _interactions: &Interactions,
        _known: &[u32],
        _observer: &mut dyn FitObserver,
    ) -> Result<(), FitError> {
        Ok(())
    }

    /// Answers from now on as if the items, or the users, had each other's values of an attribute, and learns nothing; `None`
    /// takes that back, to the last bit. What was learnt of people from the items that they have stays as it was learnt.
    ///
    /// False, and nothing changes, where the model does not read the attribute when it answers: it reads none, or has folded it
    /// into what it learnt, or has been made of saved parts, which do not keep all that this takes.
    fn permute(&mut self, _permutation: Option<&Permutation<'_>>) -> bool {
        false
    }

    /// Bytes that the fitted model holds: learnt numbers as parameters, data that it needs to answer as buffers.
    fn memory(&self) -> MemoryBytes;

    /// Number of learnt numbers.
    fn parameters(&self) -> u64;

    /// Why this item is recommended to this user: at most `n` reasons, the weightiest first; what adds nothing is none. `None`
    /// where the method cannot explain; an empty list where nothing of the user's speaks for the item.
    ///
    /// # Panics
    /// As [`Self::predict`].
    fn explain(&self, _user: u32, _item: u32, _n: usize) -> Option<Vec<Reason>> {
        None
    }

    /// How it serves people who came after the training: `Some` exactly where the catalogue's `new_users` says what they get.
    fn fold_in(&self) -> Option<&dyn FoldIn> {
        None
    }

    /// What it has learnt of each person, where that is a vector.
    fn profiles(&self) -> Option<&dyn Profiles> {
        None
    }

    /// Everything that the model answers with: [`crate::restore`] makes the same model of it, to the last bit.
    fn parts(&self) -> Parts;
}

/// An item that somebody has, and what they think of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BasketItem {
    /// The item.
    pub item: u32,
    /// Stars; what the data set calls liked where nobody was asked.
    pub rating: f32,
}

/// Answers for a person who is in no training row, from a basket of items, without training again (fold-in).
pub trait FoldIn {
    /// What the person's items are ranked by. A user's own training rows as a basket give that user's scores, as near
    /// as the method's own solution is exact; chance alone gives another order. `scores`: `[n_items]`, overwritten,
    /// always finite. An empty basket is answered as a cold user of whom no attribute is known. The same basket gets
    /// the same answer.
    ///
    /// # Panics
    /// When an item is not below `n_items` or `scores` has another length.
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]);

    /// As [`Recommender::explain`]; empty where the method does not explain.
    ///
    /// # Panics
    /// When an item is not below `n_items`.
    fn explain_basket(&self, _basket: &[BasketItem], _item: u32, _n: usize) -> Vec<Reason> {
        Vec::new()
    }
}

/// A vector for each person in one space, as their taste in words or factors: what a meta-level hybrid learns from.
pub trait Profiles {
    /// Number of dimensions.
    fn n_features(&self) -> usize;

    /// Dimensions, ascending, and values of a user; empty where nothing is known.
    ///
    /// # Panics
    /// When `user` is not below [`Recommender::n_users`].
    fn of_user(&self, user: u32) -> Vec<(u32, f32)>;

    /// The same for a person with this basket.
    ///
    /// # Panics
    /// When an item is not below [`Recommender::n_items`].
    fn of_basket(&self, basket: &[BasketItem]) -> Vec<(u32, f32)>;
}

/// The weightiest `n` parts; equal parts by item index, so that the answer is the same everywhere. What adds nothing is no
/// reason.
pub(crate) fn weightiest(mut parts: Vec<(u32, f32)>, n: usize) -> Vec<Reason> {
    parts.retain(|(_, part)| *part != 0.0);
    parts.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    parts.truncate(n);
    parts.into_iter().map(|(item, part)| Reason::OwnItem { item, part }).collect()
}

/// Bytes of a model's two parts.
pub(crate) fn model_bytes(parameters: usize, buffers: usize) -> MemoryBytes {
    MemoryBytes { parameters: parameters as u64, buffers: buffers as u64, ..MemoryBytes::default() }
}
