//! What the lab behind the page can compute on: what its lists offer, and how the rest is to be had.

use recspeed_types::api::{EngineInfo, EngineState, LabInfo};
use recspeed_types::probe::{Probe, ProbedDevice};
use recspeed_types::spec::{Device, EngineKind};
use recspeed_types::{Absence, AbsentDevice, ExperimentSpec, GpuPresence, sentence};

use super::Choice;
use super::recommenders::trained;

/// Engines and devices of the server; none where no server answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Offer {
    engines: Vec<EngineInfo>,
    /// What its workers can do, as far as they have said it.
    probe: Option<Probe>,
    /// What there is of a GPU for other engines than Burn.
    gpu: GpuPresence,
}

/// Something that is not here, and what brings it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    /// Its name for people.
    pub title: String,
    /// What there is of it, or why it is not here.
    pub state: String,
    /// The command; empty where none brings it.
    pub install: String,
    /// What is to be said besides the command, or to be done without one; empty where the command says all.
    pub note: String,
}

impl Wanted {
    fn of_engine(engine: &EngineInfo) -> Self {
        let (title, state) = (engine.kind.title().to_owned(), engine.state.words().to_owned());
        if engine.state == EngineState::Busy {
            let note = sentence(&engine.state.remedy(&engine.install));
            return Self { title, state, install: String::new(), note };
        }
        Self { title, state, install: engine.install.clone(), note: String::new() }
    }

    fn of_device(engine: EngineKind, absent: AbsentDevice) -> Self {
        // A command alone does not say what is to be filled in, nor what other systems have in its place.
        let says_all =
            !absent.install.is_empty() && !absent.install.contains("PYTHON") && absent.why != Absence::NoDriver;
        let remedy = if says_all { "" } else { absent.remedy.as_str() };
        let said = [absent.detail.as_str(), remedy].into_iter().filter(|words| !words.is_empty());
        let said: Vec<String> = said.map(|words| sentence(&quoted(words))).collect();
        Self {
            title: format!("{} on {}", engine.title(), absent.device),
            state: format!("{} on this server", absent.why.words()),
            install: absent.install,
            note: said.join(" "),
        }
    }
}

impl Offer {
    /// What a server says of itself.
    pub(crate) fn of(info: &LabInfo) -> Self {
        Self { engines: info.engines.clone(), probe: info.probe.clone(), gpu: info.gpu }
    }

    /// Burn, and every other engine; those that are not here cannot be chosen.
    pub(super) fn engines(&self) -> Vec<Choice> {
        let reference = |kind: EngineKind| {
            let why = self.engine(kind).map_or("on a server", |engine| engine.state.words());
            let shown = if why.is_empty() { String::new() } else { format!(" ({why})") };
            Choice { off: !why.is_empty(), ..Choice::titled(kind.as_str(), format!("{}{shown}", kind.title())) }
        };
        let burn = Choice::titled(EngineKind::Burn.as_str(), "Burn: built in, here and in the tab");
        [burn].into_iter().chain(EngineKind::REFERENCES.map(reference)).collect()
    }

    /// The devices of the spec's engine, and the one that it names; those that are not here cannot be chosen.
    pub(super) fn devices(&self, spec: &ExperimentSpec) -> Vec<Choice> {
        let (engine, named) = (spec.engine.kind, spec.engine.device);
        let in_tab = (!engine.is_reference()).then_some(Device::Browser);
        let mut all: Vec<Choice> =
            engine.devices().iter().copied().chain(in_tab).map(|device| self.device(device, spec)).collect();
        if !all.iter().any(|choice| choice.value == named.as_str()) {
            all.push(Choice::titled(named.as_str(), format!("{} (not with {})", named.as_str(), engine.title())));
        }
        all
    }

