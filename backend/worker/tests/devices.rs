//! Workers that were built for other devices, where they stand beside the usual one (`make worker-vulkan` and its like) or in the folder
//! of `RECSPEED_WORKERS`: what their probe says, what they learn, and what they say without a driver.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use recspeed_types::event::MeasuredOn;
use recspeed_types::probe::Probe;
use recspeed_types::spec::{Device, ParamValue};
use recspeed_types::{Absence, EventKind, ExperimentSpec, FailureCode, RunEvent, RunSummary};

/// Where a loader of Vulkan finds no driver.
const NO_DRIVER: [(&str, &str); 2] = [("VK_DRIVER_FILES", "/nowhere.json"), ("VK_ICD_FILENAMES", "/nowhere.json")];

/// The worker of this build; says that the test is skipped where there is none.
fn worker(build: &str) -> Option<PathBuf> {
    let usual = Path::new(env!("CARGO_BIN_EXE_recspeed-worker"));
    let named = format!("recspeed-worker-{build}");
    let folder = std::env::var_os("RECSPEED_WORKERS").map(PathBuf::from);
    let found = folder.map_or_else(|| usual.with_file_name(&named), |folder| folder.join(&named));
    let here = found.is_file();
    if !here {
        eprintln!("skipped: no {named} beside the worker or below RECSPEED_WORKERS; `make worker-{build}` builds it");
    }
    here.then_some(found)
}

fn probe(worker: &Path, environment: &[(&str, &str)]) -> Probe {
    let told = Command::new(worker).arg("probe").envs(environment.iter().copied()).output().expect("it starts");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).expect("a probe")
}

/// The worker, where its device is here too.
fn worker_with(build: &str, device: Device) -> Option<PathBuf> {
    let worker = worker(build)?;
    let here = probe(&worker, &[]).devices.iter().any(|offered| offered.device == device.as_str());
    if !here {
        eprintln!("skipped: this machine has no device {}: no driver, one that crashes, or no GPU", device.as_str());
    }
    here.then_some(worker)
}

fn spec(device: Device) -> ExperimentSpec {
    let mut spec = ExperimentSpec::default();
    spec.recommender = spec.recommender.with("hidden", ParamValue::Integers(vec![16, 8]));
    spec.dataset.sample = Some(1000);
    spec.engine.device = device;
    spec
}

fn run(worker: &Path, spec: &ExperimentSpec, environment: &[(&str, &str)]) -> (Vec<RunEvent>, Option<i32>) {
    let mut command = Command::new(worker);
    command.envs(environment.iter().copied()).env_remove("RECSPEED_DATA");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the worker starts");
    child.stdin.take().expect("piped").write_all(spec.to_json().as_bytes()).expect("the spec");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let event = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (text.lines().map(event).collect(), output.status.code())
}

/// The first losses, and the result.
fn learnt(worker: &Path, device: Device) -> (Vec<f64>, RunSummary) {
    let (events, status) = run(worker, &spec(device), &[]);
    assert_eq!(status, Some(0), "{:?}", events.last());
    let loss = |event: &RunEvent| match &event.kind {
        EventKind::Metric { name, split: MeasuredOn::Train, value, .. } if name == "loss" => Some(*value),
        _ => None,
    };
    let losses = events.iter().filter_map(loss).take(3).collect();
    match &events.last().expect("events").kind {
        EventKind::Finished { summary } => (losses, (**summary).clone()),
        other => panic!("it ended with {other:?}"),
    }
}

/// As `tests/gpu/agree.py` has it for every network.
fn learns_as_flex(build: &str, device: Device) {
    let Some(worker) = worker_with(build, device) else { return };
    let (expected, flex) = learnt(&worker, Device::Flex);
    let (found, other) = learnt(&worker, device);
    assert_eq!(other.engine.device, device.as_str());
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= 1e-4 * expected.abs(), "a loss of {found} instead of {expected}");
    }
    for (metric, expected) in &flex.metrics {
        assert!((other.metrics[metric] - expected).abs() <= 0.01, "{metric}: {} {expected}", other.metrics[metric]);
    }
}

#[test]
fn a_network_learns_by_vulkan_what_it_learns_on_flex() {
    learns_as_flex("vulkan", Device::Vulkan);
}

#[test]
fn a_network_learns_by_burns_cuda_what_it_learns_on_flex() {
    learns_as_flex("cuda", Device::Cuda);
}

#[test]
fn a_network_learns_on_libtorch_what_it_learns_on_flex() {
    learns_as_flex("libtorch", Device::LibtorchCpu);
}

