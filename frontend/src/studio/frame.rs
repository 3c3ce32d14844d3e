//! Where everything lies in the picture: lanes of the plan, of a measured run under them on the same axis, of memory below.

use std::ops::Range;

use recspeed_plan::timeline::{Bar, rows_of};

/// A rectangle in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

/// Which timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// What the plan foretells.
    Predicted,
    /// What a run did.
    Measured,
}

/// The picture's measures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    /// Width in CSS pixels.
    pub width: f64,
    /// Microseconds from edge to edge.
    pub total_us: f64,
    /// Ranks of the plan.
    pub ranks: usize,
    /// Ranks of the measured run; 0 without one.
    pub measured: usize,
}

/// Height of a line of titles over a group of lanes.
const TITLE: f64 = 24.0;
/// Height of the axis.
const AXIS: f64 = 22.0;
/// Between two lanes.
const GAP: f64 = 2.0;

impl Frame {
    /// Height of a lane with its gap.
    pub(crate) const fn lane(&self) -> f64 {
        match self.ranks {
            0..=4 => 34.0,
            5..=8 => 27.0,
            9..=16 => 21.0,
            _ => 15.0,
        }
    }

    /// Height of a lane of memory with its gap.
    pub(crate) const fn held_lane(&self) -> f64 {
        match self.ranks {
            0..=4 => 58.0,
            5..=8 => 42.0,
            9..=16 => 28.0,
            _ => 20.0,
        }
    }

    /// Where each group begins: predicted, axis, measured, memory, end.
    pub(crate) fn groups(&self) -> [f64; 5] {
        let predicted = 0.0;
        let axis = TITLE + self.ranks as f64 * self.lane();
        let measured = axis + AXIS;
        let title = if self.measured > 0 { TITLE } else { 0.0 };
        let memory = measured + title + self.measured as f64 * self.lane();
        [predicted, axis, measured, memory, memory + TITLE + self.ranks as f64 * self.held_lane()]
    }

    /// Height of the whole.
    pub(crate) fn height(&self) -> f64 {
        self.groups()[4]
    }

    /// Where a moment lies.
    pub(crate) fn x(&self, us: f64) -> f64 {
        if self.total_us > 0.0 { us / self.total_us * self.width } else { 0.0 }
    }

    /// Upper edge and height of a rank's lane.
    pub(crate) fn row(&self, lane: Lane, rank: usize) -> (f64, f64) {
        let [predicted, _, measured, ..] = self.groups();
        let group = if lane == Lane::Predicted { predicted } else { measured };
        (group + TITLE + rank as f64 * self.lane(), self.lane() - GAP)
    }

    /// Upper edge and height of a rank's lane of memory.
    pub(crate) fn held_row(&self, rank: usize) -> (f64, f64) {
        (self.groups()[3] + TITLE + rank as f64 * self.held_lane(), self.held_lane() - 6.0)
    }

    /// A bar's rectangle; wide ones leave a gap to the next, narrow ones stay visible.
    pub(crate) fn rect(&self, lane: Lane, bar: &Bar) -> Rect {
        let (y, h) = self.row(lane, bar.rank);
        let (x, end) = (self.x(bar.start_us), self.x(bar.end_us));
        let w = end - x;
        Rect { x, y, w: if w > 3.0 { w - 1.0 } else { w.max(0.5) }, h }
    }

    /// The bar at a point: which timeline, and its place in that timeline's list.
    pub(crate) fn hit(&self, x: f64, y: f64, predicted: &[Bar], measured: &[Bar]) -> Option<(Lane, usize)> {
        if self.width <= 0.0 {
            return None;
        }
        let us = x / self.width * self.total_us;
        for (lane, bars, ranks) in [(Lane::Predicted, predicted, self.ranks), (Lane::Measured, measured, self.measured)]
        {
            let top = self.row(lane, 0).0;
            if y >= top && y < top + ranks as f64 * self.lane() {
                let row = rows_of(bars).get(((y - top) / self.lane()) as usize)?.clone();
                let at = row.start + bars[row.clone()].partition_point(|bar| bar.start_us <= us);
                let at = at.checked_sub(1).filter(|at| row.contains(at) && bars[*at].end_us >= us)?;
                return Some((lane, at));
            }
        }
        None
    }
}