    fn device(&self, device: Device, spec: &ExperimentSpec) -> Choice {
        let engine = spec.engine.kind;
        let name = device.as_str();
        let on = |what: &str| Choice::titled(name, format!("{name}: {what}"));
        let off = |why: &str| Choice { off: true, ..Choice::titled(name, format!("{name} ({why})")) };
        let absent = |why: Absence| off(&format!("{} on this server", why.words()));
        match device {
            Device::Flex => on("pure Rust, on the processor"),
            Device::Browser => on("in this tab"),
            // What a reference engine makes of no device, which is written as Burn's.
            Device::Cpu if spec.engine.device == Device::Flex => Choice::titled("flex", "cpu: the processor"),
            Device::Cpu => on("the processor"),
            _ if engine.is_reference() => match (self.engine(engine), self.no_gpu(engine)) {
                (None, _) => off("on a server"),
                (Some(_), Some(why)) => absent(why),
                (Some(_), None) => on("a GPU of the server"),
            },
            _ if trained(&spec.recommender).is_empty() => off("for networks"),
            _ => match (self.title(engine, device), self.absence(device)) {
                (Some(title), _) => on(title),
                (None, Some(known)) => absent(known.why),
                (None, None) => off("not on this server"),
            },
        }
    }

    /// The engines and devices that are not here, or not whole.
    pub(crate) fn wanted(&self) -> Vec<Wanted> {
        let (ready, others): (Vec<&EngineInfo>, Vec<&EngineInfo>) =
            self.engines.iter().partition(|engine| engine.state == EngineState::Ready);
        let engines = others.into_iter().map(Wanted::of_engine);
        let without_gpu = ready.into_iter().filter_map(|engine| {
            let device = *engine.kind.devices().iter().find(|device| !device.is_processor())?;
            let why = self.no_gpu(engine.kind)?;
            Some(Wanted::of_device(engine.kind, AbsentDevice::of(engine.kind, device, why, "")))
        });
        let devices = Device::OF_BURN.into_iter().filter_map(|device| self.absence(device));
        let devices = devices.map(|absent| Wanted::of_device(EngineKind::Burn, absent));
        engines.chain(without_gpu).chain(devices).collect()
    }

    /// Why the server cannot train with the spec's engine, or not on its devices.
    pub(crate) fn refusal(&self, spec: &ExperimentSpec) -> Option<String> {
        let kind = spec.engine.kind;
        if let Some(engine) = self.engine(kind).filter(|engine| engine.state != EngineState::Ready) {
            let place = if engine.state == EngineState::Busy { "" } else { "on its machine, " };
            let remedy = sentence(&quoted(&format!("{place}{}", engine.state.remedy(&engine.install))));
            return Some(format!("The server cannot train with {}: {}. {remedy}", kind.title(), engine.state.words()));
        }
        let absent = if kind.is_reference() {
            let device = Some(spec.engine.device).filter(|device| !device.is_processor())?;
            AbsentDevice::of(kind, device, self.no_gpu(kind)?, "")
        } else {
            // What is no device of Burn's is a mistake, which its field tells.
            let mut named = spec.devices().into_iter().filter(|device| Device::OF_BURN.contains(device));
            named.find_map(|device| self.absence(device))?
        };
        let (device, why, remedy) = (&absent.device, absent.why.words(), sentence(&quoted(&absent.remedy)));
        Some(format!("The server cannot train with {} on {device}: {why} there. {remedy}", kind.title()))
    }

    fn engine(&self, kind: EngineKind) -> Option<&EngineInfo> {
        self.engines.iter().find(|engine| engine.kind == kind)
    }

    /// Why an engine of the server's has no GPU to compute on.
    fn no_gpu(&self, kind: EngineKind) -> Option<Absence> {
        let alone = self.engine(kind)?.processors_alone;
        self.gpu.absence().or_else(|| alone.then_some(Absence::NoLibrary))
    }

    /// Why a device of Burn's is not here. Of a server that has not been heard nobody knows it.
    fn absence(&self, device: Device) -> Option<AbsentDevice> {
        self.probe.as_ref()?.absence(device)
    }

    /// The name for people of a device that is here.
    fn title(&self, engine: EngineKind, device: Device) -> Option<&str> {
        let is_it = |found: &&ProbedDevice| found.engine == engine.as_str() && found.device == device.as_str();
        self.probe.as_ref()?.devices.iter().find(is_it).map(|found| found.title.as_str())
    }
}

