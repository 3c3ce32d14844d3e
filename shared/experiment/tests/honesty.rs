//! What a result says is what was done: by which rows it was chosen, what its groups count, what its seconds hold.

mod desk;

use recspeed_types::event::BASELINES;
use recspeed_types::summary::BreakdownBy;
use recspeed_types::{EventKind, RunSummary};

use desk::{attempt, attempt_without_baselines};

const FRAME: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n";

#[test]
fn whoever_is_measured_on_the_rows_that_chose_says_so_and_nobody_else_does() {
    let said = |recommender: &str, training: &str, on: &str| {
        let text = format!(
            "{FRAME}sample = 900\n[split]\nkind = \"random\"\nvalidation_ratio = 0.1\n[recommender]\n{recommender}\n{training}[evaluation]\nmetrics = [\"ndcg@10\"]\non = \"{on}\"\nmax_users = 20\n"
        );
        let (result, events) = attempt(None, &text, None);
        let summary = result.unwrap_or_else(|failure| panic!("{recommender}, {on}: {failure}"));
        let is_one = |message: &str| message.starts_with("evaluation.on = \"validation\": the recommender ");
        let told: Vec<String> = summary.warnings.into_iter().filter(|warning| is_one(warning)).collect();
        let on_the_way =
            events.iter().filter(|e| matches!(e, EventKind::Warning { message } if is_one(message))).count();
        assert_eq!(told.len(), on_the_way, "{recommender}, {on}");
        told.concat()
    };
    let (network, early) = ("kind = \"mlp\"\nhidden = [8, 8, 8]", "[training]\nepochs = 2\nearly_stopping = 1\n");
    let hybrid =
        "kind = \"weighted\"\nweights = \"learnt\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"item-knn\" }]";
    let stopped = said(network, early, "validation");
    assert!(
        stopped.contains("the recommender stops its training by the very rows that it is measured on"),
        "{stopped}"
    );
    assert!(stopped.contains("flattered"), "{stopped}");
    let weighted = said(hybrid, "", "validation");
    assert!(weighted.contains("the recommender learns weights by the very rows"), "{weighted}");
    for (recommender, training, on) in [
        (network, early, "test"),
        (network, "[training]\nepochs = 2\n", "validation"),
        (hybrid, "", "test"),
        ("kind = \"item-knn\"", "", "validation"),
    ] {
        assert_eq!(said(recommender, training, on), "", "{recommender} {training} {on}");
    }
}

/// Six ratings by hand: fold 1 of 2 holds the first three out, which are 5, 3 and 1; 4, 2 and 3 are learnt from.
const TINY: &str = "a,x,5,1\nb,y,3,2\nc,x,1,3\na,y,4,4\nb,x,2,5\nc,y,3,6\n";

fn first_half_by(recommender: &str, metrics: &str) -> RunSummary {
    let text = format!(
        "{FRAME}[split]\nkind = \"contiguous-fold\"\nfolds = 2\nfold = 1\n[recommender]\n{recommender}\n[evaluation]\nmetrics = [{metrics}]\nthreshold = 3.0\n"
    );
    attempt(Some(TINY), &text, None).0.unwrap_or_else(|failure| panic!("{recommender}: {failure}"))
}

