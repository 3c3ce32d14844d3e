//! What a run says of the features that its model reads.

mod desk;

use desk::{attempt, importance_of, whole};
use recspeed_experiment::{Model, Outcome, Stored};
use recspeed_types::catalogue::{ENTRIES, Entry, Need, ParamKind};
use recspeed_types::spec::FeatureName;
use recspeed_types::{EventKind, ExperimentSpec, RunSummary};

fn frame(features: &str, recommender: &str, metrics: &str) -> String {
    format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[features]\n{features}\n[training]\nepochs = 2\n\
         [recommender]\n{recommender}\n[evaluation]\nmetrics = {metrics}\nmax_users = 100\n"
    )
}

fn named(kind: &str) -> String {
    format!("kind = \"{kind}\"")
}

fn finished(features: &str, recommender: &str, metrics: &str) -> RunSummary {
    let text = frame(features, recommender, metrics);
    // Only networks take [training].
    let trained = ENTRIES.iter().any(|entry| entry.is_trained() && recommender.starts_with(&named(entry.kind)));
    let text = if trained { text } else { text.replace("[training]\nepochs = 2\n", "") };
    attempt(None, &text, None).0.unwrap_or_else(|failure| panic!("{recommender}: {failure}"))
}

/// The model of a run as it comes back when it was saved.
fn stored(spec: &str, outcome: Outcome) -> Stored {
    let resolved = ExperimentSpec::from_toml(spec).unwrap().resolve().unwrap();
    let model = Model::restore(&resolved, outcome.model.as_recommender().parts()).expect("its own parts");
    let (users, items) = (outcome.interactions.users, outcome.interactions.items);
    Stored { model, users, items, sha256: outcome.summary.data.sha256 }
}

#[test]
fn a_stored_model_is_asked_of_features_that_its_run_did_not_name_and_only_on_its_own_data() {
    let plain = frame("", "kind = \"content-tfidf\"", "[\"ndcg@10\"]").replace("[training]\nepochs = 2\n", "");
    let asked = plain.replace("[features]\n", "[features]\npermute = [\"items.category\", \"items.brand\"]\n");
    let at_once = attempt(None, &asked, None).0.unwrap().importance;
    let of = |seed: &str| {
        let outcome = whole(None, &plain, None).0.unwrap();
        importance_of(&asked.replace("version = 1\n", &format!("version = 1\n{seed}")), stored(&plain, outcome))
    };
    assert_eq!(of("").unwrap().importance, at_once);
    // Without a name, every attribute that the method reads.
    let all = importance_of(&plain, stored(&plain, whole(None, &plain, None).0.unwrap())).unwrap();
    assert!(at_once.iter().all(|one| all.importance.contains(one)) && all.warnings.is_empty(), "{all:?}");
    let other = of("seed = 7\n").unwrap_err();
    assert!(other.cause.contains("is not the data set that the model was fitted on"), "{other}");
}

