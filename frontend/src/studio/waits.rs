//! The collectives within a run's bars: strips at the feet of these, and words.

use recspeed_plan::timeline::{Bar, Mark, Waits};

use super::frame::{Frame, Lane, Rect};
use crate::charts::{bytes, counted, share};

/// Height of a strip, at most: a third of a lane.
const STRIP: f64 = 6.0;
/// The share of a pixel that a collective of no length takes, so that it is seen.
const SEEN: f64 = 0.01;

/// A strip, and the ground that sets it off from its bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Strip {
    /// As high as a strip can be, and a pixel more.
    pub ground: Rect,
    /// As high as the share of its time that lies in collectives.
    pub mark: Rect,
}

/// Where collectives lie, at the foot of their rank's lane. Those of a deep network are shorter than a pixel: each pixel's strip is as
/// high as the share of its time that lies in some, and one pixel where that is little. `marks`: rank by rank.
pub(crate) fn strips(frame: &Frame, marks: &[Mark]) -> Vec<Strip> {
    let columns = frame.width.max(0.0).ceil() as usize;
    let Some(last) = columns.checked_sub(1) else { return Vec::new() };
    let mut strips = Vec::new();
    for own in marks.chunk_by(|a, b| a.rank == b.rank) {
        let (y, h) = frame.row(Lane::Measured, own[0].rank);
        let most = STRIP.min((h / 3.0).floor());
        let mut covered = vec![0.0_f64; columns];
        for mark in own {
            let (from, to) = (frame.x(mark.start_us), frame.x(mark.end_us));
            for (at, covered) in covered.iter_mut().enumerate().take((to as usize).min(last) + 1).skip(from as usize) {
                let lies = to.min(at as f64 + 1.0) - from.max(at as f64);
                if lies > 0.0 || to <= from {
                    *covered += lies.max(SEEN);
                }
            }
        }
        let height = |covered: f64| if covered > 0.0 { (most * covered.min(1.0)).round().max(1.0) } else { 0.0 };
        let heights: Vec<f64> = covered.into_iter().map(height).collect();
        let mut x = 0;
        for run in heights.chunk_by(|a, b| a == b) {
            let (left, w, high) = (x as f64, run.len() as f64, run[0]);
            x += run.len();
            if high > 0.0 {
                let at_the_foot = |high: f64| Rect { x: left, y: y + h - high, w, h: high };
                strips.push(Strip { ground: at_the_foot(most + 1.0), mark: at_the_foot(high) });
            }
        }
    }
    strips
}

/// What a bar waited for others, and the collectives in it; nothing where it has none. Begins with a space.
pub(crate) fn about_waits(bar: &Bar, marks: &[Mark]) -> String {
    let own: Vec<Mark> = marks.iter().filter(|mark| mark.lies_in(bar)).copied().collect();
    let waits = Waits::of(std::slice::from_ref(bar), &own);
    let waited = waits.shares.first().map(|(_, waited)| {
        let mostly = waits.mostly_for.map(|rank| format!(", most of it for rank {rank}")).unwrap_or_default();
        format!(" Of it {} was waiting for other ranks{mostly}.", share(*waited))
    });
    // By name, in the order in which they come first.
    let mut names: Vec<(&str, u64)> = Vec::new();
    for mark in &own {
        let name = mark.collective.as_str();
        match names.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => names.push((name, 1)),
        }
    }
    let names: Vec<String> = names.into_iter().map(|(name, count)| counted(count, name)).collect();
    let collectives = match (names.as_slice(), &waited) {
        ([], None) => String::new(),
        ([], Some(_)) => " Its collectives are not told one by one.".to_owned(),
        (names, _) => {
            let sent = bytes(own.iter().map(|mark| mark.bytes).sum());
            format!(" In it: {}, {sent} sent.", names.join(", "))
        }
    };
    waited.unwrap_or_default() + &collectives
}

#[cfg(test)]
mod tests {
    use recspeed_plan::Collective;
    use recspeed_plan::timeline::Part;

