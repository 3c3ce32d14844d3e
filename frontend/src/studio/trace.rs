//! The timelines as Chrome trace JSON, which Perfetto opens: what was foretold, and what a run measured beside it.

use std::collections::HashMap;

use recspeed_plan::{Layout, Outlook};

use super::memory::{Held, memory_of};
use super::picture::{Bar, Part};
use super::place::{among, stage_of};

/// A process a rank, a thread a chunk, an event a bar, an arrow for each activation and gradient that goes to another stage, and
/// counters for the bytes that are foretold. The ranks of a run are other processes than those of the plan, and say which they are.
/// Nothing in it needs escaping.
pub(crate) fn chrome_trace(outlook: &Outlook, predicted: &[Bar], measured: &[Bar], layout: Option<Layout>) -> String {
    let ranks = outlook.ranks.len();
    let mut trace = Trace::default();
    trace.timeline("predicted", 0, predicted, Layout::new(ranks, ranks, 1).ok());
    for (rank, Held { stays: [parameters, gradients, optimizer], changes }) in memory_of(outlook).iter().enumerate() {
        for (at, bytes) in changes {
            trace.events.push(format!(
                r#"{{"name":"bytes","ph":"C","pid":{rank},"ts":{at:.3},"args":{{"parameters":{parameters},"gradients":{gradients},"optimizer":{optimizer},"activations":{bytes}}}}}"#
            ));
        }
    }
    trace.timeline("measured", ranks, measured, layout);
    format!("{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{}\n]}}\n", trace.events.join(",\n"))
}

#[derive(Default)]
struct Trace {
    events: Vec<String>,
    arrows: usize,
}

