//! What the end of a step takes of it: the collectives of replicas, and the optimizer's update.

mod strategies;

use proptest::prelude::*;
use recspeed_plan::dense::{Speed, mlp};
use recspeed_plan::sharding::{FlatSpace, OptimizerState, ShardLevel};
use recspeed_plan::simulate::Link;
use recspeed_plan::words::verdict;
use recspeed_plan::{
    Assumed, Change, Instruction, Limit, Outlook, Recompute, ScheduleKind, Strategy as Plan, bottleneck, of_spec,
};
use strategies::{SPEED, even, look, plain, spec};

/// The longest span of an instruction.
fn longest(outlook: &Outlook, instruction: Instruction) -> f64 {
    let spans = outlook.simulation.spans.iter().filter(|span| span.instruction == instruction);
    spans.map(|span| span.end_us - span.start_us).fold(0.0, f64::max)
}

/// A microsecond for each message, whatever is in it.
const COUNTING: Link = Link { latency_us: 1.0, bytes_per_us: f64::INFINITY };

#[test]
fn a_collective_costs_a_latency_for_each_message_of_a_phase() {
    // Spans begin at moments that are no whole numbers.
    let near = |found: f64, messages: usize| (found - messages as f64).abs() < 1e-6;
    for (replicas, chunks) in [(2, 1), (8, 1), (64, 1), (8, 2)] {
        let schedule = if chunks > 1 { ScheduleKind::Interleaved } else { ScheduleKind::Gpipe };
        for level in [ShardLevel::DataParallel, ShardLevel::Optimizer] {
            let plan = Plan { replicas, level, schedule, chunks, link: COUNTING, ..even(2, 4) };
            let outlook = look(&plan);
            // Sums that are spread and then gathered, of each stage of the rank.
            let sent = chunks * 2 * (replicas - 1);
            let reduced = longest(&outlook, Instruction::ReduceGradients);
            assert!(near(reduced, sent), "{level:?} {replicas}: {reduced} and not {sent}");
            // All ranks of both stages agree on the loss before anybody moves.
            let agreed = 2 * (2 * replicas - 1);
            let moved = longest(&outlook, Instruction::OptimizerStep);
            assert!(near(moved, agreed), "{level:?} {replicas}: {moved} and not {agreed}");
        }
    }
    let alone = look(&Plan { link: COUNTING, ..even(1, 4) });
    assert_eq!(alone.simulation.total_us, look(&even(1, 4)).simulation.total_us);
}

proptest! {
    #[test]
    fn divided_gradients_and_parameters_travel_by_layer_between_those_who_hold_it(
        widths in prop::collection::vec(1..40_u64, 2..9), replicas in 2..12_usize, micro_batches in 1..4_usize, again in 0..3_usize,
        bytes_per_us in prop::sample::select(vec![f64::INFINITY, 8.0]),
    ) {
        let recompute = [Recompute::Never, Recompute::ExceptLast, Recompute::Always][again];
        let link = Link { latency_us: 1.0, bytes_per_us };
        let layers = mlp(&widths, SPEED);
        let base = Plan { recompute, replicas, micro_batches, link, ..plain(layers.clone(), 4 * micro_batches) };
        let reduced = |level| longest(&look(&Plan { level, ..base.clone() }), Instruction::ReduceGradients);
        // The executors' own divisions of a stage's numbers.
        let sizes: Vec<usize> = layers.iter().map(|layer| layer.parameters as usize).collect();
        let (whole, each) = (FlatSpace::new(&sizes, replicas), FlatSpace::per_parameter(&sizes, replicas));
        let others = (replicas - 1) as f64;
        let sent = |numbers: usize| others * (1.0 + 4.0 * numbers as f64 / bytes_per_us);
        // Gradients alone are divided as one row: each piece of a layer goes to the one rank that has it.
        let m = micro_batches as f64;
        let pieces: usize = (0..sizes.len()).map(|layer| whole.holders(layer).len()).sum();
        let most = (0..replicas).map(|rank| whole.pieces(rank).len()).max().unwrap();
        let messages = (pieces - 1).max(most * (replicas - 1)) as f64;
        let spread = m * (messages + 4.0 * others * whole.shard_len() as f64 / bytes_per_us);
        // Parameters are divided layer by layer: who has most of one decides.
        let largest = |layer: usize| (0..replicas).map(|rank| each.part(layer, rank).len()).max().unwrap();
        let by_layer: f64 = (0..sizes.len()).map(|layer| sent(largest(layer))).sum();
        let twice = (0..micro_batches).filter(|at| recompute.applies(*at, micro_batches)).count() as f64;
        for (level, expected) in [
            (ShardLevel::Gradients, spread + sent(whole.shard_len())),
            (ShardLevel::Parameters, (3.0 * m + twice) * by_layer),
        ] {
            let found = reduced(level);
            prop_assert!((found - expected).abs() < 1e-6 * expected, "{:?}: {} µs, not {}", level, found, expected);
        }
    }
}

