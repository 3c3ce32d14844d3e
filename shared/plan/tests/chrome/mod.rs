//! What the Chrome trace event format asks of each event, and viewers of a track: held to it, and not to how it is written.

use std::collections::{HashMap, HashSet};

use recspeed_plan::timeline::TRACE_HEAD;
use serde_json::Value;

/// A moment in whole nanoseconds, which is what viewers count in.
type Moment = u64;

/// The events of a trace in which nothing is missing and nothing would be left out by a viewer: each has the fields of its
/// phase, processes and threads have names and numbers of their own, none of them 0, times of a track never go back, no bar lies
/// over another one unless it lies inside it, and both ends of an arrow lie in bars that are open there.
pub(crate) fn held_to_the_format(text: &str) -> Vec<Value> {
    let trace: Value = serde_json::from_str(text).expect("it is JSON");
    assert_eq!(trace["displayTimeUnit"], "ms");
    // What is no event has a place of its own in the format. The lab knows its traces by it and by how they begin.
    assert_eq!(trace["otherData"]["writer"], "recspeed");
    assert!(text.starts_with(TRACE_HEAD), "{}", text.lines().next().unwrap_or_default());
    let events = trace["traceEvents"].as_array().expect("a list").clone();
    let mut names = Names::default();
    let mut bars: HashMap<[u64; 2], Bars> = HashMap::new();
    let mut counters: HashMap<(u64, String), Moment> = HashMap::new();
    let mut arrows: HashMap<u64, (Option<&Value>, Option<&Value>)> = HashMap::new();
    for event in &events {
        let (name, process) = (text_of(event, "name"), whole(event, "pid"));
        // Perfetto takes process and thread 0 for the idle ones, and a thread that is not named for the process's own.
        let thread = whole(event, "tid");
        assert!(process > 0 && thread > 0, "it has the number of an idle process: {event}");
        names.number(process, thread);
        match text_of(event, "ph") {
            "M" => names.hear(event),
            "X" => {
                text_of(event, "cat");
                let track = bars.entry([process, thread]).or_default();
                track.lay(event);
            }
            "C" => {
                let at = moment(event, "ts");
                let before = counters.insert((process, name.to_owned()), at).unwrap_or(0);
                assert!(before <= at, "a counter goes back: {event}");
                let args = event["args"].as_object().unwrap_or_else(|| panic!("no args: {event}"));
                assert!(!args.is_empty() && args.values().all(Value::is_u64), "{event}");
            }
            phase @ ("s" | "f") => {
                text_of(event, "cat");
                moment(event, "ts");
                // Tied to the bar that encloses it, not to the one that comes next.
                assert_eq!(event["bp"], "e", "{event}");
                let ends = arrows.entry(whole(event, "id")).or_default();
                let end = if phase == "s" { &mut ends.0 } else { &mut ends.1 };
                assert!(end.replace(event).is_none(), "two arrows have one id: {event}");
            }
            phase => panic!("the phase {phase} is none that is written: {event}"),
        }
    }
    for [process, thread] in bars.keys() {
        assert!(names.processes.contains_key(process), "process {process} has no name");
        assert!(names.threads.contains_key(&[*process, *thread]), "thread {thread} of process {process} has no name");
    }
    names.are_told_apart();
    for (id, ends) in arrows {
        let (Some(start), Some(end)) = ends else { panic!("arrow {id} has one end") };
        assert!(moment(start, "ts") <= moment(end, "ts"), "it goes back: {start}, {end}");
        assert_eq!((&start["name"], &start["cat"]), (&end["name"], &end["cat"]));
        for event in [start, end] {
            let track = bars.get(&[whole(event, "pid"), whole(event, "tid")]);
            let enclosed = track.is_some_and(|track| track.enclose(moment(event, "ts")));
            assert!(enclosed, "no bar encloses it: {event}");
        }
    }
    events
}

/// The bars of one thread.
#[derive(Default)]
struct Bars {
    /// Start and end, as they came.
    all: Vec<[Moment; 2]>,
    /// Ends of those that the last one lies in, the outermost first, and its own.
    open: Vec<Moment>,
}

impl Bars {
    fn lay(&mut self, event: &Value) {
        let start = moment(event, "ts");
        let end = start + moment(event, "dur");
        let before = self.all.last().map_or(0, |last| last[0]);
        assert!(before <= start, "the track goes back from {before}: {event}");
        while self.open.last().is_some_and(|&open| open <= start) {
            self.open.pop();
        }
        assert!(self.open.last().is_none_or(|&open| end <= open), "it lies over the end of another one: {event}");
        self.open.push(end);
        self.all.push([start, end]);
    }

    /// Whether a bar is open then: at its end it is over.
    fn enclose(&self, at: Moment) -> bool {
        self.all.iter().any(|[start, end]| (*start..*end).contains(&at))
    }
}

/// What processes and threads are called.
#[derive(Default)]
struct Names {
    processes: HashMap<u64, String>,
    threads: HashMap<[u64; 2], String>,
    /// The process of each thread that an event names.
    numbered: HashMap<u64, u64>,
}

impl Names {
    /// Perfetto names a thread by its number alone.
    fn number(&mut self, process: u64, thread: u64) {
        let before = *self.numbered.entry(thread).or_insert(process);
        assert_eq!(before, process, "thread {thread} is of two processes");
    }

    fn hear(&mut self, event: &Value) {
        let name = text_of(&event["args"], "name").to_owned();
        let process = whole(event, "pid");
        let before = match text_of(event, "name") {
            "process_name" => self.processes.insert(process, name),
            "thread_name" => self.threads.insert([process, whole(event, "tid")], name),
            other => panic!("{other} is no name that viewers read: {event}"),
        };
        assert_eq!(before, None, "it has two names: {event}");
    }

    fn are_told_apart(&self) {
        for process in self.processes.keys() {
            let as_thread = self.numbered.get(process);
            assert_eq!(
                as_thread, None,
                "process {process} has the number of a thread, which viewers take for its first"
            );
        }
        let different: HashSet<&String> = self.processes.values().collect();
        assert_eq!(different.len(), self.processes.len(), "{:?}", self.processes);
        let different: HashSet<(u64, &String)> =
            self.threads.iter().map(|([process, _], name)| (*process, name)).collect();
        assert_eq!(different.len(), self.threads.len(), "{:?}", self.threads);
    }
}

fn text_of<'a>(event: &'a Value, field: &str) -> &'a str {
    let text = event[field].as_str().unwrap_or_else(|| panic!("no text in `{field}`: {event}"));
    assert!(!text.is_empty(), "`{field}` is empty: {event}");
    text
}

fn whole(event: &Value, field: &str) -> u64 {
    event[field].as_u64().unwrap_or_else(|| panic!("no whole number in `{field}`: {event}"))
}

/// Microseconds, at most three digits behind the point.
fn moment(event: &Value, field: &str) -> Moment {
    let us = event[field].as_f64().unwrap_or_else(|| panic!("no number in `{field}`: {event}"));
    let ns = (1e3 * us).round();
    assert!(us >= 0.0 && (1e3 * us - ns).abs() < 1e-3, "`{field}` is no moment in nanoseconds: {event}");
    ns as Moment
}
