//! Which features a recommender reads: attributes of items and users, and the user, the item and the time of a row.

use super::{ENTRIES, Entry, Need};
use crate::spec::{Derived, FeatureName, ParamValue, ResolvedRecommender};

/// Whose attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of the items.
    Items,
    /// Those of the users.
    Users,
}

impl Whose {
    /// Whose a derived attribute is.
    pub const fn of(derived: Derived) -> Self {
        if derived.of_items() { Self::Items } else { Self::Users }
    }

    /// As names of features begin: `items.category`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Users => "users",
        }
    }
}

/// Kinds that predict a rating from the time of its row.
const OF_TIME: &[&str] = &["mlp", "densenet"];

/// Kinds that predict the same for every user.
const OF_NO_USER: &[&str] = &["global-mean", "item-mean", "popularity"];

/// Kinds that predict the same for every item.
const OF_NO_ITEM: &[&str] = &["global-mean", "user-mean"];

/// Kinds that put the items in one order for every user, by their nature: what they add for a user is the same for all items.
const OF_ONE_ORDER: &[&str] = &["global-mean", "user-mean", "item-mean", "bias", "popularity"];

impl Entry {
    /// The parameter that names which attributes of these are read; `None` where the kind reads none of them.
    pub fn attribute_list(&self, whose: Whose) -> Option<&'static str> {
        let (own, need) = match whose {
            Whose::Items => ("item_attributes", Need::ItemAttributes),
            Whose::Users => ("user_attributes", Need::UserAttributes),
        };
        // One list for both; but a method that cannot do without the attributes of the one side reads none of the other.
        let needs_attributes =
            [Need::ItemAttributes, Need::UserAttributes].iter().any(|need| self.needs.contains(need));
        let both = !needs_attributes || self.needs.contains(&need);
        Some(self.param(own).or_else(|| self.param("attributes").filter(|_| both))?.name)
    }

    /// Whether the kind learns from the times of the rows: as an input, or as an order.
    pub fn learns_from_times(&self) -> bool {
        OF_TIME.contains(&self.kind) || [Need::Timestamps, Need::Order].iter().any(|need| self.needs.contains(need))
    }
}

/// Kinds that read some attributes of these, were there some, in the order of the catalogue; none of them is a hybrid.
pub fn readers_of(whose: Whose) -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().filter(move |entry| entry.attribute_list(whose).is_some()).map(|entry| entry.kind)
}

/// Kinds that learn from the times of the rows, in the order of the catalogue.
pub fn readers_of_times() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().filter(|entry| entry.learns_from_times()).map(|entry| entry.kind)
}

impl ResolvedRecommender {
    /// Whether it, or a component however deep, reads some attributes of these, were there some.
    pub fn reads_attributes_of(&self, whose: Whose) -> bool {
        self.some_list(whose, |_| true)
    }

    /// Whether it, or a component however deep, reads this feature at all: when it learns or when it answers.
    pub fn reads_feature(&self, feature: FeatureName<'_>) -> bool {
        match feature {
            FeatureName::Items(column) => self.reads_column(Whose::Items, column),
            FeatureName::Users(column) => self.reads_column(Whose::Users, column),
            FeatureName::Time => self.all().iter().any(|each| each.entry.learns_from_times()),
            FeatureName::User | FeatureName::Item => self.predicts_from(feature),
        }
    }

    /// Whether its prediction of a row is made of this input of the row; attributes are no inputs of a row.
    pub fn predicts_from(&self, input: FeatureName<'_>) -> bool {
        // A hybrid reads what its components read; one that switches also counts what the user or the item has.
        let all = self.all();
        let mut kinds = all
            .iter()
            .filter(|each| each.components().is_empty() || each.entry.kind == "switching")
            .map(|each| each.entry.kind);
        match input {
            FeatureName::User => kinds.any(|kind| !OF_NO_USER.contains(&kind)),
            FeatureName::Item => kinds.any(|kind| !OF_NO_ITEM.contains(&kind)),
            FeatureName::Time => kinds.any(|kind| OF_TIME.contains(&kind)),
            FeatureName::Items(_) | FeatureName::Users(_) => false,
        }
    }

    /// Whether it, or a component however deep, ranks items for each user anew, and not in one order for all.
    pub fn ranks_by_user(&self) -> bool {
        let all = self.all();
        let mut kinds = all.iter().filter(|each| each.components().is_empty()).map(|each| each.entry.kind);
        kinds.any(|kind| !OF_ONE_ORDER.contains(&kind))
    }

    /// Where it is told no names, it reads all.
    fn reads_column(&self, whose: Whose, column: &str) -> bool {
        self.some_list(whose, |named| named.is_empty() || named.iter().any(|name| name == column))
    }

