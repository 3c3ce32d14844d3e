//! What does not fit in the memory that a run has left is refused before any work.

mod support;

use recspeed_recommenders::{
    FitError, FitRequest, Fitted, Forecast, Foretold, TrainSet, fit, fit_request, foresee, kinds,
};
use recspeed_types::catalogue::{self, Family};
use recspeed_types::event::EventKind;
use recspeed_types::spec::{ParamValue, RecommenderSpec, ResolvedRecommender};
use recspeed_types::{ExperimentSpec, FailureCode, FitObserver, Instead, Remedy, Unobserved, forecast, sentence};
use support::{fitted, interactions, known, read, resolved, text, varied, with_threads};

/// A run with so many bytes left; it wants to hear of no work that is done.
struct Left {
    bytes: u64,
    worked: bool,
}

impl FitObserver for Left {
    fn event(&mut self, event: EventKind) {
        self.worked |= matches!(event, EventKind::Progress { done: 1.., .. } | EventKind::Metric { .. });
    }
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn memory_left(&self) -> Option<u64> {
        Some(self.bytes)
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// Fits that hold little more than a number for each user, item, rating or word.
const LITTLE: &[&str] = &["random", "global-mean", "user-mean", "item-mean", "bias", "popularity", "content-tfidf"];

#[test]
fn what_does_not_fit_is_refused_before_any_work_with_its_time_and_with_what_to_take_instead() {
    // Few enough that pairs are counted and not estimated: what is told is enough to the byte.
    let (all, rows) = varied(240, 200, 4000);
    let (items, users) = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&items), Some(&users));
    let small = |kind: &&str| {
        // Of a hybrid its components are asked: below.
        LITTLE.contains(kind) || catalogue::find(kind).is_some_and(|entry| entry.family == Family::Hybrid)
    };
    let mut asked: Vec<(&str, Vec<(&str, ParamValue)>)> =
        kinds().filter(|kind| !small(kind)).map(|kind| (kind, vec![])).collect();
    assert!(asked.len() > 14, "{asked:?}");
    asked.push(("slim", vec![("neighbours", ParamValue::Integer(0))]));
    asked.extend(["als", "sgd"].map(|solver| ("fm", vec![("solver", text(solver))])));
    asked.push(("warp", vec![("mode", text("fast"))]));
    for (kind, params) in asked {
        let recommender = resolved(kind, &params);
        let fit_in = |bytes: u64| {
            let mut left = Left { bytes, worked: false };
            (fit(&recommender, &data, 1, &mut left).err(), left.worked)
        };
        let (error, worked) = fit_in(0);
        let error = error.unwrap_or_else(|| panic!("{kind} took it all the same"));
        let FitError::Unaffordable { bytes, seconds, .. } = error else { panic!("{kind}: {error}") };
        assert!(seconds.is_some_and(|seconds| seconds > 0.0 && seconds.is_finite()), "{kind}: {error}");
        let said = error.to_string();
        assert!(said.contains(" and about ") && said.contains("; lower "), "{said}");
        let (_, others) = said.split_once("recommender.kind = ").unwrap_or_else(|| panic!("{kind}: {said}"));
        let named: Vec<&str> = others.split('"').skip(1).step_by(2).collect();
        assert!(named.iter().all(|other| catalogue::find(other).is_some()), "{said}");
        assert_eq!(error.instead(), Instead::kinds("recommender", &named), "what the words name is offered");
        assert!(!worked, "{kind} worked before it refused");
        assert!(matches!(fit_in(bytes - 1), (Some(FitError::Unaffordable { .. }), false)), "{kind} in a byte less");
        let (error, _) = fit_in(bytes);
        assert!(error.is_none(), "{kind} in the {bytes} bytes that it asked for: {error:?}");
    }
}

