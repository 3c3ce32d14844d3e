//! A network that has learnt.

use recspeed_data::parts::Parts;
use recspeed_types::event::MemoryBytes;
use recspeed_types::summary::TrainingInfo;

/// A network that has learnt, and how that went.
pub struct Fitted {
    /// The network.
    pub model: Box<dyn NeuralModel>,
    /// How the training went.
    pub info: TrainingInfo,
}

impl std::fmt::Debug for Fitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fitted").field("info", &self.info).finish_non_exhaustive()
    }
}

/// A network that has learnt: it answers with ratings in stars, not clamped to any scale.
pub trait NeuralModel: Send + Sync {
    /// Ratings of many (user, item, timestamp) triples.
    ///
    /// # Shapes
    /// - `users`, `items`, `timestamps`: `[n]`; where they differ, the shortest counts
    /// - returns: `[n]`, stars
    fn predict_rows(&self, users: &[u32], items: &[u32], timestamps: &[i64]) -> Vec<f32>;

    /// Ratings of every item by one user at one time, for a ranking.
    ///
    /// # Shapes
    /// - `scores`: `[items]`, filled with stars; `scores[i]` belongs to item `i`
    fn score_all(&self, user: u32, timestamp: i64, scores: &mut [f32]);

    /// The time to rank at when no other is given: the newest training row, because that is the last moment at which the
    /// network saw ratings.
    fn reference_timestamp(&self) -> i64;

    /// Learnt numbers.
    fn parameters(&self) -> u64;

    /// Bytes that the model holds.
    fn memory(&self) -> MemoryBytes;

    /// Everything that the model answers with: [`crate::restore`] makes the same model of it.
    fn parts(&self) -> Parts;
}