/// With quotation marks around code, which stands between backticks.
fn quoted(words: &str) -> String {
    let mut text = String::new();
    for (at, part) in words.split('`').enumerate() {
        if at > 0 {
            text.push(if at % 2 == 1 { '“' } else { '”' });
        }
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use recspeed_types::probe::PROTOCOL_VERSION;
    use recspeed_types::spec::RecommenderSpec;

    use super::*;

    /// A server with a GPU, PyTorch and LibTorch for processors.
    fn offer() -> Offer {
        let engine = |kind: EngineKind, state| {
            let install = format!("install {}", kind.as_str());
            EngineInfo { kind, state, install, processors_alone: false }
        };
        let device = |device: &str| ProbedDevice {
            engine: "burn".to_owned(),
            device: device.to_owned(),
            title: "a processor".to_owned(),
            memory: None,
            own_memory: None,
            gpu: None,
            threads: None,
        };
        let probe = Probe {
            protocol: PROTOCOL_VERSION,
            versions: [].into(),
            features: Vec::new(),
            devices: vec![device("flex"), device("libtorch-cpu")],
            absent: Vec::new(),
            recommenders: Vec::new(),
        };
        Offer {
            engines: vec![
                engine(EngineKind::Pytorch, EngineState::Ready),
                engine(EngineKind::Tensorflow, EngineState::Missing),
                engine(EngineKind::Pyvelox, EngineState::OtherVersion),
            ],
            probe: Some(probe),
            gpu: GpuPresence::Here,
        }
    }

    /// The same where these devices of Burn's are not here for these reasons, and this is there of a GPU.
    fn lacking(gpu: GpuPresence, absent: &[(Device, Absence)]) -> Offer {
        let told = |&(device, why): &(Device, Absence)| AbsentDevice::of_burn(device, why, "");
        let Offer { engines, probe, .. } = offer();
        let probe = probe.map(|probe| Probe { absent: absent.iter().map(told).collect(), ..probe });
        Offer { engines, probe, gpu }
    }

    fn with(kind: EngineKind) -> ExperimentSpec {
        let mut spec = ExperimentSpec::default();
        spec.engine.kind = kind;
        spec
    }

    #[test]
    fn engines_that_are_not_here_are_shown_and_cannot_be_chosen() {
        let on: Vec<String> = offer().engines().into_iter().filter(|choice| !choice.off).map(|c| c.value).collect();
        assert_eq!(on, ["burn", "pytorch"]);
        assert_eq!(offer().engines().len(), 6);
        assert!(Offer::default().engines().iter().skip(1).all(|choice| choice.off), "without a server");
        let wanted: Vec<String> = offer().wanted().into_iter().map(|wanted| wanted.install).collect();
        let expected = [
            "install tensorflow",
            "install pyvelox",
            "recspeed engines install libtorch --existing PYTHON && make worker-libtorch",
            "make worker-vulkan",
            "make worker-cuda",
        ];
        assert_eq!(wanted, expected);
        assert_eq!(Offer::default().wanted(), []);
        assert!(offer().refusal(&with(EngineKind::Pyvelox)).is_some_and(|why| why.contains("install pyvelox")));
        assert_eq!(offer().refusal(&with(EngineKind::Pytorch)), None);
        assert_eq!(offer().refusal(&ExperimentSpec::default()), None);
    }

    #[test]
    fn devices_that_are_not_here_are_shown_and_cannot_be_chosen_and_the_one_of_the_spec_is_always_shown() {
        let on = |spec: &ExperimentSpec, offer: &Offer| -> Vec<String> {
            offer.devices(spec).into_iter().filter(|choice| !choice.off).map(|choice| choice.value).collect()
        };
        let mut spec = ExperimentSpec::default();
        assert_eq!(on(&spec, &offer()), ["flex", "libtorch-cpu", "browser"]);
        assert_eq!(on(&spec, &Offer::default()), ["flex", "browser"]);
        assert_eq!(offer().devices(&spec).len(), Device::OF_BURN.len() + 1);
        assert_eq!(on(&with(EngineKind::Pytorch), &offer()), ["flex", "cuda"], "no device is its processor");
        spec.engine.device = Device::Cpu;
        assert!(on(&spec, &offer()).contains(&"cpu".to_owned()), "a mistake is shown as it stands");
        spec.recommender = RecommenderSpec::new("popularity");
        assert!(!on(&spec, &offer()).contains(&"libtorch-cpu".to_owned()), "no network");
    }

    #[test]
    fn a_gpu_that_the_server_has_not_cannot_be_chosen_for_an_engine_and_both_list_and_button_say_why() {
        let mut on_gpu = with(EngineKind::Pytorch);
        on_gpu.engine.device = Device::Cuda;
        let cuda = |offer: &Offer| {
            let devices = offer.devices(&on_gpu);
            let choice = devices.into_iter().find(|choice| choice.value == "cuda").expect("PyTorch has it");
            (choice.off, choice.title)
        };
        assert!(!cuda(&offer()).0);
        assert_eq!(offer().refusal(&on_gpu), None);
        let none = lacking(GpuPresence::Missing, &[]);
        assert_eq!(cuda(&none), (true, "cuda (no GPU on this server)".to_owned()));
        let refusal = none.refusal(&on_gpu).expect("no GPU");
        assert!(refusal.starts_with("The server cannot train with PyTorch on cuda: no GPU there. Choose"), "{refusal}");
        assert_eq!(none.refusal(&with(EngineKind::Pytorch)), None, "its processor is here");
        let driver = lacking(GpuPresence::NoDriver, &[]);
        assert_eq!(cuda(&driver), (true, "cuda (no driver on this server)".to_owned()));
        // A PyTorch for processors has no use for the GPU that is here.
        let mut alone = offer();
        alone.engines[0].processors_alone = true;
        assert_eq!(cuda(&alone), (true, "cuda (library not found on this server)".to_owned()));
        let wanted = alone.wanted().into_iter().find(|wanted| wanted.title == "PyTorch on cuda").expect("named");
        assert_eq!(wanted.install, "recspeed engines install pytorch --existing PYTHON");
        assert!(wanted.note.contains("PYTHON is that of an installed PyTorch with CUDA"), "{}", wanted.note);
        assert!(cuda(&Offer::default()).0, "without a server");
    }

    #[test]
    fn every_device_that_is_not_here_says_for_which_reason_and_what_brings_it_for_that_one() {
        let offer = lacking(
            GpuPresence::Missing,
            &[
                (Device::LibtorchCuda, Absence::NoGpu),
                (Device::Vulkan, Absence::NoDriver),
                (Device::Cuda, Absence::NoGpu),
            ],
        );
        let wanted = |title: &str| offer.wanted().into_iter().find(|wanted| wanted.title == title).expect("named");
        let vulkan = wanted("Burn on vulkan");
        assert_eq!(vulkan.state, "no driver on this server");
        assert_eq!(
            vulkan.install, "apt-get install mesa-vulkan-drivers",
            "the worker is built: building brings nothing"
        );
        assert!(vulkan.note.starts_with("Install the GPU's Vulkan driver"), "{}", vulkan.note);
        for title in ["Burn on libtorch-cuda", "Burn on cuda", "PyTorch on cuda"] {
            let gpu = wanted(title);
            assert_eq!((gpu.state.as_str(), gpu.install.as_str()), ("no GPU on this server", ""), "{title}");
            assert!(gpu.note.contains("a machine with a GPU"), "{title}: {}", gpu.note);
        }
        let mut spec = ExperimentSpec::default();
        spec.engine.device = Device::Vulkan;
        let refusal = offer.refusal(&spec).expect("no driver");
        assert!(refusal.contains("no driver there") && refusal.contains("“apt-get install"), "{refusal}");
        spec.engine.device = Device::LibtorchCpu;
        assert_eq!(offer.refusal(&spec), None);
    }

    #[test]
    fn an_engine_says_how_it_stands_and_one_that_is_being_installed_is_waited_for() {
        let mut offer = offer();
        let states = [EngineState::Unfinished, EngineState::Busy, EngineState::OtherVersion];
        for (engine, state) in offer.engines.iter_mut().zip(states) {
            engine.state = state;
        }
        let shown: Vec<String> = offer.engines().into_iter().map(|choice| choice.title).collect();
        assert_eq!(shown[1], "PyTorch (half installed)");
        assert_eq!(shown[2], "TensorFlow (Keras) (being installed by another process)");
        assert_eq!(shown[3], "PyVelox and PyTorch (installed by another version)");
        let wanted = offer.wanted();
        assert_eq!((wanted[0].install.as_str(), wanted[0].note.as_str()), ("install pytorch", ""));
        assert_eq!((wanted[1].install.as_str(), wanted[1].note.as_str()), ("", "Wait until it is installed."));
        let refusal = |kind| offer.refusal(&with(kind)).expect("it cannot be used");
        let half = refusal(EngineKind::Pytorch);
        assert!(half.ends_with("half installed. On its machine, go on with “install pytorch”."), "{half}");
        let busy = refusal(EngineKind::Tensorflow);
        assert!(busy.ends_with("Wait until it is installed.") && !busy.contains("install tensorflow"), "{busy}");
    }
}
