//! Every mistake in a spec is answered with its path, what was given and what is allowed.

use recspeed_types::limits::MAX_SPEC_BYTES;
use recspeed_types::spec::{ParamValue, RecommenderSpec, SpecParseError};
use recspeed_types::{ExperimentSpec, SpecErrors};

/// The default spec with `section.field = value` written over it as TOML.
fn with(assignment: &str) -> Result<ExperimentSpec, SpecParseError> {
    ExperimentSpec::from_toml_with(&ExperimentSpec::default().to_toml(), &[assignment.to_owned()])
}

/// What the parser says about `assignment`.
fn parse_error(assignment: &str) -> String {
    with(assignment).map(|_| ()).unwrap_err().to_string()
}

/// What `resolve` says about `assignment`.
fn check_errors(assignment: &str) -> SpecErrors {
    with(assignment).unwrap().resolve().map(|_| ()).unwrap_err()
}

#[test]
fn an_unknown_field_is_named_with_its_section_and_the_fields_that_exist() {
    for (assignment, path, allowed) in [
        ("training.epoch=3", "training.epoch", "`epochs`"),
        ("dataset.file=\"x\"", "dataset.file", "`path`"),
        ("split.ratio=0.1", "split.ratio", "`test_ratio`"),
        ("engine.gpu=true", "engine.gpu", "`device`"),
        ("strategy.gpus=4", "strategy.gpus", "`stages`"),
        ("dataset.columns.usr=\"x\"", "dataset.columns.usr", "`user`"),
        ("evaluation.metric=[]", "evaluation.metric", "`metrics`"),
        ("titel=\"x\"", "titel", "`name`"),
    ] {
        let message = parse_error(assignment);
        assert!(message.starts_with(&format!("{path}: ")), "{assignment}: {message}");
        assert!(message.contains(allowed), "{assignment}: {message}");
    }
    assert!(parse_error("training.epoch=3").contains("did you mean `epochs`?"));
    let errors = check_errors("recommender.hiden=[8]");
    assert_eq!(errors.0[0].path, "recommender.hiden");
    assert!(errors.0[0].message.contains("is no parameter of `mlp`; its parameters: hidden"), "{errors}");
}

#[test]
fn a_wrong_type_is_answered_in_words_that_are_not_rust() {
    for (assignment, path, expected) in [
        ("training.epochs=\"three\"", "training.epochs", "a whole number"),
        ("training.epochs=2.5", "training.epochs", "a whole number"),
        ("training.epochs=-1", "training.epochs", "allowed: 1 to 10000"),
        ("training.learning_rate=\"fast\"", "training.learning_rate", "a number"),
        ("split.validation=1", "split.validation", "true or false"),
        ("name=5", "name", "a text"),
        ("evaluation.metrics=\"rmse\"", "evaluation.metrics", "a list"),
        ("dataset=5", "dataset", "a section"),
        ("training=[3, 64]", "training", "a section"),
        ("split.kind=5", "split.kind", "a name"),
    ] {
        let message = parse_error(assignment);
        assert!(message.starts_with(&format!("{path}: ")), "{assignment}: {message}");
        assert!(message.contains(expected), "{assignment}: {message}");
        for rust in ["u32", "u64", "i64", "f64", "bool", "struct", "sequence", "floating point"] {
            assert!(!message.contains(rust), "{assignment}: {message}");
        }
    }
}

#[test]
fn a_wrong_name_is_answered_with_the_names_that_exist() {
    for (assignment, path, allowed) in [
        ("training.optimizer=\"adamm\"", "training.optimizer", "`adamw`"),
        ("split.kind=\"rand\"", "split.kind", "`leave-last-out`"),
        ("dataset.format=\"csv\"", "dataset.format", "`amazon-csv`"),
        ("engine.device=\"gpu\"", "engine.device", "`flex`"),
        ("evaluation.metrics=[\"rmse\", \"ndgc@10\"]", "evaluation.metrics[1]", "ndcg@k"),
    ] {
        let message = parse_error(assignment);
        assert!(message.starts_with(&format!("{path}: ")), "{assignment}: {message}");
        assert!(message.contains(allowed), "{assignment}: {message}");
    }
    let errors = check_errors("recommender.kind=\"item-kn\"");
    assert!(errors.to_string().contains("recommender.kind: is `item-kn` (did you mean `item-knn`?); allowed: random"));
    let errors = check_errors("dataset.id=\"beauty\"");
    assert!(errors.to_string().starts_with("dataset.id: is `beauty`; allowed: beauty-synthetic-10k"), "{errors}");
}

