//! Where a network computes.

use burn::tensor::Device;

/// Where a network computes: a device of Burn, made by whoever knows which ones this build and this machine have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeuralDevice(Device);

impl NeuralDevice {
    /// Burn's pure Rust backend: the processor, or the browser tab when compiled for wasm. It computes on the thread that
    /// calls it, so the number of threads cannot change a result.
    pub fn flex() -> Self {
        Self(Device::flex())
    }

    /// Burn's name for it, without gradients.
    pub(crate) fn plain(&self) -> Device {
        self.0.clone()
    }
}

impl Default for NeuralDevice {
    fn default() -> Self {
        Self::flex()
    }
}

impl From<Device> for NeuralDevice {
    /// Without gradients: a training makes its own tape where it wants one.
    fn from(device: Device) -> Self {
        Self(device.inner())
    }
}

/// Whether a device computes in this process' own memory, on the thread that calls it.
pub(crate) fn in_this_memory(device: &Device) -> bool {
    *device == Device::flex()
}
