//! What a training depends on, by the names of the spec: whose checkpoint goes on with it.

use recspeed_data::checkpoint::Identity;
use recspeed_types::spec::{Precision, ResolvedRecommender, Training};

use crate::FitRequest;

/// Kinds that learn whether a rating is at least the threshold.
const BY_THRESHOLD: &[&str] = &["densenet"];

/// How the networks of a recommender are trained, itself or as its components: `[training]`, and where they learn by it,
/// `evaluation.threshold`.
pub fn how_trained(recommender: &ResolvedRecommender, training: &Training, threshold: f64) -> Identity {
    // Named one by one: a setting that is added must find its place here.
    let Training {
        epochs,
        batch_size,
        optimizer,
        learning_rate,
        weight_decay,
        loss,
        early_stopping,
        gradient_clip,
        precision,
    } = training;
    let precision = match precision {
        Precision::F32 => "f32",
    };
    let mut identity = Identity::default()
        .with("training.epochs", epochs)
        .with("training.batch_size", batch_size)
        .with("training.optimizer", &format!("\"{}\"", optimizer.as_str()))
        .with("training.learning_rate", learning_rate)
        .with("training.weight_decay", weight_decay)
        .with("training.loss", &format!("\"{}\"", loss.as_str()))
        .with("training.precision", &format!("\"{precision}\""));
    if let Some(patience) = early_stopping {
        identity = identity.with("training.early_stopping", patience);
    }
    if let Some(clip) = gradient_clip {
        identity = identity.with("training.gradient_clip", clip);
    }
    if recommender.all().iter().any(|part| BY_THRESHOLD.contains(&part.entry.kind)) {
        identity = identity.with("evaluation.threshold", &threshold);
    }
    identity
}

impl FitRequest<'_> {
    /// What the training depends on, but for what its network and its lesson are made of.
    pub(crate) fn identity(&self) -> Identity {
        let interactions = self.train.interactions;
        how_trained(self.recommender, self.training, self.threshold)
            .with_recommender(self.recommender, &[])
            .with("seed", &self.seed)
            .with_rows(interactions, self.train.rows)
            .with_validation(interactions, self.validation.rows)
            .with_attributes(self.recommender, self.item_attributes, self.user_attributes)
    }
}
