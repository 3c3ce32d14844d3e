//! Shards are disjoint and cover everything; forecasts are the published ones.

use proptest::prelude::*;
use recspeed_plan::sharding::{FlatSpace, OptimizerState, Precision, ShardLevel, forecast, traffic, updating};
use recspeed_plan::{Layout, PlanError};

/// Elements of parameters, some of which have fewer than there are ranks, or none.
fn any_sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![0..3_usize, 0..40_usize, 60..300_usize], 0..12)
}

/// Each parameter, and where it begins in the row.
fn starts(sizes: &[usize]) -> Vec<(usize, usize)> {
    let begins = sizes.iter().scan(0, |end, size| {
        *end += size;
        Some(*end - size)
    });
    begins.enumerate().collect()
}

proptest! {
    #[test]
    fn shards_are_disjoint_and_cover_every_element(
        sizes in any_sizes(),
        ranks in 1..70_usize,
        each: bool,
    ) {
        let space = if each { FlatSpace::per_parameter(&sizes, ranks) } else { FlatSpace::new(&sizes, ranks) };
        let mut owners: Vec<Vec<u32>> = sizes.iter().map(|&size| vec![0; size]).collect();
        for rank in 0..ranks {
            prop_assert!(space.held(rank) <= space.shard_len());
            let mut at = 0;
            for piece in space.pieces(rank) {
                prop_assert_eq!(piece.at, at);
                at += piece.elements.len();
                prop_assert_eq!(space.in_shard(piece.parameter, rank), piece.at..at);
                prop_assert_eq!(space.part(piece.parameter, rank), piece.elements.clone());
                for element in piece.elements.clone() {
                    owners[piece.parameter][element] += 1;
                }
                prop_assert!(space.holders(piece.parameter).contains(&(rank, piece.clone())));
            }
            prop_assert_eq!(at, space.held(rank));
        }
        prop_assert!(owners.iter().flatten().all(|&count| count == 1));
        prop_assert_eq!((0..ranks).map(|rank| space.held(rank)).sum::<usize>(), space.elements());
        prop_assert_eq!(space.elements() + space.padding(), space.shard_len() * ranks);
        for (parameter, &size) in sizes.iter().enumerate() {
            let held: usize = space.holders(parameter).iter().map(|(_, piece)| piece.elements.len()).sum();
            prop_assert_eq!(held, size);
            // One rank after the other, so that what is gathered from them in their order is the parameter.
            let mut end = 0;
            for rank in 0..ranks {
                let part = space.part(parameter, rank);
                prop_assert!(part.is_empty() || part.start == end, "rank {} has {:?} after {}", rank, part, end);
                prop_assert!(part.start <= part.end && part.end <= size);
                end = end.max(part.end);
            }
        }
    }

    #[test]
    fn a_row_is_cut_into_shards_and_put_together_again(sizes in any_sizes(), ranks in 1..70_usize, each: bool) {
        let space = if each { FlatSpace::per_parameter(&sizes, ranks) } else { FlatSpace::new(&sizes, ranks) };
        let row: Vec<usize> = (0..space.elements()).collect();
        let mut again = vec![usize::MAX; row.len()];
        for rank in 0..ranks {
            let stretches = space.stretches(rank);
            // A number is its place in the row.
            let shard: Vec<usize> = stretches.iter().cloned().flatten().collect();
            prop_assert!(stretches.iter().all(|stretch| !stretch.is_empty()));
            let most = if each { sizes.len() } else { 1 };
            prop_assert!(stretches.len() <= most);
            prop_assert_eq!(shard.len(), space.held(rank));
            for (parameter, start) in starts(&sizes) {
                let part = space.part(parameter, rank);
                prop_assert_eq!(&shard[space.in_shard(parameter, rank)], &row[start + part.start..start + part.end]);
            }
            space.put(rank, &shard, &mut again);
        }
        prop_assert_eq!(again, row);
    }

    #[test]
    fn each_parameter_and_all_together_lie_evenly_on_the_ranks_where_each_is_cut(
        sizes in any_sizes(),
        ranks in 1..70_usize,
    ) {
        let space = FlatSpace::per_parameter(&sizes, ranks);
        let as_even_as_can_be = |held: &[usize]| {
            let all: usize = held.iter().sum();
            held.iter().all(|&own| (all / ranks..=all.div_ceil(ranks)).contains(&own))
        };
        for parameter in 0..sizes.len() {
            let parts: Vec<usize> = (0..ranks).map(|rank| space.part(parameter, rank).len()).collect();
            prop_assert!(as_even_as_can_be(&parts), "parameter {}: {:?}", parameter, parts);
        }
        let shards: Vec<usize> = (0..ranks).map(|rank| space.held(rank)).collect();
        prop_assert!(as_even_as_can_be(&shards), "{:?}", shards);
    }

    #[test]
    fn every_rank_has_one_place_and_groups_agree(stages in 1..5_usize, replicas in 1..5_usize, tensor in 1..4_usize) {
        let layout = Layout::new(stages * replicas * tensor, stages, tensor).expect("it divides");
        prop_assert_eq!(layout.replicas(), replicas);
        for rank in 0..layout.ranks() {
            prop_assert_eq!(layout.rank(layout.place(rank)), rank);
            for group in [layout.data_group(rank), layout.tensor_group(rank), layout.pipeline_group(rank)] {
                prop_assert!(group.contains(&rank));
            }
            prop_assert_eq!(layout.pipeline_group(rank)[layout.place(rank).stage], rank);
        }
    }
}

