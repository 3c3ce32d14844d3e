//! Recommenders that hold recommenders, in the spec.

use recspeed_types::limits::{MAX_NESTING, MAX_RECOMMENDERS};
use recspeed_types::spec::{ParamValue, RecommenderSpec, ResolvedRecommender, SpecParseError};
use recspeed_types::{ExperimentSpec, decode_permalink, encode_permalink};

const FRAME: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n";

const VOTE: &str = "[recommender]\nkind = \"weighted\"\n\
    [[recommender.components]]\nkind = \"item-knn\"\nneighbours = 20\nweight = 2\n\
    [[recommender.components]]\nkind = \"content-tfidf\"\nattributes = [\"category\"]\n";

fn spec(text: &str) -> ExperimentSpec {
    ExperimentSpec::from_toml(&format!("{FRAME}{text}")).unwrap()
}

fn with(text: &str, assignments: &[&str]) -> Result<ExperimentSpec, SpecParseError> {
    let assignments: Vec<String> = assignments.iter().map(|text| (*text).to_owned()).collect();
    ExperimentSpec::from_toml_with(&format!("{FRAME}{text}"), &assignments)
}

fn components(spec: &ExperimentSpec) -> Vec<ResolvedRecommender> {
    spec.resolve().unwrap().recommender.recommenders("components").to_vec()
}

fn mistakes(text: &str) -> String {
    spec(text).resolve().unwrap_err().to_string()
}

#[test]
fn a_component_has_its_own_parameters_and_those_of_its_place() {
    let components = components(&spec(VOTE));
    assert_eq!(components[0].entry.kind, "item-knn");
    assert_eq!((components[0].integer("neighbours"), components[0].float("weight")), (20, 2.0));
    assert_eq!(components[1].names("attributes"), ["category"]);
    assert_eq!(components[1].float("weight"), 1.0, "the default of the place");
}

#[test]
fn a_link_leaves_out_what_repeats_a_default_in_every_component() {
    let long = format!("{VOTE}sublinear = true\nweight = 1.0\n");
    assert_eq!(encode_permalink(&spec(&long)).unwrap(), encode_permalink(&spec(VOTE)).unwrap());
    let opened = decode_permalink(&encode_permalink(&spec(&long)).unwrap()).unwrap();
    assert_eq!(opened.resolve(), spec(&long).resolve());
}

#[test]
fn mistakes_are_told_with_the_path_into_the_component() {
    for (wrong, expected) in [
        ("neighbours = 0", "recommender.components[0].neighbours: is 0; allowed: a whole number from 1 to 10000"),
        ("weight = -1", "recommender.components[0].weight: is -1; allowed: a number from 0 to 1000000"),
        ("colour = 1", "recommender.components[0].colour: is no parameter of `item-knn`; its parameters: neighbours"),
    ] {
        let text = VOTE.replacen("neighbours = 20\nweight = 2", wrong, 1);
        assert!(mistakes(&text).starts_with(expected), "{}", mistakes(&text));
    }
    let unknown = mistakes(&VOTE.replace("content-tfidf", "content-tfid"));
    assert!(unknown.starts_with("recommender.components[1].kind: is `content-tfid` (did you mean `content-tfidf`?)"));
    let alone = mistakes("[recommender]\nkind = \"weighted\"\ncomponents = [{ kind = \"ease\" }]\n");
    assert!(
        alone.starts_with("recommender.components: is [{ kind = \"ease\" }]; allowed: a list of 2 to 8"),
        "{alone}"
    );
    // A weight belongs to a place in a vote, and to nothing else.
    let stray = mistakes("[recommender]\nkind = \"ease\"\nweight = 2\n");
    assert!(stray.starts_with("recommender.weight: is no parameter of `ease`"), "{stray}");
}

