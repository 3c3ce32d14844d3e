//! A training that is divided among ranks ends with the result of one device.

mod desk;

use recspeed_plan::{Assumed, Outlook, TablesOutlook, of_spec};
use recspeed_types::event::{MeasuredOn, MemoryBytes};
use recspeed_types::summary::Begun;
use recspeed_types::{EventKind, ExperimentSpec, Extent, FailureCode, RunSummary};

use desk::{attempt, attempt_from, attempt_on_a_gpu, attempt_telling, attempt_within};

const MLP: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 900\n[split]\nkind = \
                   \"random\"\nvalidation_ratio = 0.1\n[recommender]\nkind = \"mlp\"\nhidden = [16, 12, 8]\n[training]\nepochs = \
                   3\nbatch_size = 50\nlearning_rate = 0.01\nearly_stopping = 2\ngradient_clip = 0.5\n[evaluation]\nmetrics = \
                   [\"rmse\", \"mae\"]\n";
const DENSENET: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 900\n[recommender]\nkind = \
                        \"densenet\"\nlayers = 9\ngrowth = 5\ndropout = 0.2\n[training]\nepochs = 2\nbatch_size = \
                        64\n[evaluation]\nmetrics = [\"accuracy\", \"auc\"]\n";

const DLRM: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 900\n[split]\nkind = \
                    \"random\"\nvalidation_ratio = 0.1\n[recommender]\nkind = \"dlrm\"\nembedding = 6\nbottom = [5]\nhidden = [12, \
                    8]\nnegatives = 3\ndropout = 0.2\n[training]\nepochs = 2\nbatch_size = 50\nlearning_rate = 0.01\nloss = \
                    \"bpr\"\nweight_decay = 0.001\noptimizer = \"adamw\"\ngradient_clip = 0.5\n[evaluation]\nmetrics = [\"ndcg@10\"]\n";

const SASREC: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \
                      \"leave-last-out\"\nvalidation = true\n[recommender]\nkind = \"sasrec\"\nfactors = 8\nblocks = 3\nheads = \
                      2\nlength = 6\ndropout = 0.2\nnegatives = 7\nshared_by = 5\n[training]\nepochs = 2\nbatch_size = \
                      64\nlearning_rate = 0.01\ngradient_clip = 0.5\n";
/// Layers that look up in tables, shared.
const SHARED: &str = "kind = \"hybrid\"\nranks = 4\nstages = 2\ntensor = 2";
/// What else a sequence model is asked, and how it looks back.
const SEQUENCES: [&str; 3] = [
    "loss = \"cross-entropy\"\n[evaluation]\nmetrics = [\"ndcg@10\"]\n",
    "loss = \"sampled-softmax\"\n[evaluation]\nmetrics = [\"ndcg@10\"]\n",
    "loss = \"bce\"\n[evaluation]\nmetrics = [\"ndcg@10\"]\n",
];

const STRATEGIES: [&str; 9] = [
    "kind = \"pipeline\"",
    "kind = \"pipeline\"\nstages = 3\nschedule = \"gpipe\"\nrecompute = \"except-last\"",
    "kind = \"pipeline\"\nstages = 2\nschedule = \"interleaved\"\nmicro_batches = 6",
    "kind = \"pipeline\"\nstages = 4\nschedule = \"zb-h1\"\nmicro_batches = 7\nrecompute = \"always\"",
    "kind = \"data-parallel\"\nranks = 3",
    "kind = \"zero\"\nstage = 2\nranks = 2\nmicro_batches = 3",
    "kind = \"zero\"\nstage = 3\nranks = 4",
    "kind = \"zero\"\nstage = 2\nranks = 3\noffload = true",
    "kind = \"hybrid\"\nranks = 4\nstages = 2\nstage = 3\nschedule = \"zb-h1\"",
];

fn run(spec: &str, strategy: &str) -> (RunSummary, Vec<EventKind>) {
    let (result, events) = attempt(None, &format!("{spec}[strategy]\n{strategy}\n"), None);
    for event in &events {
        let wrong = matches!(event, EventKind::Warning { message } if message.starts_with("the account of "));
        assert!(!wrong, "{strategy}: {event:?}");
    }
    (result.unwrap_or_else(|failure| panic!("{strategy}: {failure}")), events)
}

