//! The one stream of the tab: every run that is watched, and the run list, over a single `EventSource`.
//!
//! A browser gives an `EventSource` up for good after an answer such as 502, so a broken stream is opened again here, with
//! growing pauses. What was missed meanwhile is asked for by position: events carry gap-free numbers, so nothing is lost
//! and nothing counts twice, whatever the stream repeats or skips.
//!
//! Its state is that of the connection to the server, which the page shows in one place. Where nothing is watched there
//! is no stream: the server is asked now and then instead.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::RunId;
use recspeed_types::api::{RunRecord, RunStatus, StreamMessage};
use wasm_bindgen::prelude::*;
use web_sys::{EventSource, MessageEvent};

use super::batch::{self, Batch};
use super::run_view::Applied;
use super::{RunState, api};

thread_local! {
    static HUB: RefCell<Hub> = RefCell::new(Hub::default());
}

/// How often the server is asked whether it is there, where no stream tells it.
const LOOK: Duration = Duration::from_secs(10);

/// Whether the server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Link {
    /// Nothing is watched, and the server answers as far as is known.
    #[default]
    Idle,
    /// The stream is open.
    Live,
    /// The stream is broken, and opened again in a moment; numbers still arrive, more slowly. Where nothing is watched,
    /// the server does not answer, and is asked again.
    Reconnecting,
}

#[derive(Default)]
struct Hub {
    source: Option<Source>,
    followed: BTreeMap<RunId, (RunState, Batch)>,
    /// Runs that are being asked for; `true` when one was asked for again meanwhile.
    catching_up: BTreeMap<RunId, bool>,
    list: Option<Callback<ListChange>>,
    failures: u32,
    /// Counts connections, so that a timer of an old one does nothing.
    generation: u32,
    link: Option<ArcRwSignal<Link>>,
    /// Whether the server is being asked if it is there.
    looking: bool,
    /// When it was last there, in milliseconds since 1970, while it is not.
    heard_ms: f64,
}

/// What the stream tells about runs in general.
#[derive(Debug, Clone)]
pub(crate) enum ListChange {
    /// A run is new or stands somewhere else.
    Changed(Box<RunRecord>),
    /// A run is gone.
    Deleted(RunId),
}

struct Source {
    inner: EventSource,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_open: Closure<dyn Fn()>,
    _on_error: Closure<dyn Fn()>,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.inner.set_onmessage(None);
        self.inner.set_onopen(None);
        self.inner.set_onerror(None);
        self.inner.close();
    }
}

/// Where the state of the connection is shown.
pub(crate) fn link() -> ArcRwSignal<Link> {
    HUB.with_borrow_mut(|hub| hub.link.get_or_insert_with(|| ArcRwSignal::new(Link::Idle)).clone())
}

/// Watches a run until it is over. One that is watched already is one run, wherever it is shown: that is given, with all that it
/// has told, because two would share one stream and only the later would hear of it.
pub(crate) fn follow(run: RunState) -> RunState {
    let id = run.id();
    if let Some(known) = HUB.with_borrow(|hub| hub.followed.get(&id).map(|(run, _)| run.clone())) {
        catch_up(known.clone());
        return known;
    }
    let batch = Batch::new(run.clone(), catch_up);
    HUB.with_borrow_mut(|hub| hub.followed.insert(id, (run.clone(), batch)));
    catch_up(run.clone());
    connect();
    run
}

/// Stops watching a run.
pub(crate) fn unfollow(id: &RunId) {
    let known = HUB.with_borrow_mut(|hub| hub.followed.remove(id).is_some());
    if known {
        connect();
    }
}

/// Tells `listener` about every run that changes, until [`unwatch_list`].
pub(crate) fn watch_list(listener: Callback<ListChange>) {
    HUB.with_borrow_mut(|hub| hub.list = Some(listener));
    connect();
}

/// Stops telling.
pub(crate) fn unwatch_list() {
    HUB.with_borrow_mut(|hub| hub.list = None);
    connect();
}

/// Looks from now on whether the server is there; to be called once, when it has answered.
pub(super) fn keep_looking() {
    set_interval(look, LOOK);
}

/// Asks whether the server is there, where no stream tells it.
fn look() {
    // One question at a time: a browser has few connections to one server, and a question may wait for minutes.
    let asks = HUB.with_borrow_mut(|hub| {
        let asks = hub.source.is_none() && !hub.looking;
        hub.looking |= asks;
        asks
    });
    if !asks {
        return;
    }
    spawn_local(async move {
        let here = api::is_here().await;
        let told = HUB.with_borrow_mut(|hub| {
            hub.looking = false;
            hub.source.is_some()
        });
        // A stream that was opened meanwhile tells it itself.
        if !told {
            show(if here { Link::Idle } else { Link::Reconnecting });
        }
    });
}

