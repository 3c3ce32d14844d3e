//! What the server says of the engines of other frameworks.

use serde::{Deserialize, Serialize};

use crate::spec::EngineKind;

/// What there is of an engine on the server's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EngineInfo {
    /// `engine.kind` of a spec.
    pub kind: EngineKind,
    /// Whether it can be used.
    pub state: EngineState,
    /// The command that installs it, or mends its installation.
    pub install: String,
    /// Whether its library was built for processors alone, so that it has no use for a GPU.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub processors_alone: bool,
}

/// Whether an engine can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EngineState {
    /// All of it is here.
    Ready,
    /// Nothing of it is here.
    Missing,
    /// Its installation did not come to its end.
    Unfinished,
    /// Another process installs it now.
    Busy,
    /// Another version of the lab installed it, and it does not do for this one.
    OtherVersion,
    /// Files of it are not as they were installed.
    Damaged,
    /// Its Python is gone, or what was noted of it cannot be read.
    Unusable,
}

impl EngineState {
    /// What there is of it, in a few words; empty where all of it is here.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ready => "",
            Self::Missing => "not installed",
            Self::Unfinished => "half installed",
            Self::Busy => "being installed by another process",
            Self::OtherVersion => "installed by another version",
            Self::Damaged => "damaged",
            Self::Unusable => "its Python or its record is gone",
        }
    }

    /// What to do, without a full stop, where `install` is its command; empty where all of it is here. Code stands between backticks.
    pub fn remedy(self, install: &str) -> String {
        match self {
            Self::Ready => String::new(),
            Self::Missing => format!("run `{install}`"),
            Self::Unfinished => format!("go on with `{install}`"),
            Self::Busy => "wait until it is installed".to_owned(),
            Self::OtherVersion | Self::Damaged | Self::Unusable => format!("run `{install}`, which mends it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_cannot_be_used_says_how_it_stands_and_what_mends_that_and_a_busy_one_is_waited_for() {
        use EngineState::{Busy, Damaged, Missing, OtherVersion, Ready, Unfinished, Unusable};
        let states = [Missing, Unfinished, Busy, OtherVersion, Damaged, Unusable];
        let mut words: Vec<&str> = states.iter().map(|state| state.words()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), states.len(), "each in words of its own: {words:?}");
        for state in states {
            let remedy = state.remedy("recspeed engines install pytorch");
            assert_eq!(remedy.contains("`recspeed engines install pytorch`"), state != Busy, "{state:?}: {remedy}");
        }
        assert_eq!((Ready.words(), Ready.remedy("x").as_str()), ("", ""));
    }
}
