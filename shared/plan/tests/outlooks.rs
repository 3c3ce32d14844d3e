//! What holds for a strategy that is planned as a whole, and for what is said to limit it.

mod strategies;

use proptest::prelude::*;
use recspeed_plan::dense::{densenet, mlp, shared};
use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::simulate::Link;
use recspeed_plan::words::{share, verdict};
use recspeed_plan::{
    Assumed, Balance, Change, Duration, Idle, Layer, Limit, Outlook, Partition, PlanError, Room, ScheduleKind,
    Strategy as Plan, TablesOutlook, Tape, bottleneck, layers_of, of_spec,
};
use recspeed_types::Extent;
use recspeed_types::limits::MAX_BATCH_SIZE;
use strategies::{SPEED, even, look, spec};

#[test]
fn dense_layers_cost_two_operations_a_weight_and_pass() {
    let layers = mlp(&[3, 64, 64, 64, 1], SPEED);
    // The paper's four-layer network: 3·64 + 64·64 + 64·64 + 64 weights and 193 biases.
    assert_eq!(layers.iter().map(|layer| layer.parameters).sum::<u64>(), 8_641);
    assert!((layers[1].forward.of(10) - 2.0 * 4096.0 * 10.0 / 1000.0).abs() < 1e-12);
}

#[test]
fn a_dense_block_hands_on_all_that_it_has_made() {
    let layers = densenet(4, 150, 32, 1, SPEED);
    assert_eq!(layers.len(), 151);
    for pair in layers.windows(2) {
        assert_eq!(pair[0].output_bytes, pair[1].input_bytes);
    }
    assert_eq!(layers[150].input_bytes, 4 * (4 + 150 * 32));
}

#[test]
fn no_batch_has_more_rows_than_there_are_and_none_is_cut_into_more_parts_than_it_has_rows() {
    let cut = |rows: u64, replicas: usize| {
        let mut plan = Plan { replicas, batch: 64, micro_batches: 8, ..even(2, 8) };
        plan.take_no_more_than(rows);
        (plan.batch, plan.micro_batches)
    };
    assert_eq!([cut(u64::MAX, 1), cut(64, 1), cut(20, 1), cut(5, 1)], [(64, 8), (64, 8), (20, 8), (5, 5)]);
    // Each replica has its part of them, and one row at least.
    assert_eq!([cut(20, 3), cut(2, 4), cut(0, 2)], [(7, 7), (1, 1), (1, 1)]);
}

#[test]
fn what_is_offloaded_leaves_the_ranks_and_stays_on_the_machine() {
    let plan = even(4, 8);
    let (here, there) = (look(&plan), look(&Plan { offload: true, ..plan.clone() }));
    for (here, there) in here.ranks.iter().zip(&there.ranks) {
        assert!(here.shares.optimizer > 0);
        assert_eq!((there.shares.optimizer, there.shares.host), (0, here.shares.optimizer));
        assert_eq!(there.peak() + there.shares.host, here.peak());
    }
    assert_eq!(there.together(1), here.together(1));
}

#[test]
fn what_is_offloaded_costs_three_messages_of_the_parameters_a_step() {
    let link = Link { latency_us: 2.0, bytes_per_us: 100.0 };
    let plan = Plan { link, ..even(1, 1) };
    let parameters: u64 = plan.layers.iter().map(|layer| layer.parameters).sum();
    let (here, there) = (look(&plan), look(&Plan { offload: true, ..plan.clone() }));
    let more = there.simulation.total_us - here.simulation.total_us;
    let expected = 3.0 * (2.0 + 4.0 * parameters as f64 / 100.0);
    assert!((more - expected).abs() < 1e-6 * expected, "{more} µs, not {expected}");
}

#[test]
fn what_is_offloaded_sends_gradients_and_numbers_to_the_host_and_gets_the_numbers_back() {
    for level in ShardLevel::ALL {
        let plan = Plan { replicas: 2, level, ..even(2, 4) };
        let (here, there) = (look(&plan), look(&Plan { offload: true, ..plan.clone() }));
        assert_eq!(here.to_and_from_host(), (0, 0));
        for (here, there) in here.ranks.iter().zip(&there.ranks) {
            // Of Adam's 8 bytes a number of which the rank holds the moments.
            assert_eq!(
                (there.reduction.to_host, there.reduction.from_host),
                (there.shares.host, there.shares.host / 2)
            );
            assert_eq!(there.sent(), here.sent(), "no other rank gets it");
        }
        let most = there.ranks.iter().map(|rank| rank.shares.host).max().unwrap();
        assert_eq!(there.to_and_from_host(), (most, most / 2));
    }
}