    /// Whether the names that it, or one of its components, is told are `wanted`; none are told where it reads all.
    fn some_list(&self, whose: Whose, wanted: impl Fn(&[String]) -> bool) -> bool {
        self.all().iter().any(|each| {
            let list = each.entry.attribute_list(whose).filter(|list| each.reads(list, None));
            list.is_some_and(|list| matches!(each.params().get(list), Some(ParamValue::Names(named)) if wanted(named)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{ParamKind, find};
    use crate::spec::RecommenderSpec;
    use crate::{ExperimentSpec, spec::DatasetSpec};

    fn resolved(recommender: RecommenderSpec) -> ResolvedRecommender {
        let dataset = DatasetSpec::builtin("beauty-synthetic-10k");
        let mut spec = ExperimentSpec { dataset, recommender, ..ExperimentSpec::default() };
        spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
        spec.resolve().unwrap_or_else(|errors| panic!("{errors}")).recommender
    }

    fn naming(kind: &str, list: &str, names: &[&str]) -> RecommenderSpec {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        RecommenderSpec::new(kind).with(list, ParamValue::Names(names))
    }

    fn hybrid(kind: &str, components: Vec<RecommenderSpec>) -> RecommenderSpec {
        RecommenderSpec::new(kind).with("components", ParamValue::Recommenders(components))
    }

    #[test]
    fn whoever_has_a_list_of_names_or_needs_attributes_reads_some() {
        for entry in ENTRIES {
            let (items, users) =
                (entry.needs.contains(&Need::ItemAttributes), entry.needs.contains(&Need::UserAttributes));
            let has_list = entry.params.iter().any(|param| matches!(param.kind, ParamKind::Names { .. }));
            let own = |whose| entry.attribute_list(whose).is_some();
            assert_eq!(own(Whose::Items) || own(Whose::Users), has_list, "{}", entry.kind);
            assert!((own(Whose::Items) || !items) && (own(Whose::Users) || !users), "{}", entry.kind);
            assert!(!has_list || entry.params.iter().all(|param| param.name != "components"), "{}", entry.kind);
        }
    }

    #[test]
    fn a_hybrid_reads_what_any_component_reads_however_deep() {
        let content = naming("content-tfidf", "attributes", &["category"]);
        let inner = hybrid("switching", vec![RecommenderSpec::new("item-knn"), content]);
        let outer = hybrid("weighted", vec![RecommenderSpec::new("popularity"), inner.clone()]);
        for recommender in [&inner, &outer] {
            let recommender = resolved(recommender.clone());
            assert!(recommender.reads_feature(FeatureName::Items("category")), "{recommender:?}");
            assert!(!recommender.reads_feature(FeatureName::Items("brand")), "{recommender:?}");
            assert!(!recommender.reads_attributes_of(Whose::Users), "{recommender:?}");
        }
        // A component that is told no names reads all, those of the users too.
        let with_all = resolved(hybrid("weighted", vec![outer, RecommenderSpec::new("fm")]));
        for feature in [FeatureName::Items("brand"), FeatureName::Users("age")] {
            assert!(with_all.reads_feature(feature), "{feature:?}");
        }
        // Components that nobody wrote are those of the catalogue.
        assert!(resolved(RecommenderSpec::new("feature-combination")).reads_feature(FeatureName::Items("brand")));
        let without_side = resolved(RecommenderSpec::new("fm").with("side", ParamValue::Boolean(false)));
        assert!(!without_side.reads_attributes_of(Whose::Items));
    }

    #[test]
    fn inputs_are_read_by_whoever_predicts_from_them() {
        let of = |kind: &str| {
            let recommender = resolved(RecommenderSpec::new(kind));
            [FeatureName::User, FeatureName::Item, FeatureName::Time].map(|input| recommender.predicts_from(input))
        };
        assert_eq!(of("global-mean"), [false, false, false]);
        assert_eq!(of("user-mean"), [true, false, false]);
        assert_eq!(of("item-mean"), [false, true, false]);
        assert_eq!(of("fm"), [true, true, false]);
        assert_eq!(of("mlp"), [true, true, true]);
        let means = vec![RecommenderSpec::new("item-mean"), RecommenderSpec::new("global-mean")];
        let weighted = resolved(hybrid("weighted", means.clone()));
        assert!(!weighted.predicts_from(FeatureName::User) && weighted.predicts_from(FeatureName::Item));
        assert!(resolved(hybrid("switching", means)).predicts_from(FeatureName::User));
        // What only learns from an order has no use for the time of the row that is asked.
        let sequences = resolved(RecommenderSpec::new("sasrec"));
        assert!(sequences.reads_feature(FeatureName::Time) && !sequences.predicts_from(FeatureName::Time));
    }

    #[test]
    fn one_order_for_all_is_that_of_means_and_popularity_and_of_hybrids_of_nothing_else() {
        let by_user = |recommender| resolved(recommender).ranks_by_user();
        for kind in OF_NO_USER.iter().chain(["bias", "user-mean"].iter()) {
            assert!(!by_user(RecommenderSpec::new(kind)), "{kind}");
        }
        for kind in ["random", "item-knn", "slim", "dlrm", "biased-mf"] {
            assert!(by_user(RecommenderSpec::new(kind)), "{kind}");
        }
        let of =
            |other: &str| hybrid("weighted", vec![RecommenderSpec::new("popularity"), RecommenderSpec::new(other)]);
        assert!(!by_user(of("bias")) && by_user(of("item-knn")));
    }

    #[test]
    fn the_kinds_that_are_named_here_are_of_the_catalogue() {
        for kind in [OF_TIME, OF_NO_USER, OF_NO_ITEM, OF_ONE_ORDER].concat() {
            assert!(find(kind).is_some(), "{kind}");
        }
    }
}
