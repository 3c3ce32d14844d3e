//! What a worker build can do: the answer of `recspeed-worker probe`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::absence::{Absence, AbsentDevice};
use crate::spec::{Device, EngineKind};

/// The protocol between a worker and whoever started it; raised when an old reader would misunderstand a new worker.
pub const PROTOCOL_VERSION: u32 = 1;

/// What a worker build can do. The server offers only what a probe has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Probe {
    /// [`PROTOCOL_VERSION`] of the worker.
    pub protocol: u32,
    /// Name and version of each part that computes.
    pub versions: BTreeMap<String, String>,
    /// Compile-time features.
    pub features: Vec<String>,
    /// Devices, the default first.
    pub devices: Vec<ProbedDevice>,
    /// Devices of Burn that are not among them, each with why. A worker that was built before this was told names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<AbsentDevice>,
    /// Kinds of recommenders.
    pub recommenders: Vec<String>,
}

impl Probe {
    /// Why this device of Burn's is not here; `None` where it is. What an older worker says nothing of, it was not built with.
    pub fn absence(&self, device: Device) -> Option<AbsentDevice> {
        let name = device.as_str();
        let burn = EngineKind::Burn.as_str();
        if self.devices.iter().any(|found| found.engine == burn && found.device == name) {
            return None;
        }
        let told = self.absent.iter().find(|absent| absent.engine == burn && absent.device == name).cloned();
        Some(told.unwrap_or_else(|| AbsentDevice::of_burn(device, Absence::NotBuilt, "")))
    }
}

/// A device that a worker can train on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProbedDevice {
    /// `engine.kind` of a spec.
    pub engine: String,
    /// `engine.device` of a spec.
    pub device: String,
    /// Name for people.
    pub title: String,
    /// Bytes of memory, where known.
    pub memory: Option<u64>,
    /// Whether that memory is the device's own, or the machine's, as for processors and GPUs without memory of their own. A worker that
    /// was built before this was told says nothing of it: then it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_memory: Option<bool>,
    /// The GPU whose own memory it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// Threads, for devices that are processors.
    pub threads: Option<u32>,
}
