//! What a run promises of being run again.

use serde::{Deserialize, Serialize};

use crate::spec::{Device, EngineKind};
use crate::summary::EngineInfo;

/// Whether the same spec on the same machine gives the same bits. From the strongest promise to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It does, whatever the number of threads.
    Exact,
    /// Everything is drawn by the seed, and whoever computes may add up in another order each time: it need not.
    Seeded,
    /// Threads raced for the same numbers: every run differs a little.
    Fast,
}

impl Mode {
    /// The name as written in a result.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Seeded => "seeded",
            Self::Fast => "fast",
        }
    }

    /// The name, and what it means for who runs the same spec again.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Exact => "exact: the same seed gives the same bits on this machine, on any number of threads",
            Self::Seeded => "seeded: the same seed need not give the same bits on this engine and device",
            Self::Fast => "fast: threads raced for the same numbers, and the same seed gives others each time",
        }
    }

    /// What an engine promises on a device. This is the one place that says it.
    ///
    /// - Burn's flex, and the same in a tab: sums are formed in a fixed order, whatever the threads, and those of
    ///   ranks in the order of ranks. The lab's tests hold every method to it.
    /// - LibTorch and PyTorch leave the order open, on the processor too, unless their deterministic algorithms are
    ///   asked for (<https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html>), which
    ///   the lab does not do. PyVelox feeds PyTorch; DeepSpeed and torchgpipe are built on it.
    /// - TensorFlow promises it after `tf.config.experimental.enable_op_determinism`, which the lab does not call.
    /// - Burn's own kernels by Vulkan and CUDA sum a whole tensor by atomic additions where the GPU has them, in the
    ///   order in which its blocks end (`SumStrategy::OneShot` of burn-cubecl 0.22.1, the default without autotuning;
    ///   <https://github.com/tracel-ai/burn/pull/5156> has the same of the choice by autotuning).
    pub const fn of(engine: EngineKind, device: Device) -> Self {
        match (engine, device) {
            (EngineKind::Burn, Device::Flex | Device::Browser) => Self::Exact,
            (
                EngineKind::Burn,
                Device::Cpu | Device::LibtorchCpu | Device::LibtorchCuda | Device::Vulkan | Device::Cuda,
            )
            | (
                EngineKind::Pytorch
                | EngineKind::Tensorflow
                | EngineKind::Pyvelox
                | EngineKind::Deepspeed
                | EngineKind::Torchgpipe,
                _,
            ) => Self::Seeded,
        }
    }

    /// What the engine of a result promises: where several devices computed, the weakest of their promises. A name that
    /// nobody knows promises nothing.
    pub fn of_engine(engine: &EngineInfo) -> Self {
        let Some(kind) = EngineKind::ALL.into_iter().find(|kind| kind.as_str() == engine.kind) else {
            return Self::Seeded;
        };
        let device = |name: &str| Device::ALL.into_iter().find(|device| device.as_str() == name);
        let of = |name: &str| device(name).map_or(Self::Seeded, |device| Self::of(kind, device));
        engine.device.split(", ").map(of).max().unwrap_or(Self::Seeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(kind: &str, device: &str) -> EngineInfo {
        let (kind, device, host) = (kind.to_owned(), device.to_owned(), String::new());
        EngineInfo { kind, device, versions: std::collections::BTreeMap::new(), host, threads: 1, precision: None }
    }

    #[test]
    fn flex_alone_promises_the_same_bits_on_the_server_and_in_a_tab() {
        for device in Device::ALL {
            let exact = matches!(device, Device::Flex | Device::Browser);
            let promised = if exact { Mode::Exact } else { Mode::Seeded };
            assert_eq!(Mode::of(EngineKind::Burn, device), promised, "{}", device.as_str());
            assert_eq!(Mode::of_engine(&engine("burn", device.as_str())), promised, "{}", device.as_str());
            for kind in EngineKind::REFERENCES {
                assert_eq!(Mode::of(kind, device), Mode::Seeded, "{}", kind.as_str());
                assert_eq!(Mode::of_engine(&engine(kind.as_str(), device.as_str())), Mode::Seeded);
            }
        }
    }

    #[test]
    fn one_stage_on_another_device_is_enough_and_an_unknown_name_promises_nothing() {
        assert_eq!(Mode::of_engine(&engine("burn", "flex, vulkan")), Mode::Seeded);
        assert_eq!(Mode::of_engine(&engine("burn", "flex, browser")), Mode::Exact);
        assert_eq!(Mode::of_engine(&engine("burn", "rocm")), Mode::Seeded);
        assert_eq!(Mode::of_engine(&engine("jax", "flex")), Mode::Seeded);
        assert_eq!(Mode::of_engine(&engine("burn", "")), Mode::Seeded);
    }

    #[test]
    fn what_is_told_begins_with_the_name_and_weaker_promises_are_larger() {
        for mode in [Mode::Exact, Mode::Seeded, Mode::Fast] {
            assert!(mode.in_words().starts_with(&format!("{}: ", mode.as_str())));
            assert_eq!(serde_json::to_value(mode).expect("JSON"), mode.as_str());
        }
        assert!(Mode::Exact < Mode::Seeded && Mode::Seeded < Mode::Fast);
    }
}