fn losses(events: &[EventKind]) -> Vec<f64> {
    let losses = events.iter().filter_map(|event| match event {
        EventKind::Metric { split: MeasuredOn::Train | MeasuredOn::Validation, value, .. } => Some(*value),
        _ => None,
    });
    losses.collect()
}

/// The digests of the first weights and of the orders.
fn begun(summary: &RunSummary) -> &Begun {
    summary.training.as_ref().and_then(|training| training.begun.as_ref()).expect("it says what it began with")
}

/// The same metrics and the same curve of losses, each within its bound.
fn agree(
    (ours, events): (&RunSummary, &[EventKind]),
    (theirs, told): (&RunSummary, &[EventKind]),
    (metrics, curve): (f64, f64),
    what: &str,
) {
    for (name, value) in &theirs.metrics {
        let ours = ours.metrics[name];
        assert!((ours - value).abs() < metrics, "{what}, {name}: {ours} against {value}");
    }
    let (ours, theirs) = (losses(events), losses(told));
    assert_eq!(ours.len(), theirs.len(), "{what}: the same curve");
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() < curve, "{what}: a loss of {ours} against {theirs}");
    }
}

#[test]
fn every_strategy_ends_with_the_result_of_one_device() {
    for spec in [MLP, DENSENET] {
        let (alone, told) = run(spec, "kind = \"single\"");
        for strategy in STRATEGIES {
            let (divided, events) = run(spec, strategy);
            assert_eq!(divided.training.as_ref().map(|t| t.steps), alone.training.as_ref().map(|t| t.steps));
            assert_eq!(begun(&divided), begun(&alone), "{strategy}");
            agree((&divided, &events), (&alone, &told), (2e-4, 5e-4), strategy);
        }
    }
}

#[test]
fn every_way_to_divide_tables_ends_with_the_result_of_one_device() {
    let (alone, told) = run(DLRM, "kind = \"single\"");
    for (at, strategy) in STRATEGIES.iter().enumerate() {
        let tables = ["row-wise", "table-wise", "column-wise"];
        // Each strategy with one, and the last, of stages and replicas, with all.
        let chosen = if at + 1 == STRATEGIES.len() { &tables[..] } else { &tables[at % 3..=at % 3] };
        for tables in chosen {
            let strategy = format!("{strategy}\ntables = \"{tables}\"");
            let (divided, events) = run(DLRM, &strategy);
            agree((&divided, &events), (&alone, &told), (5e-3, 5e-4), &strategy);
        }
    }
}

#[test]
fn sequence_models_end_with_the_result_of_one_device() {
    for lesson in SEQUENCES {
        let spec = format!("{SASREC}{lesson}");
        let (alone, told) = run(&spec, "kind = \"single\"");
        for strategy in STRATEGIES {
            let (divided, events) = run(&spec, strategy);
            agree((&divided, &events), (&alone, &told), (5e-3, 2e-3), &format!("{strategy}, {lesson}"));
        }
    }
}

#[test]
fn a_checkpoint_with_tables_goes_on_under_another_layout() {
    let single = "kind = \"single\"";
    let hybrid = "kind = \"hybrid\"\nranks = 4\nstage = 3\nschedule = \"zb-h1\"\ntables = \"column-wise\"";
    let pipeline = "kind = \"pipeline\"\nstages = 3\nrecompute = \"always\"\ntables = \"table-wise\"";
    let zero = "kind = \"zero\"\nranks = 3\nstage = 2";
    let text = |strategy: &str| format!("{DLRM}[strategy]\n{strategy}\n");
    let (alone, _) = run(DLRM, single);
    for (first, then) in [(hybrid, pipeline), (pipeline, zero), (zero, single), (single, hybrid), (hybrid, hybrid)] {
        let (stopped, checkpoint) = attempt_from(None, &text(first), Some(20));
        assert_eq!(stopped.expect_err("it was stopped").code, FailureCode::Cancelled);
        let (ended, _) = attempt_from(Some(checkpoint.expect("a stop leaves one")), &text(then), None);
        let ended = ended.unwrap_or_else(|failure| panic!("{first} to {then}: {failure}"));
        for (name, value) in &alone.metrics {
            let ours = ended.metrics[name];
            assert!((ours - value).abs() < 5e-3, "{first} to {then}, {name}: {ours} against {value}");
        }
        if first == then {
            assert_eq!(ended.metrics, run(DLRM, then).0.metrics, "the same layout: the same bits");
        }
    }
}

