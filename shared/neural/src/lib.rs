//! Burn models, losses and batches.
