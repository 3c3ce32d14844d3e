//! Collectives of a run: marks within the bars of what ranks did.

use recspeed_types::event::{Collective, Exchange};
use recspeed_types::{EventKind, RunEvent};

use super::bars::{Bar, Part, chunk_of, named, rows_of};
use super::order::by_rank_and_time;

/// A collective that a rank took part in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// The rank.
    pub rank: usize,
    /// The chunk of the bar that it lies in.
    pub chunk: usize,
    /// Which collective.
    pub collective: Collective,
    /// What the bar is that it lies in, and of which micro-batch; none of look-ups in tables, which lie before the
    /// first bar of a step.
    pub within: Option<(Part, Option<usize>)>,
    /// The layer that it is about, where it is about one.
    pub layer: Option<usize>,
    /// Microseconds from the beginning of the step.
    pub start_us: f64,
    /// The same of its end.
    pub end_us: f64,
    /// Bytes that the rank sent in it.
    pub bytes: u64,
    /// Microseconds of it in which the rank waited for messages of others.
    pub waited_us: f64,
    /// The rank whose message it waited for longest, and how many microseconds that was, where it waited.
    pub longest: Option<(usize, f64)>,
}

impl Mark {
    /// Whether it lies in this bar.
    pub fn lies_in(&self, bar: &Bar) -> bool {
        (self.rank, self.chunk, self.within) == (bar.rank, bar.chunk, Some((bar.part, bar.micro_batch)))
            && bar.start_us <= self.start_us
            && self.end_us <= bar.end_us
    }
}

/// The collectives that these events tell, rank by rank in the order of time, none over another one or over the end of
/// its bar. `bars` and `first`: the bars of the same events, and when these begin. What lies in no bar that it names is
/// left out.
pub(super) fn marks_of(events: &[RunEvent], bars: &[Bar], first: u64) -> Vec<Mark> {
    let rows = rows_of(bars);
    let mut marks: Vec<Mark> = events.iter().filter_map(|event| mark_of(&event.kind, first)).collect();
    by_rank_and_time(&mut marks, |mark| (mark.rank, mark.start_us));
    let mut last = (0, 0.0);
    marks.retain_mut(|mark| {
        let Some(own) = rows.get(mark.rank).filter(|row| !row.is_empty()).map(|row| &bars[row.clone()]) else {
            return false;
        };
        let (from, end) = if mark.within.is_some() {
            let begun = &own[..own.partition_point(|bar| bar.start_us <= mark.start_us)];
            let mut near = begun.iter().rev().take_while(|bar| mark.start_us <= bar.end_us);
            let names = |bar: &&Bar| (bar.chunk, Some((bar.part, bar.micro_batch))) == (mark.chunk, mark.within);
            let Some(bar) = near.find(names) else { return false };
            (bar.start_us, bar.end_us)
        } else {
            // Between two bars.
            let (begun, later) = own.split_at(own.partition_point(|bar| bar.start_us < mark.start_us));
            let from = begun.last().map_or(0.0, |bar| bar.end_us);
            (from, later.first().map_or(f64::INFINITY, |bar| bar.start_us))
        };
        let before = if last.0 == mark.rank { last.1 } else { 0.0 };
        mark.start_us = mark.start_us.max(before).max(from);
        mark.end_us = mark.end_us.min(end);
        if mark.start_us > mark.end_us {
            return false;
        }
        last = (mark.rank, mark.end_us);
        true
    });
    marks
}

fn mark_of(kind: &EventKind, first: u64) -> Option<Mark> {
    let EventKind::Span { rank, lane, start_us, duration_us, bytes, waited_us, exchange: Some(exchange), .. } = kind
    else {
        return None;
    };
    let Exchange { collective, within, layer, waited_for, waited_for_us } = exchange;
    // A name that is no bar's makes it no look-up.
    let within = match within {
        Some(name) => Some(named(name)?),
        None => None,
    };
    let start = start_us.checked_sub(first)?;
    Some(Mark {
        rank: *rank as usize,
        // Look-ups are about no chunk.
        chunk: within.map_or(0, |_| chunk_of(lane)),
        collective: *collective,
        within,
        layer: layer.map(|layer| layer as usize),
        start_us: start as f64,
        end_us: start.saturating_add(*duration_us) as f64,
        bytes: *bytes,
        waited_us: (*waited_us).min(*duration_us) as f64,
        longest: waited_for.map(|rank| (rank as usize, *waited_for_us as f64)),
    })
}

/// Of these marks those of the first step, whose bars are given.
pub fn marks_of_step(marks: &[Mark], bars: &[Bar]) -> Vec<Mark> {
    let ends: Vec<f64> =
        rows_of(bars).into_iter().map(|row| bars[row].iter().map(|bar| bar.end_us).fold(0.0, f64::max)).collect();
    // What comes before the passes of the next step begins when this one is over.
    let of_step = |mark: &&Mark| {
        ends.get(mark.rank)
            .is_some_and(|end| if mark.within.is_some() { mark.end_us <= *end } else { mark.start_us < *end })
    };
    marks.iter().filter(of_step).copied().collect()
}

/// What bars waited for messages of others, within themselves.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Waits {
    /// For each kind of bar that waited, in the order of [`Part::ALL`], the share of its time that it did.
    pub shares: Vec<(Part, f64)>,
    /// The rank that more than half of all that waiting was for, where there is one.
    pub mostly_for: Option<usize>,
}

impl Waits {
    /// Of these bars, and the marks within them that are told: not all of a deep network are, and then nobody knows
    /// whom most of the waiting was for.
    pub fn of(bars: &[Bar], marks: &[Mark]) -> Self {
        let share = |part: Part| {
            let own = bars.iter().filter(|bar| bar.part == part);
            let [waited, all] =
                own.fold([0.0; 2], |sum, bar| [sum[0] + bar.waited_us, sum[1] + bar.end_us - bar.start_us]);
            (waited > 0.0 && all > 0.0).then(|| (part, waited / all))
        };
        let waited: f64 = bars.iter().map(|bar| bar.waited_us).sum();
        let within = || marks.iter().filter(|mark| mark.within.is_some()).filter_map(|mark| mark.longest);
        let ranks = within().map(|(rank, _)| rank + 1).max().unwrap_or(0);
        let of_rank = |rank: usize| within().filter(|(of, _)| *of == rank).map(|(_, us)| us).sum::<f64>();
        Self {
            shares: Part::ALL.into_iter().filter_map(share).collect(),
            mostly_for: (0..ranks).find(|&rank| 2.0 * of_rank(rank) > waited && waited > 0.0),
        }
    }
}
