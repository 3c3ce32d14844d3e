//! Why a device cannot be computed on, and what brings it: in the same words for the page, a probe, the terminal and a study.

use serde::{Deserialize, Serialize};

use crate::spec::{Device, EngineKind};

/// Why a device is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// The machine has no GPU.
    NoGpu,
    /// The machine has no driver for what the device computes on.
    NoDriver,
    /// No worker was built with it.
    NotBuilt,
    /// The worker that was built with it does not answer.
    Silent,
    /// A library is not where it was, or has no half for GPUs.
    NoLibrary,
    /// All of it is there, and it computes wrongly, crashes or hangs.
    Fails,
}

/// A device that no run can name here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AbsentDevice {
    /// `engine.kind` of a spec.
    pub engine: String,
    /// `engine.device` of a spec.
    pub device: String,
    /// Why it is not here.
    pub why: Absence,
    /// What a driver, a library or the system has said of it; empty where that is no more than `why`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The command that brings it; empty where none does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub install: String,
    /// What to do, without a full stop; code stands between backticks.
    pub remedy: String,
}

/// What there is of a GPU that CUDA, or what stands in for it on AMD's, computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GpuPresence {
    /// Its driver names one.
    Here,
    /// There is one, and no driver that names it.
    NoDriver,
    /// None that anybody knows of.
    #[default]
    Missing,
}

impl GpuPresence {
    /// Why nothing computes on it; `None` where something can.
    pub const fn absence(self) -> Option<Absence> {
        match self {
            Self::Here => None,
            Self::NoDriver => Some(Absence::NoDriver),
            Self::Missing => Some(Absence::NoGpu),
        }
    }
}

impl Absence {
    /// A few words, which go on with `here` or `on this server`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoGpu => "no GPU",
            Self::NoDriver => "no driver",
            Self::NotBuilt => "not built",
            Self::Silent => "its worker does not answer",
            Self::NoLibrary => "library not found",
            Self::Fails => "does not work",
        }
    }

    /// The command that brings this device of this engine, on the machine that lacks it; empty where none does. `PYTHON` in it is that of
    /// an installed PyTorch with CUDA.
    pub fn install(self, engine: EngineKind, device: Device) -> String {
        match (self, device) {
            (Self::NoDriver, Device::Vulkan) => "apt-get install mesa-vulkan-drivers".to_owned(),
            (Self::NoGpu | Self::NoDriver | Self::Fails, _) => String::new(),
            (Self::NotBuilt | Self::Silent | Self::NoLibrary, _) if engine.is_reference() => {
                format!("recspeed engines install {} --existing PYTHON", engine.as_str())
            }
            (Self::NotBuilt | Self::Silent | Self::NoLibrary, _) => worker_with(device),
        }
    }

    /// What to do, without a full stop; code stands between backticks.
    pub fn remedy(self, engine: EngineKind, device: Device) -> String {
        let install = self.install(engine, device);
        let python =
            if install.contains("PYTHON") { ", where PYTHON is that of an installed PyTorch with CUDA" } else { "" };
        match self {
            Self::NoGpu => "choose another device, or a machine with a GPU".to_owned(),
            Self::NoDriver if device == Device::Vulkan => format!(
                "install the GPU's Vulkan driver; on Debian, `{install}` brings those of AMD and Intel, and one in software"
            ),
            Self::NoDriver => "install the GPU's driver, or let the container have its GPU".to_owned(),
            Self::Fails => "choose another device; a newer driver may mend this one".to_owned(),
            Self::Silent => format!("`{install}` builds it anew{python}"),
            Self::NotBuilt | Self::NoLibrary if engine.is_reference() => {
                format!("`{install}` takes a library with it{python}")
            }
            Self::NotBuilt | Self::NoLibrary => format!("`{install}` builds a worker with it{python}"),
        }
    }
}

/// The commands that build a worker with a device of Burn. Each does nothing where its work is done, so that they can be run again.
fn worker_with(device: Device) -> String {
    match device.worker_build() {
        None => "make binaries".to_owned(),
        Some("libtorch") => {
            // The LibTorch that the lab assembles by itself is for processors.
            let existing = if device.is_processor() { "" } else { " --existing PYTHON" };
            format!("recspeed engines install libtorch{existing} && make worker-libtorch")
        }
        Some(build) => format!("make worker-{build}"),
    }
}

