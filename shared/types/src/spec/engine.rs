//! `[engine]`: what computes.

use serde::{Deserialize, Serialize};

use super::Problems;
use super::balance::Balance;
use super::recommender::ResolvedRecommender;
use super::strategy::{Launcher, PipelineSchedule, Recompute, Strategy, StrategyKind};
use super::training::{Optimizer, Training};
use crate::limits::MAX_THREADS;

/// `[engine]` as written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EngineSpec {
    /// The engine (`burn` unless set).
    #[serde(default)]
    pub kind: EngineKind,
    /// The device (`flex` unless set, for other engines than Burn `cpu`).
    #[serde(default)]
    pub device: Device,
    /// Threads (unless set as many as the machine has cores, and at most four where all ranks compute on GPUs by Burn). One thread
    /// in the tab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// Burn for networks; plain Rust for everything else.
    #[default]
    Burn,
    /// PyTorch, eager.
    Pytorch,
    /// TensorFlow through Keras.
    Tensorflow,
    /// PyVelox as the data path, PyTorch as what trains.
    Pyvelox,
    /// DeepSpeed: ZeRO, or a pipeline of stages, over ranks.
    Deepspeed,
    /// torchgpipe: a pipeline of stages.
    Torchgpipe,
}

impl EngineKind {
    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Burn => "burn",
            Self::Pytorch => "pytorch",
            Self::Tensorflow => "tensorflow",
            Self::Pyvelox => "pyvelox",
            Self::Deepspeed => "deepspeed",
            Self::Torchgpipe => "torchgpipe",
        }
    }

    /// Every engine.
    pub const ALL: [Self; 6] =
        [Self::Burn, Self::Pytorch, Self::Tensorflow, Self::Pyvelox, Self::Deepspeed, Self::Torchgpipe];

    /// The engines that train a network in their own framework, in a process of their own.
    pub const REFERENCES: [Self; 5] =
        [Self::Pytorch, Self::Tensorflow, Self::Pyvelox, Self::Deepspeed, Self::Torchgpipe];

    /// Whether it is one of [`Self::REFERENCES`].
    pub fn is_reference(self) -> bool {
        Self::REFERENCES.contains(&self)
    }

    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Burn => "Burn",
            Self::Pytorch => "PyTorch",
            Self::Tensorflow => "TensorFlow (Keras)",
            Self::Pyvelox => "PyVelox and PyTorch",
            Self::Deepspeed => "DeepSpeed",
            Self::Torchgpipe => "torchgpipe",
        }
    }

    /// Where the engine computes, on a server.
    pub const fn devices(self) -> &'static [Device] {
        match self {
            Self::Burn => &Device::OF_BURN,
            Self::Pytorch | Self::Pyvelox | Self::Torchgpipe => &[Device::Cpu, Device::Cuda],
            // TensorFlow is installed without CUDA, and ranks of DeepSpeed talk over gloo: NCCL refuses two of them on one GPU.
            Self::Tensorflow | Self::Deepspeed => &[Device::Cpu],
        }
    }

    /// Whether it trains this kind of recommender; Burn trains all.
    pub fn trains(self, recommender: &str) -> bool {
        !self.is_reference() || LENT.contains(&recommender)
    }

    /// How the engine can divide the work; Burn in every way.
    pub const fn strategies(self) -> &'static [StrategyKind] {
        use StrategyKind::{DataParallel, Hybrid, Pipeline, Single, Zero};
        match self {
            Self::Burn => &[Single, DataParallel, Pipeline, Zero, Hybrid],
            Self::Pytorch | Self::Tensorflow | Self::Pyvelox => &[Single],
            Self::Deepspeed => &[Single, DataParallel, Pipeline, Zero],
            Self::Torchgpipe => &[Single, Pipeline],
        }
    }

    /// The order of forward and backward passes of its pipelines, where they have one alone; `None` of Burn, whose pipelines have
    /// every order, and of engines without pipelines.
    pub const fn only_schedule(self) -> Option<PipelineSchedule> {
        match self {
            Self::Burn | Self::Pytorch | Self::Tensorflow | Self::Pyvelox => None,
            Self::Deepspeed => Some(PipelineSchedule::OneForwardOneBackward),
            Self::Torchgpipe => Some(PipelineSchedule::Gpipe),
        }
    }
}

