//! The bars of a plan and of a run, and the trace of both.

mod chrome;
mod strategies;

use std::collections::HashMap;

use chrome::held_to_the_format;
use recspeed_plan::dense::{Speed, densenet};
use recspeed_plan::simulate::Link;
use recspeed_plan::timeline::{
    Bar, Part, Stacked, Told, bars_of, bars_of_events, bubble_of, chrome_trace, chrome_trace_of_run, first_step,
    memory_of, rows_of,
};
use recspeed_plan::{Balance, Layout, Outlook, Recompute, ScheduleKind, Strategy};
use recspeed_types::{EventKind, RunEvent, RunId};
use serde_json::Value;
use strategies::plain;

const RECOMPUTES: [Recompute; 3] = [Recompute::Never, Recompute::ExceptLast, Recompute::Always];

/// Four ranks, eight micro-batches, a dense block.
fn first() -> Strategy {
    Strategy {
        balance: Balance::Time { samples: 32 },
        ranks: 4,
        micro_batches: 8,
        link: Link::MEMORY,
        update_us: 1e-4,
        ..plain(densenet(4, 150, 32, 1, Speed::of_gflops(50.0)), 256)
    }
}

fn chunks(schedule: ScheduleKind) -> usize {
    if schedule == ScheduleKind::Interleaved { 2 } else { 1 }
}

fn planned(strategy: &Strategy) -> (Outlook, Vec<Bar>) {
    let outlook = Outlook::of(strategy).expect("it is possible");
    let bars = bars_of(strategy, &outlook);
    (outlook, bars)
}

fn span(seq: u64, rank: u32, name: &str, start_us: u64) -> RunEvent {
    let (lane, name) = ("1".to_owned(), name.to_owned());
    let kind = EventKind::Span { rank, lane, name, start_us, duration_us: 5, bytes: 0, waited_us: 0, exchange: None };
    RunEvent { run: RunId::new("r").expect("an id"), seq, at_us: 9, kind }
}

#[test]
fn bars_of_a_rank_never_lie_over_each_other_and_fill_what_it_computes() {
    for schedule in ScheduleKind::ALL {
        for recompute in RECOMPUTES {
            let strategy = Strategy { recompute, batch: 30, chunks: chunks(schedule), schedule, ..first() };
            let (outlook, bars) = planned(&strategy);
            for (rank, row) in rows_of(&bars).into_iter().enumerate() {
                let row = &bars[row];
                assert!(row.iter().all(|bar| bar.rank == rank));
                assert!(
                    row.windows(2).all(|pair| pair[0].end_us <= pair[1].start_us + 1e-6),
                    "{schedule:?} {recompute:?}"
                );
                let computes = row.iter().filter(|bar| bar.micro_batch.is_some());
                let busy: f64 = computes.map(|bar| bar.end_us - bar.start_us).sum();
                assert!((busy - outlook.simulation.busy_us[rank]).abs() < 1e-6 * busy);
            }
        }
    }
}

#[test]
fn bars_that_are_as_planned_have_the_plan_s_bubble() {
    for schedule in [ScheduleKind::Gpipe, ScheduleKind::OneForwardOneBackward, ScheduleKind::ZeroBubbleH1] {
        let (outlook, bars) = planned(&Strategy { schedule, recompute: Recompute::Always, ..first() });
        let bubble = bubble_of(&bars).expect("there are bars");
        assert!((bubble - outlook.simulation.bubble()).abs() < 1e-9, "{schedule:?}: {bubble}");
    }
    assert_eq!(bubble_of(&[]), None);
}

#[test]
fn recomputed_passes_are_as_many_as_the_mode_says() {
    for (recompute, expected) in RECOMPUTES.into_iter().zip([0, 7 * 4, 8 * 4]) {
        let (_, bars) = planned(&Strategy { recompute, ..first() });
        assert_eq!(bars.iter().filter(|bar| bar.part == Part::Again).count(), expected);
    }
}

#[test]
fn every_name_of_a_span_is_read() {
    let (outlook, _) = planned(&Strategy { schedule: ScheduleKind::ZeroBubbleH1, ..first() });
    for instruction in (0..4).flat_map(|rank| outlook.schedule.list(rank)) {
        let micro_batch = instruction.cell().map(|cell| cell.micro_batch);
        if let Some(name) = instruction.span_name() {
            let bars = bars_of_events(&[span(0, 0, &name, 1)]);
            assert_eq!(bars.first().map(|bar| bar.micro_batch), Some(micro_batch), "{name}");
        }
    }
}

