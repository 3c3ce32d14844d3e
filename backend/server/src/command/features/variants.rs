//! The variants of an experiment that tell what a feature is worth.

use std::path::PathBuf;

use recspeed_data::AttributeValues;
use recspeed_datasets::Loaded;
use recspeed_types::catalogue::{Entry, Need, ParamKind};
use recspeed_types::spec::{Derived, ParamValue, ResolvedSpec};
use recspeed_types::{ExperimentSpec, SpecErrors};

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
        }
    }
}

/// What the first variant, the experiment as it is, is called.
pub(super) const WHOLE: &str = "as it is";

/// Every variant, the experiment as it is first.
///
/// # Errors
/// [`FeaturesError::None`].
pub(super) fn of(spec: &ExperimentSpec, resolved: &ResolvedSpec, data: &Loaded) -> Result<Vec<Variant>, FeaturesError> {
    // Those of a hybrid's components too.
    let entries: Vec<&Entry> = resolved.recommender.all().iter().map(|recommender| recommender.entry).collect();
    let needs = |need: &Need| entries.iter().any(|entry| entry.needs.contains(need));
    let trained = entries.iter().any(|entry| entry.is_trained());
    let mut plain = spec.clone();
    plain.features.permute.clear();
    let mut variants = Vec::new();
    let chooses = |name: &str| {
        let mut params = entries.iter().flat_map(|entry| entry.params);
        params.any(|param| matches!(param.kind, ParamKind::Names { .. }) && param.name == name)
    };
    let reads_items = needs(&Need::ItemAttributes) || chooses("attributes") || chooses("item_attributes");
    // A method that chooses among the attributes of the items reads none of the users, unless it says so.
    let reads_users = needs(&Need::UserAttributes)
        || chooses("user_attributes")
        || (chooses("attributes") && !needs(&Need::ItemAttributes));
    let mut names = Vec::new();
    for (prefix, reads, table) in
        [("items", reads_items, &data.item_attributes), ("users", reads_users, &data.user_attributes)]
    {
        let columns = table.iter().filter(|_| reads).flat_map(|table| &table.columns);
        let read = columns.filter(|column| is_chosen(spec, prefix, &column.name) && has_meaning(&column.values));
        names.extend(read.map(|column| format!("{prefix}.{}", column.name)));
    }
    let reads_time = needs(&Need::Timestamps) || trained;
    for name in names.iter().cloned().chain(reads_time.then(|| "time".to_owned())) {
        let mut without = Variant::new(format!("without {name}"), &plain);
        without.spec.features.drop.push(name);
        variants.push(without);
    }
    let predicts = spec.evaluation.metrics.iter().any(|metric| metric.kind.of_ratings());
    let inputs = ["user", "item", "time"].map(str::to_owned).into_iter().filter(|_| predicts && trained);
    // The fitted model is asked again without the true values of each: permutation importance.
    let mut whole = Variant::new(WHOLE.to_owned(), &plain);
    let of_derived =
        |derived: &Derived| format!("{}.{}", if derived.of_items() { "items" } else { "users" }, derived.as_str());
    let derived = spec.features.derive.iter().map(of_derived);
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
        let readable = if derived.of_items() { reads_items } else { reads_users };
        let known = spec.features.derive.contains(&derived);
        if readable && !known && (data.interactions.has_timestamps || !derived.needs_times()) {
            let mut with = Variant::new(format!("with {}", derived.as_str()), &plain);
            with.spec.features.derive.push(derived);
            choose(&mut with.spec, derived);
            variants.push(with);
        }
    }
    // What is derived in the spec itself is left out by not deriving it.
    for (place, derived) in spec.features.derive.iter().enumerate() {
        let mut without = Variant::new(format!("without {}", derived.as_str()), &plain);
        without.spec.features.derive.remove(place);
        unchoose(&mut without.spec, *derived);
        variants.push(without);
    }
    if variants.is_empty() && whole.spec.features.permute.is_empty() {
        return Err(FeaturesError::None { kind: spec.recommender.kind.clone() });
    }
    variants.insert(0, whole);
    Ok(variants)
}

/// The parameters by which a recommender is told which attributes of `items` or `users` to read.
fn choices(whose: &str) -> [&'static str; 2] {
    ["attributes", if whose == "users" { "user_attributes" } else { "item_attributes" }]
}

/// Whether the recommender is told to read this attribute: where it is told nothing, it reads all.
fn is_chosen(spec: &ExperimentSpec, whose: &str, column: &str) -> bool {
    choices(whose).iter().all(|param| match spec.recommender.params.get(*param) {
        Some(ParamValue::Names(chosen)) => chosen.is_empty() || chosen.iter().any(|name| name == column),
        _ => true,
    })
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

/// Adds a column to those that the recommender is told to read, where it is told any.
fn choose(spec: &mut ExperimentSpec, derived: Derived) {
    each_choice(spec, derived, |chosen| {
        if !chosen.is_empty() {
            chosen.push(derived.as_str().to_owned());
        }
    });
}

fn unchoose(spec: &mut ExperimentSpec, derived: Derived) {
    each_choice(spec, derived, |chosen| chosen.retain(|name| name != derived.as_str()));
}

fn each_choice(spec: &mut ExperimentSpec, derived: Derived, change: impl Fn(&mut Vec<String>)) {
    for param in choices(if derived.of_items() { "items" } else { "users" }) {
        if let Some(ParamValue::Names(chosen)) = spec.recommender.params.get_mut(param) {
            change(chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::spec::{DatasetSpec, RecommenderSpec};

    fn variants(kind: &str, metric: &str) -> Result<Vec<String>, FeaturesError> {
        Ok(all(kind, metric)?.into_iter().map(|variant| variant.name).collect())
    }

    fn all(kind: &str, metric: &str) -> Result<Vec<Variant>, FeaturesError> {
        let mut spec = ExperimentSpec {
            dataset: DatasetSpec::builtin("beauty-synthetic-10k"),
            recommender: RecommenderSpec::new(kind),
            ..ExperimentSpec::default()
        };
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

    #[test]
    fn a_derived_feature_joins_the_attributes_of_its_own_side() {
        let mut spec = ExperimentSpec { recommender: RecommenderSpec::new("fm"), ..ExperimentSpec::default() };
        for param in ["user_attributes", "item_attributes"] {
            let named = ParamValue::Names(vec!["category".to_owned()]);
            spec.recommender.params.insert(param.to_owned(), named);
        }
        choose(&mut spec, Derived::ItemCount);
        let named = |spec: &ExperimentSpec, param: &str| format!("{:?}", spec.recommender.params[param]);
        assert!(named(&spec, "item_attributes").contains("item-count"));
        assert!(!named(&spec, "user_attributes").contains("item-count"));
        unchoose(&mut spec, Derived::ItemCount);
        assert!(!named(&spec, "item_attributes").contains("item-count"));
    }

    #[test]
    fn a_method_without_features_is_refused_with_a_way_out() {
        let message = variants("item-knn", "ndcg@10").unwrap_err().to_string();
        assert!(message.contains("`item-knn` learns from who rated what alone"), "{message}");
    }
}
