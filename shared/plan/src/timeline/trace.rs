//! The timelines in the Chrome trace event format, which Perfetto reads: what was foretold, and what a run measured beside it.

use std::collections::HashMap;

use super::held::Stacked;
use super::{Bar, Mark, Message, Part, Told, rows_of, stage_of, standing};
use crate::Layout;

/// What every trace of this lab begins with, and none of another program: the format's place for what is no event names who wrote it. The
/// lab replaces only such a file.
pub const TRACE_HEAD: &str = r#"{"displayTimeUnit":"ms","otherData":{"writer":"recspeed"},"traceEvents":["#;

/// What every trace of this lab ends with: before its brace is room for what else is known of a run, which viewers pass over.
pub const TRACE_TAIL: &str = "]}\n";

/// A process a rank, a thread a chunk, an event a bar, an arrow for each activation and gradient that goes to another stage, and
/// counters for the bytes that are foretold, `held` by each rank of the plan. The ranks of a run are other processes than those of the plan, and say which they are.
/// Processes and threads have numbers of their own, none of them 0. Nothing in it needs escaping.
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

/// The numbers of processes and threads. None is 0: to a viewer whose home is the traces of kernels that is the idle process, which it
/// leaves out or mixes up with the next one. No two threads share one, nor a thread and a process other than by being its first: the
/// format lets threads of two processes do so, but viewers that name a thread by its number alone would take one for the other.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    /// Processes that there may be: the ranks of the plan and, behind them, those of the run.
    processes: usize,
    /// Threads of each: its chunks, and behind them its messages.
    threads: usize,
}

impl Numbers {
    /// Of so many ranks of a plan, with these bars of it and of a run.
    fn of(planned: usize, predicted: &[Bar], measured: &[Bar]) -> Self {
        let chunks = predicted.iter().chain(measured).map(|bar| bar.chunk + 1).max().unwrap_or(1);
        Self { processes: planned + ranks_of(measured), threads: chunks + 1 }
    }

    /// The process of a rank: of the plan's from 0 on, of the run's behind them.
    const fn process(rank: usize) -> usize {
        rank + 1
    }

    /// The thread of one of its chunks.
    const fn chunk(self, rank: usize, chunk: usize) -> usize {
        self.processes + rank * self.threads + chunk + 1
    }

    /// The thread of its messages.
    const fn messages(self, rank: usize) -> usize {
        self.chunk(rank, self.threads - 1)
    }
}

/// Of bars rank by rank.
fn ranks_of(bars: &[Bar]) -> usize {
    bars.last().map_or(0, |bar| bar.rank + 1)
}

/// What was measured, as [`Told`] has it.
struct Measured<'a> {
    bars: &'a [Bar],
    messages: &'a [Message],
    marks: &'a [Mark],
    sent: &'a [(usize, f64, u64)],
}

fn written(held: &[Stacked], predicted: &[Bar], measured: &Measured<'_>, layout: Option<Layout>) -> String {
    let Measured { bars, messages, marks, sent } = *measured;
    let ranks = held.len().max(ranks_of(predicted));
    let numbers = Numbers::of(ranks, predicted, bars);
    let mut trace = Trace { events: Vec::new(), arrows: 0, numbers };
    trace.timeline("predicted", 0, (predicted, &[]), Layout::new(ranks, ranks, 1).ok());
    for (rank, Stacked { stays: [parameters, gradients, optimizer], changes }) in held.iter().enumerate() {
        // Of a thread that is named: viewers make one for a counter that names none.
        let (pid, tid) = (Numbers::process(rank), numbers.chunk(rank, 0));
        for (at, bytes) in changes {
            let ts = microseconds(nanoseconds(*at));
            trace.events.push(format!(
                r#"{{"name":"bytes","ph":"C","pid":{pid},"tid":{tid},"ts":{ts},"args":{{"parameters":{parameters},"gradients":{gradients},"optimizer":{optimizer},"activations":{bytes}}}}}"#
            ));
        }
    }
    trace.timeline("measured", ranks, (bars, marks), layout);
    // A rank without bars is no process here.
    let has_bars = |rank: usize| bars.binary_search_by_key(&rank, |bar| bar.rank).is_ok();
    trace.messages(ranks, messages.iter().filter(|message| has_bars(message.rank)));
    for (rank, at, bytes) in sent.iter().filter(|(rank, ..)| has_bars(*rank)) {
        let (pid, tid) = (Numbers::process(ranks + rank), numbers.chunk(ranks + rank, 0));
        let ts = microseconds(nanoseconds(*at));
        trace.events.push(format!(
            r#"{{"name":"bytes sent","ph":"C","pid":{pid},"tid":{tid},"ts":{ts},"args":{{"sent":{bytes}}}}}"#
        ));
    }
    format!("{TRACE_HEAD}\n{}\n{TRACE_TAIL}", trace.events.join(",\n"))
}

/// Nanoseconds that an end of an arrow lies inside its bar, where that is long enough.
const ARROW_INSIDE: u64 = 500;

/// Whole ones, in which viewers count.
fn nanoseconds(us: f64) -> u64 {
    (1e3 * us).round() as u64
}

/// As the format has them, to the nanosecond.
fn microseconds(ns: u64) -> String {
    format!("{}.{:03}", ns / 1000, ns % 1000)
}

