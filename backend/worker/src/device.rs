//! Burn's devices: which of them this build has, which of those this machine has, and opening one.
//!
//! The only module that names a backend. Everything else is handed a [`NeuralDevice`] and does not look inside.

use std::collections::BTreeMap;

use burn::tensor::Device as BurnDevice;
use recspeed_experiment::{DeviceMemory, NeuralDevice};
use recspeed_types::probe::ProbedDevice;
use recspeed_types::spec::{Device, EngineKind};
use recspeed_types::{Absence, AbsentDevice};

use crate::machine;
use crate::output::complain;

/// A device that was asked for and is not here; a sentence with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The device `{}` {why}", device.as_str())]
pub(crate) struct NotHere {
    device: Device,
    why: String,
}

/// Compile-time features that add devices.
pub(crate) fn features() -> Vec<String> {
    let all = [("libtorch", cfg!(feature = "libtorch")), ("vulkan", cfg!(feature = "vulkan"))];
    let all = all.into_iter().chain([("cuda", cfg!(feature = "cuda"))]);
    all.filter(|(_, built)| *built).map(|(name, _)| name.to_owned()).collect()
}

/// Opens a device, which computes with as many threads as this process' pool where it is a processor.
///
/// # Errors
/// [`NotHere`]: another build of the worker has it, or this machine lacks it.
pub(crate) fn open(device: Device) -> Result<NeuralDevice, NotHere> {
    burn(device).map(NeuralDevice::from)
}

/// The same, as Burn's own.
///
/// # Errors
/// As [`open`].
pub(crate) fn burn(device: Device) -> Result<BurnDevice, NotHere> {
    let not_here = |why: String| NotHere { device, why };
    match (device, device.worker_build()) {
        (Device::Flex, _) => Ok(BurnDevice::flex()),
        (_, None) => Err(not_here("is none of Burn's in a worker: name `flex` instead".to_owned())),
        (_, Some(build)) => match backend(device) {
            Some(Ok(device)) => Ok(device),
            Some(Err((why, said))) => {
                let remedy = why.remedy(EngineKind::Burn, device);
                Err(not_here(format!("does not work on this machine ({said}): {remedy}; or name `flex` instead")))
            }
            None => {
                let why = not_built(device);
                let remedy = why.remedy(EngineKind::Burn, device);
                Err(not_here(match why {
                    Absence::NotBuilt => format!(
                        "is not in this worker: {remedy}; `recspeed-worker-{build}` beside this one is then taken by itself; \
                         or name `flex` instead"
                    ),
                    other => format!("is not here ({}): {remedy}; or name `flex` instead", other.words()),
                }))
            }
        },
    }
}

/// The devices that a run can name here, the default first.
pub(crate) fn offered() -> Vec<ProbedDevice> {
    Device::OF_BURN.into_iter().filter(|&device| absence(device).is_none()).map(probed).collect()
}

/// All others, each with why it is not here and what brings it.
pub(crate) fn absent() -> Vec<AbsentDevice> {
    Device::OF_BURN.into_iter().filter_map(absence).collect()
}

/// Why a device is not here; what was tried once in a process is not tried again.
fn absence(device: Device) -> Option<AbsentDevice> {
    if device == Device::Flex {
        return None;
    }
    match backend(device) {
        Some(Ok(_)) => None,
        Some(Err((why, said))) => Some(AbsentDevice::of_burn(device, why, said)),
        None => Some(AbsentDevice::of_burn(device, not_built(device), "")),
    }
}

/// Why a device is not here that this build lacks: where the machine has no GPU for it, no other build would have it.
fn not_built(device: Device) -> Absence {
    no_gpu(device).unwrap_or(Absence::NotBuilt)
}

/// That there is no GPU for a device which computes on nothing else; by Vulkan a processor may play one.
fn no_gpu(device: Device) -> Option<Absence> {
    matches!(device, Device::LibtorchCuda | Device::Cuda).then(|| recspeed_engines::gpu().absence()).flatten()
}

/// Why a device of this build does not work, with what a driver or a library says of it.
type Broken = (Absence, String);