/// Where it computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// Burn's pure Rust backend on the processor.
    #[default]
    Flex,
    /// The processor, for engines other than Burn.
    Cpu,
    /// Burn flex, compiled for the browser, in a web worker of the tab.
    Browser,
    /// Burn on LibTorch, on the processor.
    LibtorchCpu,
    /// Burn on LibTorch, on a GPU by CUDA.
    LibtorchCuda,
    /// Burn's own kernels on a GPU by Vulkan.
    Vulkan,
    /// A GPU by CUDA: Burn's own kernels, or those of the engine.
    Cuda,
}

impl Device {
    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Cpu => "cpu",
            Self::Browser => "browser",
            Self::LibtorchCpu => "libtorch-cpu",
            Self::LibtorchCuda => "libtorch-cuda",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
        }
    }

    /// Every device.
    pub const ALL: [Self; 7] =
        [Self::Flex, Self::Cpu, Self::Browser, Self::LibtorchCpu, Self::LibtorchCuda, Self::Vulkan, Self::Cuda];

    /// Whether it is a processor, whose memory is the machine's.
    pub const fn is_processor(self) -> bool {
        matches!(self, Self::Flex | Self::Cpu | Self::Browser | Self::LibtorchCpu)
    }

    /// The devices that Burn has in a worker.
    pub const OF_BURN: [Self; 5] = [Self::Flex, Self::LibtorchCpu, Self::LibtorchCuda, Self::Vulkan, Self::Cuda];

    /// The worker build that has it, as in `recspeed-worker-libtorch`, where the usual one does not.
    ///
    /// LibTorch is loaded with the program, and Burn's GPU kernels make a worker ten times as large: each is a build of its
    /// own.
    pub const fn worker_build(self) -> Option<&'static str> {
        match self {
            Self::Flex | Self::Cpu | Self::Browser => None,
            Self::LibtorchCpu | Self::LibtorchCuda => Some("libtorch"),
            Self::Vulkan => Some("vulkan"),
            Self::Cuda => Some("cuda"),
        }
    }
}

/// Recommenders that a reference engine trains.
const LENT: [&str; 2] = ["mlp", "densenet"];

impl EngineSpec {
    /// The most threads that a run takes without being told, where a GPU computes. On an H200 more brought nothing: the evaluation of
    /// 2,000 users took `sasrec` .079, .051, .045 and .051 s and `neumf` 2.23, 2.47, 2.41 and 3.13 s on LibTorch with 1, 2, 4 and 16
    /// threads, and each thread costs a workspace of its own there.
    pub const MOST_THREADS_ON_GPUS: u32 = 4;

    /// The section with the device that the engine's kind makes of the default one, and what it asks of other sections.
    pub(crate) fn resolve(
        &self,
        recommender: Option<&ResolvedRecommender>,
        training: Option<&Training>,
        strategy: &Strategy,
        problems: &mut Problems,
    ) -> Self {
        if let Some(threads) = self.threads {
            problems.range("engine.threads", threads, 1, MAX_THREADS);
        }
        self.check_persistence(strategy, problems);
        if !self.kind.is_reference() {
            self.resolve_burn(recommender, problems);
            return self.clone();
        }
        let kind = self.kind.as_str();
        let device = if self.device == Device::default() { Device::Cpu } else { self.device };
        if !self.kind.devices().contains(&device) {
            let able = self.kind.devices().iter().map(|device| format!("`{}`", device.as_str()));
            let able = able.collect::<Vec<_>>().join(" and ");
            problems
                .add("engine.device", format!("is `{}`; the engine `{kind}` computes on {able}", self.device.as_str()));
        }
        if let Some(recommender) = recommender
            && !self.kind.trains(recommender.entry.kind)
        {
            let (given, allowed) = (recommender.entry.kind, LENT.join(", "));
            let message = format!("is `{kind}`, which trains {allowed}; `{given}` needs the engine `burn`");
            problems.add("engine.kind", message);
        }
        if training.is_some_and(|training| training.early_stopping.is_some()) {
            let message = format!("does not go with the engine `{kind}`, which takes every epoch; leave it out");
            problems.add("training.early_stopping", message);
        }
        if self.kind == EngineKind::Tensorflow
            && let Some(training) = training
            && training.weight_decay > 0.0
            && training.optimizer != Optimizer::Adamw
        {
            let optimizer = training.optimizer.as_str();
            let message = format!(
                "with the optimizer `{optimizer}` is decoupled in Keras; set training.optimizer to `adamw`, or leave it out"
            );
            problems.add("training.weight_decay", message);
        }
        let strategies = self.kind.strategies();
        if !strategies.contains(&strategy.kind) {
            let able = strategies.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
            let message = format!("is `{}`; the engine `{kind}` has {able}", strategy.kind.as_str());
            problems.add("strategy.kind", message);
        }
        if strategy.launcher == Launcher::Mpi {
            problems
                .add("strategy.launcher", format!("is `mpi`; the engine `{kind}` starts its own ranks, leave it out"));
        }
        if strategy.offload {
            problems.add("strategy.offload", format!("is for the engine `burn`, not `{kind}`; leave it out"));
        }
        if strategy.devices.is_some() {
            problems.add("strategy.devices", format!("is for the engine `burn`, not `{kind}`; leave it out"));
        }
        self.check_passes(strategy, problems);
        Self { device, ..self.clone() }
    }

