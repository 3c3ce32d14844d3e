//! Stored runs side by side through the API.

use axum::http::{Method, StatusCode};
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::{DataFormat, DatasetSpec, FitOn, RecommenderSpec};
use serde_json::{Value, json};

use crate::bench::{Bench, spec};

async fn finished(bench: &Bench, change: impl FnOnce(&mut ExperimentSpec)) -> String {
    let mut spec = spec("quick");
    change(&mut spec);
    let (status, run) = bench.owner(Method::POST, "/api/runs", Some(json!({ "spec": spec }))).await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    let id = run["id"].as_str().unwrap().to_owned();
    bench.until_over(&id).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_links_sees_runs_side_by_side_with_what_differs() {
    let bench = Bench::new().await;
    let first = finished(&bench, |spec| spec.data_seed = Some(42)).await;
    let again = finished(&bench, |spec| (spec.seed, spec.data_seed) = (43, Some(42))).await;
    let longer = finished(&bench, |spec| spec.training.epochs = Some(9)).await;
    let other = finished(&bench, |spec| spec.dataset.sample = Some(500)).await;

    let (status, told) = bench.guest(&format!("/api/comparison?runs={first},{longer},{again},{other},gone")).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let methods = told["methods"].as_array().unwrap();
    let names: Vec<&str> = methods.iter().map(|method| method["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["quick, epochs as usual", "quick, epochs 9", "quick, epochs as usual #2"]);
    assert_eq!(methods[0]["runs"], json!([first, again]), "seeds of one method stand together");
    assert_eq!(methods[0]["metrics"]["rmse"]["sd"], 0.0);
    assert_eq!(told["settings"], json!(["training.epochs"]));
    assert_eq!(methods[1]["settings"], json!(["9"]));
    assert_eq!((&methods[1]["same_rows"], &methods[2]["same_rows"]), (&json!(true), &json!(false)));
    let warning = told["warnings"][0].as_str().unwrap();
    assert!(warning.contains("dataset.sample is 500, and not set there"), "{warning}");
    assert_eq!(told["left_out"], json!([{ "run": "gone", "why": "is gone" }]));
    let curve = &told["curves"][0];
    assert_eq!((&curve["name"], &curve["points"][1]["step"]), (&json!("loss"), &json!(2)));
    assert_eq!(told["metrics"], json!(["rmse"]));

    let (status, tests) = bench.guest(&format!("/api/comparison/tests?runs={first},{longer}")).await;
    assert_eq!((status, &tests["tests"]), (StatusCode::OK, &json!([])), "{tests}");
    assert!(tests["untested"][0].as_str().unwrap().starts_with("the lab keeps no values of each user"), "{tests}");

    // Whoever chooses other runs before the tests are made waits, and is not refused.
    let path = format!("/api/comparison/tests?runs={first},{longer}");
    let asked = tokio::join!(bench.guest(&path), bench.guest(&path), bench.guest(&path), bench.guest(&path));
    let (a, b, c, d) = asked;
    assert_eq!([a.0, b.0, c.0, d.0], [StatusCode::OK; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_reads_no_place_of_the_owners_machine_beside_runs_and_the_owner_reads_each() {
    let bench = Bench::new().await;
    let of_file = async |path: &str| {
        let dataset = DatasetSpec::file(path, DataFormat::Movielens);
        finished(&bench, |spec| spec.dataset = dataset).await
    };
    let (first, other) = (of_file("/srv/owner/a.data").await, of_file("/srv/owner/b.data").await);
    let path = format!("/api/comparison?runs={first},{other}");
    for (whose, (status, told)) in
        [("guest", bench.guest(&path).await), ("owner", bench.owner(Method::GET, &path, None).await)]
    {
        assert_eq!(status, StatusCode::OK, "{told}");
        let warning = told["warnings"][0].as_str().unwrap();
        let named = match whose {
            "owner" => "dataset.path is /srv/owner/b.data, not /srv/owner/a.data",
            _ => "dataset.path is [path], not [path]",
        };
        assert!(warning.contains(named), "{whose}: {warning}");
        assert_eq!(told.to_string().contains("/srv/owner"), whose == "owner", "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_the_validation_rows_at_the_test_and_who_does_not_is_told_beside_the_runs() {
    let bench = Bench::new().await;
    let run = async |name: &str, kind: &str, fit_on: Option<FitOn>| {
        let change = |spec: &mut ExperimentSpec| {
            spec.name = format!("held-out-{name}");
            spec.recommender = RecommenderSpec::new(kind);
            spec.split.validation_ratio = Some(0.1);
            spec.split.fit_on = fit_on;
            spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
        };
        finished(&bench, change).await
    };
    let told = async |runs: [&String; 2]| {
        let (status, told) = bench.guest(&format!("/api/comparison?runs={},{}", runs[0], runs[1])).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        assert!(told["methods"].as_array().is_some_and(|methods| methods.len() == 2), "{told}");
        told["warnings"].clone()
    };
    let reads = run("reads", "item-knn", None).await;
    let learns = run("learns", "popularity", None).await;
    let warnings = told([&reads, &learns]).await;
    let warning = warnings[0].as_str().unwrap_or_else(|| panic!("nothing is said: {warnings}"));
    for part in [
        "as what each person has: “held-out-reads”. Without them: “held-out-learns”.",
        "split.fit_on = \"train-validation\"",
    ] {
        assert!(warning.contains(part), "{part} is missing in {warning}");
    }
    let both = Some(FitOn::TrainValidation);
    let (reads, learns) = (run("reads", "item-knn", both).await, run("learns", "popularity", both).await);
    assert_eq!(told([&reads, &learns]).await, json!([]), "all know the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_errors_are_on_another_scale_than_those_of_the_first_is_told_of_each_method() {
    let bench = Bench::new().await;
    let of = async |kind: &str| finished(&bench, |spec| spec.recommender = RecommenderSpec::new(kind)).await;
    let (stars, likes, more_stars) = (of("item-mean").await, of("densenet").await, of("mlp").await);
    let (status, told) = bench.guest(&format!("/api/comparison?runs={stars},{likes},{more_stars}")).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let same: Vec<&Value> = told["methods"].as_array().unwrap().iter().map(|method| &method["same_scale"]).collect();
    assert_eq!(same, [true, false, true]);
    assert!(told["warnings"].to_string().contains("Errors are on two scales"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_without_a_common_metric_are_told_and_those_with_one_are_not() {
    let bench = Bench::new().await;
    let of = async |kind: &str, metric: &str| {
        let change = |spec: &mut ExperimentSpec| {
            spec.recommender = RecommenderSpec::new(kind);
            spec.evaluation.metrics = vec![metric.parse().unwrap()];
        };
        finished(&bench, change).await
    };
    let (lists, stars) = (of("popularity", "ndcg@10").await, of("item-mean", "rmse").await);
    let more = of("mlp", "rmse").await;
    let (status, told) = bench.guest(&format!("/api/comparison?runs={lists},{stars}")).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert!(
        told["warnings"].to_string().contains("share no metric: one ranks items, the other predicts ratings"),
        "{told}"
    );
    let (_, told) = bench.guest(&format!("/api/comparison?runs={stars},{more}")).await;
    assert!(!told["warnings"].to_string().contains("share no metric"), "{told}");
}

#[tokio::test]
async fn a_comparison_that_cannot_be_is_refused_in_words() {
    let bench = Bench::new().await;
    let refused = async |query: &str, status: StatusCode, words: &str| {
        let (found, failure) = bench.guest(&format!("/api/comparison{query}")).await;
        let failure: &Value = &failure["message"];
        assert_eq!(found, status, "{failure}");
        assert!(failure.as_str().unwrap().contains(words), "{failure}");
    };
    refused("", StatusCode::UNPROCESSABLE_ENTITY, "runs: is missing").await;
    refused("?runs=,", StatusCode::UNPROCESSABLE_ENTITY, "names 0 runs; allowed: 1 to 24").await;
    refused("?runs=A", StatusCode::UNPROCESSABLE_ENTITY, "`A` is no run id").await;
    refused("?runs=a&with=b", StatusCode::UNPROCESSABLE_ENTITY, "with: is unknown").await;
    refused("?runs=a,b", StatusCode::UNPROCESSABLE_ENTITY, "None of these runs exists or has a result.").await;
}