fn probed(device: Device) -> ProbedDevice {
    let processor = device.is_processor();
    let graphics = gpu(device);
    let place = match (&graphics, processor) {
        (Some(gpu), false) => gpu.name.clone(),
        (None, false) => "the GPU".to_owned(),
        (_, true) => machine::describe(),
    };
    // A GPU of which nothing is known counts as one with memory of its own.
    let own_memory = !processor && graphics.as_ref().is_none_or(|gpu| gpu.own_memory);
    let title = match device {
        Device::Flex => "Burn flex",
        Device::LibtorchCpu | Device::LibtorchCuda => "Burn on LibTorch",
        Device::Vulkan => "Burn by Vulkan",
        _ => "Burn by CUDA",
    };
    ProbedDevice {
        engine: EngineKind::Burn.as_str().to_owned(),
        device: device.as_str().to_owned(),
        title: format!("{title} on {place}"),
        gpu: own_memory.then_some(place),
        own_memory: Some(own_memory),
        memory: if processor { machine::memory_total() } else { graphics.and_then(|gpu| gpu.memory) },
        threads: processor.then(machine::cores),
    }
}

/// Where the numbers of a rank lie that computes on this device of an engine; `at`: which of several GPUs.
pub(crate) fn memory(engine: EngineKind, device: Device, at: usize) -> DeviceMemory {
    let probed = if engine == EngineKind::Burn && !device.is_processor() { vec![probed(device)] } else { Vec::new() };
    match DeviceMemory::of(engine, device, &probed) {
        // Those beside the first one are taken to be like it.
        DeviceMemory::Own { name, bytes, library } if at > 0 => {
            DeviceMemory::Own { name: format!("{name}, GPU {at}"), bytes, library }
        }
        memory => memory,
    }
}

/// With how many threads of the processor's a device reads what its tensors hold, as it says itself: LibTorch has a pool, all others copy in
/// the thread that asks.
pub(crate) fn threads(device: Device) -> u32 {
    #[cfg(feature = "libtorch")]
    if device == Device::LibtorchCpu {
        return libtorch::threads();
    }
    let _ = device;
    1
}

/// What a run on this device says of the machine.
pub(crate) fn host(device: Device) -> String {
    let machine = machine::describe();
    match gpu(device) {
        Some(gpu) => format!("{machine}; {}", gpu.name),
        None => machine,
    }
}

/// Names and versions of what stands between a run and its device, beside the lab's own.
pub(crate) fn versions(devices: &[Device]) -> BTreeMap<String, String> {
    let driver = |device: &Device| match gpu(*device)?.driver {
        driver if driver.is_empty() => None,
        driver => Some((format!("{}-driver", device.as_str()), driver)),
    };
    devices.iter().filter_map(driver).collect()
}

/// A GPU.
struct Gpu {
    name: String,
    /// Bytes, where known.
    memory: Option<u64>,
    /// Whether that memory is its own; an integrated one, and one in software, use the machine's.
    own_memory: bool,
    /// Name and version of its driver.
    driver: String,
}

/// The GPU that this device computes on.
fn gpu(device: Device) -> Option<Gpu> {
    match device {
        #[cfg(feature = "vulkan")]
        Device::Vulkan => vulkan::gpu(),
        #[cfg(any(feature = "libtorch", feature = "cuda"))]
        Device::LibtorchCuda | Device::Cuda => nvidia(),
        _ => None,
    }
}

/// The GPU of NVIDIA's that CUDA computes on.
#[cfg(any(feature = "libtorch", feature = "cuda"))]
fn nvidia() -> Option<Gpu> {
    let driver = nvml_wrapper::Nvml::init().ok()?;
    let card = |at: u32| {
        let card = driver.device_by_index(at).ok()?;
        Some(Card {
            name: card.name().unwrap_or_else(|_| "a GPU of NVIDIA's".to_owned()),
            memory: card.memory_info().ok().map(|memory| memory.total),
            // Cards that cannot be cut answer with an error.
            cut: card.mig_mode().is_ok_and(|mode| mode.current != 0),
        })
    };
    let cards: Vec<Card> = (0..driver.device_count().ok()?).filter_map(card).collect();
    whichever(&cards, driver.sys_driver_version().unwrap_or_default())
}

/// A card as NVIDIA's driver tells of it.
#[cfg(any(test, feature = "libtorch", feature = "cuda"))]
struct Card {
    name: String,
    /// Bytes, where known.
    memory: Option<u64>,
    /// Whether it is cut into instances (MIG), each with a part of its memory.
    cut: bool,
}

