use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::{DataFormat, DatasetSpec};
use serde_json::Value;

use crate::bench::{Bench, Options, TOKEN};

async fn upload(bench: &Bench, query: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/api/datasets{query}"))
        .header(header::HOST, "127.0.0.1")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(body.into())
        .unwrap();
    let (status, _, bytes) = bench.send(request).await;
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn ratings(rows: usize) -> String {
    let line = |row| format!("{}\t{}\t{}\t{}", row % 50, row % 70, row % 5 + 1, 880_000_000 + row);
    (0..rows).map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_uploaded_file_can_be_named_by_a_spec() {
    let bench = Bench::new().await;
    // More than one chunk, and more than a JSON request may have.
    let (status, record) = upload(&bench, "?name=my+ratings&format=movielens", ratings(100_000)).await;
    assert_eq!(status, StatusCode::CREATED, "{record}");
    assert_eq!((record["name"].as_str(), record["rows"].as_u64()), (Some("my ratings"), Some(100_000)));
    assert_eq!(record["sha256"].as_str().unwrap().len(), 64);
    let (_, listed) = bench.owner(Method::GET, "/api/datasets", None).await;
    assert_eq!(listed, serde_json::json!([record]));
    let left = std::fs::read_dir(bench.home.path().join("uploads")).unwrap().count();
    assert_eq!(left, 0, "the temporary copy is gone");
}

#[tokio::test]
async fn the_name_of_an_upload_is_the_last_part_of_a_path_and_a_missing_format_is_said_to_be() {
    let bench = Bench::new().await;
    for (given, kept) in [
        ("..%2F..%2Fx.csv", "x.csv"),
        ("C:%5Cdata%5Cmy+ratings.csv", "my ratings.csv"),
        ("%2Fa%5Cb%2F...", "..."),
        ("x.csv", "x.csv"),
    ] {
        let (status, record) = upload(&bench, &format!("?name={given}&format=movielens"), ratings(3)).await;
        assert_eq!((status, record["name"].as_str()), (StatusCode::CREATED, Some(kept)), "{given}: {record}");
    }
    for given in ["..%2F..", "a%2F", "%5C+", "."] {
        let (status, answer) = upload(&bench, &format!("?name={given}&format=movielens"), ratings(3)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{given}: {answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.starts_with("name: names no file; allowed: 1 to 120"), "{given}: {message}");
    }
    for query in ["?name=x", "?name=x&format="] {
        let (status, answer) = upload(&bench, query, ratings(3)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.starts_with("format: is missing; allowed: amazon-csv, movielens"), "{query}: {message}");
    }
}

#[tokio::test]
async fn a_run_of_an_upload_that_is_not_there_is_refused_at_once() {
    let bench = Bench::new().await;
    let (_, record) = upload(&bench, "?name=x&format=movielens", ratings(100)).await;
    let ask = async |sha256: &str| {
        let dataset = DatasetSpec::upload(sha256, DataFormat::Movielens);
        let spec = ExperimentSpec { dataset, ..ExperimentSpec::default() };
        bench.owner(Method::POST, "/api/runs", Some(serde_json::json!({ "spec": spec }))).await
    };
    let unknown = "ab".repeat(32);
    let (status, answer) = ask(&unknown).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("invalid-spec")), "{answer}");
    assert_eq!(answer["errors"][0]["path"], "dataset.id", "{answer}");
    assert!(answer["message"].as_str().unwrap().contains(&unknown), "{answer}");
    assert!(answer["remedy"].as_str().unwrap().contains("/api/datasets"), "{answer}");
    let (status, answer) = ask(record["sha256"].as_str().unwrap()).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
}

#[tokio::test]
async fn a_file_that_is_no_data_is_refused_with_a_remedy_and_leaves_nothing() {
    let bench = Bench::new().await;
    for (query, body, code) in [
        ("?name=x&format=movielens", vec![0, 159, 146, 150, 0, 1, 2, 3], "unreadable-data"),
        ("?name=x&format=movielens", Vec::new(), "unreadable-data"),
        ("?name=x&format=excel", b"1\t2\t3\t4\n".to_vec(), "invalid-request"),
        ("?format=movielens", b"1\t2\t3\t4\n".to_vec(), "invalid-request"),
        ("?name=a%0Ab&format=movielens", b"1\t2\t3\t4\n".to_vec(), "invalid-request"),
    ] {
        let (status, answer) = upload(&bench, query, body).await;
        assert_eq!(
            (status, answer["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some(code)),
            "{query}: {answer}"
        );
        assert!(!answer["message"].as_str().unwrap().contains('/'), "a path of the server: {answer}");
    }
    let (_, listed) = bench.owner(Method::GET, "/api/datasets", None).await;
    assert_eq!(listed, serde_json::json!([]));
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused_before_it_is_sent() {
    let bench = Bench::new().await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/datasets?name=x&format=movielens")
        .header(header::HOST, "127.0.0.1")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .header(header::CONTENT_LENGTH, (1_u64 << 40).to_string())
        .body(Body::empty())
        .unwrap();
    let (status, _, body) = bench.send(request).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(String::from_utf8_lossy(&body).contains("recspeed data import"));
}

#[tokio::test]
async fn a_request_over_the_limit_is_refused_before_it_is_sent() {
    let bench = Bench::new().await;
    for (announced, body) in [(600_000_000, Body::empty()), (300_000, Body::from(vec![b' '; 300_000]))] {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/runs")
            .header(header::HOST, "127.0.0.1")
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, announced)
            .body(body)
            .unwrap();
        let (status, _, body) = bench.send(request).await;
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, answer["code"].as_str()), (StatusCode::PAYLOAD_TOO_LARGE, Some("too-long")), "{answer}");
        assert!(answer["remedy"].as_str().unwrap().contains("/api/datasets"), "{answer}");
    }
}

#[tokio::test]
async fn a_table_is_read_by_the_columns_that_the_upload_names() {
    let bench = Bench::new().await;
    let limits = recspeed_data::ReadLimits::default();
    let data = recspeed_data::read_ratings(DataFormat::Movielens, ratings(3).as_bytes(), limits).unwrap().interactions;
    let mut table = Vec::new();
    recspeed_data::table::write_arrow(&data, &[("liking", &[1.0, 2.0, 3.0])], &mut table).unwrap();
    let (status, record) = upload(&bench, "?name=x&format=arrow&rating=liking", table.clone()).await;
    assert_eq!((status, record["rows"].as_u64()), (StatusCode::CREATED, Some(3)), "{record}");
    let (status, answer) = upload(&bench, "?name=x&format=arrow&rating=stars", table).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("stars"), "{answer}");
    let (status, answer) = upload(&bench, "?name=x&format=movielens&rating=liking", ratings(3)).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("invalid-request")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_set_is_described_to_everybody_an_upload_to_its_owner() {
    let bench = Bench::new().await;
    let (status, made) = bench.guest("/api/datasets/beauty-synthetic-10k/report").await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!((&made["report"]["rows"], &made["synthetic"]), (&10_000.into(), &true.into()));
    assert!(made["splits"].as_array().unwrap().iter().any(|split| split["leaks"].as_u64() > Some(0)), "{made}");
    assert_eq!(bench.guest("/api/datasets/beauty-synthetic-10k/report?seed=42").await.1, made, "the same again");

    let (_, given) = upload(&bench, "?name=mine&format=movielens", b"1\t2\t3\t4\n1\t3\t5\t6\n".to_vec()).await;
    let address = format!("/api/datasets/{}/report", given["sha256"].as_str().unwrap());
    assert_eq!(bench.guest(&address).await.0, StatusCode::UNAUTHORIZED);
    let (status, own) = bench.owner(Method::GET, &address, None).await;
    assert_eq!((status, &own["name"], &own["report"]["rows"]), (StatusCode::OK, &"mine".into(), &2.into()), "{own}");
    assert_eq!(bench.owner(Method::GET, "/api/datasets/nothing/report", None).await.0, StatusCode::NOT_FOUND);
    let (status, wrong) = bench.guest("/api/datasets/beauty-synthetic-10k/report?seed=-1").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_of_a_spec_are_described_with_what_is_wrong_with_its_attributes() {
    let bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let ratings = put("u.data", b"1\t2\t3\t4\n1\t3\t5\t6\n2\t3\t1\t7\n");
    let items = put("u.item", b"item_id:token\tclass:token_seq\n2\ta\n3\tb\n2\tc\n");
    let spec = |implicit: f64| {
        serde_json::json!({
            "version": 1, "recommender": { "kind": "popularity" }, "evaluation": { "metrics": ["ndcg@10"] },
            "split": { "kind": "random" },
            "dataset": { "source": "file", "path": ratings, "format": "movielens", "items": items, "implicit_threshold": implicit },
        })
    };
    let address = "/api/datasets/report";
    let (status, report) = bench.owner(Method::POST, address, Some(spec(3.0))).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    // The filter of the spec has left one row out.
    assert_eq!(report["report"]["rows"], 2, "{report}");
    let told = report["warnings"].as_array().unwrap();
    assert!(told.len() == 1 && told[0].as_str().unwrap().contains("dataset.items"), "{told:?}");
    let coverage = serde_json::json!([{ "of": "items", "columns": ["class"], "ids": 2, "without": 0 }]);
    assert_eq!(report["attributes"], coverage, "{report}");
    // An item without a line is told with its share.
    put("u.item", b"item_id:token\tclass:token_seq\n2\ta\n");
    let (_, report) = bench.owner(Method::POST, address, Some(spec(3.0))).await;
    assert_eq!(report["attributes"][0]["without"], 1, "{report}");
    let told = report["warnings"][0].as_str().unwrap();
    assert!(told.starts_with("1 of the 2 items (50.0 %) have no line in the file that dataset.items"), "{told}");
    let (status, nothing) = bench.owner(Method::POST, address, Some(spec(9.0))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{nothing}");
    let plain = "/api/datasets/beauty-synthetic-10k/report";
    assert_eq!(bench.guest(plain).await.1["warnings"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_on_the_servers_machine_are_listed_and_described_to_the_owner_and_a_guest_learns_no_path() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("a secret/größe & co.inter");
    std::fs::create_dir(secret.parent().unwrap()).unwrap();
    let header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n";
    std::fs::write(&secret, format!("{header}{}\n", ratings(100))).unwrap();
    let items = folder.path().join("a secret/größe & co.item");
    std::fs::write(items, "item_id:token\tclass:token_seq\n1\ta\n2\tb\n").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "nothing of interest\n").unwrap();
    let options = Options { data_root: Some(folder.path().to_owned()), ..Options::default() };
    let bench = Bench::with(options).await;

    let (status, told) = bench.owner(Method::GET, "/api/datasets/files", None).await;
    assert_eq!((status, &told["folder"], &told["more"]), (StatusCode::OK, &true.into(), &false.into()), "{told}");
    let files = told["files"].as_array().unwrap();
    assert_eq!(files.len(), 1, "{told}");
    let file = &files[0];
    assert_eq!((&file["path"], &file["format"]), (&"a secret/größe & co.inter".into(), &"recbole".into()), "{file}");
    assert_eq!(file["items"], "a secret/größe & co.item", "{file}");

    let address = format!("/api/datasets/{}/report", file["id"].as_str().unwrap());
    let (status, report) = bench.owner(Method::GET, &address, None).await;
    assert_eq!((status, &report["report"]["rows"]), (StatusCode::OK, &100.into()), "{report}");
    assert_eq!(report["attributes"][0]["of"], "items", "{report}");
    // A report is of what the file holds now.
    std::fs::write(&secret, format!("{header}{}\n", ratings(70))).unwrap();
    assert_eq!(bench.owner(Method::GET, &address, None).await.1["report"]["rows"], 70);

    for path in ["/api/datasets/files", &address] {
        let (status, refused) = bench.guest(path).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}: {refused}");
        let refused = refused.to_string();
        assert!(!refused.contains("secret") && !refused.contains("inter\""), "{path}: {refused}");
    }
    // What is not listed is not described by this address either, though its id can be computed.
    let unlisted = format!("file-{}", &recspeed_datasets::sha256_hex(b"notes.txt")[..16]);
    for id in [unlisted.as_str(), "file-", "file-..%2F..%2Fetc%2Fpasswd"] {
        let (status, answer) = bench.owner(Method::GET, &format!("/api/datasets/{id}/report"), None).await;
        assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &"no-dataset".into()), "{id}: {answer}");
        assert!(answer["remedy"].as_str().unwrap().contains("/api/datasets/files"), "{id}: {answer}");
    }
}

#[tokio::test]
async fn where_no_folder_of_data_is_named_none_is_listed_and_the_answer_says_so() {
    let (status, told) = Bench::new().await.owner(Method::GET, "/api/datasets/files", None).await;
    let none = serde_json::json!({ "folder": false, "files": [], "more": false });
    assert_eq!((status, told), (StatusCode::OK, none));
}
