//! Collectives within the bars of a run: where they lie, that nothing is counted twice, and the trace with them.

mod chrome;

use chrome::held_to_the_format;
use recspeed_plan::Collective;
use recspeed_plan::timeline::{
    Bar, Mark, Part, Told, Waits, bars_of_events, bubble_of, chrome_trace_of_run, first_step, marks_of_step,
};
use recspeed_types::event::Exchange;
use recspeed_types::{EventKind, RunEvent, RunId};
use serde_json::Value;

/// A span of a rank from one moment to another, with its bytes and the microseconds that it waited.
fn bar(rank: u32, name: &str, [start, end]: [u64; 2], bytes: u64, waited_us: u64) -> EventKind {
    EventKind::Span {
        rank,
        lane: "0".to_owned(),
        name: name.to_owned(),
        start_us: start,
        duration_us: end - start,
        bytes,
        waited_us,
        exchange: None,
    }
}

/// The same of a collective, which waited for rank 2.
fn collective(
    rank: u32,
    (collective, within): (Collective, Option<&str>),
    times: [u64; 2],
    bytes: u64,
    waited: u64,
) -> EventKind {
    let mut kind = bar(rank, collective.as_str(), times, bytes, waited);
    if let EventKind::Span { exchange, .. } = &mut kind {
        let within = within.map(str::to_owned);
        let waited_for = (waited > 0).then_some(2);
        *exchange = Some(Exchange { collective, within, layer: Some(7), waited_for, waited_for_us: waited });
    }
    kind
}

fn events(kinds: Vec<EventKind>) -> Vec<RunEvent> {
    let event = |(seq, kind)| RunEvent { run: RunId::new("r").expect("an id"), seq, at_us: 9, kind };
    (0..).zip(kinds).map(event).collect()
}

/// A step of two replicas of a model whose layers are divided, `later` than the first.
fn step(later: u64) -> Vec<EventKind> {
    use Collective::{AllGather, AllReduce, AllToAll, ReduceScatter};
    let mut kinds = Vec::new();
    for rank in 0..2 {
        let at = |times: [u64; 2]| times.map(|us| later + u64::from(rank) + us);
        kinds.extend([
            bar(rank, "F0", at([100, 120]), 30, 5),
            bar(rank, "B0", at([120, 160]), 50, 20),
            bar(rank, "reduce", at([160, 165]), 8, 1),
            bar(rank, "step", at([165, 180]), 16, 3),
            collective(rank, (AllToAll, None), at([90, 98]), 40, 6),
            collective(rank, (AllGather, Some("F0")), at([100, 106]), 10, 2),
            collective(rank, (AllGather, Some("F0")), at([107, 112]), 20, 3),
            // One that took no microsecond, where two passes touch.
            collective(rank, (AllGather, Some("B0")), at([120, 120]), 10, 0),
            collective(rank, (ReduceScatter, Some("B0")), at([125, 160]), 40, 20),
            collective(rank, (AllToAll, Some("reduce")), at([160, 165]), 8, 1),
            collective(rank, (AllReduce, Some("step")), at([166, 170]), 16, 3),
        ]);
    }
    kinds
}

fn without_collectives(kinds: Vec<EventKind>) -> Vec<EventKind> {
    kinds.into_iter().filter(|kind| matches!(kind, EventKind::Span { exchange: None, .. })).collect()
}

fn marks_in<'a>(told: &'a Told, bar: &'a Bar) -> impl Iterator<Item = &'a Mark> {
    told.marks.iter().filter(move |mark| mark.lies_in(bar))
}

#[test]
fn a_mark_lies_in_one_bar_whose_bytes_and_waiting_it_shares() {
    let told = Told::of_events(&events([step(0), step(1000)].concat()));
    assert_eq!((told.bars.len(), told.marks.len()), (2 * 2 * 4, 2 * 2 * 7));
    for bar in &told.bars {
        let waited: f64 = marks_in(&told, bar).map(|mark| mark.waited_us).sum();
        assert_eq!(waited, bar.waited_us, "{bar:?}");
        assert!(marks_in(&told, bar).count() > 0, "{bar:?}");
    }
    for mark in &told.marks {
        let own = told.bars.iter().filter(|bar| mark.lies_in(bar)).count();
        assert_eq!(own, usize::from(mark.within.is_some()), "{mark:?}");
    }
    let sent = |rank: usize| told.sent.iter().filter(|(of, ..)| *of == rank).map(|(.., bytes)| *bytes).max();
    assert_eq!(sent(1), Some(2 * (30 + 50 + 8 + 16 + 40)), "a byte within a bar is one of the bar's");
}

#[test]
fn what_lies_within_bars_is_neither_work_nor_bubble_a_second_time() {
    let whole = bars_of_events(&events(step(0)));
    let bare = bars_of_events(&events(without_collectives(step(0))));
    assert!(bubble_of(&whole).is_some());
    assert_eq!(bubble_of(&whole), bubble_of(&bare), "nor is a look-up before the first pass");
    let lengths = |bars: &[Bar]| bars.iter().map(|bar| bar.end_us - bar.start_us).collect::<Vec<_>>();
    assert_eq!(lengths(&whole), lengths(&bare));
    // The axis begins with the look-up.
    assert_eq!((whole[0].start_us, bare[0].start_us), (10.0, 0.0));
}