/// Of several cards nobody knows here which one CUDA computes on: it counts them in an order of its own (the fastest first, where the
/// driver has that of their slots) and may be shown a part of them (`CUDA_VISIBLE_DEVICES`). So only what holds of each is told.
#[cfg(any(test, feature = "libtorch", feature = "cuda"))]
fn whichever(cards: &[Card], driver: String) -> Option<Gpu> {
    let memory = cards.first()?.memory;
    let alike = cards.iter().all(|card| card.memory == memory && !card.cut);
    let mut names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Some(Gpu { name: names.join(" or "), memory: memory.filter(|_| alike), own_memory: true, driver })
}

/// `None` where this build lacks it, the reason where the machine does.
fn backend(device: Device) -> Option<Result<BurnDevice, Broken>> {
    match device {
        #[cfg(feature = "libtorch")]
        Device::LibtorchCpu => Some(Ok(libtorch::processor())),
        #[cfg(feature = "libtorch")]
        Device::LibtorchCuda => Some(libtorch::cuda()),
        #[cfg(feature = "vulkan")]
        Device::Vulkan => Some(vulkan::open()),
        #[cfg(feature = "cuda")]
        Device::Cuda => {
            static TRIED: Trial = Trial::new();
            let tried = tried(&TRIED, device).map(|()| BurnDevice::cuda(burn::tensor::DeviceIndex::Default));
            Some(tried.map_err(|said| (no_gpu(device).unwrap_or(Absence::Fails), said)))
        }
        _ => None,
    }
}

/// LibTorch. Burn has declared its backend old, and has nothing else that calls vendors' libraries: once it is gone, this module
/// goes with it.
#[cfg(feature = "libtorch")]
mod libtorch {
    #![allow(deprecated, reason = "Burn keeps the backend until after 0.22")]

    use burn::tensor::Device;

    use super::{Absence, Broken};

    pub(super) fn processor() -> Device {
        // Its own pool of threads is as large as the machine unless told otherwise.
        tch::set_num_threads(i32::try_from(rayon::current_num_threads()).unwrap_or(1));
        Device::libtorch()
    }

    pub(super) fn threads() -> u32 {
        u32::try_from(tch::get_num_threads()).unwrap_or(1)
    }

    pub(super) fn cuda() -> Result<Device, Broken> {
        if !tch::Cuda::is_available() {
            let said =
                if has_cuda() { "LibTorch finds no GPU" } else { "this LibTorch was built for processors alone" };
            let why = super::no_gpu(recspeed_types::spec::Device::LibtorchCuda);
            let otherwise = if has_cuda() { Absence::Fails } else { Absence::NoLibrary };
            return Err((why.unwrap_or(otherwise), said.to_owned()));
        }
        let device = Device::libtorch_cuda(0_usize);
        // The driver's context and the matrix library take half a second once a process: that is no part of a training.
        let ones = burn::tensor::Tensor::<2>::ones([8, 8], &device);
        let _ = ones.clone().matmul(ones).sum().into_scalar::<f32>();
        Ok(device)
    }

    /// Whether the half for CUDA was loaded with this program.
    fn has_cuda() -> bool {
        std::fs::read_to_string("/proc/self/maps").is_ok_and(|loaded| loaded.contains("libtorch_cuda"))
    }
}

/// GPUs by Vulkan; Mesa has one in software too.
#[cfg(feature = "vulkan")]
mod vulkan {
    use std::pin::pin;
    use std::sync::OnceLock;
    use std::task::{Context, Poll, Waker};

    use burn::tensor::Device;
    use burn::tensor::wgpu::WgpuBackend;

    use super::{Absence, Broken, Gpu, Trial, machine};

    pub(super) fn open() -> Result<Device, Broken> {
        if adapter().is_none() {
            return Err((Absence::NoDriver, "no Vulkan driver names a GPU, nor one in software".to_owned()));
        }
        static TRIED: Trial = Trial::new();
        let opened = super::tried(&TRIED, recspeed_types::spec::Device::Vulkan).and_then(|()| device());
        opened.map_err(|said| (Absence::Fails, said))
    }

    /// Opened once a process: Burn takes a device's setting once. It is pinned to Vulkan; left to itself, `wgpu` may take OpenGL.
    pub(super) fn device() -> Result<Device, String> {
        static OPENED: OnceLock<Result<Device, String>> = OnceLock::new();
        let open = || Device::wgpu_options().graphics_api(WgpuBackend::Vulkan).init();
        OPENED.get_or_init(|| open().map_err(|error| error.to_string())).clone()
    }