#[test]
fn a_table_or_a_list_that_is_no_toml_is_told_with_the_part_that_is_wrong() {
    let largest = i64::MAX;
    for (assignment, expected) in [
        (
            "recommender={ kind=\"item-knn\", neighbours = 99999999999999999999 }",
            format!(
                "recommender: is no TOML: a whole number is beyond ±{largest}, at `neighbours = 99999999999999999999`;"
            ),
        ),
        (
            "recommender={ neighbours = 9999999999999999999, kind=\"item-knn\" }",
            format!(
                "recommender: is no TOML: a whole number is beyond ±{largest}, at `neighbours = 9999999999999999999`;"
            ),
        ),
        // A shell has taken the quotes.
        ("evaluation.metrics=[ndcg@10]", "evaluation.metrics: is no TOML: ".to_owned()),
        ("recommender={ kind=\"item-knn\"", "recommender: is no TOML: ".to_owned()),
    ] {
        let message = parse_error(assignment);
        assert!(message.starts_with(&expected) && message.ends_with("put a text in quotes"), "{message}");
    }
}

#[test]
fn a_whole_number_that_is_too_large_is_told_as_a_number_and_a_text_of_digits_stays_one() {
    let largest = i64::MAX;
    for number in ["12345678901234567890", "-99999999999999999999"] {
        for field in ["recommender.factors", "seed", "training.learning_rate"] {
            let message = parse_error(&format!("{field}={number}"));
            let due =
                format!("{field}: is {number}, beyond ±{largest}; give a smaller number, or put a text in quotes");
            assert_eq!(message, due);
        }
    }
    let named = |value: &str| {
        let toml = ExperimentSpec::default().to_toml();
        ExperimentSpec::from_toml_with(&toml, &[format!("name={value}")]).unwrap().name
    };
    assert_eq!(named("\"12345678901234567890\""), "12345678901234567890");
    // No TOML number begins with zeros, and this one would not be too large.
    assert_eq!(named("0000000000000000000000007"), "0000000000000000000000007");
}

#[test]
fn a_tiny_number_is_told_back_without_a_row_of_zeros() {
    let errors = check_errors("training.learning_rate=1e-300");
    assert_eq!(errors.to_string(), "training.learning_rate: is 1e-300; allowed: 0.000000001 to 1000");
    let errors = check_errors("split.test_ratio=1e300");
    assert!(errors.to_string().starts_with("split.test_ratio: is 1e300; allowed: more than 0"), "{errors}");
    let name = "learning_rate = 0.00000000000000000000000001".to_owned();
    let recommender = RecommenderSpec::new("fm")
        .with("regularization", ParamValue::Float(1e-300))
        .with("init_deviation", ParamValue::Float(-2.5e300));
    let spec = ExperimentSpec { name, recommender, ..ExperimentSpec::default() };
    let text = spec.to_toml();
    assert!(text.contains("regularization = 1e-300\n") && text.contains("init_deviation = -2.5e300\n"), "{text}");
    assert_eq!(ExperimentSpec::from_toml(&text).unwrap(), spec, "a name stays as it is, and so does every number");
}

#[test]
fn a_value_out_of_range_is_answered_with_the_range() {
    for (assignment, expected) in [
        ("training.epochs=0", "training.epochs: is 0; allowed: 1 to 10000"),
        ("training.batch_size=9999999", "training.batch_size: is 9999999; allowed: 1 to 1048576"),
        ("training.learning_rate=0.0", "training.learning_rate: is 0; allowed: 0.000000001 to 1000"),
        ("split.test_ratio=1.0", "split.test_ratio: is 1; allowed: more than 0 and less than 1"),
        ("seed=9007199254740992", "seed: is 9007199254740992; allowed: 0 to 9007199254740991"),
        ("recommender.hidden=[]", "recommender.hidden: is []; allowed: a list of 1 to 16 whole numbers from 1 to 4096"),
        ("recommender.hidden=[0]", "recommender.hidden: is [0]; allowed: a list of 1 to 16 whole numbers"),
        ("recommender.hidden=true", "recommender.hidden: is true; allowed: a list of 1 to 16 whole numbers"),
        ("evaluation.metrics=[\"mae\", \"mae\"]", "evaluation.metrics[1]: repeats `mae`"),
        (
            "evaluation.metrics=[\"diversity@1\"]",
            "evaluation.metrics[0]: is `diversity@1`, but a list of one item has no",
        ),
        ("engine.threads=0", "engine.threads: is 0; allowed: 1 to 1024"),
        ("version=2", "version: is 2; this lab reads version 1; update this lab to open it"),
        ("version=0", "version: is 0; this lab reads version 1"),
    ] {
        let errors = check_errors(assignment);
        assert_eq!(errors.0.len(), 1, "{assignment}: {errors}");
        assert!(errors.to_string().starts_with(expected), "{assignment}: {errors}");
    }
}

