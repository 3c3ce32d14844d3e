//! That a run was refused before any work, and what would be taken instead of what was asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A run was refused before any work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusal {
    /// Settings that its cause names, each of which would do by itself; may be empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instead: Vec<Instead>,
}

/// A setting that may take the place of the one that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Instead {
    /// Where it stands in the spec, as `recommender.components.1.kind`.
    pub path: String,
    /// Its value.
    pub value: String,
}

impl Instead {
    /// Kinds of recommenders for a place of the spec, as `recommender` or `recommender.components.1`.
    pub fn kinds(place: &str, kinds: &[&str]) -> Vec<Self> {
        kinds.iter().map(|kind| Self { path: format!("{place}.kind"), value: (*kind).to_owned() }).collect()
    }
}

/// What takes less than something that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remedy {
    /// What to lower, in words that follow that one.
    pub lower: &'static str,
    /// Kinds of recommenders to take in its place.
    pub instead: &'static [&'static str],
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.lower)?;
        for (number, kind) in self.instead.iter().enumerate() {
            let before = if number == 0 { ", or take recommender.kind =" } else { " or" };
            write!(f, "{before} \"{kind}\"")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Failure;

    #[test]
    fn a_remedy_names_what_to_lower_and_every_kind() {
        let two = Remedy { lower: "recommender.factors", instead: &["slim", "item-knn"] };
        assert_eq!(two.to_string(), "recommender.factors, or take recommender.kind = \"slim\" or \"item-knn\"");
        assert_eq!(Remedy { instead: &[], ..two }.to_string(), "recommender.factors");
    }

    #[test]
    fn failures_that_were_stored_before_refusals_were_told_are_read_and_written_as_they_were() {
        let old = r#"{"code":"out-of-memory","cause":"Too large.","detail":""}"#;
        let failure: Failure = serde_json::from_str(old).unwrap();
        assert_eq!(failure.refusal, None);
        assert_eq!(serde_json::to_string(&failure).unwrap(), old);
        let instead = Instead::kinds("recommender.components.1", &["slim"]);
        let refused = Failure { refusal: Some(Refusal { instead }), ..failure };
        let text = serde_json::to_string(&refused).unwrap();
        let told = r#""refusal":{"instead":[{"path":"recommender.components.1.kind","value":"slim"}]}"#;
        assert!(text.contains(told), "{text}");
        assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), refused);
    }
}