    /// Vulkan's own interface tells the memory of a GPU, that of `wgpu` does not; an integrated one and one in software have the
    /// machine's.
    pub(super) fn gpu() -> Option<Gpu> {
        let adapter = adapter()?;
        let software = adapter.device_type == wgpu::DeviceType::Cpu;
        let suffix = if software { ", in software" } else { "" };
        let own_memory = !software && adapter.device_type != wgpu::DeviceType::IntegratedGpu;
        Some(Gpu {
            name: format!("{}{suffix}", adapter.name),
            memory: if own_memory { None } else { machine::memory_total() },
            own_memory,
            driver: [adapter.driver.as_str(), adapter.driver_info.as_str()].join(" ").trim().to_owned(),
        })
    }

    /// The one that Burn takes. It is asked for as Burn does, which can only panic where there is none.
    fn adapter() -> Option<&'static wgpu::AdapterInfo> {
        static FOUND: OnceLock<Option<wgpu::AdapterInfo>> = OnceLock::new();
        let ask = || {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
                backends: wgpu::Backends::VULKAN,
                ..wgpu::InstanceDescriptor::new_without_display_handle()
            });
            let wanted = wgpu::RequestAdapterOptions {
                power_preference: wgpu::PowerPreference::HighPerformance,
                ..wgpu::RequestAdapterOptions::default()
            };
            // Outside of a browser the answer is there at once.
            match pin!(instance.request_adapter(&wanted)).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(found) => found.ok().map(|adapter| adapter.get_info()),
                Poll::Pending => None,
            }
        };
        FOUND.get_or_init(ask).as_ref()
    }
}

/// What came of a device that was tried, once a process.
#[cfg(any(feature = "vulkan", feature = "cuda"))]
type Trial = std::sync::OnceLock<Result<(), String>>;

/// How long a device may take for its first sum: its driver compiles.
#[cfg(any(feature = "vulkan", feature = "cuda"))]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// A device of a backend that can only be asked by using it. A driver may crash or hang, and would take this process along: another
/// one uses it first.
#[cfg(any(feature = "vulkan", feature = "cuda"))]
fn tried(trial: &Trial, device: Device) -> Result<(), String> {
    trial.get_or_init(|| in_a_process(device)).clone()
}

#[cfg(any(feature = "vulkan", feature = "cuda"))]
fn in_a_process(device: Device) -> Result<(), String> {
    use std::process::{Command, Stdio};
    let unknown = |error: std::io::Error| format!("it cannot be tried: {error}");
    let program = std::env::current_exe().map_err(unknown)?;
    let mut command = Command::new(program);
    command.args(["try-device", device.as_str()]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(unknown)?;
    let since = std::time::Instant::now();
    let status = loop {
        match child.try_wait().map_err(unknown)? {
            Some(status) => break status,
            None if since.elapsed() > PATIENCE => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("its driver did not add two numbers within {} s", PATIENCE.as_secs()));
            }
            None => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    };
    match status.code() {
        Some(0) => Ok(()),
        Some(WRONG) => Err("it computes 1 + 3 wrongly".to_owned()),
        Some(_) => Err("it cannot be opened: no driver, or no GPU".to_owned()),
        None => Err(format!("its driver crashes: {status}; a newer driver may not")),
    }
}

/// What a process that tried a device ends with where that computes wrongly.
#[cfg(any(feature = "vulkan", feature = "cuda"))]
const WRONG: i32 = 3;

