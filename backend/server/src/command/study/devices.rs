//! Devices as a study sees them: here, or missing with what brings them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use recspeed_engines::{EngineError, Engines, LIBTORCH, Reference, find};
use recspeed_types::ExperimentSpec;
use recspeed_types::probe::Probe;
use recspeed_types::spec::{Device, EngineKind};
use recspeed_types::study::Missing;

use super::child::{Answer, ask};
use crate::launch::of_devices;

/// How long a worker may take to say what it can do: each of its drivers is tried, for a minute at most.
const PATIENCE: Duration = Duration::from_mins(3);

/// Where the rows of a study run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The usual worker; others stand beside it.
    pub(super) worker: &'a Path,
    /// The reference engines.
    pub(super) engines: &'a Engines,
    /// What both have answered so far.
    pub(super) answers: &'a Answers,
}

/// What engines and devices of one study lack. Each is tried once, not for every row of it: one that does not start may take minutes.
#[derive(Debug, Default)]
pub(super) struct Answers(RefCell<BTreeMap<&'static str, Option<Missing>>>);

impl Answers {
    /// What a reference engine waits for.
    pub(super) fn lacks_engine(&self, engines: &Engines, kind: EngineKind) -> Option<Missing> {
        self.known(kind.as_str(), || lacks_engine(engines, kind))
    }

    /// What a run of Burn on this device waits for; `None` where the device is here.
    pub(super) fn missing(&self, worker: &Path, engines: &Engines, device: Device) -> Option<Missing> {
        self.known(device.as_str(), || missing_within(PATIENCE, (worker, engines, device)))
    }

    fn known(&self, name: &'static str, ask: impl FnOnce() -> Option<Missing>) -> Option<Missing> {
        let known = self.0.borrow().get(name).cloned();
        known.unwrap_or_else(|| {
            let answer = ask();
            self.0.borrow_mut().insert(name, answer.clone());
            answer
        })
    }
}

impl Place<'_> {
    /// Whether a run of this spec takes a worker that is older than the usual one.
    pub(super) fn takes_older_build(&self, spec: &ExperimentSpec) -> bool {
        !spec.engine.kind.is_reference() && is_older_build(self.worker, &spec.devices())
    }

    /// What a run of this spec waits for.
    pub(super) fn lacks(&self, spec: &ExperimentSpec) -> Option<Missing> {
        let kind = spec.engine.kind;
        if kind.is_reference() {
            // PyTorch finds a GPU only once it runs; and without one there is no use in installing it for that.
            if needs_gpu(spec.engine.device) && !gpu_is_here() {
                return Some(Missing::no_gpu());
            }
            return self.answers.lacks_engine(self.engines, kind);
        }
        // The usual worker has flex; every other device of Burn is in a build of its own.
        let mut others = spec.devices().into_iter().filter(|device| *device != Device::Flex);
        others.find_map(|device| self.answers.missing(self.worker, self.engines, device))
    }
}

/// Whether a device is in a build of the worker that is older than the usual one.
pub(super) fn is_older(worker: &Path, device: Device) -> bool {
    is_older_build(worker, &[device])
}

/// Whether these devices take another build of the worker, and one that is older than the usual one: it may be of other sources.
fn is_older_build(worker: &Path, devices: &[Device]) -> bool {
    let program = of_devices(worker, devices);
    let built = |program: &Path| program.metadata().and_then(|file| file.modified()).ok();
    built(&program).zip(built(worker)).is_some_and(|(own, usual)| own < usual)
}

fn lacks_engine(engines: &Engines, kind: EngineKind) -> Option<Missing> {
    // What mends it stands beside it.
    let why = match engines.launch_tried(kind).err()? {
        EngineError::Missing { .. } => "not installed".to_owned(),
        EngineError::Unfinished { .. } => "half installed".to_owned(),
        EngineError::Stale { why, .. } => why,
        EngineError::OtherVersion { .. } => "installed by another version".to_owned(),
        other => other.to_string(),
    };
    Some(Missing { install: find(kind).map(Reference::install_command).unwrap_or_default(), why })
}

fn missing_within(patience: Duration, (worker, engines, device): (&Path, &Engines, Device)) -> Option<Missing> {
    let program = of_devices(worker, &[device]);
    let mut command = Command::new(&program);
    command.arg("probe");
    // Ctrl-C ends this program meanwhile, and the worker follows it.
    let why = match ask::<Probe>(command, "", patience, &|| false) {
        Answer::Told(probe) if probe.devices.iter().any(|offered| offered.device == device.as_str()) => return None,
        _ if needs_gpu(device) && !gpu_is_here() => return Some(Missing::no_gpu()),
        // What computes by Vulkan may be a processor: only a worker with it can tell.
        Answer::Told(_) if program != worker && device == Device::Vulkan => return Some(Missing::no_gpu()),
        Answer::Told(_) if program != worker => format!("{} has no such device", program.display()),
        Answer::Told(_) => format!("no worker with {} here", device.as_str()),
        Answer::Failed(why) => format!("the worker {} does not say what it can do: {why}", program.display()),
        Answer::Interrupted => format!("the worker {} was not asked to the end", program.display()),
    };
    Some(Missing { install: install(engines, device), why })
}