/// Opens the stream for what is watched now; closes it when nothing is.
fn connect() {
    let (ids, was_open, generation) = HUB.with_borrow_mut(|hub| {
        hub.generation = hub.generation.wrapping_add(1);
        let was_open = hub.source.take().is_some();
        let wanted = hub.list.is_some() || !hub.followed.is_empty();
        let ids = wanted.then(|| hub.followed.keys().map(RunId::as_str).collect::<Vec<_>>().join(","));
        (ids, was_open, hub.generation)
    });
    let Some(ids) = ids else {
        // What its stream told last may be over; a page that never had one may have no server at all.
        if was_open {
            look();
        }
        return;
    };
    let Ok(inner) = EventSource::new(&format!("/api/stream?runs={ids}")) else {
        retry(generation);
        return;
    };
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(|event: MessageEvent| {
        if let Some(message) = event.data().as_string().and_then(|text| recspeed_types::api::read(&text).ok()) {
            receive(message);
        }
    });
    let on_open = Closure::<dyn Fn()>::new(|| {
        HUB.with_borrow_mut(|hub| hub.failures = 0);
        show(Link::Live);
        catch_up_all();
    });
    let on_error = Closure::<dyn Fn()>::new(move || retry(generation));
    inner.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    for name in ["run", "event", "deleted"] {
        // A stream may name its messages; those do not reach `onmessage`.
        let _ = inner.add_event_listener_with_callback(name, on_message.as_ref().unchecked_ref());
    }
    inner.set_onopen(Some(on_open.as_ref().unchecked_ref()));
    inner.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    let source = Source { inner, _on_message: on_message, _on_open: on_open, _on_error: on_error };
    HUB.with_borrow_mut(|hub| hub.source = Some(source));
}

/// Opens the stream again after a pause that grows to ten seconds; meanwhile the records are asked for.
fn retry(generation: u32) {
    let pause = HUB.with_borrow_mut(|hub| {
        if hub.generation != generation {
            return None;
        }
        if let Some(source) = &hub.source {
            source.inner.close();
        }
        hub.failures += 1;
        Some(Duration::from_millis(500 << hub.failures.min(5)).min(Duration::from_secs(10)))
    });
    let Some(pause) = pause else { return };
    show(Link::Reconnecting);
    set_timeout(
        move || {
            let current = HUB.with_borrow(|hub| hub.generation == generation);
            if current {
                catch_up_all();
                connect();
            }
        },
        pause,
    );
}

fn show(link: Link) {
    let signal = HUB.with_borrow(|hub| hub.link.clone());
    // Whoever watches it hears of changes, and not of each answer.
    if let Some(signal) = signal.filter(|signal| signal.get_untracked() != link) {
        if link == Link::Reconnecting {
            HUB.with_borrow_mut(|hub| hub.heard_ms = js_sys::Date::now());
        }
        signal.set(link);
    }
}

/// For how many seconds the server was not heard, while it does not answer.
pub(crate) fn unheard_s() -> f64 {
    (js_sys::Date::now() - HUB.with_borrow(|hub| hub.heard_ms)) / 1000.0
}

fn receive(message: StreamMessage) {
    match message {
        StreamMessage::Event { event } => {
            let batch = HUB.with_borrow(|hub| hub.followed.get(&event.run).map(|(_, batch)| batch.clone()));
            if let Some(batch) = batch {
                batch.push(*event);
            }
        }
        StreamMessage::Run { run: record } => {
            let (known, list) =
                HUB.with_borrow(|hub| (hub.followed.get(&record.id).map(|(run, _)| run.clone()), hub.list));
            if let Some(run) = known {
                update(&run, (*record).clone());
            }
            if let Some(list) = list {
                list.run(ListChange::Changed(record));
            }
        }
        StreamMessage::Deleted { run } => {
            let list = HUB.with_borrow(|hub| hub.list);
            if let Some(list) = list {
                list.run(ListChange::Deleted(run.clone()));
            }
            unfollow(&run);
        }
    }
}

/// Takes a record, unless it tells less than the one that is shown; when the run is over, fetches its last events and stops
/// watching.
fn update(run: &RunState, record: RunRecord) {
    let Some(record) = run.record.with_untracked(|shown| taken(record, shown)) else { return };
    let over = record.status.is_over();
    run.record.set(record);
    if over {
        catch_up(run.clone());
    }
}

/// `record` as it takes the place of `shown`, where it may. Only the answer about one run says whether its model is kept, a stream's
/// record does not: what is known of that stays, or the panel that asks the model would go and come again, empty.
fn taken(mut record: RunRecord, shown: &RunRecord) -> Option<RunRecord> {
    if !tells_more(&record, shown) {
        return None;
    }
    if (record.attempts, record.status) == (shown.attempts, shown.status) {
        record.model = record.model.or(shown.model);
    }
    Some(record)
}