#[test]
fn one_number_for_everybody_is_judged_by_the_rows_and_the_code_of_whoever_is_measured() {
    let near = |left: f64, right: f64| (left - right).abs() < 1e-6;
    let errors = r#""rmse", "mae", "nrmse", "nmae", "accuracy""#;
    // The recommender that says that number is the number.
    let itself = first_half_by(r#"kind = "global-mean""#, errors);
    let of_the_mean = &itself.evaluation.of_the_mean;
    assert_eq!(of_the_mean.len(), 5);
    assert!(of_the_mean.iter().all(|(name, value)| near(itself.metrics[name], *value)), "{of_the_mean:?}");
    // Whoever else is measured is told the same of it; a metric that compares predictions with each other, or users, is left out.
    let another = first_half_by(r#"kind = "item-mean""#, &format!(r#"{errors}, "auc", "user-rmse""#));
    assert_eq!(&another.evaluation.of_the_mean, of_the_mean);
    assert_ne!(another.metrics["rmse"], of_the_mean["rmse"]);
    // Of likes it is their share, 2 of 3: the test's 1, 1 and 0 are missed by a third, a third and two thirds, and all are called liked.
    let likes = first_half_by("kind = \"densenet\"\nlayers = 2\ngrowth = 2", r#""rmse", "mae", "accuracy""#);
    let told = &likes.evaluation.of_the_mean;
    for (name, by_hand) in [("rmse", (2.0_f64 / 9.0).sqrt()), ("mae", 4.0 / 9.0), ("accuracy", 2.0 / 3.0)] {
        assert!(near(told[name], by_hand), "{name}: {told:?}");
    }
    assert!(first_half_by(r#"kind = "popularity""#, r#""hit@1""#).evaluation.of_the_mean.is_empty());
}

/// The last half of the rows is the test.
fn second_half_by_popularity(csv: &str) -> RunSummary {
    let text = format!(
        "{FRAME}[split]\nkind = \"contiguous-fold\"\nfolds = 2\nfold = 2\n[recommender]\nkind = \"popularity\"\n[evaluation]\nmetrics = [\"hit@1\"]\ncandidates = \"all\"\n"
    );
    attempt(Some(csv), &text, None).0.unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn baselines_stand_beside_other_methods_and_get_there_what_they_get_themselves() {
    let result = |kind: &str, metrics: &str| {
        let text =
            format!("{FRAME}[recommender]\nkind = \"{kind}\"\n[evaluation]\nmetrics = [{metrics}]\nmax_users = 200\n");
        attempt(None, &text, None).0.unwrap_or_else(|failure| panic!("{kind}: {failure}"))
    };
    for (method, baseline, metrics, due) in [
        ("item-knn", "popularity", r#""ndcg@10", "coverage@10", "recall@5""#, &["ndcg@10", "recall@5"][..]),
        ("biased-mf", "bias", r#""rmse", "accuracy""#, &["rmse", "accuracy"]),
    ] {
        let (beside, itself) = (result(method, metrics), result(baseline, metrics));
        let told = &beside.evaluation.baselines;
        assert_eq!(told.keys().collect::<Vec<_>>(), [baseline], "{method}");
        assert_eq!(told[baseline].len(), due.len(), "{told:?}");
        for metric in due {
            assert_eq!(told[baseline][*metric], itself.metrics[*metric], "{method}: {metric}");
        }
        assert!(itself.evaluation.baselines.is_empty(), "{baseline} stands beside itself");
        assert!(beside.metrics[due[0]] != itself.metrics[due[0]], "{method} is no baseline");
    }
    // A baseline of errors learns no more than deviations itself, and where likes are predicted no star stands beside them.
    assert!(result("item-mean", r#""rmse""#).evaluation.baselines.is_empty());
}

#[test]
fn baselines_have_a_span_of_their_own_and_whoever_wants_none_gets_the_same_result_without() {
    let text = format!(
        "{FRAME}[recommender]\nkind = \"item-knn\"\n[evaluation]\nmetrics = [\"ndcg@10\", \"f1@5\"]\nmax_users = 200\n"
    );
    let spans = |events: &[EventKind]| -> Vec<(String, u64, u64)> {
        let of = |event: &EventKind| match event {
            EventKind::Span { lane, name, start_us, duration_us, .. } if lane == "run" => {
                Some((name.clone(), *start_us, start_us + duration_us))
            }
            _ => None,
        };
        events.iter().filter_map(of).collect()
    };
    let counted = |events: &[EventKind]| -> Vec<(u64, u64)> {
        let of = |event: &EventKind| match event {
            EventKind::Progress { done, total, unit } if unit == BASELINES => Some((*done, *total)),
            _ => None,
        };
        events.iter().filter_map(of).collect()
    };
    let (with, events) = attempt(None, &text, None);
    let with = with.unwrap();
    assert_eq!(counted(&events), [(0, 1), (1, 1)], "whoever waits is told what is at work");
    let told = spans(&events);
    assert_eq!(
        told.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(),
        ["load", "fit", "evaluate", "single lists", "baselines"]
    );
    let [.., evaluate, lists, baselines] = &told[..] else { panic!("{told:?}") };
    assert!(baselines.1 >= lists.2 && baselines.2 > baselines.1, "{told:?}");
    assert_eq!((with.timing.evaluate_s * 1e6).round(), (evaluate.2 - evaluate.1) as f64);
    assert_eq!(with.evaluation.baselines["popularity"].keys().collect::<Vec<_>>(), ["f1@5", "ndcg@10"]);

    let (without, events) = attempt_without_baselines(&text);
    let without = without.unwrap();
    assert!(without.evaluation.baselines.is_empty());
    assert_eq!(spans(&events).len(), told.len() - 1, "no span of what was not done");
    assert!(counted(&events).is_empty());
    assert_eq!((&without.metrics, without.memory), (&with.metrics, with.memory));
    assert_eq!(without.warnings, with.warnings);
}

#[test]
fn groups_by_activity_count_ratings_and_not_the_items_that_were_rated() {
    // Before the test a has rated x five times, b five items once each, and c one item twice.
    let before =
        "a,x,5,1\na,x,4,2\na,x,3,3\na,x,2,4\na,x,1,5\nb,x,5,1\nb,y,5,2\nb,z,5,3\nb,v,5,4\nb,w,5,5\nc,y,5,1\nc,y,4,2\n";
    let test = (0..4).flat_map(|_| ["a,y,5,9\n", "b,y,5,9\n", "c,x,5,9\n"]).collect::<String>();
    let summary = second_half_by_popularity(&format!("{before}{test}"));
    let of_users = summary.breakdowns.iter().find(|breakdown| breakdown.by == BreakdownBy::UserActivity).unwrap();
    let groups: Vec<_> = of_users.groups.iter().map(|group| (group.name.as_str(), group.users)).collect();
    assert_eq!(groups, [("1 to 4 ratings", 1), ("5 to 19 ratings", 2)]);
}

#[test]
fn the_seconds_of_the_evaluation_hold_nothing_of_the_timing_of_single_lists() {
    let text = |metrics: &str| {
        format!("{FRAME}[recommender]\nkind = \"bias\"\n[evaluation]\nmetrics = [\"{metrics}\"]\nmax_users = 200\n")
    };
    let (result, events) = attempt(None, &text("ndcg@10"), None);
    let timing = result.unwrap().timing;
    let span = |wanted: &str| {
        events.iter().find_map(|event| match event {
            EventKind::Span { name, start_us, duration_us, .. } if name == wanted => Some((*start_us, *duration_us)),
            _ => None,
        })
    };
    let (evaluate, lists) = (span("evaluate").unwrap(), span("single lists").unwrap());
    let latency = timing.recommend.unwrap();
    assert_eq!((latency.lists, latency.threads), (200, Some(1)), "the desk has one thread");
    // Its clock goes on with every look, and each list takes two.
    assert!(lists.1 >= 2 * u64::from(latency.lists), "{lists:?}");
    assert_eq!(evaluate.0 + evaluate.1, lists.0, "one begins where the other ends");
    assert_eq!((timing.evaluate_s * 1e6).round(), evaluate.1 as f64);
    assert!(!timing.evaluate_has_lists());
    let (result, events) = attempt(None, &text("rmse"), None);
    assert_eq!(result.unwrap().timing.recommend, None);
    let is_lists = |event: &EventKind| matches!(event, EventKind::Span { name, .. } if name == "single lists");
    assert!(!events.iter().any(is_lists), "where nothing is ranked no list is timed");
}
