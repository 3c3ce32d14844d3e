//! `[engine]`: what computes.

use serde::{Deserialize, Serialize};

use super::Problems;
use super::recommender::ResolvedRecommender;
use super::strategy::{PipelineSchedule, Strategy, StrategyKind};
use super::training::Training;
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
    /// Threads (as many as the machine has cores unless set). One thread in the tab.
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
    /// DeepSpeed: ZeRO over ranks.
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

    /// How the engine can divide the work; Burn in every way.
    const fn strategies(self) -> &'static [StrategyKind] {
        use StrategyKind::{DataParallel, Hybrid, Pipeline, Single, Zero};
        match self {
            Self::Burn => &[Single, DataParallel, Pipeline, Zero, Hybrid],
            Self::Pytorch | Self::Tensorflow | Self::Pyvelox => &[Single],
            Self::Deepspeed => &[Single, DataParallel, Zero],
            Self::Torchgpipe => &[Single, Pipeline],
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
    /// The same backend, compiled for the browser, in a web worker of the tab.
    Browser,
}

impl Device {
    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Cpu => "cpu",
            Self::Browser => "browser",
        }
    }
}

/// Recommenders that a reference engine trains.
const LENT: [&str; 2] = ["mlp", "densenet"];

impl EngineSpec {
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
        if !self.kind.is_reference() {
            if self.device == Device::Cpu {
                problems.add("engine.device", "is `cpu`; the engine `burn` computes on `flex` or in the `browser`");
            }
            return self.clone();
        }
        let kind = self.kind.as_str();
        if self.device == Device::Browser {
            problems.add("engine.device", format!("is `browser`; the engine `{kind}` computes on `cpu`"));
        }
        if let Some(recommender) = recommender
            && !LENT.contains(&recommender.entry.kind)
        {
            let (given, allowed) = (recommender.entry.kind, LENT.join(", "));
            let message = format!("is `{kind}`, which trains {allowed}; `{given}` needs the engine `burn`");
            problems.add("engine.kind", message);
        }
        if training.is_some_and(|training| training.early_stopping.is_some()) {
            let message = format!("does not go with the engine `{kind}`, which takes every epoch; leave it out");
            problems.add("training.early_stopping", message);
        }
        let strategies = self.kind.strategies();
        if !strategies.contains(&strategy.kind) {
            let able = strategies.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
            let message = format!("is `{}`; the engine `{kind}` has {able}", strategy.kind.as_str());
            problems.add("strategy.kind", message);
        }
        if self.kind == EngineKind::Torchgpipe && strategy.kind == StrategyKind::Pipeline {
            if strategy.schedule != PipelineSchedule::Gpipe {
                problems.add("strategy.schedule", "must be `gpipe` for the engine `torchgpipe`");
            }
            if strategy.balance.is_some() {
                problems
                    .add("strategy.balance", "is not for the engine `torchgpipe`, which cuts by modules; leave it out");
            }
        }
        Self { device: Device::Cpu, ..self.clone() }
    }
}