#[test]
fn more_stages_of_shared_layers_are_proposed_as_they_would_be_cut() {
    let spec = |stages: u32| {
        let network = "kind = \"mlp\"\nhidden = [700, 30, 512, 512, 16, 900, 64]";
        let strategy = format!("kind = \"hybrid\"\nstages = {stages}\ntensor = 2\nschedule = \"gpipe\"");
        spec(network, "batch_size = 64", &strategy)
    };
    let plan = |stages: u32| of_spec(&spec(stages), Assumed::threads(1.0)).unwrap();
    let (two, four) = (plan(2), look(&plan(4)));
    // Room for what four stages hold on a rank, and not for what two do.
    let outlook = look(&two);
    let room = four.fullest().1;
    let remedy = Change::Ranks(4);
    assert!(outlook.fullest().1 > room);
    assert_eq!(look(&remedy.applied(&two)).partition, four.partition, "as the run would cut it");
    let whole = layers_of(&spec(4).recommender, &Assumed::threads(1.0)).unwrap();
    assert_eq!(four.partition, Partition::new(&whole, 4, &Balance::Parameters).unwrap(), "stages of whole layers");
    let found = bottleneck(&two, &outlook, Some(Room::Each(room)));
    assert!(matches!(found.limit, Limit::Memory { .. }));
    assert!(found.remedy.is_some_and(|remedy| remedy.bytes < outlook.fullest().1));
    let eight = of_spec(&spec(2), Assumed::threads(1.0)).map(|plan| Plan { ranks: 9, ..plan });
    let error = Outlook::of(&eight.unwrap()).expect_err("eight layers");
    assert!(error.to_string().contains("use 8 stages or fewer"), "{error}");
}

#[test]
fn stages_that_are_alike_have_the_bubble_of_the_formula() {
    for kind in [ScheduleKind::Gpipe, ScheduleKind::OneForwardOneBackward, ScheduleKind::ZeroBubbleH1] {
        let plan = Plan { schedule: kind, ..even(4, 8) };
        let bubble = look(&plan).simulation.bubble();
        assert!((bubble - kind.ideal_bubble(4, 8, 1)).abs() < 1e-9, "{kind:?}: {bubble}");
    }
}

#[test]
fn a_rank_sends_what_its_neighbours_need_and_nothing_alone() {
    let outlook = look(&even(4, 8));
    // 64 numbers of 4 bytes for each of 64 samples: the first and last rank in one direction, the others in both.
    let sent: Vec<u64> = outlook.ranks.iter().map(|rank| rank.messages).collect();
    assert_eq!(sent, [16_384, 32_768, 32_768, 16_384]);
    assert_eq!(look(&even(1, 8)).sent(), 0);
}

#[test]
fn replicas_divide_what_their_level_says() {
    let plan = Plan { replicas: 4, ..even(2, 4) };
    let whole = look(&plan).ranks[0];
    let zero3 = look(&Plan { level: ShardLevel::Parameters, ..plan.clone() }).ranks[0];
    assert_eq!(zero3.shares.resident(), whole.shares.resident().div_ceil(4));
    // Rajbhandari et al. 2020, section 7: 3Ψ instead of 2Ψ; with four micro-batches each of them gathers and divides.
    assert_eq!(2 * zero3.reduction.total(), 4 * 3 * whole.reduction.total());
    let zero2 = look(&Plan { level: ShardLevel::Gradients, ..plan }).ranks[0];
    assert_eq!(2 * zero2.reduction.total(), (4 + 1) * whole.reduction.total());
}

#[test]
fn few_micro_batches_are_a_bubble_and_more_of_them_the_remedy() {
    let plan = even(8, 8);
    let plan = Plan { batch: 1024, ..plan };
    let found = bottleneck(&plan, &look(&plan), None);
    assert_eq!(found.limit, Limit::Bubble);
    assert!((found.share - 7.0 / 15.0).abs() < 1e-9, "{}", found.share);
    let remedy = found.remedy.expect("there is one");
    assert_eq!(remedy.change, Change::MicroBatches(32));
    assert!(remedy.step_us < look(&plan).simulation.total_us);
}