#[test]
fn a_field_that_the_chosen_kind_ignores_is_refused_with_the_reason() {
    for (assignment, expected) in [
        ("split.folds=5", "split.folds: does not apply: split.kind is `random`; remove it"),
        ("split.fit_on=\"train\"", "split.fit_on: does not apply: no rows are held out for validation; remove it"),
        ("dataset.path=\"x.csv\"", "dataset.path: does not apply: dataset.source is `builtin`; remove it"),
        ("dataset.columns.user=\"u\"", "dataset.columns: does not apply: dataset.source is `builtin`; remove it"),
        ("training.early_stopping=2", "training.early_stopping: needs validation rows"),
    ] {
        assert!(check_errors(assignment).to_string().starts_with(expected), "{assignment}");
    }
    let mut spec = ExperimentSpec { recommender: RecommenderSpec::new("popularity"), ..ExperimentSpec::default() };
    spec.training.epochs = Some(3);
    let errors = spec.resolve().unwrap_err().to_string();
    assert!(errors.contains("training: does not apply: `popularity` is not trained step by step"), "{errors}");
    assert!(errors.contains("evaluation.metrics[0]: is `rmse`, but `popularity` gives scores"), "{errors}");
}

/// A spec that is in range field by field, and what `resolve` says of it.
fn mistakes(rest: &str) -> String {
    let frame = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n";
    ExperimentSpec::from_toml(&format!("{frame}{rest}"))
        .unwrap()
        .resolve()
        .err()
        .map_or_else(String::new, |e| e.to_string())
}

#[test]
fn parameters_that_are_impossible_together_are_refused_before_any_data_are_read() {
    for kind in ["sasrec", "bert4rec"] {
        let of = |rest: &str| mistakes(&format!("[recommender]\nkind = \"{kind}\"\n{rest}\n"));
        assert_eq!(
            of("heads = 3"),
            "recommender.heads: is 3, which does not divide recommender.factors = 64; set it to 2 or 4, or the factors to a multiple of it"
        );
        assert!(of("heads = 64\nfactors = 32").contains("set it to 32, or the factors"));
        assert_eq!(of("heads = 4\nfactors = 12"), "");
    }
    let nested =
        "[recommender]\nkind = \"mixed\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"sasrec\", heads = 5 }]\n";
    assert!(mistakes(nested).starts_with("recommender.components[1].heads: is 5, which does not divide"));
    let weights = "[recommender]\nkind = \"weighted\"\ncomponents = [{ kind = \"popularity\", weight = 0 }, { kind = \"item-knn\", weight = 0 }]\n";
    assert!(mistakes(weights).starts_with("recommender.components: have no weight above 0"));
    let combined = |attributes: &str| {
        mistakes(&format!(
            "[recommender]\nkind = \"feature-combination\"\ncomponents = [{{ kind = \"content-tfidf\", attributes = {attributes} }}]\n"
        ))
    };
    assert_eq!(
        combined("[\"category\"]"),
        "recommender.components[0].attributes: name attributes without `rated-by`, which holds the people who rated the item; add it, or name none to use all"
    );
    assert_eq!((combined("[\"category\", \"rated-by\"]"), combined("[]")), (String::new(), String::new()));
    let augmented = "[recommender]\nkind = \"feature-augmentation\"\ncomponents = [{ kind = \"item-knn\" }, { kind = \"content-linear\", attributes = [\"brand\"] }]\n";
    assert!(
        mistakes(augmented).starts_with("recommender.components[1].attributes: name attributes without `goes-with`")
    );
    // Keras decays weights apart from the gradient, whatever the optimizer.
    let keras = "[recommender]\nkind = \"mlp\"\n[engine]\nkind = \"tensorflow\"\n[training]\nweight_decay = 0.1\n";
    assert!(mistakes(keras).starts_with("training.weight_decay: with the optimizer `adam` is decoupled in Keras"));
    assert_eq!(mistakes(&format!("{keras}optimizer = \"adamw\"\n")), "");
}