#[test]
fn rows_that_will_be_read_after_the_fit_are_foreseen_and_rows_that_steer_alone_are_not() {
    // Everybody has an item of their own; a hundred people share one more in training, a hundred in the rows held out.
    let mut rows: Vec<(u32, u32, f32)> = (0..200).map(|user| (user, user, 5.0)).collect();
    rows.extend((0..200).rev().map(|user| (user, 200, 5.0)));
    let all = interactions(&rows);
    let (learnt, held): (Vec<u32>, Vec<u32>) = (0..400).partition(|row| *row < 300);
    let both: Vec<u32> = (0..400).collect();
    let recommender = resolved("user-knn", &[]);
    let fit_in = |bytes: u64, data: &TrainSet<'_>| {
        let mut left = Left { bytes, worked: false };
        (fit(&recommender, data, 1, &mut left), left.worked)
    };
    // Similarities of 8 bytes: of a hundred people to each other, 79,200; of the others to them, too, 159,200.
    let room = 100_000;
    // As a search has it: what is measured on is not read.
    let steered = TrainSet::new(&all, &learnt).with_validation(&held);
    let model = || fit_in(room, &steered).0.unwrap_or_else(|error| panic!("what is never read is counted: {error}"));
    model();
    let (refused, worked) = fit_in(room, &steered.clone().with_known(&both));
    let refused = refused.err().expect("they do not fit once all is read");
    assert!(matches!(refused, FitError::Unaffordable { bytes: 150_000..170_000, .. }), "{refused}");
    assert!(refused.to_string().contains("read of them"), "{refused}");
    assert!(!worked, "it is told before any work");
    assert!(fit_in(2 * room, &steered.clone().with_known(&both)).0.is_ok());
    // Where nobody foresaw it, the reading ends when its 80,000 bytes are not there; the model has its own already.
    let read = |bytes: u64| model().read(&all, &both, &mut Left { bytes, worked: false });
    let Err(FitError::Unaffordable { seconds: Some(_), .. }) = read(70_000) else { panic!("it is read, or not told") };
    assert_eq!(read(90_000), Ok(()));
}

fn weighted(components: Vec<RecommenderSpec>) -> RecommenderSpec {
    RecommenderSpec::new("weighted").with("components", ParamValue::Recommenders(components))
}

fn hybrid(components: Vec<RecommenderSpec>) -> ResolvedRecommender {
    resolved("weighted", &[("components", ParamValue::Recommenders(components))])
}

#[test]
fn a_hybrid_is_refused_before_its_first_component_is_fitted_where_a_later_one_has_no_room_beside_its_model() {
    let (all, rows) = varied(240, 200, 4000);
    let data = TrainSet::new(&all, &rows);
    let fit_in = |recommender: &ResolvedRecommender, bytes: u64| {
        let mut left = Left { bytes, worked: false };
        (fit(recommender, &data, 1, &mut left).err(), left.worked)
    };
    let alone = |kind: &str| match fit_in(&resolved(kind, &[]), 0).0 {
        Some(FitError::Unaffordable { bytes, stays, .. }) => (bytes, stays),
        other => panic!("{kind}: {other:?}"),
    };
    let ((first, first_stays), (second, second_stays)) = (alone("bpr"), alone("ease"));
    // A number for each two items.
    assert_eq!(second_stays, 4 * (data.n_items() as u64).pow(2));
    assert!(first_stays > 0 && first_stays < first, "{first_stays} of {first}");
    let enough = (first_stays + second).max(first);
    assert!(enough > first, "the second one decides");
    let flat = hybrid(vec![RecommenderSpec::new("bpr"), RecommenderSpec::new("ease")]);
    let inner = weighted(vec![RecommenderSpec::new("popularity"), RecommenderSpec::new("ease")]);
    let nested = hybrid(vec![RecommenderSpec::new("bpr"), inner]);
    for (recommender, at) in [(flat, "components[1]"), (nested, "components[1].components[1]")] {
        let (error, worked) = fit_in(&recommender, enough - 1);
        let error = error.expect("a byte is missing");
        assert!(!worked, "{at}: it worked before it refused");
        let FitError::Together { place, kind, kept, .. } = &error else { panic!("{error}") };
        assert_eq!((&place[..], *kind, *kept), (&format!("recommender.{at}")[..], "ease", first_stays));
        let said = error.to_string();
        for words in [&format!("the component {place} (`ease`)")[..], " of memory", " about ", "; lower "] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(said.contains(&format!("{place}.kind = \"slim\"")), "{said}");
        let (error, _) = fit_in(&recommender, enough);
        assert!(error.is_none(), "{at} in what it asked for: {error:?}");
    }
}

