//! Asking the worker what it can do.

use std::path::Path;
use std::time::Duration;

use recspeed_types::probe::{PROTOCOL_VERSION, Probe, ProbedDevice};
use recspeed_types::spec::Device;
use recspeed_types::{Absence, AbsentDevice};
use tokio::process::Command;

/// What the system says first of a program whose library is not there.
const NO_LIBRARY: &str = "error while loading shared libraries: ";

/// A worker that does not say what it can do.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It cannot be started.
    #[error("the worker {path} cannot be started ({cause}); build it with `make lab`, or name another with --worker")]
    Start {
        /// The program.
        path: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// It does not answer.
    #[error("the worker {path} did not answer `probe` within {seconds} s")]
    Silent {
        /// The program.
        path: String,
        /// How long it was given.
        seconds: u64,
    },
    /// A library that it was linked to is not there.
    #[error("the worker {path} lacks a library ({why}); install that again, or build the worker anew")]
    Library {
        /// The program.
        path: String,
        /// Which, in the system's words.
        why: String,
    },
    /// Its answer is none.
    #[error(
        "the worker {path} answered `probe` with something else ({why}); build server and worker together with `make lab`"
    )]
    Answer {
        /// The program.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// It speaks another protocol.
    #[error("the worker {path} speaks protocol {given}, this server {PROTOCOL_VERSION}; build both with `make lab`")]
    Protocol {
        /// The program.
        path: String,
        /// Its protocol.
        given: u32,
    },
}

/// What `worker` and the builds beside it can do together. The devices of a build that does not answer are absent, and the
/// log says so.
///
/// # Errors
/// [`ProbeError`] of `worker` itself.
pub async fn probe_all(worker: &Path, patience: Duration) -> Result<Probe, ProbeError> {
    let mut all = probe(worker, patience).await?;
    for build in super::builds::beside(worker) {
        match probe(&build, patience).await {
            Ok(more) => join(&mut all, more),
            Err(error) => {
                tracing::warn!(%error, "a build of the worker cannot be used");
                without(&mut all, &build, &error);
            }
        }
    }
    Ok(all)
}

/// Adds what another build can do. Only devices that it was made for are its: a run on any other is given to the usual worker.
fn join(all: &mut Probe, more: Probe) {
    let known: Vec<_> = all.devices.iter().map(|device| (device.engine.clone(), device.device.clone())).collect();
    let fresh = |device: &ProbedDevice| !known.contains(&(device.engine.clone(), device.device.clone()));
    all.devices.extend(more.devices.into_iter().filter(fresh));
    for absent in more.absent {
        // Of the devices of others it can only say that it was not built for them.
        if absent.why != Absence::NotBuilt {
            know_better(all, absent);
        }
    }
    let devices = &all.devices;
    all.absent.retain(|absent| {
        !devices.iter().any(|found| (&found.engine, &found.device) == (&absent.engine, &absent.device))
    });
    for (name, version) in more.versions {
        all.versions.entry(name).or_insert(version);
    }
    for feature in more.features {
        if !all.features.contains(&feature) {
            all.features.push(feature);
        }
    }
}

/// Puts a reason in the place of the one that was known of the same device.
fn know_better(all: &mut Probe, absent: AbsentDevice) {
    all.absent.retain(|known| (&known.engine, &known.device) != (&absent.engine, &absent.device));
    all.absent.push(absent);
}

/// Says of the devices of a build why it does not have them. What the machine lacks no build would bring.
fn without(all: &mut Probe, build: &Path, error: &ProbeError) {
    let program = build.file_name().unwrap_or_default().to_string_lossy();
    let why = if matches!(error, ProbeError::Library { .. }) { Absence::NoLibrary } else { Absence::Silent };
    for device in Device::OF_BURN {
        let is_its_own = device.worker_build().is_some_and(|name| program.ends_with(&format!("-{name}")));
        let known = all.absence(device).map(|known| known.why);
        if is_its_own && known == Some(Absence::NotBuilt) {
            know_better(all, AbsentDevice::of_burn(device, why, error.to_string()));
        }
    }
}