    use super::*;

    fn mark(rank: usize, [start_us, end_us]: [f64; 2]) -> Mark {
        Mark {
            rank,
            chunk: 0,
            collective: Collective::AllGather,
            within: Some((Part::Backward, Some(3))),
            layer: Some(1),
            start_us,
            end_us,
            bytes: 1 << 20,
            waited_us: 10.0,
            longest: Some((2, 10.0)),
        }
    }

    fn bar(waited_us: f64) -> Bar {
        Bar { rank: 1, part: Part::Backward, micro_batch: Some(3), chunk: 0, start_us: 0.0, end_us: 100.0, waited_us }
    }

    /// A microsecond a pixel.
    fn frame() -> Frame {
        Frame { width: 100.0, total_us: 100.0, ranks: 2, measured: 2 }
    }

    #[test]
    fn a_strip_lies_at_the_foot_of_its_lane_where_its_collective_is() {
        let strips = strips(&frame(), &[mark(0, [10.0, 20.0]), mark(1, [0.0, 5.0]), mark(1, [90.0, 100.0])]);
        let places: Vec<[f64; 3]> = strips.iter().map(|strip| [strip.mark.x, strip.mark.w, strip.mark.h]).collect();
        assert_eq!(places, [[10.0, 10.0, STRIP], [0.0, 5.0, STRIP], [90.0, 10.0, STRIP]]);
        for (strip, rank) in strips.iter().zip([0, 1, 1]) {
            let (y, h) = frame().row(Lane::Measured, rank);
            for rect in [strip.ground, strip.mark] {
                assert!(y < rect.y && (rect.y + rect.h - y - h).abs() < 1e-9, "{rect:?}");
            }
            assert_eq!((strip.ground.x, strip.ground.w, strip.ground.h), (strip.mark.x, strip.mark.w, STRIP + 1.0));
        }
    }

    #[test]
    fn many_short_collectives_are_as_high_as_their_share_of_the_time_and_none_is_unseen() {
        // Of each microsecond the first half, in the first fifty; then one of no length.
        let mut marks: Vec<Mark> = (0..50).map(|at| mark(0, [f64::from(at), f64::from(at) + 0.5])).collect();
        marks.push(mark(0, [70.0, 70.0]));
        let strips = strips(&frame(), &marks);
        let places: Vec<[f64; 3]> = strips.iter().map(|strip| [strip.mark.x, strip.mark.w, strip.mark.h]).collect();
        assert_eq!(places, [[0.0, 50.0, STRIP / 2.0], [70.0, 1.0, 1.0]]);
        assert!(super::strips(&frame(), &[]).is_empty());
        assert!(super::strips(&Frame { width: 0.0, ..frame() }, &marks).is_empty(), "before the page is laid out");
        // A run is longer than what is drawn where its picture is not drawn yet.
        super::strips(&Frame { total_us: 1.0, ..frame() }, &marks);
    }

    #[test]
    fn a_bar_says_how_long_it_waited_for_whom_and_in_what() {
        let inside = [mark(1, [10.0, 20.0]), mark(1, [30.0, 40.0])];
        let scattered = Mark { collective: Collective::ReduceScatter, ..mark(1, [40.0, 50.0]) };
        let others = [mark(0, [10.0, 20.0]), Mark { within: None, ..inside[0] }];
        let all = [&inside[..], &[scattered], &others[..]].concat();
        let quarter = share(0.25);
        assert_eq!(
            about_waits(&bar(25.0), &all),
            format!(
                " Of it {quarter} was waiting for other ranks, most of it for rank 2. In it: 2 all-gathers, \
                 1 reduce-scatter, {} sent.",
                bytes(3 << 20)
            )
        );
        let untold = format!(" Of it {quarter} was waiting for other ranks. Its collectives are not told one by one.");
        assert_eq!(about_waits(&bar(25.0), &others), untold);
        assert_eq!(about_waits(&bar(0.0), &[]), "", "of runs that tell none nothing is said");
    }
}