#[test]
fn ways_to_divide_tables_that_cannot_be_are_refused_with_those_that_can() {
    for (spec, strategy, remedy) in [
        (MLP, "kind = \"zero\"\ntables = \"row-wise\"", "`mlp` has no tables; remove it"),
        (DLRM, "kind = \"zero\"\nranks = 7\ntables = \"column-wise\"", "set strategy.ranks = 6 or fewer, or"),
        (DLRM, "kind = \"single\"\ntables = \"row-wise\"", "remove it"),
        (DLRM, "kind = \"hybrid\"\ntensor = 2", "`dlrm` needs tensor = 1"),
        (DLRM, SHARED, "with ranks = 4 that makes 2 × 2 replicas × stages; all ranks divide its tables"),
        (DENSENET, "kind = \"hybrid\"\ntensor = 6", "set it to 5 or fewer"),
        (DLRM, "kind = \"pipeline\"\nstages = 6", "set strategy.stages = 5 or fewer"),
    ] {
        let (result, _) = attempt(None, &format!("{spec}[strategy]\n{strategy}\n"), None);
        let failure = result.expect_err(strategy);
        assert_eq!(failure.code, FailureCode::InvalidSpec, "{strategy}: {failure}");
        assert!(failure.to_string().contains(remedy), "{strategy}: {failure}");
    }
    // What is proposed in place of sharing works.
    let proposed = SHARED.replace("tensor = 2", "tensor = 1\nstage = 3");
    attempt(None, &format!("{DLRM}[strategy]\n{proposed}\n"), None).0.expect("it is the nearest that works");
}

#[test]
fn shared_layers_end_with_the_result_of_one_device() {
    // As many ranks as can share a layer, too: of the dense block each makes five numbers.
    for (spec, most) in [(MLP, 8), (DENSENET, 5)] {
        let (alone, told) = run(spec, "kind = \"single\"");
        for strategy in [
            "kind = \"hybrid\"\nstages = 1\ntensor = 2\nmicro_batches = 1".to_owned(),
            "kind = \"hybrid\"\nstages = 2\ntensor = 2\nranks = 8\nstage = 3\nschedule = \"zb-h1\"".to_owned(),
            "kind = \"hybrid\"\nstages = 4\ntensor = 4\nrecompute = \"except-last\"\noffload = true".to_owned(),
            format!(
                "kind = \"hybrid\"\nstages = 1\ntensor = {most}\nranks = {}\nstage = 2\nmicro_batches = 2",
                2 * most
            ),
        ] {
            let (shared, events) = run(spec, &strategy);
            assert_eq!(begun(&shared), begun(&alone), "{strategy}");
            agree((&shared, &events), (&alone, &told), (2e-4, 5e-4), &strategy);
        }
    }
}

#[test]
fn ranks_tell_what_they_held_and_when_they_did_what() {
    let (_, events) = run(DENSENET, "kind = \"pipeline\"\nstages = 3\nmicro_batches = 4\nrecompute = \"always\"");
    for rank in 0..3 {
        let spans = events.iter().filter_map(|event| match event {
            EventKind::Span { rank: of, name, .. } if *of == rank => Some(name.as_str()),
            _ => None,
        });
        let spans: Vec<&str> = spans.collect();
        for name in ["F0", "F3", "B0", "B3", "reduce", "step"] {
            assert!(spans.contains(&name), "rank {rank}: {spans:?}");
        }
        assert!(events.iter().any(|event| matches!(
            event,
            EventKind::Memory { rank: of, bytes }
                if *of == rank && bytes.parameters > 0 && bytes.optimizer == 2 * bytes.parameters && bytes.activations > 0
        )));
    }
}

/// An epoch has 12 steps here: those of the next one are told, too.
#[test]
fn ranks_tell_of_as_many_steps_as_the_host_asks_for_and_learn_the_same() {
    let spec = format!("{DENSENET}[strategy]\nkind = \"pipeline\"\nmicro_batches = 4\n");
    let (alone, _) = attempt(None, &spec, None);
    let loss = alone.expect("it learns").training.expect("it is trained step by step").final_loss;
    for steps in [1, 7, 19] {
        let (result, events) = attempt_telling(steps, &spec);
        let training = result.expect("it learns").training.expect("it is trained step by step");
        assert_eq!(training.final_loss.to_bits(), loss.to_bits(), "{steps} steps");
        for (of, wanted) in [(0, "F0"), (0, "step"), (1, "B3"), (1, "step")] {
            let is = |event: &&EventKind| match event {
                EventKind::Span { rank, name, .. } => *rank == of && name == wanted,
                _ => false,
            };
            assert_eq!(events.iter().filter(is).count(), steps as usize, "rank {of}, {wanted}");
        }
    }
}