impl Trace {
    fn name(&mut self, what: &str, pid: usize, tid: usize, name: &str) {
        self.events
            .push(format!(r#"{{"name":"{what}_name","ph":"M","pid":{pid},"tid":{tid},"args":{{"name":"{name}"}}}}"#));
    }

    /// The bars of ranks, which are the processes from `first` on.
    fn timeline(&mut self, whose: &str, first: usize, bars: &[Bar], layout: Option<Layout>) {
        for row in super::picture::rows_of(bars) {
            let Some(bar) = bars[row.clone()].first() else { continue };
            let (rank, pid) = (bar.rank, first + bar.rank);
            let place = layout.map(|layout| format!(", stage {}{}", layout.place(rank).stage, among(rank, layout)));
            self.name("process", pid, 0, &format!("{whose} rank {rank}{}", place.unwrap_or_default()));
            let chunks = bars[row].iter().map(|bar| bar.chunk).max().unwrap_or(0);
            for chunk in 0..=chunks {
                let stage = layout.map_or(chunk, |layout| stage_of(&Bar { chunk, ..*bar }, layout));
                self.name(
                    "thread",
                    pid,
                    chunk,
                    &format!("{} {stage}", if layout.is_some() { "stage" } else { "chunk" }),
                );
            }
        }
        for bar in bars {
            let number = bar.micro_batch.map(|n| n.to_string()).unwrap_or_default();
            let letter = match bar.part {
                Part::Forward => "F",
                Part::Again => "R",
                Part::Backward => "B",
                Part::Weight => "W",
                Part::Reduce => "reduce",
                Part::Step => "step",
            };
            let Bar { rank, chunk, start_us, end_us, part, .. } = *bar;
            self.events.push(format!(
                r#"{{"name":"{letter}{number}","cat":"{}","ph":"X","pid":{},"tid":{chunk},"ts":{start_us:.3},"dur":{:.3}}}"#,
                part.as_str(),
                first + rank,
                end_us - start_us,
            ));
        }
        if let Some(layout) = layout {
            self.arrows(first, bars, layout);
        }
    }

    /// An arrow from each pass to the one that waits for what it makes, where the bars have both: viewers tie its ends to the bars
    /// that lie there, so they are just inside.
    fn arrows(&mut self, first: usize, bars: &[Bar], layout: Layout) {
        let mut sent: HashMap<[usize; 5], &Bar> = HashMap::new();
        let mut passes = Vec::new();
        let (mut rank, mut step) = (0, 0);
        for bar in bars {
            if bar.rank != rank {
                (rank, step) = (bar.rank, 0);
            }
            match (bar.part, bar.micro_batch) {
                (Part::Step, _) => step += 1,
                (Part::Forward | Part::Backward, Some(micro_batch)) => {
                    let place = layout.place(rank);
                    let pipeline = place.replica * layout.tensor() + place.tensor;
                    let back = usize::from(bar.part == Part::Backward);
                    let stage = stage_of(bar, layout);
                    sent.insert([back, step, pipeline, micro_batch, stage], bar);
                    let from = if back == 1 { Some(stage + 1) } else { stage.checked_sub(1) };
                    passes.extend(from.map(|from| ([back, step, pipeline, micro_batch, from], bar)));
                }
                _ => {}
            }
        }
        for (key, to) in passes {
            let Some(from) = sent.get(&key) else { continue };
            let inside = |bar: &Bar| ((bar.end_us - bar.start_us) / 2.0).min(0.5);
            let (leaves, arrives) = (from.end_us - inside(from), to.start_us + inside(to));
            // Clocks of two machines differ: an arrow into the past says nothing.
            if leaves > arrives {
                continue;
            }
            self.arrows += 1;
            let (id, name) = (self.arrows, if key[0] == 1 { "gradient" } else { "activation" });
            for (phase, bar, at) in [("s", *from, leaves), ("f", to, arrives)] {
                self.events.push(format!(
                    r#"{{"name":"{name}","cat":"message","ph":"{phase}","bp":"e","id":{id},"pid":{},"tid":{},"ts":{at:.3}}}"#,
                    first + bar.rank,
                    bar.chunk,
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::picture::bars_of;
    use super::super::setup::Setup;
    use super::*;

    /// A run of these stages and replicas that did as planned.
    fn as_planned(setup: &Setup, replicas: usize) -> (Outlook, Vec<Bar>, Vec<Bar>, Layout) {
        let (strategy, outlook) = setup.plan().expect("it is possible");
        let bars = bars_of(&strategy, &outlook);
        let layout = Layout::new(setup.ranks * replicas, setup.ranks, 1).expect("they divide");
        let mut measured: Vec<Bar> = (0..replicas)
            .flat_map(|replica| bars.iter().map(move |bar| Bar { rank: bar.rank * replicas + replica, ..*bar }))
            .collect();
        measured.sort_by_key(|bar| bar.rank);
        (outlook, bars, measured, layout)
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
        for schedule in ["gpipe", "1f1b", "interleaved", "zb-h1"] {
            let mut setup = Setup { ranks: 2, recompute: "always", ..Setup::default() };
            setup.choose_schedule(schedule);
            let (outlook, bars, measured, layout) = as_planned(&setup, 2);
            let events = events(&chrome_trace(&outlook, &bars, &measured, Some(layout)));
            assert_eq!(of(&events, "X").count(), bars.len() + measured.len());
            let names: Vec<(u64, &str)> = of(&events, "M")
                .filter(|event| event["name"] == "process_name")
                .map(|event| (event["pid"].as_u64().unwrap(), event["args"]["name"].as_str().unwrap()))
                .collect();
            let expected = [
                (0, "predicted rank 0, stage 0"),
                (1, "predicted rank 1, stage 1"),
                (2, "measured rank 0, stage 0, replica 0"),
                (3, "measured rank 1, stage 0, replica 1"),
                (4, "measured rank 2, stage 1, replica 0"),
                (5, "measured rank 3, stage 1, replica 1"),
            ];
            assert_eq!(names, expected, "{schedule}");
            assert!(of(&events, "C").all(|event| number(event, "pid") < 2.0));
        }
    }

    #[test]
    fn times_of_a_lane_ascend() {
        let (outlook, bars, measured, layout) = as_planned(&Setup::default(), 2);
        let events = events(&chrome_trace(&outlook, &bars, &measured, Some(layout)));
        let mut last: HashMap<(u64, u64), f64> = HashMap::new();
        for event in of(&events, "X") {
            let lane = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
            let before = last.insert(lane, number(event, "ts")).unwrap_or(0.0);
            assert!(before <= number(event, "ts") && number(event, "dur") >= 0.0, "{event}");
        }
    }

    #[test]
    fn each_message_is_one_arrow_between_the_stages_that_it_joins() {
        for (schedule, chunks) in [("gpipe", 1), ("1f1b", 1), ("interleaved", 2), ("zb-h1", 1)] {
            let mut setup = Setup { micro_batches: 6, recompute: "except-last", ..Setup::default() };
            setup.choose_schedule(schedule);
            let (outlook, bars, measured, layout) = as_planned(&setup, 2);
            let events = events(&chrome_trace(&outlook, &bars, &measured, Some(layout)));
            let starts: Vec<&Value> = of(&events, "s").collect();
            let ends: HashMap<u64, &Value> =
                of(&events, "f").map(|event| (event["id"].as_u64().unwrap(), event)).collect();
            // Forth and back over each border: of the plan, and of both replicas.
            assert_eq!(starts.len(), 3 * 2 * 6 * (4 * chunks - 1), "{schedule}");
            assert_eq!((ends.len(), of(&events, "f").count()), (starts.len(), starts.len()), "{schedule}");
            let bar_at = |event: &Value| {
                let at = number(event, "ts");
                let mut under = of(&events, "X").filter(|bar| {
                    let from = number(bar, "ts");
                    bar["pid"] == event["pid"]
                        && bar["tid"] == event["tid"]
                        && from <= at
                        && at <= from + number(bar, "dur")
                });
                under.next().expect("an arrow's end lies on a bar")["name"].clone()
            };
            for start in starts {
                let end = ends[&start["id"].as_u64().unwrap()];
                assert!(number(start, "ts") <= number(end, "ts") && start["name"] == end["name"]);
                assert_eq!(bar_at(start), bar_at(end), "{schedule}: of one micro-batch");
                assert_eq!(number(start, "pid") < 4.0, number(end, "pid") < 4.0, "planned or measured");
                let pass = if start["name"] == "gradient" { "B" } else { "F" };
                assert!(bar_at(start).as_str().unwrap().starts_with(pass));
            }
        }
    }

    #[test]
    fn what_has_one_end_only_or_no_known_place_gets_no_arrow() {
        let (outlook, bars, mut measured, layout) = as_planned(&Setup::default(), 1);
        let all = events(&chrome_trace(&outlook, &bars, &measured, Some(layout)));
        let none = events(&chrome_trace(&outlook, &bars, &measured, None));
        assert_eq!(of(&all, "s").count(), 2 * of(&none, "s").count());
        measured.retain(|bar| bar.rank != 1);
        let cut = events(&chrome_trace(&outlook, &bars, &measured, Some(layout)));
        assert_eq!(of(&cut, "s").count(), of(&none, "s").count() + 2 * 8, "only between stages 2 and 3");
        assert_eq!(of(&cut, "s").count(), of(&cut, "f").count());
    }

    #[test]
    fn the_steps_of_a_run_keep_their_arrows_apart() {
        let (outlook, bars, mut measured, layout) = as_planned(&Setup::default(), 1);
        let one = events(&chrome_trace(&outlook, &[], &measured, Some(layout)));
        let long = outlook.simulation.total_us;
        let second =
            measured.iter().map(|bar| Bar { start_us: bar.start_us + long, end_us: bar.end_us + long, ..*bar });
        measured.extend(second.collect::<Vec<_>>());
        measured.sort_by(|a, b| a.rank.cmp(&b.rank).then(a.start_us.total_cmp(&b.start_us)));
        let two = events(&chrome_trace(&outlook, &bars, &measured, Some(layout)));
        assert_eq!(of(&two, "s").count(), 3 * of(&one, "s").count(), "the plan's and those of two steps");
    }
}
