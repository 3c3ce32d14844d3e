//! What a run on this machine may hold: of the machine's memory, and of that of its GPUs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use recspeed_plan::DeviceMemory;
use recspeed_types::probe::ProbedDevice;
use recspeed_types::spec::{Device, ResolvedSpec};

use crate::command::output;
use crate::command::run::find_worker;
use crate::launch::{of_device, probe};

/// How long a worker may take to say what it has: its drivers compile.
const PATIENCE: Duration = Duration::from_secs(75);

/// Nine tenths of [`of_the_machine`]: what a worker takes as its limit.
pub(super) fn of_a_run() -> Option<u64> {
    of_the_machine().map(|bytes| bytes / 10 * 9)
}

/// Bytes of the machine's memory, or of its control group's when that is less.
pub(in crate::command) fn of_the_machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.split_whitespace().next()?;
    let machine = kib.parse::<u64>().ok()?.saturating_mul(1024);
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    Some(group.map_or(machine, |group| group.min(machine)))
}

/// Where the numbers of each rank lie. The worker builds that have the named GPUs are asked, which may take a while; what none of them has
/// is not known, nor are the GPUs of other frameworks. `each`: bytes of each GPU, where the command line says them: then nobody is asked.
pub(super) fn of_devices(spec: &ResolvedSpec, each: Option<u64>) -> Vec<DeviceMemory> {
    let devices = devices(spec);
    let is_asked = each.is_none() && !spec.engine.kind.is_reference();
    let probed = find_worker(None).ok().filter(|_| is_asked).map(|worker| probed(&worker, &devices));
    memories(spec, &devices, &probed.unwrap_or_default(), each)
}

/// The device of each rank.
fn devices(spec: &ResolvedSpec) -> Vec<Device> {
    let of = |rank| spec.strategy.device_of(rank).unwrap_or(spec.engine.device);
    (0..spec.strategy.ranks as usize).map(of).collect()
}

fn memories(spec: &ResolvedSpec, devices: &[Device], probed: &[ProbedDevice], each: Option<u64>) -> Vec<DeviceMemory> {
    let of = |&device: &Device| match DeviceMemory::of(spec.engine.kind, device, probed) {
        DeviceMemory::Own { name, bytes, library } => DeviceMemory::Own { name, bytes: each.or(bytes), library },
        DeviceMemory::Machine => DeviceMemory::Machine,
    };
    devices.iter().map(of).collect()
}

/// What the builds with these GPUs tell of them; nothing where there is none, or none that answers.
fn probed(worker: &Path, devices: &[Device]) -> Vec<ProbedDevice> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let ask = |program: &PathBuf| {
        output::complain(&format!(
            "recspeed: asking {} what memory its GPU has, for {} s at most; --gpu-memory MIB says it instead.",
            program.display(),
            PATIENCE.as_secs()
        ));
        runtime.block_on(probe(program, PATIENCE)).ok()
    };
    with_gpus(worker, devices).iter().filter_map(ask).flat_map(|probe| probe.devices).collect()
}

/// The builds that have the GPUs among these devices, each once.
fn with_gpus(worker: &Path, devices: &[Device]) -> Vec<PathBuf> {
    let mut builds = Vec::new();
    for &device in devices.iter().filter(|device| !device.is_processor()) {
        let build = of_device(worker, device);
        if !builds.contains(&build) {
            builds.push(build);
        }
    }
    builds
}

#[cfg(test)]
mod tests {
    use recspeed_plan::Library;
    use recspeed_types::ExperimentSpec;

    use super::*;

    fn probe_of(device: Device, gpu: Option<&str>, memory: Option<u64>) -> ProbedDevice {
        ProbedDevice {
            engine: "burn".to_owned(),
            device: device.as_str().to_owned(),
            title: format!("Burn on {}", gpu.unwrap_or("the machine")),
            memory,
            own_memory: Some(gpu.is_some()),
            gpu: gpu.map(str::to_owned),
            threads: None,
        }
    }

    #[test]
    fn ranks_on_a_gpu_have_its_memory_and_those_in_software_or_on_processors_the_machines() {
        let text = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"mlp\"\n\
                    [evaluation]\nmetrics = [\"rmse\"]\n[strategy]\nkind = \"hybrid\"\nstages = 3\nranks = 6\n\
                    devices = [\"flex\", \"cuda\", \"vulkan\"]\n";
        let spec = ExperimentSpec::from_toml(text).expect("a spec").resolve().expect("it is possible");
        let all = devices(&spec);
        assert_eq!(all, [Device::Flex, Device::Flex, Device::Cuda, Device::Cuda, Device::Vulkan, Device::Vulkan]);
        let cuda = probe_of(Device::Cuda, Some("a card"), Some(8 << 30));
        let software = probe_of(Device::Vulkan, None, Some(64 << 30));
        let named = |name: &str, bytes| DeviceMemory::Own { name: name.to_owned(), bytes, library: Library::Cubecl };
        let own = |bytes| named("a card", bytes);
        let told = memories(&spec, &all, &[cuda.clone(), software], None);
        let machine = DeviceMemory::Machine;
        let known = own(Some(8 << 30));
        assert_eq!(told, [&machine, &machine, &known, &known, &machine, &machine].map(Clone::clone));
        // A driver that tells no memory, and one that nobody has asked.
        let silent = probe_of(Device::Vulkan, Some("a card"), None);
        assert_eq!(memories(&spec, &all, &[silent], None)[4], own(None));
        let unknown = memories(&spec, &all, &[], None);
        assert_eq!(unknown[2], named("the GPU of `cuda`", None));
        let said = memories(&spec, &all, &[cuda], Some(4 << 30));
        assert_eq!(said[2], own(Some(4 << 30)), "the command line counts");
        assert_eq!(said[0], machine);
    }

    #[test]
    fn only_builds_with_a_gpu_that_is_named_are_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let worker = folder.path().join("recspeed-worker");
        for build in ["libtorch", "vulkan", "cuda"] {
            fs::write(folder.path().join(format!("recspeed-worker-{build}")), "").expect("a file");
        }
        let asked = |devices: &[Device]| -> Vec<String> {
            let builds = with_gpus(&worker, devices);
            builds.iter().map(|build| build.file_name().expect("a name").to_string_lossy().into_owned()).collect()
        };
        assert!(asked(&[Device::Flex, Device::LibtorchCpu]).is_empty());
        assert_eq!(asked(&[Device::Cuda, Device::Flex, Device::Cuda]), ["recspeed-worker-cuda"]);
        let two = [Device::Vulkan, Device::LibtorchCuda, Device::Vulkan];
        assert_eq!(asked(&two), ["recspeed-worker-vulkan", "recspeed-worker-libtorch"]);
    }
}
