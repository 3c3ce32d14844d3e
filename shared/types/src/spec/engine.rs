//! `[engine]`: what computes.

use serde::{Deserialize, Serialize};

use super::Problems;
use crate::limits::MAX_THREADS;

/// `[engine]` as written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EngineSpec {
    /// The engine (`burn` unless set).
    #[serde(default)]
    pub kind: EngineKind,
    /// The device (`flex` unless set).
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
}

impl EngineKind {
    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Burn => "burn",
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
    /// The same backend, compiled for the browser, in a web worker of the tab.
    Browser,
}

impl Device {
    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Browser => "browser",
        }
    }
}

impl EngineSpec {
    pub(crate) fn check(&self, problems: &mut Problems) {
        if let Some(threads) = self.threads {
            problems.range("engine.threads", threads, 1, MAX_THREADS);
        }
    }
}