#[test]
fn a_bad_cut_is_an_imbalance_and_the_exact_cut_its_remedy() {
    let plan = Plan { balance: Balance::ByHand(vec![30, 6, 6, 6]), ..even(4, 64) };
    let found = bottleneck(&plan, &look(&plan), None);
    assert_eq!(found.limit, Limit::Imbalance { rank: 0 });
    assert_eq!(found.remedy.map(|remedy| remedy.change), Some(Change::Counts(vec![12; 4])));
}

#[test]
fn what_ranks_wait_for_adds_up_to_their_idle_time_and_is_the_number_that_is_told() {
    let slow = Link { latency_us: 5000.0, bytes_per_us: 10.0 };
    let cut = Plan { balance: Balance::ByHand(vec![30, 6, 6, 6]), ..even(4, 64) };
    for (plan, most) in [(even(8, 8), "fill"), (cut, "work"), (Plan { link: slow, ..even(4, 8) }, "messages")] {
        let outlook = look(&plan);
        let Idle { fill, work, rank, messages } = Idle::of(&plan, &outlook);
        let idle = outlook.simulation.idle_share();
        assert!((fill + work + messages - idle).abs() < 1e-9, "{most}: {fill} + {work} + {messages} is not {idle}");
        let largest = [("fill", fill), ("work", work), ("messages", messages)];
        let largest = largest.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert_eq!(largest.0, most);
        assert!(rank == 0 || most != "work", "rank {rank} has the most layers");
        let words = verdict(&bottleneck(&plan, &outlook, None), &plan, &outlook);
        assert!(words.contains(&format!("anks are idle {} of the time, mainly", share(idle))), "{words}");
    }
    let alone = even(1, 1);
    let Idle { fill, work, messages, .. } = Idle::of(&alone, &look(&alone));
    assert!([fill, work, messages].iter().all(|share| share.abs() < 1e-9), "{fill} {work} {messages}");
}

/// The same layers on a tape, which gives both gradients at once.
fn taped(layers: &[Layer]) -> Vec<Layer> {
    let of = |layer: &Layer| Layer {
        backward_input: layer.backward_input.plus(layer.backward_weight),
        backward_weight: Duration::default(),
        ..*layer
    };
    layers.iter().map(of).collect()
}

#[test]
fn layers_on_a_tape_keep_their_inputs_and_are_computed_again_where_replicas_divide_their_numbers() {
    let layers: Vec<Layer> = taped(&even(1, 4).layers)
        .iter()
        .map(|layer| {
            let beside = layer.kept_bytes - layer.input_bytes + layer.output_bytes;
            Layer { kept_bytes: layer.input_bytes + beside, tape: Tape::of(beside, layer.forward), ..*layer }
        })
        .collect();
    let plan = |replicas, level| Plan { layers: layers.clone(), replicas, level, ..even(1, 4) };
    let whole = look(&plan(2, ShardLevel::Gradients));
    let divided = look(&plan(2, ShardLevel::Parameters));
    let forward: f64 = layers.iter().map(|layer| 4.0 * layer.forward.of(8)).sum();
    let more = divided.simulation.busy_us[0] - whole.simulation.busy_us[0];
    assert!((more - forward).abs() < 1e-6 * forward, "{more} µs, not {forward}");
    // Four micro-batches of eight samples, all on their way at once.
    let of = |bytes: fn(&Layer) -> u64| layers.iter().map(bytes).sum::<u64>();
    assert_eq!(whole.ranks[0].activations, 4 * 8 * of(|layer| layer.kept_bytes));
    assert_eq!(divided.ranks[0].activations, 4 * 8 * of(|layer| layer.input_bytes));
    let largest = |of: fn(&Layer) -> u64| layers.iter().map(of).max().unwrap();
    let (numbers, tape) = (largest(|layer| 4 * layer.parameters), largest(|layer| layer.tape.kept_bytes));
    assert_eq!(divided.ranks[0].shares.transient, 2 * numbers + 8 * tape);
    // One replica has nobody to divide them with.
    let [alone, same] = [ShardLevel::Gradients, ShardLevel::Parameters].map(|level| look(&plan(1, level)));
    assert_eq!((alone.stages, alone.simulation), (same.stages, same.simulation));
}