#[test]
fn neighbours_that_have_to_be_counted_are_foretold_before_the_first_component_is_fitted() {
    let (all, rows) = varied(240, 200, 4000);
    let data = TrainSet::new(&all, &rows);
    let fit_in = |recommender: &ResolvedRecommender, bytes: u64| {
        let mut left = Left { bytes, worked: false };
        (fit(recommender, &data, 1, &mut left).err(), left.worked)
    };
    let alone = |kind: &str, params: &[(&str, ParamValue)]| match fit_in(&resolved(kind, params), 0).0 {
        Some(FitError::Unaffordable { bytes, stays, .. }) => (bytes, stays),
        other => panic!("{kind}: {other:?}"),
    };
    // Little, so that what comes after it decides.
    let (first, first_stays) = alone("warp", &[("factors", ParamValue::Integer(1))]);
    for kind in ["item-knn", "user-knn", "slope-one"] {
        let (second, second_stays) = alone(kind, &[]);
        assert!(second_stays > 0 && second_stays <= second, "{kind}: {second_stays} of {second}");
        let enough = first_stays + second;
        assert!(enough > first, "{kind}: {enough} of {first}");
        let warp = RecommenderSpec::new("warp").with("factors", ParamValue::Integer(1));
        let recommender = hybrid(vec![warp, RecommenderSpec::new(kind)]);
        let (error, worked) = fit_in(&recommender, enough - 1);
        let error = error.expect("a byte is missing");
        assert!(!worked, "{kind}: the first component was fitted");
        let FitError::Together { place, kind: told, kept, .. } = &error else { panic!("{kind}: {error}") };
        assert_eq!((&place[..], *told, *kept), ("recommender.components[1]", kind, first_stays));
        let (error, _) = fit_in(&recommender, enough);
        assert!(error.is_none(), "{kind} in what it asked for: {error:?}");
    }
}

#[test]
fn the_weights_that_slim_keeps_count_beside_what_comes_after_it() {
    let (all, rows) = varied(240, 200, 4000);
    let data = TrainSet::new(&all, &rows);
    with_threads(2, || {
        let fit_in = |recommender: &ResolvedRecommender, bytes: u64| {
            let mut left = Left { bytes, worked: false };
            (fit(recommender, &data, 1, &mut left), left.worked)
        };
        let alone = |kind: &str| match fit_in(&resolved(kind, &[]), 0).0.err() {
            Some(FitError::Unaffordable { bytes, stays, at_test, .. }) => (bytes, stays, at_test),
            other => panic!("{kind}: {other:?}"),
        };
        let ((first, keeps, at_test), (second, ..)) = (alone("slim"), alone("ease"));
        let kept = fitted("slim", &[], &data, 1).memory().parameters;
        assert!(kept <= keeps && keeps <= first, "{kept} kept, {keeps} foretold, {first} in all");
        assert_eq!(keeps, at_test, "what it reads at the test is no more than rows");
        let enough = (keeps + second).max(first);
        assert!(enough > first, "the second one decides");
        let recommender = hybrid(vec![RecommenderSpec::new("slim"), RecommenderSpec::new("ease")]);
        let (refused, worked) = fit_in(&recommender, enough - 1);
        assert!(!worked, "it worked before it refused");
        let error = refused.err().expect("a byte is missing");
        let FitError::Together { place, kept, .. } = &error else { panic!("{error}") };
        assert_eq!((&place[..], *kept), ("recommender.components[1]", keeps));
        assert_eq!(fit_in(&recommender, enough).0.err(), None);
    });
}

