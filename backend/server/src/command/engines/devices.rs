//! Burn's devices among the engines: which of them the workers here have, why not the others, and what brings those.

use std::time::Duration;

use recspeed_engines::{EngineError, Engines, Reference};
use recspeed_types::probe::Probe;
use recspeed_types::spec::Device;
use serde_json::{Value, json};

use crate::command::run::find_worker;
use crate::launch::probe_all;

/// How long each worker may take to say what it has: its drivers compile.
const PATIENCE: Duration = Duration::from_secs(75);

/// What the worker beside this program, or in PATH, and the builds beside that can do together; or why nobody knows.
pub(super) fn ask() -> Result<Probe, String> {
    let worker = find_worker(None).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no worker can be asked: {error}"))?;
    runtime.block_on(probe_all(&worker, PATIENCE)).map_err(|error| error.to_string())
}

/// A line of each device but the one that every worker has.
pub(super) fn rows(answer: &Result<Probe, String>) -> Vec<[String; 4]> {
    let line = |device: &str, here: String| {
        let what = "a device of burn, for networks";
        ["burn".to_owned(), format!("{what}: {device}"), here, String::new()]
    };
    match answer {
        Ok(probe) => {
            let others = Device::OF_BURN.into_iter().filter(|device| *device != Device::Flex);
            others.map(|device| line(device.as_str(), here(probe, device))).collect()
        }
        Err(why) => vec![line("unknown", why.clone())],
    }
}

/// Whether a device is here; else why not, and what brings it.
fn here(probe: &Probe, device: Device) -> String {
    let Some(absent) = probe.absence(device) else {
        let found = probe.devices.iter().find(|found| found.device == device.as_str());
        return found.map_or_else(|| "yes".to_owned(), |found| format!("yes: {}", found.title));
    };
    let detail = if absent.detail.is_empty() { String::new() } else { format!(" ({})", absent.detail) };
    let brings = if absent.install.is_empty() { &absent.remedy } else { &absent.install };
    format!("{}{detail}: {brings}", absent.why.words())
}

/// The same for programs.
pub(super) fn told(answer: &Result<Probe, String>) -> Value {
    match answer {
        Ok(probe) => {
            let absent: Vec<_> = Device::OF_BURN.into_iter().filter_map(|device| probe.absence(device)).collect();
            json!({ "here": probe.devices, "absent": absent })
        }
        Err(why) => json!({ "here": [], "absent": [], "why": why }),
    }
}

/// What an installed engine has no GPU for, and what to do; nothing where it computes wherever it can.
pub(super) fn without(engines: &Engines, reference: &Reference) -> String {
    let mut refused =
        reference.kind.devices().iter().filter_map(|&device| engines.has_device(reference.kind, device).err());
    match refused.next() {
        Some(EngineError::NoDevice { device, why, remedy, .. }) => {
            format!("; not on {device} ({}): {}", why.words(), remedy.replace('`', ""))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::probe::PROTOCOL_VERSION;
    use recspeed_types::{Absence, AbsentDevice};

    use super::*;

    #[test]
    fn every_device_says_whether_it_is_here_and_else_why_not_and_what_brings_it() {
        let probe = Probe {
            protocol: PROTOCOL_VERSION,
            versions: [].into(),
            features: Vec::new(),
            devices: Vec::new(),
            absent: vec![
                AbsentDevice::of_burn(Device::LibtorchCuda, Absence::NoGpu, ""),
                AbsentDevice::of_burn(Device::Vulkan, Absence::NoDriver, "no Vulkan driver names a GPU"),
            ],
            recommenders: Vec::new(),
        };
        let here: Vec<String> = rows(&Ok(probe.clone())).into_iter().map(|[_, _, here, _]| here).collect();
        let expected = [
            "not built: recspeed engines install libtorch && make worker-libtorch",
            "no GPU: choose another device, or a machine with a GPU",
            "no driver (no Vulkan driver names a GPU): apt-get install mesa-vulkan-drivers",
            "not built: make worker-cuda",
        ];
        assert_eq!(here, expected);
        let absent = told(&Ok(probe))["absent"].as_array().map(Vec::len);
        assert_eq!(absent, Some(Device::OF_BURN.len()), "also what an older worker names nothing of");
        let unknown = Err("no worker".to_owned());
        assert_eq!((rows(&unknown).len(), rows(&unknown)[0][2].as_str()), (1, "no worker"));
        assert_eq!(told(&unknown)["why"], "no worker");
    }
}
