//! A network as a [`Recommender`].

use recspeed_neural::NeuralModel;
use recspeed_recommenders::Recommender;
use recspeed_types::event::MemoryBytes;

/// A network that predicts ratings, ranked at one moment in time.
pub(crate) struct NeuralRecommender {
    model: Box<dyn NeuralModel>,
    /// Seconds since 1970 at which lists are made: the newest training row's.
    now: i64,
}

impl NeuralRecommender {
    pub(crate) const fn new(model: Box<dyn NeuralModel>, now: i64) -> Self {
        Self { model, now }
    }
}

impl Recommender for NeuralRecommender {
    fn predict(&self, user: u32, item: u32, timestamp: i64) -> f32 {
        self.model.predict_rows(&[user], &[item], &[timestamp])[0]
    }

    fn predict_rows(&self, users: &[u32], items: &[u32], timestamps: &[i64]) -> Vec<f32> {
        self.model.predict_rows(users, items, timestamps)
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.model.score_all(user, self.now, scores);
    }

    fn memory(&self) -> MemoryBytes {
        self.model.memory()
    }

    fn parameters(&self) -> u64 {
        self.model.parameters()
    }
}