#[test]
fn a_training_that_learns_from_the_validation_rows_has_none_to_stop_by() {
    let spec = |fit_on: &str, on: &str| {
        mistakes(&format!(
            "[split]\nkind = \"random\"\nvalidation_ratio = 0.1\nfit_on = \"{fit_on}\"\n[recommender]\nkind = \"mlp\"\n[training]\nearly_stopping = 5\n[evaluation]\nmetrics = [\"rmse\"]\non = \"{on}\"\n"
        ))
    };
    let message = spec("train-validation", "test");
    assert!(
        message.starts_with("training.early_stopping: needs validation rows that are not learnt from"),
        "{message}"
    );
    assert!(message.contains("leave split.fit_on at `train`, or leave this out and set training.epochs"), "{message}");
    // What is measured on the validation rows learns from the training rows alone.
    assert_eq!((spec("train", "test"), spec("train-validation", "validation")), (String::new(), String::new()));
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_sections() {
    let mut spec = ExperimentSpec { version: 9, seed: u64::MAX, ..ExperimentSpec::default() };
    spec.dataset.sample = Some(0);
    spec.split.test_ratio = Some(2.0);
    spec.recommender = RecommenderSpec::new("mlp").with("hidden", ParamValue::Boolean(true));
    spec.training.epochs = Some(0);
    spec.evaluation.metrics.clear();
    let errors = spec.resolve().unwrap_err();
    let paths: Vec<&str> = errors.0.iter().map(|e| e.path.as_str()).collect();
    assert_eq!(paths[..4], ["version", "seed", "dataset.sample", "split.test_ratio"], "{paths:?}");
    assert!(paths.contains(&"recommender.hidden") && paths.contains(&"training.epochs"), "{paths:?}");
    assert_eq!(paths.last(), Some(&"evaluation.metrics"));
    assert_eq!(errors.to_string().lines().count(), errors.0.len());
}

#[test]
fn texts_that_are_no_spec_at_all_end_in_one_error() {
    let syntax = ExperimentSpec::from_toml("version = = 1").unwrap_err().to_string();
    assert!(syntax.starts_with("the spec is not valid TOML") && syntax.contains("line 1"), "{syntax}");
    let syntax = ExperimentSpec::from_json("{\"version\": }").unwrap_err().to_string();
    assert!(syntax.starts_with("the spec is not valid JSON") && syntax.contains("line 1"), "{syntax}");
    let long = ExperimentSpec::from_toml(&"#".repeat(MAX_SPEC_BYTES + 1)).unwrap_err().to_string();
    assert_eq!(long, "the spec is too long; allowed: up to 65536 bytes of TOML or JSON");
    for empty in ["", "version = 1"] {
        let message = ExperimentSpec::from_toml(empty).unwrap_err().to_string();
        assert!(message.contains("missing") && !message.starts_with(':'), "{message}");
    }
    for (json, message) in [
        ("[]", "is a list; allowed: a section with fields"),
        ("5", "is 5; allowed: a section with fields"),
        ("null", "is empty; allowed: a section with fields"),
        (r#"{"version": 1, "dataset": []}"#, "dataset: is a list; allowed: a section with fields"),
        (
            r#"{"version": 1, "dataset": null}"#,
            "dataset: is empty; allowed: a section with fields\n\
         recommender: is missing; write a section [recommender]",
        ),
    ] {
        assert_eq!(ExperimentSpec::from_json(json).unwrap_err().to_string(), message);
    }
}

#[test]
fn nesting_without_end_is_an_error_and_not_a_stack_overflow() {
    let deep = |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    for text in [
        format!("a = {}", deep("[", "]", 30_000)),
        format!("a = {}1{}", "{a=".repeat(15_000), "}".repeat(15_000)),
        format!("{}a = 1", "a.".repeat(30_000)),
        format!("[{}a]", "a.".repeat(30_000)),
    ] {
        assert!(ExperimentSpec::from_toml(&text).is_err());
    }
    for text in [deep("[", "]", 30_000), format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000))] {
        assert!(ExperimentSpec::from_json(&text).is_err());
    }
    assert!(parse_error(&format!("{}a=1", "a.".repeat(30_000))).contains("is no assignment"));
}

