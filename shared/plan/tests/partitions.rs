//! Stages are contiguous, not empty, cover all layers, and the costliest is as cheap as can be.

use proptest::prelude::*;
use recspeed_plan::{Balance, Duration, Layer, Partition, PlanError, StageMemory, micro_batch_sizes};

fn layers(costs: &[u64]) -> Vec<Layer> {
    costs
        .iter()
        .map(|&cost| Layer {
            forward: Duration { fixed_us: 0.0, per_sample_us: cost as f64 },
            parameters: cost,
            kept_bytes: cost,
            input_bytes: 1,
            output_bytes: 1,
            ..Layer::default()
        })
        .collect()
}

fn maximum(costs: &[u64], counts: &[usize]) -> u64 {
    let mut rest = costs;
    counts
        .iter()
        .map(|&count| {
            let (stage, after) = rest.split_at(count);
            rest = after;
            stage.iter().sum()
        })
        .max()
        .unwrap_or(0)
}

/// The smallest maximum over every way to cut, by trying them all.
fn smallest(costs: &[u64], stages: usize) -> u64 {
    if stages == 1 {
        return costs.iter().sum();
    }
    (1..=costs.len() + 1 - stages)
        .map(|first| costs[..first].iter().sum::<u64>().max(smallest(&costs[first..], stages - 1)))
        .min()
        .expect("at least one way")
}

proptest! {
    #[test]
    fn the_costliest_stage_is_as_cheap_as_can_be(costs in prop::collection::vec(0..50_u64, 1..10), stages in 1..6_usize) {
        prop_assume!(stages <= costs.len());
        let layers = layers(&costs);
        let memory = Balance::Memory(StageMemory { per_parameter: 16.0, kept: vec![2], inputs: Vec::new() });
        let as_they_are = Balance::As { layers: layers.clone(), by: Box::new(Balance::Parameters) };
        for balance in [Balance::Time { samples: 3 }, Balance::Parameters, memory, as_they_are] {
            let partition = Partition::new(&layers, stages, &balance).expect("possible");
            let counts = partition.counts();
            prop_assert_eq!(counts.len(), stages);
            prop_assert_eq!(counts.iter().sum::<usize>(), costs.len());
            prop_assert!(counts.iter().all(|&count| count > 0));
            prop_assert_eq!(maximum(&costs, &counts), smallest(&costs, stages));
            let merged = partition.merge(&layers);
            prop_assert_eq!(merged.iter().map(|stage| stage.parameters).sum::<u64>(), costs.iter().sum::<u64>());
        }
    }

    #[test]
    fn micro_batches_cover_the_batch_and_differ_by_one_at_most(batch in 1..500_usize, micro_batches in 1..40_usize) {
        match micro_batch_sizes(batch, micro_batches) {
            Ok(sizes) => {
                prop_assert_eq!(sizes.len(), micro_batches);
                prop_assert_eq!(sizes.iter().sum::<usize>(), batch);
                prop_assert!(sizes[0] - sizes[micro_batches - 1] <= 1 && sizes[micro_batches - 1] > 0);
            }
            Err(error) => prop_assert_eq!(error, PlanError::BatchTooSmall { batch, micro_batches }),
        }
    }
}

#[test]
fn no_stage_is_empty_where_another_library_left_one_empty() {
    // DeepSpeed's search once cut five layers into [0, 2, 4, 5, 5].
    let partition = Partition::new(&layers(&[1, 1, 1, 1, 1]), 4, &Balance::Parameters).expect("possible");
    assert_eq!(partition.counts(), [1, 1, 1, 2]);
}

#[test]
fn heavy_first_and_last_layers_stand_alone() {
    let partition = Partition::new(&layers(&[100, 1, 1, 1, 1, 90]), 3, &Balance::Parameters).expect("possible");
    assert_eq!(partition.counts(), [1, 4, 1]);
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let three = layers(&[1, 2, 3]);
    let refused = |stages, balance: &Balance| Partition::new(&three, stages, balance).expect_err("refused");
    let error = refused(4, &Balance::Parameters);
    assert!(error.to_string().contains("use 3 stages or fewer"), "{error}");
    let error = Partition::new(&layers(&[1]), 2, &Balance::Parameters).expect_err("refused");
    assert_eq!(error.to_string(), "2 stages need at least 2 layers, and the model has 1: use 1 stage");
    assert_eq!(refused(0, &Balance::Parameters), PlanError::Zero { what: "strategy.stages" });
    assert!(refused(2, &Balance::ByHand(vec![1, 1])).to_string().contains("must add up to 3"));
    assert!(refused(3, &Balance::ByHand(vec![1, 2])).to_string().contains("one number for each stage"));
    assert!(refused(2, &Balance::ByHand(vec![usize::MAX, 4])).to_string().contains("must add up to 3"));
    assert_eq!(refused(2, &Balance::ByHand(vec![3, 0])), PlanError::EmptyStage { stage: 1, given: vec![3, 0] });
    let mut broken = three.clone();
    broken[1].forward.per_sample_us = f64::NAN;
    let error = Partition::new(&broken, 2, &Balance::Time { samples: 1 }).expect_err("refused");
    assert!(matches!(error, PlanError::Cost { layer: 1, .. }), "{error}");
    let none = StageMemory { per_parameter: f64::NAN, kept: vec![1], inputs: Vec::new() };
    assert!(matches!(refused(2, &Balance::Memory(none)), PlanError::Cost { .. }));
    let of_two = Balance::As { layers: three[..2].to_vec(), by: Box::new(Balance::Parameters) };
    assert_eq!(refused(2, &of_two), PlanError::Costs { given: 2, layers: 3 });
}