#[test]
fn measured_spans_become_bars_on_an_axis_from_0() {
    let bars = bars_of_events(&[
        span(0, 1, "B7", 120),
        span(1, 0, "F7", 100),
        span(2, 0, "load", 90),
        span(3, 0, "step", 130),
    ]);
    let told: Vec<_> = bars.iter().map(|bar| (bar.rank, bar.part, bar.micro_batch, bar.start_us)).collect();
    assert_eq!(
        told,
        [(0, Part::Forward, Some(7), 0.0), (0, Part::Step, None, 30.0), (1, Part::Backward, Some(7), 20.0)]
    );
    assert_eq!((bars[0].chunk, bars[0].end_us), (1, 5.0));
}

#[test]
fn the_first_step_ends_with_each_rank_s_first_update() {
    let bar = |rank, part, start_us| Bar {
        rank,
        part,
        micro_batch: None,
        chunk: 0,
        start_us,
        end_us: start_us + 1.0,
        waited_us: 0.0,
    };
    let first = [bar(0, Part::Forward, 0.0), bar(0, Part::Step, 1.0), bar(1, Part::Forward, 0.0)];
    let all = [&first[..2], &[bar(0, Part::Forward, 2.0), bar(0, Part::Step, 3.0)], &first[2..]].concat();
    assert_eq!(first_step(all), first);
}

/// A run of these stages and replicas that did as planned.
fn as_planned(strategy: &Strategy, replicas: usize) -> (Vec<Stacked>, Vec<Bar>, Vec<Bar>, Layout) {
    let (outlook, bars) = planned(strategy);
    let layout = Layout::new(strategy.ranks * replicas, strategy.ranks, 1).expect("they divide");
    let mut measured: Vec<Bar> = (0..replicas)
        .flat_map(|replica| bars.iter().map(move |bar| Bar { rank: bar.rank * replicas + replica, ..*bar }))
        .collect();
    measured.sort_by_key(|bar| bar.rank);
    (memory_of(&outlook), bars, measured, layout)
}

fn events(text: &str) -> Vec<Value> {
    let trace: Value = serde_json::from_str(text).expect("it is JSON");
    trace["traceEvents"].as_array().expect("a list").clone()
}

fn of<'a>(events: &'a [Value], phase: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["ph"] == phase)
}

fn number(event: &Value, name: &str) -> f64 {
    event[name].as_f64().unwrap_or_else(|| panic!("{event} has no {name}"))
}

#[test]
fn every_bar_is_in_it_and_no_process_is_both_planned_and_measured() {
    for schedule in ScheduleKind::ALL {
        let recompute = Recompute::Always;
        let strategy = Strategy { ranks: 2, recompute, schedule, chunks: chunks(schedule), ..first() };
        let (held, bars, measured, layout) = as_planned(&strategy, 2);
        let events = events(&chrome_trace(&held, &bars, &measured, Some(layout)));
        assert_eq!(of(&events, "X").count(), bars.len() + measured.len());
        let names: Vec<(u64, &str)> = of(&events, "M")
            .filter(|event| event["name"] == "process_name")
            .map(|event| (event["pid"].as_u64().unwrap(), event["args"]["name"].as_str().unwrap()))
            .collect();
        let expected = [
            (1, "predicted rank 0, stage 0"),
            (2, "predicted rank 1, stage 1"),
            (3, "measured rank 0, stage 0, replica 0"),
            (4, "measured rank 1, stage 0, replica 1"),
            (5, "measured rank 2, stage 1, replica 0"),
            (6, "measured rank 3, stage 1, replica 1"),
        ];
        assert_eq!(names, expected, "{schedule:?}");
        assert!(of(&events, "C").all(|event| number(event, "pid") <= 2.0));
    }
}

