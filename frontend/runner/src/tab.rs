//! The browser tab as the experiment's host.

use std::collections::BTreeMap;

use recspeed_experiment::{BURN_VERSION, Host, LoadedData, ProcessMemory, RunFailure};
use recspeed_types::spec::{Dataset, Device, EngineSpec, Launcher, ResolvedSpec};
use recspeed_types::summary::{EngineInfo, MatrixPrecision};
use recspeed_types::{EventKind, FailureCode, FitObserver};

use crate::{data, outlet};

/// The tab, with the file that the page handed over.
pub(crate) struct Tab {
    upload: Option<Vec<u8>>,
    name: Option<String>,
    version: Option<String>,
}

impl Tab {
    pub(crate) const fn new(upload: Option<Vec<u8>>, name: Option<String>, version: Option<String>) -> Self {
        Self { upload, name, version }
    }
}

impl FitObserver for Tab {
    fn event(&mut self, event: EventKind) {
        outlet::emit(event);
    }

    /// The page stops a run by ending the web worker, so there is nothing to ask.
    fn stop_requested(&mut self) -> bool {
        false
    }

    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}

    fn wants_checkpoint(&mut self) -> bool {
        false
    }

    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

impl Host for Tab {
    fn load(&mut self, dataset: &Dataset, seed: u64) -> Result<LoadedData, RunFailure> {
        data::load(dataset, seed, self.upload.take(), self.name.take())
    }

    /// A tab runs what the processor runs: `flex` in a spec means Burn's pure Rust backend, which here is `browser`.
    fn engine(&self, spec: &ResolvedSpec) -> Result<EngineInfo, RunFailure> {
        let refused = |cause: String| Err(RunFailure::new(FailureCode::InvalidSpec, cause));
        let EngineSpec { kind, device, .. } = spec.engine;
        if kind.is_reference() {
            return refused(format!(
                "engine.kind is `{}`, and a tab has no engine but `burn`; run it on the server, or set engine.kind to `burn`.",
                kind.as_str()
            ));
        }
        if spec.strategy.launcher == Launcher::Mpi {
            let cause = "strategy.launcher is `mpi`, and a tab starts no processes; run it on the server, or set strategy.launcher to `threads`.";
            return refused(cause.to_owned());
        }
        if !matches!(device, Device::Flex | Device::Browser) {
            return refused(format!(
                "engine.device is `{}`, and a tab computes on the processor; run it on the server, or set engine.device to `flex`.",
                device.as_str()
            ));
        }
        let mut of_stages = spec.strategy.devices.iter().flatten();
        if let Some(other) = of_stages.find(|device| !matches!(device, Device::Flex | Device::Browser)) {
            return refused(format!(
                "strategy.devices names `{}`, and a tab computes on the processor; run it on the server, or leave strategy.devices out.",
                other.as_str()
            ));
        }
        Ok(EngineInfo {
            kind: kind.as_str().to_owned(),
            device: Device::Browser.as_str().to_owned(),
            versions: BTreeMap::from([
                ("recspeed".to_owned(), self.version.clone().unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())),
                ("burn".to_owned(), BURN_VERSION.to_owned()),
            ]),
            host: outlet::scope().navigator().user_agent().unwrap_or_else(|_| "a browser".to_owned()),
            threads: 1,
            precision: MatrixPrecision::of_burn(&[Device::Browser], |_| None),
        })
    }

    fn now_us(&self) -> u64 {
        outlet::now_us()
    }

    fn clock(&self) -> Option<fn() -> u64> {
        Some(outlet::now_us)
    }

    /// The memory of the wasm instance, which never shrinks: its size is its peak.
    fn memory(&self) -> ProcessMemory {
        let bytes = instance_bytes();
        ProcessMemory { now: bytes, peak: bytes }
    }
}

/// Bytes of the wasm instance.
#[cfg(target_arch = "wasm32")]
pub(crate) fn instance_bytes() -> u64 {
    const PAGE: u64 = 64 * 1024;
    core::arch::wasm32::memory_size::<0>() as u64 * PAGE
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn instance_bytes() -> u64 {
    0
}
