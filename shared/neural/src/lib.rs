//! Networks on Burn: layers, losses, batches, and the loop that trains them.
//!
//! [`fit`] trains the network that a spec names and answers with a [`NeuralModel`]. Burn's `flex` backend does the
//! arithmetic, natively and in a browser tab. Everything random (initial weights, the order of the rows in each epoch)
//! is drawn here from the spec's seed with ChaCha, so the same seed starts from the same bits on every machine.
//!
//! Architecture invariant: a network never reads a clock, a file or a global random state, and it knows ratings only as
//! the columns that it is handed.

mod device;
mod elsewhere;
mod error;
mod examples;
mod fields;
mod fit;
mod history;
mod identity;
mod method;
mod model;
mod network;
mod random;
mod rows;
mod scaling;
mod sequence;
mod strategy;
mod training;

pub use device::NeuralDevice;
pub use elsewhere::{Elsewhere, Failure, Job, Trained, Trainer};
pub use error::NeuralFitError;
pub use fit::{fit, fit_elsewhere, fit_ranked, is_network, kinds, restore};
pub use identity::how_trained;
pub use method::FitRequest;
pub use model::{Fitted, NeuralFoldIn, NeuralModel};
pub use rows::Rows;
pub use strategy::{Seat, TOLD_STEPS};

/// Version of Burn, the tensor library that trains the networks.
pub const BURN_VERSION: &str = "0.22.1";

/// Counts what is allocated, for the tests that say how much a pass keeps.
#[cfg(test)]
#[global_allocator]
static ALLOCATED: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

#[cfg(test)]
mod tests {
    #[test]
    fn the_reported_version_of_burn_is_the_pinned_one() {
        let manifest = include_str!("../../../Cargo.toml");
        let pin = format!("burn = {{ version = \"={}\"", super::BURN_VERSION);
        assert!(manifest.contains(&pin), "the workspace does not pin {pin}");
    }
}
