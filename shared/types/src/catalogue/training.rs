//! How each network is trained where the spec does not say.

/// The settings of `[training]` that a kind has values of its own for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainingDefaults {
    /// Passes over the training rows.
    pub epochs: u32,
    /// Rows in a mini-batch.
    pub batch_size: u32,
    /// Step size.
    pub learning_rate: f64,
}

impl TrainingDefaults {
    /// Of the kinds that learn vectors of users and items, settings that reach a good list on MovieLens 100K in well under a
    /// minute; of the others the paper's.
    pub(super) fn of(kind: &str) -> Self {
        let (epochs, batch_size, learning_rate) = match kind {
            "neumf" | "wide-and-deep" | "deepfm" => (20, 256, 1e-3),
            "dlrm" => (5, 256, 1e-3),
            "sasrec" | "gru4rec" | "caser" | "bert4rec" => (20, 128, 1e-3),
            "autoencoder" => (60, 100, 1e-3),
            _ => (3, 64, 1e-3),
        };
        Self { epochs, batch_size, learning_rate }
    }
}