struct Trace {
    events: Vec<String>,
    arrows: usize,
    numbers: Numbers,
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
            let (rank, pid) = (bar.rank, Numbers::process(first + bar.rank));
            let place = layout.map(|layout| standing(rank, layout));
            let numbers = self.numbers;
            let tid = |chunk: usize| numbers.chunk(first + rank, chunk);
            self.name("process", pid, tid(0), &format!("{whose} rank {rank}{}", place.unwrap_or_default()));
            let chunks = bars[row].iter().map(|bar| bar.chunk).max().unwrap_or(0);
            for chunk in 0..=chunks {
                let stage = layout.map_or(chunk, |layout| stage_of(&Bar { chunk, ..*bar }, layout));
                self.name(
                    "thread",
                    pid,
                    tid(chunk),
                    &format!("{} {stage}", if layout.is_some() { "stage" } else { "chunk" }),
                );
            }
        }
        let mut ends: HashMap<[usize; 2], u64> = HashMap::new();
        // Where each bar lies, as it is written.
        let mut drawn = Vec::with_capacity(bars.len());
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
            let start = if start.checked_add(1) == Some(*last) { *last } else { start };
            let end = nanoseconds(end_us).max(start);
            *last = end;
            drawn.push([start, end]);
            let waited = if bar.waited_us > 0.0 {
                format!(r#","args":{{"waited_us":{:.0}}}"#, bar.waited_us)
            } else {
                String::new()
            };
            self.events.push(format!(
                r#"{{"name":"{letter}{number}","cat":"{}","ph":"X","pid":{},"tid":{},"ts":{},"dur":{}{waited}}}"#,
                part.as_str(),
                Numbers::process(first + rank),
                self.numbers.chunk(first + rank, chunk),
                microseconds(start),
                microseconds(end - start),
            ));
        }
        for mark in marks {
            self.mark(first, mark, &ends);
        }
        if let Some(layout) = layout {
            self.arrows(first, (bars, &drawn), layout);
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
            r#"{{"name":"{}","cat":"exchange","ph":"X","pid":{},"tid":{},"ts":{},"dur":{},"args":{{"bytes":{bytes},"waited_us":{waited_us:.0}{layer}{longest}}}}}"#,
            collective.as_str(),
            Numbers::process(first + rank),
            self.numbers.chunk(first + rank, chunk),
            microseconds(start),
            microseconds(end.saturating_sub(start)),
        ));
    }

    /// What ranks sent and waited for, rank by rank in the order of time.
    fn messages<'a>(&mut self, first: usize, messages: impl Iterator<Item = &'a Message>) {
        let mut last = (None, 0);
        for Message { rank, name, start_us, end_us, bytes } in messages {
            let (pid, tid) = (Numbers::process(first + rank), self.numbers.messages(first + rank));
            if last.0 != Some(*rank) {
                self.name("thread", pid, tid, "messages");
                last = (Some(*rank), 0);
            }
            // One after the other, as a rank does them.
            let start = nanoseconds(*start_us).max(last.1);
            let end = nanoseconds(*end_us).max(start);
            last.1 = end;
            self.events.push(format!(
                r#"{{"name":"{name}","cat":"message","ph":"X","pid":{pid},"tid":{tid},"ts":{},"dur":{},"args":{{"bytes":{bytes}}}}}"#,
                microseconds(start),
                microseconds(end - start),
            ));
        }
    }

    /// An arrow from each pass to the one that waits for what it makes, where the bars have both; `drawn`: where these lie, in
    /// nanoseconds. Viewers tie its ends to the bars that are open there, and a bar is over at its last moment: so the ends are just
    /// inside, and a bar without length has none.
    fn arrows(&mut self, first: usize, (bars, drawn): (&[Bar], &[[u64; 2]]), layout: Layout) {
        let mut sent: HashMap<[usize; 5], usize> = HashMap::new();
        let mut passes = Vec::new();
        let (mut rank, mut step) = (0, 0);
        for (at, bar) in bars.iter().enumerate() {
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
                    sent.insert([back, step, pipeline, micro_batch, stage], at);
                    let from = if back == 1 { Some(stage + 1) } else { stage.checked_sub(1) };
                    passes.extend(from.map(|from| ([back, step, pipeline, micro_batch, from], at)));
                }
                _ => {}
            }
        }
        for (key, to) in passes {
            let Some(&from) = sent.get(&key) else { continue };
            let length = |at: usize| drawn[at][1] - drawn[at][0];
            if length(from) == 0 || length(to) == 0 {
                continue;
            }
            let inside = |at: usize| (length(at) / 2).min(ARROW_INSIDE);
            let (leaves, arrives) = (drawn[from][1] - inside(from).max(1), drawn[to][0] + inside(to));
            // Clocks of two machines differ: an arrow into the past says nothing.
            if leaves > arrives {
                continue;
            }
            self.arrows += 1;
            let (id, name) = (self.arrows, if key[0] == 1 { "gradient" } else { "activation" });
            for (phase, bar, at) in [("s", &bars[from], leaves), ("f", &bars[to], arrives)] {
                self.events.push(format!(
                    r#"{{"name":"{name}","cat":"message","ph":"{phase}","bp":"e","id":{id},"pid":{},"tid":{},"ts":{}}}"#,
                    Numbers::process(first + bar.rank),
                    self.numbers.chunk(first + bar.rank, bar.chunk),
                    microseconds(at),
                ));
            }
        }
    }
}
