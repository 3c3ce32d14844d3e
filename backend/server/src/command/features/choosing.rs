//! Adds an attribute to what a recommender is told to read.

use recspeed_types::catalogue::{Whose, find};
use recspeed_types::spec::{Derived, ParamValue, RecommenderSpec};

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

/// The list by which this recommender itself is told which attributes of these to read; `None` where it reads none of them.
fn parameter(recommender: &RecommenderSpec, whose: Whose) -> Option<&'static str> {
    let list = find(&recommender.kind)?.attribute_list(whose)?;
    // Not where another parameter says that none are read; none of these depends on the loss.
    recommender.reads(list, None).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(kind: &str, list: &str, names: &[&str]) -> RecommenderSpec {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        RecommenderSpec::new(kind).with(list, ParamValue::Names(names))
    }

    fn hybrid(kind: &str, components: Vec<RecommenderSpec>) -> RecommenderSpec {
        RecommenderSpec::new(kind).with("components", ParamValue::Recommenders(components))
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
