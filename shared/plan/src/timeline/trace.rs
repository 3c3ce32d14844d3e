//! The timelines in the Chrome trace event format, which Perfetto reads: what was foretold, and what a run measured beside it.

use std::collections::HashMap;

use super::held::Stacked;
use super::{Bar, Mark, Message, Part, Told, among, rows_of, stage_of};
use crate::Layout;

/// What every trace of this lab begins with, and none of another program: the format's place for what is no event names who wrote it. The
/// lab replaces only such a file.
pub const TRACE_HEAD: &str = r#"{"displayTimeUnit":"ms","otherData":{"writer":"recspeed"},"traceEvents":["#;

/// A process a rank, a thread a chunk, an event a bar, an arrow for each activation and gradient that goes to another stage, and
/// counters for the bytes that are foretold, `held` by each rank of the plan. The ranks of a run are other processes than those of the plan, and say which they are.
/// Nothing in it needs escaping.
pub fn chrome_trace(held: &[Stacked], predicted: &[Bar], measured: &[Bar], layout: Option<Layout>) -> String {
    written(held, predicted, &Measured { bars: measured, messages: &[], marks: &[], sent: &[] }, layout)
}

/// The same of a run that told what its ranks sent and waited for: collectives within the bars that they are part of,
/// on the same thread, where viewers nest them by their times; a thread more a rank for messages, and a counter of the
/// bytes that it had sent by then.
pub fn chrome_trace_of_run(held: &[Stacked], predicted: &[Bar], told: &Told, layout: Option<Layout>) -> String {
    let Told { bars, messages, marks, sent } = told;
    written(held, predicted, &Measured { bars, messages, marks, sent }, layout)
}

/// The thread of a rank's messages: behind those of its chunks.
const MESSAGES: usize = recspeed_types::limits::MAX_CHUNKS as usize;

/// What was measured, as [`Told`] has it.
struct Measured<'a> {
    bars: &'a [Bar],
    messages: &'a [Message],
    marks: &'a [Mark],
    sent: &'a [(usize, f64, u64)],
}

fn written(held: &[Stacked], predicted: &[Bar], measured: &Measured<'_>, layout: Option<Layout>) -> String {
    let Measured { bars, messages, marks, sent } = *measured;
    let ranks = held.len();
    let mut trace = Trace::default();
    trace.timeline("predicted", 0, (predicted, &[]), Layout::new(ranks, ranks, 1).ok());
    for (rank, Stacked { stays: [parameters, gradients, optimizer], changes }) in held.iter().enumerate() {
        for (at, bytes) in changes {
            trace.events.push(format!(
                r#"{{"name":"bytes","ph":"C","pid":{rank},"ts":{at:.3},"args":{{"parameters":{parameters},"gradients":{gradients},"optimizer":{optimizer},"activations":{bytes}}}}}"#
            ));
        }
    }
    trace.timeline("measured", ranks, (bars, marks), layout);
    // A rank without bars is no process here.
    let has_bars = |rank: usize| bars.binary_search_by_key(&rank, |bar| bar.rank).is_ok();
    trace.messages(ranks, messages.iter().filter(|message| has_bars(message.rank)));
    for (rank, at, bytes) in sent.iter().filter(|(rank, ..)| has_bars(*rank)) {
        let (pid, ts) = (ranks + rank, microseconds(nanoseconds(*at)));
        trace
            .events
            .push(format!(r#"{{"name":"bytes sent","ph":"C","pid":{pid},"ts":{ts},"args":{{"sent":{bytes}}}}}"#));
    }
    format!("{TRACE_HEAD}\n{}\n]}}\n", trace.events.join(",\n"))
}

/// Whole ones, in which viewers count.
fn nanoseconds(us: f64) -> u64 {
    (1e3 * us).round() as u64
}

/// As the format has them, to the nanosecond.
fn microseconds(ns: u64) -> String {
    format!("{}.{:03}", ns / 1000, ns % 1000)
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

    /// The bars of ranks, which are the processes from `first` on, and the marks within them.
    fn timeline(&mut self, whose: &str, first: usize, (bars, marks): (&[Bar], &[Mark]), layout: Option<Layout>) {
        for row in rows_of(bars) {
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
        let mut ends: HashMap<[usize; 2], u64> = HashMap::new();
        let mut marks = marks.iter().peekable();
        for bar in bars {
            // In the order of time, and of what begins together the bar first: viewers open what encloses before what
            // is enclosed.
            while let Some(mark) = marks.next_if(|mark| (mark.rank, mark.start_us) < (bar.rank, bar.start_us)) {
                self.mark(first, mark, &ends);
            }
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
            let last = ends.entry([rank, chunk]).or_default();
            let start = nanoseconds(start_us);
            // Of bars that touch none is rounded into the other: viewers leave out what lies over the end of another one.
            let start = if start + 1 == *last { *last } else { start };
            let end = nanoseconds(end_us).max(start);
            *last = end;
            self.events.push(format!(
                r#"{{"name":"{letter}{number}","cat":"{}","ph":"X","pid":{},"tid":{chunk},"ts":{},"dur":{}}}"#,
                part.as_str(),
                first + rank,
                microseconds(start),
                microseconds(end - start),
            ));
        }
        for mark in marks {
            self.mark(first, mark, &ends);
        }
        if let Some(layout) = layout {
            self.arrows(first, bars, layout);
        }
    }

    /// A collective; `ends`: where the last bar of each track ends, over which it may not lie.
    fn mark(&mut self, first: usize, mark: &Mark, ends: &HashMap<[usize; 2], u64>) {
        let Mark { rank, chunk, collective, within, layer, start_us, end_us, bytes, waited_us, longest } = *mark;
        let last = ends.get(&[rank, chunk]).copied().unwrap_or(0);
        let [mut start, mut end] = [start_us, end_us].map(nanoseconds);
        if within.is_some() {
            (start, end) = (start.min(last), end.min(last));
        }
        let layer = layer.map(|layer| format!(r#","layer":{layer}"#)).unwrap_or_default();
        let longest = longest
            .map(|(rank, us)| format!(r#","waited_longest_for_rank":{rank},"waited_longest_us":{us:.0}"#))
            .unwrap_or_default();
        self.events.push(format!(
            r#"{{"name":"{}","cat":"exchange","ph":"X","pid":{},"tid":{chunk},"ts":{},"dur":{},"args":{{"bytes":{bytes},"waited_us":{waited_us:.0}{layer}{longest}}}}}"#,
            collective.as_str(),
            first + rank,
            microseconds(start),
            microseconds(end.saturating_sub(start)),
        ));
    }

    /// What ranks sent and waited for, rank by rank in the order of time.
    fn messages<'a>(&mut self, first: usize, messages: impl Iterator<Item = &'a Message>) {
        let mut last = (None, 0);
        for Message { rank, name, start_us, end_us, bytes } in messages {
            let pid = first + rank;
            if last.0 != Some(*rank) {
                self.name("thread", pid, MESSAGES, "messages");
                last = (Some(*rank), 0);
            }
            // One after the other, as a rank does them.
            let start = nanoseconds(*start_us).max(last.1);
            let end = nanoseconds(*end_us).max(start);
            last.1 = end;
            self.events.push(format!(
                r#"{{"name":"{name}","cat":"message","ph":"X","pid":{pid},"tid":{MESSAGES},"ts":{},"dur":{},"args":{{"bytes":{bytes}}}}}"#,
                microseconds(start),
                microseconds(end - start),
            ));
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
