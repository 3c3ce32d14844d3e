//! Burn's devices as a study sees them: here, or missing with what brings them.

use std::path::Path;
use std::process::{Command, Stdio};

use recspeed_types::probe::Probe;
use recspeed_types::spec::Device;
use recspeed_types::study::Missing;

use crate::launch::of_devices;

/// What a run on this device waits for; `None` where the device is here.
pub(super) fn missing(worker: &Path, device: Device) -> Option<Missing> {
    let program = of_devices(worker, &[device]);
    let asked = Command::new(&program).arg("probe").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let why = match asked.map(|output| serde_json::from_slice::<Probe>(&output.stdout)) {
        Ok(Ok(probe)) if probe.devices.iter().any(|offered| offered.device == device.as_str()) => return None,
        Ok(Ok(_)) => format!("no device {} here", device.as_str()),
        Ok(Err(_)) => format!("the worker {} does not say what it can do", program.display()),
        Err(error) => format!("the worker {} cannot be started: {error}", program.display()),
    };
    let install =
        device.worker_build().map_or_else(|| "make binaries".to_owned(), |build| format!("make worker-{build}"));
    Some(Missing { install, why })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_device_is_here_where_the_worker_offers_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let worker = folder.path().join("recspeed-worker");
        let offers = r#"{"protocol":1,"versions":{},"features":[],"recommenders":[],
            "devices":[{"engine":"burn","device":"flex","title":"flex","memory":null,"threads":2}]}"#;
        std::fs::write(&worker, format!("#!/bin/sh\necho '{}'\n", offers.replace('\n', ""))).expect("a script");
        std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).expect("a program");
        assert_eq!(missing(&worker, Device::Flex), None);
        let vulkan = missing(&worker, Device::Vulkan).expect("missing");
        assert_eq!(vulkan.install, "make worker-vulkan");
    }
}
