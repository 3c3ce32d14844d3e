//! What a spec's `strategy.balance` makes of a model: the best of all ways to cut it, and the same for everybody who asks.

mod strategies;

use proptest::prelude::*;
use recspeed_plan::{
    Assumed, Balance, Change, Layer, Outlook, Partition, Recompute, ScheduleKind, StageMemory, of_spec, whole_layers,
};
use strategies::{of, spec};

/// Every way to cut so many layers into so many stages.
fn cuts(layers: usize, stages: usize) -> Vec<Vec<usize>> {
    if stages == 1 {
        return vec![vec![layers]];
    }
    let after =
        |first: usize| cuts(layers - first, stages - 1).into_iter().map(move |rest| [vec![first], rest].concat());
    (1..=layers + 1 - stages).flat_map(after).collect()
}

/// What the costliest stage costs.
fn most(layers: &[Layer], counts: &[usize], of: &dyn Fn(usize, &Layer) -> f64) -> f64 {
    let stages = Partition::by_hand(layers.len(), counts).expect("they are placed").merge(layers);
    stages.iter().enumerate().map(|(at, stage)| of(at, stage)).fold(0.0, f64::max)
}

fn layer((parameters, kept, input, in_place): (u64, u64, u64, bool)) -> Layer {
    Layer { parameters, kept_bytes: kept, input_bytes: input, reads_in_place: in_place, ..Layer::default() }
}

proptest! {
    /// Also where a later stage holds more than an earlier one, and an input more than what the layer keeps.
    #[test]
    fn no_other_cut_has_a_fullest_stage_that_holds_less(
        numbers in prop::collection::vec((0..50_u64, 0..50_u64, 0..50_u64, any::<bool>()), 1..9),
        stages in 1..5_usize,
        mut kept in prop::collection::vec(0..6_usize, 1..5),
        mut inputs in prop::collection::vec(0..6_usize, 1..5),
        as_a_pipeline in any::<bool>(),
    ) {
        prop_assume!(stages <= numbers.len());
        let mut layers: Vec<Layer> = numbers.into_iter().map(layer).collect();
        if as_a_pipeline {
            // Later stages hold less, nothing is computed again, and an input lies within what the layer before it keeps.
            kept.sort_unstable_by(|a, b| b.cmp(a));
            inputs.fill(0);
            for at in 1..layers.len() {
                layers[at].input_bytes = layers[at].input_bytes.min(layers[at - 1].kept_bytes);
            }
        }
        let memory = StageMemory { per_parameter: 16.0, kept, inputs };
        let held = |stage: usize, layer: &Layer| memory.bytes(stage, layer);
        let ours = Partition::new(&layers, stages, &Balance::Memory(memory.clone())).expect("it is possible");
        let best = cuts(layers.len(), stages).iter().map(|counts| most(&layers, counts, &held)).fold(f64::MAX, f64::min);
        prop_assert_eq!(most(&layers, &ours.counts(), &held), best);
    }
}

const NETWORK: &str = "kind = \"mlp\"\nhidden = [48, 4, 4, 4, 4, 32]";

fn strategy(balance: &str, more: &str) -> String {
    format!("kind = \"pipeline\"\nstages = 3\nmicro_batches = 4\nbalance = \"{balance}\"\n{more}")
}

#[test]
fn stages_equal_in_time_have_a_slowest_one_that_no_other_cut_beats() {
    let plan = of(NETWORK, "batch_size = 64", &strategy("time", ""));
    let layers = whole_layers(&spec(NETWORK, "batch_size = 64", &strategy("time", "")).recommender, None).unwrap();
    let time = |_: usize, stage: &Layer| stage.time(16);
    let ours = most(&layers, &Outlook::of(&plan).unwrap().partition.counts(), &time);
    let best = cuts(layers.len(), 3).iter().map(|counts| most(&layers, counts, &time)).fold(f64::MAX, f64::min);
    assert!((ours - best).abs() < 1e-9 * best, "{ours} {best}");
}

#[test]
fn how_fast_the_ranks_are_taken_to_be_moves_no_border() {
    for balance in ["parameters", "time", "memory"] {
        let asked = spec(NETWORK, "batch_size = 64", &strategy(balance, ""));
        let cut = |gflops: f64| Outlook::of(&of_spec(&asked, Assumed::threads(gflops)).unwrap()).unwrap().partition;
        assert_eq!(cut(0.01), cut(50.0), "{balance}");
        assert_eq!(cut(50.0), cut(1e6), "{balance}");
    }
}

/// Of 1F1B the first of four stages holds four micro-batches and the last one of them.
#[test]
fn stages_equal_in_memory_hold_less_on_the_fullest_rank_than_others() {
    let hidden = format!("kind = \"mlp\"\nhidden = {:?}", [64; 15]);
    let fullest = |balance: &str| {
        let cut = format!("kind = \"pipeline\"\nstages = 4\nmicro_batches = 16\nbalance = \"{balance}\"");
        Outlook::of(&of(&hidden, "batch_size = 8192", &cut)).unwrap().fullest().1
    };
    let ours = fullest("memory");
    for other in ["parameters", "time"] {
        assert!(10 * ours < 9 * fullest(other), "{ours}, by {other} {}", fullest(other));
    }
}

/// By memory of what a plan counts: a stage alone on its rank holds what its rank is foretold to, messages on their way apart.
#[test]
fn a_stage_holds_what_the_plan_foretells_of_its_rank() {
    for schedule in ["gpipe", "1f1b", "zb-h1"] {
        for recompute in ["never", "except-last", "always"] {
            for network in [NETWORK, "kind = \"mlp\"\nhidden = [256, 256, 8, 8]"] {
                let more = format!("schedule = \"{schedule}\"\nrecompute = \"{recompute}\"");
                let plan = of(network, "batch_size = 4096", &strategy("memory", &more));
                let (outlook, memory) = (Outlook::of(&plan).unwrap(), StageMemory::of(&plan));
                for (rank, stage) in outlook.stages.iter().enumerate() {
                    let (ours, planned) = (memory.bytes(rank, stage), outlook.ranks[rank].peak() as f64);
                    // What it has received and does not keep yet, of four micro-batches at most.
                    let messages = (4 * outlook.sizes[0] as u64 * (stage.input_bytes + stage.output_bytes)) as f64;
                    let near = (planned - messages..planned + 1.0).contains(&ours);
                    assert!(near, "{schedule}, {recompute}, {network}, rank {rank}: {ours} {planned} {messages}");
                }
            }
        }
    }
}

#[test]
fn what_is_tried_against_a_limit_is_cut_as_it_would_run() {
    let plan = |more: &str| of(NETWORK, "batch_size = 4096", &strategy("memory", more));
    let first = plan("schedule = \"1f1b\"");
    for (change, more) in [
        (Change::Schedule(ScheduleKind::Gpipe, 1), "schedule = \"gpipe\""),
        (Change::Recompute(Recompute::Always), "schedule = \"1f1b\"\nrecompute = \"always\""),
    ] {
        let (tried, run) = (change.applied(&first), plan(more));
        assert_eq!(tried.balance, run.balance, "{change:?}");
        assert_eq!(Outlook::of(&tried).unwrap().partition, Outlook::of(&run).unwrap().partition, "{change:?}");
    }
}
