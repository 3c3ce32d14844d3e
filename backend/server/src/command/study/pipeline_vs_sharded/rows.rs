//! The rows of both tables: what each trains, by which engine, and how that is divided.

use clap::ValueEnum;
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::{Device, EngineKind};

use super::super::named::{self, OnDevice, name_of};
use super::super::{SpecStudyArgs, StudyError, parsed};
use crate::command::failure::CommandError;

/// What every row trains. Frameworks draw dropout each in its own way, so there is none.
pub(super) const SPEC: &str = r#"
version = 1
name = "Pipeline against sharding"
seed = 42

[dataset]
source = "builtin"
id = "beauty-synthetic-10k"

[split]
kind = "random"
test_ratio = 0.2

[recommender]
kind = "densenet"
layers = 150
growth = 8
dropout = 0.0

[training]
epochs = 1
batch_size = 256
optimizer = "adam"
learning_rate = 1e-3

[evaluation]
metrics = ["rmse", "mae", "accuracy", "auc"]
"#;

/// The whole data set, as in the paper.
pub(super) const FULL: [&str; 2] = ["dataset.id=beauty-synthetic", "training.batch_size=1024"];

/// Name, engine, strategy. Two ranks and the same global batch throughout; the pipelines cut it into four micro-batches.
pub(super) const ROWS: &[(&str, EngineKind, &str)] = &[
    ("One device, Burn", EngineKind::Burn, r#"{ kind = "single" }"#),
    ("One device, PyTorch", EngineKind::Pytorch, r#"{ kind = "single" }"#),
    ("GPipe, ours", EngineKind::Burn, r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe" }"#),
    (
        "GPipe with recomputation, ours",
        EngineKind::Burn,
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe", recompute = "always" }"#,
    ),
    ("1F1B, ours", EngineKind::Burn, r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "1f1b" }"#),
    (
        "1F1B, ours, ranks as MPI processes",
        EngineKind::Burn,
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "1f1b", launcher = "mpi" }"#,
    ),
    (
        "1F1B with recomputation, ours",
        EngineKind::Burn,
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "1f1b", recompute = "always" }"#,
    ),
    (
        "GPipe, torchgpipe",
        EngineKind::Torchgpipe,
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe" }"#,
    ),
    (
        "GPipe with recomputation, torchgpipe",
        EngineKind::Torchgpipe,
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe", recompute = "always" }"#,
    ),
    (
        "1F1B, DeepSpeed's PipelineModule",
        EngineKind::Deepspeed,
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "1f1b" }"#,
    ),
    (
        "1F1B with recomputation, DeepSpeed's PipelineModule",
        EngineKind::Deepspeed,
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "1f1b", recompute = "always" }"#,
    ),
    ("ZeRO 1, ours", EngineKind::Burn, r#"{ kind = "zero", ranks = 2, stage = 1 }"#),
    (
        "ZeRO 1, ours, ranks as MPI processes",
        EngineKind::Burn,
        r#"{ kind = "zero", ranks = 2, stage = 1, launcher = "mpi" }"#,
    ),
    ("ZeRO 2, ours", EngineKind::Burn, r#"{ kind = "zero", ranks = 2, stage = 2 }"#),
    ("ZeRO 3, ours", EngineKind::Burn, r#"{ kind = "zero", ranks = 2, stage = 3 }"#),
    ("ZeRO 1, DeepSpeed", EngineKind::Deepspeed, r#"{ kind = "zero", ranks = 2, stage = 1 }"#),
    ("ZeRO 2, DeepSpeed", EngineKind::Deepspeed, r#"{ kind = "zero", ranks = 2, stage = 2 }"#),
    (
        "ZeRO 3, DeepSpeed, every layer divided",
        EngineKind::Deepspeed,
        r#"{ kind = "zero", ranks = 2, stage = 3, persistence_threshold = 0 }"#,
    ),
    ("ZeRO 3, DeepSpeed, its default threshold", EngineKind::Deepspeed, r#"{ kind = "zero", ranks = 2, stage = 3 }"#),
];

/// Name, engine, device, strategy, where the paper had them: on a GPU.
pub(super) const GPU_ROWS: &[(&str, EngineKind, Device, &str)] = &[
    ("One device, Burn on LibTorch", EngineKind::Burn, Device::LibtorchCuda, r#"{ kind = "single" }"#),
    ("One device, Burn's own kernels", EngineKind::Burn, Device::Cuda, r#"{ kind = "single" }"#),
    ("One device, PyTorch on CUDA", EngineKind::Pytorch, Device::Cuda, r#"{ kind = "single" }"#),
    (
        "GPipe, ours on LibTorch, both stages on one GPU",
        EngineKind::Burn,
        Device::LibtorchCuda,
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe" }"#,
    ),
    (
        "GPipe, torchgpipe on CUDA, both stages on one GPU",
        EngineKind::Torchgpipe,
        Device::Cuda,
        r#"{ kind = "pipeline", stages = 2, micro_batches = 4, schedule = "gpipe" }"#,
    ),
    (
        "ZeRO 1, ours on LibTorch, both ranks on one GPU",
        EngineKind::Burn,
        Device::LibtorchCuda,
        r#"{ kind = "zero", ranks = 2, stage = 1 }"#,
    ),
];

/// The network that every row trains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Network {
    /// 150 layers of growth 8: as many as the paper's, each with little to compute
    #[default]
    Usual,
    /// 60 layers of growth 64: ten times the parameters, so that computing decides and not what each call costs
    Larger,
}

impl Network {
    /// In what the rows differ from those of the usual network.
    const fn assignments(self) -> &'static [&'static str] {
        match self {
            Self::Usual => &[],
            Self::Larger => &["recommender.layers=60", "recommender.growth=64"],
        }
    }

    /// The option that chooses it; nothing for the usual one.
    pub(super) const fn option(self) -> &'static str {
        match self {
            Self::Usual => "",
            Self::Larger => " --network larger",
        }
    }
}

/// What the rows of a table compute on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum On {
    Processor,
    Gpu,
}

impl On {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Gpu => "gpu",
        }
    }

    pub(super) const fn of(device: Device) -> Self {
        match device {
            Device::LibtorchCuda | Device::Cuda => Self::Gpu,
            _ => Self::Processor,
        }
    }
}

/// A row before it is measured.
pub(super) struct Entry {
    /// For people.
    pub(super) name: &'static str,
    /// What computes it.
    pub(super) engine: OnDevice,
    /// How it is divided, as TOML.
    pub(super) strategy: &'static str,
}

impl Entry {
    /// The table that it stands in.
    pub(super) const fn on(&self) -> On {
        On::of(self.engine.1)
    }

    /// What it runs with this network: the study's spec, with what the user has set.
    ///
    /// # Errors
    /// What is set does not fit it.
    pub(super) fn spec(&self, network: Network, args: &SpecStudyArgs) -> Result<ExperimentSpec, CommandError> {
        let owned = |assignments: &[&str]| assignments.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let full = if args.full { owned(&FULL) } else { Vec::new() };
        parsed(SPEC, &args.study, &[&owned(network.assignments()), &full, &args.set, &self.of_row()])
    }

    /// What makes its spec.
    fn of_row(&self) -> Vec<String> {
        let (kind, device) = self.engine;
        let mut of_row = vec![format!("engine.kind={}", kind.as_str()), format!("strategy={}", self.strategy)];
        of_row.extend((self.on() == On::Gpu).then(|| format!("engine.device={}", device.as_str())));
        of_row
    }
}

/// Every row, in the order of the tables.
pub(super) fn entries() -> impl Iterator<Item = Entry> {
    // On the processor each engine is on its usual device.
    let usual = |kind: EngineKind| (kind, kind.devices().first().copied().unwrap_or_default());
    let on_processor = ROWS.iter().map(move |&(name, kind, strategy)| Entry { name, engine: usual(kind), strategy });
    let on_gpu = GPU_ROWS.iter();
    let on_gpu = on_gpu.map(|&(name, kind, device, strategy)| Entry { name, engine: (kind, device), strategy });
    on_processor.chain(on_gpu)
}

/// The engine of this name that the study has rows of.
pub(super) fn engine_of(name: &str) -> Result<OnDevice, StudyError> {
    let mut all: Vec<OnDevice> = Vec::new();
    for entry in entries() {
        if !all.contains(&entry.engine) {
            all.push(entry.engine);
        }
    }
    named::find(name, &all)
}

/// The options that choose the rows of these names, which stand in the order of the tables: a table as a whole, or else
/// their engines.
pub(super) fn choice_of(names: &[&str]) -> String {
    for on in [On::Processor, On::Gpu] {
        let of_table: Vec<&str> = entries().filter(|entry| entry.on() == on).map(|entry| entry.name).collect();
        if of_table == names {
            return format!(" --on {}", on.as_str());
        }
    }
    let mut engines: Vec<String> = Vec::new();
    for entry in entries().filter(|entry| names.contains(&entry.name)) {
        let name = name_of(entry.engine);
        if !engines.contains(&name) {
            engines.push(name);
        }
    }
    format!(" --engines {}", engines.join(","))
}
