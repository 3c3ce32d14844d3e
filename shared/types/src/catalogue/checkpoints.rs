//! Which fits can be gone on with from a checkpoint, and why the others cannot.

use std::fmt;

use super::Entry;
use crate::spec::{ResolvedRecommender, ResolvedSpec};

/// The kinds that go through their data again and again, beside networks.
const IN_ITERATIONS: &[&str] =
    &["als-implicit", "als-explicit", "bpr", "warp", "biased-mf", "svd++", "nmf", "fm", "ffm", "feature-embeddings"];

impl Entry {
    /// Whether a fit of this kind can be gone on with from a checkpoint; a hybrid keeps those of its components.
    pub fn keeps_checkpoints(&self) -> bool {
        self.is_trained() || IN_ITERATIONS.contains(&self.kind)
    }
}

impl ResolvedRecommender {
    /// Whether a fit of it, or of a component of it, can be gone on with from a checkpoint.
    pub fn keeps_checkpoints(&self) -> bool {
        self.all().iter().any(|part| part.entry.keeps_checkpoints())
    }
}

/// That a run keeps no checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCheckpoints {
    /// What of the spec decides it, as `recommender.kind = "ease"`.
    pub who: String,
    /// Why, as the end of a sentence.
    pub why: &'static str,
}

impl fmt::Display for NoCheckpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a run with {} keeps no checkpoints: {}", self.who, self.why)
    }
}

impl ResolvedSpec {
    /// Why a run of this spec keeps no checkpoints; `None` where it keeps some.
    pub fn no_checkpoints(&self) -> Option<NoCheckpoints> {
        if self.engine.kind.is_reference() {
            let who = format!("engine.kind = \"{}\"", self.engine.kind.as_str());
            return Some(NoCheckpoints { who, why: "another framework trains it from its start to its end" });
        }
        if self.recommender.keeps_checkpoints() {
            return None;
        }
        let who = format!("recommender.kind = \"{}\"", self.recommender.entry.kind);
        let is_hybrid = !self.recommender.components().is_empty();
        let why = if is_hybrid { "each of its components is fitted in one go" } else { "it is fitted in one go" };
        Some(NoCheckpoints { who, why })
    }
}

#[cfg(test)]
mod tests {
    use crate::ExperimentSpec;
    use crate::catalogue::{ENTRIES, Family};

    fn told(spec: &str) -> Option<String> {
        let head = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[evaluation]\n\
                    metrics = [\"ndcg@10\"]\n";
        let spec = ExperimentSpec::from_toml(&format!("{head}{spec}")).expect("a spec").resolve().expect("no mistakes");
        spec.no_checkpoints().map(|none| none.to_string())
    }

    #[test]
    fn what_keeps_no_checkpoints_says_what_of_the_spec_decides_it_and_why() {
        for (spec, said) in [
            (
                "[recommender]\nkind = \"ease\"\n",
                Some("a run with recommender.kind = \"ease\" keeps no checkpoints: it is fitted in one go"),
            ),
            (
                "[recommender]\nkind = \"switching\"\n[[recommender.components]]\nkind = \"ease\"\n\
                 [[recommender.components]]\nkind = \"popularity\"\n",
                Some(
                    "a run with recommender.kind = \"switching\" keeps no checkpoints: each of its components is \
                     fitted in one go",
                ),
            ),
            (
                "[recommender]\nkind = \"switching\"\n[[recommender.components]]\nkind = \"bpr\"\n\
                 [[recommender.components]]\nkind = \"popularity\"\n",
                None,
            ),
            ("[recommender]\nkind = \"sasrec\"\n", None),
            ("[recommender]\nkind = \"als-implicit\"\n", None),
        ] {
            assert_eq!(told(spec).as_deref(), said, "{spec}");
        }
    }

    #[test]
    fn the_documentation_of_the_spec_names_exactly_the_kinds_that_keep_checkpoints() {
        let text = include_str!("../../../../docs/spec.md");
        let section = text.split("\n## ").find(|section| section.starts_with("Checkpoints\n")).expect("a section");
        let line = |begins: &str| section.lines().find(|line| line.starts_with(begins)).expect("a line of that family");
        let (rounds, none) = (line("| in iterations"), line("| in one go"));
        let names = |line: &str, kind: &str| line.contains(&format!("`{kind}`"));
        for entry in ENTRIES {
            // Hybrids keep those of their components, and all networks keep some: neither is named one by one.
            let is_named = !entry.is_trained() && entry.family != Family::Hybrid;
            assert_eq!(names(rounds, entry.kind), is_named && entry.keeps_checkpoints(), "{}", entry.kind);
            assert_eq!(names(none, entry.kind), is_named && !entry.keeps_checkpoints(), "{}", entry.kind);
        }
    }
}
