//! Where a rank stands: the stage that a bar is about, and the words for it.

use super::Bar;
use crate::Layout;

/// The stage that a bar is about: a rank's chunks are as many ranks of the pipeline apart.
pub fn stage_of(bar: &Bar, layout: Layout) -> usize {
    bar.chunk * layout.stages() + layout.place(bar.rank).stage
}

/// What tells a rank from the others of its stage: nothing where it is alone, else `, replica 1`.
pub fn among(rank: usize, layout: Layout) -> String {
    let place = layout.place(rank);
    let replica = if layout.replicas() > 1 { format!(", replica {}", place.replica) } else { String::new() };
    let part = if layout.tensor() > 1 { format!(", part {}", place.tensor) } else { String::new() };
    replica + &part
}

/// Where a rank stands, as it follows on its name: `, stage 0, replica 1`.
pub fn standing(rank: usize, layout: Layout) -> String {
    format!(", stage {}{}", layout.place(rank).stage, among(rank, layout))
}

/// A rank's lane in few letters, and in words.
pub fn lane_name(rank: usize, layout: Option<Layout>) -> (String, String) {
    let short = format!("rank {rank}");
    match layout {
        Some(layout) if layout.stages() < layout.ranks() => {
            let place = layout.place(rank);
            let long = format!("{short}{}", standing(rank, layout));
            let part = if layout.tensor() > 1 { format!(" t{}", place.tensor) } else { String::new() };
            (format!("{rank}: s{} r{}{part}", place.stage, place.replica), long)
        }
        _ => (short.clone(), short),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Part;
    use super::*;

    #[test]
    fn a_lane_is_named_by_the_place_that_the_run_gave_the_rank() {
        let layout = Layout::new(4, 2, 1).ok();
        let names: Vec<_> = (0..4).map(|rank| lane_name(rank, layout).1).collect();
        let expected = [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate();
        let expected: Vec<_> = expected.map(|(rank, (s, r))| format!("rank {rank}, stage {s}, replica {r}")).collect();
        assert_eq!(names, expected);
        assert_eq!(lane_name(1, layout).0, "1: s0 r1");
        assert_eq!(lane_name(3, Layout::new(4, 2, 2).ok()).1, "rank 3, stage 1, part 1");
        for alone in [None, Layout::new(4, 4, 1).ok()] {
            assert_eq!(lane_name(3, alone).0, "rank 3");
        }
    }

    #[test]
    fn stages_go_round_the_ranks_of_one_pipeline() {
        let bar = |rank, chunk| Bar {
            rank,
            chunk,
            part: Part::Forward,
            micro_batch: Some(0),
            start_us: 0.0,
            end_us: 1.0,
            waited_us: 0.0,
        };
        let layout = Layout::new(4, 2, 1).expect("they divide");
        let stages = [(0, 0), (1, 0), (2, 0), (0, 1), (3, 1)].map(|(rank, chunk)| stage_of(&bar(rank, chunk), layout));
        assert_eq!(stages, [0, 0, 1, 2, 3]);
    }
}
