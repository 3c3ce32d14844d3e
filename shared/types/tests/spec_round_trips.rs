//! A spec survives every way that it travels.

mod arbitrary;

use arbitrary::{page_spec, valid_spec};
use proptest::prelude::*;
use recspeed_types::metric::METRIC_KINDS;
use recspeed_types::spec::*;
use recspeed_types::{ExperimentSpec, MetricName, decode_permalink, encode_permalink};

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
        let link = encode_permalink(&spec).unwrap();
        let opened = decode_permalink(&link).unwrap();
        // Parameters that repeat a default are left out: the meaning is the same, and so is the next link.
        prop_assert_eq!(opened.resolve().unwrap(), spec.resolve().unwrap());
        prop_assert_eq!(encode_permalink(&opened).unwrap(), link.clone());
        prop_assert_eq!(decode_permalink(&format!("#x={link}")).unwrap(), opened);
    }

    #[test]
    fn the_link_of_every_spec_that_the_page_makes_stays_under_2_kb(spec in page_spec()) {
        let link = encode_permalink(&spec).unwrap();
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
    let link = encode_permalink(&ExperimentSpec::default()).unwrap();
    assert!(link.len() < 24, "{link}");
    assert_eq!(decode_permalink(&link).unwrap(), ExperimentSpec::default());
}

#[test]
fn even_a_spec_with_everything_set_to_long_values_fits_a_short_link() {
    let metrics = (0..64).map(|i| {
        let kinds: Vec<_> = METRIC_KINDS.into_iter().filter(|kind| kind.at_k()).collect();
        let kind = kinds[i % kinds.len()];
        MetricName::at(kind, 999 - 13 * i as u32)
    });
    let long = |shift: u32| 0.1 + f64::from(shift) / 7.0;
    let mut spec = ExperimentSpec {
        // 120 different characters of four bytes each: nothing to compress.
        name: (0..120).map(|i| char::from_u32(0x1F300 + i * 7).unwrap()).collect(),
        seed: recspeed_types::limits::MAX_SEED,
        dataset: DatasetSpec {
            max_bad_share: Some(long(1)),
            min_user: Some(123_456),
            min_item: Some(654_321),
            sample: Some(4_000_000_001),
            implicit_threshold: Some(long(2)),
            ..DatasetSpec::upload(
                "f3a91c0e57b2d8464e0c9a7713d5f8b2607e1d4c3b5a98f0e2c4d6b8a0917f35",
                DataFormat::AmazonCsv,
            )
        },
        split: SplitSpec {
            test_ratio: Some(long(0) / 2.0),
            validation_ratio: Some(long(1)),
            fit_on: Some(FitOn::TrainValidation),
            ..SplitSpec::of(SplitKind::PerUserRandom)
        },
        recommender: RecommenderSpec::new("mlp")
            .with("hidden", ParamValue::Integers((0..16).map(|i| 1009 + 177 * i).collect())),
        training: TrainingSpec {
            epochs: Some(9_973),
            batch_size: Some(1_048_573),
            optimizer: Some(Optimizer::Adamw),
            learning_rate: Some(long(3)),
            weight_decay: Some(long(4)),
            loss: Some(Loss::Mae),
            early_stopping: Some(9_871),
            gradient_clip: Some(long(5)),
            precision: Some(Precision::F32),
        },
        evaluation: EvaluationSpec {
            threshold: long(6),
            max_users: Some(4_000_000_007),
            on: EvaluateOn::Validation,
            ..EvaluationSpec::default()
        },
        ..ExperimentSpec::default()
    };
    spec.engine.threads = Some(1_021);
    spec.evaluation.metrics = metrics.collect();
    spec.resolve().unwrap();
    let link = encode_permalink(&spec).unwrap();
    assert!(link.len() < TWO_KB, "{} characters", link.len());
    assert_eq!(decode_permalink(&link).unwrap(), spec);
}

