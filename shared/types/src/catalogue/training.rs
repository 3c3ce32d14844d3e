//! How a network is trained where the spec does not say.

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
    /// The paper's.
    pub(super) const PAPER: Self = Self::of(3, 64);

    /// So many epochs of such batches, at the step size of all. Of the kinds that learn vectors of users and items, settings that
    /// reach a good list on MovieLens 100K in well under a minute.
    pub(super) const fn of(epochs: u32, batch_size: u32) -> Self {
        Self { epochs, batch_size, learning_rate: 1e-3 }
    }
}
