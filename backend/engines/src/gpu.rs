//! Whether this machine has a GPU, and which engines have a use for it.

use std::fs;
use std::path::Path;

use recspeed_types::api::EngineState;
use recspeed_types::spec::{Device, EngineKind};
use recspeed_types::{Absence, GpuPresence};

use crate::engines::{Engines, State};
use crate::error::EngineError;

/// What a driver has made where it names a GPU that computes: NVIDIA's, the one of Windows, AMD's.
const DRIVERS: [&str; 4] = ["dev/nvidia0", "dev/nvidiactl", "dev/dxg", "dev/kfd"];
/// NVIDIA among the makers of what is plugged in.
const NVIDIA: &str = "0x10de";
/// What draws, or computes as such a card does.
const DISPLAY: &str = "0x03";

/// What there is of a GPU here. An engine finds its own only once it runs; this is asked before anything is started.
pub fn gpu() -> GpuPresence {
    below(Path::new("/"))
}

fn below(root: &Path) -> GpuPresence {
    if DRIVERS.iter().any(|path| root.join(path).exists()) {
        return GpuPresence::Here;
    }
    let says = |card: &Path, what: &str, start: &str| {
        fs::read_to_string(card.join(what)).is_ok_and(|text| text.trim().starts_with(start))
    };
    let mut cards = fs::read_dir(root.join("sys/bus/pci/devices")).into_iter().flatten().flatten();
    let is_plugged_in = cards.any(|card| says(&card.path(), "vendor", NVIDIA) && says(&card.path(), "class", DISPLAY));
    if is_plugged_in { GpuPresence::NoDriver } else { GpuPresence::Missing }
}

impl Engines {
    /// Whether the library of this engine was built for processors alone, as far as it was noted.
    pub fn is_for_processors(&self, kind: EngineKind) -> bool {
        let State::Ready(record) = self.state(kind) else { return false };
        record.versions.get("torch").is_some_and(|version| version.ends_with("+cpu"))
    }

    /// Why a run of this engine on this device would fail here, before it is started: there is no GPU for it.
    ///
    /// # Errors
    /// [`EngineError::NoDevice`].
    pub fn has_device(&self, kind: EngineKind, device: Device) -> Result<(), EngineError> {
        self.has_device_on(gpu(), kind, device)
    }

    fn has_device_on(&self, gpu: GpuPresence, kind: EngineKind, device: Device) -> Result<(), EngineError> {
        if device.is_processor() {
            return Ok(());
        }
        let no_library = || self.is_for_processors(kind).then_some(Absence::NoLibrary);
        match gpu.absence().or_else(no_library) {
            None => Ok(()),
            Some(why) => Err(EngineError::NoDevice {
                kind: kind.as_str(),
                device: device.as_str(),
                why,
                remedy: why.remedy(kind, device),
            }),
        }
    }
}

impl From<&State> for EngineState {
    fn from(state: &State) -> Self {
        match state {
            State::Missing => Self::Missing,
            State::Unfinished => Self::Unfinished,
            State::Busy => Self::Busy,
            State::OtherVersion(_) => Self::OtherVersion,
            State::Unmended(_) | State::Damaged(_) => Self::Damaged,
            State::Stale(_) => Self::Unusable,
            State::Ready(_) => Self::Ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_here_where_a_driver_names_it_and_one_that_is_only_plugged_in_lacks_its_driver() {
        let machine = tempfile::tempdir().expect("a folder");
        let of = |files: &[(&str, &str)]| {
            for (name, text) in files {
                let file = machine.path().join(name);
                fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
                fs::write(file, text).expect("a file");
            }
            below(machine.path())
        };
        assert_eq!(of(&[]), GpuPresence::Missing);
        let card = |vendor: &'static str, class: &'static str| {
            [("sys/bus/pci/devices/a/vendor", vendor), ("sys/bus/pci/devices/a/class", class)]
        };
        assert_eq!(of(&card("0x8086\n", "0x030000\n")), GpuPresence::Missing, "a card that draws and computes nothing");
        assert_eq!(of(&card("0x10de\n", "0x040300\n")), GpuPresence::Missing, "the sound of a card");
        assert_eq!(of(&card("0x10de\n", "0x030200\n")), GpuPresence::NoDriver);
        assert_eq!(of(&[("dev/nvidiactl", "")]), GpuPresence::Here);
    }

    #[test]
    fn an_engine_has_a_device_of_a_gpu_where_there_is_one_and_its_library_is_built_for_it() {
        let home = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(home.path())).expect("a home");
        let kind = EngineKind::Pytorch;
        let on = |gpu, device| engines.has_device_on(gpu, kind, device).map_err(|error| error.to_string());
        assert_eq!(on(GpuPresence::Missing, Device::Cpu), Ok(()), "a processor is always here");
        assert_eq!(on(GpuPresence::Here, Device::Cuda), Ok(()), "nothing is installed: that is told apart");
        let refused = |gpu| on(gpu, Device::Cuda).expect_err("no GPU for it");
        let told = refused(GpuPresence::Missing);
        assert!(told.starts_with("the engine `pytorch` cannot compute on `cuda` here: no GPU; choose"), "{told}");
        assert!(refused(GpuPresence::NoDriver).contains("no driver; install the GPU's driver"));
        let folder = engines.root().join("pytorch");
        fs::create_dir_all(&folder).expect("a folder");
        let note = |torch: &str| {
            let record = serde_json::json!({
                "python": "/bin/sh", "own": false, "requirements": "", "versions": { "torch": torch }, "bytes": 0
            });
            fs::write(folder.join("record.json"), record.to_string()).expect("a record");
        };
        note("2.9.0+cpu");
        let told = refused(GpuPresence::Here);
        assert!(told.contains("library not found") && told.contains("install pytorch --existing PYTHON"), "{told}");
        assert_eq!(on(GpuPresence::Here, Device::Cpu), Ok(()));
        note("2.9.0+cu128");
        assert_eq!(on(GpuPresence::Here, Device::Cuda), Ok(()));
    }
}