impl AbsentDevice {
    /// A device of Burn's that is not here for this reason, with what brings it.
    pub fn of_burn(device: Device, why: Absence, detail: impl Into<String>) -> Self {
        Self::of(EngineKind::Burn, device, why, detail)
    }

    /// A device of any engine's.
    pub fn of(engine: EngineKind, device: Device, why: Absence, detail: impl Into<String>) -> Self {
        Self {
            engine: engine.as_str().to_owned(),
            device: device.as_str().to_owned(),
            why,
            detail: detail.into(),
            install: why.install(engine, device),
            remedy: why.remedy(engine, device),
        }
    }

    /// The reason with what was said of it, as `does not work here: its driver crashes`.
    pub fn reason(&self) -> String {
        let detail = if self.detail.is_empty() { String::new() } else { format!(": {}", self.detail) };
        format!("{} here{detail}", self.why.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Absence; 6] =
        [Absence::NoGpu, Absence::NoDriver, Absence::NotBuilt, Absence::Silent, Absence::NoLibrary, Absence::Fails];

    #[test]
    fn a_device_that_is_not_here_names_the_command_that_brings_it_for_that_reason() {
        let command = |why: Absence, device| AbsentDevice::of_burn(device, why, "").install;
        assert_eq!(command(Absence::NotBuilt, Device::Vulkan), "make worker-vulkan");
        assert_eq!(command(Absence::NoDriver, Device::Vulkan), "apt-get install mesa-vulkan-drivers");
        assert_eq!(command(Absence::NotBuilt, Device::Cuda), "make worker-cuda");
        let libtorch = "recspeed engines install libtorch && make worker-libtorch";
        assert_eq!(command(Absence::NotBuilt, Device::LibtorchCpu), libtorch);
        assert_eq!(command(Absence::NoLibrary, Device::LibtorchCpu), libtorch);
        // What the lab assembles by itself has no CUDA.
        let with_cuda = "recspeed engines install libtorch --existing PYTHON && make worker-libtorch";
        assert_eq!(command(Absence::NoLibrary, Device::LibtorchCuda), with_cuda);
        for device in [Device::LibtorchCuda, Device::Cuda] {
            for why in [Absence::NoGpu, Absence::NoDriver, Absence::Fails] {
                assert_eq!(command(why, device), "", "no build brings a GPU: {why:?}");
            }
        }
        let pytorch = Absence::NoLibrary.install(EngineKind::Pytorch, Device::Cuda);
        assert_eq!(pytorch, "recspeed engines install pytorch --existing PYTHON");
    }

    #[test]
    fn every_reason_has_a_remedy_which_names_its_command_and_explains_what_is_to_be_filled_in() {
        for device in Device::OF_BURN {
            for why in ALL {
                let absent = AbsentDevice::of_burn(device, why, "");
                assert!(!absent.remedy.is_empty() && !absent.remedy.ends_with('.'), "{absent:?}");
                assert!(absent.remedy.contains(&absent.install), "{absent:?}");
                let explained = absent.remedy.contains("PYTHON is that of");
                assert_eq!(absent.install.contains("PYTHON"), explained, "{absent:?}");
            }
        }
    }

    #[test]
    fn an_absent_device_is_written_and_read_and_names_its_reason_in_a_word() {
        let absent = AbsentDevice::of_burn(Device::Vulkan, Absence::NoDriver, "no Vulkan driver names a GPU");
        let text = serde_json::to_string(&absent).expect("JSON");
        assert!(text.contains(r#""why":"no-driver""#), "{text}");
        assert_eq!(serde_json::from_str::<AbsentDevice>(&text).expect("its own"), absent);
        assert_eq!(absent.reason(), "no driver here: no Vulkan driver names a GPU");
        assert_eq!(serde_json::to_string(&GpuPresence::NoDriver).expect("JSON"), r#""no-driver""#);
    }

    #[test]
    fn a_gpu_counts_where_a_driver_names_it_alone() {
        assert_eq!(GpuPresence::Here.absence(), None);
        assert_eq!(GpuPresence::NoDriver.absence(), Some(Absence::NoDriver));
        assert_eq!(GpuPresence::default().absence(), Some(Absence::NoGpu));
    }
}