/// The commands that bring a device of Burn into a worker: a library first, where it needs one that is not here.
fn install(engines: &Engines, device: Device) -> String {
    match device.worker_build() {
        None => "make binaries".to_owned(),
        Some(LIBTORCH) if engines.libtorch().is_none() => {
            format!("recspeed engines install {LIBTORCH} && make worker-{LIBTORCH}")
        }
        Some(build) => format!("make worker-{build}"),
    }
}

/// Whether a device computes on NVIDIA's GPUs and on nothing else.
const fn needs_gpu(device: Device) -> bool {
    matches!(device, Device::LibtorchCuda | Device::Cuda)
}

/// Whether a driver names a GPU that computes: NVIDIA's, the one of Windows, AMD's.
fn gpu_is_here() -> bool {
    ["/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd"].iter().any(|path| Path::new(path).exists())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_worker_that_does_not_say_what_it_can_do_is_waited_for_a_while_and_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let worker = folder.path().join("recspeed-worker");
        for (script, seconds, words) in [("sleep 600", 1, "longer than"), ("echo no >&2; exit 1", 60, "status: 1: no")]
        {
            std::fs::write(&worker, format!("#!/bin/sh\n{script}\n")).expect("a script");
            std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).expect("a program");
            let begun = std::time::Instant::now();
            let patience = Duration::from_secs(seconds);
            let missing = missing_within(patience, (&worker, &engines, Device::Flex)).expect("no answer");
            assert!(missing.why.contains(words), "{}", missing.why);
            assert!(begun.elapsed() < Duration::from_mins(1));
        }
    }

    #[test]
    fn what_does_not_start_is_tried_once_in_a_study() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let (worker, asked) = (folder.path().join("recspeed-worker"), folder.path().join("asked"));
        std::fs::write(&worker, format!("#!/bin/sh\necho again >> {}\nexit 1\n", asked.display())).expect("a script");
        std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).expect("a program");
        let answers = Answers::default();
        let place = Place { worker: &worker, engines: &engines, answers: &answers };
        let mut spec = ExperimentSpec::default();
        spec.engine.device = Device::Vulkan;
        let first = place.lacks(&spec);
        assert!(first.is_some());
        assert_eq!([place.lacks(&spec), place.lacks(&spec)], [first.clone(), first]);
        assert_eq!(std::fs::read_to_string(&asked).expect("it was asked"), "again\n");
        spec.engine.kind = EngineKind::Deepspeed;
        let before = place.lacks(&spec).expect("nothing is installed");
        std::fs::create_dir_all(engines.root().join("deepspeed")).expect("a folder");
        assert_eq!(place.lacks(&spec).expect("as before"), before, "a study says one thing of an engine");
    }

    #[test]
    fn a_device_is_here_where_the_worker_offers_it_and_else_its_row_says_what_brings_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let worker = folder.path().join("recspeed-worker");
        let script = |path: &Path| {
            let offers = r#"{"protocol":1,"versions":{},"features":[],"recommenders":[],
                "devices":[{"engine":"burn","device":"flex","title":"flex","memory":null,"threads":2}]}"#;
            std::fs::write(path, format!("#!/bin/sh\necho '{}'\n", offers.replace('\n', ""))).expect("a script");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a program");
        };
        script(&worker);
        let pytorch = lacks_engine(&engines, EngineKind::Pytorch).expect("nothing is installed");
        assert_eq!(
            (pytorch.install.as_str(), pytorch.why.as_str()),
            ("recspeed engines install pytorch", "not installed")
        );
        std::fs::create_dir_all(engines.root().join("pytorch")).expect("a folder");
        assert!(lacks_engine(&engines, EngineKind::Pytorch).is_some_and(|part| part.why == "half installed"));
        let of = |device| missing_within(PATIENCE, (&worker, &engines, device));
        assert_eq!(of(Device::Flex), None);
        assert_eq!(of(Device::Vulkan).expect("missing").install, "make worker-vulkan");
        let libtorch = of(Device::LibtorchCpu).expect("missing");
        assert_eq!(libtorch.install, "recspeed engines install libtorch && make worker-libtorch");
        assert_eq!(libtorch.why, "no worker with libtorch-cpu here");
        for device in [Device::LibtorchCuda, Device::Cuda] {
            assert_eq!(of(device) == Some(Missing::no_gpu()), !gpu_is_here(), "{}", device.as_str());
        }
        // A worker that was built for it and finds no driver.
        let build = folder.path().join("recspeed-worker-vulkan");
        script(&build);
        assert_eq!(of(Device::Vulkan), Some(Missing::no_gpu()));
        let mut spec = ExperimentSpec::default();
        let place = Place { worker: &worker, engines: &engines, answers: &Answers::default() };
        assert!(!place.takes_older_build(&spec), "the usual worker itself");
        spec.engine.device = Device::Vulkan;
        assert!(!place.takes_older_build(&spec), "it was built later");
        let file = std::fs::File::options().write(true).open(&build).expect("a file");
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("ours");
        assert!(place.takes_older_build(&spec));
    }
}
