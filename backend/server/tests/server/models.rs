//! The models of runs: kept, asked through the API, made room for, deleted. Those that need a real model use the real worker.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use recspeed_server::answers::{Patience, make_room};
use recspeed_types::RunId;
use recspeed_types::api::RunStatus;
use serde_json::{Value, json};

use crate::bench::{Bench, Options, TOKEN};
use crate::restart::real_worker;

/// A run with a model, by the real worker.
async fn finished(bench: &Bench, kind: &str) -> String {
    let spec = json!({
        "version": 1,
        "dataset": { "source": "builtin", "id": "beauty-synthetic-10k", "min_user": 2 },
        "recommender": { "kind": kind },
        "evaluation": { "metrics": ["ndcg@5"], "max_users": 5 },
    });
    finished_spec(bench, spec).await
}

async fn finished_spec(bench: &Bench, spec: Value) -> String {
    let (status, run) = bench.owner(Method::POST, "/api/runs", Some(json!({ "spec": spec }))).await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    let id = run["id"].as_str().unwrap().to_owned();
    let record = bench.until_over(&id).await;
    assert_eq!(record.status, RunStatus::Finished, "{:?}", record.failure);
    id
}

async fn real() -> Bench {
    Bench::with(Options { worker: real_worker(), ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_runs_link_may_ask_its_model() {
    let bench = real().await;
    let id = finished(&bench, "item-knn").await;
    assert_eq!(bench.record(&id).await.model, Some(true));
    let (status, model) = bench.guest(&format!("/api/runs/{id}/model")).await;
    assert_eq!(status, StatusCode::OK, "{model}");
    assert!(model["bytes"].as_u64().unwrap() > 1000 && model["new_users"] == true && model["explains"] == true);
    let (user, item) = (model["users"][0].as_str().unwrap(), model["items"][0].as_str().unwrap());

    let address = format!("/api/runs/{id}/recommendations");
    let (status, answer) = bench.guest(&format!("{address}?user={user}&k=3&explain=true")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["items"].as_array().unwrap().len(), 3);
    let question = json!({ "user": user, "k": 3, "explain": true });
    assert_eq!(bench.owner(Method::POST, &address, Some(question)).await, (StatusCode::OK, answer));

    let (status, of_basket) = bench.guest(&format!("{address}?basket={item}:5&k=4&explain=true")).await;
    assert_eq!(status, StatusCode::OK, "{of_basket}");
    let words = of_basket["items"][0]["reasons"][0].as_str().unwrap();
    assert!(words.starts_with(&format!("the basket has {item} “")) && words.contains("” (adds "), "{words}");
    assert!(of_basket["items"][0]["title"].as_str().is_some_and(|title| !title.is_empty()), "{of_basket}");
    assert_eq!(of_basket["left_out"], 1);
    let (status, by_ids) = bench.owner(Method::POST, &address, Some(json!({ "basket": [item], "k": 4 }))).await;
    assert_eq!((status, &by_ids["left_out"]), (StatusCode::OK, &json!(1)), "{by_ids}");

    for (query, code, words) in [
        ("user=nobody", "unknown-user", "The model knows no user `nobody`."),
        ("basket=a,b", "unknown-item", "The model knows no item `a`."),
        ("", "invalid-request", "neither a user nor a basket"),
        ("user=a&basket=b", "invalid-request", "both a user and a basket"),
        ("basket=,", "invalid-request", "The basket names no item."),
        ("user=a&k=0", "invalid-request", "k is 0; allowed: 1 to 1000."),
        ("user=a&k=many", "invalid-request", "k: is `many`; allowed: 1 to 1000"),
        ("user=a&explain=perhaps", "invalid-request", "explain: is `perhaps`"),
        ("user=a&friend=b", "invalid-request", "friend"),
    ] {
        let (status, failure) = bench.guest(&format!("{address}?{query}")).await;
        assert_eq!(
            (status, failure["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some(code)),
            "{query}: {failure}"
        );
        assert!(failure["message"].as_str().unwrap().contains(words), "{query}: {failure}");
    }
    let (status, failure) = bench.owner(Method::POST, &address, Some(json!({ "usr": "x" }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(failure["message"].as_str().unwrap().contains("unknown field `usr`"), "{failure}");
    let (status, failure) = bench.owner(Method::POST, &address, Some(json!({ "user": 196 }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let message = failure["message"].as_str().unwrap();
    assert!(
        message.starts_with("The question cannot be read: invalid type: integer `196`, expected an id"),
        "{failure}"
    );
    assert!(failure["remedy"].as_str().unwrap().contains("each id as text in quotation marks"), "{failure}");

    let models = bench.home.path().join("models");
    assert!(models.join(&id).join("manifest.json").is_file());
    assert_eq!(bench.owner(Method::DELETE, &format!("/api/runs/{id}"), None).await.0, StatusCode::NO_CONTENT);
    assert!(!models.join(&id).exists());
    assert_eq!(bench.guest(&format!("{address}?user={user}")).await.1["code"], "no-run");
}

/// Puts a file of ratings into the lab: its hash.
async fn uploaded(bench: &Bench, rows: String) -> String {
    let request = axum::http::Request::builder()
        .method(Method::POST)
        .uri("/api/datasets?name=mine&format=amazon-csv")
        .header(axum::http::header::HOST, "127.0.0.1")
        .header(axum::http::header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(axum::body::Body::from(rows))
        .unwrap();
    let (status, _, answer) = bench.send(request).await;
    assert_eq!(status, StatusCode::CREATED, "{answer:?}");
    let record: Value = serde_json::from_slice(&answer).unwrap();
    record["sha256"].as_str().unwrap().to_owned()
}

/// A run on an uploaded file of 40 people who each have 8 of 12 films.
async fn of_upload(bench: &Bench) -> String {
    let has = |user: usize, film: usize| !(user + 2 * film).is_multiple_of(3);
    let row = |(user, film): (usize, usize)| format!("person-{user},film-{film},5,{}\n", 1_000 + 20 * film + user);
    let all = (0..40).flat_map(|user| (0..12).map(move |film| (user, film)));
    let rows: Vec<String> = all.filter(|&(user, film)| has(user, film)).map(row).collect();
    let sha256 = uploaded(bench, rows.concat()).await;
    let spec = json!({
        "version": 1,
        "dataset": { "source": "upload", "id": sha256, "format": "amazon-csv" },
        "recommender": { "kind": "item-knn" },
        "evaluation": { "metrics": ["ndcg@5"], "max_users": 5 },
    });
    finished_spec(bench, spec).await
}

/// The reasons of all items of an answer.
fn reasons(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap().iter();
    let all = items.flat_map(|item| item["reasons"].as_array().cloned().unwrap_or_default());
    all.map(|reason| reason.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_with_the_link_of_a_run_is_told_no_row_of_an_uploaded_file_and_the_owner_all_of_them() {
    let bench = real().await;
    let id = of_upload(&bench).await;
    let address = format!("/api/runs/{id}/recommendations");
    let (_, model) = bench.owner(Method::GET, &format!("/api/runs/{id}/model"), None).await;
    let user = model["users"][0].as_str().unwrap();
    assert!(user.starts_with("person-") && model["users_withheld"].is_null(), "{model}");
    let (status, unnamed) = bench.guest(&format!("/api/runs/{id}/model")).await;
    assert_eq!((status, &unnamed["users"], &unnamed["users_withheld"]), (StatusCode::OK, &json!([]), &json!(true)));
    assert_eq!(unnamed["items"], model["items"], "what is recommended is no secret");

    // The owner asks first: what they are told is remembered, and must not be given to a guest.
    let query = format!("{address}?user={user}&k=4&explain=true");
    let (status, told) = bench.owner(Method::GET, &query, None).await;
    assert_eq!((status, &told["withheld"]), (StatusCode::OK, &Value::Null), "{told}");
    assert!(told["has"].as_array().is_some_and(|has| !has.is_empty()), "{told}");
    assert!(reasons(&told).iter().any(|reason| reason.starts_with("they have film-")), "{told}");
    // Of a list that is long enough, what is missing is what the user has.
    let (_, all) = bench.owner(Method::GET, &format!("{address}?user={user}&k=1000"), None).await;
    let left = all["items"].as_array().unwrap().len() as u64;
    assert!(left < 12 && left + all["left_out"].as_u64().unwrap() == 12, "{all}");

    // However a guest asks for a user: one that there is, one whose id is near others', long or short, with what they have or without.
    for question in [
        format!("user={user}"),
        format!("user={user}&k=4&explain=true"),
        format!("user={user}&k=1000"),
        format!("user={user}&include_seen=true"),
        "user=person-".to_owned(),
        format!("user={user}&basket=film-1"),
    ] {
        let (status, failure) = bench.guest(&format!("{address}?{question}")).await;
        assert_eq!((status, failure["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("owner-only")), "{failure}");
        assert!(failure["remedy"].as_str().unwrap().starts_with("Show a basket"), "{failure}");
        let said = failure.to_string();
        assert!(!said.contains("person-") && !said.contains("film-"), "{question}: {said}");
    }
    let request = axum::http::Request::builder().method(Method::POST).uri(&address);
    let question = axum::body::Body::from(json!({ "user": user, "k": 1000 }).to_string());
    let request = request.header(axum::http::header::HOST, "127.0.0.1").body(question).unwrap();
    assert_eq!(bench.send(request).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.owner(Method::GET, &query, None).await.1, told, "and the owner is told all of it after a guest");
    let seen = format!("{query}&include_seen=true");
    assert_eq!(bench.owner(Method::GET, &seen, None).await.0, StatusCode::OK);

    let (status, of_basket) = bench.guest(&format!("{address}?basket=film-1&explain=true&include_seen=true")).await;
    assert_eq!(status, StatusCode::OK, "a basket is the guest's own: {of_basket}");
    assert!(reasons(&of_basket).iter().any(|reason| reason.starts_with("the basket has film-1")), "{of_basket}");
    assert!(!of_basket.to_string().contains("person-"), "{of_basket}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_told_the_values_of_each_user_of_an_uploaded_file_by_numbers_and_the_owner_by_ids() {
    let bench = real().await;
    let id = of_upload(&bench).await;
    let address = format!("/api/runs/{id}/per-user");
    let (status, told) = bench.owner(Method::GET, &address, None).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let of_owner: recspeed_types::UserValues = serde_json::from_value(told).unwrap();
    assert!(of_owner.users.iter().all(|user| user.starts_with("person-")), "{:?}", of_owner.users);
    let (status, told) = bench.guest(&address).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let of_guest: recspeed_types::UserValues = serde_json::from_value(told).unwrap();
    let numbers: Vec<String> = (1..=of_owner.users.len()).map(|number| number.to_string()).collect();
    assert_eq!(of_guest.users, numbers);
    assert_eq!(of_guest.columns, of_owner.columns, "the same users in the same order");
    assert_eq!(of_owner.columns["ndcg@5"].iter().flatten().count(), 5, "something was measured");

    // Values that are not whole are nobody's, and no 500.
    let file = bench.home.path().join("per-user").join(format!("{id}.json"));
    std::fs::write(&file, r#"{"users":["person-1""#).unwrap();
    let (status, failure) = bench.guest(&address).await;
    assert_eq!((status, failure["code"].as_str()), (StatusCode::NOT_FOUND, Some("no-user-values")), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_the_value_of_each_user_until_it_is_deleted() {
    let bench = real().await;
    let id = finished(&bench, "popularity").await;
    let address = format!("/api/runs/{id}/per-user");
    let (status, values) = bench.guest(&address).await;
    assert_eq!(status, StatusCode::OK, "{values}");
    let values: recspeed_types::UserValues = serde_json::from_value(values).unwrap();
    let of_each = &values.columns["ndcg@5"];
    assert_eq!(of_each.len(), values.users.len());
    let known: Vec<f64> = of_each.iter().flatten().copied().collect();
    assert_eq!(known.len(), 5, "users that were evaluated");
    let (_, record) = bench.guest(&format!("/api/runs/{id}")).await;
    let told = record["summary"]["metrics"]["ndcg@5"].as_f64().unwrap();
    assert!((known.iter().sum::<f64>() / 5.0 - told).abs() < 1e-12, "{told} is not the mean of {known:?}");
    let other = finished(&bench, "item-knn").await;
    let (status, tests) = bench.guest(&format!("/api/comparison/tests?runs={id},{other}")).await;
    let without = tests["untested"].to_string();
    assert_eq!((status, without.contains("keeps no values")), (StatusCode::OK, false), "{tests}");
    let file = bench.home.path().join("per-user").join(format!("{id}.json"));
    assert!(file.is_file());
    std::fs::rename(&file, file.with_extension("away")).unwrap();
    let (status, failure) = bench.guest(&address).await;
    assert_eq!((status, failure["code"].as_str()), (StatusCode::NOT_FOUND, Some("no-user-values")), "{failure}");
    std::fs::rename(file.with_extension("away"), &file).unwrap();
    assert_eq!(bench.owner(Method::DELETE, &format!("/api/runs/{id}"), None).await.0, StatusCode::NO_CONTENT);
    assert!(!file.exists());
    assert_eq!(bench.guest(&address).await.1["code"], "no-run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_without_fold_in_says_what_to_use_for_new_people() {
    let bench = real().await;
    let spec = json!({
        "version": 1,
        "dataset": { "source": "builtin", "id": "beauty-synthetic-10k", "min_user": 2 },
        "recommender": { "kind": "mlp" },
        "training": { "epochs": 1 },
        "evaluation": { "metrics": ["rmse"] },
    });
    let id = finished_spec(&bench, spec).await;
    let (status, failure) = bench.guest(&format!("/api/runs/{id}/recommendations?basket=x")).await;
    assert_eq!(
        (status, failure["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("no-new-users")),
        "{failure}"
    );
    assert!(failure["remedy"].as_str().unwrap().contains("item-knn"));
    assert!(failure["message"].as_str().unwrap().contains("it knows a person by an index"), "{failure}");
    // Whoever looks at the model is told the same before they ask.
    let (_, model) = bench.guest(&format!("/api/runs/{id}/model")).await;
    let told = format!("{} {}", failure["message"].as_str().unwrap(), failure["remedy"].as_str().unwrap());
    assert_eq!((model["new_users"].as_bool(), model["no_new_users"].as_str()), (Some(false), Some(told.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_was_damaged_is_one_sentence_and_the_lab_stays_up() {
    let bench = real().await;
    let id = finished(&bench, "popularity").await;
    let folder = bench.home.path().join("models").join(&id);
    let manifest = recspeed_models::manifest(&folder).unwrap();
    std::fs::write(folder.join(&manifest.folder).join("users.ids.arrow"), "short").unwrap();
    let (status, failure) = bench.guest(&format!("/api/runs/{id}/recommendations?user=x")).await;
    assert_eq!((status, failure["code"].as_str()), (StatusCode::INTERNAL_SERVER_ERROR, Some("damaged-model")));
    assert_eq!(failure["message"], "The model of this run is damaged.");
    assert_eq!(bench.guest("/api/lab").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_model_says_how_to_get_one() {
    let bench = Bench::new().await;
    let run = bench.submit("quick").await;
    assert_eq!(run.model, None, "it has not finished");
    let record = bench.until_over(run.id.as_str()).await;
    assert_eq!((record.status, record.model), (RunStatus::Finished, Some(false)), "so that nobody asks for it");
    for address in ["model", "recommendations?user=u"] {
        let (status, failure) = bench.guest(&format!("/api/runs/{}/{address}", run.id)).await;
        assert_eq!((status, failure["code"].as_str()), (StatusCode::NOT_FOUND, Some("no-model")), "{failure}");
        assert!(failure["remedy"].as_str().unwrap().starts_with("Run it again on the server"));
    }
    let (status, failure) = bench.guest("/api/runs/unknown/recommendations?user=u").await;
    assert_eq!((status, failure["code"].as_str()), (StatusCode::NOT_FOUND, Some("no-run")));
}

/// A lab whose worker answers questions as the script says, with one run that has a model.
async fn with_script(script: &str, patience: Patience) -> (Bench, String, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let worker = folder.path().join("worker");
    let fake = crate::bench::fake_worker();
    let log = folder.path().join("log");
    let text = format!(
        "#!/bin/sh\nlog={}\nif [ \"$1\" = recommend ]; then\necho start >> \"$log\"\n{script}\nfi\nexec {} \"$@\"\n",
        log.display(),
        fake.display()
    );
    std::fs::write(&worker, text).unwrap();
    std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
    let bench = Bench::with(Options { worker, patience, ..Options::default() }).await;
    let run = bench.submit("quick").await;
    bench.until_over(run.id.as_str()).await;
    let id = run.id.to_string();
    save_empty(&bench.home.path().join("models").join(&id));
    // The folder of the script lives as long as the test's process.
    let _ = folder.keep();
    (bench, id, log)
}

/// A manifest alone: enough for a worker that does not look at the files.
fn save_empty(folder: &Path) {
    use recspeed_data::parts::Parts;
    use recspeed_data::{Csr, Dictionary};
    use recspeed_types::ExperimentSpec;
    use recspeed_types::summary::DataInfo;
    let data: DataInfo = serde_json::from_value(json!({
        "name": "d", "users": 0, "items": 0, "train": 0, "validation": 0, "test": 0, "bad_lines": 0, "sha256": "", "synthetic": true
    }))
    .unwrap();
    let model = recspeed_models::ModelToSave {
        run: &RunId::new("r").unwrap(),
        spec: &ExperimentSpec::default(),
        data: &data,
        users: &Dictionary::default(),
        items: &Dictionary::default(),
        titles: None,
        known: &Csr { indptr: vec![0], ..Csr::default() },
        liked_rating: 1.0,
        rating_scale: None,
        parts: &Parts::default(),
        as_tensors: false,
    };
    recspeed_models::save(folder, &model).unwrap();
}

const ANSWER: &str = r#"echo '"ready"'; while read -r line; do echo "$line" >> "$log"; echo '{"answer":{"items":[],"unit":"score","left_out":0}}'; done; exit 0"#;

fn quick() -> Patience {
    let millis = Duration::from_millis;
    Patience { turn: millis(300), load: millis(2000), answer: millis(400), idle: millis(300) }
}

fn lines(log: &Path) -> Vec<String> {
    std::fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_answers_again_and_a_question_that_was_answered_costs_nothing() {
    let (bench, id, log) = with_script(ANSWER, Patience { answer: Duration::from_secs(5), ..quick() }).await;
    let ask = |user: &str| format!("/api/runs/{id}/recommendations?user={user}");
    for user in ["a", "a", "b", "a"] {
        let (status, answer) = bench.guest(&ask(user)).await;
        assert_eq!((status, &answer["items"]), (StatusCode::OK, &json!([])), "{answer}");
    }
    let said = lines(&log);
    assert_eq!(said.len(), 3, "one start, two different questions: {said:?}");
    // A process that nobody asks leaves.
    tokio::time::sleep(Duration::from_millis(700)).await;
    bench.guest(&ask("c")).await;
    assert_eq!(lines(&log).iter().filter(|line| *line == "start").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_crashes_or_talks_rubbish_costs_its_question_and_nothing_else() {
    for (script, expected) in [
        ("exec sleep 1000", StatusCode::GATEWAY_TIMEOUT),
        ("echo '\"ready\"'; exec sleep 1000", StatusCode::GATEWAY_TIMEOUT),
        ("exit 1", StatusCode::SERVICE_UNAVAILABLE),
        ("kill -9 $$", StatusCode::SERVICE_UNAVAILABLE),
        ("echo rubbish; exec sleep 1000", StatusCode::SERVICE_UNAVAILABLE),
        ("echo '\"ready\"'; read -r line; echo '\"ready\"'; exec sleep 1000", StatusCode::SERVICE_UNAVAILABLE),
        ("echo '\"ready\"'; head -c 3000000 /dev/zero | tr '\\0' x; exec sleep 1000", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let (bench, id, _) = with_script(script, Patience { load: Duration::from_millis(400), ..quick() }).await;
        let (status, failure) = bench.guest(&format!("/api/runs/{id}/recommendations?user=u")).await;
        assert_eq!(status, expected, "{script}: {failure}");
        assert!(failure["remedy"].is_string(), "{failure}");
        assert_eq!(bench.guest("/api/lab").await.0, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_a_worker_finds_without_a_model_is_named_to_nobody() {
    let gone =
        r#"echo '{"failure":{"code":"no-model","message":"/srv/owner/models/x holds no saved model."}}'; exit 4"#;
    let (bench, id, _) = with_script(gone, Patience { load: Duration::from_secs(5), ..quick() }).await;
    let (status, failure) = bench.guest(&format!("/api/runs/{id}/recommendations?user=u")).await;
    assert_eq!((status, failure["code"].as_str()), (StatusCode::NOT_FOUND, Some("no-model")), "{failure}");
    assert_eq!(failure["message"], "The lab keeps no model of this run.");
    assert!(failure["remedy"].as_str().unwrap().starts_with("Run it again on the server"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_process_that_left_is_replaced() {
    let once = r#"echo '"ready"'; read -r line; echo '{"answer":{"items":[],"unit":"score","left_out":0}}'; exit 0"#;
    let (bench, id, log) = with_script(once, Patience { answer: Duration::from_secs(5), ..quick() }).await;
    for user in ["a", "b", "c"] {
        let (status, answer) = bench.guest(&format!("/api/runs/{id}/recommendations?user={user}")).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    assert_eq!(lines(&log).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_questions_are_told_to_come_back() {
    let slow = r#"echo '"ready"'; while read -r line; do sleep 0.35; echo '{"answer":{"items":[],"unit":"score","left_out":0}}'; done; exit 0"#;
    let (bench, id, _) = with_script(slow, Patience { answer: Duration::from_secs(5), ..quick() }).await;
    let asked = (0..60).map(|user| {
        let (app, address) = (&bench, format!("/api/runs/{id}/recommendations?user={user}"));
        async move { app.guest(&address).await.0 }
    });
    let begun = Instant::now();
    let answers: Vec<StatusCode> = futures_util::future::join_all(asked).await;
    let count = |status| answers.iter().filter(|&&found| found == status).count();
    assert!(count(StatusCode::OK) >= 2, "{answers:?}");
    assert_eq!(count(StatusCode::OK) + count(StatusCode::TOO_MANY_REQUESTS), 60, "{answers:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_oldest_models_make_room_and_the_newest_stays() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["first", "second", "third"] {
        save_empty(&folder.path().join(name));
        std::thread::sleep(Duration::from_millis(5));
    }
    let long_ago = std::time::SystemTime::now() - Duration::from_hours(2);
    for (half, is_left) in [("half", true), ("being-written", false)] {
        let files = folder.path().join(half).join("files-x");
        std::fs::create_dir_all(&files).unwrap();
        for inner in [files.as_path(), files.parent().unwrap()] {
            if is_left {
                std::fs::File::open(inner).unwrap().set_modified(long_ago).unwrap();
            }
        }
    }
    let there = |name: &str| folder.path().join(name).exists();
    let bytes = recspeed_models::manifest(&folder.path().join("third")).unwrap().bytes();
    let third = RunId::new("third").unwrap();
    make_room(folder.path(), 3 * bytes, &third);
    assert!(there("first") && there("second") && there("third") && !there("half"));
    make_room(folder.path(), 2 * bytes, &third);
    assert!(!there("first") && there("second") && there("third"));
    make_room(folder.path(), 0, &third);
    assert!(!there("second") && there("third"));
    assert!(there("being-written"), "another process may be writing it, for one that ended meanwhile");
}

#[tokio::test]
async fn the_description_names_the_types_of_questions_and_answers() {
    let document: Value = recspeed_server::api::document();
    let schemas = &document["components"]["schemas"];
    for name in ["ModelInfo", "RecommendRequest", "Recommendations", "Recommended", "BasketEntry"] {
        assert!(schemas[name].is_object(), "{name}");
    }
}