#[test]
fn times_of_a_lane_ascend() {
    let (held, bars, measured, layout) = as_planned(&first(), 2);
    let events = events(&chrome_trace(&held, &bars, &measured, Some(layout)));
    let mut last: HashMap<(u64, u64), f64> = HashMap::new();
    for event in of(&events, "X") {
        let lane = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
        let before = last.insert(lane, number(event, "ts")).unwrap_or(0.0);
        assert!(before <= number(event, "ts") && number(event, "dur") >= 0.0, "{event}");
    }
}

#[test]
fn each_message_is_one_arrow_between_the_stages_that_it_joins() {
    for schedule in ScheduleKind::ALL {
        let (recompute, chunks) = (Recompute::ExceptLast, chunks(schedule));
        let strategy = Strategy { micro_batches: 6, recompute, schedule, chunks, ..first() };
        let (held, bars, measured, layout) = as_planned(&strategy, 2);
        let events = events(&chrome_trace(&held, &bars, &measured, Some(layout)));
        let starts: Vec<&Value> = of(&events, "s").collect();
        let ends: HashMap<u64, &Value> = of(&events, "f").map(|event| (event["id"].as_u64().unwrap(), event)).collect();
        // Forth and back over each border: of the plan, and of both replicas.
        assert_eq!(starts.len(), 3 * 2 * 6 * (4 * chunks - 1), "{schedule:?}");
        assert_eq!((ends.len(), of(&events, "f").count()), (starts.len(), starts.len()), "{schedule:?}");
        let bar_at = |event: &Value| {
            let at = number(event, "ts");
            let mut under = of(&events, "X").filter(|bar| {
                let from = number(bar, "ts");
                bar["pid"] == event["pid"] && bar["tid"] == event["tid"] && from <= at && at < from + number(bar, "dur")
            });
            under.next().expect("an arrow's end lies on a bar")["name"].clone()
        };
        for start in starts {
            let end = ends[&start["id"].as_u64().unwrap()];
            assert!(number(start, "ts") <= number(end, "ts") && start["name"] == end["name"]);
            assert_eq!(bar_at(start), bar_at(end), "{schedule:?}: of one micro-batch");
            assert_eq!(number(start, "pid") <= 4.0, number(end, "pid") <= 4.0, "planned or measured");
            let pass = if start["name"] == "gradient" { "B" } else { "F" };
            assert!(bar_at(start).as_str().unwrap().starts_with(pass));
        }
    }
}

#[test]
fn what_has_one_end_only_or_no_known_place_gets_no_arrow() {
    let (held, bars, mut measured, layout) = as_planned(&first(), 1);
    let all = events(&chrome_trace(&held, &bars, &measured, Some(layout)));
    let none = events(&chrome_trace(&held, &bars, &measured, None));
    assert_eq!(of(&all, "s").count(), 2 * of(&none, "s").count());
    measured.retain(|bar| bar.rank != 1);
    let cut = events(&chrome_trace(&held, &bars, &measured, Some(layout)));
    assert_eq!(of(&cut, "s").count(), of(&none, "s").count() + 2 * 8, "only between stages 2 and 3");
    assert_eq!(of(&cut, "s").count(), of(&cut, "f").count());
}

#[test]
fn the_steps_of_a_run_keep_their_arrows_apart() {
    let (held, bars, mut measured, layout) = as_planned(&first(), 1);
    let one = events(&chrome_trace(&held, &[], &measured, Some(layout)));
    let long = planned(&first()).0.simulation.total_us;
    let second = measured.iter().map(|bar| Bar { start_us: bar.start_us + long, end_us: bar.end_us + long, ..*bar });
    measured.extend(second.collect::<Vec<_>>());
    measured.sort_by(|a, b| a.rank.cmp(&b.rank).then(a.start_us.total_cmp(&b.start_us)));
    let two = events(&chrome_trace(&held, &bars, &measured, Some(layout)));
    assert_eq!(of(&two, "s").count(), 3 * of(&one, "s").count(), "the plan's and those of two steps");
}

#[test]
fn every_event_has_the_fields_of_the_format_and_no_bar_of_a_track_lies_over_another_one() {
    for schedule in ScheduleKind::ALL {
        for recompute in RECOMPUTES {
            // Batches that do not divide, so that no pass ends on a whole microsecond.
            for (batch, micro_batches, replicas) in [(30, 8, 2), (257, 7, 1)] {
                let chunks = chunks(schedule);
                let strategy = Strategy { batch, micro_batches, chunks, schedule, recompute, ..first() };
                let (held, bars, measured, layout) = as_planned(&strategy, replicas);
                for layout in [Some(layout), None] {
                    held_to_the_format(&chrome_trace(&held, &bars, &measured, layout));
                }
            }
        }
    }
}

