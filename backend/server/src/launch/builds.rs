//! Worker builds that stand side by side: each has devices that the others lack.
//!
//! `recspeed-worker-libtorch` beside `recspeed-worker` is taken for the devices of LibTorch, and so on: [`Device::worker_build`].

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use recspeed_types::spec::Device;

/// The program that has this device: the build of that name beside `worker`, where there is one, else `worker` itself, which says
/// what is missing.
pub(crate) fn of_device(worker: &Path, device: Device) -> PathBuf {
    let build = device.worker_build().map(|build| named(worker, build));
    build.filter(|build| build.is_file()).unwrap_or_else(|| worker.to_owned())
}

/// The program for a run on these devices: the first build that one of them needs.
pub(crate) fn of_devices(worker: &Path, devices: &[Device]) -> PathBuf {
    let needed = devices.iter().map(|&device| of_device(worker, device)).find(|program| program != worker);
    needed.unwrap_or_else(|| worker.to_owned())
}

/// Every other build beside `worker`.
pub(crate) fn beside(worker: &Path) -> Vec<PathBuf> {
    let mut builds: Vec<&str> = Device::OF_BURN.iter().filter_map(|device| device.worker_build()).collect();
    builds.dedup();
    builds.into_iter().map(|build| named(worker, build)).filter(|build| build.is_file()).collect()
}

fn named(worker: &Path, build: &str) -> PathBuf {
    let mut name = worker.file_name().map(OsString::from).unwrap_or_default();
    name.push("-");
    name.push(build);
    worker.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_takes_its_build_where_it_is_there_and_else_the_usual_worker() {
        let folder = tempfile::tempdir().expect("a folder");
        let worker = folder.path().join("recspeed-worker");
        assert_eq!(of_device(&worker, Device::LibtorchCpu), worker);
        assert!(beside(&worker).is_empty());
        let build = folder.path().join("recspeed-worker-libtorch");
        std::fs::write(&build, "").expect("a file");
        for device in [Device::LibtorchCpu, Device::LibtorchCuda] {
            assert_eq!(of_device(&worker, device), build);
        }
        for device in [Device::Flex, Device::Browser, Device::Vulkan] {
            assert_eq!(of_device(&worker, device), worker);
        }
        assert_eq!(beside(&worker), std::slice::from_ref(&build));
        assert_eq!(of_devices(&worker, &[Device::Flex, Device::LibtorchCpu]), build);
        assert_eq!(of_devices(&worker, &[Device::Flex]), worker);
    }
}