#[test]
fn the_peak_of_a_rank_is_that_of_its_passes_or_of_its_update() {
    // One sample keeps next to nothing, many keep more than the gradient takes as a row.
    for (batch, updates) in [(1, true), (4096, false)] {
        let outlook = look(&Plan { batch, ..even(1, 1) });
        let of = outlook.ranks[0];
        let (passes, update) = (of.shares.transient + of.activations, of.shares.update);
        assert_eq!(update > passes, updates, "{passes} {update}");
        assert_eq!(of.peak(), of.shares.resident() + passes.max(update));
    }
}

#[test]
fn zb_h1_gains_nothing_on_a_tape_and_its_bubble_is_not_called_messages() {
    for schedule in [ScheduleKind::Gpipe, ScheduleKind::OneForwardOneBackward, ScheduleKind::ZeroBubbleH1] {
        let layers = taped(&even(4, 4).layers);
        let plan = Plan { schedule, layers, link: Link::MEMORY, batch: 1024, ..even(4, 4) };
        let outlook = look(&plan);
        assert!((outlook.simulation.bubble() - 0.75).abs() < 0.01, "(p - 1) / m: {}", outlook.simulation.bubble());
        let found = bottleneck(&plan, &outlook, None);
        assert_eq!(found.limit, Limit::Bubble, "{schedule:?}");
        assert!((found.share - 3.0 / 7.0).abs() < 0.01, "{schedule:?}: {}", found.share);
        let words = verdict(&found, &plan, &outlook);
        assert!(words.contains("fills and drains. Try 16 micro-batches: "), "{words}");
    }
}

#[test]
fn where_no_cut_evens_out_the_work_more_micro_batches_are_tried() {
    // Eight layers, of which the first and the last are next to nothing: no cut into four is better than 1, 2, 2, 1.
    let layers = mlp(&[3, 1024, 1024, 1024, 1024, 1024, 1024, 1024, 1], SPEED);
    let balance = Balance::ByHand(vec![2; 4]);
    let plan = Plan { layers, balance, schedule: ScheduleKind::ZeroBubbleH1, batch: 1024, ..even(4, 4) };
    let outlook = look(&plan);
    let found = bottleneck(&plan, &outlook, None);
    assert!(matches!(found.limit, Limit::Imbalance { .. }), "{found:?}");
    let remedy = found.remedy.expect("there is one");
    assert_eq!(remedy.change, Change::MicroBatches(16));
    assert!(remedy.step_us < outlook.simulation.total_us);
}

#[test]
fn where_nothing_helps_the_sentence_claims_no_more_than_was_tried() {
    // As many micro-batches as samples, as many stages as layers.
    let layers = taped(&mlp(&[64; 5], SPEED));
    let plan = Plan { layers, schedule: ScheduleKind::ZeroBubbleH1, batch: 4, ..even(4, 4) };
    let outlook = look(&plan);
    let found = bottleneck(&plan, &outlook, None);
    assert_eq!((found.limit, &found.remedy), (Limit::Bubble, &None));
    let words = verdict(&found, &plan, &outlook);
    assert!(words.contains("Nothing that was tried helps, fits and can be set: "), "{words}");
}

#[test]
fn what_does_not_fit_is_foretold_and_the_remedy_fits() {
    let plan = even(4, 64);
    let bytes = look(&plan).fullest().1;
    let found = bottleneck(&plan, &look(&plan), Some(Room::Each(bytes - 1)));
    assert_eq!(found.limit, Limit::Memory { rank: Some(0), bytes, room: bytes - 1 });
    let remedy = found.remedy.expect("there is one");
    assert!(remedy.bytes < bytes);
    assert_eq!(look(&remedy.change.applied(&plan)).fullest().1, remedy.bytes, "the remedy does what it says");
    assert_ne!(bottleneck(&plan, &look(&plan), Some(Room::Each(bytes))).limit, found.limit, "what just fits, fits");
}

#[test]
fn slow_links_are_named() {
    let slow = Link { latency_us: 0.0, bytes_per_us: 1.0 };
    let messages = Plan { link: slow, ..even(4, 16) };
    assert_eq!(bottleneck(&messages, &look(&messages), None).limit, Limit::Messages);
    let reduction = Plan { link: slow, replicas: 4, ..even(1, 1) };
    let found = bottleneck(&reduction, &look(&reduction), None);
    assert_eq!(found.limit, Limit::Reduction);
    assert!(found.share > 0.5);
}