/// The spans that ranks tell of so many steps, in whole microseconds of a clock that began long ago.
fn told(of_a_step: &[Value], steps: u64) -> Vec<RunEvent> {
    // The chunks of a process are its threads, one number after the other.
    let numbers = |event: &Value| ["pid", "tid"].map(|field| event[field].as_u64().expect("a whole number"));
    let mut firsts: HashMap<u64, u64> = HashMap::new();
    for [process, thread] in of_a_step.iter().map(numbers) {
        let first = firsts.entry(process).or_insert(thread);
        *first = thread.min(*first);
    }
    let end_of = |event: &Value| number(event, "ts") + number(event, "dur");
    let long = of_a_step.iter().map(end_of).fold(0.0, f64::max).ceil() as u64;
    let mut spans = Vec::new();
    for step in 0..steps {
        for event in of_a_step {
            let [start, end] = [number(event, "ts"), end_of(event)].map(|at| at.round() as u64);
            let [process, thread] = numbers(event);
            let kind = EventKind::Span {
                rank: process as u32 - 1,
                lane: (thread - firsts[&process]).to_string(),
                name: event["name"].as_str().expect("a name").to_owned(),
                start_us: 1_000_000 + step * long + start,
                duration_us: end - start,
                bytes: 0,
                waited_us: 0,
                exchange: None,
            };
            spans.push(RunEvent { run: RunId::new("r").expect("an id"), seq: spans.len() as u64, at_us: 9, kind });
        }
    }
    spans
}

#[test]
fn the_spans_of_a_run_s_steps_are_a_trace_of_the_same_kind() {
    for schedule in ScheduleKind::ALL {
        let (recompute, chunks) = (Recompute::Always, chunks(schedule));
        let strategy = Strategy { batch: 30, chunks, schedule, recompute, ..first() };
        let (held, bars, _, layout) = as_planned(&strategy, 1);
        let planned = held_to_the_format(&chrome_trace(&held, &bars, &[], Some(layout)));
        let spans: Vec<Value> = of(&planned, "X").cloned().collect();
        let measured = bars_of_events(&told(&spans, 3));
        assert_eq!(measured.len(), 3 * spans.len(), "{schedule:?}: every span is a bar");
        let both = held_to_the_format(&chrome_trace(&held, &bars, &measured, Some(layout)));
        assert_eq!(of(&both, "X").count(), 4 * spans.len(), "{schedule:?}");
    }
}

/// What the ranks of a plan would tell if they did as planned: all that they do, messages too, each of which has seven bytes.
fn told_as_planned(outlook: &Outlook) -> Vec<RunEvent> {
    let span = |(seq, span): (usize, &recspeed_plan::simulate::Span)| {
        let (instruction, [start, end]) = (span.instruction, [span.start_us, span.end_us].map(|at| at.round() as u64));
        let message = instruction.message_name();
        let sends = message.as_ref().is_some_and(|name| name.starts_with("send"));
        let kind = EventKind::Span {
            rank: span.rank as u32,
            lane: instruction.cell().map_or(0, |cell| cell.chunk).to_string(),
            name: instruction.span_name().or(message).unwrap_or_else(|| "load".to_owned()),
            start_us: 500 + start,
            duration_us: end - start,
            bytes: if sends { 7 } else { 0 },
            waited_us: 0,
            exchange: None,
        };
        RunEvent { run: RunId::new("r").expect("an id"), seq: seq as u64, at_us: 9, kind }
    };
    outlook.simulation.spans.iter().enumerate().map(span).collect()
}