/// In the tab all ranks share one thread, which has a clock.
#[test]
fn ranks_that_take_turns_keep_a_timeline_in_which_one_of_them_computes_at_a_time() {
    let (_, events) = run(DENSENET, "kind = \"pipeline\"\nstages = 3\nmicro_batches = 4\nrecompute = \"always\"");
    let passes = events.iter().filter_map(|event| match event {
        EventKind::Span { lane, name, start_us, duration_us, .. }
            if lane != "run" && name != "reduce" && name != "step" =>
        {
            name.starts_with(['F', 'R', 'B']).then_some((*start_us, *start_us + *duration_us))
        }
        _ => None,
    });
    let mut passes: Vec<(u64, u64)> = passes.collect();
    passes.sort_unstable();
    // Four steps are told, of three ranks with four micro-batches: there, there again, and back.
    assert_eq!(passes.len(), 4 * 3 * 4 * 3);
    assert!(passes.iter().all(|(start, end)| end > start), "{passes:?}");
    assert!(passes.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{passes:?}");
}

#[test]
fn what_is_offloaded_is_told_beside_what_the_device_holds() {
    let (_, events) = run(DENSENET, "kind = \"zero\"\nranks = 2\noffload = true");
    let held = |of: u32| {
        events.iter().find_map(|event| match event {
            EventKind::Memory { rank, bytes } if *rank == of && bytes.activations > 0 => Some(*bytes),
            _ => None,
        })
    };
    for rank in 0..2 {
        let bytes = held(rank).expect("each rank tells what it held");
        assert_eq!(bytes.optimizer, 0);
        // Half of both moments, rounded to whole numbers.
        assert!(bytes.host.abs_diff(bytes.parameters) <= 8, "{bytes:?}");
        let parts = bytes.parameters + bytes.gradients + bytes.activations + bytes.buffers;
        let together = bytes.at_peak.expect("each rank notes when it held most");
        assert_eq!((together.optimizer, together.total()), (0, bytes.on_the_device()));
        assert!((bytes.parameters + bytes.activations..=parts).contains(&together.total()), "{bytes:?}");
    }
}

#[test]
fn what_cannot_be_divided_so_is_refused_with_what_can() {
    for (strategy, path, remedy) in [
        ("kind = \"pipeline\"\nstages = 5", "strategy.stages", "set strategy.stages = 4 or fewer"),
        ("kind = \"hybrid\"\nstages = 2\nranks = 3", "strategy.ranks", "set it to 2 or 4"),
        ("kind = \"zero\"\nranks = 8\nmicro_batches = 10", "strategy.micro_batches", "set it to 6 or fewer"),
        ("kind = \"zero\"\nstages = 2", "strategy.stages", "remove it"),
        ("kind = \"hybrid\"\nstages = 1\ntensor = 10", "strategy.tensor", "set it to 8 or fewer"),
        ("kind = \"hybrid\"\ntensor = 2\nranks = 6", "strategy.ranks", "set it to 4 or 8"),
        ("kind = \"pipeline\"\ntensor = 2", "strategy.tensor", "remove it"),
        ("kind = \"pipeline\"\nbalance = [3, 2]", "strategy.balance", "add up to the model's 4 layers"),
    ] {
        let (result, _) = attempt(None, &format!("{MLP}[strategy]\n{strategy}\n"), None);
        let failure = result.expect_err(strategy);
        assert_eq!(failure.code, FailureCode::InvalidSpec, "{strategy}: {failure}");
        let text = failure.to_string();
        assert!(text.contains(path) && text.contains(remedy), "{strategy}: {text}");
    }
}

#[test]
fn a_stop_stops_all_ranks() {
    let (result, _) = attempt(None, &format!("{MLP}[strategy]\nkind = \"pipeline\"\n"), Some(5));
    assert_eq!(result.expect_err("it was stopped").code, FailureCode::Cancelled);
}

/// Five million parameters, and few rows.
const LARGE: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 100\n[recommender]\nkind = \
                     \"densenet\"\nlayers = 100\ngrowth = 32\n[training]\nepochs = 1\nbatch_size = 100\n[evaluation]\nmetrics = [\"auc\"]\n";

#[test]
fn bytes_that_ranks_of_a_dense_block_hold_are_those_of_the_plan() {
    let whole: u64 = (0..100).map(|layer| 32 * (4 + 32 * layer + 1)).sum::<u64>() + 4 + 3200 + 1;
    assert_eq!(whole, 5_088_005);
    for (ranks, tensor) in [(1, 1), (2, 1), (4, 1), (2, 2), (4, 2), (4, 4)] {
        for level in 0..4 {
            let micro_batches = ranks.min(2);
            let strategy = format!(
                "[strategy]\nkind = \"hybrid\"\nstages = 1\nmicro_batches = {micro_batches}\nranks = {ranks}\ntensor = {tensor}\nstage = {level}\n"
            );
            let text = format!("{LARGE}{strategy}");
            let spec = ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap();
            let plan = Outlook::of(&of_spec(&spec, Assumed::threads(1.0)).unwrap()).unwrap().ranks[0];
            let (result, events) = attempt(None, &text, None);
            result.unwrap_or_else(|failure| panic!("{strategy}: {failure}"));
            for rank in 0..ranks {
                let held = events.iter().find_map(|event| match event {
                    EventKind::Memory { rank: of, bytes } if *of == rank && bytes.activations > 0 => Some(bytes),
                    _ => None,
                });
                let held = held.unwrap_or_else(|| panic!("rank {rank} of {ranks} tells what it held"));
                for (what, ours, plan) in [
                    ("parameters", held.parameters, plan.shares.parameters),
                    ("gradients", held.gradients, plan.shares.gradients),
                    ("optimizer", held.optimizer, plan.shares.optimizer),
                    ("activations", held.activations, plan.activations),
                    ("buffers", held.buffers, plan.shares.transient.max(plan.shares.update)),
                ] {
                    // Replicas get a row more or less; a layer's gradient and its weights are not gathered at one moment.
                    let loose = what == "buffers" || what == "activations";
                    let least = if loose { plan / 2 } else { plan / 100 * 95 };
                    assert!(
                        (least..=plan / 100 * 105).contains(&ours) || (ours, plan) == (0, 0),
                        "ZeRO {level}, rank {rank} of {ranks}, {what}: {ours} held, {plan} planned"
                    );
                }
            }
        }
    }
}

/// What each rank told that it held.
fn ledgers(events: &[EventKind], ranks: u32) -> Vec<MemoryBytes> {
    let held = (0..ranks).map(|of| {
        events.iter().find_map(|event| match event {
            EventKind::Memory { rank, bytes } if *rank == of && bytes.activations > 0 => Some(*bytes),
            _ => None,
        })
    });
    held.map(|bytes| bytes.expect("each rank tells what it held")).collect()
}

#[test]
fn bytes_that_ranks_hold_of_tables_are_those_of_the_plan() {
    let dlrm = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"dlrm\"\nembedding = \
                64\nbottom = [4]\nhidden = [4]\nattributes = [\"category\"]\nnegatives = 2\n[training]\nepochs = 1\nbatch_size = \
                500\n[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 20\n";
    for strategy in [
        "kind = \"data-parallel\"\nranks = 3\ntables = \"row-wise\"",
        "kind = \"pipeline\"\nstages = 2\ntables = \"column-wise\"",
        "kind = \"hybrid\"\nstages = 2\nranks = 4\nmicro_batches = 2\ntables = \"table-wise\"",
    ] {
        let text = format!("{dlrm}[strategy]\n{strategy}\n");
        let (result, events) = attempt(None, &text, None);
        let data = result.unwrap_or_else(|failure| panic!("{strategy}: {failure}")).data;
        let spec = ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap();
        // The categories of the data that the lab makes.
        let extent = Extent { words: vec![12], ..Extent::of_ids(data.users, data.items) };
        let layers = Outlook::of(&of_spec(&spec, Assumed::threads(1.0).on(Some(extent.clone()))).unwrap()).unwrap();
        let tables = TablesOutlook::of_spec(&spec, &extent).unwrap().unwrap();
        let copies = spec.strategy.replicas() as usize;
        for (rank, held) in ledgers(&events, spec.strategy.ranks).iter().enumerate() {
            let (own, of_tables) = (layers.ranks[rank / copies], tables.ranks[rank]);
            for (what, ours, plan) in [
                ("parameters", held.parameters, own.shares.parameters + of_tables.shares.parameters),
                ("optimizer", held.optimizer, own.shares.optimizer + of_tables.shares.optimizer),
            ] {
                let near = ours.abs_diff(plan) <= plan / 20;
                assert!(near, "{strategy}, rank {rank}, {what}: {ours} held, {plan} planned");
            }
            // Vectors until the end of the step, and on their way, and the sums of their gradients.
            let most = 3 * tables.ranks.iter().map(|rank| rank.looked_up).max().unwrap() + own.shares.resident();
            assert!((of_tables.looked_up..=most).contains(&held.buffers), "{strategy}, rank {rank}: {held:?}");
        }
    }
}

#[test]
fn tables_that_will_not_fit_are_refused_with_what_they_take_on_each_rank() {
    let text = |rest: &str| {
        format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n{rest}[evaluation]\nmetrics = \
             [\"ndcg@10\"]\n[strategy]\nkind = \"zero\"\nranks = 4\n"
        )
    };
    let network = "[recommender]\nkind = \"dlrm\"\nembedding = 1024\nattributes = [\"category\"]\nbottom = [1]\nhidden = [1]\nnegatives = \
                   1\n[training]\nepochs = 1\nbatch_size = 16\n";
    // 3,900 users and items: 45 MiB with both of Adam's moments, once for all ranks, and a third of it without; at the end of an epoch the
    // first rank has the 15 MiB of numbers twice while they come together.
    let limit = 64 << 20;
    let refused = |spec: &str| {
        let (result, events) = attempt_within(limit, spec);
        let failure = result.expect_err("it does not fit");
        assert_eq!(failure.code, FailureCode::OutOfMemory, "{failure}");
        let told = failure.to_string();
        assert!(
            told.contains("row-wise on 4 ranks, at most 1") && told.contains("a smaller recommender.embedding"),
            "{told}"
        );
        events.iter().any(|event| matches!(event, EventKind::Phase { .. }))
    };
    assert!(!refused(&text(network)), "of a data set that the lab makes, before it is made");
    assert!(refused(&text(&format!("min_user = 1\n{network}"))), "of another one, once it is read");
    let (result, _) = attempt_within(limit, &text(&format!("sample = 400\n{network}")));
    result.expect("with fewer users and items it fits");
    // About 80 MiB more are what the evaluation computes with: blocks of 1,024 items with eleven such vectors each.
    let larger = 152 << 20;
    let (result, _) = attempt_within(larger, &text(network));
    let told = result.expect_err("with moments it does not fit").to_string();
    assert!(told.contains(" of that while it is evaluated"), "{told}");
    let (result, _) = attempt_within(larger, &text(&network.replace("epochs", "optimizer = \"sgd\"\nepochs")));
    result.expect("without moments it fits");
}

#[test]
fn what_a_gpu_lacks_is_refused_for_the_gpu_and_what_the_machine_lacks_for_the_machine() {
    let spec = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 400\n[recommender]\nkind = \
                \"mlp\"\nhidden = [512, 512]\n[training]\nepochs = 1\n[evaluation]\nmetrics = [\"rmse\"]\n[strategy]\nkind = \
                \"data-parallel\"\nranks = 2\n";
    let told = |gpu, limit| attempt_on_a_gpu(gpu, limit, spec).map_err(|failure| failure.to_string());
    let (small, large) = (Some(4 << 20), Some(8 << 30));
    let on_the_card =
        told(small, 8 << 30).expect_err("each rank has a MiB of parameters, as much of gradients, and moments");
    assert!(on_the_card.contains("This does not fit on an invented card: ranks 0 and 1 would hold"), "{on_the_card}");
    assert!(!on_the_card.contains("all ranks together"), "the machine has room: {on_the_card}");
    assert!(!on_the_card.contains("(strategy.stage"), "replicas that divide nothing have none to set: {on_the_card}");
    let on_the_machine = told(large, 1 << 20).expect_err("not even the program has room");
    assert!(on_the_machine.contains("all ranks together would hold"), "{on_the_machine}");
    assert!(!on_the_machine.contains("an invented card"), "the card has room: {on_the_machine}");
    let both = told(small, 1 << 20).expect_err("neither has room");
    assert!(both.contains("an invented card") && both.contains("all ranks together would hold"), "{both}");
    // Of a memory that nobody knows nothing is refused.
    told(None, 8 << 30).expect("it trains");
    told(large, 8 << 30).expect("it trains");
}