#[test]
fn what_the_probe_does_not_offer_is_refused_in_words() {
    let Some(worker) = worker("vulkan") else { return };
    if probe(&worker, &[]).devices.iter().any(|offered| offered.device == "vulkan") {
        eprintln!("skipped: the device works here");
        return;
    }
    let (events, status) = run(&worker, &spec(Device::Vulkan), &[]);
    assert_eq!(status, Some(2));
    match &events.last().expect("an end").kind {
        EventKind::Failed { code: FailureCode::InvalidSpec, cause, .. } => {
            assert!(cause.contains("does not work on this machine"), "{cause}");
        }
        other => panic!("it ended with {other:?}"),
    }
}

#[test]
fn the_usual_worker_names_every_device_that_it_has_not_with_what_brings_it() {
    let told = probe(Path::new(env!("CARGO_BIN_EXE_recspeed-worker")), &[]);
    for device in Device::OF_BURN.into_iter().filter(|device| !told.features.contains(&build_of(*device))) {
        let absent = told.absent.iter().find(|absent| absent.device == device.as_str());
        assert_eq!(absent.is_none(), device == Device::Flex, "{}", device.as_str());
        let Some(absent) = absent else { continue };
        let on_gpu = matches!(device, Device::LibtorchCuda | Device::Cuda);
        let expected = on_gpu.then(|| recspeed_engines::gpu().absence()).flatten().unwrap_or(Absence::NotBuilt);
        assert_eq!(absent.why, expected, "{absent:?}");
        assert_eq!(absent.install.contains("make worker-"), expected == Absence::NotBuilt, "{absent:?}");
    }
}

/// The worker build that has a device, as a feature; nothing for flex.
fn build_of(device: Device) -> String {
    device.worker_build().unwrap_or_default().to_owned()
}

#[test]
fn the_probe_names_the_device_of_vulkan_and_its_driver() {
    let Some(worker) = worker_with("vulkan", Device::Vulkan) else { return };
    let probe = probe(&worker, &[]);
    assert_eq!(probe.features, ["vulkan"]);
    let device = probe.devices.iter().find(|offered| offered.device == "vulkan").expect("listed");
    let name = device.title.strip_prefix("Burn by Vulkan on ").expect("it says where");
    assert!(!name.is_empty() && name != "the GPU", "{name}");
    assert!(probe.versions.contains_key("vulkan-driver"), "{:?}", probe.versions);
}

#[test]
fn without_a_driver_vulkan_is_not_offered_and_a_run_says_why() {
    let Some(worker) = worker("vulkan") else { return };
    let told = probe(&worker, &NO_DRIVER);
    let devices: Vec<&str> = told.devices.iter().map(|offered| offered.device.as_str()).collect();
    assert_eq!(devices, ["flex"]);
    // The worker is built: another build brings nothing, a driver does.
    let vulkan = told.absence(Device::Vulkan).expect("no driver");
    assert_eq!((vulkan.why, vulkan.install.as_str()), (Absence::NoDriver, "apt-get install mesa-vulkan-drivers"));
    assert!(vulkan.reason().contains("no Vulkan driver names a GPU"), "{}", vulkan.reason());
    let (events, status) = run(&worker, &spec(Device::Vulkan), &NO_DRIVER);
    assert_eq!(status, Some(2));
    match &events.last().expect("an end").kind {
        EventKind::Failed { code: FailureCode::InvalidSpec, cause, .. } => {
            assert!(cause.contains("no Vulkan driver") && cause.contains("`flex`"), "{cause}");
        }
        other => panic!("it ended with {other:?}"),
    }
}

#[test]
fn a_probe_that_hangs_goes_with_whoever_asked() {
    let (_nobody_reads, mut full) = std::io::pipe().expect("a pipe");
    // A full pipe holds it as a driver would.
    fcntl(&full, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("ours");
    while full.write(b"full....").is_ok() {}
    fcntl(&full, FcntlArg::F_SETFL(OFlag::empty())).expect("ours");
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$0\" probe & echo $! >&2; wait", env!("CARGO_BIN_EXE_recspeed-worker")]);
    let mut shell = shell.stdout(full).stderr(Stdio::piped()).spawn().expect("a shell");
    let mut pid = String::new();
    BufReader::new(shell.stderr.take().expect("piped")).read_line(&mut pid).expect("a line");
    let process = Path::new("/proc").join(pid.trim());
    let watches = || {
        let mut tasks = std::fs::read_dir(process.join("task")).into_iter().flatten().flatten();
        tasks.any(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name == "watch\n"))
    };
    until("the probe knows who asked", watches);
    shell.kill().expect("ours");
    shell.wait().expect("killed");
    let stat = || std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    until("the probe is gone", || stat().is_empty() || stat().contains(") Z "));
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "not yet: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