#[test]
fn what_user_neighbours_become_at_the_test_counts_beside_the_models_of_all_others() {
    // As above: two hundred people who share an item, half of them in training and half in the rows held out.
    let mut rows: Vec<(u32, u32, f32)> = (0..200).map(|user| (user, user, 5.0)).collect();
    rows.extend((0..200).rev().map(|user| (user, 200, 5.0)));
    let all = interactions(&rows);
    let (learnt, both): (Vec<u32>, Vec<u32>) = ((0..300).collect(), (0..400).collect());
    let data = TrainSet::new(&all, &learnt).with_known(&both);
    let fit_in = |recommender: &ResolvedRecommender, bytes: u64| {
        let mut left = Left { bytes, worked: false };
        (fit(recommender, &data, 1, &mut left), left.worked)
    };
    let alone = |kind: &str, params: &[(&str, ParamValue)]| match fit_in(&resolved(kind, params), 0).0.err() {
        Some(FitError::Unaffordable { bytes, stays, at_test, .. }) => (bytes, stays, at_test),
        other => panic!("{kind}: {other:?}"),
    };
    let little = [("factors", ParamValue::Integer(1))];
    let ((first, stays, at_test), (second, other, _)) = (alone("user-knn", &[]), alone("warp", &little));
    // What it is foretold to keep is what it keeps, of 8 bytes a similarity: once fitted, and once all is read.
    let mut model = fitted("user-knn", &[], &data, 1);
    let similarities = |parameters: u64| 8 * (parameters - 2 * data.n_users() as u64 - data.n_items() as u64);
    assert_eq!(similarities(model.parameters()), stays);
    read(&mut *model, &all, &both);
    assert_eq!(similarities(model.parameters()), at_test);
    assert!(stays < at_test && first == at_test, "{stays} once fitted, {at_test} at the test, {first} in all");
    let enough = at_test + other;
    assert!(stays + second < enough, "the test decides, and not the fit of the second one");
    let warp = RecommenderSpec::new("warp").with("factors", ParamValue::Integer(1));
    for (components, at) in [
        (vec![RecommenderSpec::new("user-knn"), warp.clone()], "recommender.components[0]"),
        (vec![warp, RecommenderSpec::new("user-knn")], "recommender.components[1]"),
    ] {
        let recommender = hybrid(components);
        let (refused, worked) = fit_in(&recommender, enough - 1);
        assert!(!worked, "{at}: it worked before it refused");
        let error = refused.err().expect("a byte is missing");
        let FitError::Together { place, kind: "user-knn", kept, .. } = &error else { panic!("{error}") };
        assert_eq!((&place[..], *kept), (at, other));
        assert!(error.to_string().contains("read of them at the test"), "{error}");
        assert_eq!(fit_in(&recommender, enough).0.err(), None, "{at}");
    }
}

