//! A lab inside the test, with the fake worker.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use recspeed_datasets::LookUp;
use recspeed_server::access::{Access, Hosts, Secrets};
use recspeed_server::answers::{Answers, Patience};
use recspeed_server::api::AppState;
use recspeed_server::lab::{Lab, LabOptions};
use recspeed_server::launch::LaunchOptions;
use recspeed_server::page::{Assets, FrameAncestors, SecurityHeaders};
use recspeed_server::store::Store;
use recspeed_server::studies::Studies;
use recspeed_types::api::{RunRecord, RunStatus};
use recspeed_types::{ExperimentSpec, RunEvent};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The owner's token in these tests.
pub(crate) const TOKEN: &str = "owner-of-the-test";
/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The fake worker.
pub(crate) fn fake_worker() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/server/fake-worker.sh")
}

/// A program that makes studies, as the file `study` in the lab's folder says.
pub(crate) fn fake_study() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/server/fake-study.sh")
}

/// A spec whose name says what the fake worker does.
pub(crate) fn spec(name: &str) -> ExperimentSpec {
    ExperimentSpec { name: name.into(), ..ExperimentSpec::default() }
}

/// A lab with its router.
pub(crate) struct Bench {
    pub(crate) lab: Lab,
    pub(crate) app: Router,
    pub(crate) home: TempDir,
    pub(crate) ends: CancellationToken,
}

/// What differs between tests.
pub(crate) struct Options {
    pub(crate) slots: usize,
    pub(crate) time_limit: Duration,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) grace: Duration,
    pub(crate) worker: PathBuf,
    /// The program that makes studies.
    pub(crate) recspeed: PathBuf,
    pub(crate) assets: Vec<(String, Bytes)>,
    pub(crate) patience: Patience,
    /// The folder of the owner's data, as `RECSPEED_DATA` names it.
    pub(crate) data_root: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            slots: 1,
            time_limit: PATIENCE,
            memory_limit: None,
            grace: Duration::from_millis(500),
            worker: fake_worker(),
            recspeed: fake_study(),
            assets: Vec::new(),
            patience: Patience::default(),
            data_root: None,
        }
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::over(tempfile::tempdir().unwrap(), options).await
    }

    /// A lab over a folder that may have been another lab's.
    pub(crate) async fn over(home: TempDir, options: Options) -> Self {
        let ends = CancellationToken::new();
        let store = Store::open(&home.path().join("lab.sqlite3"), None).unwrap();
        let launch = LaunchOptions {
            worker: Ok(options.worker),
            data_home: home.path().to_owned(),
            time_limit: options.time_limit,
            memory_limit: options.memory_limit,
            grace: options.grace,
            model_space: 1 << 30,
        };
        let answers = Answers::new(launch.worker.clone(), launch.models(), options.patience);
        let lab_options = LabOptions { slots: options.slots, launch, runs: home.path().join("runs") };
        let lab = Lab::open(store, lab_options, ends.clone()).await.unwrap();
        lab.probe().await;
        let access = Access::new(Secrets::from_parts(TOKEN, b"key"), Hosts::for_bind([127, 0, 0, 1].into(), &[]));
        let assets = Assets::of(options.assets);
        let security = SecurityHeaders::new(&assets.inline_scripts(), &FrameAncestors::default());
        let data = recspeed_datasets::DataHome::open(Some(home.path().to_owned())).unwrap();
        let studies = Studies::open(lab.clone(), options.recspeed).await;
        // Beside no spec: what lies where the tests run is nobody's data.
        let look_up = LookUp { spec_dir: Some(home.path().join("nowhere")), data_root: options.data_root };
        let state = AppState { look_up: look_up.into(), ..AppState::new(lab.clone(), answers, data, studies) };
        let app = recspeed_server::app::app(state, access, assets, security);
        Self { lab, app, home, ends }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Bytes) {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, axum::body::to_bytes(body, 64 << 20).await.unwrap())
    }

    /// A request of the owner's; the answer as JSON, null where it has none.
    pub(crate) async fn owner(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1")
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .unwrap();
        let (status, _, bytes) = self.send(request).await;
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// A guest reads.
    pub(crate) async fn guest(&self, path: &str) -> (StatusCode, Value) {
        let request = Request::builder().uri(path).header(header::HOST, "127.0.0.1").body(Body::empty()).unwrap();
        let (status, _, bytes) = self.send(request).await;
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Puts a run into the queue.
    pub(crate) async fn submit(&self, name: &str) -> RunRecord {
        let (status, answer) = self.owner(Method::POST, "/api/runs", Some(json!({ "spec": spec(name) }))).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        serde_json::from_value(answer).unwrap()
    }

    pub(crate) async fn record(&self, id: &str) -> RunRecord {
        let (status, answer) = self.guest(&format!("/api/runs/{id}")).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        serde_json::from_value(answer).unwrap()
    }

    /// All that the run said, checked: its own, without gaps.
    pub(crate) async fn events(&self, id: &str) -> Vec<RunEvent> {
        let mut all: Vec<RunEvent> = Vec::new();
        loop {
            let (_, page) = self.guest(&format!("/api/runs/{id}/events?limit=1000&from={}", all.len())).await;
            let more = page["more"].as_bool().unwrap();
            all.extend(serde_json::from_value::<Vec<RunEvent>>(page["events"].clone()).unwrap());
            if !more {
                break;
            }
        }
        assert_story(&all, id);
        all
    }

    /// Waits until the run stands so.
    pub(crate) async fn until(&self, id: &str, wanted: impl Fn(&RunRecord) -> bool) -> RunRecord {
        let begun = Instant::now();
        loop {
            let record = self.record(id).await;
            if wanted(&record) {
                return record;
            }
            assert!(begun.elapsed() < PATIENCE, "still {record:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the run is over, and checks what holds of every run that is over.
    pub(crate) async fn until_over(&self, id: &str) -> RunRecord {
        let record = self.until(id, |record| record.status.is_over()).await;
        let events = self.events(id).await;
        assert!(events.last().unwrap().kind.is_last(), "{events:?}");
        assert_eq!(record.status == RunStatus::Finished, record.summary.is_some());
        assert_eq!(record.status == RunStatus::Finished, record.failure.is_none());
        assert!(record.queue_position.is_none() && record.ended_ms.is_some());
        record
    }

    /// Waits until the run has said at least so much.
    pub(crate) async fn until_said(&self, id: &str, count: usize) {
        let begun = Instant::now();
        while self.events(id).await.len() < count {
            assert!(begun.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A run's events are its own, numbered without gaps, in the order of time, with at most one end.
pub(crate) fn assert_story(events: &[RunEvent], id: &str) {
    for (expected, event) in events.iter().enumerate() {
        assert_eq!(event.seq, expected as u64, "a gap");
        assert_eq!(event.run.as_str(), id);
        assert!(expected + 1 == events.len() || !event.kind.is_last(), "an end in the middle: {event:?}");
    }
    assert!(events.windows(2).all(|pair| pair[0].at_us <= pair[1].at_us), "time runs backwards");
}