/// Whether `record` may take the place of `shown`. Answers overtake each other: a record of an earlier attempt was written
/// before, and so was one that runs where the same attempt has ended or waits again, or one that waits for its first attempt
/// where there is an end.
fn tells_more(record: &RunRecord, shown: &RunRecord) -> bool {
    match (record.attempts.cmp(&shown.attempts), record.status) {
        (Ordering::Less, _) => false,
        (Ordering::Equal, RunStatus::Running) => shown.status == RunStatus::Running,
        (Ordering::Equal, RunStatus::Queued) => record.attempts > 0 || !shown.status.is_over(),
        _ => true,
    }
}

fn catch_up_all() {
    let runs: Vec<RunState> = HUB.with_borrow(|hub| hub.followed.values().map(|(run, _)| run.clone()).collect());
    runs.into_iter().for_each(catch_up);
}

/// Asks for the record and for the events that are missing; one request at a time for each run. A wish that comes while an
/// answer is on its way is asked for afterwards: the answer may be older than the wish.
fn catch_up(run: RunState) {
    let id = run.id();
    let busy = HUB.with_borrow_mut(|hub| {
        let busy = hub.catching_up.get_mut(&id).map(|again| *again = true).is_some();
        if !busy {
            hub.catching_up.insert(id.clone(), false);
        }
        busy
    });
    if busy {
        return;
    }
    spawn_local(async move {
        loop {
            let over = ask(&run, &id).await;
            let again = HUB.with_borrow_mut(|hub| match hub.catching_up.get_mut(&id) {
                Some(again) if *again => {
                    *again = false;
                    true
                }
                _ => {
                    hub.catching_up.remove(&id);
                    false
                }
            });
            if !again {
                if over {
                    unfollow(&id);
                }
                return;
            }
        }
    });
}

/// Whether the run is over and all that it said is here.
async fn ask(run: &RunState, id: &RunId) -> bool {
    let record = api::run(id).await;
    let from = run.view.with_untracked(|view| view.next_seq);
    let events = api::events(id, from).await;
    if let Ok(events) = &events {
        // A gap here would mean that the store has one; asking again would not fill it.
        let _: Applied = batch::apply(run, events);
    }
    let Ok(record) = record else { return false };
    let over = record.status.is_over();
    if let Some(record) = run.record.with_untracked(|shown| taken(record, shown)) {
        run.record.set(record);
    }
    over && events.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: &str, attempts: u32) -> RunRecord {
        let ended = if matches!(status, "queued" | "running") { "null" } else { "9" };
        let spec = recspeed_types::ExperimentSpec::default().to_json();
        serde_json::from_str(&format!(
            r#"{{"id":"r1","status":"{status}","spec":{spec},"created_ms":1,"attempts":{attempts},"ended_ms":{ended}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_record_that_does_not_say_whether_there_is_a_model_leaves_what_is_known_of_it() {
        let known = |attempts: u32, model: Option<bool>| RunRecord { model, ..record("finished", attempts) };
        for (attempt, told, shown, then) in [
            (1, None, Some(true), Some(true)),
            (1, Some(false), Some(true), Some(false)),
            (1, Some(true), None, Some(true)),
            (2, None, Some(true), None),
        ] {
            assert_eq!(taken(known(attempt, told), &known(1, shown)).unwrap().model, then);
        }
        assert_eq!(taken(record("running", 2), &known(1, Some(true))).unwrap().model, None);
        assert_eq!(taken(record("running", 1), &known(1, Some(true))), None);
    }

    #[test]
    fn an_answer_that_was_overtaken_changes_nothing() {
        for (older, newer) in [
            (("queued", 0), ("running", 1)),
            (("running", 1), ("finished", 1)),
            (("running", 1), ("failed", 1)),
            (("failed", 1), ("running", 2)),
            (("failed", 1), ("queued", 1)),
            (("running", 1), ("queued", 1)),
            (("queued", 1), ("cancelled", 1)),
        ] {
            let (older, newer) = (record(older.0, older.1), record(newer.0, newer.1));
            assert!(tells_more(&newer, &older), "{older:?} {newer:?}");
            assert!(tells_more(&newer, &newer));
        }
        for (stale, shown) in [
            (("running", 1), ("finished", 1)),
            (("queued", 0), ("running", 1)),
            (("finished", 1), ("running", 2)),
            (("queued", 0), ("cancelled", 0)),
        ] {
            assert!(!tells_more(&record(stale.0, stale.1), &record(shown.0, shown.1)), "{stale:?} {shown:?}");
        }
    }
}