#[test]
fn the_table_of_everybodys_profiles_is_foretold_beside_its_component_before_that_is_fitted() {
    let (all, rows) = varied(600, 40, 3000);
    let (items, users) = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&items), Some(&users));
    let fit_in = |recommender: &ResolvedRecommender, bytes: u64| {
        let mut left = Left { bytes, worked: false };
        (fit(recommender, &data, 1, &mut left).err(), left.worked)
    };
    let meta_level = |component: RecommenderSpec| {
        resolved("meta-level", &[("components", ParamValue::Recommenders(vec![component]))])
    };
    // Of each entry a user and a value of 4 bytes each; where each row and the last one's end lies, and while it is filled twice.
    let table = |features: u64, entries: u64| (8 * entries + 8 * (features + 1), 8 * entries + 2 * 8 * (features + 1));
    assert_eq!(data.n_users(), 598);
    assert_eq!(table(64, 64 * 598), (306_696, 307_216));
    // Words are counted person by person.
    let content = fitted("content-tfidf", &[], &data, 1);
    let profiles = content.profiles().expect("it has profiles");
    let entries: u64 = (0..598).map(|user| profiles.of_user(user).len() as u64).sum();
    let of_words = table(profiles.n_features() as u64, entries);
    let (stays, enough) = of_words;
    let recommender = meta_level(RecommenderSpec::new("content-tfidf"));
    let (error, worked) = fit_in(&recommender, enough - 1);
    let error = error.expect("a byte is missing");
    assert!(!worked, "it worked before it refused");
    let FitError::Together { place, kind, kept: 0, forecast, .. } = &error else { panic!("{error}") };
    assert_eq!((&place[..], *kind), ("recommender.components[0]", "content-tfidf"));
    assert_eq!((forecast.bytes, forecast.stays), (enough, stays));
    let said = error.to_string();
    assert!(
        said.contains("a table of everybody's profiles") && said.contains("recommender.components[0].attributes"),
        "{said}"
    );
    let (error, _) = fit_in(&recommender, enough);
    assert!(error.is_none(), "in what it asked for: {error:?}");
}

/// A run without memory that is to stop.
struct Stopping;

