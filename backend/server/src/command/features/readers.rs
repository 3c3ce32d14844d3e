//! Which attributes of the data a recommender reads: by itself, or by a component however deep.

use recspeed_types::catalogue::{Need, find};
use recspeed_types::spec::{Derived, ParamValue, RecommenderSpec};

/// Whose attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of the items.
    Items,
    /// Those of the users.
    Users,
}

impl Whose {
    /// Whose a derived attribute is.
    pub(super) const fn of(derived: Derived) -> Self {
        if derived.of_items() { Self::Items } else { Self::Users }
    }

    /// As names of features begin: `items.category`.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Users => "users",
        }
    }
}

/// Whether it reads any attributes of these, were there some.
pub(super) fn reads(recommender: &RecommenderSpec, whose: Whose) -> bool {
    some_list(recommender, whose, &|_| true)
}

/// Whether it reads this attribute: where it is told no names, it reads all.
pub(super) fn reads_column(recommender: &RecommenderSpec, whose: Whose, column: &str) -> bool {
    some_list(recommender, whose, &|named| named.is_empty() || named.iter().any(|name| name == column))
}

/// Has an attribute read by all that read some of these: it joins the names of those that are told any.
pub(super) fn choose(recommender: &mut RecommenderSpec, derived: Derived) {
    let list = parameter(recommender, Whose::of(derived));
    if let Some(list) = list
        && let Some(ParamValue::Names(named)) = recommender.params.get_mut(list)
        && !named.is_empty()
    {
        named.push(derived.as_str().to_owned());
    }
    for value in recommender.params.values_mut() {
        if let ParamValue::Recommenders(components) = value {
            for component in components {
                choose(component, derived);
            }
        }
    }
}

/// Whether the names that the recommender, or one of its components, is told are `wanted`; none are told where it reads all.
fn some_list(recommender: &RecommenderSpec, whose: Whose, wanted: &dyn Fn(&[String]) -> bool) -> bool {
    let own = parameter(recommender, whose).and_then(|name| recommender.value(name));
    let is_own = matches!(&own, Some(ParamValue::Names(named)) if wanted(named));
    is_own || components(recommender).iter().any(|component| some_list(component, whose, wanted))
}

/// The list by which this recommender itself is told which attributes of these to read; `None` where it reads none of them.
fn parameter(recommender: &RecommenderSpec, whose: Whose) -> Option<&'static str> {
    let entry = find(&recommender.kind)?;
    let (own, need) = match whose {
        Whose::Items => ("item_attributes", Need::ItemAttributes),
        Whose::Users => ("user_attributes", Need::UserAttributes),
    };
    // One list for both; but a method that cannot do without the attributes of the one side reads none of the other.
    let needs_attributes = [Need::ItemAttributes, Need::UserAttributes].iter().any(|need| entry.needs.contains(need));
    let both = !needs_attributes || entry.needs.contains(&need);
    let list = entry.param(own).or_else(|| entry.param("attributes").filter(|_| both))?.name;
    // Not where another parameter says that none are read; none of these depends on the loss.
    recommender.reads(list, None).then_some(list)
}

/// Those of a hybrid, as given or as the catalogue has them.
fn components(recommender: &RecommenderSpec) -> Vec<RecommenderSpec> {
    match recommender.value("components") {
        Some(ParamValue::Recommenders(components)) => components,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::catalogue::{ENTRIES, ParamKind};

    use super::*;

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
            let own = |whose| parameter(&RecommenderSpec::new(entry.kind), whose).is_some();
            assert_eq!(own(Whose::Items) || own(Whose::Users), has_list, "{}", entry.kind);
            assert!((own(Whose::Items) || !items) && (own(Whose::Users) || !users), "{}", entry.kind);
        }
    }

    #[test]
    fn a_hybrid_reads_what_any_component_reads_however_deep() {
        let content = naming("content-tfidf", "attributes", &["category"]);
        let inner = hybrid("switching", vec![RecommenderSpec::new("item-knn"), content]);
        let outer = hybrid("weighted", vec![RecommenderSpec::new("popularity"), inner.clone()]);
        for recommender in [&inner, &outer] {
            assert!(reads_column(recommender, Whose::Items, "category"), "{recommender:?}");
            assert!(!reads_column(recommender, Whose::Items, "brand"), "{recommender:?}");
            assert!(!reads(recommender, Whose::Users), "{recommender:?}");
        }
        // A component that is told no names reads all, those of the users too.
        let with_all = hybrid("weighted", vec![outer, RecommenderSpec::new("fm")]);
        assert!(reads_column(&with_all, Whose::Items, "brand") && reads_column(&with_all, Whose::Users, "age"));
        // Components that nobody wrote are those of the catalogue.
        assert!(reads_column(&RecommenderSpec::new("feature-combination"), Whose::Items, "brand"));
        let without_side = RecommenderSpec::new("fm").with("side", ParamValue::Boolean(false));
        assert!(!reads(&without_side, Whose::Items));
    }

    #[test]
    fn a_derived_attribute_joins_the_names_of_every_component_that_reads_that_side() {
        let machine = naming("fm", "item_attributes", &["category"])
            .with("user_attributes", ParamValue::Names(vec!["age".to_owned()]));
        let content = naming("content-tfidf", "attributes", &["rated-by"]);
        let inner = hybrid("feature-combination", vec![content]);
        let open = RecommenderSpec::new("content-linear");
        let mut outer = hybrid("weighted", vec![machine, inner, open.clone()]);
        choose(&mut outer, Derived::ItemCount);
        choose(&mut outer, Derived::UserCount);
        let machine = naming("fm", "item_attributes", &["category", "item-count"])
            .with("user_attributes", ParamValue::Names(vec!["age".to_owned(), "user-count".to_owned()]));
        let content = naming("content-tfidf", "attributes", &["rated-by", "item-count"]);
        let inner = hybrid("feature-combination", vec![content]);
        assert_eq!(outer, hybrid("weighted", vec![machine, inner, open]));
    }
}