#[test]
fn what_ranks_sent_and_waited_for_is_a_track_of_its_own_with_a_counter_of_bytes() {
    for schedule in ScheduleKind::ALL {
        let chunks = chunks(schedule);
        let strategy = Strategy { batch: 30, chunks, schedule, ..first() };
        let (outlook, bars) = planned(&strategy);
        let told = Told::of_events(&told_as_planned(&outlook));
        let layout = Layout::new(4, 4, 1).ok();
        let events = held_to_the_format(&chrome_trace_of_run(&memory_of(&outlook), &bars, &told, layout));
        let tracks: HashMap<(u64, u64), &str> = of(&events, "M")
            .filter(|event| event["name"] == "thread_name")
            .map(|event| {
                let thread = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
                (thread, event["args"]["name"].as_str().unwrap())
            })
            .collect();
        let track = |event: &Value| tracks[&(event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap())];
        for rank in 0..4 {
            // Forth and back over each border of the rank's stages, and the exchange with replicas.
            let list = outlook.schedule.list(rank);
            let messages = list.iter().filter(|step| step.message_name().is_some()).count();
            let sends = list.iter().filter_map(|step| step.message_name()).filter(|name| name.starts_with("send"));
            let own = |event: &&Value| event["pid"].as_u64() == Some(5 + rank as u64);
            let drawn = of(&events, "X").filter(own).filter(|event| track(event) == "messages").count();
            assert_eq!(drawn, messages + 1, "{schedule:?}, rank {rank}");
            let counted: Vec<u64> =
                of(&events, "C").filter(own).filter_map(|event| event["args"]["sent"].as_u64()).collect();
            let expected: Vec<u64> = (1..=sends.count() as u64).map(|n| 7 * n).collect();
            assert_eq!(counted, expected, "{schedule:?}, rank {rank}");
        }
    }
}

#[test]
fn a_pass_without_length_has_no_arrow_since_a_viewer_never_has_it_open() {
    let pass = |rank, start_us, long| Bar {
        rank,
        part: Part::Forward,
        micro_batch: Some(0),
        chunk: 0,
        start_us,
        end_us: start_us + long,
        waited_us: 0.0,
    };
    for (long, arrows) in [(0.0, 0), (0.001, 1), (5.0, 1)] {
        let bars = [pass(0, 0.0, long), pass(1, 10.0, long)];
        let events = held_to_the_format(&chrome_trace(&[], &[], &bars, Layout::new(2, 2, 1).ok()));
        assert_eq!([of(&events, "s").count(), of(&events, "f").count()], [arrows; 2], "{long} µs");
    }
}

#[test]
fn a_lane_that_no_run_can_have_is_no_track_of_its_own() {
    let mut event = span(0, 0, "F0", 10);
    if let EventKind::Span { lane, .. } = &mut event.kind {
        *lane = u64::MAX.to_string();
    }
    let told = Told::of_events(&[event]);
    assert_eq!(told.bars[0].chunk, 0);
    let trace = held_to_the_format(&chrome_trace_of_run(&[], &[], &told, None));
    assert_eq!(of(&trace, "M").count(), 2, "a process and a thread");
}

#[test]
fn a_damaged_span_that_ends_beyond_all_time_ends_there() {
    let mut events = [span(0, 0, "F0", 0), span(1, 0, "B0", u64::MAX - 2), span(2, 0, "send 0", u64::MAX - 2)];
    for event in &mut events {
        if let EventKind::Span { bytes, .. } = &mut event.kind {
            *bytes = u64::MAX;
        }
    }
    let told = Told::of_events(&events);
    assert_eq!(told.bars.iter().map(|bar| bar.end_us).collect::<Vec<_>>(), [5.0, u64::MAX as f64]);
    assert!(told.sent.iter().all(|(.., bytes)| *bytes == u64::MAX), "{:?}", told.sent);
    let trace: Value = serde_json::from_str(&chrome_trace_of_run(&[], &[], &told, None)).expect("it is JSON");
    let events = trace["traceEvents"].as_array().expect("a list");
    assert_eq!(of(events, "X").count(), 3, "two passes and a message");
}

#[test]
fn names_of_a_damaged_run_do_not_damage_its_trace() {
    let events = [span(0, 0, "F0", 10), span(1, 0, "send \"}], \\u0000 1", 20), span(2, 1, "send 1", 5)];
    let told = Told::of_events(&events);
    assert_eq!(told.messages.len(), 2);
    let trace = held_to_the_format(&chrome_trace_of_run(&[], &[], &told, None));
    assert_eq!(of(&trace, "X").count(), 2, "a rank without bars is no process");
}