impl FitObserver for Stopping {
    fn event(&mut self, _: EventKind) {}
    fn stop_requested(&mut self) -> bool {
        true
    }
    fn memory_left(&self) -> Option<u64> {
        Some(0)
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn counting_what_a_component_needs_can_be_stopped() {
    let (all, rows) = varied(240, 200, 4000);
    let data = TrainSet::new(&all, &rows);
    for kind in ["item-knn", "user-knn", "slope-one"] {
        let recommender = hybrid(vec![RecommenderSpec::new("popularity"), RecommenderSpec::new(kind)]);
        let error = fit(&recommender, &data, 1, &mut Stopping).err();
        let counting = matches!(error, Some(FitError::Interrupted { unit: "rows that are counted beforehand", .. }));
        assert!(counting, "{kind}: {error:?}");
    }
}

#[test]
fn what_a_hybrid_tells_its_component_of_the_items_counts_before_that_is_fitted() {
    let (all, rows) = varied(240, 200, 4000);
    let data = TrainSet::new(&all, &rows);
    for (kind, before) in [("feature-combination", None), ("feature-augmentation", Some("popularity"))] {
        let linear = RecommenderSpec::new("content-linear").with("min_items", ParamValue::Integer(1));
        let parts = before.map(|kind: &str| RecommenderSpec::new(kind)).into_iter().chain([linear]).collect();
        let recommender = resolved(kind, &[("components", ParamValue::Recommenders(parts))]);
        let mut left = Left { bytes: 1000, worked: false };
        let error =
            fit(&recommender, &data, 1, &mut left).err().unwrap_or_else(|| panic!("{kind} took it all the same"));
        assert!(!left.worked, "{kind} worked before it refused");
        assert!(matches!(error, FitError::Together { kind: "content-linear", .. }), "{kind}: {error}");
    }
}

#[test]
fn a_component_that_is_fitted_elsewhere_is_foretold_there_and_nothing_is_fitted_where_it_will_not_fit() {
    let (all, rows) = varied(60, 40, 600);
    let data = TrainSet::new(&all, &rows);
    let recommender = hybrid(vec![RecommenderSpec::new("popularity"), RecommenderSpec::new("sasrec")]);
    let nobody = |_: &FitRequest<'_>, _: &mut dyn FitObserver| -> Fitted { panic!("a network was fitted") };
    let far_too_much = |request: &FitRequest<'_>| -> Foretold {
        assert_eq!(request.recommender.entry.kind, "sasrec");
        let remedy = &Remedy { lower: "training.batch_size", instead: &["item-knn"] };
        let (bytes, stays) = (1 << 40, 1 << 30);
        Ok(Some(Forecast { what: "the training", bytes, stays, at_test: stays, seconds: 600.0, remedy }))
    };
    let request = FitRequest {
        recommender: &recommender,
        data: &data,
        seed: 1,
        elsewhere: &nobody,
        foretell: &far_too_much,
        stops_early: false,
        permutes: false,
        trained: None,
    };
    let mut left = Left { bytes: 1 << 30, worked: false };
    let said = fit_request(&request, &mut left).err().expect("it does not fit").to_string();
    assert!(!left.worked, "the first component was fitted");
    for words in [
        "recommender.components[1] (`sasrec`)",
        "1.0 TiB of memory",
        "about 10 minutes",
        "may have 1.0 GiB",
        "recommender.components[1].kind = \"item-knn\"",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_component_that_is_refused_elsewhere_is_told_with_its_place_before_the_first_one_is_fitted() {
    let (all, rows) = varied(60, 40, 600);
    let data = TrainSet::new(&all, &rows);
    let parts = vec![RecommenderSpec::new("popularity"), RecommenderSpec::new("sasrec")];
    let within = RecommenderSpec::new("weighted").with("components", ParamValue::Recommenders(parts));
    let recommender = hybrid(vec![RecommenderSpec::new("ease"), within]);
    let nobody = |_: &FitRequest<'_>, _: &mut dyn FitObserver| -> Fitted { panic!("a network was fitted") };
    let no_room = |request: &FitRequest<'_>| -> Foretold {
        assert_eq!(request.recommender.entry.kind, "sasrec");
        let refusal = Some(Instead::kinds("recommender", &["item-knn"]));
        Err(FitError::Elsewhere { code: FailureCode::OutOfMemory, message: "no room on the card".to_owned(), refusal })
    };
    let request = FitRequest {
        recommender: &recommender,
        data: &data,
        seed: 1,
        elsewhere: &nobody,
        foretell: &no_room,
        stops_early: false,
        permutes: false,
        trained: None,
    };
    let mut left = Left { bytes: 1 << 30, worked: false };
    let refused = fit_request(&request, &mut left).err().expect("it does not fit");
    assert!(!left.worked, "a component was fitted");
    assert_eq!(refused.instead(), Instead::kinds("recommender.components.1.components.1", &["item-knn"]));
    // How much the machine has left does not matter to it.
    assert_eq!(fit_request(&request, &mut Unobserved).err(), Some(refused));
}

#[test]
fn what_is_told_of_an_inverse_before_a_run_is_what_the_run_says_to_the_letter() {
    let alone = "kind = \"ease\"";
    let within = "kind = \"weighted\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"ease\" }]";
    for recommender in [alone, within] {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic\"\n[recommender]\n{recommender}\n\
             [evaluation]\nmetrics = [\"ndcg@10\"]\n"
        );
        let spec = ExperimentSpec::from_toml(&text).expect("a spec").resolve().expect("it is possible");
        let Some(forecast::Foretold::Inverse(inverse)) = forecast::Foretold::of(&spec) else {
            panic!("{recommender}: it is known how many items there are")
        };
        for allowed in [0, forecast::Inverse::ALLOWED_IN_A_TAB, 64 << 30, 1 << 40] {
            let asked = || foresee(&spec.recommender, inverse.items as usize, Some(allowed)).err();
            let said = with_threads(2, asked);
            let words = said.as_ref().map(|error| sentence(&error.to_string()));
            assert_eq!(
                words,
                inverse.refusal(allowed, forecast::Processor::Threads(2)),
                "{recommender} in {allowed} bytes"
            );
            let offered = said.as_ref().map(FitError::instead);
            assert_eq!(offered, (allowed < 1 << 40).then(|| inverse.instead()), "{recommender} in {allowed} bytes");
        }
    }
}
