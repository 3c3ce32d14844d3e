//! A spec survives every way that it travels.

mod arbitrary;

use arbitrary::{page_spec, valid_spec};
use proptest::prelude::*;
use recspeed_types::{ExperimentSpec, decode_permalink, encode_permalink};

/// Characters of a link's payload that fit everywhere: mail, chat, QR code.
const TWO_KB: usize = 2048;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_drawn_spec_is_valid(spec in valid_spec()) {
        prop_assert!(spec.resolve().is_ok(), "{:?}", spec.resolve().err());
    }

    #[test]
    fn toml_reads_back_to_the_same_spec(spec in valid_spec()) {
        let text = spec.to_toml();
        prop_assert_eq!(ExperimentSpec::from_toml(&text).map_err(|e| format!("{e}\n{text}")), Ok(spec));
    }

    #[test]
    fn json_reads_back_to_the_same_spec(spec in valid_spec()) {
        let text = spec.to_json();
        prop_assert_eq!(ExperimentSpec::from_json(&text).map_err(|e| format!("{e}\n{text}")), Ok(spec));
    }

    #[test]
    fn toml_and_json_mean_the_same(spec in valid_spec()) {
        let by_toml = ExperimentSpec::from_toml(&spec.to_toml()).unwrap();
        let by_json = ExperimentSpec::from_json(&spec.to_json()).unwrap();
        prop_assert_eq!(by_toml.resolve().unwrap(), by_json.resolve().unwrap());
        prop_assert_eq!(by_toml, by_json);
    }

    #[test]
    fn a_permalink_opens_to_the_same_experiment(spec in page_spec()) {
        let link = encode_permalink(&spec);
        let opened = decode_permalink(&link).unwrap();
        // Parameters that repeat a default are left out: the meaning is the same, and so is the next link.
        prop_assert_eq!(opened.resolve().unwrap(), spec.resolve().unwrap());
        prop_assert_eq!(encode_permalink(&opened), link.clone());
        prop_assert_eq!(decode_permalink(&format!("#x={link}")).unwrap(), opened);
    }

    #[test]
    fn the_link_of_every_spec_that_the_page_makes_stays_under_2_kb(spec in page_spec()) {
        let link = encode_permalink(&spec);
        prop_assert!(link.len() < TWO_KB, "{} characters for {}", link.len(), spec.to_toml());
    }

    #[test]
    fn a_valid_spec_is_changed_by_an_assignment_and_by_nothing_else(spec in valid_spec(), seed in 0..1_000_000u64) {
        let changed = ExperimentSpec::from_toml_with(&spec.to_toml(), &[format!("seed={seed}")]).unwrap();
        prop_assert_eq!(changed, ExperimentSpec { seed, ..spec });
    }
}

#[test]
fn the_default_spec_makes_the_shortest_link() {
    let link = encode_permalink(&ExperimentSpec::default());
    assert!(link.len() < 24, "{link}");
    assert_eq!(decode_permalink(&link).unwrap(), ExperimentSpec::default());
}

#[test]
fn links_made_by_the_first_version_open_for_ever() {
    // Made on the day that version 1 was fixed. Never change these texts: people have such links.
    let made = ExperimentSpec::from_toml(
        "version = 1\nname = 'Old link'\nseed = 7\n[dataset]\nsource = 'builtin'\nid = 'beauty-synthetic-100k'\n\
         [recommender]\nkind = 'item-knn'\nneighbours = 20\n[evaluation]\nmetrics = ['ndcg@10']\n",
    )
    .unwrap();
    let payload = r#"{"dataset":{"id":"beauty-synthetic-100k"},"evaluation":{"metrics":["ndcg@10"]},"name":"Old link","recommender":{"kind":"item-knn","neighbours":20},"seed":7}"#;
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(payload.as_bytes(), 6);
    let link = format!("1.{}", base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, packed));
    assert_eq!(decode_permalink(&link).unwrap(), made);
}

#[test]
fn assignments_reach_every_depth_and_take_texts_without_quotes() {
    let base = ExperimentSpec::default().to_toml();
    let with = |list: &[&str]| {
        let list: Vec<String> = list.iter().map(|s| (*s).to_owned()).collect();
        ExperimentSpec::from_toml_with(&base, &list)
    };
    let spec = with(&["training.epochs=5", "name = My run", "evaluation.metrics=[\"mae\"]"]).unwrap();
    assert_eq!(spec.training.epochs, Some(5));
    assert_eq!(spec.name, "My run");
    assert_eq!(spec.evaluation.metrics.len(), 1);
    // Another kind starts from its own defaults: the old kind's parameters would be mistakes.
    let spec = with(&["recommender.hidden=[8]", "recommender.kind=als-implicit", "recommender.factors=16"]).unwrap();
    assert_eq!(spec.recommender.kind, "als-implicit");
    assert_eq!(spec.recommender.params.keys().collect::<Vec<_>>(), ["factors"]);
    for wrong in ["training.epochs", "=5", "training..epochs=5", "seed.x=1"] {
        let message = with(&[wrong]).unwrap_err().to_string();
        assert!(message.contains("is no assignment; write --set section.field=value"), "{wrong}: {message}");
    }
}
