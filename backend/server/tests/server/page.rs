use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};

use crate::bench::{Bench, Options};

fn with_page() -> Options {
    let file = |name: &str, content: &str| (name.to_owned(), Bytes::from(content.to_owned()));
    let assets = vec![
        file("index.html", "<!doctype html><script type=\"module\">start()</script>"),
        file("app-0123456789abcdef_bg.wasm", "\0asm\x01\0\0\0"),
        file("runner/runner.js", &"export default 1;\n".repeat(100)),
    ];
    Options { assets, ..Options::default() }
}

async fn get(bench: &Bench, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = Request::builder().uri(path).header(header::HOST, "127.0.0.1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bench.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_page_address_gets_the_page_and_every_missing_file_a_404() {
    let bench = Bench::with(with_page()).await;
    for path in ["/", "/r/abc", "/runs", "/c/x?embed=1"] {
        let (status, headers, body) = get(&bench, path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
        assert!(body.starts_with(b"<!doctype html>"));
    }
    for path in ["/missing.js", "/r/abc.wasm", "/../Cargo.toml", "/%2e%2e/Cargo.toml"] {
        assert_eq!(get(&bench, path, &[]).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn files_have_their_type_their_age_and_a_compressed_form() {
    let bench = Bench::with(with_page()).await;
    let (_, headers, _) = get(&bench, "/app-0123456789abcdef_bg.wasm", &[]).await;
    assert_eq!(headers[header::CONTENT_TYPE], "application/wasm");
    assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    for coding in ["br", "gzip"] {
        let (_, headers, body) = get(&bench, "/runner/runner.js", &[("accept-encoding", coding)]).await;
        assert_eq!(headers[header::CONTENT_ENCODING], coding);
        assert!(body.len() < 400, "{}", body.len());
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
    }
    let (_, headers, _) = get(&bench, "/runner/runner.js", &[]).await;
    let tag = headers[header::ETAG].to_str().unwrap().to_owned();
    let (status, _, body) = get(&bench, "/runner/runner.js", &[("if-none-match", &tag)]).await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[tokio::test]
async fn every_answer_carries_headers_that_let_wasm_run_and_nothing_foreign() {
    let bench = Bench::with(with_page()).await;
    for path in ["/", "/api/lab", "/api/nothing", "/runner/runner.js"] {
        let (_, headers, _) = get(&bench, path, &[]).await;
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).unwrap();
        assert!(scripts.contains("'wasm-unsafe-eval'") && scripts.contains("'sha256-"), "{scripts}");
        assert!(!scripts.contains("unsafe-inline") && !scripts.contains("'unsafe-eval'"), "{scripts}");
        assert!(
            policy.contains("frame-ancestors 'self'") && policy.contains("object-src")
                || policy.contains("default-src 'none'")
        );
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::REFERRER_POLICY], "same-origin");
    }
}

#[tokio::test]
async fn a_binary_without_a_page_says_how_to_build_one() {
    let bench = Bench::new().await;
    let (status, _, body) = get(&bench, "/", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&body).contains("make lab"));
}