#[test]
fn what_json_cannot_say_is_refused_in_toml_with_its_place() {
    for (value, expected) in [
        ("learning_rate = nan", "training.learning_rate: is NaN; allowed: a finite number"),
        ("weight_decay = inf", "training.weight_decay: is inf; allowed: a finite number"),
        ("epochs = 2026-11-22", "training.epochs: is the date 2026-11-22; allowed: a text in quotes"),
    ] {
        let text = format!("{}\n[training]\n{value}\n", ExperimentSpec::default().to_toml());
        assert_eq!(ExperimentSpec::from_toml(&text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_document_without_metrics_measures_what_its_recommender_predicts() {
    let metrics = |kind: &str| {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"{kind}\"\n"
        );
        let spec = ExperimentSpec::from_toml(&text).unwrap();
        assert!(spec.resolve().is_ok(), "{kind}");
        spec.evaluation.metrics.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(metrics("item-mean"), ["rmse", "mae"]);
    assert_eq!(metrics("popularity"), ["ndcg@10", "hit@10", "recall@10", "coverage@10"]);
}

#[test]
fn a_list_of_no_metrics_asks_for_nothing_and_is_refused_however_it_is_written() {
    let errors = check_errors("evaluation.metrics=[]").to_string();
    assert!(errors.starts_with("evaluation.metrics: has 0 names; allowed: 1 to "), "{errors}");
    assert!(errors.ends_with("or leave it out for the usual ones"), "{errors}");
    let mut spec = ExperimentSpec::default();
    spec.evaluation.metrics.clear();
    let read = ExperimentSpec::from_json(&spec.to_json()).unwrap();
    assert!(read.evaluation.metrics.is_empty() && read.resolve().is_err());
}

#[test]
fn a_number_that_json_does_not_have_is_told_with_its_field_as_in_toml() {
    let text =
        ExperimentSpec::default().to_json().replace("\"seed\":42", "\"seed\":42,\"training\":{\"learning_rate\":NaN}");
    let message = ExperimentSpec::from_json(&text).unwrap_err().to_string();
    assert_eq!(message, "training.learning_rate: is NaN; allowed: a finite number");
}

#[test]
fn one_mistake_hides_no_other() {
    let errors = ExperimentSpec::from_toml(
        "version = 1\ntitel = \"x\"\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic\"\n[split]\nkind = \"random\"\ntest_ratio = 5.0\n\
         [recommender]\nkind = \"mlp\"\n[training]\nepoch = 3\nepochs = \"three\"\nbatch_size = 0\n",
    )
    .unwrap_err()
    .into_errors();
    let mut paths: Vec<&str> = errors.0.iter().map(|error| error.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["split.test_ratio", "titel", "training.batch_size", "training.epoch", "training.epochs"],
        "{errors}"
    );
}

#[test]
fn what_stands_for_a_mistake_is_not_reported() {
    let text = "version = 1\n[dataset]\nsource = \"builtin\"\nid = 5\n[split]\nkind = \"rundom\"\n\
        [recommender]\nkind = 7\nneighbours = 20\n[training]\nepochs = 0\n";
    let errors = ExperimentSpec::from_toml(text).unwrap_err().into_errors();
    let mut paths: Vec<&str> = errors.0.iter().map(|error| error.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["dataset.id", "recommender.kind", "split.kind", "training.epochs"], "{errors}");
}

#[test]
fn what_is_missing_is_reported_beside_what_does_not_fit() {
    let text = "[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic\"\n[recommender]\nkind = \"mlp\"\n[training]\nepoch = 3\n";
    let errors = ExperimentSpec::from_toml(text).unwrap_err().to_string();
    assert!(errors.contains("version: is missing") && errors.contains("training.epoch"), "{errors}");
}

#[test]
fn a_mistake_in_a_list_hides_no_other() {
    let text = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic\"\n[splitt]\nkind = \"random\"\n\
        [recommender]\nkind = \"popularty\"\n[training]\nepochs = 0\n[evaluation]\nmetrics = [\"ndgc@10\"]\n";
    let errors = ExperimentSpec::from_toml(text).unwrap_err().into_errors();
    let mut paths: Vec<&str> = errors.0.iter().map(|error| error.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["evaluation.metrics[0]", "recommender.kind", "splitt"], "{errors}");
}

#[test]
fn what_another_engine_cannot_do_is_named_with_what_it_can() {
    for (assignments, expected) in [
        (
            &["engine=pytorch", "recommender.kind=ease"][..],
            "engine.kind: is `pytorch`, which trains mlp, densenet; `ease` needs",
        ),
        (&["engine=tensorflow", "strategy.kind=zero"], "strategy.kind: is `zero`; the engine `tensorflow` has single"),
        (
            &["engine=pyvelox", "training.early_stopping=2", "split.validation_ratio=0.1"],
            "training.early_stopping: does not go with the engine `pyvelox`",
        ),
        (
            &["engine=pytorch", "engine.device=browser"],
            "engine.device: is `browser`; the engine `pytorch` computes on `cpu`",
        ),
        (
            &["engine=deepspeed", "strategy.kind=hybrid"],
            "strategy.kind: is `hybrid`; the engine `deepspeed` has single, data-parallel, pipeline, zero",
        ),
        (
            &["engine=deepspeed", "strategy.kind=pipeline", "strategy.schedule=gpipe"],
            "strategy.schedule: must be `1f1b` for the engine `deepspeed`",
        ),
        (
            &["engine=deepspeed", "strategy.kind=pipeline", "strategy.balance=time"],
            "strategy.balance: is not for the engine `deepspeed`, which cuts by parameters; leave it out",
        ),
        (
            &["engine=deepspeed", "strategy.kind=pipeline", "strategy.recompute=except-last"],
            "strategy.recompute: must be `never` or `always` for pipelines of the engine `deepspeed`",
        ),
        (
            &["engine=deepspeed", "strategy.kind=zero", "strategy.recompute=always"],
            "strategy.recompute: is for pipelines of the engine `deepspeed`, which else keeps all here; leave it out",
        ),
        (&["engine=torchgpipe", "strategy.kind=pipeline"], "strategy.schedule: must be `gpipe`"),
        (
            &["engine=deepspeed", "strategy.kind=zero", "strategy.offload=true"],
            "strategy.offload: is for the engine `burn`",
        ),
        (
            &["strategy.kind=zero", "strategy.stage=3", "strategy.persistence_threshold=0"],
            "strategy.persistence_threshold: is for the engine `deepspeed`, not `burn`",
        ),
        (
            &["engine=deepspeed", "strategy.kind=zero", "strategy.stage=2", "strategy.persistence_threshold=0"],
            "strategy.persistence_threshold: is for strategy.stage = 3, which divides parameters, not 2; leave it out",
        ),
        (
            &["engine=deepspeed", "strategy.kind=data-parallel", "strategy.persistence_threshold=0"],
            "strategy.persistence_threshold: does not apply: the strategy is `data-parallel`",
        ),
        (&["engine.device=cpu"], "engine.device: is `cpu`; the engine `burn` computes on `flex`"),
    ] {
        let assignments: Vec<String> = assignments.iter().map(|&text| text.to_owned()).collect();
        let spec = ExperimentSpec::from_toml_with(&ExperimentSpec::default().to_toml(), &assignments)
            .expect("fields that exist");
        let message = spec.resolve().expect_err("a mistake").to_string();
        assert!(message.contains(expected), "{assignments:?}: {message}");
    }
}

#[test]
fn an_impossible_number_of_sampled_items_is_one_mistake_and_says_nothing_of_the_metrics() {
    let errors = |items: &str| {
        let assignments = ["evaluation.metrics=[\"coverage@10\"]".to_owned(), format!("evaluation.sampled={items}")];
        let spec = ExperimentSpec::from_toml_with(&ExperimentSpec::default().to_toml(), &assignments).unwrap();
        spec.resolve().map(drop).unwrap_err()
    };
    for impossible in ["0", "99999999999"] {
        let errors = errors(impossible);
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert!(
            errors.to_string().starts_with(&format!("evaluation.sampled: is {impossible}; allowed: 1 to ")),
            "{errors}"
        );
    }
    assert!(errors("100").to_string().contains("is 100, but `coverage@10` describes lists among all items"));
}