#[test]
fn a_run_that_tells_no_collectives_has_no_marks() {
    let told = Told::of_events(&events(without_collectives(step(0))));
    assert_eq!((told.marks.len(), told.bars.len()), (0, 8));
}

#[test]
fn the_first_step_has_its_own_marks() {
    let told = Told::of_events(&events([step(0), step(1000)].concat()));
    let bars = first_step(told.bars.clone());
    let marks = marks_of_step(&told.marks, &bars);
    assert_eq!(marks.len(), 2 * 7);
    let alone = Told::of_events(&events(step(0)));
    assert_eq!(marks, alone.marks);
    assert_eq!(marks_of_step(&told.marks, &[]), []);
}

fn times(event: &Value) -> (f64, f64) {
    let [start, long] = ["ts", "dur"].map(|field| event[field].as_f64().expect("a number"));
    (start, start + long)
}

#[test]
fn viewers_nest_each_collective_under_its_pass_by_its_times() {
    let told = Told::of_events(&events([step(0), step(1000)].concat()));
    let trace = held_to_the_format(&chrome_trace_of_run(&[], &[], &told, None));
    let bars: Vec<&Value> = trace.iter().filter(|event| event["ph"] == "X").collect();
    let collectives: Vec<&&Value> = bars.iter().filter(|event| event["cat"] == "exchange").collect();
    assert_eq!(collectives.len(), told.marks.len());
    let mut bytes = 0;
    for event in collectives {
        assert!(Collective::ALL.iter().any(|collective| event["name"] == collective.as_str()), "{event}");
        assert_eq!(event["args"]["layer"], 7);
        let (start, end) = times(event);
        let around = |bar: &&&Value| {
            let (from, to) = times(bar);
            bar["cat"] != "exchange"
                && [&bar["pid"], &bar["tid"]] == [&event["pid"], &event["tid"]]
                && from <= start
                && end <= to
        };
        let encloses = bars.iter().any(|bar| around(&bar));
        let looks_up = event["args"]["bytes"] == 40 && event["name"] == "all-to-all";
        assert_eq!(encloses, !looks_up, "{event}");
        bytes += event["args"]["bytes"].as_u64().expect("a whole number");
        let waited = event["args"]["waited_us"].as_u64().expect("a whole number");
        assert_eq!(event["args"].get("waited_longest_for_rank").is_some(), waited > 0, "{event}");
    }
    assert_eq!(bytes, 2 * 2 * (30 + 50 + 8 + 16 + 40), "of two ranks in two steps");
}

#[test]
fn marks_of_a_damaged_run_stay_in_their_bars_or_are_left_out() {
    let of = |within, times| collective(0, (Collective::AllGather, within), times, 1, 1);
    let bars = vec![bar(0, "F0", [100, 120], 0, 0), bar(0, "F1", [130, 150], 0, 0)];
    for (mark, expected) in [
        (of(Some("F0"), [110, 170]), Some([10.0, 20.0])),
        (of(Some("F1"), [110, 120]), None),
        (of(Some("F0"), [90, 95]), None),
        (of(Some("x\"}"), [110, 115]), None),
        (of(Some("F7"), [110, 115]), None),
        (of(None, [121, 140]), Some([21.0, 30.0])),
        (of(None, [110, 125]), Some([20.0, 25.0])),
        (of(None, [110, 115]), None),
    ] {
        let told = Told::of_events(&events([bars.clone(), vec![mark.clone()]].concat()));
        let found: Vec<[f64; 2]> = told.marks.iter().map(|mark| [mark.start_us, mark.end_us]).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{mark:?}");
        held_to_the_format(&chrome_trace_of_run(&[], &[], &told, None));
    }
    let over_each_other = vec![of(Some("F0"), [101, 110]), of(Some("F0"), [105, 115]), of(Some("F0"), [106, 108])];
    let told = Told::of_events(&events([bars.clone(), over_each_other].concat()));
    assert_eq!(told.marks.len(), 2, "{:?}", told.marks);
    held_to_the_format(&chrome_trace_of_run(&[], &[], &told, None));
    // A rank without bars has no track for its marks.
    let alone =
        Told::of_events(&events([bars, vec![collective(5, (Collective::AllToAll, None), [90, 95], 1, 1)]].concat()));
    assert_eq!(alone.marks, []);
    held_to_the_format(&chrome_trace_of_run(&[], &[], &alone, None));
}

#[test]
fn bars_say_which_share_of_them_was_waiting_and_for_whom() {
    let told = Told::of_events(&events(step(0)));
    let waits = Waits::of(&told.bars, &told.marks);
    let expected = [(Part::Forward, 0.25), (Part::Backward, 0.5), (Part::Reduce, 0.2), (Part::Step, 0.2)];
    assert_eq!((waits.shares.as_slice(), waits.mostly_for), (&expected[..], Some(2)));
    // Where too few of the marks are told, nobody knows.
    assert_eq!(Waits::of(&told.bars, &told.marks[..3]).mostly_for, None);
    assert_eq!(Waits::of(&told.bars, &[]).shares, expected);
    let bare = bars_of_events(&events(vec![bar(0, "F0", [0, 10], 0, 0)]));
    assert_eq!(Waits::of(&bare, &[]), Waits::default());
}
