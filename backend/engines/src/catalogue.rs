//! The reference engines: what each needs, and how much room.

use std::collections::BTreeMap;

use recspeed_types::spec::EngineKind;

/// What is known of an engine before anything is installed.
#[derive(Debug)]
pub struct Reference {
    /// As in a spec.
    pub kind: EngineKind,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// Its pinned requirements, as pip reads them.
    pub requirements: &'static str,
    /// Bytes on disk once installed, with the wheels of PyPI for Linux on x86-64: those of `pytorch` and `tensorflow` are measured, the
    /// others are what `pytorch` takes and what they bring beside it.
    pub installed_bytes: u64,
    /// Bytes to download, measured likewise.
    pub download_bytes: u64,
}

const MB: u64 = 1_000_000;

static REFERENCES: [Reference; 5] = [
    Reference {
        kind: EngineKind::Pytorch,
        about: "PyTorch, eager, with tensors sliced by batch",
        requirements: include_str!("../requirements/pytorch.txt"),
        installed_bytes: 7_200 * MB,
        download_bytes: 3_100 * MB,
    },
    Reference {
        kind: EngineKind::Tensorflow,
        about: "TensorFlow through Keras: compile and model.fit",
        requirements: include_str!("../requirements/tensorflow.txt"),
        installed_bytes: 1_600 * MB,
        download_bytes: 400 * MB,
    },
    Reference {
        kind: EngineKind::Pyvelox,
        about: "PyVelox vectors as the data path, PyTorch as what trains",
        requirements: include_str!("../requirements/pyvelox.txt"),
        installed_bytes: 7_500 * MB,
        download_bytes: 3_200 * MB,
    },
    Reference {
        kind: EngineKind::Deepspeed,
        about: "DeepSpeed: ZeRO 1, 2 and 3, and pipelines, over ranks on the processor",
        requirements: include_str!("../requirements/deepspeed.txt"),
        installed_bytes: 7_300 * MB,
        download_bytes: 3_100 * MB,
    },
    Reference {
        kind: EngineKind::Torchgpipe,
        about: "torchgpipe: a pipeline of stages with micro-batches",
        requirements: include_str!("../requirements/torchgpipe.txt"),
        installed_bytes: 7_200 * MB,
        download_bytes: 3_100 * MB,
    },
];

impl Reference {
    /// Every reference engine.
    pub fn all() -> &'static [Self] {
        &REFERENCES
    }

    /// The pinned packages and versions.
    pub fn pins(&self) -> impl Iterator<Item = Pin> + use<> {
        let lines = self.requirements.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.split_once("=="))
            .map(|(name, version)| Pin { name: name.trim(), version: version.trim() })
    }

    /// The pins that these versions are not, each under the name that the engine says the package by, with the version that is there.
    /// What a version was built for, as `+cpu`, is no difference.
    pub fn unpinned(&self, versions: &BTreeMap<String, String>) -> Vec<(Pin, String)> {
        let differs = |found: &str, pinned: &str| found.split('+').next() != Some(pinned);
        let told = self.pins().filter_map(|pin| {
            let name = if pin.name == "tensorflow-cpu" { "tensorflow" } else { pin.name };
            let found = versions.get(name).filter(|found| differs(found, pin.version))?;
            Some((Pin { name, ..pin }, found.clone()))
        });
        told.collect()
    }

    /// The command that installs it.
    pub fn install_command(&self) -> String {
        format!("recspeed engines install {}", self.kind.as_str())
    }
}

/// A package and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// As on PyPI.
    pub name: &'static str,
    /// The version.
    pub version: &'static str,
}

/// The engine of this kind; `None` for Burn, which is built in.
pub fn find(kind: EngineKind) -> Option<&'static Reference> {
    REFERENCES.iter().find(|reference| reference.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_kind_of_a_spec_has_an_entry_and_pins() {
        for kind in EngineKind::REFERENCES {
            let reference = find(kind).unwrap_or_else(|| panic!("{kind:?} has no entry"));
            let requirements = reference.requirements.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            assert_eq!(requirements.count(), reference.pins().count(), "{kind:?}: a requirement is not pinned by `==`");
        }
        assert!(find(EngineKind::Burn).is_none());
    }
}
