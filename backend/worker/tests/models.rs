//! The worker keeps models and answers from them, whatever happens meanwhile.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use recspeed_datasets::{DataHome, LoadRequest, LookUp};
use recspeed_models::load;
use recspeed_types::recommend::{RecommendReply, Recommendations};
use recspeed_types::spec::{ColumnNames, DataFormat, Dataset, Filters, Source};
use recspeed_types::{EventKind, ExperimentSpec, RunEvent};

fn worker(arguments: &[&str], input: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed-worker"));
    command.args(arguments).env_remove("RECSPEED_DATA");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the worker starts");
    // A worker that refuses early may close its input first.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child
}

fn spec(kind: &str, seed: u64) -> String {
    let text = format!(
        "version = 1\nseed = {seed}\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nmin_user = 2\n\
         [recommender]\nkind = \"{kind}\"\n[evaluation]\nmetrics = [\"ndcg@5\"]\nmax_users = 5\n"
    );
    ExperimentSpec::from_toml(&text).expect("the test's spec parses").to_json()
}

fn start(home: &Path, model: &Path, kind: &str, seed: u64) -> Child {
    let (home, model) = (home.to_str().unwrap(), model.to_str().unwrap());
    worker(&["--data-home", home, "--model", model], &spec(kind, seed))
}

fn last_event(output: &Output) -> EventKind {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().expect("a run says something");
    serde_json::from_str::<RunEvent>(line).expect("an event").kind
}

fn ask(model: &Path, questions: &[&str]) -> (Vec<RecommendReply>, Option<i32>) {
    let input = format!("{}\n", questions.join("\n"));
    let output = worker(&["recommend", "--model", model.to_str().unwrap()], &input).wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let replies = text.lines().map(|line| serde_json::from_str(line).expect("a reply")).collect();
    (replies, output.status.code())
}