#[test]
fn a_layer_is_gathered_over_the_links_of_all_ranks_in_the_time_of_a_part_of_it() {
    // One layer of 1024 x 1024 numbers and their biases, on links without latency.
    let layers = mlp(&[1024, 1024], SPEED);
    let link = Link { latency_us: 0.0, bytes_per_us: 1250.0 };
    let bytes = 4.0 * layers[0].parameters as f64;
    for replicas in [2, 8, 64, 512] {
        let plan = Plan { replicas, level: ShardLevel::Parameters, link, ..plain(layers.clone(), 4) };
        // Gathered twice and added up once; from one rank it would be all of it to each other one.
        let parts = (replicas - 1) as f64 / replicas as f64;
        let (found, expected) = (longest(&look(&plan), Instruction::ReduceGradients), 3.0 * parts * bytes / 1250.0);
        assert!((found - expected).abs() < 1e-3 * expected, "{replicas} ranks: {found} µs, not {expected}");
    }
}

#[test]
fn an_update_takes_what_its_bytes_take_of_the_memory() {
    // Burn's Adam goes over its rows in thirteen operations, of which four have two rows to read.
    let all = [OptimizerState::None, OptimizerState::OneMoment, OptimizerState::TwoMoments];
    assert_eq!(all.map(OptimizerState::moved_bytes), [20, 48, 120]);
    // 11 GB/s at 50 GFLOP/s.
    let ns = all.map(|optimizer| (Speed::of_gflops(50.0).update_us(optimizer) * 1e3 * 11.0).round());
    assert_eq!(ns, [20.0, 48.0, 120.0]);
    let spec = |optimizer: &str, stage: u32| {
        let training = format!("batch_size = 64\noptimizer = \"{optimizer}\"");
        let strategy = format!("kind = \"hybrid\"\nranks = 4\nstages = 1\nstage = {stage}");
        of_spec(&spec("kind = \"mlp\"\nhidden = [1024, 1024]", &training, &strategy), Assumed::threads(50.0)).unwrap()
    };
    let update = |optimizer: &str, stage: u32| {
        let plan = Plan { link: Link::INSTANT, ..spec(optimizer, stage) };
        longest(&look(&plan), Instruction::OptimizerStep)
    };
    let parameters: u64 = spec("adam", 0).layers.iter().map(|layer| layer.parameters).sum();
    let expected = parameters as f64 * 120.0 / 11_000.0;
    assert!((update("adam", 0) - expected).abs() < 1e-6 * expected);
    assert!((update("sgd", 0) - expected / 6.0).abs() < 1e-6 * expected);
    // Each replica moves a quarter.
    assert!((update("adam", 1) - expected / 4.0).abs() < 1e-3 * expected);
}

#[test]
fn an_update_that_takes_much_of_a_step_is_named_and_what_shortens_it_is_proposed() {
    let plan = Plan { update_us: 1.0, replicas: 4, ..even(1, 1) };
    let outlook = look(&plan);
    let found = bottleneck(&plan, &outlook, None);
    assert_eq!(found.limit, Limit::Update);
    let update = longest(&outlook, Instruction::OptimizerStep);
    assert!((found.share - update / outlook.simulation.total_us).abs() < 1e-9, "{}", found.share);
    assert_eq!(found.remedy.as_ref().map(|remedy| &remedy.change), Some(&Change::Level(ShardLevel::Optimizer)));
    let words = verdict(&found, &plan, &outlook);
    assert!(words.starts_with("The optimizer's update takes ") && words.contains(" Try ZeRO 1: "), "{words}");

    // On the way to the host and back.
    let link = Link { latency_us: 0.0, bytes_per_us: 10.0 };
    let offloaded = Plan { offload: true, link, ..even(1, 1) };
    let outlook = look(&offloaded);
    let found = bottleneck(&offloaded, &outlook, None);
    assert_eq!(
        (found.limit, found.remedy.as_ref().map(|remedy| &remedy.change)),
        (Limit::Update, Some(&Change::Offload(false)))
    );
    let words = verdict(&found, &offloaded, &outlook);
    assert!(words.contains("update on the host, with the messages there and back, takes "), "{words}");
    assert!(words.contains(" Try the optimizer's state on the ranks themselves: "), "{words}");
    assert!(!Change::Offload(false).applied(&offloaded).offload);

    // One rank has nobody to divide it with.
    let alone = Plan { update_us: 1.0, ..even(1, 1) };
    let found = bottleneck(&alone, &look(&alone), None);
    assert_eq!((found.limit, found.remedy.map(|remedy| remedy.change)), (Limit::Update, Some(Change::Batch(16))));
}