    /// What other frameworks keep of forward passes, and how their pipelines order passes and place layers.
    fn check_passes(&self, strategy: &Strategy, problems: &mut Problems) {
        let (kind, is_staged) = (self.kind.as_str(), strategy.kind == StrategyKind::Pipeline);
        if self.kind == EngineKind::Deepspeed {
            let path = "strategy.recompute";
            match (strategy.recompute, is_staged) {
                (Recompute::Never, _) | (Recompute::Always, true) => {}
                (Recompute::ExceptLast, true) => {
                    problems.add(path, "must be `never` or `always` for pipelines of the engine `deepspeed`");
                }
                (_, false) => problems
                    .add(path, "is for pipelines of the engine `deepspeed`, which else keeps all here; leave it out"),
            }
        }
        let Some(only) = self.kind.only_schedule().filter(|_| is_staged) else { return };
        if strategy.schedule != only {
            let name = if only == PipelineSchedule::Gpipe { "gpipe" } else { "1f1b" };
            problems.add("strategy.schedule", format!("must be `{name}` for the engine `{kind}`"));
        }
        if strategy.balance != Balance::default() {
            let how = if self.kind == EngineKind::Torchgpipe { "modules" } else { "parameters" };
            problems
                .add("strategy.balance", format!("is not for the engine `{kind}`, which cuts by {how}; leave it out"));
        }
    }

    /// Only DeepSpeed's ZeRO 3 keeps small tensors whole; ours divides every layer.
    fn check_persistence(&self, strategy: &Strategy, problems: &mut Problems) {
        let path = "strategy.persistence_threshold";
        // Of other kinds of strategies it is refused whatever computes.
        if strategy.persistence_threshold.is_none() || strategy.kind != StrategyKind::Zero {
            return;
        }
        if self.kind != EngineKind::Deepspeed {
            let kind = self.kind.as_str();
            problems.add(path, format!("is for the engine `deepspeed`, not `{kind}`; leave it out"));
        } else if strategy.zero != 3 {
            let message = format!("is for strategy.stage = 3, which divides parameters, not {}", strategy.zero);
            problems.add(path, format!("{message}; leave it out"));
        }
    }

    fn resolve_burn(&self, recommender: Option<&ResolvedRecommender>, problems: &mut Problems) {
        let device = self.device.as_str();
        match (self.device, recommender) {
            (Device::Cpu, _) => {
                problems.add("engine.device", "is `cpu`; the engine `burn` computes on `flex` or in the `browser`");
            }
            (Device::Flex | Device::Browser, _) => {}
            // Only networks are made of tensors.
            (_, Some(recommender)) if recommender.trained().is_none() => {
                let kind = recommender.entry.kind;
                problems.add("engine.device", format!("is `{device}`; `{kind}` is no network and computes on `flex`"));
            }
            _ => {}
        }
    }
}
