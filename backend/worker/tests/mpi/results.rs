//! What processes compute is what threads do.

use std::collections::BTreeMap;

use recspeed_types::event::MeasuredOn;
use recspeed_types::{EventKind, RunSummary};

use crate::ranks::{can, failure, run, spec, with_tables};

/// What a run came to.
#[derive(Debug, PartialEq)]
struct Told {
    metrics: BTreeMap<String, f64>,
    final_loss: f64,
    /// Of training and validation, each step and epoch that was told.
    curve: Vec<f64>,
    /// The last rank that told when it did what.
    spans: Option<u32>,
    /// The last rank that told what it held.
    memory: Option<u32>,
}

fn told(spec: &str, over_mpi: bool) -> Told {
    let (events, status, log) = run(spec, &[]);
    assert_eq!(status, Some(0), "{log}");
    let last = |of: fn(&EventKind) -> Option<u32>| events.iter().filter_map(|event| of(&event.kind)).max();
    let spans = last(|kind| if let EventKind::Span { rank, .. } = kind { Some(*rank) } else { None });
    let memory = last(|kind| if let EventKind::Memory { rank, .. } = kind { Some(*rank) } else { None });
    for event in &events {
        // Processes say each what it holds, threads the same once.
        if let EventKind::Memory { rank, bytes } = &event.kind {
            assert_eq!(bytes.allocator_total > 0, *rank == 0 || over_mpi, "rank {rank}: {bytes:?}");
            assert!(bytes.peak >= bytes.allocator_total, "rank {rank}: {bytes:?}");
        }
    }
    let curve = events.iter().filter_map(|event| match &event.kind {
        EventKind::Metric { split: MeasuredOn::Train | MeasuredOn::Validation, value, .. } => Some(*value),
        _ => None,
    });
    let curve = curve.collect();
    match events.into_iter().next_back().unwrap().kind {
        EventKind::Finished { summary } => {
            let RunSummary { metrics, training, .. } = *summary;
            Told { metrics, final_loss: training.unwrap().final_loss, curve, spans, memory }
        }
        other => panic!("the run ended with {other:?}\n{log}"),
    }
}

#[test]
fn processes_give_the_result_of_threads() {
    if !can() {
        return;
    }
    for (strategy, training) in [
        ("kind = \"pipeline\"\nranks = 2\nschedule = \"zb-h1\"", "[training]\nepochs = 2"),
        ("kind = \"hybrid\"\nranks = 4\nstages = 2\nstage = 3", "[training]\nepochs = 2\ngradient_clip = 0.1"),
        ("kind = \"hybrid\"\nranks = 4\nstages = 2\ntensor = 2", "[training]\nepochs = 2\ngradient_clip = 0.1"),
    ] {
        let over = |launcher: &str| spec(training, &format!("{strategy}\nlauncher = \"{launcher}\""));
        assert_eq!(told(&over("mpi"), true), told(&over("threads"), false), "{strategy}");
    }
}

/// DLRM and SASRec, small, each with a strategy that divides its table.
const WITH_TABLES: [(&str, &str); 2] = [
    (
        "sample = 900\n[split]\nkind = \"random\"\nvalidation_ratio = 0.1\n[recommender]\nkind = \"dlrm\"\nembedding = 6\nbottom = \
         [5]\nhidden = [12, 8]\nnegatives = 3\ndropout = 0.2\n[training]\nepochs = 2\nbatch_size = 50\nlearning_rate = 0.01\nloss = \
         \"bpr\"\ngradient_clip = 0.5\n",
        "kind = \"hybrid\"\nranks = 4\nstages = 2\nstage = 3\ntables = \"table-wise\"",
    ),
    (
        "[split]\nkind = \"leave-last-out\"\nvalidation = true\n[recommender]\nkind = \"sasrec\"\nfactors = 8\nblocks = 2\nheads = \
         2\nlength = 6\ndropout = 0.2\nnegatives = 7\nshared_by = 5\n[training]\nepochs = 2\nbatch_size = 64\nlearning_rate = \
         0.01\ngradient_clip = 0.5\n",
        "kind = \"zero\"\nranks = 2\nstage = 2\nmicro_batches = 2",
    ),
];

#[test]
fn networks_with_tables_give_the_result_of_threads_and_of_one_device() {
    if !can() {
        return;
    }
    for (rest, strategy) in WITH_TABLES {
        let rest = format!("{rest}[evaluation]\nmetrics = [\"ndcg@10\"]\n");
        let spec = |strategy: &str| with_tables(&rest, strategy);
        let over = |launcher: &str| spec(&format!("{strategy}\nlauncher = \"{launcher}\""));
        let processes = told(&over("mpi"), true);
        assert_eq!(processes, told(&over("threads"), false), "{strategy}");
        // As far apart as threads are from one device: sums are formed in another order.
        let alone = told(&spec("kind = \"single\""), false);
        for (name, value) in &alone.metrics {
            let ours = processes.metrics[name];
            assert!((ours - value).abs() < 5e-3, "{strategy}, {name}: {ours} against {value}");
        }
        assert_eq!(processes.curve.len(), alone.curve.len(), "{strategy}: the same curve");
        for (ours, alone) in processes.curve.iter().zip(&alone.curve) {
            assert!((ours - alone).abs() < 2e-3, "{strategy}: a loss of {ours} against {alone}");
        }
    }
}

#[test]
fn processes_tell_of_as_many_steps_as_the_worker_is_asked_for() {
    if !can() {
        return;
    }
    let pipeline = "kind = \"pipeline\"\nranks = 2\nlauncher = \"mpi\"";
    let (events, status, log) = run(&spec("[training]\nepochs = 1\nbatch_size = 64", pipeline), &["--told-steps", "9"]);
    assert_eq!(status, Some(0), "{log}");
    for of in 0..2 {
        let steps = events.iter().filter(|event| match &event.kind {
            EventKind::Span { rank, name, .. } => *rank == of && name == "step",
            _ => false,
        });
        assert_eq!(steps.count(), 9, "rank {of}");
    }
}

#[test]
fn a_diverging_training_says_so_as_with_threads() {
    if !can() {
        return;
    }
    let strategy = "kind = \"data-parallel\"\nranks = 2";
    let rest = "[training]\noptimizer = \"sgd\"\nlearning_rate = 1e30";
    let told = |launcher: &str| failure(&run(&spec(rest, &format!("{strategy}\n{launcher}")), &[]).0);
    assert_eq!(told("launcher = \"mpi\""), told(""));
}