/// Uses a device in this process: status 0 where it adds two numbers.
pub(crate) fn attempt(name: &str) -> std::process::ExitCode {
    let device: Option<BurnDevice> = match name {
        #[cfg(feature = "vulkan")]
        "vulkan" => match vulkan::device() {
            Ok(device) => Some(device),
            Err(why) => {
                complain(format_args!("recspeed-worker: {why}"));
                return std::process::ExitCode::FAILURE;
            }
        },
        #[cfg(feature = "cuda")]
        "cuda" => Some(BurnDevice::cuda(burn::tensor::DeviceIndex::Default)),
        _ => None,
    };
    let Some(device) = device else {
        complain(format_args!("recspeed-worker: this build tries no device `{name}`"));
        return std::process::ExitCode::from(2);
    };
    let four = burn::tensor::Tensor::<1>::from_floats([1.0, 3.0], &device).sum().into_scalar::<f32>();
    std::process::ExitCode::from(if four == 4.0 { 0 } else { 3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_here_says_how_to_get_it() {
        for device in Device::OF_BURN {
            match open(device) {
                Ok(_) => assert!(offered().iter().any(|offered| offered.device == device.as_str())),
                Err(error) => assert!(error.to_string().contains("`flex`"), "{error}"),
            }
        }
        assert!(open(Device::Browser).is_err());
    }

    #[test]
    fn every_device_is_offered_or_named_with_the_reason_why_it_is_not_and_none_is_both() {
        let offered: Vec<String> = offered().into_iter().map(|device| device.device).collect();
        let absent = absent();
        for device in Device::OF_BURN {
            let told: Vec<&AbsentDevice> = absent.iter().filter(|absent| absent.device == device.as_str()).collect();
            assert_eq!(told.len(), usize::from(!offered.contains(&device.as_str().to_owned())), "{}", device.as_str());
            // No build brings the GPU that the machine lacks.
            if let (Some(why), Some(absent)) = (no_gpu(device), told.first()) {
                assert_eq!((absent.why, absent.install.as_str()), (why, ""), "{absent:?}");
            }
        }
        if !cfg!(feature = "vulkan") {
            let vulkan = absent.iter().find(|absent| absent.device == "vulkan").expect("this build lacks it");
            assert_eq!((vulkan.why, vulkan.install.as_str()), (Absence::NotBuilt, "make worker-vulkan"));
        }
    }

    #[test]
    fn flex_comes_first_and_every_device_is_offered_once() {
        let offered: Vec<String> = offered().into_iter().map(|device| device.device).collect();
        assert_eq!(offered[0], "flex");
        let mut once = offered.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), offered.len());
    }

    #[test]
    fn processors_compute_in_the_machines_memory_and_what_nobody_has_probed_in_some_that_nobody_knows() {
        for device in [Device::Flex, Device::LibtorchCpu] {
            assert_eq!(memory(EngineKind::Burn, device, 0), DeviceMemory::Machine);
            assert_eq!((probed(device).gpu, probed(device).own_memory), (None, Some(false)));
        }
        let of_another = memory(EngineKind::Pytorch, Device::Cuda, 0);
        let library = recspeed_experiment::Library::Other;
        assert_eq!(of_another, DeviceMemory::Own { name: "the GPU of `cuda`".to_owned(), bytes: None, library });
    }

    #[test]
    fn of_several_cards_only_what_holds_of_each_is_told() {
        let card =
            |name: &str, gib: Option<u64>| Card { name: name.to_owned(), memory: gib.map(|gib| gib << 30), cut: false };
        let told = |cards: &[Card]| whichever(cards, "570".to_owned()).map(|gpu| (gpu.name, gpu.memory));
        let of = |name: &str, gib: Option<u64>| Some((name.to_owned(), gib.map(|gib| gib << 30)));
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[card("a", Some(80))]), of("a", Some(80)));
        assert_eq!(told(&[card("a", Some(80)), card("a", Some(80))]), of("a", Some(80)), "whichever it is");
        let unlike = [card("small", Some(8)), card("large", Some(80))];
        assert_eq!(told(&unlike), of("large or small", None));
        assert_eq!(told(&[card("a", Some(80)), card("a", None)]), of("a", None));
        let cut = Card { cut: true, ..card("a", Some(80)) };
        assert_eq!(told(&[cut]), of("a", None), "an instance has a part of it");
    }

    #[test]
    fn the_device_of_a_rank_is_that_of_its_stage_in_the_plans_layout() {
        use recspeed_types::ExperimentSpec;
        for (stages, tensor, replicas) in [(2, 1, 1), (2, 1, 3), (3, 2, 1), (2, 2, 2)] {
            let all = [Device::Flex, Device::LibtorchCpu, Device::Vulkan];
            let ranks = stages * tensor * replicas;
            let layout = recspeed_plan::Layout::new(ranks, stages, tensor).expect("they divide");
            let mut spec = ExperimentSpec::default();
            spec.strategy.kind = recspeed_types::spec::StrategyKind::Hybrid;
            let sizes = [ranks, stages, tensor].map(|size| Some(size as u32));
            [spec.strategy.ranks, spec.strategy.stages, spec.strategy.tensor] = sizes;
            spec.strategy.devices = Some(all[..stages].to_vec());
            let strategy = spec.resolve().expect("a strategy").strategy;
            for rank in 0..ranks {
                assert_eq!(strategy.device_of(rank), Some(all[layout.place(rank).stage]), "{rank} of {ranks}");
            }
        }
    }
}
