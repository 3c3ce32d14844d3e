//! The variants of an experiment that tell what a feature is worth.

use std::path::PathBuf;

use recspeed_data::AttributeValues;
use recspeed_datasets::Loaded;
use recspeed_types::catalogue::Whose;
use recspeed_types::spec::{Derived, FeatureName, ResolvedSpec};
use recspeed_types::{ExperimentSpec, SpecErrors};

use super::choosing::choose;
use crate::command::compare::Method;

/// Features that cannot be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeaturesError {
    /// The metrics do not fit.
    #[error("{0}")]
    Spec(SpecErrors),
    /// The recommender looks at nothing but who rated what.
    #[error(
        "`{kind}` learns from who rated what alone: it has no features to measure; try one that reads attributes or times (content-tfidf, mlp)"
    )]
    None {
        /// The recommender.
        kind: String,
    },
    /// It looks at nothing else any longer.
    #[error("features.drop takes away every feature that `{kind}` reads; take a name out of that list")]
    Dropped {
        /// The recommender.
        kind: String,
    },
}

/// The experiment as it is, or with one thing changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variant {
    /// What was done, as `without items.category`.
    pub(super) name: String,
    /// The experiment.
    pub(super) spec: ExperimentSpec,
    /// Whether the change itself is chance.
    shuffles: bool,
}

impl Variant {
    fn new(name: String, spec: &ExperimentSpec) -> Self {
        Self { name, spec: spec.clone(), shuffles: false }
    }

    /// As one of a comparison.
    pub(super) fn method(&self, resolved: &ResolvedSpec, dir: PathBuf, source: &str) -> Method {
        Method {
            name: self.name.clone(),
            spec: self.spec.clone(),
            dir,
            source: source.to_owned(),
            random: self.shuffles || resolved.recommender.random(),
            stored: Vec::new(),
            member: None,
        }
    }
}

/// What the first variant, the experiment as it is, is called.
pub(super) const WHOLE: &str = "as it is";

/// Every variant, the experiment as it is first.
///
/// # Errors
/// [`FeaturesError::None`], [`FeaturesError::Dropped`].
pub(super) fn of(spec: &ExperimentSpec, resolved: &ResolvedSpec, data: &Loaded) -> Result<Vec<Variant>, FeaturesError> {
    // A hybrid reads what its components read; what the spec drops nobody reads.
    let recommender = &resolved.recommender;
    let dropped = |name: &str| spec.features.drop.iter().any(|dropped| dropped == name);
    let would_read = |name: &str| FeatureName::parse(name).is_some_and(|feature| recommender.reads_feature(feature));
    let reads = |name: &str| !dropped(name) && would_read(name);
    let mut plain = spec.clone();
    plain.features.permute.clear();
    let mut variants = Vec::new();
    let mut names = Vec::new();
    for (whose, table) in [(Whose::Items, &data.item_attributes), (Whose::Users, &data.user_attributes)] {
        let columns = table.iter().flat_map(|table| &table.columns).filter(|column| has_meaning(&column.values));
        let named = columns.map(|column| format!("{}.{}", whose.prefix(), column.name));
        names.extend(named.filter(|name| reads(name)));
    }
    // What the spec itself derives counts where somebody reads it, as what the data have.
    let derived = spec.features.derive.iter().copied().map(Derived::feature_name);
    let derived: Vec<String> = derived.filter(|name| reads(name)).collect();
    let time = reads("time").then(|| "time".to_owned());
    for name in names.iter().chain(&derived).cloned().chain(time) {
        let mut without = Variant::new(format!("without {name}"), &plain);
        without.spec.features.drop.push(name);
        variants.push(without);
    }
    let predicts = spec.evaluation.metrics.iter().any(|metric| metric.kind.of_ratings());
    let is_input = |name: &&str| {
        predicts && !dropped(name) && FeatureName::parse(name).is_some_and(|input| recommender.predicts_from(input))
    };
    let inputs = ["user", "item", "time"].into_iter().filter(is_input).map(str::to_owned);
    // The fitted model is asked again without the true values of each: permutation importance.
    let mut whole = Variant::new(WHOLE.to_owned(), &plain);
    whole.spec.features.permute = names.iter().cloned().chain(derived).chain(inputs).collect();
    // What was shuffled before the training is learnt anew: that tells what the method can do without the values, not what this
    // model makes of them.
    for name in names {
        let title = format!("{name} shuffled and relearnt");
        let mut shuffled = Variant { shuffles: true, ..Variant::new(title, &plain) };
        shuffled.spec.features.shuffle.push(name);
        variants.push(shuffled);
    }
    for derived in Derived::ALL {
        let readable = recommender.reads_attributes_of(Whose::of(derived));
        let known = spec.features.derive.contains(&derived);
        if readable && !known && (data.interactions.has_timestamps || !derived.needs_times()) {
            let mut with = Variant::new(format!("with {}", derived.as_str()), &plain);
            with.spec.features.derive.push(derived);
            choose(&mut with.spec.recommender, derived);
            variants.push(with);
        }
    }
    // Who is told nothing but user and item has no feature that could be left out.
    if variants.is_empty() {
        let kind = spec.recommender.kind.clone();
        let dropped = spec.features.drop.iter().any(|name| would_read(name));
        return Err(if dropped { FeaturesError::Dropped { kind } } else { FeaturesError::None { kind } });
    }
    variants.insert(0, whole);
    Ok(variants)
}

