//! What must be the same for a study to go on where it was stopped: the numbers of two sittings stand in one table only then.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use recspeed_datasets::LookUp;
use recspeed_engines::Engines;
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::EngineKind;
use serde::{Deserialize, Serialize};

use crate::command::kept::{fingerprint, stamp};
use crate::launch::{beside, of_devices};

/// How the names of variables begin by which libraries are told how to compute.
const VARIABLES: [&str; 20] = [
    "CUBLAS_",
    "CUDA_",
    "DNNL_",
    "GOMP_",
    "KMP_",
    // Which of several builds of a library is loaded, as LibTorch's.
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "MALLOC_",
    "MKL_",
    "NVIDIA_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "PYTORCH_",
    "RAYON_",
    "RECSPEED_PYVELOX",
    "TF_",
    "TORCH_",
    "VK_",
    "XLA_",
];

/// Everything that decides what a study measures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The study.
    pub(super) study: String,
    /// The command that measures it, with all its options.
    pub(super) command: String,
    /// What it is made with, by its name for people.
    parts: BTreeMap<String, String>,
}

impl Identity {
    /// This program on this machine, told to do this.
    pub(super) fn new(study: &str, command: &str) -> Self {
        let own = std::env::current_exe().ok().as_deref().and_then(stamp);
        let own = format!("{} {}", env!("CARGO_PKG_VERSION"), own.unwrap_or_default());
        let parts = [("the machine", machine()), ("the program `recspeed`", own)];
        let mut parts: BTreeMap<_, _> = parts.map(|(what, value)| (what.to_owned(), value)).into();
        parts.extend(variables(std::env::vars_os()));
        Self { study: study.to_owned(), command: command.to_owned(), parts }
    }

    /// A program that measures.
    pub(super) fn program(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        self.parts.insert(format!("the program `{name}`"), stamp(path).unwrap_or_default());
    }

    /// Another framework, as it is installed.
    pub(super) fn engine(&mut self, engines: &Engines, kind: EngineKind) {
        let installed = engines.launch(kind).map(|launch| {
            let versions: Vec<String> =
                launch.record.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
            format!("{}: {}", launch.python.display(), versions.join(", "))
        });
        self.parts.insert(format!("{} as it is installed", kind.title()), installed.unwrap_or_default());
    }

    /// A row: what it runs, the files that it reads, and what runs it.
    pub(super) fn row(&mut self, name: &str, spec: &ExperimentSpec, worker: &Path, engines: &Engines) {
        let look_up = LookUp::from_env(Some(".".into()));
        let files = [&spec.dataset.path, &spec.dataset.items, &spec.dataset.users].into_iter().flatten();
        let stamps = files.map(|file| look_up.places(file).iter().find_map(|place| stamp(place)).unwrap_or_default());
        let lines: Vec<String> = std::iter::once(spec.to_json()).chain(stamps).collect();
        self.parts.insert(format!("what “{name}” trains or reads"), fingerprint(&lines));
        if spec.engine.kind.is_reference() {
            self.engine(engines, spec.engine.kind);
            self.program(worker);
        } else {
            self.program(&of_devices(worker, &spec.devices()));
        }
    }

    /// What names the study with its options in a file's name.
    pub(super) fn key(&self) -> String {
        fingerprint(&[self.study.clone(), self.command.clone()])
    }

    /// What names everything else that must be the same in a file's name.
    pub(super) fn conditions(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(|(what, value)| format!("{what}: {value}")).collect();
        fingerprint(&parts)
    }

    /// What is not as it was; `None` where everything is.
    pub(super) fn change_from(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let mut known = self.parts.keys().chain(other.parts.keys());
        let changed = known.find(|what| self.parts.get(*what) != other.parts.get(*what));
        Some(changed.map_or_else(|| "the command".to_owned(), Clone::clone))
    }
}

/// The variables of the environment that decide how libraries compute, by their names for people.
fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (String, String)> {
    let named = all.map(|pair| <[OsString; 2]>::from(pair).map(|text| text.to_string_lossy().into_owned()));
    let deciding = named.filter(|[name, _]| VARIABLES.iter().any(|begins| name.starts_with(begins)));
    // Of a value nobody needs to know more than whether it is the same.
    deciding.map(|[name, value]| (format!("the variable {name}"), fingerprint(&[value])))
}