fn answer(reply: &RecommendReply) -> &Recommendations {
    match reply {
        RecommendReply::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn refusal(reply: &RecommendReply) -> (&str, &str) {
    match reply {
        RecommendReply::Failure(failure) => (&failure.code, &failure.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_kept_model_answers_one_question_a_line() {
    let home = tempfile::tempdir().unwrap();
    for (kind, file) in [("item-knn", "array-similarities.values.arrow"), ("mlp", "arrays.safetensors")] {
        let model = home.path().join(kind);
        let output = start(home.path(), &model, kind, 1).wait_with_output().unwrap();
        assert!(matches!(last_event(&output), EventKind::Finished { .. }), "{output:?}");
        let saved = load(&model).unwrap();
        assert!(saved.manifest.files.contains_key(file), "{:?}", saved.manifest.files.keys());
        assert_eq!((saved.manifest.run.as_str(), saved.manifest.spec.seed), ("local", 1));
        let user = &saved.manifest.users[0];
        let questions = [
            format!("{{\"user\":\"{user}\",\"k\":3,\"explain\":true}}"),
            "{\"user\":\"nobody at all\"}".to_owned(),
            "rubbish".to_owned(),
            String::new(),
            format!("{{\"user\":\"{user}\",\"k\":3,\"explain\":true}}"),
        ];
        let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
        let (replies, status) = ask(&model, &questions);
        assert_eq!((replies.len(), status), (5, Some(0)), "a reply for each line that is not blank");
        assert_eq!(replies[0], RecommendReply::Ready);
        assert_eq!(answer(&replies[1]).items.len(), 3);
        assert_eq!(refusal(&replies[2]).0, "unknown-user");
        assert_eq!(refusal(&replies[3]).0, "invalid-request");
        assert_eq!(replies[4], replies[1], "the same question has the same answer");
    }
}

#[test]
fn a_kept_hybrid_with_a_network_in_it_answers() {
    let home = tempfile::tempdir().unwrap();
    let model = home.path().join("model");
    let parts = "[[recommender.components]]\nkind = \"item-knn\"\n[[recommender.components]]\nkind = \"neumf\"\n";
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nmin_user = 2\n\
         [recommender]\nkind = \"weighted\"\n{parts}[training]\nepochs = 1\n\
         [evaluation]\nmetrics = [\"ndcg@5\"]\nmax_users = 5\n"
    );
    let spec = ExperimentSpec::from_toml(&text).expect("the test's spec parses").to_json();
    let arguments = ["--data-home", home.path().to_str().unwrap(), "--model", model.to_str().unwrap()];
    let output = worker(&arguments, &spec).wait_with_output().unwrap();
    assert!(matches!(last_event(&output), EventKind::Finished { .. }), "{output:?}");
    let user = load(&model).unwrap().manifest.users[0].clone();
    let (replies, status) = ask(&model, &[&format!("{{\"user\":\"{user}\",\"k\":3,\"explain\":true}}")]);
    assert_eq!((status, answer(&replies[1]).items.len()), (Some(0), 3));
}

fn predict(home: &Path, model: &Path, out: &Path) -> Output {
    let (model, home, out) = (model.to_str().unwrap(), home.to_str().unwrap(), out.to_str().unwrap());
    worker(&["predict", "--model", model, "--data-home", home, "--out", out], "").wait_with_output().unwrap()
}

/// Ratings and predictions in a table of them, and the root of their mean squared difference.
fn exported(out: &Path) -> (Vec<f32>, Vec<f32>, f64) {
    let cache = tempfile::tempdir().unwrap();
    let home = DataHome::open(Some(cache.path().to_owned())).unwrap();
    let format = if out.extension() == Some("parquet".as_ref()) { DataFormat::Parquet } else { DataFormat::Arrow };
    let read = |rating: &str| {
        let path = out.to_str().unwrap().to_owned();
        let columns = ColumnNames { rating: Some(rating.to_owned()), ..ColumnNames::default() };
        let source = Source::File { path, format, columns, items: None, users: None, max_bad_share: 0.0 };
        let dataset = Dataset { source, filters: Filters::default() };
        let request = LoadRequest { dataset: &dataset, seed: 0, look_up: &LookUp::default() };
        home.load(&request, &mut |_, _| {}).unwrap().interactions.rating
    };
    let (ratings, predictions) = (read("rating"), read("prediction"));
    let error = ratings.iter().zip(&predictions).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    let rmse = (error / ratings.len() as f64).sqrt();
    (ratings, predictions, rmse)
}

#[test]
fn predictions_are_a_table_of_the_splits_own_rows() {
    let home = tempfile::tempdir().unwrap();
    let (model, out) = (home.path().join("model"), home.path().join("test.arrow"));
    start(home.path(), &model, "bias", 1).wait_with_output().unwrap();
    let output = predict(home.path(), &model, &out);
    assert!(output.status.success(), "{output:?}");
    let (ratings, predictions, rmse) = exported(&out);
    assert_eq!(ratings.len() as u64, recspeed_models::manifest(&model).unwrap().data.test);
    assert_eq!(predictions.len(), ratings.len());
    assert!(rmse > 0.1 && rmse < 2.0, "{rmse}");
    // The other format holds the same bits.
    let packed = home.path().join("test.parquet");
    let output = predict(home.path(), &model, &packed);
    assert!(output.status.success(), "{output:?}");
    let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    let (ratings_again, predictions_again, _) = exported(&packed);
    assert_eq!(bits(&ratings_again), bits(&ratings));
    assert_eq!(bits(&predictions_again), bits(&predictions));
    let output = predict(home.path(), &model, &home.path().join("test.csv"));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("could be Parquet or Arrow"), "{output:?}");
}

#[test]
fn exported_predictions_are_those_that_the_run_measured_whatever_features_takes_away() {
    let home = tempfile::tempdir().unwrap();
    let (model, out) = (home.path().join("model"), home.path().join("test.arrow"));
    let text = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nmin_user = 2\n\
                [features]\ndrop = [\"time\"]\nshuffle = [\"item\"]\n[recommender]\nkind = \"mlp\"\n\
                [training]\nepochs = 1\n[evaluation]\nmetrics = [\"rmse\"]\n";
    let spec = ExperimentSpec::from_toml(text).expect("the test's spec parses").to_json();
    let arguments = ["--data-home", home.path().to_str().unwrap(), "--model", model.to_str().unwrap()];
    let output = worker(&arguments, &spec).wait_with_output().unwrap();
    let EventKind::Finished { summary } = last_event(&output) else { panic!("{output:?}") };
    let output = predict(home.path(), &model, &out);
    assert!(output.status.success(), "{output:?}");
    let (measured, (.., told)) = (summary.metrics["rmse"], exported(&out));
    assert!((told - measured).abs() < 1e-6, "{told} exported, {measured} measured");
}

#[test]
fn no_model_and_a_damaged_one_are_one_sentence() {
    let home = tempfile::tempdir().unwrap();
    let (replies, status) = ask(home.path(), &["{\"user\":\"u\"}"]);
    assert_eq!((replies.len(), status), (1, Some(4)));
    let (code, message) = refusal(&replies[0]);
    assert!(
        code == "no-model"
            && message.ends_with("holds no saved model; name a folder that `recspeed run --model` has written."),
        "{message}"
    );
    let model = home.path().join("model");
    start(home.path(), &model, "bias", 1).wait_with_output().unwrap();
    let manifest = recspeed_models::manifest(&model).unwrap();
    fs::write(model.join(&manifest.folder).join("array-mean.arrow"), "short").unwrap();
    let (replies, status) = ask(&model, &["{\"user\":\"u\"}"]);
    let (code, message) = refusal(&replies[0]);
    assert_eq!((code, status), ("damaged-model", Some(4)));
    assert!(message.contains("is damaged: array-mean.arrow has 5 bytes instead of"), "{message}");
}

#[test]
fn a_folder_that_cannot_hold_the_model_is_a_warning_and_the_result_stays() {
    let home = tempfile::tempdir().unwrap();
    let occupied = home.path().join("thesis");
    fs::create_dir(&occupied).unwrap();
    fs::write(occupied.join("thesis.tex"), "important").unwrap();
    let output = start(home.path(), &occupied, "popularity", 1).wait_with_output().unwrap();
    let EventKind::Finished { summary } = last_event(&output) else { panic!("{output:?}") };
    let told = summary.warnings.iter().any(|warning| warning.starts_with("the model could not be kept: "));
    assert!(told, "{:?}", summary.warnings);
    assert_eq!(fs::read_dir(&occupied).unwrap().count(), 1);
}

#[test]
fn a_worker_killed_while_it_saves_leaves_the_old_model_or_the_new_one() {
    let home = tempfile::tempdir().unwrap();
    let model = home.path().join("model");
    let begun = Instant::now();
    start(home.path(), &model, "item-knn", 1).wait_with_output().unwrap();
    let took = begun.elapsed();
    let mut seed = 1;
    for attempt in 2..12 {
        let mut child = start(home.path(), &model, "item-knn", attempt);
        // From the last third of a run on, which is when it saves; a little later each time.
        let begun = Instant::now();
        let files = |folder: &Path| fs::read_dir(folder).map_or(0, Iterator::count);
        while files(&model) < 3 && begun.elapsed() < took * 3 + Duration::from_secs(5) {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_millis(attempt - 2));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = load(&model).expect("a whole model").manifest.spec.seed;
        assert!(found == seed || found == attempt, "the model of seed {found} after those of {seed} and {attempt}");
        seed = found;
    }
    start(home.path(), &model, "item-knn", 99).wait_with_output().unwrap();
    assert_eq!(load(&model).unwrap().manifest.spec.seed, 99);
    assert_eq!(fs::read_dir(&model).unwrap().count(), 2, "what killed workers left is swept");
}