#[test]
fn what_ranks_do_not_divide_goes_round() {
    // 5, 1, 0 and 4 numbers on three ranks: two, one and one are left over, in turn for ranks 0 and 1, 2, and 0.
    let space = FlatSpace::per_parameter(&[5, 1, 0, 4], 3);
    let parts = |parameter: usize| [0, 1, 2].map(|rank| space.part(parameter, rank));
    assert_eq!(parts(0), [0..2, 2..4, 4..5]);
    assert_eq!(parts(1), [0..0, 0..0, 0..1]);
    assert_eq!(parts(2), [0..0, 0..0, 0..0]);
    assert_eq!(parts(3), [0..2, 2..3, 3..4]);
    assert_eq!([0, 1, 2].map(|rank| space.held(rank)), [4, 3, 3]);
    assert_eq!(space.stretches(0), [0..2, 6..8]);
    // Of the row cut as a whole the first parameter lies on two ranks, of which one has most of it.
    let whole = FlatSpace::new(&[5, 1, 0, 4], 3);
    assert_eq!([0, 1, 2].map(|rank| whole.part(0, rank)), [0..4, 4..5, 5..5]);
    assert_eq!(whole.stretches(1).into_iter().flatten().collect::<Vec<_>>(), [4, 5, 6, 7]);
}

#[test]
fn the_forecasts_are_those_of_the_zero_paper() {
    // Rajbhandari et al. 2020, figure 1: 7.5 billion parameters, 64 ranks, mixed precision, Adam.
    let gigabytes = |level, ranks| {
        let bytes = forecast(level, ranks, 7_500_000_000, 0, Precision::Mixed, OptimizerState::TwoMoments, false);
        (bytes.resident() as f64 / 1e8).round() / 10.0
    };
    assert_eq!(ShardLevel::ALL.map(|level| gigabytes(level, 64)), [120.0, 31.4, 16.6, 1.9]);
}

#[test]
fn in_32_bits_a_parameter_takes_sixteen_bytes_with_adam() {
    // 16, 8 + 8/N, 4 + 12/N, 16/N bytes a parameter.
    let bytes = |level| forecast(level, 4, 1000, 0, Precision::F32, OptimizerState::TwoMoments, false).resident();
    assert_eq!(ShardLevel::ALL.map(bytes), [16_000, 10_000, 7_000, 4_000]);
}

#[test]
fn offloading_moves_the_state_to_the_host_and_changes_nothing_else() {
    for level in ShardLevel::ALL {
        let of = |offload| forecast(level, 3, 1001, 77, Precision::F32, OptimizerState::TwoMoments, offload);
        let (here, there) = (of(false), of(true));
        assert_eq!(here.optimizer, there.host);
        assert_eq!((here.host, there.optimizer), (0, 0));
        assert_eq!(
            (here.parameters, here.gradients, here.transient),
            (there.parameters, there.gradients, there.transient)
        );
    }
}

#[test]
fn after_the_passes_come_and_go_the_gradient_as_a_row_and_what_replicas_exchange() {
    let bytes = |ranks, offload| ShardLevel::ALL.map(|level| updating(level, ranks, 1000, Precision::F32, offload));
    // Alone the row beside its pieces; all numbers and a quarter of them as they travel; of a shard what the optimizer
    // computes with.
    assert_eq!(bytes(1, false), [4_000; 4]);
    assert_eq!(bytes(4, false), [5_000, 5_000, 5_000, 1_000]);
    assert_eq!((bytes(1, true), bytes(4, true)), ([4_000; 4], [5_000, 5_000, 5_000, 0]));
    let of = |level| forecast(level, 4, 1000, 0, Precision::F32, OptimizerState::TwoMoments, false).update;
    assert_eq!(ShardLevel::ALL.map(of), bytes(4, false));
}

#[test]
fn traffic_is_twice_the_parameters_and_thrice_for_sharded_ones() {
    // Section 7: 2 and 3 times the parameters, times (N - 1)/N for rings.
    let of = |level| traffic(level, 4, 1000, Precision::F32).total();
    assert_eq!(ShardLevel::ALL.map(of), [6_000, 6_000, 6_000, 9_000]);
    assert_eq!(traffic(ShardLevel::Parameters, 1, 1000, Precision::F32).total(), 0);
}

#[test]
fn ranks_that_do_not_divide_are_refused_with_the_nearest_that_do() {
    let error = Layout::new(7, 2, 2).expect_err("refused");
    assert!(matches!(error, PlanError::RanksDoNotDivide { below: 4, above: 8, .. }), "{error}");
    let told = "7 ranks cannot be cut into groups of 4 (2 stages x 2 tensor ranks): use 4 or 8 ranks";
    assert_eq!(error.to_string(), told);
    let error = Layout::new(3, 4, 1).expect_err("refused");
    assert!(matches!(error, PlanError::RanksDoNotDivide { below: 4, above: 4, .. }), "{error}");
    let told = "3 ranks cannot be cut into groups of 4 (4 stages x 1 tensor rank): use 4 ranks";
    assert_eq!(error.to_string(), told, "where no number below can be had, one is named");
    let told = "1 rank cannot be cut into groups of 2 (1 stage x 2 tensor ranks): use 2 ranks";
    assert_eq!(Layout::new(1, 1, 2).expect_err("refused").to_string(), told);
    assert_eq!(Layout::new(4, 0, 1).expect_err("refused"), PlanError::Zero { what: "strategy.stages" });
}
