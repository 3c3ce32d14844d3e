use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use futures_util::StreamExt;
use recspeed_types::api::{RunRecord, RunStatus, StreamMessage};
use recspeed_types::spec::{DataFormat, DatasetSpec};
use recspeed_types::{EventKind, RunEvent};
use serde_json::json;
use tower::ServiceExt;

use crate::bench::{Bench, PATIENCE, TOKEN, assert_story, spec};

/// A listener: reads frames, remembers the last id as a browser does.
struct Ear {
    body: axum::body::BodyDataStream,
    text: String,
    last_id: Option<i64>,
}

impl Ear {
    async fn open(bench: &Bench, query: &str, last_id: Option<i64>, owner: bool) -> Self {
        let mut request = Request::builder().uri(format!("/api/stream{query}")).header(header::HOST, "127.0.0.1");
        if owner {
            request = request.header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        }
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = bench.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "a compressed stream is a late one");
        Self { body: response.into_body().into_data_stream(), text: String::new(), last_id }
    }

    /// The next message; `None` when the stream has ended or nothing came for `patience`.
    async fn next(&mut self, patience: Duration) -> Option<StreamMessage> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let mut data = None;
                for line in block.lines() {
                    if let Some(id) = line.strip_prefix("id: ") {
                        self.last_id = Some(id.parse().unwrap());
                    } else if let Some(text) = line.strip_prefix("data: ") {
                        data = Some(serde_json::from_str(text).unwrap());
                    }
                }
                self.text = rest.to_string();
                if data.is_some() {
                    return data;
                }
            }
            let chunk = tokio::time::timeout(patience, self.body.next()).await.ok()??.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Everything up to the record that says that the run is over.
    async fn until_over(&mut self, id: &str) -> (Vec<RunEvent>, RunRecord) {
        let mut events = Vec::new();
        loop {
            match self.next(PATIENCE).await.expect("the stream goes on") {
                StreamMessage::Event { event } if event.run.as_str() == id => events.push(*event),
                StreamMessage::Run { run } if run.id.as_str() == id && run.status.is_over() => return (events, *run),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_listener_hears_a_run_from_its_place_in_the_queue_to_its_result() {
    let bench = Bench::new().await;
    let mut all = Ear::open(&bench, "", None, true).await;
    let run = bench.submit("slow").await.id;
    let mut one = Ear::open(&bench, &format!("?runs={run}&after=0"), None, false).await;
    let (events, record) = one.until_over(run.as_str()).await;
    assert_eq!(record.status, RunStatus::Finished);
    assert_eq!(events, bench.events(run.as_str()).await);
    let (events, record) = all.until_over(run.as_str()).await;
    assert_eq!(events, [], "events of runs that were not asked for");
    assert_eq!(record.status, RunStatus::Finished);
    bench.owner(Method::DELETE, &format!("/api/runs/{run}"), None).await;
    let begun = Instant::now();
    loop {
        match all.next(PATIENCE).await.unwrap() {
            StreamMessage::Deleted { run: gone } => break assert_eq!(gone, run),
            _ => assert!(begun.elapsed() < PATIENCE),
        }
        // Deleting waits for the slot, which is given back a moment after the end.
        bench.owner(Method::DELETE, &format!("/api/runs/{run}"), None).await;
    }
}

#[tokio::test]
async fn who_comes_back_with_the_last_id_misses_nothing_and_hears_nothing_twice() {
    let bench = Bench::new().await;
    let run = bench.submit("slow").await.id;
    let query = format!("?runs={run}");
    let mut events = Vec::new();
    let mut last_id = Some(0);
    let over = 'over: loop {
        let mut ear = Ear::open(&bench, &query, last_id, false).await;
        // Three messages, then the connection breaks.
        for _ in 0..3 {
            match ear.next(PATIENCE).await.unwrap() {
                StreamMessage::Event { event } => events.push(*event),
                StreamMessage::Run { run } if run.status.is_over() => break 'over *run,
                _ => {}
            }
        }
        last_id = ear.last_id;
        drop(ear);
        tokio::time::sleep(Duration::from_millis(30)).await;
    };
    assert_eq!(over.status, RunStatus::Finished);
    assert_story(&events, run.as_str());
    assert_eq!(events, bench.events(run.as_str()).await);
}

#[tokio::test]
async fn a_listener_that_reads_slowly_is_caught_up_and_holds_nobody_up() {
    let bench = Bench::new().await;
    let run = bench.submit("flood").await.id;
    let mut slow = Ear::open(&bench, &format!("?runs={run}&after=0"), None, false).await;
    let done = bench.until_over(run.as_str()).await;
    assert_eq!(done.status, RunStatus::Finished);
    let (events, _) = slow.until_over(run.as_str()).await;
    assert_eq!(events.len(), 3_003);
    assert_story(&events, run.as_str());
}

#[tokio::test]
async fn a_position_that_this_store_never_gave_begins_again() {
    let bench = Bench::new().await;
    let run = bench.submit("quick").await.id;
    bench.until_over(run.as_str()).await;
    let mut ear = Ear::open(&bench, &format!("?runs={run}"), Some(1 << 40), false).await;
    let (events, _) = ear.until_over(run.as_str()).await;
    assert_eq!(events, bench.events(run.as_str()).await);
}

#[tokio::test]
async fn without_a_position_a_stream_begins_with_where_the_named_runs_stand() {
    let bench = Bench::new().await;
    let run = bench.submit("quick").await.id;
    bench.until_over(run.as_str()).await;
    let mut ear = Ear::open(&bench, &format!("?runs={run},{run},absent"), None, false).await;
    match ear.next(PATIENCE).await.unwrap() {
        StreamMessage::Run { run: record } => assert_eq!((record.id, record.status), (run, RunStatus::Finished)),
        other => panic!("{other:?}"),
    }
    assert!(ear.last_id.unwrap() > 0, "a broken connection would start from nowhere");
    assert_eq!(ear.next(Duration::from_millis(100)).await, None);
}

#[tokio::test]
async fn a_guest_hears_no_place_of_the_owners_machine_live_or_later_and_the_owner_hears_each() {
    let bench = Bench::new().await;
    let run = bench.submit("places").await.id;
    for when in ["live", "later"] {
        let mut ears = Vec::new();
        for position in ["", "&after=0"] {
            for owner in [false, true] {
                let query = format!("?runs={run}{position}");
                ears.push((owner, position, Ear::open(&bench, &query, None, owner).await));
            }
        }
        for (owner, position, mut ear) in ears {
            let (events, record) = ear.until_over(run.as_str()).await;
            let file = if owner { "/srv/owner/u.data" } else { "[path]" };
            assert_eq!(record.failure.unwrap().cause, format!("No {file}."), "{when}, owner: {owner}");
            let warned = events.iter().find_map(|event| match &event.kind {
                EventKind::Warning { message } => Some(message.clone()),
                _ => None,
            });
            // Without a position the stream begins now, which may be behind the warning.
            if warned.is_some() || !position.is_empty() {
                assert_eq!(warned, Some(format!("`{file}` came at 2 GB/s.")), "{when}, owner: {owner}");
            }
        }
    }
}

#[tokio::test]
async fn a_guest_hears_nothing_of_a_file_with_blanks_in_its_name_that_the_spec_of_the_run_names() {
    let bench = Bench::new().await;
    let mut asked = spec("spaced-places");
    asked.dataset = DatasetSpec::file("/srv/owner/the ratings", DataFormat::Movielens);
    let (status, run) = bench.owner(Method::POST, "/api/runs", Some(json!({ "spec": asked }))).await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    let run = run["id"].as_str().unwrap();
    // First as it happens, then what was kept of it.
    for when in ["live", "later"] {
        let mut ear = Ear::open(&bench, &format!("?runs={run}&after=0"), None, false).await;
        let (events, record) = ear.until_over(run).await;
        let warned = events.iter().find_map(|event| match &event.kind {
            EventKind::Warning { message } => Some(message.as_str()),
            _ => None,
        });
        assert_eq!(warned, Some("[path] has no times."), "{when}");
        assert_eq!(record.spec.dataset.path.as_deref(), Some("[path]"), "{when}");
    }
}

#[tokio::test]
async fn streams_end_when_the_server_does() {
    let bench = Bench::new().await;
    let mut ear = Ear::open(&bench, "", None, true).await;
    bench.ends.cancel();
    let begun = Instant::now();
    assert_eq!(ear.next(PATIENCE).await, None);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn many_listeners_hear_the_same_story() {
    let bench = Bench::new().await;
    let run = bench.submit("slow").await.id;
    let mut ears = Vec::new();
    for _ in 0..50 {
        ears.push(Ear::open(&bench, &format!("?runs={run}&after=0"), None, false).await);
    }
    let mut stories: BTreeMap<usize, usize> = BTreeMap::new();
    for ear in &mut ears {
        let (events, _) = ear.until_over(run.as_str()).await;
        assert_story(&events, run.as_str());
        *stories.entry(events.len()).or_default() += 1;
    }
    assert_eq!(stories.len(), 1, "{stories:?}");
}