#[test]
fn hybrids_hold_hybrids_up_to_a_depth_and_a_number() {
    let nested = |depth: usize| {
        let plain = RecommenderSpec::new("item-knn");
        (0..depth).fold(plain, |inner, _| {
            let pair = vec![inner, RecommenderSpec::new("popularity")];
            RecommenderSpec::new("weighted").with("components", ParamValue::Recommenders(pair))
        })
    };
    let with = |recommender| ExperimentSpec { recommender, ..spec(VOTE) }.resolve();
    let deepest = with(nested(MAX_NESTING)).unwrap();
    assert_eq!(deepest.recommender.all().len(), 2 * MAX_NESTING + 1);
    let error = with(nested(MAX_NESTING + 1)).unwrap_err().to_string();
    let path = format!("recommender{}.components", ".components[0]".repeat(MAX_NESTING));
    assert!(error.starts_with(&format!("{path}: lies 4 deep")) && error.lines().count() == 1, "{error}");
    let wide = |inner: &RecommenderSpec| {
        RecommenderSpec::new("weighted").with("components", ParamValue::Recommenders(vec![inner.clone(); 8]))
    };
    let error = with(wide(&wide(&nested(0)))).unwrap_err().to_string();
    assert_eq!(error, format!("recommender: holds 73 recommenders in all; allowed: up to {MAX_RECOMMENDERS}"));
}

#[test]
fn an_assignment_reaches_into_a_component() {
    let changed = with(VOTE, &["recommender.components.0.weight=3", "recommender.components.1.sublinear=false"]);
    let components = components(&changed.unwrap());
    assert_eq!((components[0].float("weight"), components[1].boolean("sublinear")), (3.0, false));
    let deep = with(VOTE, &["recommender.components.1=\"x\""]);
    assert!(deep.is_err(), "a component is a table");
    let missing = with(VOTE, &["recommender.components.2.weight=3"]).unwrap_err().to_string();
    let expected = "recommender.components.2: is not there; the spec's list has 2 elements, numbered from 0";
    assert_eq!(missing, expected);
    let unset = with("[recommender]\nkind = \"weighted\"\n", &["recommender.components.0.weight=3"]).unwrap_err();
    assert!(unset.to_string().contains("the spec's list has 0 elements"), "{unset}");
}

#[test]
fn another_kind_in_a_place_drops_the_old_parameters_and_keeps_those_of_the_place() {
    let changed = with(VOTE, &["recommender.components.0.kind=ease"]).unwrap();
    let component = &components(&changed)[0];
    assert_eq!((component.entry.kind, component.float("weight")), ("ease", 2.0));
    let again = with(VOTE, &["recommender.components.0.kind=item-knn"]).unwrap();
    assert_eq!(components(&again)[0].integer("neighbours"), 20, "the same kind changes nothing");
}

#[test]
fn a_hybrid_of_ratings_gives_ratings_and_any_other_gives_scores() {
    let means = "[recommender]\nkind = \"switching\"\ncomponents = [{ kind = \"item-mean\" }, { kind = \"bias\" }]\n";
    let chosen = |text: &str| spec(text).evaluation.metrics[0].to_string();
    assert_eq!((chosen(means), chosen(VOTE)), ("rmse".to_owned(), "ndcg@10".to_owned()));
    let wrong = mistakes(&format!("{VOTE}[evaluation]\nmetrics = [\"rmse\"]\n"));
    assert!(wrong.contains("is `rmse`, but `weighted` gives scores, not ratings"), "{wrong}");
    let nested = format!(
        "[recommender]\nkind = \"weighted\"\n[[recommender.components]]\nkind = \"bias\"\n[[recommender.components]]\n{}",
        means.replace("[recommender]\n", "")
    );
    assert_eq!(chosen(&nested), "rmse");
}

#[test]
fn training_is_for_the_components_that_are_trained() {
    let text = "[recommender]\nkind = \"weighted\"\ncomponents = [{ kind = \"bias\" }, { kind = \"mlp\" }]\n";
    let resolved = spec(&format!("{text}[training]\nepochs = 7\n")).resolve().unwrap();
    assert_eq!(resolved.training.unwrap().epochs, 7);
    let wrong = mistakes(&format!("{VOTE}[training]\nepochs = 7\n"));
    assert!(wrong.starts_with("training: does not apply"), "{wrong}");
}

#[test]
fn weights_are_learnt_from_validation_rows_or_not_at_all() {
    let learnt = VOTE.replacen('\n', "\nweights = \"learnt\"\n", 1);
    let wrong = mistakes(&learnt);
    assert!(wrong.starts_with("recommender.weights: is `learnt`, which needs validation rows; set"), "{wrong}");
    assert!(spec(&format!("{learnt}[split]\nkind = \"random\"\nvalidation_ratio = 0.1\n")).resolve().is_ok());
}
