//! A network that has learnt.

use recspeed_data::Permutation;
use recspeed_data::parts::Parts;
use recspeed_types::event::MemoryBytes;
use recspeed_types::summary::{Begun, TrainingInfo};

use crate::{Elsewhere, Rows};

/// A network that has learnt, and how that went.
pub struct Fitted {
    /// The network.
    pub model: Box<dyn NeuralModel>,
    /// How the training went.
    pub info: TrainingInfo,
    /// What the training began with, where that is told; beside `info`, which is the same of a training that was stopped and went on.
    pub begun: Option<Begun>,
    /// Where another framework trained, how.
    pub elsewhere: Option<Elsewhere>,
}

impl std::fmt::Debug for Fitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fitted").field("info", &self.info).finish_non_exhaustive()
    }
}

/// A network that has learnt: it answers with what the catalogue's `predicts` says, ratings in stars, not clamped to any
/// scale, probabilities, or scores.
pub trait NeuralModel: Send + Sync {
    /// Answers for many (user, item, timestamp) triples.
    ///
    /// # Shapes
    /// - `users`, `items`, `timestamps`: `[n]`; where they differ, the shortest counts
    /// - returns: `[n]`
    fn predict_rows(&self, users: &[u32], items: &[u32], timestamps: &[i64]) -> Vec<f32>;

    /// What every item is ranked by for one user at one time.
    ///
    /// # Shapes
    /// - `scores`: `[items]`, overwritten; `scores[i]` belongs to item `i`
    fn score_all(&self, user: u32, timestamp: i64, scores: &mut [f32]);

    /// [`Self::score_all`] for some users at [`Self::reference_timestamp`]. A user's numbers do not depend on who else is in
    /// the tile, except for their last bits.
    ///
    /// # Shapes
    /// - `scores`: `[users, items]`, overwritten
    fn score_tile(&self, users: &[u32], scores: &mut [f32]) {
        let n_items = scores.len() / users.len().max(1);
        for (&user, scores) in users.iter().zip(scores.chunks_exact_mut(n_items.max(1))) {
            self.score_all(user, self.reference_timestamp(), scores);
        }
    }

    /// Users of a tile that make the best use of the machine.
    fn tile_users(&self) -> usize {
        1
    }

    /// The time to rank at when no other is given: the newest training row, because that is the last moment at which the
    /// network saw ratings.
    fn reference_timestamp(&self) -> i64;

    /// Answers for known users from these rows from now on, all that is known of them before what is asked, without learning
    /// from them. Networks that have a vector for each person instead answer as before. Of the interactions that it was trained on.
    fn read(&mut self, _known: Rows<'_>) {}

    /// Answers from now on as if the items, or the users, had each other's values of an attribute; `None` takes that back. False
    /// where the network does not read the attribute, or has been made of saved parts, which do not know its name.
    fn permute(&mut self, _permutation: Option<&Permutation<'_>>) -> bool {
        false
    }

    /// How it serves people who came after the training, where it can.
    fn fold_in(&self) -> Option<&dyn NeuralFoldIn> {
        None
    }

    /// Learnt numbers.
    fn parameters(&self) -> u64;

    /// Bytes that the model holds.
    fn memory(&self) -> MemoryBytes;

    /// Everything that the model answers with: [`crate::restore`] makes the same model of it.
    fn parts(&self) -> Parts;
}

/// Answers for a person who is in no training row, from what they have, without training again.
pub trait NeuralFoldIn {
    /// What every item is ranked by for this person. `basket`: items, the oldest first, and their ratings in stars.
    ///
    /// # Shapes
    /// - `scores`: `[items]`, overwritten
    fn score_basket(&self, basket: &[(u32, f32)], scores: &mut [f32]);
}