#[test]
fn every_method_that_reads_attributes_when_it_answers_has_their_permutation_importance() {
    let reads = |entry: &Entry| {
        entry.needs.contains(&Need::ItemAttributes)
            || entry.params.iter().any(|param| matches!(param.kind, ParamKind::Names { .. }))
    };
    let mut seen = 0;
    for entry in ENTRIES.iter().filter(|entry| reads(entry)) {
        let kind = entry.kind;
        let training = if entry.is_trained() { "[training]\nepochs = 2\n" } else { "" };
        let metric = if entry.predicts.has_ratings() { "rmse" } else { "ndcg@50" };
        let text = frame(
            "permute = [\"items.category\"]\nrepeats = 2",
            &format!("kind = \"{kind}\""),
            &format!("[\"{metric}\"]"),
        )
        .replace("max_users = 100", "max_users = 500")
        .replace("[training]\nepochs = 2\n", training);
        let outcome = whole(None, &text, None).0.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
        let summary = outcome.summary.clone();
        let [one] = &summary.importance[..] else { panic!("{kind}: {:?} {:?}", summary.importance, summary.warnings) };
        assert_eq!((one.feature.as_str(), one.metric.as_str(), one.losses.len()), ("items.category", metric, 2));
        assert!(one.losses.iter().any(|loss| *loss != 0.0), "{kind}: it is as if nothing had been dealt out");
        // The model as it is saved and restored, asked again.
        let again = importance_of(&text, stored(&text, outcome)).unwrap_or_else(|failure| panic!("{kind}: {failure}"));
        assert_eq!((&again.importance, &again.metrics), (&summary.importance, &summary.metrics), "{kind}, stored");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn asking_for_importance_changes_nothing_else_and_repeats_to_the_bit() {
    let (asked, metrics) = ("permute = [\"items.category\", \"items.brand\"]", "[\"ndcg@10\", \"coverage@10\"]");
    let plain = finished("", "kind = \"content-tfidf\"", metrics);
    let permuted = finished(asked, "kind = \"content-tfidf\"", metrics);
    assert_eq!((&plain.metrics, plain.evaluation), (&permuted.metrics, permuted.evaluation));
    assert!(plain.importance.is_empty());
    // Coverage says nothing of what is better.
    let named: Vec<&str> = permuted.importance.iter().map(|one| one.metric.as_str()).collect();
    assert_eq!(named, ["ndcg@10"; 2]);
    assert!(permuted.importance.iter().all(|one| one.losses.len() == 5 && one.sd.is_some()));
    assert_eq!(finished(asked, "kind = \"content-tfidf\"", metrics).importance, permuted.importance);
    let text = frame(asked, "kind = \"content-tfidf\"", metrics).replace("[training]\nepochs = 2\n", "");
    let text_plain = frame("", "kind = \"content-tfidf\"", metrics).replace("[training]\nepochs = 2\n", "");
    let parts = |text: &str| whole(None, text, None).0.map(|outcome| outcome.model.as_recommender().parts());
    assert_eq!(parts(&text).unwrap(), parts(&text_plain).unwrap(), "the model that is kept");
}

#[test]
fn what_a_model_does_not_read_when_it_answers_has_no_importance_and_the_run_says_why() {
    let summary = finished(
        "permute = [\"items.category\"]",
        "kind = \"content-tfidf\"\nattributes = [\"brand\"]",
        "[\"ndcg@10\"]",
    );
    assert!(summary.importance.is_empty());
    assert!(summary.warnings.iter().any(|told| told.contains("content-tfidf does not read items.category")));
    let unknown = frame("permute = [\"items.colour\"]", "kind = \"content-tfidf\"", "[\"ndcg@10\"]")
        .replace("[training]\nepochs = 2\n", "");
    let failure = attempt(None, &unknown, None).0.unwrap_err();
    assert!(failure.cause.contains("there is no attribute items.colour"), "{failure}");
}

#[test]
fn an_attribute_of_numbers_is_not_said_to_be_learnt_by_who_reads_words_alone() {
    for kind in ["content-tfidf", "content-linear"] {
        let summary = finished("permute = [\"items.price\"]", &named(kind), "[\"ndcg@10\"]");
        assert!(summary.importance.is_empty());
        let due = format!("features.permute: {kind} does not read items.price and so has no permutation importance");
        let told = summary.warnings.iter().find(|told| told.starts_with(&due));
        let told = told.unwrap_or_else(|| panic!("{kind}: {:?}", summary.warnings));
        assert!(told.contains("its values are numbers, which it passes over; what reads them: "), "{told}");
        assert!(told.contains("fm") && !told.contains("folded") && !told.contains("content-tfidf,"), "{told}");
    }
    // Who reads numbers has their importance.
    let read = finished("permute = [\"items.price\"]", "kind = \"fm\"\niterations = 20", "[\"rmse\"]");
    assert_eq!(read.importance.len(), 1, "{:?}", read.warnings);
}

/// A hybrid of neighbours and of content that names these attributes, `depth` hybrids deep.
fn hybrid(depth: usize, attributes: &str) -> String {
    let content = format!("{{ kind = \"content-tfidf\", attributes = {attributes} }}");
    let wrap = |inner: String| format!("components = [{{ kind = \"item-knn\" }}, {inner}]");
    let inner = (1..depth).fold(content, |inner, _| format!("{{ kind = \"weighted\", {} }}", wrap(inner)));
    format!("kind = \"weighted\"\n{}", wrap(inner))
}

#[test]
fn an_attribute_that_a_component_names_is_worth_something_and_left_out_it_is_as_if_it_were_not_named() {
    for depth in [1, 2] {
        let metrics = "[\"ndcg@50\"]";
        let of = |features: &str, attributes: &str| finished(features, &hybrid(depth, attributes), metrics);
        let both = "[\"category\", \"brand\"]";
        let asked = of("permute = [\"items.category\", \"items.type\"]", both);
        // What no component names has none, and the run says so.
        let [one] = &asked.importance[..] else { panic!("{:?}", asked.importance) };
        assert_eq!(one.feature, "items.category");
        assert!(one.losses.iter().any(|loss| *loss != 0.0), "depth {depth}: {one:?}");
        assert!(asked.warnings.iter().any(|told| told.contains("does not read items.type")), "{:?}", asked.warnings);
        let without = of("drop = [\"items.category\"]", both);
        assert_ne!(without.metrics, asked.metrics, "depth {depth}");
        assert_eq!(without.metrics, of("", "[\"brand\"]").metrics, "depth {depth}");
    }
}

#[test]
fn inputs_are_dealt_out_among_the_test_rows() {
    let summary = finished("permute = [\"item\", \"time\"]\nrepeats = 3", "kind = \"mlp\"", "[\"rmse\"]");
    let of = |feature: &str| summary.importance.iter().find(|one| one.feature == feature).unwrap();
    assert_eq!((of("item").losses.len(), of("time").metric.as_str()), (3, "rmse"));
    let lists = finished("permute = [\"item\"]", "kind = \"neumf\"", "[\"ndcg@10\"]");
    assert!(lists.importance.is_empty() && lists.warnings.iter().any(|told| told.contains("among the test rows")));
}

#[test]
fn an_input_that_is_dealt_out_changes_no_list_and_the_run_says_so() {
    let shuffled = |metrics: &str| finished("shuffle = [\"user\"]", "kind = \"mlp\"", metrics);
    let said =
        |summary: &RunSummary| summary.warnings.iter().any(|told| told.starts_with("features.shuffle deals out user"));
    let lists = shuffled("[\"ndcg@10\"]");
    assert!(said(&lists), "{:?}", lists.warnings);
    assert_eq!(lists.metrics, finished("", "kind = \"mlp\"", "[\"ndcg@10\"]").metrics);
    assert!(!said(&shuffled("[\"rmse\"]")));
}

#[test]
fn what_features_changes_and_the_recommender_does_not_read_changes_nothing_and_the_run_says_who_reads_it() {
    for (kind, metrics) in [("mlp", "[\"rmse\"]"), ("item-knn", "[\"ndcg@10\"]")] {
        let plain = finished("", &named(kind), metrics);
        for (list, name, feature) in [
            ("derive", "item-count", "items.item-count"),
            ("drop", "items.brand", "items.brand"),
            ("shuffle", "items.brand", "items.brand"),
        ] {
            let changed = finished(&format!("{list} = [\"{name}\"]"), &named(kind), metrics);
            assert_eq!(changed.metrics, plain.metrics, "{kind} {list}");
            let due = format!("features.{list}: {kind} does not read {feature}, so this changes nothing; what reads");
            let told = changed.warnings.iter().find(|told| told.starts_with(&due));
            assert!(told.is_some_and(|told| told.contains("content-tfidf")), "{due}: {:?}", changed.warnings);
        }
    }
    // Who reads it is not told so.
    let read = finished("drop = [\"items.brand\"]", &named("content-tfidf"), "[\"ndcg@10\"]");
    assert!(!read.warnings.iter().any(|told| told.contains("does not read")), "{:?}", read.warnings);
    let chosen = "kind = \"content-tfidf\"\nattributes = [\"category\"]";
    let unnamed = finished("drop = [\"items.brand\"]", chosen, "[\"ndcg@10\"]");
    let names = "content-tfidf.attributes names the attributes that it reads";
    assert!(unnamed.warnings.iter().any(|told| told.ends_with(names)), "{:?}", unnamed.warnings);
    let without = finished("drop = [\"items.brand\"]", "kind = \"fm\"\nside = false", "[\"rmse\"]");
    assert!(without.warnings.iter().any(|told| told.ends_with("where fm.side is true")), "{:?}", without.warnings);
}

#[test]
fn content_whose_words_features_drop_takes_away_runs_without_them_and_the_run_says_so() {
    let bare =
        finished("drop = [\"items.brand\"]", "kind = \"content-tfidf\"\nattributes = [\"brand\"]", "[\"ndcg@10\"]");
    let due = "features.drop takes every word away, so that all scores are 0 and the rule for ties orders the items: `";
    assert!(bare.warnings.iter().any(|told| told.starts_with(due)), "{:?}", bare.warnings);
    assert!(!bare.warnings.iter().any(|told| told.contains("try another")), "{:?}", bare.warnings);
    let part = finished("drop = [\"items.brand\"]", &hybrid(1, "[\"brand\"]"), "[\"ndcg@10\"]");
    let due = "features.drop takes every word away, ";
    let told = part.warnings.iter().find(|told| told.starts_with(due));
    assert!(told.is_some_and(|told| told.contains("recommender.components[1]")), "{:?}", part.warnings);
}

#[test]
fn an_input_that_is_not_read_has_no_importance_and_the_run_says_why_and_one_that_is_dropped_is_refused() {
    let summary = finished("permute = [\"user\", \"time\"]\nrepeats = 2", &named("fm"), "[\"rmse\"]");
    let [one] = &summary.importance[..] else { panic!("{:?}", summary.importance) };
    assert_eq!((one.feature.as_str(), one.losses.iter().any(|loss| *loss != 0.0)), ("user", true));
    let due = "features.permute: fm does not read time and so has no permutation importance of it; what learns from times: mlp";
    assert!(summary.warnings.iter().any(|told| told.starts_with(due)), "{:?}", summary.warnings);
    let both = "drop = [\"items.brand\"]\npermute = [\"items.brand\"]";
    // What is dropped is known without the data: it is refused before they are read.
    let text = frame(both, &named("fm"), "[\"rmse\"]").replace("[training]\nepochs = 2\n", "");
    let (refused, events) = attempt(None, &text, None);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("features.permute[0]: is `items.brand`, which features.drop takes away"), "{refused}");
    assert!(!events.iter().any(|event| matches!(event, EventKind::Progress { .. })), "{events:?}");
}

#[test]
fn a_rating_depends_on_exactly_the_inputs_that_the_catalogue_says() {
    for entry in ENTRIES.iter().filter(|entry| entry.predicts.has_ratings()) {
        let of = |features: &str| {
            let text = frame(features, &named(entry.kind), "[\"rmse\"]").replace("epochs = 2", "epochs = 1");
            let text = if entry.is_trained() { text } else { text.replace("[training]\nepochs = 1\n", "") };
            let recommender = ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap().recommender;
            let summary = attempt(None, &text, None).0.unwrap_or_else(|failure| panic!("{}: {failure}", entry.kind));
            (recommender, summary.metrics)
        };
        let (recommender, plain) = of("");
        for input in ["user", "item", "time"] {
            let (_, dealt) = of(&format!("shuffle = [\"{input}\"]"));
            let reads = recommender.predicts_from(FeatureName::parse(input).unwrap());
            assert_eq!(dealt != plain, reads, "{} of {input}", entry.kind);
        }
    }
}