#[test]
fn the_batch_that_is_proposed_is_the_one_that_a_spec_writes_and_its_step_is_the_promised_one() {
    let link = Link { latency_us: 20.0, bytes_per_us: 125.0 };
    for (strategy, replicas) in [
        ("kind = \"data-parallel\"\nranks = 2", 2),
        ("kind = \"data-parallel\"\nranks = 16", 16),
        ("kind = \"hybrid\"\nranks = 8\nstages = 2\nschedule = \"gpipe\"", 4),
    ] {
        let plan = |batch: usize| {
            let training = format!("batch_size = {batch}\noptimizer = \"sgd\"");
            let spec = spec("kind = \"mlp\"\nhidden = [512, 512, 512]", &training, strategy);
            of_spec(&spec, Assumed { link, ..Assumed::threads(50.0) }).unwrap()
        };
        let now = plan(128);
        let found = bottleneck(&now, &look(&now), None);
        let words = verdict(&found, &now, &look(&now));
        let remedy = found.remedy.unwrap_or_else(|| panic!("{strategy}: {words}"));
        let (_, tried) = words.split_once(" Try batches of ").unwrap_or_else(|| panic!("{strategy}: {words}"));
        let (batch, of_each) = tried.split_once(", ").unwrap();
        let batch: usize = batch.parse().unwrap();
        assert_eq!(batch, 256, "{strategy}: {words}");
        assert!(of_each.starts_with(&format!("{} in each replica: ", batch / replicas)), "{strategy}: {words}");
        // As a spec with it is planned, for as many samples.
        let then = look(&plan(batch)).simulation.total_us * 128.0 / batch as f64;
        assert!((then - remedy.step_us).abs() < 1e-9 * then, "{strategy}: {then} is not {}", remedy.step_us);
    }
}

#[test]
fn no_larger_batch_is_proposed_than_a_spec_may_have() {
    // So slow that it limits batches of any size.
    let slow = Link { latency_us: 0.0, bytes_per_us: 1e-4 };
    let tried = |batch: usize| {
        let plan = Plan { link: slow, replicas: 4, batch, ..even(1, 1) };
        bottleneck(&plan, &look(&plan), None).remedy.map(|remedy| remedy.change)
    };
    let most = MAX_BATCH_SIZE as usize / 4;
    assert_eq!([tried(most / 2), tried(most)], [Some(Change::Batch(most)), None]);
}

#[test]
fn what_ranks_that_share_layers_bring_together_is_no_computing() {
    let strategy = "kind = \"hybrid\"\nranks = 2\nstages = 1\ntensor = 2\nschedule = \"gpipe\"\nmicro_batches = 4";
    // Plain descent, whose update is short.
    let training = "batch_size = 64\noptimizer = \"sgd\"";
    let spec = spec("kind = \"densenet\"\nlayers = 40\ngrowth = 8", training, strategy);
    let plan = of_spec(&spec, Assumed::threads(50.0)).unwrap();
    let outlook = look(&plan);
    let found = bottleneck(&plan, &outlook, None);
    assert_eq!(found.limit, Limit::Sharing);
    let instant = of_spec(&spec, Assumed { link: Link::INSTANT, ..Assumed::threads(50.0) }).unwrap();
    let without = look(&instant).simulation;
    assert_eq!(bottleneck(&instant, &look(&instant), None).limit, Limit::Computation);
    let lost = outlook.simulation.busy_us[0] - without.busy_us[0];
    assert!((found.share - lost / outlook.simulation.total_us).abs() < 1e-9, "{} {lost}", found.share);
    let remedy = found.remedy.as_ref().expect("fewer micro-batches are fewer exchanges");
    assert!(matches!(remedy.change, Change::MicroBatches(2) | Change::Batch(128)), "{remedy:?}");
    let words = verdict(&found, &plan, &outlook);
    assert!(words.contains("bringing together what each of the 2 that share a layer makes. Try "), "{words}");
}

#[test]
fn rows_of_tables_take_their_time_and_are_named_where_they_take_most_of_it() {
    let network = "kind = \"dlrm\"\nembedding = 512\nbottom = [8]\nhidden = [8]";
    let spec = spec(network, "batch_size = 512", "kind = \"data-parallel\"\nranks = 4");
    let link = Link { latency_us: 20.0, bytes_per_us: 1250.0 };
    let of = |data| of_spec(&spec, Assumed { link, ..Assumed::threads(50.0) }.on(data)).unwrap();
    let extent = Extent::of_ids(10_000, 5_000);
    let tables = TablesOutlook::of_spec(&spec, &extent).unwrap().expect("it has one");
    let (known, unknown) = (of(Some(extent)), of(None));
    let more = look(&known).simulation.total_us - look(&unknown).simulation.total_us;
    let sent = tables.ranks.iter().map(|rank| rank.traffic.total()).max().unwrap();
    // There and back, a message to each of three others.
    assert!((more - (2.0 * 3.0 * 20.0 + sent as f64 / 1250.0)).abs() < 1e-6 * more, "{more} for {sent} bytes");
    let found = bottleneck(&known, &look(&known), None);
    assert_eq!(found.limit, Limit::Tables, "{found:?}");
    assert!(verdict(&found, &known, &look(&known)).contains("sending each other rows of tables"));
}

