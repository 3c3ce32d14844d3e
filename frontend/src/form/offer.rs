//! What the lab behind the page can compute on: what its lists offer, and how the rest is to be had.

use recspeed_types::ExperimentSpec;
use recspeed_types::api::{EngineInfo, EngineState, LabInfo};
use recspeed_types::spec::{Device, EngineKind};

use super::Choice;
use super::recommenders::trained;

/// Engines and devices of the server; none where no server answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Offer {
    engines: Vec<EngineInfo>,
    /// `engine.kind`, `engine.device` and the name for people of each.
    devices: Vec<(String, String, String)>,
}

/// Something that is not here, and the command that brings it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    /// Its name for people.
    pub title: String,
    /// What there is of it.
    pub state: &'static str,
    /// The command.
    pub install: String,
}

impl Offer {
    /// What a server says of itself.
    pub(crate) fn of(info: &LabInfo) -> Self {
        let devices = info.probe.iter().flat_map(|probe| &probe.devices);
        let devices = devices.map(|found| (found.engine.clone(), found.device.clone(), found.title.clone())).collect();
        Self { engines: info.engines.clone(), devices }
    }

    /// Burn, and every other engine; those that are not here cannot be chosen.
    pub(super) fn engines(&self) -> Vec<Choice> {
        let reference = |kind: EngineKind| {
            let why = match self.state(kind) {
                Some(EngineState::Ready) => "",
                Some(EngineState::Missing) => " (not installed)",
                Some(EngineState::Unusable) => " (its installation is not whole)",
                None => " (on a server)",
            };
            Choice { off: !why.is_empty(), ..Choice::titled(kind.as_str(), format!("{}{why}", kind.title())) }
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
        let found = || self.devices.iter().find(|(of, found, _)| of == engine.as_str() && found == name);
        let on = |what: &str| Choice::titled(name, format!("{name}: {what}"));
        let off = |why: &str| Choice { off: true, ..Choice::titled(name, format!("{name} ({why})")) };
        match device {
            Device::Flex => on("pure Rust, on the processor"),
            Device::Browser => on("in this tab"),
            // What a reference engine makes of no device, which is written as Burn's.
            Device::Cpu if spec.engine.device == Device::Flex => Choice::titled("flex", "cpu: the processor"),
            Device::Cpu => on("the processor"),
            _ if engine.is_reference() => on("a GPU of the server"),
            _ if trained(&spec.recommender).is_empty() => off("for networks"),
            _ => match found() {
                Some((_, _, title)) => on(title),
                None => off("not on this server"),
            },
        }
    }

    /// The engines and devices that are not here, or not whole.
    pub(crate) fn wanted(&self) -> Vec<Wanted> {
        let missing = self.engines.iter().filter(|engine| engine.state != EngineState::Ready);
        let engines = missing.map(|engine| Wanted {
            title: engine.kind.title().to_owned(),
            state: if engine.state == EngineState::Missing { "not installed" } else { "its installation is not whole" },
            install: engine.install.clone(),
        });
        let has = |device: &Device| self.devices.iter().any(|(_, found, _)| found == device.as_str());
        let mut builds: Vec<&str> = Vec::new();
        for build in Device::OF_BURN.iter().filter_map(|device| device.worker_build()) {
            let mut own = Device::OF_BURN.iter().filter(|device| device.worker_build() == Some(build));
            // A server that has not been heard has no devices at all.
            if !self.devices.is_empty() && !own.any(has) && !builds.contains(&build) {
                builds.push(build);
            }
        }
        let devices = builds.into_iter().map(|build| Wanted {
            title: format!("Burn’s devices {}", devices_of(build)),
            state: "not on this server",
            install: if build == "libtorch" {
                "recspeed engines install libtorch && make worker-libtorch".to_owned()
            } else {
                format!("make worker-{build}")
            },
        });
        engines.chain(devices).collect()
    }

    /// Why the server cannot train with the spec's engine.
    pub(crate) fn refusal(&self, spec: &ExperimentSpec) -> Option<String> {
        let wanted = self.wanted().into_iter().find(|wanted| wanted.title == spec.engine.kind.title())?;
        let Wanted { title, state, install } = wanted;
        Some(format!("The server cannot train with {title}: {state}. “{install}” on its machine mends that."))
    }

    fn state(&self, kind: EngineKind) -> Option<EngineState> {
        self.engines.iter().find(|engine| engine.kind == kind).map(|engine| engine.state)
    }
}

/// The devices of a worker build, by name.
fn devices_of(build: &str) -> String {
    let own = Device::OF_BURN.iter().filter(|device| device.worker_build() == Some(build));
    own.map(|device| device.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use recspeed_types::spec::RecommenderSpec;

    use super::*;

    fn offer() -> Offer {
        let engine =
            |kind: EngineKind, state| EngineInfo { kind, state, install: format!("install {}", kind.as_str()) };
        let device = |engine: &str, device: &str| (engine.to_owned(), device.to_owned(), "a processor".to_owned());
        Offer {
            engines: vec![
                engine(EngineKind::Pytorch, EngineState::Ready),
                engine(EngineKind::Tensorflow, EngineState::Missing),
                engine(EngineKind::Pyvelox, EngineState::Unusable),
            ],
            devices: vec![device("burn", "flex"), device("burn", "libtorch-cpu")],
        }
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
        assert_eq!(wanted, ["install tensorflow", "install pyvelox", "make worker-vulkan", "make worker-cuda"]);
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
}
