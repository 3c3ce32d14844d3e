//! Where a network computes.

use burn::tensor::Device;

/// Where a network computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NeuralDevice {
    /// Burn's pure Rust backend: the processor, or the browser tab when compiled for wasm. It computes on the thread that
    /// calls it, so the number of threads cannot change a result.
    #[default]
    Flex,
}

impl NeuralDevice {
    /// Burn's name for it, without gradients.
    pub(crate) fn plain(self) -> Device {
        match self {
            Self::Flex => Device::flex(),
        }
    }
}