/// The bar that an arrow key leads to: along the rank, or the one at the same time on the next rank.
pub(crate) fn step_to(bars: &[Bar], at: Option<usize>, key: &str) -> Option<usize> {
    let Some(now) = at.filter(|at| *at < bars.len()) else { return (!bars.is_empty()).then_some(0) };
    let rows = rows_of(bars);
    let rank = bars[now].rank;
    let along = |row: &Range<usize>| row.start..row.end;
    let row = along(rows.get(rank)?);
    Some(match key {
        "ArrowRight" => (now + 1).min(row.end - 1),
        "ArrowLeft" => now.saturating_sub(1).max(row.start),
        "Home" => row.start,
        "End" => row.end - 1,
        "ArrowUp" | "ArrowDown" => {
            let other = if key == "ArrowUp" { rank.checked_sub(1) } else { Some(rank + 1) };
            let Some(row) = other.and_then(|other| rows.get(other)).filter(|row| !row.is_empty()) else {
                return Some(now);
            };
            let middle = f64::midpoint(bars[now].start_us, bars[now].end_us);
            let after = row.start + bars[row.clone()].partition_point(|bar| bar.start_us <= middle);
            after.saturating_sub(1).max(row.start)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use recspeed_plan::timeline::bars_of;

    use super::super::setup::Setup;
    use super::*;

    fn picture(setup: &Setup) -> (Frame, Vec<Bar>) {
        let (strategy, outlook) = setup.plan().expect("it is possible");
        let frame = Frame { width: 1000.0, total_us: outlook.simulation.total_us, ranks: setup.ranks, measured: 0 };
        (frame, bars_of(&strategy, &outlook))
    }

    #[test]
    fn rectangles_lie_inside_and_apart() {
        for (ranks, micro_batches) in [(1, 1), (4, 8), (16, 64), (32, 3)] {
            let (frame, bars) = picture(&Setup { ranks, micro_batches, ..Setup::default() });
            for pair in bars.windows(2).filter(|pair| pair[0].rank == pair[1].rank) {
                let (a, b) = (frame.rect(Lane::Predicted, &pair[0]), frame.rect(Lane::Predicted, &pair[1]));
                assert!(a.x + a.w <= b.x + 0.5 && a.y == b.y, "{a:?} {b:?}");
            }
            let last = frame.row(Lane::Predicted, ranks - 1);
            assert!(last.0 + last.1 <= frame.groups()[1]);
            assert!(bars.iter().all(|bar| frame.rect(Lane::Predicted, bar).x <= frame.width));
        }
    }

    #[test]
    fn what_is_drawn_at_a_point_is_found_there() {
        let (frame, bars) = picture(&Setup { recompute: "always", schedule: "zb-h1", ..Setup::default() });
        for (index, bar) in bars.iter().enumerate() {
            let rect = frame.rect(Lane::Predicted, bar);
            let found = frame.hit(rect.x + rect.w / 2.0, rect.y + rect.h / 2.0, &bars, &[]);
            assert_eq!(found, Some((Lane::Predicted, index)));
        }
        assert_eq!(frame.hit(5.0, 2.0, &bars, &[]), None, "nothing is drawn over the titles");
        let idle = frame.row(Lane::Predicted, 3).0 + 4.0;
        assert_eq!(frame.hit(1.0, idle, &bars, &[]), None, "the last rank waits at first");
    }

    #[test]
    fn measured_lanes_lie_between_the_plan_and_the_memory_on_the_same_axis() {
        let (frame, bars) = picture(&Setup::default());
        let both = Frame { measured: 4, ..frame.clone() };
        assert_eq!(both.height(), frame.height() + TITLE + 4.0 * frame.lane());
        let (above, below) = (both.rect(Lane::Predicted, &bars[3]), both.rect(Lane::Measured, &bars[3]));
        assert_eq!((above.x, above.w), (below.x, below.w));
        assert!(above.y < below.y && below.y < both.held_row(0).0);
        assert_eq!(both.hit(below.x + 1.0, below.y + 1.0, &bars, &bars), Some((Lane::Measured, 3)));
    }

    #[test]
    fn arrow_keys_reach_every_bar() {
        let (_, bars) = picture(&Setup::default());
        let mut at = step_to(&bars, None, "ArrowRight");
        let mut seen = 0;
        for rank in 0..4 {
            at = step_to(&bars, at, "Home");
            loop {
                seen += 1;
                assert_eq!(bars[at.expect("a bar")].rank, rank);
                let next = step_to(&bars, at, "ArrowRight");
                if next == at {
                    break;
                }
                at = next;
            }
            at = step_to(&bars, at, "ArrowDown");
        }
        assert_eq!(seen, bars.len());
        assert_eq!(step_to(&bars, Some(0), "ArrowUp"), Some(0));
        assert_eq!(step_to(&bars, Some(0), "x"), None);
    }
}