#[test]
fn links_made_by_the_first_version_open_for_ever() {
    // Made on the day that version 1 was fixed. Never change these texts: people have such links.
    let made = ExperimentSpec::from_toml(
        "version = 1\nname = 'Old link'\nseed = 7\n[dataset]\nsource = 'builtin'\nid = 'beauty-synthetic-100k'\n\
         [recommender]\nkind = 'item-knn'\nneighbours = 20\n[evaluation]\nmetrics = ['ndcg@10']\n",
    )
    .unwrap();
    let link = "1.eNoVzUEKgzAQheGrlFkrxG4KrnqDHqB0EZOHDjETSCYFEe9usv_e_07yVm2B0nwSe5ppga16jOUQ3aDsxsmYQNdA-Nu9WuUk3UZoZldo_pJ4t74nQ7-GxEa0yGf3j50l0EAZLsUI8ch9F1j6CyviGEQaEPC6LanmFnua1ihAI6_rBjaANCU";
    assert_eq!(decode_permalink(link).unwrap(), made);
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

#[test]
fn messages_of_the_stream_read_back_to_what_was_sent() {
    use recspeed_types::api::{StreamMessage, read};
    use recspeed_types::{EventKind, RunEvent, RunId};
    let run = RunId::new("r1").unwrap();
    let event =
        RunEvent { run: run.clone(), seq: 3, at_us: 9, kind: EventKind::Log { message: "x".into(), seconds: None } };
    for message in [StreamMessage::Event { event: Box::new(event) }, StreamMessage::Deleted { run }] {
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(read::<StreamMessage>(&text).unwrap(), message);
        assert_eq!(serde_json::from_str::<StreamMessage>(&text).unwrap(), message);
    }
    for wrong in [
        r#"{"type":"x"}"#,
        r#"{"type":"event"}"#,
        r#"{"type":"event","event":{"run":"r","seq":-1,"at_us":0,"kind":"log"}}"#,
    ] {
        assert!(read::<StreamMessage>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_engine_is_named_by_its_kind_alone_and_takes_the_device_that_goes_with_it() {
    use recspeed_types::spec::{Device, EngineKind};
    let spec = ExperimentSpec::from_toml_with(&ExperimentSpec::default().to_toml(), &["engine=pytorch".to_owned()])
        .expect("a spec");
    assert_eq!((spec.engine.kind, spec.engine.device), (EngineKind::Pytorch, Device::Flex));
    assert_eq!(spec.resolve().expect("the default spec").engine.device, Device::Cpu);
    let back = ["engine=pytorch", "engine.device=cpu", "engine=burn"].map(str::to_owned);
    let spec = ExperimentSpec::from_toml_with(&ExperimentSpec::default().to_toml(), &back).expect("a spec");
    assert_eq!(spec.resolve().expect("the default spec").engine.device, Device::Flex);
}

#[test]
fn a_device_goes_with_the_engines_that_have_it_and_with_networks_alone() {
    let problems = |assignments: &[&str]| {
        let assignments: Vec<String> = assignments.iter().map(|&each| each.to_owned()).collect();
        let spec = ExperimentSpec::from_toml_with(&ExperimentSpec::default().to_toml(), &assignments).expect("a spec");
        spec.resolve().err().map(|errors| errors.to_string()).unwrap_or_default()
    };
    for device in ["flex", "libtorch-cpu", "libtorch-cuda", "vulkan", "cuda", "browser"] {
        assert_eq!(problems(&[&format!("engine.device={device}"), "recommender.kind=mlp"]), "", "{device}");
    }
    for engine in ["pytorch", "pyvelox", "torchgpipe"] {
        assert_eq!(
            problems(&[&format!("engine={engine}"), "engine.device=cuda", "recommender.kind=mlp"]),
            "",
            "{engine}"
        );
    }
    for engine in ["tensorflow", "deepspeed"] {
        let refused = problems(&[&format!("engine={engine}"), "engine.device=cuda", "recommender.kind=mlp"]);
        assert!(refused.contains(&format!("is `cuda`; the engine `{engine}` computes on `cpu`")), "{refused}");
    }
    let refused = problems(&["engine=pytorch", "engine.device=vulkan", "recommender.kind=mlp"]);
    assert!(refused.contains("the engine `pytorch` computes on `cpu` and `cuda`"), "{refused}");
    let stages = ["recommender.kind=mlp", "strategy.kind=pipeline", "strategy.stages=2"];
    let on = |devices: &str| problems(&[&stages[..], &[&format!("strategy.devices={devices}")]].concat());
    assert_eq!(on(r#"["flex", "libtorch-cpu"]"#), "");
    assert!(on(r#"["flex"]"#).contains("names 1 devices; it takes one for each of the 2 stages"));
    assert!(on(r#"["flex", "browser"]"#).contains("names `browser`; stages compute on flex, libtorch-cpu"));
    let refused = problems(&["engine.device=cuda", "recommender.kind=popularity"]);
    assert!(refused.contains("`popularity` is no network and computes on `flex`"), "{refused}");
}