/// A column in which some row has a value.
fn has_meaning(values: &AttributeValues) -> bool {
    match values {
        AttributeValues::Token { vocabulary, .. } | AttributeValues::TokenSeq { vocabulary, .. } => {
            vocabulary.iter().any(|word| !word.is_empty())
        }
        AttributeValues::Float(values) => values.iter().any(|value| value.is_finite()),
        AttributeValues::FloatSeq { values, .. } => !values.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::spec::{DatasetSpec, ParamValue, RecommenderSpec};

    fn variants(kind: &str, metric: &str) -> Result<Vec<String>, FeaturesError> {
        Ok(all(kind, metric)?.into_iter().map(|variant| variant.name).collect())
    }

    fn all(kind: &str, metric: &str) -> Result<Vec<Variant>, FeaturesError> {
        of_recommender(RecommenderSpec::new(kind), metric, &[])
    }

    fn of_recommender(
        recommender: RecommenderSpec,
        metric: &str,
        derive: &[Derived],
    ) -> Result<Vec<Variant>, FeaturesError> {
        with(recommender, metric, |spec| spec.features.derive = derive.to_vec())
    }

    fn with(
        recommender: RecommenderSpec,
        metric: &str,
        change: impl FnOnce(&mut ExperimentSpec),
    ) -> Result<Vec<Variant>, FeaturesError> {
        let mut spec = ExperimentSpec {
            dataset: DatasetSpec::builtin("beauty-synthetic-10k"),
            recommender,
            ..ExperimentSpec::default()
        };
        change(&mut spec);
        spec.evaluation.metrics = vec![metric.parse().unwrap()];
        let resolved = spec.resolve().unwrap();
        let home = tempfile::tempdir().unwrap();
        let home = DataHome::open(Some(home.path().to_owned())).unwrap();
        let request = LoadRequest { dataset: &resolved.dataset, seed: 1, look_up: &LookUp::default() };
        let loaded = home.load(&request, &mut |_, _| {}).unwrap();
        of(&spec, &resolved, &loaded)
    }

    use recspeed_datasets::{DataHome, LoadRequest, LookUp};

    #[test]
    fn a_content_method_is_measured_by_its_attributes_and_a_network_by_its_inputs() {
        let content = variants("content-tfidf", "ndcg@10").unwrap();
        assert_eq!(content[0], WHOLE);
        for name in
            ["without items.category", "items.category shuffled and relearnt", "with item-count", "with item-season"]
        {
            assert!(content.iter().any(|variant| variant == name), "{name} in {content:?}");
        }
        assert!(!content.iter().any(|variant| variant.contains("user")), "{content:?}");
        let network = variants("mlp", "rmse").unwrap();
        assert_eq!(network, [WHOLE, "without time"]);
    }

    #[test]
    fn the_whole_alone_is_asked_again_for_permutation_importance() {
        for (kind, metric, read) in [("content-tfidf", "ndcg@10", "items.category"), ("mlp", "rmse", "time")] {
            let all = all(kind, metric).unwrap();
            let permutes = |variant: &Variant| variant.spec.features.permute.iter().any(|name| name == read);
            assert!(permutes(&all[0]), "{kind}: {:?}", all[0].spec.features);
            assert!(all[1..].iter().all(|variant| variant.spec.features.permute.is_empty()), "{kind}");
        }
    }

    #[test]
    fn inputs_are_dealt_out_for_whoever_predicts_from_them_and_time_is_left_out_where_it_is_read() {
        let machine = all("fm", "rmse").unwrap();
        let has = |name: &str| machine[0].spec.features.permute.iter().any(|asked| asked == name);
        assert!(has("user") && has("item") && !has("time"), "{:?}", machine[0].spec.features);
        assert!(!machine.iter().any(|variant| variant.name == "without time"));
        for (kind, metric) in [("neumf", "ndcg@10"), ("slope-one", "rmse")] {
            assert!(variants(kind, metric).is_err(), "{kind} reads user and item alone");
        }
    }

    #[test]
    fn machines_choose_attributes_of_users_and_items_by_parameters_of_their_own() {
        for (kind, metric) in [("fm", "rmse"), ("ffm", "rmse"), ("feature-embeddings", "ndcg@10")] {
            let found = variants(kind, metric).unwrap_or_else(|error| panic!("{kind}: {error}"));
            for name in
                ["without items.category", "items.category shuffled and relearnt", "with item-count", "with user-count"]
            {
                assert!(found.iter().any(|variant| variant == name), "{kind}: {name} in {found:?}");
            }
        }
    }

    /// A hybrid of neighbours and of content that names one attribute, as deep as asked.
    fn hybrid(depth: usize) -> RecommenderSpec {
        let content =
            RecommenderSpec::new("content-tfidf").with("attributes", ParamValue::Names(vec!["category".to_owned()]));
        (0..depth).fold(content, |inner, _| {
            let components = vec![RecommenderSpec::new("item-knn"), inner];
            RecommenderSpec::new("weighted").with("components", ParamValue::Recommenders(components))
        })
    }

    /// The attributes that the content inside [`hybrid`] names.
    fn named(recommender: &RecommenderSpec) -> Vec<String> {
        match (recommender.params.get("components"), recommender.params.get("attributes")) {
            (Some(ParamValue::Recommenders(components)), _) => named(&components[1]),
            (_, Some(ParamValue::Names(names))) => names.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hybrid_is_measured_by_what_its_components_name_however_deep_they_lie() {
        for depth in [1, 2, 3] {
            let all = of_recommender(hybrid(depth), "ndcg@10", &[]).unwrap();
            let of = |name: &str| all.iter().find(|variant| variant.name == name);
            assert_eq!(all[0].spec.features.permute, ["items.category"], "depth {depth}");
            let without = of("without items.category").expect("the attribute that is named");
            assert_eq!(without.spec.features.drop, ["items.category"]);
            assert_eq!(named(&without.spec.recommender), ["category"]);
            assert!(of("items.category shuffled and relearnt").is_some());
            // What no component reads would change nothing, and that says nothing of the attribute.
            assert!(!all.iter().any(|variant| variant.name.contains("brand")), "depth {depth}");
            // What is added is read.
            let with = of("with item-count").expect("a derived attribute of the items");
            assert_eq!(named(&with.spec.recommender), ["category", "item-count"], "depth {depth}");
            assert!(of("with user-count").is_none(), "depth {depth}");
        }
    }

    #[test]
    fn what_the_spec_derives_loses_its_values_where_a_component_names_it_and_is_passed_over_where_none_does() {
        let derive = [Derived::ItemCount];
        let all = of_recommender(hybrid(2), "ndcg@10", &derive).unwrap();
        assert!(!all.iter().any(|variant| variant.name.contains("item-count")));
        let mut read = hybrid(2);
        choose(&mut read, Derived::ItemCount);
        let all = of_recommender(read, "ndcg@10", &derive).unwrap();
        let without = all.iter().find(|variant| variant.name == "without items.item-count").expect("it is read");
        // It stays among the names: a component that lost its only one would read all that there are.
        assert_eq!(without.spec.features.derive, derive);
        assert_eq!(without.spec.features.drop, ["items.item-count"]);
        assert!(all[0].spec.features.permute.contains(&"items.item-count".to_owned()));
    }

    #[test]
    fn what_the_spec_drops_is_passed_over_and_no_variant_contradicts_itself() {
        let content = with(RecommenderSpec::new("content-tfidf"), "ndcg@10", |spec| {
            spec.features.drop = vec!["items.category".to_owned()];
        });
        let content = content.unwrap();
        assert!(!content.iter().any(|variant| variant.name.contains("category")), "{content:?}");
        assert!(content.iter().all(|variant| variant.spec.resolve().is_ok()));
        let network = with(RecommenderSpec::new("mlp"), "rmse", |spec| spec.features.drop = vec!["time".to_owned()]);
        let message = network.unwrap_err().to_string();
        assert!(message.contains("features.drop takes away every feature that `mlp` reads"), "{message}");
    }

    #[test]
    fn a_method_without_features_is_refused_with_a_way_out() {
        let message = variants("item-knn", "ndcg@10").unwrap_err().to_string();
        assert!(message.contains("`item-knn` learns from who rated what alone"), "{message}");
    }
}
