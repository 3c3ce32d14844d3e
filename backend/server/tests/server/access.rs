use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;

use crate::bench::{Bench, Options, TOKEN, spec};

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header(header::HOST, "127.0.0.1:8080");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(json!({ "spec": spec("quick") }).to_string())).unwrap()
}

#[tokio::test]
async fn the_link_becomes_a_cookie_that_no_script_can_read() {
    let bench = Bench::new().await;
    let (status, headers, _) = bench.send(request(Method::GET, &format!("/r/abc?token={TOKEN}&embed=1"), &[])).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(headers[header::LOCATION], "/r/abc?embed=1");
    let cookie = headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    assert!(!cookie.contains(TOKEN));
    let pair = cookie.split(';').next().unwrap();
    let (status, _, body) = bench.send(request(Method::GET, "/api/lab", &[("cookie", pair)])).await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&body).contains("\"owner\""));
    let (status, ..) = bench.send(request(Method::POST, "/api/runs", &[("cookie", pair)])).await;
    assert_eq!(status, StatusCode::CREATED);

    let forged = pair.replace("owner", "0wner");
    for bad in [forged.as_str(), "recspeed=owner.1", "recspeed-00000000=x"] {
        let (_, _, body) = bench.send(request(Method::GET, "/api/lab", &[("cookie", bad)])).await;
        assert!(String::from_utf8_lossy(&body).contains("\"guest\""), "{bad}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_with_the_remedy() {
    let bench = Bench::new().await;
    for path in ["/?token=wrong", "/?token="] {
        let (status, headers, body) = bench.send(request(Method::GET, path, &[])).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(!headers.contains_key(header::SET_COOKIE));
        assert!(String::from_utf8_lossy(&body).contains("recspeed serve"));
    }
    let (status, headers, page) =
        bench.send(request(Method::GET, "/?token=wrong", &[("accept", "text/html,*/*")])).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let page = String::from_utf8_lossy(&page);
    assert!(
        page.contains("--accent: ") && page.contains("<h1>The token in this link"),
        "it looks like the lab: {page}"
    );
    assert!(headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"), "a person reads no JSON");
    let (_, _, body) = bench.send(request(Method::GET, "/api/lab", &[("authorization", "Bearer wrong")])).await;
    assert!(String::from_utf8_lossy(&body).contains("\"guest\""));
}

#[tokio::test]
async fn a_guest_reads_what_a_link_names_and_nothing_else() {
    let bench = Bench::new().await;
    let run = bench.submit("quick").await.id;
    bench.until_over(run.as_str()).await;
    for path in ["/api/lab".to_owned(), format!("/api/runs/{run}"), format!("/api/runs/{run}/events")] {
        assert_eq!(bench.guest(&path).await.0, StatusCode::OK, "{path}");
    }
    let (_, record) = bench.guest(&format!("/api/runs/{run}")).await;
    assert!(record.get("person").is_none(), "who asked is nobody's business");
    for (method, path) in [
        (Method::GET, "/api/runs".to_owned()),
        (Method::POST, "/api/runs".to_owned()),
        (Method::POST, format!("/api/runs/{run}/cancel")),
        (Method::POST, format!("/api/runs/{run}/retry")),
        (Method::DELETE, format!("/api/runs/{run}")),
        (Method::GET, "/api/stream".to_owned()),
        (Method::GET, "/api/datasets".to_owned()),
        (Method::GET, "/api/datasets/files".to_owned()),
        (Method::GET, "/api/datasets/file-0123456789abcdef/report".to_owned()),
        (Method::POST, "/api/datasets?name=x&format=movielens".to_owned()),
    ] {
        let (status, headers, body) = bench.send(request(method.clone(), &path, &[])).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
        assert!(headers.contains_key(header::WWW_AUTHENTICATE));
        let answer: recspeed_types::api::ApiFailure = serde_json::from_slice(&body).unwrap();
        assert!(answer.remedy.is_some(), "{method} {path}");
    }
}

#[tokio::test]
async fn a_guest_reads_no_place_of_the_owners_machine_in_runs_and_of_the_lab_and_the_owner_reads_each() {
    let (worker, file) = ("/nonexistent/of the owner/recspeed-worker", "/srv/owner/u.data");
    let bench = Bench::with(Options { worker: worker.into(), ..Options::default() }).await;
    let mut asked = serde_json::to_value(spec("quick")).unwrap();
    asked["dataset"] = json!({ "source": "file", "path": file, "format": "movielens" });
    let (status, run) = bench.owner(Method::POST, "/api/runs", Some(json!({ "spec": asked }))).await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    let id = run["id"].as_str().unwrap();
    bench.until_over(id).await;
    let (run, events) = (format!("/api/runs/{id}"), format!("/api/runs/{id}/events"));
    for (path, places) in [("/api/lab", [worker; 2]), (run.as_str(), [worker, file]), (events.as_str(), [worker; 2])] {
        // The guest comes first: what is stored is not what a guest is told.
        let (status, guest) = bench.guest(path).await;
        assert_eq!(status, StatusCode::OK, "{guest}");
        let (_, owner) = bench.owner(Method::GET, path, None).await;
        let mut told = owner.to_string().replace("\"role\":\"owner\"", "\"role\":\"guest\"");
        for place in places {
            assert!(owner.to_string().contains(place), "the owner does not read {place} under {path}: {owner}");
            told = told.replace(place, "[path]");
        }
        assert_eq!(guest.to_string(), told, "{path}");
    }
    let (_, guest) = bench.guest(&run).await;
    let cause = guest["failure"]["cause"].as_str().unwrap();
    assert!(cause.starts_with("The run could not be started: the worker [path] cannot be started;"), "{cause}");
    assert_eq!(guest["spec"]["dataset"]["path"], "[path]");
}

#[tokio::test]
async fn pages_of_other_sites_are_kept_out() {
    let bench = Bench::new().await;
    let token = format!("Bearer {TOKEN}");
    let owner = ("authorization", token.as_str());
    let (status, ..) = bench.send(request(Method::GET, "/api/lab", &[owner, ("host", "evil.example")])).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "DNS rebinding");
    for origin in ["https://evil.example", "http://127.0.0.1:9999", "null"] {
        let (status, ..) = bench.send(request(Method::POST, "/api/runs", &[owner, ("origin", origin)])).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{origin}");
    }
    let own = ("origin", "http://127.0.0.1:8080");
    let (status, ..) = bench.send(request(Method::POST, "/api/runs", &[owner, own])).await;
    assert_eq!(status, StatusCode::CREATED);
}