/// Tells the builds of this program, of the worker and of those beside it, which have the other devices, from others: a version changes
/// rarely, sources every day.
pub(super) fn programs(worker: Option<&Path>) -> String {
    let own = std::env::current_exe().ok();
    let others = worker.map(beside).unwrap_or_default();
    let all = [own.as_deref(), worker].into_iter().flatten().chain(others.iter().map(PathBuf::as_path));
    fingerprint(&all.map(|program| stamp(program).unwrap_or_default()).collect::<Vec<_>>())
}

/// Processor, cores, GPUs, and which machine of that kind it is.
pub(super) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let processor = read("/proc/cpuinfo").lines().find(|line| line.starts_with("model name")).map(str::to_owned);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    // A container may have no number of its machine; then it is the same one until that is started again.
    let which = Some(read("/etc/machine-id")).filter(|id| !id.is_empty());
    let which = which.unwrap_or_else(|| read("/proc/sys/kernel/random/boot_id"));
    let mut lines = vec![processor.unwrap_or_default(), cores.to_string(), which];
    let gpus = fs::read_dir("/proc/driver/nvidia/gpus").into_iter().flatten().flatten();
    let mut gpus: Vec<String> = gpus
        .map(|gpu| fs::read_to_string(gpu.path().join("information")).unwrap_or_default())
        .map(|text| text.lines().filter(|line| line.starts_with("Model") || line.starts_with("GPU UUID")).collect())
        .collect();
    gpus.sort();
    lines.extend(gpus);
    // A machine's number is nobody's business but the machine's.
    fingerprint(&lines)
}

#[cfg(test)]
impl Identity {
    /// Another thing that it is made with.
    pub(super) fn set(&mut self, what: &str, value: &str) {
        self.parts.insert(what.to_owned(), value.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_was_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let worker = folder.path().join("recspeed-worker");
        fs::write(&worker, "one").expect("written");
        let of = |command: &str, seed: u64| {
            let mut identity = Identity::new("mixed", command);
            let spec = ExperimentSpec { seed, ..ExperimentSpec::default() };
            identity.row("Burn", &spec, &worker, &engines);
            identity
        };
        let first = of("recspeed study mixed", 1);
        assert_eq!(of("recspeed study mixed", 1).change_from(&first), None);
        assert_eq!(first.key(), of("recspeed study mixed", 2).key(), "the same study, of something else");
        assert_ne!(first.conditions(), of("recspeed study mixed", 2).conditions());
        assert_eq!(first.conditions(), of("recspeed study mixed", 1).conditions());
        assert_ne!(first.key(), of("recspeed study mixed --full", 1).key(), "another study");
        let changed = of("recspeed study mixed", 2).change_from(&first);
        assert_eq!(changed.as_deref(), Some("what “Burn” trains or reads"));
        fs::write(&worker, "another build").expect("written");
        let changed = of("recspeed study mixed", 1).change_from(&first);
        assert_eq!(changed.as_deref(), Some("the program `recspeed-worker`"));
    }

    #[test]
    fn another_build_beside_the_worker_is_another_build_of_the_lab() {
        let folder = tempfile::tempdir().expect("a folder");
        let worker = folder.path().join("recspeed-worker");
        fs::write(&worker, "one").expect("written");
        let build = folder.path().join("recspeed-worker-libtorch");
        let alone = programs(Some(&worker));
        fs::write(&build, "one").expect("written");
        let beside = programs(Some(&worker));
        assert_ne!(beside, alone);
        assert_eq!(programs(Some(&worker)), beside);
        fs::write(&build, "another build").expect("written");
        assert_ne!(programs(Some(&worker)), beside, "rows on LibTorch are its");
    }

    #[test]
    fn a_variable_that_libraries_heed_is_a_part_of_what_must_be_the_same_and_others_are_not() {
        let of = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            variables(all.iter().map(|(name, value)| ((*name).into(), (*value).into()))).collect()
        };
        let first = of(&[("NVIDIA_TF32_OVERRIDE", "0"), ("HOME", "/root"), ("RECSPEED_RUN", "r-1")]);
        assert_eq!(first.keys().collect::<Vec<_>>(), ["the variable NVIDIA_TF32_OVERRIDE"]);
        assert_ne!(first, of(&[("NVIDIA_TF32_OVERRIDE", "1")]));
        assert!(!first.values().any(|value| value == "0"), "a value stays where it is");
        for name in ["TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "OMP_NUM_THREADS", "RECSPEED_PYVELOX", "LD_LIBRARY_PATH"] {
            assert_eq!(of(&[(name, "1")]).len(), 1, "{name}");
        }
    }
}
