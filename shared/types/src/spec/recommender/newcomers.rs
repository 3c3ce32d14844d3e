//! Why a recommender has nothing for people who came after its training, and what to take instead.

use super::ResolvedRecommender;
use crate::catalogue::{Entry, Family, Takes, find};

/// A recommender that has nothing for people who came after its training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoNewUsers {
    /// What cannot be, and which recommender it is due to, in a sentence.
    pub cause: String,
    /// What to do instead, in a sentence; nothing that was just refused is in it.
    pub remedy: String,
}

/// A recommender that has nothing for them by itself, and its place in the spec.
struct Refusing {
    at: String,
    entry: &'static Entry,
    why: &'static str,
    /// What else may stand in its place.
    takes: Takes,
}

impl ResolvedRecommender {
    /// Why it has nothing for people who came after the training; `None` where it [serves](Self::serves_new_users) them.
    pub fn no_new_users(&self) -> Option<NoNewUsers> {
        self.no_new_users_at("recommender")
    }

    /// The same of one that stands at this place of the spec.
    pub(super) fn no_new_users_at(&self, at: &str) -> Option<NoNewUsers> {
        let mut refusing = Vec::new();
        self.refusing(at, Takes::Any, &mut refusing);
        let first = refusing.first()?;
        let cannot = format!("{} cannot recommend to people who came after its training", self.entry.title);
        if self.components.is_empty() {
            let remedy = format!("Ask for a user of the data set, or train one of {}.", able(&refusing));
            return Some(NoNewUsers { cause: format!("{cannot}: {}.", first.why), remedy });
        }
        let of_each = refusing.iter().map(|each| format!("`{}` at {} cannot: {}", each.entry.kind, each.at, each.why));
        let cause = format!("{cannot}, because {}.", of_each.collect::<Vec<_>>().join("; and "));
        let places = refusing.iter().map(|each| each.at.as_str()).collect::<Vec<_>>().join(" and ");
        let remedy = format!(
            "Ask for a user of the data set, or replace {places} by one that can and train again: {}.",
            able(&refusing)
        );
        Some(NoNewUsers { cause, remedy })
    }

    fn refusing(&self, at: &str, takes: Takes, found: &mut Vec<Refusing>) {
        if let Err(why) = self.entry.new_users {
            found.push(Refusing { at: at.to_owned(), entry: self.entry, why, takes });
        }
        for (name, components) in &self.components {
            let param = self.entry.param(name);
            for (index, component) in components.iter().enumerate() {
                let slot = param.and_then(|param| param.kind.slot(index));
                let takes = slot.map_or(Takes::Any, |slot| slot.takes);
                component.refusing(&format!("{at}.{name}[{index}]"), takes, found);
            }
        }
    }
}

/// The kinds that serve new users, whatever they are made of, and may stand in all of these places; the simplest methods apart.
fn able(refusing: &[Refusing]) -> String {
    let serves = |kind: &&str| {
        let plain = |entry: &Entry| !matches!(entry.family, Family::Baseline | Family::Hybrid);
        find(kind).is_some_and(|entry| {
            entry.new_users.is_ok() && plain(entry) && refusing.iter().all(|each| each.takes.allows(entry))
        })
    };
    Takes::Any.kinds().filter(serves).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use crate::ExperimentSpec;

    use super::*;

    fn refused(recommender: &str) -> Option<NoNewUsers> {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n{recommender}\n\
             [evaluation]\nmetrics = [\"ndcg@10\"]\n"
        );
        let spec = ExperimentSpec::from_toml(&text).expect("it parses");
        let recommender = spec.resolve().expect("it resolves").recommender;
        let refused = recommender.no_new_users();
        assert_eq!(refused.is_none(), recommender.serves_new_users(), "{text}");
        refused
    }

    #[test]
    fn who_has_nothing_for_new_people_says_why_and_never_to_take_what_was_just_refused() {
        for entry in crate::catalogue::ENTRIES {
            let refused = refused(&format!("kind = \"{}\"", entry.kind));
            let Err(why) = entry.new_users else {
                assert_eq!(refused, None, "{}", entry.kind);
                continue;
            };
            let NoNewUsers { cause, remedy } = refused.expect("the catalogue says so");
            assert!(cause.starts_with(entry.title) && cause.contains(why), "{cause}");
            let (_, able) = remedy.split_once("train one of ").expect("what to train");
            for kind in able.trim_end_matches('.').split(", ") {
                let proposed = find(kind).expect("a kind of the catalogue");
                assert!(proposed.new_users.is_ok() && proposed.kind != entry.kind, "{remedy}");
            }
        }
        assert_eq!(refused("kind = \"biased-mf\"\nlink = \"sigmoid\""), None);
    }

    #[test]
    fn of_a_hybrid_the_components_that_have_nothing_are_named_with_place_and_cause() {
        let two = "kind = \"weighted\"\ncomponents = [{ kind = \"ease\" }, { kind = \"neumf\" }]";
        let NoNewUsers { cause, remedy } = refused(two).expect("neumf cannot");
        assert_eq!(
            cause,
            "Weighted hybrid cannot recommend to people who came after its training, because `neumf` at \
             recommender.components[1] cannot: it learns two vectors for each person, and whoever came later has none \
             without training again."
        );
        assert!(remedy.contains("replace recommender.components[1] by one that can and train again: "), "{remedy}");
        assert!(remedy.contains(" item-knn,") && !remedy.contains("weighted") && !remedy.contains("neumf"), "{remedy}");
        let deep = "kind = \"switching\"\ncomponents = [{ kind = \"mlp\" }, { kind = \"weighted\", components = [\
                    { kind = \"item-knn\" }, { kind = \"dlrm\" }] }]";
        let NoNewUsers { cause, remedy } = refused(deep).expect("two cannot");
        for (kind, at) in [("mlp", "recommender.components[0]"), ("dlrm", "recommender.components[1].components[1]")] {
            assert!(
                cause.contains(&format!("`{kind}` at {at} cannot: it ")) && remedy.contains(at),
                "{cause} {remedy}"
            );
        }
        assert_eq!(refused("kind = \"weighted\"\ncomponents = [{ kind = \"ease\" }, { kind = \"item-knn\" }]"), None);
    }

    #[test]
    fn a_place_for_those_who_serve_new_people_refuses_a_hybrid_with_the_component_that_does_not() {
        let text = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n\
                    kind = \"feature-augmentation\"\ncomponents = [{ kind = \"weighted\", components = [\
                    { kind = \"ease\" }, { kind = \"neumf\" }] }, { kind = \"content-tfidf\" }]\n";
        let error =
            ExperimentSpec::from_toml(text).expect("it parses").resolve().expect_err("neumf cannot").to_string();
        assert!(error.contains("because `neumf` at recommender.components[0].components[1] cannot: it "), "{error}");
    }
}