/// Runs `WORKER probe`.
///
/// # Errors
/// [`ProbeError`].
pub async fn probe(worker: &Path, patience: Duration) -> Result<Probe, ProbeError> {
    let path = || worker.display().to_string();
    let asked = Command::new(worker).arg("probe").stdin(std::process::Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(patience, asked)
        .await
        .map_err(|_| ProbeError::Silent { path: path(), seconds: patience.as_secs() })?
        .map_err(|cause| ProbeError::Start { path: path(), cause })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let library = said.lines().find_map(|line| line.split_once(NO_LIBRARY)).map(|(_, what)| what.trim().to_owned());
        return Err(match library {
            Some(why) => ProbeError::Library { path: path(), why },
            None => ProbeError::Answer { path: path(), why: output.status.to_string() },
        });
    }
    let probe: Probe = serde_json::from_slice(&output.stdout)
        .map_err(|error| ProbeError::Answer { path: path(), why: error.to_string() })?;
    if probe.protocol == PROTOCOL_VERSION {
        Ok(probe)
    } else {
        Err(ProbeError::Protocol { path: path(), given: probe.protocol })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe_of(devices: &[&str], feature: &str) -> Probe {
        let device = |device: &&str| ProbedDevice {
            engine: "burn".to_owned(),
            device: (*device).to_owned(),
            title: format!("{device} of {feature}"),
            memory: None,
            own_memory: None,
            gpu: None,
            threads: None,
        };
        Probe {
            protocol: PROTOCOL_VERSION,
            versions: [("burn".to_owned(), feature.to_owned()), (feature.to_owned(), "1".to_owned())].into(),
            features: vec![feature.to_owned()],
            devices: devices.iter().map(device).collect(),
            absent: Vec::new(),
            recommenders: Vec::new(),
        }
    }

    /// With these devices of Burn's absent.
    fn lacking(probe: Probe, absent: &[(Device, Absence)]) -> Probe {
        let told = |&(device, why): &(Device, Absence)| AbsentDevice::of_burn(device, why, "");
        Probe { absent: absent.iter().map(told).collect(), ..probe }
    }

    #[test]
    fn a_build_knows_best_why_its_own_devices_are_not_here_and_what_one_has_is_not_absent() {
        use Absence::{NoDriver, NoGpu, NotBuilt};
        use Device::{Cuda, LibtorchCpu, LibtorchCuda, Vulkan};
        let none = [(LibtorchCpu, NotBuilt), (LibtorchCuda, NoGpu), (Vulkan, NotBuilt), (Cuda, NoGpu)];
        let mut all = lacking(probe_of(&["flex"], "plain"), &none);
        let why = |all: &Probe, device| all.absence(device).map(|absent| absent.why);
        join(&mut all, lacking(probe_of(&["flex"], "vulkan"), &[(LibtorchCpu, NotBuilt), (Vulkan, NoDriver)]));
        assert_eq!([why(&all, Vulkan), why(&all, LibtorchCpu)], [Some(NoDriver), Some(NotBuilt)]);
        let libtorch =
            lacking(probe_of(&["flex", "libtorch-cpu"], "libtorch"), &[(Vulkan, NotBuilt), (LibtorchCuda, NoGpu)]);
        join(&mut all, libtorch);
        assert_eq!([why(&all, Vulkan), why(&all, LibtorchCpu)], [Some(NoDriver), None], "{all:?}");
        assert_eq!(all.absent.len(), 3, "each once: {:?}", all.absent);
        assert!(all.absent.iter().all(|absent| absent.device != "libtorch-cpu"), "{:?}", all.absent);
    }

    #[test]
    fn the_devices_of_a_build_that_does_not_answer_say_so_unless_the_machine_has_no_gpu_for_them() {
        let start = |devices: &[(Device, Absence)]| lacking(probe_of(&["flex"], "plain"), devices);
        let none = [(Device::LibtorchCpu, Absence::NotBuilt), (Device::LibtorchCuda, Absence::NoGpu)];
        let build = Path::new("/bin/recspeed-worker-libtorch");
        let (path, why) = (build.display().to_string(), "libtorch_cpu.so: cannot open".to_owned());
        let mut all = start(&none);
        without(&mut all, build, &ProbeError::Library { path: path.clone(), why });
        let processor = all.absence(Device::LibtorchCpu).expect("its library is gone");
        assert_eq!(processor.why, Absence::NoLibrary);
        assert!(processor.detail.contains("libtorch_cpu.so"), "{processor:?}");
        assert_eq!(processor.install, "recspeed engines install libtorch && make worker-libtorch");
        assert_eq!(all.absence(Device::LibtorchCuda).map(|absent| absent.why), Some(Absence::NoGpu));
        assert_eq!(all.absence(Device::Vulkan).map(|absent| absent.why), Some(Absence::NotBuilt), "another build's");
        // An older worker names nothing that it lacks.
        let mut all = start(&[]);
        without(&mut all, build, &ProbeError::Silent { path, seconds: 10 });
        let silent = [Device::LibtorchCpu, Device::LibtorchCuda].map(|device| all.absence(device).map(|one| one.why));
        assert_eq!(silent, [Some(Absence::Silent); 2]);
    }

    #[tokio::test]
    async fn a_worker_whose_library_is_gone_says_which_one() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let worker = folder.path().join("recspeed-worker-libtorch");
        let script =
            format!("#!/bin/sh\necho \"$0: {NO_LIBRARY}libc10.so: cannot open shared object file\" >&2; exit 127\n");
        std::fs::write(&worker, script).expect("a script");
        std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).expect("a program");
        let told = probe(&worker, Duration::from_secs(30)).await.expect_err("it does not start").to_string();
        assert!(told.contains("lacks a library (libc10.so: cannot open shared object file)"), "{told}");
    }

    #[test]
    fn another_build_adds_its_devices_and_changes_none() {
        let mut all = probe_of(&["flex"], "plain");
        join(&mut all, probe_of(&["flex", "libtorch-cpu"], "libtorch"));
        let titles: Vec<&str> = all.devices.iter().map(|device| device.title.as_str()).collect();
        assert_eq!(titles, ["flex of plain", "libtorch-cpu of libtorch"]);
        assert_eq!(all.versions["burn"], "plain");
        assert_eq!(all.features, ["plain", "libtorch"]);
    }
}