#[test]
fn one_rank_computes() {
    let plan = even(1, 4);
    let found = bottleneck(&plan, &look(&plan), None);
    assert_eq!((found.limit, found.remedy), (Limit::Computation, None));
}

#[test]
fn impossible_strategies_are_refused_with_the_nearest_that_works() {
    assert_eq!(Outlook::of(&even(49, 8)), Err(PlanError::MoreStagesThanLayers { stages: 49, layers: 48 }));
    let plan = Plan { batch: 4, ..even(2, 8) };
    assert_eq!(Outlook::of(&plan), Err(PlanError::BatchTooSmall { batch: 4, micro_batches: 8 }));
    let plan = Plan { replicas: 0, ..even(2, 8) };
    assert_eq!(Outlook::of(&plan), Err(PlanError::Zero { what: "strategy.replicas" }));
}

proptest! {
    #[test]
    fn a_remedy_helps_as_much_as_it_says(
        ranks in 1..=6_usize, micro_batches in 1..=12_usize, kind in 0..4_usize, replicas in 1..=3_usize, slow in any::<bool>(), tight in any::<bool>(),
    ) {
        let link = if slow { Link { latency_us: 5.0, bytes_per_us: 100.0 } } else { Link::INSTANT };
        let plan = Plan {
            layers: densenet(4, 40, 16, 1, SPEED),
            schedule: ScheduleKind::ALL[kind],
            replicas,
            link,
            batch: 40,
            ..even(ranks, micro_batches)
        };
        let outlook = look(&plan);
        let room = tight.then(|| outlook.fullest().1 * 2 / 3);
        let found = bottleneck(&plan, &outlook, room.map(Room::Each));
        if let Some(remedy) = found.remedy {
            let new = look(&remedy.change.applied(&plan));
            prop_assert_eq!(new.fullest().1, remedy.bytes);
            if matches!(found.limit, Limit::Memory { .. }) {
                prop_assert!(remedy.bytes < outlook.fullest().1);
            } else {
                prop_assert!(remedy.step_us < outlook.simulation.total_us);
            }
        }
    }
}

#[test]
fn layers_that_ranks_share_are_divided_and_their_sums_take_time() {
    let layers = mlp(&[8, 40, 40, 40, 40, 4], SPEED);
    let whole: u64 = layers.iter().map(|layer| layer.parameters).sum();
    for ranks in [1, 2, 4] {
        let link = Link { latency_us: 1.0, bytes_per_us: 100.0 };
        let part = shared(&layers, ranks, link);
        let held = ranks as u64 * part.iter().map(|layer| layer.parameters).sum::<u64>();
        assert!((whole..whole + 5 * ranks as u64).contains(&held), "{held} of {whole}");
        for pair in part.windows(2) {
            assert_eq!(pair[0].output_bytes, pair[1].input_bytes);
        }
        let instant: f64 = shared(&layers, ranks, Link::INSTANT).iter().map(|layer| layer.time(10)).sum();
        let time: f64 = part.iter().map(|layer| layer.time(10)).sum();
        // Five layers: three outputs and two inputs are sums; nobody wants the slope of what the first one sees. Each sum is two
        // phases of a message to each other rank.
        let sums = time - instant - 5.0 * 2.0 * (ranks as f64 - 1.0);
        let traffic = 2.0 * (ranks as f64 - 1.0) / ranks as f64 * 10.0 * 4.0 * (40 + 40 + 4 + 40 + 40) as f64 / 100.0;
        assert!((sums - traffic).abs() < 1e-6 * traffic.max(1.0), "{sums} {traffic}");
        let ideal: f64 = layers.iter().map(|layer| layer.time(10)).sum::<f64>() / ranks as f64;
        assert!((instant - ideal).abs() < 1e-9 * ideal);
    }
}
