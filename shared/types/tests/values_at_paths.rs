//! One value of a spec is replaced by its path: what a search does for each trial, and an assignment on the command line.

mod arbitrary;

use arbitrary::valid_spec;
use proptest::prelude::*;
use recspeed_types::ExperimentSpec;
use recspeed_types::catalogue::{self, Param, ParamKind};
use recspeed_types::spec::{ParamValue, RecommenderSpec, SpecParseError};
use serde_json::{Value, json};

/// With metrics of its own: where a spec names none, they are chosen when it is read.
fn of_kind(kind: &str) -> ExperimentSpec {
    let mut spec = ExperimentSpec { recommender: RecommenderSpec::new(kind), ..ExperimentSpec::default() };
    spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
    spec
}

/// The default of a parameter, and what lies at the ends of what it takes.
fn values(param: &Param) -> Vec<ParamValue> {
    let mut values = vec![param.default_value()];
    match &param.kind {
        ParamKind::Integer { min, max, .. } => values.extend([*min, *max].map(ParamValue::Integer)),
        ParamKind::Float { min, max, .. } => values.extend([*min, *max].map(ParamValue::Float)),
        ParamKind::Boolean { .. } => values.extend([false, true].map(ParamValue::Boolean)),
        ParamKind::Choice { options, .. } => {
            values.extend(options.iter().map(|option| ParamValue::Text((*option).to_owned())));
        }
        ParamKind::Integers { min, max, .. } => values.push(ParamValue::Integers(vec![*max, *min])),
        ParamKind::Names { .. } => values.push(ParamValue::Names(vec!["brand".to_owned(), "category".to_owned()])),
        // Its default has components already.
        ParamKind::Recommenders { .. } => {}
    }
    values
}

#[test]
fn every_parameter_of_every_kind_is_read_back_as_it_was_put_there_and_nothing_else_has_changed() {
    let mut put = 0;
    for entry in catalogue::ENTRIES {
        let spec = of_kind(entry.kind);
        for param in entry.params {
            for value in values(param) {
                let path = format!("recommender.{}", param.name);
                let changed = spec.with_value(&path, serde_json::to_value(&value).unwrap());
                let changed = changed.unwrap_or_else(|error| panic!("{}: {path} = {value}: {error}", entry.kind));
                assert_eq!(changed.recommender.params.get(param.name), Some(&value), "{}: {path}", entry.kind);
                let recommender = spec.recommender.clone().with(param.name, value);
                assert_eq!(changed, ExperimentSpec { recommender, ..spec.clone() }, "{}: {path}", entry.kind);
                put += 1;
            }
        }
    }
    assert!(put > 300, "{put}");
}

#[test]
fn the_parameters_of_a_component_are_read_back_and_the_other_components_have_not_changed() {
    let component = |kind: &str| RecommenderSpec::new(kind);
    let bpr = |factors: i64| component("bpr").with("factors", ParamValue::Integer(factors));
    let inner = vec![component("popularity"), bpr(8)];
    let inner = component("mixed").with("components", ParamValue::Recommenders(inner));
    let mut spec = of_kind("weighted");
    let components = vec![component("ease"), inner];
    spec.recommender = spec.recommender.with("components", ParamValue::Recommenders(components));
    let components_of = |recommender: &RecommenderSpec| match recommender.params.get("components") {
        Some(ParamValue::Recommenders(components)) => components.clone(),
        other => panic!("{other:?}"),
    };
    let path = "recommender.components.1.components.1.factors";
    let changed = spec.with_value(path, json!(16)).unwrap();
    let (before, after) = (components_of(&spec.recommender), components_of(&changed.recommender));
    assert_eq!(after[0], before[0]);
    let (before, after) = (components_of(&before[1]), components_of(&after[1]));
    assert_eq!(after[0], before[0]);
    assert_eq!(after[1], bpr(16));
    // And back.
    assert_eq!(changed.with_value(path, json!(8)).unwrap(), spec);
}

#[test]
fn what_is_nowhere_in_a_spec_is_refused_as_what_it_is() {
    let spec = of_kind("weighted");
    for (path, told) in [
        ("", ""),
        ("nothing", "nothing"),
        ("nothing.at.all", "nothing"),
        ("training.nothing", "training.nothing"),
        ("training.optimizer.nothing", "training.optimizer"),
        ("seed.more", "seed.more"),
    ] {
        let error = spec.with_value(path, json!(1)).expect_err(path);
        assert!(matches!(error, SpecParseError::Fields(_)), "{path:?}: {error:?}");
        assert!(error.to_string().contains(told), "{path:?}: {error}");
    }
    let wrong_type = spec.with_value("training.epochs", json!("many")).expect_err("words for a number");
    let SpecParseError::Fields(errors) = &wrong_type else { panic!("{wrong_type:?}") };
    assert_eq!(errors.0[0].path, "training.epochs");
    // A list that is left out has no element; one that is there has those that it has.
    let absent = spec.with_value("recommender.components.0.weight", json!(1));
    let no_element = |path: &str, len| Err(SpecParseError::NoElement { path: path.to_owned(), len });
    assert_eq!(absent, no_element("recommender.components.0", 0));
    let components = ["item-knn", "popularity"].map(RecommenderSpec::new).to_vec();
    let mut written = spec;
    written.recommender = written.recommender.with("components", ParamValue::Recommenders(components));
    for name in ["2", "18446744073709551616", "first", "-1"] {
        let path = format!("recommender.components.{name}");
        assert_eq!(written.with_value(&format!("{path}.weight"), json!(1)), no_element(&path, 2), "{name}");
    }
}

#[test]
fn a_name_that_is_no_parameter_of_the_kind_is_refused_with_those_that_are() {
    for entry in catalogue::ENTRIES {
        let changed = of_kind(entry.kind).with_value("recommender.nothing", json!(1)).unwrap();
        let errors = changed.resolve().expect_err(entry.kind);
        let told = errors.0.iter().find(|error| error.path == "recommender.nothing");
        let message = told.map_or_else(|| panic!("{}: {errors}", entry.kind), |error| error.message.clone());
        assert!(message.contains("is no parameter of"), "{message}");
        assert!(entry.params.iter().all(|param| message.contains(param.name)), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_value_that_is_put_where_it_stands_changes_nothing(spec in valid_spec()) {
        for (name, value) in &spec.recommender.params {
            let again = spec.with_value(&format!("recommender.{name}"), serde_json::to_value(value).unwrap());
            prop_assert_eq!(again.map_err(|error| error.to_string()), Ok(spec.clone()), "{}", name);
        }
    }

    #[test]
    fn two_values_may_be_put_in_either_order(spec in valid_spec(), seed in 0..1_000_000u64, name in "[a-z]{1,12}") {
        let put = |spec: &ExperimentSpec, path: &str, value: &Value| spec.with_value(path, value.clone()).unwrap();
        let (seed, name) = (json!(seed), json!(name));
        let one = put(&put(&spec, "seed", &seed), "name", &name);
        prop_assert_eq!(&one, &put(&put(&spec, "name", &name), "seed", &seed));
        prop_assert_eq!(json!([one.seed, one.name]), json!([seed, name]));
    }
}
